//! The files beside a binary: its separate debug file, the file that debug files share (dwz), the package of split debug
//! information. Each is checked before it is used.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use prof_format::vocab::BuildId;

use super::binary::{Binary, same_id};
use super::debuginfod::Kind;
use super::search::{Search, SplitPlaces};
use super::trail::Trail;

/// What belongs to a binary.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Companions {
    /// The debug file of a stripped binary.
    pub debug: Option<PathBuf>,
    /// What the debug information refers to in another file (`.gnu_debugaltlink`).
    pub common: Option<PathBuf>,
    /// The package of split debug information, if there is one. Its units say themselves whether they fit.
    pub package: Option<PathBuf>,
    /// Where split debug information lies unpacked.
    pub split: SplitPlaces,
    /// Where debug file and common file were looked for in vain.
    pub trail: Trail,
}

/// Finds them. `mapped_path` is the path that the binary had where it ran.
///
/// A debug file counts only if its build id is the binary's, or, where one of them has none, if its checksum is the
/// one that the binary names.
pub fn find(binary: &Binary, mapped_path: &str, search: &Search) -> Companions {
    let mut found = Companions::default();
    let real_path = binary.path.canonicalize().unwrap_or_else(|_| binary.path.clone());
    let mut paths = vec![real_path.as_path()];
    for path in [binary.path.as_path(), Path::new(mapped_path)] {
        if path.is_absolute() && !paths.contains(&path) {
            paths.push(path);
        }
    }
    let mut owner = binary.clone();
    if !binary.has_debug_info {
        let link = binary.debug_link.as_ref().map(|(name, _)| name.as_str());
        let candidates = search.debug_files(&paths, &binary.build_id, link);
        let debug = first(&candidates, &mut found.trail, |path| is_debug_file_of(path, binary));
        found.debug = debug.or_else(|| fetched(search, Kind::Debug, &binary.build_id, &mut found.trail));
        if let Some(debug) = &found.debug {
            owner = Binary::open(debug).unwrap_or(owner);
        }
    }
    if let Some((name, id)) = &owner.common_link {
        let candidates = search.common_files(&owner.path, name, id);
        let common = first(&candidates, &mut found.trail, |path| {
            let common = Binary::open(path)?;
            same_id(id, &common.build_id)
        });
        found.common = common.or_else(|| fetched(search, Kind::Debug, id, &mut found.trail));
    }
    paths.extend(found.debug.as_deref());
    found.package = search.packages(&paths).into_iter().find(|path| path.is_file());
    let owners: Vec<&Path> = paths.iter().copied().filter(|path| path.exists()).collect();
    found.split = search.split_places(&owners);
    if found.debug.is_some() || binary.has_debug_info || binary.has_symbols {
        // What was looked for was found, or was not needed for names.
        found.trail = if found.common.is_none() && owner.common_link.is_some() {
            found.trail
        } else {
            Trail::default()
        };
    }
    found
}

/// The first candidate that is the right file.
fn first(
    candidates: &[PathBuf],
    trail: &mut Trail,
    check: impl Fn(&Path) -> Result<(), String>,
) -> Option<PathBuf> {
    candidates.iter().find_map(|path| {
        if !path.is_file() {
            trail.missing(path);
            return None;
        }
        match check(path) {
            Ok(()) => Some(path.clone()),
            Err(why) => {
                trail.refused(path, why);
                None
            }
        }
    })
}

/// The file from a server, when there is one to ask.
pub fn fetched(search: &Search, kind: Kind, id: &BuildId, trail: &mut Trail) -> Option<PathBuf> {
    let server = search.debuginfod.as_ref()?;
    match server.fetch(kind, id) {
        Ok(path) => Some(path),
        Err(tried) => {
            for (place, why) in tried {
                trail.refused(Path::new(&place), why);
            }
            None
        }
    }
}

fn is_debug_file_of(path: &Path, binary: &Binary) -> Result<(), String> {
    let debug = Binary::open(path)?;
    if !debug.has_debug_info && !debug.has_symbols {
        return Err("has neither debug information nor symbols".into());
    }
    if !binary.build_id.is_empty() && !debug.build_id.is_empty() {
        return same_id(&binary.build_id, &debug.build_id);
    }
    match &binary.debug_link {
        Some((_, crc)) if checksum(path) == Some(*crc) => Ok(()),
        Some(_) => Err("its checksum is not the one that the binary names".into()),
        None => Err("has no build id to check with".into()),
    }
}

/// The checksum that `.gnu_debuglink` carries: CRC-32 as in gzip.
fn checksum(path: &Path) -> Option<u32> {
    let mut file = File::open(path).ok()?;
    let mut crc = crc32fast::Hasher::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).ok()? {
            0 => return Some(crc.finalize()),
            count => crc.update(&buffer[..count]),
        }
    }
}
