//! The reference libraries: the distribution's `libjemalloc2` (5.3.0), and 5.3.1 built from the C sources that lie
//! inside its Rust binding.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use crate::build::{crate_folder, target_folder};

/// Debian's library, of package `libjemalloc2`.
///
/// # Panics
/// When the package is not installed.
pub fn v530() -> PathBuf {
    let path = PathBuf::from("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2");
    assert!(path.exists(), "{} is missing: install libjemalloc2", path.display());
    path
}

/// jemalloc 5.3.1 with profiling, statistics and C++, as a shared library. Built once (two to four minutes) and kept
/// in cargo's target folder.
///
/// # Panics
/// When the sources are missing or the build fails, with its output.
pub fn v531() -> PathBuf {
    static LOCK: Mutex<()> = Mutex::new(());
    let _one_at_a_time = LOCK.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let sources = crate_folder("tikv-jemalloc-sys").unwrap_or_else(|what| panic!("{what}"));
    let version = version_of(&sources);
    let done = target_folder().join(format!("reference-{version}"));
    let library = done.join("lib/libjemalloc.so.2");
    if library.exists() {
        return library;
    }
    // Built aside and renamed, so that a half-built folder is never taken for a whole one.
    let work = target_folder().join(format!("reference-{version}.{}", std::process::id()));
    copy(&sources.join("jemalloc"), &work);
    copy(&sources.join("configure"), &work);
    let mut configure = Command::new("sh");
    configure.arg("configure").arg(format!("--with-version={version}")).args([
        "--enable-prof",
        "--enable-stats",
        "--enable-doc=no",
        "--enable-static=no",
    ]);
    run(configure.current_dir(&work));
    run(Command::new("make").args(["-j2", "build_lib_shared"]).current_dir(&work));
    match std::fs::rename(&work, &done) {
        Ok(()) => {}
        // Another test binary was faster.
        Err(_) if library.exists() => {
            let _ = std::fs::remove_dir_all(&work);
        }
        Err(error) => panic!("{}: {error}", done.display()),
    }
    library
}

/// The version that the binding's own version carries behind its `+`.
fn version_of(sources: &Path) -> String {
    let name = sources.file_name().expect("a crate's folder has a name").to_string_lossy().into_owned();
    name.split_once('+').unwrap_or_else(|| panic!("{name} tells no version of jemalloc")).1.to_owned()
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap_or_else(|error| panic!("{}: {error}", to.display()));
    run(Command::new("cp").arg("-r").arg(from.join(".")).arg(to));
}

fn run(command: &mut Command) {
    command.env_remove("LD_PRELOAD").env_remove("MALLOC_CONF").env_remove("MAKEFLAGS");
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}:\n{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
