//! Profiles of running services: which words mean one, which pages hold it, where it is kept.
//!
//! Services that are linked with gperftools, jemalloc's users and Go programs share the pages `/pprof/heap`,
//! `/pprof/symbol` and `/pprof/cmdline`, the last of them below `/debug`.

use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use super::http::Client;
use super::symbol_page::SymbolPage;
use super::url::Url;
use crate::error::{Error, Result, plain};

/// Folders for fetched profiles, by what names them; below the home folder when nothing does.
const KEEP_IN: [&str; 2] = ["JEPROF_TMPDIR", "PPROF_TMPDIR"];

/// What a page holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holds {
    Heap,
    /// Something else, called this.
    Else(&'static str),
}

/// The pages of profiles, as they end.
const PAGES: &[(&str, Holds)] = &[
    ("/pprof/heap", Holds::Heap),
    ("/pprof/allocs", Holds::Heap),
    ("/pprof/growth", Holds::Heap),
    ("/pprof/profile", Holds::Else("CPU profiles")),
    ("/pprof/pmuprofile", Holds::Else("hardware event profiles")),
    ("/pprof/contention", Holds::Else("lock profiles")),
    ("/pprof/wall", Holds::Else("wall clock profiles")),
    ("/pprof/censusprofile", Holds::Else("census profiles")),
    ("/pprof/filteredprofile", Holds::Else("CPU profiles")),
    ("/pprof/goroutine", Holds::Else("goroutines")),
    ("/pprof/block", Holds::Else("blocking profiles")),
    ("/pprof/mutex", Holds::Else("lock profiles")),
    ("/pprof/trace", Holds::Else("execution traces")),
];

/// Where a heap profile is when only the server is named.
const USUAL_PAGES: [&str; 2] = ["/pprof/heap", "/debug/pprof/heap"];

/// A profile on a server. Nothing was asked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remote {
    /// Pages to ask for, in this order, until there is one.
    pages: Vec<Url>,
}

/// What a server sent.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Where the profile came from.
    pub url: Url,
    /// As it came.
    pub bytes: Vec<u8>,
    /// What to tell: where it was kept, or why not.
    pub note: String,
    /// Where the server may be asked for names.
    pub symbols: Option<SymbolPage>,
}

/// The servers that a word stands for; `None` when it cannot be one. With a scheme a word is always one, without
/// only in the form `host:port`, so that a mistyped file name never turns into a request. `name@N/path` are N machines.
///
/// # Errors
/// An address that cannot be right, or one of another kind of profile.
pub fn from_word(word: &str) -> Result<Option<Vec<Remote>>> {
    if let Some((name, count, rest)) = machines(word) {
        return (0..count)
            .map(|number| Remote::new(&format!("http://{number}.{name}{rest}")))
            .collect::<Result<_>>()
            .map(Some);
    }
    let address = match word.split_once("://") {
        Some(_) => word.to_string(),
        None if has_host_and_port(word) => format!("http://{word}"),
        None => return Ok(None),
    };
    Ok(Some(vec![Remote::new(&address)?]))
}

/// jeprof's shorthand for many machines: `name@3/path` is `0.name/path`, `1.name/path`, `2.name/path`.
fn machines(word: &str) -> Option<(&str, u32, &str)> {
    let (name, rest) = word.split_once('@')?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (count, path) = rest.split_at(digits);
    let is_host =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    let count = count.parse().ok().filter(|count| (1..=1000).contains(count))?;
    (is_host && (path.is_empty() || path.starts_with('/'))).then_some((name, count, path))
}

/// Whether a word without a scheme begins with `host:port`.
fn has_host_and_port(word: &str) -> bool {
    let place = word.split(['/', '?']).next().unwrap_or(word);
    let Some((host, port)) = place.rsplit_once(':') else { return false };
    let is_name = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte));
    let is_v6 = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|host| host.parse::<std::net::Ipv6Addr>().is_ok());
    !host.is_empty() && (is_name || is_v6) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

