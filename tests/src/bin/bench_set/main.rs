//! The benchmark set: every row under every allocator, each run a process of its own, as ratios to the C jemalloc.
//!
//! `cargo bench-set [--quick] [--rounds N] [--only ROWS] [--peers NAMES] [--list] [--report]`. ROWS and NAMES are words
//! with commas between; a row is taken when its name begins with a word. Allocators are put in by `LD_PRELOAD`, with
//! their defaults. In each round every allocator runs a row once, in an order that rotates from round to round, so that
//! a slow moment of the machine hits all alike; the tables hold medians over the rounds (5). A quick run does an eighth
//! of the work once and prints; the others also write `docs/performance.md` and `docs/performance.svg` when every row
//! has been measured. Samples are kept in the target folder, so that the set can be run in pieces; `--report` writes
//! from them without running.

mod measure;
mod peers;
mod programs;
mod real;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use peers::Peer;
use suite::bench::chart::chart;
use suite::bench::figures::{Figures, Metric};
use suite::bench::report::{BASE, OURS, Report, between_markers};
use suite::bench::rows::{Program, ROWS, Row, STAGES, stage_name};
use suite::build::{target_folder, workspace};
use suite::scratch::Scratch;

/// The part of the work that a quick run does.
const QUICK: u64 = 8;

/// What was asked for.
struct Asked {
    quick: bool,
    rounds: usize,
    only: Vec<String>,
    peers: Vec<String>,
    list: bool,
    report: bool,
}

fn asked(mut words: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut asked =
        Asked { quick: false, rounds: 0, only: Vec::new(), peers: Vec::new(), list: false, report: false };
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or_else(|| format!("{word} needs a value"));
        let split = |list: String| list.split(',').map(str::to_owned).collect();
        match word.as_str() {
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
        if !ROWS.iter().any(|row| row.name.starts_with(word.as_str())) {
            return Err(format!("no row begins with {word}; --list names them"));
        }
    }
    Ok(asked)
}

/// A row with its program found.
struct Ready {
    row: &'static Row,
    job: real::Job,
}

impl Ready {
    fn new(row: &'static Row, quick: bool, scratch: &Scratch) -> Result<Ready, String> {
        let count = if quick { (row.count / QUICK).max(1) } else { row.count };
        let job = match row.program {
            Program::Own(source) | Program::Idle(source) => {
                let mut arguments: Vec<String> = row.arguments.iter().map(|&word| word.to_owned()).collect();
                arguments.push(count.to_string());
                real::Job::new(programs::compiled(source)?, arguments)
            }
            Program::Real(which) => real::job(which, count, quick, scratch)?,
        };
        Ok(Ready { row, job })
    }

    fn command(&self, peer: &Peer) -> Result<Command, String> {
        let mut command = self.job.command()?;
        command.env_remove("MALLOC_CONF").env("LD_PRELOAD", &peer.library);
        Ok(command)
    }

    /// One run of each peer, beginning with that of the round's turn.
    fn round(&self, peers: &[&Peer], round: usize, output: &Path, figures: &mut Figures) {
        let mut samples: Vec<(&Peer, Result<measure::Run, String>)> = Vec::new();
        let turns = (0..peers.len()).map(|turn| peers[(round + turn) % peers.len()]);
        if let Program::Idle(_) = self.row.program {
            samples = self.idle_together(turns, output);
        } else {
            for peer in turns {
                let client = || self.job.ask();
                let client: Option<&(dyn Fn() -> _ + Sync)> =
                    if self.job.serves() { Some(&client) } else { None };
                let run =
                    self.command(peer).and_then(|mut command| measure::run(&mut command, output, client));
                samples.push((peer, run));
            }
        }
        for (peer, run) in samples {
            match run {
                Ok(run) => self.record(&peer.name, &run, figures),
                Err(what) => {
                    eprintln!("bench-set: {} under {}: {what}", self.row.name, peer.name);
                    figures.add(self.row.name, Metric::Failed, &peer.name, 1.0);
                }
            }
        }
    }

