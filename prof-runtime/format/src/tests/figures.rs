//! What was read is written again, in any format, and says the same.

use alloc::{collections::BTreeMap, format, vec::Vec};

use super::{live_total, total, written};
use crate::any::{read, write};
use crate::dump::{Dump, Figure, StackRow};
use crate::figures::{FigurePart, FigureSnapshot, FigureStack};
use crate::snapshot::Facts;
use crate::testing::{Random, VecSnapshot};
use crate::vocab::Format;

/// The dump in another format. Rows of the same stack are one stack, with its threads' shares if there are any.
fn rewritten(dump: &Dump, format: Format) -> Dump {
    let addresses: Vec<u64> = dump.frame_table.iter().map(|frame| frame.address).collect();
    let mut sums: BTreeMap<&[u32], (Figure, Figure, Vec<FigurePart>)> = BTreeMap::new();
    let shares = if dump.format == Format::Pprof { &dump.stacks } else { &dump.thread_stacks };
    for row in &dump.stacks {
        let (live, accum, _) = sums.entry(dump.stack(row)).or_default();
        (*live, *accum) = (live.plus(row.live), accum.plus(row.accum));
    }
    for row in shares {
        let thread = dump.threads.iter().position(|(uid, _)| Some(*uid) == row.thread).unwrap() as u32;
        let parts = &mut sums.get_mut(dump.stack(row)).unwrap().2;
        match parts.iter_mut().find(|part| part.thread == thread) {
            Some(part) => (part.live, part.accum) = (part.live.plus(row.live), part.accum.plus(row.accum)),
            None => parts.push(FigurePart { thread, live: row.live, accum: row.accum }),
        }
    }
    let stacks: Vec<FigureStack<'_>> = sums
        .iter()
        .map(|(frames, (live, accum, parts))| FigureStack { frames, live: *live, accum: *accum, parts })
        .collect();
    let facts = Facts {
        period: dump.period,
        accum: dump.has_accum,
        raw: false,
        time_nanos: dump.time_nanos,
        duration_nanos: dump.duration_nanos,
        pid: 0,
        program: dump.program.as_deref().unwrap_or_default().as_bytes(),
        totals: dump.totals.unwrap_or_default(),
        ..Facts::default()
    };
    let snapshot = FigureSnapshot::new(facts, &addresses, &dump.threads, &stacks, &dump.maps);
    let mut bytes = Vec::new();
    let Ok(()) = write(format, &snapshot, &mut bytes);
    read(&bytes).unwrap()
}

fn by_stack(dump: &Dump) -> BTreeMap<Vec<u64>, [Figure; 2]> {
    let mut sums: BTreeMap<Vec<u64>, [Figure; 2]> = BTreeMap::new();
    for row in &dump.stacks {
        let frames = dump.stack(row).iter().map(|frame| dump.frame_table[*frame as usize].address).collect();
        let [live, accum] = sums.entry(frames).or_default();
        (*live, *accum) = (live.plus(row.live), accum.plus(row.accum));
    }
    sums
}

fn close(found: f64, expected: f64, part: f64) -> bool {
    (found - expected).abs() <= part * expected.abs() + 1.0
}

#[test]
fn a_dump_that_was_read_can_be_written_in_every_format() {
    let of = |rows: &[StackRow]| [total(rows, |row| row.live), total(rows, |row| row.accum)];
    for (seed, period) in [1, 1 << 9, 1 << 12, 1 << 16, 1 << 19].into_iter().enumerate() {
        for from in Format::ALL {
            let snapshot = VecSnapshot::random(&mut Random::new(seed as u64), period, seed % 2 == 0, 200);
            let dump = read(&written(from, &snapshot)).unwrap();
            for to in Format::ALL {
                let what = format!("{} to {} at {period}", from.name(), to.name());
                let again = rewritten(&dump, to);
                for (found, expected) in of(&again.stacks).into_iter().zip(of(&dump.stacks)) {
                    assert!(close(found.bytes, expected.bytes, 1e-4), "{what}: {found:?} for {expected:?}");
                    // Shares of threads and pprof's values are whole objects, of which the bytes may tell more.
                    assert!(close(found.objs, expected.objs, 5e-3), "{what}: {found:?} for {expected:?}");
                }
                let (found, expected) = (by_stack(&again), by_stack(&dump));
                assert!(found.keys().eq(expected.keys()), "{what}");
                for (found, expected) in found.values().flatten().zip(expected.values().flatten()) {
                    assert!(close(found.bytes, expected.bytes, 2e-3), "{what}: {found:?} for {expected:?}");
                    let objs = (found.objs - expected.objs).abs();
                    assert!(objs <= 3.0 + 2e-2 * expected.objs, "{what}: {found:?} for {expected:?}");
                }
                assert_eq!((again.period, again.has_accum), (dump.period, dump.has_accum), "{what}");
                assert_eq!((&again.program, again.totals), (&dump.program, dump.totals), "{what}");
                assert_eq!(again.threads.len(), dump.threads.len(), "{what}");
                let spans = |dump: &Dump| -> Vec<_> {
                    dump.maps
                        .iter()
                        .map(|row| (row.start, row.end, row.file_offset, row.path.clone()))
                        .collect()
                };
                assert_eq!(spans(&again), spans(&dump), "{what}");
            }
        }
    }
}

#[test]
fn what_cannot_be_written_counts_as_nothing() {
    let figure = |objs, bytes| FigureStack {
        frames: &[0],
        live: Figure { objs, bytes },
        accum: Figure::default(),
        parts: &[],
    };
    let stacks = [(-3.0, -300.0), (0.0, 5.0), (f64::NAN, 1.0), (2.0, f64::INFINITY), (4.0, 256.0)];
    let stacks = stacks.map(|(objs, bytes)| figure(objs, bytes));
    let facts = Facts { period: 1, ..Facts::default() };
    let threads: [(u64, &str); 0] = [];
    let snapshot = FigureSnapshot::new(facts, &[0x1000], &threads, &stacks[..3], &[]);
    for format in Format::ALL {
        let mut bytes = Vec::new();
        let Ok(()) = write(format, &snapshot, &mut bytes);
        assert_eq!(live_total(&read(&bytes).unwrap()), Figure::default(), "{}", format.name());
    }
    let snapshot = FigureSnapshot::new(facts, &[0x1000], &threads, &stacks[4..], &[]);
    for format in Format::ALL {
        let mut bytes = Vec::new();
        let Ok(()) = write(format, &snapshot, &mut bytes);
        assert_eq!(
            live_total(&read(&bytes).unwrap()),
            Figure { objs: 4.0, bytes: 256.0 },
            "{}",
            format.name()
        );
    }
    // No number of bytes that a file could hold: no panic either.
    let snapshot = FigureSnapshot::new(facts, &[0x1000], &threads, &stacks[3..4], &[]);
    for format in Format::ALL {
        let Ok(()) = write(format, &snapshot, &mut Vec::new());
    }
    // Nor of the most that a number holds, live and accumulated alike (found by fuzzing: the text form tells the two
    // apart by one).
    let most = Figure { objs: 1.0, bytes: u64::MAX as f64 };
    let stacks = [FigureStack { live: most, accum: most, ..stacks[4] }];
    let facts = Facts { accum: true, ..facts };
    let snapshot = FigureSnapshot::new(facts, &[0x1000], &threads, &stacks, &[]);
    for format in Format::ALL {
        let mut bytes = Vec::new();
        let Ok(()) = write(format, &snapshot, &mut bytes);
        assert!(read(&bytes).is_ok(), "{}", format.name());
    }
}
