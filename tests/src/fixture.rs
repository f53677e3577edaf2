//! The C and C++ programs of `fixtures/programs`, compiled on demand by the system's compiler.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
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
    static LOCK: Mutex<()> = Mutex::new(());
    let _one_at_a_time = LOCK.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let programs = workspace().join("fixtures/programs");
    let input = programs.join(source);
    // A folder per content: an unchanged source is compiled once for all test binaries, and a program that runs is
    // never replaced.
    let mut content = DefaultHasher::new();
    // A source may include one of the headers, or the C program of its name.
    let included = input.with_extension("c");
    for path in
        [&input, &programs.join("je.h"), &programs.join("check.h"), &programs.join("arenas.h"), &included]
    {
        if path != &included || path.exists() {
            let text = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            text.hash(&mut content);
        }
    }
    arguments.hash(&mut content);
    // What an argument names becomes part of the program: libraries, and the header in a folder of headers.
    for argument in arguments {
        let file = argument.trim_start_matches("-Wl,");
        let header = argument.strip_prefix("-I").map(|folder| format!("{folder}/jemalloc/jemalloc.h"));
        if let Ok(bytes) = std::fs::read(header.as_deref().unwrap_or(file)) {
            bytes.hash(&mut content);
        }
    }
    let folder = target_folder().join(format!("suite-fixtures/{:016x}", content.finish()));
    std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let done = folder.join(source.replace('.', "_"));
    if done.exists() {
        return done;
    }
    let output = folder.join(format!("{}.{}", source, std::process::id()));
    let compiler = if source.ends_with(".cc") { "c++" } else { "cc" };
    let mut command = Command::new(compiler);
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
    command.arg(&input).args(arguments).arg("-o").arg(&output).arg("-ldl").arg("-lm");
    let answer = command.output().unwrap_or_else(|error| panic!("cannot run `{compiler}`: {error}"));
    assert!(
        answer.status.success(),
        "{compiler} {}:\n{}",
        input.display(),
        String::from_utf8_lossy(&answer.stderr)
    );
    std::fs::rename(&output, &done).unwrap_or_else(|error| panic!("{}: {error}", done.display()));
    done
}
