//! Filters by label, in pprof's notation.

use prof_format::dump::{Label, LabelValue};
use regex::Regex;

use super::pattern::pattern;

/// `REGEX[,REGEX..]`, `N`, `N:M`, `N:`, `:M` with units of bytes or time, each also as `KEY=..`.
#[derive(Clone, Debug)]
pub struct TagFilter {
    /// As it was given.
    pub text: String,
    key: Option<String>,
    condition: Condition,
}

#[derive(Clone, Debug)]
enum Condition {
    /// A number from here to there, in the smallest unit of its kind.
    Range { from: Option<f64>, to: Option<f64>, kind: Kind },
    /// Texts.
    Matching(Vec<Regex>),
}

/// What a unit measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bytes,
    Nanoseconds,
    Count,
}

/// Units by their names in lower case: kind, and how many of the smallest they are.
const UNITS: &[(&str, Kind, f64)] = &[
    ("", Kind::Count, 1.0),
    ("b", Kind::Bytes, 1.0),
    ("byte", Kind::Bytes, 1.0),
    ("bytes", Kind::Bytes, 1.0),
    ("k", Kind::Bytes, 1024.0),
    ("kb", Kind::Bytes, 1024.0),
    ("kib", Kind::Bytes, 1024.0),
    ("kilobyte", Kind::Bytes, 1024.0),
    ("kilobytes", Kind::Bytes, 1024.0),
    ("m", Kind::Bytes, 1_048_576.0),
    ("mb", Kind::Bytes, 1_048_576.0),
    ("mib", Kind::Bytes, 1_048_576.0),
    ("megabyte", Kind::Bytes, 1_048_576.0),
    ("megabytes", Kind::Bytes, 1_048_576.0),
    ("g", Kind::Bytes, 1_073_741_824.0),
    ("gb", Kind::Bytes, 1_073_741_824.0),
    ("gib", Kind::Bytes, 1_073_741_824.0),
    ("ns", Kind::Nanoseconds, 1.0),
    ("nanoseconds", Kind::Nanoseconds, 1.0),
    ("us", Kind::Nanoseconds, 1e3),
    ("microseconds", Kind::Nanoseconds, 1e3),
    ("ms", Kind::Nanoseconds, 1e6),
    ("milliseconds", Kind::Nanoseconds, 1e6),
    ("s", Kind::Nanoseconds, 1e9),
    ("seconds", Kind::Nanoseconds, 1e9),
    ("min", Kind::Nanoseconds, 60e9),
    ("h", Kind::Nanoseconds, 3600e9),
];

impl TagFilter {
    /// Reads a filter.
    ///
    /// # Errors
    /// In words: a part is no regular expression.
    pub fn parse(text: &str) -> Result<TagFilter, String> {
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (Some(key.to_string()), value),
            None => (None, text),
        };
        if let Some(condition) = range(value) {
            return Ok(TagFilter { text: text.into(), key, condition });
        }
        let expressions = value.split(',').map(pattern);
        let condition = Condition::Matching(expressions.collect::<Result<_, _>>()?);
        Ok(TagFilter { text: text.into(), key, condition })
    }

    /// Whether a set of labels fits. Without a key every expression must match some `key:value`, or a number of any
    /// key lie in the range; with a key, one expression must match one of its values.
    pub fn fits(&self, labels: &[Label]) -> bool {
        let mut of_key = labels.iter().filter(|label| self.key.as_ref().is_none_or(|key| label.key == *key));
        match &self.condition {
            Condition::Range { from, to, kind } => of_key.any(|label| {
                let LabelValue::Number { value, unit } = &label.value else { return false };
                let unit = unit.to_lowercase();
                let Some((_, of_kind, factor)) = UNITS.iter().find(|(name, ..)| *name == unit) else {
                    return false;
                };
                // A number without a unit, on either side, is in the other's.
                let comparable = of_kind == kind || *of_kind == Kind::Count || *kind == Kind::Count;
                let value = *value as f64 * factor;
                comparable && from.is_none_or(|from| from <= value) && to.is_none_or(|to| value <= to)
            }),
            Condition::Matching(expressions) => {
                let texts: Vec<String> = of_key
                    .filter_map(|label| match (&label.value, &self.key) {
                        (LabelValue::Text(text), None) => Some(format!("{}:{text}", label.key)),
                        (LabelValue::Text(text), Some(_)) => Some(text.clone()),
                        (LabelValue::Number { .. }, _) => None,
                    })
                    .collect();
                let matched = |regex: &Regex| texts.iter().any(|text| regex.is_match(text));
                match self.key {
                    None => expressions.iter().all(matched),
                    Some(_) => expressions.iter().any(matched),
                }
            }
        }
    }
}

fn range(text: &str) -> Option<Condition> {
    let (from, to) = match text.split_once(':') {
        Some((from, to)) => (from, to),
        None => (text, text),
    };
    let number = |text: &str| -> Option<Option<(f64, Kind)>> {
        if text.is_empty() { Some(None) } else { quantity(text).map(Some) }
    };
    let (from, to) = (number(from)?, number(to)?);
    let kind = from.or(to)?.1;
    // `1:5mb` is from one megabyte.
    let from = match (from, to, text) {
        (Some((value, Kind::Count)), Some((_, to_kind)), _) if to_kind != Kind::Count => {
            let unit = text.rsplit(|letter: char| letter.is_ascii_digit() || letter == '.').next()?;
            let (_, kind, factor) = UNITS.iter().find(|(name, ..)| *name == unit.to_lowercase())?;
            Some((value * factor, *kind))
        }
        _ => from,
    };
    let kind = to.map_or(kind, |(_, kind)| kind);
    Some(Condition::Range { from: from.map(|(value, _)| value), to: to.map(|(value, _)| value), kind })
}

fn quantity(text: &str) -> Option<(f64, Kind)> {
    let end = text.find(|letter: char| letter.is_ascii_alphabetic()).unwrap_or(text.len());
    let (_, kind, factor) = UNITS.iter().find(|(name, ..)| *name == text[end..].to_lowercase())?;
    let value: f64 = text[..end].parse().ok()?;
    value.is_finite().then_some((value * factor, *kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(filter: &str) -> bool {
        let text = |key: &str, value: &str| Label { key: key.into(), value: LabelValue::Text(value.into()) };
        let bytes = LabelValue::Number { value: 3 << 20, unit: "bytes".into() };
        let labels =
            [text("thread", "worker-1"), text("tenant", "a"), Label { key: "bytes".into(), value: bytes }];
        TagFilter::parse(filter).unwrap().fits(&labels)
    }

    #[test]
    fn expressions_match_a_label_and_all_of_them_must() {
        assert!(fits("worker") && fits("thread:w") && fits("worker,tenant") && fits("thread=^worker-1$"));
        assert!(fits("thread=x,w") && !fits("worker,nothing") && !fits("tenant=worker") && !fits("bytes"));
    }

    #[test]
    fn ranges_are_about_numbers_with_units() {
        assert!(fits("3mb") && fits("1mb:") && fits(":4mb") && fits("1:5mb") && fits("bytes=1000kb:1gb"));
        assert!(fits("3145728") && fits("1000000:"));
        assert!(!fits("2mb") && !fits("4mb:") && !fits(":1kb") && !fits("thread=1mb:") && !fits("1s:"));
    }

    #[test]
    fn a_bad_expression_is_told() {
        assert!(TagFilter::parse("thread=(").is_err());
    }
}
