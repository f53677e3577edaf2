//! Leaks, growth and limits: from stacks with estimates to verdicts.
//!
//! `stacks` groups what a session has read by keys that survive a rebuild; `leaks`, `growth` and their like ask `inference`
//! what chance allows, and make `finding`s of the answers. Outputs are in `render/findings`.

pub mod baseline;
pub mod budgets;
pub mod command;
pub mod config;
pub mod date;
pub mod finding;
pub mod growth;
pub mod leaks;
pub mod stack_key;
pub mod stacks;
pub mod suppressions;
pub mod survival;
pub mod trend;

use std::collections::BTreeMap;
use std::path::PathBuf;

use finding::{Findings, Measured, Suppressed, Undecided, Where};
use stack_key::KeyPlan;
use stacks::Stack;
use suppressions::Rule;

use crate::inference::estimate::Estimate;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct CheckPlan {
    /// Level of the bounds, below 1; see [`CheckPlan::confidence`].
    pub confidence: Option<f64>,
    /// The share of false alarms among what is reported, below 1; see [`CheckPlan::fdr`].
    pub fdr: Option<f64>,
    /// Whether `fdr` is the chance of any false alarm instead.
    pub family_wise: bool,
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
            family_wise: false,
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
            config: None,
            baseline: None,
            baseline_change: BaselineChange::None,
            skip_first: None,
            iterations: None,
        }
    }
}

impl Where {
    /// That of a stack.
    pub fn of(stack: &Stack) -> Where {
        Where {
            key: stack.key.clone(),
            texts: stack.texts.clone(),
            frames: stack.frames.clone(),
            own: stack.own.clone(),
        }
    }

    /// The program's own frames, leaf first.
    pub fn own_frames(&self) -> &[stacks::Shown] {
        &self.frames[self.own.clone()]
    }
}

/// Tells stacks that rules leave out from others, and counts for which rule.
pub struct Sieve<'r> {
    rules: &'r [Rule],
    /// For each rule the keys of what it left out, with bytes and objects.
    taken: Vec<BTreeMap<String, (f64, f64)>>,
}

impl<'r> Sieve<'r> {
    /// With these rules, of which the first that holds counts.
    pub fn new(rules: &'r [Rule]) -> Sieve<'r> {
        Sieve { rules, taken: vec![BTreeMap::new(); rules.len()] }
    }

    /// Whether a stack stays, which holds so much. A stack that is asked about again counts once.
    pub fn lets_through(&mut self, stack: &Stack, live: &Estimate, confidence: f64) -> bool {
        let high = Measured::bytes(live, confidence).high;
        let Some(at) = self.rules.iter().position(|rule| rule.suppresses(stack, high)) else { return true };
        self.taken[at].insert(stack.key.clone(), (live.bytes, live.objects));
        false
    }

    /// Notes what was left out.
    pub fn tell(self, findings: &mut Findings) {
        for (rule, taken) in self.rules.iter().zip(self.taken) {
            if taken.is_empty() {
                if rule.is_of_file() {
                    findings.unused_rules.push(format!("{} leak:{}", rule.origin, rule.template));
                }
                continue;
            }
            findings.suppressed.push(Suppressed {
                template: rule.template.clone(),
                origin: rule.origin.clone(),
                why: rule.why.clone(),
                stacks: taken.len(),
                bytes: taken.values().map(|(bytes, _)| bytes).sum(),
                objects: taken.values().map(|(_, objects)| objects).sum(),
            });
        }
    }
}
