//! Reads the configuration: `key:value` pairs with commas between them, from every source that jemalloc reads.
//!
//! Messages are the reference's (`docs/compat.md` lists the one difference: a malformed element does not drop those
//! behind it).

use core::ffi::{CStr, c_char};
use core::fmt;

use crate::os::environment;
use crate::report;
use crate::tables::option::{self, BadValue};

/// Room for one source. Longer ones are cut at the last whole byte.
const SOURCE_MAX: usize = 8192;

/// The sources, later ones win; texts as `confirm_conf` shows them.
const SOURCES: [(&str, Source); 4] = [
    ("string specified via --with-malloc-conf", Source::Built),
    ("string pointed to by the global variable malloc_conf", Source::Variable),
    ("\"name\" of the file referenced by the symbolic link named /etc/malloc.conf", Source::Link),
    ("value of the environment variable MALLOC_CONF", Source::Environment),
];

#[derive(Clone, Copy)]
enum Source {
    Built,
    Variable,
    Link,
    Environment,
}

/// The program's own `malloc_conf`, when it defines one: null otherwise.
fn variable() -> *const *const c_char {
    let at: *const *const c_char;
    #[cfg(target_arch = "x86_64")]
    // SAFETY: loads the address of a weak symbol from the GOT; it is null when nobody defines the symbol.
    unsafe {
        core::arch::asm!(".weak malloc_conf", "mov {at}, qword ptr [rip + malloc_conf@GOTPCREL]",
            at = out(reg) at, options(pure, readonly, nostack, preserves_flags));
    }
    #[cfg(target_arch = "aarch64")]
    // SAFETY: as above.
    unsafe {
        core::arch::asm!(".weak malloc_conf", "adrp {at}, :got:malloc_conf", "ldr {at}, [{at}, :got_lo12:malloc_conf]",
            at = out(reg) at, options(pure, readonly, nostack, preserves_flags));
    }
    at
}

impl Source {
    fn read(self, buffer: &mut [u8; SOURCE_MAX]) -> usize {
        match self {
            Source::Built => 0,
            Source::Variable => {
                // SAFETY: the symbol, if there is one, is a pointer variable by the documented interface.
                let Some(&text) = (unsafe { variable().as_ref() }) else { return 0 };
                if text.is_null() {
                    return 0;
                }
                // SAFETY: a non-null `malloc_conf` points at a C string by the documented interface.
                let text = unsafe { CStr::from_ptr(text) }.to_bytes();
                let n = text.len().min(buffer.len());
                buffer[..n].copy_from_slice(&text[..n]);
                n
            }
            Source::Link => environment::link_text(c"/etc/malloc.conf", buffer).unwrap_or(0),
            Source::Environment if environment::privileged() => 0,
            Source::Environment => environment::variable(b"MALLOC_CONF", buffer).unwrap_or(0),
        }
    }
}

/// Reads all sources into the option table, and tells the user what could not be used.
///
/// Ends the process when something was wrong and `abort_conf` is set. Never allocates.
pub fn read() {
    let mut buffer = [0; SOURCE_MAX];
    // Whether to confirm must be known before the first pair is accepted.
    for (_, source) in SOURCES {
        let n = source.read(&mut buffer);
        elements(&buffer[..n]).for_each(|element| {
            if let Element::Pair(b"confirm_conf", value) = element {
                let _ = option::CONFIRM_CONF.parse(value);
            }
        });
    }
    for (number, (name, source)) in SOURCES.iter().enumerate() {
        let n = source.read(&mut buffer);
        if option::CONFIRM_CONF.on() {
            let text = Show(&buffer[..n]);
            report::message(format_args!("malloc_conf #{} ({name}): \"{text}\"", number + 1));
        }
        let good = apply(&buffer[..n]);
        if !good && option::ABORT_CONF.on() {
            report::fatal(format_args!("Abort (abort_conf:true) on invalid conf value (see above)."));
        }
    }
    if option::PROF_LEAK.on() {
        option::PROF.resolve(1);
    }
}

