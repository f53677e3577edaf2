//! What a report says of the build, the options and the system: names and values, whatever the format.

use core::ffi::CStr;

use crate::conf::{self, Place};
use crate::ctl;
use crate::os::{memory, thp};
use crate::tables::option::{self, Kind, Origin};
use crate::tables::value::{Type, Value};

/// A value as a report shows it.
#[derive(Clone, Copy, Debug)]
pub enum Shown {
    /// A switch.
    Switch(bool),
    /// A number.
    Number(i128),
    /// A text.
    Text(&'static CStr),
    /// A number of 16.16 bits.
    Fixed(u32),
    /// A text that is not set.
    Unset,
}

impl Shown {
    fn of(ty: Type, value: Value) -> Shown {
        match ty {
            Type::Bool => Shown::Switch(value.0 & 1 != 0),
            Type::SSize | Type::I64 => Shown::Number(i128::from(value.0 as i64)),
            Type::Text if value.text().is_null() => Shown::Unset,
            // SAFETY: texts of options, of the build and of names are C strings of ours that live for ever.
            Type::Text => Shown::Text(unsafe { CStr::from_ptr(value.text()) }),
            _ => Shown::Number(i128::from(value.0)),
        }
    }
}

/// A leaf that another leaf may have changed since the start, and that one.
const CHANGEABLE: [(&str, &str); 6] = [
    ("background_thread", "background_thread"),
    ("dirty_decay_ms", "arenas.dirty_decay_ms"),
    ("muzzy_decay_ms", "arenas.muzzy_decay_ms"),
    ("prof_active", "prof.active"),
    ("prof_thread_active_init", "prof.thread_active_init"),
    ("lg_prof_sample", "prof.lg_sample"),
];

/// The value of a leaf; `None` when it is not there.
pub fn leaf(name: &str) -> Option<Shown> {
    let (ty, value) = ctl::value_of(name.as_bytes())?;
    Some(Shown::of(ty, value))
}

/// Shows each `config.*` to `each`.
pub fn config(mut each: impl FnMut(&'static str, Shown)) {
    for node in crate::tables::leaf::config::NODES {
        if let Some((ty, value)) = ctl::value(node) {
            each(node.name(), Shown::of(ty, value));
        }
    }
}

/// The kernel's policy of transparent huge pages.
pub fn thp_mode() -> &'static CStr {
    match thp::policy() {
        thp::Policy::Madvise => c"madvise",
        thp::Policy::Always => c"always",
        thp::Policy::Never => c"never",
        thp::Policy::Unsupported => c"not supported",
    }
}

/// The texts that options were read from: name in JSON, in text, and the text itself.
pub fn sources() -> [(&'static str, &'static str, Shown); 3] {
    let text = |place| match conf::text(place) {
        // SAFETY: such a text is a C string that lives for ever.
        Some(text) if !text.is_null() => Shown::Text(unsafe { CStr::from_ptr(text) }),
        _ => Shown::Unset,
    };
    [
        ("global_var", "Global variable malloc_conf", text(Place::Variable)),
        ("symlink", "Symbolic link malloc.conf", text(Place::Link)),
        ("env_var", "Environment variable MALLOC_CONF", text(Place::Environment)),
    ]
}

/// Shows each option that can be read to `each`, with the leaf that may have changed it since, and that one's value.
pub fn options(mut each: impl FnMut(&'static str, Shown, Option<(&'static str, Shown)>)) {
    for opt in option::all() {
        if opt.origin == Origin::NotBuilt || opt.name.contains("prof") && cfg!(not(feature = "prof")) {
            continue;
        }
        let shown = match opt.kind {
            Kind::Fixed { .. } if opt.get() >= 0 => Shown::Fixed(opt.get() as u32),
            Kind::Alias { .. } => continue,
            _ if opt.value_type() == Type::Text => Shown::Text(opt.as_cstr()),
            Kind::Fixed { .. } => Shown::Text(c"-1"),
            _ => Shown::of(opt.value_type(), Value(opt.get() as u64)),
        };
        if matches!(opt.origin, Origin::Reference | Origin::Extension | Origin::Unlisted) {
            let now = CHANGEABLE.iter().find(|(name, _)| *name == opt.name);
            each(opt.name, shown, now.and_then(|&(_, other)| Some((other, leaf(other)?))));
        }
    }
}

/// Shows each setting of the profiler to `each`.
pub fn profiling(mut each: impl FnMut(&'static str, Shown)) {
    const NAMES: [(&str, &str); 5] = [
        ("thread_active_init", "prof.thread_active_init"),
        ("active", "prof.active"),
        ("gdump", "prof.gdump"),
        ("interval", "prof.interval"),
        ("lg_sample", "prof.lg_sample"),
    ];
    for (name, path) in NAMES {
        if let Some(shown) = leaf(path) {
            each(name, shown);
        }
    }
}

/// Bytes of the process that are in memory, by the kernel; `None` when it does not say.
pub fn kernel_rss() -> Option<u64> {
    memory::resident()
}

/// The value of an option as it was at start.
pub fn leaf_of_option(name: &str) -> Option<Shown> {
    let opt = option::all().find(|opt| opt.name == name)?;
    Some(Shown::of(opt.value_type(), Value(opt.get() as u64)))
}
