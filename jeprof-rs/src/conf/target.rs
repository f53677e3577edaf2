//! The allocators whose rules a string can be checked against.

/// One allocator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// jemalloc 5.3.0, which distributions ship.
    Jemalloc530,
    /// jemalloc 5.3.1, which the crates `tikv-jemallocator` 0.7 and later build.
    Jemalloc531,
    /// The allocator of this project.
    Ours,
}

impl Target {
    /// All of them, in the order of reports.
    pub const ALL: [Target; 3] = [Target::Jemalloc530, Target::Jemalloc531, Target::Ours];

    /// Its name in `--for`.
    pub fn name(self) -> &'static str {
        match self {
            Target::Jemalloc530 => "jemalloc-5.3.0",
            Target::Jemalloc531 => "jemalloc-5.3.1",
            Target::Ours => "jeprof-rs",
        }
    }

    /// Whether it is one of jemalloc's versions.
    pub fn is_jemalloc(self) -> bool {
        self != Target::Ours
    }
}

/// Words for several of them: nothing for all, `jemalloc` for both versions.
pub fn names(targets: &[Target]) -> String {
    if targets == [Target::Jemalloc530, Target::Jemalloc531] {
        return "jemalloc".into();
    }
    targets.iter().map(|target| target.name()).collect::<Vec<_>>().join(", ")
}
