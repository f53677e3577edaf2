//! The block of a thread: its cache bins first, then everything else that only it uses.

use core::sync::atomic::*;

use crate::arena::Arena;
use crate::base::{Base, Zeroable};
use crate::extent::map;
use crate::os::tls;
use crate::relaxed::{Link, Listed, Node, Relaxed};
use crate::sampling;
use crate::size_class::{NCACHED, NCACHED_MAX};
use crate::tcache::bin::CacheBin;
use crate::tcache::geometry::{TICK_BYTES, capacity_min, first_fill};
use crate::tcache::settings;
use crate::thread::watch::Watch;
use crate::units::SzInd;

/// What the slow paths keep per cached class.
#[derive(Default)]
pub struct Side {
    /// Objects returned to arenas minus objects taken from them and requests that bypassed the bin. With it
    /// frees = depth + requests + moved, without a counter in `free`.
    pub moved: AtomicI64,
    /// Requests that an arena knows of already, from before the thread moved to another.
    pub told: AtomicU64,
    /// Requests at the last collection.
    pub gc_requests: AtomicU64,
    /// Depth at the last collection.
    pub gc_depth: AtomicU16,
    /// Objects that the next fill takes.
    pub fill: AtomicU16,
    /// Capacity, 0 while the thread does not cache the class; the bin's own is lower while the thread counts exactly.
    pub capacity: AtomicU16,
    /// Most that the capacity may become while the thread caches the class.
    pub limit: AtomicU16,
    /// Times the bin ran empty since it last grew or was collected.
    pub misses: AtomicU16,
    /// Objects that collections leave alone before the next that takes some (`tcache_gc_delay_bytes`).
    pub delay: AtomicU16,
    /// Requests from the next event to the sampled one, of a draw that goes beyond that event; 0 for none.
    pub rest: AtomicU64,
    /// Epoch of the profiler in which that was drawn.
    pub drawn: AtomicU32,
    /// Whether the distance to the next event was set. It is when the first request was made, which therefore is one: most threads
    /// use few classes.
    pub armed: AtomicBool,
    /// Log2 of the mean distance that the last draw was made with.
    pub lg: AtomicU8,
    /// Requests until the next event, where each of them takes the slow path and the bin counts to the next one only.
    pub wait: AtomicU64,
}

impl Side {
    /// Nothing was requested yet.
    fn restart(&self, class: SzInd) {
        self.armed.set(false);
        self.wait.set(0);
        self.delay.set(settings::gc_delay(class));
        self.fill.set(first_fill(class));
        self.moved.set(0);
        self.told.set(0);
        self.misses.set(0);
        self.gc_depth.set(0);
        self.gc_requests.set(0);
    }
}

/// Capacity of a bin that can hold `limit` objects, to begin with.
fn first_capacity(class: SzInd, limit: usize, adaptive: bool) -> u16 {
    (if adaptive { limit.min(capacity_min(class)) } else { limit }) as u16
}

/// Block of a thread. Lives in base memory, recycled from thread to thread.
///
/// **Synchronization**: only the thread itself writes; a forked child and the statistics read.
#[repr(C, align(64))]
pub struct Block {
    /// By the class byte of the map. The first and the last have no room for anything, for what is not ours and for what is
    /// [`map::SPECIAL`]: `free` then need not look at what the byte is before it tries to push.
    bins: [CacheBin; map::SPECIAL as usize + 1],
    arena: Link<Arena>,
    prof: sampling::Thread,
    /// Epoch of the profiler in which `wait` was drawn.
    pub prof_epoch: AtomicU32,
    /// Bytes of uncached objects until the next sampled one; meaningless while `wait_on` is not set.
    pub wait: AtomicI64,
    /// Log2 of the mean distance that `wait` was drawn with.
    pub wait_lg: AtomicU8,
    /// Whether `wait` was drawn.
    pub wait_on: AtomicBool,
    /// Whether the thread caches objects (`opt.tcache`, `thread.tcache.enabled`).
    pub caching: AtomicBool,
    /// The last class that it caches (`thread.tcache.max`).
    pub last: AtomicU8,
    /// Whether the bins are as a new thread gets them, but for what was asked of them and freed.
    plain: AtomicBool,
    /// Classes whose bins are in use; never fewer than by default, and never fewer than before in a thread's life.
    nclasses: AtomicU8,
    /// Whether every call takes the slow path and counts (`thread.allocatedp`).
    pub exact: AtomicBool,
    /// Class whose turn the next collection is.
    pub gc_class: AtomicU8,
    /// When the last round of collections began that was not asked for at a pace of its own.
    pub gc_round: AtomicU64,
    /// Bytes until the next look at what decayed.
    pub tick_wait: AtomicI64,
    /// Bytes or requests since the last collection step, when those have a pace of their own.
    pub gc_wait: AtomicI64,
    /// Bytes allocated outside the cache bins.
    pub allocated_other: AtomicU64,
    /// Bytes freed outside the cache bins.
    pub deallocated_other: AtomicU64,
    /// Objects allocated outside the cache bins.
    pub allocations_other: AtomicU64,
    /// Objects freed outside the cache bins.
    pub deallocations_other: AtomicU64,
    /// Target of `thread.allocatedp`.
    pub allocated: AtomicU64,
    /// Target of `thread.deallocatedp`.
    pub deallocated: AtomicU64,
    /// Where `thread.prof.name` is read into.
    pub prof_name: [AtomicU8; 16],
    /// What the thread asked to be watched for.
    pub watch: Watch,
    sides: [Side; NCACHED_MAX],
    /// Odd while a live thread has it and stays with its arena; increased by each change.
    pub turn: AtomicU32,
    unused: Node<Block>,
    made: Node<Block>,
    /// First of the pointers that the arrays of the bins are made of, and how many there are.
    slots: AtomicPtr<AtomicPtr<u8>>,
    nslots: AtomicUsize,
}

