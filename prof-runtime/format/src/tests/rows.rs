//! Profiles whose stacks are told in rows: ages, ends, the peak, labels.

use alloc::{vec, vec::Vec};

use super::written;
use crate::any::read;
use crate::dump::{Dump, Figure, LabelValue, More, StackRow};
use crate::snapshot::{About, Leak, Row, Span};
use crate::testing::{VecSnapshot, tally_of};
use crate::vocab::Format;

const PERIOD: u64 = 1 << 16;

/// One stack: two ages, two ends, a peak, a label.
fn snapshot(accum: bool) -> VecSnapshot {
    let mut snapshot = VecSnapshot::empty(PERIOD, accum);
    snapshot.push(&[0x55f5_08ec_a20b, 0x55f5_08ec_a34d], &[(0, &[64, 64, 4096], &[64, 64, 4096, 64, 512])]);
    let tally = |sizes: &[u64]| tally_of(sizes, PERIOD);
    let young = Row {
        thread: Some(0),
        label: Some(0),
        span: Span::Age(0),
        live: tally(&[64, 64]),
        accum: tally(&[64, 64]),
        requested: 100_000,
        pinned: 30_000,
        variance: 2.5e9,
        ..Row::default()
    };
    let old = Row {
        span: Span::Age(40),
        live: tally(&[4096]),
        accum: tally(&[4096]),
        requested: 60_000,
        pinned: 0,
        variance: f64::MAX,
        ..young
    };
    let none = Row { live: tally(&[]), accum: tally(&[]), requested: 0, pinned: 0, variance: 0.0, ..young };
    let ended = |elsewhere, size| Row {
        span: Span::Lifetime { lg_nanos: 20, elsewhere },
        accum: tally(&[size]),
        ..none
    };
    let both = tally(&[64, 512]);
    let rest = Row { span: Span::Any, peak: tally(&[4096, 4096]), ..none };
    snapshot.stacks[0].rows = match accum {
        true => vec![young, old, ended(false, 64), ended(true, 512), rest],
        false => vec![young, old, Row { accum: both, ..rest }],
    };
    snapshot.labels = vec![b"tenant \xff".to_vec()];
    snapshot.system_names = vec![b"from-the-system".to_vec()];
    snapshot.facts.detail = true;
    snapshot.facts.peak = true;
    snapshot.facts.pinned = true;
    snapshot
}

fn text<'d>(dump: &'d Dump, row: &StackRow, key: &str) -> Option<&'d str> {
    dump.label_sets[row.labels as usize].iter().find(|label| label.key == key).and_then(|label| match &label
        .value
    {
        LabelValue::Text(text) => Some(text.as_str()),
        LabelValue::Number { .. } => None,
    })
}

fn nanos(dump: &Dump, row: &StackRow, key: &str) -> Option<i64> {
    dump.label_sets[row.labels as usize].iter().find(|label| label.key == key).map(|label| {
        match &label.value {
            LabelValue::Number { value, unit } if unit == "nanoseconds" => *value,
            other => panic!("{other:?}"),
        }
    })
}

fn sum(dump: &Dump, of: impl Fn(&StackRow) -> Figure) -> Figure {
    dump.stacks.iter().map(of).fold(Figure::default(), Figure::plus)
}

#[test]
fn ages_and_ends_are_labels_and_the_sum_over_rows_is_the_stack() {
    let snapshot = snapshot(true);
    let dump = read(&written(Format::Pprof, &snapshot)).unwrap();
    assert_eq!(
        (dump.warnings.len(), dump.stacks.len(), dump.default_sample_type.as_str()),
        (0, 5, "inuse_space")
    );
    let ages: Vec<_> = dump.stacks.iter().map(|row| nanos(&dump, row, "age")).collect();
    assert_eq!(ages, [Some(1), Some(1 << 40), None, None, None]);
    let lifetimes: Vec<_> =
        dump.stacks.iter().map(|row| (nanos(&dump, row, "lifetime"), text(&dump, row, "freed_by"))).collect();
    let of = |by| (Some(1 << 20), Some(by));
    assert_eq!(lifetimes[2..], [of("same thread"), of("other thread"), (None, None)]);
    for row in &dump.stacks {
        assert_eq!(text(&dump, row, "label"), Some("tenant ?"));
        assert_eq!(text(&dump, row, "thread"), Some("from-the-system"));
        let ended = nanos(&dump, row, "lifetime").is_some();
        assert_eq!(row.live == Figure::default(), ended || nanos(&dump, row, "age").is_none());
        assert!(ended || row.live == row.accum, "{row:?}");
    }
    let [live, accum] = [snapshot.total(|part| part.live), snapshot.total(|part| part.accum)];
    let off = |found: Figure, objs: f64, bytes: u64| {
        assert!((found.objs - objs).abs() <= 1.0 && found.bytes == bytes as f64, "{found:?} {objs} {bytes}");
    };
    off(sum(&dump, |row| row.live), live.est_objs(), live.est_bytes);
    off(sum(&dump, |row| row.accum), accum.est_objs(), accum.est_bytes);
    let more = dump.more.iter().fold(More::default(), |sum, more| sum.plus(*more));
    let peak = tally_of(&[4096, 4096], PERIOD);
    off(more.peak, peak.est_objs(), peak.est_bytes);
    assert_eq!((more.requested, more.samples, more.births, more.deaths), (160_000.0, 3.0, 0.0, 0.0));
    assert_eq!(more.pinned, 30_000.0);
    assert_eq!(dump.more[0].variance, 2.5e9);
    assert_eq!(dump.more[1].variance, i64::MAX as f64, "saturated");
    assert!(dump.has_peak);
}

