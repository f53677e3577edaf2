//! Profiles from tables in memory, through our reader and through one of somebody else.

use alloc::{format, string::String, vec, vec::Vec};

use pprof::protos::{self, Message};

use crate::any::read;
use crate::dump::{Carried, Dump, Label, LabelValue, NamedFrame};
use crate::pprof::{Function, Line, Location, Mapping, Profile, Sample, ValueType, encode};
use crate::testing::Random;
use crate::vocab::BuildId;

const TYPES: [ValueType<'static>; 4] = [
    ValueType { name: "alloc_objects", unit: "count" },
    ValueType { name: "alloc_space", unit: "bytes" },
    ValueType { name: "inuse_objects", unit: "count" },
    ValueType { name: "inuse_space", unit: "bytes" },
];

/// What a profile borrows from.
struct Owned {
    names: Vec<[String; 3]>,
    starts: Vec<u32>,
    lines: Vec<Vec<Line>>,
    addresses: Vec<u64>,
    samples: Vec<(Vec<u32>, [f64; 4], usize)>,
    labels: Vec<Vec<Label>>,
}

fn random(random: &mut Random) -> Owned {
    let text = |random: &mut Random, word: &str| match random.below(5) {
        0 => String::new(),
        _ => format!("<{word}{} as \u{e4}>::f", random.below(50)),
    };
    let names: Vec<[String; 3]> =
        (0..40).map(|_| ["name", "_ZN", "/src/"].map(|word| text(random, word))).collect();
    let starts = (0..names.len()).map(|_| random.below(3) as u32 * 1000).collect();
    let lines = (0..60)
        .map(|_| {
            let line = |random: &mut Random| Line {
                function: random.below(40) as u32,
                line: random.below(5000) as u32,
                column: random.below(3) as u32 * 40,
            };
            (0..random.below(4)).map(|_| line(random)).collect()
        })
        .collect();
    let label = |random: &mut Random, key: usize| Label {
        key: format!("key{key}"),
        value: match random.below(2) {
            0 => LabelValue::Text(format!("value {}", random.below(9))),
            _ => LabelValue::Number {
                value: random.next() as i64 >> random.below(64),
                unit: ["", "bytes", "id"][random.below(3) as usize].into(),
            },
        },
    };
    let labels: Vec<Vec<Label>> =
        (0..20).map(|_| (0..random.below(4) as usize).map(|key| label(random, key)).collect()).collect();
    let samples = (0..200)
        .map(|_| {
            let frames = (0..random.below(30)).map(|_| random.below(60) as u32).collect();
            let values = [0; 4].map(|_| (random.below(2_000_000) as f64 - 5e5) / 7.0);
            (frames, values, random.below(20) as usize)
        })
        .collect();
    Owned {
        names,
        starts,
        lines,
        addresses: (0..60).map(|index| 0x1000 + index * 9).collect(),
        samples,
        labels,
    }
}

impl Owned {
    fn encoded(&self) -> Vec<u8> {
        let functions: Vec<Function<'_>> = (self.names.iter().zip(&self.starts))
            .map(|([name, system_name, file], start_line)| Function {
                name,
                system_name,
                file,
                start_line: *start_line,
            })
            .collect();
        let locations: Vec<Location<'_>> = (self.addresses.iter().zip(&self.lines))
            .map(|(address, lines)| Location {
                address: *address,
                mapping: (address % 3).checked_sub(1).map(|index| index as u32),
                lines,
            })
            .collect();
        let samples: Vec<Sample<'_>> = self
            .samples
            .iter()
            .map(|(locations, values, labels)| Sample { locations, values, labels: &self.labels[*labels] })
            .collect();
        encode(&Profile {
            sample_types: &TYPES,
            default_sample_type: "alloc_space",
            samples: &samples,
            mappings: &self.mappings(),
            locations: &locations,
            functions: &functions,
            period_type: ValueType { name: "space", unit: "bytes" },
            period: 1 << 19,
            time_nanos: 1_795_189_616_001_278_996,
            duration_nanos: 5,
            drop_frames: "malloc|.*alloc",
            keep_frames: "kept",
            comments: &["one", "# total rss 4096", "two", ""],
            doc_url: "https://example.org/a",
        })
    }

    fn mappings(&self) -> [Mapping<'static>; 2] {
        let program = Mapping {
            start: 0x1000,
            end: 0x2000,
            file_offset: 0x1000,
            path: "/opt/demo/app",
            build_id: BuildId::new(&[0xab; 20]),
            carried: Carried { functions: true, inline_frames: true, ..Carried::default() },
        };
        let library = Mapping { start: 0x3000, end: 0x5000, path: "/lib/x.so", ..Mapping::default() };
        [program, library]
    }
}

