//! From call-frame information to a rule: the miss path of the unwinder.
//!
//! Finds the row for one address in a module's `.eh_frame` through the binary search table of `.eh_frame_hdr` and
//! reduces it to what unwinding follows: stack pointer, frame pointer, return address.

use gimli::{
    BaseAddresses, CfaRule, EhFrame, EhFrameHdr, Encoding, EndianSlice, Format, LittleEndian, Operation,
    Pointer, Register, RegisterRule, UnwindContext, UnwindContextStorage, UnwindExpression, UnwindSection,
    UnwindTableRow,
};

use super::{
    cache::Site,
    rule::{Kind, Rule, SavedFp, SavedRa},
};
use crate::{arch, elf::Image, memory};

type Bytes = EndianSlice<'static, LittleEndian>;

/// Fixed storage for evaluating one row, on the stack: about 5 KiB.
///
/// Signal trampolines give rules to all 17 registers of x86-64; code for aarch64 to the 20 that calls preserve.
/// Compilers nest remembered states one deep.
struct OnStack;

impl UnwindContextStorage<usize> for OnStack {
    type Rules = [(Register, RegisterRule<usize>); 32];
    type Stack = [UnwindTableRow<usize, OnStack>; 4];
}

/// The rule of a site: an instruction that is being executed, or (the usual case) a call.
#[cold]
#[inline(never)]
pub fn evaluate(image: &Image, site: Site) -> Rule {
    match try_evaluate(image, site.lookup()) {
        Some(rule) => rule,
        None => by_code(image, site.pc()).unwrap_or(Rule::plain(Kind::Unknown)),
    }
}

/// Known pieces of machine code that often have no information: the C library's way out of a signal handler, to
/// which handlers return, and stubs between modules.
fn by_code(image: &Image, pc: usize) -> Option<Rule> {
    let load = image.load_of(pc)?;
    // SAFETY: a loaded segment of a module that a frame is executing in, from that very code on.
    let code = unsafe { memory::foreign_bytes(pc..load.end) };
    if code.starts_with(arch::SIGRETURN_CODE) {
        return Some(Rule::plain(Kind::Signal));
    }
    code.starts_with(arch::JUMP_STUB?).then(|| Rule::frame(Kind::Sp, 8, SavedFp::Same, SavedRa::Cfa(-8)))?
}

/// `None` when nothing describes the address.
fn try_evaluate(image: &Image, lookup: usize) -> Option<Rule> {
    let header = image.eh_frame_hdr;
    if header.0 >= header.1 {
        return None;
    }
    // SAFETY: `Image` has checked that the header lies in a loaded segment; the module is executing on our stack,
    // so it stays mapped, and loaders map this segment read-only.
    let header_bytes = unsafe { memory::foreign_bytes(header.0..header.1) };
    let bases = BaseAddresses::default().set_eh_frame_hdr(header.0 as u64);
    let hdr = EhFrameHdr::from(EndianSlice::new(header_bytes, LittleEndian)).parse(&bases, 8).ok()?;
    let Pointer::Direct(frames) = hdr.eh_frame_ptr() else { return None };
    let frames = frames as usize..image.load_of(frames as usize)?.end;
    let bases = bases.set_eh_frame(frames.start as u64);
    // SAFETY: as above; `load_of` says that the section's start lies in a loaded segment, whose end is the limit.
    let frame_bytes = unsafe { memory::foreign_bytes(frames) };
    let mut section = EhFrame::from(EndianSlice::new(frame_bytes, LittleEndian));
    section.set_address_size(8);
    section.set_vendor(arch::VENDOR);
    let fde = hdr
        .table()?
        .fde_for_address(&section, &bases, lookup as u64, EhFrame::cie_from_offset)
        .ok()
        .filter(|fde| fde.contains(lookup as u64))?;
    if fde.is_signal_trampoline() {
        return Some(Rule::plain(Kind::Signal));
    }
    let mut context = UnwindContext::<usize, OnStack>::new_in();
    // A row that can not be evaluated is a frame that can not be left: guessing by frame pointer would go wrong.
    let Ok(row) = fde.unwind_info_for_address(&section, &bases, &mut context, lookup as u64) else {
        return Some(Rule::plain(Kind::End));
    };
    Some(reduce(row, &section, lookup).unwrap_or(Rule::plain(Kind::End)))
}

/// `None` when the row says things that rules can not.
fn reduce(row: &UnwindTableRow<usize, OnStack>, section: &EhFrame<Bytes>, lookup: usize) -> Option<Rule> {
    let ra = match row.register(arch::RA) {
        Some(RegisterRule::Offset(at)) => SavedRa::Cfa(at),
        None | Some(RegisterRule::SameValue) if arch::SIGNAL_FRAME.lr.is_some() => SavedRa::Link,
        _ => return None,
    };
    let fp = match row.register(arch::FP) {
        Some(RegisterRule::Offset(at)) => SavedFp::Cfa(at),
        Some(RegisterRule::Expression(at)) => match operations(&at, section)? {
            [Some(Operation::RegisterOffset { register: arch::FP, offset, .. }), None, ..] => {
                SavedFp::Fp(offset)
            }
            _ => SavedFp::Same,
        },
        _ => SavedFp::Same,
    };
    let (kind, offset) = match row.cfa() {
        CfaRule::RegisterAndOffset { register: arch::SP, offset } => (Kind::Sp, *offset),
        CfaRule::RegisterAndOffset { register: arch::FP, offset } => (Kind::Fp, *offset),
        CfaRule::RegisterAndOffset { .. } => return None,
        CfaRule::Expression(expression) => match operations(expression, section)? {
            [
                Some(Operation::RegisterOffset { register: arch::FP, offset, .. }),
                Some(Operation::Deref { size: 8, space: false, .. }),
                None,
                ..,
            ] => (Kind::FpDeref, offset),
            // The lazy binding stubs of x86-64: one word more is on the stack from byte `split` of each 16 on.
            [
                Some(Operation::RegisterOffset { register: arch::SP, offset, .. }),
                Some(Operation::RegisterOffset { register: arch::RA, offset: 0, .. }),
                Some(Operation::UnsignedConstant { value: 15 }),
                Some(Operation::And),
                Some(Operation::UnsignedConstant { value: split }),
                Some(Operation::Ge),
                Some(Operation::UnsignedConstant { value: 3 }),
                Some(Operation::Shl),
                Some(Operation::Plus),
                ..,
            ] => (Kind::Sp, offset + if lookup as u64 & 15 >= split { 8 } else { 0 }),
            _ => return None,
        },
    };
    Rule::frame(kind, offset, fp, ra)
}

/// The first operations of an expression; `None` when it does not parse.
fn operations(
    expression: &UnwindExpression<usize>,
    section: &EhFrame<Bytes>,
) -> Option<[Option<Operation<Bytes>>; 10]> {
    let encoding = Encoding { address_size: 8, format: Format::Dwarf32, version: 4 };
    let mut iterator = expression.get(section).ok()?.operations(encoding);
    let mut operations = [None; 10];
    for slot in &mut operations {
        *slot = iterator.next().ok()?;
        if slot.is_none() {
            break;
        }
    }
    Some(operations)
}
