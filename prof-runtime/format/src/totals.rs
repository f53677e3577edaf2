//! What a dump says about the whole process: the allocator's sums and the kernel's, one row each.
//!
//! Written as lines `# total NAME BYTES` by the text forms, whose readers skip such lines, and as comments of the same
//! text by profile.proto, whose viewers do not show comments that start with `#`.

/// A total, by its row in [`Totals::ROWS`].
pub struct Total {
    /// Its name in a dump; for the allocator's own sums the name below `stats.` in mallctl.
    pub name: &'static str,
    /// What it is, one sentence.
    pub doc: &'static str,
    /// Its value, if it is known.
    pub get: fn(&Totals) -> Option<u64>,
    /// Its place.
    #[cfg_attr(not(feature = "read"), expect(dead_code, reason = "only readers set totals"))]
    pub(crate) place: fn(&mut Totals) -> &mut Option<u64>,
}

/// Makes [`Totals`] and its rows. `totals! { rss: "Bytes in memory." }` gives
///
/// ```text
/// pub struct Totals { /** Bytes in memory. */ pub rss: Option<u64> }
/// impl Totals { pub const ROWS: &[Total] = &[Total { name: "rss", doc: "Bytes in memory.", get: .., place: .. }]; }
/// ```
macro_rules! totals {
    ($($name:ident: $doc:literal,)*) => {
        /// Sums over the whole process when a dump was made, in bytes; `None` where nobody told.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Totals {
            $(#[doc = $doc] pub $name: Option<u64>,)*
        }

        impl Totals {
            /// Every total, in the order in which they are written.
            pub const ROWS: &'static [Total] = &[
                $(Total {
                    name: stringify!($name),
                    doc: $doc,
                    get: |totals| totals.$name,
                    place: |totals| &mut totals.$name,
                },)*
            ];
        }
    };
}

totals! {
    allocated: "Usable bytes of all objects that the program holds or that lie in thread caches.",
    active: "Bytes of pages that hold objects.",
    metadata: "Bytes of the allocator's own structures.",
    resident: "Bytes of the allocator's pages that memory backs: active, dirty and metadata.",
    mapped: "Bytes of the allocator's address space in use: active, dirty, muzzy and metadata.",
    retained: "Bytes of the allocator's address space kept for reuse that no memory backs.",
    tcache_bytes: "Usable bytes of objects in thread caches and on their way between them.",
    dirty: "Bytes of unused pages that were not given back to the kernel.",
    muzzy: "Bytes of unused pages that the kernel may take back when it wants to.",
    rss: "Bytes of the process that are in memory, as the kernel counts them.",
    rss_anon: "Bytes of it that belong to no file: heap, stacks and other private memory.",
    swap: "Bytes of the process that were moved out to swap.",
    cgroup_limit: "Bytes of memory that the process's control group may use, the smallest limit above it.",
}

impl Totals {
    /// What is known, by name, in the order of the rows.
    pub fn known(&self) -> impl Iterator<Item = (&'static str, u64)> + '_ {
        Totals::ROWS.iter().filter_map(|row| Some((row.name, (row.get)(self)?)))
    }

    /// How many are known.
    pub fn count(&self) -> usize {
        self.known().count()
    }

    /// Sets the total of this name; `None` when there is none, as from a writer that knows more of them.
    #[cfg(feature = "read")]
    pub(crate) fn set(&mut self, name: &[u8], bytes: u64) -> Option<()> {
        let row = Totals::ROWS.iter().find(|row| row.name.as_bytes() == name)?;
        *(row.place)(self) = Some(bytes);
        Some(())
    }
}

/// Start of a line or comment that carries a total.
pub(crate) const PREFIX: &str = "# total ";

/// Start of a line or comment that tells how the process was started, `# about NAME TEXT`.
pub(crate) const ABOUT_PREFIX: &str = "# about ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_have_names_of_their_own_and_sentences() {
        for (index, row) in Totals::ROWS.iter().enumerate() {
            assert!(Totals::ROWS[..index].iter().all(|other| other.name != row.name), "{}", row.name);
            assert!(row.doc.ends_with('.') && row.doc.len() > 20, "{}", row.name);
            let mut totals = Totals::default();
            assert_eq!(totals.set(row.name.as_bytes(), 7), Some(()));
            assert_eq!(((row.get)(&totals), totals.count()), (Some(7), 1));
        }
        assert_eq!(Totals::default().set(b"other", 1), None);
    }
}
