//! What each dump has of each stack, for what compares dumps instead of adding them up.

use prof_format::dump::{Dump, More};
use prof_format::snapshot::{REACH, SAMPLES};
use prof_format::vocab::Format;

use super::Figures;
use super::sign::Sign;

/// A dump that parts were noted of.
#[derive(Clone, Debug, PartialEq)]
pub struct PartDump {
    /// Whether it is one to look at or a base.
    pub sign: Sign,
    /// Mean sampling distance in bytes; 1 for exact dumps, 0 when the file does not say.
    pub period: u64,
    /// Wall clock, nanoseconds since the epoch, 0 when unknown.
    pub time_nanos: u64,
    /// Whether it tells how many samples there were, and the variance of what they stand for.
    pub tells_spread: bool,
    /// Whether accumulated figures are there.
    pub has_accum: bool,
    /// How many objects were sampled, whether they live or not; 0 when the file does not say.
    pub samples_taken: u64,
    /// Whether its labels tell what nobody points to. The text form has the sums alone.
    pub tells_reach: bool,
    /// Threads whose registers were not seen then: what only those held is told to be lost.
    pub unseen_threads: u64,
}

/// How what [`REACH`] tells begins where it was looked for what nobody points to; otherwise it says why it was not.
const REACH_DONE: &str = "done";

/// A word of it, with a number: threads that could not be stopped.
const RUNNING: &str = "running_threads=";

impl PartDump {
    /// That of a dump.
    pub fn new(dump: &Dump, sign: Sign) -> PartDump {
        let reach = dump.about(REACH).unwrap_or("");
        let running = reach.split(' ').find_map(|word| word.strip_prefix(RUNNING)?.parse().ok());
        PartDump {
            sign,
            period: dump.period,
            time_nanos: dump.time_nanos,
            tells_spread: !dump.more.is_empty(),
            has_accum: dump.has_accum,
            samples_taken: samples_taken(dump),
            tells_reach: dump.format == Format::Pprof && reach.starts_with(REACH_DONE),
            unseen_threads: running.unwrap_or(0),
        }
    }
}

/// How many objects a dump says were sampled; 0 when it does not.
pub fn samples_taken(dump: &Dump) -> u64 {
    dump.about(SAMPLES).and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// What one dump has of a stack.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Part {
    /// Index in [`super::Profile::part_dumps`].
    pub dump: u32,
    /// Index in [`super::Profile::stacks`].
    pub stack: u32,
    /// Its figures, never negative.
    pub figures: Figures,
    /// Live samples as they were drawn, 0 where [`PartDump::tells_spread`] is false.
    pub samples: f64,
    /// Variance of the live bytes, likewise.
    pub variance: f64,
}

impl Part {
    /// That of a row.
    pub fn new(dump: usize, stack: usize, figures: Figures, more: &More) -> Part {
        let (samples, variance) = (more.samples, more.variance);
        Part { dump: dump as u32, stack: stack as u32, figures, samples, variance }
    }
}
