//! The process as it is mapped: the text of its maps file, its executable mappings with build ids, its program.
//!
//! From `/proc` only: asking the loader would take its lock, and a dump may be written inside of `dlopen`.

use core::ops::Range;

use prof_format::{snapshot::Module, vocab::BuildId};

use crate::{
    elf,
    fleeting::Fleeting,
    memory::{Plain, Rows},
    procmaps::{self, Mapping, OwnMemory},
};

/// The maps file is first read into this much; four times as much when that was too little.
const MAPS_FIRST: usize = 256 << 10;
/// A process with more mappings than fit here (about half a million) is dumped without them.
const MAPS_MAX: usize = 64 << 20;
const PROGRAM_MAX: usize = 4096;
const COMMAND_MAX: usize = 4096;
/// What the kernel appends to the path of a file that was removed.
const DELETED: &[u8] = b" (deleted)";

struct FrozenModule {
    start: u64,
    end: u64,
    file_offset: u64,
    /// Where the file's first mapping begins; 0 when that is not mapped.
    base: usize,
    path: (u32, u32),
    build_id: BuildId,
}

// SAFETY: numbers and bytes only, nothing to drop.
unsafe impl Plain for FrozenModule {}

/// See the module's head.
pub struct ProcessImage {
    maps: Rows<u8>,
    maps_bytes: usize,
    modules: Rows<FrozenModule>,
    program: Rows<u8>,
    program_bytes: usize,
    /// Program and arguments, with zeros between them; cut.
    command: Rows<u8>,
    host: Rows<u8>,
}

/// The command line, without the zero at its end. Without `/proc` it is empty.
fn read_command() -> Option<Rows<u8>> {
    let mut text = Rows::<u8>::zeroed(COMMAND_MAX)?;
    let file = Fleeting::open(c"/proc/self/cmdline");
    let bytes = file.and_then(|file| procmaps::read_full(&file, &mut text)).unwrap_or(0);
    let end = text[..bytes].iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    text.truncate(end);
    Some(text)
}

/// The name of the machine.
fn read_host() -> Option<Rows<u8>> {
    // SAFETY: the structure is arrays of characters, for which zero is a value.
    let mut system: libc::utsname = unsafe { core::mem::zeroed() };
    // SAFETY: a valid place for the result; so errno is left alone.
    unsafe { libc::uname(&raw mut system) };
    let length = system.nodename.iter().position(|byte| *byte == 0).unwrap_or(0);
    let mut text = Rows::<u8>::zeroed(length)?;
    text.iter_mut().zip(&system.nodename).for_each(|(to, from)| *to = *from as u8);
    Some(text)
}

/// The text of the maps file and its length. Without `/proc` it is empty.
fn read_maps() -> Option<(Rows<u8>, usize)> {
    let mut room = MAPS_FIRST;
    loop {
        let mut text = Rows::<u8>::zeroed(room)?;
        let read = procmaps::open().and_then(|file| procmaps::read_full(&file, &mut text));
        match read {
            Ok(bytes) if bytes < room => return Some((text, bytes)),
            Ok(_) if room < MAPS_MAX => room *= 4,
            Ok(_) | Err(_) => return Some((text, 0)),
        }
    }
}

/// Executable mappings in `text`, each with the start of its file's first mapping and the range of its path.
fn executables(text: &[u8]) -> impl Iterator<Item = (Mapping<'_>, usize, Range<usize>)> {
    let mut first: (&[u8], usize) = (b"", 0);
    let lines = text.split(|byte| *byte == b'\n').filter_map(procmaps::parse_line);
    lines.filter_map(move |mapping| {
        let named = mapping.path.starts_with(b"/") || mapping.path == b"[vdso]";
        if mapping.offset == 0 && named {
            first = (mapping.path, mapping.start);
        }
        let path = mapping.path.as_ptr() as usize - text.as_ptr() as usize;
        let base = if first.0 == mapping.path { first.1 } else { 0 };
        (mapping.executable && named).then_some((mapping, base, path..path + mapping.path.len()))
    })
}

