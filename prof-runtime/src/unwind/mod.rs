//! The stack of the calling thread as ids of return addresses: no allocation, no lock, no system call on a hit.
//!
//! One typical call: [`crate::arch::capture`] gives the registers, [`Unwinder::walk`] looks up the rule of each
//! address in the [`cache::RuleCache`] (some nanoseconds), applies it, and goes on to the caller. An address met for
//! the first time goes through [`modules`] and [`cfi`] (about a microsecond), once in the life of the process.
//!
//! Rules may be wrong (a module was replaced, an assembly function lies): every load is checked against the stack, so
//! a wrong rule gives a wrong frame, never a fault.

pub mod cache;
mod cfi;
mod modules;
mod rule;

use core::{ops::Range, sync::atomic::Ordering};

use cache::{Entry, RuleCache, Site};
use modules::{Modules, Stamp};
use rule::{Kind, Rule, SavedFp, SavedRa};

use crate::{
    arch::{self, Regs},
    memory,
};

/// Frames that are looked at for the allocator's own.
pub const OWN_FRAMES_MAX: usize = 16;
/// Frames stored per stack at most.
pub const STACK_FRAMES_MAX: usize = 128;
/// Room for both.
pub const WALK_FRAMES_MAX: usize = OWN_FRAMES_MAX + STACK_FRAMES_MAX;

/// Addresses below are no code: a saved zero or small number ends the stack.
const FIRST_CODE: usize = 4096;
/// A thread pointer this far above the stack pointer at most is taken for the end of this stack.
const THREAD_STACK_MAX: usize = 64 << 20;
/// How far below its end the main thread's stack is known to be a stack: the kernel keeps at least this gap free of
/// other mappings (`MIN_GAP` in `mm/util.c`).
const MAIN_STACK_MAX: usize = 128 << 20;
/// How much below its stack pointer an interrupted function may still use: an epilogue pops registers whose rules
/// still point at their slots.
const RED_ZONE: usize = 128;
/// How far a stack of unknown size (a fiber, an alternate signal stack) is trusted to reach.
const UNKNOWN_STACK: usize = 1 << 20;

/// What [`Unwinder::walk`] found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Walk {
    /// The frames to keep, as a range of the buffer.
    pub start: usize,
    /// End of that range.
    pub end: usize,
    /// Whether there were more frames than were asked for.
    pub truncated: bool,
}

/// What to keep of a stack.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Frames to keep.
    pub frames: usize,
    /// Code whose frames at the leaf are left out, see [`crate::Settings::own_text`].
    pub own_text: Range<usize>,
}

/// The unwinder's tables.
pub struct Unwinder {
    cache: RuleCache,
    modules: Modules,
}

/// The part of the stack that may be read.
#[derive(Clone, Copy)]
struct Bounds {
    low: usize,
    top: usize,
}

impl Bounds {
    #[inline(always)]
    fn load(self, address: usize) -> Option<usize> {
        if !address.is_multiple_of(8) || address < self.low || address.checked_add(8)? > self.top {
            return None;
        }
        // SAFETY: aligned (just checked), and between the stack pointer of a live frame and the end of the stack,
        // which is mapped: a thread's stack is one mapping. For a stack of unknown size the chain of frame addresses
        // is strictly increasing from a live one, so as long as rules hold it stays inside.
        Some(unsafe { memory::load_word(address) })
    }
}

/// A walk in progress.
struct Cursor {
    regs: Regs,
    stack: Bounds,
    /// Whether `regs.pc` is an instruction that was interrupted, not a return address.
    exact: bool,
    /// The module last checked for volatile rules.
    checked: Option<Stamp>,
}

impl Unwinder {
    /// Knows nothing yet.
    pub const fn new() -> Unwinder {
        Unwinder { cache: RuleCache::new(), modules: Modules::new() }
    }

    /// Lists the modules that are loaded. Without it everything works, slower.
    pub fn prime(&self) {
        self.modules.prime();
    }

