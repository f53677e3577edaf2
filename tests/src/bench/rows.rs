//! The rows of the benchmark set.

/// What runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// A source of `tests/bench/programs`.
    Own(&'static str),
    /// The same; it is idle at its end, so that those of all peers are idle together. Only its stages count.
    Idle(&'static str),
    /// Something installed, which `tests/src/bin/bench_set/real.rs` finds.
    Real(Real),
    /// A program of `tests/bench/rust`, linked with each allocator.
    Linked(Linking),
}

/// How Rust programs are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linking {
    /// Cargo's release profile.
    Plain,
    /// With `lto = "fat"` as one unit, so that an allocator in Rust becomes part of its callers.
    Fat,
}

impl Linking {
    /// Both, with the names of cargo's profiles.
    pub const ALL: [(Linking, &str); 2] = [(Linking::Plain, "release"), (Linking::Fat, "fat")];

    /// Of cargo's profile.
    pub fn profile(self) -> &'static str {
        Linking::ALL[self as usize].1
    }
}

/// A program from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Real {
    /// CPython with `PYTHONMALLOC=malloc`.
    Python,
    /// GCC's C++ compiler proper.
    Cc1plus,
    /// The shell of SQLite, in memory.
    Sqlite,
    /// Lua 5.
    Lua,
    /// Ruby.
    Ruby,
    /// Z3, Debian's or PyPI's.
    Z3,
    /// The server's CPU time under redis-benchmark.
    Redis,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// In the table and on the command line.
    pub name: &'static str,
    /// What runs.
    pub program: Program,
    /// Its first arguments; the count follows.
    pub arguments: &'static [&'static str],
    /// How much it does, an eighth of it in a quick run.
    pub count: u64,
    /// Whether nearly everybody leaves jemalloc so far behind that the row alone moves the mean.
    pub extreme: bool,
    /// For the table.
    pub what: &'static str,
}

/// Each row is measured for time and memory, but for those of [`MEMORY_ONLY`].
#[rustfmt::skip]
pub const ROWS: &[Row] = &[
    own("nothing", "nothing.c", &[], 1, "starts, allocates once, ends"),
    own("pair-small", "pairs.c", &["8", "1024"], 3_000_000, "malloc and free in turns, 8 B to 1 KiB"),
    own("pair-medium", "pairs.c", &["2048", "32768"], 3_000_000, "the same, 2 to 32 KiB"),
    own("pair-large", "pairs.c", &["65536", "1048576"], 100_000, "the same, 64 KiB to 1 MiB, not filled").extreme(),
    own("pair-huge", "pairs.c", &["2097152", "67108864"], 5_000, "the same, 2 to 64 MiB, not filled"),
    own("batch-fifo", "batches.c", &["fifo"], 5_000_000, "1000 of a size taken, given back in the same order"),
    own("batch-lifo", "batches.c", &["lifo"], 5_000_000, "in reverse order"),
    own("batch-random", "batches.c", &["random"], 5_000_000, "in random order"),
    own("slots1", "slots.c", &["1", "20000"], 3_000_000, "a program's mix of sizes, 20,000 live, random ones replaced"),
    own("slots2", "slots.c", &["2", "20000"], 2_500_000, "the same, 2 threads"),
    own("slotsbig2", "slots.c", &["2", "200000"], 400_000, "the same, 200,000 live in each of 2 threads"),
    own("uniform1", "uniform.c", &["1"], 3_000_000, "random sizes to 1000 B, filled, 10,000 live"),
    own("uniform2", "uniform.c", &["2"], 2_500_000, "the same, 2 threads"),
    own("server2", "server.c", &["2"], 150_000, "requests with buffers and nodes; sessions and responses change threads"),
    own("server8", "server.c", &["8"], 30_000, "the same, 8 threads"),
    own("prodcons", "remote.c", &["1", "1024"], 4_000_000, "one takes, another gives back, batches of 256 up to 1 KiB"),
    own("xmalloc2", "remote.c", &["2", "128"], 4_000_000, "two take, two give back, up to 128 B"),
    own("larson2", "larson.c", &["2"], 6_000_000, "random blocks replaced; threads end and leave theirs to others"),
    own("mstress2", "stress.c", &["2"], 6_000_000, "powers of two, exchanged between threads that end"),
    own("cscratch2", "sharing.c", &["scratch", "2"], 1_000_000, "blocks of one cache line handed to two threads"),
    own("cthrash2", "sharing.c", &["thrash", "2"], 1_000_000, "small blocks of two threads, written many times"),
    own("tchurn", "threads.c", &["256"], 1_600, "short threads, 256 allocations each").extreme(),
    own("tstart", "threads.c", &["1"], 6_000, "shorter threads, 1 allocation each"),
    own("grow", "grow.c", &["vectors"], 80, "8 vectors grow by half to 2 MiB"),
    own("grow1", "grow.c", &["buffer"], 6, "one buffer doubles to 64 MiB").extreme(),
    own("calloc", "flavours.c", &["calloc"], 3_000_000, "cleared blocks of a program's mix, 256 live"),
    own("aligned", "flavours.c", &["aligned"], 3_000_000, "aligned to 16 B to 4 KiB, 256 live"),
    own("malloc-large", "blocks.c", &["1048576", "8388608", "20"], 400, "1 to 8 MiB, 20 live, filled").extreme(),
    own("malloc-med", "blocks.c", &["16384", "262144", "256"], 80_000, "16 to 256 KiB, 256 live, filled"),
    own("strmap2", "maps.cc", &["2"], 100_000, "C++ maps of strings, 2 threads"),
    own("trees", "trees.cc", &[], 500, "C++ trees of small nodes"),
    own("parse2", "parse.rs", &["2"], 80, "Rust: tokens, syntax trees, printing, 2 threads"),
    own("cache", "cache.c", &[], 50_000, "64 MiB of entries whose sizes change by season"),
    own("frag", "frag.c", &[], 200_000, "370 MB filled, 75 % given back, others in, all given back"),
    Row { program: Program::Idle("frag.c"), ..own("frag-idle", "", &["200000"], 20_000, "the same, then 20 s idle") },
    real("python", Real::Python, 20, "CPython, PYTHONMALLOC=malloc: objects, JSON, strings"),
    real("cc1plus", Real::Cc1plus, 1, "GCC's C++ compiler on a unit of many templates"),
    real("sqlite", Real::Sqlite, 40_000, "SQLite in memory: inserts, joins, sorts"),
    real("lua", Real::Lua, 60, "Lua: trees and strings"),
    real("ruby", Real::Ruby, 60, "Ruby: strings, hashes, arrays"),
    real("z3", Real::Z3, 1, "the solver Z3 factors a number"),
    real("redis", Real::Redis, 150_000, "Redis: CPU time of the server under redis-benchmark"),
];