// SAFETY: numbers, null pointers, `false`; `prof` is numbers and options of numbers, which zero is a value of.
unsafe impl Zeroable for Block {}
// SAFETY: `prof` is used by the owning thread alone; everything else is atomic.
unsafe impl Sync for Block {}

/// Key of the blocks that no thread has.
pub struct Unused;

impl Listed<Unused> for Block {
    fn node(&self) -> &Node<Block> {
        &self.unused
    }
}

/// Key of all blocks.
pub struct Made;

impl Listed<Made> for Block {
    fn node(&self) -> &Node<Block> {
        &self.made
    }
}

impl Block {
    /// Prepares a block, fresh or recycled, for a new thread. `false`: `base` had no memory for the bins.
    ///
    /// # Safety
    /// 1. No thread uses the block.
    pub unsafe fn start(&'static self, arena: &'static Arena, base: &Base) -> bool {
        self.prof().restart();
        self.arena.set(Some(arena));
        self.watch.stop();
        self.prof_epoch.set(sampling::epoch());
        self.wait_on.set(false);
        self.exact.set(false);
        self.gc_class.set(0);
        self.gc_round.set(0);
        self.tick_wait.set(TICK_BYTES);
        self.gc_wait.set(0);
        self.allocated_other.set(0);
        self.deallocated_other.set(0);
        self.allocations_other.set(0);
        self.deallocations_other.set(0);
        if self.plain.get() {
            return true;
        }
        self.caching.set(settings::caching());
        self.last.set(settings::last().0);
        let left_over = SzInd(self.nclasses.get());
        self.nclasses.set(0);
        self.cover(settings::last().max(SzInd(NCACHED as u8 - 1)));
        for class in (self.nclasses.get()..left_over.0).map(SzInd) {
            self.bin(class).start(core::ptr::null_mut());
            self.side(class).capacity.set(0);
        }
        let laid_out = self.lay_out(base);
        self.plain.set(laid_out);
        laid_out
    }

    /// Makes the empty bins of a thread that has ended new for the next one, where that is less than to do so for all. It has used no other
    /// classes than these.
    pub fn renew(&self, used: impl Iterator<Item = SzInd>) {
        if self.exact.get() {
            self.plain.set(false);
        }
        if !self.plain.get() {
            return;
        }
        for class in used {
            let (bin, side) = (self.bin(class), self.side(class));
            bin.restart();
            side.restart(class);
            let capacity = first_capacity(class, self.limit(class), settings::adaptive());
            side.capacity.set(capacity);
            bin.set_capacity(capacity as usize);
        }
    }

    /// Takes the bins of all classes up to `last` into use that are not yet, with the limits of the process and without
    /// arrays, which [`Block::lay_out`] gives them; the first request of each is an event.
    pub fn cover(&self, last: SzInd) {
        for class in (self.nclasses.get()..=last.0).map(SzInd) {
            let side = self.side(class);
            self.bin(class).start(core::ptr::null_mut());
            side.limit.set(settings::limit(class));
            side.restart(class);
            side.capacity.set(0);
        }
        self.nclasses.set(self.nclasses.get().max(last.0 + 1));
    }

