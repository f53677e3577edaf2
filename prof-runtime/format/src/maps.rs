//! The process map as dumps carry it: a copy of `/proc/self/maps`, or one of two older short forms.

use alloc::{format, string::String, vec::Vec};

use crate::digits::{decimal, hex, string};
use crate::dump::MapRow;
use crate::vocab::BuildId;

/// What one line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapLine {
    /// The mapping.
    pub row: MapRow,
    /// Whether it is executable. The short form names only executable ones.
    pub exec: bool,
}

/// Reads one line of a process map; `None` when it is none.
///
/// ```text
/// 55f508eca000-55f508ecb000 r-xp 00001000 fe:00 10305553    /opt/demo/app (deleted)     Linux
/// 7f7a957a2000-7f7a958c2000 r-xp /usr/lib/libc.so.6 (@1000) 5f1c...                     gperftools, Go: offset, build id
/// 0x40000000-0x40015000: /lib/ld-2.3.2.so                                              short; also macOS
/// 0x800600000 0x80061a000 26 0 0xfffff800035a0000 r-x 75 33 0x1004 COW NC vnode /libexec/ld-elf.so.1 NCH -1   FreeBSD
/// ```
pub fn parse_line(line: &[u8]) -> Option<MapLine> {
    let line = line.trim_ascii();
    let (range, rest) = split_word(line);
    if !range.contains(&b'-') {
        return freebsd(line);
    }
    let short = range.ends_with(b":");
    let (start, end) = addresses(range.strip_suffix(b":").unwrap_or(range))?;
    let mut row = MapRow { start, end, ..MapRow::default() };
    if short {
        set_path(&mut row, rest);
        return Some(MapLine { row, exec: true });
    }
    let (permissions, rest) = split_word(rest);
    if !(3..=5).contains(&permissions.len()) || !permissions.iter().all(|byte| b"rwxps-".contains(byte)) {
        return None;
    }
    match kernel_fields(rest) {
        Some((file_offset, path)) => {
            row.file_offset = file_offset;
            set_path(&mut row, path);
        }
        None => set_path_offset_id(&mut row, rest),
    }
    Some(MapLine { row, exec: permissions.contains(&b'x') })
}

/// `start end resident private object permissions refs shadows flags copy needs-copy type path charged charger`.
fn freebsd(line: &[u8]) -> Option<MapLine> {
    let mut rest = line;
    let mut words = [&b""[..]; 12];
    for word in &mut words {
        (*word, rest) = split_word(rest);
    }
    let address = |word: &[u8]| hex(word.strip_prefix(b"0x")?);
    let (start, end) = (address(words[0])?, address(words[1])?);
    let permissions = words[5];
    if start > end || permissions.len() != 3 || !permissions.iter().all(|byte| b"rwx-".contains(byte)) {
        return None;
    }
    let mut row = MapRow { start, end, ..MapRow::default() };
    if words[11] == b"vnode" {
        let charged = [&b" NCH"[..], b" CH"]
            .iter()
            .find_map(|mark| rest.windows(mark.len()).rposition(|window| window == *mark));
        let path = &rest[..charged.unwrap_or(rest.len())];
        set_path(&mut row, if path == b"-" { b"" } else { path });
    }
    Some(MapLine { row, exec: permissions.contains(&b'x') })
}

fn split_word(text: &[u8]) -> (&[u8], &[u8]) {
    let length = text.iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
    (&text[..length], text[length..].trim_ascii_start())
}

fn addresses(range: &[u8]) -> Option<(u64, u64)> {
    let dash = range.iter().position(|byte| *byte == b'-')?;
    let number = |digits: &[u8]| hex(digits.strip_prefix(b"0x").unwrap_or(digits));
    let (start, end) = (number(&range[..dash])?, number(&range[dash + 1..])?);
    (start <= end).then_some((start, end))
}

/// Offset and path of `offset major:minor inode path`.
fn kernel_fields(rest: &[u8]) -> Option<(u64, &[u8])> {
    let (offset, rest) = split_word(rest);
    let (device, rest) = split_word(rest);
    let (inode, path) = split_word(rest);
    let colon = device.iter().position(|byte| *byte == b':')?;
    hex(&device[..colon]).and(hex(&device[colon + 1..])).and(decimal(inode))?;
    Some((hex(offset)?, path))
}

