//! The flags and the commands: one row each. Parser, help, spellings and the plan are derived from the rows.

use regex::Regex;

use super::plan::{Frames, Granularity, Metric, Negative, Order, Output, Plan, Rows};

/// Puts a value into the plan; the error is about the value.
pub type SetValue = fn(&mut Plan, &str) -> Result<(), String>;

/// Whether a flag has a value, and what it does to the plan.
#[derive(Clone, Copy)]
pub enum Takes {
    /// A switch.
    Switch(fn(&mut Plan)),
    /// One value, called this in the help. The last one given counts.
    One(&'static str, SetValue),
    /// One value each time; all of them count.
    Many(&'static str, SetValue),
}

impl Takes {
    /// Whether a value follows.
    pub fn a_value(self) -> bool {
        !matches!(self, Takes::Switch(_))
    }
}

/// Heading in the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heading {
    /// What is printed.
    Output,
    /// Which figure.
    Figure,
    /// What a row is.
    Rows,
    /// Which stacks and frames count.
    Selection,
    /// How dumps are read.
    Input,
}

impl Heading {
    /// The heading's text.
    pub fn title(self) -> &'static str {
        match self {
            Heading::Output => "Output",
            Heading::Figure => "Figure",
            Heading::Rows => "Rows of the table",
            Heading::Selection => "Which stacks and frames",
            Heading::Input => "Input",
        }
    }
}

/// Where a flag is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every command.
    Every,
    /// Only the command without a name.
    Report,
}

/// One flag.
pub struct Flag {
    /// jeprof's spelling where jeprof has the flag. Dashes for underscores, one dash in front instead of two,
    /// and unambiguous beginnings are understood for every row.
    pub name: &'static str,
    /// One letter form.
    pub short: Option<char>,
    /// Its value.
    pub takes: Takes,
    /// Where the help shows it.
    pub heading: Heading,
    /// At most one flag with the same word here may be given.
    pub one_of: Option<&'static str>,
    /// Commands that have it.
    pub scope: Scope,
    /// What it does.
    pub help: &'static str,
}

/// One named command.
pub struct Command {
    /// The word.
    pub name: &'static str,
    /// What it prints.
    pub output: Output,
    /// What it does, in one line.
    pub about: &'static str,
    /// Examples for the end of its help.
    pub examples: &'static str,
}

/// Every named command.
pub const COMMANDS: &[Command] = &[Command {
    name: "flame",
    output: Output::Flame,
    about: "Draw a flame graph of the heap (SVG on stdout)",
    examples: "\
Examples:
  jeprof-rs flame > heap.svg                    newest dump of this directory
  jeprof-rs flame svc.1234.0.f.heap > heap.svg  this dump; the program is found through it
  jeprof-rs flame --alloc_space -o churn.svg ./svc svc.*.heap
  curl -s http://host/heap | jeprof-rs flame - > heap.svg",
}];

