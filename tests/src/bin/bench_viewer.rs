//! Times the viewer on the dumps of the large program, next to perl jeprof and to the crate blazesym.
//!
//! `cargo bench-viewer FOLDER [--rounds N] [--jeprof-rounds N] [--only PART] [DUMP...]`, where `fixtures/large/make.sh
//! FOLDER` made the folder, and PART is in the names of the rows of ours that shall run. Everything runs in turns, so that a slow moment of the machine hits all of them; the table holds medians over
//! the rounds. What is measured is whole processes, from their start to their end: wall clock, user and system time
//! together with those of the processes that they start, and the peak of resident memory.
//!
//! * jeprof is 5.3.1's, with GNU binutils.
//! * Cold means without our symbol cache, warm with it filled. The files themselves are in the page cache in either case.
//! * blazesym only symbolizes, in a process of this program: all distinct addresses of the dump that lie in the program,
//!   with inlined functions, files, lines and readable names, in one call; nothing is printed.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use blazesym::symbolize::source::{Elf, Source};
use blazesym::symbolize::{Input, Symbolizer};
use suite::bench::figures;
use suite::build::{Profile, viewer};
use suite::perl_jeprof;
use suite::scratch::Scratch;

/// The dumps that are timed unless others are named.
const DUMPS: [&str; 3] = ["lg12", "lg9a", "syn"];
/// The first word of the process that runs blazesym.
const BLAZESYM: &str = "--blazesym";

/// What ran.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tool {
    /// jeprof in Perl.
    Jeprof,
    /// Ours without its cache.
    Cold,
    /// Ours with its cache.
    Warm,
    /// The crate.
    Blazesym,
}

/// One row of the table: its name, the tool, and the words that ask for the output.
struct Row(&'static str, Tool, &'static [&'static str]);

const ROWS: [Row; 10] = [
    Row("jeprof --text", Tool::Jeprof, &["--text"]),
    Row("blazesym alone", Tool::Blazesym, &[]),
    Row("text, cold", Tool::Cold, &["--text"]),
    Row("collapsed, cold", Tool::Cold, &["--collapsed"]),
    Row("flame, cold", Tool::Cold, &["flame"]),
    Row("pprof, cold", Tool::Cold, &["proto"]),
    Row("text, warm", Tool::Warm, &["--text"]),
    Row("collapsed, warm", Tool::Warm, &["--collapsed"]),
    Row("flame, warm", Tool::Warm, &["flame"]),
    Row("pprof, warm", Tool::Warm, &["proto"]),
];

/// What one run took.
#[derive(Clone, Copy)]
struct Sample {
    /// Seconds.
    wall: f64,
    /// Seconds of all cores.
    cpu: f64,
    /// Bytes.
    resident: f64,
}

/// Runs to the end.
fn measure(command: &mut Command) -> Result<Sample, String> {
    let started = Instant::now();
    // Waited for below, because the standard library's own wait tells no resources.
    let child = command.spawn().map_err(|error| format!("{command:?}: {error}"))?;
    let mut status = 0;
    // SAFETY: numbers, for which all bits zero are a value.
    let mut used: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the child is this process's and nobody else waits for it; both pointers are to locals.
    let answer = unsafe { libc::wait4(child.id() as libc::pid_t, &raw mut status, 0, &raw mut used) };
    let wall = started.elapsed().as_secs_f64();
    if answer < 0 {
        return Err(format!("{command:?}: {}", std::io::Error::last_os_error()));
    }
    if status != 0 {
        return Err(format!("{command:?}: ended with wait status {status:#x}"));
    }
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    Ok(Sample {
        wall,
        cpu: seconds(used.ru_utime) + seconds(used.ru_stime),
        resident: used.ru_maxrss as f64 * 1024.0,
    })
}

/// Not a number when nothing was measured.
fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let values: Vec<f64> = samples.iter().map(of).collect();
    figures::median(&values).unwrap_or(f64::NAN)
}

/// What a dump holds.
struct Content {
    stacks: usize,
    frames: usize,
    /// Offsets in the program's file of the distinct calls.
    calls: BTreeSet<u64>,
}

/// Goes through a dump line by line, so that this process stays small: a child's peak of memory begins with that of the
/// process that starts it.
fn content(dump: &Path, program: &Path) -> Result<Content, String> {
    let failed = |error: std::io::Error| format!("{}: {error}", dump.display());
    let (mut stacks, mut frames, mut addresses, mut maps) = (0, 0, BTreeSet::new(), Vec::new());
    let mut reader = BufReader::new(File::open(dump).map_err(failed)?);
    let mut line = Vec::new();
    while reader.read_until(b'\n', &mut line).map_err(failed)? > 0 {
        if let Some(stack) = line.strip_prefix(b"@") {
            stacks += 1;
            for word in stack.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()) {
                let address = std::str::from_utf8(word).ok().and_then(|word| word.strip_prefix("0x"));
                let address = address.and_then(|digits| u64::from_str_radix(digits, 16).ok());
                // A return address: the call lies before it.
                addresses.insert(address.ok_or_else(|| format!("{}: not an address", dump.display()))? - 1);
                frames += 1;
            }
        } else if let Some(map) = prof_format::maps::parse_line(&line).filter(|map| map.exec) {
            maps.push(map.row);
        }
        line.clear();
    }
    maps.retain(|row| Path::new(&row.path) == program);
    if maps.is_empty() {
        return Err(format!("{}: does not map {}", dump.display(), program.display()));
    }
    let offset = |address: u64| {
        let row = maps.iter().find(|row| (row.start..row.end).contains(&address))?;
        Some(address - row.start + row.file_offset)
    };
    let calls = addresses.into_iter().filter_map(offset).collect();
    Ok(Content { stacks, frames, calls })
}

