//! Leaves of the `mallctl` tree that are neither options nor metrics: one row each, in one file per branch.

pub mod activity;
pub mod arena;
pub mod arenas;
pub mod background;
pub mod cgroup;
pub mod conf;
pub mod config;
pub mod experimental;
pub mod hooks;
pub mod pages;
#[cfg(feature = "prof")]
pub mod prof;
#[cfg(feature = "prof")]
pub mod recent;
pub mod root;
#[cfg(feature = "prof")]
mod sample_hooks;
pub mod tcache;
pub mod thread;

use core::ffi::c_void;

use crate::tables::tree::Node;
use crate::tables::value::{CtlError, Type, Value};
use crate::thread::block::Block;
use crate::thread::start;

/// Reads the value; the MIB holds the indices of the path.
pub type Read = fn(&[usize]) -> Result<Value, CtlError>;
/// Writes a value; `None` when the caller gave none, which only write-only leaves are told of.
pub type Write = fn(&[usize], Option<Value>) -> Result<(), CtlError>;
/// Acts.
pub type Call = fn(&[usize]) -> Result<(), CtlError>;
/// Does all of `mallctl`'s work for leaves whose values are structures, or that take an argument and give an answer.
///
/// # Safety
/// 1. As `mallctl`: `old` is null or has room for `*old_len` bytes, `old_len` is null or valid, `new` is null or points
///    at `new_len` bytes.
pub type Raw = unsafe fn(&[usize], Arguments) -> Result<(), CtlError>;

/// The arguments of `mallctl` behind the name.
#[derive(Clone, Copy)]
pub struct Arguments {
    /// Where the old value goes, or null.
    pub old: *mut c_void,
    /// Its size, in and out, or null.
    pub old_len: *mut usize,
    /// The new value, or null.
    pub new: *const c_void,
    /// Its size.
    pub new_len: usize,
}

impl Arguments {
    /// Whether there is nothing, as actions want it.
    pub fn is_empty(&self) -> bool {
        self.old.is_null() && self.old_len.is_null() && self.new.is_null() && self.new_len == 0
    }

    fn wants_old(&self) -> bool {
        !self.old.is_null() && !self.old_len.is_null()
    }

    /// Whether there is room for an old value of type `T`, and for nothing else.
    pub fn old_is<T>(&self) -> bool {
        // SAFETY: an `old_len` that is not null is valid, by the promise to every handler of arguments.
        self.wants_old() && unsafe { *self.old_len } == size_of::<T>()
    }

    /// For leaves that make something: [`CtlError::Invalid`] unless the caller can take what it is. Tells that nothing was
    /// written.
    ///
    /// # Safety
    /// 1. As `mallctl`.
    pub unsafe fn wants<T>(&self) -> Result<(), CtlError> {
        if self.old_is::<T>() {
            return Ok(());
        }
        if !self.old_len.is_null() {
            // SAFETY: valid by the caller's promise.
            unsafe { *self.old_len = 0 };
        }
        Err(CtlError::Invalid)
    }

    /// The new value, if there is one.
    ///
    /// # Safety
    /// 1. As `mallctl`; what `new` points at is a valid `T` if it has its size.
    pub unsafe fn new_of<T: Copy>(&self) -> Result<Option<T>, CtlError> {
        if self.new.is_null() {
            return Ok(None);
        }
        if self.new_len != size_of::<T>() {
            return Err(CtlError::Invalid);
        }
        // SAFETY: `new` points at as many bytes as a `T` has, which make up one by the caller's promise.
        Ok(Some(unsafe { self.new.cast::<T>().read_unaligned() }))
    }

    /// What lies where the old value would go, for leaves that read a parameter from there.
    ///
    /// # Safety
    /// 1. As `mallctl`; what `old` points at is a valid `T` if it has its size.
    pub unsafe fn old_of<T: Copy>(&self) -> Result<Option<T>, CtlError> {
        if !self.wants_old() {
            return Ok(None);
        }
        if !self.old_is::<T>() {
            return Err(CtlError::Invalid);
        }
        // SAFETY: `old` points at as many bytes as a `T` has, which make up one by the caller's promise.
        Ok(Some(unsafe { self.old.cast::<T>().read_unaligned() }))
    }