/// The rows of `--rust`.
#[rustfmt::skip]
pub const RUST: &[Row] = &[
    linked("rust-parse", Linking::Plain, &["parse", "2"], 2, "syn: syntax trees of this repository, changed and printed, 2 threads"),
    linked("rust-json", Linking::Plain, &["json", "1"], 1, "serde_json: a document of 48 MB, walked, changed, dropped"),
    linked("rust-map", Linking::Plain, &["map", "2"], 700_000, "dashmap: strings to lists, 2 threads"),
    linked("rust-index", Linking::Plain, &["index", "2"], 2, "ordered maps: an index of this repository's words, 2 threads"),
    linked("fat-parse", Linking::Fat, &["parse", "2"], 2, "the same, with fat LTO"),
    linked("fat-json", Linking::Fat, &["json", "1"], 1, "the same, with fat LTO"),
    linked("fat-map", Linking::Fat, &["map", "2"], 700_000, "the same, with fat LTO"),
    linked("fat-index", Linking::Fat, &["index", "2"], 2, "the same, with fat LTO"),
];

/// Rows whose time and peak say nothing of their own.
pub const MEMORY_ONLY: &[&str] = &["nothing", "frag-idle"];

/// Resident memory that a program tells after a stage: the row that runs it, the stage, for the table.
pub const STAGES: &[(&str, &str, &str)] = &[
    ("nothing", "nothing", "a program that allocates once"),
    ("cache", "season1", "64 MiB, 200 to 1000 B"),
    ("cache", "season2", "then 1 to 6 KB"),
    ("cache", "season3", "then 400 to 1600 B"),
    ("cache", "season4", "then 100 B to 24 KB"),
    ("frag", "fill", "blocks of a program's mix"),
    ("frag", "free75", "a random 75 % given back"),
    ("frag", "refill", "others in their place"),
    ("frag", "allfree", "all given back"),
    ("frag-idle", "idle", "20 s later without a call"),
    ("frag-idle", "awake", "after 2 s with a little work"),
];

const fn own(
    name: &'static str,
    source: &'static str,
    arguments: &'static [&'static str],
    count: u64,
    what: &'static str,
) -> Row {
    Row { name, program: Program::Own(source), arguments, count, extreme: false, what }
}

const fn real(name: &'static str, which: Real, count: u64, what: &'static str) -> Row {
    Row { name, program: Program::Real(which), arguments: &[], count, extreme: false, what }
}

const fn linked(
    name: &'static str,
    linking: Linking,
    arguments: &'static [&'static str],
    count: u64,
    what: &'static str,
) -> Row {
    Row { name, program: Program::Linked(linking), arguments, count, extreme: false, what }
}

impl Row {
    const fn extreme(mut self) -> Row {
        self.extreme = true;
        self
    }

    /// Whether it takes part in the comparison of time and peak.
    pub fn timed(&self) -> bool {
        !MEMORY_ONLY.contains(&self.name)
    }
}

/// The name of a stage among the rows.
pub fn stage_name(row: &str, stage: &str) -> String {
    format!("{}:{stage}", row.trim_end_matches("-idle"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_distinct_and_stages_belong_to_rows() {
        let mut names: Vec<&str> = ROWS.iter().chain(RUST).map(|row| row.name).collect();
        assert!(STAGES.iter().all(|(row, ..)| names.contains(row)));
        assert!(MEMORY_ONLY.iter().all(|row| names.contains(row)));
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
        assert_eq!(stage_name("frag-idle", "idle"), "frag:idle");
        assert!(Linking::ALL.iter().all(|(linking, profile)| linking.profile() == *profile));
    }

    #[test]
    fn sources_of_own_programs_are_there() {
        for row in ROWS {
            if let Program::Own(source) | Program::Idle(source) = row.program {
                let path = crate::build::workspace().join("tests/bench/programs").join(source);
                assert!(path.is_file(), "{}", path.display());
            }
        }
    }
}
