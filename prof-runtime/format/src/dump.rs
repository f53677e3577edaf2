//! What every reader returns, and how reading fails.

use alloc::{string::String, vec::Vec};

use crate::totals::Totals;
pub use crate::vocab::Figure;
use crate::vocab::{BuildId, Format};

impl Figure {
    /// Sum of two figures.
    pub fn plus(self, other: Figure) -> Figure {
        Figure { objs: self.objs + other.objs, bytes: self.bytes + other.bytes }
    }
}

/// One stack of a dump.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StackRow {
    /// Range in [`Dump::frames`], leaf first; [`Dump::stack`] gives the frames.
    pub frames: core::ops::Range<u32>,
    /// Live objects and bytes.
    pub live: Figure,
    /// Accumulated objects and bytes; zero when the dump has none.
    pub accum: Figure,
    /// Thread label (uid in heap_v2, name or uid in pprof); `None` for the whole process.
    pub thread: Option<u64>,
    /// Index in [`Dump::label_sets`]; 0 for none. Labels of pprof, that of the thread included.
    pub labels: u32,
}

/// What our own profiles tell beyond the four figures of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct More {
    /// Objects and bytes that were alive when most was (`prof_peak`).
    pub peak: Figure,
    /// Bytes that the program asked for, of the living.
    pub requested: f64,
    /// Bytes of free regions in the slabs that the living keep, each slab's shared out among its objects (`prof_frag`).
    pub pinned: f64,
    /// Live samples, as they were drawn.
    pub samples: f64,
    /// Variance of the live bytes.
    pub variance: f64,
    /// Objects that came, in a dump without accumulated figures.
    pub births: f64,
    /// Objects of these that went.
    pub deaths: f64,
}

impl More {
    /// Sum of two.
    pub fn plus(self, other: More) -> More {
        More {
            peak: self.peak.plus(other.peak),
            requested: self.requested + other.requested,
            pinned: self.pinned + other.pinned,
            samples: self.samples + other.samples,
            variance: self.variance + other.variance,
            births: self.births + other.births,
            deaths: self.deaths + other.deaths,
        }
    }
}

/// What a label says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LabelValue {
    /// Text.
    Text(String),
    /// A number with its unit, which may be empty.
    Number {
        /// The number.
        value: i64,
        /// Its unit, such as `bytes`.
        unit: String,
    },
}

/// A label of a sample (pprof).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Label {
    /// What it is about, such as `thread`.
    pub key: String,
    /// What it says.
    pub value: LabelValue,
}

/// Which names a profile carries for the frames of a mapping (pprof). A viewer looks none up where one is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Carried {
    /// Functions.
    pub functions: bool,
    /// Files.
    pub filenames: bool,
    /// Lines.
    pub line_numbers: bool,
    /// Inlined frames.
    pub inline_frames: bool,
}

/// One executable mapping as the dump tells it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MapRow {
    /// First address.
    pub start: u64,
    /// First address past the end.
    pub end: u64,
    /// Offset in the file of `start`.
    pub file_offset: u64,
    /// Path as in the dump, without ` (deleted)`.
    pub path: String,
    /// Whether the map said that the file was deleted.
    pub deleted: bool,
    /// Build id, when the dump carries one.
    pub build_id: BuildId,
    /// Names that the dump says it carries.
    pub carried: Carried,
}

/// One name of a frame that the dump itself carries (symbolized pprof, symbolized heap file).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamedFrame {
    /// Function name, readable.
    pub function: String,
    /// Linkage name, may be empty.
    pub linkage: String,
    /// File, may be empty.
    pub file: String,
    /// Line, 0 when unknown.
    pub line: u32,
    /// Column from 1, 0 when unknown.
    pub column: u32,
    /// Line at which the function starts, 0 when unknown.
    pub start_line: u32,
}

/// One distinct frame of a dump.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    /// Address inside the calling instruction: what to look up (return address minus one).
    pub address: u64,
    /// Names from the dump, innermost inlined frame first; empty when it is not symbolized.
    pub names: Vec<NamedFrame>,
}

