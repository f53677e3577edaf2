//! How to get from a frame to its caller, in one word.
//!
//! ```text
//! bits  0..4   kind: where the canonical frame address (CFA) comes from, or what else to do
//! bit   4      volatile: the module may be unloaded, so the rule must be checked before it is believed
//! bits  5..7   where the caller's frame pointer is: unchanged, at CFA + n, at this frame's fp + n
//! bit   7      the return address is in the link register, not in memory
//! bit   8      quick: see [`Rule::is_quick`]
//! bits  9..r   offset of the return address from the CFA, signed, in words: 8 bits where calls push it, else 16
//! bits  r..f   offset of the saved frame pointer, signed, in words: 16 bits
//! bits  f..c   zero, three bits, so that bits f..64 are the CFA offset in bytes
//! bits  c..64  CFA offset, signed, in words: 28 bits (a frame of up to 1 GiB) or 20 (4 MiB)
//! ```
//!
//! Zero is no rule.

use core::num::NonZeroU64;

use crate::arch;

/// What a frame's rule is built on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// The outermost frame, or one that can not be followed.
    End = 1,
    /// CFA = stack pointer + offset.
    Sp = 2,
    /// CFA = frame pointer + offset.
    Fp = 3,
    /// CFA = word at frame pointer + offset (a stack that the function realigned).
    FpDeref = 4,
    /// The kernel's signal trampoline: the interrupted registers are on the stack.
    Signal = 5,
    /// No call-frame information: try one frame-pointer step.
    Unknown = 6,
}

/// Where the caller's frame pointer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SavedFp {
    /// Still in the register.
    Same,
    /// At this byte offset from the CFA.
    Cfa(i64),
    /// At this byte offset from the frame pointer of this frame.
    Fp(i64),
}

/// Where the return address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SavedRa {
    /// In the link register.
    Link,
    /// At this byte offset from the CFA.
    Cfa(i64),
}

/// A packed rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule(NonZeroU64);

const VOLATILE: u64 = 1 << 4;
const IN_LINK: u64 = 1 << 7;
const QUICK: u64 = 1 << 8;
const RA_AT: u32 = 9;
const RA_BITS: u32 = if arch::PUSHED_RA.is_some() { 8 } else { 16 };
const FP_AT: u32 = RA_AT + RA_BITS;
const FP_BITS: u32 = 16;
const CFA_AT: u32 = FP_AT + FP_BITS + 3;
const CFA_BITS: u32 = 64 - CFA_AT;

impl Rule {
    /// A rule of a kind that needs no offsets.
    pub const fn plain(kind: Kind) -> Rule {
        match NonZeroU64::new(kind as u64) {
            Some(bits) => Rule(bits),
            None => unreachable!(),
        }
    }

    /// A frame with a CFA; `None` when an offset is not a multiple of 8 or does not fit.
    pub fn frame(kind: Kind, cfa_offset: i64, fp: SavedFp, ra: SavedRa) -> Option<Rule> {
        let words = |bytes: i64, bits: u32| {
            let fits = bytes % 8 == 0 && (bytes >> 3) << (64 - bits) >> (64 - bits) == bytes >> 3;
            fits.then_some((bytes >> 3) as u64 & ((1 << bits) - 1))
        };
        let (fp_place, fp_offset) = match fp {
            SavedFp::Same => (0, 0),
            SavedFp::Cfa(at) => (1, at),
            SavedFp::Fp(at) => (2, at),
        };
        let (in_link, ra_offset) = match ra {
            SavedRa::Link => (IN_LINK, 0),
            SavedRa::Cfa(at) => (0, at),
        };
        let offsets = words(ra_offset, RA_BITS)? << RA_AT
            | words(fp_offset, FP_BITS)? << FP_AT
            | words(cfa_offset, CFA_BITS)? << CFA_AT;
        let below = |at: i64| at <= -8;
        let quick = matches!(kind, Kind::Sp | Kind::Fp)
            && match fp {
                SavedFp::Same => true,
                SavedFp::Cfa(at) => below(at),
                SavedFp::Fp(_) => false,
            }
            && matches!(ra, SavedRa::Cfa(at) if below(at) && arch::PUSHED_RA.is_none_or(|pushed| at == pushed));
        let quick = if quick { QUICK } else { 0 };
        NonZeroU64::new(kind as u64 | fp_place << 5 | in_link | quick | offsets).map(Rule)
    }

    /// The same rule, to be checked against the loader before each use.
    pub fn volatile(self) -> Rule {
        Rule(self.0 | VOLATILE)
    }

    /// The same rule, which was checked.
    pub fn checked(self) -> Rule {
        NonZeroU64::new(self.0.get() & !VOLATILE).map_or(Rule::plain(Kind::End), Rule)
    }

    /// Whether it is of the sort that nearly all rules are: not volatile, a CFA from a register, and what was saved
    /// lies below the CFA. Cost: one test of two bits, which is what the bit is for.
    #[inline(always)]
    pub fn is_quick(self) -> bool {
        self.0.get() & (QUICK | VOLATILE) == QUICK
    }

    /// Of a quick rule: whether the CFA comes from the frame pointer.
    #[inline(always)]
    pub fn is_from_fp(self) -> bool {
        self.0.get() & 1 != 0
    }

    /// Of a quick rule: whether the frame pointer was saved.
    #[inline(always)]
    pub fn saves_fp(self) -> bool {
        self.0.get() & 1 << 5 != 0
    }

    /// Byte offset of the saved frame pointer.
    #[inline(always)]
    pub fn fp_offset(self) -> isize {
        (self.0.get() >> FP_AT) as i16 as isize * 8
    }

