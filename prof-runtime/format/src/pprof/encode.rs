//! Writes a profile that somebody has in memory, with all the names that it may carry.
//!
//! The layout is what viewers agree on: ids from 1 in the order of the tables, the empty string first, the program's
//! mapping first (the caller's part), addresses inside the calling instruction.

use alloc::{string::String, string::ToString, vec::Vec};

use hashbrown::HashMap;

use super::fields::{function, label, line, location, mapping, profile, sample, value_type};
use super::wire_buffer::Buffer;
use crate::dump::{Carried, Label, LabelValue};
use crate::vocab::BuildId;

/// A kind of value and its unit, such as `inuse_space` in `bytes`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValueType<'a> {
    /// Name.
    pub name: &'a str,
    /// Unit.
    pub unit: &'a str,
}

/// A stack with its values.
#[derive(Clone, Copy, Debug)]
pub struct Sample<'a> {
    /// Indices in [`Profile::locations`], leaf first.
    pub locations: &'a [u32],
    /// One per sample type.
    pub values: &'a [f64],
    /// At most one value per key; keys that start with `pprof::` are reserved.
    pub labels: &'a [Label],
}

/// A mapped part of a file.
#[derive(Clone, Copy, Debug, Default)]
pub struct Mapping<'a> {
    /// First address.
    pub start: u64,
    /// First address past the end.
    pub end: u64,
    /// Offset in the file of `start`.
    pub file_offset: u64,
    /// Path of the file.
    pub path: &'a str,
    /// Its build id, may be empty.
    pub build_id: BuildId,
    /// Names that the locations of this mapping carry. Viewers look none up where one is set, so set them only if every
    /// location has lines.
    pub carried: Carried,
}

/// A distinct frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct Location<'a> {
    /// Address inside the calling instruction; 0 when unknown.
    pub address: u64,
    /// Index in [`Profile::mappings`].
    pub mapping: Option<u32>,
    /// Functions at this address, innermost inlined one first; empty when it is not symbolized.
    pub lines: &'a [Line],
}

/// A function at a location.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Line {
    /// Index in [`Profile::functions`].
    pub function: u32,
    /// Line, 0 when unknown.
    pub line: u32,
    /// Column from 1, 0 when unknown.
    pub column: u32,
}

/// A distinct function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Function<'a> {
    /// Readable name.
    pub name: &'a str,
    /// Linkage name. One that equals `name` is not written: Go's pprof would take `name` for one that it has to
    /// demangle itself, and cut every `<...>` off it.
    pub system_name: &'a str,
    /// Source file.
    pub file: &'a str,
    /// Line at which the function starts, 0 when unknown.
    pub start_line: u32,
}

/// Labels as they stand in a sample, in the making: they are the same for many samples, whose strings are then looked up
/// once. [`Encoder::label`] and [`Encoder::number_label`] add to it.
#[derive(Clone, Debug, Default)]
pub struct Labels(Buffer);

impl Labels {
    /// Makes them the same as others, in the memory that is there.
    pub fn copy_from(&mut self, other: &Labels) {
        self.0.0.clone_from(&other.0.0);
    }
}

/// A profile in tables. Texts may be empty, times 0, where nothing is known.
#[derive(Clone, Copy, Debug, Default)]
pub struct Profile<'a> {
    /// Kinds of values of each sample, at least one; speedscope shows the last.
    pub sample_types: &'a [ValueType<'a>],
    /// Name of the one to be shown first.
    pub default_sample_type: &'a str,
    /// Stacks with values.
    pub samples: &'a [Sample<'a>],
    /// Mapped files, the program first.
    pub mappings: &'a [Mapping<'a>],
    /// Distinct frames.
    pub locations: &'a [Location<'a>],
    /// Distinct functions.
    pub functions: &'a [Function<'a>],
    /// What is counted between two samples, and in which unit.
    pub period_type: ValueType<'a>,
    /// Mean distance between two samples.
    pub period: u64,
    /// Wall clock, nanoseconds since the epoch.
    pub time_nanos: u64,
    /// Nanoseconds covered.
    pub duration_nanos: u64,
    /// Regular expression of functions whose frames are to be dropped leafward.
    pub drop_frames: &'a str,
    /// Regular expression of functions that are kept all the same.
    pub keep_frames: &'a str,
    /// Remarks for people; viewers do not show those that start with `#`.
    pub comments: &'a [&'a str],
    /// Address of a page about the profile.
    pub doc_url: &'a str,
}

/// The string table in the making.
struct Strings<'a> {
    table: Vec<&'a str>,
    places: HashMap<&'a str, u64>,
}

impl<'a> Strings<'a> {
    fn reserve(&mut self, texts: usize) {
        self.table.reserve(texts);
        self.places.reserve(texts);
    }

