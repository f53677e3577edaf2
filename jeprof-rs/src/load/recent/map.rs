//! The memory map that recent samples do not carry: from a dump of the same process beside them, a copy of its process
//! map, or the process itself.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use prof_format::dump::MapRow;
use prof_format::maps;

/// The executable mappings of a copy of `/proc/PID/maps`; `None` when the bytes do not begin as one.
pub fn read(bytes: &[u8]) -> Option<Vec<MapRow>> {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    maps::parse_line(lines.next()?)?;
    let lines = bytes.split(|byte| *byte == b'\n').filter_map(maps::parse_line);
    Some(lines.filter(|line| line.exec).map(|line| line.row).collect())
}

/// Where a map may be for samples in the file `<prefix>.<pid>.<seq>.r<n>.json`, the best first.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// Dumps of the process in the same folder, the newest first.
    pub dumps: Vec<PathBuf>,
    /// The process's own map, if it has been running since before the file was written.
    pub process: Option<PathBuf>,
}

impl Places {
    /// Looks around a file; `proc` is where the kernel shows processes.
    pub fn of(path: &Path, proc: &Path) -> Places {
        let Some((start, pid)) = owner(path) else { return Places::default() };
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        let written = |path: &Path| std::fs::metadata(path).and_then(|facts| facts.modified()).ok();
        let mut dumps: Vec<(SystemTime, PathBuf)> = std::fs::read_dir(folder)
            .into_iter()
            .flatten()
            .filter_map(|entry| {
                let entry = entry.ok()?;
                let name = entry.file_name().into_string().ok()?;
                let is_one = name.starts_with(&start) && crate::load::is_dump_name(&name);
                is_one.then(|| Some((written(&entry.path())?, entry.path())))?
            })
            .collect();
        dumps.sort_by(|a, b| b.cmp(a));
        let process = proc.join(pid.to_string());
        // A process of the same number that started later is another one.
        let is_it = written(&process).zip(written(path)).is_some_and(|(started, file)| started <= file);
        Places {
            dumps: dumps.into_iter().map(|(_, path)| path).collect(),
            process: is_it.then(|| process.join("maps")),
        }
    }
}

/// `svc.1234.` and 1234 of `svc.1234.0.r0.json`.
fn owner(path: &Path) -> Option<(String, u32)> {
    let name = path.file_name()?.to_str()?;
    let mut parts = name.strip_suffix(".json")?.rsplitn(3, '.');
    let _number = parts.next()?.strip_prefix('r')?.parse::<u64>().ok()?;
    let _sequence = parts.next()?.parse::<u64>().ok()?;
    let start = parts.next()?;
    let pid = start.rsplit('.').next()?.parse().ok()?;
    Some((format!("{start}."), pid))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_tells_whose_it_is_by_its_name() {
        let of = |name: &str| owner(Path::new(name));
        assert_eq!(of("/tmp/svc.1234.7.r0.json"), Some(("svc.1234.".into(), 1234)));
        assert_eq!(of("jeprof.4026531836.12.0.r3.json"), Some(("jeprof.4026531836.12.".into(), 12)));
        for other in ["recent.json", "svc.1234.0.json", "svc.1234.0.r0.heap", "svc.x.0.r0.json"] {
            assert_eq!(of(other), None, "{other}");
        }
    }

    #[test]
    fn a_map_is_told_by_its_first_line_and_has_executable_parts() {
        let text = b"5000-6000 r--p 00000000 fe:00 1 /bin/x\n6000-7000 r-xp 00001000 fe:00 1 /bin/x\n";
        let rows = read(text).unwrap();
        assert_eq!((rows.len(), rows[0].start, rows[0].path.as_str()), (1, 0x6000, "/bin/x"));
        assert!(read(b"heap_v2/1\n").is_none() && read(b"").is_none());
    }
}
