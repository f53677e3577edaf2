//! Memory for the allocator's own structures: bumped out of mapped chunks, never given back, so that a reference
//! to a structure stays valid for the life of the process. Whoever recycles structures keeps its own free list.

use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, AtomicU8, AtomicUsize, Ordering::Relaxed};

use crate::os::pages::{self, Huge};
use crate::os::thp::{self, Policy};
use crate::sync::{Mutex, MutexCounts};
use crate::units::PAGE;

/// Types for which memory full of zeros is a valid value.
///
/// # Safety
/// 1. All-zero bytes are a valid, initialised value of the type.
/// 2. The type has no `Drop` that matters: values are never dropped.
pub unsafe trait Zeroable {}

/// Address space taken from the kernel at a time; backed only where touched.
const CHUNK: usize = 256 << 10;
/// A huge page; what chunks are multiples of where metadata is to have such.
const HUGE: usize = 2 << 20;

/// `opt.metadata_thp`: huge pages for metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MetadataThp {
    /// None.
    Disabled,
    /// For the bases that turn out to need much memory.
    Auto,
    /// For all.
    Always,
}

/// The [`MetadataThp`] in force.
static THP: AtomicU8 = AtomicU8::new(MetadataThp::Disabled as u8);

/// Whether metadata has huge pages: the base that most of it comes from asks for them.
static STARTED: AtomicBool = AtomicBool::new(false);

/// Whether huge pages have been asked for the base that most metadata comes from.
pub fn has_huge_pages() -> bool {
    STARTED.load(Relaxed)
}

/// Sets `opt.metadata_thp`; called once, before any base has memory. Huge pages are asked for only where the system waits to be
/// asked.
pub fn configure(wanted: MetadataThp) {
    if wanted != MetadataThp::Disabled && thp::policy() == Policy::Madvise {
        THP.store(wanted as u8, Relaxed);
        STARTED.store(wanted == MetadataThp::Always, Relaxed);
    }
}

fn mode() -> MetadataThp {
    match THP.load(Relaxed) {
        1 => MetadataThp::Auto,
        2 => MetadataThp::Always,
        _ => MetadataThp::Disabled,
    }
}

/// A source of metadata memory. All-zero is a valid, empty one.
pub struct Base {
    bump: Mutex<Bump>,
    /// Bytes handed out.
    allocated: AtomicUsize,
    /// Bytes mapped.
    mapped: AtomicUsize,
    /// Huge pages that were asked for and have been touched.
    huge: AtomicUsize,
    /// Whether this is the base that most metadata comes from, for which [`MetadataThp::Auto`] waits longer.
    main: AtomicBool,
}

struct Bump {
    at: usize,
    end: usize,
    /// The latest chunk that may become one of huge pages; 0 for none.
    latest: usize,
    /// Number of such chunks.
    nchunks: usize,
    /// Whether huge pages have been asked for.
    advised: bool,
}

/// What a chunk that may become one of huge pages begins with.
#[repr(C, align(64))]
struct Header {
    /// The chunk before; 0 for none.
    before: usize,
    bytes: usize,
}

impl Bump {
    const EMPTY: Bump = Bump { at: 0, end: 0, latest: 0, nchunks: 0, advised: false };

    fn fits(&self, bytes: usize, align: usize) -> bool {
        self.at != 0 && self.at.next_multiple_of(align) + bytes <= self.end
    }

    /// Goes on in a fresh chunk. What is left of the one before is lost, unless the new one follows it; all of it was never
    /// touched.
    fn extend(&mut self, chunk: usize, bytes: usize) {
        if chunk != self.end {
            self.at = chunk;
        }
        self.end = chunk + bytes;
    }
}

impl Default for Base {
    fn default() -> Self {
        Base::new()
    }
}

impl Base {
    /// Without memory.
    pub const fn new() -> Base {
        Base {
            bump: Mutex::new(Bump::EMPTY),
            allocated: AtomicUsize::new(0),
            mapped: AtomicUsize::new(0),
            huge: AtomicUsize::new(0),
            main: AtomicBool::new(false),
        }
    }

