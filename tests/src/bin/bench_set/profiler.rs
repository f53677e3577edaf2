//! The figures of `--profiler`: what profiling costs, ours and the C jemalloc side by side.

use std::path::PathBuf;
use std::process::Command;

use suite::bench::figures::{Figures, Metric};
use suite::bench::in_turn;
use suite::bench::profiler::{
    DEPTHS, LIVE, OFF, Part as SamplePart, RATES, SUBSET, column, markdown, overhead, parts, sampling,
};
use suite::bench::rows::ROWS;
use suite::scratch::Scratch;

use crate::asked::{Asked, Part};
use crate::peers::Peer;
use crate::ready::Ready;
use crate::{measure, page, peers, programs};

/// Pairs of one run.
const PAIRS: u64 = 200_000;

/// What is measured into.
struct Bench<'a> {
    asked: &'a Asked,
    /// Ours first.
    peers: Vec<Peer>,
    program: PathBuf,
    output: PathBuf,
    figures: Figures,
}

/// Measures what was asked for, and writes the section of the documentation when that was all.
///
/// # Errors
/// What could not be built or written.
pub fn run(asked: &Asked) -> Result<(), String> {
    let scratch = Scratch::new("bench-profiler");
    let mut peers = peers::main_two();
    peers.reverse();
    let mut bench = Bench {
        asked,
        program: programs::compiled("profiled.c")?,
        output: scratch.file("output"),
        figures: Figures::default(),
        peers,
    };
    let mut left_out = Vec::new();
    if asked.chooses("live") {
        bench.memory()?;
    }
    if asked.chooses("sample") {
        bench.samples()?;
    }
    for row in ROWS.iter().filter(|row| SUBSET.contains(&row.name) && asked.chooses(row.name)) {
        match Ready::new(row, asked.quick, &scratch) {
            Ok(ready) => bench.row(&ready)?,
            Err(what) => left_out.push(format!("{} ({what})", row.name)),
        }
    }
    let names: Vec<&str> = bench.peers.iter().map(|peer| peer.name.as_str()).collect();
    let conditions = page::conditions(&bench.peers, &[], &left_out);
    let text = format!("{conditions}\n{}", markdown(&bench.figures, &names));
    println!("\n{text}");
    if asked.quick || !asked.only.is_empty() {
        println!("the documentation stays as it is");
        return Ok(());
    }
    page::replace(Part::Profiler.option(), &text)
}

impl Bench<'_> {
    /// Every allocator with every setting, once a round, beginning with another each round.
    fn in_rounds(
        &mut self,
        confs: &[String],
        mut once: impl FnMut(&Peer, &str, &mut Self) -> Result<(), String>,
    ) -> Result<(), String> {
        let peers = std::mem::take(&mut self.peers);
        let all: Vec<(&Peer, &String)> =
            peers.iter().flat_map(|peer| confs.iter().map(move |conf| (peer, conf))).collect();
        let rounds = self.asked.rounds;
        let answer = (0..rounds)
            .flat_map(|round| in_turn(all.len(), round))
            .try_for_each(|which| once(all[which].0, all[which].1, self));
        self.peers = peers;
        answer
    }

    fn ran(&self, peer: &Peer, conf: &str, arguments: &[String]) -> Result<measure::Run, String> {
        let mut command = Command::new(&self.program);
        command.args(arguments).env("LD_PRELOAD", &peer.path).env("MALLOC_CONF", conf);
        measure::run(&mut command, &self.output, None)
    }

    fn row(&mut self, ready: &Ready) -> Result<(), String> {
        let confs: Vec<String> = [OFF.to_owned()].into_iter().chain(RATES.map(sampling)).collect();
        let name = ready.row.name;
        self.in_rounds(&confs, |peer, conf, bench| {
            let run = ready.run_with(peer, conf, &bench.output)?;
            bench.figures.add(name, Metric::Cpu, &column(&peer.name, conf), run.cpu);
            Ok(())
        })?;
        let cells: String = self
            .peers
            .iter()
            .flat_map(|peer| RATES.map(|lg| (peer, lg)))
            .map(|(peer, lg)| {
                let ratio = overhead(&self.figures, name, &peer.name, lg).unwrap_or(f64::NAN);
                format!(" {} {lg} {ratio:.3}", peer.name)
            })
            .collect();
        println!("{name:<11}{cells}");
        Ok(())
    }

    fn samples(&mut self) -> Result<(), String> {
        for depth in DEPTHS {
            for part in SamplePart::ALL {
                let count = if self.asked.quick { PAIRS / 8 } else { PAIRS };
                let words = ["depth".to_owned(), depth.to_string(), part.frames(depth).to_string()];
                let words: Vec<String> = words.into_iter().chain([count.to_string()]).collect();
                self.in_rounds(&[part.conf()], |peer, conf, bench| {
                    let told = bench.ran(peer, conf, &words)?.told("nanoseconds");
                    let nanos = told.ok_or_else(|| "no time was told".to_owned())?;
                    bench.figures.add(
                        &part.row(depth),
                        Metric::Nanoseconds,
                        &column(&peer.name, conf),
                        nanos,
                    );
                    Ok(())
                })?;
            }
            for peer in &self.peers {
                println!("sample-{depth} {} {:.0?}", peer.name, parts(&self.figures, &peer.name, depth));
            }
        }
        Ok(())
    }

    fn memory(&mut self) -> Result<(), String> {
        let words = ["live", "64", "1000000"].map(str::to_owned);
        self.in_rounds(&[OFF.to_owned(), sampling(12)], |peer, conf, bench| {
            let run = bench.ran(peer, conf, &words)?;
            let told = run.stages().first().map(|(_, bytes)| *bytes);
            let bytes = told.ok_or_else(|| "no memory was told".to_owned())?;
            bench.figures.add(LIVE, Metric::Last, &column(&peer.name, conf), bytes);
            Ok(())
        })
    }
}
