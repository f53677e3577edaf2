//! The baseline: what stacks are known to hold, in a text file that a repository keeps, sorted by key so that git merges it.
//!
//! ```text
//! jeprof-baseline 1 unit=bytes rate=exact keys=- tool=0.1.0
//! k1:5d0c1f9a3be02711 1180672 10001 sd=0 server::cache::Cache::insert < server::handle < server::main
//! ```
//!
//! A row is the most of all runs that were taken in; `sd` is the larger of what sampling makes uncertain and of how much
//! runs differ.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use super::Sieve;
use super::finding::{Finding, Findings, Kind, Measured};
use super::leaks::last_of_each;
use super::stack_key::VERSION as KEYS;
use super::stacks::{Stack, Stacks};
use crate::error::{Error, Result, read_text};
use crate::inference::estimate::Estimate;
use crate::plan::check::CheckPlan;
use crate::plan::check::KeyPlan;

/// What a file begins with: its name and version.
const HEAD: &str = "jeprof-baseline 1";

/// What to do about a file that another version wrote.
const WRITE_ANEW: &str = "remove it and write it anew with 'jeprof-rs baseline update'";

/// What stands between frames.
const BETWEEN: &str = " < ";

/// More than the baseline by this is no finding: bytes, the share of what the baseline has, and standard deviations.
const SLACK: (f64, f64, f64) = (65_536.0, 0.05, 3.0);

/// A missing stack and a new one that share so many of their frames, leaf and outermost among them, are one that moved.
const MOVED_MIN: f64 = 0.7;

/// What a stack is known to hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Bytes.
    pub bytes: f64,
    /// Objects.
    pub objects: f64,
    /// Standard deviation of the bytes.
    pub sd: f64,
    /// Texts of its frames, leaf first.
    pub texts: Vec<String>,
}

/// A file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Baseline {
    /// How the dumps were sampled: `exact`, or the distance in bytes.
    pub rate: String,
    /// How keys were made.
    pub keys: String,
    /// What is known, by key.
    pub rows: BTreeMap<String, Row>,
}

impl Baseline {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, is of another version, or has a line that is no row.
    pub fn read(path: &Path) -> Result<Baseline> {
        Baseline::parse(&read_text(path)?, &path.display().to_string())
    }

    fn parse(text: &str, name: &str) -> Result<Baseline> {
        let at = |line: usize, what: &str| Error::at(format_args!("{name}:{line}"), what);
        let mut lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let (_, head) = lines.next().ok_or_else(|| at(1, "is empty, which no baseline is"))?;
        let Some(fields) = head.strip_prefix(HEAD).filter(|rest| rest.is_empty() || rest.starts_with(' '))
        else {
            let what = match head.starts_with("jeprof-baseline ") {
                true => {
                    let tool =
                        field(head, "tool").map_or("another".into(), |tool| format!("the tool's {tool}"));
                    format!("was written by {tool} version ('{head}'): this one reads '{HEAD}'; {WRITE_ANEW}")
                }
                false => format!("does not begin with '{HEAD}'"),
            };
            return Err(at(1, &what));
        };
        let field = |key: &str| field(fields, key).unwrap_or("").to_string();
        let mut baseline = Baseline { rate: field("rate"), keys: field("keys"), rows: BTreeMap::new() };
        for (index, line) in lines {
            if let Some(version) = other_keys(line) {
                let what =
                    format!("has a key of version {version}, and this tool makes {KEYS}; {WRITE_ANEW}");
                return Err(at(index + 1, &what));
            }
            let (key, row) =
                row(line).ok_or_else(|| at(index + 1, "is no row: KEY BYTES OBJECTS sd=BYTES FRAMES"))?;
            if baseline.rows.insert(key.clone(), row).is_some() {
                return Err(at(index + 1, &format!("{key} is there twice")));
            }
        }
        Ok(baseline)
    }

    /// As a file has it.
    pub fn text(&self) -> String {
        let version = env!("CARGO_PKG_VERSION");
        let mut out = format!("{HEAD} unit=bytes rate={} keys={} tool={version}\n", self.rate, self.keys);
        for (key, row) in &self.rows {
            let Row { bytes, objects, sd, texts } = row;
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{key} {bytes:.0} {objects:.0} sd={sd:.0} {}", texts.join(BETWEEN));
        }
        out
    }

    /// Takes in what a run left; stacks that rules leave out are no part of it.
    pub fn take(&mut self, stacks: &Stacks, sieve: &mut Sieve<'_>, plan: &CheckPlan) {
        self.rate = rate(stacks);
        self.keys = plan.keys.text();
        for (stack, live) in kept(stacks, sieve, plan) {
            let row = self.rows.entry(stack.key.clone()).or_insert_with(|| Row {
                bytes: live.bytes,
                objects: live.objects,
                sd: 0.0,
                texts: stack.texts.clone(),
            });
            // Of two runs, which is what a file and a dump are, the standard deviation is their difference over the root of two.
            let between = (row.bytes - live.bytes).abs() / std::f64::consts::SQRT_2;
            row.sd = row.sd.max(live.variance.sqrt()).max(between);
            row.bytes = row.bytes.max(live.bytes);
            row.objects = row.objects.max(live.objects);
        }
    }

