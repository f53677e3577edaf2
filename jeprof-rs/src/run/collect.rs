//! The folder that dumps are written to, and which of them are there.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::Metadata;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result, plain};

/// A dump that was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dump {
    /// By which process.
    pub pid: u32,
    /// The how many-th of the process it is.
    pub seq: u64,
    /// Whether the process wrote it when it ended.
    pub is_final: bool,
    /// The file.
    pub path: PathBuf,
}

/// See the module's head. A temporary one is removed with all that is in it.
pub struct Folder {
    path: PathBuf,
    is_kept: bool,
    /// How names start.
    name: String,
    /// What was there before, of earlier runs: files by name.
    before: HashMap<OsString, Version>,
}

/// What tells a file from another one that got its name: the inode, and when it was written in seconds and nanoseconds.
type Version = (u64, i64, i64);

fn version(facts: &Metadata) -> Version {
    (facts.ino(), facts.mtime(), facts.mtime_nsec())
}

impl Folder {
    /// A folder of our own among the temporary files, which nobody else can read.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn temporary(name: &str) -> Result<Folder> {
        let root = std::env::temp_dir();
        let mut at = 0;
        loop {
            let path = root.join(format!("jeprof-run-{}-{at}", std::process::id()));
            match std::fs::DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => return Ok(Folder::new(path, false, name)),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && at < 1000 => at += 1,
                Err(error) => {
                    return Err(Error::at(path.display(), format_args!("cannot be made: {}", plain(&error))));
                }
            }
        }
    }

    /// The user's.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn kept(path: &Path, name: &str) -> Result<Folder> {
        let made = std::fs::create_dir_all(path).and_then(|()| path.canonicalize());
        let path = made
            .map_err(|error| Error::at(path.display(), format_args!("cannot be made: {}", plain(&error))))?;
        Ok(Folder::new(path, true, name))
    }

    fn new(path: PathBuf, is_kept: bool, name: &str) -> Folder {
        // A dot would end the prefix for readers of names, a comma the option.
        let name = name.replace(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-', "_");
        // Where nothing can be read nothing will be found either, which is told then.
        let there = std::fs::read_dir(&path).into_iter().flatten().flatten();
        let before = there.filter_map(|entry| Some((entry.file_name(), version(&entry.metadata().ok()?))));
        Folder { before: before.collect(), path, is_kept, name }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether the dumps stay.
    pub fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// The start of names of dumps.
    ///
    /// # Errors
    /// It cannot be written as text.
    pub fn prefix(&self) -> Result<String> {
        let path = self.path.join(&self.name);
        path.into_os_string().into_string().map_err(|path| Error::at(path.display(), "is not valid UTF-8"))
    }

    /// The dumps that were written since the folder was opened, by process and number.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub fn dumps(&self) -> Result<Vec<Dump>> {
        let complain = |error: std::io::Error| Error::at(self.path.display(), plain(&error));
        let mut dumps = Vec::new();
        for entry in std::fs::read_dir(&self.path).map_err(complain)? {
            let entry = entry.map_err(complain)?;
            let name = entry.file_name();
            let Some(mut dump) = name.to_str().and_then(|name| parsed(name.strip_prefix(&self.name)?)) else {
                continue;
            };
            let facts = entry.metadata().map_err(complain)?;
            if self.before.get(&name) == Some(&version(&facts)) {
                continue;
            }
            dump.path = entry.path();
            dumps.push(dump);
        }
        dumps.sort_by(|a, b| (a.pid, a.seq, &a.path).cmp(&(b.pid, b.seq, &b.path)));
        Ok(dumps)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept {
            // A leftover among temporary files is no failure.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// What the name of a dump says behind the prefix: `.PID.SEQ.f.heap`, `.PID.SEQ.i3.pb.gz`.
fn parsed(rest: &str) -> Option<Dump> {
    let mut parts = rest.strip_prefix('.')?.splitn(4, '.');
    let (pid, seq) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let (trigger, ending) = (parts.next()?, parts.next()?);
    let is_dump = matches!(ending, "heap" | "pb.gz");
    is_dump.then(|| Dump { pid, seq, is_final: trigger == "f", path: PathBuf::new() })
}

/// The last dump of each process, and those before it of a process that became another program: after `exec` numbers begin
/// anew, in the same names.
pub fn last_of_each(dumps: &[Dump]) -> Vec<&Dump> {
    let is_last = |at: usize| dumps.get(at + 1).is_none_or(|next| next.pid != dumps[at].pid);
    (0..dumps.len()).filter(|&at| is_last(at)).map(|at| &dumps[at]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_dumps_are_read_and_others_are_not() {
        let read = |rest: &str| parsed(rest).map(|dump| (dump.pid, dump.seq, dump.is_final));
        assert_eq!(read(".12.3.f.heap"), Some((12, 3, true)));
        assert_eq!(read(".12.0.i0.pb.gz"), Some((12, 0, false)));
        for other in [".12.3.f.heap.12.tmp", ".12.3.r0.json", "12.3.f.heap", ".x.3.f.heap", ".12.f.heap", ""]
        {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn dumps_are_found_in_order_and_a_temporary_folder_goes() {
        let folder = Folder::temporary("a.b,c").unwrap();
        assert!(folder.prefix().unwrap().ends_with("/a_b_c"));
        for name in ["a_b_c.9.1.f.heap", "a_b_c.9.0.i0.heap", "a_b_c.10.0.f.heap", "other.9.2.f.heap"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let dumps = folder.dumps().unwrap();
        let found: Vec<_> = dumps.iter().map(|dump| (dump.pid, dump.seq)).collect();
        assert_eq!(found, [(9, 0), (9, 1), (10, 0)]);
        // A later run counts what it finds anew: dumps that were not there, and one that was replaced under its name.
        let later = Folder::kept(folder.path(), "a.b,c").unwrap();
        std::fs::write(folder.path().join("a_b_c.11.0.f.heap"), "").unwrap();
        std::fs::write(folder.path().join("new"), "").unwrap();
        std::fs::rename(folder.path().join("new"), folder.path().join("a_b_c.9.0.i0.heap")).unwrap();
        let found: Vec<_> = later.dumps().unwrap().iter().map(|dump| (dump.pid, dump.seq)).collect();
        assert_eq!(found, [(9, 0), (11, 0)]);
        let last: Vec<_> = last_of_each(&dumps).iter().map(|dump| (dump.pid, dump.seq)).collect();
        assert_eq!(last, [(9, 1), (10, 0)]);
        let path = folder.path().to_path_buf();
        drop(folder);
        assert!(!path.exists());
    }
}
