//! What is asked for, checked, before any file is opened. One struct per part; the flags that fill a part are rows of
//! `cli/flags/<part>.rs`.

pub mod check;
pub mod choice;
pub mod finding;
pub mod pattern;
pub mod query;
pub mod selection;
pub mod tag_filter;

use std::path::PathBuf;

use regex::Regex;

use crate::terminal::Color;
use crate::units::{ByteUnit, Unit};
use check::CheckPlan;
use choice::{
    Compat, Contexts, Format, Granularity, GroupBy, GroupOrder, Layout, Metric, NamedBy, Order, Rows,
};
use finding::Finding;
use selection::Selection;

/// Part of a plan. Headings of the help are parts, and each output tells which parts it looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What is printed, and where to.
    Output,
    /// How a table looks on a terminal.
    Terminal,
    /// Which figure.
    Figure,
    /// What a row, a node or a box stands for.
    Granularity,
    /// How many rows or nodes there are, and in which order.
    Rows,
    /// Which stacks and frames count.
    Selection,
    /// How samples are put together.
    Groups,
    /// How old objects are.
    Ages,
    /// What counts as a leak or as growth.
    Check,
    /// What memory is held against.
    Limits,
    /// Which nodes and edges a graph has.
    Graph,
    /// How a picture looks.
    Picture,
    /// Where source code is, and how instructions look.
    Listing,
    /// How dumps are read.
    Input,
    /// How code gets its names.
    Naming,
}

impl Part {
    /// The heading in the help.
    pub fn title(self) -> &'static str {
        match self {
            Part::Output => "Output",
            Part::Terminal => "On a terminal",
            Part::Figure => "Figure",
            Part::Granularity => "What a row stands for",
            Part::Rows => "Rows and nodes",
            Part::Selection => "Which stacks and frames",
            Part::Groups => "Groups of samples",
            Part::Ages => "Ages",
            Part::Check => "Leaks and growth",
            Part::Limits => "Limits and series",
            Part::Graph => "Call graph",
            Part::Picture => "Picture",
            Part::Listing => "Source code",
            Part::Input => "Input",
            Part::Naming => "Names of code",
        }
    }
}

/// How dumps are read.
#[derive(Clone, Debug)]
pub struct InputPlan {
    /// Program and dumps, as given.
    pub words: Vec<String>,
    /// What the first of them may have been meant to be, should there be no such file.
    pub first_word_meant: Option<String>,
    /// Dumps that are subtracted.
    pub base: Vec<String>,
    /// Whether the base is what the dumps are compared with, so that shares relate to it (pprof's `-diff_base`).
    pub base_is_reference: bool,
    /// Whether the first of two dumps is the base, when none is named.
    pub first_is_base: bool,
    /// Whether stacks of different threads and other labels are told apart.
    pub keep_labels: bool,
    /// Whether the text of a dump is kept beside what was read from it.
    pub keep_text: bool,
    /// Whether what each dump has is kept beside the sums.
    pub keep_parts: bool,
    /// Most bytes that a compressed dump may unpack to.
    pub unpack_bytes_max: u64,
    /// Headers for servers that are asked for profiles, names and values.
    pub headers: Vec<(String, String)>,
    /// How long a server is to watch its program.
    pub seconds: Option<u32>,
    /// Who names the code of a running service.
    pub named_by: NamedBy,
}

/// Which figure, and in which unit.
#[derive(Clone, Debug)]
pub struct FigurePlan {
    /// Which figure.
    pub metric: Metric,
    /// Whether bytes are printed whole instead of as megabytes.
    pub show_bytes: bool,
    /// Unit of byte figures that was asked for.
    pub unit: Option<&'static ByteUnit>,
    /// Figures are divided by this.
    pub divide_by: f64,
    /// Whether rows show the average size of an object.
    pub mean: bool,
    /// Whether the dumps are scaled so that their total is the base's.
    pub normalize: bool,
    /// Whether shares relate to what the filters leave.
    pub relative_percentages: bool,
}

