//! `jeprof.toml`: limits that a repository sets for its program.

use std::ops::Range;
use std::path::{Path, PathBuf};

use regex::Regex;
use serde::Deserialize;
use toml::Spanned;

use super::stacks::{Shown, Stack};
use crate::error::{Error, Result, read_text};
use crate::model::file_name;
use crate::plan::check::CheckPlan;
use crate::plan::check::Undecided;
use crate::plan::query::value;

/// What a file says.
#[derive(Debug, Default)]
pub struct Config {
    /// Limits, in the order of the file.
    pub budgets: Vec<Budget>,
    /// What it says of how to check.
    check: CheckTable,
    /// The folder that its paths are in.
    folder: PathBuf,
}

/// A limit.
#[derive(Debug)]
pub struct Budget {
    /// What it is called: `total` or the pattern, as it is written.
    pub name: String,
    /// Which stacks; `None` for all together.
    part: Option<(Part, Regex)>,
    /// Whether budgets behind it count the same stacks, too.
    pub all: bool,
    /// Bytes at the end.
    pub max: Option<f64>,
    /// Objects at the end.
    pub objects: Option<f64>,
    /// Bytes from the first dump to the last.
    pub growth: Option<f64>,
    /// Bytes per minute.
    pub rate: Option<f64>,
    /// Bytes per iteration.
    pub per_iteration: Option<f64>,
    /// Who owns it.
    pub owner: Option<String>,
}

/// What of a stack a pattern is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Any frame's function.
    Stack,
    /// The innermost of the program's own.
    Leaf,
    /// The outermost of them.
    Root,
    /// Any frame's source file.
    File,
    /// Any frame's module, without folders.
    Module,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    check: CheckTable,
    #[serde(default)]
    budget: Vec<Spanned<BudgetTable>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckTable {
    confidence: Option<Spanned<f64>>,
    fdr: Option<Spanned<f64>>,
    undecided: Option<Undecided>,
    min_growth: Option<Spanned<String>>,
    #[serde(default)]
    suppressions: Vec<PathBuf>,
    baseline: Option<PathBuf>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BudgetTable {
    #[serde(rename = "match")]
    everything: Option<Spanned<String>>,
    stack: Option<Spanned<String>>,
    leaf: Option<Spanned<String>>,
    root: Option<Spanned<String>>,
    file: Option<Spanned<String>>,
    module: Option<Spanned<String>>,
    #[serde(default)]
    all: bool,
    max: Option<Spanned<String>>,
    objects: Option<f64>,
    growth: Option<Spanned<String>>,
    rate: Option<Spanned<String>>,
    per_iteration: Option<Spanned<String>>,
    owner: Option<String>,
}

/// A text with a name for messages, which name the line.
struct Source<'t> {
    name: String,
    text: &'t str,
}

