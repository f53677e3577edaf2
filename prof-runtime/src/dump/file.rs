//! Writing a file so that readers never see half of it, without allocation.
//!
//! The content goes to `<path>.<pid>.tmp` beside the target and is renamed when it is complete. It is handed to the kernel, not
//! waited for until it is on the disk: that takes from milliseconds to seconds, and a program that ends and is killed
//! meanwhile, as by a supervisor's patience, would lose the whole dump. A target that is
//! there and is no plain file (a pipe, a terminal, a symbolic link) is written in place, and so is one whose
//! directory takes no new files. An empty file is written in place as well: whoever made it may hold it open and read
//! the dump through that handle, as `jemalloc_pprof` does, and nothing can be lost in it. A plain file that is written
//! in place and does not become whole is emptied, and removed unless it was there before.

use core::ffi::CStr;

use prof_format::{
    any,
    gzip::{Gzip, GzipState},
    snapshot::{Sink, Snapshot},
    vocab::Format,
};
use rustix::{
    fd::{BorrowedFd, OwnedFd},
    fs::{FileType, Mode, OFlags, Stat},
    io::Errno,
};

use super::{names::Text, quiet::Quiet};
use crate::{descriptors::Passing, memory::Rows};

const BUFFER: usize = 64 << 10;

/// At which step it failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// No memory for buffers.
    OutOfMemory,
    /// The file could not be made.
    Open,
    /// The content could not be written, or the complete file not be put in its place.
    Write,
}

/// Where large pieces go.
pub enum Target<'a> {
    /// Into a file, as they are, while it is behind its number.
    File(&'a Passing),
    /// To another process, as frames of `prof_format::wire`: each with its length in front.
    Frames(BorrowedFd<'a>),
    /// To a function of the program, which may do anything: no lock is held.
    Receiver(&'a mut dyn FnMut(&[u8])),
}

/// Collects pieces into large writes.
pub struct FileSink<'a> {
    target: Target<'a>,
    buffer: &'a mut [u8],
    filled: usize,
}

impl<'a> FileSink<'a> {
    /// Writes to `target` whenever `buffer` is full.
    pub fn new(target: Target<'a>, buffer: &'a mut [u8]) -> FileSink<'a> {
        FileSink { target, buffer, filled: 0 }
    }

    /// Writes what was collected, if anything was.
    pub fn flush(&mut self) -> Result<(), Errno> {
        let collected = &self.buffer[..self.filled];
        if collected.is_empty() {
            return Ok(());
        }
        match &mut self.target {
            Target::File(file) => write_all(file.ours()?, collected)?,
            Target::Frames(socket) => {
                write_all(*socket, &(collected.len() as u32).to_le_bytes())?;
                write_all(*socket, collected)?;
            }
            Target::Receiver(receive) => receive(collected),
        }
        self.filled = 0;
        Ok(())
    }
}

/// Writes all of `bytes`, however often that takes.
pub fn write_all(file: BorrowedFd<'_>, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match rustix::io::write(file, bytes) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

impl Sink for FileSink<'_> {
    type Error = Errno;

    fn write(&mut self, mut bytes: &[u8]) -> Result<(), Errno> {
        while !bytes.is_empty() {
            let room = &mut self.buffer[self.filled..];
            let count = room.len().min(bytes.len());
            room[..count].copy_from_slice(&bytes[..count]);
            self.filled += count;
            bytes = &bytes[count..];
            if self.filled == self.buffer.len() {
                self.flush()?;
            }
        }
        Ok(())
    }
}

/// The tables in one of the formats.
pub struct Content<'a, N: Snapshot> {
    /// The tables.
    pub snapshot: &'a N,
    /// How.
    pub format: Format,
    /// Whether to compress.
    pub gzip: bool,
}

impl<N: Snapshot> Content<'_, N> {
    /// Writes all of it.
    ///
    /// # Errors
    /// See [`Failure`].
    pub fn write_to(&self, sink: &mut FileSink<'_>) -> Result<(), Failure> {
        if !self.gzip {
            return any::write(self.format, self.snapshot, sink).map_err(|_| Failure::Write);
        }
        let mut state = Rows::<GzipState>::zeroed(1).ok_or(Failure::OutOfMemory)?;
        let mut gzip = Gzip::new(sink, state.first_mut().ok_or(Failure::OutOfMemory)?);
        any::write(self.format, self.snapshot, &mut gzip)
            .and_then(|()| gzip.finish().map(|_| ()))
            .map_err(|_| Failure::Write)
    }
}

/// Hands all of a dump to `receive`, in pieces of at most 64 KiB.
///
/// # Errors
/// [`Failure::OutOfMemory`].
pub fn give<N: Snapshot>(content: &Content<N>, receive: &mut dyn FnMut(&[u8])) -> Result<(), Failure> {
    let mut buffer = Rows::<u8>::zeroed(BUFFER).ok_or(Failure::OutOfMemory)?;
    let mut sink = FileSink::new(Target::Receiver(receive), &mut buffer);
    content.write_to(&mut sink)?;
    sink.flush().map_err(|_| Failure::Write)
}

