//! The ways of `--leaks`: the sample service with each tool that looks for leaks, and without.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use suite::bench::figures::{Figures, Metric};
use suite::bench::in_turn;
use suite::bench::leaks::{ROW, Tool, WAYS, Way, markdown};
use suite::build::{Profile, preload_of, target_folder, viewer, workspace};
use suite::reference;
use suite::scratch::Scratch;

use crate::asked::{Asked, Part};
use crate::{measure, page, real};

/// Entries that the service keeps, and requests.
const WORK: [u64; 2] = [100_000, 100_000];

/// A quick run does so small a part of the requests.
const QUICK: u64 = 8;

/// A way that can be gone.
struct Ready {
    way: &'static Way,
    /// Program and arguments before the service's own.
    words: Vec<PathBuf>,
    environment: Vec<(&'static str, PathBuf)>,
    /// How it ends: the service leaks.
    status: i32,
}

/// Measures every way that there is, and writes the section of the documentation.
///
/// # Errors
/// What could not be built, run or written.
pub fn run(asked: &Asked) -> Result<(), String> {
    let scratch = Scratch::new("bench-leaks");
    let (mut ready, mut missing) = (Vec::new(), Vec::new());
    for way in WAYS.iter().filter(|way| asked.chooses(way.name)) {
        match make_ready(way, &scratch) {
            Ok(found) => ready.push(found),
            Err(what) => missing.push(format!("{} ({what})", way.name)),
        }
    }
    let requests = if asked.quick { WORK[1] / QUICK } else { WORK[1] };
    let service = [format!("--cache={}", WORK[0]), format!("--requests={requests}")];
    let mut figures = Figures::default();
    let output = scratch.file("output");
    for round in 0..asked.rounds {
        for ready in in_turn(ready.len(), round).map(|which| &ready[which]) {
            let mut command = Command::new(&ready.words[0]);
            command.args(&ready.words[1..]).args(&service).current_dir(scratch.path()).stdin(Stdio::null());
            command
                .env_remove("MALLOC_CONF")
                .envs(ready.environment.iter().map(|(name, value)| (name, value)));
            let run = measure::run_untraced(&mut command, &output, ready.status)
                .map_err(|what| format!("{}: {what}", ready.way.name))?;
            for (metric, value) in
                [(Metric::Time, run.wall), (Metric::Cpu, run.cpu), (Metric::Peak, run.peak)]
            {
                figures.add(ROW, metric, ready.way.name, value);
            }
            println!("{:<15} {:>7.3} s {:>6.1} MB", ready.way.name, run.wall, run.peak / 1e6);
        }
    }
    let mut text = format!("{}, {} rounds; {}.\n", page::machine(), asked.rounds, versions());
    if !missing.is_empty() {
        text += &format!("Left out: {}.\n", missing.join("; "));
    }
    text += &format!("\n{}", markdown(&figures));
    println!("\n{text}");
    if asked.quick || !asked.only.is_empty() {
        println!("the documentation stays as it is");
        return Ok(());
    }
    page::replace(Part::Leaks.option(), &text)
}

fn make_ready(way: &'static Way, scratch: &Scratch) -> Result<Ready, String> {
    let mut ready = Ready { way, words: Vec::new(), environment: Vec::new(), status: 0 };
    let profiles = scratch.file(way.name);
    let conf = |conf: &str| PathBuf::from(format!("{conf},prof_prefix:{}", profiles.display()));
    match way.tool {
        Tool::System => {}
        Tool::Ours(options) => {
            let library = preload_of(Profile::Release);
            ready.environment = vec![("LD_PRELOAD", library), ("MALLOC_CONF", conf(options))];
        }
        Tool::Stock(options) => {
            let library = reference::v530();
            ready.environment = vec![("LD_PRELOAD", library), ("MALLOC_CONF", conf(options))];
        }
        Tool::Run => {
            ready.words = vec![viewer(Profile::Release), "run".into(), "--library".into()];
            ready.words.extend([preload_of(Profile::Release), "--".into()]);
            ready.status = 1;
        }
        Tool::Heaptrack => ready.words = vec![real::find(&["heaptrack"])?, "-o".into(), profiles],
        Tool::Sanitizer => {
            ready.environment = vec![("LSAN_OPTIONS", "exitcode=0".into())];
            ready.words = vec![service("lsan", &SANITIZED)?];
            return Ok(ready);
        }
        Tool::Memcheck => ready.words = vec![real::find(&["valgrind"])?, "--leak-check=full".into()],
    }
    ready.words.push(service("plain", &[])?);
    Ok(ready)
}

/// LeakSanitizer needs no instrumentation, only its runtime, and unwinds by frame pointers.
const SANITIZED: [&str; 3] = ["-Clinker=clang", "-Clink-arg=-fsanitize=leak", "-Cforce-frame-pointers=yes"];

/// The service on the system's allocator, with options of the compiler.
fn service(name: &str, options: &[&str]) -> Result<PathBuf, String> {
    let target = target_folder().join("bench-set/svc").join(name);
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    cargo.current_dir(workspace()).args(["rustc", "--quiet", "--release", "--package", "svc"]);
    cargo.args(["--no-default-features", "--target-dir"]).arg(&target).arg("--").args(options);
    let answer = cargo.output().map_err(|error| format!("{cargo:?}: {error}"))?;
    if answer.status.success() {
        return Ok(target.join("release/svc"));
    }
    let said = String::from_utf8_lossy(&answer.stderr);
    Err(said.lines().find(|line| line.contains("error")).unwrap_or("cannot be built").trim().to_owned())
}

fn versions() -> String {
    let first = |program: &str| {
        let said =
            real::told(program, &["--version"]).unwrap_or_else(|_| format!("{program} is not installed"));
        said.lines().next().unwrap_or_default().to_owned()
    };
    ["heaptrack", "clang", "valgrind"].map(first).join(", ")
}
