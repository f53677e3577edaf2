//! Writes the text form.

use super::MARK;
use crate::out::Out;
use crate::snapshot::{About, Sink, Snapshot};
use crate::totals::ABOUT_PREFIX;
use crate::unbias::split_for_viewers;
use crate::vocab::{Counts, Tally};

/// Writes `snapshot`. Does not allocate.
///
/// # Errors
/// The first one of `sink`.
pub fn write<N: Snapshot, S: Sink>(snapshot: &N, sink: &mut S) -> Result<(), S::Error> {
    let mut out = Out(sink);
    first_line(snapshot, &mut out)?;
    extras(snapshot, &mut out)?;
    for index in 0..snapshot.stacks() {
        stack(snapshot, index, &mut out)?;
    }
    out.text("\nMAPPED_LIBRARIES:\n")?;
    maps(snapshot, &mut out)?;
    out.text("# end\n")
}

/// The process map, its last line ended even when the kernel's text was cut.
pub(crate) fn maps<N: Snapshot, S: Sink>(snapshot: &N, out: &mut Out<'_, S>) -> Result<(), S::Error> {
    let mut last = b'\n';
    snapshot.maps(&mut |piece: &[u8]| {
        last = *piece.last().unwrap_or(&last);
        out.bytes(piece)
    })?;
    if last == b'\n' { Ok(()) } else { out.text("\n") }
}

fn first_line<N: Snapshot, S: Sink>(snapshot: &N, out: &mut Out<'_, S>) -> Result<(), S::Error> {
    let facts = snapshot.facts();
    let (mut live, mut accum) = (Tally::default(), Tally::default());
    for index in 0..snapshot.stacks() {
        let stack = snapshot.stack(index);
        live = live.plus(stack.live);
        accum = accum.plus(stack.accum);
    }
    let (live_shown, mut accum_shown) = (estimate(live), estimate(accum));
    if !facts.accum {
        accum_shown = Counts::default();
    } else if accum_shown == live_shown && live_shown != Counts::default() {
        accum_shown.bytes = accum_shown.bytes.checked_add(1).unwrap_or(u64::MAX - 1);
    }
    out.text("heap profile: ")?;
    pairs(out, live_shown, accum_shown)?;
    if facts.period <= 1 {
        out.text(" @ heapprofile\n")?;
    } else {
        out.text(" @ heap_v2/")?;
        out.number(facts.period)?;
        out.text("\n")?;
    }
    field(out, MARK)?;
    if !facts.program.is_empty() {
        out.text("# program ")?;
        out.one_line(facts.program)?;
        out.text("\n")?;
    }
    for (name, value) in [
        ("pid", facts.pid.into()),
        ("time_nanos", facts.time_nanos),
        ("duration_nanos", facts.duration_nanos),
        ("accum", facts.accum.into()),
    ] {
        out.text("# ")?;
        out.text(name)?;
        out.text(" ")?;
        out.number(value)?;
        out.text("\n")?;
    }
    out.text("# sampled ")?;
    plain(out, live.sampled, if facts.accum { accum.sampled } else { Counts::default() })?;
    out.text("\n")?;
    out.totals(&facts.totals)?;
    about(out, &facts.about)
}

/// How the process was started.
fn about<S: Sink>(out: &mut Out<'_, S>, about: &About) -> Result<(), S::Error> {
    for (name, text) in about.texts() {
        out.text(ABOUT_PREFIX)?;
        out.text(name)?;
        for word in text.split(|byte| *byte == 0) {
            out.text(" ")?;
            out.one_line(word)?;
        }
        out.text("\n")?;
    }
    for (name, number) in about.numbers() {
        out.text(ABOUT_PREFIX)?;
        out.text(name)?;
        out.text(" ")?;
        out.number(number)?;
        out.text("\n")?;
    }
    Ok(())
}

