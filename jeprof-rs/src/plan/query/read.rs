//! From the text of a condition to what it means.

use regex::Regex;

use super::{Condition, FIELDS, Field, Kind, Operator, Test, value};
use crate::plan::pattern::pattern;

/// Signs of the operators, longer ones before those that they begin with.
const OPERATORS: &[(&str, Operator)] = &[
    ("<=", Operator::AtMost),
    (">=", Operator::AtLeast),
    ("!=", Operator::Unequal),
    ("!~", Operator::Unlike),
    ("==", Operator::Equal),
    ("=~", Operator::Like),
    ("<", Operator::Less),
    (">", Operator::More),
    ("=", Operator::Equal),
    ("~", Operator::Like),
];

/// From this likeness on, of at most 1, a field is suggested for a word that is none.
const ALIKE_MIN: f64 = 0.6;

/// Brackets and `not` within each other; a condition that people write has a handful.
const DEPTH_MAX: usize = 100;

/// Reads a condition: what it is, and the expressions for frames.
pub fn condition(text: &str) -> Result<(Condition, Vec<Regex>), String> {
    let mut reader = Reader { rest: text, last: None, patterns: Vec::new(), depth: 0 };
    let condition = reader.either()?;
    match reader.peek() {
        "" => Ok((condition, reader.patterns)),
        ")" => Err("there is a ')' without '('".into()),
        other => Err(format!("'{other}' stands where 'and' or 'or' should")),
    }
}

struct Reader<'t> {
    rest: &'t str,
    /// The word in front of the rest, for what is missing behind it.
    last: Option<&'t str>,
    patterns: Vec<Regex>,
    depth: usize,
}

