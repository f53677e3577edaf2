//! The page of the documentation that tells the figures.

use std::fs;
use std::path::{Path, PathBuf};

use suite::bench::report::between_markers;
use suite::build::workspace;

use crate::peers::Peer;
use crate::real;

/// The folder of the documentation.
pub fn docs() -> PathBuf {
    workspace().join("docs")
}

/// Writes a file.
///
/// # Errors
/// With its path.
pub fn write(path: &Path, text: &str) -> Result<(), String> {
    fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

/// Replaces the section that the command makes with an option.
///
/// # Errors
/// When the page cannot be read or written, or has no such section.
pub fn replace(option: &str, text: &str) -> Result<(), String> {
    let page = docs().join("performance.md");
    let before = fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
    write(
        &page,
        &between_markers(&before, option, text).map_err(|what| format!("{}: {what}", page.display()))?,
    )
}

/// One line of a command's output, or a dash.
fn line_of(program: &str, arguments: &[&str]) -> String {
    let text = real::told(program, arguments).unwrap_or_default();
    text.lines().next().unwrap_or("-").to_owned()
}

/// Date and machine.
pub fn machine() -> String {
    let cpus = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model =
        cpus.lines().find(|line| line.starts_with("model name")).and_then(|line| line.split(": ").nth(1));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!(
        "{}, {cores} cores ({}), Linux {}",
        line_of("date", &["-u", "+%F"]),
        model.unwrap_or("unknown"),
        line_of("uname", &["-r"])
    )
}

/// Machine, date and versions.
pub fn conditions(peers: &[Peer], missing: &[String], left_out: &[String]) -> String {
    let versions: Vec<String> =
        peers.iter().map(|peer| format!("{} ({})", peer.name, peer.version)).collect();
    let mut text = format!("{}. Allocators: {}.\n", machine(), versions.join(", "));
    for (title, list) in [("Allocators that could not be had", missing), ("Rows left out", left_out)] {
        if !list.is_empty() {
            text += &format!("{title}: {}.\n", list.join("; "));
        }
    }
    text
}
