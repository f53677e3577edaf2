//! `--where`: which stacks or samples, as a condition over their labels and frames.
//!
//! ```text
//! size>1MiB and age>10m and thread~"grpc" and stack~"Cache::"
//! not released and (leaf=read_block or usize>=64k)
//! ```

mod read;
pub mod value;

use prof_format::dump::{Label, LabelValue};
use regex::Regex;

/// What a condition can be about.
pub struct Field {
    /// The word.
    pub name: &'static str,
    /// What kind of value it has.
    kind: Kind,
    /// Labels that hold it, the first that a stack has counts.
    keys: &'static [&'static str],
    /// What it is, for the help.
    pub about: &'static str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Bytes,
    Time,
    Text,
    Truth,
    /// Any frame of the stack.
    AnyFrame,
    /// The innermost frame that is shown.
    Leaf,
}

/// Every field. Labels are those of recent samples (`load::recent`) and of our profile.proto.
pub const FIELDS: &[Field] = &[
    Field {
        name: "size",
        kind: Kind::Bytes,
        keys: &["size", "bytes"],
        about: "bytes that were asked for; in a heap profile, which knows no more, the average usable size",
    },
    Field { name: "usize", kind: Kind::Bytes, keys: &["usize", "bytes"], about: "usable bytes" },
    Field {
        name: "age",
        kind: Kind::Time,
        keys: &["age"],
        about: "how long a live object has lived; a heap profile knows it to a factor of two, rounded down",
    },
    Field {
        name: "lifetime",
        kind: Kind::Time,
        keys: &["lifetime"],
        about: "how long a freed object lived, likewise",
    },
    Field { name: "released", kind: Kind::Truth, keys: &["released"], about: "whether it was freed" },
    Field { name: "thread", kind: Kind::Text, keys: &["thread"], about: "name of the thread that allocated" },
    Field {
        name: "freed_by",
        kind: Kind::Text,
        keys: &["freed_by"],
        about: "name of the thread that freed; in a heap profile 'same thread' or 'other thread'",
    },
    Field { name: "label", kind: Kind::Text, keys: &["label"], about: "the label that the thread had" },
    Field {
        name: "stack",
        kind: Kind::AnyFrame,
        keys: &[],
        about: "function, file:line or address of any frame",
    },
    Field { name: "leaf", kind: Kind::Leaf, keys: &[], about: "the same of the innermost frame" },
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Less,
    AtMost,
    More,
    AtLeast,
    Equal,
    Unequal,
    Like,
    Unlike,
}

#[derive(Clone, Debug)]
enum Test {
    /// Smallest units: bytes or nanoseconds.
    Number(f64),
    Text(String),
    Pattern(Regex),
    /// Number of an expression in [`Query::patterns`], which whoever knows the names answers.
    Frames(usize),
}

#[derive(Clone, Debug)]
enum Condition {
    Either(Vec<Condition>),
    Both(Vec<Condition>),
    Not(Box<Condition>),
    Compare { keys: &'static [&'static str], operator: Operator, test: Test, leaf_only: bool },
}

/// A condition, read.
#[derive(Clone, Debug)]
pub struct Query {
    /// As it was given.
    pub text: String,
    condition: Condition,
    /// Expressions that frames are held against.
    pub patterns: Vec<Regex>,
}

impl Query {
    /// Reads a condition.
    ///
    /// # Errors
    /// In words, with the place: an unknown field, an operator that the field has not, a value that does not fit.
    pub fn parse(text: &str) -> Result<Query, String> {
        let (condition, patterns) = read::condition(text)?;
        Ok(Query { text: text.into(), condition, patterns })
    }

    /// Whether a stack fits: by its labels, and by what `frame` says of an expression of [`Query::patterns`], for the
    /// innermost frame alone (`true`) or for any.
    ///
    /// What a stack does not tell is neither more, less nor equal to anything: only `!=` and `!~` hold.
    pub fn fits(&self, labels: &[Label], frame: &dyn Fn(usize, bool) -> bool) -> bool {
        self.condition.holds(labels, frame)
    }
}

impl Condition {
    fn holds(&self, labels: &[Label], frame: &dyn Fn(usize, bool) -> bool) -> bool {
        match self {
            Condition::Either(parts) => parts.iter().any(|part| part.holds(labels, frame)),
            Condition::Both(parts) => parts.iter().all(|part| part.holds(labels, frame)),
            Condition::Not(part) => !part.holds(labels, frame),
            Condition::Compare { keys, operator, test, leaf_only } => {
                let negative = matches!(operator, Operator::Unequal | Operator::Unlike);
                let label = || keys.iter().find_map(|key| labels.iter().find(|label| label.key == *key));
                match (test, label().map(|label| &label.value)) {
                    (Test::Frames(pattern), _) => frame(*pattern, *leaf_only) != negative,
                    (Test::Number(wanted), Some(LabelValue::Number { value, .. })) => {
                        operator.compare(*value as f64, *wanted)
                    }
                    (Test::Text(wanted), Some(LabelValue::Text(text))) => (text == wanted) != negative,
                    (Test::Pattern(pattern), Some(LabelValue::Text(text))) => {
                        pattern.is_match(text) != negative
                    }
                    _ => negative,
                }
            }
        }
    }
}

