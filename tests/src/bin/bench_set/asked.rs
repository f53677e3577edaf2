//! What the command line asks for.

use suite::bench::leaks::WAYS;
use suite::bench::locks::LOADS;
use suite::bench::operations::OPERATIONS;
use suite::bench::profiler::SUBSET;
use suite::bench::report::{BASE, OURS};
use suite::bench::rows::{ROWS, RUST, Row};

/// Which part of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Programs that an allocator is put into.
    Preloaded,
    /// Rust programs that are linked with their allocator.
    Rust,
    /// How often locks are taken and waited for.
    Locks,
    /// What single operations cost.
    Operations,
    /// What profiling costs.
    Profiler,
    /// What looking for leaks costs.
    Leaks,
}

impl Part {
    /// The option that asks for it, which is also the name of its section of the documentation.
    pub fn option(self) -> &'static str {
        match self {
            Part::Preloaded => "",
            Part::Rust => "--rust",
            Part::Locks => "--locks",
            Part::Operations => "--operations",
            Part::Profiler => "--profiler",
            Part::Leaks => "--leaks",
        }
    }

    /// The rows that it measures for time and memory.
    pub fn rows(self) -> &'static [Row] {
        match self {
            Part::Preloaded => ROWS,
            Part::Rust => RUST,
            Part::Locks | Part::Operations | Part::Profiler | Part::Leaks => &[],
        }
    }

    /// What it measures: names, and what they are.
    pub fn names(self) -> Vec<(&'static str, String)> {
        match self {
            Part::Preloaded | Part::Rust => {
                self.rows().iter().map(|row| (row.name, row.what.to_owned())).collect()
            }
            Part::Locks => {
                let what = |threads, conf| format!("locks of a server with {threads} threads {conf}");
                LOADS.iter().map(|load| (load.name, what(load.threads, load.conf))).collect()
            }
            Part::Profiler => {
                let row = |name: &&'static str| (*name, "time with profiling".to_owned());
                let whole = [
                    ("live", "resident memory with a million live objects".to_owned()),
                    ("sample", "nanoseconds of a sampled allocation".to_owned()),
                ];
                whole.into_iter().chain(SUBSET.iter().map(row)).collect()
            }
            Part::Leaks => WAYS.iter().map(|way| (way.name, way.what.to_owned())).collect(),
            Part::Operations => {
                OPERATIONS.iter().map(|operation| (operation.name, operation.what.to_owned())).collect()
            }
        }
    }
}

/// What was asked for.
pub struct Asked {
    /// Which part of the set.
    pub part: Part,
    /// An eighth of the work.
    pub quick: bool,
    /// How often each allocator runs a row.
    pub rounds: usize,
    /// Rows whose names begin so; none for all.
    pub only: Vec<String>,
    /// Peers; none for all.
    pub peers: Vec<String>,
    /// Only to name the rows.
    pub list: bool,
    /// Only to write what was measured before.
    pub report: bool,
}

impl Asked {
    /// Understands the words of the command line.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn new(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
        let mut asked = Asked {
            part: Part::Preloaded,
            quick: false,
            rounds: 0,
            only: Vec::new(),
            peers: Vec::new(),
            list: false,
            report: false,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
            let split = |list: String| list.split(',').map(str::to_owned).collect();
            match word.as_str() {
                "--rust" => asked.part = Part::Rust,
                "--locks" => asked.part = Part::Locks,
                "--operations" => asked.part = Part::Operations,
                "--profiler" => asked.part = Part::Profiler,
                "--leaks" => asked.part = Part::Leaks,
                "--quick" => asked.quick = true,
                "--rounds" => {
                    let count = value()?.parse().ok().filter(|count| (1..=1000).contains(count));
                    asked.rounds = count.ok_or("--rounds needs a number from 1 to 1000")?;
                }
                "--only" => asked.only = split(value()?),
                "--peers" => asked.peers = split(value()?),
                "--list" => asked.list = true,
                "--report" => asked.report = true,
                _ => return Err(format!("no option {word}")),
            }
        }
        if asked.rounds == 0 {
            asked.rounds = if asked.quick { 1 } else { 5 };
        }
        for word in &asked.only {
            if !asked.part.names().iter().any(|(name, _)| name.starts_with(word.as_str())) {
                return Err(format!("no row begins with {word}; --list names them"));
            }
        }
        Ok(asked)
    }

    /// Whether an allocator takes part: the two that all is about always do.
    pub fn includes(&self, peer: &str) -> bool {
        [BASE, OURS].contains(&peer) || self.peers.is_empty() || self.peers.iter().any(|name| name == peer)
    }

    /// Whether what has this name is to be measured.
    pub fn chooses(&self, name: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|word| name.starts_with(word.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Result<Asked, String> {
        Asked::new(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn rows_are_those_of_the_part() {
        let found = asked("--rust --only rust-json,fat").expect("is understood");
        let chosen = RUST.iter().filter(|row| found.chooses(row.name)).count();
        assert_eq!((found.part, found.rounds, chosen), (Part::Rust, 5, 5));
        assert_eq!(asked("--quick").expect("is understood").rounds, 1);
        for wrong in [
            "--rust --only slots1",
            "--locks --only slots1",
            "--only rust-json",
            "--rounds 0",
            "--rounds",
            "--fast",
        ] {
            assert!(asked(wrong).is_err(), "{wrong}");
        }
    }
}
