//! Options: one row each, with its value.

mod kind;
pub mod rows;

use core::ffi::{CStr, c_char};
use core::sync::atomic::*;

pub use prof_options::BadValue;

pub use self::kind::{CType, Kind, Letters, Text};
pub use self::rows::*;
use super::leaf::{Write, conf};
use super::tree::Node;
use super::value::Type;
use crate::relaxed::Relaxed;

/// Whose an option is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// jemalloc 5.3.1 has it, and `opt.<name>` with it.
    Reference,
    /// jemalloc 5.3.1 has it, but no leaf to read it by.
    Unlisted,
    /// jemalloc has it in builds of another kind; here the key is refused and the leaf answers `ENOENT`.
    NotBuilt,
    /// An older jemalloc had it: accepted, with a notice.
    Retired,
    /// Ours.
    Extension,
}

/// An option.
pub struct Opt {
    /// Key in `MALLOC_CONF`; `opt.<name>` is its leaf.
    pub name: &'static str,
    /// What it does, one sentence; of a retired one, the notice.
    pub doc: &'static str,
    /// Type and range.
    pub kind: Kind,
    /// Whose it is.
    pub origin: Origin,
    /// A word that stands for the default.
    pub default_word: bool,
    /// Whether the default depends on the machine.
    pub computed: bool,
    /// How `opt.<name>` is written at run time, if it can be; sets the value, too.
    pub write: Option<Write>,
    /// Of a list of settings: how much of a text can be read. That part is added to what the list holds.
    readable: Option<fn(&[u8]) -> usize>,
    /// Most that it can be set to from now on, while each value that is given bounds those behind it.
    bound: Option<AtomicI64>,
    value: AtomicI64,
    /// Whether a configuration string set it.
    given: AtomicBool,
}

impl Opt {
    const fn new(name: &'static str, default: i64, kind: Kind, doc: &'static str) -> Opt {
        Opt {
            name,
            doc,
            kind,
            origin: Origin::Reference,
            default_word: false,
            computed: false,
            write: None,
            readable: None,
            bound: None,
            value: AtomicI64::new(default),
            given: AtomicBool::new(false),
        }
    }

    const fn of(self, origin: Origin) -> Opt {
        Opt { origin, ..self }
    }

    /// Value of a switch.
    pub fn on(&self) -> bool {
        self.value.get() != 0
    }

    /// Value of a number, or the position of the chosen word.
    pub fn get(&self) -> i64 {
        self.value.get()
    }

    /// Value of a number that is never negative.
    pub fn size(&self) -> usize {
        self.value.get() as usize
    }

    /// Whether a configuration string set it, be it to its default.
    pub fn is_given(&self) -> bool {
        self.given.get()
    }

    /// Sets a value that is computed at start.
    pub fn resolve(&self, value: i64) {
        self.value.set(value);
    }

    /// Value of a text or a choice.
    pub fn as_cstr(&self) -> &'static CStr {
        match self.kind {
            Kind::Choice(words) => words[self.value.get() as usize],
            Kind::Text(text) | Kind::Letters(Letters { text, .. }) => {
                // SAFETY: the last byte of a text is never written and is 0; texts are written at start only,
                // before any other thread can read them.
                unsafe { CStr::from_ptr(text.0.as_ptr().cast::<c_char>()) }
            }
            _ => c"",
        }
    }

    /// Type of the leaf's value.
    pub fn value_type(&self) -> Type {
        match self.kind {
            Kind::Bool => Type::Bool,
            Kind::Number { ctype, .. } | Kind::Alias { source: &Kind::Number { ctype, .. }, .. } => {
                ctype.value_type()
            }
            Kind::Fixed { .. } | Kind::Alias { .. } => Type::U32,
            Kind::Choice(_) | Kind::Text(_) | Kind::Letters(_) => Type::Text,
        }
    }

    /// Sets the value from its text in a configuration string.
    pub fn parse(&self, value: &[u8]) -> Result<(), BadValue> {
        if self.default_word && value == b"default" {
            return Ok(());
        }
        match self.kind {
            Kind::Text(text) => match self.readable {
                None => text.write(value.iter().copied()),
                Some(readable) => {
                    let good = readable(value);
                    if !text.add(&value[..good]) || good != value.len() || value.is_empty() {
                        return Err(BadValue::Settings);
                    }
                }
            },
            Kind::Letters(letters) => letters.write(value),
            Kind::Alias { target, of, .. } => {
                self.value.set(self.kind.number(value)?);
                target.value.set(of(self.value.get()));
                target.given.set(true);
            }
            _ => {
                let mut number = self.kind.number(value)?;
                if let Some(bound) = &self.bound {
                    number = number.min(bound.get());
                    bound.set(number);
                }
                self.value.set(number);
            }
        }
        self.given.set(true);
        Ok(())
    }
}

