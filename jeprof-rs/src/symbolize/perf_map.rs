//! Names of code that a program made while it ran, from the file that runtimes write for perf: `/tmp/perf-PID.map`, a line
//! `START SIZE NAME` per function, in hex. Later lines replace earlier ones, since code memory is used again.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use super::search::Search;
use crate::error::{Error, Result, plain};
use crate::model::file_name;

/// The names of these addresses (of the process that wrote the file), sorted.
///
/// Cost: the file is read once; a line costs a binary search in the addresses.
pub fn names_in(text: &[u8], addresses: &[u64]) -> Vec<Option<String>> {
    let mut names: Vec<Option<&[u8]>> = vec![None; addresses.len()];
    for line in text.split(|byte| *byte == b'\n') {
        let Some((start, size, name)) = entry(line) else { continue };
        let first = addresses.partition_point(|address| *address < start);
        let end = addresses.partition_point(|address| *address < start.saturating_add(size));
        names[first..end].fill(Some(name));
    }
    names.into_iter().map(|name| name.map(|name| String::from_utf8_lossy(name).into_owned())).collect()
}

/// Start, size and name of a line; `None` for one that is cut or is none.
fn entry(line: &[u8]) -> Option<(u64, u64, &[u8])> {
    let mut words = line.trim_ascii().splitn(3, |byte| *byte == b' ');
    let mut number = || {
        let word = std::str::from_utf8(words.next()?).ok()?;
        u64::from_str_radix(word.strip_prefix("0x").unwrap_or(word), 16).ok()
    };
    let (start, size) = (number()?, number()?);
    let name = words.next()?.trim_ascii();
    (!name.is_empty()).then_some((start, size, name))
}

/// The file for these dumps: the one that the user named, else that of the process that the dumps' names tell, as jemalloc
/// numbers them (`NAME.PID.SEQUENCE.KIND.heap`).
///
/// A file that came into being after the dumps is of another process with the same number.
///
/// # Errors
/// The file that the user named cannot be read.
pub fn find(
    named: Option<&Path>,
    dumps: &[String],
    made_at: Option<SystemTime>,
    search: &Search,
) -> Result<Option<(PathBuf, Vec<u8>)>> {
    if let Some(path) = named {
        let bytes = std::fs::read(path).map_err(|error| Error::at(path.display(), plain(&error)))?;
        return Ok(Some((path.to_path_buf(), bytes)));
    }
    let mut processes: Vec<Option<u32>> = dumps.iter().map(|dump| process_of(dump)).collect();
    processes.dedup();
    let [Some(process)] = processes[..] else { return Ok(None) };
    let path = search.in_sysroot(Path::new(&format!("/tmp/perf-{process}.map")));
    let Ok(facts) = std::fs::metadata(&path) else { return Ok(None) };
    let is_younger = made_at.zip(facts.created().ok()).is_none_or(|(made_at, created)| created > made_at);
    // Anybody can put something else there, a pipe that nobody writes to for one.
    if is_younger || !facts.is_file() {
        return Ok(None);
    }
    Ok(std::fs::read(&path).ok().map(|bytes| (path, bytes)))
}

/// The process number in a dump's name.
fn process_of(dump: &str) -> Option<u32> {
    let name = file_name(dump);
    let name = name.strip_suffix(".gz").unwrap_or(name);
    let mut parts = name.rsplit('.');
    parts.next().filter(|end| matches!(*end, "heap" | "pb"))?;
    let kind = parts.next()?;
    let is_kind =
        kind.starts_with(['f', 'i', 'm', 'u']) && kind[1..].bytes().all(|byte| byte.is_ascii_digit());
    let sequence = parts.next()?;
    if !is_kind || sequence.is_empty() || !sequence.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    parts.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_that_holds_an_address_names_it() {
        let text = b"7f00 10 old one\n0x7f20 0x10 other\nbroken\n7f00 8 LazyCompile:~new /a.js:1\n7f30 10\n7f40 zz x\n";
        let names =
            names_in(text, &[0x7eff, 0x7f00, 0x7f07, 0x7f08, 0x7f0f, 0x7f10, 0x7f2f, 0x7f30, u64::MAX]);
        let names: Vec<&str> = names.iter().map(|name| name.as_deref().unwrap_or("-")).collect();
        let new = "LazyCompile:~new /a.js:1";
        assert_eq!(names, ["-", new, new, "old one", "old one", "-", "other", "-", "-"]);
        assert_eq!(names_in(b"ffffffffffffffff ffffffffffffffff x", &[5]), [None]);
    }

    #[test]
    fn jemalloc_s_names_of_dumps_tell_the_process() {
        for (name, process) in [
            ("/x/jeprof.4711.0.f.heap", Some(4711)),
            ("svc.1.2.3.i17.heap", Some(2)),
            ("jeprof.99.1.u5.heap.gz", Some(99)),
            ("my.heap", None),
            ("jeprof.x.0.f.heap", None),
            ("jeprof.7.0.g.heap", None),
            ("jeprof.7..f.heap", None),
            ("", None),
        ] {
            assert_eq!(process_of(name), process, "{name}");
        }
    }
}