/// A parsed dump, of any format.
#[derive(Clone, Debug, PartialEq)]
pub struct Dump {
    /// Which format it was.
    pub format: Format,
    /// Mean sampling distance in bytes; 1 for exact dumps, 0 when the file does not say.
    pub period: u64,
    /// Whether accumulated figures are there.
    pub has_accum: bool,
    /// Whether live figures are there (a CPU profile in profile.proto has none).
    pub has_live: bool,
    /// Distinct frames.
    pub frame_table: Vec<Frame>,
    /// Frames of all stacks, indices into `frame_table`, leaf first.
    pub frames: Vec<u32>,
    /// Stacks of the whole process (`thread` is `None`), or, for pprof with thread labels, per thread. Adding up
    /// all rows gives the process in either case.
    pub stacks: Vec<StackRow>,
    /// What else is told of the rows of `stacks`, by their index; empty when nothing is.
    pub more: Vec<More>,
    /// Whether the peak is among it.
    pub has_peak: bool,
    /// Whether what the living pin is among it.
    pub has_pinned: bool,
    /// Rows of single threads (heap_v2's `tN:` lines); they repeat what `stacks` sums up.
    pub thread_stacks: Vec<StackRow>,
    /// Thread uid and name, in file order.
    pub threads: Vec<(u64, String)>,
    /// Distinct sets of labels; the first is the empty one, which every dump has.
    pub label_sets: Vec<Vec<Label>>,
    /// Executable mappings.
    pub maps: Vec<MapRow>,
    /// Program path when the dump tells it.
    pub program: Option<String>,
    /// Wall clock of the dump, nanoseconds since the epoch, 0 when unknown.
    pub time_nanos: u64,
    /// Nanoseconds covered, 0 when unknown.
    pub duration_nanos: u64,
    /// Sums over the whole process, when the dump tells some.
    pub totals: Option<Totals>,
    /// How the process was started, by name (`command`, `host`, `conf`, `start_nanos`, `samples`), as far as the dump
    /// tells.
    pub about: Vec<(String, String)>,
    /// Regular expression of functions whose frames are to be dropped leafward (pprof), may be empty.
    pub drop_frames: String,
    /// Regular expression of functions that are kept although they match `drop_frames` (pprof), may be empty.
    pub keep_frames: String,
    /// Remarks for people (pprof).
    pub comments: Vec<String>,
    /// Address of a page about the profile (pprof), may be empty.
    pub doc_url: String,
    /// Name of the sample type to be shown first (pprof), may be empty.
    pub default_sample_type: String,
    /// Whether it is a symbolized file (`--- symbol`): addresses of its stacks without an entry there have no names.
    pub symbolized: bool,
    /// Byte offset of the profile in a file that puts symbols or a heading in front of it, else 0.
    pub profile_offset: usize,
    /// What was odd but survivable, one sentence each.
    pub warnings: Vec<String>,
}

impl Dump {
    /// What is told under this name of how the process was started; of several the first.
    pub fn about(&self, name: &str) -> Option<&str> {
        self.about.iter().find(|(known, _)| known == name).map(|(_, text)| text.as_str())
    }

    /// A dump of nothing, with live figures and no accumulated ones.
    pub fn new(format: Format) -> Dump {
        Dump {
            format,
            period: 0,
            has_accum: false,
            has_live: true,
            frame_table: Vec::new(),
            frames: Vec::new(),
            stacks: Vec::new(),
            more: Vec::new(),
            has_peak: false,
            has_pinned: false,
            thread_stacks: Vec::new(),
            threads: Vec::new(),
            label_sets: alloc::vec![Vec::new()],
            maps: Vec::new(),
            program: None,
            time_nanos: 0,
            duration_nanos: 0,
            totals: None,
            about: Vec::new(),
            drop_frames: String::new(),
            keep_frames: String::new(),
            comments: Vec::new(),
            doc_url: String::new(),
            default_sample_type: String::new(),
            symbolized: false,
            profile_offset: 0,
            warnings: Vec::new(),
        }
    }

    /// The frames of a row, indices into [`Dump::frame_table`], leaf first.
    pub fn stack(&self, row: &StackRow) -> &[u32] {
        self.frames.get(row.frames.start as usize..row.frames.end as usize).unwrap_or_default()
    }
}

/// Why a dump could not be read: not this format, or this format and broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The content is not of this format at all.
    NotThisFormat,
    /// The content is of this format, and broken at this place.
    Broken {
        /// Byte offset in the (uncompressed) content.
        offset: usize,
        /// Line from 1 for text formats, 0 for pprof.
        line: usize,
        /// The field or part that is wrong, for example `count line` or `string_table`.
        field: &'static str,
        /// What is wrong with it.
        what: String,
    },
}

impl core::fmt::Display for ReadError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            ReadError::NotThisFormat => f.write_str("not a heap profile that this tool knows"),
            ReadError::Broken { offset, line: 0, field, what } => {
                write!(f, "byte {offset}: {field}: {what}")
            }
            ReadError::Broken { line, field, what, .. } => write!(f, "line {line}: {field}: {what}"),
        }
    }
}
