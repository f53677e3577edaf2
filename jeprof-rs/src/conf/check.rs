//! Checks a string by one allocator's rules.

use super::element::{Element, Form, elements};
use super::mistakes;
use super::option::Row;
use super::repair::{self, explain, is_ordinary, misread_power};
use super::rules::{self, Cure};
use super::settings::{Settings, option, options};
use super::target::Target;
use super::value::{self, Value};

/// How an element fares.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It does what it says.
    Ok,
    /// It does, and there is something to know.
    Note,
    /// It is refused, not read, or without effect.
    Wrong,
}

impl Level {
    /// The word in reports.
    pub fn name(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Wrong => "wrong",
        }
    }
}

/// What is said of one element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How it fares.
    pub level: Level,
    /// What the allocator itself prints, if anything.
    pub says: Option<String>,
    /// What it means, one sentence each.
    pub text: Vec<String>,
    /// Pairs that stand in its place in the corrected string.
    pub instead: Vec<String>,
}

/// What is said of a string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// By whose rules.
    pub target: Target,
    /// One for each element.
    pub findings: Vec<Finding>,
    /// The string without what is wrong, and with what was probably meant.
    pub corrected: String,
}

impl Checked {
    /// Whether nothing of the string is refused, not read or without effect.
    pub fn is_good(&self) -> bool {
        self.findings.iter().all(|finding| finding.level != Level::Wrong)
    }
}

/// More than any string needs: each round removes a reason for the next.
const ROUNDS_MAX: usize = 16;

/// Checks `text` by the rules of `target`.
pub fn check(text: &str, target: Target) -> Checked {
    let (findings, mut corrected) = once(text, target);
    for _ in 0..ROUNDS_MAX {
        let (_, next) = once(&corrected, target);
        if next == corrected {
            break;
        }
        corrected = next;
    }
    Checked { target, findings, corrected }
}

/// A pair that the allocator takes.
struct Accepted {
    element: usize,
    row: &'static Row,
    value: Value,
}

fn once(text: &str, target: Target) -> (Vec<Finding>, String) {
    let elements = elements(text, target);
    let mut accepted = Vec::new();
    let mut unread: Option<&str> = None;
    let mut findings = Vec::new();
    for (index, element) in elements.iter().enumerate() {
        let (mut finding, taken) = judge(element, target);
        if let Some(malformed) = unread {
            finding.level = Level::Wrong;
            finding.says = None;
            finding.text.insert(0, format!("not read at all: it stands behind the malformed '{malformed}'"));
        } else if let Some((row, value)) = taken {
            accepted.push(Accepted { element: index, row, value });
        }
        if element.form == Form::Malformed && target.is_jemalloc() && unread.is_none() {
            unread = Some(element.text);
        }
        findings.push(finding);
    }
    note_repetitions(&accepted, target, &mut findings);
    let added = apply_rules(&accepted, target, &mut findings);
    let pairs = findings.iter().flat_map(|finding| &finding.instead).cloned();
    let corrected = last_of_each(pairs.chain(added.into_iter().map(String::from)).collect());
    (findings, corrected)
}

fn note_repetitions(accepted: &[Accepted], target: Target, findings: &mut [Finding]) {
    for (at, pair) in accepted.iter().enumerate() {
        if accepted[at + 1..].iter().any(|later| later.row.name == pair.row.name) {
            let finding = &mut findings[pair.element];
            finding.level = finding.level.max(Level::Note);
            let least = pair.row.name == "max_background_threads" && target.is_jemalloc();
            let which = if least { "the least" } else { "the last" };
            finding.text.push(format!("set again further on: {which} one counts"));
            if !least {
                finding.instead.clear();
            }
        }
    }
}

/// Says what the rules say, and returns the pairs that they ask for.
fn apply_rules(accepted: &[Accepted], target: Target, findings: &mut [Finding]) -> Vec<&'static str> {
    let mut settings = Settings::new(target);
    for pair in accepted {
        settings.set(pair.row, pair.value.clone());
    }
    let mut added = Vec::new();
    for (at, pair) in accepted.iter().enumerate() {
        // Only the one that counts.
        if accepted[at + 1..].iter().any(|later| later.row.name == pair.row.name) {
            continue;
        }
        let finding = &mut findings[pair.element];
        for (text, cure) in rules::said_of(pair.row.name, &settings) {
            finding.text.push(text.into());
            let level = if cure == Cure::Leave { Level::Note } else { Level::Wrong };
            finding.level = finding.level.max(level);
            match cure {
                Cure::Leave => {}
                Cure::Add(pair) => added.push(pair),
                Cure::Remove => finding.instead.clear(),
            }
        }
    }
    added
}

