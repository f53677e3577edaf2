//! Writes jemalloc's form.

use crate::out::Out;
use crate::snapshot::{Facts, Sink, Snapshot};
use crate::text::{addresses, maps, pairs};
use crate::unbias::{for_viewers, split_for_viewers};
use crate::vocab::{Counts, Tally};

/// Writes `snapshot`. Does not allocate.
///
/// # Errors
/// The first one of `sink`.
pub fn write<N: Snapshot, S: Sink>(snapshot: &N, sink: &mut S) -> Result<(), S::Error> {
    let mut out = Out(sink);
    header(snapshot, &mut out)?;
    for index in 0..snapshot.stacks() {
        stack(snapshot, index, &mut out)?;
    }
    out.text("\nMAPPED_LIBRARIES:\n")?;
    maps(snapshot, &mut out)
}

fn header<N: Snapshot, S: Sink>(snapshot: &N, out: &mut Out<'_, S>) -> Result<(), S::Error> {
    let facts = snapshot.facts();
    out.text("heap_v2/")?;
    out.number(facts.period.max(1))?;
    out.text("\n")?;
    let (mut live, mut accum) = (Tally::default(), Tally::default());
    for index in 0..snapshot.stacks() {
        let stack = snapshot.stack(index);
        live = live.plus(stack.live);
        accum = accum.plus(stack.accum);
    }
    let printed = |tally: Tally| if facts.raw { tally.sampled } else { for_viewers(tally, facts.period) };
    let accumulated = |tally| if facts.accum { printed(tally) } else { Counts::default() };
    line(out, None, printed(live), accumulated(accum), b"")?;
    for index in 0..snapshot.threads() {
        let thread = snapshot.thread(index);
        let (live, accum) = (printed(thread.live), accumulated(thread.accum));
        if live.objs != 0 || accum.objs != 0 {
            line(out, Some(thread.uid), live, accum, thread.name)?;
        }
    }
    out.totals(&facts.totals)
}

/// Live and accumulated pairs, zipped: at most two lines, of which the second may be empty.
type Lines = [(Counts, Counts); 2];

fn lines_of(live: Tally, accum: Tally, facts: &Facts<'_>) -> Lines {
    let accum = if facts.accum { accum } else { Tally::default() };
    if facts.raw {
        return [(live.sampled, accum.sampled), Default::default()];
    }
    let (live, accum) = (split_for_viewers(live, facts.period), split_for_viewers(accum, facts.period));
    [(live[0], accum[0]), (live[1], accum[1])]
}

fn says_something((live, accum): &&(Counts, Counts)) -> bool {
    live.objs != 0 || accum.objs != 0
}

fn stack<N: Snapshot, S: Sink>(snapshot: &N, index: usize, out: &mut Out<'_, S>) -> Result<(), S::Error> {
    let facts = snapshot.facts();
    let stack = snapshot.stack(index);
    let all = lines_of(stack.live, stack.accum, &facts);
    for (nth, (live, accum)) in all.iter().filter(says_something).enumerate() {
        out.text("@")?;
        addresses(snapshot, stack.frames, out)?;
        out.text("\n")?;
        line(out, None, *live, *accum, b"")?;
        // All shares follow the first: a thread may need one pair where the stack needs two, and the reverse.
        for part in 0..if nth == 0 { stack.parts } else { 0 } {
            let part = snapshot.part(index, part);
            let uid = snapshot.thread(part.thread).uid;
            // Most stacks belong to one thread, and mixed sizes take a few microseconds to split.
            let whole = part.live == stack.live && part.accum == stack.accum;
            let lines = if whole { all } else { lines_of(part.live, part.accum, &facts) };
            for (live, accum) in lines.iter().filter(says_something) {
                line(out, Some(uid), *live, *accum, b"")?;
            }
        }
    }
    Ok(())
}

/// `  tUID: n: s [N: S] NAME`, `t*` for all threads.
fn line<S: Sink>(
    out: &mut Out<'_, S>,
    uid: Option<u64>,
    live: Counts,
    accum: Counts,
    name: &[u8],
) -> Result<(), S::Error> {
    out.text("  t")?;
    match uid {
        Some(uid) => out.number(uid)?,
        None => out.text("*")?,
    }
    out.text(": ")?;
    pairs(out, live, accum)?;
    if !name.is_empty() {
        out.text(" ")?;
        out.one_line(name)?;
    }
    out.text("\n")
}
