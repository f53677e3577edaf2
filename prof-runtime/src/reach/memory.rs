//! Words of the process's own memory, read through the kernel, which refuses instead of faulting when a range went away.

use core::ffi::c_void;

use crate::{errno::keeping_errno, memory::Rows, procmaps::OwnMemory};

const PAGE: usize = 4096;
/// Words that are read at once.
const ROOM: usize = 32 << 10;
/// Ranges that are read at once.
const RANGES: usize = 128;

/// A range whose ends are multiples of 8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// First address.
    pub start: usize,
    /// First address past the end.
    pub end: usize,
}

impl Span {
    /// How long it is; 0 when it ends before it begins.
    pub fn bytes(&self) -> usize {
        self.end.saturating_sub(self.start)
    }
}

enum How {
    /// `process_vm_readv`: many ranges by one call, in the rights of the process's own mappings.
    Vectors,
    /// `/proc/self/mem`, where a filter of system calls forbids the other: a range by one call.
    File(OwnMemory),
}

/// Room for words, and how they are read.
pub struct Reader {
    words: Rows<u64>,
    how: How,
}

fn vector(at: *mut c_void, bytes: usize) -> libc::iovec {
    libc::iovec { iov_base: at, iov_len: bytes }
}

impl Reader {
    /// `None` when memory is out.
    pub fn new() -> Option<Reader> {
        Some(Reader { words: Rows::zeroed(ROOM)?, how: How::Vectors })
    }

    /// Bytes that are read at once.
    pub fn room(&self) -> usize {
        ROOM * 8
    }

    /// Whether memory can be read at all, tried with a word that is there; decides how.
    pub fn can_read(&mut self, at: usize) -> bool {
        let probe = [Span { start: at & !7, end: (at & !7) + 8 }];
        if self.read(&probe) == 8 {
            return true;
        }
        match OwnMemory::open() {
            Some(file) => {
                self.how = How::File(file);
                self.read(&probe) == 8
            }
            None => false,
        }
    }

    /// Reads the ranges as far as there is room, one behind the other; bytes up to the first that cannot be read.
    fn read(&mut self, spans: &[Span]) -> usize {
        let room = self.room();
        match &self.how {
            How::Vectors => {
                let empty = vector(core::ptr::null_mut(), 0);
                let mut remote = [empty; RANGES];
                let (mut count, mut wanted) = (0, 0);
                for (slot, span) in remote.iter_mut().zip(spans) {
                    let bytes = span.bytes().min(room - wanted);
                    if wanted == room {
                        break;
                    }
                    *slot = vector(core::ptr::without_provenance_mut(span.start), bytes);
                    (count, wanted) = (count + 1, wanted + bytes);
                }
                let local = vector(self.words.as_mut_ptr().cast(), wanted);
                // Of the thread: the first one may have ended, and has no memory then.
                let pid = rustix::thread::gettid().as_raw_nonzero().get();
                // SAFETY: `local` is memory of ours of at least `wanted` bytes, borrowed mutably; the other ranges are
                // addresses for the kernel, which checks each.
                let read = keeping_errno(|| unsafe {
                    libc::process_vm_readv(pid, &raw const local, 1, remote.as_ptr(), count, 0)
                });
                usize::try_from(read).unwrap_or(0)
            }
            How::File(file) => {
                let Some(span) = spans.iter().find(|span| span.bytes() != 0) else { return 0 };
                let bytes = span.bytes().min(room);
                let Some(words) = self.words.get_mut(..bytes / 8) else { return 0 };
                // SAFETY: words are bytes, and any bytes are words.
                let buffer =
                    unsafe { core::slice::from_raw_parts_mut(words.as_mut_ptr().cast::<u8>(), bytes) };
                // A page at a time once a longer piece is not there as a whole.
                if file.read(span.start, buffer) {
                    return bytes;
                }
                let first = (PAGE - span.start % PAGE).min(bytes);
                if buffer.get_mut(..first).is_some_and(|page| file.read(span.start, page)) {
                    first
                } else {
                    0
                }
            }
        }
    }

    /// Hands over every word of the ranges, at most 128, that can be read. The ranges are used up.
    pub fn each_word(&mut self, spans: &mut [Span], mut each: impl FnMut(usize)) {
        let mut first = 0;
        loop {
            while spans.get(first).is_some_and(|span| span.bytes() == 0) {
                first += 1;
            }
            let Some(left) = spans.get_mut(first..).filter(|left| !left.is_empty()) else { return };
            let mut read = self.read(left);
            self.words.iter().take(read / 8).for_each(|word| each(*word as usize));
            if read < 8 {
                // Not there: on to the next page.
                if let Some(span) = left.first_mut() {
                    span.start = ((span.start / PAGE + 1) * PAGE).min(span.end);
                }
                continue;
            }
            for span in left {
                let bytes = span.bytes().min(read & !7);
                span.start += bytes;
                read -= bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Map;
    use core::sync::atomic::{AtomicU64, Ordering};
    use std::vec::Vec;

    fn span(at: usize, words: usize) -> Span {
        Span { start: at, end: at + 8 * words }
    }

    fn readers() -> [Reader; 2] {
        let [vectors, mut file] = [Reader::new().unwrap(), Reader::new().unwrap()];
        file.how = How::File(OwnMemory::open().unwrap());
        [vectors, file]
    }

    #[test]
    fn words_of_many_ranges_come_in_order_and_what_is_not_there_is_left_out() {
        const PAGES: usize = 3;
        let map = Map::new(PAGES * PAGE).unwrap();
        let words = map.as_slice::<AtomicU64>();
        words.iter().zip(1..).for_each(|(word, value)| word.store(value, Ordering::Relaxed));
        let at = words.as_ptr().addr();
        let middle = core::ptr::without_provenance_mut::<c_void>(at + PAGE);
        // SAFETY: a page of the mapping made above, which nobody looks at from here on.
        unsafe { rustix::mm::mprotect(middle, PAGE, rustix::mm::MprotectFlags::empty()).unwrap() };
        for (mut reader, protects) in readers().into_iter().zip([true, false]) {
            assert!(reader.can_read(at));
            let mut found = Vec::new();
            let mut spans =
                [span(at + 16, 2), Span::default(), span(at, 1), span(8, 4), span(at + PAGE - 8, 514)];
            reader.each_word(&mut spans, |word| found.push(word));
            // The file shows what may not be read, too.
            let hidden = if protects { 0..0 } else { 513..1025 };
            let expected: Vec<_> = [3, 4, 1, 512].into_iter().chain(hidden).chain([1025]).collect();
            assert_eq!(found, expected);
            assert!(!reader.can_read(8), "nothing is there");
        }
    }

    #[test]
    fn ranges_longer_than_the_room_are_read_in_pieces() {
        let words: Vec<u64> = (0..3 * ROOM as u64 + 5).collect();
        for mut reader in readers() {
            let mut next = 0;
            reader.each_word(&mut [span(words.as_ptr().addr(), words.len())], |word| {
                assert_eq!(word, next);
                next += 1;
            });
            assert_eq!(next, words.len());
        }
    }
}
