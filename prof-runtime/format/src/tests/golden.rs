//! Known files with known figures.

use alloc::{format, string::String, vec::Vec};

use super::{assert_within, live_total, total, written};
use crate::any::read;
use crate::dump::{Dump, Figure};
use crate::testing::VecSnapshot;
use crate::vocab::{BuildId, Format};

fn dump(text: &str) -> Dump {
    read(text.as_bytes()).unwrap_or_else(|error| panic!("{error} in\n{text}"))
}

/// A snapshot that never changes: two threads, one size per stack, mixed sizes, something freed, a stack without
/// frames, a module without build id.
fn fixed() -> VecSnapshot {
    let mut snapshot = VecSnapshot::empty(1 << 16, true);
    snapshot.modules[1].build_id = BuildId::default();
    let (app, libc) = (0x55f5_08ec_a000, 0x7f7a_957a_2000);
    let churn: Vec<u64> = (0..30).map(|i| 64 << (i % 12)).collect();
    snapshot.push(&[app + 0x20b, app + 0x34d, libc + 0x124a], &[(0, &[112; 7], &[112; 9])]);
    snapshot.push(&[app + 0x20b, app + 0x2f2, libc + 0x5f5], &[(1, &[112; 40], &[112; 40])]);
    snapshot.push(&[app + 0x24d, app + 0x343, libc + 0x124a], &[(0, &[3 << 20], &[3 << 20])]);
    snapshot.push(
        &[app + 0x275, app + 0x352, libc + 0x124a],
        &[(0, &churn[..9], &churn), (1, &[], &churn[3..20])],
    );
    snapshot.push(&[], &[(1, &[], &[4096; 5])]);
    snapshot
}

#[test]
fn our_own_dumps_stay_byte_for_byte_what_they_were() {
    for (format, name) in
        [(Format::Text, "ours-text.heap"), (Format::HeapV2, "ours-heap_v2.heap"), (Format::Pprof, "ours.pb")]
    {
        let path = format!("{}/../../fixtures/dumps/{name}", env!("CARGO_MANIFEST_DIR"));
        let bytes = written(format, &fixed());
        if std::env::var_os("UPDATE_GOLDEN").is_some_and(|value| value == "1") {
            std::fs::write(&path, &bytes).unwrap();
        }
        let expected = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
        let differ = || String::from_utf8_lossy(&bytes).into_owned();
        assert!(bytes == expected, "{name} (UPDATE_GOLDEN=1 rewrites it) is now\n{}", differ());
        let total = fixed().total(|part| part.live);
        assert_within(live_total(&read(&bytes).unwrap()), total, 2e-3, 1e-4, name);
    }
}

/// A file of one stack in the text form, with this first line.
fn figure_under(header: &str, pair: &str) -> (f64, f64) {
    let dump = dump(&format!("{header}\n{pair} [0: 0] @ 0x1000 0x2000\nMAPPED_LIBRARIES:\n"));
    let Figure { objs, bytes } = live_total(&dump);
    (objs.round(), bytes.round())
}

#[test]
fn jemallocs_own_dump_gives_what_jeprof_makes_of_it() {
    let dump = dump(include_str!("../../../../fixtures/dumps/jemalloc-5.3.0.heap"));
    assert_eq!((dump.format, dump.period, dump.has_accum), (Format::HeapV2, 65536, true));
    // Figures of stock jeprof on the same file; it prints whole bytes and tenths of MB.
    let live = live_total(&dump);
    assert_eq!((live.bytes as u64, live.objs as u64), (9_489_643, 27_528));
    let accum = total(&dump.stacks, |row| row.accum);
    assert_eq!((format!("{:.1}", accum.bytes / 1048576.0).as_str(), accum.objs as u64), ("39.2", 35_234));
    let worker = |row: &crate::dump::StackRow| {
        row.thread.filter(|uid| *uid == 1).map_or(Figure::default(), |_| row.live)
    };
    assert_eq!(total(&dump.thread_stacks, worker).bytes as u64, 5_769_408);
    assert_eq!(dump.threads, [(0, "".into()), (1, "worker-a".into())]);
    assert_eq!(dump.program.as_deref(), Some("/opt/demo/app"));
    let frames = dump.stack(&dump.stacks[0]);
    let addresses: Vec<u64> = frames.iter().map(|frame| dump.frame_table[*frame as usize].address).collect();
    assert_eq!(
        addresses[..2],
        [0x7f7a_95a0_ee30, 0x7f7a_95a0_f400],
        "the leaf as it is, callers lowered by one"
    );
}