impl Remote {
    fn new(address: &str) -> Result<Remote> {
        let url = Url::parse(address).map_err(|what| Error::at(address, what))?;
        if let Some((page, Holds::Else(what))) = PAGES.iter().find(|(page, _)| url.path.ends_with(page)) {
            return Err(Error::at(
                &url,
                format!("{page} is the page of {what}; heap profiles are at {}", USUAL_PAGES.join(" or ")),
            ));
        }
        let pages = match url.path.strip_suffix('/') {
            // The list of Go's profiles.
            Some(folder) if folder.ends_with("/pprof") => vec![url.path.clone() + "heap"],
            Some(folder) => USUAL_PAGES.iter().map(|page| format!("{folder}{page}")).collect(),
            None => vec![url.path.clone()],
        };
        let pages = pages.into_iter().map(|page| url.at_path(page)).collect();
        Ok(Remote { pages })
    }

    /// Fetches the profile and keeps a copy. `seconds` asks the server for what happens in that time.
    ///
    /// # Errors
    /// No such page, or as [`Client::get`]. A copy that cannot be kept is only told.
    pub fn fetch(&self, client: &Client, seconds: Option<u32>) -> Result<Fetched> {
        for page in &self.pages {
            let page = match seconds {
                Some(seconds) => page.clone().with_parameter("seconds", seconds),
                None => page.clone(),
            };
            let Some(bytes) = client.get(&page)? else { continue };
            let folder = PAGES.iter().find_map(|(name, _)| page.path.strip_suffix(name));
            let sibling = |name: &str| folder.map(|folder| page.with_path(format!("{folder}{name}")));
            let program = sibling("/pprof/cmdline").and_then(|page| program_name(client, &page));
            let note = match keep(&page, program.as_deref(), &bytes) {
                Ok(path) => format!("fetched {page}, kept as {}", path.display()),
                Err(error) => format!("fetched {page}, not kept: {error}"),
            };
            let symbols = sibling("/pprof/symbol").map(|page| SymbolPage::new(client.clone(), page));
            return Ok(Fetched { url: page, bytes, note, symbols });
        }
        let [first, others @ ..] = self.pages.as_slice() else {
            unreachable!("a server has at least one page")
        };
        let others: String = others.iter().map(|page| format!(", nor {}", page.path)).collect();
        Err(Error::at(first, format!("there is no such page{others}")))
    }
}

impl std::fmt::Display for Remote {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.pages[0].fmt(f)
    }
}

/// The first word of the service's command line, without folders: what the copy is called after.
fn program_name(client: &Client, page: &Url) -> Option<String> {
    // Only a name for a file depends on it, and many services do not have the page.
    let answer = client.get(page).ok()??;
    let first = answer.split(|&byte| byte == 0 || byte == b'\n').next()?;
    let name = std::str::from_utf8(first).ok()?.trim();
    let name = name.rsplit('/').next()?;
    let name: String =
        name.chars().filter(|c| c.is_ascii_alphanumeric() || "._-+".contains(*c)).take(80).collect();
    (!name.trim_matches('.').is_empty()).then_some(name)
}

/// Keeps a copy under jeprof's name: program, time, host, page. Written under another name first, so that nobody sees
/// half of it.
fn keep(page: &Url, program: Option<&str>, bytes: &[u8]) -> Result<PathBuf> {
    let named = KEEP_IN.iter().find_map(|name| std::env::var_os(name).filter(|value| !value.is_empty()));
    let folder = match (named, std::env::var_os("HOME")) {
        (Some(folder), _) => PathBuf::from(folder),
        (None, Some(home)) if !home.is_empty() => Path::new(&home).join("jeprof"),
        _ => return Err(Error::new(format!("neither {} nor HOME is set", KEEP_IN[0]))),
    };
    let complain = |error: std::io::Error| Error::at(folder.display(), plain(&error));
    std::fs::create_dir_all(&folder).map_err(complain)?;
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
    let name = file_name(page, program, seconds, bytes);
    for number in 0u32.. {
        let name = if number == 0 { name.clone() } else { format!("{number}.{name}") };
        let path = folder.join(&name);
        // An empty file takes the name, so that of two fetches in one second none overwrites the other's.
        match std::fs::File::create_new(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(complain(error)),
        }
        let unfinished = folder.join(format!(".tmp.{name}"));
        let written = std::fs::write(&unfinished, bytes).and_then(|()| std::fs::rename(&unfinished, &path));
        return match written {
            Ok(()) => Ok(path),
            Err(error) => {
                // What was to be kept is in memory; what is left of the attempt is of no use.
                let _ = (std::fs::remove_file(&unfinished), std::fs::remove_file(&path));
                Err(complain(error))
            }
        };
    }
    Err(Error::at(folder.display(), "is full of profiles of this second"))
}