impl ProcessImage {
    /// Looks at the process; `None` when memory is out. What the kernel does not tell is empty.
    pub fn take() -> Option<ProcessImage> {
        let (maps, maps_bytes) = read_maps()?;
        let mut program = Rows::<u8>::zeroed(PROGRAM_MAX)?;
        let link = rustix::fs::readlinkat_raw(rustix::fs::CWD, c"/proc/self/exe", &mut program[..]);
        let program_bytes = link.unwrap_or(0);
        let text = &maps[..maps_bytes];
        let own = OwnMemory::open();
        let mut modules = Rows::new(executables(text).count())?;
        // The program itself comes first.
        for main in [true, false] {
            let chosen =
                executables(text).filter(|(mapping, ..)| (mapping.path == &program[..program_bytes]) == main);
            for (mapping, base, path) in chosen {
                let build_id = match &own {
                    Some(own) if base != 0 => elf::build_id(base, &|at, to: &mut [u8]| own.read(at, to)),
                    _ => BuildId::default(),
                };
                modules.push(FrozenModule {
                    start: mapping.start as u64,
                    end: mapping.end as u64,
                    file_offset: mapping.offset,
                    base,
                    path: (path.start as u32, path.end as u32),
                    build_id,
                })?;
            }
        }
        let (command, host) = (read_command()?, read_host()?);
        Some(ProcessImage { maps, maps_bytes, modules, program, program_bytes, command, host })
    }

    /// The maps file's text.
    pub fn maps(&self) -> &[u8] {
        &self.maps[..self.maps_bytes]
    }

    /// The program's path, without the mark of a removed file.
    pub fn program(&self) -> &[u8] {
        let path = &self.program[..self.program_bytes];
        path.strip_suffix(DELETED).unwrap_or(path)
    }

    /// Program and arguments, with zeros between them; at most 4096 bytes.
    pub fn command(&self) -> &[u8] {
        &self.command
    }

    /// The name of the machine.
    pub fn host(&self) -> &[u8] {
        &self.host
    }

    /// Number of executable mappings.
    pub fn modules(&self) -> usize {
        self.modules.len()
    }

    /// Where the file of an executable mapping begins in memory; 0 when that is not known.
    pub fn base(&self, index: usize) -> usize {
        self.modules.get(index).map_or(0, |module| module.base)
    }

    /// An executable mapping; an empty one when the index is too large.
    pub fn module(&self, index: usize) -> Module<'_> {
        match self.modules.get(index) {
            Some(module) => Module {
                start: module.start,
                end: module.end,
                file_offset: module.file_offset,
                path: self.maps.get(module.path.0 as usize..module.path.1 as usize).unwrap_or(&[]),
                build_id: module.build_id,
            },
            None => Module { start: 0, end: 0, file_offset: 0, path: &[], build_id: BuildId::default() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn executable_mappings_know_where_their_file_begins() {
        let text = b"1000-2000 r--p 00000000 fe:00 7   /bin/a\n\
            2000-3000 r-xp 00001000 fe:00 7   /bin/a\n\
            3000-4000 rwxp 00000000 00:00 0 \n\
            5000-6000 r-xp 00000000 fe:00 8   /lib/b (deleted)\n\
            7000-8000 r-xp 00003000 fe:00 9   /lib/c\n\
            9000-a000 r-xp 00000000 00:00 0   [vdso]\n";
        let found: std::vec::Vec<_> =
            executables(text).map(|(mapping, base, path)| (mapping.start, base, &text[path])).collect();
        let expected: [(usize, usize, &[u8]); 4] = [
            (0x2000, 0x1000, b"/bin/a"),
            (0x5000, 0x5000, b"/lib/b (deleted)"),
            (0x7000, 0, b"/lib/c"),
            (0x9000, 0x9000, b"[vdso]"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn this_process_is_seen_with_its_program_first() {
        let image = ProcessImage::take().unwrap();
        let program = std::env::current_exe().unwrap();
        assert_eq!(image.program(), program.as_os_str().as_encoded_bytes());
        assert_eq!(image.module(0).path, image.program());
        let here = read_maps as *const () as u64;
        assert!((image.module(0).start..image.module(0).end).contains(&here));
        assert!(image.maps().ends_with(b"\n"));
        let libc = (0..image.modules()).map(|at| image.module(at)).find(|m| m.path.ends_with(b"libc.so.6"));
        assert!(libc.is_none_or(|module| module.build_id.as_bytes().len() == 20));
        assert_eq!(image.module(usize::MAX).end, 0);
    }
}