#[test]
fn names_figures_and_labels_come_back() {
    let mut generator = Random::new(77);
    for _ in 0..20 {
        let owned = random(&mut generator);
        let dump = read(&owned.encoded()).unwrap();
        check_frames(&owned, &dump);
        check_rows(&owned, &dump);
        assert_eq!((&dump.drop_frames[..], &dump.keep_frames[..]), ("malloc|.*alloc", "kept"));
        assert_eq!(
            (&dump.doc_url[..], &dump.default_sample_type[..]),
            ("https://example.org/a", "alloc_space")
        );
        assert_eq!(dump.comments, ["one", "two", ""]);
        assert_eq!(dump.totals.unwrap().rss, Some(4096));
        assert_eq!((dump.period, dump.duration_nanos), (1 << 19, 5));
        assert_eq!(dump.time_nanos, 1_795_189_616_001_278_996);
        for (row, mapping) in dump.maps.iter().zip(owned.mappings()) {
            assert_eq!(
                (row.start, row.end, row.file_offset),
                (mapping.start, mapping.end, mapping.file_offset)
            );
            assert_eq!(
                (&row.path[..], row.build_id, row.carried),
                (mapping.path, mapping.build_id, mapping.carried)
            );
        }
    }
}

fn check_frames(owned: &Owned, dump: &Dump) {
    assert_eq!(dump.frame_table.len(), owned.addresses.len());
    for (index, frame) in dump.frame_table.iter().enumerate() {
        assert_eq!(frame.address, owned.addresses[index]);
        let expected: Vec<NamedFrame> = owned.lines[index]
            .iter()
            .map(|line| {
                let [name, system_name, file] = owned.names[line.function as usize].clone();
                NamedFrame {
                    linkage: if system_name == name { String::new() } else { system_name },
                    function: name,
                    file,
                    line: line.line,
                    column: line.column,
                    start_line: owned.starts[line.function as usize],
                }
            })
            .collect();
        assert_eq!(frame.names, expected);
    }
}

/// Rows are samples; those of the same stack and labels are added up by the reader, so it is done here, too.
fn check_rows(owned: &Owned, dump: &Dump) {
    /// Frames, labels, sums of values, number of samples.
    type Row<'o> = (&'o [u32], &'o [Label], [f64; 4], f64);
    let mut expected: Vec<Row<'_>> = Vec::new();
    for (frames, values, labels) in &owned.samples {
        let labels = &owned.labels[*labels][..];
        match expected.iter_mut().find(|row| row.0 == &frames[..] && row.1 == labels) {
            Some(row) => {
                row.2.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
                row.3 += 1.0;
            }
            None => expected.push((frames, labels, *values, 1.0)),
        }
    }
    assert_eq!(dump.stacks.len(), expected.len());
    let mut sums = [0.0; 4];
    for (row, (frames, labels, values, count)) in dump.stacks.iter().zip(expected) {
        assert_eq!(dump.stack(row), frames);
        assert_eq!(dump.label_sets[row.labels as usize], labels);
        let found = [row.accum.objs, row.accum.bytes, row.live.objs, row.live.bytes];
        for (sum, (found, value)) in sums.iter_mut().zip(found.iter().zip(values)) {
            assert!((found - value).abs() <= count, "{found} for {value}, {count} samples");
            *sum += found - value;
        }
    }
    assert!(sums.iter().all(|sum| sum.abs() <= 0.51), "totals are right: {sums:?}");
}

#[test]
fn another_decoder_finds_the_same() {
    let owned = random(&mut Random::new(5));
    let profile = protos::Profile::decode(&owned.encoded()[..]).unwrap();
    let string = |index: i64| profile.string_table[index as usize].as_str();
    assert_eq!((string(0), profile.sample.len(), profile.function.len()), ("", 200, 40));
    assert!(profile.function.iter().map(|function| function.id).eq(1..=40));
    assert!(profile.location.iter().map(|location| location.id).eq(1..=60));
    assert!(profile.mapping.iter().map(|mapping| mapping.id).eq(1..=2));
    assert!(profile.mapping[0].has_functions && !profile.mapping[0].has_filenames);
    assert!(profile.function.iter().all(|f| f.system_name == 0 || f.system_name != f.name));
    let comments: Vec<&str> = profile.comment.iter().map(|index| string(*index)).collect();
    assert_eq!(comments, ["one", "# total rss 4096", "two", ""]);
    assert_eq!(string(profile.default_sample_type), "alloc_space");
    let first = &profile.location[1].line;
    assert_eq!(first.len(), owned.lines[1].len());
    let labels: usize = profile.sample.iter().map(|sample| sample.label.len()).sum();
    assert_eq!(labels, owned.samples.iter().map(|sample| owned.labels[sample.2].len()).sum::<usize>());
}

#[test]
fn an_encoded_profile_that_was_cut_anywhere_is_broken() {
    let whole = random(&mut Random::new(6)).encoded();
    for length in (6..whole.len()).step_by(7) {
        assert!(read(&whole[..length]).is_err(), "{length} of {} bytes", whole.len());
    }
}

#[test]
fn nothing_is_a_profile_too() {
    let dump = read(&encode(&Profile { sample_types: &TYPES[2..], ..Profile::default() })).unwrap();
    assert_eq!((dump.has_live, dump.has_accum, dump.stacks.len()), (true, false, 0));
    assert_eq!(dump.label_sets, [vec![]]);
}
