//! Whether a stack is one of those that it was the last times. A program that allocates in a loop is sampled at a few places again and
//! again: then the words that a walk would read are compared, and nothing of it has to be looked up.
//!
//! A walk is a function of the registers that it starts from and of the words that it reads: rules of addresses do not
//! change, but for those of modules that may be unloaded, and stacks with such frames are not remembered. So a
//! walk that would start from the same registers, and read the same words, finds the same stack. What functions have saved
//! in the frame pointer's place, but no CFA is made from, is of no use to a walk, and not among the words.

use core::cell::Cell;

use super::{Bounds, FIRST_CODE, Unwinder, cache::Site, rule::Kind};
use crate::{
    arch::{self, Regs},
    memory,
    stack_table::StackId,
};

/// Words that are compared at most: a deeper stack is hardly ever the same.
const WORDS_MAX: usize = 32;

/// Stacks that are remembered at most.
const STACKS: usize = 6;

/// More than [`WORDS_MAX`].
const UNFIT: u32 = u32::MAX;

/// A word that a walk reads: `value << 16 | place`, the place in words above the first stack pointer.
#[derive(Clone, Copy)]
struct Word(u64);

impl Word {
    /// `None` when it is no address of the lower half, or far away.
    fn new(above: usize, value: usize) -> Option<Word> {
        let fits = value >> 48 == 0 && above >> 3 <= u16::MAX as usize;
        fits.then_some(Word((value as u64) << 16 | (above >> 3) as u64))
    }

    /// In bytes.
    #[inline(always)]
    fn above(self) -> usize {
        self.0 as u16 as usize * 8
    }

    #[inline(always)]
    fn value(self) -> usize {
        (self.0 >> 16) as usize
    }
}

/// A stack that a thread was sampled in.
struct Remembered {
    sp: Cell<usize>,
    pc: Cell<usize>,
    /// The frame pointer that a walk starts from, when it is used as one before it is read from the stack.
    fp: Cell<Option<usize>>,
    /// Bits of its id; 0 for none.
    stack: Cell<u32>,
    /// How many words are remembered; 0 for none, [`UNFIT`] when they can not be.
    count: Cell<u32>,
    /// Whether it was found again since it was last about to make room for another.
    used: Cell<bool>,
    words: [Cell<Word>; WORDS_MAX],
}

/// The stacks that a thread was sampled in the last times. Not to be used in a handler that may have interrupted another use.
pub struct Again {
    stacks: [Remembered; STACKS],
    /// Which of them is the next to make room.
    next: Cell<u8>,
}

impl Again {
    /// None.
    pub const fn new() -> Again {
        Again { stacks: [const { Remembered::new() }; STACKS], next: Cell::new(0) }
    }

    /// Remembers none any more.
    pub fn forget(&self) {
        self.stacks.iter().for_each(Remembered::forget);
    }

    /// The stack above the frame of the registers, which is to be alive, when it is one of these. About 1 ns per frame.
    #[inline(always)]
    pub fn stack(&self, regs: Regs) -> Option<StackId> {
        self.stacks.iter().find_map(|remembered| remembered.stack(regs))
    }

    /// A walk from these registers has just found this stack. It is remembered when it is found a second time: most are not.
    #[inline]
    pub fn found(&self, unwinder: &Unwinder, regs: Regs, stack: StackId) {
        let is_this = |remembered: &&Remembered| remembered.is(regs, stack);
        match self.stacks.iter().find(is_this) {
            Some(remembered) => remembered.found_again(unwinder, regs),
            None => self.make_room().begin(regs, stack),
        }
    }

    /// One that was not found again for longest, or nearly.
    fn make_room(&self) -> &Remembered {
        loop {
            let at = self.next.get() as usize % STACKS;
            self.next.set((at + 1) as u8);
            if !self.stacks[at].used.replace(false) {
                return &self.stacks[at];
            }
        }
    }
}

