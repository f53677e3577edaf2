//! The kernel's list of this process's mappings, read without allocation and without the loader's lock.
//!
//! `dl_iterate_phdr` would take that lock, which another thread may hold while it waits for memory.

use rustix::io::Errno;

use crate::fleeting::Fleeting;

/// One line of the maps file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping<'a> {
    /// First address.
    pub start: usize,
    /// First address past the end.
    pub end: usize,
    /// Whether it may be read.
    pub readable: bool,
    /// Whether it may be read and written.
    pub writable: bool,
    /// Whether it may be executed.
    pub executable: bool,
    /// Whether what is written to it is seen elsewhere.
    pub shared: bool,
    /// Offset of `start` in the file.
    pub offset: u64,
    /// Device and inode as the kernel prints them: tells files apart.
    pub file: &'a [u8],
    /// Path, or a name in brackets, or empty. As the kernel prints it: ` (deleted)` may follow.
    pub path: &'a [u8],
}

/// Takes the part before the first `delimiter` off `rest`.
fn split<'a>(rest: &mut &'a [u8], delimiter: u8) -> Option<&'a [u8]> {
    let at = rest.iter().position(|byte| *byte == delimiter)?;
    let (head, tail) = rest.split_at_checked(at)?;
    *rest = tail.get(1..)?;
    Some(head)
}

fn hex(digits: &[u8]) -> Option<u64> {
    u64::from_str_radix(core::str::from_utf8(digits).ok()?, 16).ok()
}

/// Parses `start-end perms offset major:minor inode   path`, without the newline.
pub fn parse_line(line: &[u8]) -> Option<Mapping<'_>> {
    let mut rest = line;
    let start = hex(split(&mut rest, b'-')?)? as usize;
    let end = hex(split(&mut rest, b' ')?)? as usize;
    let permissions = split(&mut rest, b' ')?;
    let offset = hex(split(&mut rest, b' ')?)?;
    let device = rest;
    let device_bytes = split(&mut rest, b' ')?.len();
    let inode_bytes = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
    let file = device.get(..device_bytes + 1 + inode_bytes)?;
    let path = rest.get(inode_bytes..)?.trim_ascii();
    let readable = permissions.starts_with(b"r");
    let writable = permissions.starts_with(b"rw");
    let executable = permissions.get(2) == Some(&b'x');
    let shared = permissions.get(3) == Some(&b's');
    Some(Mapping { start, end, readable, writable, executable, shared, offset, file, path })
}

/// Opens the maps file. Through the thread: the process's own is empty once its first thread has ended.
pub fn open() -> Result<Fleeting, Errno> {
    Fleeting::open(c"/proc/thread-self/maps").or_else(|_| Fleeting::open(c"/proc/self/maps"))
}

/// Reads as much as there is, up to the length of `buffer`, through interruptions; the number of bytes.
pub fn read_full(file: &Fleeting, buffer: &mut [u8]) -> Result<usize, Errno> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match rustix::io::read(file, rest) {
            Ok(0) => break,
            Ok(bytes) => filled += bytes,
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Calls `each` for every mapping, in ascending order, until it returns false. `buffer` must hold the longest line.
pub fn for_each(buffer: &mut [u8], mut each: impl FnMut(Mapping<'_>) -> bool) -> Result<(), Errno> {
    let file = open()?;
    let mut held = 0;
    loop {
        let Some(free) = buffer.get_mut(held..).filter(|free| !free.is_empty()) else {
            return Err(Errno::NAMETOOLONG);
        };
        let got = read_full(&file, free)?;
        if got == 0 {
            return Ok(());
        }
        held += got;
        let mut done = 0;
        while let Some(bytes) = buffer[done..held].iter().position(|byte| *byte == b'\n') {
            if let Some(mapping) = parse_line(&buffer[done..done + bytes])
                && !each(mapping)
            {
                return Ok(());
            }
            done += bytes + 1;
        }
        buffer.copy_within(done..held, 0);
        held -= done;
    }
}

/// Memory of this process, read through the kernel, which refuses instead of faulting.
pub struct OwnMemory(Fleeting);

impl OwnMemory {
    /// `None` where the process may not look at itself (not dumpable, no `/proc`).
    pub fn open() -> Option<OwnMemory> {
        Fleeting::open(c"/proc/thread-self/mem").ok().map(OwnMemory)
    }

    /// Fills the buffer from `address`; false when any of it can not be read.
    pub fn read(&self, address: usize, buffer: &mut [u8]) -> bool {
        let mut filled = 0;
        while filled < buffer.len() {
            match rustix::io::pread(&self.0, &mut buffer[filled..], (address + filled) as u64) {
                Ok(0) => return false,
                Ok(bytes) => filled += bytes,
                Err(Errno::INTR) => {}
                Err(_) => return false,
            }
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_every_kind_are_read() {
        let file = parse_line(
            b"7f7a95971000-7f7a95a1c000 r-xp 00009000 fe:00 10044868                   /usr/lib/a b.so (deleted)",
        );
        let expected = Mapping {
            start: 0x7f7a_9597_1000,
            end: 0x7f7a_95a1_c000,
            readable: true,
            writable: false,
            executable: true,
            shared: false,
            offset: 0x9000,
            file: b"fe:00 10044868",
            path: b"/usr/lib/a b.so (deleted)",
        };
        assert_eq!(file, Some(expected));
        let anonymous = parse_line(b"7f7a93680000-7f7a93e00000 rw-p 00000000 00:00 0 ").unwrap();
        assert_eq!(
            (anonymous.writable, anonymous.executable, anonymous.shared, anonymous.file, anonymous.path),
            (true, false, false, &b"00:00 0"[..], &b""[..])
        );
        assert!(parse_line(b"1000-2000 rw-s 00000000 00:01 7 /dev/shm/x").unwrap().shared);
        assert_eq!(
            parse_line(b"7ffe3474c000-7ffe3476d000 rw-p 0 00:00 0   [stack]").unwrap().path,
            b"[stack]"
        );
    }

    #[test]
    fn lines_cut_anywhere_do_no_harm() {
        let line = b"55f508eca000-55f508ecb000 r-xp 00001000 fe:00 10305553   /opt/demo/app";
        for cut in 0..line.len() {
            if let Some(mapping) = parse_line(&line[..cut]) {
                assert_eq!(mapping.start, 0x55f5_08ec_a000);
            }
        }
        assert_eq!(parse_line(b"- - - -"), None);
    }

    #[test]
    fn our_own_mappings_come_in_order_and_hold_our_code_whatever_the_buffer() {
        let here = our_code as *const () as usize;
        for bytes in [4200, 65_536] {
            let (mut last, mut found) = (0, false);
            for_each(&mut std::vec![0; bytes], |mapping| {
                assert!(mapping.start >= last && mapping.end > mapping.start);
                last = mapping.end;
                found |= mapping.executable && (mapping.start..mapping.end).contains(&here);
                true
            })
            .unwrap();
            assert!(found);
        }
    }

    fn our_code() {}

    #[test]
    fn memory_that_is_not_there_is_refused() {
        let memory = OwnMemory::open().unwrap();
        let value = 0x1234_5678_9abc_def0_u64;
        let mut copy = [0; 8];
        assert!(memory.read(&raw const value as usize, &mut copy));
        assert_eq!(u64::from_le_bytes(copy), value);
        assert!(!memory.read(8, &mut copy));
    }
}