/// What writes a file's content, called once.
pub type Writer<'a> = &'a mut dyn FnMut(&mut FileSink<'_>) -> Result<(), Failure>;

/// Makes the file `path` of what `content` writes. `text` is scratch space.
///
/// # Errors
/// See [`Failure`]. No partial file is left under a temporary name.
pub fn write(path: &CStr, pid: u32, text: &mut Text, content: Writer) -> Result<(), Failure> {
    let _quiet = Quiet::start();
    let before = rustix::fs::lstat(path).ok();
    let replaceable = before.is_none_or(|stat| is_plain(&stat) && stat.st_size > 0);
    text.clear().push(path.to_bytes()).push(b".").number(pid as u64).push(b".tmp");
    let temporary = text.as_path().filter(|_| replaceable);
    let made = |name| Some((name, Passing::open(|| create(name)).ok()?));
    let Some((temporary, file)) = temporary.and_then(made) else {
        return in_place(path, before.is_none(), content);
    };
    let written =
        fill(&file, content).and_then(|()| rustix::fs::rename(temporary, path).map_err(|_| Failure::Write));
    if written.is_err() {
        // Nothing more can be done about a file that can not be removed.
        let _ = rustix::fs::unlink(temporary);
    }
    written
}

fn is_plain(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile
}

/// Writes the target itself, which is `new` when it was not there.
fn in_place(path: &CStr, new: bool, content: Writer) -> Result<(), Failure> {
    // A pipe is opened when somebody reads, and a fork does not wait for that.
    let file = Passing::of(create(path).map_err(|_| Failure::Open)?);
    let written = fill(&file, content);
    if written.is_err()
        && let Ok(file) = file.ours()
        && rustix::fs::fstat(file).is_ok_and(|stat| is_plain(&stat))
    {
        // Half a dump would be taken for a whole one. Nothing more can be done about a file that cannot be changed.
        let _ = rustix::fs::ftruncate(file, 0);
        if new {
            let _ = rustix::fs::unlink(path);
        }
    }
    written
}

fn fill(file: &Passing, content: Writer) -> Result<(), Failure> {
    let mut buffer = Rows::<u8>::zeroed(BUFFER).ok_or(Failure::OutOfMemory)?;
    let mut sink = FileSink::new(Target::File(file), &mut buffer);
    content(&mut sink)?;
    sink.flush().map_err(|_| Failure::Write)
}

fn create(path: &CStr) -> Result<OwnedFd, Errno> {
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::TRUNC | OFlags::CLOEXEC | OFlags::NOCTTY;
    loop {
        match rustix::fs::open(path, flags, Mode::from_raw_mode(0o644)) {
            Err(Errno::INTR) => {}
            answer => return answer,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{ffi::CString, fs, os::fd::AsRawFd, os::unix::ffi::OsStrExt, path::Path, vec::Vec};

    /// The number under which this process has a file open.
    fn number_of(path: &Path) -> i32 {
        let all = fs::read_dir("/proc/self/fd").unwrap().flatten();
        let mut all = all.filter(|entry| fs::read_link(entry.path()).is_ok_and(|to| to == path));
        all.next().unwrap().file_name().to_str().unwrap().parse().unwrap()
    }

    /// Writes a file whose number the program takes for one of its own in the middle; what that has then, and whether the
    /// file was made.
    fn taken_over(name: &str, before: Option<&str>) -> (Vec<u8>, bool) {
        let folder = std::env::temp_dir().join(std::format!("prof-runtime-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let (path, own) = (folder.join("x.heap"), folder.join("own"));
        before.into_iter().for_each(|text| fs::write(&path, text).unwrap());
        fs::write(&own, "the program's").unwrap();
        let file = fs::File::options().append(true).open(&own).unwrap();
        let target = CString::new(path.as_os_str().as_bytes()).unwrap();
        let mut number = -1;
        let mut content = |sink: &mut FileSink<'_>| {
            let temporary = folder.join("x.heap.7.tmp");
            number = number_of(if temporary.exists() { &temporary } else { &path });
            // SAFETY: numbers only; what was open there is closed.
            assert_eq!(unsafe { libc::dup2(file.as_raw_fd(), number) }, number);
            sink.write(b"a dump").map_err(|_| Failure::Write)
        };
        let mut text = Rows::<Text>::zeroed(1).unwrap();
        let written = write(&target, 7, text.first_mut().unwrap(), &mut content);
        assert_eq!(written, Err(Failure::Write));
        // SAFETY: open, and this test's.
        assert_eq!(unsafe { libc::close(number) }, 0, "it is still open");
        let has = fs::read(&own).unwrap();
        let is_there = path.exists() || fs::read_dir(&folder).unwrap().count() != 1;
        fs::remove_dir_all(&folder).unwrap();
        (has, is_there)
    }

    #[test]
    fn nothing_is_written_to_a_file_that_the_program_opened_under_our_number() {
        assert_eq!(taken_over("number", None), (b"the program's".into(), false));
        // In place, where what was written is taken back: not from the program's file.
        let (has, _) = taken_over("number-in-place", Some(""));
        assert_eq!(has.as_slice(), b"the program's");
    }
}
