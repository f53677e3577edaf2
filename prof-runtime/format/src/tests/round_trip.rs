//! What is written is read back, and the formats agree.

use alloc::{collections::BTreeMap, format, string::String, vec::Vec};

use super::{assert_close, assert_within, live_total, total, written};
use crate::any::read;
use crate::dump::{Dump, Figure, StackRow};
use crate::snapshot::Snapshot;
use crate::testing::{Random, VecSnapshot};
use crate::vocab::{Format, Tally};

const PERIODS: [u64; 5] = [1, 1 << 9, 1 << 12, 1 << 16, 1 << 19];

fn each(mut check: impl FnMut(Format, &VecSnapshot, &Dump, &str)) {
    for (seed, period) in PERIODS.iter().enumerate() {
        for accum in [false, true] {
            let snapshot = VecSnapshot::random(&mut Random::new(seed as u64), *period, accum, 300);
            for format in Format::ALL {
                let what = format!("{} at {period}, accum {accum}", format.name());
                let dump =
                    read(&written(format, &snapshot)).unwrap_or_else(|error| panic!("{what}: {error}"));
                check(format, &snapshot, &dump, &what);
            }
        }
    }
}

#[test]
fn bytes_of_all_formats_add_up_to_the_estimate_within_a_hundredth_of_a_percent() {
    // Objects: a line of few small objects in whole bytes is off by up to 1 % in objects, and the total of 300 such
    // lines by a few hundredths of a percent. Bytes hardly feel it.
    const OBJS: f64 = 5e-4;
    const BYTES: f64 = 1e-4;
    each(|_, snapshot, dump, what| {
        assert_within(live_total(dump), snapshot.total(|part| part.live), OBJS, BYTES, what);
        assert_eq!(dump.has_accum, snapshot.facts.accum, "{what}");
        let accum = total(&dump.stacks, |row| row.accum);
        assert_within(accum, snapshot.total(|part| part.accum), OBJS, BYTES, what);
    });
}

/// Addresses to look up, by stack.
fn by_stack(dump: &Dump, rows: &[StackRow], thread: Option<u64>) -> BTreeMap<Vec<u64>, Figure> {
    let mut sums = BTreeMap::new();
    for row in rows.iter().filter(|row| thread.is_none() || row.thread == thread) {
        let address = |frame: &u32| dump.frame_table[*frame as usize].address;
        let stack: Vec<u64> = dump.stack(row).iter().map(address).collect();
        let sum: &mut Figure = sums.entry(stack).or_default();
        *sum = sum.plus(row.live);
    }
    sums
}

#[test]
fn every_stack_keeps_its_addresses_and_its_estimate() {
    each(|_, snapshot, dump, what| {
        let found = by_stack(dump, &dump.stacks, None);
        let mut expected: BTreeMap<Vec<u64>, Tally> = BTreeMap::new();
        for stack in 0..snapshot.stacks() {
            let stack = snapshot.stack(stack);
            let frames = stack.frames.iter().map(|frame| snapshot.address(*frame as usize) - 1).collect();
            let sum = expected.entry(frames).or_default();
            *sum = sum.plus(stack.live);
        }
        assert_eq!(found.len(), expected.len(), "{what}");
        for (stack, tally) in expected {
            // Single stacks: whole bytes on a line of few small objects, whole objects in pprof.
            let slack = 0.01 + 1.0 / tally.est_objs().max(1.0);
            assert_close(found[&stack], tally, slack, &format!("{what}: {stack:x?}"));
        }
    });
}

#[test]
fn every_format_keeps_threads_apart() {
    each(|_, snapshot, dump, what| {
        let rows = if dump.format == Format::Pprof { &dump.stacks } else { &dump.thread_stacks };
        for index in 0..snapshot.threads() {
            let thread = snapshot.thread(index);
            let mine =
                total(rows, |row| if row.thread == Some(thread.uid) { row.live } else { Figure::default() });
            // The text form gives each share in whole objects, and pprof passes the rest on to the next sample,
            // which may be another thread's: half an object for each of about 300 shares, in random directions.
            let slack = 2e-3 + 10.0 / thread.live.est_objs().max(1.0);
            assert_close(mine, thread.live, slack, &format!("{what}: thread {}", thread.uid));
        }
        let name = |uid| dump.threads.iter().find(|(known, _)| *known == uid).map(|(_, name)| name.as_str());
        assert_eq!(name(7), Some("name with blanks: 1 [2]"), "{what}");
    });
}

