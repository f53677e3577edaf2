//! Which of the words is the program, which are dumps, and what is meant when there is none.

use std::collections::VecDeque;
use std::io::Read;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, SystemTime};

use super::http::{Client, Manner};
use super::remote::{Fetched, Remote};
use super::words::{self, Named};
use super::{Kind, Source, kind};
use crate::error::{Error, Result, plain};
use crate::plan::InputPlan;
use crate::progress::Progress;

/// How long a pipe on stdin may stay silent before the newest dump of the directory is taken instead. Long enough
/// for a program that starts up, short enough for a job whose stdin is an open pipe that nobody writes to.
const STDIN_PATIENCE: Duration = Duration::from_secs(2);

/// How long a server may be silent, apart from the time in which it was asked to watch its program.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// The files of a run.
#[derive(Debug)]
pub struct Inputs {
    /// The program, when it was given.
    pub program: Option<PathBuf>,
    /// Dumps to add up, at least one.
    pub dumps: Vec<Source>,
    /// Dumps to subtract.
    pub base: Vec<Source>,
    /// What was chosen without being asked for, and what was fetched, to be told.
    pub notes: Vec<String>,
}

/// Sorts the words of the command line, and fetches what is on servers, all at the same time.
///
/// # Errors
/// A file cannot be read, a server does not answer, two programs are given, or there is no dump at all.
pub fn sort(plan: &InputPlan, progress: &Progress) -> Result<Inputs> {
    let mut notes = Vec::new();
    let mut program: Option<PathBuf> = None;
    let mut dumps = Vec::new();
    for named in words::expand_all(&plan.words, plan.first_word_meant.as_deref(), &mut notes)? {
        match named {
            Named::File(path) if kind(&path)? == Kind::Program => {
                let word = path.display().to_string();
                if let Some(first) = program.replace(path) {
                    return Err(Error::at(word, format!("is a second program beside {}", first.display())));
                }
            }
            other => dumps.push(other),
        }
    }
    let mut base = words::expand_all(&plan.base, None, &mut notes)?;
    if plan.first_is_base && base.is_empty() {
        if dumps.len() != 2 {
            let given = dumps.len();
            return Err(Error::new(format!(
                "two dumps are compared, OLD and NEW, here are {given}; --base=OLD says which of several are the old ones"
            )));
        }
        base.push(dumps.remove(0));
    }
    for named in &base {
        if let Named::File(path) = named
            && kind(path)? == Kind::Program
        {
            return Err(Error::at(path.display(), "--base wants a dump, this is a program"));
        }
    }
    let mut fetched = fetch_all(dumps.iter().chain(&base), plan, progress)?;
    notes.extend(fetched.iter().map(|fetched| fetched.note.clone()));
    let mut open = |named| match named {
        Named::File(path) => Ok(Source::File(path)),
        Named::Stdin => read_stdin().map(Source::Stdin),
        Named::Service(_) => {
            Ok(Source::Service(Box::new(fetched.pop_front().expect("one for each was fetched"))))
        }
    };
    let mut dumps: Vec<Source> = dumps.into_iter().map(&mut open).collect::<Result<_>>()?;
    let base = base.into_iter().map(&mut open).collect::<Result<_>>()?;
    if dumps.is_empty() {
        dumps.push(unasked(&mut notes)?);
    }
    Ok(Inputs { program, dumps, base, notes })
}

/// What is meant when no dump is named: the one on stdin, or the newest here.
fn unasked(notes: &mut Vec<String>) -> Result<Source> {
    let newest = newest_dump(Path::new("."))?;
    if let Some(bytes) = offered_on_stdin(newest.is_some())? {
        return Ok(Source::Stdin(bytes));
    }
    let path = newest.ok_or_else(|| {
        Error::new(
            "no heap profile given, none in this directory (*.heap, *.pb, *.pb.gz) and none on stdin; \
             see jeprof-rs --help",
        )
    })?;
    notes.push(format!("reading {}, the newest dump here", path.display()));
    Ok(Source::File(path))
}

/// Asks all servers at once, because each may be asked to watch its program for a while.
fn fetch_all<'a>(
    named: impl Iterator<Item = &'a Named>,
    plan: &InputPlan,
    progress: &Progress,
) -> Result<VecDeque<Fetched>> {
    let services: Vec<&Remote> = named
        .filter_map(|named| if let Named::Service(remote) = named { Some(remote) } else { None })
        .collect();
    match services.as_slice() {
        [] => return Ok(VecDeque::new()),
        [service] => progress.step(format!("fetching {service}")),
        several => progress.step(format!("fetching {} profiles", several.len())),
    }
    let client = Client::new(Manner {
        headers: plan.headers.clone(),
        silence_max: SILENCE_MAX + Duration::from_secs(plan.seconds.unwrap_or(0).into()),
        answer_bytes_max: plan.unpack_bytes_max,
    });
    std::thread::scope(|scope| {
        let fetches: Vec<_> =
            services.iter().map(|service| scope.spawn(|| service.fetch(&client, plan.seconds))).collect();
        let join = |fetch: std::thread::ScopedJoinHandle<'_, Result<Fetched>>| {
            fetch.join().unwrap_or_else(|_| Err(Error::new("fetching failed")))
        };
        fetches.into_iter().map(join).collect()
    })
}

/// The file with a dump's name that was changed last; of equally old ones the last by name.
fn newest_dump(folder: &Path) -> Result<Option<PathBuf>> {
    let complain = |error: std::io::Error| Error::at(folder.display(), plain(&error));
    let mut newest: Option<(SystemTime, PathBuf)> = None;
    for entry in std::fs::read_dir(folder).map_err(complain)? {
        let entry = entry.map_err(complain)?;
        let name = entry.file_name();
        let is_dump = name.to_str().is_some_and(words::is_dump_name);
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
