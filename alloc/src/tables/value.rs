//! What passes through `mallctl`: values, their types, and why a call failed.

use core::ffi::c_char;

/// Why a call failed. Each is one value of `errno.h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CtlError {
    /// No such name, or an index out of range (`ENOENT`).
    NotFound,
    /// Write to a read-only name, read of a write-only one, any value for an action (`EPERM`).
    NotPermitted,
    /// A value of the wrong size, or one that makes no sense (`EINVAL`).
    Invalid,
    /// The action failed (`EFAULT`).
    Failed,
    /// Memory or another resource ran out (`EAGAIN`).
    Exhausted,
}

impl CtlError {
    /// The number that `mallctl` returns.
    pub fn errno(self) -> i32 {
        match self {
            CtlError::NotFound => libc::ENOENT,
            CtlError::NotPermitted => libc::EPERM,
            CtlError::Invalid => libc::EINVAL,
            CtlError::Failed => libc::EFAULT,
            CtlError::Exhausted => libc::EAGAIN,
        }
    }
}

/// Type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// No value: an action.
    Void,
    /// `bool`
    Bool,
    /// `unsigned`
    Unsigned,
    /// `uint32_t`
    U32,
    /// `uint64_t`
    U64,
    /// `int64_t`
    I64,
    /// `size_t`
    Size,
    /// `ssize_t`
    SSize,
    /// `double`
    Double,
    /// `const char *`
    Text,
    /// `uint64_t *`
    U64Ptr,
    /// `size_t *`
    SizePtr,
    /// A pointer to something else.
    Pointer,
    /// A structure of so many bytes.
    Struct(usize),
}

impl Type {
    /// Its name in C.
    pub fn c_name(self) -> &'static str {
        match self {
            Type::Void => "void",
            Type::Bool => "bool",
            Type::Unsigned => "unsigned",
            Type::U32 => "uint32_t",
            Type::U64 => "uint64_t",
            Type::I64 => "int64_t",
            Type::Size => "size_t",
            Type::SSize => "ssize_t",
            Type::Double => "double",
            Type::Text => "const char *",
            Type::U64Ptr => "uint64_t *",
            Type::SizePtr => "size_t *",
            Type::Pointer => "void *",
            Type::Struct(_) => "struct",
        }
    }

    /// `sizeof`.
    pub fn size(self) -> usize {
        match self {
            Type::Void => 0,
            Type::Bool => 1,
            Type::Unsigned | Type::U32 => 4,
            Type::Struct(bytes) => bytes,
            _ => 8,
        }
    }
}

/// A value in transit: its bits, of which [`Type::size`] bytes count (little endian, as both targets are).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value(pub u64);

impl From<bool> for Value {
    fn from(value: bool) -> Value {
        Value(value as u64)
    }
}

impl From<*const c_char> for Value {
    fn from(value: *const c_char) -> Value {
        Value(value.expose_provenance() as u64)
    }
}

impl Value {
    /// As a C string pointer.
    pub fn text(self) -> *const c_char {
        core::ptr::with_exposed_provenance(self.0 as usize)
    }
}

/// Index that stands for all arenas.
pub const ARENAS_ALL: usize = 4096;
/// Index that stands for all arenas that were destroyed.
pub const ARENAS_DESTROYED: usize = 4097;
