//! What happened between two profiles of one process: the second minus the first, stack by stack.
//!
//! Samples are told apart by stack, thread and label of the thread. Ages and lifetimes are left out: an object that got
//! older between the profiles would be a loss of one age and a gain of another.

use std::collections::HashMap;
use std::time::Duration;

use prof_format::dump::{Dump, Label, MapRow, StackRow};
use prof_format::pprof::{self, Location, Mapping, Profile, Sample, ValueType};

use crate::response::Response;

/// Labels that stay.
const LABELS: [&str; 3] = ["thread", "thread_uid", "label"];

/// Sample types in Go's order: accumulated first, which a profile may lack.
const TYPES: [ValueType<'static>; 4] = [
    ValueType { name: "alloc_objects", unit: "count" },
    ValueType { name: "alloc_space", unit: "bytes" },
    ValueType { name: "inuse_objects", unit: "count" },
    ValueType { name: "inuse_space", unit: "bytes" },
];

/// Two profiles and the time between them.
pub struct Span<'a> {
    /// The first, profile.proto without compression.
    pub before: &'a [u8],
    /// The second.
    pub after: &'a [u8],
    /// Time between them.
    pub duration: Duration,
}

/// Reads a profile of our own.
///
/// # Errors
/// 500: it was written by this very process.
pub fn read(bytes: &[u8]) -> Result<Dump, Response> {
    pprof::read(bytes).map_err(|error| Response::error(500, format_args!("profile: {error}")))
}

impl Span<'_> {
    /// The difference as profile.proto, without compression.
    ///
    /// # Errors
    /// 503 when the figures were set to zero meanwhile.
    pub fn profile(&self) -> Result<Vec<u8>, Response> {
        let (before, after) = (read(self.before)?, read(self.after)?);
        if after.duration_nanos < before.duration_nanos {
            return Err(Response::error(503, "seconds: prof.reset forgot all samples meanwhile; ask again"));
        }
        let mut table = Table::default();
        table.add(&after, 1.0);
        table.add(&before, -1.0);
        Ok(table.encoded(&after, self.duration))
    }
}

/// What is told apart: indices in the table's locations, leaf first, and in its sets of labels.
type Key = (Vec<u32>, u32);

#[derive(Default)]
struct Table {
    rows: HashMap<Key, [f64; 4]>,
    addresses: HashMap<u64, u32>,
    /// By index.
    locations: Vec<u64>,
    labels: HashMap<Vec<Label>, u32>,
    maps: Vec<MapRow>,
}

impl Table {
    fn add(&mut self, dump: &Dump, factor: f64) {
        for map in &dump.maps {
            if !self.maps.contains(map) {
                self.maps.push(map.clone());
            }
        }
        let label_sets: Vec<u32> = dump.label_sets.iter().map(|set| self.labels_of(set)).collect();
        for row in &dump.stacks {
            let frames =
                dump.stack(row).iter().map(|&frame| self.location(dump.frame_table[frame as usize].address));
            let key = (frames.collect(), label_sets[row.labels as usize]);
            let values = self.rows.entry(key).or_default();
            values.iter_mut().zip(figures(row)).for_each(|(sum, value)| *sum += factor * value);
        }
    }

    fn location(&mut self, address: u64) -> u32 {
        *self.addresses.entry(address).or_insert_with(|| {
            self.locations.push(address);
            self.locations.len() as u32 - 1
        })
    }

    fn labels_of(&mut self, set: &[Label]) -> u32 {
        let kept = set.iter().filter(|label| LABELS.contains(&&*label.key)).cloned().collect();
        let next = self.labels.len() as u32;
        *self.labels.entry(kept).or_insert(next)
    }