    /// How many classes have bins in use.
    pub fn nclasses(&self) -> u8 {
        self.nclasses.get()
    }

    /// Bins and sides of the classes whose bins are in use.
    pub fn bins_and_sides(&self) -> impl Iterator<Item = (&CacheBin, &Side)> {
        let sides = self.sides.get(..self.nclasses() as usize).unwrap_or_default();
        self.bins.get(1..).unwrap_or_default().iter().zip(sides)
    }

    /// The classes whose bins are in use.
    pub fn classes(&self) -> impl Iterator<Item = SzInd> + use<> {
        (0..self.nclasses.get()).map(SzInd)
    }

    /// Most objects that the bin of a class holds, 0 when the thread does not cache it.
    pub fn limit(&self, class: SzInd) -> usize {
        if class.0 < self.ncached() { self.side(class).limit.get() as usize } else { 0 }
    }

    /// How many classes, the first ones, the thread caches.
    fn ncached(&self) -> u8 {
        if self.caching.get() { self.last.get() + 1 } else { 0 }
    }

    /// Gives every bin, all of which are empty, an array as long as its limit. `false`: `base` had no memory, and the
    /// thread does not cache any more.
    pub fn lay_out(&self, base: &Base) -> bool {
        self.plain.set(false);
        let cached = (0..self.nclasses().min(self.ncached())).map(SzInd);
        let total = cached.map(|class| self.side(class).limit.get() as usize).sum::<usize>();
        if total > self.nslots.get() {
            // Twice what there was at least, so that what is abandoned stays less than what is in use; and one to be read at the end.
            let n = total.max(2 * self.nslots.get());
            let Some(slots) = base.make_slice::<AtomicPtr<u8>>(n + 1) else {
                self.caching.set(false);
                self.place_bins();
                return false;
            };
            self.slots.set(slots.as_ptr().cast_mut());
            self.nslots.set(n);
        }
        self.place_bins();
        true
    }

    fn place_bins(&self) {
        let mut end = self.slots.get().cast::<*mut u8>();
        // Read once: it is done for every class when a thread starts.
        let (ncached, adaptive, exact) = (self.ncached(), settings::adaptive(), self.exact.get());
        for class in self.classes() {
            let (bin, side) = (self.bin(class), self.side(class));
            let limit = if class.0 < ncached { side.limit.get() as usize } else { 0 };
            end = end.wrapping_add(limit);
            bin.place(end);
            let capacity = first_capacity(class, limit, adaptive);
            side.capacity.set(capacity);
            if !exact {
                bin.set_capacity(capacity as usize);
            }
        }
    }

    /// The profiler's part.
    pub fn prof(&self) -> &sampling::Thread {
        &self.prof
    }

    /// The bin of a cached class.
    #[inline(always)]
    pub fn bin(&self, class: SzInd) -> &CacheBin {
        &self.bins[class.idx() + 1]
    }

    /// The bin for objects with this class byte of the map; one without room unless they are of a cached class.
    #[inline(always)]
    pub fn bin_of_byte(&self, byte: u8) -> &CacheBin {
        &self.bins[byte as usize]
    }

    /// The slow paths' part of a cached class.
    pub fn side(&self, class: SzInd) -> &Side {
        &self.sides[class.idx()]
    }

    /// Whether the thread caches a class.
    pub fn caches(&self, class: SzInd) -> bool {
        self.side(class).capacity.get() != 0
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

const _: () = assert!(size_of::<Block>() <= tls::NOBODY_BYTES && align_of::<Block>() <= 64);

/// The calling thread's block, if it has one.
#[inline(always)]
pub fn current() -> Option<&'static Block> {
    let block = tls::block();
    // SAFETY: the word leads to nobody's block or to one that `lifecycle` published for this thread, in base memory.
    (block != tls::nobody()).then(|| unsafe { &*block.cast::<Block>() })
}

/// The calling thread's block, or one whose bins are empty and have no room: for those that look at a bin first and have
/// another way when that has nothing for them. Requests that it counts are nobody's.
#[inline(always)]
pub fn current_or_nobody() -> &'static Block {
    // SAFETY: as in `current`; nobody's block is zeros, of which `Block` is made as well (`Zeroable`), and its bins are
    // never given arrays. Threads without a block share its counters, which are atomic.
    unsafe { &*tls::block().cast::<Block>() }
}