    fn of(&mut self, text: &'a str) -> u64 {
        let table = &mut self.table;
        *self.places.entry(text).or_insert_with(|| {
            table.push(text);
            (table.len() - 1) as u64
        })
    }
}

/// Rounds a series of values so that their sum stays right: what one value loses, the next one gets.
#[derive(Clone, Default)]
struct Carry(f64);

impl Carry {
    fn whole(&mut self, value: f64) -> u64 {
        let sum = value + self.0;
        let whole = libm::rint(sum);
        self.0 = if whole.is_finite() { sum - whole } else { 0.0 };
        whole as i64 as u64
    }
}

/// Writes `profile`, uncompressed.
///
/// Values become whole numbers, column by column in such a way that totals are right to one half. Indices that point
/// nowhere make a profile that readers refuse. Cost: one look-up per string, one pass over everything.
pub fn encode(profile: &Profile<'_>) -> Vec<u8> {
    let mut encoder = Encoder::new(profile.sample_types);
    for sample in profile.samples {
        let mut labels = Labels::default();
        for label in sample.labels {
            encoder.label(&mut labels, label);
        }
        encoder.sample(sample.locations, sample.values, &labels);
    }
    let mut bytes = encoder.take(0).unwrap_or_default();
    encoder.finish(profile, usize::MAX, |rest| bytes.extend_from_slice(&rest));
    bytes
}

/// Writes a profile piece by piece: first the samples, which are most of it and need not be in memory all at once, then
/// the tables that they refer to. [`encode`] says what comes out.
pub struct Encoder<'a> {
    out: Buffer,
    strings: Strings<'a>,
    /// One per sample type.
    carries: Vec<Carry>,
}

impl<'a> Encoder<'a> {
    /// Begins with the kinds of values of each sample.
    pub fn new(sample_types: &[ValueType<'a>]) -> Encoder<'a> {
        let mut out = Buffer::default();
        let mut strings = Strings { table: alloc::vec![""], places: HashMap::from_iter([("", 0)]) };
        for kind in sample_types {
            value_type(&mut out, profile::SAMPLE_TYPE, kind, &mut strings);
        }
        Encoder { out, strings, carries: alloc::vec![Carry::default(); sample_types.len()] }
    }

    /// Adds a label to those of a sample.
    pub fn label(&mut self, labels: &mut Labels, label: &'a Label) {
        match &label.value {
            LabelValue::Text(text) => {
                let (key, text) = (self.strings.of(&label.key), self.strings.of(text));
                labels.0.message(sample::LABEL, |message| {
                    message.number(label::KEY, key);
                    message.number(label::STR, text);
                });
            }
            LabelValue::Number { value, unit } => self.number_label(labels, &label.key, *value, unit),
        }
    }

    /// Adds a label that is a number.
    pub fn number_label(&mut self, labels: &mut Labels, key: &'a str, value: i64, unit: &'a str) {
        let (key, unit) = (self.strings.of(key), self.strings.of(unit));
        labels.0.message(sample::LABEL, |message| {
            message.number(label::KEY, key);
            message.number(label::NUM, value as u64);
            message.number(label::NUM_UNIT, unit);
        });
    }

    /// Writes a sample: indices in [`Profile::locations`], leaf first, one value per sample type, labels.
    pub fn sample(&mut self, locations: &[u32], values: &[f64], labels: &Labels) {
        let carries = &mut self.carries;
        self.out.message(profile::SAMPLE, |message| {
            // Ids are indices plus one; there is no index of 2^32 - 1, since lengths of tables are below that.
            message.packed_short(sample::LOCATION_ID, locations.iter().map(|index| index.wrapping_add(1)));
            let values = values.iter().zip(carries);
            message.packed(sample::VALUE, values.map(|(value, carry)| carry.whole(*value)));
            message.0.extend_from_slice(&labels.0.0);
        });
    }

    /// Takes out what is written so far if it is at least so many bytes. What comes next goes behind it.
    pub fn take(&mut self, least: usize) -> Option<Vec<u8>> {
        (self.out.0.len() >= least).then(|| self.out.take())
    }

    /// Writes the rest of the profile, whose sample types and samples are not looked at: they were given before. Pieces
    /// of at least so many bytes, and the last, go to `each`.
    pub fn finish(self, profile: &Profile<'a>, least: usize, mut each: impl FnMut(Vec<u8>)) {
        let build_ids: Vec<String> =
            profile.mappings.iter().map(|mapping| mapping.build_id.to_string()).collect();
        let Encoder { mut out, mut strings, .. } = self;
        // A name for each, many with a linkage name, and files.
        strings.reserve(2 * profile.functions.len());
        let mut full = |out: &mut Buffer| {
            if out.0.len() >= least {
                each(out.take());
            }
        };
        mappings(profile, &build_ids, &mut out, &mut strings);
        for (index, location) in (1..).zip(profile.locations) {
            self::location(index, location, &mut out);
            full(&mut out);
        }
        for (index, function) in (1..).zip(profile.functions) {
            self::function(index, function, &mut out, &mut strings);
            full(&mut out);
        }
        out.number(profile::DROP_FRAMES, strings.of(profile.drop_frames));
        out.number(profile::KEEP_FRAMES, strings.of(profile.keep_frames));
        out.number(profile::TIME_NANOS, profile.time_nanos);
        out.number(profile::DURATION_NANOS, profile.duration_nanos);
        if profile.period_type != ValueType::default() {
            value_type(&mut out, profile::PERIOD_TYPE, &profile.period_type, &mut strings);
        }
        out.number(profile::PERIOD, profile.period);
        out.packed(profile::COMMENT, profile.comments.iter().map(|comment| strings.of(comment)));
        out.number(profile::DEFAULT_SAMPLE_TYPE, strings.of(profile.default_sample_type));
        out.number(profile::DOC_URL, strings.of(profile.doc_url));
        // Last, and each of them is referred to: a file that was cut off is noticed.
        for text in strings.table {
            out.text(profile::STRING_TABLE, text);
            full(&mut out);
        }
        each(out.0);
    }
}

fn value_type<'a>(out: &mut Buffer, field: u32, kind: &ValueType<'a>, strings: &mut Strings<'a>) {
    out.message(field, |message| {
        message.number(value_type::TYPE, strings.of(kind.name));
        message.number(value_type::UNIT, strings.of(kind.unit));
    });
}

/// Ids are indices plus one.
fn id(index: u32) -> u64 {
    u64::from(index) + 1
}

fn mappings<'a>(profile: &Profile<'a>, build_ids: &'a [String], out: &mut Buffer, strings: &mut Strings<'a>) {
    for (index, (mapping, build_id)) in (1..).zip(profile.mappings.iter().zip(build_ids)) {
        out.message(profile::MAPPING, |message| {
            message.number(mapping::ID, index);
            message.number(mapping::START, mapping.start);
            message.number(mapping::LIMIT, mapping.end);
            message.number(mapping::OFFSET, mapping.file_offset);
            message.number(mapping::FILENAME, strings.of(mapping.path));
            message.number(mapping::BUILD_ID, strings.of(build_id));
            let Carried { functions, filenames, line_numbers, inline_frames } = mapping.carried;
            message.number(mapping::HAS_FUNCTIONS, functions.into());
            message.number(mapping::HAS_FILENAMES, filenames.into());
            message.number(mapping::HAS_LINE_NUMBERS, line_numbers.into());
            message.number(mapping::HAS_INLINE_FRAMES, inline_frames.into());
        });
    }
}

