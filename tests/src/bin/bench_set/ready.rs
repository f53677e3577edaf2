//! A row with its program, and its rounds.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use suite::bench::figures::{Figures, Metric};
use suite::bench::in_turn;
use suite::bench::rows::{Program, Row, STAGES, stage_name};
use suite::build::workspace;
use suite::scratch::Scratch;

use crate::peers::Peer;
use crate::{measure, programs, real};

/// The part of the work that a quick run does.
const QUICK: u64 = 8;

/// A row with its program found.
pub struct Ready {
    /// What is measured.
    pub row: &'static Row,
    job: real::Job,
}

impl Ready {
    /// Finds or compiles the program.
    ///
    /// # Errors
    /// Why it cannot run.
    pub fn new(row: &'static Row, quick: bool, scratch: &Scratch) -> Result<Ready, String> {
        let count = if quick { (row.count / QUICK).max(1) } else { row.count };
        let mut arguments: Vec<String> = row.arguments.iter().map(|&word| word.to_owned()).collect();
        if let Program::Linked(_) = row.program {
            arguments.push(workspace().to_string_lossy().into_owned());
        }
        arguments.push(count.to_string());
        let job = match row.program {
            Program::Own(source) | Program::Idle(source) => {
                real::Job::new(programs::compiled(source)?, arguments)
            }
            // Each allocator has its own.
            Program::Linked(_) => real::Job::new(PathBuf::new(), arguments),
            Program::Real(which) => real::job(which, count, quick, scratch)?,
        };
        Ok(Ready { row, job })
    }

    fn command(&self, peer: &Peer) -> Result<Command, String> {
        let mut command = match self.row.program {
            Program::Linked(linking) => self.job.command_of(&peer.path.join(linking.profile()))?,
            Program::Own(_) | Program::Idle(_) | Program::Real(_) => {
                let mut command = self.job.command()?;
                command.env("LD_PRELOAD", &peer.path);
                command
            }
        };
        command.env_remove("MALLOC_CONF");
        Ok(command)
    }

    /// One run under an allocator with this `MALLOC_CONF`. Not for servers.
    ///
    /// # Errors
    /// See [`measure::run`].
    pub fn run_with(&self, peer: &Peer, conf: &str, output: &Path) -> Result<measure::Run, String> {
        measure::run(self.command(peer)?.env("MALLOC_CONF", conf), output, None)
    }

    /// One run of each peer, beginning with that of the round's turn.
    pub fn round(&self, peers: &[&Peer], round: usize, output: &Path, figures: &mut Figures) {
        let mut samples: Vec<(&Peer, Result<measure::Run, String>)> = Vec::new();
        let turns = in_turn(peers.len(), round).map(|which| peers[which]);
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
