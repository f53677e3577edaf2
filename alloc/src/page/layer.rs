//! The page layer of one arena: its supply, the decay of its unused pages, and the counters of both.

mod guard;

use core::sync::atomic::*;

use core::ptr::NonNull;

use super::census::Census;
use super::decay::Decay;
use super::growth::Growth;
use super::hooks::ExtentHooks;
use super::pac::{Mode, Pac};
use super::purge::{self, Step};
use super::run::Run;
use super::settings::{self, Dss};
use super::state::{Free, PageCounts};
use super::supply::Supply;
use super::{advice, caretaker, default_hooks, pressure};
use crate::base::{Base, Zeroable};
use crate::os::aside::Aside;
use crate::os::clock;
use crate::relaxed::{Link, Relaxed};
use crate::sync::{Guard, Mutex, MutexCounts, Patience};
use crate::units::{ArenaInd, Ns, PAGE};

/// Pages that may become unused between two looks at the clock: 4 MiB.
const FRESH_MAX: usize = 1024;
/// Least time between two looks at the decay curves; a hundredth of the shortest useful decay time.
const TICK: Ns = Ns::from_ms(10);

/// Counters of the purges of one state.
#[derive(Default)]
pub struct PurgeCounts {
    /// Passes that purged something.
    pub npurge: AtomicU64,
    /// System calls.
    pub nmadvise: AtomicU64,
    /// Pages.
    pub purged: AtomicU64,
}

/// Pages of one arena. All-zero is valid; [`PageLayer::start`] sets the decay times.
#[derive(Default)]
pub struct PageLayer {
    owner: AtomicU32,
    supply: Mutex<Supply>,
    /// What supplies pages instead of `supply`, once there is one.
    pac: Link<Pac>,
    /// What was `pac` in an earlier life, to be so again.
    spare_pac: Link<Pac>,
    /// `arena.<i>.oversize_threshold`: what it differs by from `opt.oversize_threshold`.
    oversize: AtomicIsize,
    /// Bytes of which nothing was left but their addresses, because there was no memory to describe them.
    abandoned: AtomicUsize,
    dirty: Mutex<Decay>,
    muzzy: Mutex<Decay>,
    /// Counters of the purges of dirty pages.
    pub dirty_counts: PurgeCounts,
    /// Counters of the purges of muzzy pages.
    pub muzzy_counts: PurgeCounts,
    /// Pages freed since the last look at the clock.
    fresh: AtomicUsize,
    /// Time of the last look.
    looked: AtomicU64,
    /// `dirty_decay_ms`, readable without the lock.
    dirty_ms: AtomicI64,
    /// `muzzy_decay_ms`, readable without the lock.
    muzzy_ms: AtomicI64,
    /// Whether nobody asked for a decay time of 0, and it is so only because of what the arena is for.
    lenient: AtomicBool,
    /// Pages that stay for a little although a run of them is oversize.
    kept: AtomicUsize,
    /// Until when.
    kept_until: AtomicU64,
}

impl Default for Decay {
    fn default() -> Self {
        // SAFETY: all fields are integers.
        unsafe { core::mem::zeroed() }
    }
}

// SAFETY: counters, an empty link, mutexes over all-zero-valid values.
unsafe impl Zeroable for PageLayer {}

