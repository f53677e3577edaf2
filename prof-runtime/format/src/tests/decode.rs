//! Our profile.proto through a decoder of somebody else, and somebody else's through ours.

use alloc::{collections::BTreeSet, string::String, vec, vec::Vec};
use std::boxed::Box;

use pprof::protos::{self, Message, Profile};

use super::{live_total, written};
use crate::any::read;
use crate::dump::{Figure, Label, LabelValue};
use crate::gzip::{Gzip, GzipState};
use crate::snapshot::Snapshot;
use crate::testing::{Random, VecSnapshot};
use crate::vocab::Format;

fn decoded(snapshot: &VecSnapshot) -> Profile {
    Profile::decode(&written(Format::Pprof, snapshot)[..]).unwrap()
}

/// The rules that Go's `CheckValid` and Parca's stricter validation put on a profile.
fn check_valid(profile: &Profile) {
    assert_eq!(profile.string_table[0], "");
    let string = |index: i64| &profile.string_table[index as usize];
    let consecutive = |ids: Vec<u64>| assert!(ids.iter().copied().eq(1..=ids.len() as u64), "{ids:?}");
    consecutive(profile.mapping.iter().map(|mapping| mapping.id).collect());
    consecutive(profile.location.iter().map(|location| location.id).collect());
    for location in &profile.location {
        assert!(location.mapping_id <= profile.mapping.len() as u64);
        if let Some(mapping) = profile.mapping.get((location.mapping_id as usize).wrapping_sub(1)) {
            assert!((mapping.memory_start..mapping.memory_limit).contains(&location.address));
        }
    }
    for sample in &profile.sample {
        assert_eq!(sample.value.len(), profile.sample_type.len());
        assert!(sample.value.iter().any(|value| *value != 0));
        for pair in sample.value.chunks(2) {
            assert_eq!(pair[0] == 0, pair[1] == 0, "objects and bytes go together: {pair:?}");
        }
        for id in &sample.location_id {
            assert!((1..=profile.location.len() as u64).contains(id));
        }
        let keys: BTreeSet<_> = sample.label.iter().map(|label| string(label.key)).collect();
        assert_eq!(keys.len(), sample.label.len(), "one value per key");
    }
    for index in profile.comment.iter().chain([&profile.drop_frames, &profile.default_sample_type]) {
        assert_ne!(string(*index), "");
    }
    assert!(!string(profile.comment[0]).starts_with('#'), "pprof hides such comments");
}

#[test]
fn accumulated_bytes_are_shown_first_where_that_is_wanted_and_there_are_some() {
    for (accum, wanted, first) in
        [(true, true, "alloc_space"), (true, false, "inuse_space"), (false, true, "inuse_space")]
    {
        let mut snapshot = VecSnapshot::random(&mut Random::new(22), 1 << 16, accum, 3);
        snapshot.facts.allocated_first = wanted;
        let profile = decoded(&snapshot);
        check_valid(&profile);
        assert_eq!(profile.string_table[profile.default_sample_type as usize], first);
    }
}