impl Operator {
    fn compare(self, value: f64, wanted: f64) -> bool {
        match self {
            Operator::Less => value < wanted,
            Operator::AtMost => value <= wanted,
            Operator::More => value > wanted,
            Operator::AtLeast => value >= wanted,
            Operator::Equal | Operator::Like => value == wanted,
            Operator::Unequal | Operator::Unlike => value != wanted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels() -> Vec<Label> {
        let number = |key: &str, value: i64, unit: &str| Label {
            key: key.into(),
            value: LabelValue::Number { value, unit: unit.into() },
        };
        let text = |key: &str, value: &str| Label { key: key.into(), value: LabelValue::Text(value.into()) };
        vec![
            number("size", 1 << 20, "bytes"),
            number("usize", (1 << 20) + (1 << 18), "bytes"),
            number("age", 700_000_000_000, "nanoseconds"),
            text("thread", "grpc-worker 3"),
            text("released", "false"),
        ]
    }

    /// Frames, leaf first: `Cache::get` and `main`.
    fn fits(text: &str) -> bool {
        let query = Query::parse(text).unwrap_or_else(|what| panic!("{text}: {what}"));
        let frames = ["Cache::get", "main"];
        query.fits(&labels(), &|pattern, leaf_only| {
            let frames = if leaf_only { &frames[..1] } else { &frames };
            frames.iter().any(|frame| query.patterns[pattern].is_match(frame))
        })
    }

    #[test]
    fn the_example_of_the_help_finds_what_it_is_about() {
        assert!(fits(r#"size>=1MiB and age>10m and thread~"grpc" and stack~"Cache::""#));
        assert!(!fits(r#"size>1MiB and age>10m and thread~"grpc" and stack~"Cache::""#));
    }

    #[test]
    fn and_binds_closer_than_or_and_brackets_closer_still() {
        assert!(fits("size<1 and age<1s or thread~grpc"));
        assert!(!fits("size<1 and (age<1s or thread~grpc)"));
        assert!(fits("not (size<1 or age<1s)") && fits("not size<1 and not age<1s"));
        assert!(fits("SIZE=1m AND NOT age<1s") && fits("size = 1048576 and usize = 1.25MiB"));
    }

    #[test]
    fn texts_are_equal_or_like_and_frames_any_or_the_leaf() {
        assert!(fits(r#"thread="grpc-worker 3""#) && !fits("thread=grpc") && fits("thread!=grpc"));
        assert!(fits("thread!~^http") && fits("leaf~Cache") && !fits("leaf~main") && fits("stack~^main$"));
        assert!(fits("stack=main") && !fits("stack=mai") && fits("leaf!=main") && !fits("stack!~main"));
        assert!(fits("released=false") && !fits("released") && fits("not released"));
    }

    #[test]
    fn what_a_stack_does_not_tell_is_only_unequal() {
        assert!(!fits("lifetime<1h") && !fits("lifetime>=0s") && fits("lifetime!=1s"));
        assert!(!fits("label=a") && !fits("label~a") && fits("label!=a") && fits("label!~a"));
    }

    #[test]
    fn mistakes_are_told_with_what_would_do() {
        for (text, what) in [
            ("sise>1k", "did you mean size?"),
            ("size>10m5", "'10m5'"),
            ("size>10 parsecs", "'and' or 'or'"),
            ("age>10", "10m"),
            ("age>10kb", "'10kb'"),
            ("thread>5", "= != ~ !~"),
            ("size~5", "< <= > >= = !="),
            ("thread~(", "unclosed"),
            ("stack~\"(\"", "unclosed group"),
            ("thread~\"x", "'\"'"),
            ("(size>1k", "')'"),
            ("size>1k)", "')'"),
            ("released=perhaps", "true or false"),
            ("", "condition"),
            ("size", "behind 'size'"),
            ("size>", "value"),
            ("size>1k and", "behind 'and'"),
        ] {
            let error = Query::parse(text).err().unwrap_or_else(|| panic!("'{text}' is read"));
            assert!(error.contains(what), "'{text}': {error}");
        }
    }
}
