//! The figures of `--operations`: what single operations cost under each allocator.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use suite::bench::figures::{Figures, Metric};
use suite::bench::in_turn;
use suite::bench::operations::{How, OPERATIONS, Operation, markdown};
use suite::scratch::Scratch;

use crate::asked::{Asked, Part};
use crate::peers::Peer;
use crate::{kept_before, measure, page, peers, programs, real, store};

/// The programs, and where a run's output goes.
struct Bench {
    single: PathBuf,
    nothing: PathBuf,
    output: PathBuf,
}

/// Measures the operations that were asked for, and writes the section of the documentation when all have been.
///
/// # Errors
/// What could not be built or written.
pub fn run(asked: &Asked) -> Result<(), String> {
    let scratch = Scratch::new("bench-operations");
    let bench = Bench {
        single: programs::compiled("single.c")?,
        nothing: programs::compiled("nothing.c")?,
        output: scratch.file("output"),
    };
    let (all, missing) = peers::all()?;
    let peers: Vec<&Peer> = all.iter().filter(|peer| asked.includes(&peer.name)).collect();
    let names: Vec<&str> = peers.iter().map(|peer| peer.name.as_str()).collect();
    let (can, mut left_out): (Vec<&Operation>, Vec<String>) = match real::told("valgrind", &["--version"]) {
        Ok(_) => (OPERATIONS.iter().collect(), Vec::new()),
        Err(_) => {
            let (counted, rest): (Vec<_>, Vec<_>) =
                OPERATIONS.iter().partition(|operation| operation.how.metric() == Metric::Instructions);
            (
                rest,
                counted
                    .iter()
                    .map(|operation| format!("{} (valgrind is not installed)", operation.name))
                    .collect(),
            )
        }
    };
    let mut kept = kept_before(asked)?;
    for operation in can.iter().filter(|operation| !asked.report && asked.chooses(operation.name)) {
        peers.iter().for_each(|peer| kept.forget(operation.name, &peer.name));
        for round in 0..asked.rounds {
            for which in in_turn(peers.len(), round) {
                bench.sample(operation, peers[which], round, &mut kept);
            }
        }
        println!("{}", line(operation, &kept, &names));
        if !asked.quick {
            page::write(&store(), &kept.text())?;
        }
    }
    left_out.extend(failures(&can, &kept, &names));
    let text = format!("{}\n{}", page::conditions(&all, &missing, &left_out), markdown(&kept, &names));
    println!("\n{text}");
    let measured =
        |operation: &&Operation| kept.median(operation.name, operation.how.metric(), &all[1].name).is_some();
    if asked.quick || !can.iter().all(measured) {
        println!("the documentation stays as it is");
        return Ok(());
    }
    page::replace(Part::Operations.option(), &text)
}

/// Operations that failed, together where the same allocators did.
fn failures(operations: &[&Operation], kept: &Figures, names: &[&str]) -> Vec<String> {
    let mut found: Vec<(Vec<&str>, Vec<&str>)> = Vec::new();
    for operation in operations {
        let failed = |peer: &&&str| !kept.samples(operation.name, Metric::Failed, peer).is_empty();
        let failed: Vec<&str> = names.iter().filter(failed).copied().collect();
        match found.last_mut() {
            _ if failed.is_empty() => {}
            Some((same, operations)) if *same == failed => operations.push(operation.name),
            _ => found.push((failed, vec![operation.name])),
        }
    }
    let line = |(peers, operations): &(Vec<&str>, Vec<&str>)| {
        format!("{} (failed under {})", operations.join(", "), peers.join(", "))
    };
    found.iter().map(line).collect()
}

/// One line about an operation that has been measured.
fn line(operation: &Operation, kept: &Figures, names: &[&str]) -> String {
    let cell = |peer: &&str| match kept.median(operation.name, operation.how.metric(), peer) {
        Some(value) => format!(" {peer} {value:.1}"),
        None => format!(" {peer} -"),
    };
    format!("{:<20}{}", operation.name, names.iter().map(cell).collect::<String>())
}

