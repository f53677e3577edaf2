//! The set's own programs, compiled once for each content.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::process::Command;

use suite::build::{target_folder, workspace};

/// Compiles `tests/bench/programs/<source>` with optimisation and gives the program's path. No pair of malloc and free
/// is optimised away.
///
/// # Errors
/// When the compiler is missing or refuses, with its words.
pub fn compiled(source: &str) -> Result<PathBuf, String> {
    let folder = workspace().join("tests/bench/programs");
    let mut content = DefaultHasher::new();
    for file in [source, "bench.h", "queue.h"] {
        let path = folder.join(file);
        std::fs::read(&path).map_err(|error| format!("{}: {error}", path.display()))?.hash(&mut content);
    }
    let done = target_folder().join("bench-set");
    std::fs::create_dir_all(&done).map_err(|error| format!("{}: {error}", done.display()))?;
    let done = done.join(format!("{}-{:08x}", source.replace('.', "_"), content.finish() as u32));
    if done.exists() {
        return Ok(done);
    }
    let mut command = match source.rsplit_once('.') {
        Some((_, "c")) => compiler("cc"),
        Some((_, "cc")) => {
            let mut command = compiler("c++");
            command.args(["-std=c++17", "-fno-allocation-dce"]);
            command
        }
        _ => {
            let mut command = Command::new("rustc");
            command.args(["--edition=2024", "-Copt-level=2", "-Ccodegen-units=1"]);
            command
        }
    };
    command.arg(folder.join(source)).arg("-o").arg(&done);
    let answer = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if answer.status.success() {
        return Ok(done);
    }
    Err(format!("{command:?}:\n{}", String::from_utf8_lossy(&answer.stderr)))
}

fn compiler(name: &str) -> Command {
    let mut command = Command::new(name);
    command.args(["-O2", "-Wall", "-Wextra", "-Werror", "-pthread"]);
    command.args(["malloc", "calloc", "realloc", "free"].map(|function| format!("-fno-builtin-{function}")));
    command
}