/// Where the pages of an arena come from.
enum Source<'a> {
    /// Blocks of pages.
    Blocks(Guard<'a, Supply>),
    /// Extents, since hooks were set or nothing is retained.
    Extents(&'static Pac),
}

impl PageLayer {
    /// Says whose pages these are. Called once, before there are any.
    pub fn belong_to(&self, arena: ArenaInd, base: &Base) {
        self.owner.set(arena.0);
        let mut supply = self.supply.lock();
        supply.arena = arena.0;
        if !settings::retain() {
            // Without memory for it, the arena retains what it has.
            self.change_over(&mut supply, base);
        }
    }

    /// Sets both decay times in milliseconds, which restarts both curves. `lenient`: that there are no dirty pages is
    /// nobody's wish.
    pub fn start(&self, dirty_ms: i64, muzzy_ms: i64, lenient: bool) {
        self.lenient.set(lenient);
        let counts = self.counts();
        let now = clock::now();
        self.muzzy_ms.set(muzzy_ms);
        self.muzzy.lock().start(muzzy_ms, now, counts.muzzy);
        self.dirty_ms.set(dirty_ms);
        self.dirty.lock().start(dirty_ms, now, counts.dirty);
    }

    /// Decay times in milliseconds, dirty and muzzy.
    pub fn decay_ms(&self) -> (i64, i64) {
        (self.dirty_ms.get(), self.muzzy_ms.get())
    }

    /// Pages by state.
    pub fn counts(&self) -> PageCounts {
        self.counts_within(Patience::Endless).unwrap_or_default()
    }

    /// Pages by state, if the lock is to be had in time.
    pub fn counts_within(&self, patience: Patience) -> Option<PageCounts> {
        match self.source(patience)? {
            Source::Blocks(supply) => Some(supply.counts()),
            Source::Extents(pac) => pac.counts(patience),
        }
    }

    /// Pages by state and free extents, of the moment in which `with` is called; `None` when a lock was not to be had
    /// in time, and `with` was not called.
    ///
    /// Cost: a look at each block, or at each free extent.
    pub fn survey(&self, patience: Patience, census: &mut Census, with: impl FnOnce()) -> Option<PageCounts> {
        match self.source(patience)? {
            Source::Blocks(mut supply) => {
                with();
                supply.stretches(|part| {
                    part.state.into_iter().for_each(|state| census.count(state, part.npages));
                });
                Some(supply.counts())
            }
            Source::Extents(pac) => pac.survey(patience, with, |state, npages| census.count(state, npages)),
        }
    }

    /// How often the locks of the supply, of growth, of dirty decay and of muzzy decay were taken and waited for. Growth
    /// has none of its own where pages come in blocks.
    pub fn mutex_counts(&self) -> [MutexCounts; 4] {
        let mut supply = self.supply.counts();
        let mut growth = MutexCounts::default();
        if let Some(pac) = self.pac.acquire() {
            let [extents, grown] = pac.mutex_counts();
            supply.add(&extents);
            growth = grown;
        }
        [supply, growth, self.dirty.counts(), self.muzzy.counts()]
    }

    /// Sets these to zero.
    pub fn reset_mutex_counts(&self) {
        self.dirty.reset_counts();
        self.muzzy.reset_counts();
        self.supply.reset_counts();
        self.pac.acquire().into_iter().for_each(Pac::reset_mutex_counts);
    }

    /// Where pages come from now.
    #[inline]
    fn source(&self, patience: Patience) -> Option<Source<'_>> {
        if let Some(pac) = self.pac.acquire() {
            return Some(Source::Extents(pac));
        }
        let supply = self.supply.lock_within(patience)?;
        // It changes with the lock held.
        Some(self.pac.acquire().map_or(Source::Blocks(supply), Source::Extents))
    }

    /// Where the number of active pages is kept, for programs that read it without a lock.
    pub fn active_address(&self) -> *const usize {
        match self.source(Patience::Endless) {
            Some(Source::Blocks(supply)) => supply.active_address(),
            Some(Source::Extents(pac)) => pac.active_address(),
            None => core::ptr::null(),
        }
    }

    /// Calls `visit` with the first byte and the length in pages of each run of used pages, block by block, until it
    /// answers `false`. The pages of a run may belong to several extents, or be on their way to the kernel.
    pub fn visit_used(&self, visit: &mut dyn FnMut(*mut u8, usize) -> bool) {
        match self.source(Patience::Endless) {
            Some(Source::Blocks(mut supply)) => supply.visit_used(visit),
            Some(Source::Extents(pac)) => pac.visit_used(visit),
            None => {}
        }
    }

    /// Pages whose address space [`PageLayer::release_empty`] would give back.
    pub fn empty(&self) -> usize {
        match self.source(Patience::Endless) {
            Some(Source::Blocks(mut supply)) => supply.empty(),
            Some(Source::Extents(pac)) if unmaps(pac) => {
                pac.counts(Patience::Endless).map_or(0, |counts| counts.dirty + counts.muzzy)
            }
            _ => 0,
        }
    }

    /// Gives address space that nothing needs back to the kernel: the regions in which no page is in use, whose descriptors
    /// serve again, or all unused extents where they are not retained.
    pub fn release_empty(&self) {
        match self.source(Patience::Endless) {
            Some(Source::Blocks(mut supply)) => supply.release_empty(),
            Some(Source::Extents(pac)) if unmaps(pac) => self.purge_all(),
            _ => {}
        }
    }

    /// Sets one or both decay times in milliseconds, which restarts the curve; 0 purges at once.
    pub fn set_decay_ms(&self, dirty: Option<i64>, muzzy: Option<i64>) {
        let (counts, now) = (self.counts(), clock::now());
        if let Some(ms) = dirty {
            self.lenient.set(false);
            self.dirty_ms.set(ms);
            self.dirty.lock().start(ms, now, counts.dirty);
        }
        if let Some(ms) = muzzy {
            self.muzzy_ms.set(ms);
            self.muzzy.lock().start(ms, now, counts.muzzy);
        }
        self.decay(now);
    }

    /// Counts the pages that `f` takes without memory behind them.
    fn growing<R>(
        &self,
        blocks: impl FnOnce(&mut Supply) -> Option<R>,
        extents: impl FnOnce(&Pac) -> Option<R>,
    ) -> Option<R> {
        match self.source(Patience::Endless)? {
            Source::Blocks(mut supply) => {
                let before = supply.grown();
                let result = blocks(&mut supply);
                let grown = supply.grown().wrapping_sub(before);
                if grown != 0 && supply.churn.is_waiting() {
                    supply.churn.took(grown, clock::now());
                }
                pressure::grew(grown);
                result
            }
            Source::Extents(pac) => {
                let before = pac.grown();
                let result = extents(pac);
                pressure::grew(pac.grown().wrapping_sub(before));
                result
            }
        }
    }

    /// Takes `npages` pages whose address is a multiple of `align` pages; answers also whether they are zero. What `grows`
    /// gets room behind it, where that is to be had.
    ///
    /// `None` when there is no address space, or no memory for descriptors.
    #[inline(always)]
    pub fn take(&self, npages: usize, align: usize, grows: bool, base: &Base) -> Option<(Run, bool)> {
        self.growing(
            |supply| {
                let roomy = if grows && align == 1 { supply.take_roomy(npages) } else { None };
                roomy.map(|run| (run, false)).or_else(|| supply.take(npages, align, base))
            },
            |pac| {
                let taken = pac.take(npages, align, self.mode(), base)?;
                Some((Run { base: taken.base, npages, block: None }, taken.zeroed))
            },
        )
    }

    /// Adds the `extra` pages behind `run` to it if they are free; answers whether it did and they are zero.
    pub fn extend(&self, run: Run, extra: usize, base: &Base) -> Option<bool> {
        self.growing(|supply| supply.extend(run, extra), |pac| pac.extend(run.base, run.npages, extra, base))
    }

    /// Takes back all but the first `keep` pages of a run; answers whether it did, which hooks may refuse. `leave` is called
    /// when that is certain, and the pages still are the caller's.
    pub fn shrink(&self, run: Run, keep: usize, base: &Base, leave: impl FnOnce()) -> bool {
        let rest = run.npages - keep;
        if let Some(Source::Extents(pac)) = self.source(Patience::Endless) {
            let Some(purged) = pac.shrink(run.base, run.npages, keep, self.mode(), base, leave) else {
                return false;
            };
            self.purged_at_once(purged);
            self.freed(rest);
            return true;
        }
        leave();
        self.give(Run { base: run.base.wrapping_add(keep * PAGE), npages: rest, block: run.block }, base);
        true
    }

    /// Takes pages back.
    pub fn give(&self, run: Run, base: &Base) {
        match self.source(Patience::Endless) {
            Some(Source::Blocks(mut supply)) if self.at_once() => {
                if self.may_keep() && keeps(&mut supply, run) {
                    supply.keep(run);
                    return self.note_kept(&supply);
                }
                supply.withdraw(run.npages);
                drop(supply);
                return self.give_at_once(run, base);
            }
            Some(Source::Blocks(mut supply)) => {
                let at_once = supply.give(run, self.mode().oversize / PAGE);
                self.note_kept(&supply);
                drop(supply);
                if let Some(run) = at_once {
                    self.purge_run(run, base);
                }
            }
            Some(Source::Extents(pac)) => {
                let purged = pac.give(run.base, run.npages, self.mode(), base);
                self.purged_at_once(purged);
            }
            None => {}
        }
        self.freed(run.npages);
    }

    /// Whether anything may stay where the decay time is 0.
    fn may_keep(&self) -> bool {
        self.lenient.get() && pressure::share() != 0 && caretaker::workers() == 0
    }

    fn note_kept(&self, supply: &Supply) {
        let (kept, until) = supply.churn.kept();
        self.kept.set(kept);
        self.kept_until.set(until.0);
    }

    /// Gives back what was kept because the program seemed to want it, once it did without for long enough.
    pub fn give_up_kept(&self, now: Ns) {
        let kept = self.kept.get();
        if kept == 0 || now.0 <= self.kept_until.get() {
            return;
        }
        self.kept.set(0);
        if self.at_once() {
            return self.decay(now);
        }
        let Some(mut decay) = self.dirty.try_lock() else { return };
        let unused = self.unused(Step::DirtyToRetained);
        self.run(&self.dirty_counts, Step::DirtyToRetained, unused.saturating_sub(kept));
        decay.purged(self.unused(Step::DirtyToRetained));
    }

    /// Purges a run that is out of circulation, and whatever else may not stay.
    #[cold]
    fn give_at_once(&self, run: Run, base: &Base) {
        self.dirty_counts.npurge.fetch_add(1, Ordering::Relaxed);
        let left = self.purge_run(run, base);
        if left.dirty != 0 || left.muzzy != 0 {
            self.decay(clock::now());
        }
    }

    /// Purges a run that is out of circulation; answers what there is then.
    #[cold]
    fn purge_run(&self, run: Run, base: &Base) -> PageCounts {
        let state = purge::advise(&run, Step::DirtyToRetained);
        if state == Free::Retained {
            pressure::shrank(run.npages);
            self.purged_at_once(run.npages);
        }
        match self.source(Patience::Endless) {
            Some(Source::Blocks(mut supply)) => {
                supply.vacate(run, state);
                supply.counts()
            }
            // The supply was changed over in between, and took the run for one in use.
            Some(Source::Extents(pac)) => {
                pac.give(run.base, run.npages, self.mode(), base);
                pac.counts(Patience::Endless).unwrap_or_default()
            }
            None => PageCounts::default(),
        }
    }

    fn purged_at_once(&self, npages: usize) {
        if npages != 0 {
            self.dirty_counts.nmadvise.fetch_add(1, Ordering::Relaxed);
            self.dirty_counts.purged.fetch_add(npages as u64, Ordering::Relaxed);
        }
    }

    /// Lets pages that are in use read as zero without writing to them; answers whether that was possible, which it is not
    /// under hooks whose memory may be of any kind, nor where it would split huge pages that were asked for.
    ///
    /// # Safety
    /// The range belongs to the caller, and its contents are no longer wanted.
    pub unsafe fn zero(&self, at: *mut u8, bytes: usize) -> bool {
        let ours = self.pac.acquire().is_none_or(Pac::is_default);
        // SAFETY: by the caller's promise.
        ours && !advice::wants_huge() && unsafe { advice::purge_forced(at, bytes) }
    }

    /// Sees to it that what became unused is purged in time.
    fn freed(&self, npages: usize) {
        if self.at_once() {
            return self.decay(clock::now());
        }
        // Pages that two threads free at once may be missed: a little later is as good.
        let fresh = self.fresh.get() + npages;
        self.fresh.set(fresh);
        if !caretaker::looks_after(self.owner(), fresh) && fresh > FRESH_MAX {
            self.tick();
        }
    }

    fn mode(&self) -> Mode {
        let muzzy_ms = self.muzzy_ms.get();
        let eager = self.dirty_ms.get() >= 0 && muzzy_ms >= 0 && caretaker::workers() == 0;
        Mode { oversize: if eager { self.oversize_threshold() } else { usize::MAX }, muzzy: muzzy_ms != 0 }
    }

    fn owner(&self) -> ArenaInd {
        ArenaInd(self.owner.get())
    }

    /// Whether nothing may stay unused.
    pub fn at_once(&self) -> bool {
        self.dirty_ms.get() == 0 || pressure::share() == 0
    }

    /// Looks at the clock, and purges what has decayed. Cheap when called again within 10 ms, and when there are
    /// background threads.
    pub fn tick(&self) {
        if !caretaker::looks_after(self.owner(), self.fresh.get()) {
            self.tick_at(clock::now());
        }
    }

    /// [`PageLayer::tick`] where there are no background threads.
    pub fn tick_at(&self, now: Ns) {
        self.give_up_kept(now);
        // What was kept where nothing else is goes by its own time.
        if now.since(Ns(self.looked.get())) >= TICK && !(self.kept.get() != 0 && self.lenient.get()) {
            self.decay(now);
        }
    }

    /// How long after `now`, when [`PageLayer::decay`] was called, the next pages are worth a purge; `None` when there
    /// are none to wait for.
    pub fn due_in(&self, now: Ns) -> Option<Ns> {
        /// What makes a purge worth the while of a background thread, 4 MiB.
        const ENOUGH: usize = 1024;
        let counts = self.counts();
        let due = |decay: &Mutex<Decay>, unused| decay.lock().due_in(now, unused, ENOUGH, pressure::share());
        let (dirty, muzzy) = (due(&self.dirty, counts.dirty), due(&self.muzzy, counts.muzzy));
        dirty.into_iter().chain(muzzy).min()
    }

    /// Purges what has decayed by `now`. Returns at once when another thread is at it.
    pub fn decay(&self, now: Ns) {
        self.looked.set(now.0);
        self.fresh.set(0);
        // What the kernel may take still counts as the process's memory, which is what is short under pressure.
        let short = pressure::share() != pressure::WHOLE;
        let step = if self.muzzy_ms.get() == 0 || self.dirty_ms.get() == 0 || short {
            Step::DirtyToRetained
        } else {
            Step::DirtyToMuzzy
        };
        self.decay_one(&self.dirty, &self.dirty_counts, step, now);
        self.decay_one(&self.muzzy, &self.muzzy_counts, Step::MuzzyToRetained, now);
    }

    fn decay_one(&self, decay: &Mutex<Decay>, counts: &PurgeCounts, step: Step, now: Ns) {
        // With a decay time of 0 nothing may stay behind, so the loser of a race waits for its turn.
        let turn = if self.at_once() { turn(decay) } else { decay.try_lock() };
        let Some(mut decay) = turn else { return };
        let unused = self.unused(step);
        let keep = decay.advance(now, unused, pressure::share());
        if unused > keep {
            self.run(counts, step, keep);
            decay.purged(self.unused(step));
        }
    }

    /// Purges all unused pages, whatever their age.
    pub fn purge_all(&self) {
        let Some(mut dirty) = turn(&self.dirty) else { return };
        self.run(&self.dirty_counts, Step::DirtyToRetained, 0);
        dirty.purged(self.unused(Step::DirtyToRetained));
        let Some(mut muzzy) = turn(&self.muzzy) else { return };
        self.run(&self.muzzy_counts, Step::MuzzyToRetained, 0);
        muzzy.purged(self.unused(Step::MuzzyToRetained));
    }

    fn unused(&self, step: Step) -> usize {
        let counts = self.counts();
        if step == Step::MuzzyToRetained { counts.muzzy } else { counts.dirty }
    }

    fn run(&self, counts: &PurgeCounts, step: Step, keep: usize) {
        let done = match self.source(Patience::Endless) {
            Some(Source::Blocks(supply)) => {
                drop(supply);
                // The decay's lock keeps the supply from being changed over.
                purge::purge(&self.supply, step, keep)
            }
            Some(Source::Extents(pac)) => pac.purge(step, keep),
            None => return,
        };
        if done.nmadvise != 0 {
            counts.npurge.fetch_add(1, Ordering::Relaxed);
            counts.nmadvise.fetch_add(done.nmadvise as u64, Ordering::Relaxed);
            counts.purged.fetch_add(done.npages as u64, Ordering::Relaxed);
        }
    }

    /// `arena.<i>.oversize_threshold`: bytes from which dirty pages side by side are purged at once.
    pub fn oversize_threshold(&self) -> usize {
        settings::oversize_threshold().wrapping_add_signed(self.oversize.get())
    }

    /// Sets it; 0 for all that are long enough for a large object.
    pub fn set_oversize_threshold(&self, bytes: usize) {
        self.oversize.set(bytes.wrapping_sub(settings::oversize_threshold()) as isize);
    }

    /// `arena.<i>.retain_grow_limit`: most bytes that address space grows by, unless more is asked for.
    pub fn retain_grow_limit(&self) -> usize {
        self.growth(|growth| growth.limit())
    }

    /// Sets it, rounded down to a page size class; `false` when that is less than a page.
    pub fn set_retain_grow_limit(&self, bytes: usize) -> bool {
        self.growth(|growth| growth.set_limit(bytes))
    }

    fn growth<R>(&self, f: impl FnOnce(&mut Growth) -> R) -> R {
        match self.source(Patience::Endless) {
            Some(Source::Blocks(mut supply)) => f(&mut supply.growth),
            Some(Source::Extents(pac)) => pac.growth(f),
            None => f(&mut Growth::default()),
        }
    }

    /// `arena.<i>.dss`.
    pub fn dss(&self) -> Dss {
        default_hooks::dss_of(self.owner.get())
    }

    /// Sets it, for address space that is taken from now on.
    pub fn set_dss(&self, dss: Dss) {
        default_hooks::set_dss_of(self.owner.get(), dss);
    }

    /// `arena.<i>.extent_hooks`.
    pub fn hooks(&self) -> *mut ExtentHooks {
        self.pac.acquire().map_or(default_hooks::table().as_ptr(), |pac| pac.hooks().table())
    }

    /// Sets the extent hooks, which rule all pages from now on, those that are there included; answers the former
    /// ones, `None` when there is no memory for the change. Cost: a look at every page that the arena has.
    ///
    /// # Safety
    /// 1. `hooks` points to a table that stays valid until other hooks are set or the arena is destroyed.
    /// 2. Its functions do what their types say, for all memory that the arena has or gets.
    pub unsafe fn set_hooks(&self, hooks: NonNull<ExtentHooks>, base: &Base) -> Option<*mut ExtentHooks> {
        if let Some(pac) = self.pac.acquire() {
            return Some(pac.set_hooks(hooks));
        }
        let default = default_hooks::table();
        if hooks == default {
            return Some(default.as_ptr());
        }
        // No purge is under way with these held.
        let (_dirty, _muzzy) = (self.dirty.lock(), self.muzzy.lock());
        let mut supply = self.supply.lock();
        let pac = self.pac.acquire().or_else(|| self.change_over(&mut supply, base))?;
        Some(pac.set_hooks(hooks))
    }

    /// Lets extents supply pages from now on, under the default hooks.
    #[cold]
    fn change_over(&self, supply: &mut Supply, base: &Base) -> Option<&'static Pac> {
        let pac: &'static Pac = match self.spare_pac.get() {
            Some(pac) => pac,
            None => base.make()?,
        };
        pac.start(default_hooks::table(), self.owner.get(), supply.growth);
        let guards = supply.counts().guards as isize;
        supply.hand_over(|part| {
            if !pac.adopt(part.base, part.npages, part.state, part.head, base) {
                self.abandoned.fetch_add(part.npages * PAGE, Ordering::Relaxed);
            }
        });
        pac.count_guards(guards);
        self.pac.publish(pac);
        Some(pac)
    }

    /// `stats.arenas.<i>.abandoned_vm`: bytes of address space that were lost, because hooks refused to cut an extent
    /// or memory for its description ran out.
    pub fn abandoned(&self) -> usize {
        self.abandoned.get() + self.pac.acquire().map_or(0, Pac::abandoned)
    }

    /// Gives all address space back, after all objects are gone: the arena is being destroyed. It can be
    /// started again, as fresh, under the default hooks.
    pub fn destroy(&self) {
        self.purge_all();
        match self.source(Patience::Endless) {
            Some(Source::Blocks(mut supply)) => supply.destroy(),
            Some(Source::Extents(pac)) => {
                pac.destroy();
                // A fork finds it either in its place, and lets go of its locks afterwards, or not at all.
                let _supply = self.supply.lock();
                self.pac.set(None);
                self.spare_pac.set(Some(pac));
            }
            None => {}
        }
        self.oversize.set(0);
        self.abandoned.set(0);
        default_hooks::forget_dss_of(self.owner.get());
    }

    /// Whether a program has set hooks of its own. They may be others a moment later.
    pub fn has_hooks(&self) -> bool {
        self.pac.acquire().is_some_and(|pac| !pac.is_default())
    }

    /// Locks for a fork, in the order in which the locks are taken elsewhere.
    pub fn hold(&self) {
        self.dirty.hold();
        self.muzzy.hold();
        self.supply.hold();
        self.pac.acquire().into_iter().for_each(Pac::hold);
    }

    /// Unlocks after a fork.
    ///
    /// # Safety
    /// As [`Mutex::unhold`].
    pub unsafe fn unhold(&self) {
        // SAFETY: by the caller's promise, for each lock that `hold` took: the supply is not changed over in between.
        unsafe {
            self.pac.acquire().into_iter().for_each(|pac| pac.unhold());
            self.supply.unhold();
            self.muzzy.unhold();
            self.dirty.unhold();
        }
    }
}

/// Whether a run that is about to come back may stay, where nothing else does.
fn keeps(supply: &mut Supply, run: Run) -> bool {
    let dirty = supply.counts().dirty + run.npages;
    supply.churn.keeps(run.npages, dirty, clock::now())
}

/// A lock that is held while pages are given back, waited for; but `None` for an extent hook while somebody has it: that may
/// be the call that has called the hook, or one that waits for it.
pub fn turn<T>(lock: &Mutex<T>) -> Option<Guard<'_, T>> {
    if Aside::is_stepped() { lock.try_lock() } else { Some(lock.lock()) }
}

/// Whether purged extents are unmapped: nothing is retained, and no program's hooks decide.
fn unmaps(pac: &Pac) -> bool {
    pac.is_default() && !settings::retain()
}