    /// Forgets what no stack has any more; answers how many that were.
    pub fn prune(&mut self, stacks: &Stacks) -> usize {
        let before = self.rows.len();
        self.rows.retain(|key, _| stacks.all.iter().any(|stack| stack.key == *key));
        before - self.rows.len()
    }

    /// Holds what is live against the file, and adds what is new or more.
    ///
    /// # Errors
    /// Its keys were made in another way.
    pub fn check<'s>(
        &'s self,
        name: &Path,
        stacks: &Stacks,
        (sieve, plan): (&mut Sieve<'_>, &CheckPlan),
        findings: &mut Findings,
    ) -> Result<()> {
        if self.keys != plan.keys.text() {
            let what = format!("has keys made with '{}', not with '{}'", self.keys, plan.keys.text());
            return Err(Error::at(format_args!("{}:1", name.display()), what));
        }
        if self.rate != rate(stacks) {
            findings.notes.push(format!(
                "the baseline was made at another sampling rate ({}, now {}): what it holds is less certain than it says",
                self.rate,
                rate(stacks)
            ));
        }
        let mut missing: BTreeMap<&str, &'s Row> =
            self.rows.iter().map(|(key, row)| (key.as_str(), row)).collect();
        for stack in &stacks.all {
            missing.remove(stack.key.as_str());
        }
        for (stack, live) in kept(stacks, sieve, plan) {
            let moved = |missing: &mut BTreeMap<&str, &'s Row>| {
                let found = missing
                    .iter()
                    .find(|(_, row)| is_moved(&row.texts, &stack.texts))
                    .map(|(key, _)| *key)?;
                Some((found.to_string(), missing.remove(found)?))
            };
            let (row, note) = match self.rows.get(&stack.key) {
                Some(row) => (Some(row), None),
                None => match moved(&mut missing) {
                    Some((from, row)) => (Some(row), Some(format!("moved from {from}"))),
                    None => (None, Some("new".to_string())),
                },
            };
            let known = row.map_or(0.0, |row| row.bytes);
            let sd = row.map_or(0.0, |row| row.sd);
            let limit = known + SLACK.0.max(SLACK.1 * known).max(SLACK.2 * sd);
            let figure = Measured::bytes(&live, plan.confidence());
            findings.all.push(Finding {
                verdict: figure.verdict(limit),
                objects: Some(live.objects),
                limit: Some(limit),
                notes: note.into_iter().collect(),
                ..Finding::of_stack(Kind::Baseline, stack, figure)
            });
        }
        if !missing.is_empty() {
            findings.notes.push(format!(
                "{} of {} rows of the baseline have no stack any more (baseline prune forgets them)",
                missing.len(),
                self.rows.len()
            ));
        }
        Ok(())
    }
}

/// What is live at the end in stacks that rules do not leave out.
fn kept<'s>(stacks: &'s Stacks, sieve: &mut Sieve<'_>, plan: &CheckPlan) -> Vec<(&'s Stack, Estimate)> {
    let last = last_of_each(stacks);
    let mut kept = Vec::new();
    for stack in &stacks.all {
        let live = stack.live_in(&last);
        if live.bytes > 0.0 && sieve.lets_through(stack, &live, plan.confidence()) {
            kept.push((stack, live));
        }
    }
    kept
}

fn rate(stacks: &Stacks) -> String {
    match stacks.period() {
        0 | 1 => "exact".into(),
        period => period.to_string(),
    }
}

/// The value of `KEY=VALUE` in the first line.
fn field<'l>(line: &'l str, key: &str) -> Option<&'l str> {
    line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='))
}

/// The version of a row's key, when it is another one than ours.
fn other_keys(line: &str) -> Option<&str> {
    let (version, digits) = line.split(' ').next()?.split_once(':')?;
    let number = version.strip_prefix('k').filter(|number| !number.is_empty())?;
    let is_key = [number, digits].iter().all(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()));
    (is_key && version != KEYS).then_some(version)
}

fn row(line: &str) -> Option<(String, Row)> {
    let mut words = line.splitn(5, ' ');
    let key = words.next().filter(|key| key.split(':').next() == Some(KEYS))?;
    let mut number = |prefix: &str| -> Option<f64> {
        let number: f64 = words.next()?.strip_prefix(prefix)?.parse().ok()?;
        (number.is_finite() && number >= 0.0).then_some(number)
    };
    let (bytes, objects, sd) = (number("")?, number("")?, number("sd=")?);
    let texts = words.next()?.split(BETWEEN).map(String::from).collect();
    Some((key.to_string(), Row { bytes, objects, sd, texts }))
}

