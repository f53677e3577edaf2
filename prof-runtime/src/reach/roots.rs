//! The words that everything begins with: all writable memory of the process but the host's and the profiler's, and, of the host's,
//! what holds objects that nobody recorded.

use core::ops::Range;

use super::{
    memory::{Reader, Span},
    threads::{Ended, Place, Stopped},
};
use crate::{
    arch,
    errno::keeping_errno,
    fleeting::Fleeting,
    memory::Rows,
    own_pages,
    procmaps::{self, Mapping},
};

const PAGE: usize = 4096;
/// From this size on it is first asked which pages were ever touched.
const LARGE: usize = 1 << 20;
/// Pages that are asked about at once.
const ASKED: usize = 4096;

/// What the host tells.
#[derive(Clone, Copy)]
pub struct Host {
    /// For how many bytes from the start of a page of its memory objects in use lie that were not sampled.
    pub unrecorded: fn(usize) -> usize,
}

/// Buffers, made before anything is stopped.
pub struct Roots<'h> {
    host: &'h Host,
    maps: Rows<u8>,
    pages: Rows<u64>,
    pagemap: Option<Fleeting>,
}

/// Whether a mapping's memory is ordinary: that of devices may answer reads with anything.
fn is_memory(mapping: &Mapping) -> bool {
    let device = mapping.path.starts_with(b"/dev/")
        && !mapping.path.starts_with(b"/dev/shm/")
        && !mapping.path.starts_with(b"/dev/zero");
    // Anonymous memory may have been written to, and sealed since.
    let anonymous =
        mapping.path.is_empty() || mapping.path.starts_with(b"[anon") || mapping.path == b"[heap]";
    let sealed = mapping.readable && anonymous && !mapping.shared;
    (mapping.writable || sealed) && !(mapping.shared && device)
}

impl<'h> Roots<'h> {
    /// `None` when memory is out.
    pub fn new(host: &'h Host) -> Option<Roots<'h>> {
        let pagemap = Fleeting::open(c"/proc/thread-self/pagemap").ok();
        Some(Roots { host, maps: Rows::zeroed(64 << 10)?, pages: Rows::zeroed(ASKED)?, pagemap })
    }

    /// Hands over the words; false when the list of mappings cannot be read. `own` is where the calling thread is.
    pub fn each_word(
        &mut self,
        reader: &mut Reader,
        stopped: &Stopped,
        own: Place,
        ended: &Ended,
        each: &mut impl FnMut(usize),
    ) -> bool {
        // What a stack pointer leads to is the stack, wherever that lies.
        stopped.places().chain([own]).for_each(|place| each(place.sp));
        each(signal_stack());
        let Roots { host, maps, pages, pagemap } = self;
        let mut walk = Walk { host, pages, pagemap: pagemap.as_ref(), reader, each, unrecorded: 0 };
        let own_data = own_data();
        // Where what cannot be read ends: stacks of the C library lie right above such a page. Others may be anywhere in a
        // program's own memory, all of which counts.
        let mut guard = 0;
        let read = procmaps::for_each(maps, |mapping| {
            let is_main = mapping.path == b"[stack]";
            let is_stack = is_main || guard == mapping.start;
            if !mapping.readable {
                guard = mapping.end;
            }
            if is_memory(&mapping) {
                let start = match is_stack {
                    true => first(&mapping, is_main, stopped, own, ended, walk.reader),
                    false => mapping.start,
                };
                // What lies before our own variables, and behind them.
                walk.range(&mapping, start, mapping.end.min(own_data.start.max(start)));
                walk.range(&mapping, start.max(own_data.end.next_multiple_of(8)), mapping.end);
            }
            true
        });
        read.is_ok()
    }
}

/// The stack on which this thread handles signals, which the kernel alone may know; 0 for none.
fn signal_stack() -> usize {
    // SAFETY: zero is a value of each field.
    let mut stack: libc::stack_t = unsafe { core::mem::zeroed() };
    // SAFETY: asks alone, into a place that is valid for writes.
    let told = keeping_errno(|| unsafe { libc::sigaltstack(core::ptr::null(), &raw mut stack) });
    if told == 0 { stack.ss_sp.addr() } else { 0 }
}

/// Where that part of a stack's mapping begins that counts: below are the unused part, and the stacks of threads that ended.
/// `is_main`: it is the first thread's, whose record lies elsewhere.
fn first(
    mapping: &Mapping,
    is_main: bool,
    stopped: &Stopped,
    own: Place,
    ended: &Ended,
    reader: &mut Reader,
) -> usize {
    let within = |at: &usize| (mapping.start..mapping.end).contains(at);
    // Of a thread that goes on nobody knows where in the mapping its stack is.
    let known = stopped.running() == 0;
    let others = || stopped.places().filter(|_| known);
    let is_here = |place: &Place| is_main || within(&place.thread_pointer);
    let lowest = others().chain([own]).filter(is_here).map(|place| place.sp).filter(within).min();
    if let Some(lowest) = lowest {
        return lowest & !7;
    }
    if !known || others().chain([own]).any(|place| within(&place.thread_pointer)) {
        return mapping.start;
    }
    let mut is_record = |at: &usize| {
        let (mut word, mut span) = (0, [Span { start: *at, end: *at + 8 }]);
        reader.each_word(&mut span, |found| word = found);
        arch::begins_thread_record(*at, word)
    };
    let last = ended.iter().filter(within).filter(|at| is_record(at)).max();
    last.unwrap_or(mapping.start)
}

/// Our own variables, where we are a library and they are nobody else's: they hold addresses of pages, at which objects begin.
fn own_data() -> Range<usize> {
    let (header, data) = arch::own_module();
    // SAFETY: asks for a number.
    let program = unsafe { libc::getauxval(libc::AT_PHDR) } as usize;
    // A program's headers follow the header of its file.
    if (header..header + PAGE).contains(&program) { 0..0 } else { data }
}

struct Walk<'w, E> {
    host: &'w Host,
    pages: &'w mut Rows<u64>,
    pagemap: Option<&'w Fleeting>,
    reader: &'w mut Reader,
    each: &'w mut E,
    /// Where objects end that were not sampled.
    unrecorded: usize,
}