impl Remembered {
    const fn new() -> Remembered {
        Remembered {
            sp: Cell::new(0),
            pc: Cell::new(0),
            fp: Cell::new(None),
            stack: Cell::new(0),
            count: Cell::new(0),
            used: Cell::new(false),
            words: [const { Cell::new(Word(0)) }; WORDS_MAX],
        }
    }

    #[inline(always)]
    fn starts_from(&self, regs: Regs) -> bool {
        regs.sp == self.sp.get() && regs.pc == self.pc.get()
    }

    fn forget(&self) {
        self.stack.set(0);
        self.count.set(0);
        self.used.set(false);
    }

    fn is(&self, regs: Regs, stack: StackId) -> bool {
        self.stack.get() == stack.to_bits() && self.starts_from(regs)
    }

    /// The stack above the frame of the registers, which is to be alive, when it is this.
    #[inline(always)]
    fn stack(&self, regs: Regs) -> Option<StackId> {
        let count = self.count.get() as usize;
        if count == 0 || !self.starts_from(regs) || self.fp.get().is_some_and(|fp| fp != regs.fp) {
            return None;
        }
        for word in self.words.get(..count)? {
            let word = word.get();
            // SAFETY: a multiple of 8, as the stack pointer is for which words were noted. It is what a walk from here
            // would read next, since the registers and all words before are the same: see `Bounds::load`.
            let now = unsafe { memory::load_word(regs.sp.wrapping_add(word.above())) };
            if arch::strip(now) != word.value() {
                return None;
            }
        }
        self.used.set(true);
        StackId::from_bits(self.stack.get())
    }

    /// Its words are not known.
    fn begin(&self, regs: Regs, stack: StackId) {
        self.sp.set(regs.sp);
        self.pc.set(regs.pc);
        self.stack.set(stack.to_bits());
        self.count.set(0);
    }

    /// A walk had to find it, from the same registers.
    fn found_again(&self, unwinder: &Unwinder, regs: Regs) {
        match self.count.get() {
            0 => self.count.set(self.note(unwinder, regs).unwrap_or(UNFIT)),
            UNFIT => {}
            // By other words: its frames lie elsewhere now, or those that are not kept are others.
            _ => self.count.set(0),
        }
    }

    /// Notes the words that a walk reads, in its order; how many, or `None` when it meets anything unusual.
    #[cold]
    #[inline(never)]
    fn note(&self, unwinder: &Unwinder, regs: Regs) -> Option<u32> {
        let (known, top) = (unwinder.cache.known()?, unwinder.stack_top(regs.sp));
        let mut rule = known.get(Site::exact(regs.pc))?.rule()?;
        self.fp.set(None);
        let (mut sp, mut fp) = (regs.sp, regs.fp);
        // Where the frame pointer was read, and whether that is known already. At first it is that of the registers.
        let (mut fp_at, mut fp_is_noted) = (None, false);
        let mut count = 0;
        let mut note = |at: usize, value: usize| {
            self.words.get(count as usize)?.set(Word::new(at - regs.sp, value)?);
            count += 1;
            Some(())
        };
        while rule.is_quick() {
            if rule.is_from_fp() && !fp_is_noted {
                match fp_at {
                    Some(at) => note(at, fp)?,
                    None => self.fp.set(Some(fp)),
                }
                fp_is_noted = true;
            }
            let cfa = if rule.is_from_fp() { fp } else { sp }.wrapping_add_signed(rule.cfa_offset());
            let stack = Bounds { low: sp, top };
            let ra_at = cfa.wrapping_add_signed(rule.quick_ra_offset());
            let caller = arch::strip(stack.load(ra_at)?);
            if cfa <= sp || cfa > top || caller < FIRST_CODE {
                return None;
            }
            note(ra_at, caller)?;
            if rule.saves_fp() {
                let at = cfa.wrapping_add_signed(rule.fp_offset());
                (fp, fp_at, fp_is_noted) = (stack.load(at)?, Some(at), false);
            }
            sp = cfa;
            rule = known.get(Site::returning(caller))?.rule()?;
        }
        (rule.kind() == Kind::End && !rule.is_volatile()).then_some(count)
    }
}
