//! Files and sockets that are open for a while, and that the child of a fork closes: nobody there uses them, and with them it
//! would keep the other end of a socket waiting, or the space of a file that was removed, until its end.
//!
//! Opening and closing are done under a lock that a fork takes, so that the list is what the child has. What may take long
//! to open (a pipe waits for a reader) is opened before, and listed then.

use core::mem::ManuallyDrop;

use rustix::{
    fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    io::Errno,
};

use crate::sync::{Locked, Mutex, self_id};

/// Most that are listed at once: each is of a thread that writes a file just then, or answers who asks. Further ones stay
/// open in children.
const MOST: usize = 16;

/// A descriptor that is open.
#[derive(Clone, Copy)]
struct Slot {
    /// -1 for none.
    number: RawFd,
    /// Device and number of the file behind it: a program may close what it did not open, and get the number for a file of
    /// its own.
    file: (u64, u64),
    /// Who uses it.
    thread: u32,
    /// Whether that is the thread that forks, in a signal handler. In the child it goes on.
    stays: bool,
}

const NONE: Slot = Slot { number: -1, file: (0, 0), thread: 0, stays: false };

type List = [Slot; MOST];

static OPEN: Locked<List> = Locked::new([NONE; MOST]);

fn file_behind(descriptor: BorrowedFd<'_>) -> Option<(u64, u64)> {
    rustix::fs::fstat(descriptor).ok().map(|stat| (stat.st_dev, stat.st_ino))
}

impl Slot {
    /// Whether there is none, or the program has closed it.
    fn is_free(&self) -> bool {
        // SAFETY: not -1; looked at with fstat(2), which answers an error when nothing is open there.
        self.number < 0 || unsafe { file_behind(BorrowedFd::borrow_raw(self.number)) } != Some(self.file)
    }
}

fn list(slots: &mut List, descriptor: &OwnedFd) {
    let free = slots.iter_mut().find(|slot| slot.is_free());
    if let (Some(file), Some(slot)) = (file_behind(descriptor.as_fd()), free) {
        *slot = Slot { number: descriptor.as_raw_fd(), file, thread: self_id(), stays: false };
    }
}

/// A descriptor that is closed when this is dropped, and in the child of a fork.
#[derive(Debug)]
pub struct Passing(ManuallyDrop<OwnedFd>);

impl Passing {
    /// What `open` opens, quickly: a fork waits meanwhile.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn open(open: impl FnOnce() -> Result<OwnedFd, Errno>) -> Result<Passing, Errno> {
        // A handler that interrupted this very function goes unlisted.
        let mut slots = OPEN.lock().ok();
        let descriptor = open()?;
        if let Some(slots) = &mut slots {
            list(slots, &descriptor);
        }
        Ok(Passing(ManuallyDrop::new(descriptor)))
    }

    /// One that is open already.
    pub fn of(descriptor: OwnedFd) -> Passing {
        if let Ok(mut slots) = OPEN.lock() {
            list(&mut slots, &descriptor);
        }
        Passing(ManuallyDrop::new(descriptor))
    }

    /// Leaves it open, and listed.
    pub fn leak(self) -> RawFd {
        ManuallyDrop::new(self).0.as_raw_fd()
    }
}

impl AsFd for Passing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        let mut slots = OPEN.lock().ok();
        let number = self.0.as_raw_fd();
        if let Some(slots) = &mut slots {
            slots.iter_mut().filter(|slot| slot.number == number).for_each(|slot| *slot = NONE);
        }
        // SAFETY: not used after this.
        unsafe { ManuallyDrop::drop(&mut self.0) }
    }
}

/// The lock, for a fork.
pub(crate) fn mutex() -> &'static Mutex {
    OPEN.mutex()
}

/// Before a fork, once its lock is held.
///
/// # Safety
/// 1. The caller is the thread that forks, between [`Mutex::hold_for_fork`] and [`Mutex::release_after_fork`].
pub(crate) unsafe fn before_fork() {
    let me = self_id();
    // SAFETY: (1)
    unsafe { OPEN.in_fork(|slots| slots.iter_mut().for_each(|slot| slot.stays = slot.thread == me)) }
}

/// In the child of a fork: closes what was of threads that are not there.
///
/// # Safety
/// 1. The caller is the thread that forked, between [`Mutex::hold_for_fork`] and [`Mutex::release_after_fork`].
pub(crate) unsafe fn in_child() {
    let close = |slot: &mut Slot| {
        let slot = core::mem::replace(slot, NONE);
        if !slot.is_free() {
            // SAFETY: ours, and those who used it are not here.
            drop(unsafe { OwnedFd::from_raw_fd(slot.number) });
        }
    };
    // SAFETY: (1)
    unsafe {
        OPEN.in_fork(|slots| {
            slots.iter_mut().filter(|slot| !slot.stays).for_each(close);
            slots.iter_mut().for_each(|slot| slot.thread = self_id());
        });
    }
}