/// Rows of tables and nodes of graphs.
#[derive(Clone, Debug)]
pub struct RowPlan {
    /// What a row stands for.
    pub granularity: Granularity,
    /// Whether that was said.
    pub is_chosen: bool,
    /// Whether columns of a source line are rows of their own.
    pub columns: bool,
    /// Order of the rows.
    pub order: Order,
    /// Number of rows.
    pub count: Rows,
    /// Whether it is for the prompt, where jeprof's table, too, keeps to the number of rows.
    pub at_prompt: bool,
    /// Rows and nodes of at most this share of the total are left out where an output trims.
    pub node_fraction: Option<f64>,
    /// Whether outputs trim at all.
    pub trim: bool,
}

impl RowPlan {
    /// Says what a row stands for.
    pub fn choose(&mut self, granularity: Granularity) {
        (self.granularity, self.is_chosen) = (granularity, true);
    }
}

/// How samples are put together.
#[derive(Clone, Copy, Debug, Default)]
pub struct GroupPlan {
    /// What those of a group have in common.
    pub by: GroupBy,
    /// Order of the groups.
    pub order: GroupOrder,
}

/// How a flame graph looks. The names are those of flamegraph.pl's options.
#[derive(Clone, Debug, Default)]
pub struct PicturePlan {
    /// Title instead of the one that says program, figure and total.
    pub title: Option<String>,
    /// Second line instead of the one that says where the figures come from.
    pub subtitle: Option<String>,
    /// Remark in the file, shown nowhere.
    pub notes: Option<String>,
    /// What widths count, instead of `bytes` or `objects`.
    pub count_name: Option<String>,
    /// Width in pixels; as wide as the window when not given.
    pub width: Option<usize>,
    /// Height of a box in pixels.
    pub box_height: Option<usize>,
    /// Boxes narrower than this share of the width, in percent, are left out.
    pub width_percent_min: Option<f64>,
    /// Name of a palette.
    pub colors: Option<&'static str>,
    /// Whether the root is at the top (an icicle graph).
    pub inverted: bool,
    /// Whether the root is the allocating function and its callers lie on it.
    pub reverse: bool,
    /// Whether more and less change colours in a differential graph.
    pub negate: bool,
}

/// How a table looks on a terminal.
#[derive(Clone, Copy, Debug, Default)]
pub struct ScreenPlan {
    /// When to colour.
    pub color: Color,
    /// Whether names are printed whole, however narrow the terminal is.
    pub full_names: bool,
}

/// Nodes and edges of the call graph, and how it is drawn.
#[derive(Clone, Debug)]
pub struct GraphPlan {
    /// Edges of at most this share of the total are left out.
    pub edge_fraction: f64,
    /// Most edges into a node, and out of it.
    pub degree_max: usize,
    /// Which nodes there are.
    pub contexts: Contexts,
    /// Whether nodes with something of their own are marked.
    pub heapcheck: bool,
    /// Who places the nodes.
    pub layout: Layout,
    /// How large gv shows the picture.
    pub scale: i32,
}

impl Default for GraphPlan {
    /// jeprof's and pprof's values.
    fn default() -> GraphPlan {
        GraphPlan {
            edge_fraction: 0.001,
            degree_max: 8,
            contexts: Contexts::Merged,
            heapcheck: false,
            layout: Layout::Own,
            scale: 0,
        }
    }
}

/// Where source code is, and how instructions look.
#[derive(Clone, Debug, Default)]
pub struct ListingPlan {
    /// Folders in which source files are looked for.
    pub source_path: Vec<PathBuf>,
    /// Prefixes that are cut off the paths of source files.
    pub trim_path: Vec<String>,
    /// Whether instructions are written as Intel does, instead of as AT&T did.
    pub intel_syntax: bool,
}

/// A form of findings, and where it goes.
#[derive(Clone, Debug)]
pub struct FindingsOutput {
    /// Name of the form.
    pub form: &'static str,
    /// A file; where the form belongs when there is none, which mostly is stdout.
    pub file: Option<PathBuf>,
}

