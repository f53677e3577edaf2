//! The control group that the process is in: how many processors it may use, and how near its memory is to the limit
//! (`cgroup_aware`).
//!
//! From seventy parts in ninety-five of the mark (`cgroup_purge_ratio`) on, decay times get shorter in proportion, to
//! nothing at the mark; there, everything unused is purged, and one line says so. The files are read at most every 100 ms,
//! and whenever pages may have been backed that make up half of what was left the last time.

mod group;
mod text;

use core::sync::atomic::*;

use self::group::{CPU, Group, MEMORY, Memory};
use crate::arena::table;
use crate::os::{clock, files};
use crate::page::pressure::{self, WHOLE};
use crate::relaxed::Relaxed;
use crate::report;
use crate::sync::Mutex;
use crate::tables::option;
use crate::units::{Ns, PAGE};

/// Least time between two readings.
const PAUSE: Ns = Ns::from_ms(100);
/// The same while there is no limit.
const LONG_PAUSE: Ns = Ns::from_ms(10_000);
/// Time between two readings of a background thread while memory is short.
const WATCHFUL: Ns = Ns::from_ms(500);

/// The group whose memory the process uses. Nothing is called with the lock held but the kernel.
static GROUP: Mutex<Group> = Mutex::new(Group::new());
/// Whether there is such a group.
static FOUND: AtomicBool = AtomicBool::new(false);
/// When the next reading may be.
static NEXT: AtomicU64 = AtomicU64::new(0);
/// Bytes in use at the last reading that the kernel would not simply take back.
static USED: AtomicUsize = AtomicUsize::new(0);
/// Pages that could be backed since the last reading without another one.
static ALLOWED: AtomicUsize = AtomicUsize::new(0);
/// Whether the line was written since use last fell well below the mark.
static TOLD: AtomicBool = AtomicBool::new(false);
/// When it was.
static TOLD_AT: AtomicU64 = AtomicU64::new(0);
/// Least time between two such lines: a program that goes up and down all the time is not to fill its log.
const LINE_PAUSE: Ns = Ns::from_ms(1000);

/// Where control groups are mounted.
fn mount() -> &'static [u8] {
    match option::CGROUP_ROOT.as_cstr().to_bytes() {
        b"" => b"/sys/fs/cgroup",
        root => root,
    }
}

/// Calls `f` with the text of `/proc/self/cgroup`.
fn with_own<R>(f: impl FnOnce(&[u8]) -> R) -> R {
    let mut buffer = [0; 4096];
    f(files::read(&[b"/proc/self/cgroup"], &mut buffer).unwrap_or_default())
}

/// Finds the group. Called once, at start, after the options were read. Never allocates.
pub fn boot() {
    if option::CGROUP_AWARE.on() {
        let found = with_own(|own| GROUP.lock().find(mount(), own, MEMORY));
        FOUND.set(found);
    }
}

/// Processors' worth of time that the process may use, rounded up; `None` when nothing limits it.
pub fn cpus() -> Option<u32> {
    if !option::CGROUP_AWARE.on() {
        return None;
    }
    let mut group = Group::new();
    let found = with_own(|own| group.find(mount(), own, CPU));
    if found { group.cpus(mount()) } else { None }
}

/// Whether there is something to [`look`] at.
pub fn watched() -> bool {
    FOUND.get()
}

/// Bytes that the group may use, as of now; [`usize::MAX`] for any number. `None` without a group.
pub fn limit() -> Option<usize> {
    read_now().map(|memory| memory.limit.unwrap_or(usize::MAX))
}

/// Bytes that the group uses, as of now. `None` without a group.
pub fn current() -> Option<usize> {
    read_now().map(|memory| memory.current)
}

fn read_now() -> Option<Memory> {
    if FOUND.get() { GROUP.lock().memory(mount()) } else { None }
}

/// Reads the group's memory if it is time to, and acts on it. The caller holds no lock.
pub fn look() {
    if !FOUND.get() {
        return;
    }
    let now = clock::now();
    if now.0 < NEXT.get() && !pressure::due() {
        return;
    }
    // Another thread that is at it will do.
    let Some(group) = GROUP.try_lock() else { return };
    // The kernel does not count pages yet that were taken just now, and will be written to.
    let taken = (ALLOWED.get() as isize).saturating_sub(pressure::left()).max(0) as usize;
    let taken = taken.saturating_mul(PAGE);
    let expected = if pressure::due() { USED.get().saturating_add(taken) } else { 0 };
    let memory = group.memory(mount());
    let plan = memory.and_then(|memory| take(memory, expected));
    NEXT.set(now.0 + if plan.is_some() { PAUSE } else { LONG_PAUSE }.0);
    drop(group);
    if let Some(plan) = plan {
        act(plan);
    }
}

