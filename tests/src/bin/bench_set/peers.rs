//! The allocators that are compared.

use std::path::{Path, PathBuf};
use std::process::Command;

use suite::bench::report::{BASE, OURS};
use suite::build::{Profile, preload_of, target_folder, workspace};
use suite::reference;

/// One column.
pub struct Peer {
    /// In the table and on the command line.
    pub name: String,
    /// For the documentation.
    pub version: String,
    /// What is preloaded. For the system's own allocator its C library, because a program may be linked with another
    /// allocator, which then stands back. Of Rust programs, the folder of those that are linked with it.
    pub path: PathBuf,
}

/// jemalloc, and ours.
pub fn main_two() -> Vec<Peer> {
    vec![
        Peer { name: BASE.to_owned(), version: "5.3.1, with profiling".to_owned(), path: reference::v531() },
        Peer { name: OURS.to_owned(), version: "this one".to_owned(), path: preload_of(Profile::Release) },
    ]
}

/// All that can be had, jemalloc first and ours second; the others, each with its reason.
///
/// # Errors
/// When the script of the peers cannot be run.
pub fn all() -> Result<(Vec<Peer>, Vec<String>), String> {
    let mut peers = main_two();
    let mut missing = Vec::new();
    let script = workspace().join("tests/bench/peers.sh");
    let answer = Command::new(&script)
        .arg(target_folder().join("peers"))
        .output()
        .map_err(|error| format!("{}: {error}", script.display()))?;
    if !answer.status.success() {
        return Err(format!("{}: {}", script.display(), String::from_utf8_lossy(&answer.stderr)));
    }
    for line in String::from_utf8_lossy(&answer.stdout).lines() {
        let [name, version, library, reason] =
            line.split('\t').collect::<Vec<_>>().try_into().map_err(|_| format!("peers.sh said: {line}"))?;
        if library == "-" {
            missing.push(format!("{name} {version}: {reason}"));
        } else {
            peers.push(Peer { name: name.to_owned(), version: version.to_owned(), path: library.into() });
        }
    }
    match glibc() {
        Some((version, library)) => peers.push(Peer { name: "glibc".to_owned(), version, path: library }),
        None => missing.push("glibc: ldconfig names no libc.so.6".to_owned()),
    }
    Ok((peers, missing))
}

fn glibc() -> Option<(String, PathBuf)> {
    let table = Command::new("ldconfig").arg("-p").output().ok()?;
    let table = String::from_utf8_lossy(&table.stdout);
    let line = table.lines().find(|line| line.contains("libc.so.6") && line.contains("x86-64"))?;
    let library = PathBuf::from(line.rsplit(' ').next()?);
    let version = Command::new("getconf").arg("GNU_LIBC_VERSION").output().ok()?;
    let version = String::from_utf8_lossy(&version.stdout);
    Some((version.trim().trim_start_matches("glibc ").to_owned(), library))
}

/// Tells two builds of a library apart.
///
/// # Errors
/// When it cannot be read.
pub fn checksum(library: &Path) -> Result<f64, String> {
    let bytes = std::fs::read(library).map_err(|error| format!("{}: {error}", library.display()))?;
    let fold = |sum: u32, byte: &u8| sum.wrapping_mul(16_777_619) ^ u32::from(*byte);
    Ok(f64::from(bytes.iter().fold(0x811c_9dc5, fold)))
}