#[test]
fn gperftools_own_dump_is_read() {
    let dump = dump(include_str!("../../../../fixtures/dumps/gperftools-2.10.heap"));
    assert_eq!((dump.format, dump.period, dump.has_accum), (Format::Text, 1, true));
    assert_eq!(live_total(&dump), Figure { objs: 3.0, bytes: 3_407_872.0 });
    assert_eq!(total(&dump.stacks, |row| row.accum), Figure { objs: 13.0, bytes: 4_456_448.0 });
    assert_eq!(dump.program.as_deref(), Some("/opt/demo/app"));
}

#[test]
fn the_word_after_the_at_sign_chooses_the_rule() {
    // 10 objects of 512 bytes. 1/(1-exp(-512/65536)) = 128.5006...
    let scaled = (1285.0, 657_923.0);
    assert_eq!(figure_under("heap profile: 10: 5120 [0: 0] @ heap_v2/65536", "10: 5120"), scaled);
    assert_eq!(
        figure_under("heap profile:     10:     5120 [   0:    0] @ heapz_v2/65536", "10: 5120"),
        scaled
    );
    assert_eq!(figure_under("heap profile: 10: 5120 [0: 0] @ heapprofile", "10: 5120"), (10.0, 5120.0));
    assert_eq!(figure_under("heap profile: 10: 5120 [0: 0] @ growthz", "10: 5120"), (10.0, 5120.0));
    // Every 65536th byte: 5120 bytes in samples of 512 stand for 10 * 65536.
    assert_eq!(figure_under("heap profile: 10: 5120 [0: 0] @ heap/131072", "10: 5120"), (1280.0, 655_360.0));
    assert_eq!(figure_under("heap profile: 10: 5120 [10: 5120]", "10: 5120"), (2560.0, 1_310_720.0));
    assert_eq!(figure_under("heap profile: 10: 5120 [20: 5120]", "10: 5120"), (10.0, 5120.0));
    // Without a distance, that of the first tcmalloc.
    assert_eq!(figure_under("heap profile: 10: 5120 [0: 0] @ heap_v2", "10: 5120"), (2565.0, 1_313_282.0));
}

#[test]
fn a_bracket_that_repeats_the_live_pair_is_no_accumulated_figure() {
    let text = "heap profile: 1: 64 [1: 64] @ heap_v2/4096\n1: 64 [1: 64] @ 0x1000\nMAPPED_LIBRARIES:\n";
    let dump = dump(text);
    assert!(!dump.has_accum);
    assert_eq!(dump.stacks[0].accum, Figure::default());
}

#[test]
fn lines_of_no_known_kind_are_counted_and_left_out() {
    let text = "heap_v2/4096\r\n  t*: 1: 64 [0: 0]\r\n@ 0x10 0x20\r\n  t*: 1: 64 [0: 0]\r\nSymbol: x\r\n\
                  t1: 1: 64 [0: 0]\r\n  q: 2\r\n\r\nMAPPED_LIBRARIES:\r\n1000-2000 r-xp 0 08:01 7 /app\r\n";
    let dump = dump(text);
    assert_eq!(dump.warnings, ["2 lines are not of this format and left out, the first is line 5"]);
    assert_eq!((dump.stacks.len(), dump.thread_stacks.len()), (1, 1));
    assert_eq!(dump.maps[0].path, "/app");
}

#[test]
fn equal_stacks_and_repeated_thread_ids_are_added_up() {
    let text = "heap_v2/1\n  t*: 3: 30 [0: 0]\n@ 0x10\n  t*: 1: 10 [0: 0]\n  t5: 1: 10 [0: 0]\n@ 0x10\n  t*: 2: 20 [0: 0]\n  \
                t5: 1: 10 [0: 0]\n  t5: 1: 10 [0: 0]\n\nMAPPED_LIBRARIES:\n";
    let dump = dump(text);
    assert_eq!(dump.stacks.len(), 1);
    assert_eq!(dump.stacks[0].live, Figure { objs: 3.0, bytes: 30.0 });
    assert_eq!(dump.thread_stacks[0].live, Figure { objs: 3.0, bytes: 30.0 });
}

#[test]
fn raw_figures_of_heap_v2_are_what_was_sampled_and_its_sums_are_sums() {
    let mut snapshot = fixed();
    snapshot.facts.raw = true;
    let text = String::from_utf8(written(Format::HeapV2, &snapshot)).unwrap();
    let figures = |line: &str| -> Vec<u64> {
        let counts = line.split_once(": ").unwrap().1;
        counts.split(|c: char| !c.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect()
    };
    let mut totals = text.lines().filter(|line| line.starts_with("  t*: ")).map(figures);
    let header = totals.next().unwrap();
    let sums = totals.fold([0; 4], |mut sums, row| {
        sums.iter_mut().zip(&row).for_each(|(sum, part)| *sum += part);
        sums
    });
    assert_eq!(header, sums);
    let sampled = snapshot.total(|part| part.live).sampled;
    assert_eq!(header[..2], [sampled.objs, sampled.bytes]);
}
