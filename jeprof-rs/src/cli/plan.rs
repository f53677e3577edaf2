//! What the command line asks for, checked, before any file is opened.

use std::path::PathBuf;

use regex::Regex;

use crate::units::Unit;

/// Which figure of a stack is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Live bytes.
    InuseSpace,
    /// Live objects.
    InuseObjects,
    /// Bytes allocated since the start, freed or not.
    AllocSpace,
    /// Objects allocated since the start, freed or not.
    AllocObjects,
}

impl Metric {
    /// jeprof's and pprof's name.
    pub fn name(self) -> &'static str {
        match self {
            Metric::InuseSpace => "inuse_space",
            Metric::InuseObjects => "inuse_objects",
            Metric::AllocSpace => "alloc_space",
            Metric::AllocObjects => "alloc_objects",
        }
    }

    /// Whether it needs accumulated figures in the dump.
    pub fn is_accumulated(self) -> bool {
        matches!(self, Metric::AllocSpace | Metric::AllocObjects)
    }

    /// Whether it counts bytes.
    pub fn is_bytes(self) -> bool {
        matches!(self, Metric::InuseSpace | Metric::AllocSpace)
    }
}

/// What one row of the table stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// A function.
    Functions,
    /// A source line within a function.
    Lines,
    /// A source file.
    Files,
    /// A code address.
    Addresses,
}

/// What is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Output {
    /// The table.
    Text,
    /// `root;..;leaf FIGURE` lines.
    Collapsed,
    /// A flame graph in SVG.
    Flame,
}

/// Order of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By what a row itself allocated.
    Flat,
    /// By what a row and everything that it called allocated.
    Cumulative,
}

/// How many rows the table has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rows {
    /// All in a pipe, one screen on a terminal.
    Fitting,
    /// All.
    All,
    /// At most this many.
    AtMost(usize),
}

/// What becomes of stacks that shrank against the base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Negative {
    /// They stay, as negative figures.
    Keep,
    /// They count as zero.
    Drop,
}

/// Which frames of a stack are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frames {
    /// Those of the program: allocator functions at the leaf end are left out.
    Program,
    /// Those of the program's own code: the standard library's containers at the leaf end are left out, too.
    Own,
    /// Every one.
    All,
}

/// A checked request.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is printed.
    pub output: Output,
    /// Which figure.
    pub metric: Metric,
    /// Whether bytes are printed whole instead of as megabytes.
    pub show_bytes: bool,
    /// What a row stands for.
    pub granularity: Granularity,
    /// Order of the rows.
    pub order: Order,
    /// Number of rows.
    pub rows: Rows,
    /// Only stacks in which a frame matches.
    pub focus: Option<Regex>,
    /// Only stacks in which no frame matches.
    pub ignore: Option<Regex>,
    /// Dumps that are subtracted.
    pub base: Vec<String>,
    /// What becomes of negative differences.
    pub negative: Negative,
    /// Which frames are shown.
    pub frames: Frames,
    /// Most bytes that a compressed dump may unpack to.
    pub unpack_bytes_max: u64,
    /// Where the output goes instead of stdout.
    pub output_file: Option<PathBuf>,
    /// Program and dumps, as given.
    pub inputs: Vec<String>,
}

impl Plan {
    /// The request that an empty command line makes, for this output.
    pub fn new(output: Output) -> Plan {
        Plan {
            output,
            metric: Metric::InuseSpace,
            show_bytes: false,
            granularity: Granularity::Functions,
            order: Order::Flat,
            rows: Rows::Fitting,
            focus: None,
            ignore: None,
            base: Vec::new(),
            negative: Negative::Keep,
            frames: Frames::Program,
            unpack_bytes_max: 1 << 30,
            output_file: None,
            inputs: Vec::new(),
        }
    }

    /// The unit of the table.
    pub fn unit(&self) -> Unit {
        match (self.metric.is_bytes(), self.show_bytes) {
            (false, _) => Unit::Objects,
            (true, true) => Unit::Bytes,
            (true, false) => Unit::Megabytes,
        }
    }
}