    fn record(&self, peer: &str, run: &measure::Run, figures: &mut Figures) {
        let name = self.row.name;
        if self.row.timed() {
            let server = self.job.serves().then_some(run.cpu);
            figures.add(name, Metric::Time, peer, server.or(run.own_seconds()).unwrap_or(run.wall));
            figures.add(name, Metric::Cpu, peer, run.cpu);
            figures.add(name, Metric::Peak, peer, run.peak);
            figures.add(name, Metric::Last, peer, run.last);
        }
        for (stage, bytes) in run.stages() {
            if STAGES.iter().any(|(row, known, _)| *row == name && *known == stage) {
                figures.add(&stage_name(name, stage), Metric::Last, peer, bytes);
            }
        }
    }

    /// Starts one after the other, each when the one before has become idle, and waits for all: only their memory is
    /// looked at, and none takes CPU time while it is idle.
    fn idle_together<'p>(
        &self,
        peers: impl Iterator<Item = &'p Peer>,
        output: &Path,
    ) -> Vec<(&'p Peer, Result<measure::Run, String>)> {
        let mut started: Vec<(&Peer, Result<Child, String>, PathBuf)> = Vec::new();
        for peer in peers {
            let path = output.with_extension(&peer.name);
            let child = self.start_until_idle(peer, &path);
            started.push((peer, child, path));
        }
        let ended = started.into_iter().map(|(peer, child, path)| {
            let run = child.and_then(|mut child| {
                let status = child.wait().map_err(|error| error.to_string())?;
                let output = fs::read_to_string(&path).map_err(|error| error.to_string())?;
                let run = measure::Run { output, ..measure::Run::default() };
                if status.success() { Ok(run) } else { Err(status.to_string()) }
            });
            (peer, run)
        });
        ended.collect()
    }

    fn start_until_idle(&self, peer: &Peer, path: &Path) -> Result<Child, String> {
        let file = fs::File::create(path).map_err(|error| format!("{}: {error}", path.display()))?;
        let mut command = self.command(peer)?;
        let mut child =
            command.stdout(file).stderr(Stdio::null()).spawn().map_err(|error| error.to_string())?;
        let started = Instant::now();
        while !fs::read_to_string(path).unwrap_or_default().contains("idle\n") {
            if child.try_wait().map_err(|error| error.to_string())?.is_some() {
                break;
            }
            if started.elapsed() > Duration::from_secs(60) {
                // It may have ended just now; the caller's wait tells in either case.
                let _ = child.kill();
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(child)
    }
}

/// One line about a row that has been measured.
fn progress(row: &Row, figures: &Figures, names: &[&str]) {
    let cell = |name: &str, metric: Metric, peer: &str| match figures.ratio(name, metric, peer, BASE) {
        Some(ratio) => format!(" {peer} {ratio:.2}"),
        None => format!(" {peer} -"),
    };
    let others = || names.iter().filter(|peer| **peer != BASE);
    let line = |metric| others().map(|peer| cell(row.name, metric, peer)).collect::<String>();
    if row.timed() {
        let base = figures.median(row.name, Metric::Time, BASE).unwrap_or(f64::NAN);
        println!("{:<13} {base:>7.3} s |{} | MB{}", row.name, line(Metric::Time), line(Metric::Peak));
    }
    for (_, stage, _) in STAGES.iter().filter(|(owner, ..)| *owner == row.name) {
        let name = stage_name(row.name, stage);
        let base = figures.median(&name, Metric::Last, BASE).unwrap_or(f64::NAN) / 1e6;
        let cells: String = others().map(|peer| cell(&name, Metric::Last, peer)).collect();
        println!("{name:<13} {base:>6.1} MB |{cells}");
    }
}

/// One line of a command's output, or a dash.
fn line_of(program: &str, arguments: &[&str]) -> String {
    let text = real::told(program, arguments).unwrap_or_default();
    text.lines().next().unwrap_or("-").to_owned()
}

/// Machine, date and versions.
fn conditions(peers: &[Peer], missing: &[String], left_out: &[String]) -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpus.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let versions: Vec<String> =
        peers.iter().map(|peer| format!("{} ({})", peer.name, peer.version)).collect();
    let mut text = format!(
        "{}, {cores} cores ({}), Linux {}. Allocators: {}.\n",
        line_of("date", &["-u", "+%F"]),
        model.unwrap_or("unknown"),
        line_of("uname", &["-r"]),
        versions.join(", ")
    );
    for (title, list) in [("Allocators that could not be had", missing), ("Rows left out", left_out)] {
        if !list.is_empty() {
            text += &format!("{title}: {}.\n", list.join("; "));
        }
    }
    text
}