impl<E: FnMut(usize)> Walk<'_, E> {
    fn range(&mut self, mapping: &Mapping, start: usize, end: usize) {
        let sparse = !mapping.shared && end.saturating_sub(start) >= LARGE;
        let mut at = start;
        while at < end {
            let to = (at & !(PAGE - 1)).saturating_add(ASKED * PAGE).min(end);
            let asked = sparse && self.ask(at, to);
            self.piece(at, to, asked);
            at = to;
        }
    }

    /// Asks the kernel which pages of a range have memory; false when it does not tell.
    fn ask(&mut self, from: usize, to: usize) -> bool {
        let Some(pagemap) = self.pagemap else { return false };
        let count = to.div_ceil(PAGE) - from / PAGE;
        let Some(words) = self.pages.get_mut(..count) else { return false };
        // SAFETY: words are bytes, and any bytes are words.
        let bytes = unsafe { core::slice::from_raw_parts_mut(words.as_mut_ptr().cast::<u8>(), count * 8) };
        let place = (from / PAGE * 8) as u64;
        rustix::io::pread(pagemap, bytes, place).is_ok_and(|read| read == count * 8)
    }

    /// Whether a page was never written to by the program: it is neither in memory nor swapped out.
    fn is_untouched(&self, index: usize) -> bool {
        self.pages.get(index).is_some_and(|page| page >> 62 == 0)
    }

    fn piece(&mut self, from: usize, to: usize, asked: bool) {
        let mut run = Span { start: from, end: from };
        let first = from / PAGE;
        let mut page = from & !(PAGE - 1);
        while page < to {
            let owned = own_pages::contains(page);
            if owned {
                self.unrecorded = self.unrecorded.max(page.saturating_add((self.host.unrecorded)(page)));
            }
            let counts =
                !(asked && self.is_untouched(page / PAGE - first)) && (!owned || page < self.unrecorded);
            if !counts {
                self.flush(run);
                run.start = page + PAGE;
            }
            run.end = (page + PAGE).min(to);
            page += PAGE;
        }
        self.flush(run);
    }

    fn flush(&mut self, run: Span) {
        if run.bytes() != 0 {
            self.reader.each_word(&mut [run], &mut *self.each);
        }
    }
}