#[test]
fn without_accumulated_figures_births_and_deaths_are_told() {
    let dump = read(&written(Format::Pprof, &snapshot(false))).unwrap();
    assert!(!dump.has_accum && dump.warnings.is_empty());
    let more = dump.more.iter().fold(More::default(), |sum, more| sum.plus(*more));
    let [all, gone] =
        [&[64, 64, 4096, 64, 512][..], &[64, 512]].map(|sizes| tally_of(sizes, PERIOD).est_objs());
    assert!((more.births - all).abs() <= 1.0 && (more.deaths - gone).abs() <= 1.0, "{more:?}");
    for (row, more) in dump.stacks.iter().zip(&dump.more) {
        assert_eq!(more.births - more.deaths, row.live.objs);
    }
}

#[test]
fn how_the_program_was_started_is_told_and_not_shown() {
    let mut snapshot = snapshot(true);
    let (command, host) = (&b"./serve\0--port\0 80\nx"[..], &b"box"[..]);
    let suppressions = b"# jeprof-rs: max=4KiB\n\n leak:once\r\nleak:^a*b$\n";
    snapshot.facts.about =
        About { command, host, start_nanos: 17, conf: b"prof:true", suppressions, samples: 3, reach: b"" };
    for format in [Format::Pprof, Format::Text] {
        let dump = read(&written(format, &snapshot)).unwrap();
        let about: Vec<_> = dump.about.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        let command = match format {
            Format::Text => "./serve --port  80?x",
            _ => "./serve --port  80\nx",
        };
        let expected = [
            ("command", command),
            ("host", "box"),
            ("conf", "prof:true"),
            ("suppression", "# jeprof-rs: max=4KiB"),
            ("suppression", "leak:once"),
            ("suppression", "leak:^a*b$"),
            ("start_nanos", "17"),
            ("samples", "3"),
        ];
        assert_eq!(about, expected);
        assert!(dump.comments.iter().all(|comment| !comment.contains("box")), "{:?}", dump.comments);
        assert_eq!(dump.warnings, Vec::<alloc::string::String>::new());
    }
    let heap_v2 = written(Format::HeapV2, &snapshot);
    snapshot.facts.about = About::default();
    snapshot.facts.detail = false;
    assert_eq!(heap_v2, written(Format::HeapV2, &snapshot), "heap_v2 is the reference's");
}

#[test]
fn what_is_lost_is_a_label_and_that_it_was_looked_at_is_told_in_both_forms() {
    let mut snapshot = snapshot(false);
    let rows = &mut snapshot.stacks[0].rows;
    (rows[0].leak, rows[1].leak) = (Some(Leak::Direct), Some(Leak::Indirect));
    snapshot.facts.about.reach = b"done objects=3 direct=2";
    let dump = read(&written(Format::Pprof, &snapshot)).unwrap();
    let leaks: Vec<_> = dump.stacks.iter().map(|row| text(&dump, row, "leak")).collect();
    assert_eq!(leaks, [Some("direct"), Some("indirect"), None]);
    for format in [Format::Pprof, Format::Text] {
        let dump = read(&written(format, &snapshot)).unwrap();
        assert!(dump.about.contains(&("reach".into(), "done objects=3 direct=2".into())), "{format:?}");
        assert_eq!(dump.warnings.len(), 0);
    }
}