/// Takes note of a reading; answers what follows, `None` without a limit. With the lock held.
fn take(memory: Memory, expected: usize) -> Option<Plan> {
    let plan = memory
        .limit
        .map(|limit| Plan::of(limit, option::CGROUP_PURGE_RATIO.get() as u64, memory.used().max(expected)));
    let allowed = plan.map(|plan| plan.allowance / PAGE);
    USED.set(memory.used());
    ALLOWED.set(allowed.unwrap_or(0));
    pressure::set_share(plan.map_or(WHOLE, |plan| plan.share));
    pressure::allow(allowed);
    plan
}

fn act(plan: Plan) {
    if plan.calm {
        TOLD.set(false);
    }
    if !plan.purge {
        return;
    }
    let now = clock::now();
    let recently = TOLD_AT.get() != 0 && now.since(Ns(TOLD_AT.get())) < LINE_PAUSE;
    if !TOLD.swap(true, Ordering::Relaxed) && !recently {
        TOLD_AT.set(now.0);
        report::message(format_args!(
            "{} MiB of the control group's {} MiB are in use: unused memory is given back at once",
            plan.used >> 20,
            plan.limit >> 20
        ));
    }
    table::all().for_each(|arena| arena.purge());
}

/// What follows from a limit and use, in bytes. Pure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Plan {
    limit: usize,
    used: usize,
    /// Share of decay times, of [`WHOLE`].
    share: u32,
    /// Bytes that may be backed before the next look.
    allowance: usize,
    /// Whether everything unused is to be purged.
    purge: bool,
    /// Whether use is so far below the mark that reaching it again is news.
    calm: bool,
}

impl Plan {
    /// `ratio` in 16.16 bits.
    fn of(limit: usize, ratio: u64, used: usize) -> Plan {
        let part = |parts: u128, of: u128| ((limit as u128 * ratio as u128 * parts / of) >> 16) as usize;
        let mark = part(1, 1);
        let begin = part(70, 95);
        let share = if used >= mark {
            0
        } else if used <= begin {
            WHOLE
        } else {
            ((mark - used) as u128 * WHOLE as u128 / (mark - begin) as u128) as u32
        };
        Plan {
            limit,
            used,
            share,
            // Never so little that every other page would be a reason to look.
            allowance: (mark.saturating_sub(used) / 2).max(limit / 256).max(256 << 10),
            purge: used >= mark,
            calm: used < part(9, 10),
        }
    }
}

/// Time until a background thread is to look; `None` while memory is not short.
pub fn look_again() -> Option<Ns> {
    (FOUND.get() && pressure::share() != WHOLE).then_some(WATCHFUL)
}

/// Locks for a fork.
pub fn hold() {
    GROUP.hold();
}

/// Unlocks after a fork.
///
/// # Safety
/// As [`Mutex::unhold`].
pub unsafe fn unhold() {
    // SAFETY: by the caller's promise.
    unsafe { GROUP.unhold() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATIO: u64 = (1 << 16) * 95 / 100;
    const LIMIT: usize = 1 << 30;

    fn plan(percent: usize) -> Plan {
        Plan::of(LIMIT, RATIO, LIMIT / 100 * percent)
    }

    #[test]
    fn decay_shortens_from_seventy_percent_on_to_nothing_at_ninety_five() {
        assert_eq!([0, 50, 69].map(|percent| plan(percent).share), [WHOLE; 3]);
        assert!((WHOLE * 58 / 100..=WHOLE * 61 / 100).contains(&plan(80).share), "{:?}", plan(80));
        assert!((WHOLE * 18 / 100..=WHOLE * 21 / 100).contains(&plan(90).share));
        assert_eq!([95, 99, 200].map(|percent| plan(percent).share), [0; 3]);
    }

    #[test]
    fn everything_is_purged_at_the_mark_which_is_news_again_after_a_tenth_below() {
        assert_eq!(
            [80, 90, 94, 95, 100].map(|percent| plan(percent).purge),
            [false, false, false, true, true]
        );
        assert_eq!([80, 85, 86, 94].map(|percent| plan(percent).calm), [true, true, false, false]);
    }

    #[test]
    fn looks_come_closer_as_less_is_left() {
        assert!(plan(50).allowance > LIMIT / 5);
        assert!(plan(90).allowance < LIMIT / 30);
        assert_eq!(plan(99).allowance, LIMIT / 256);
        assert_eq!(Plan::of(0, RATIO, 5).allowance, 256 << 10);
    }
}
