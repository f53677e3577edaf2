//! The loads of `--locks`: a server with many threads under jemalloc and ours, each of which counts its locks itself.

use std::path::Path;
use std::process::{Command, Stdio};

use suite::bench::figures::{Figures, Metric};
use suite::bench::in_turn;
use suite::bench::locks::{LOADS, Load, REQUESTS, forget, markdown, record};
use suite::bench::report::{BASE, OURS};
use suite::scratch::Scratch;

use crate::asked::{Asked, Part};
use crate::peers::Peer;
use crate::{kept_before, measure, page, peers, programs, store};

/// A quick run serves so small a part of the requests.
const QUICK: u64 = 8;

/// Measures the loads that were asked for, and writes the section of the documentation when all have been.
///
/// # Errors
/// What could not be built, run or written.
pub fn run(asked: &Asked) -> Result<(), String> {
    let server = programs::compiled("server.c")?;
    let peers = peers::main_two();
    let scratch = Scratch::new("bench-locks");
    let mut kept = kept_before(asked)?;
    let loads = LOADS.iter().filter(|load| !asked.report && asked.chooses(load.name));
    for load in loads {
        peers.iter().for_each(|peer| forget(&mut kept, load, &peer.name));
        for round in 0..asked.rounds {
            for peer in in_turn(peers.len(), round).map(|which| &peers[which]) {
                let requests = if asked.quick { REQUESTS / QUICK } else { REQUESTS };
                serve(&server, load, peer, requests / load.threads, &scratch.file("output"), &mut kept)
                    .map_err(|what| format!("{} under {}: {what}", load.name, peer.name))?;
            }
        }
        progress(load, &kept);
        if !asked.quick {
            page::write(&store(), &kept.text())?;
        }
    }
    let text = format!("{}\n{}", page::conditions(&peers, &[], &[]), markdown(&kept, BASE, OURS));
    println!("\n{text}");
    let measured = |load: &Load| kept.median(load.name, Metric::Taken, OURS).is_some();
    if asked.quick || !LOADS.iter().all(measured) {
        println!("the documentation stays as it is");
        return Ok(());
    }
    page::replace(Part::Locks.option(), &text)
}

/// One run of one allocator.
fn serve(
    server: &Path,
    load: &Load,
    peer: &Peer,
    requests: u64,
    output: &Path,
    kept: &mut Figures,
) -> Result<(), String> {
    let mut command = Command::new(server);
    command.args([load.threads, requests].map(|number| number.to_string())).stdin(Stdio::null());
    // As JSON, without options, which jemalloc writes twice, and without what each arena has apart from the others.
    let conf = format!("stats_print:true,stats_print_opts:Jga,{}", load.conf);
    command.env("LD_PRELOAD", &peer.path).env("MALLOC_CONF", conf.trim_end_matches(','));
    let run = measure::run(&mut command, output, None)?;
    let operations = run.told("operations").ok_or("the server tells no number of operations")?;
    record(kept, load, &peer.name, &run.errors, operations)
}

/// One line about a load that has been measured.
fn progress(load: &Load, kept: &Figures) {
    let cell = |metric, peer| kept.median(load.name, metric, peer).unwrap_or(f64::NAN);
    let line = |metric| format!("{BASE} {:.3} {OURS} {:.3}", cell(metric, BASE), cell(metric, OURS));
    println!(
        "{:<13} taken {} | slept {} | spun {}",
        load.name,
        line(Metric::Taken),
        line(Metric::Slept),
        line(Metric::Spun)
    );
}
