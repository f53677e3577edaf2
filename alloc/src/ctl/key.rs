//! The keys: one type for each name that programs ask for most, as `tikv-jemalloc-ctl` has them. `read`, `write` and
//! `update` go by the name; `mib()` answers a value with the same methods that goes by the MIB, which is faster.
//!
//! Texts come with the zero at their end, as there.

#![allow(non_camel_case_types)]

/// Defines keys, and for the tests a list of them.
macro_rules! keys {
    ($($(#[$doc:meta])* $key:ident $with_mib:ident = $name:literal, $kind:ident $depth:literal $of:ident => $type:ty, [$($op:ident)*];)*) => {
        $(key!($(#[$doc])* $key $with_mib = $name, $kind $depth $of => $type, [$($op)*]);)*

        /// Name, value types and operations of each key.
        #[cfg(test)]
        pub(super) const KEYS: &[(&str, &[$crate::ctl::Type], &str)] = &[
            $(($name, <$type as $crate::ctl::key::Typed>::MATCHES, stringify!($($op)*)),)*
        ];
    };
}

/// Defines a key: its name, how many components the MIB has, what it is worth, and which of `r`ead, `w`rite and `u`pdate
/// it can do.
macro_rules! key {
    ($(#[$doc:meta])* $key:ident $with_mib:ident = $name:literal, $kind:ident $depth:literal $of:ident => $type:ty, [$($op:ident)*]) => {
        $(#[$doc])*
        pub struct $key;

        impl $key {
            const NAME: &'static $crate::ctl::Name = $crate::ctl::Name::of(concat!($name, "\0").as_bytes());

            /// Its name.
            pub fn name() -> &'static $crate::ctl::Name {
                Self::NAME
            }

            /// Its MIB.
            pub fn mib() -> $crate::ctl::Result<$with_mib> {
                Self::NAME.$of().map($with_mib)
            }
        }

        #[doc = concat!("The MIB of [`", stringify!($key), "`].")]
        #[repr(transparent)]
        #[derive(Clone, Copy)]
        pub struct $with_mib(pub $crate::ctl::$kind<[usize; $depth]>);

        $(key!(@$op $key $with_mib $type);)*
    };
    (@r $key:ident $with_mib:ident $type:ty) => {
        impl $key {
            /// Reads the value.
            pub fn read() -> $crate::ctl::Result<$type> {
                $crate::ctl::Access::read(Self::NAME)
            }
        }
        impl $with_mib {
            /// Reads the value.
            pub fn read(self) -> $crate::ctl::Result<$type> {
                $crate::ctl::Access::read(&self.0)
            }
        }
    };
    (@w $key:ident $with_mib:ident $type:ty) => {
        impl $key {
            /// Writes the value.
            pub fn write(value: $type) -> $crate::ctl::Result<()> {
                $crate::ctl::Access::write(Self::NAME, value)
            }
        }
        impl $with_mib {
            /// Writes the value.
            pub fn write(self, value: $type) -> $crate::ctl::Result<()> {
                $crate::ctl::Access::write(&self.0, value)
            }
        }
    };
    (@u $key:ident $with_mib:ident $type:ty) => {
        impl $key {
            /// Writes the value and answers the one before.
            pub fn update(value: $type) -> $crate::ctl::Result<$type> {
                $crate::ctl::Access::update(Self::NAME, value)
            }
        }
        impl $with_mib {
            /// Writes the value and answers the one before.
            pub fn update(self, value: $type) -> $crate::ctl::Result<$type> {
                $crate::ctl::Access::update(&self.0, value)
            }
        }
    };
    (@p $key:ident $with_mib:ident $type:ty) => {
        impl $key {
            /// Where the calling thread's count is kept.
            pub fn read() -> $crate::ctl::Result<ThreadLocal<u64>> {
                // SAFETY: the name has a pointer of this type.
                unsafe { $crate::ctl::raw::read(Self::NAME.as_bytes()) }.map(ThreadLocal)
            }
        }
        impl $with_mib {
            /// Where the calling thread's count is kept.
            pub fn read(&self) -> $crate::ctl::Result<ThreadLocal<u64>> {
                // SAFETY: as above.
                unsafe { $crate::ctl::raw::read_mib(self.0.as_ref()) }.map(ThreadLocal)
            }
        }
    };
}

/// Value types that a key's Rust type stands for.
#[cfg(test)]
pub(super) trait Typed {
    const MATCHES: &'static [super::Type];
}

#[cfg(test)]
impl<T: super::Ctl> Typed for T {
    const MATCHES: &'static [super::Type] = T::MATCHES;
}

#[cfg(test)]
impl Typed for &'static str {
    const MATCHES: &'static [super::Type] = &[super::Type::Text];
}

mod root {
    keys! {
        /// The version of jemalloc whose interface this is.
        version version_mib = "version", MibStr 1 mib_str => &'static str, [r];
        /// Whether threads of the allocator's own purge.
        background_thread background_thread_mib = "background_thread", Mib 1 mib => bool, [r w u];
        /// Most such threads.
        max_background_threads max_background_threads_mib = "max_background_threads", Mib 1 mib => usize, [r w u];
        /// The number of the last snapshot of all statistics; writing takes a new one, whatever is written.
        epoch epoch_mib = "epoch", Mib 1 mib => u64, [r w u];
    }

    impl epoch {
        /// Takes a new snapshot and answers its number.
        pub fn advance() -> crate::ctl::Result<u64> {
            epoch::update(1)
        }
    }

    impl epoch_mib {
        /// Takes a new snapshot and answers its number.
        pub fn advance(self) -> crate::ctl::Result<u64> {
            self.update(1)
        }
    }
}
pub use root::{
    background_thread, background_thread_mib, epoch, epoch_mib, max_background_threads,
    max_background_threads_mib, version, version_mib,
};

/// Arenas.
pub mod arenas {
    keys! {
        /// How many arenas there are.
        narenas narenas_mib = "arenas.narenas", Mib 2 mib => u32, [r];
    }
}

/// How the library was built.
pub mod config {
    keys! {
        /// Options that were given then.
        malloc_conf malloc_conf_mib = "config.malloc_conf", MibStr 2 mib_str => &'static str, [r];
    }
}

/// Options, as they are in force.
pub mod opt {
    keys! {
        /// Whether a warning ends the process.
        abort abort_mib = "opt.abort", Mib 2 mib => bool, [r];
        /// How `sbrk` is used.
        dss dss_mib = "opt.dss", MibStr 2 mib_str => &'static str, [r];
        /// How many arenas threads are spread over.
        narenas narenas_mib = "opt.narenas", Mib 2 mib => u32, [r];
        /// What memory is filled with, so that wrong uses show.
        junk junk_mib = "opt.junk", MibStr 2 mib_str => &'static str, [r];
        /// Whether all memory is zero.
        zero zero_mib = "opt.zero", Mib 2 mib => bool, [r];
        /// Whether threads cache objects.
        tcache tcache_mib = "opt.tcache", Mib 2 mib => bool, [r];
        /// The largest size that they cache.
        tcache_max tcache_max_mib = "opt.tcache_max", Mib 2 mib => usize, [r];
        /// Whether background threads run from the start.
        background_thread background_thread_mib = "opt.background_thread", Mib 2 mib => bool, [r];
    }
}

/// The calling thread.
pub mod thread {
    keys! {
        /// Bytes that the calling thread ever allocated.
        allocatedp allocatedp_mib = "thread.allocatedp", Mib 2 mib => *mut u64, [p];
        /// Bytes that the calling thread ever freed.
        deallocatedp deallocatedp_mib = "thread.deallocatedp", Mib 2 mib => *mut u64, [p];
    }

    /// A count of the thread that has asked for it, which reads it at the cost of a load.
    ///
    /// The pointer in it keeps it from being sent to another thread.
    #[repr(transparent)]
    #[derive(Clone, Copy)]
    pub struct ThreadLocal<T>(*const T);

    impl<T: Copy> ThreadLocal<T> {
        /// The count now.
        #[inline]
        pub fn get(self) -> T {
            // SAFETY: the place is a word of the block of the thread that asked, which is this one; blocks live for
            // ever, and only their own thread writes the word. Volatile, because the allocator writes it behind the
            // compiler's back.
            unsafe { self.0.read_volatile() }
        }
    }
}

/// Statistics of the process, as of the last snapshot (see [`epoch`]).
#[cfg(feature = "stats")]
pub mod stats {
    keys! {
        /// Usable bytes of all objects.
        allocated allocated_mib = "stats.allocated", Mib 2 mib => usize, [r];
        /// Bytes of pages that hold objects.
        active active_mib = "stats.active", Mib 2 mib => usize, [r];
        /// Bytes of the allocator's own structures.
        metadata metadata_mib = "stats.metadata", Mib 2 mib => usize, [r];
        /// Bytes of pages that memory backs.
        resident resident_mib = "stats.resident", Mib 2 mib => usize, [r];
        /// Bytes of address space in use.
        mapped mapped_mib = "stats.mapped", Mib 2 mib => usize, [r];
        /// Bytes of address space kept for reuse that no memory backs.
        retained retained_mib = "stats.retained", Mib 2 mib => usize, [r];
    }
}

/// Options of the profiler, as they are in force.
#[cfg(feature = "prof")]
pub mod profiling {
    keys! {
        /// Binary logarithm of the bytes allocated between two dumps; -1 for none.
        lg_prof_interval lg_prof_interval_mib = "opt.lg_prof_interval", Mib 2 mib => isize, [r];
        /// Binary logarithm of the mean number of bytes between samples.
        lg_prof_sample lg_prof_sample_mib = "opt.lg_prof_sample", Mib 2 mib => usize, [r];
        /// Whether a dump is written at exit.
        prof_final prof_final_mib = "opt.prof_final", Mib 2 mib => bool, [r];
        /// Whether the profiler is there.
        prof prof_mib = "opt.prof", Mib 2 mib => bool, [r];
        /// Whether leaks are told at exit.
        prof_leak prof_leak_mib = "opt.prof_leak", Mib 2 mib => bool, [r];
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::super::*;
    use super::*;
    use crate::tables::leaf::Access as How;
    use std::vec::Vec;

    /// Every key of every module.
    fn all() -> Vec<(&'static str, &'static [Type], &'static str)> {
        let modules = [
            root::KEYS,
            arenas::KEYS,
            config::KEYS,
            opt::KEYS,
            thread::KEYS,
            #[cfg(feature = "stats")]
            stats::KEYS,
            #[cfg(feature = "prof")]
            profiling::KEYS,
        ];
        modules.concat()
    }

    #[test]
    fn every_key_has_the_type_of_its_row_and_can_be_written_if_the_row_can() {
        for (name, types, operations) in all() {
            let mut mib = [0; DEPTH_MAX];
            let length =
                name_to_mib(name.as_bytes(), &mut mib).unwrap_or_else(|_| panic!("{name}: no such row"));
            let row = find(&mib[..length]).unwrap();
            assert!(types.contains(&row.value_type()), "{name}");
            let writable = match row {
                Node::Leaf(leaf) => matches!(leaf.access, How::ReadWrite(..) | How::WriteRead(..)),
                _ => false,
            };
            assert_eq!(operations.contains('w'), writable && !name.starts_with("opt."), "{name}");
        }
    }

    #[test]
    fn keys_answer_by_name_and_by_mib() {
        let before = epoch::read().unwrap();
        let after = epoch::mib().unwrap().advance().unwrap();
        assert!(after > before);
        assert_eq!(version::read().unwrap(), version::mib().unwrap().read().unwrap());
        assert_eq!(version::read().unwrap().trim_end_matches('\0'), crate::VERSION);
        assert_eq!(opt::narenas::read(), opt::narenas::mib().unwrap().read());
        assert_eq!(version::name().as_bytes(), b"version\0");
        let counts =
            (thread::allocatedp::read().unwrap(), thread::allocatedp::mib().unwrap().read().unwrap());
        assert_eq!(counts.0.get(), counts.1.get());
    }

    #[test]
    fn another_type_is_refused() {
        let name = "epoch\0".name();
        assert_eq!(Access::<u32>::read(name).map_err(Error::code), Err(libc::EINVAL));
        assert_eq!(Access::<&'static str>::read(name).map_err(Error::code), Err(libc::EINVAL));
        let mib: Mib<[usize; 1]> = name.mib().unwrap();
        assert!(Access::<u64>::read(&mib).is_ok());
        assert_eq!(Access::<bool>::write(&mib, true).map_err(Error::code), Err(libc::EINVAL));
        assert_eq!(Access::<u32>::write("arenas.narenas\0".name(), 1).map_err(Error::code), Err(libc::EPERM));
        assert_eq!(Access::<u32>::read("arenas.nothing\0".name()).map_err(Error::code), Err(libc::ENOENT));
        assert!("version\0".name().value_type_str() && !name.value_type_str());
    }
}
