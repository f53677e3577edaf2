//! Names that were looked up before, kept by build id, so that the second report about a large program is there at once.
//!
//! One small file per binary in the user's cache folder holds exactly what was asked for so far; a later run with other
//! addresses adds to it. Everything is allowed to fail: then there is no cache. Files are written under another name and
//! renamed, so a crash leaves the old one; two processes that write at once leave the file of one of them.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::binary::Binary;
use super::cache_file::{Stored, encode};
use super::debug_file::Companions;
use super::resolve::{Resolution, resolve};
use super::symbols::{Function, FunctionId, Line, NameId, Symbols};

/// Where the cache is, or `off`. Documented with the flag that switches it off.
pub const VARIABLE: &str = "JEPROF_RS_CACHE";

/// When all files together are larger, those that were not used for longest go.
const FOLDER_BYTES_MAX: u64 = 256 << 20;

/// A file that has grown beyond this is started anew.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// A use is noted in the file's time when the last was longer ago than this.
const USE_NOTED_EVERY: Duration = Duration::from_secs(24 * 60 * 60);

/// What a process that died while writing has left is removed after this.
const LEFTOVER_AGE: Duration = Duration::from_secs(60 * 60);

/// Endings of finished files and of those that are being written.
const ENDING: &str = "symbols";
const UNFINISHED: &str = "symbols-new";

/// The folder of the cache, `None` when it is switched off or there is no place for it.
pub fn folder() -> Option<PathBuf> {
    folder_for(std::env::var_os(VARIABLE), std::env::var_os("XDG_CACHE_HOME"), std::env::var_os("HOME"))
}

fn folder_for(own: Option<OsString>, cache: Option<OsString>, home: Option<OsString>) -> Option<PathBuf> {
    match own {
        Some(own) if own == "off" => return None,
        Some(own) if !own.is_empty() => return Some(own.into()),
        _ => {}
    }
    // The specification of these folders has relative ones ignored.
    let absolute = |path: OsString| Some(PathBuf::from(path)).filter(|path| path.is_absolute());
    let cache = cache.and_then(absolute).or_else(|| Some(home.and_then(absolute)?.join(".cache")));
    Some(cache?.join("jeprof-rs"))
}

/// As [`resolve`], with what is known already taken from the cache, and the rest added to it. Binaries without a build
/// id are never cached: nothing tells whether such a file is still the same.
///
/// # Errors
/// As [`resolve`], if something has to be looked up.
///
/// Cost: when all is known, reading the cached file.
pub fn resolve_cached(
    folder: Option<&Path>,
    binary: &Binary,
    beside: &Companions,
    addresses: &[u64],
    threads: usize,
) -> Result<Symbols, String> {
    let entry = folder.and_then(|folder| Entry::new(folder, binary, beside));
    let Some(entry) = entry else {
        return Ok(resolve(&binary.path, beside, addresses, threads)?.symbols);
    };
    let stored = entry.read();
    let found = match &stored {
        Some(stored) => stored.find(addresses),
        None => vec![None; addresses.len()],
    };
    let missing: Vec<u64> = addresses
        .iter()
        .zip(&found)
        .filter(|(_, found)| found.is_none())
        .map(|(&address, _)| address)
        .collect();
    let known: Vec<usize> = found.iter().copied().flatten().collect();
    if missing.is_empty()
        && let Some(symbols) = stored.as_ref().and_then(|stored| stored.symbols(known.into_iter()))
    {
        entry.note_use();
        return Ok(symbols);
    }
    let known = stored.and_then(|stored| {
        let addresses = stored.addresses();
        Some((stored.symbols(0..addresses.len())?, addresses))
    });
    let Some((known, known_addresses)) = known else {
        // Nothing that could be used: everything is asked for.
        let Resolution { symbols, unsettled } = resolve(&binary.path, beside, addresses, threads)?;
        let settled = without(addresses, &symbols, &unsettled);
        entry.write(&settled.0, settled.1.as_ref().unwrap_or(&symbols));
        return Ok(symbols);
    };
    let Resolution { symbols: new, unsettled } = resolve(&binary.path, beside, &missing, threads)?;
    let (settled, settled_symbols) = without(&missing, &new, &unsettled);
    let (all, symbols) =
        merged((&known_addresses, &known), (&settled, settled_symbols.as_ref().unwrap_or(&new)));
    entry.write(&all, &symbols);
    // The answer: from the file as it is now, or, for what is not kept there, from the look-up.
    let mut answer = Copying::default();
    for address in addresses {
        match (all.binary_search(address), missing.binary_search(address)) {
            (Ok(at), _) => answer.copy(0, &symbols, at),
            (Err(_), Ok(at)) => answer.copy(1, &new, at),
            (Err(_), Err(_)) => answer.symbols.push([]),
        }
    }
    Ok(answer.symbols)
}