    /// Byte offset of the return address from the CFA.
    #[inline(always)]
    pub fn ra_offset(self) -> isize {
        ((self.0.get() << (64 - FP_AT)) as i64 >> (64 - RA_BITS)) as isize * 8
    }

    /// [`Rule::ra_offset`] of a quick rule: where calls push the return address it is known.
    #[inline(always)]
    pub fn quick_ra_offset(self) -> isize {
        arch::PUSHED_RA.map_or_else(|| self.ra_offset(), |at| at as isize)
    }

    /// Whether the module it comes from may be unloaded.
    #[inline(always)]
    pub fn is_volatile(self) -> bool {
        self.0.get() & VOLATILE != 0
    }

    /// What it is built on.
    #[inline(always)]
    pub fn kind(self) -> Kind {
        match self.0.get() & 15 {
            2 => Kind::Sp,
            3 => Kind::Fp,
            4 => Kind::FpDeref,
            5 => Kind::Signal,
            6 => Kind::Unknown,
            _ => Kind::End,
        }
    }

    /// Offset of the CFA in bytes.
    #[inline(always)]
    pub fn cfa_offset(self) -> isize {
        (self.0.get() as i64 >> (CFA_AT - 3)) as isize
    }

    /// Where the caller's frame pointer is.
    #[inline(always)]
    pub fn saved_fp(self) -> SavedFp {
        let offset = self.fp_offset() as i64;
        match self.0.get() >> 5 & 3 {
            1 => SavedFp::Cfa(offset),
            2 => SavedFp::Fp(offset),
            _ => SavedFp::Same,
        }
    }

    /// Where the return address is.
    #[inline(always)]
    pub fn saved_ra(self) -> SavedRa {
        match self.0.get() & IN_LINK {
            0 => SavedRa::Cfa(self.ra_offset() as i64),
            _ => SavedRa::Link,
        }
    }

    /// For storing.
    pub fn to_bits(self) -> u64 {
        self.0.get()
    }

    /// From what was stored; `None` for zero.
    #[inline(always)]
    pub fn from_bits(bits: u64) -> Option<Rule> {
        NonZeroU64::new(bits).map(Rule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_comes_back_from_the_packed_word() {
        let least = |bits: u32| (-1 << (bits - 1)) * 8;
        let most = |bits: u32| ((1 << (bits - 1)) - 1) * 8;
        let offsets = [least(RA_BITS), -16, -8, 0, 8, most(RA_BITS)];
        for kind in [Kind::Sp, Kind::Fp, Kind::FpDeref] {
            for cfa in offsets.into_iter().chain([most(CFA_BITS), least(CFA_BITS)]) {
                for (at, ra) in
                    offsets.into_iter().zip(offsets).chain([(least(FP_BITS), 8), (most(FP_BITS), -8)])
                {
                    for fp in [SavedFp::Same, SavedFp::Cfa(at), SavedFp::Fp(at)] {
                        for ra in [SavedRa::Link, SavedRa::Cfa(ra)] {
                            let rule = Rule::frame(kind, cfa, fp, ra).unwrap().volatile();
                            let rule = Rule::from_bits(rule.to_bits()).unwrap();
                            assert_eq!((rule.kind(), rule.cfa_offset()), (kind, cfa as isize));
                            assert_eq!((rule.saved_fp(), rule.saved_ra()), (fp, ra));
                            assert!(rule.is_volatile());
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn a_quick_rule_has_its_cfa_from_a_register_and_what_it_saved_below_and_needs_no_check() {
        let rule = |kind, fp, ra| Rule::frame(kind, 32, fp, ra).unwrap();
        let usual = rule(Kind::Sp, SavedFp::Cfa(-16), SavedRa::Cfa(-8));
        assert!(usual.is_quick() && usual.saves_fp() && !usual.is_from_fp());
        assert_eq!((usual.fp_offset(), usual.ra_offset()), (-16, -8));
        let framed = rule(Kind::Fp, SavedFp::Same, SavedRa::Cfa(-8));
        assert!(framed.is_quick() && !framed.saves_fp() && framed.is_from_fp());
        assert!(!usual.volatile().is_quick() && usual.volatile().checked() == usual);
        for slow in [
            rule(Kind::FpDeref, SavedFp::Same, SavedRa::Cfa(-8)),
            rule(Kind::Sp, SavedFp::Cfa(0), SavedRa::Cfa(-8)),
            rule(Kind::Sp, SavedFp::Fp(-16), SavedRa::Cfa(-8)),
            rule(Kind::Sp, SavedFp::Same, SavedRa::Cfa(0)),
            rule(Kind::Sp, SavedFp::Same, SavedRa::Link),
            Rule::plain(Kind::Signal),
        ] {
            assert!(!slow.is_quick(), "{slow:?}");
        }
    }

    #[test]
    fn offsets_that_do_not_fit_are_refused() {
        let rule = |cfa, fp, ra| Rule::frame(Kind::Sp, cfa, SavedFp::Cfa(fp), SavedRa::Cfa(ra));
        assert!(rule(4, -16, -8).is_none());
        assert!(rule(8 << (CFA_BITS - 1), -16, -8).is_none());
        assert!(rule(16, 32768 * 8, -8).is_none());
        assert!(rule(16, -16, -8 - (8 << (RA_BITS - 1))).is_none());
        assert!(rule(16, -16, -8).is_some());
    }

    #[test]
    fn kinds_without_offsets_keep_their_kind() {
        for kind in [Kind::End, Kind::Signal, Kind::Unknown] {
            assert_eq!(Rule::plain(kind).kind(), kind);
            assert!(!Rule::plain(kind).is_volatile());
        }
    }
}