impl Source<'_> {
    fn at(&self, span: Range<usize>, what: impl std::fmt::Display) -> Error {
        let line = self.text[..span.start.min(self.text.len())].matches('\n').count() + 1;
        Error::at(format_args!("{}:{line}", self.name), what)
    }

    /// The key of the line that a value is on.
    fn key(&self, span: &Range<usize>) -> Option<&str> {
        let start = self.text[..span.start.min(self.text.len())].rfind('\n').map_or(0, |at| at + 1);
        let (key, _) = self.text[start..].lines().next()?.split_once('=')?;
        Some(key.trim())
    }

    fn size(&self, key: &str, text: &Option<Spanned<String>>) -> Result<Option<f64>> {
        let Some(text) = text else { return Ok(None) };
        match value::bytes(text.get_ref()) {
            Some(bytes) => Ok(Some(bytes)),
            None => {
                Err(self
                    .at(text.span(), format_args!("{key}: '{}' is no size such as 64MiB", text.get_ref())))
            }
        }
    }

    fn rate(&self, text: &Option<Spanned<String>>) -> Result<Option<f64>> {
        let Some(text) = text else { return Ok(None) };
        let per_minute = text.get_ref().split_once('/').and_then(|(bytes, time)| {
            let minutes = value::nanoseconds(&format!("1{time}"))? / 60e9;
            Some(value::bytes(bytes)? / minutes)
        });
        let what = || format!("rate: '{}' is no rate such as 256KiB/min", text.get_ref());
        per_minute.map(Some).ok_or_else(|| self.at(text.span(), what()))
    }

    fn share(&self, key: &str, share: &Option<Spanned<f64>>) -> Result<Option<f64>> {
        match share {
            Some(share) if !(0.0..1.0).contains(share.get_ref()) || *share.get_ref() == 0.0 => Err(self
                .at(share.span(), format_args!("{key}: {} is no number between 0 and 1", share.get_ref()))),
            share => Ok(share.as_ref().map(|share| *share.get_ref())),
        }
    }
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or has a key that is not known, a value that does not fit, or a pattern that does not compile; each is
    /// told with its line.
    pub fn read(path: &Path) -> Result<Config> {
        let folder = path.parent().unwrap_or(Path::new(""));
        Config::parse(&read_text(path)?, &path.display().to_string(), folder)
    }

    fn parse(text: &str, name: &str, folder: &Path) -> Result<Config> {
        let source = Source { name: name.into(), text };
        let file: File = toml::from_str(text).map_err(|error| {
            let (span, what) = (error.span().unwrap_or_default(), error.message().replace('`', "'"));
            match source.key(&span).filter(|key| !what.contains(key)) {
                Some(key) => source.at(span, format_args!("{key}: {what}")),
                None => source.at(span, what),
            }
        })?;
        source.share("confidence", &file.check.confidence)?;
        source.share("fdr", &file.check.fdr)?;
        source.size("min_growth", &file.check.min_growth)?;
        let budgets = file.budget.iter().map(|budget| Budget::new(&source, budget)).collect::<Result<_>>()?;
        Ok(Config { budgets, check: file.check, folder: folder.into() })
    }

    /// A plan in which what the command line leaves open is as the file says.
    pub fn applied(&self, plan: &CheckPlan) -> CheckPlan {
        let mut plan = plan.clone();
        let number = |value: &Option<Spanned<f64>>| value.as_ref().map(|value| *value.get_ref());
        plan.confidence = plan.confidence.or(number(&self.check.confidence));
        plan.fdr = plan.fdr.or(number(&self.check.fdr));
        plan.undecided = plan.undecided.or(self.check.undecided);
        let size = self.check.min_growth.as_ref().and_then(|text| value::bytes(text.get_ref()));
        plan.min_growth = plan.min_growth.or(size);
        plan.suppressions.extend(self.check.suppressions.iter().map(|path| self.folder.join(path)));
        plan.baseline = plan.baseline.or(self.check.baseline.as_ref().map(|path| self.folder.join(path)));
        // Beside the configuration, without being named.
        let beside = self.folder.join(".jeprof.supp");
        if beside.exists() && !plan.suppressions.contains(&beside) {
            plan.suppressions.push(beside);
        }
        plan
    }
}

impl Budget {
    fn new(source: &Source<'_>, table: &Spanned<BudgetTable>) -> Result<Budget> {
        let (span, table) = (table.span(), table.get_ref());
        let patterns = [
            (Part::Stack, "stack", &table.stack),
            (Part::Leaf, "leaf", &table.leaf),
            (Part::Root, "root", &table.root),
            (Part::File, "file", &table.file),
            (Part::Module, "module", &table.module),
        ];
        let mut given =
            patterns.into_iter().filter_map(|(part, key, text)| Some((part, key, text.as_ref()?)));
        let (name, part) = match (&table.everything, given.next(), given.next()) {
            (Some(word), None, None) if word.get_ref() == "total" => ("total".to_string(), None),
            (Some(word), None, None) => {
                return Err(
                    source.at(word.span(), format_args!("match: '{}' is not 'total'", word.get_ref()))
                );
            }
            (None, Some((part, key, text)), None) => {
                let pattern = Regex::new(text.get_ref()).map_err(|error| {
                    let why = error.to_string();
                    let why =
                        why.lines().last().unwrap_or_default().trim_start_matches("error: ").to_string();
                    source
                        .at(text.span(), format_args!("{key}: '{}' does not compile: {why}", text.get_ref()))
                })?;
                (text.get_ref().clone(), Some((part, pattern)))
            }
            _ => {
                let what = "a budget is of one of match, stack, leaf, root, file, module";
                return Err(source.at(span, what));
            }
        };
        let budget = Budget {
            name,
            part,
            all: table.all,
            max: source.size("max", &table.max)?,
            objects: table.objects,
            growth: source.size("growth", &table.growth)?,
            rate: source.rate(&table.rate)?,
            per_iteration: source.size("per_iteration", &table.per_iteration)?,
            owner: table.owner.clone(),
        };
        let limits = [budget.max, budget.objects, budget.growth, budget.rate, budget.per_iteration];
        if limits.iter().all(Option::is_none) {
            let what = "a budget without a limit: one of max, objects, growth, rate, per_iteration is needed";
            return Err(source.at(span, what));
        }
        Ok(budget)
    }