/// Where samples are kept between runs.
fn store() -> PathBuf {
    target_folder().join("bench-set/samples.tsv")
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn run(asked: &Asked) -> Result<(), String> {
    let (all, missing) = peers::all()?;
    let wanted = |peer: &&Peer| {
        peer.name == BASE || peer.name == OURS || asked.peers.is_empty() || asked.peers.contains(&peer.name)
    };
    if let Some(unknown) = asked.peers.iter().find(|name| !all.iter().any(|peer| peer.name == **name)) {
        return Err(format!("no allocator {unknown}; {}", missing.join("; ")));
    }
    let peers: Vec<&Peer> = all.iter().filter(wanted).collect();
    let names: Vec<&str> = peers.iter().map(|peer| peer.name.as_str()).collect();
    let scratch = Scratch::new("bench-set");
    let build = peers::checksum(&all[1].library)?;

    let mut kept = if asked.quick {
        Figures::default()
    } else {
        Figures::parse(&fs::read_to_string(store()).unwrap_or_default())?
    };
    let (mut ready, mut left_out) = (Vec::new(), Vec::new());
    let chosen =
        |row: &&Row| asked.only.is_empty() || asked.only.iter().any(|word| row.name.starts_with(word));
    for row in ROWS {
        match Ready::new(row, asked.quick, &scratch) {
            Ok(found) if chosen(&row) => ready.push(found),
            Ok(_) => {}
            Err(what) => left_out.push(format!("{} ({what})", row.name)),
        }
    }
    print!("{}", conditions(&all, &missing, &left_out));
    if !asked.report {
        println!("medians of {} rounds, ratios to {BASE}", asked.rounds);
        for ready in &ready {
            let name = ready.row.name;
            for peer in &names {
                kept.forget(name, peer);
                STAGES
                    .iter()
                    .filter(|(row, ..)| *row == name)
                    .for_each(|(_, stage, _)| kept.forget(&stage_name(name, stage), peer));
            }
            kept.add(name, Metric::Build, OURS, build);
            for round in 0..asked.rounds {
                ready.round(&peers, round, &scratch.file("output"), &mut kept);
            }
            progress(ready.row, &kept, &names);
            if !asked.quick {
                write(&store(), &kept.text())?;
            }
        }
    }
    if asked.quick {
        println!("\n{}", Report { figures: &kept, peers: &names }.summary());
        return Ok(());
    }
    let mut text = conditions(&all, &missing, &left_out);
    let old = |row: &&Row| kept.median(row.name, Metric::Build, OURS).is_some_and(|other| other != build);
    let old: Vec<&str> = ROWS.iter().filter(old).map(|row| row.name).collect();
    if !old.is_empty() {
        text += &format!("Rows of an earlier build of ours: {}.\n", old.join(", "));
    }
    let all: Vec<&str> = all.iter().map(|peer| peer.name.as_str()).collect();
    text += &format!("\n![chart](performance.svg)\n\n{}", Report { figures: &kept, peers: &all }.markdown());
    println!("\n{text}");
    let incomplete = |row: &&Row| {
        let left_out = left_out.iter().any(|line| line.starts_with(&format!("{} ", row.name)));
        !left_out && kept.median(row.name, Metric::Build, OURS).is_none()
    };
    let incomplete: Vec<&str> = ROWS.iter().filter(incomplete).map(|row| row.name).collect();
    if !incomplete.is_empty() {
        println!("the documentation stays as it is: not yet measured: {}", incomplete.join(", "));
        return Ok(());
    }
    let docs = workspace().join("docs");
    let page = docs.join("performance.md");
    let before = fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
    write(&page, &between_markers(&before, &text).map_err(|what| format!("{}: {what}", page.display()))?)?;
    write(&docs.join("performance.svg"), &chart(&kept, &all))
}

fn main() -> ExitCode {
    let answer = asked(std::env::args().skip(1)).and_then(|asked| {
        if asked.list {
            ROWS.iter().for_each(|row| println!("{:<13} {}", row.name, row.what));
            return Ok(());
        }
        run(&asked)
    });
    match answer {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-set: {error}");
            ExitCode::from(2)
        }
    }
}