/// Applies one source; answers whether all of it was good.
fn apply(source: &[u8]) -> bool {
    let mut good = true;
    for element in elements(source) {
        let complaint = match element {
            Element::Pair(key, value) => match set(key, value) {
                Ok(()) => {
                    if option::CONFIRM_CONF.on() {
                        report::message(format_args!("-- Set conf value: {}:{}", Show(key), Show(value)));
                    }
                    continue;
                }
                Err(what) => {
                    report::message(format_args!("{what}: {}:{}", Show(key), Show(value)));
                    good &= key.starts_with(b"experimental_");
                    continue;
                }
            },
            Element::EndsWithKey(rest) => ("Conf string ends with key", rest),
            Element::EndsWithComma => ("Conf string ends with comma", &b""[..]),
            Element::Malformed(rest) => ("Malformed conf string", rest),
        };
        report::message(format_args!("{} -- {}", complaint.0, Show(complaint.1)));
        good = false;
    }
    good
}

fn set(key: &[u8], value: &[u8]) -> Result<(), &'static str> {
    let opt = option::find(key).ok_or("Invalid conf pair")?;
    // The word for what is computed at start, as the reference accepts it.
    if core::ptr::eq(opt, &option::NARENAS) && value == b"default" {
        opt.resolve(0);
        return Ok(());
    }
    opt.parse(value).map_err(|bad| match bad {
        BadValue::Invalid => "Invalid conf value",
        BadValue::OutOfRange => "Out-of-range conf value",
    })
}

/// A piece of a source between two commas.
#[derive(Debug, PartialEq, Eq)]
enum Element<'a> {
    Pair(&'a [u8], &'a [u8]),
    /// The last element has no colon.
    EndsWithKey(&'a [u8]),
    /// A comma is the last character.
    EndsWithComma,
    /// An element whose key has a character that no key has, or no colon.
    Malformed(&'a [u8]),
}

fn elements(source: &[u8]) -> impl Iterator<Item = Element<'_>> {
    let mut pieces = source.split(|&byte| byte == b',').peekable();
    let mut first = true;
    core::iter::from_fn(move || {
        let piece = pieces.next()?;
        let (is_first, is_last) = (core::mem::take(&mut first), pieces.peek().is_none());
        if piece.is_empty() && is_last {
            return (!is_first).then_some(Element::EndsWithComma);
        }
        let key_end = piece.iter().position(|&b| !(b.is_ascii_alphanumeric() || b == b'_' || b == b'.'));
        Some(match key_end {
            Some(at) if piece[at] == b':' => Element::Pair(&piece[..at], &piece[at + 1..]),
            None if is_last => Element::EndsWithKey(piece),
            _ => Element::Malformed(piece),
        })
    })
}

/// Bytes as text, whatever they are.
struct Show<'a>(&'a [u8]);

impl fmt::Display for Show<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.utf8_chunks().try_for_each(|chunk| {
            f.write_str(chunk.valid())?;
            if chunk.invalid().is_empty() { Ok(()) } else { f.write_str("?") }
        })
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_malformed_element_does_not_drop_those_behind_it() {
        use Element::*;
        let got: Vec<_> = elements(b"a:1,b c:2,d:,e,f.0.g:x:y").collect();
        assert_eq!(
            got,
            [Pair(b"a", b"1"), Malformed(b"b c:2"), Pair(b"d", b""), Malformed(b"e"), Pair(b"f.0.g", b"x:y")]
        );
    }

    #[test]
    fn the_end_of_a_source_is_told_apart() {
        use Element::*;
        assert_eq!(elements(b"").collect::<Vec<_>>(), []);
        assert_eq!(elements(b"a:1,").collect::<Vec<_>>(), [Pair(b"a", b"1"), EndsWithComma]);
        assert_eq!(elements(b"prof").collect::<Vec<_>>(), [EndsWithKey(b"prof")]);
    }
}
