//! `mallctl`: named values and actions.
//!
//! A path is looked up among the rows of three tables: the leaves, the options as `opt.*`, the metrics as `stats.*`.
//! A MIB has, for each component, the position of the name among its distinct siblings, or the index itself.

use core::ffi::{CStr, c_char, c_void};

use crate::arena::table;
use crate::tables::option::{CType, Kind, Opt};
pub use crate::tables::value::{ARENAS_ALL, CtlError, Type, Value};
use crate::tables::{leaf, metric, option};

/// Deepest path.
pub const DEPTH_MAX: usize = 7;

/// A row of any of the three tables.
#[derive(Clone, Copy)]
pub enum Row {
    /// A leaf.
    Leaf(&'static leaf::Leaf),
    /// `opt.*`
    Option(&'static Opt),
    /// `stats.*`
    Metric(&'static metric::Metric),
}

/// All rows; rows with a common beginning are neighbours.
pub fn rows() -> impl Iterator<Item = Row> {
    let leaves = leaf::ALL.iter().map(Row::Leaf);
    let options = option::ALL.iter().map(|opt| Row::Option(opt));
    leaves.chain(options).chain(metric::ALL.iter().map(Row::Metric))
}

impl Row {
    /// The components of the path.
    pub fn path(self) -> impl Iterator<Item = &'static str> {
        let (prefix, rest) = match self {
            Row::Leaf(leaf) => (None, leaf.path),
            Row::Option(opt) => (Some("opt"), opt.name),
            Row::Metric(metric) => (Some("stats"), metric.name),
        };
        prefix.into_iter().chain(rest.split('.'))
    }

    /// Type of the value.
    pub fn value_type(self) -> Type {
        match self {
            Row::Leaf(leaf) => leaf.ty,
            Row::Metric(_) => Type::Size,
            Row::Option(opt) => match opt.kind {
                Kind::Bool => Type::Bool,
                Kind::Number { ctype: CType::Unsigned, .. } => Type::Unsigned,
                Kind::Number { ctype: CType::Size, .. } => Type::Size,
                Kind::Number { ctype: CType::SSize, .. } => Type::SSize,
                Kind::Choice(_) | Kind::Text => Type::Text,
            },
        }
    }

    fn readable(self) -> bool {
        !matches!(self, Row::Leaf(leaf::Leaf { read: None, .. }))
    }

    fn writable(self) -> bool {
        matches!(self, Row::Leaf(leaf::Leaf { write: Some(_), .. }))
    }

    fn read(self, mib: &[usize]) -> Result<Value, CtlError> {
        match self {
            Row::Leaf(leaf) => leaf.read.ok_or(CtlError::NotPermitted)?(mib),
            Row::Metric(_) if cfg!(not(feature = "stats")) => Err(CtlError::NotFound),
            Row::Metric(metric) => Ok(Value((metric.of)(&crate::stats::snapshot()) as u64)),
            Row::Option(opt) if opt.name.contains("prof") && cfg!(not(feature = "prof")) => {
                Err(CtlError::NotFound)
            }
            Row::Option(opt) => Ok(match opt.kind {
                Kind::Choice(_) | Kind::Text => opt.as_cstr().as_ptr().into(),
                _ => Value(opt.get() as u64),
            }),
        }
    }
}

/// Distinct names at depth `depth` among the rows for which `above` holds, in order.
fn siblings(depth: usize, above: impl Fn(Row) -> bool) -> impl Iterator<Item = &'static str> {
    let mut last = None;
    rows().filter(move |&row| above(row)).filter_map(move |row| {
        let name = row.path().nth(depth)?;
        (last.replace(name) != Some(name)).then_some(name)
    })
}

/// Whether the first `depth` names of a row's path lead along `mib`.
fn leads(row: Row, mib: &[usize]) -> bool {
    mib.iter().enumerate().all(|(depth, &component)| {
        let above = |other: Row| other.path().zip(row.path()).take(depth).all(|(a, b)| a == b);
        row.path().nth(depth).is_some_and(|name| {
            name == INDEX || siblings(depth, above).position(|sibling| sibling == name) == Some(component)
        })
    })
}

/// Stands for an arena index in a path.
pub const INDEX: &str = "<i>";

/// The number of arenas stands for all of them, too: what programs wrote before there was [`ARENAS_ALL`].
fn index_exists(index: usize) -> bool {
    index <= table::narenas() as usize || index == ARENAS_ALL
}

/// Translates a name, whole or a beginning, to its MIB; answers the length, cut to the room in `mib`.
pub fn name_to_mib(name: &[u8], mib: &mut [usize]) -> Result<usize, CtlError> {
    let mut len = 0;
    for part in name.split(|&byte| byte == b'.') {
        if len == mib.len() {
            break;
        }
        let known = &mib[..len];
        let number = || core::str::from_utf8(part).ok()?.parse::<usize>().ok();
        let at = siblings(len, |row| leads(row, known)).enumerate().find_map(|(at, sibling)| {
            if sibling == INDEX {
                number().filter(|&n| index_exists(n))
            } else {
                (sibling.as_bytes() == part).then_some(at)
            }
        });
        mib[len] = at.ok_or(CtlError::NotFound)?;
        len += 1;
    }
    Ok(len)
}

/// The row that a whole MIB stands for.
pub fn find(mib: &[usize]) -> Result<Row, CtlError> {
    let row =
        rows().find(|&row| row.path().count() == mib.len() && leads(row, mib)).ok_or(CtlError::NotFound)?;
    let indices = row.path().zip(mib).filter(|(name, _)| *name == INDEX);
    if indices.into_iter().all(|(_, &index)| index_exists(index)) { Ok(row) } else { Err(CtlError::NotFound) }
}

/// The raw arguments of `mallctl` behind the name.
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

/// `mallctl` by MIB. The old value is read before the new one is written.
///
/// # Safety
/// 1. `old` is null or has room for `*old_len` bytes; `old_len` is null or valid.
/// 2. `new` is null or points at `new_len` bytes, a valid value of the leaf's type.
pub unsafe fn access(mib: &[usize], args: Arguments) -> Result<(), CtlError> {
    let row = find(mib)?;
    if let Row::Leaf(leaf::Leaf { needs: Some(needs), .. }) = row {
        needs()?;
    }
    let size = row.value_type().size();
    let has_old = !args.old.is_null() && !args.old_len.is_null();
    let has_new = !args.new.is_null() || args.new_len != 0;
    if let Row::Leaf(leaf::Leaf { call: Some(call), .. }) = row {
        if !args.old.is_null() || !args.old_len.is_null() || has_new {
            return Err(CtlError::NotPermitted);
        }
        return call(mib);
    }
    if has_new && !row.writable() || has_old && !row.readable() {
        return Err(CtlError::NotPermitted);
    }
    let old = if row.readable() && has_old { Some(row.read(mib)?) } else { None };
    if has_new || !row.readable() {
        if !args.new.is_null() && args.new_len != size {
            return Err(CtlError::Invalid);
        }
        let mut bits = [0u8; 8];
        let value = (!args.new.is_null()).then(|| {
            // SAFETY: `new` points at `new_len` bytes, which is `size`, at most 8.
            unsafe { core::ptr::copy_nonoverlapping(args.new.cast::<u8>(), bits.as_mut_ptr(), size) };
            Value(u64::from_le_bytes(bits))
        });
        let Row::Leaf(leaf::Leaf { write: Some(write), .. }) = row else {
            return Err(CtlError::NotPermitted);
        };
        write(mib, value)?;
    }
    let Some(old) = old else { return Ok(()) };
    // SAFETY: `old_len` is not null, hence valid.
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
pub unsafe fn by_name(name: &CStr, args: Arguments) -> Result<(), CtlError> {
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
    const MATCHES: &'static [Type] = &[Type::Unsigned];
}
// SAFETY: same size, any bits.
unsafe impl Ctl for u64 {
    const MATCHES: &'static [Type] = &[Type::U64];
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

fn typed<T: Ctl>(name: &CStr) -> Result<(), CtlError> {
    let mut mib = [0; DEPTH_MAX];
    let len = name_to_mib(name.to_bytes(), &mut mib)?;
    if T::MATCHES.contains(&find(&mib[..len])?.value_type()) { Ok(()) } else { Err(CtlError::Invalid) }
}

/// Reads a value. [`CtlError::Invalid`] when its type is another one.
pub fn read<T: Ctl>(name: &CStr) -> Result<T, CtlError> {
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
pub fn write<T: Ctl>(name: &CStr, value: T) -> Result<(), CtlError> {
    typed::<T>(name)?;
    let args = Arguments {
        old: core::ptr::null_mut(),
        old_len: core::ptr::null_mut(),
        new: (&raw const value).cast(),
        new_len: size_of::<T>(),
    };
    // SAFETY: `new` points at a value of the leaf's type.
    unsafe { by_name(name, args) }
}

/// Runs an action, such as `arena.0.purge`.
pub fn call(name: &CStr) -> Result<(), CtlError> {
    let none = core::ptr::null_mut();
    // SAFETY: there is neither an old nor a new value.
    unsafe { by_name(name, Arguments { old: none, old_len: none.cast(), new: none, new_len: 0 }) }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::collections::BTreeSet;
    use std::{string::String, vec::Vec};

    #[test]
    fn every_row_is_unique_documented_and_found_by_name_and_by_mib() {
        let mut seen = BTreeSet::new();
        for row in rows() {
            let path: Vec<_> = row.path().map(|name| if name == INDEX { "0" } else { name }).collect();
            let name: String = path.join(".");
            assert!(seen.insert(name.clone()), "{name} twice");
            let mut mib = [0; DEPTH_MAX];
            let len = name_to_mib(name.as_bytes(), &mut mib).unwrap();
            assert_eq!(len, path.len());
            let found = find(&mib[..len]).unwrap_or_else(|_| panic!("{name}: not found by its MIB"));
            assert!(found.path().eq(row.path()), "{name}");
            if let Row::Leaf(leaf) = row {
                assert!(leaf.doc.ends_with('.'), "{name}");
                assert_eq!(leaf.call.is_some(), leaf.ty == Type::Void, "{name}");
            }
        }
    }

    #[test]
    fn wrong_names_partial_names_and_wrong_indices_are_not_found() {
        let mut mib = [0; DEPTH_MAX];
        for name in ["", "nothing", "stats.nothing", "arena.x.purge", "arena.99999.purge", "epoch.more"] {
            assert_eq!(name_to_mib(name.as_bytes(), &mut mib), Err(CtlError::NotFound), "{name}");
        }
        let len = name_to_mib(b"arena.0", &mut mib).unwrap();
        assert_eq!(find(&mib[..len]).err(), Some(CtlError::NotFound));
    }
}