#[test]
fn maps_ids_times_and_the_program_come_back() {
    each(|format, snapshot, dump, what| {
        assert_eq!(dump.format, format);
        assert_eq!(dump.period, snapshot.facts.period, "{what}");
        assert_eq!(dump.program.as_deref(), Some("/opt/demo/app"), "{what}");
        assert_eq!(dump.maps.len(), 2, "{what}");
        for (row, module) in dump.maps.iter().zip(&snapshot.modules) {
            assert_eq!((row.start, row.end, row.file_offset), module.range, "{what}");
            if format != Format::HeapV2 {
                assert_eq!(row.build_id, module.build_id, "{what}");
                assert_eq!(dump.time_nanos, snapshot.facts.time_nanos, "{what}");
                assert_eq!(dump.duration_nanos, snapshot.facts.duration_nanos, "{what}");
            }
        }
        assert_eq!(dump.warnings, Vec::<String>::new(), "{what}");
    });
}

#[test]
fn totals_of_the_process_come_back() {
    each(|_, snapshot, dump, what| {
        assert!(snapshot.facts.totals.count() > 0, "the generator knows some");
        assert_eq!(dump.totals, Some(snapshot.facts.totals), "{what}");
        assert!(dump.comments.iter().all(|comment| !comment.starts_with('#')), "{what}: {:?}", dump.comments);
    });
    for format in Format::ALL {
        assert_eq!(read(&written(format, &VecSnapshot::empty(1 << 19, true))).unwrap().totals, None);
    }
}

#[test]
fn a_dump_without_samples_is_whole_and_empty() {
    for format in Format::ALL {
        let dump = read(&written(format, &VecSnapshot::empty(1 << 19, true))).unwrap();
        assert_eq!((dump.stacks.len(), dump.has_live, dump.maps.len()), (0, true, 2));
    }
}

#[test]
fn a_stack_without_frames_keeps_its_figures() {
    for format in Format::ALL {
        let mut snapshot = VecSnapshot::empty(1 << 12, false);
        snapshot.push(&[0x55f5_08ec_a010], &[(0, &[64], &[])]);
        snapshot.push(&[], &[(0, &[4096; 3], &[])]);
        let dump = read(&written(format, &snapshot)).unwrap();
        let empty = dump.stacks.iter().find(|row| row.frames.is_empty()).unwrap();
        // pprof gives whole objects, here 4 or 5 for 4.75.
        assert_close(empty.live, snapshot.stack(1).live, 0.2, format.name());
    }
}

#[test]
fn when_nothing_was_freed_the_header_still_says_that_accumulated_figures_are_there() {
    let mut snapshot = VecSnapshot::empty(1 << 19, true);
    snapshot.push(&[0x55f5_08ec_a010], &[(0, &[4096; 3], &[4096; 3])]);
    let bytes = written(Format::Text, &snapshot);
    let first = bytes.split(|byte| *byte == b'\n').next().unwrap();
    let first = core::str::from_utf8(first).unwrap();
    // 3 objects at a distance of 512 KiB stand for 3 / (1 - exp(-4096 / 524288)) = 385.502...
    assert_eq!(first, "heap profile: 386: 1579017 [386: 1579018] @ heap_v2/524288");
}

#[test]
fn threads_and_paths_of_any_bytes_do_no_harm() {
    for format in Format::ALL {
        let mut snapshot = VecSnapshot::empty(1 << 12, false);
        snapshot.threads[1].1 = b"\xff\xfe @ 0x1\r 3: 4 [5: 6]".to_vec();
        snapshot.program = b"/opt/\xc3\x28\n# end".to_vec();
        snapshot.push(&[0x55f5_08ec_a010], &[(1, &[64], &[])]);
        let dump = read(&written(format, &snapshot)).unwrap();
        assert_close(live_total(&dump), snapshot.stack(0).live, 0.01, format.name());
        assert_eq!(dump.threads.len(), if format == Format::Text { 2 } else { 1 }, "{}", format.name());
    }
}