    /// [`Base::new`] for the base that most metadata comes from.
    pub const fn new_main() -> Base {
        Base { main: AtomicBool::new(true), ..Base::new() }
    }

    /// Zeroed memory of `bytes` bytes at a multiple of `align` (a power of two up to a page), for ever.
    ///
    /// `None` when the kernel has none. Cost: a lock; a system call for each 256 KiB, without the lock unless metadata has
    /// huge pages: threads that start together all come here.
    pub fn alloc(&self, bytes: usize, align: usize) -> Option<NonNull<u8>> {
        let mut bump = self.bump.lock();
        if !bump.fits(bytes, align) {
            match mode() {
                MetadataThp::Disabled => {
                    drop(bump);
                    let chunk = bytes.next_multiple_of(PAGE).max(CHUNK);
                    let at = pages::reserve(chunk)?.as_ptr();
                    self.mapped.fetch_add(chunk, Relaxed);
                    bump = self.bump.lock();
                    bump.extend(at.expose_provenance(), chunk);
                }
                mode => self.extend_huge(&mut bump, bytes, mode)?,
            }
        }
        let start = bump.at.next_multiple_of(align);
        if bump.advised {
            let touched = (start + bytes).next_multiple_of(HUGE) - bump.at.next_multiple_of(HUGE);
            self.huge.fetch_add(touched / HUGE, Relaxed);
        }
        self.allocated.fetch_add(start + bytes - bump.at, Relaxed);
        bump.at = start + bytes;
        NonNull::new(core::ptr::with_exposed_provenance_mut(start))
    }

    /// The pages of the newest chunk that are not all handed out; empty where there is none.
    #[cfg(feature = "prof")]
    pub fn rest(&self) -> core::ops::Range<usize> {
        let bump = self.bump.lock();
        bump.at & !(PAGE - 1)..bump.end
    }

    /// Takes a chunk of whole huge pages, and asks for such when it is time to.
    #[cold]
    fn extend_huge(&self, bump: &mut Bump, bytes: usize, mode: MetadataThp) -> Option<()> {
        /// Chunks from which on `auto` asks for huge pages: as in the reference, the main base later.
        const MANY: usize = 2;
        const MANY_MAIN: usize = 5;
        let chunk = (bytes + size_of::<Header>() + PAGE).next_multiple_of(HUGE);
        let at = pages::reserve_aligned(chunk, HUGE)?.as_ptr();
        self.mapped.fetch_add(chunk, Relaxed);
        // SAFETY: the chunk was mapped just above, is aligned, and nobody else knows of it.
        unsafe { at.cast::<Header>().write(Header { before: bump.latest, bytes: chunk }) };
        bump.latest = at.expose_provenance();
        bump.nchunks += 1;
        let many = if self.main.load(Relaxed) { MANY_MAIN } else { MANY };
        if bump.advised {
            // SAFETY: as above.
            unsafe { pages::advise_huge(at, chunk, Huge::Wanted) };
        } else if mode == MetadataThp::Always || bump.nchunks >= many {
            bump.advised = true;
            if self.main.load(Relaxed) {
                STARTED.store(true, Relaxed);
            }
            self.advise_all(bump.latest);
            // The chunks before count as a whole: they are full, but for their ends.
            self.huge.fetch_add((self.mapped() - chunk) / HUGE, Relaxed);
        }
        self.allocated.fetch_add(size_of::<Header>(), Relaxed);
        if bump.advised {
            self.huge.fetch_add(1, Relaxed);
        }
        bump.at = at.addr() + size_of::<Header>();
        bump.end = at.addr() + chunk;
        Some(())
    }

    /// Asks for huge pages for a chunk and all before it.
    fn advise_all(&self, mut chunk: usize) {
        while chunk != 0 {
            let at = core::ptr::with_exposed_provenance_mut::<Header>(chunk);
            // SAFETY: `extend_huge` wrote a header at the start of each chunk of the list, which lives for ever, and
            // whose memory is this base's.
            chunk = unsafe {
                let header = at.read();
                pages::advise_huge(at.cast(), header.bytes, Huge::Wanted);
                header.before
            };
        }
    }