/// A checked request.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How dumps are read.
    pub input: InputPlan,
    /// Where files with names are looked for.
    pub finding: Finding,
    /// Which figure.
    pub figure: FigurePlan,
    /// Which stacks and frames.
    pub selection: Selection,
    /// Rows and nodes.
    pub rows: RowPlan,
    /// Groups of samples.
    pub groups: GroupPlan,
    /// Nanoseconds that objects have lived at least.
    pub min_age: i64,
    /// What counts as a leak or as growth.
    pub check: CheckPlan,
    /// Nodes and edges of the call graph.
    pub graph: GraphPlan,
    /// Where source code is.
    pub listing: ListingPlan,
    /// The look of flame graphs.
    pub picture: PicturePlan,
    /// The look of tables on a terminal.
    pub screen: ScreenPlan,
    /// How the report is written.
    pub format: Format,
    /// How findings are written, and where to; as text on stdout when nothing is said.
    pub findings: Vec<FindingsOutput>,
    /// Whose quirks are kept.
    pub compat: Compat,
    /// The value of an output that has one, such as `--list=REGEX`.
    pub argument: Option<Regex>,
    /// Where the output goes instead of stdout.
    pub output_file: Option<PathBuf>,
    /// Flags that were given and that this output does not look at.
    pub unused: Vec<&'static str>,
    /// What to tell about flags that are understood for the sake of scripts and change nothing.
    pub remarks: Vec<&'static str>,
}

impl Default for Plan {
    /// The request that an empty command line makes.
    fn default() -> Plan {
        Plan {
            input: InputPlan {
                words: Vec::new(),
                first_word_meant: None,
                base: Vec::new(),
                base_is_reference: false,
                first_is_base: false,
                keep_labels: false,
                keep_text: false,
                keep_parts: false,
                unpack_bytes_max: 1 << 30,
                headers: Vec::new(),
                seconds: None,
                named_by: NamedBy::Both,
            },
            finding: Finding::default(),
            figure: FigurePlan {
                metric: Metric::InuseSpace,
                show_bytes: false,
                unit: None,
                divide_by: 1.0,
                mean: false,
                normalize: false,
                relative_percentages: false,
            },
            selection: Selection::default(),
            rows: RowPlan {
                granularity: Granularity::Functions,
                is_chosen: false,
                columns: false,
                order: Order::Flat,
                count: Rows::Fitting,
                at_prompt: false,
                node_fraction: None,
                trim: true,
            },
            groups: GroupPlan::default(),
            min_age: 60_000_000_000,
            check: CheckPlan::default(),
            graph: GraphPlan::default(),
            listing: ListingPlan::default(),
            picture: PicturePlan::default(),
            screen: ScreenPlan::default(),
            format: Format::Native,
            findings: Vec::new(),
            compat: Compat::None,
            argument: None,
            output_file: None,
            unused: Vec::new(),
            remarks: Vec::new(),
        }
    }
}

impl Plan {
    /// The unit of figures.
    pub fn unit(&self) -> Unit {
        if let (true, Some(unit)) = (self.figure.metric.is_bytes(), self.figure.unit) {
            return Unit::Chosen(unit);
        }
        match (self.figure.metric.is_bytes(), self.figure.show_bytes) {
            (false, _) => Unit::Objects,
            (true, true) => Unit::Bytes,
            (true, false) => Unit::Megabytes,
        }
    }

    /// The plan for stacks that were chosen by this one, with figures of their own: filters, figure, rows and quirks are those
    /// of an empty command line, and which frames are shown stays.
    pub fn of_chosen_stacks(&self) -> Plan {
        let plain = Plan::default();
        Plan {
            selection: self.selection.of_chosen_stacks(),
            figure: plain.figure,
            rows: plain.rows,
            compat: plain.compat,
            ..self.clone()
        }
    }
}
