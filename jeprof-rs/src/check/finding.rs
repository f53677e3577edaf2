//! What a check found: verdicts with figures and their bounds. Outputs show it; nothing here knows how.

use super::stacks::{Shown, Stack};
use crate::inference::estimate::Estimate;
use crate::inference::growth::Growth;
use crate::inference::interval::{Interval, Verdict, interval, verdict};
use crate::inference::slope::Slope;
use crate::plan::check::{CheckPlan, Undecided};

/// A figure and between which bounds the true one lies.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// The estimate.
    pub value: f64,
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
    /// How many samples it is made of, where that is known.
    pub samples: Option<f64>,
}

impl Measured {
    /// The bytes of an estimate.
    pub fn bytes(estimate: &Estimate, confidence: f64) -> Measured {
        let bounds = interval(estimate, confidence);
        Measured { value: estimate.bytes, low: bounds.low, high: bounds.high, samples: estimate.samples }
    }

    /// Whether there is no error.
    pub fn is_exact(&self) -> bool {
        self.low == self.high
    }

    /// How it relates to a limit.
    pub fn verdict(&self, limit: f64) -> Verdict {
        verdict(Interval { low: self.low, high: self.high }, limit)
    }
}

impl From<Growth> for Measured {
    fn from(Growth { by, low, high, .. }: Growth) -> Measured {
        Measured { value: by, low, high, samples: None }
    }
}

impl From<Slope> for Measured {
    fn from(Slope { value, low, high }: Slope) -> Measured {
        Measured { value, low, high, samples: None }
    }
}

/// What a finding is about, which is the rule that it breaks or keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// It was not given back.
    Leak,
    /// It is more than before.
    Growth,
    /// It is less than before.
    Shrinkage,
    /// A limit that was set.
    Budget,
    /// More than the baseline has.
    Baseline,
    /// It grows from dump to dump.
    Trend,
    /// It grows with each iteration.
    Slope,
    /// A part of its objects is never given back.
    Survival,
}

/// Every kind, with its word and what it means in a sentence.
pub const KINDS: &[(Kind, &str, &str)] = &[
    (Kind::Leak, "leak", "Memory that was not given back by the end of the program"),
    (
        Kind::Growth,
        "growth",
        "Memory that grew from one dump to another by more than chance and the limit allow",
    ),
    (Kind::Shrinkage, "shrinkage", "Memory that shrank from one dump to another by more than chance"),
    (Kind::Budget, "budget", "Memory above a limit of the configuration"),
    (Kind::Baseline, "baseline", "Memory that the baseline does not have, or more than it has"),
    (Kind::Trend, "trend", "Memory that grows from dump to dump and had not stopped at the end"),
    (Kind::Slope, "slope", "Memory that grows with each iteration"),
    (Kind::Survival, "survival", "A part of the objects of a stack that is never given back"),
];

impl Kind {
    /// Its word.
    pub fn word(self) -> &'static str {
        KINDS.iter().find(|(kind, ..)| *kind == self).map_or("", |(_, word, _)| word)
    }
}

/// A verdict in a word.
pub fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Fail => "FAIL",
        Verdict::Unsure => "UNSURE",
        Verdict::Pass => "PASS",
    }
}

impl Findings {
    /// Nothing found yet, by a plan.
    pub fn new(plan: &CheckPlan) -> Findings {
        Findings {
            confidence: plan.confidence(),
            fdr: plan.fdr(),
            undecided: plan.undecided.unwrap_or_default(),
            period: 1,
            ..Findings::default()
        }
    }
}

/// The stack that a finding is about.
#[derive(Clone, Debug, PartialEq)]
pub struct Where {
    /// Index in the profile of the first stack that has its key.
    pub stack: u32,
    /// Its key.
    pub key: String,
    /// Texts of its frames as the key has them, leaf first.
    pub texts: Vec<String>,
    /// All frames, leaf first.
    pub frames: Vec<Shown>,
    /// Which of them are the program's own.
    pub own: std::ops::Range<usize>,
}