/// Every flag, in the order of the help.
pub const FLAGS: &[Flag] = &[
    Flag {
        name: "text",
        short: None,
        takes: Takes::Switch(|plan| plan.output = Output::Text),
        heading: Heading::Output,
        one_of: Some("kind of output"),
        scope: Scope::Report,
        help: "Table, one row per function (the default)",
    },
    Flag {
        name: "collapsed",
        short: None,
        takes: Takes::Switch(|plan| plan.output = Output::Collapsed),
        heading: Heading::Output,
        one_of: Some("kind of output"),
        scope: Scope::Report,
        help: "One line per stack, 'root;...;leaf FIGURE', for flame graph tools",
    },
    Flag {
        name: "output",
        short: Some('o'),
        takes: Takes::One("FILE", |plan, value| {
            plan.output_file = Some(value.into());
            Ok(())
        }),
        heading: Heading::Output,
        one_of: None,
        scope: Scope::Every,
        help: "Write to FILE instead of stdout",
    },
    Flag {
        name: "inuse_space",
        short: None,
        takes: Takes::Switch(|plan| plan.metric = Metric::InuseSpace),
        heading: Heading::Figure,
        one_of: Some("kind of figure"),
        scope: Scope::Every,
        help: "Bytes that are live (the default)",
    },
    Flag {
        name: "inuse_objects",
        short: None,
        takes: Takes::Switch(|plan| plan.metric = Metric::InuseObjects),
        heading: Heading::Figure,
        one_of: Some("kind of figure"),
        scope: Scope::Every,
        help: "Objects that are live",
    },
    Flag {
        name: "alloc_space",
        short: None,
        takes: Takes::Switch(|plan| plan.metric = Metric::AllocSpace),
        heading: Heading::Figure,
        one_of: Some("kind of figure"),
        scope: Scope::Every,
        help: "Bytes allocated so far, freed or not (dumps made with prof_accum:true)",
    },
    Flag {
        name: "alloc_objects",
        short: None,
        takes: Takes::Switch(|plan| plan.metric = Metric::AllocObjects),
        heading: Heading::Figure,
        one_of: Some("kind of figure"),
        scope: Scope::Every,
        help: "Objects allocated so far, freed or not (dumps made with prof_accum:true)",
    },
    Flag {
        name: "show_bytes",
        short: None,
        takes: Takes::Switch(|plan| plan.show_bytes = true),
        heading: Heading::Figure,
        one_of: None,
        scope: Scope::Report,
        help: "Print whole bytes instead of megabytes",
    },
    Flag {
        name: "functions",
        short: None,
        takes: Takes::Switch(|plan| plan.granularity = Granularity::Functions),
        heading: Heading::Rows,
        one_of: Some("kind of row"),
        scope: Scope::Report,
        help: "A row is a function (the default)",
    },
    Flag {
        name: "lines",
        short: None,
        takes: Takes::Switch(|plan| plan.granularity = Granularity::Lines),
        heading: Heading::Rows,
        one_of: Some("kind of row"),
        scope: Scope::Report,
        help: "A row is a source line of a function",
    },
    Flag {
        name: "files",
        short: None,
        takes: Takes::Switch(|plan| plan.granularity = Granularity::Files),
        heading: Heading::Rows,
        one_of: Some("kind of row"),
        scope: Scope::Report,
        help: "A row is a source file",
    },
    Flag {
        name: "addresses",
        short: None,
        takes: Takes::Switch(|plan| plan.granularity = Granularity::Addresses),
        heading: Heading::Rows,
        one_of: Some("kind of row"),
        scope: Scope::Report,
        help: "A row is a code address",
    },
    Flag {
        name: "cum",
        short: None,
        takes: Takes::Switch(|plan| plan.order = Order::Cumulative),
        heading: Heading::Rows,
        one_of: None,
        scope: Scope::Report,
        help: "Sort by the cumulative figure: what a row and everything it called allocated",
    },
    Flag {
        name: "nodecount",
        short: None,
        takes: Takes::One("N", |plan, value| {
            let rows: usize =
                value.parse().map_err(|_| format!("'{value}' is not a number of rows (0, 1, 2, ...)"))?;
            plan.rows = if rows == 0 { Rows::All } else { Rows::AtMost(rows) };
            Ok(())
        }),
        heading: Heading::Rows,
        one_of: None,
        scope: Scope::Report,
        help: "At most N rows, 0 for all [default: all in a pipe, 40 on a terminal]",
    },
    Flag {
        name: "focus",
        short: None,
        takes: Takes::One("REGEX", |plan, value| {
            plan.focus = Some(pattern(value)?);
            Ok(())
        }),
        heading: Heading::Selection,
        one_of: None,
        scope: Scope::Every,
        help: "Only stacks in which a frame's function, file:line or address matches",
    },
    Flag {
        name: "ignore",
        short: None,
        takes: Takes::One("REGEX", |plan, value| {
            plan.ignore = Some(pattern(value)?);
            Ok(())
        }),
        heading: Heading::Selection,
        one_of: None,
        scope: Scope::Every,
        help: "Only stacks in which no frame's function, file:line or address matches",
    },
    Flag {
        name: "all_frames",
        short: None,
        takes: Takes::Switch(|plan| plan.frames = Frames::All),
        heading: Heading::Selection,
        one_of: None,
        scope: Scope::Every,
        help: "Keep the allocator's own frames and Rust's allocation shims, which are left out otherwise",
    },
    Flag {
        name: "hide_std",
        short: None,
        takes: Takes::Switch(|plan| plan.frames = Frames::Own),
        heading: Heading::Selection,
        one_of: None,
        scope: Scope::Every,
        help: "Also leave out the standard library's containers at the leaf end, Rust's and C++'s, so that memory \
               counts for the program's own functions",
    },
    Flag {
        name: "base",
        short: None,
        takes: Takes::Many("DUMP", |plan, value| {
            plan.base.push(value.into());
            Ok(())
        }),
        heading: Heading::Selection,
        one_of: None,
        scope: Scope::Every,
        help: "Subtract this dump, stack by stack; it may come from another run of the program",
    },
    Flag {
        name: "drop_negative",
        short: None,
        takes: Takes::Switch(|plan| plan.negative = Negative::Drop),
        heading: Heading::Selection,
        one_of: None,
        scope: Scope::Every,
        help: "With --base: count stacks that shrank as zero",
    },
    Flag {
        name: "unpack_max",
        short: None,
        takes: Takes::One("MIB", |plan, value| {
            let mebibytes: u64 = value
                .parse()
                .ok()
                .filter(|mebibytes| (1..1 << 40).contains(mebibytes))
                .ok_or_else(|| format!("'{value}' is not a number of MiB from 1"))?;
            plan.unpack_bytes_max = mebibytes << 20;
            Ok(())
        }),
        heading: Heading::Input,
        one_of: None,
        scope: Scope::Every,
        help: "Refuse compressed dumps that unpack to more than this many MiB [default: 1024]",
    },
];

fn pattern(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| {
        let text = error.to_string();
        // The last line of the regex crate's message says what is wrong, the ones before draw where.
        let reason = text.lines().last().unwrap_or("not a regular expression").trim();
        reason.strip_prefix("error: ").unwrap_or(reason).to_string()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_in_the_reference_s_spelling() {
        for (index, flag) in FLAGS.iter().enumerate() {
            assert!(flag.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", flag.name);
            assert!(FLAGS[index + 1..].iter().all(|other| other.name != flag.name), "{}", flag.name);
            assert!(flag.short.is_none() || FLAGS[index + 1..].iter().all(|other| other.short != flag.short));
            assert!(!flag.help.is_empty() && !flag.help.ends_with('.'), "{}", flag.name);
        }
    }

    #[test]
    fn a_command_is_never_spelled_like_a_flag() {
        for command in COMMANDS {
            assert!(FLAGS.iter().all(|flag| flag.name != command.name));
        }
    }

    #[test]
    fn a_bad_expression_is_told_with_its_reason() {
        let mut plan = Plan::new(Output::Text);
        let focus = FLAGS.iter().find(|flag| flag.name == "focus").unwrap();
        let Takes::One(_, set) = focus.takes else { panic!("--focus has a value") };
        assert!(set(&mut plan, "(").unwrap_err().contains("unclosed group"));
        assert!(set(&mut plan, "(?=x)").unwrap_err().contains("look-around"));
    }
}
