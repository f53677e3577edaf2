//! The readers of prof-format: what they accept can be unbiased, written in every format, and read again.

use std::collections::BTreeMap;

use prof_format::any;
use prof_format::dump::{Dump, Figure, MapRow, ReadError};
use prof_format::figures::{FigureSnapshot, FigureStack};
use prof_format::maps::{Joined, parse_line};
use prof_format::snapshot::Facts;
use prof_format::vocab::Format;

/// jemalloc's own form.
pub fn heap_v2(bytes: &[u8]) {
    through(prof_format::heap_v2::read(bytes));
}

/// gperftools' form.
pub fn text(bytes: &[u8]) {
    through(prof_format::text::read(bytes));
}

/// profile.proto.
pub fn pprof(bytes: &[u8]) {
    through(prof_format::pprof::read(bytes));
}

/// Symbols in front of a dump, and everything else: as the viewer reads it.
pub fn symbolized(bytes: &[u8]) {
    through(any::read(bytes));
}

/// Lines of a memory map.
pub fn maps(bytes: &[u8]) {
    let mut joined = Joined::default();
    for line in bytes.split(|byte| *byte == b'\n') {
        if let Some(line) = parse_line(line) {
            assert!(line.row.start <= line.row.end);
        }
        joined.line(line);
    }
    let rows = joined.finish();
    // What was joined is a map in itself.
    let mut again = Joined::default();
    for MapRow { start, end, file_offset, path, deleted, .. } in &rows {
        assert!(!path.is_empty());
        // The path of such a line may be read otherwise: it may begin as `$build`, or end as if the file were deleted.
        let is_plain = !path.contains(|c: char| c.is_control() || c == '$' || c == '(' || c == '\u{fffd}');
        if *path == *path.trim() && is_plain {
            let mark = if *deleted { " (deleted)" } else { "" };
            let line = format!("{start:x}-{end:x} r-xp {file_offset:x} 00:00 0 {path}{mark}");
            let row = parse_line(line.as_bytes()).unwrap_or_else(|| panic!("{line}")).row;
            let expected = (*start, *end, *file_offset, path.as_str(), *deleted);
            assert_eq!(
                (row.start, row.end, row.file_offset, row.path.as_str(), row.deleted),
                expected,
                "{line}"
            );
        }
        again.line(format!("{start:x}-{end:x} r-xp {file_offset:x} 00:00 0 {path}").as_bytes());
    }
    again.finish();
}

/// What is read is consistent, and what is written of it reads the same.
fn through(read: Result<Dump, ReadError>) {
    let dump = match read {
        Ok(dump) => dump,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    for row in dump.stacks.iter().chain(&dump.thread_stacks) {
        assert!(row.frames.start <= row.frames.end && row.frames.end as usize <= dump.frames.len());
        assert!(dump.stack(row).iter().all(|frame| (*frame as usize) < dump.frame_table.len()));
        assert!((row.labels as usize) < dump.label_sets.len());
        let numbers = [row.live, row.accum].map(|figure| [figure.objs, figure.bytes]);
        assert!(numbers.as_flattened().iter().all(|number| number.is_finite()), "{numbers:?}");
    }
    let written = dump.stacks.iter().map(|row| FigureStack {
        frames: dump.stack(row),
        live: row.live,
        accum: row.accum,
        parts: &[],
    });
    let stacks: Vec<FigureStack<'_>> = written.collect();
    let addresses: Vec<u64> = dump.frame_table.iter().map(|frame| frame.address).collect();
    let facts = Facts {
        period: dump.period,
        accum: dump.has_accum,
        program: dump.program.as_deref().unwrap_or_default().as_bytes(),
        time_nanos: dump.time_nanos,
        duration_nanos: dump.duration_nanos,
        totals: dump.totals.unwrap_or_default(),
        ..Facts::default()
    };
    for format in Format::ALL {
        let snapshot = FigureSnapshot::new(facts, &addresses, &dump.threads, &stacks, &dump.maps);
        let mut bytes = Vec::new();
        let Ok(()) = any::write(format, &snapshot, &mut bytes);
        let again = match any::read(&bytes) {
            Ok(again) => again,
            Err(error) => panic!("{} of what was read: {error}", format.name()),
        };
        if is_sane(&dump) {
            assert_same(&dump, &again, format);
        }
    }
}

/// Whether the figures are such as a process can have: beyond that, formats round.
fn is_sane(dump: &Dump) -> bool {
    let within = |figure: Figure| {
        figure == Figure::default()
            || (1.0..1e9).contains(&figure.objs)
                && figure.bytes >= figure.objs
                && figure.bytes < 1e12
                && samples(figure, dump.period) >= 1.0
    };
    (1..=1 << 30).contains(&dump.period)
        && dump.stacks.iter().all(|row| within(row.live) && !row.frames.is_empty())
        && dump.frame_table.iter().all(|frame| (1..u64::MAX).contains(&frame.address))
}

/// How many samples such a figure comes from. The text forms have whole ones.
fn samples(figure: Figure, period: u64) -> f64 {
    figure.objs * -(-figure.bytes / figure.objs / period as f64).exp_m1()
}

/// Bytes by stack, of stacks that have any.
fn by_stack(dump: &Dump) -> BTreeMap<Vec<u64>, Figure> {
    let mut sums: BTreeMap<Vec<u64>, Figure> = BTreeMap::new();
    for row in dump.stacks.iter().filter(|row| row.live.bytes > 0.0) {
        let addresses = dump.stack(row).iter().map(|frame| dump.frame_table[*frame as usize].address);
        let sum = sums.entry(addresses.collect()).or_default();
        *sum = sum.plus(row.live);
    }
    sums
}

fn assert_same(dump: &Dump, again: &Dump, format: Format) {
    let (before, after) = (by_stack(dump), by_stack(again));
    for (stack, figure) in &before {
        let found = after.get(stack).copied().unwrap_or_default();
        // Whole samples, a line of few small objects in whole bytes, whole objects in pprof.
        let slack = 0.02 + 1.0 / figure.objs + 1.0 / samples(*figure, dump.period);
        let off = (found.bytes - figure.bytes).abs() / figure.bytes;
        assert!(off <= slack, "{}: {stack:x?}: {figure:?} became {found:?}", format.name());
    }
    assert!(
        after.keys().all(|stack| before.contains_key(stack)),
        "{}: a stack came out of nowhere",
        format.name()
    );
}
