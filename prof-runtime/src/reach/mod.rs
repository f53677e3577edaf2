//! Which living objects the program can still reach, as LeakSanitizer finds it out: what leads to an object is any aligned word
//! that holds an address inside of it, in the program's data, its stacks and registers, memory that it mapped, or an object that is reached itself.
//!
//! One call is [`mark`]: other threads are stopped as far as they let themselves be stopped ([`threads`]); the living are
//! listed by address ([`objects`]); [`roots`] hands over the words that everything begins with, read so that no fault is
//! possible ([`memory`]); what they lead to is followed with a list of what is still to be read. Nothing is allocated but
//! mappings of our own, and no lock is taken: a stopped thread may hold any.
//!
//! What an address is to lead to is the whole of the object, its slack included: a `realloc` within it is not told to the
//! profiler. One past the end leads nowhere, but for objects of 8 bytes: `new T[0]` with a destructor answers the end of one.
//!
//! Cost: one read of all that is written to by the program, and a search of about 30 ns for each word that may be an
//! address; 41 bytes for each object meanwhile.

mod memory;
mod objects;
mod roots;
mod threads;

use self::{
    memory::{Reader, Span},
    objects::Objects,
};
pub use self::{roots::Host, threads::Ended};
use crate::{
    arch,
    live::{Live, SampleRef},
    memory::Rows,
};
use prof_format::snapshot::Leak;

/// What is known of an object. Greater ones are final: a pass raises what it finds to its own number.
type State = u8;
const UNSEEN: State = 0;
/// Met in the first pass over what is lost.
const MET: State = 1;
/// Led to by another lost object.
const INDIRECT: State = 2;
const REACHED: State = 3;
const DIRECT: State = 4;

/// Why nothing is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// No memory for the tables.
    OutOfMemory,
    /// The kernel does not let the process read its own memory or its list of mappings.
    Unreadable,
}

/// What became of all objects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sums {
    /// How many were looked at.
    pub objects: u64,
    /// Those that nothing leads to, and their usable bytes.
    pub direct: (u64, u64),
    /// Those that only such objects lead to.
    pub indirect: (u64, u64),
    /// Threads that did not stop: their registers were not seen.
    pub running: u64,
}

/// What was found out.
pub struct Marks {
    objects: Objects,
    states: Rows<State>,
    /// Sums over all.
    pub sums: Sums,
}

impl Marks {
    /// How a sampled object at an address is lost; `None` when it is reached, or was not there yet.
    pub fn of(&self, sample: SampleRef, object: usize) -> Option<Leak> {
        let index = self.objects.at(object, sample)?;
        leak(*self.states.get(index)?)
    }
}

fn leak(state: State) -> Option<Leak> {
    match state {
        DIRECT => Some(Leak::Direct),
        INDIRECT => Some(Leak::Indirect),
        _ => None,
    }
}

/// Room for objects of threads that go on, beside a quarter of all.
const SPARE: usize = 1 << 16;

