//! Arenas: independent sources of slabs and large objects, so that threads rarely meet at a lock.

pub mod batch;
pub mod bin;
pub mod binding;
pub mod choice;
pub mod depot;
mod discard;
mod extents;
pub mod guard;
pub mod inspect;
pub mod large;
mod late;
pub mod making;
pub mod moment;
mod name;
pub mod release;
pub mod sampled;
mod second;
pub mod settings;
mod spare;
pub mod table;

use core::sync::atomic::*;

use self::bin::Bin;
use self::depot::Depot;
use self::large::LargeCounts;
use self::name::Name;
use self::spare::Spare;
use crate::base::{Base, Zeroable};
use crate::extent::{Extent, Kind, map};
use crate::os::clock;
use crate::page::caretaker;
use crate::page::layer::PageLayer;
use crate::relaxed::{Link, Listed, Node, Relaxed};
use crate::size_class::{NBINS, NCACHED, cached_classes};
use crate::sync::{Mutex, MutexCounts};
use crate::units::{ArenaInd, Ns, SzInd};

/// Time between two rounds that give back what bins and depots did not need.
pub const TRIM: Ns = Ns::from_ms(1000);

/// Bins of an arena.
const BINS: usize = 3 * NBINS;

/// What an arena is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Role {
    /// For the threads that are bound to it, by choice of the allocator.
    Automatic = 1,
    /// For large objects of all threads.
    Huge = 2,
    /// For whoever names it. Its objects enter no depot and no cache but those of threads bound to it, so that it can be
    /// reset and destroyed: their map byte is [`map::SPECIAL`].
    Manual = 3,
}

impl Role {
    fn from_bits(bits: u8) -> Option<Role> {
        [Role::Automatic, Role::Huge, Role::Manual].into_iter().find(|&role| role as u8 == bits)
    }
}

/// One arena. Lives in base memory for ever, and serves again after it was destroyed; all-zero is an arena without memory
/// and index 0.
///
/// **Locks**, in the order in which they may be taken: depot, bin, page layer, spare descriptors, base.
#[repr(C)]
pub struct Arena {
    index: AtomicU32,
    role: AtomicU8,
    /// Whether [`table::destroy`] is at work on it.
    dying: AtomicBool,
    nthreads: AtomicU32,
    /// When it was made.
    pub born: AtomicU64,
    /// Counts the times that it was made.
    pub life: AtomicU32,
    /// Its metadata.
    pub base: Base,
    /// Its pages.
    pub pages: PageLayer,
    bins: [Bin; NBINS],
    sampled: [Bin; NBINS],
    /// For what threads take while the holder of a bin's lock is not running.
    second: [Bin; NBINS],
    /// Whether any of these was ever used.
    seconded: AtomicBool,
    depots: [Depot; NCACHED],
    /// Counters of large objects.
    pub large: LargeCounts,
    /// Descriptors that describe nothing.
    spare: Spare,
    /// Descriptors ever made.
    nextents: AtomicUsize,
    trimmed: AtomicU64,
    name: Mutex<Name>,
    node: Node<Arena>,
    /// The structure of an arena that was made before this one.
    made_before: Link<Arena>,
    /// Whether it has hooks of a program, as a fork found it.
    hooked: AtomicBool,
}

// SAFETY: counters, links, and mutexes over all-zero-valid values.
unsafe impl Zeroable for Arena {}

/// Key of the list of destroyed arenas.
pub struct ByRetired;

impl Listed<ByRetired> for Arena {
    fn node(&self) -> &Node<Arena> {
        &self.node
    }
}

impl Arena {
    /// Makes an arena usable, be it fresh or destroyed.
    pub fn start(&self, index: ArenaInd, role: Role) {
        self.index.set(index.0);
        self.role.set(role as u8);
        self.dying.set(false);
        self.born.set(clock::now().0);
        self.life.change(|life| life.wrapping_add(1));
        self.pages.belong_to(index, &self.base);
        self.trimmed.set(0);
        self.clear_counts();
        *self.name.lock() = Name::first(index, role);
        self.pages.start(settings::decay_times(index, role));
    }

    /// What it is for.
    pub fn role(&self) -> Role {
        Role::from_bits(self.role.get()).unwrap_or(Role::Automatic)
    }

    /// Whether programs made it.
    #[inline]
    pub fn is_manual(&self) -> bool {
        self.role.get() == Role::Manual as u8
    }

    /// Threads bound to it.
    pub fn bound_threads(&self) -> u32 {
        self.nthreads.load(Ordering::Acquire)
    }

    fn die(&self) {
        self.dying.set(true);
    }

    fn is_dying(&self) -> bool {
        self.dying.get()
    }

    /// Its name, which [`Arena::set_name`] changes.
    pub fn name(&self) -> Name {
        *self.name.lock()
    }

    /// Names it; what does not fit is cut.
    pub fn set_name(&self, name: &[u8]) {
        *self.name.lock() = Name::cut(name);
    }

    /// Map byte of ordinary objects of a cached class.
    fn byte(&self, class: SzInd) -> u8 {
        if self.is_manual() || settings::frees_are_watched() { map::SPECIAL } else { class.0 + 1 }
    }

    /// Its index.
    pub fn index(&self) -> ArenaInd {
        ArenaInd(self.index.get())
    }

    /// The bin of a small class.
    pub fn bin(&self, class: SzInd) -> &Bin {
        &self.bins[class.idx()]
    }