/// Addresses and their entries without those at these indices (rising). `None` stands for all of them.
fn without(addresses: &[u64], symbols: &Symbols, left_out: &[u32]) -> (Vec<u64>, Option<Symbols>) {
    if left_out.is_empty() {
        return (addresses.to_vec(), None);
    }
    let mut kept = Vec::new();
    let mut copying = Copying::default();
    for (entry, &address) in addresses.iter().enumerate() {
        if left_out.binary_search(&(entry as u32)).is_err() {
            kept.push(address);
            copying.copy(0, symbols, entry);
        }
    }
    (kept, Some(copying.symbols))
}

/// Two lists of addresses (rising, none in both) and their entries as one.
fn merged(a: (&[u64], &Symbols), b: (&[u64], &Symbols)) -> (Vec<u64>, Symbols) {
    let mut all = Vec::with_capacity(a.0.len() + b.0.len());
    let mut copying = Copying::default();
    let (mut of_a, mut of_b) = (0, 0);
    loop {
        let from_a = match (a.0.get(of_a), b.0.get(of_b)) {
            (None, None) => return (all, copying.symbols),
            (Some(first), Some(second)) => first < second,
            (first, _) => first.is_some(),
        };
        let (at, source, (addresses, symbols)) = if from_a { (&mut of_a, 0, a) } else { (&mut of_b, 1, b) };
        all.push(addresses[*at]);
        copying.copy(source, symbols, *at);
        *at += 1;
    }
}

/// Symbols that are put together from others.
#[derive(Default)]
struct Copying {
    symbols: Symbols,
    /// Per source: ids of its functions and of its names here.
    renamed: [Renamed; 2],
}

#[derive(Default)]
struct Renamed {
    names: Vec<Option<NameId>>,
    functions: Vec<Option<FunctionId>>,
}

impl Copying {
    /// Adds an entry of another table; `source` tells the tables apart.
    fn copy(&mut self, source: usize, from: &Symbols, entry: usize) {
        let Renamed { names, functions } = &mut self.renamed[source];
        let to = &mut self.symbols;
        if names.is_empty() {
            names.resize(from.names.texts().len(), None);
            functions.resize(from.functions.len(), None);
        }
        let mut lines = Vec::with_capacity(from.lines_of(entry).len());
        for line in from.lines_of(entry) {
            let mut name = |to: &mut Symbols, id: NameId| {
                *names[id.index()].get_or_insert_with(|| to.names.id(from.names.text(id)))
            };
            let file = name(to, line.file);
            let function = match functions[line.function.index()] {
                Some(known) => known,
                None => {
                    let Function { name: readable, linkage, file, start_line } = *from.function(line);
                    let (readable, linkage, file) = (name(to, readable), name(to, linkage), name(to, file));
                    to.function_id(Function { name: readable, linkage, file, start_line })
                }
            };
            functions[line.function.index()] = Some(function);
            lines.push(Line { function, file, line: line.line, column: line.column });
        }
        to.push(lines);
    }
}

/// The cached file of one binary.
struct Entry {
    path: PathBuf,
    identity: String,
}

impl Entry {
    fn new(folder: &Path, binary: &Binary, beside: &Companions) -> Option<Entry> {
        if binary.build_id.is_empty() {
            return None;
        }
        // Stripping keeps the build id, and so do debug files: what names there are depends on which files there are.
        let mut identity = format!("{} {}", env!("CARGO_PKG_VERSION"), binary.build_id);
        let Companions { debug, common, package, .. } = beside;
        for path in [Some(&binary.path), debug.as_ref(), common.as_ref(), package.as_ref()] {
            let size = match path {
                Some(path) => Some(std::fs::metadata(path).ok()?.len()),
                None => None,
            };
            identity.push_str(&format!(" {size:?}"));
        }
        let sum = crc32fast::hash(identity.as_bytes());
        let name = format!("{}-{sum:08x}.{ENDING}", binary.build_id);
        Some(Entry { path: folder.join(name), identity })
    }

    fn read(&self) -> Option<Stored> {
        let facts = std::fs::metadata(&self.path).ok()?;
        if !facts.is_file() || facts.len() > FILE_BYTES_MAX {
            return None;
        }
        Stored::decode(std::fs::read(&self.path).ok()?, &self.identity)
    }

