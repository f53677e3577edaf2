//! Reads the configuration: `key:value` pairs with commas between them, from every source that jemalloc reads.
//!
//! Messages are the reference's (`docs/compat.md` lists the differences: a malformed element does not drop those behind
//! it, a misspelt key is told its neighbour, keys of older releases are accepted with a notice).

mod arena;
mod source;

use core::ffi::c_char;
use core::fmt;
use core::ptr::null_mut;
use core::sync::atomic::AtomicPtr;

use prof_options::{Element, Host, Show, elements};

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
    prof_options::read(&mut Table, source)
}

/// The option table, as what reads a configuration string sees it.
struct Table;

impl Host for Table {
    fn set(&mut self, key: &[u8], value: &[u8]) -> Result<(), BadValue> {
        if let Some(done) = arena::set(key, value) {
            return done;
        }
        // `opt.narenas` is how the option is read; some write it that way, too.
        let opt = option::find(key.strip_prefix(b"opt.").unwrap_or(key)).ok_or(BadValue::Unknown)?;
        opt.parse(value)?;
        if opt.origin == Origin::Retired {
            report::message(format_args!("{}: {}", opt.name, opt.doc));
        }
        Ok(())
    }

    fn names(&self) -> impl Iterator<Item = &'static str> {
        option::names()
    }

    fn confirms(&self) -> bool {
        option::CONFIRM_CONF.on()
    }

    fn tell(&self, text: fmt::Arguments) {
        report::message(text);
    }
}
