//! The program that is run: where it is, and whether a library can be preloaded into it.

use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::headers::Headers;
use super::library::Library;
use crate::error::{Error, Result, plain};

/// See the module's head.
pub struct Program {
    path: PathBuf,
    /// Those of the program, or of the interpreter of a script, with its path.
    headers: Option<(PathBuf, Headers)>,
}

impl Program {
    /// Finds a program as a shell does.
    ///
    /// # Errors
    /// There is none of this name, or it cannot be executed.
    pub fn find(name: &str) -> Result<Program> {
        let path = if name.contains('/') { Some(PathBuf::from(name)) } else { in_path(name) };
        let path = path.ok_or_else(|| Error::at(name, "no such program in PATH"))?;
        let complain = |what: &dyn std::fmt::Display| Error::at(path.display(), what);
        let facts = std::fs::metadata(&path).map_err(|error| complain(&plain(&error)))?;
        if facts.is_dir() {
            return Err(complain(&"is a directory, not a program"));
        }
        if !is_executable(&path) {
            return Err(complain(&"is not executable"));
        }
        // What cannot be read may be run all the same.
        let mut headers = Headers::of(&path).unwrap_or(None).map(|headers| (path.clone(), headers));
        if headers.is_none()
            && let Some(interpreter) = interpreter(&path)
        {
            headers = Headers::of(&interpreter).unwrap_or(None).map(|headers| (interpreter, headers));
        }
        Ok(Program { path, headers })
    }

    /// What is executed.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its file's name.
    pub fn name(&self) -> &str {
        self.path.file_name().and_then(|name| name.to_str()).unwrap_or("program")
    }

    /// Whether this project's allocator is in the program itself.
    pub fn has_allocator(&self) -> bool {
        self.headers.as_ref().is_some_and(|(_, headers)| headers.has_allocator)
    }

    /// Whether the loader would take the library into the program.
    ///
    /// # Errors
    /// It would not; the text says what to do.
    pub fn check_preload(&self, library: &Library) -> Result<()> {
        let Some((path, headers)) = &self.headers else { return Ok(()) };
        let complain = |what: &str| Err(Error::at(path.display(), what));
        if headers.architecture != library.headers().architecture {
            return complain(&format!(
                "is for another processor ({:?}) than {} ({:?})",
                headers.architecture,
                library.path().display(),
                library.headers().architecture
            ));
        }
        if !headers.is_dynamic {
            return complain(
                "is linked statically, so nothing can be preloaded: link it with libjemalloc.a, or, in Rust, with the \
                 crate jealloc",
            );
        }
        if gains_privileges(path) {
            return complain(
                "runs with another user's or group's rights (set-user-ID), for which the loader preloads nothing and the \
                 allocator reads no options: run a copy without that bit",
            );
        }
        Ok(())
    }
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|path| is_executable(path))
}

fn is_executable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|facts| facts.is_file() && facts.permissions().mode() & 0o111 != 0)
}

/// Whether whoever starts the file gets rights that he has not. The kernel shows our own rights as the owner of our folder
/// in `/proc`.
fn gains_privileges(path: &Path) -> bool {
    let (Ok(file), Ok(own)) = (std::fs::metadata(path), std::fs::metadata("/proc/self")) else {
        return false;
    };
    file.mode() & 0o4000 != 0 && file.uid() != own.uid()
        || file.mode() & 0o2010 == 0o2010 && file.gid() != own.gid()
}

/// The program that a script's first line names; behind `env` the one that it looks for.
fn interpreter(script: &Path) -> Option<PathBuf> {
    let mut start = Vec::new();
    std::fs::File::open(script).ok()?.take(256).read_to_end(&mut start).ok()?;
    let line = start.split(|byte| *byte == b'\n').next()?.strip_prefix(b"#!")?;
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let path = PathBuf::from(std::ffi::OsStr::from_bytes(words.next()?));
    if path.file_name().is_some_and(|name| name == "env") {
        let name = words.find(|word| !word.starts_with(b"-"))?;
        return in_path(std::str::from_utf8(name).ok()?);
    }
    Some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_in_the_path() {
        let program = Program::find("ls").unwrap();
        assert!(program.path().is_absolute() && program.name() == "ls" && !program.has_allocator());
    }

    #[test]
    fn what_cannot_be_run_is_told_apart() {
        let error = |name: &str| Program::find(name).err().unwrap().to_string();
        assert_eq!(error("no-such-program-at-all"), "no-such-program-at-all: no such program in PATH");
        assert_eq!(error("/no/such"), "/no/such: no such file");
        assert_eq!(error("/"), "/: is a directory, not a program");
        assert_eq!(error("/proc/self/status"), "/proc/self/status: is not executable");
    }

    #[test]
    fn a_script_is_what_its_interpreter_is() {
        let folder = std::env::temp_dir().join(format!("jeprof-run-script-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        for (text, expected) in
            [("#! /bin/sh -e\n", Some("/bin/sh")), ("#!/usr/bin/env -S ls -l\n", Some("ls")), ("x", None)]
        {
            let script = folder.join("script");
            std::fs::write(&script, text).unwrap();
            let found = interpreter(&script);
            assert!(
                match expected {
                    Some(end) =>
                        found.as_ref().is_some_and(|path| path.ends_with(end) || path == Path::new(end)),
                    None => found.is_none(),
                },
                "{text}: {found:?}"
            );
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
