//! What the command line asks for.

use suite::bench::rows::{ROWS, RUST, Row};

/// Which part of the set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Programs that an allocator is put into.
    Preloaded,
    /// Rust programs that are linked with their allocator.
    Rust,
}

impl Part {
    /// The option that asks for it, which is also the name of its section of the documentation.
    pub fn option(self) -> &'static str {
        match self {
            Part::Preloaded => "",
            Part::Rust => "--rust",
        }
    }

    /// What it measures.
    pub fn rows(self) -> &'static [Row] {
        match self {
            Part::Preloaded => ROWS,
            Part::Rust => RUST,
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
            if !asked.part.rows().iter().any(|row| row.name.starts_with(word.as_str())) {
                return Err(format!("no row begins with {word}; --list names them"));
            }
        }
        Ok(asked)
    }

    /// Whether a row is to be measured.
    pub fn chooses(&self, row: &Row) -> bool {
        self.only.is_empty() || self.only.iter().any(|word| row.name.starts_with(word))
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
        let chosen = RUST.iter().filter(|row| found.chooses(row)).count();
        assert_eq!((found.part, found.rounds, chosen), (Part::Rust, 5, 5));
        assert_eq!(asked("--quick").expect("is understood").rounds, 1);
        for wrong in ["--rust --only slots1", "--only rust-json", "--rounds 0", "--rounds", "--fast"] {
            assert!(asked(wrong).is_err(), "{wrong}");
        }
    }
}
