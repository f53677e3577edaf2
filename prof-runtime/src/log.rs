//! The log of sampled objects that were freed while it was on (`prof.log_start`, `prof.log_stop`). Kept in memory until it
//! stops; a lock is taken per free of a sampled object, and only while it is on.

use core::sync::atomic::{AtomicBool, Ordering};

use prof_format::sample_log;

use crate::{
    deque::Deque,
    dump::{names::Text, tables::Tables},
    memory::{Plain, Rows},
    numbering::Numbering,
    recent::Death,
    stack_table::StackId,
    sync::{Locked, Mutex},
};

/// A freed object.
#[derive(Clone, Copy)]
pub struct Freed {
    /// Usable bytes.
    pub usize_: u64,
    /// When it was allocated.
    pub nanos: u64,
    /// Its end.
    pub death: Death,
    /// Stack of the allocation.
    pub stack: StackId,
    /// Thread of the allocation.
    pub thread: u32,
}

/// Freed objects; as stored. Zeros are never read: a number has a value as soon as it exists.
#[derive(Clone, Copy)]
struct Stored {
    usize_: u64,
    nanos: u64,
    death_nanos: u64,
    stack: u32,
    thread: u32,
    death_stack: u32,
    death_thread: u32,
}

// SAFETY: numbers only, nothing to drop.
unsafe impl Plain for Stored {}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Stopped,
    Started,
    /// Being written.
    Stopping,
}

/// Where a log goes.
pub struct Target {
    /// A whole name, or its start.
    pub name: Rows<Text>,
    /// Whether the profiler makes the rest of it.
    pub made: bool,
}

struct State {
    phase: Phase,
    /// Counts logs with names of the profiler's.
    made: u64,
    /// Of the log that is kept.
    taken: Taken,
}

/// See the module's head.
pub struct Log {
    on: AtomicBool,
    state: Locked<State>,
}

/// A log, whole or growing.
pub struct Taken {
    rows: Deque<Stored>,
    /// When it began.
    pub since_nanos: u64,
    /// Where it goes; `None` before the first.
    pub target: Option<Target>,
    /// Number of the name, if it is the profiler's.
    pub nth: u64,
}

impl Taken {
    const fn new() -> Taken {
        Taken { rows: Deque::new(), since_nanos: 0, target: None, nth: 0 }
    }
}

impl Log {
    /// Off.
    pub const fn new() -> Log {
        let state = State { phase: Phase::Stopped, made: 0, taken: Taken::new() };
        Log { on: AtomicBool::new(false), state: Locked::new(state) }
    }

    /// Whether frees are to be told to [`Log::push`].
    pub fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Begins, at the time `nanos`; false when it was on already.
    pub fn start(&self, nanos: u64, target: Target) -> bool {
        let Ok(mut state) = self.state.lock() else { return false };
        if state.phase != Phase::Stopped {
            return false;
        }
        let nth = state.made;
        state.made += u64::from(target.made);
        state.phase = Phase::Started;
        state.taken = Taken { since_nanos: nanos, target: Some(target), nth, ..Taken::new() };
        self.on.store(true, Ordering::Relaxed);
        true
    }

    /// Logs a free. Lost when memory is out.
    pub fn push(&self, freed: &Freed) {
        let Ok(mut state) = self.state.lock() else { return };
        if state.phase == Phase::Started {
            let _ = state.taken.rows.push(Stored {
                usize_: freed.usize_,
                nanos: freed.nanos,
                death_nanos: freed.death.nanos,
                stack: freed.stack.to_bits(),
                thread: freed.thread,
                death_stack: freed.death.stack.to_bits(),
                death_thread: freed.death.thread,
            });
        }
    }

    /// Ends it and hands out what was logged, to be written; then comes [`Log::stopped`]. `None` when it is off.
    pub fn stop(&self) -> Option<Taken> {
        let mut state = self.state.lock().ok()?;
        if state.phase != Phase::Started {
            return None;
        }
        state.phase = Phase::Stopping;
        self.on.store(false, Ordering::Relaxed);
        Some(core::mem::replace(&mut state.taken, Taken::new()))
    }

    /// It was written, or could not be: then it goes on, with all that it had.
    pub fn stopped(&self, taken: Taken, written: bool) {
        let Ok(mut state) = self.state.lock() else { return };
        if written {
            state.phase = Phase::Stopped;
            // Unmapping a long log takes a while.
            drop(state);
            drop(taken);
        } else {
            (state.phase, state.taken) = (Phase::Started, taken);
            self.on.store(true, Ordering::Relaxed);
        }
    }

    /// For a fork.
    pub fn mutex(&self) -> &Mutex {
        self.state.mutex()
    }

    /// In the child of a fork: a thread that was writing the log does not exist here, nor does what it took.
    pub fn forget_writer(&self) {
        if let Ok(mut state) = self.state.lock()
            && state.phase == Phase::Stopping
        {
            state.phase = Phase::Stopped;
        }
    }
}

/// A log with its threads and stacks in the order of their first appearance.
pub struct Listed<'a> {
    tables: &'a Tables<'a>,
    rows: &'a Deque<Stored>,
    thread_numbers: Numbering,
    threads: Rows<u32>,
    stack_numbers: Numbering,
    stacks: Rows<u32>,
}

