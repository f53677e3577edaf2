//! What is known of an option: one row each.

use super::readable::Unit;
use super::target::Target;
use super::value::Kind;

/// An option as one allocator knows it.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The key.
    pub name: &'static str,
    /// What its value may be.
    pub kind: Kind,
    /// Its value when nothing is set; empty where that depends on the machine.
    pub default: &'static str,
    /// jemalloc's versions that have it.
    pub versions: Versions,
    /// The configure option without which jemalloc does not know the key.
    pub build: Option<&'static str>,
    /// What a value means.
    pub says: Says,
}

/// jemalloc's versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// 5.3.0 and 5.3.1.
    Both,
    /// Not 5.3.1.
    Until530,
    /// Not 5.3.0.
    From531,
}

/// What a value means, in words. `{}` stands for the value, with its unit.
#[derive(Clone, Copy, Debug)]
pub enum Says {
    /// When on, when off.
    Switch(&'static str, &'static str),
    /// The rule, and numbers that mean something of their own.
    Amount(Unit, &'static str, &'static [(i128, &'static str)]),
    /// One sentence for each word of the kind, in their order.
    Words(&'static [&'static str]),
    /// One sentence for any value.
    Any(&'static str),
}

impl Row {
    /// Whether this row is jemalloc's for that version.
    pub fn is_for(&self, target: Target) -> bool {
        match self.versions {
            Versions::Both => target.is_jemalloc(),
            Versions::Until530 => target == Target::Jemalloc530,
            Versions::From531 => target == Target::Jemalloc531,
        }
    }

    /// jemalloc 5.3.0 has another row of the name, or none.
    pub(super) const fn since_531(mut self) -> Row {
        self.versions = Versions::From531;
        self
    }

    /// jemalloc 5.3.1 has another row of the name, or none.
    pub(super) const fn until_530(mut self) -> Row {
        self.versions = Versions::Until530;
        self
    }

    /// The key is known only where jemalloc was configured with this.
    pub(super) const fn built_with(mut self, configure: &'static str) -> Row {
        self.build = Some(configure);
        self
    }
}

pub(super) const fn row(name: &'static str, kind: Kind, default: &'static str, says: Says) -> Row {
    Row { name, kind, default, versions: Versions::Both, build: None, says }
}

pub(super) const fn switch(
    name: &'static str,
    default: &'static str,
    on: &'static str,
    off: &'static str,
) -> Row {
    row(name, Kind::Bool, default, Says::Switch(on, off))
}

pub(super) const fn words(
    name: &'static str,
    beginnings: bool,
    default: &'static str,
    words: &'static str,
    says: &'static [&'static str],
) -> Row {
    row(name, Kind::Words { words, beginnings }, default, Says::Words(says))
}

/// Numbers outside are refused.
pub(super) const fn within(min: i128, max: i128) -> Kind {
    Kind::Number { min, max, clip: false }
}

/// Numbers outside are moved to the nearest bound.
pub(super) const fn clipped(min: i128, max: i128) -> Kind {
    Kind::Number { min, max, clip: true }
}
