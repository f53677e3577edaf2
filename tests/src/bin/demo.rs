//! `cargo demo`: from malloc to a flame graph in one command, on a fresh clone.
//!
//! Builds the sample service and the viewer in release, runs the service with the profiler on, prints the top of the
//! table with function, file and line, and writes `heap.svg` and `heap.collapsed` into the current folder.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Output};

use suite::build::{self, Profile};

const ROWS: usize = 15;

fn main() -> ExitCode {
    match demo() {
        Ok(()) => ExitCode::SUCCESS,
        Err(what) => {
            eprintln!("demo: {what}");
            ExitCode::FAILURE
        }
    }
}

fn demo() -> Result<(), String> {
    println!("building the service, libjemalloc.so and the viewer (release) ...");
    let svc = build::svc(Profile::Release);
    let library = build::preload_of(Profile::Release);
    let viewer = build::viewer(Profile::Release);

    let folder = build::workspace().join("target/demo");
    // What an earlier demo left; it need not be there.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let prefix = folder.join("jeprof");
    let conf = format!("prof:true,lg_prof_sample:19,prof_final:true,prof_prefix:{}", prefix.display());
    println!("running the service: MALLOC_CONF={conf} {} --cache 200000 --requests 200000\n", svc.display());
    let mut service = Command::new(&svc);
    service.args(["--cache", "200000", "--requests", "200000"]).env("MALLOC_CONF", &conf);
    print!("{}", text(&finished(&mut service)?));

    let dump = only_dump(&folder)?;
    println!(
        "\nwhat the profile says, sampled once in 512 KiB: jeprof-rs --lines --show-bytes --hide-std {}\n",
        dump.display()
    );
    let table =
        finished(Command::new(&viewer).args(["--lines", "--show_bytes", "--hide_std"]).arg(&svc).arg(&dump))?;
    text(&table)
        .lines()
        .filter(|line| !line.starts_with("       0 "))
        .take(ROWS + 1)
        .for_each(|line| println!("{line}"));

    let collapsed = finished(Command::new(&viewer).arg("--collapsed").arg(&svc).arg(&dump))?;
    save("heap.collapsed", &collapsed.stdout)?;
    let flame = finished(Command::new(&viewer).arg("flame").arg(&dump))?;
    save("heap.svg", &flame.stdout)?;
    println!("\nwrote heap.collapsed and heap.svg (open it in a browser) here");
    println!(
        "any other program: LD_PRELOAD={} MALLOC_CONF=prof:true,prof_final:true PROGRAM",
        library.display()
    );
    Ok(())
}

fn text(output: &Output) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(&output.stdout)
}

/// Runs to the end; anything but exit status 0 is an error with the program's own words.
fn finished(command: &mut Command) -> Result<Output, String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(output);
    }
    Err(format!("{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr)))
}

fn only_dump(folder: &Path) -> Result<PathBuf, String> {
    let entries = std::fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut dumps: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    match (dumps.pop(), dumps.len()) {
        (Some(dump), 0) => Ok(dump),
        (found, more) => {
            Err(format!("expected one final dump, found {}", more + usize::from(found.is_some())))
        }
    }
}

fn save(name: &str, bytes: &[u8]) -> Result<(), String> {
    if bytes.is_empty() {
        return Err(format!("{name}: the viewer gave nothing"));
    }
    std::fs::write(name, bytes).map_err(|error| format!("{name}: {error}"))
}