impl<'t> Reader<'t> {
    /// The next word or sign; empty at the end.
    fn peek(&self) -> &'t str {
        let rest = self.rest.trim_start();
        let first = rest.chars().next();
        let length = match first {
            Some('(' | ')' | '"') => 1,
            Some(letter) if is_sign(letter) => {
                OPERATORS.iter().find(|(sign, _)| rest.starts_with(sign)).map_or(1, |(sign, _)| sign.len())
            }
            _ => rest
                .find(|letter: char| letter.is_whitespace() || is_sign(letter) || "()\"".contains(letter))
                .unwrap_or(rest.len()),
        };
        &rest[..length]
    }

    fn take(&mut self) -> &'t str {
        let word = self.peek();
        self.rest = &self.rest.trim_start()[word.len()..];
        self.last = Some(word);
        word
    }

    fn takes(&mut self, word: &str) -> bool {
        let is_next = self.peek().eq_ignore_ascii_case(word);
        if is_next {
            self.take();
        }
        is_next
    }

    fn either(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.both()?];
        while self.takes("or") {
            parts.push(self.both()?);
        }
        Ok(Condition::Either(parts))
    }

    fn both(&mut self) -> Result<Condition, String> {
        let mut parts = vec![self.one()?];
        while self.takes("and") {
            parts.push(self.one()?);
        }
        Ok(Condition::Both(parts))
    }

    fn one(&mut self) -> Result<Condition, String> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(format!("more than {DEPTH_MAX} brackets within each other"));
        }
        let condition = if self.takes("not") {
            Condition::Not(Box::new(self.one()?))
        } else if self.takes("(") {
            let inner = self.either()?;
            if !self.takes(")") {
                return Err("a '(' has no ')'".into());
            }
            inner
        } else {
            self.comparison()?
        };
        self.depth -= 1;
        Ok(condition)
    }

    fn comparison(&mut self) -> Result<Condition, String> {
        let before = self.last;
        let word = self.take();
        if word.is_empty() {
            return Err(match before {
                Some(before) => format!("a condition is missing behind '{before}'"),
                None => "is empty, where a condition such as size>1MiB should be".into(),
            });
        }
        let field = field(word)?;
        let sign = self.peek();
        let Some((_, operator)) = OPERATORS.iter().find(|(known, _)| *known == sign) else {
            if field.kind == Kind::Truth {
                let test = Test::Text("true".into());
                return Ok(compare(field, Operator::Equal, test));
            }
            return Err(format!("one of {} is missing behind '{word}'", operators_of(field.kind)));
        };
        if !operators_of(field.kind).split(' ').any(|known| OPERATORS.contains(&(known, *operator))) {
            return Err(format!("'{word}' has no '{sign}': it is compared by {}", operators_of(field.kind)));
        }
        self.take();
        let value = self.value(sign)?;
        let test = self.test(field, *operator, &value)?;
        Ok(compare(field, *operator, test))
    }

    /// What stands behind an operator: up to the next blank or bracket, or in double quotes, where `\"` is one.
    fn value(&mut self, sign: &str) -> Result<String, String> {
        let rest = self.rest.trim_start();
        let Some(quoted) = rest.strip_prefix('"') else {
            let end = rest.find(|letter: char| letter.is_whitespace() || letter == ')').unwrap_or(rest.len());
            if end == 0 {
                return Err(format!("a value is missing behind '{sign}'"));
            }
            self.rest = &rest[end..];
            self.last = Some(&rest[..end]);
            return Ok(rest[..end].into());
        };
        let mut text = String::new();
        let mut letters = quoted.char_indices();
        while let Some((at, letter)) = letters.next() {
            match letter {
                '"' => {
                    self.rest = &quoted[at + 1..];
                    self.last = Some(&quoted[..at]);
                    return Ok(text);
                }
                // All other escapes are for the regular expression.
                '\\' if quoted[at + 1..].starts_with('"') => {
                    letters.next();
                    text.push('"');
                }
                letter => text.push(letter),
            }
        }
        Err("a text has no closing '\"'".into())
    }

    fn test(&mut self, field: &Field, operator: Operator, value: &str) -> Result<Test, String> {
        let name = field.name;
        match field.kind {
            Kind::Bytes => value::bytes(value)
                .map(Test::Number)
                .ok_or_else(|| format!("'{value}' is no size for '{name}', such as 4096, 64k or 1MiB")),
            Kind::Time => value::nanoseconds(value)
                .map(Test::Number)
                .ok_or_else(|| format!("'{value}' is no time for '{name}', such as 10ms, 30s, 10m or 2h")),
            Kind::Truth => match value.to_ascii_lowercase().as_str() {
                text @ ("true" | "false") => Ok(Test::Text(text.into())),
                _ => Err(format!("'{value}' is nothing for '{name}': it is true or false")),
            },
            Kind::Text => match operator {
                Operator::Like | Operator::Unlike => pattern(value).map(Test::Pattern),
                _ => Ok(Test::Text(value.into())),
            },
            Kind::AnyFrame | Kind::Leaf => {
                let whole = matches!(operator, Operator::Equal | Operator::Unequal);
                let expression =
                    if whole { format!("^(?:{})$", regex::escape(value)) } else { value.to_owned() };
                self.patterns.push(pattern(&expression)?);
                Ok(Test::Frames(self.patterns.len() - 1))
            }
        }
    }
}

fn is_sign(letter: char) -> bool {
    "<>=!~".contains(letter)
}

fn compare(field: &Field, operator: Operator, test: Test) -> Condition {
    Condition::Compare { keys: field.keys, operator, test, leaf_only: field.kind == Kind::Leaf }
}

fn field(word: &str) -> Result<&'static Field, String> {
    if let Some(field) = FIELDS.iter().find(|field| field.name.eq_ignore_ascii_case(word)) {
        return Ok(field);
    }
    let names: Vec<&str> = FIELDS.iter().map(|field| field.name).collect();
    let likeness = |name: &str| strsim::normalized_damerau_levenshtein(name, &word.to_lowercase());
    let best = names.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
    let meant = best
        .filter(|name| likeness(name) >= ALIKE_MIN)
        .map_or(String::new(), |name| format!(", did you mean {name}?"));
    Err(format!("there is no '{word}'{meant} (there are {})", names.join(", ")))
}

fn operators_of(kind: Kind) -> &'static str {
    match kind {
        Kind::Bytes | Kind::Time => "< <= > >= = !=",
        Kind::Truth => "= !=",
        Kind::Text | Kind::AnyFrame | Kind::Leaf => "= != ~ !~",
    }
}
