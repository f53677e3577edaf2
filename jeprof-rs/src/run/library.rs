//! The library that is preloaded: this project's `libjemalloc.so`, wherever it is.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::headers::Headers;
use crate::error::{Error, Result};

/// Its names: as it is built, and as it is installed.
const NAMES: [&str; 2] = ["libjemalloc.so", "libjemalloc.so.2"];
/// Where libraries are, beside what lies near the program.
const FOLDERS: [&str; 5] =
    ["/usr/local/lib", "/usr/lib", "/usr/lib64", "/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu"];
/// The variable that names it.
const VARIABLE: &str = "JEPROF_RS_LIBRARY";

const HOW: &str =
    "build it (cargo build --release -p jemalloc) and name it by --library or JEPROF_RS_LIBRARY";

/// See the module's head.
pub struct Library {
    path: PathBuf,
    headers: Headers,
}

impl Library {
    /// The one that was given, or the variable's, or the first that is ours near this program and in the usual places.
    ///
    /// # Errors
    /// There is none, or the one that was named is not ours.
    pub fn find(given: Option<&Path>) -> Result<Library> {
        let named = given
            .map(Path::to_path_buf)
            .or_else(|| std::env::var_os(VARIABLE).filter(|value| !value.is_empty()).map(PathBuf::from));
        if let Some(path) = named {
            return Library::open(&path).map_err(|what| Error::at(path.display(), what));
        }
        candidates()
            .find_map(|path| Library::open(&path).ok())
            .ok_or_else(|| Error::new(format!("there is no libjemalloc.so of this project: {HOW}")))
    }

    fn open(path: &Path) -> std::result::Result<Library, String> {
        // The loader takes a path without a slash for a name, and a program may change its folder.
        let path = path.canonicalize().map_err(|error| crate::error::plain(&error))?;
        let headers = Headers::of(&path)?.ok_or("is no library")?;
        if !headers.has_allocator {
            return Err(format!("is not this project's libjemalloc.so with the profiler: {HOW}"));
        }
        if path.as_os_str().as_encoded_bytes().iter().any(|byte| matches!(byte, b':' | b' ')) {
            return Err(
                "has a colon or a blank in its path, which LD_PRELOAD cannot tell: copy it elsewhere".into(),
            );
        }
        Ok(Library { path, headers })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What its headers say.
    pub fn headers(&self) -> Headers {
        self.headers
    }

    /// `LD_PRELOAD` with it in front of what is there.
    pub fn before(&self, others: Option<OsString>) -> OsString {
        let mut list = self.path.clone().into_os_string();
        if let Some(others) = others.filter(|others| !others.is_empty()) {
            list.push(":");
            list.push(others);
        }
        list
    }
}

/// Where it may be: beside this program, in `lib` beside the program's folder, in the usual places.
fn candidates() -> impl Iterator<Item = PathBuf> {
    let own = std::env::current_exe().ok().and_then(|path| path.canonicalize().ok());
    let beside = own.as_deref().and_then(Path::parent).map(Path::to_path_buf);
    let lib = beside.as_deref().and_then(Path::parent).map(|folder| folder.join("lib"));
    let folders = beside.into_iter().chain(lib).chain(FOLDERS.map(PathBuf::from));
    folders.flat_map(|folder| NAMES.map(|name| folder.join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_ours_is_refused_with_what_to_do() {
        let error = |path: &str| Library::find(Some(Path::new(path))).err().unwrap().to_string();
        assert_eq!(error("/no/such"), "/no/such: no such file");
        assert!(error("/bin/ls").contains("cargo build --release -p jemalloc"), "{}", error("/bin/ls"));
        assert_eq!(error("/proc/self/status").split(": ").nth(1), Some("is no library"));
    }

    #[test]
    fn it_stands_in_front_of_what_is_preloaded_already() {
        let headers = Headers::of(Path::new("/bin/ls")).unwrap().unwrap();
        let library = Library { path: "/l/libjemalloc.so".into(), headers };
        assert_eq!(library.before(None), "/l/libjemalloc.so");
        assert_eq!(library.before(Some("".into())), "/l/libjemalloc.so");
        assert_eq!(library.before(Some("/x.so".into())), "/l/libjemalloc.so:/x.so");
    }
}
