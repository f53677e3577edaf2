//! Which module a code address lies in, without the loader's lock.
//!
//! Modules loaded when the profiler starts are listed once from the maps file: the program, its libraries, the vDSO.
//! They stay for the life of the process. Everything else came by `dlopen` and may go: it is looked up each time,
//! with the C library's lock-free `_dl_find_object`, or in the maps file where there is none.

use core::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use crate::{
    arch,
    elf::{self, Image},
    index::mix,
    memory::{self, Map, Rows},
    procmaps::{self, OwnMemory},
};

/// Words of a listed image: span, header, six segments.
const ROW: usize = 16;
const _: () = assert!(size_of::<Image>() == ROW * size_of::<usize>());
/// Modules listed at most; further ones are looked up like those that come later.
const LISTED_MAX: usize = 2048;

/// Holds several lines of the maps file: a path has at most 4096 bytes, each printed as four at worst.
const MAPS_BUFFER: usize = 64 << 10;

/// Bytes of an image that tell it from others: the build id usually lies within the first 700.
const IMAGE_HEAD: usize = 1024;

/// A module that was found, and whether it may be believed to stay.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    /// Its segments and unwind table.
    pub image: Image,
    /// 0 for a module that is never unloaded; else a number that changes when another module takes its place.
    pub stamp: u32,
}

/// The modules of the process.
pub struct Modules {
    /// Number of listed modules, then `ROW` words for each, ascending. Written once, then published here.
    listed: AtomicPtr<AtomicUsize>,
    /// End of the main thread's stack; 0 when it is not known.
    main_stack_end: AtomicUsize,
}

/// What `_dl_find_object` fills in. Source: glibc `dlfcn/dlfcn.h`.
#[repr(C)]
#[derive(Default)]
struct FoundObject {
    flags: u64,
    map_start: usize,
    map_end: usize,
    link_map: usize,
    eh_frame_hdr: usize,
    reserved: [u64; 7],
}

impl FoundObject {
    /// Tells this module, loaded here, from others; never 0. Cost: about 60 ns.
    ///
    /// The loader often gives the next library the same addresses, even that of its `link_map`, so the head of the
    /// image is part of it: file header, program headers and, where linkers put it, the build id.
    fn stamp(&self) -> u32 {
        let words = [self.map_start, self.map_end, self.link_map, self.eh_frame_hdr];
        let place = words.iter().fold(1, |hash, word| mix(hash, *word as u64));
        // SAFETY: the first page of an image is mapped as long as it is loaded, and nobody writes to it. A frame is
        // executing in it, or (when a return address is garbage) it was loaded a moment ago.
        let head = unsafe { memory::foreign_bytes(self.map_start..self.map_start + IMAGE_HEAD) };
        // Four sums side by side: one alone would wait for each of its multiplications.
        let mut sums = [place; 4];
        for block in head.as_chunks::<32>().0 {
            for (sum, word) in sums.iter_mut().zip(block.as_chunks::<8>().0) {
                *sum = mix(*sum, u64::from_le_bytes(*word));
            }
        }
        sums.into_iter().reduce(mix).unwrap_or(place) as u32 | 1
    }
}

/// Asks the C library. `None`: it knows no such function; `Some(None)`: no module there.
fn find_object(pc: usize) -> Option<Option<FoundObject>> {
    let address = core::ptr::with_exposed_provenance::<()>(arch::find_object_address());
    if address.is_null() {
        return None;
    }
    // SAFETY: the symbol is glibc's function of this signature (since 2.35; part of its ABI).
    let function = unsafe {
        core::mem::transmute::<*const (), unsafe extern "C" fn(usize, *mut FoundObject) -> i32>(address)
    };
    let mut found = FoundObject::default();
    // SAFETY: `found` is as large as the C structure. Documented async-signal-safe and lock-free, and it leaves
    // errno alone.
    let status = unsafe { function(pc, &raw mut found) };
    Some((status == 0).then_some(found))
}

/// Copies memory directly. Only for a module that a frame of ours is executing in, which therefore stays mapped.
fn read_directly(address: usize, buffer: &mut [u8]) -> bool {
    let bytes = address..address.saturating_add(buffer.len());
    // SAFETY: called for the file header and program headers of a module that lies on the stack being unwound: the
    // loader maps them with its first segment, read-only.
    buffer.copy_from_slice(unsafe { memory::foreign_bytes(bytes) });
    true
}

impl Modules {
    /// Nothing listed.
    pub const fn new() -> Modules {
        Modules { listed: AtomicPtr::new(core::ptr::null_mut()), main_stack_end: AtomicUsize::new(0) }
    }

    /// Lists what is loaded now. Costs some system calls per module. Without `/proc` nothing is listed.
    pub fn prime(&self) {
        let Some(mut buffer) = Rows::<u8>::zeroed(MAPS_BUFFER) else { return };
        let Some(list) = Map::new((1 + LISTED_MAX * ROW) * size_of::<usize>()) else { return };
        let Some(own) = OwnMemory::open() else { return };
        let rows = list.as_slice::<AtomicUsize>();
        let mut count = 0;
        let mut end = 0;
        // An error leaves the list as far as it got: the rest is found like modules that come later.
        let _ = procmaps::for_each(&mut buffer, |mapping| {
            if mapping.path == b"[stack]" {
                self.main_stack_end.store(mapping.end, Ordering::Relaxed);
            }
            if mapping.offset != 0 && mapping.path != b"[vdso]"
                || mapping.path.is_empty()
                || mapping.start < end
            {
                return true;
            }
            if let Some(image) = elf::image(mapping.start, &|at, to: &mut [u8]| own.read(at, to)) {
                for (word, value) in rows[1 + count * ROW..].iter().zip(to_row(&image)) {
                    word.store(value, Ordering::Relaxed);
                }
                (count, end) = (count + 1, image.span.1);
            }
            count < LISTED_MAX
        });
        rows[0].store(count, Ordering::Relaxed);
        // Pairs with the acquire in `listed`.
        self.listed.store(list.leak(), Ordering::Release);
    }

