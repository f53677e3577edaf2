//! Which thread uses which arena.

use core::sync::atomic::*;

use super::choice::{Candidate, PerCpu, choose};
use super::table::{self, Retired};
use super::{Arena, settings};
use crate::os::cpu;
use crate::relaxed::Relaxed;
use crate::units::ArenaInd;

/// Arenas that processors are mapped to; 0 while threads are not bound by processor.
static PER_CPU: AtomicU32 = AtomicU32::new(0);

/// Binds threads to the arena of the processor that they run on, among the first `arenas`. Called once, at start.
pub fn by_processor(arenas: u32) {
    PER_CPU.set(arenas);
}

/// Arenas that processors are mapped to: the first so many, which programs cannot bind threads to. 0 for none.
#[inline]
pub fn per_cpu() -> u32 {
    PER_CPU.get()
}

fn of_this_processor() -> Option<u32> {
    (per_cpu() != 0).then(|| PerCpu::arena_of(cpu::current(), per_cpu()))
}

/// Binds a new thread to an arena; see [`choose`]. `None` when memory has run out.
pub fn bind() -> Option<&'static Arena> {
    let candidates = table::automatic_indices().map(|index| Candidate {
        index,
        threads: table::get(ArenaInd(index)).map(|arena| arena.bound_threads()),
        limit: settings::thread_limit(ArenaInd(index)),
    });
    // With all arenas made and none limited, any choice will do: they never end, and the counts are right soon.
    let is_free = per_cpu() == 0
        && candidates.clone().all(|candidate| candidate.threads.is_some() && candidate.limit.is_none());
    let mut lock = if is_free { table::LOCK.lock_unless_stuck() } else { Some(table::LOCK.lock()) };
    let arena = match &mut lock {
        Some(retired) => make(retired, candidates)?,
        None => table::get(ArenaInd(choose(candidates)?))?,
    };
    // With the lock, where there is one: the next thread counts this one.
    arena.nthreads.fetch_add(1, Ordering::Relaxed);
    Some(arena)
}

fn make(
    retired: &mut Retired,
    candidates: impl Iterator<Item = Candidate> + Clone,
) -> Option<&'static Arena> {
    let index = of_this_processor().or_else(|| choose(candidates))?;
    // Without memory for another arena, share the first.
    table::make(retired, ArenaInd(index)).or_else(|| table::get(ArenaInd(0)))
}

/// Moves a thread from one arena to another; `false` when that is just being destroyed.
pub fn rebind(from: &Arena, to: &Arena) -> bool {
    let _lock = table::LOCK.lock();
    if to.is_dying() {
        return false;
    }
    from.nthreads.fetch_sub(1, Ordering::Relaxed);
    to.nthreads.fetch_add(1, Ordering::Relaxed);
    true
}

/// The arena of the processor that a thread bound to `from` runs on, when that is another one: the thread is bound to it
/// now. Threads that a program bound to an arena of its own stay there.
#[cold]
pub fn follow_processor(from: &Arena) -> Option<&'static Arena> {
    let index = of_this_processor()?;
    if index == from.index().0 || from.index().0 >= per_cpu() {
        return None;
    }
    let to = table::get_or_make(ArenaInd(index))?;
    // Automatic arenas are never destroyed, so the lock is not needed.
    from.nthreads.fetch_sub(1, Ordering::Relaxed);
    to.nthreads.fetch_add(1, Ordering::Relaxed);
    Some(to)
}

/// Undoes [`bind`] at thread exit.
pub fn unbind(arena: &Arena) {
    arena.nthreads.fetch_sub(1, Ordering::Relaxed);
}

/// Whether threads may be bound to an arena by a program: not to those of the processors.
pub fn may_choose(index: u32) -> bool {
    index >= per_cpu() || !table::is_automatic(index)
}