#[test]
fn another_decoder_finds_a_valid_profile_with_the_same_totals() {
    for accum in [false, true] {
        let snapshot = VecSnapshot::random(&mut Random::new(21), 1 << 16, accum, 400);
        let profile = decoded(&snapshot);
        check_valid(&profile);
        let string = |index: i64| profile.string_table[index as usize].as_str();
        let columns: Vec<_> =
            profile.sample_type.iter().map(|kind| (string(kind.ty), string(kind.unit))).collect();
        let all = [
            ("alloc_objects", "count"),
            ("alloc_space", "bytes"),
            ("inuse_objects", "count"),
            ("inuse_space", "bytes"),
        ];
        assert_eq!(columns, if accum { &all[..] } else { &all[2..] });
        let sum = |column: &str| -> i64 {
            let place = columns.iter().position(|(name, _)| *name == column).unwrap();
            profile.sample.iter().map(|sample| sample.value[place]).sum()
        };
        let live = snapshot.total(|part| part.live);
        assert_eq!(sum("inuse_space") as u64, live.est_bytes);
        assert!((sum("inuse_objects") as f64 - live.est_objs()).abs() <= 0.5, "rounded once, not per sample");
        if accum {
            let accum = snapshot.total(|part| part.accum);
            assert_eq!(sum("alloc_space") as u64, accum.est_bytes);
            assert!((sum("alloc_objects") as f64 - accum.est_objs()).abs() <= 0.5);
        }
        assert_eq!(string(profile.default_sample_type), "inuse_space");
        let period = profile.period_type.as_ref().unwrap();
        assert_eq!((string(period.ty), string(period.unit), profile.period), ("space", "bytes", 1 << 16));
        assert_eq!(profile.time_nanos as u64, snapshot.facts.time_nanos);
        assert_eq!(profile.duration_nanos as u64, snapshot.facts.duration_nanos);
        let first = &profile.mapping[0];
        assert_eq!((string(first.filename), string(first.build_id)), ("/opt/demo/app", &"ab".repeat(20)[..]));
        assert_eq!((first.memory_start, first.memory_limit, first.file_offset), snapshot.modules[0].range);
        assert!(profile.comment.iter().any(|index| string(*index).contains("65536 bytes")));
    }
}

#[test]
fn addresses_lie_inside_the_calling_instruction() {
    let snapshot = VecSnapshot::random(&mut Random::new(22), 1 << 16, false, 20);
    let profile = decoded(&snapshot);
    for (index, location) in profile.location.iter().enumerate() {
        assert_eq!(location.address, snapshot.address(index) - 1);
    }
}

#[test]
fn a_gzipped_dump_is_the_same_dump() {
    use std::io::Read;
    let snapshot = VecSnapshot::random(&mut Random::new(23), 1 << 16, true, 300);
    let mut state = Box::new(GzipState::new());
    let mut gzip = Gzip::new(Vec::new(), &mut state);
    let Ok(()) = crate::pprof::write(&snapshot, &mut gzip);
    let Ok(packed) = gzip.finish();
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&packed[..]).read_to_end(&mut unpacked).unwrap();
    assert!(unpacked == written(Format::Pprof, &snapshot));
}

/// A symbolized profile as Go writes it: strings first, `space` and `objects`, functions with lines.
fn foreign() -> Profile {
    let strings =
        ["", "objects", "count", "space", "bytes", "main.grow", "/src/main.go", "main.main", "thread", "io"];
    Profile {
        sample_type: vec![protos::ValueType { ty: 1, unit: 2 }, protos::ValueType { ty: 3, unit: 4 }],
        sample: vec![protos::Sample {
            location_id: vec![7, 9],
            value: vec![3, -96],
            label: vec![protos::Label { key: 8, str: 9, ..Default::default() }],
        }],
        location: vec![
            protos::Location {
                id: 7,
                address: 0x1234,
                line: vec![
                    protos::Line { function_id: 1, line: 12 },
                    protos::Line { function_id: 2, line: 30 },
                ],
                ..Default::default()
            },
            protos::Location { id: 9, address: 0x2234, ..Default::default() },
        ],
        function: vec![
            protos::Function { id: 1, name: 5, system_name: 5, filename: 6, start_line: 10 },
            protos::Function { id: 2, name: 7, filename: 6, ..Default::default() },
        ],
        string_table: strings.iter().map(|text| String::from(*text)).collect(),
        ..Default::default()
    }
}

fn encoded(profile: &Profile) -> Vec<u8> {
    profile.encode_to_vec()
}

