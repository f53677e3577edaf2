//! The choices that a plan is made of.

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
    /// Bytes that were live when most was.
    PeakSpace,
    /// Objects that were.
    PeakObjects,
    /// Bytes that the program asked for, of the live ones.
    RequestedSpace,
}

impl Metric {
    /// The figures of every heap profile, in the order of profile.proto's sample types.
    pub const ALL: [Metric; 4] =
        [Metric::AllocObjects, Metric::AllocSpace, Metric::InuseObjects, Metric::InuseSpace];

    /// Those that only profiles of our own allocator have.
    pub const OURS: [Metric; 3] = [Metric::PeakObjects, Metric::PeakSpace, Metric::RequestedSpace];

    /// jeprof's and pprof's name.
    pub fn name(self) -> &'static str {
        match self {
            Metric::InuseSpace => "inuse_space",
            Metric::InuseObjects => "inuse_objects",
            Metric::AllocSpace => "alloc_space",
            Metric::AllocObjects => "alloc_objects",
            Metric::PeakSpace => "peak_space",
            Metric::PeakObjects => "peak_objects",
            Metric::RequestedSpace => "inuse_requested_space",
        }
    }

    /// Whether it needs accumulated figures in the dump.
    pub fn is_accumulated(self) -> bool {
        matches!(self, Metric::AllocSpace | Metric::AllocObjects)
    }

    /// Whether it counts bytes.
    pub fn is_bytes(self) -> bool {
        matches!(self, Metric::InuseSpace | Metric::AllocSpace | Metric::PeakSpace | Metric::RequestedSpace)
    }
}

/// What one row of the table, one node of a graph or one box of a picture stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Granularity {
    /// A function.
    Functions,
    /// A function in a source file: functions of one name in several files are several rows.
    FileFunctions,
    /// A source line within a function.
    Lines,
    /// A source file.
    Files,
    /// A code address.
    Addresses,
    /// A program or library; calls within one count as one.
    Modules,
}

/// What the samples of a group have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupBy {
    /// The whole stack.
    #[default]
    Stack,
    /// The innermost frame.
    Leaf,
    /// The thread that allocated.
    Thread,
    /// The usable size.
    Size,
    /// Nothing: each sample is by itself.
    Nothing,
}

impl GroupBy {
    /// Each with its word.
    pub const ALL: [(&str, GroupBy); 5] = [
        ("stack", GroupBy::Stack),
        ("leaf", GroupBy::Leaf),
        ("thread", GroupBy::Thread),
        ("size", GroupBy::Size),
        ("none", GroupBy::Nothing),
    ];
}

/// Order of groups of samples, the greatest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GroupOrder {
    /// Bytes that are live.
    #[default]
    Live,
    /// Bytes, freed ones as well.
    Bytes,
    /// Samples.
    Samples,
    /// Usable size of an object, on average.
    Size,
    /// Age of the oldest live object.
    Age,
    /// Median life of the freed ones.
    Lifetime,
}

impl GroupOrder {
    /// Each with its word.
    pub const ALL: [(&str, GroupOrder); 6] = [
        ("live", GroupOrder::Live),
        ("bytes", GroupOrder::Bytes),
        ("samples", GroupOrder::Samples),
        ("size", GroupOrder::Size),
        ("age", GroupOrder::Age),
        ("lifetime", GroupOrder::Lifetime),
    ];
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

/// Which nodes a call graph has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contexts {
    /// One for each function.
    Merged,
    /// One for each way from the root to a function: the graph is a tree.
    Separate,
}

/// Who places the nodes of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// This program: the picture is the same on every machine.
    Own,
    /// Graphviz.
    Graphviz,
    /// Graphviz where it is installed.
    Auto,
}

/// Whose memory a report is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Threads {
    /// The whole process'.
    Process,
    /// Every thread's, one report each.
    Each,
    /// That of one thread, or of all threads of one name: a number, or a name.
    Named(String),
}

/// Whose quirks are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compat {
    /// Nobody's: `docs/compat.md` lists the differences.
    None,
    /// jeprof 5.3.1's, to the byte.
    Jeprof,
}

/// Who names the code of a running service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NamedBy {
    /// The binaries of this machine, and the service where they have no name.
    Both,
    /// Only the binaries of this machine.
    Binaries,
    /// The service, and the binaries of this machine where it has no name.
    ServiceFirst,
}

/// How a report is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// As its own kind: text, SVG, ...
    Native,
    /// As a JSON object.
    Json,
}
