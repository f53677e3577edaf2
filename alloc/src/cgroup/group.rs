//! The control group of a controller, from the process's own up to the root of what is mounted.

use super::text::{self, Version};
use crate::os::files;

/// Longest path of a group that is kept; a longer one counts as the root.
const PATH_MAX: usize = 512;

/// Where the files of a controller are.
pub struct Group {
    version: Version,
    /// Folder of the controller below the mount point.
    folder: &'static [u8],
    path: [u8; PATH_MAX],
    len: usize,
}

/// Memory of one level of a hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Bytes that may be used; `None` for any number.
    pub limit: Option<usize>,
    /// Bytes in use.
    pub current: usize,
    /// Those that the kernel takes back before it runs short: file pages that nobody has used lately.
    pub reclaimable: usize,
}

impl Memory {
    /// Bytes in use that the kernel would not simply take back.
    pub fn used(&self) -> usize {
        self.current.saturating_sub(self.reclaimable)
    }

    /// Bytes left.
    fn left(&self) -> usize {
        self.limit.map_or(usize::MAX, |limit| limit.saturating_sub(self.used()))
    }
}

impl Group {
    /// Nowhere.
    pub const fn new() -> Group {
        Group { version: Version::V2, folder: b"", path: [0; PATH_MAX], len: 0 }
    }

    /// Finds the group of `controller` from the text of `/proc/self/cgroup`. `false`: there is none below `mount`.
    pub fn find(&mut self, mount: &[u8], own: &[u8], controller: Controller) -> bool {
        let (version, path) = text::path(own, controller.name).unwrap_or((Version::V2, b""));
        let path = path.strip_suffix(b"/").unwrap_or(path);
        self.len = if path.len() <= PATH_MAX { path.len() } else { 0 };
        self.path[..self.len].copy_from_slice(&path[..self.len]);
        // What is mounted need not be what /proc says: a container may see its own group as the root.
        let other = [(Version::V2, &b""[..]), (Version::V1, controller.folder), (Version::V1, b"")];
        let first = other.iter().filter(|(v, _)| *v == version);
        let rest = other.iter().filter(|(v, _)| *v != version);
        for &(version, folder) in first.chain(rest) {
            (self.version, self.folder) = (version, folder);
            let probe = if version == Version::V2 { controller.probe.0 } else { controller.probe.1 };
            if self.levels().any(|level| self.file(mount, level, probe, &mut [0; 64], |_| Some(())).is_some())
            {
                return true;
            }
        }
        false
    }

    /// Beginnings of the path, the whole one first, the empty one last.
    fn levels(&self) -> impl Iterator<Item = &[u8]> {
        let path = &self.path[..self.len];
        let ends = (0..=path.len()).rev().filter(move |&end| end == path.len() || path[end] == b'/');
        ends.map(move |end| &path[..end])
    }

    fn file<T>(
        &self,
        mount: &[u8],
        level: &[u8],
        name: &[u8],
        buffer: &mut [u8],
        parse: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        parse(files::read(&[mount, self.folder, level, b"/", name], buffer)?)
    }

    /// Memory of the level that has the least left; `None` when no level tells. Cost: a few system calls per level.
    pub fn memory(&self, mount: &[u8]) -> Option<Memory> {
        self.levels().filter_map(|level| self.memory_of(mount, level)).min_by_key(Memory::left)
    }

    fn memory_of(&self, mount: &[u8], level: &[u8]) -> Option<Memory> {
        let bytes = |name: &[u8]| self.file(mount, level, name, &mut [0; 64], text::bytes);
        let (limit, current) = match self.version {
            Version::V2 => {
                let limits = [bytes(b"memory.max"), bytes(b"memory.high")];
                (limits.into_iter().flatten().min(), bytes(b"memory.current")?)
            }
            Version::V1 => (bytes(b"memory.limit_in_bytes"), bytes(b"memory.usage_in_bytes")?),
        };
        let mut memory = Memory { limit, current, reclaimable: 0 };
        // The kernel sums up for this file; only near the limit is that worth it.
        if limit.is_some_and(|limit| current > limit / 2) {
            let key: &[u8] =
                if self.version == Version::V2 { b"inactive_file" } else { b"total_inactive_file" };
            let value =
                self.file(mount, level, b"memory.stat", &mut [0; 2048], |text| text::value_of(text, key));
            memory.reclaimable = value.unwrap_or(0).min(current);
        }
        Some(memory)
    }

    /// Processors' worth of time of the level that has the least; `None` when no level has a quota.
    pub fn cpus(&self, mount: &[u8]) -> Option<u32> {
        let of = |level: &[u8]| match self.version {
            Version::V2 => self.file(mount, level, b"cpu.max", &mut [0; 64], text::cpus_v2),
            Version::V1 => self.file(mount, level, b"cpu.cfs_quota_us", &mut [0; 64], |quota| {
                let period = |period: &[u8]| text::cpus(quota, period);
                self.file(mount, level, b"cpu.cfs_period_us", &mut [0; 64], period)
            }),
        };
        self.levels().filter_map(of).min()
    }
}

/// A controller, by its names.
#[derive(Clone, Copy)]
pub struct Controller {
    name: &'static [u8],
    /// Its folder in version 1.
    folder: &'static [u8],
    /// A file of each group in version 2 and in version 1.
    probe: (&'static [u8], &'static [u8]),
}

/// Memory.
pub const MEMORY: Controller =
    Controller { name: b"memory", folder: b"/memory", probe: (b"memory.current", b"memory.usage_in_bytes") };

/// Processor time.
pub const CPU: Controller =
    Controller { name: b"cpu", folder: b"/cpu", probe: (b"cpu.max", b"cpu.cfs_quota_us") };
