//! Files and sockets that are open for a while, and that the child of a fork closes: nobody there uses them, and with them it
//! would keep the other end of a socket waiting, or the space of a file that was removed, until its end.
//!
//! Opening and closing are done under a lock that a fork takes, so that the list is what the child has. What may take long
//! to open (a pipe waits for a reader) is opened before, and listed then.
//!
//! A program may close what it did not open (all numbers from 3 on, before it becomes a daemon), and get one of these numbers
//! for a file of its own. So before a number is used that is open for long, and before it is closed, the file behind it is
//! compared with the one that was opened.

use core::mem::ManuallyDrop;

use rustix::{
    fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd},
    io::Errno,
};

use crate::fleeting::Fleeting;
use crate::sync::{Locked, Mutex, self_id};

/// Most that are listed at once: each is of a thread that writes a file just then, or answers who asks. Further ones stay
/// open in children.
const MOST: usize = 16;

/// What tells files apart, among those that exist at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileId {
    /// The device.
    pub device: u64,
    /// The number of the inode on it.
    pub inode: u64,
}

impl FileId {
    /// Of the file behind a number; `None` where nothing is open.
    pub fn behind(descriptor: BorrowedFd<'_>) -> Option<FileId> {
        rustix::fs::fstat(descriptor).ok().map(|stat| FileId { device: stat.st_dev, inode: stat.st_ino })
    }
}

/// A descriptor that is open.
#[derive(Clone, Copy)]
struct Slot {
    /// -1 for none.
    number: RawFd,
    /// The file that was opened.
    file: FileId,
    /// Who uses it.
    thread: u32,
    /// Whether that is the thread that forks, in a signal handler. In the child it goes on.
    stays: bool,
}

const NONE: Slot = Slot { number: -1, file: FileId { device: 0, inode: 0 }, thread: 0, stays: false };

type List = [Slot; MOST];

static OPEN: Locked<List> = Locked::new([NONE; MOST]);

impl Slot {
    /// Whether there is none, or the program has closed it.
    fn is_free(&self) -> bool {
        // SAFETY: not -1; looked at with fstat(2), which answers an error when nothing is open there.
        self.number < 0 || unsafe { FileId::behind(BorrowedFd::borrow_raw(self.number)) } != Some(self.file)
    }
}

/// A descriptor that is closed when this is dropped, and in the child of a fork.
#[derive(Debug)]
pub struct Passing {
    descriptor: ManuallyDrop<Fleeting>,
    /// The file that was opened; `None` where the kernel does not tell.
    file: Option<FileId>,
}

impl Passing {
    /// What `open` opens, quickly: a fork waits meanwhile.
    ///
    /// # Errors
    /// Those of `open`.
    pub fn open(open: impl FnOnce() -> Result<OwnedFd, Errno>) -> Result<Passing, Errno> {
        // A handler that interrupted this very function goes unlisted.
        let mut slots = OPEN.lock().ok();
        let passing = Passing::unlisted(open()?);
        if let Some(slots) = &mut slots {
            passing.list(slots);
        }
        Ok(passing)
    }

    /// One that is open already.
    pub fn of(descriptor: OwnedFd) -> Passing {
        let passing = Passing::unlisted(descriptor);
        if let Ok(mut slots) = OPEN.lock() {
            passing.list(&mut slots);
        }
        passing
    }

    fn unlisted(descriptor: OwnedFd) -> Passing {
        Passing {
            file: FileId::behind(descriptor.as_fd()),
            descriptor: ManuallyDrop::new(Fleeting::of(descriptor)),
        }
    }

    fn list(&self, slots: &mut List) {
        let free = slots.iter_mut().find(|slot| slot.is_free());
        if let (Some(file), Some(slot)) = (self.file, free) {
            *slot =
                Slot { number: self.descriptor.as_fd().as_raw_fd(), file, thread: self_id(), stays: false };
        }
    }

    /// The descriptor, unless its number belongs to something else by now. One system call.
    ///
    /// # Errors
    /// `EBADF`, as for a number that was closed.
    pub fn ours(&self) -> Result<BorrowedFd<'_>, Errno> {
        let descriptor = self.descriptor.as_fd();
        if FileId::behind(descriptor) == self.file { Ok(descriptor) } else { Err(Errno::BADF) }
    }

    /// The file that was opened; `None` where the kernel does not tell.
    pub fn file(&self) -> Option<FileId> {
        self.file
    }

    /// Leaves it open, and listed.
    pub fn leak(self) -> RawFd {
        ManuallyDrop::new(self).descriptor.as_fd().as_raw_fd()
    }
}

impl AsFd for Passing {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        let mut slots = OPEN.lock().ok();
        let number = self.descriptor.as_fd().as_raw_fd();
        if let Some(slots) = &mut slots {
            let is_this = |slot: &&mut Slot| slot.number == number && Some(slot.file) == self.file;
            slots.iter_mut().filter(is_this).for_each(|slot| *slot = NONE);
        }
        if self.ours().is_ok() {
            // SAFETY: not used after this.
            unsafe { ManuallyDrop::drop(&mut self.descriptor) }
        }
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
            drop(Fleeting::of(unsafe { OwnedFd::from_raw_fd(slot.number) }));
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

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{Mode, OFlags};

    fn file(path: &str) -> OwnedFd {
        rustix::fs::open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty()).unwrap()
    }

    fn open() -> Passing {
        Passing::open(|| Ok(file("/dev/null"))).unwrap()
    }

    /// Another file of the program's under a number.
    fn take_over(number: RawFd) -> OwnedFd {
        let other = file("/dev/zero");
        // SAFETY: numbers only; what was open there is closed.
        assert_eq!(unsafe { libc::dup2(other.as_raw_fd(), number) }, number);
        // SAFETY: open, and nobody else's: a `Passing` does not close what it did not open.
        unsafe { OwnedFd::from_raw_fd(number) }
    }

    #[test]
    fn a_number_that_the_program_took_meanwhile_is_neither_used_nor_closed() {
        let passing = open();
        assert!(passing.ours().is_ok());
        let taken = take_over(passing.as_fd().as_raw_fd());
        assert_eq!(passing.ours().unwrap_err(), Errno::BADF);
        drop(passing);
        assert_eq!(FileId::behind(taken.as_fd()), FileId::behind(file("/dev/zero").as_fd()));
    }

    /// The list is looked through by number; one that is used again stands in it for another thread's file.
    #[test]
    fn what_was_closed_takes_no_other_off_the_list() {
        let first = open();
        let number = first.as_fd().as_raw_fd();
        let second = Passing::of(take_over(number));
        let is_listed = || {
            OPEN.lock()
                .unwrap()
                .iter()
                .any(|slot| (slot.number, slot.thread) == (number, self_id()) && !slot.is_free())
        };
        drop(first);
        assert!(is_listed());
        drop(second);
        assert!(!is_listed());
    }
}