impl<'a> Listed<'a> {
    /// Lists them; `None` when memory is out.
    pub fn of(taken: &'a Taken, tables: &'a Tables<'a>) -> Option<Listed<'a>> {
        let (threads, words) = (tables.threads.len() as usize, tables.stacks.words() as usize + 1);
        let mut listed = Listed {
            tables,
            thread_numbers: Numbering::new(threads)?,
            threads: Rows::new(threads)?,
            stack_numbers: Numbering::new(words)?,
            stacks: Rows::new(words)?,
            rows: &taken.rows,
        };
        for number in 0..listed.rows.len() {
            let row = listed.rows.get(number)?;
            for uid in [row.thread, row.death_thread] {
                if listed.thread_numbers.of(uid, listed.threads.len())?.1 {
                    listed.threads.push(uid)?;
                }
            }
            for stack in [row.stack, row.death_stack] {
                if listed.stack_numbers.of(stack, listed.stacks.len())?.1 {
                    listed.stacks.push(stack)?;
                }
            }
        }
        Some(listed)
    }
}

impl sample_log::Log for Listed<'_> {
    fn threads(&self) -> usize {
        self.threads.len()
    }

    fn thread(&self, index: usize, name: &mut [u8; 16]) -> (u64, usize) {
        let uid = self.threads.get(index).copied().unwrap_or(0);
        let known = self.tables.threads.name(uid);
        let bytes = known.as_bytes();
        name[..bytes.len()].copy_from_slice(bytes);
        (uid.into(), bytes.len())
    }

    fn stacks(&self) -> usize {
        self.stacks.len()
    }

    fn stack(&self, index: usize, trace: &mut [u64]) -> usize {
        let stack = self.stacks.get(index).and_then(|bits| StackId::from_bits(*bits));
        stack.map_or(0, |stack| self.tables.trace(stack, trace))
    }

    fn rows(&self) -> usize {
        self.rows.len() as usize
    }

    fn row(&self, index: usize) -> sample_log::Row {
        let Some(row) = self.rows.get(index as u64) else { return sample_log::Row::default() };
        let number = |numbers: &Numbering, id: u32| numbers.known(id).unwrap_or(0).into();
        sample_log::Row {
            alloc_thread: number(&self.thread_numbers, row.thread),
            free_thread: number(&self.thread_numbers, row.death_thread),
            alloc_trace: number(&self.stack_numbers, row.stack),
            free_trace: number(&self.stack_numbers, row.death_stack),
            alloc_nanos: row.nanos,
            free_nanos: row.death_nanos,
            usize_: row.usize_,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{context::Contexts, stack_table::StackTable, threads::Threads, unwind::cache::RuleCache};
    use crate::{labels::Labels, live::Live};
    use prof_format::sample_log::{Log as _, Row};

    fn target(made: bool) -> Target {
        Target { name: Rows::zeroed(1).unwrap(), made }
    }

    #[test]
    fn a_log_is_kept_until_it_is_written_and_its_names_are_counted() {
        let log = Log::new();
        assert!(!log.is_on() && log.stop().is_none());
        assert!(log.start(5, target(true)) && !log.start(6, target(true)));
        let taken = log.stop().unwrap();
        assert_eq!((taken.since_nanos, taken.nth, log.is_on()), (5, 0, false));
        assert!(!log.start(7, target(true)), "it is being written");
        log.stopped(taken, false);
        assert!(log.is_on(), "what could not be written goes on");
        log.stopped(log.stop().unwrap(), true);
        assert!(log.start(8, target(false)));
        log.stopped(log.stop().unwrap(), true);
        assert!(log.start(9, target(true)));
        let of_the_parent = log.stop().unwrap();
        assert_eq!(of_the_parent.nth, 1);
        log.forget_writer();
        assert!(log.start(10, target(true)), "in a forked child nobody writes it");
        log.forget_writer();
        assert!(log.is_on() && log.stop().is_some(), "what began since goes on");
    }

    #[test]
    fn threads_and_stacks_are_listed_in_the_order_of_their_first_appearance() {
        let (stacks, threads) = (StackTable::new(), Threads::new());
        let ids: [_; 3] = core::array::from_fn(|n| stacks.intern(&[n as u32, 5], false).unwrap());
        let allocating: [_; 3] = core::array::from_fn(|_| crate::ThreadProf::new());
        assert!(allocating.iter().all(|thread| threads.uid(thread).is_some()));
        let log = Log::new();
        log.start(0, target(false));
        let freed = |thread, stack, by, end, usize_| {
            log.push(&Freed {
                usize_,
                nanos: 1,
                death: Death { thread: by, stack: end, nanos: 2 },
                stack,
                thread,
            });
        };
        freed(2, ids[1], 0, ids[2], 16);
        freed(0, ids[2], 1, ids[0], 32);
        let taken = log.stop().unwrap();
        let (addresses, contexts) = (RuleCache::new(), Contexts::new());
        let (addresses, contexts, stacks, threads) = (&addresses, &contexts, &stacks, &threads);
        let (labels, live) = (&Labels::new(), &Live::new());
        let (generation, accum, now_nanos, truncated) = (1, false, 0, 0);
        let tables = Tables {
            addresses,
            contexts,
            stacks,
            threads,
            labels,
            live,
            generation,
            accum,
            now_nanos,
            truncated,
            fullness: None,
            marks: None,
        };
        let listed = Listed::of(&taken, &tables).unwrap();
        assert_eq!((&*listed.threads, listed.stacks()), (&[2, 0, 1][..], 3));
        assert_eq!(*listed.stacks, [ids[1], ids[2], ids[0]].map(StackId::to_bits));
        let row = Row {
            alloc_thread: 1,
            free_thread: 2,
            alloc_trace: 1,
            free_trace: 2,
            alloc_nanos: 1,
            free_nanos: 2,
            usize_: 32,
        };
        assert_eq!(listed.row(1), row);
    }
}
