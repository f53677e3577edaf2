//! The newest samples one by one, as `experimental.prof_recent.alloc_dump` writes them (JSON), here and under jemalloc:
//! each becomes a stack of its own, with labels that say what it was.
//!
//! The document has bare addresses and no memory map; [`map`] finds one.

mod document;
pub mod map;

use hashbrown::HashMap;
use prof_format::dump::{Dump, Figure, Frame, Label, LabelValue, MapRow, StackRow};
use prof_format::unbias::scale;
use prof_format::vocab::Format;

pub use document::{Document, begins, read};
use document::{Event, Sample};

/// What a report says about the samples as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// How many there are.
    pub count: usize,
    /// How many are kept at most; -1 for all.
    pub max: i64,
    /// Mean sampling distance in bytes.
    pub interval: u64,
}

impl Document {
    /// What is to be said about all of it.
    pub fn facts(&self) -> Facts {
        Facts { count: self.samples.len(), max: self.max, interval: self.interval }
    }

    /// The samples as a dump with one row for each: live until it was freed, accumulated in any case. Ages are those at the
    /// newest event, since the document does not say when it was written.
    pub fn into_dump(self, maps: Vec<MapRow>) -> Dump {
        let now = self.samples.iter().map(Sample::newest).max().unwrap_or_default();
        let mut dump = Dump { has_accum: true, period: self.interval, maps, ..Dump::new(Format::Pprof) };
        let mut frames: HashMap<u64, u32> = HashMap::new();
        for (number, sample) in self.samples.iter().enumerate() {
            let start = dump.frames.len() as u32;
            for return_address in &sample.alloc.trace {
                // As in all dumps: the address inside of the call.
                let address = return_address.saturating_sub(1);
                let table = &mut dump.frame_table;
                let frame = *frames.entry(address).or_insert_with(|| {
                    table.push(Frame { address, names: Vec::new() });
                    table.len() as u32 - 1
                });
                dump.frames.push(frame);
            }
            let all = scale(1, sample.usize_, self.interval);
            let live = if sample.released { Figure::default() } else { all };
            dump.label_sets.push(labels(sample, number, now));
            dump.stacks.push(StackRow {
                frames: start..dump.frames.len() as u32,
                live,
                accum: all,
                labels: dump.label_sets.len() as u32 - 1,
                ..StackRow::default()
            });
        }
        dump
    }
}

/// The label that tells samples of one stack apart: its number in the document, the oldest first.
pub const SAMPLE: &str = "sample";

fn labels(sample: &Sample, number: usize, now: u64) -> Vec<Label> {
    let text = |key: &str, text: String| Label { key: key.into(), value: LabelValue::Text(text) };
    let count = |key: &str, value: u64, unit: &str| Label {
        key: key.into(),
        value: LabelValue::Number { value: i64::try_from(value).unwrap_or(i64::MAX), unit: unit.into() },
    };
    let mut labels = vec![
        count(SAMPLE, number as u64, ""),
        count("size", sample.size, "bytes"),
        count("usize", sample.usize_, "bytes"),
        text("released", sample.released.to_string()),
        text("thread", named(&sample.alloc)),
    ];
    match &sample.dalloc {
        Some(dalloc) => {
            labels.push(count("lifetime", dalloc.nanos.saturating_sub(sample.alloc.nanos), "nanoseconds"));
            labels.push(text("freed_by", named(dalloc)));
        }
        None if !sample.released => {
            labels.push(count("age", now.saturating_sub(sample.alloc.nanos), "nanoseconds"));
        }
        None => {}
    }
    labels
}

/// A thread by name, or else as `t` and its number.
fn named(event: &Event) -> String {
    if event.name.is_empty() { format!("t{}", event.thread) } else { event.name.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = br#"{"sample_interval":1,"recent_alloc_max":3,"recent_alloc":[
        {"size":100,"usize":112,"released":true,"alloc_thread_uid":1,"alloc_thread_name":"worker-a","alloc_time":1000,
         "alloc_trace":["0x11","0x21"],"dalloc_thread_uid":0,"dalloc_time":5000,"dalloc_trace":["0x31"]},
        {"size":300,"usize":320,"released":false,"alloc_thread_uid":0,"alloc_time":2000,"alloc_trace":["0x11"]},
        {"size":300,"usize":320,"released":true,"alloc_thread_uid":0,"alloc_time":9000,"alloc_trace":[]}]}"#;

    fn dump() -> Dump {
        read(TEXT).unwrap().unwrap().into_dump(Vec::new())
    }

    #[test]
    fn each_sample_is_a_row_that_lives_until_it_was_freed() {
        let dump = dump();
        let rows: Vec<_> = dump.stacks.iter().map(|row| (row.live.bytes, row.accum.bytes)).collect();
        assert_eq!(rows, [(0.0, 112.0), (320.0, 320.0), (0.0, 320.0)]);
        let addresses: Vec<u64> = dump.frame_table.iter().map(|frame| frame.address).collect();
        assert_eq!((addresses, dump.frames), (vec![0x10, 0x20], vec![0, 1, 0]));
    }

    #[test]
    fn labels_say_what_the_document_says_and_ages_are_of_the_newest_event() {
        let dump = dump();
        let value = |row: usize, key: &str| {
            let set = &dump.label_sets[dump.stacks[row].labels as usize];
            set.iter().find(|label| label.key == key).map(|label| match &label.value {
                LabelValue::Text(text) => text.clone(),
                LabelValue::Number { value, unit } => format!("{value}{unit}"),
            })
        };
        let is =
            |row, key, expected: &str| assert_eq!(value(row, key).as_deref(), Some(expected), "{row} {key}");
        is(0, "thread", "worker-a");
        is(0, "freed_by", "t0");
        is(0, "lifetime", "4000nanoseconds");
        is(1, "age", "7000nanoseconds");
        is(1, "size", "300bytes");
        is(2, "released", "true");
        assert_eq!(
            (value(0, "age"), value(1, "lifetime"), value(2, "lifetime"), value(2, "age")),
            Default::default()
        );
    }

    #[test]
    fn estimates_are_those_of_the_sampling_distance() {
        let text =
            String::from_utf8_lossy(TEXT).replace("\"sample_interval\":1,", "\"sample_interval\":4096,");
        let dump = read(text.as_bytes()).unwrap().unwrap().into_dump(Vec::new());
        let expected = 320.0 / -(-320.0f64 / 4096.0).exp_m1();
        assert!((dump.stacks[1].live.bytes / expected - 1.0).abs() < 1e-12);
    }
}