    /// Keeps the file from being taken for one that nobody uses.
    fn note_use(&self) {
        let Ok(file) = std::fs::File::options().append(true).open(&self.path) else { return };
        let age = file.metadata().ok().and_then(|facts| facts.modified().ok()?.elapsed().ok());
        if age.is_some_and(|age| age > USE_NOTED_EVERY) {
            // Without the note the file goes earlier than it has to.
            let _ = file.set_modified(SystemTime::now());
        }
    }

    fn write(&self, addresses: &[u64], symbols: &Symbols) {
        let bytes = encode(&self.identity, addresses, symbols);
        // A cache that cannot be written is none; the report does not suffer.
        if self.replace(&bytes).is_ok()
            && let Some(folder) = self.path.parent()
        {
            prune(folder, FOLDER_BYTES_MAX, &self.path);
        }
    }

    fn replace(&self, bytes: &[u8]) -> std::io::Result<()> {
        if let Some(folder) = self.path.parent() {
            make_folder(folder)?;
        }
        let temporary = self.path.with_extension(format!("{}.{UNFINISHED}", std::process::id()));
        let mut file = std::fs::File::create(&temporary)?;
        let written = file.write_all(bytes).and_then(|()| std::fs::rename(&temporary, &self.path));
        if written.is_err() {
            std::fs::remove_file(&temporary)?;
        }
        written
    }
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Removes the files that were not used for longest until the rest is small enough, and what dead writers have left.
fn prune(folder: &Path, bytes_max: u64, but: &Path) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(facts) = entry.metadata() else { continue };
        let used = facts.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        match path.extension().and_then(|ending| ending.to_str()) {
            // In a folder that the user named there may be files of others.
            _ if !facts.is_file() || !is_ours(&path) => {}
            Some(ENDING) => files.push((used, facts.len(), path)),
            Some(UNFINISHED) if used.elapsed().is_ok_and(|age| age > LEFTOVER_AGE) => {
                // Another process may have removed it.
                let _ = std::fs::remove_file(&path);
            }
            _ => {}
        }
    }
    files.sort();
    let mut total: u64 = files.iter().map(|(_, bytes, _)| bytes).sum();
    for (_, bytes, path) in files {
        if total > bytes_max && path != but && std::fs::remove_file(&path).is_ok() {
            total -= bytes;
        }
    }
}