    /// Gives the caller a value, if it wants one; [`CtlError::Invalid`] when its room has another size, which then holds
    /// the beginning of the value.
    ///
    /// # Safety
    /// 1. As `mallctl`.
    pub unsafe fn answer<T: Copy>(&self, value: T) -> Result<(), CtlError> {
        if self.old.is_null() || self.old_len.is_null() {
            return Ok(());
        }
        // SAFETY: not null, hence valid (1).
        let room = unsafe { *self.old_len };
        let n = room.min(size_of::<T>());
        // SAFETY: `old` has room for `room` bytes (1), and the value has `size_of::<T>()`.
        unsafe { core::ptr::copy_nonoverlapping((&raw const value).cast::<u8>(), self.old.cast(), n) };
        if room != size_of::<T>() {
            // SAFETY: as above.
            unsafe { *self.old_len = n };
            return Err(CtlError::Invalid);
        }
        Ok(())
    }
}

/// What can be done with a leaf.
#[derive(Clone, Copy)]
pub enum Access {
    /// Read.
    Read(Read),
    /// Read, then written: the caller gets the old value.
    ReadWrite(Read, Write),
    /// Written, then read: the caller gets the value that the write led to.
    WriteRead(Write, Read),
    /// Written.
    Write(Write),
    /// An action without values.
    Call(Call),
    /// Anything; the text is what the reference page shows as its access.
    Raw(&'static str, Raw),
}

/// A leaf.
#[derive(Clone, Copy)]
pub struct Leaf {
    /// Last component of its path.
    pub name: &'static str,
    /// Type of its value; [`Type::Void`] for an action.
    pub ty: Type,
    /// What it is or does, one sentence.
    pub doc: &'static str,
    /// What can be done with it.
    pub access: Access,
    /// What must hold for any access, checked before the arguments are.
    pub needs: Option<fn() -> Result<(), CtlError>>,
}

impl Leaf {
    /// How the manual writes its access: `rw`, `r-`, `-w`, `--`.
    pub fn access_text(&self) -> &'static str {
        match self.access {
            Access::Read(_) => "r-",
            Access::ReadWrite(..) | Access::WriteRead(..) => "rw",
            Access::Write(_) => "-w",
            Access::Call(_) => "--",
            Access::Raw(text, _) => text,
        }
    }
}

const fn row(name: &'static str, ty: Type, access: Access, doc: &'static str) -> Node {
    Node::Leaf(Leaf { name, ty, doc, access, needs: None })
}

/// A leaf that can be read.
pub const fn ro(name: &'static str, ty: Type, read: Read, doc: &'static str) -> Node {
    row(name, ty, Access::Read(read), doc)
}

/// A leaf that can be read and written.
pub const fn rw(name: &'static str, ty: Type, read: Read, write: Write, doc: &'static str) -> Node {
    row(name, ty, Access::ReadWrite(read, write), doc)
}

/// A leaf that can only be written, with or without a value.
pub const fn wo(name: &'static str, ty: Type, write: Write, doc: &'static str) -> Node {
    row(name, ty, Access::Write(write), doc)
}

/// An action.
pub const fn action(name: &'static str, call: Call, doc: &'static str) -> Node {
    row(name, Type::Void, Access::Call(call), doc)
}

/// A leaf with a protocol of its own; `access` is `rw`, `r-`, `-w` or `--`, for the reference page.
pub const fn raw(
    name: &'static str,
    ty: Type,
    access: &'static str,
    handler: Raw,
    doc: &'static str,
) -> Node {
    row(name, ty, Access::Raw(access, handler), doc)
}

/// The same leaf, with a condition for any access.
pub const fn needing(node: Node, needs: fn() -> Result<(), CtlError>) -> Node {
    match node {
        Node::Leaf(leaf) => Node::Leaf(Leaf { needs: Some(needs), ..leaf }),
        other => other,
    }
}

/// The calling thread's block.
pub fn me() -> Result<&'static Block, CtlError> {
    start::current_or_start().ok_or(CtlError::Exhausted)
}

/// A written switch.
pub fn bool_of(value: Option<Value>) -> Result<bool, CtlError> {
    Ok(value.ok_or(CtlError::Invalid)?.0 & 1 != 0)
}