impl Bench {
    /// One sample, or the note that there is none. Instructions are the same each time, so one round is enough.
    fn sample(&self, operation: &Operation, peer: &Peer, round: usize, kept: &mut Figures) {
        let (what, size) = operation.program;
        let value = match operation.how {
            How::Instructions { .. } if round > 0 => return,
            How::Instructions { counts, each, without } => {
                self.instructions(peer, what, size, counts).and_then(|with| match without {
                    Some(size) => Ok(with - self.instructions(peer, what, size, counts)?),
                    None => Ok(with / each as f64),
                })
            }
            How::Nanoseconds(count) => self
                .ran(self.program(what, size, count), peer)
                .and_then(|run| run.told("nanoseconds").ok_or_else(|| "no time was told".to_owned())),
            How::Resident => self.ran(Command::new(&self.nothing), peer).and_then(|run| {
                let stage = run.stages().first().map(|(_, bytes)| *bytes);
                stage.ok_or_else(|| "no memory was told".to_owned())
            }),
        };
        match value {
            Ok(value) => kept.add(operation.name, operation.how.metric(), &peer.name, value),
            Err(what) => {
                eprintln!("bench-set: {} under {}: {what}", operation.name, peer.name);
                kept.add(operation.name, Metric::Failed, &peer.name, 1.0);
            }
        }
    }

    fn program(&self, what: &str, size: u64, count: u64) -> Command {
        let mut command = Command::new(&self.single);
        command.args([what, &size.to_string(), &count.to_string()]);
        command
    }

    fn ran(&self, mut command: Command, peer: &Peer) -> Result<measure::Run, String> {
        command.env("LD_PRELOAD", &peer.path).env_remove("MALLOC_CONF").stdin(Stdio::null());
        measure::run(&mut command, &self.output, None)
    }

    /// Instructions of one more operation.
    fn instructions(&self, peer: &Peer, what: &str, size: u64, counts: [u64; 2]) -> Result<f64, String> {
        let [few, many] = counts;
        let [less, more] = counts.map(|count| self.collected(peer, self.program(what, size, count)));
        Ok((more? - less?) / (many - few) as f64)
    }

    /// Instructions of a whole run. Valgrind leaves the allocator alone here: only its memory checkers have their own.
    fn collected(&self, peer: &Peer, program: Command) -> Result<f64, String> {
        let mut command = Command::new("valgrind");
        command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
        command.arg(program.get_program()).args(program.get_args());
        command.env("LD_PRELOAD", &peer.path).env_remove("MALLOC_CONF").stdin(Stdio::null());
        let answer = command.output().map_err(|error| format!("valgrind: {error}"))?;
        let said = String::from_utf8_lossy(&answer.stderr);
        if !answer.status.success() {
            return Err(format!("under valgrind: {}", answer.status));
        }
        collected(&said).ok_or_else(|| "valgrind tells no number of instructions".to_owned())
    }
}

/// The number in callgrind's last words.
fn collected(said: &str) -> Option<f64> {
    said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_told_once_for_the_same_allocators() {
        let mut kept = Figures::default();
        for operation in &OPERATIONS[..3] {
            kept.add(operation.name, Metric::Failed, "other", 1.0);
        }
        kept.add(OPERATIONS[4].name, Metric::Failed, "another", 1.0);
        let told = failures(&OPERATIONS.iter().collect::<Vec<_>>(), &kept, &["ours", "other", "another"]);
        assert_eq!(
            told,
            ["pair-16, pair-64, pair-100 (failed under other)", "pair-1024 (failed under another)"]
        );
    }

    #[test]
    fn callgrind_tells_its_count_in_one_line() {
        let said =
            "==7== Events    : Ir\n==7== Collected : 3570597\n==7== \n==7== I   refs:      3,570,597\n";
        assert_eq!(collected(said), Some(3_570_597.0));
        assert_eq!(collected("==7== Process terminating\n"), None);
    }
}
