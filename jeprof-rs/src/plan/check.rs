//! What counts as a leak, as growth, and as a limit that is kept.

use std::path::PathBuf;

use serde::Deserialize;

use crate::inference::discovery::Correction;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct CheckPlan {
    /// Level of the bounds, below 1; see [`CheckPlan::confidence`].
    pub confidence: Option<f64>,
    /// The share of false alarms among what is reported, below 1; see [`CheckPlan::fdr`].
    pub fdr: Option<f64>,
    /// What `fdr` is held against.
    pub correction: Correction,
    /// Growth is reported from here on, in bytes; from `min_growth` and a hundredth of the total on when not given.
    pub min_growth: Option<f64>,
    /// Leaks of a stack are reported from here on, in bytes.
    pub min_leak: f64,
    /// Files of suppressions.
    pub suppressions: Vec<PathBuf>,
    /// Whether the rules that need no file hold.
    pub builtin_suppressions: bool,
    /// Whether a rule that leaves nothing out is an error.
    pub unused_suppressions: Unused,
    /// Whether the table of rules is printed.
    pub print_suppressions: bool,
    /// Whether what is still pointed to counts as leaked, too.
    pub reachable: bool,
    /// What becomes of findings that are not decided.
    pub undecided: Option<Undecided>,
    /// Exit status of findings instead of 1.
    pub error_exitcode: Option<u8>,
    /// Whether a comparison has an exit status of findings, too.
    pub exit_code: bool,
    /// Whether changes within chance are shown, too.
    pub all: bool,
    /// How keys are made.
    pub keys: KeyPlan,
    /// Whether dumps of programs with different names are compared, too.
    pub any_program: bool,
    /// The file of limits.
    pub config: Option<PathBuf>,
    /// The file of what stacks are known to hold.
    pub baseline: Option<PathBuf>,
    /// What is done with that file beside being looked at.
    pub baseline_change: BaselineChange,
    /// Dumps at the beginning that are left out of trends; those of the warm-up when not given.
    pub skip_first: Option<usize>,
    /// Iterations from one dump to the next.
    pub iterations: Option<f64>,
}

impl CheckPlan {
    /// Level of the bounds.
    pub fn confidence(&self) -> f64 {
        self.confidence.unwrap_or(0.95)
    }

    /// The share of false alarms among what is reported.
    pub fn fdr(&self) -> f64 {
        self.fdr.unwrap_or(0.05)
    }

    /// Growth is reported from here on, where the larger total is so much.
    pub fn growth_min(&self, total: f64) -> f64 {
        self.min_growth.unwrap_or_else(|| GROWTH_MIN.0.max(GROWTH_MIN.1 * total))
    }
}

/// Growth below this is not reported where the plan says nothing: bytes, and the share of the larger total.
const GROWTH_MIN: (f64, f64) = (65_536.0, 0.01);

/// What is done with a baseline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BaselineChange {
    /// It is held against what is live, and stays as it is.
    #[default]
    None,
    /// It takes in what is live, and nothing fails.
    Update,
    /// It forgets what no stack has any more.
    Prune,
}

/// What becomes of rules that leave nothing out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unused {
    /// Nothing.
    #[default]
    Ignore,
    /// They are told.
    Warn,
    /// They are an error.
    Error,
}

impl Default for CheckPlan {
    fn default() -> CheckPlan {
        CheckPlan {
            confidence: None,
            fdr: None,
            correction: Correction::default(),
            min_growth: None,
            min_leak: 0.0,
            suppressions: Vec::new(),
            builtin_suppressions: true,
            unused_suppressions: Unused::Ignore,
            print_suppressions: false,
            reachable: false,
            undecided: None,
            error_exitcode: None,
            exit_code: false,
            all: false,
            keys: KeyPlan::default(),
            any_program: false,
            config: None,
            baseline: None,
            baseline_change: BaselineChange::None,
            skip_first: None,
            iterations: None,
        }
    }
}

/// What becomes of findings that are not decided.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Undecided {
    /// They pass.
    Pass,
    /// They pass, with a warning.
    #[default]
    Warn,
    /// They fail.
    Fail,
}

/// How keys are made. Keys of different settings do not compare.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct KeyPlan {
    /// Whether generic arguments are one and the same.
    pub fold_generics: bool,
    /// Whether cycles of calls count once, and not only functions that call themselves.
    pub fold_recursion: bool,
    /// Whether the name of the source file is part of a frame.
    pub with_file: bool,
    /// How many of the innermost frames count; `None` for all.
    pub depth: Option<usize>,
}