/// `path (@offset) buildid`, both latter ones optional.
fn set_path_offset_id(row: &mut MapRow, rest: &[u8]) {
    let Some(at) = rest.windows(2).rposition(|pair| pair == b"(@") else {
        return set_path(row, rest);
    };
    let Some(length) = rest[at..].iter().position(|byte| *byte == b')') else {
        return set_path(row, rest);
    };
    row.file_offset = hex(&rest[at + 2..at + length]).unwrap_or(0);
    row.build_id = BuildId::from_hex(rest[at + length + 1..].trim_ascii()).unwrap_or_default();
    set_path(row, &rest[..at]);
}

fn set_path(row: &mut MapRow, path: &[u8]) {
    let path = path.trim_ascii();
    let kept = path.strip_suffix(b" (deleted)");
    row.deleted = kept.is_some();
    row.path = string(kept.unwrap_or(path));
}

/// Collects executable mappings of files and joins neighbours that continue each other: the kernel splits a mapping
/// when permissions of a part of it change.
#[derive(Default)]
pub struct Joined {
    rows: Vec<MapRow>,
    /// What the last line `build=` said.
    build: String,
}

/// Longest folder that `build=` may name: each line may repeat it, so a small file could ask for a lot of memory.
const BUILD_MAX: usize = 1024;

impl Joined {
    /// Takes the next line of a map section; what is neither a mapping nor `build=` is left out.
    pub fn line(&mut self, line: &[u8]) {
        if let Some(value) = line.trim_ascii().strip_prefix(b"build=") {
            self.build = string(&value[..value.len().min(BUILD_MAX)]);
        } else if let Some(mut line) = parse_line(line) {
            if let Some(rest) = line.row.path.strip_prefix("$build") {
                line.row.path = format!("{}{rest}", self.build);
            }
            self.push(line);
        }
    }

    /// Takes the next line of the map. Lines that are not executable, and executable memory of no file, are left out.
    pub fn push(&mut self, line: MapLine) {
        let row = line.row;
        if !line.exec || row.path.is_empty() {
            return;
        }
        match self.rows.last_mut() {
            Some(last) if continues(last, &row) => last.end = row.end,
            _ => self.rows.push(row),
        }
    }

    /// What was collected, in the order of the map.
    pub fn finish(self) -> Vec<MapRow> {
        self.rows
    }
}

fn continues(last: &MapRow, next: &MapRow) -> bool {
    last.end == next.start
        && last.path == next.path
        && last.file_offset.checked_add(last.end - last.start) == Some(next.file_offset)
}

/// Whether a path names a shared library rather than a program: `.so` (or what other systems use) at its end, `.so`
/// before version digits, or one of the kernel's own mappings such as `[vdso]`.
pub fn is_library(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    let ends = [".so", ".dylib", ".bundle", ".dll"].iter().any(|end| name.ends_with(end));
    path.starts_with('[') || ends || name.contains(".so.")
}

