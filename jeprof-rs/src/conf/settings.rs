//! What a string sets, as one allocator understood it, and the options by name.

use std::collections::BTreeMap;

use super::option::Row;
use super::target::Target;
use super::value::{self, Value};
use super::{jemalloc, ours};

/// The option of a name.
pub fn option(name: &str, target: Target) -> Option<&'static Row> {
    options(target).find(|row| row.name == name)
}

/// All options of an allocator.
pub fn options(target: Target) -> impl Iterator<Item = &'static Row> {
    let (theirs, own): (&[Row], &[Row]) =
        if target.is_jemalloc() { (jemalloc::ROWS, &[]) } else { (&[], ours::rows()) };
    theirs.iter().filter(move |row| row.is_for(target)).chain(own)
}

/// The values that count.
#[derive(Debug)]
pub struct Settings {
    /// Whose rules hold.
    pub target: Target,
    values: BTreeMap<&'static str, Value>,
}

impl Settings {
    /// Nothing set.
    pub fn new(target: Target) -> Settings {
        Settings { target, values: BTreeMap::new() }
    }

    /// Sets an option.
    pub fn set(&mut self, row: &'static Row, value: Value) {
        self.values.insert(row.name, value);
    }

    /// The value that the string gives to an option.
    pub fn given(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// Names of the options that got another value than their default.
    pub fn changed(&self) -> impl Iterator<Item = &'static str> {
        self.values
            .iter()
            .filter(|(name, value)| self.default(name).as_ref() != Some(*value))
            .map(|(name, _)| *name)
    }

    /// A switch, set or not.
    pub fn on(&self, name: &str) -> bool {
        matches!(self.value(name), Some(Value::Bool(true)))
    }

    /// A number, set or not.
    pub fn number(&self, name: &str) -> Option<i128> {
        match self.value(name) {
            Some(Value::Number(number)) => Some(number),
            _ => None,
        }
    }

    /// A word or text, set or not.
    pub fn text(&self, name: &str) -> Option<String> {
        match self.value(name) {
            Some(Value::Word(word)) => Some(word.into()),
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    fn value(&self, name: &str) -> Option<Value> {
        self.given(name).cloned().or_else(|| self.default(name))
    }

    fn default(&self, name: &str) -> Option<Value> {
        let row = option(name, self.target)?;
        if row.default.is_empty() {
            return None;
        }
        value::read(name, row.kind, row.default, self.target).ok().map(|taken| taken.value)
    }
}
