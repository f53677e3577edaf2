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
pub mod programs;
pub mod stack_key;
pub mod stacks;
pub mod suppressions;
pub mod survival;
pub mod trend;

use std::collections::BTreeMap;

use finding::{Findings, Measured, Suppressed, Where};
use stacks::Stack;
use suppressions::Rule;

use crate::inference::estimate::Estimate;

impl Where {
    /// That of a stack.
    pub fn of(stack: &Stack) -> Where {
        Where {
            stack: stack.first,
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