/// The option of a name, those that are refused here left out.
pub fn find(name: &[u8]) -> Option<&'static Opt> {
    all().find(|opt| opt.name.as_bytes() == name && opt.origin != Origin::NotBuilt)
}

/// Keys that can be written.
pub fn names() -> impl Iterator<Item = &'static str> {
    all().filter(|opt| opt.origin != Origin::NotBuilt).map(|opt| opt.name)
}

/// Every option, in the order of the tree.
pub fn all() -> impl Iterator<Item = &'static Opt> {
    LISTED.iter().chain(OTHERS).copied()
}

/// `opt.*`: the reference's leaves in its order, then its sources, then what it has no leaf for and what it lacks.
pub static NODES: [Node; LISTED.len() + 1 + OTHERS.len()] = {
    let sources = Node::Branch { name: "malloc_conf", children: conf::NODES };
    let mut nodes = [sources; LISTED.len() + 1 + OTHERS.len()];
    let mut i = 0;
    while i < LISTED.len() {
        nodes[i] = Node::Option(LISTED[i]);
        i += 1;
    }
    i = 0;
    while i < OTHERS.len() {
        nodes[LISTED.len() + 1 + i] = Node::Option(OTHERS[i]);
        i += 1;
    }
    nodes
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_unique_and_documented_and_their_defaults_are_in_range() {
        for (at, opt) in all().enumerate() {
            assert!(all().skip(at + 1).all(|other| other.name != opt.name), "{} twice", opt.name);
            assert!(opt.doc.ends_with('.') || opt.doc.ends_with(')'), "{}", opt.name);
            if let Kind::Number { min, max, .. } | Kind::Fixed { min, max } = opt.kind {
                let value = opt.get() as i128;
                assert!((min..=max).contains(&value) || opt.computed, "{}", opt.name);
            }
        }
    }

    #[test]
    fn a_value_bounds_those_behind_it_where_that_is_so_but_the_default_bounds_none() {
        let opt = lowered("max", 4, (1, 4096), CType::Size, "");
        assert_eq!((opt.parse(b"8"), opt.get()), (Ok(()), 8));
        assert_eq!((opt.parse(b"3"), opt.get()), (Ok(()), 3));
        assert_eq!((opt.parse(b"8"), opt.get()), (Ok(()), 3));
    }

    #[test]
    fn numbers_outside_their_range_are_clipped_or_refused() {
        let opt = Opt::new("n", 5, rows::number(0, 9, true, CType::Size), "Doc.");
        assert_eq!((opt.parse(b"99"), opt.get()), (Ok(()), 9));
        let opt = Opt::new("n", 5, rows::number(0, 9, false, CType::Size), "Doc.");
        assert_eq!((opt.parse(b"99"), opt.get()), (Err(BadValue::OutOfRange), 5));
        assert_eq!((opt.parse(b"x"), opt.get()), (Err(BadValue::Invalid), 5));
    }

    #[test]
    fn settings_of_a_list_add_up_and_count_as_far_as_they_can_be_read() {
        static TEXT: Text = Text::holding("");
        // Of the row itself only what reads it: other tests look at its value.
        let opt = Opt { readable: TCACHE_NCACHED_MAX.readable, ..rows::text("ranges", &TEXT, "") };
        let parse = |value: &[u8]| (opt.parse(value), opt.as_cstr().to_str().unwrap());
        assert_eq!(parse(b""), (Err(BadValue::Settings), ""));
        assert_eq!(parse(b"nonsense"), (Err(BadValue::Settings), ""));
        assert_eq!(parse(b"8-64:10|nonsense"), (Err(BadValue::Settings), "8-64:10"));
        assert_eq!(parse(b"100-200:3"), (Ok(()), "8-64:10|100-200:3"));
        // No room: nothing of it is kept, since a part of a number is another number.
        let mut long = [b' '; 5000];
        long[4993..].copy_from_slice(b"8-64:10");
        assert_eq!(parse(&long), (Err(BadValue::Settings), "8-64:10|100-200:3"));
    }

    #[test]
    fn an_alias_sets_the_option_that_it_stands_for() {
        static TARGET: Opt = Opt::new("bytes", 1, rows::number(0, 99, true, CType::Size), "Doc.");
        static LG: Kind = rows::number(0, 6, true, CType::Size);
        let kind = Kind::Alias { target: &TARGET, of: |lg| 1 << lg, source: &LG };
        let alias = Opt::new("lg_bytes", 0, kind, "Doc.");
        assert!(!TARGET.is_given());
        assert_eq!((alias.parse(b"99"), TARGET.get()), (Ok(()), 64));
        assert!(TARGET.is_given());
    }
}
