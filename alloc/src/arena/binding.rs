//! Which thread uses which arena.

use core::sync::atomic::*;

use super::choice::{Candidate, PerCpu, choose};
use super::{Arena, making, settings, table};
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
    if per_cpu() != 0
        || table::automatic_indices().any(|index| settings::thread_limit(ArenaInd(index)).is_some())
    {
        return bind_exactly();
    }
    // Automatic arenas never end, so any choice will do, and the counts are right soon.
    loop {
        let lock = table::LOCK.lock_unless_stuck();
        let Some(mut index) = choose(candidates(making::open_indices())) else { break };
        if let Some(arena) = table::get(ArenaInd(index)) {
            match (arena.bound_threads() != 0).then(making::missing).flatten() {
                // Who makes it may have lost its processor: all that start meanwhile would share the others, for their lives.
                Some(missing) => index = missing,
                None => {
                    // With the lock, where there is one: the next thread counts this one.
                    arena.nthreads.fetch_add(1, Ordering::Relaxed);
                    return Some(arena);
                }
            }
        } else if !making::claim(index) {
            continue;
        }
        drop(lock);
        match making::make_bound(index) {
            Some(arena) => return Some(arena),
            None if table::get(ArenaInd(index)).is_some() => {}
            None => break,
        }
    }
    bind_exactly()
}

/// By processor, or up to limits, which a thread that is not counted yet would break.
fn bind_exactly() -> Option<&'static Arena> {
    let mut retired = table::LOCK.lock();
    let index = of_this_processor().or_else(|| choose(candidates(table::automatic_indices())))?;
    // Without memory for another arena, share the first.
    let arena = table::make(&mut retired, ArenaInd(index)).or_else(|| table::get(ArenaInd(0)))?;
    arena.nthreads.fetch_add(1, Ordering::Relaxed);
    Some(arena)
}

fn candidates(indices: impl Iterator<Item = u32> + Clone) -> impl Iterator<Item = Candidate> + Clone {
    indices.map(|index| Candidate {
        index,
        threads: table::get(ArenaInd(index)).map(|arena| arena.bound_threads()),
        limit: settings::thread_limit(ArenaInd(index)),
    })
}

/// Moves a thread from one arena to another; `false` when that is just being destroyed.
pub fn rebind(from: &Arena, to: &Arena) -> bool {
    let _lock = table::LOCK.lock();
    if to.is_dying() {
        return false;
    }
    from.nthreads.fetch_sub(1, Ordering::Release);
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
    // Release: who ends the arena then finds what the thread has told it.
    arena.nthreads.fetch_sub(1, Ordering::Release);
}

/// Whether threads may be bound to an arena by a program: not to those of the processors.
pub fn may_choose(index: u32) -> bool {
    index >= per_cpu() || !table::is_automatic(index)
}