    /// Huge pages that metadata was given and has touched (`stats.metadata_thp`).
    pub fn huge_pages(&self) -> usize {
        self.huge.load(Relaxed)
    }

    /// A zeroed `T`, for ever.
    pub fn make<T: Zeroable>(&self) -> Option<&'static T> {
        let at = self.alloc(size_of::<T>(), align_of::<T>())?;
        // SAFETY: the memory is aligned, large enough, zero (valid by `Zeroable`) and never handed out again.
        Some(unsafe { at.cast().as_ref() })
    }

    /// `n` zeroed `T`s side by side, for ever.
    pub fn make_slice<T: Zeroable>(&self, n: usize) -> Option<&'static [T]> {
        let at = self.alloc(size_of::<T>().checked_mul(n)?, align_of::<T>())?;
        // SAFETY: as in `make`, for `n` values.
        Some(unsafe { core::slice::from_raw_parts(at.cast().as_ptr(), n) })
    }

    /// Bytes handed out, with padding.
    pub fn allocated(&self) -> usize {
        self.allocated.load(Relaxed)
    }

    /// Bytes mapped.
    pub fn mapped(&self) -> usize {
        self.mapped.load(Relaxed)
    }

    /// Bytes that may be backed by memory: whole pages up to the end of what was handed out.
    pub fn resident(&self) -> usize {
        self.allocated().next_multiple_of(PAGE).min(self.mapped())
    }

    /// How often the lock was taken and waited for.
    pub fn mutex_counts(&self) -> MutexCounts {
        self.bump.counts()
    }

    /// Sets these to zero.
    pub fn reset_mutex_counts(&self) {
        self.bump.reset_counts();
    }

    /// Locks for a fork.
    pub fn hold(&self) {
        self.bump.hold();
    }

    /// Unlocks after a fork.
    ///
    /// # Safety
    /// As [`Mutex::unhold`].
    pub unsafe fn unhold(&self) {
        // SAFETY: by the caller's promise.
        unsafe { self.bump.unhold() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_aligned_zero_and_apart() {
        let base = Base::default();
        let mut last_end = 0;
        for i in 1..2000usize {
            let align = 1 << (i % 8);
            let at = base.alloc(i * 3, align).unwrap().as_ptr();
            assert_eq!(at as usize % align, 0);
            // SAFETY: the piece was just handed out with this length.
            let piece = unsafe { core::slice::from_raw_parts_mut(at, i * 3) };
            assert!(piece.iter().all(|&b| b == 0));
            piece.fill(1);
            assert!(at as usize >= last_end || (at as usize) < last_end - i * 3);
            last_end = at as usize + i * 3;
        }
        assert!(base.allocated() <= base.mapped());
    }

    #[test]
    fn with_huge_pages_chunks_are_whole_ones_and_counted_as_they_are_touched() {
        let (few, many) = (Base::default(), Base::new_main());
        let mut bump = few.bump.lock();
        few.extend_huge(&mut bump, 100, MetadataThp::Auto).unwrap();
        assert_eq!((few.huge_pages(), bump.advised), (0, false));
        few.extend_huge(&mut bump, HUGE, MetadataThp::Auto).unwrap();
        // The first chunk, and the first page of the second, which has two.
        assert_eq!((few.huge_pages(), bump.advised, few.mapped()), (2, true, 3 * HUGE));
        drop(bump);
        let at = few.alloc(HUGE, 64).unwrap();
        assert_eq!(few.huge_pages(), 3);
        // SAFETY: the piece was just handed out with this length.
        unsafe { at.as_ptr().add(HUGE - 1).write(1) };
        let mut bump = many.bump.lock();
        for n in 1..5 {
            many.extend_huge(&mut bump, 100, MetadataThp::Auto).unwrap();
            assert!(!bump.advised, "{n}");
        }
        many.extend_huge(&mut bump, 100, MetadataThp::Auto).unwrap();
        assert_eq!(many.huge_pages(), 5);
        let always = Base::default();
        always.extend_huge(&mut always.bump.lock(), 100, MetadataThp::Always).unwrap();
        assert_eq!(always.huge_pages(), 1);
    }
}
