//! Descriptors that are open for a few system calls.
//!
//! A program may close all numbers that it finds while one of ours is open, so closing finds nothing there now and then. Those
//! that rustix closes take that for a mistake: with debug assertions they panic, which nothing inside of an allocator may.
//!
//! A program that within these few calls both closes the number and gets it for a file of its own has that closed. What is open
//! for longer is looked at first: [`crate::descriptors`].

use core::{ffi::CStr, mem::ManuallyDrop};

use rustix::{
    fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd},
    fs::{CWD, Mode, OFlags},
    io::Errno,
};

/// A descriptor that is closed when this is dropped, if it still is open.
#[derive(Debug)]
pub struct Fleeting(ManuallyDrop<OwnedFd>);

impl Fleeting {
    /// Opens a file or folder for reading; children that execute another program do not get it. One system call.
    ///
    /// # Errors
    /// Those of openat(2).
    pub fn open(path: &CStr) -> Result<Fleeting, Errno> {
        Fleeting::open_in(CWD, path)
    }

    /// The same in a folder.
    ///
    /// # Errors
    /// Those of openat(2).
    pub fn open_in(folder: impl AsFd, path: &CStr) -> Result<Fleeting, Errno> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC;
        rustix::fs::openat(folder, path, flags, Mode::empty()).map(Fleeting::of)
    }

    /// One that is open already.
    pub fn of(descriptor: OwnedFd) -> Fleeting {
        Fleeting(ManuallyDrop::new(descriptor))
    }
}

impl AsFd for Fleeting {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

impl Drop for Fleeting {
    fn drop(&mut self) {
        // SAFETY: it was open, and nothing uses the number after this. Where the program has closed it, the kernel says so.
        let _ = unsafe { rustix::io::try_close(self.0.as_raw_fd()) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_program_has_closed_is_not_missed() {
        let file = rustix::fs::open(c"/dev/null", OFlags::RDONLY, Mode::empty()).unwrap();
        // Where no other test gets the number meanwhile.
        let file = Fleeting::of(rustix::io::fcntl_dupfd_cloexec(file, 900).unwrap());
        // SAFETY: a number only, which nothing uses after this but to close it.
        assert_eq!(unsafe { libc::close(file.as_fd().as_raw_fd()) }, 0);
        drop(file);
    }
}
