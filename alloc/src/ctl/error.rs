//! Errors of the typed interface, as `tikv-jemalloc-ctl` has them.

use core::fmt;
use core::num::NonZeroI32;

use crate::tables::value::CtlError;

/// What a call of `mallctl` failed with: a value of `errno.h`.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Error(NonZeroI32);

/// Result of the typed interface.
pub type Result<T> = core::result::Result<T, Error>;

impl Error {
    /// The number, as in `errno.h`.
    pub fn code(self) -> i32 {
        self.0.get()
    }
}

impl From<CtlError> for Error {
    fn from(error: CtlError) -> Error {
        // Every variant stands for an error number, none of which is 0.
        Error(NonZeroI32::new(error.errno()).unwrap_or(NonZeroI32::MIN))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.code() {
            libc::ENOENT => "no such name, or an index that does not exist",
            libc::EPERM => "the name cannot be used in this way: it is only read, only written, or acts",
            libc::EINVAL => "a value of the wrong size, or one that makes no sense",
            libc::EFAULT => "the action failed",
            libc::EAGAIN => "memory or another resource ran out",
            code => return write!(f, "error {code}"),
        })
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for Error {}
