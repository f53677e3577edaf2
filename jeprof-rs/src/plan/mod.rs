//! What is asked for, checked, before any file is opened. One struct per part; the flags that fill a part are rows of
//! `cli/flags/<part>.rs`.

pub mod choice;

use std::path::PathBuf;

use regex::Regex;

use crate::units::Unit;
use choice::{Compat, Frames, Granularity, Metric, Negative, Order, Rows};

/// Part of a plan. Headings of the help are parts, and each output tells which parts it looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What is printed, and where to.
    Output,
    /// Which figure.
    Figure,
    /// What a row or a node is, and how many there are.
    Rows,
    /// Which stacks and frames count.
    Selection,
    /// Which nodes and edges a graph has.
    Graph,
    /// How a picture looks.
    Picture,
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
            Part::Figure => "Figure",
            Part::Rows => "Rows and nodes",
            Part::Selection => "Which stacks and frames",
            Part::Graph => "Call graph",
            Part::Picture => "Picture",
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
    /// Dumps that are subtracted.
    pub base: Vec<String>,
    /// Most bytes that a compressed dump may unpack to.
    pub unpack_bytes_max: u64,
}

/// Which figure, and in which unit.
#[derive(Clone, Debug)]
pub struct FigurePlan {
    /// Which figure.
    pub metric: Metric,
    /// Whether bytes are printed whole instead of as megabytes.
    pub show_bytes: bool,
}

/// Which stacks and frames count.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Only stacks in which a frame matches.
    pub focus: Option<Regex>,
    /// Only stacks in which no frame matches.
    pub ignore: Option<Regex>,
    /// What becomes of negative differences.
    pub negative: Negative,
    /// Which frames are shown.
    pub frames: Frames,
}

/// Rows of tables and nodes of graphs.
#[derive(Clone, Debug)]
pub struct RowPlan {
    /// What a row stands for.
    pub granularity: Granularity,
    /// Order of the rows.
    pub order: Order,
    /// Number of rows.
    pub count: Rows,
}

/// A checked request.
#[derive(Clone, Debug)]
pub struct Plan {
    /// How dumps are read.
    pub input: InputPlan,
    /// Which figure.
    pub figure: FigurePlan,
    /// Which stacks and frames.
    pub selection: Selection,
    /// Rows and nodes.
    pub rows: RowPlan,
    /// Whose quirks are kept.
    pub compat: Compat,
    /// The value of an output that has one, such as `--list=REGEX`.
    pub argument: Option<Regex>,
    /// Where the output goes instead of stdout.
    pub output_file: Option<PathBuf>,
    /// Flags that were given and that this output does not look at.
    pub unused: Vec<&'static str>,
}

impl Default for Plan {
    /// The request that an empty command line makes.
    fn default() -> Plan {
        Plan {
            input: InputPlan { words: Vec::new(), base: Vec::new(), unpack_bytes_max: 1 << 30 },
            figure: FigurePlan { metric: Metric::InuseSpace, show_bytes: false },
            selection: Selection {
                focus: None,
                ignore: None,
                negative: Negative::Keep,
                frames: Frames::Program,
            },
            rows: RowPlan { granularity: Granularity::Functions, order: Order::Flat, count: Rows::Fitting },
            compat: Compat::None,
            argument: None,
            output_file: None,
            unused: Vec::new(),
        }
    }
}

impl Plan {
    /// The unit of figures.
    pub fn unit(&self) -> Unit {
        match (self.figure.metric.is_bytes(), self.figure.show_bytes) {
            (false, _) => Unit::Objects,
            (true, true) => Unit::Bytes,
            (true, false) => Unit::Megabytes,
        }
    }
}
