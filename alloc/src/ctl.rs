//! `mallctl`: named values and actions.
//!
//! The names are those of the tree that the tables make up. There are three ways in, from the simplest to the barest:
//!
//! * keys, one type for each of the names that are asked for most, with the paths and methods of `tikv-jemalloc-ctl`:
//!   `ctl::stats::allocated::read()`, `ctl::epoch::advance()`;
//! * any name, with a type that is checked against its row: [`read`], [`write`](fn@write), [`call`], or [`Name`] and
//!   [`Mib`] with [`Access`];
//! * [`raw`], where the caller knows the type, and [`by_name`] and [`access`] with the arguments of C's `mallctl`.

mod error;
mod key;
mod name;
pub mod raw;
#[cfg(feature = "std")]
pub mod stats_print;

use core::ffi::{CStr, c_char};

pub use self::error::{Error, Result};
pub use self::key::*;
pub use self::name::{Access, AsName, Mib, MibArg, MibStr, Name};
use crate::tables::leaf::Access as How;
pub use crate::tables::leaf::{Arguments, Leaf};
pub use crate::tables::metric::Metric;
pub use crate::tables::option::{Kind, Opt, Origin};
use crate::tables::tree;
pub use crate::tables::tree::{DEPTH_MAX, Node, ROOT, find, name_to_mib};
pub use crate::tables::value::{ARENAS_ALL, CtlError, Type, Value};

fn read_node(node: &Node, mib: &[usize]) -> core::result::Result<Value, CtlError> {
    match node {
        Node::Leaf(leaf) => match leaf.access {
            How::Read(read) | How::ReadWrite(read, _) | How::WriteRead(_, read) => read(mib),
            _ => Err(CtlError::NotPermitted),
        },
        Node::Metric(_) if cfg!(not(feature = "stats")) => Err(CtlError::NotFound),
        Node::Metric(metric) => crate::stats::value(metric, mib),
        Node::Option(opt) => read_option(opt),
        Node::Branch { .. } | Node::Indexed { .. } => Err(CtlError::NotFound),
    }
}

/// Value of a leaf whose path has no index; `None` when it cannot be read now.
pub(crate) fn value(node: &Node) -> Option<(Type, Value)> {
    if node.is_leaf() { Some((node.value_type(), read_node(node, &[]).ok()?)) } else { None }
}

/// Value of a leaf of any name; `None` when there is none, or it cannot be read now.
pub(crate) fn value_of(name: &[u8]) -> Option<(Type, Value)> {
    let mut mib = [0; DEPTH_MAX];
    let len = name_to_mib(name, &mut mib).ok()?;
    let node = find(&mib[..len]).ok()?;
    if let Node::Leaf(Leaf { needs: Some(needs), .. }) = node {
        needs().ok()?;
    }
    let value = read_switch(node, &mib[..len]).or_else(|| read_node(node, &mib[..len]).ok());
    Some((node.value_type(), value?))
}

/// The value of a switch that handles its arguments itself.
fn read_switch(node: &Node, mib: &[usize]) -> Option<Value> {
    let Node::Leaf(Leaf { access: How::Raw(_, handle), ty: Type::Bool, .. }) = node else { return None };
    let (mut on, mut len) = (false, size_of::<bool>());
    let old = (&raw mut on).cast();
    let args = Arguments { old, old_len: &raw mut len, new: core::ptr::null(), new_len: 0 };
    // SAFETY: `old` has room for the value of a switch, as `old_len` says; nothing is written.
    unsafe { handle(mib, args) }.ok()?;
    Some(on.into())
}

fn read_option(opt: &Opt) -> core::result::Result<Value, CtlError> {
    if opt.origin == Origin::NotBuilt || opt.name.contains("prof") && cfg!(not(feature = "prof")) {
        return Err(CtlError::NotFound);
    }
    Ok(match opt.value_type() {
        Type::Text => opt.as_cstr().as_ptr().into(),
        _ => Value(opt.get() as u64),
    })
}