    /// End of the main thread's stack, 0 when it is not known.
    pub fn main_stack_end(&self) -> usize {
        self.main_stack_end.load(Ordering::Relaxed)
    }

    /// The listed module with this address.
    fn listed(&self, pc: usize) -> Option<Image> {
        let list = self.listed.load(Ordering::Acquire);
        if list.is_null() {
            return None;
        }
        // SAFETY: a published list is a leaked mapping of at least this many words, never written again.
        let rows = unsafe { core::slice::from_raw_parts(list, 1 + LISTED_MAX * ROW) };
        let count = rows[0].load(Ordering::Relaxed).min(LISTED_MAX);
        let row = |at: usize| from_row(&rows[1 + at * ROW..]);
        let (mut low, mut high) = (0, count);
        while low < high {
            let middle = (low + high) / 2;
            match row(middle).span {
                (start, _) if pc < start => high = middle,
                (_, end) if pc >= end => low = middle + 1,
                _ => return Some(row(middle)),
            }
        }
        None
    }

    /// The module that a frame of the calling thread executes in at `pc`.
    ///
    /// **Cost:** a binary search for listed modules, some 100 ns for others with `_dl_find_object`, one reading of
    /// the maps file without. No lock, no allocation but a short-lived mapping in the last case.
    pub fn find(&self, pc: usize) -> Option<Found> {
        if let Some(image) = self.listed(pc) {
            return Some(Found { image, stamp: 0 });
        }
        match find_object(pc) {
            Some(object) => {
                let object = object?;
                // Static programs: what the C library calls the start of the map is that of the code.
                let image = elf::image(object.map_start, &read_directly).or_else(|| find_in_maps(pc))?;
                Some(Found { image, stamp: object.stamp() })
            }
            None => find_in_maps(pc).map(|image| Found { image, stamp: 1 }),
        }
    }

    /// The stamp that [`Modules::find`] would give now, and for which addresses it holds. Cheap; where the C library
    /// can not tell, what was true is taken to be true still (musl never unloads).
    pub fn stamp(&self, pc: usize) -> Stamp {
        match find_object(pc) {
            Some(Some(object)) => {
                Stamp { start: object.map_start, end: object.map_end, value: Some(object.stamp()) }
            }
            Some(None) => Stamp { start: pc, end: pc.saturating_add(1), value: Some(0) },
            None => Stamp { start: 0, end: usize::MAX, value: None },
        }
    }
}

/// The answer of [`Modules::stamp`]: `value` is `None` when the C library can not tell.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    /// First address.
    pub start: usize,
    /// First address past the end.
    pub end: usize,
    /// The stamp; 0 where there is no module.
    pub value: Option<u32>,
}

fn to_row(image: &Image) -> impl Iterator<Item = usize> {
    let ends = [image.span, image.eh_frame_hdr].into_iter().chain(image.loads);
    ends.flat_map(|(start, end)| [start, end])
}

fn from_row(row: &[AtomicUsize]) -> Image {
    let range = |at: usize| (row[2 * at].load(Ordering::Relaxed), row[2 * at + 1].load(Ordering::Relaxed));
    Image { span: range(0), eh_frame_hdr: range(1), loads: core::array::from_fn(|load| range(2 + load)) }
}

/// The module at `pc` from the maps file: the last start of a file before the mapping that holds `pc`.
fn find_in_maps(pc: usize) -> Option<Image> {
    let mut buffer = Rows::<u8>::zeroed(MAPS_BUFFER)?;
    let own = OwnMemory::open()?;
    let (mut file_start, mut found) = (0, None);
    procmaps::for_each(&mut buffer, |mapping| {
        if mapping.offset == 0 && !mapping.path.is_empty() {
            file_start = mapping.start;
        }
        if (mapping.start..mapping.end).contains(&pc) {
            found = elf::image(file_start, &|at, to: &mut [u8]| own.read(at, to));
        }
        mapping.end <= pc
    })
    .ok()?;
    found.filter(|image| (image.span.0..image.span.1).contains(&pc))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_program_and_the_c_library_are_listed_for_good() {
        let modules = Modules::new();
        assert!(modules.listed(to_row as *const () as usize).is_none());
        modules.prime();
        for code in [from_row as *const () as usize, libc::qsort as *const () as usize] {
            let found = modules.find(code).unwrap();
            assert_eq!(found.stamp, 0);
            assert!(found.image.load_of(code).is_some());
            assert_ne!(found.image.eh_frame_hdr, (0, 0));
        }
        assert!(modules.find(0x1000).is_none());
        assert!(modules.main_stack_end() > &raw const modules as usize);
    }

    #[test]
    fn what_is_not_listed_is_found_alike_by_the_c_library_and_in_the_maps() {
        let unprimed = Modules::new();
        for code in [from_row as *const () as usize, libc::qsort as *const () as usize] {
            let in_maps = find_in_maps(code).unwrap();
            let found = unprimed.find(code).unwrap();
            assert_eq!(found.image, in_maps);
            let stamp = unprimed.stamp(code);
            assert!(stamp.value.is_none_or(|value| value == found.stamp));
            assert!((stamp.start..stamp.end).contains(&code));
        }
        assert!(find_in_maps(0x1000).is_none());
    }
}
