//! What a word of the command line stands for: a file, the files of a folder or of a pattern, a server, stdin.

use std::path::{Path, PathBuf};

use super::remote::{self, Remote};
use crate::error::{Error, Result, plain};

/// Endings of dumps' names, apart from that of a packed file.
const DUMP_NAMES: [&str; 2] = [".heap", ".pb"];

/// Endings of packed files.
const PACKED_NAMES: [&str; 3] = [".gz", ".zst", ".xz"];

/// Names that are at least this much alike are suggested, from 0 to 1.
const ALIKE_MIN: f64 = 0.7;

/// What a word stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A file that exists, or a pipe.
    File(PathBuf),
    /// The standard input.
    Stdin,
    /// A profile of a running service.
    Service(Remote),
}

/// Whether a file is called as profilers call their dumps.
pub fn is_dump_name(name: &str) -> bool {
    let name = PACKED_NAMES.iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
    DUMP_NAMES.iter().any(|end| name.ends_with(end))
}

/// Everything that the words stand for, in their order. Choices that the user should know of go to `notes`.
///
/// # Errors
/// A word stands for nothing; if it is the first, `first_meant` is what it may have been meant to be.
pub fn expand_all(
    words: &[String],
    first_meant: Option<&str>,
    notes: &mut Vec<String>,
) -> Result<Vec<Named>> {
    let mut all = Vec::new();
    for (at, word) in words.iter().enumerate() {
        all.extend(expand(word, first_meant.filter(|_| at == 0), notes)?);
    }
    Ok(all)
}

fn expand(word: &str, meant: Option<&str>, notes: &mut Vec<String>) -> Result<Vec<Named>> {
    if word == "-" {
        return Ok(vec![Named::Stdin]);
    }
    let path = Path::new(word);
    // What exists counts first: a file may be called like a server or a pattern.
    match std::fs::metadata(path) {
        Ok(facts) if facts.is_dir() => return of_folder(path, notes),
        Ok(_) => return Ok(vec![Named::File(path.into())]),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            // "Not a directory", a name that is too long: common to addresses, which are tried next.
            if let Some(services) = remote::from_word(word)? {
                return Ok(services.into_iter().map(Named::Service).collect());
            }
            return Err(Error::at(word, plain(&error)));
        }
    }
    if let Some(services) = remote::from_word(word)? {
        return Ok(services.into_iter().map(Named::Service).collect());
    }
    if word.contains(['*', '?', '[']) {
        return of_pattern(word);
    }
    let meant = meant.map_or_else(|| suggestion(path), |meant| format!(" (did you mean {meant}?)"));
    Err(Error::at(word, format!("no such file{meant}")))
}

/// Every dump of a folder, by name. Files without content are left out: a program that is just writing one, or was
/// stopped before it could.
fn of_folder(folder: &Path, notes: &mut Vec<String>) -> Result<Vec<Named>> {
    let (mut names, mut empty) = (Vec::new(), 0);
    for name in names_in(folder).map_err(|error| Error::at(folder.display(), plain(&error)))? {
        let Ok(facts) = std::fs::metadata(folder.join(&name)) else { continue };
        match (is_dump_name(&name) && facts.is_file(), facts.len()) {
            (true, 0) => empty += 1,
            (true, _) => names.push(name),
            (false, _) => {}
        }
    }
    names.sort_unstable();
    let left_out = match empty {
        0 => String::new(),
        1 => " (one empty file is left out)".into(),
        _ => format!(" ({empty} empty files are left out)"),
    };
    let said = match names.as_slice() {
        [] => {
            let what = format!("has no heap profile in it (*.heap, *.pb, *.pb.gz){left_out}");
            return Err(Error::at(folder.display(), what));
        }
        [only] => format!("reading {only} of {}{left_out}", folder.display()),
        [first, .., last] => {
            format!(
                "adding up the {} dumps of {}, {first} to {last}{left_out}",
                names.len(),
                folder.display()
            )
        }
    };
    notes.push(said);
    Ok(names.into_iter().map(|name| Named::File(folder.join(name))).collect())
}

/// Every file that a pattern matches, by name.
fn of_pattern(pattern: &str) -> Result<Vec<Named>> {
    let paths =
        glob::glob(pattern).map_err(|error| Error::at(pattern, format!("no such file, and {error}")))?;
    let mut files = Vec::new();
    for path in paths {
        let path = path.map_err(|error| Error::at(error.path().display(), plain(error.error())))?;
        if !path.is_dir() {
            files.push(Named::File(path));
        }
    }
    if files.is_empty() { Err(Error::at(pattern, "no such file, and no file matches")) } else { Ok(files) }
}

/// What may have been meant by a path that does not exist.
fn suggestion(path: &Path) -> String {
    if let Some(text) = path.to_str()
        && text.contains("/pprof/")
    {
        return format!(" (a server is given as http://{text} or HOST:PORT)");
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let Some(wanted) = path.file_name().and_then(|name| name.to_str()) else { return String::new() };
    let Ok(mut names) = names_in(folder) else {
        return if folder.exists() { String::new() } else { format!(" (there is no {})", folder.display()) };
    };
    names.sort_unstable();
    let alike = |name: &str| strsim::normalized_damerau_levenshtein(wanted, name);
    let nearest = names.iter().max_by(|a, b| alike(a).total_cmp(&alike(b)).then(b.cmp(a)));
    match nearest {
        Some(name) if alike(name) >= ALIKE_MIN => {
            format!(" (did you mean {}?)", path.with_file_name(name).display())
        }
        _ => String::new(),
    }
}

/// Names of a folder's files, as far as they are text.
fn names_in(folder: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        names.extend(entry?.file_name().into_string());
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dumps_are_known_by_their_endings() {
        for name in ["a.1.0.f.heap", "a.heap.gz", "a.pb", "a.pb.gz", "a.heap.zst", "a.pb.xz"] {
            assert!(is_dump_name(name), "{name}");
        }
        for name in ["a.gz", "heap", "a.heap.svg", "a.txt"] {
            assert!(!is_dump_name(name), "{name}");
        }
    }
}
