//! What outlives a thread that was sampled: its name, and whether it has ended.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering, fence};

use crate::{
    memory::{Array, Zeroed},
    name::Name,
    thread::ThreadProf,
};

/// What dumps tell about a thread.
#[derive(Default)]
struct Record {
    /// Odd while the name is being written.
    version: AtomicU32,
    exited: AtomicU32,
    name: [AtomicU64; 2],
    /// What the system called it at its first sample; never changes.
    system: [AtomicU64; 2],
}

// SAFETY: atomics only, for which zero is a value.
unsafe impl Zeroed for Record {}

/// Records of all threads that ever sampled; they stay when the thread ends. The index is the thread's uid.
pub struct Threads(Array<Record, 256>);

impl Threads {
    /// None; maps nothing.
    pub const fn new() -> Threads {
        Threads(Array::new())
    }

    /// The uid of a thread, given at its first sample; `None` when memory is out.
    #[inline]
    pub fn uid(&self, thread: &ThreadProf) -> Option<u32> {
        thread.uid().or_else(|| self.give_uid(thread))
    }

    #[cold]
    #[inline(never)]
    fn give_uid(&self, thread: &ThreadProf) -> Option<u32> {
        let (uid, made) = self.0.alloc(1)?;
        let [first, second] = &made.first()?.system;
        let words = Name::of_system().to_words();
        second.store(words[1], Ordering::Relaxed);
        // Release: who sees how the name begins sees all of it.
        first.store(words[0], Ordering::Release);
        thread.set_uid(uid);
        self.publish_name(thread);
        Some(uid)
    }

    /// Names the thread, in its record too when it has one.
    pub fn set_name(&self, thread: &ThreadProf, name: Name) {
        if thread.name() == name {
            return;
        }
        thread.set_name(name);
        self.publish_name(thread);
    }

    fn publish_name(&self, thread: &ThreadProf) {
        let Some(record) = thread.uid().and_then(|uid| self.0.get(uid)) else { return };
        // A sequence lock with one writer, the thread itself.
        let version = record.version.load(Ordering::Relaxed);
        record.version.store(version.wrapping_add(1), Ordering::Relaxed);
        fence(Ordering::Release);
        for (word, value) in record.name.iter().zip(thread.name().to_words()) {
            word.store(value, Ordering::Relaxed);
        }
        record.version.store(version.wrapping_add(2), Ordering::Release);
    }

    /// The thread ends.
    pub fn exit(&self, thread: &ThreadProf) {
        if let Some(record) = thread.uid().and_then(|uid| self.0.get(uid)) {
            record.exited.store(1, Ordering::Relaxed);
        }
    }

    /// How many uids were given.
    pub fn len(&self) -> u32 {
        self.0.len()
    }

    /// Whether the thread has ended.
    pub fn exited(&self, uid: u32) -> bool {
        self.0.get(uid).is_some_and(|record| record.exited.load(Ordering::Relaxed) != 0)
    }

    /// What the system called a thread at its first sample.
    pub fn system_name(&self, uid: u32) -> Name {
        let Some(Record { system: [first, second], .. }) = self.0.get(uid) else { return Name::default() };
        // Acquire: pairs with the release in `uid`.
        match first.load(Ordering::Acquire) {
            0 => Name::default(),
            word => Name::from_words([word, second.load(Ordering::Relaxed)]),
        }
    }

    /// The name of a thread as of now. A name that changes all the time is given up on: then it is empty.
    pub fn name(&self, uid: u32) -> Name {
        let Some(record) = self.0.get(uid) else { return Name::default() };
        for _ in 0..100 {
            let before = record.version.load(Ordering::Acquire);
            let words = record.name.each_ref().map(|word| word.load(Ordering::Relaxed));
            fence(Ordering::Acquire);
            if before.is_multiple_of(2) && record.version.load(Ordering::Relaxed) == before {
                return Name::from_words(words);
            }
            core::hint::spin_loop();
        }
        Name::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uids_count_from_zero_and_the_record_outlives_the_thread() {
        let threads = Threads::new();
        let (first, second) = (ThreadProf::new(), ThreadProf::new());
        threads.set_name(&second, Name::new(b"early").unwrap());
        assert_eq!(
            (threads.uid(&first), threads.uid(&second), threads.uid(&first)),
            (Some(0), Some(1), Some(0))
        );
        assert_eq!(threads.name(1).as_bytes(), b"early");
        threads.set_name(&second, Name::new(b"late").unwrap());
        threads.exit(&second);
        assert_eq!((threads.name(0).as_bytes(), threads.name(1).as_bytes()), (&b""[..], &b"late"[..]));
        assert_eq!((threads.exited(0), threads.exited(1)), (false, true));
    }
}
