//! The block of a thread: its cache bins first, then everything else that only it uses.

use core::cell::UnsafeCell;
use core::sync::atomic::*;

use crate::arena::Arena;
use crate::base::Zeroable;
use crate::os::tls;
use crate::relaxed::{Link, Listed, Node, Relaxed};
use crate::sampling;
use crate::size_class::{NCACHED, cached_classes};
use crate::tcache::bin::CacheBin;
use crate::tcache::geometry::{GC_STEP, SLOTS_TOTAL, capacity_min, first_fill, slots};
use crate::units::SzInd;

/// What the slow paths keep per cached class.
#[derive(Default)]
pub struct Side {
    /// Objects returned to arenas minus objects taken from them and requests that bypassed the bin. With it
    /// frees = depth + requests + moved, without a counter in `free`.
    pub moved: AtomicI64,
    /// Requests at the last collection.
    pub gc_requests: AtomicU64,
    /// Depth at the last collection.
    pub gc_depth: AtomicU16,
    /// Objects that the next fill takes.
    pub fill: AtomicU16,
    /// Capacity; the bin's own is lower while the thread counts exactly.
    pub capacity: AtomicU16,
    /// Times the bin ran empty since it last grew or was collected.
    pub misses: AtomicU16,
}

/// Block of a thread. Lives in base memory, recycled from thread to thread.
///
/// **Synchronization**: only the thread itself writes; a forked child and the statistics read.
#[repr(C, align(64))]
pub struct Block {
    bins: [CacheBin; NCACHED],
    arena: Link<Arena>,
    prof: UnsafeCell<sampling::Thread>,
    /// Epoch of the profiler in which `due` marks and `wait` were drawn.
    pub prof_epoch: AtomicU32,
    /// Bytes of uncached objects until the next sampled one; meaningless while `wait_on` is not set.
    pub wait: AtomicI64,
    /// Whether `wait` was drawn.
    pub wait_on: AtomicBool,
    /// Whether the thread caches objects (`opt.tcache`, and not while it ends).
    pub caching: AtomicBool,
    /// Whether every call takes the slow path and counts (`thread.allocatedp`).
    pub exact: AtomicBool,
    /// Class whose turn the next collection is.
    pub gc_class: AtomicU8,
    /// Bytes until the next collection.
    pub gc_wait: AtomicI64,
    /// Bytes allocated outside the cache bins.
    pub allocated_other: AtomicU64,
    /// Bytes freed outside the cache bins.
    pub deallocated_other: AtomicU64,
    /// Target of `thread.allocatedp`.
    pub allocated: AtomicU64,
    /// Target of `thread.deallocatedp`.
    pub deallocated: AtomicU64,
    /// Where `thread.prof.name` is read into.
    pub prof_name: [AtomicU8; 16],
    sides: [Side; NCACHED],
    node: Node<Block>,
    slots: [AtomicPtr<u8>; SLOTS_TOTAL],
}

// SAFETY: numbers, null pointers, `false`; `prof` is overwritten by `start` before anything reads it.
unsafe impl Zeroable for Block {}
// SAFETY: `prof` is used by the owning thread alone; everything else is atomic.
unsafe impl Sync for Block {}

/// Key of the list of live or of free blocks.
pub struct ByState;

impl Listed<ByState> for Block {
    fn node(&self) -> &Node<Block> {
        &self.node
    }
}

impl Block {
    /// Prepares a block, fresh or recycled, for a new thread. Its events are not armed yet.
    ///
    /// # Safety
    /// 1. No thread uses the block.
    pub unsafe fn start(&'static self, arena: &'static Arena, caching: bool) {
        // SAFETY: nobody else uses the block (1), so nobody holds a reference to what is in the cell.
        unsafe { self.prof.get().write(sampling::Thread::new()) };
        self.arena.set(Some(arena));
        self.prof_epoch.set(sampling::epoch());
        self.wait_on.set(false);
        self.caching.set(caching);
        self.exact.set(false);
        self.gc_class.set(0);
        self.gc_wait.set(GC_STEP);
        self.allocated_other.set(0);
        self.deallocated_other.set(0);
        let mut end = self.slots.as_ptr().cast_mut().cast::<*mut u8>();
        for class in cached_classes() {
            end = end.wrapping_add(slots(class));
            let (bin, side) = (self.bin(class), self.side(class));
            bin.start(end);
            let capacity = if caching { capacity_min(class) } else { 0 };
            bin.set_capacity(capacity);
            side.capacity.set(capacity as u16);
            side.fill.set(first_fill(class) as u16);
            side.moved.set(0);
            side.misses.set(0);
            side.gc_depth.set(0);
            side.gc_requests.set(0);
        }
    }

    /// The profiler's part.
    pub fn prof(&self) -> &sampling::Thread {
        // SAFETY: only `start` writes the cell as a whole, before any thread uses the block.
        unsafe { &*self.prof.get() }
    }

    /// The bin of a cached class.
    #[inline(always)]
    pub fn bin(&self, class: SzInd) -> &CacheBin {
        &self.bins[class.idx()]
    }

    /// The slow paths' part of a cached class.
    pub fn side(&self, class: SzInd) -> &Side {
        &self.sides[class.idx()]
    }

    /// While the thread counts exactly: makes a bin look full to `free`, whatever it holds.
    pub fn close(&self, class: SzInd) {
        let bin = self.bin(class);
        bin.set_capacity(bin.depth());
    }

    /// The opposite of [`Block::close`], for the time of a slow path.
    pub fn open(&self, class: SzInd) {
        self.bin(class).set_capacity(self.side(class).capacity.get() as usize);
    }

    /// The arena that the thread allocates from.
    pub fn arena(&self) -> &'static Arena {
        match self.arena.get() {
            Some(arena) => arena,
            None => crate::report::fatal(format_args!("internal error: a thread without an arena")),
        }
    }

    /// Moves the thread to another arena.
    pub fn set_arena(&self, arena: &'static Arena) {
        self.arena.set(Some(arena));
    }
}

/// The calling thread's block, if it has one.
#[inline(always)]
pub fn current() -> Option<&'static Block> {
    // SAFETY: the word is null or a block that `lifecycle` published for this thread, in base memory.
    unsafe { tls::block().cast::<Block>().as_ref() }
}
