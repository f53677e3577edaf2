//! Where options come from.

use core::ffi::{CStr, c_char};

use crate::os::environment;

/// Room for one source. Longer ones are cut at the last whole byte.
pub const SOURCE_MAX: usize = 8192;

/// Options given when the library was built, by an environment variable of the build (the one that
/// `tikv-jemalloc-sys` has for it).
pub const BUILT: &CStr = {
    const TEXT: &str = match option_env!("JEMALLOC_SYS_WITH_MALLOC_CONF") {
        Some(text) => text,
        None => "",
    };
    const BYTES: [u8; TEXT.len() + 1] = {
        let mut bytes = [0; TEXT.len() + 1];
        let mut i = 0;
        while i < TEXT.len() {
            bytes[i] = TEXT.as_bytes()[i];
            i += 1;
        }
        bytes
    };
    match CStr::from_bytes_until_nul(&BYTES) {
        Ok(text) => text,
        Err(_) => c"",
    }
};

/// A kind of source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// [`BUILT`].
    Built,
    /// The program's variable `malloc_conf`.
    Variable,
    /// The link text of a file.
    Link,
    /// The environment.
    Environment,
    /// The program's variable `malloc_conf_2_conf_harder`.
    Harder,
}

impl Place {
    /// Every kind, in the order in which they are read.
    pub const ALL: [Place; 5] =
        [Place::Built, Place::Variable, Place::Link, Place::Environment, Place::Harder];
}

/// A source.
pub struct Source {
    /// How `confirm_conf` names it.
    pub title: &'static str,
    /// What kind it is; the reference has one of each.
    pub place: Place,
    /// Puts the text into the buffer and answers its length; `None` when there is none.
    pub read: fn(&mut [u8; SOURCE_MAX]) -> Option<usize>,
}

/// All sources; later ones win. Of each kind the reference's own comes first, then those of its builds with a prefix,
/// whose users write either.
pub static ALL: [Source; 11] = [
    Source {
        title: "string specified via --with-malloc-conf",
        place: Place::Built,
        read: |buffer| Some(copy(BUILT.to_bytes(), buffer)),
    },
    Source {
        title: "string pointed to by the global variable malloc_conf",
        place: Place::Variable,
        read: |buffer| pointed_to(crate::weak_symbol!("malloc_conf"), buffer),
    },
    Source {
        title: "string pointed to by the global variable _rjem_malloc_conf",
        place: Place::Variable,
        read: |buffer| pointed_to(crate::weak_symbol!("_rjem_malloc_conf"), buffer),
    },
    Source {
        title: "string pointed to by the global variable je_malloc_conf",
        place: Place::Variable,
        read: |buffer| pointed_to(crate::weak_symbol!("je_malloc_conf"), buffer),
    },
    Source {
        title: "\"name\" of the file referenced by the symbolic link named /etc/malloc.conf",
        place: Place::Link,
        read: |buffer| environment::link_text(c"/etc/malloc.conf", buffer),
    },
    Source {
        title: "value of the environment variable MALLOC_CONF",
        place: Place::Environment,
        read: |buffer| variable(b"MALLOC_CONF", buffer),
    },
    Source {
        title: "value of the environment variable _RJEM_MALLOC_CONF",
        place: Place::Environment,
        read: |buffer| variable(b"_RJEM_MALLOC_CONF", buffer),
    },
    Source {
        title: "value of the environment variable JE_MALLOC_CONF",
        place: Place::Environment,
        read: |buffer| variable(b"JE_MALLOC_CONF", buffer),
    },
    Source {
        title: "string pointed to by the global variable malloc_conf_2_conf_harder",
        place: Place::Harder,
        read: |buffer| pointed_to(crate::weak_symbol!("malloc_conf_2_conf_harder"), buffer),
    },
    Source {
        title: "string pointed to by the global variable _rjem_malloc_conf_2_conf_harder",
        place: Place::Harder,
        read: |buffer| pointed_to(crate::weak_symbol!("_rjem_malloc_conf_2_conf_harder"), buffer),
    },
    Source {
        title: "string pointed to by the global variable je_malloc_conf_2_conf_harder",
        place: Place::Harder,
        read: |buffer| pointed_to(crate::weak_symbol!("je_malloc_conf_2_conf_harder"), buffer),
    },
];

fn copy(text: &[u8], buffer: &mut [u8]) -> usize {
    let n = text.len().min(buffer.len());
    buffer[..n].copy_from_slice(&text[..n]);
    n
}

fn variable(name: &[u8], buffer: &mut [u8]) -> Option<usize> {
    if environment::privileged() { None } else { environment::variable(name, buffer) }
}

fn pointed_to(variable: *const *const c_char, buffer: &mut [u8]) -> Option<usize> {
    // SAFETY: the symbol, if there is one, is a pointer variable by the documented interface. (A Rust program may
    // define it as a slice, whose first word is such a pointer.)
    let text = *(unsafe { variable.as_ref() })?;
    if text.is_null() {
        return None;
    }
    // SAFETY: a non-null variable points at a C string by the documented interface.
    Some(copy(unsafe { CStr::from_ptr(text) }.to_bytes(), buffer))
}