/// Finds out what is reached now. `sp` is the lowest address of the calling thread's stack that counts: what lies below are
/// our own frames.
pub fn mark(live: &Live, host: &Host, ended: &Ended, sp: usize) -> Result<Marks, Unknown> {
    let mut reader = Reader::new().ok_or(Unknown::OutOfMemory)?;
    if !reader.can_read(sp) {
        return Err(Unknown::Unreadable);
    }
    let mut roots = roots::Roots::new(host).ok_or(Unknown::OutOfMemory)?;
    let stopped = threads::Stopped::now().ok_or(Unknown::OutOfMemory)?;
    // Not before: what is born meanwhile would have no room, and what only that leads to would be lost. Mappings take no lock
    // that a stopped thread may hold.
    let most = live.most() as usize;
    let room = if stopped.running() == 0 { most } else { most + most / 4 + SPARE };
    let objects = Objects::with_room(room).ok_or(Unknown::OutOfMemory)?;
    let work = Rows::new(room).ok_or(Unknown::OutOfMemory)?;
    let leaders = Rows::new(room).ok_or(Unknown::OutOfMemory)?;
    let states = Rows::zeroed(room).ok_or(Unknown::OutOfMemory)?;
    let objects = objects.fill(live).ok_or(Unknown::OutOfMemory)?;
    let mut marking = Marking { objects, states, work, leaders };
    let own = threads::Place { sp, thread_pointer: arch::thread_pointer() };
    let read = roots.each_word(&mut reader, &stopped, own, ended, &mut |word| marking.lead(word, REACHED));
    marking.follow(&mut reader, REACHED);
    marking.lost(&mut reader);
    let running = stopped.running();
    drop(stopped);
    if !read {
        return Err(Unknown::Unreadable);
    }
    let mut sums = Sums { objects: marking.objects.len() as u64, running, ..Sums::default() };
    for (object, state) in marking.objects.iter().zip(marking.states.iter()) {
        let sum = match leak(*state) {
            Some(Leak::Direct) => &mut sums.direct,
            Some(Leak::Indirect) => &mut sums.indirect,
            None => continue,
        };
        *sum = (sum.0 + 1, sum.1 + object.bytes() as u64);
    }
    Ok(Marks { objects: marking.objects, states: marking.states, sums })
}

/// Objects that are read by one system call.
const BATCH: usize = 128;

struct Marking {
    objects: Objects,
    states: Rows<State>,
    /// Objects that are still to be read. Each pass enters an object once.
    work: Rows<u32>,
    /// Objects with which the first pass over what is lost began.
    leaders: Rows<u32>,
}

impl Marking {
    /// A word was found by the pass that makes `state` of what it finds.
    #[inline]
    fn lead(&mut self, word: usize, state: State) {
        for index in self.objects.led_to(word).into_iter().flatten() {
            self.enter(index, state);
        }
    }

    #[inline]
    fn enter(&mut self, index: usize, state: State) {
        if let Some(known) = self.states.get_mut(index)
            && *known < state
        {
            *known = state;
            // There is room: see `work`.
            let _ = self.work.push(index as u32);
        }
    }

    /// Reads objects until there is none left to be read.
    fn follow(&mut self, reader: &mut Reader, state: State) {
        let mut batch = [Span::default(); BATCH];
        while !self.work.is_empty() {
            let (mut count, mut bytes) = (0, 0);
            while let Some(&index) = self.work.last()
                && let Some(slot) = batch.get_mut(count)
            {
                let span = self.objects.get(index as usize).map_or(Span::default(), |object| object.words());
                if count != 0 && bytes + span.bytes() > reader.room() {
                    break;
                }
                self.work.truncate(self.work.len() - 1);
                (*slot, bytes, count) = (span, bytes + span.bytes(), count + 1);
            }
            let Some(spans) = batch.get_mut(..count) else { return };
            reader.each_word(spans, |word| self.lead(word, state));
        }
    }

    /// Tells those that nothing leads to from those that others of them lead to.
    ///
    /// Of objects that lead to each other in a circle one counts as direct, the one with the lowest address, unless something outside of the circle
    /// leads to it. The first pass enters everything lost, from each object that was not met before. So in every circle that nothing
    /// leads to, exactly one object is such a beginning; of the other beginnings each is led to from one that came later. The
    /// second pass takes the beginnings from the last to the first: what is then not met yet is direct.
    fn lost(&mut self, reader: &mut Reader) {
        for index in 0..self.objects.len() {
            if self.states.get(index) == Some(&UNSEEN) {
                let _ = self.leaders.push(index as u32);
                self.enter(index, MET);
                self.follow(reader, MET);
            }
        }
        while let Some(&leader) = self.leaders.last() {
            self.leaders.truncate(self.leaders.len() - 1);
            let index = leader as usize;
            if self.states.get(index) == Some(&MET) {
                self.enter(index, DIRECT);
                self.follow(reader, INDIRECT);
            }
        }
    }
}

#[cfg(test)]
mod tests;
