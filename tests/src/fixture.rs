//! The C and C++ programs of `fixtures/programs` and the zoo of `fixtures/leaks`, compiled on demand by the system's
//! compiler, or by rustc.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::build::{target_folder, workspace};

/// Compiles `fixtures/programs/<source>` (`.c` with `cc`, `.cc` with `c++`) and gives the program's path. Each is
/// compiled once per content, without frame pointers and with line tables, like most programs out there.
///
/// # Panics
/// When the compiler is missing or refuses, with its output.
pub fn compiled(source: &str) -> PathBuf {
    compiled_with(source, &[])
}

/// The same with more arguments for the compiler, after the source.
pub fn compiled_with(source: &str, arguments: &[&str]) -> PathBuf {
    let folder = workspace().join("fixtures/programs");
    let mut parts: Vec<PathBuf> = ["je.h", "check.h", "arenas.h"].map(|header| folder.join(header)).into();
    // A source may include the C program of its name.
    let included = folder.join(source).with_extension("c");
    if included.exists() {
        parts.push(included);
    }
    // What an argument names becomes part of the program: libraries, and the header in a folder of headers.
    for argument in arguments {
        let file = argument.trim_start_matches("-Wl,");
        let header = argument.strip_prefix("-I").map(|folder| format!("{folder}/jemalloc/jemalloc.h"));
        let part = PathBuf::from(header.as_deref().unwrap_or(file));
        if part.is_file() {
            parts.push(part);
        }
    }
    once(&folder.join(source), &parts, arguments)
}

/// A program of the zoo, in C, C++ or Rust, or with `-shared` and `-fPIC` its library.
///
/// # Panics
/// As [`compiled`].
pub fn leak(source: &str, arguments: &[&str]) -> PathBuf {
    let folder = workspace().join("fixtures/leaks");
    once(&folder.join(source), &["zoo.h", "zoo.rs"].map(|part| folder.join(part)), arguments)
}

/// Compiles a source, unless that was done with the same content of it and its parts, and with the same arguments.
fn once(input: &Path, parts: &[PathBuf], arguments: &[&str]) -> PathBuf {
    static LOCK: Mutex<()> = Mutex::new(());
    let _one_at_a_time = LOCK.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    // A folder per content: an unchanged source is compiled once for all test binaries, and a program that runs is
    // never replaced.
    let mut content = DefaultHasher::new();
    for path in std::iter::once(input).chain(parts.iter().map(PathBuf::as_path)) {
        let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        bytes.hash(&mut content);
    }
    arguments.hash(&mut content);
    let folder = target_folder().join(format!("suite-fixtures/{:016x}", content.finish()));
    std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let source = input.file_name().expect("a source has a name").to_string_lossy();
    let done = folder.join(source.replace('.', "_"));
    if done.exists() {
        return done;
    }
    let output = folder.join(format!("{}.{}", source, std::process::id()));
    let mut command = compiler(&source);
    command.arg(input).args(arguments).arg("-o").arg(&output);
    if !source.ends_with(".rs") {
        command.args(["-ldl", "-lm"]);
    }
    let answer = command.output().unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    assert!(answer.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&answer.stderr));
    std::fs::rename(&output, &done).unwrap_or_else(|error| panic!("{}: {error}", done.display()));
    done
}

fn compiler(source: &str) -> Command {
    if source.ends_with(".rs") {
        let mut command = Command::new("rustc");
        command.args(["--edition=2024", "-Copt-level=2", "-Cdebuginfo=1", "-Dwarnings"]);
        return command;
    }
    let mut command = Command::new(if source.ends_with(".cc") { "c++" } else { "cc" });
    command.args([
        "-O2",
        "-g1",
        "-Wall",
        "-Wextra",
        "-Werror",
        "-fno-builtin",
        "-fomit-frame-pointer",
        "-pthread",
    ]);
    command
}