#[test]
fn a_symbolized_profile_of_another_writer_keeps_its_names() {
    let dump = read(&encoded(&foreign())).unwrap();
    assert_eq!((dump.has_live, dump.has_accum), (true, false));
    assert_eq!(live_total(&dump), Figure { objs: 3.0, bytes: -96.0 }, "diffs are negative");
    let names: Vec<_> =
        dump.frame_table[0].names.iter().map(|name| (&name.function[..], name.line)).collect();
    assert_eq!(names, [("main.grow", 12), ("main.main", 30)], "innermost first");
    let first = &dump.frame_table[0].names[0];
    assert_eq!((&first.linkage[..], &first.file[..], first.start_line), ("main.grow", "/src/main.go", 10));
    assert_eq!(dump.frame_table[1].names, []);
    let thread = Label { key: "thread".into(), value: LabelValue::Text("io".into()) };
    assert_eq!(dump.label_sets, [vec![], vec![thread]]);
    assert_eq!(
        (dump.stacks[0].labels, &dump.default_sample_type[..]),
        (1, ""),
        "an old profile says no default"
    );
    assert_eq!((dump.stacks[0].thread, &dump.threads[..]), (Some(0), &[(0, "io".into())][..]));
}

#[test]
fn a_profile_of_something_else_has_no_live_figures() {
    let mut profile = foreign();
    profile.string_table[1] = "samples".into();
    profile.string_table[3] = "cpu".into();
    let dump = read(&encoded(&profile)).unwrap();
    assert!(!dump.has_live && !dump.has_accum);
    assert_eq!(dump.warnings, ["values of `samples/count`, `cpu/bytes` are no heap figures and left out"]);
}

#[test]
fn labels_of_our_own_profile_come_back() {
    let mut snapshot = VecSnapshot::empty(1 << 12, false);
    let parts: [(usize, &[u64], &[u64]); 2] = [(0, &[64; 9], &[]), (1, &[64, 4096], &[])];
    snapshot.push(&[0x55f5_08ec_a010], &parts);
    snapshot.push(&[0x55f5_08ec_a020], &parts[..1]);
    let dump = read(&written(Format::Pprof, &snapshot)).unwrap();
    let text = |key: &str, text: &str| Label { key: key.into(), value: LabelValue::Text(text.into()) };
    let number = |key: &str, value, unit: &str| Label {
        key: key.into(),
        value: LabelValue::Number { value, unit: unit.into() },
    };
    let small = [text("thread", "thread-0"), number("thread_uid", 0, "id"), number("bytes", 64, "bytes")];
    assert_eq!(dump.label_sets[..2], [vec![], small.to_vec()]);
    assert_eq!(dump.label_sets[2][..2], [text("thread", "worker-a"), number("thread_uid", 1, "id")]);
    let rows: Vec<_> = dump.stacks.iter().map(|row| (row.thread, row.labels)).collect();
    assert_eq!(rows, [(Some(0), 1), (Some(1), 2), (Some(0), 1)]);
    assert_eq!(dump.default_sample_type, "inuse_space");
    assert!(dump.comments[0].starts_with("Heap profile of /opt/demo/app, pid 4711"), "{:?}", dump.comments);
}

#[test]
fn damage_that_go_refuses_is_refused() {
    let check = |change: fn(&mut Profile), expected: &str| {
        let mut profile = foreign();
        change(&mut profile);
        let error = std::format!("{}", read(&encoded(&profile)).expect_err(expected));
        assert!(error.contains(expected), "{error}");
    };
    check(|p| p.sample[0].value.truncate(1), "sample: 1 values for 2 sample types");
    check(|p| p.sample[0].location_id[0] = 8, "sample: it refers to location 8, which is missing");
    check(|p| p.location[0].id = 0, "location: id 0 is not allowed");
    check(|p| p.location[0].id = 9, "location: id 9 appears twice");
    check(
        |p| p.location[0].line[0].function_id = 5,
        "location: its line refers to function 5, which is missing",
    );
    check(|p| p.function[0].name = 99, "function: string 99 of 10");
    check(|p| p.function[0].name = -1, "function: string 18446744073709551615 of 10");
    check(|p| p.sample[0].label[0].key = 10, "label: string 10 of 10");
}