fn file_name(page: &Url, program: Option<&str>, seconds: u64, bytes: &[u8]) -> String {
    let host = page.host().trim_matches(['[', ']']).replace(':', "_");
    let known = PAGES.iter().any(|(name, _)| page.path.ends_with(name));
    let page = if known {
        page.path[page.path.len() - "/pprof/heap".len()..].replace('/', ".")
    } else {
        ".heap".into()
    };
    let packed = if bytes.starts_with(&[0x1f, 0x8b]) { ".gz" } else { "" };
    format!("{}.{seconds}.{host}{page}{packed}", program.unwrap_or("heap"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pages(word: &str) -> Vec<String> {
        let remotes = from_word(word).unwrap().unwrap_or_default();
        remotes.iter().flat_map(|remote| remote.pages.iter().map(Url::to_string)).collect()
    }

    #[test]
    fn servers_are_told_from_files_by_their_shape() {
        for word in [
            "host",
            "host/pprof/heap",
            "a.heap",
            "dir/a:80",
            "a:b",
            "a:0",
            "a:70000",
            ":80",
            "x y:80",
            "[1]:80",
        ] {
            assert_eq!(from_word(word).unwrap(), None, "{word}");
        }
        for word in
            ["host:80", "10.0.0.1:80/x", "[::1]:80/x", "http://host", "https://host/x", "my-host.example:1?x"]
        {
            assert!(from_word(word).unwrap().is_some(), "{word}");
        }
    }

    #[test]
    fn a_missing_page_is_the_usual_one() {
        let usual = ["http://h:80/pprof/heap", "http://h:80/debug/pprof/heap"];
        assert_eq!(pages("h:80"), usual);
        assert_eq!(pages("http://h:80/"), usual);
        assert_eq!(pages("h:80/debug/pprof/"), ["http://h:80/debug/pprof/heap"]);
        assert_eq!(pages("h:80/svc/?gc=1")[0], "http://h:80/svc/pprof/heap?gc=1");
        assert_eq!(pages("h:80/admin/heap.pb.gz"), ["http://h:80/admin/heap.pb.gz"]);
        assert_eq!(pages("h@2/pprof/heap"), ["http://0.h/pprof/heap", "http://1.h/pprof/heap"]);
    }

    #[test]
    fn pages_of_other_profiles_are_refused_before_anything_is_asked() {
        let error = from_word("h:80/pprof/profile?seconds=3").unwrap_err().to_string();
        assert!(error.contains("CPU profiles") && error.contains("/pprof/heap"), "{error}");
        assert!(from_word("ftp://h/x").unwrap_err().to_string().contains("ftp"));
    }

    #[test]
    fn copies_are_called_after_program_time_host_and_page() {
        let name =
            |address: &str, bytes: &[u8]| file_name(&Url::parse(address).unwrap(), Some("svc"), 7, bytes);
        assert_eq!(name("http://h:80/debug/pprof/heap", &[0x1f, 0x8b]), "svc.7.h.pprof.heap.gz");
        assert_eq!(name("http://[::1]:80/x", b"heap_v2/1"), "svc.7.__1.heap");
    }
}