    /// The bin beside [`Arena::bin`].
    fn second_bin(&self, class: SzInd) -> &Bin {
        &self.second[class.idx()]
    }

    /// The bin that a slab belongs to.
    pub fn bin_of(&self, slab: &Extent) -> &Bin {
        match slab.kind() {
            Kind::SampledSlab => self.sampled_bin(slab.class()),
            _ if slab.is_second() => self.second_bin(slab.class()),
            _ => self.bin(slab.class()),
        }
    }

    /// The bin of the sampled objects of a small class.
    pub fn sampled_bin(&self, class: SzInd) -> &Bin {
        &self.sampled[class.idx()]
    }

    /// Where requests of a class are counted that a thread made which is gone, or that no cache served, unless a large object
    /// was made for it.
    pub fn requests(&self, class: SzInd) -> &AtomicU64 {
        if class.idx() < NBINS { &self.bin(class).nrequests } else { &self.large.class(class).nrequests }
    }

    /// Requests of a class, but for those that threads have yet to tell.
    pub fn told_requests(&self, class: SzInd) -> u64 {
        let direct = if class.idx() < NBINS { 0 } else { self.large.class(class).ndirect.get() };
        self.requests(class).load(Ordering::Acquire) + direct
    }

    /// All bins with their class, ordinary ones first.
    pub fn all_bins(&self) -> impl Iterator<Item = (SzInd, &Bin)> {
        let classes = || (0..NBINS as u8).map(SzInd);
        classes().zip(&self.bins).chain(classes().zip(&self.sampled)).chain(classes().zip(&self.second))
    }

    /// All bins that were ever used, and maybe others: second ones, which hardly any arena needs, cost no memory before.
    fn used_bins(&self) -> impl Iterator<Item = (SzInd, &Bin)> {
        self.all_bins().take(if self.seconded.get() { BINS } else { BINS - NBINS })
    }

    /// The depot of a cached class.
    pub fn depot(&self, class: SzInd) -> &Depot {
        &self.depots[class.idx()]
    }

    /// All depots with their class.
    pub fn depots(&self) -> impl Iterator<Item = (SzInd, &Depot)> {
        cached_classes().zip(&self.depots)
    }

    /// Descriptors that describe nothing now, and all that were ever made.
    pub fn extents(&self) -> (usize, usize) {
        (self.spare.len(), self.nextents.get())
    }

    /// How often the lock of the unused descriptors was taken and waited for.
    pub fn spare_mutex_counts(&self) -> MutexCounts {
        self.spare.mutex_counts()
    }

    /// Sets the counters of all locks of the arena to zero.
    pub fn reset_mutex_counts(&self) {
        self.depots.iter().for_each(Depot::reset_mutex_counts);
        self.all_bins().for_each(|(_, bin)| bin.reset_mutex_counts());
        self.pages.reset_mutex_counts();
        self.spare.reset_mutex_counts();
        self.base.reset_mutex_counts();
    }

    /// Gives decayed pages back, and now and then what bins and depots did not need. Cheap when nothing is due, and when
    /// background threads do this.
    pub fn tick(&self) {
        if caretaker::workers() != 0 {
            return self.pages.tick();
        }
        let now = clock::now();
        self.care(now);
        self.pages.tick_at(now);
        // Few threads have anything to do with the huge arena, so what it keeps for a moment is looked at by all.
        table::huge().into_iter().for_each(|arena| arena.pages.give_up_kept(now));
    }

    /// What [`Arena::tick`] does, for a background thread. Answers how long after `now` it is to come back; `None` when
    /// there is nothing to wait for.
    pub fn attend(&self, now: Ns) -> Option<Ns> {
        self.care(now);
        self.pages.decay(now);
        self.pages.due_in(now)
    }

    fn care(&self, now: Ns) {
        if now.since(Ns(self.trimmed.get())) >= TRIM {
            self.trimmed.set(now.0);
            self.trim(false);
        }
    }

    /// As [`Arena::tick`], whether or not something is due.
    pub fn decay(&self) {
        self.trim(false);
        self.pages.decay(clock::now());
    }

    /// Gives back every unused page.
    pub fn purge(&self) {
        self.trim(true);
        self.pages.purge_all();
    }

    /// Returns objects from the depots to their slabs, and empty slabs to the page layer: those that were not
    /// needed since the last time, or all.
    pub fn trim(&self, all: bool) {
        for (class, depot) in self.depots() {
            depot.trim(class, all);
        }
        for (_, bin) in self.used_bins() {
            bin.trim(self);
        }
    }

    /// Locks the depots for a fork.
    fn hold_depots(&self) {
        self.depots.iter().for_each(Depot::hold);
    }

    /// Locks the bins for a fork.
    fn hold_bins(&self) {
        self.all_bins().for_each(|(_, bin)| bin.hold());
    }

    /// Locks pages and all that comes after them for a fork.
    fn hold_pages(&self) {
        self.pages.hold();
        self.spare.hold();
        self.name.hold();
        self.base.hold();
    }

    /// Unlocks after a fork.
    ///
    /// # Safety
    /// As [`Mutex::unhold`].
    unsafe fn unhold(&self) {
        // SAFETY: by the caller's promise, for each lock that the three above took.
        unsafe {
            self.base.unhold();
            self.name.unhold();
            self.spare.unhold();
            self.pages.unhold();
            self.all_bins().for_each(|(_, bin)| bin.unhold());
            self.depots.iter().for_each(|depot| depot.unhold());
        }
    }
}
