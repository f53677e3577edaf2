//! Reads the configuration: `key:value` pairs with commas between them, from every source that jemalloc reads.
//!
//! Messages are the reference's (`docs/compat.md` lists the differences: a malformed element does not drop those behind
//! it, a misspelt key is told its neighbour, keys of older releases are accepted with a notice).

mod arena;
mod element;
mod nearest;
mod source;

use core::ffi::c_char;
use core::fmt;
use core::ptr::null_mut;
use core::sync::atomic::AtomicPtr;

use self::element::{Element, elements};
pub use self::source::{BUILT, Place};
use self::source::{SOURCE_MAX, Source};
use crate::arena::table;
use crate::relaxed::Relaxed;
use crate::report;
use crate::tables::option::{self, BadValue, Origin};

/// Copies of the texts that were read, by place.
static TEXTS: [AtomicPtr<u8>; Place::ALL.len()] = [const { AtomicPtr::new(null_mut()) }; Place::ALL.len()];

/// The text that was read from a place at start, a C string; of several the last.
pub fn text(place: Place) -> Option<*const c_char> {
    let text = TEXTS[place as usize].get();
    (!text.is_null()).then(|| text.cast_const().cast())
}

/// Reads all sources into the option table, and tells the user what could not be used.
///
/// Ends the process when something was wrong and `abort_conf` is set. Never allocates.
pub fn read() {
    let mut buffer = [0; SOURCE_MAX];
    // Whether to confirm must be known before the first pair is accepted.
    for source in &source::ALL {
        let n = (source.read)(&mut buffer).unwrap_or(0);
        elements(&buffer[..n]).for_each(|element| {
            if let Element::Pair(b"confirm_conf", value) = element {
                let _ = option::CONFIRM_CONF.parse(value);
            }
        });
    }
    let mut before = None;
    for source in &source::ALL {
        let n = (source.read)(&mut buffer);
        let text = &buffer[..n.unwrap_or(0)];
        // The reference has one source of each kind, and tells of it even when it is empty.
        let shown = before.replace(source.place) != Some(source.place) || n.is_some();
        if option::CONFIRM_CONF.on() && shown {
            let number = source.place as usize + 1;
            report::message(format_args!("malloc_conf #{number} ({}): \"{}\"", source.title, Show(text)));
        }
        if n.is_some() {
            keep(source, text);
        }
        if !apply(text) && option::ABORT_CONF.on() {
            report::fatal(format_args!("Abort (abort_conf:true) on invalid conf value (see above)."));
        }
    }
    settle();
}

/// Keeps a copy for `opt.malloc_conf.*`. Without memory for it the leaf says that there was no such source.
fn keep(source: &Source, text: &[u8]) {
    if let Some(copy) = table::BASE.alloc(text.len() + 1, 1) {
        // SAFETY: the copy has room for the text and a byte more, which is 0 as base memory is.
        unsafe { copy.as_ptr().copy_from_nonoverlapping(text.as_ptr(), text.len()) };
        TEXTS[source.place as usize].set(copy.as_ptr());
    }
}

/// What one option means for others.
fn settle() {
    if option::PROF_LEAK_ERROR.on() {
        option::PROF_LEAK.resolve(1);
        if !option::PROF_FINAL.on() {
            report::message(format_args!("prof_leak_error is set w/o prof_final."));
        }
    }
    if option::PROF_LEAK.on() {
        option::PROF.resolve(1);
    }
    if option::HPA.on() {
        report::message(format_args!("HPA not supported in the current configuration; disabling."));
        option::HPA.resolve(0);
    }
    option::LG_TCACHE_MAX.resolve(option::TCACHE_MAX.size().checked_ilog2().unwrap_or(0).into());
}

/// Applies one source; answers whether all of it was good.
fn apply(source: &[u8]) -> bool {
    let mut good = true;
    for element in elements(source) {
        let complaint = match element {
            Element::Pair(key, value) => {
                if let Err(what) = set(key, value) {
                    let of = if what == SETTINGS { key } else { &[] };
                    report::message(format_args!("{what}{}: {}:{}", Show(of), Show(key), Show(value)));
                    suggest(what, key);
                    good &= key.starts_with(b"experimental_");
                } else if option::CONFIRM_CONF.on() {
                    report::message(format_args!("-- Set conf value: {}:{}", Show(key), Show(value)));
                }
                continue;
            }
            Element::EndsWithKey(rest) => ("Conf string ends with key", rest),
            Element::EndsWithComma => ("Conf string ends with comma", &b""[..]),
            Element::Malformed(rest) => ("Malformed conf string", rest),
        };
        report::message(format_args!("{} -- {}", complaint.0, Show(complaint.1)));
        good = false;
    }
    good
}

const UNKNOWN: &str = "Invalid conf pair";
/// The key follows.
const SETTINGS: &str = "Invalid settings for ";

fn set(key: &[u8], value: &[u8]) -> Result<(), &'static str> {
    let complaint = |bad| match bad {
        BadValue::Invalid => "Invalid conf value",
        BadValue::OutOfRange => "Out-of-range conf value",
        BadValue::Settings => SETTINGS,
    };
    if let Some(done) = arena::set(key, value) {
        return done.map_err(complaint);
    }
    // `opt.narenas` is how the option is read; some write it that way, too.
    let opt = option::find(key.strip_prefix(b"opt.").unwrap_or(key)).ok_or(UNKNOWN)?;
    opt.parse(value).map_err(complaint)?;
    if opt.origin == Origin::Retired {
        report::message(format_args!("{}: {}", opt.name, opt.doc));
    }
    Ok(())
}

fn suggest(what: &str, key: &[u8]) {
    if what == UNKNOWN
        && let Some(near) = nearest::nearest(key, option::names())
    {
        report::message(format_args!("Did you mean {near}?"));
    }
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
