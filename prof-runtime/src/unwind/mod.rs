//! The stack of the calling thread as ids of return addresses: no allocation, no lock, no system call on a hit.
//!
//! One typical call: [`crate::arch::capture`] gives the registers, [`Unwinder::walk`] looks up the rule of each
//! address in the [`cache::RuleCache`] (some nanoseconds), applies it, and goes on to the caller. An address met for
//! the first time goes through [`modules`] and [`cfi`] (about a microsecond), once in the life of the process.
//!
//! Rules may be wrong (a module was replaced, an assembly function lies): every load is checked against the stack, so
//! a wrong rule gives a wrong frame, never a fault.

pub mod again;
pub mod cache;
mod cfi;
pub mod ids;
mod modules;
mod rule;

use core::{ops::Range, sync::atomic::Ordering};

use cache::{Entry, RuleCache, Site};
use ids::Ids;
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
    /// The frames to keep, as a range of what was written.
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

/// Which frames of a walk are kept.
struct Kept {
    walk: Walk,
    /// Frames to keep.
    frames: usize,
    /// Frames to look at, at most.
    most: usize,
    /// Start and length of the allocator's own code.
    own: (usize, usize),
    /// How many of the first frames may be its own.
    own_end: usize,
}

impl Kept {
    #[inline(always)]
    fn new(limits: &Limits) -> Kept {
        let frames = limits.frames.min(STACK_FRAMES_MAX);
        let own = (limits.own_text.start, limits.own_text.end.saturating_sub(limits.own_text.start));
        // Frames of the allocator may follow within the first ones, however few are wanted.
        let own_end = if own.1 == 0 { 0 } else { OWN_FRAMES_MAX };
        let walk = Walk { start: 0, end: 0, truncated: false };
        Kept { walk, frames, most: frames.max(own_end), own, own_end }
    }

    /// Whether this is the allocator's own code.
    #[inline(always)]
    fn is_own(&self, pc: usize) -> bool {
        pc.wrapping_sub(self.own.0) < self.own.1
    }

    /// The newest frame is the allocator's own.
    fn pass_own(&mut self) {
        if self.walk.end <= OWN_FRAMES_MAX {
            self.walk.start = self.walk.end;
            self.most = (self.walk.start + self.frames).max(self.own_end);
        }
    }

    /// Without what is one too many.
    #[inline(always)]
    fn cut(mut self) -> Walk {
        if self.walk.end - self.walk.start > self.frames {
            self.walk.end = self.walk.start + self.frames;
            self.walk.truncated = true;
        }
        self.walk
    }
}

/// Where a walk is.
#[derive(Clone, Copy)]
struct Frame {
    regs: Regs,
    stack: Bounds,
    /// Whether `regs.pc` is an instruction that was interrupted, not a return address.
    exact: bool,
}

impl Frame {
    fn site(&self) -> Site {
        if self.exact { Site::exact(self.regs.pc) } else { Site::returning(self.regs.pc) }
    }
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
    pub fn walk(&self, regs: Regs, limits: &Limits, ids: &mut Ids) -> Walk {
        ids.clear();
        let stack = Bounds { low: regs.sp, top: self.stack_top(regs.sp) };
        let mut frame = Frame { regs, stack, exact: true };
        let mut kept = Kept::new(limits);
        let mut checked = None;
        let Some(entry) = self.cache.entry(frame.site()) else { return kept.walk };
        let mut rule = self.rule(&entry, frame.site(), &mut checked);
        loop {
            self.walk_quickly(&mut frame, &mut rule, &mut kept, ids);
            match self.leave(rule, frame) {
                Some(caller) if caller.regs.pc >= FIRST_CODE => frame = caller,
                _ => break,
            }
            if kept.walk.end >= kept.most {
                kept.walk.truncated = true;
                break;
            }
            let site = frame.site();
            let Some(entry) = self.cache.entry(site) else { break };
            if ids.push(entry.id).is_none() {
                break;
            }
            kept.walk.end = ids.len();
            if kept.is_own(frame.regs.pc) {
                kept.pass_own();
            }
            rule = self.rule(&entry, site, &mut checked);
        }
        kept.cut()
    }

    /// The rule of an entry: from the cache when it is there and holds, else made and stored. `checked` is the module
    /// last asked for by this walk.
    #[inline(always)]
    fn rule(&self, entry: &Entry, site: Site, checked: &mut Option<Stamp>) -> Rule {
        match entry.rule() {
            Some(rule) if !rule.is_volatile() => rule,
            held => self.rule_checked(held, entry.id, site, checked),
        }
    }

    /// The rule of an address that is new, or lies in a module that may be unloaded.
    #[inline(never)]
    fn rule_checked(&self, held: Option<Rule>, id: u32, site: Site, checked: &mut Option<Stamp>) -> Rule {
        let pc = site.lookup();
        let stamp = self.cache.stamp(id);
        if let (Some(rule), Some(stamp)) = (held, stamp) {
            let now = match *checked {
                Some(checked) if (checked.start..checked.end).contains(&pc) => checked,
                _ => self.modules.stamp(pc),
            };
            *checked = Some(now);
            if now.value.is_none_or(|value| value == stamp.load(Ordering::Relaxed)) {
                return rule.checked();
            }
        }
        let found = self.modules.find(pc);
        let rule = found.map_or(Rule::plain(Kind::Unknown), |found| cfi::evaluate(&found.image, site));
        let now = found.map(|found| found.stamp);
        if now == Some(0) {
            self.cache.set_rule(id, rule);
        } else if let Some(stamp) = stamp {
            // No module is 0 like a permanent one, but its rule is volatile: something may be loaded there later.
            stamp.store(now.unwrap_or(0), Ordering::Relaxed);
            self.cache.set_rule(id, rule.volatile());
        }
        rule
    }

