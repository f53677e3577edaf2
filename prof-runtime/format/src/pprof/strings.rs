//! The string table of a snapshot.

use super::DROP_FRAMES;
use super::fields::profile;
use super::wire_write::Message;
use crate::out::hex_of;
use crate::snapshot::{Facts, Snapshot};
use crate::totals::{self, ABOUT_PREFIX};

/// Makes [`Str`] and the texts it stands for. The empty string is not among them: it is always the first.
macro_rules! strings {
    ($($name:ident $text:expr,)*) => {
        /// Index of a fixed string in the string table.
        #[derive(Clone, Copy, PartialEq, Eq)]
        pub(super) enum Str { Empty, $($name),* }

        const STRINGS: &[&str] = &["", $($text),*];
    };
}

strings! {
    AllocObjects "alloc_objects",
    AllocSpace "alloc_space",
    InuseObjects "inuse_objects",
    InuseSpace "inuse_space",
    Space "space",
    Count "count",
    Bytes "bytes",
    Thread "thread",
    ThreadUid "thread_uid",
    Id "id",
    DropFrames DROP_FRAMES,
    PeakObjects "peak_objects",
    PeakSpace "peak_space",
    InuseRequestedSpace "inuse_requested_space",
    PinnedSpace "pinned_space",
    Samples "samples",
    Variance "inuse_space_variance",
    Bytes2 "bytes2",
    Births "births",
    Deaths "deaths",
    Label "label",
    Age "age",
    Lifetime "lifetime",
    Nanoseconds "nanoseconds",
    FreedBy "freed_by",
    SameThread "same thread",
    OtherThread "other thread",
    Leak "leak",
    Direct "direct",
    Indirect "indirect",
}

#[cfg(feature = "read")]
impl Str {
    /// The string.
    pub(super) fn bytes(self) -> &'static [u8] {
        STRINGS[self as usize].as_bytes()
    }
}

const _: () = assert!(Str::Indirect as usize + 1 == STRINGS.len() && Str::Empty as usize == 0);

/// Index in the string table of what a snapshot names: fixed strings, threads, labels, modules (path, build id), totals,
/// how it was started, comment.
pub(super) struct Strings {
    threads: usize,
    labels: usize,
    modules: usize,
    /// Totals and what else is a comment that viewers do not show.
    silent: usize,
}

impl Strings {
    pub(super) fn of<N: Snapshot>(snapshot: &N) -> Strings {
        let Facts { totals, about, .. } = snapshot.facts();
        Strings {
            threads: snapshot.threads(),
            labels: snapshot.labels(),
            modules: snapshot.modules(),
            silent: totals.count() + about.texts().count() + about.numbers().count(),
        }
    }

    pub(super) fn thread(&self, index: usize) -> u64 {
        (STRINGS.len() + index) as u64
    }

    pub(super) fn label(&self, index: usize) -> u64 {
        self.thread(self.threads) + index as u64
    }

    pub(super) fn path(&self, module: usize) -> u64 {
        self.label(self.labels) + 2 * module as u64
    }

    pub(super) fn build_id(&self, module: usize) -> u64 {
        self.path(module) + 1
    }

    /// All comments: the one for people first, which is the last string.
    pub(super) fn comments(&self) -> impl Iterator<Item = u64> {
        let silent = self.path(self.modules);
        let shown = silent + self.silent as u64;
        core::iter::once(shown).chain(silent..shown)
    }
}

/// Writes the table.
pub(super) fn write<N: Snapshot, E>(snapshot: &N, out: &mut Message<'_, E>) -> Result<(), E> {
    for text in STRINGS {
        out.bytes(profile::STRING_TABLE, text.as_bytes())?;
    }
    for index in 0..snapshot.threads() {
        let thread = snapshot.thread(index);
        let name = if thread.name.is_empty() { thread.system_name } else { thread.name };
        out.message(profile::STRING_TABLE, |message| {
            if name.is_empty() {
                message.raw(b"thread-")?;
                message.decimal(thread.uid)
            } else {
                message.utf8(name)
            }
        })?;
    }
    for index in 0..snapshot.labels() {
        out.message(profile::STRING_TABLE, |message| message.utf8(snapshot.label(index)))?;
    }
    for index in 0..snapshot.modules() {
        let module = snapshot.module(index);
        out.message(profile::STRING_TABLE, |message| message.utf8(module.path))?;
        let mut hex = [0; 64];
        out.bytes(profile::STRING_TABLE, hex_of(&module.build_id, &mut hex))?;
    }
    comments(&snapshot.facts(), out)
}

fn comments<E>(facts: &Facts, out: &mut Message<'_, E>) -> Result<(), E> {
    let silent = |out: &mut Message<'_, E>,
                  prefix: &str,
                  name: &str,
                  value: &dyn Fn(&mut Message<'_, E>) -> Result<(), E>| {
        out.message(profile::STRING_TABLE, |message| {
            message.raw(prefix.as_bytes())?;
            message.raw(name.as_bytes())?;
            message.raw(b" ")?;
            value(message)
        })
    };
    for (name, bytes) in facts.totals.known() {
        silent(out, totals::PREFIX, name, &|message| message.decimal(bytes))?;
    }
    for (name, text) in facts.about.texts() {
        silent(out, ABOUT_PREFIX, name, &|message| words(text, message))?;
    }
    for (name, number) in facts.about.numbers() {
        silent(out, ABOUT_PREFIX, name, &|message| message.decimal(number))?;
    }
    out.message(profile::STRING_TABLE, |message| {
        message.raw(b"Heap profile of ")?;
        message.utf8(if facts.program.is_empty() { b"an unknown program" } else { facts.program })?;
        message.raw(b", pid ")?;
        message.decimal(facts.pid.into())?;
        message.raw(b", mean sampling distance ")?;
        message.decimal(facts.period.max(1))?;
        message.raw(b" bytes, written by jeprof-rs")
    })
}

/// Words with zeros between them.
fn words<E>(text: &[u8], out: &mut Message<'_, E>) -> Result<(), E> {
    text.split(|byte| *byte == 0).enumerate().try_for_each(|(at, word)| {
        if at != 0 {
            out.raw(b" ")?;
        }
        out.utf8(word)
    })
}