    /// Whether a stack counts.
    pub fn is_about(&self, stack: &Stack) -> bool {
        let Some((part, pattern)) = &self.part else { return true };
        let own = stack.own_frames();
        let is_function = |frame: &Shown| pattern.is_match(&frame.function);
        match part {
            Part::Stack => stack.frames.iter().any(is_function),
            Part::Leaf => own.first().is_some_and(is_function),
            Part::Root => own.last().is_some_and(is_function),
            Part::File => stack.frames.iter().any(|frame| pattern.is_match(&frame.file)),
            Part::Module => stack.frames.iter().any(|frame| pattern.is_match(file_name(&frame.module))),
        }
    }

    /// Whether it is about everything together.
    pub fn is_total(&self) -> bool {
        self.part.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Config> {
        Config::parse(text, "jeprof.toml", Path::new("ci"))
    }

    #[test]
    fn limits_are_read_with_their_units() {
        let text = "[check]\nfdr = 0.01\nmin_growth = \"1MiB\"\nundecided = \"fail\"\nsuppressions = [\"a.supp\"]\n\
                    [[budget]]\nmatch = \"total\"\nmax = \"1GiB\"\n\
                    [[budget]]\nstack = \"^server::\"\nobjects = 2_000\nrate = \"256KiB/min\"\nper_iteration = \"0\"\nowner = \"@team\"\n";
        let config = parse(text).unwrap();
        let [total, server] = config.budgets.as_slice() else { panic!("{config:?}") };
        assert_eq!(
            (total.name.as_str(), total.max, total.is_total()),
            ("total", Some(1_073_741_824.0), true)
        );
        assert_eq!(
            (server.objects, server.rate, server.per_iteration, server.owner.as_deref()),
            (Some(2000.0), Some(262_144.0), Some(0.0), Some("@team"))
        );
        let plan = config.applied(&CheckPlan::default());
        assert_eq!(
            (plan.fdr, plan.min_growth, plan.undecided),
            (Some(0.01), Some(1_048_576.0), Some(Undecided::Fail))
        );
        assert_eq!(plan.suppressions, [Path::new("ci/a.supp")]);
        let given = CheckPlan { fdr: Some(0.2), ..CheckPlan::default() };
        assert_eq!(config.applied(&given).fdr, Some(0.2), "the command line counts first");
    }

    #[test]
    fn mistakes_are_told_with_file_line_and_key() {
        let told = |text: &str| parse(text).unwrap_err().to_string();
        let unknown = told("[check]\nfdr = 0.05\nconfidenc = 0.9\n");
        assert!(unknown.starts_with("jeprof.toml:3: unknown field 'confidenc'"), "{unknown}");
        let wrong = told("[check]\nundecided = \"wran\"\n");
        assert!(wrong.starts_with("jeprof.toml:2: undecided: unknown variant 'wran'"), "{wrong}");
        let wrong = told("[check]\n  fdr = \"0.05\"\n");
        assert!(wrong.starts_with("jeprof.toml:2: fdr: invalid type: string"), "{wrong}");
        assert_eq!(told("[check]\nfdr = 5.0\n"), "jeprof.toml:2: fdr: 5 is no number between 0 and 1");
        assert_eq!(
            told("[[budget]]\nmatch = \"total\"\nmax = \"much\"\n"),
            "jeprof.toml:3: max: 'much' is no size such as 64MiB"
        );
        let pattern = told("[[budget]]\nstack = \"(\"\nmax = \"1MiB\"\n");
        assert!(
            pattern.starts_with("jeprof.toml:2: stack: '(' does not compile: unclosed group"),
            "{pattern}"
        );
        assert_eq!(
            told("[[budget]]\nstack = \"a\"\nleaf = \"b\"\nmax = \"1MiB\"\n"),
            "jeprof.toml:1: a budget is of one of match, stack, leaf, root, file, module"
        );
        assert!(told("[[budget]]\nstack = \"a\"\n").contains("a budget without a limit"));
        assert!(told("[check\n").starts_with("jeprof.toml:1:"));
        assert_eq!(
            told("[[budget]]\nmatch = \"total\"\nrate = \"5MiB\"\n"),
            "jeprof.toml:3: rate: '5MiB' is no rate such as 256KiB/min"
        );
    }
}
