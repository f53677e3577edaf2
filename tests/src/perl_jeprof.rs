//! The original jeprof, in Perl, of jemalloc 5.3.1: its template lies in the sources inside the crate
//! `tikv-jemalloc-sys`, which cargo has fetched for the benchmark against the C library.

use std::fs;
use std::path::{Path, PathBuf};

use crate::build::crate_folder;

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
