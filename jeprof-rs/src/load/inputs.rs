//! Which of the words is the program, which are dumps, and what is meant when there is none.

use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use super::{Kind, Source, kind};
use crate::error::{Error, Result, plain};

/// Names that a dump of ours, of jemalloc's and of pprof's tools ends in.
const DUMP_NAMES: [&str; 4] = [".heap", ".heap.gz", ".pb", ".pb.gz"];

/// How long a pipe on stdin may stay silent before the newest dump of the directory is taken instead. Long enough
/// for a program that starts up, short enough for a job whose stdin is an open pipe that nobody writes to.
const STDIN_PATIENCE: Duration = Duration::from_secs(2);

/// The files of a run.
#[derive(Debug, PartialEq, Eq)]
pub struct Inputs {
    /// The program, when it was given.
    pub program: Option<PathBuf>,
    /// Dumps to add up, at least one.
    pub dumps: Vec<Source>,
    /// What was chosen without being asked for, to be told.
    pub note: Option<String>,
}

/// Sorts the words of the command line.
///
/// # Errors
/// A file cannot be read, two programs are given, or there is no dump at all.
pub fn sort(words: &[String]) -> Result<Inputs> {
    let mut program: Option<PathBuf> = None;
    let mut dumps = Vec::new();
    for word in words {
        let path = PathBuf::from(word);
        if word == "-" {
            dumps.push(Source::Stdin(read_stdin()?));
        } else if kind(&path)? == Kind::Other {
            dumps.push(Source::File(path));
        } else if let Some(first) = program.replace(path) {
            return Err(Error::at(word, format!("is a second program beside {}", first.display())));
        }
    }
    if !dumps.is_empty() {
        return Ok(Inputs { program, dumps, note: None });
    }
    let newest = newest_dump(Path::new("."))?;
    if let Some(bytes) = offered_on_stdin(newest.is_some())? {
        return Ok(Inputs { program, dumps: vec![Source::Stdin(bytes)], note: None });
    }
    let Some(path) = newest else {
        return Err(Error::new(
            "no heap profile given, none in this directory (*.heap, *.pb, *.pb.gz) and none on stdin; \
             see jeprof-rs --help",
        ));
    };
    let note = Some(format!("reading {}, the newest dump here", path.display()));
    Ok(Inputs { program, dumps: vec![Source::File(path)], note })
}

/// The file with a dump's name that was changed last; of equally old ones the last by name.
fn newest_dump(folder: &Path) -> Result<Option<PathBuf>> {
    let complain = |error: std::io::Error| Error::at(folder.display(), plain(&error));
    let mut newest: Option<(SystemTime, PathBuf)> = None;
    for entry in std::fs::read_dir(folder).map_err(complain)? {
        let entry = entry.map_err(complain)?;
        let name = entry.file_name();
        let is_dump = name.to_str().is_some_and(|name| DUMP_NAMES.iter().any(|end| name.ends_with(end)));
        // A file may vanish between the listing and the look; the rest still counts.
        if let (true, Ok(facts)) = (is_dump, std::fs::metadata(entry.path()))
            && let (true, Ok(changed)) = (facts.is_file() && facts.len() > 0, facts.modified())
        {
            let candidate = (changed, entry.path());
            if newest.as_ref().is_none_or(|newest| *newest < candidate) {
                newest = Some(candidate);
            }
        }
    }
    Ok(newest.map(|(_, path)| path.strip_prefix(".").map(PathBuf::from).unwrap_or(path)))
}

fn read_stdin() -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::io::stdin().lock().read_to_end(&mut bytes).map_err(|e| Error::at("standard input", plain(&e)))?;
    Ok(bytes)
}

/// What stdin holds, if it is a file or a pipe with something in it. `impatient`: there is something else to take.
fn offered_on_stdin(impatient: bool) -> Result<Option<Vec<u8>>> {
    let Ok(facts) = std::fs::metadata("/dev/stdin") else { return Ok(None) };
    if facts.is_file() {
        return read_stdin().map(|bytes| (!bytes.is_empty()).then_some(bytes));
    }
    if !(facts.file_type().is_fifo() || facts.file_type().is_socket()) {
        return Ok(None);
    }
    // The reader thread is left behind when the pipe stays silent: it ends with the process.
    let (first_byte, arrived) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut bytes = vec![0; 1];
        let outcome = stdin.read(&mut bytes).and_then(|count| {
            bytes.truncate(count);
            // Nobody may listen any more; then nobody needs the bytes.
            let _ = first_byte.send(());
            if count > 0 { stdin.read_to_end(&mut bytes).map(|_| ()) } else { Ok(()) }
        });
        outcome.map(|()| bytes)
    });
    if impatient && arrived.recv_timeout(STDIN_PATIENCE) == Err(mpsc::RecvTimeoutError::Timeout) {
        return Ok(None);
    }
    let bytes = reader
        .join()
        .map_err(|_| Error::at("standard input", "cannot be read"))?
        .map_err(|error| Error::at("standard input", plain(&error)))?;
    Ok((!bytes.is_empty()).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_dump_is_the_last_changed_that_has_something_in_it() {
        let folder = std::env::temp_dir().join(format!("jeprof-rs-newest-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let write = |name: &str, age_s: u64, content: &str| {
            let path = folder.join(name);
            std::fs::write(&path, content).unwrap();
            let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000 - age_s);
            std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
        };
        assert_eq!(newest_dump(&folder).unwrap(), None);
        write("a.1.heap", 30, "x");
        write("b.pb.gz", 20, "x");
        write("c.heap", 10, "");
        write("notes.txt", 5, "x");
        assert_eq!(newest_dump(&folder).unwrap(), Some(folder.join("b.pb.gz")));
        write("z.pb", 20, "x");
        assert_eq!(newest_dump(&folder).unwrap(), Some(folder.join("z.pb")));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