fn location(index: u64, location: &Location<'_>, out: &mut Buffer) {
    out.message(profile::LOCATION, |message| {
        message.number(location::ID, index);
        message.number(location::MAPPING_ID, location.mapping.map_or(0, id));
        message.number(location::ADDRESS, location.address);
        for line in location.lines {
            message.message(location::LINE, |message| {
                message.number(line::FUNCTION_ID, id(line.function));
                message.number(line::LINE, line.line.into());
                message.number(line::COLUMN, line.column.into());
            });
        }
    });
}

fn function<'a>(index: u64, function: &Function<'a>, out: &mut Buffer, strings: &mut Strings<'a>) {
    let system_name = if function.system_name == function.name { "" } else { function.system_name };
    out.message(profile::FUNCTION, |message| {
        message.number(function::ID, index);
        message.number(function::NAME, strings.of(function.name));
        message.number(function::SYSTEM_NAME, strings.of(system_name));
        message.number(function::FILENAME, strings.of(function.file));
        message.number(function::START_LINE, function.start_line.into());
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounding_keeps_the_sum_zeros_and_signs() {
        let values = [0.3, 0.3, 0.3, 0.0, -7.6, 2.5, 0.4, 1e15, -0.2, 3.0];
        let mut carry = Carry::default();
        let whole: Vec<i64> = values.iter().map(|value| carry.whole(*value) as i64).collect();
        let sum: f64 = values.iter().sum();
        assert!((whole.iter().sum::<i64>() as f64 - sum).abs() <= 0.5, "{whole:?}");
        assert!(values.iter().zip(&whole).all(|(value, whole)| (value - *whole as f64).abs() <= 1.0));
        assert_eq!(whole[3], 0);
        let mut carry = Carry::default();
        let odd = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 5.0].map(|value| carry.whole(value) as i64);
        assert_eq!(odd, [0, i64::MAX, i64::MIN, 5]);
    }
}