    /// Whether the first table could be mapped.
    pub fn is_mapped(&self) -> bool {
        self.cache.id_limit() > 0
    }

    /// The addresses behind ids.
    pub fn addresses(&self) -> &RuleCache {
        &self.cache
    }

    /// The callers of the frame that `regs` were captured in, as ids, leaf first. That frame must still be there.
    ///
    /// **Cost:** about 5 ns per frame, 1 µs for an address never met before; 5 KiB of stack then.
    pub fn walk(&self, regs: Regs, limits: &Limits, ids: &mut [u32; WALK_FRAMES_MAX]) -> Walk {
        let stack = Bounds { low: regs.sp, top: self.stack_top(regs.sp) };
        let mut cursor = Cursor { regs, stack, exact: true, checked: None };
        let frames = limits.frames.min(STACK_FRAMES_MAX);
        let own_end = if limits.own_text.is_empty() { 0 } else { OWN_FRAMES_MAX };
        let mut walk = Walk { start: 0, end: 0, truncated: false };
        let mut rule = match self.cache.entry(Site::exact(regs.pc)) {
            Some(entry) => self.rule(&entry, Site::exact(regs.pc), &mut cursor),
            None => return walk,
        };
        while self.step(rule, &mut cursor).is_some() && cursor.regs.pc >= FIRST_CODE {
            // Frames of the allocator may follow within the first ones, however few are wanted.
            if walk.end >= (walk.start + frames).max(own_end) {
                walk.truncated = true;
                break;
            }
            let site =
                if cursor.exact { Site::exact(cursor.regs.pc) } else { Site::returning(cursor.regs.pc) };
            let (Some(entry), Some(slot)) = (self.cache.entry(site), ids.get_mut(walk.end)) else { break };
            *slot = entry.id;
            walk.end += 1;
            if walk.end <= OWN_FRAMES_MAX && limits.own_text.contains(&cursor.regs.pc) {
                walk.start = walk.end;
            }
            rule = self.rule(&entry, site, &mut cursor);
        }
        if walk.end - walk.start > frames {
            walk.end = walk.start + frames;
            walk.truncated = true;
        }
        walk
    }

    /// The rule of an entry: from the cache when it is there and holds, else made and stored.
    #[inline(always)]
    fn rule(&self, entry: &Entry, site: Site, cursor: &mut Cursor) -> Rule {
        match entry.rule() {
            Some(rule) if !rule.is_volatile() => rule,
            held => self.rule_checked(held, entry, site, cursor),
        }
    }

    /// The rule of an address that is new, or lies in a module that may be unloaded.
    #[inline(never)]
    fn rule_checked(&self, held: Option<Rule>, entry: &Entry, site: Site, cursor: &mut Cursor) -> Rule {
        let pc = site.lookup();
        if let (Some(rule), Some(stamp)) = (held, self.cache.stamp(entry)) {
            let now = match cursor.checked {
                Some(checked) if (checked.start..checked.end).contains(&pc) => checked,
                _ => self.modules.stamp(pc),
            };
            cursor.checked = Some(now);
            if now.value.is_none_or(|value| value == stamp.load(Ordering::Relaxed)) {
                return rule;
            }
        }
        let found = self.modules.find(pc);
        let rule = found.map_or(Rule::plain(Kind::Unknown), |found| cfi::evaluate(&found.image, site));
        if found.is_some_and(|found| found.stamp == 0) {
            entry.set_rule(rule);
            return rule;
        }
        // No module is 0 like a permanent one, but its rule is volatile: something may be loaded there later.
        if let Some(stamp) = self.cache.stamp(entry) {
            stamp.store(found.map_or(0, |found| found.stamp), Ordering::Relaxed);
            entry.set_rule(rule.volatile());
        }
        rule
    }