/// Threads and build ids.
fn extras<N: Snapshot, S: Sink>(snapshot: &N, out: &mut Out<'_, S>) -> Result<(), S::Error> {
    let with_accum = snapshot.facts().accum;
    for index in 0..snapshot.threads() {
        let thread = snapshot.thread(index);
        out.text("# thread ")?;
        out.number(thread.uid)?;
        out.text(" ")?;
        plain(out, estimate(thread.live), accumulated(with_accum, thread.accum))?;
        if !thread.name.is_empty() {
            out.text(" ")?;
            out.one_line(thread.name)?;
        }
        out.text("\n")?;
    }
    for index in 0..snapshot.modules() {
        let module = snapshot.module(index);
        if !module.build_id.is_empty() {
            out.text("# build-id ")?;
            out.build_id(&module.build_id)?;
            out.text(" ")?;
            out.address(module.start)?;
            out.text(" ")?;
            out.one_line(module.path)?;
            out.text("\n")?;
        }
    }
    Ok(())
}

fn stack<N: Snapshot, S: Sink>(snapshot: &N, index: usize, out: &mut Out<'_, S>) -> Result<(), S::Error> {
    let facts = snapshot.facts();
    let stack = snapshot.stack(index);
    let live = split_for_viewers(stack.live, facts.period);
    let accum = split_for_viewers(if facts.accum { stack.accum } else { Tally::default() }, facts.period);
    for (live, accum) in live.into_iter().zip(accum) {
        if live.objs == 0 && accum.objs == 0 {
            continue;
        }
        pairs(out, live, accum)?;
        out.text(" @")?;
        addresses(snapshot, stack.frames, out)?;
        out.text("\n")?;
    }
    for part in 0..stack.parts {
        let part = snapshot.part(index, part);
        let accum = accumulated(facts.accum, part.accum);
        if !part.live.is_empty() || accum.objs != 0 {
            out.text("# t")?;
            out.number(snapshot.thread(part.thread).uid)?;
            out.text(" ")?;
            plain(out, estimate(part.live), accum)?;
            out.text("\n")?;
        }
    }
    Ok(())
}

/// ` 0x..` for every frame, the leaf lowered by one. A stack that could not be unwound is ` 0x0`: jeprof drops a line
/// without addresses in the text form, and in jemalloc's counts it for the stack before.
pub(crate) fn addresses<N: Snapshot, S: Sink>(
    snapshot: &N,
    frames: &[u32],
    out: &mut Out<'_, S>,
) -> Result<(), S::Error> {
    if frames.is_empty() {
        return out.text(" 0x0");
    }
    for (depth, frame) in frames.iter().enumerate() {
        let address = snapshot.address(*frame as usize);
        out.text(" ")?;
        out.address(if depth == 0 { address.saturating_sub(1) } else { address })?;
    }
    Ok(())
}

/// `n: s [N: S]`.
pub(crate) fn pairs<S: Sink>(out: &mut Out<'_, S>, live: Counts, accum: Counts) -> Result<(), S::Error> {
    out.number(live.objs)?;
    out.text(": ")?;
    out.number(live.bytes)?;
    out.text(" [")?;
    out.number(accum.objs)?;
    out.text(": ")?;
    out.number(accum.bytes)?;
    out.text("]")
}

/// `n s [N S]`: without colons, so that no viewer takes it for a line to be scaled.
fn plain<S: Sink>(out: &mut Out<'_, S>, live: Counts, accum: Counts) -> Result<(), S::Error> {
    out.number(live.objs)?;
    out.text(" ")?;
    out.number(live.bytes)?;
    out.text(" [")?;
    out.number(accum.objs)?;
    out.text(" ")?;
    out.number(accum.bytes)?;
    out.text("]")
}

fn field<S: Sink>(out: &mut Out<'_, S>, text: &str) -> Result<(), S::Error> {
    out.text("# ")?;
    out.text(text)?;
    out.text("\n")
}

/// The estimate in whole objects and bytes.
fn estimate(tally: Tally) -> Counts {
    Counts { objs: tally.est_objs_q16.saturating_add(1 << 15) >> 16, bytes: tally.est_bytes }
}

fn accumulated(with_accum: bool, tally: Tally) -> Counts {
    if with_accum { estimate(tally) } else { Counts::default() }
}