/// The process of blazesym: symbolizes the offsets in the file `offsets`, one a line, and ends.
fn blazesym(program: &str, offsets: &str) -> Result<(), String> {
    let text = fs::read_to_string(offsets).map_err(|error| format!("{offsets}: {error}"))?;
    let offsets: Result<Vec<u64>, _> = text.lines().map(str::parse).collect();
    let offsets = offsets.map_err(|error| format!("offsets: {error}"))?;
    let symbolizer =
        Symbolizer::builder().enable_code_info(true).enable_inlined_fns(true).enable_demangling(true).build();
    let source = Source::Elf(Elf::new(program));
    let found = symbolizer
        .symbolize(&source, Input::FileOffset(&offsets))
        .map_err(|error| format!("{program}: {error}"))?;
    let named = found.iter().filter(|answer| answer.as_sym().is_some_and(|sym| !sym.name.is_empty())).count();
    // Nearly all of them, or it did not do the work that it is timed for.
    if named * 100 < offsets.len() * 99 {
        return Err(format!("blazesym named {named} of {} addresses", offsets.len()));
    }
    Ok(())
}

/// Where everything is.
struct Bench {
    program: PathBuf,
    jeprof: PathBuf,
    viewer: PathBuf,
    own: PathBuf,
    /// Part of the names of our rows that run.
    only: String,
    scratch: Scratch,
}

impl Bench {
    fn command(&self, row: &Row, dump: &Path) -> Command {
        let Row(_, tool, words) = row;
        let mut command = match tool {
            Tool::Jeprof => {
                let mut command = Command::new("perl");
                command.arg(&self.jeprof).args(*words).arg(&self.program).arg(dump);
                command
            }
            Tool::Cold | Tool::Warm => {
                let mut command = Command::new(&self.viewer);
                command.args(*words).arg(&self.program).arg(dump);
                command
            }
            Tool::Blazesym => {
                let mut command = Command::new(&self.own);
                command.arg(BLAZESYM).arg(&self.program).arg(self.scratch.file("offsets"));
                command
            }
        };
        match tool {
            Tool::Cold => command.env("JEPROF_RS_CACHE", "off"),
            _ => command.env("JEPROF_RS_CACHE", self.scratch.file("cache")),
        };
        command.stdin(Stdio::null()).stderr(Stdio::null());
        command
    }

    /// All rows for one dump.
    fn dump(&self, name: &str, dump: &Path, rounds: usize, jeprof_rounds: usize) -> Result<(), String> {
        let Content { stacks, frames, calls } = content(dump, &self.program)?;
        let megabytes =
            fs::metadata(dump).map_err(|error| format!("{}: {error}", dump.display()))?.len() as f64 / 1e6;
        println!(
            "\n{name}: {megabytes:.2} MB, {stacks} stacks, {frames} frames, {} distinct calls in the program",
            calls.len()
        );
        let mut offsets = String::new();
        calls.iter().for_each(|offset| offsets += &format!("{offset}\n"));
        fs::write(self.scratch.file("offsets"), offsets).map_err(|error| format!("offsets: {error}"))?;
        drop(calls);

        let mut samples = [const { Vec::new() }; ROWS.len()];
        let mut sizes = [0; ROWS.len()];
        // The first round fills caches and tells how much each writes.
        for round in 0..rounds + 1 {
            for turn in 0..ROWS.len() {
                let index = (round + turn) % ROWS.len();
                let row = &ROWS[index];
                let runs = match row.1 {
                    Tool::Jeprof => round > 0 && round <= jeprof_rounds,
                    Tool::Cold | Tool::Warm => row.0.contains(&self.only),
                    Tool::Blazesym => true,
                };
                if !runs {
                    continue;
                }
                let mut command = self.command(row, dump);
                if round > 0 {
                    samples[index].push(measure(command.stdout(Stdio::null()))?);
                    continue;
                }
                let path = self.scratch.file("output");
                let output = File::create(&path).map_err(|error| format!("{}: {error}", path.display()))?;
                // What goes wrong is told once, here.
                measure(command.stdout(output).stderr(Stdio::inherit()))?;
                sizes[index] =
                    fs::metadata(&path).map_err(|error| format!("{}: {error}", path.display()))?.len();
                if sizes[index] == 0 && row.1 != Tool::Blazesym {
                    return Err(format!("{command:?}: no output"));
                }
            }
        }
        self.table(&samples, &sizes);
        Ok(())
    }

