//! Names and MIBs as values, and safe access to what they stand for. Which type a name has is asked of its row.

use core::fmt;
use core::ops::{Index, IndexMut};

use super::error::Result;
use super::{Ctl, CtlError, DEPTH_MAX, Type, raw};
use crate::tables::tree;

/// A name, with a zero at its end.
#[repr(transparent)]
#[derive(PartialEq, Eq)]
pub struct Name([u8]);

/// What can be taken for a [`Name`].
pub trait AsName {
    /// As a name.
    ///
    /// # Panics
    /// When there is no zero at the end.
    fn name(&self) -> &Name;
}

impl AsName for [u8] {
    fn name(&self) -> &Name {
        Name::of(self)
    }
}

impl AsName for str {
    fn name(&self) -> &Name {
        Name::of(self.as_bytes())
    }
}

/// Arrays that can hold a MIB.
pub trait MibArg: Copy + PartialEq + Default + fmt::Debug + AsRef<[usize]> + AsMut<[usize]> {}
impl<T: Copy + PartialEq + Default + fmt::Debug + AsRef<[usize]> + AsMut<[usize]>> MibArg for T {}

impl Name {
    pub(super) const fn of(bytes: &[u8]) -> &Name {
        assert!(matches!(bytes, [.., 0]), "a name must end with a zero byte");
        // SAFETY: `Name` is a transparent wrapper of the slice.
        unsafe { &*(core::ptr::from_ref(bytes) as *const Name) }
    }

    /// The MIB of a value that is no text.
    pub fn mib<T: MibArg>(&self) -> Result<Mib<T>> {
        let mut mib = T::default();
        raw::name_to_mib(&self.0, mib.as_mut())?;
        Ok(Mib(mib))
    }

    /// The MIB of a text.
    ///
    /// # Panics
    /// When the name has another type.
    pub fn mib_str<T: MibArg>(&self) -> Result<MibStr<T>> {
        assert!(self.value_type_str(), "{self} has no text");
        let mut mib = T::default();
        raw::name_to_mib(&self.0, mib.as_mut())?;
        Ok(MibStr(mib))
    }

    /// Whether it stands for a text.
    pub fn value_type_str(&self) -> bool {
        self.value_type() == Ok(Type::Text)
    }

    fn value_type(&self) -> core::result::Result<Type, CtlError> {
        let mut mib = [0; DEPTH_MAX];
        let length = super::name_to_mib(&self.0[..self.0.len() - 1], &mut mib)?;
        Ok(tree::find(&mib[..length])?.value_type())
    }

