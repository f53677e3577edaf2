//! What arenas that are made later begin with: decay times for all, and exceptions for single indices.

use core::sync::atomic::*;

use super::Role;
use crate::page::layer::DecayTimes;
use crate::page::{caretaker, decay};
use crate::relaxed::Relaxed;
use crate::units::{ARENAS_MAX, ArenaInd};

static DIRTY_MS: AtomicI64 = AtomicI64::new(10_000);
static MUZZY_MS: AtomicI64 = AtomicI64::new(0);
/// Whether somebody set one of the two, be it to what it was.
static ASKED: AtomicBool = AtomicBool::new(false);
/// Whether [`watch_frees`] was called.
static WATCHED: AtomicBool = AtomicBool::new(false);
/// Whether [`hold_stand_ins`] was called.
static STAND_INS: AtomicBool = AtomicBool::new(false);
static PRESETS: [Preset; ARENAS_MAX as usize] = [const { Preset::none() }; ARENAS_MAX as usize];

/// Exceptions of one index. Numbers are stored so that 0 means none, which keeps the table free of initialisation.
struct Preset {
    /// Milliseconds plus two.
    dirty_ms: AtomicI64,
    /// Milliseconds plus two.
    muzzy_ms: AtomicI64,
    /// Threads plus one.
    threads: AtomicU64,
}

impl Preset {
    const fn none() -> Preset {
        Preset { dirty_ms: AtomicI64::new(0), muzzy_ms: AtomicI64::new(0), threads: AtomicU64::new(0) }
    }
}

/// Sends every free to its slow path: objects that are made from now on have the map byte
/// [`SPECIAL`](crate::extent::map::SPECIAL). Caches take them all the same.
pub fn watch_frees() {
    WATCHED.set(true);
}

/// Whether they are sent there.
pub fn frees_are_watched() -> bool {
    WATCHED.get()
}

/// Lets each sampled small object that is made from now on hold a stand-in (`prof_frag`), see
/// [`Arena::alloc_sampled`](super::Arena::alloc_sampled). Before the first is made.
#[cfg(feature = "prof")]
pub fn hold_stand_ins() {
    STAND_INS.set(true);
}

/// Whether they do.
pub fn stand_ins_are_held() -> bool {
    STAND_INS.get()
}

/// A state that decays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decaying {
    /// Unused pages with stale contents.
    Dirty,
    /// Unused pages that the kernel may take.
    Muzzy,
}

impl Decaying {
    fn default_ms(self) -> &'static AtomicI64 {
        match self {
            Decaying::Dirty => &DIRTY_MS,
            Decaying::Muzzy => &MUZZY_MS,
        }
    }

    fn preset(self, index: ArenaInd) -> Option<&'static AtomicI64> {
        let preset = PRESETS.get(index.0 as usize)?;
        Some(match self {
            Decaying::Dirty => &preset.dirty_ms,
            Decaying::Muzzy => &preset.muzzy_ms,
        })
    }

    /// The decay time in milliseconds that [`preset_decay_ms`] gave an index.
    fn exception(self, index: ArenaInd) -> Option<i64> {
        let stored = self.preset(index)?.get();
        (stored != 0).then_some(stored - 2)
    }
}

/// Whether a decay time in milliseconds is one: -1 for never, 0 for at once, or up to [`decay::MS_MAX`].
pub fn is_decay_ms(ms: i64) -> bool {
    (-1..=decay::MS_MAX).contains(&ms)
}

/// The decay time, in milliseconds, of arenas without an exception.
pub fn default_decay_ms(state: Decaying) -> i64 {
    state.default_ms().get()
}

/// Sets [`default_decay_ms`] for arenas made from now on, because somebody asked for it; `false` when it is no decay time.
pub fn set_default_decay_ms(state: Decaying, ms: i64) -> bool {
    let good = is_decay_ms(ms);
    if good {
        state.default_ms().set(ms);
        ASKED.set(true);
    }
    good
}

/// Makes an exception for the arena that will have an index; `false` when the index or the time is none.
pub fn preset_decay_ms(index: ArenaInd, state: Decaying, ms: i64) -> bool {
    match state.preset(index) {
        Some(preset) if is_decay_ms(ms) => {
            preset.set(ms + 2);
            true
        }
        _ => false,
    }
}

/// Limits the threads that automatic choice binds to an arena, whether or not it was made; `false` when there is no
/// such index.
pub fn limit_threads(index: ArenaInd, threads: u32) -> bool {
    PRESETS.get(index.0 as usize).map(|preset| preset.threads.set(threads as u64 + 1)).is_some()
}

/// The limit of [`limit_threads`].
pub(super) fn thread_limit(index: ArenaInd) -> Option<u32> {
    let stored = PRESETS.get(index.0 as usize)?.threads.get();
    stored.checked_sub(1).map(|threads| threads as u32)
}

/// The decay times that a new arena begins with.
pub(super) fn decay_times(index: ArenaInd, role: Role) -> DecayTimes {
    let huge = role == Role::Huge;
    let ms = |state| decay_ms(index, huge, state);
    let excepted = |state: Decaying| state.exception(index).is_some();
    let asked = ASKED.get() || excepted(Decaying::Dirty) || excepted(Decaying::Muzzy);
    DecayTimes {
        dirty_ms: ms(Decaying::Dirty),
        muzzy_ms: ms(Decaying::Muzzy),
        lenient: huge && decay_ms(index, false, Decaying::Dirty) != 0,
        ebbs: role == Role::Automatic && !asked,
    }
}

fn decay_ms(index: ArenaInd, huge: bool, state: Decaying) -> i64 {
    let default = default_decay_ms(state);
    match state.exception(index) {
        Some(ms) => ms,
        // Nothing but a background thread bounds how long few and large objects would be kept.
        None if huge && caretaker::workers() == 0 => default.min(0),
        None => default,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exception_of_an_index_wins_over_the_default_also_when_it_is_never_or_at_once() {
        let (one, other) = (ArenaInd(4001), ArenaInd(4002));
        for ms in [-1, 0, 1, 60_000, decay::MS_MAX] {
            assert!(preset_decay_ms(one, Decaying::Dirty, ms));
            assert_eq!(decay_ms(one, false, Decaying::Dirty), ms);
            assert_eq!(decay_ms(one, true, Decaying::Dirty), ms, "asked for, so the huge arena obeys");
        }
        assert_eq!(decay_ms(other, false, Decaying::Dirty), default_decay_ms(Decaying::Dirty));
        assert_eq!(decay_ms(other, true, Decaying::Dirty), 0);
        assert!(!preset_decay_ms(one, Decaying::Dirty, -2));
        assert!(!preset_decay_ms(one, Decaying::Dirty, decay::MS_MAX + 1));
        assert!(!preset_decay_ms(ArenaInd(ARENAS_MAX), Decaying::Muzzy, 0));
    }

    #[test]
    fn a_limit_of_no_threads_is_told_from_no_limit() {
        assert_eq!(thread_limit(ArenaInd(4003)), None);
        assert!(limit_threads(ArenaInd(4003), 0));
        assert_eq!(thread_limit(ArenaInd(4003)), Some(0));
        assert!(limit_threads(ArenaInd(4003), u32::MAX));
        assert_eq!(thread_limit(ArenaInd(4003)), Some(u32::MAX));
        assert!(!limit_threads(ArenaInd(ARENAS_MAX), 1));
    }
}