/// One finding.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// What it is about.
    pub kind: Kind,
    /// What is known.
    pub verdict: Verdict,
    /// A function, `total`, or the pattern of a budget: the same from run to run.
    pub subject: String,
    /// The figure, in bytes unless `unit` says otherwise: of growth the change.
    pub figure: Measured,
    /// What the figure counts: `bytes`, `objects`, `bytes/min`, `bytes/iteration`.
    pub unit: &'static str,
    /// Bytes before and after, of what compares.
    pub sides: Option<(Measured, Measured)>,
    /// Objects, of what counts them beside bytes.
    pub objects: Option<f64>,
    /// The limit, in the unit of the figure.
    pub limit: Option<f64>,
    /// The chance of a false alarm among all that are shown, of what was tested.
    pub q: Option<f64>,
    /// The stack, of what is about one; of what is about several by a pattern, the largest.
    pub place: Option<Where>,
    /// Whether it is about what a pattern finds, and `place` no more than an example.
    pub by_pattern: bool,
    /// Who owns it, by the configuration.
    pub owner: Option<String>,
    /// What else is to be said.
    pub notes: Vec<String>,
}

/// What was left out by a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Suppressed {
    /// The rule's template.
    pub template: String,
    /// Where the rule stands.
    pub origin: String,
    /// Why it is there.
    pub why: Option<String>,
    /// How many stacks.
    pub stacks: usize,
    /// Their bytes.
    pub bytes: f64,
    /// Their objects.
    pub objects: f64,
}

/// Everything that a command found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Findings {
    /// Them, the worst first.
    pub all: Vec<Finding>,
    /// What is live at the end, or before and after.
    pub totals: Vec<Measured>,
    /// How many stacks were looked at.
    pub stacks: usize,
    /// Stacks with bytes that are still pointed to, their bytes and objects: no leaks, where that is told.
    pub reachable: Option<(usize, f64, f64)>,
    /// Rules that left something out.
    pub suppressed: Vec<Suppressed>,
    /// Rules of files that left nothing out, as `FILE:LINE leak:TEMPLATE`.
    pub unused_rules: Vec<String>,
    /// Stacks whose change is within what chance makes.
    pub noise: usize,
    /// The level of the bounds.
    pub confidence: f64,
    /// The share of false alarms among what is reported to have changed.
    pub fdr: f64,
    /// What becomes of findings that are not decided.
    pub undecided: Undecided,
    /// Largest sampling distance in bytes, 1 for exact dumps.
    pub period: u64,
    /// What to say about all of it.
    pub notes: Vec<String>,
}

impl Findings {
    /// Puts the worst first, and of equal verdicts the largest of each kind.
    pub fn sort(&mut self) {
        let rank = |verdict: Verdict| match verdict {
            Verdict::Fail => 0,
            Verdict::Unsure => 1,
            Verdict::Pass => 2,
        };
        self.all.sort_by(|a, b| {
            let order = rank(a.verdict).cmp(&rank(b.verdict)).then(a.kind.cmp(&b.kind));
            order.then(b.figure.value.total_cmp(&a.figure.value)).then_with(|| a.key().cmp(&b.key()))
        });
    }

    /// How many have this verdict.
    pub fn count(&self, verdict: Verdict) -> usize {
        self.all.iter().filter(|finding| finding.verdict == verdict).count()
    }

    /// Whether every object was recorded.
    pub fn is_exact(&self) -> bool {
        self.period <= 1
    }
}

/// Exit status of findings.
pub const FOUND: u8 = 1;

/// Exit status of findings that are not decided, where those fail.
pub const UNDECIDED: u8 = 3;

impl Findings {
    /// The exit status: 0 where nothing fails; `found` (or 1) for findings.
    pub fn status(&self, found: Option<u8>) -> u8 {
        if self.count(Verdict::Fail) > 0 {
            found.unwrap_or(FOUND)
        } else if self.count(Verdict::Unsure) > 0 && self.undecided == Undecided::Fail {
            UNDECIDED
        } else {
            0
        }
    }
}

impl Finding {
    /// That bytes of a stack keep to what is allowed, with nothing else said.
    pub fn of_stack(kind: Kind, stack: &Stack, figure: Measured) -> Finding {
        Finding {
            kind,
            verdict: Verdict::Pass,
            subject: stack.texts.first().cloned().unwrap_or_default(),
            figure,
            unit: "bytes",
            sides: None,
            objects: None,
            limit: None,
            q: None,
            place: Some(Where::of(stack)),
            by_pattern: false,
            owner: None,
            notes: Vec::new(),
        }
    }

    /// The key of its stack, if it is about one.
    pub fn key(&self) -> Option<&str> {
        self.place.as_ref().filter(|_| !self.by_pattern).map(|place| place.key.as_str())
    }

    /// What tells it apart, the same from run to run.
    pub fn name(&self) -> String {
        let unit = if self.unit == "bytes" { String::new() } else { format!(" ({})", self.unit) };
        let key = self.key().map_or(String::new(), |key| format!(" [{key}]"));
        format!("{} {}{unit}{key}", self.kind.word(), self.subject)
    }
}