/// `mallctl` by MIB. The old value is read before the new one is written.
///
/// # Safety
/// 1. `old` is null or has room for `*old_len` bytes; `old_len` is null or valid.
/// 2. `new` is null or points at `new_len` bytes, a valid value of the leaf's type.
pub unsafe fn access(mib: &[usize], args: Arguments) -> core::result::Result<(), CtlError> {
    let node = tree::find(mib)?;
    let (mut write, mut read_last) = (None, false);
    if let Node::Leaf(leaf) = node {
        if let Some(needs) = leaf.needs {
            needs()?;
        }
        match leaf.access {
            How::Read(_) => {}
            How::ReadWrite(_, with) => write = Some(with),
            How::WriteRead(with, _) => (write, read_last) = (Some(with), true),
            // SAFETY: by the caller's promises.
            How::Raw(_, handler) => return unsafe { handler(mib, args) },
            How::Write(with) if args.old.is_null() && args.old_len.is_null() => {
                return with(mib, new_value(&args, leaf.ty)?);
            }
            How::Call(call) if args.is_empty() => return call(mib),
            How::Write(_) | How::Call(_) => return Err(CtlError::NotPermitted),
        }
    }
    if let Node::Option(opt) = node {
        write = opt.write;
    }
    let ty = node.value_type();
    if write.is_none() && (!args.new.is_null() || args.new_len != 0) {
        // A name that this build or this run has nothing for is told as such, whatever is asked of it.
        return Err(read_node(node, mib)
            .err()
            .filter(|&error| error == CtlError::NotFound)
            .unwrap_or(CtlError::NotPermitted));
    }
    let new = new_value(&args, ty)?;
    let wants_old = !args.old.is_null() && !args.old_len.is_null();
    let before = if wants_old && !read_last { Some(read_node(node, mib)?) } else { None };
    if let (Some(write), Some(new)) = (write, new) {
        write(mib, Some(new))?;
    }
    let old = if wants_old && read_last { Some(read_node(node, mib)?) } else { before };
    // SAFETY: by the caller's promises about `old` and `old_len`.
    old.map_or(Ok(()), |old| unsafe { give_old(&args, ty, old) })
}

/// The value to be written; `None` when the caller has none.
fn new_value(args: &Arguments, ty: Type) -> core::result::Result<Option<Value>, CtlError> {
    if args.new.is_null() {
        return Ok(None);
    }
    let size = ty.size();
    if args.new_len != size || size > 8 {
        return Err(CtlError::Invalid);
    }
    let mut bits = [0u8; 8];
    // SAFETY: `new` points at `new_len` bytes, by the promise to `access`, which is `size`, at most 8.
    unsafe { core::ptr::copy_nonoverlapping(args.new.cast::<u8>(), bits.as_mut_ptr(), size) };
    Ok(Some(Value(u64::from_le_bytes(bits))))
}

/// Gives the caller the old value; [`CtlError::Invalid`] when the room has another size, which then holds the beginning
/// of the value, and `*old_len` says how much.
///
/// # Safety
/// 1. `old_len` is valid, and `old` has room for `*old_len` bytes.
unsafe fn give_old(args: &Arguments, ty: Type, old: Value) -> core::result::Result<(), CtlError> {
    let size = ty.size().min(8);
    // SAFETY: valid by the caller's promise.
    let room = unsafe { *args.old_len };
    let n = room.min(size);
    // SAFETY: `old` has room for `room` bytes, and a value has `size` bytes, at most 8.
    unsafe { core::ptr::copy_nonoverlapping(old.0.to_le_bytes().as_ptr(), args.old.cast::<u8>(), n) };
    if room != size {
        // SAFETY: as above.
        unsafe { *args.old_len = n };
        return Err(CtlError::Invalid);
    }
    Ok(())
}

/// `mallctl` by name.
///
/// # Safety
/// As [`access`].
pub unsafe fn by_name(name: &CStr, args: Arguments) -> core::result::Result<(), CtlError> {
    let mut mib = [0; DEPTH_MAX];
    let depth = name.to_bytes().split(|&byte| byte == b'.').count();
    let room = mib.get_mut(..depth).ok_or(CtlError::NotFound)?;
    let len = name_to_mib(name.to_bytes(), room)?;
    // SAFETY: by the caller's promises.
    unsafe { access(&mib[..len], args) }
}