    /// Its bytes, the zero included.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..self.0.len() - 1].utf8_chunks().try_for_each(|chunk| f.write_str(chunk.valid()))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The MIB of a value that is no text.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Mib<T: MibArg>(T);

/// The MIB of a text.
#[repr(transparent)]
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MibStr<T: MibArg>(T);

impl<T: MibArg> AsRef<[usize]> for Mib<T> {
    fn as_ref(&self) -> &[usize] {
        self.0.as_ref()
    }
}

impl<T: MibArg> AsMut<[usize]> for Mib<T> {
    fn as_mut(&mut self) -> &mut [usize] {
        self.0.as_mut()
    }
}

/// Components by position, for the two kinds of MIB.
macro_rules! components {
    ($($mib:ident)*) => {$(
        impl<T: MibArg> Index<usize> for $mib<T> {
            type Output = usize;
            fn index(&self, at: usize) -> &usize {
                &self.0.as_ref()[at]
            }
        }
        impl<T: MibArg> IndexMut<usize> for $mib<T> {
            fn index_mut(&mut self, at: usize) -> &mut usize {
                &mut self.0.as_mut()[at]
            }
        }
    )*};
}
components!(Mib MibStr);

/// Reading and writing with a type that the name's row agrees to. Another type is `EINVAL`.
pub trait Access<T> {
    /// Reads the value.
    fn read(&self) -> Result<T>;
    /// Writes the value.
    fn write(&self, value: T) -> Result<()>;
    /// Writes the value and answers the one before.
    fn update(&self, value: T) -> Result<T>;
}

/// Whether a value of type `T` is what the name of a MIB has.
fn agrees<T: Ctl>(mib: &[usize]) -> Result<()> {
    let matches = T::MATCHES.contains(&tree::find(mib)?.value_type());
    if matches { Ok(()) } else { Err(CtlError::Invalid.into()) }
}

impl Name {
    /// Calls `act` with the whole MIB, once the type is known to agree.
    fn typed<T: Ctl, A>(&self, act: impl FnOnce(&[usize]) -> Result<A>) -> Result<A> {
        let mut mib = [0; DEPTH_MAX];
        let length = super::name_to_mib(&self.0[..self.0.len() - 1], &mut mib)?;
        agrees::<T>(&mib[..length])?;
        act(&mib[..length])
    }
}

/// Access to values of these types.
macro_rules! values {
    ($($type:ty)*) => {$(
        impl<M: MibArg> Access<$type> for Mib<M> {
            fn read(&self) -> Result<$type> {
                agrees::<$type>(self.as_ref())?;
                // SAFETY: the name has a value of this type.
                unsafe { raw::read_mib(self.as_ref()) }
            }
            fn write(&self, value: $type) -> Result<()> {
                agrees::<$type>(self.as_ref())?;
                // SAFETY: as above.
                unsafe { raw::write_mib(self.as_ref(), value) }
            }
            fn update(&self, value: $type) -> Result<$type> {
                agrees::<$type>(self.as_ref())?;
                // SAFETY: as above.
                unsafe { raw::update_mib(self.as_ref(), value) }
            }
        }
        impl Access<$type> for Name {
            fn read(&self) -> Result<$type> {
                // SAFETY: the name has a value of this type.
                self.typed::<$type, _>(|mib| unsafe { raw::read_mib(mib) })
            }
            fn write(&self, value: $type) -> Result<()> {
                // SAFETY: as above.
                self.typed::<$type, _>(|mib| unsafe { raw::write_mib(mib, value) })
            }
            fn update(&self, value: $type) -> Result<$type> {
                // SAFETY: as above.
                self.typed::<$type, _>(|mib| unsafe { raw::update_mib(mib, value) })
            }
        }
    )*};
}
values!(bool u32 u64 isize usize);

/// The type under which a text passes.
type CText = *const core::ffi::c_char;

impl<M: MibArg> Access<&'static [u8]> for MibStr<M> {
    fn read(&self) -> Result<&'static [u8]> {
        agrees::<CText>(self.0.as_ref())?;
        // SAFETY: the name has a text; those of the allocator live for ever.
        unsafe { raw::read_str_mib(self.0.as_ref()) }
    }
    fn write(&self, value: &'static [u8]) -> Result<()> {
        agrees::<CText>(self.0.as_ref())?;
        raw::write_str_mib(self.0.as_ref(), value)
    }
    fn update(&self, value: &'static [u8]) -> Result<&'static [u8]> {
        agrees::<CText>(self.0.as_ref())?;
        // SAFETY: as above.
        unsafe { raw::update_str_mib(self.0.as_ref(), value) }
    }
}

impl Access<&'static [u8]> for Name {
    fn read(&self) -> Result<&'static [u8]> {
        // SAFETY: the name has a text; those of the allocator live for ever.
        self.typed::<CText, _>(|mib| unsafe { raw::read_str_mib(mib) })
    }
    fn write(&self, value: &'static [u8]) -> Result<()> {
        self.typed::<CText, _>(|mib| raw::write_str_mib(mib, value))
    }
    fn update(&self, value: &'static [u8]) -> Result<&'static [u8]> {
        // SAFETY: as above.
        self.typed::<CText, _>(|mib| unsafe { raw::update_str_mib(mib, value) })
    }
}

/// A text of the allocator, the zero at its end included.
///
/// # Panics
/// When it is not UTF-8.
fn utf8(bytes: &'static [u8]) -> &'static str {
    core::str::from_utf8(bytes).expect("texts of the allocator are UTF-8")
}

/// The same as UTF-8.
macro_rules! texts {
    ($([$($generic:tt)*] $key:ty)*) => {$(
        impl $($generic)* Access<&'static str> for $key {
            fn read(&self) -> Result<&'static str> {
                Access::<&'static [u8]>::read(self).map(utf8)
            }
            fn write(&self, value: &'static str) -> Result<()> {
                Access::<&'static [u8]>::write(self, value.as_bytes())
            }
            fn update(&self, value: &'static str) -> Result<&'static str> {
                Access::<&'static [u8]>::update(self, value.as_bytes()).map(utf8)
            }
        }
    )*};
}
texts!([<M: MibArg>] MibStr<M> [] Name);