    fn table(&self, samples: &[Vec<Sample>; ROWS.len()], sizes: &[u64; ROWS.len()]) {
        let wall = |index: usize| median(&samples[index], |sample| sample.wall);
        let cpu = |index: usize| median(&samples[index], |sample| sample.cpu);
        let first = |tool: Tool| ROWS.iter().position(|row| row.1 == tool).expect("each tool has a row");
        let [jeprof, blazesym, cold] = [Tool::Jeprof, Tool::Blazesym, Tool::Cold].map(first);
        println!(
            "{:<16} {:>8} {:>8} {:>8} {:>9} {:>10} {:>10} {:>10} {:>10}",
            "", "wall s", "CPU s", "MB", "output kB", "x jeprof", "CPU", "/ blazesym", "/ text"
        );
        for (index, Row(name, tool, _)) in
            ROWS.iter().enumerate().filter(|(index, _)| !samples[*index].is_empty())
        {
            // A cold run is compared with a cold one.
            let text = if *tool == Tool::Warm { first(Tool::Warm) } else { cold };
            let ours = matches!(tool, Tool::Cold | Tool::Warm);
            let ratio = |shown: bool, value: f64, digits: usize| {
                if shown && value.is_finite() { format!("{value:.digits$}") } else { String::new() }
            };
            println!(
                "{name:<16} {:>8.3} {:>8.3} {:>8.0} {:>9} {:>10} {:>10} {:>10} {:>10}",
                wall(index),
                cpu(index),
                median(&samples[index], |sample| sample.resident) / 1e6,
                ratio(sizes[index] > 0, sizes[index] as f64 / 1e3, 0),
                ratio(ours, wall(jeprof) / wall(index), 1),
                ratio(ours, cpu(jeprof) / cpu(index), 1),
                ratio(ours, wall(index) / wall(blazesym), 2),
                ratio(ours, wall(index) / wall(text), 2),
            );
        }
    }
}

/// Fails when the tools that jeprof will start are not GNU's: with another addr2line it is another program.
fn gnu_binutils() -> Result<(), String> {
    for tool in ["addr2line", "nm", "c++filt", "objdump"] {
        let output =
            Command::new(tool).arg("--version").output().map_err(|error| format!("{tool}: {error}"))?;
        let version = String::from_utf8_lossy(&output.stdout);
        let first = version.lines().next().unwrap_or_default();
        if !first.starts_with("GNU ") {
            return Err(format!("{tool} is not of GNU binutils: {first}"));
        }
        if tool == "addr2line" {
            println!("jeprof 5.3.1 with {first}");
        }
    }
    Ok(())
}

fn number(words: &mut impl Iterator<Item = String>, option: &str, least: usize) -> Result<usize, String> {
    let value = words.next().and_then(|value| value.parse().ok()).filter(|n| (least..=1000).contains(n));
    value.ok_or_else(|| format!("{option} needs a number from {least} to 1000"))
}

fn run(mut words: impl Iterator<Item = String>) -> Result<(), String> {
    let (mut rounds, mut jeprof_rounds, mut only, mut names) = (9, 2, String::new(), Vec::new());
    while let Some(word) = words.next() {
        match word.as_str() {
            "--rounds" => rounds = number(&mut words, &word, 1)?,
            "--jeprof-rounds" => jeprof_rounds = number(&mut words, &word, 0)?,
            "--only" => only = words.next().ok_or("--only needs a part of a row's name")?,
            _ if word.starts_with('-') => return Err(format!("no option {word}")),
            _ => names.push(word),
        }
    }
    if names.is_empty() {
        return Err("which folder? fixtures/large/make.sh FOLDER makes one".to_owned());
    }
    let folder = names.remove(0);
    let folder = fs::canonicalize(&folder).map_err(|error| format!("{folder}: {error}"))?;
    if names.is_empty() {
        names = DUMPS.map(str::to_owned).to_vec();
    }

    let scratch = Scratch::new("bench-viewer");
    gnu_binutils()?;
    let bench = Bench {
        program: folder.join("svc-large"),
        jeprof: perl_jeprof::install(scratch.path())?,
        viewer: viewer(Profile::Release),
        own: std::env::current_exe().map_err(|error| format!("the own path: {error}"))?,
        only,
        scratch,
    };
    println!("medians of {rounds} interleaved rounds, of jeprof {}", jeprof_rounds.min(rounds));
    for name in names {
        bench.dump(&name, &folder.join(format!("{name}.heap")), rounds, jeprof_rounds)?;
    }
    Ok(())
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let answer = match &words[..] {
        [first, program, offsets] if first == BLAZESYM => blazesym(program, offsets),
        _ => run(words.into_iter()),
    };
    match answer {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bench-viewer: {error}");
            ExitCode::from(2)
        }
    }
}