/// Rust types that a leaf's value can be read as or written from.
///
/// # Safety
/// 1. [`Ctl::MATCHES`] lists exactly the value types with the same size and valid bit patterns.
pub unsafe trait Ctl: Copy {
    /// Value types that this type stands for.
    const MATCHES: &'static [Type];
}

// SAFETY: `bool` leaves hold 0 or 1.
unsafe impl Ctl for bool {
    const MATCHES: &'static [Type] = &[Type::Bool];
}
// SAFETY: same size, any bits.
unsafe impl Ctl for u32 {
    const MATCHES: &'static [Type] = &[Type::Unsigned, Type::U32];
}
// SAFETY: same size, any bits.
unsafe impl Ctl for u64 {
    const MATCHES: &'static [Type] = &[Type::U64];
}
// SAFETY: same size, any bits.
unsafe impl Ctl for i64 {
    const MATCHES: &'static [Type] = &[Type::I64];
}
// SAFETY: same size, any bits.
unsafe impl Ctl for usize {
    const MATCHES: &'static [Type] = &[Type::Size];
}
// SAFETY: same size, any bits.
unsafe impl Ctl for isize {
    const MATCHES: &'static [Type] = &[Type::SSize];
}
// SAFETY: a raw pointer has the same size, and any bits are valid.
unsafe impl Ctl for *const c_char {
    const MATCHES: &'static [Type] = &[Type::Text];
}
// SAFETY: a raw pointer has the same size, and any bits are valid.
unsafe impl Ctl for *mut u64 {
    const MATCHES: &'static [Type] = &[Type::U64Ptr];
}

fn typed<T: Ctl>(name: &CStr) -> core::result::Result<(), CtlError> {
    let mut mib = [0; DEPTH_MAX];
    let len = name_to_mib(name.to_bytes(), &mut mib)?;
    if T::MATCHES.contains(&tree::find(&mib[..len])?.value_type()) { Ok(()) } else { Err(CtlError::Invalid) }
}

/// Reads a value. [`CtlError::Invalid`] when its type is another one.
pub fn read<T: Ctl>(name: &CStr) -> core::result::Result<T, CtlError> {
    typed::<T>(name)?;
    let mut value = core::mem::MaybeUninit::<T>::uninit();
    let mut len = size_of::<T>();
    let args = Arguments {
        old: value.as_mut_ptr().cast(),
        old_len: &raw mut len,
        new: core::ptr::null(),
        new_len: 0,
    };
    // SAFETY: `value` has room for `len` bytes.
    unsafe { by_name(name, args) }?;
    // SAFETY: success means that all bytes were written, with bits of a type that `T` matches.
    Ok(unsafe { value.assume_init() })
}

/// Writes a value. [`CtlError::Invalid`] when its type is another one.
pub fn write<T: Ctl>(name: &CStr, value: T) -> core::result::Result<(), CtlError> {
    let mut mib = [0; DEPTH_MAX];
    let len = name_to_mib(name.to_bytes(), &mut mib)?;
    write_mib(&mib[..len], value)
}

/// [`write`] by MIB.
pub fn write_mib<T: Ctl>(mib: &[usize], value: T) -> core::result::Result<(), CtlError> {
    if !T::MATCHES.contains(&find(mib)?.value_type()) {
        return Err(CtlError::Invalid);
    }
    let args = Arguments {
        old: core::ptr::null_mut(),
        old_len: core::ptr::null_mut(),
        new: (&raw const value).cast(),
        new_len: size_of::<T>(),
    };
    // SAFETY: `new` points at a value of the leaf's type.
    unsafe { access(mib, args) }
}

/// Runs an action, such as `arena.0.purge`.
pub fn call(name: &CStr) -> core::result::Result<(), CtlError> {
    let none = core::ptr::null_mut();
    // SAFETY: there is neither an old nor a new value.
    unsafe { by_name(name, Arguments { old: none, old_len: none.cast(), new: none, new_len: 0 }) }
}