/// Whether two stacks are the same but for some frames between leaf and outermost, as when a function is inlined or renamed.
/// Code without a name is the same wherever it is in its module.
fn is_moved(old: &[String], new: &[String]) -> bool {
    let bare = |text: &String| match text.split_once('+') {
        Some((module, place)) if place.starts_with("0x") || place.contains(":0x") => format!("{module}+?"),
        _ => text.clone(),
    };
    let (old, new): (Vec<String>, Vec<String>) =
        (old.iter().map(bare).collect(), new.iter().map(bare).collect());
    if old.is_empty() || new.is_empty() || old[0] != new[0] || old[old.len() - 1] != new[new.len() - 1] {
        return false;
    }
    // Each frame counts once.
    let mut left = old.clone();
    let shared = new
        .iter()
        .filter(|text| left.iter().position(|known| known == *text).map(|at| left.swap_remove(at)).is_some());
    shared.count() as f64 >= MOVED_MIN * old.len().max(new.len()) as f64
}

impl KeyPlan {
    /// The settings in a few words, `-` for the default: what a baseline notes.
    pub fn text(self) -> String {
        let mut words = Vec::new();
        words.extend(self.fold_generics.then(|| "fold_generics".to_string()));
        words.extend(self.fold_recursion.then(|| "fold_recursion".to_string()));
        words.extend(self.with_file.then(|| "file".to_string()));
        words.extend(self.depth.map(|depth| format!("depth:{depth}")));
        if words.is_empty() { "-".into() } else { words.join(",") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(path: &str) -> Vec<String> {
        path.split(BETWEEN).map(String::from).collect()
    }

    #[test]
    fn a_file_reads_as_it_is_written() {
        let rows = [("k1:02", "a < b"), ("k1:01", "std::map<int, int>::insert < main")];
        let row = |path: &str| Row { bytes: 4096.0, objects: 4.0, sd: 12.0, texts: texts(path) };
        let rows = rows.iter().map(|(key, path)| (key.to_string(), row(path))).collect();
        let baseline = Baseline { rate: "exact".into(), keys: "-".into(), rows };
        let text = baseline.text();
        assert_eq!(Baseline::parse(&text, "x").unwrap(), baseline);
        let keys: Vec<&str> = text.lines().skip(1).map(|line| &line[..5]).collect();
        assert_eq!(keys, ["k1:01", "k1:02"], "sorted, for git");
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        let told = |text: &str| Baseline::parse(text, "x.base").unwrap_err().to_string();
        assert_eq!(told(""), "x.base:1: is empty, which no baseline is");
        assert_eq!(told("hello"), "x.base:1: does not begin with 'jeprof-baseline 1'");
        assert_eq!(
            told("jeprof-baseline 2 unit=bytes"),
            format!(
                "x.base:1: was written by another version ('jeprof-baseline 2 unit=bytes'): this one reads \
                 'jeprof-baseline 1'; {WRITE_ANEW}"
            )
        );
        let of_tool = told("jeprof-baseline 2 unit=bytes tool=9.8.7");
        assert!(of_tool.starts_with("x.base:1: was written by the tool's 9.8.7 version ("), "{of_tool}");
        let row = "k1:01 1 1 sd=0 f\n";
        assert_eq!(
            told(&format!("{HEAD}\n{row}k2:01 1 1 sd=0 f")),
            format!("x.base:3: has a key of version k2, and this tool makes k1; {WRITE_ANEW}")
        );
        assert_eq!(
            told(&format!("{HEAD}\n{row}01 1 1 sd=0 f")),
            "x.base:3: is no row: KEY BYTES OBJECTS sd=BYTES FRAMES"
        );
        assert_eq!(told(&format!("{HEAD}\n{row}{row}")), "x.base:3: k1:01 is there twice");
    }

    #[test]
    fn a_stack_that_moved_is_known_by_most_of_its_frames() {
        let moved = |old: &str, new: &str| is_moved(&texts(old), &texts(new));
        assert!(moved("f < g < h < main", "f < g < h < k < main"), "one more");
        assert!(moved("f < g < h < k < main", "f < g < h < main"), "one less");
        assert!(!moved("f < g < main", "f < k < main"), "two of three");
        assert!(!moved("f < g < h < main", "x < g < h < main"), "another leaf");
        assert!(!moved("f < g < h < main", "f < g < h < thread"), "another start");
        assert!(
            moved("lib.so+abcd1234:0x10 < f < main", "lib.so+ffff0000:0x99 < f < main"),
            "a rebuild without names"
        );
    }
}