/// Whether a file name begins as ours do: build id, checksum.
fn is_ours(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let start = name.split('.').next().unwrap_or_default();
    let is_hex = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    start.split_once('-').is_some_and(|(id, sum)| is_hex(id) && is_hex(sum) && sum.len() == 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of this test that goes away with it.
    struct Folder(PathBuf);

    impl Folder {
        fn new(name: &str) -> Folder {
            let path = std::env::temp_dir().join(format!("jeprof-rs-cache-{name}-{}", std::process::id()));
            let _ = std::fs::remove_dir_all(&path);
            Folder(path)
        }

        fn files(&self) -> Vec<PathBuf> {
            let entries = std::fs::read_dir(&self.0).into_iter().flatten().flatten();
            let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
            files.sort();
            files
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// This test's program, with a build id whether the linker has made one or not.
    fn own() -> Binary {
        let mut binary = Binary::open(&std::env::current_exe().unwrap()).unwrap();
        binary.build_id = prof_format::vocab::BuildId::new(&[0xab; 20]);
        binary
    }

    fn addresses(binary: &Binary, step: u64) -> Vec<u64> {
        let code = binary.segments.iter().max_by_key(|segment| segment.size).unwrap();
        (1..200).map(|index| code.address + index * step).collect()
    }

    /// All that symbols say, in words.
    fn told(symbols: &Symbols, count: usize) -> Vec<String> {
        let entry = |entry: usize| {
            let line = |line: &Line| {
                let Function { name, linkage, file, start_line } = *symbols.function(line);
                let texts = [name, linkage, file, line.file].map(|id| symbols.names.text(id));
                format!("{texts:?} {start_line} {} {}\n", line.line, line.column)
            };
            symbols.lines_of(entry).iter().map(line).collect()
        };
        (0..count).map(entry).collect()
    }

    #[test]
    fn what_comes_from_the_cache_is_what_a_look_up_finds() {
        let folder = Folder::new("same");
        let (binary, alone) = (own(), Companions::default());
        let (first, second) = (addresses(&binary, 4096), addresses(&binary, 3000));
        let both: Vec<u64> = {
            let mut both = [first.clone(), second.clone()].concat();
            both.sort_unstable();
            both.dedup();
            both
        };
        // The first fills, the second finds, the third adds, the last finds all of it.
        for wanted in [&first, &first, &second, &both] {
            let cached = resolve_cached(Some(&folder.0), &binary, &alone, wanted, 2).unwrap();
            let fresh = resolve_cached(None, &binary, &alone, wanted, 2).unwrap();
            assert_eq!(told(&cached, wanted.len()), told(&fresh, wanted.len()));
            assert!(told(&fresh, wanted.len()).iter().any(|lines| lines.lines().count() > 1));
        }
        let [file] = folder.files().try_into().unwrap();
        let stored = Entry::new(&folder.0, &binary, &alone).unwrap().read().unwrap();
        assert_eq!(stored.addresses(), both);
        // What is there is really used: a file without a look-up behind it is believed.
        let mut invented = Symbols::default();
        for _ in &first {
            let name = invented.names.id("invented");
            let function = invented.function_id(Function { name, ..Function::default() });
            invented.push([Line { function, file: NameId::EMPTY, line: 1, column: 2 }]);
        }
        let entry = Entry::new(&folder.0, &binary, &alone).unwrap();
        std::fs::write(file, encode(&entry.identity, &first, &invented)).unwrap();
        let cached = resolve_cached(Some(&folder.0), &binary, &alone, &first, 1).unwrap();
        assert_eq!(told(&cached, first.len()), told(&invented, first.len()));
    }

    #[test]
    fn a_damaged_file_is_ignored_and_replaced() {
        let folder = Folder::new("damaged");
        let (binary, alone) = (own(), Companions::default());
        let wanted = addresses(&binary, 4096);
        let fresh = resolve_cached(Some(&folder.0), &binary, &alone, &wanted, 1).unwrap();
        let [file] = folder.files().try_into().unwrap();
        let whole = std::fs::read(&file).unwrap();
        for damaged in [&whole[..whole.len() / 2], b"something else", b""] {
            std::fs::write(&file, damaged).unwrap();
            let cached = resolve_cached(Some(&folder.0), &binary, &alone, &wanted, 1).unwrap();
            assert_eq!(told(&cached, wanted.len()), told(&fresh, wanted.len()));
            assert!(std::fs::read(&file).unwrap() == whole);
        }
        assert_eq!(folder.files(), [file]);
    }

    #[test]
    fn without_a_build_id_or_a_folder_that_can_be_written_nothing_is_kept() {
        let folder = Folder::new("none");
        let (mut binary, alone) = (own(), Companions::default());
        let wanted = addresses(&binary, 1 << 16);
        assert!(resolve_cached(Some(Path::new("/dev/null/x")), &binary, &alone, &wanted, 1).is_ok());
        binary.build_id = prof_format::vocab::BuildId::default();
        assert!(resolve_cached(Some(&folder.0), &binary, &alone, &wanted, 1).is_ok());
        assert!(folder.files().is_empty());
    }

    #[test]
    fn the_folder_is_the_user_s_unless_it_is_named_or_switched_off() {
        let text = |text: &str| Some(OsString::from(text));
        let path = |text: &str| Some(PathBuf::from(text));
        assert_eq!(folder_for(None, None, text("/users/u")), path("/users/u/.cache/jeprof-rs"));
        assert_eq!(folder_for(None, text("/c"), text("/users/u")), path("/c/jeprof-rs"));
        assert_eq!(folder_for(None, text("c"), text("/users/u")), path("/users/u/.cache/jeprof-rs"));
        assert_eq!(folder_for(text(""), None, None), None);
        assert_eq!(folder_for(text("/own"), text("/c"), text("/users/u")), path("/own"));
        assert_eq!(folder_for(text("off"), text("/c"), text("/users/u")), None);
    }

    #[test]
    fn the_folder_stays_small_and_files_of_others_stay() {
        let folder = Folder::new("prune");
        std::fs::create_dir_all(&folder.0).unwrap();
        let now = SystemTime::now();
        let make = |name: &str, age: u64| {
            let path = folder.0.join(name);
            std::fs::write(&path, [0; 100]).unwrap();
            let file = std::fs::File::options().append(true).open(&path).unwrap();
            file.set_modified(now - Duration::from_secs(age)).unwrap();
            path
        };
        let newest = make("ab-00000001.symbols", 0);
        make("ab-00000002.symbols", 50);
        let oldest_but_just_written = make("ab-00000003.symbols", 100);
        make("ab-00000004.17.symbols-new", 7200);
        let unfinished = make("ab-00000005.17.symbols-new", 10);
        let others = [make("notes.symbols", 9999), make("ab-00000006.tmp", 9999)];
        prune(&folder.0, 250, &oldest_but_just_written);
        let mut left = vec![newest, oldest_but_just_written, unfinished];
        left.extend(others);
        left.sort();
        assert_eq!(folder.files(), left);
    }
}