/// Judges one element by itself.
fn judge(element: &Element, target: Target) -> (Finding, Option<(&'static Row, Value)>) {
    let wrong = |says: String, text: Vec<String>, instead: Vec<String>| {
        (Finding { level: Level::Wrong, says: Some(says), text, instead }, None)
    };
    let (key, value) = (element.key, element.value);
    match element.form {
        Form::EndsWithComma => wrong(
            "Conf string ends with comma".into(),
            vec!["the comma at the end is one too many".into()],
            vec![],
        ),
        Form::EndsWithKey => {
            let instead = repair::element(element.text, target);
            wrong("Conf string ends with key".into(), vec![format!("'{key}' has no value")], instead)
        }
        Form::Malformed => {
            let instead = repair::element(element.text, target);
            wrong("Malformed conf string".into(), malformed(element, target), instead)
        }
        Form::Pair => match option(key, target) {
            Some(row) if is_ordinary(row) => pair(row, key, value, target),
            Some(row) => {
                let build = row.build.unwrap_or_default();
                let text = format!("known only to a jemalloc that was configured with {build}");
                wrong(format!("Invalid conf pair: {}", element.text), vec![text], vec![])
            }
            None => match abbreviated(key, target) {
                Some(row) => {
                    let (mut finding, taken) = pair(row, key, value, target);
                    finding.level = finding.level.max(Level::Note);
                    finding.text.push(format!("jemalloc takes '{key}' for {}, by accident", row.name));
                    (finding, taken)
                }
                None => {
                    let instead = repair::element(element.text, target);
                    wrong(format!("Invalid conf pair: {}", element.text), vec![unknown(key, target)], instead)
                }
            },
        },
    }
}

fn pair(
    row: &'static Row,
    key: &str,
    value: &str,
    target: Target,
) -> (Finding, Option<(&'static Row, Value)>) {
    let name = row.name;
    match value::read(name, row.kind, value, target) {
        Ok(taken) => {
            let mut finding = Finding {
                level: Level::Ok,
                says: None,
                text: vec![explain(row, value, &taken.value)],
                instead: vec![format!("{name}:{value}")],
            };
            if let (Some(given), Value::Number(bound)) = (taken.outside, &taken.value) {
                finding.level = Level::Note;
                finding
                    .text
                    .push(format!("{given} is out of range and counts as {bound}, without a message"));
                if misread_power(row, value, target) {
                    finding.level = Level::Wrong;
                    finding.text.push("the power of two belongs here, not the number of bytes".into());
                    finding.instead = repair::element(&format!("{name}:{value}"), target);
                }
            }
            if taken.beginning
                && let Value::Word(word) = taken.value
            {
                finding.level = Level::Note;
                finding.text.push(format!("jemalloc takes '{value}' for {word}, by accident"));
                finding.instead = vec![format!("{name}:{word}")];
            }
            (finding, Some((row, taken.value)))
        }
        Err(refused) => {
            let finding = Finding {
                level: Level::Wrong,
                says: Some(format!("{}: {key}:{value}", refused.says)),
                text: vec![refused.why],
                instead: repair::element(&format!("{name}:{value}"), target),
            };
            (finding, None)
        }
    }
}

/// jemalloc compares a few keys by the length that was written only.
fn abbreviated(key: &str, target: Target) -> Option<&'static Row> {
    const COMPARED_SHORT: [&str; 4] = ["metadata_thp", "dss", "percpu_arena", "hpa_hugify_style"];
    if !target.is_jemalloc() {
        return None;
    }
    COMPARED_SHORT.iter().filter(|name| name.starts_with(key)).find_map(|name| option(name, target))
}

fn malformed(element: &Element, target: Target) -> Vec<String> {
    let bad = element.key.chars().find(|c| !(c.is_ascii_alphanumeric() || *c == '_'));
    let mut text = vec![match bad {
        _ if element.text.is_empty() => "nothing stands between two commas".to_string(),
        Some(' ' | '\t') => "blanks are not allowed in front of or within a key".into(),
        Some('=') => "a colon belongs between key and value, not '='".into(),
        Some(c) => format!("a key has letters, digits and '_' only, not '{c}'"),
        None => "no colon: a pair is key:value".into(),
    }];
    if let Some((mistake, _)) = mistakes::find(element.key) {
        text.push(mistake.truth.into());
    }
    if target.is_jemalloc() {
        text.push("jemalloc reads nothing behind it, and does not tell".into());
    }
    text
}

/// Why a key is not an option of the target.
fn unknown(key: &str, target: Target) -> String {
    let has = |other: Target| options(other).any(|row| row.name == key);
    if let Some((mistake, _)) = mistakes::find(key) {
        return mistake.truth.into();
    }
    match target {
        Target::Ours if has(Target::Jemalloc530) || has(Target::Jemalloc531) => {
            "an option of jemalloc that the allocator of jeprof-rs does not have".into()
        }
        Target::Jemalloc530 if has(Target::Jemalloc531) => "known since jemalloc 5.3.1 only".into(),
        Target::Jemalloc531 if has(Target::Jemalloc530) => "gone since jemalloc 5.3.1".into(),
        _ if has(Target::Ours) => {
            "an option of the allocator of jeprof-rs that jemalloc does not have".into()
        }
        _ => match repair::resembling(key, target) {
            Some(name) => format!("there is no option '{key}'; did you mean {name}?"),
            None => format!("there is no option '{key}'"),
        },
    }
}

/// Pairs with commas between them; of several with one key the last.
fn last_of_each(pairs: Vec<String>) -> String {
    let key = |pair: &str| pair.split_once(':').map(|(key, _)| key.to_string());
    let kept = pairs.iter().enumerate().filter(|(at, pair)| {
        let again = pairs[at + 1..].iter().any(|later| key(later) == key(pair));
        !again || key(pair).as_deref() == Some("max_background_threads")
    });
    kept.map(|(_, pair)| pair.as_str()).collect::<Vec<_>>().join(",")
}
