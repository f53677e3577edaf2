//! Debug files and binaries from servers that speak elfutils' debuginfod protocol: `GET URL/buildid/HEX/debuginfo`.
//!
//! No server is asked unless the user's own environment names one in `DEBUGINFOD_URLS`. What was fetched is kept in the
//! cache folder of elfutils' own client, in its layout, so that gdb and this tool fetch a file once.

use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

use prof_format::vocab::BuildId;

use super::binary::{Binary, same_id};
use crate::error::plain;
use crate::load::http::{Client, Manner};
use crate::load::url::Url;

/// Variables of the environment that say where to look.
pub type Environment<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// How long a server may be silent when `DEBUGINFOD_TIMEOUT` does not say: as in elfutils.
const SILENCE_MAX: Duration = Duration::from_secs(90);

/// How long a server's "no such file" holds, as in elfutils.
const MISS_HOLDS: Duration = Duration::from_secs(600);

/// Largest file taken; the debug files of browsers have 4 GiB.
const FILE_BYTES_MAX: u64 = 16 << 30;

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The file with debug information.
    Debug,
    /// The file that ran.
    Executable,
}

impl Kind {
    /// Last part of the address, and name in the cache.
    fn name(self) -> &'static str {
        match self {
            Kind::Debug => "debuginfo",
            Kind::Executable => "executable",
        }
    }
}

/// The servers that the environment names.
pub struct Debuginfod {
    urls: Vec<String>,
    cache: Option<PathBuf>,
    silence_max: Duration,
    client: OnceLock<Client>,
}

impl std::fmt::Debug for Debuginfod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Debuginfod").field("urls", &self.urls).field("cache", &self.cache).finish()
    }
}

impl Debuginfod {
    /// `None` when `DEBUGINFOD_URLS` is unset or empty.
    pub fn new(environment: Environment<'_>) -> Option<Debuginfod> {
        let text = |name: &str| environment(name).and_then(|value: OsString| value.into_string().ok());
        let urls: Vec<String> =
            text("DEBUGINFOD_URLS")?.split_whitespace().map(|url| url.trim_end_matches('/').into()).collect();
        if urls.is_empty() {
            return None;
        }
        let path = |name: &str| environment(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        let cache = path("DEBUGINFOD_CACHE_PATH").or_else(|| {
            let home = path("XDG_CACHE_HOME").or_else(|| Some(path("HOME")?.join(".cache")))?;
            Some(home.join("debuginfod_client"))
        });
        let silence = text("DEBUGINFOD_TIMEOUT").and_then(|seconds| seconds.trim().parse().ok());
        let silence_max = silence.filter(|seconds| *seconds > 0).map_or(SILENCE_MAX, Duration::from_secs);
        Some(Debuginfod { urls, cache, silence_max, client: OnceLock::new() })
    }

    /// The file with this build id, from the cache or the first server that has it.
    ///
    /// # Errors
    /// For each place that was tried, what came of it.
    pub fn fetch(&self, kind: Kind, id: &BuildId) -> Result<PathBuf, Vec<(String, String)>> {
        if id.is_empty() {
            return Err(Vec::new());
        }
        let Some(cache) = &self.cache else {
            let why = "no folder to keep files in (HOME, XDG_CACHE_HOME, DEBUGINFOD_CACHE_PATH)";
            return Err(vec![("DEBUGINFOD_URLS".into(), why.into())]);
        };
        let folder = cache.join(id.to_string());
        let kept = folder.join(kind.name());
        match std::fs::metadata(&kept) {
            Ok(facts) if facts.len() > 0 => {
                if is_wanted(&kept, id).is_ok() {
                    return Ok(kept);
                }
            }
            // An empty file is elfutils' mark for "no server has it".
            Ok(facts) => {
                let age = facts.modified().ok().and_then(|time| SystemTime::now().duration_since(time).ok());
                if age.is_some_and(|age| age < MISS_HOLDS) {
                    return Err(vec![(kept.display().to_string(), "no server had it a moment ago".into())]);
                }
            }
            Err(_) => {}
        }
        let mut tried = Vec::new();
        let mut all_missed = true;
        for server in &self.urls {
            let address = format!("{server}/buildid/{id}/{}", kind.name());
            match self.load(&address, &folder, &kept, id) {
                Ok(true) => return Ok(kept),
                Ok(false) => tried.push((address, "the server has no such file".into())),
                Err(why) => {
                    all_missed = false;
                    tried.push((address, why));
                }
            }
        }
        if all_missed && std::fs::create_dir_all(&folder).is_ok() {
            // Only saves the next run the question.
            let _ = File::create(&kept);
        }
        Err(tried)
    }

    /// Loads one file into the cache; `false` when the server has none. It gets its name when it is whole and right, so
    /// a run that is stopped leaves nothing that looks like it.
    fn load(&self, address: &str, folder: &Path, kept: &Path, id: &BuildId) -> Result<bool, String> {
        let url = Url::parse(address)?;
        let client = self.client.get_or_init(|| {
            Client::new(Manner {
                headers: Vec::new(),
                silence_max: self.silence_max,
                answer_bytes_max: FILE_BYTES_MAX,
            })
        });
        let Some(mut page) = client.open(&url).map_err(|error| error.to_string())? else {
            return Ok(false);
        };
        let complain = |error: std::io::Error| format!("{}: {}", folder.display(), plain(&error));
        std::fs::create_dir_all(folder).map_err(complain)?;
        let part = folder.join(format!(
            ".{}.{}",
            std::process::id(),
            kept.file_name().unwrap_or_default().display()
        ));
        let loaded = File::create(&part)
            .map_err(complain)
            .and_then(|mut file| {
                std::io::copy(&mut page, &mut file).map_err(|error| page.explain(&error).to_string())
            })
            .and_then(|_| is_wanted(&part, id))
            .and_then(|()| std::fs::rename(&part, kept).map_err(complain));
        if loaded.is_err() {
            let _ = std::fs::remove_file(&part);
        }
        loaded.map(|()| true)
    }
}

fn is_wanted(path: &Path, id: &BuildId) -> Result<(), String> {
    same_id(id, &Binary::open(path)?.build_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(variables: &[(&str, &str)]) -> Option<Debuginfod> {
        Debuginfod::new(&|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn without_an_address_in_the_environment_no_server_is_asked() {
        assert!(from(&[("HOME", "/users/me")]).is_none());
        assert!(from(&[("DEBUGINFOD_URLS", "  "), ("HOME", "/users/me")]).is_none());
    }

    #[test]
    fn servers_cache_and_patience_come_from_the_environment() {
        let urls = ("DEBUGINFOD_URLS", "http://a/ https://b/x");
        let plain = from(&[urls, ("HOME", "/users/me")]).unwrap();
        assert_eq!(plain.urls, ["http://a", "https://b/x"]);
        assert_eq!(plain.cache.as_deref(), Some(Path::new("/users/me/.cache/debuginfod_client")));
        assert_eq!(plain.silence_max, Duration::from_secs(90));
        let set = from(&[urls, ("DEBUGINFOD_CACHE_PATH", "/c"), ("DEBUGINFOD_TIMEOUT", "7"), ("HOME", "/h")]);
        let set = set.unwrap();
        assert_eq!((set.cache.as_deref(), set.silence_max), (Some(Path::new("/c")), Duration::from_secs(7)));
        let xdg = from(&[urls, ("XDG_CACHE_HOME", "/x")]).unwrap();
        assert_eq!(xdg.cache.as_deref(), Some(Path::new("/x/debuginfod_client")));
    }
}