/// The program among executable mappings: the first that is no library.
pub(crate) fn program_of(maps: &[MapRow]) -> Option<String> {
    maps.iter().find(|row| !is_library(&row.path)).map(|row| row.path.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: Option<(u64, u64, u64, &str, bool, bool)>) {
        let parsed = parse_line(line.as_bytes());
        let found = parsed.as_ref().map(|line| {
            let row = &line.row;
            (row.start, row.end, row.file_offset, row.path.as_str(), row.deleted, line.exec)
        });
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn every_known_form_of_a_line_is_read() {
        check("1000-2000 r-xp 00001000 fe:00 10305553                   /opt/demo/app", {
            Some((0x1000, 0x2000, 0x1000, "/opt/demo/app", false, true))
        });
        check("1000-2000 rw-p 00000000 00:00 0 ", Some((0x1000, 0x2000, 0, "", false, false)));
        check("1000-2000 r-xp 0000a000 08:01 7  /a b (deleted)", {
            Some((0x1000, 0x2000, 0xa000, "/a b", true, true))
        });
        check("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0   [vsyscall]", {
            Some((0xffff_ffff_ff60_0000, 0xffff_ffff_ff60_1000, 0, "[vsyscall]", false, true))
        });
        check("0x40000000-0x40015000: /lib/ld-2.3.2.so", {
            Some((0x4000_0000, 0x4001_5000, 0, "/lib/ld-2.3.2.so", false, true))
        });
        check("1000-2000 r-xp /x/y (@f000) abcdef", Some((0x1000, 0x2000, 0xf000, "/x/y", false, true)));
        check("00000001000-00000002000: /usr/lib/a b.dylib", {
            Some((0x1000, 0x2000, 0, "/usr/lib/a b.dylib", false, true))
        });
        check(
            "0x800600000 0x80061a000 26 0 0xfffff800035a0000 r-x 75 33 0x1004 COW NC vnode /libexec/ld elf.so.1 NCH -1",
            Some((0x8_0060_0000, 0x8_0061_a000, 0, "/libexec/ld elf.so.1", false, true)),
        );
        check("0x1000 0x2000 3 0 0xfffff800035a0000 rw- 1 0 0x3000 NCOW NNC default - CH 1001", {
            Some((0x1000, 0x2000, 0, "", false, false))
        });
        check("1000-2000 r-xp /x/y (@", Some((0x1000, 0x2000, 0, "/x/y (@", false, true)));
    }

    #[test]
    fn build_ids_of_the_short_form_are_kept() {
        let line = parse_line(b"1000-2000 r-xp /x/y (@f000) abcdef").unwrap();
        assert_eq!(line.row.build_id, BuildId::new(&[0xab, 0xcd, 0xef]));
    }

    #[test]
    fn other_lines_are_not_mappings() {
        for line in
            ["", "# end", "MAPPED_LIBRARIES:", "2000-1000 r-xp 0 0:0 0 /x", "1000 r-xp", "1000-2000 hello"]
        {
            check(line, None);
        }
    }

    #[test]
    fn neighbours_are_joined_only_when_the_file_goes_on() {
        let mut joined = Joined::default();
        for line in [
            "1000-2000 r-xp 00001000 08:01 7 /app",
            "2000-3000 r-xp 00002000 08:01 7 /app",
            "3000-4000 rw-p 00003000 08:01 7 /app",
            "4000-5000 r-xp 00003000 08:01 7 /app",
            "5000-6000 r-xp 00009000 08:01 7 /app",
            "6000-7000 r-xp 0000a000 08:01 7 /other",
            "7000-8000 r-xp 00000000 00:00 0 ",
        ] {
            joined.push(parse_line(line.as_bytes()).unwrap());
        }
        let rows: Vec<_> = joined.finish().into_iter().map(|row| (row.start, row.end, row.path)).collect();
        assert_eq!(rows.len(), 4, "{rows:?}");
        assert_eq!(rows[0], (0x1000, 0x3000, "/app".into()));
        assert_eq!(rows[1].0, 0x4000);
    }

    #[test]
    fn paths_may_name_the_folder_of_the_build() {
        let mut joined = Joined::default();
        for line in ["build=/srv/out", "1000-2000: $build/app", "nonsense", "3000-4000: /lib/x.so"] {
            joined.line(line.as_bytes());
        }
        let paths: Vec<_> = joined.finish().into_iter().map(|row| row.path).collect();
        assert_eq!(paths, ["/srv/out/app", "/lib/x.so"]);
    }

    #[test]
    fn libraries_are_told_from_programs() {
        for path in
            ["/lib/libc.so.6", "/lib/libfoo.so", "[vdso]", "/usr/lib/ld-linux-x86-64.so.2", "/x/libz.1.dylib"]
        {
            assert!(is_library(path), "{path}");
        }
        for path in ["/usr/bin/redis-server", "/opt/so.app/run", "/usr/bin/python3.11"] {
            assert!(!is_library(path), "{path}");
        }
    }
}
