//! The benchmark set: every row under every allocator, each run a process of its own, as ratios to the C jemalloc.
//!
//! `cargo bench-set [--rust | --locks | --operations | --profiler | --leaks] [--quick] [--rounds N] [--only ROWS] [--peers NAMES] [--list]
//! [--report]`. ROWS and NAMES are words with commas between; a row is taken when its name begins with a word. Allocators
//! are put in by `LD_PRELOAD`, with their defaults. With `--rust` the rows are Rust programs that are linked with each, with
//! `--locks` it is counted how often locks are taken and waited for, with `--operations` what single operations cost, with
//! `--profiler` what profiling costs, with `--leaks` what looking for leaks costs, beside other tools.
//!
//! In each round every allocator runs a row once, in an order that rotates from round to round, so that a slow moment of
//! the machine hits all alike; the tables hold medians over the rounds (5). A quick run does an eighth of the work once and
//! prints; the others also write their section of `docs/performance.md` when every row has been measured. Samples are kept
//! in the target folder, so that the set can be run in pieces; `--report` writes from them without running.

mod asked;
mod leaks;
mod locks;
mod measure;
mod operations;
mod page;
mod peers;
mod profiler;
mod programs;
mod ready;
mod real;
mod rust;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use asked::{Asked, Part};
use peers::Peer;
use ready::Ready;
use suite::bench::chart::chart;
use suite::bench::figures::{Figures, Metric};
use suite::bench::report::{BASE, OURS, Report};
use suite::bench::rows::{Program, Row, STAGES, stage_name};
use suite::build::target_folder;
use suite::scratch::Scratch;

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

/// Where samples are kept between runs.
fn store() -> PathBuf {
    target_folder().join("bench-set/samples.tsv")
}

/// Samples of earlier runs; none for a quick one.
fn kept_before(asked: &Asked) -> Result<Figures, String> {
    if asked.quick {
        return Ok(Figures::default());
    }
    Figures::parse(&fs::read_to_string(store()).unwrap_or_default())
}

/// Tells apart what a row was measured with: the library of ours, or the program that is linked with it.
fn build_of(row: &Row, ours: &Peer) -> Result<f64, String> {
    match row.program {
        Program::Linked(linking) => peers::checksum(&ours.path.join(linking.profile())),
        Program::Own(_) | Program::Idle(_) | Program::Real(_) => peers::checksum(&ours.path),
    }
}

fn run(asked: &Asked) -> Result<(), String> {
    let rows = asked.part.rows();
    let (all, missing) = if asked.part == Part::Rust { rust::all()? } else { peers::all()? };
    if let Some(unknown) = asked.peers.iter().find(|name| !all.iter().any(|peer| peer.name == **name)) {
        return Err(format!("no allocator {unknown}; {}", missing.join("; ")));
    }
    let peers: Vec<&Peer> = all.iter().filter(|peer| asked.includes(&peer.name)).collect();
    let names: Vec<&str> = peers.iter().map(|peer| peer.name.as_str()).collect();
    let scratch = Scratch::new("bench-set");

    let mut kept = kept_before(asked)?;
    let (mut ready, mut left_out) = (Vec::new(), Vec::new());
    for row in rows {
        match Ready::new(row, asked.quick, &scratch) {
            Ok(found) if asked.chooses(row.name) => ready.push(found),
            Ok(_) => {}
            Err(what) => left_out.push(format!("{} ({what})", row.name)),
        }
    }
    let conditions = page::conditions(&all, &missing, &left_out);
    print!("{conditions}");
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
            kept.add(name, Metric::Build, OURS, build_of(ready.row, &all[1])?);
            for round in 0..asked.rounds {
                ready.round(&peers, round, &scratch.file("output"), &mut kept);
            }
            progress(ready.row, &kept, &names);
            if !asked.quick {
                page::write(&store(), &kept.text())?;
            }
        }
    }
    if asked.quick {
        println!("\n{}", Report { figures: &kept, peers: &names, rows }.summary());
        return Ok(());
    }
    document(asked.part, &kept, &all, conditions, &left_out)
}

/// Writes the part's section of the documentation, or tells what is yet to be measured.
fn document(
    part: Part,
    kept: &Figures,
    all: &[Peer],
    conditions: String,
    left_out: &[String],
) -> Result<(), String> {
    let measured = |row: &Row| kept.median(row.name, Metric::Build, OURS);
    let (mut old, mut incomplete) = (Vec::new(), Vec::new());
    for row in part.rows() {
        match measured(row) {
            Some(other) if other != build_of(row, &all[1])? => old.push(row.name),
            Some(_) => {}
            None if left_out.iter().any(|line| line.starts_with(&format!("{} ", row.name))) => {}
            None => incomplete.push(row.name),
        }
    }
    let mut text = conditions;
    if !old.is_empty() {
        text += &format!("Rows of an earlier build of ours: {}.\n", old.join(", "));
    }
    let names: Vec<&str> = all.iter().map(|peer| peer.name.as_str()).collect();
    if part == Part::Preloaded {
        text += "\n![chart](performance.svg)\n";
    }
    text += &format!("\n{}", Report { figures: kept, peers: &names, rows: part.rows() }.markdown());
    println!("\n{text}");
    if !incomplete.is_empty() {
        println!("the documentation stays as it is: not yet measured: {}", incomplete.join(", "));
        return Ok(());
    }
    page::replace(part.option(), &text)?;
    if part == Part::Preloaded {
        page::write(&page::docs().join("performance.svg"), &chart(kept, &names))?;
    }
    Ok(())
}

/// Ends the program when a reader of its output has seen enough; Rust ignores the signal, and `println!` panics. The status is
/// that of success, as cargo has something to say of any other.
extern "C" fn unheard(_: libc::c_int) {
    // SAFETY: may be called in a handler of signals.
    unsafe { libc::_exit(0) }
}

fn main() -> ExitCode {
    // SAFETY: the handler does what a handler may, and no other thread runs yet.
    unsafe { libc::signal(libc::SIGPIPE, unheard as *const () as libc::sighandler_t) };
    let answer = Asked::new(std::env::args().skip(1)).and_then(|asked| {
        if asked.list {
            asked.part.names().iter().for_each(|(name, what)| println!("{name:<13} {what}"));
            return Ok(());
        }
        match asked.part {
            Part::Preloaded | Part::Rust => run(&asked),
            Part::Locks => locks::run(&asked),
            Part::Operations => operations::run(&asked),
            Part::Profiler => profiler::run(&asked),
            Part::Leaks => leaks::run(&asked),
        }
    });
    match answer {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-set: {error}");
            ExitCode::from(2)
        }
    }
}
