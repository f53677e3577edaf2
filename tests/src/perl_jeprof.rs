//! The original jeprof, in Perl, of jemalloc 5.3.1: its template lies in the sources inside the crate
//! `tikv-jemalloc-sys`, which cargo has fetched for the benchmark against the C library.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::build::workspace;

/// Makes the script in `folder` as jemalloc's own configure does for a build without a prefix.
///
/// # Errors
/// In words, when cargo does not name the crate or the files cannot be read or written.
pub fn install(folder: &Path) -> Result<PathBuf, String> {
    let template = crate_folder("tikv-jemalloc-sys")?.join("jemalloc/bin/jeprof.in");
    let text = fs::read_to_string(&template).map_err(|error| format!("{}: {error}", template.display()))?;
    let text = text.replace("@jemalloc_version@", "5.3.1-0-g81034ce1f1373e37dc865038e1bc8eeecf559ce8");
    let text = text.replace("@JEMALLOC_PREFIX@", "");
    let script = folder.join("jeprof-5.3.1");
    fs::write(&script, text).map_err(|error| format!("{}: {error}", script.display()))?;
    Ok(script)
}

/// Where cargo keeps the sources of a crate that the workspace depends on under some feature.
fn crate_folder(name: &str) -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into());
    let output = Command::new(cargo)
        .current_dir(workspace())
        .args(["metadata", "--format-version=1", "--all-features"])
        .output()
        .map_err(|error| format!("cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr)));
    }
    let metadata = String::from_utf8_lossy(&output.stdout);
    let crate_part = format!("/{name}-");
    let manifest = metadata.split("\"manifest_path\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let mut folders = manifest.filter_map(|path| path.strip_suffix("/Cargo.toml"));
    folders
        .find(|folder| folder.rfind('/').is_some_and(|at| folder[at..].starts_with(&crate_part)))
        .map(PathBuf::from)
        .ok_or_else(|| format!("cargo metadata names no crate {name}"))
}