    /// Goes on from a frame with its rule for as long as all is usual: rules are quick and known, and there is room.
    /// Leaves the last frame with its rule, which may be any but a volatile one.
    ///
    /// The walk waits for one chain of loads: a return address, its rule, the next return address. Here is nothing
    /// but that chain, in registers, and checks beside it; what is odd in any way is left to [`Unwinder::leave`].
    #[inline(always)]
    fn walk_quickly(&self, frame: &mut Frame, rule: &mut Rule, kept: &mut Kept, ids: &mut Ids) {
        let Some(known) = self.cache.known() else { return };
        // A top that is no multiple of 8, as all other addresses are, would not tell of a whole word whether it is below.
        let (mut pc, mut sp, mut fp) = (frame.regs.pc, frame.regs.sp, frame.regs.fp);
        let top = frame.stack.top & !7;
        if sp % 8 != 0 || sp > top {
            return;
        }
        let (mut now, mut room, before) = (*rule, kept.most, ids.len());
        while now.is_quick() {
            let mut base = sp;
            if now.is_from_fp() {
                base = fp;
                if base % 8 != 0 {
                    break;
                }
            }
            let cfa = base.wrapping_add_signed(now.cfa_offset());
            let ra_at = cfa.wrapping_add_signed(now.quick_ra_offset());
            // Where it lies just below the CFA, what is true of it is true of the CFA.
            if ra_at.wrapping_sub(sp) >= top - sp || arch::PUSHED_RA.is_none() && (cfa <= sp || cfa > top) {
                break;
            }
            // SAFETY: a multiple of 8, as the base (a stack pointer is from the start) and the offsets are, and by the
            // check, `sp <= top` being true at the start and of each CFA, `sp <= ra_at < top`, which is a multiple of 8, too;
            // why that is mapped see `Bounds::load`.
            let caller = arch::strip(unsafe { memory::load_word(ra_at) });
            let mut caller_fp = fp;
            if now.saves_fp() {
                let at = cfa.wrapping_add_signed(now.fp_offset());
                if at < sp {
                    break;
                }
                // SAFETY: as above: a quick rule's offset is -8 at most, so that `at + 8 <= cfa <= top`.
                caller_fp = unsafe { memory::load_word(at) };
            }
            if caller < FIRST_CODE || ids.len() >= room {
                break;
            }
            let Some(entry) = known.get(Site::returning(caller)) else { break };
            let Some(next) = entry.rule() else { break };
            // Whether it holds is to be looked up.
            if !next.is_quick() && next.is_volatile() {
                break;
            }
            if ids.push(entry.id).is_none() {
                break;
            }
            (pc, sp, fp, now) = (caller, cfa, caller_fp, next);
            if kept.is_own(caller) {
                kept.walk.end = ids.len();
                kept.pass_own();
                room = kept.most;
            }
        }
        if ids.len() != before {
            let regs = Regs { pc, sp, fp, lr: 0 };
            *frame = Frame { regs, stack: Bounds { low: sp, top: frame.stack.top }, exact: false };
            (*rule, kept.walk.end) = (now, ids.len());
        }
    }

    /// The caller of a frame whose CFA is known; `None` at the end of the stack.
    fn leave_to(rule: Rule, cfa: usize, frame: Frame) -> Option<Frame> {
        let Frame { regs, stack, .. } = frame;
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
        let regs = Regs { pc: arch::strip(pc), sp: cfa, fp, lr: 0 };
        Some(Frame { regs, stack: Bounds { low: cfa, top: stack.top }, exact: false })
    }

    /// The caller of a frame by any rule; `None` at the end of the stack.
    #[cold]
    #[inline(never)]
    fn leave(&self, rule: Rule, frame: Frame) -> Option<Frame> {
        let Frame { regs, stack, .. } = frame;
        match rule.kind() {
            Kind::Sp => Self::leave_to(rule, regs.sp.wrapping_add_signed(rule.cfa_offset()), frame),
            Kind::Fp => Self::leave_to(rule, regs.fp.wrapping_add_signed(rule.cfa_offset()), frame),
            Kind::FpDeref => {
                let cfa = stack.load(regs.fp.wrapping_add_signed(rule.cfa_offset()))?;
                Self::leave_to(rule, cfa, frame)
            }
            Kind::Signal => {
                let saved = |offset: usize| stack.load(regs.sp.wrapping_add(offset));
                let layout = arch::SIGNAL_FRAME;
                let lr = match layout.lr {
                    Some(offset) => arch::strip(saved(offset)?),
                    None => 0,
                };
                let (pc, sp, fp) = (arch::strip(saved(layout.pc)?), saved(layout.sp)?, saved(layout.fp)?);
                // On the same stack the kernel has written below the red zone. Else the handler runs on a stack of
                // its own and the interrupted one is anywhere: then only the page of its pointer is known.
                let low = sp.saturating_sub(RED_ZONE);
                let same = regs.sp < low && low - regs.sp < UNKNOWN_STACK;
                let low = if same { low } else { low.max(sp & !4095) };
                let stack = Bounds { low, top: self.stack_top(sp) };
                Some(Frame { regs: Regs { pc, sp, fp, lr }, stack, exact: true })
            }
            Kind::Unknown => {
                let (fp, pc) = (stack.load(regs.fp)?, stack.load(regs.fp.wrapping_add(8))?);
                let sp = regs.fp + 16;
                let regs = Regs { pc: arch::strip(pc), sp, fp, lr: 0 };
                Some(Frame { regs, stack: Bounds { low: sp, top: stack.top }, exact: false })
            }
            Kind::End => None,
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