    fn encoded(&self, after: &Dump, duration: Duration) -> Vec<u8> {
        let first = if after.has_accum { 0 } else { 2 };
        let mut labels = vec![&[][..]; self.labels.len()];
        self.labels.iter().for_each(|(set, &at)| labels[at as usize] = set);
        let mut rows: Vec<_> = self
            .rows
            .iter()
            .filter(|(_, values)| values[first..].iter().any(|value| *value != 0.0))
            .collect();
        // The same profile for the same difference.
        rows.sort_unstable_by_key(|(key, _)| *key);
        let samples: Vec<Sample> = rows
            .iter()
            .map(|((frames, set), values)| Sample {
                locations: frames,
                values: &values[first..],
                labels: labels[*set as usize],
            })
            .collect();
        let mappings: Vec<Mapping> = self.maps.iter().map(mapping).collect();
        let locations: Vec<Location> = self
            .locations
            .iter()
            .map(|&address| {
                let holds = |map: &MapRow| (map.start..map.end).contains(&address);
                let mapping = self.maps.iter().position(holds).map(|at| at as u32);
                Location { address, mapping, lines: &[] }
            })
            .collect();
        pprof::encode(&Profile {
            sample_types: &TYPES[first..],
            default_sample_type: &after.default_sample_type,
            samples: &samples,
            mappings: &mappings,
            locations: &locations,
            period_type: ValueType { name: "space", unit: "bytes" },
            period: after.period,
            time_nanos: after.time_nanos,
            duration_nanos: u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX),
            drop_frames: &after.drop_frames,
            ..Profile::default()
        })
    }
}

fn figures(row: &StackRow) -> [f64; 4] {
    [row.accum.objs, row.accum.bytes, row.live.objs, row.live.bytes]
}

fn mapping(map: &MapRow) -> Mapping<'_> {
    let MapRow { start, end, file_offset, path, build_id, .. } = map;
    Mapping {
        start: *start,
        end: *end,
        file_offset: *file_offset,
        path,
        build_id: *build_id,
        ..Mapping::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prof_format::testing::{Random, VecSnapshot};

    fn written(snapshot: &VecSnapshot) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Ok(()) = pprof::write(snapshot, &mut bytes);
        bytes
    }

    fn between(before: &VecSnapshot, after: &VecSnapshot) -> Dump {
        let (before, after) = (written(before), written(after));
        let span = Span { before: &before, after: &after, duration: Duration::from_millis(1500) };
        pprof::read(&span.profile().unwrap()).unwrap()
    }

    /// Figures by addresses of the stack and thread.
    fn rows(dump: &Dump) -> HashMap<(Vec<u64>, Option<u64>), [f64; 4]> {
        let mut rows = HashMap::<_, [f64; 4]>::new();
        for row in &dump.stacks {
            let stack =
                dump.stack(row).iter().map(|frame| dump.frame_table[*frame as usize].address).collect();
            let sum = rows.entry((stack, row.thread)).or_default();
            sum.iter_mut().zip(figures(row)).for_each(|(sum, value)| *sum += value);
        }
        rows.retain(|_, values| values.iter().any(|value| *value != 0.0));
        rows
    }

    #[test]
    fn a_profile_minus_itself_is_empty_and_minus_nothing_is_itself() {
        for accum in [false, true] {
            let some = VecSnapshot::random(&mut Random::new(3), 1 << 16, accum, 200);
            assert!(between(&some, &some).stacks.is_empty());
            let all = between(&VecSnapshot::empty(1 << 16, accum), &some);
            assert_eq!(rows(&all), rows(&pprof::read(&written(&some)).unwrap()));
            assert_eq!((all.has_accum, all.period, all.duration_nanos), (accum, 1 << 16, 1_500_000_000));
            assert_eq!(all.maps, pprof::read(&written(&some)).unwrap().maps);
        }
    }

    /// The property of a difference: added to the first profile it gives the second, whatever came and went.
    #[test]
    fn the_first_and_the_difference_make_the_second() {
        for seed in 1..20 {
            let mut random = Random::new(seed);
            // Few addresses, so that many stacks are in both.
            let [before, after] = [(); 2].map(|()| VecSnapshot::random(&mut random, 1 << 12, true, 60));
            let mut sum = rows(&between(&before, &after));
            for (key, values) in rows(&pprof::read(&written(&before)).unwrap()) {
                let into = sum.entry(key).or_default();
                into.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
            }
            sum.retain(|_, values| values.iter().any(|value| *value != 0.0));
            assert_eq!(sum, rows(&pprof::read(&written(&after)).unwrap()), "seed {seed}");
        }
    }

    #[test]
    fn figures_that_were_reset_meanwhile_are_told() {
        let before = VecSnapshot::random(&mut Random::new(3), 1 << 16, true, 3);
        let mut after = VecSnapshot::random(&mut Random::new(3), 1 << 16, true, 3);
        after.facts.duration_nanos = before.facts.duration_nanos - 1;
        let (before, after) = (written(&before), written(&after));
        let error = Span { before: &before, after: &after, duration: Duration::ZERO }.profile().unwrap_err();
        assert_eq!(error.status, 503);
        assert!(String::from_utf8_lossy(&error.body).contains("prof.reset"));
    }
}
