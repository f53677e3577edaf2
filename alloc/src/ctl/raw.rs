//! `mallctl` with values of any type, which is up to the caller to know. Names are byte strings that end with a zero.

use core::ffi::{CStr, c_char};
use core::mem::MaybeUninit;
use core::ptr;

use super::error::Result;
use super::{Arguments, CtlError, access, by_name};

/// The name as C has it.
///
/// # Panics
/// When it does not end with a zero, or has one before.
fn c_name(name: &[u8]) -> &CStr {
    match CStr::from_bytes_with_nul(name) {
        Ok(name) => name,
        Err(_) => panic!("a name must end with its only zero byte"),
    }
}

/// Translates a name to its MIB, one number for each component.
///
/// # Panics
/// When `name` does not end with a zero, or `mib` has more room than the name has components.
pub fn name_to_mib(name: &[u8], mib: &mut [usize]) -> Result<()> {
    let length = super::name_to_mib(c_name(name).to_bytes(), mib)?;
    assert_eq!(length, mib.len(), "a MIB has as many components as the name");
    Ok(())
}

/// Calls `mallctl` with room for an old value and with a new one.
///
/// # Safety
/// 1. `call` is a call of `mallctl` with these arguments.
/// 2. `new`, if there is one, is a valid value of the name.
/// 3. If `OLD`, whatever bytes of the size of `T` the name has are a valid `T`.
unsafe fn exchange<T: Copy, const OLD: bool>(
    new: Option<T>,
    call: impl FnOnce(Arguments) -> core::result::Result<(), CtlError>,
) -> Result<MaybeUninit<T>> {
    let mut old = MaybeUninit::<T>::uninit();
    let mut length = size_of::<T>();
    let args = Arguments {
        old: if OLD { old.as_mut_ptr().cast() } else { ptr::null_mut() },
        old_len: if OLD { &raw mut length } else { ptr::null_mut() },
        new: new.as_ref().map_or(ptr::null(), |new| ptr::from_ref(new).cast()),
        new_len: if new.is_some() { size_of::<T>() } else { 0 },
    };
    call(args)?;
    Ok(old)
}

/// Reads the value of a MIB.
///
/// # Safety
/// 1. Any value of the name is a valid `T`, if it has its size.
pub unsafe fn read_mib<T: Copy>(mib: &[usize]) -> Result<T> {
    // SAFETY: the arguments are those of `exchange`; there is no new value; on success all bytes of the old one were
    // written, and they are a valid `T` by the caller's promise.
    unsafe { Ok(exchange::<T, true>(None, |args| access(mib, args))?.assume_init()) }
}

/// Reads the value of a name.
///
/// # Safety
/// As [`read_mib`].
pub unsafe fn read<T: Copy>(name: &[u8]) -> Result<T> {
    let name = c_name(name);
    // SAFETY: as in `read_mib`.
    unsafe { Ok(exchange::<T, true>(None, |args| by_name(name, args))?.assume_init()) }
}

/// Writes the value of a MIB.
///
/// # Safety
/// 1. `value` is a valid value of the name, if it has its size.
pub unsafe fn write_mib<T: Copy>(mib: &[usize], value: T) -> Result<()> {
    // SAFETY: the arguments are those of `exchange`; the new value is valid by the caller's promise.
    unsafe { exchange::<T, false>(Some(value), |args| access(mib, args)) }.map(|_| ())
}

/// Writes the value of a name.
///
/// # Safety
/// As [`write_mib`].
pub unsafe fn write<T: Copy>(name: &[u8], value: T) -> Result<()> {
    let name = c_name(name);
    // SAFETY: as in `write_mib`.
    unsafe { exchange::<T, false>(Some(value), |args| by_name(name, args)) }.map(|_| ())
}

/// Writes the value of a MIB and answers the one before.
///
/// # Safety
/// As [`read_mib`] and [`write_mib`].
pub unsafe fn update_mib<T: Copy>(mib: &[usize], value: T) -> Result<T> {
    // SAFETY: as in both.
    unsafe { Ok(exchange::<T, true>(Some(value), |args| access(mib, args))?.assume_init()) }
}

/// Writes the value of a name and answers the one before.
///
/// # Safety
/// As [`read`] and [`write`](self::write).
pub unsafe fn update<T: Copy>(name: &[u8], value: T) -> Result<T> {
    let name = c_name(name);
    // SAFETY: as in both.
    unsafe { Ok(exchange::<T, true>(Some(value), |args| by_name(name, args))?.assume_init()) }
}

/// The bytes of a C string, its zero included.
///
/// # Safety
/// 1. `text` is a C string that lives for ever.
///
/// # Panics
/// When it is null.
unsafe fn bytes(text: *const c_char) -> &'static [u8] {
    assert!(!text.is_null(), "the name has no text now");
    // SAFETY: by the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_bytes_with_nul()
}

/// The pointer to a text that ends with a zero.
///
/// # Panics
/// When it does not.
fn pointer(text: &'static [u8]) -> *const c_char {
    assert_eq!(text.last(), Some(&0), "a text must end with a zero byte");
    text.as_ptr().cast()
}

/// Reads the text of a MIB; the zero at its end included.
///
/// # Safety
/// 1. The name has a text, which lives for ever, and not a value of the size of a pointer.
pub unsafe fn read_str_mib(mib: &[usize]) -> Result<&'static [u8]> {
    // SAFETY: by the caller's promise.
    unsafe { Ok(bytes(read_mib(mib)?)) }
}

/// Reads the text of a name; the zero at its end included.
///
/// # Safety
/// As [`read_str_mib`].
pub unsafe fn read_str(name: &[u8]) -> Result<&'static [u8]> {
    // SAFETY: by the caller's promise.
    unsafe { Ok(bytes(read(name)?)) }
}

/// Writes the text of a MIB.
///
/// # Panics
/// When `value` does not end with a zero.
pub fn write_str_mib(mib: &[usize], value: &'static [u8]) -> Result<()> {
    // SAFETY: a pointer to a text that lives for ever is a valid value of everything of its size but a table of
    // functions, which this interface has no safe way to.
    unsafe { write_mib(mib, pointer(value)) }
}

/// Writes the text of a name.
///
/// # Panics
/// When `value` or `name` does not end with a zero.
pub fn write_str(name: &[u8], value: &'static [u8]) -> Result<()> {
    // SAFETY: as in `write_str_mib`.
    unsafe { write(name, pointer(value)) }
}

/// Writes the text of a MIB and answers the one before.
///
/// # Safety
/// As [`read_str_mib`].
pub unsafe fn update_str_mib(mib: &[usize], value: &'static [u8]) -> Result<&'static [u8]> {
    // SAFETY: by the caller's promise.
    unsafe { Ok(bytes(update_mib(mib, pointer(value))?)) }
}

/// Writes the text of a name and answers the one before.
///
/// # Safety
/// As [`read_str_mib`].
pub unsafe fn update_str(name: &[u8], value: &'static [u8]) -> Result<&'static [u8]> {
    // SAFETY: by the caller's promise.
    unsafe { Ok(bytes(update(name, pointer(value))?)) }
}
