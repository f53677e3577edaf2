//! Separate debug files: found by build id, then by the name in `.gnu_debuglink`, and checked before use.

use std::path::{Path, PathBuf};

use super::binary::Binary;

/// Where distributions put debug files.
const DEBUG_ROOT: &str = "/usr/lib/debug";

/// The debug file of a stripped binary. `None` for a binary that has its own debug information.
///
/// A candidate counts only if its build id is the binary's, or, for binaries without one, if its checksum is the
/// one that the binary names.
pub fn find(binary: &Binary) -> Option<PathBuf> {
    if binary.has_debug_info {
        return None;
    }
    candidates(binary).into_iter().find(|candidate| {
        let Ok(debug) = Binary::open(candidate) else { return false };
        if binary.build_id.is_empty() {
            binary.debug_link.as_ref().is_some_and(|(_, crc)| checksum(candidate) == Some(*crc))
        } else {
            debug.build_id == binary.build_id
        }
    })
}

fn candidates(binary: &Binary) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let root = Path::new(DEBUG_ROOT);
    let id = binary.build_id.to_string();
    if id.len() > 2 {
        found.push(root.join(".build-id").join(&id[..2]).join(format!("{}.debug", &id[2..])));
    }
    let Ok(path) = binary.path.canonicalize() else { return found };
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return found };
    let link = binary.debug_link.as_ref().map(|(name, _)| Path::new(name));
    let mut conventional = name.to_os_string();
    conventional.push(".debug");
    for name in link.into_iter().chain([Path::new(&conventional)]) {
        let under_root = root.join(folder.strip_prefix("/").unwrap_or(folder));
        for candidate in [folder.join(name), folder.join(".debug").join(name), under_root.join(name)] {
            if candidate != path {
                found.push(candidate);
            }
        }
    }
    found
}

/// The checksum that `.gnu_debuglink` carries: CRC-32 as in gzip.
fn checksum(path: &Path) -> Option<u32> {
    let mut crc = flate2::Crc::new();
    crc.update(&std::fs::read(path).ok()?);
    Some(crc.sum())
}