    /// Moves the cursor to the caller; `None` at the end of the stack.
    #[inline(always)]
    fn step(&self, rule: Rule, cursor: &mut Cursor) -> Option<()> {
        let regs = cursor.regs;
        let base = match rule.kind() {
            Kind::Sp => regs.sp,
            Kind::Fp => regs.fp,
            _ => return self.step_slow(rule, cursor),
        };
        Self::leave(rule, base.wrapping_add_signed(rule.cfa_offset()), cursor)
    }

    /// The caller of a frame whose CFA is known.
    #[inline(always)]
    fn leave(rule: Rule, cfa: usize, cursor: &mut Cursor) -> Option<()> {
        let (regs, stack) = (cursor.regs, cursor.stack);
        let pc = match rule.saved_ra() {
            SavedRa::Cfa(at) if cfa > regs.sp => stack.load(cfa.wrapping_add_signed(at as isize))?,
            // Once only: the next frame's link register is not known.
            SavedRa::Link if cfa >= regs.sp && regs.lr != 0 => regs.lr,
            _ => return None,
        };
        let fp = match rule.saved_fp() {
            SavedFp::Same => regs.fp,
            SavedFp::Cfa(at) => stack.load(cfa.wrapping_add_signed(at as isize)).unwrap_or(0),
            SavedFp::Fp(at) => stack.load(regs.fp.wrapping_add_signed(at as isize)).unwrap_or(0),
        };
        if cfa > stack.top {
            return None;
        }
        cursor.regs = Regs { pc: arch::strip(pc), sp: cfa, fp, lr: 0 };
        cursor.stack.low = cfa;
        cursor.exact = false;
        Some(())
    }

    #[inline(never)]
    fn step_slow(&self, rule: Rule, cursor: &mut Cursor) -> Option<()> {
        let (regs, stack) = (cursor.regs, cursor.stack);
        match rule.kind() {
            Kind::FpDeref => {
                let cfa = stack.load(regs.fp.wrapping_add_signed(rule.cfa_offset()))?;
                Self::leave(rule, cfa, cursor)
            }
            Kind::Signal => {
                let saved = |offset: usize| stack.load(regs.sp.wrapping_add(offset));
                let frame = arch::SIGNAL_FRAME;
                let lr = match frame.lr {
                    Some(offset) => arch::strip(saved(offset)?),
                    None => 0,
                };
                let (pc, sp, fp) = (arch::strip(saved(frame.pc)?), saved(frame.sp)?, saved(frame.fp)?);
                // On the same stack the kernel has written below the red zone. Else the handler runs on a stack of
                // its own and the interrupted one is anywhere: then only the page of its pointer is known.
                let low = sp.saturating_sub(RED_ZONE);
                let same = regs.sp < low && low - regs.sp < UNKNOWN_STACK;
                let low = if same { low } else { low.max(sp & !4095) };
                cursor.stack = Bounds { low, top: self.stack_top(sp) };
                cursor.regs = Regs { pc, sp, fp, lr };
                cursor.exact = true;
                Some(())
            }
            Kind::Unknown => {
                let (fp, pc) = (stack.load(regs.fp)?, stack.load(regs.fp.wrapping_add(8))?);
                cursor.regs = Regs { pc: arch::strip(pc), sp: regs.fp + 16, fp, lr: 0 };
                cursor.stack.low = regs.fp + 16;
                cursor.exact = false;
                Some(())
            }
            Kind::End | Kind::Sp | Kind::Fp => None,
        }
    }

    /// Where the stack with this stack pointer ends: everything from `sp` up to there may be read.
    fn stack_top(&self, sp: usize) -> usize {
        let main = self.modules.main_stack_end();
        if sp < main && main - sp < MAIN_STACK_MAX {
            return main;
        }
        let thread = arch::thread_pointer();
        if sp < thread && thread - sp < THREAD_STACK_MAX {
            return thread;
        }
        sp.saturating_add(UNKNOWN_STACK)
    }
}

#[cfg(test)]
mod tests;
