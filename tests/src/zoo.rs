//! The zoo of `fixtures/leaks`: programs that leak and programs that only look as if they did, each with one planted
//! function, and how to run them.
//!
//! A program makes nine dumps, after K, 2K, .. 9K iterations, and says for each what the planted function's living blocks
//! are worth, so a test can compare what a tool answers with what is true.

use std::path::{Path, PathBuf};

use crate::fixture;
use crate::run::{Outcome, Run};
use crate::scratch::Scratch;

/// What a program's memory does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Grows without end; nothing points at what was leaked when the program ends.
    Unreachable,
    /// Grows without end, in something that the program can reach.
    Growing,
    /// Is the same at every dump.
    Constant,
    /// Goes up and down, and is never more than so many usable bytes.
    Bounded(u64),
}

impl Kind {
    /// Whether a tool is to find the program.
    pub fn leaks(self) -> bool {
        matches!(self, Kind::Unreachable | Kind::Growing)
    }
}

/// One program.
#[derive(Debug)]
pub struct Animal {
    /// File in `fixtures/leaks`; its ending tells the language.
    pub file: &'static str,
    /// What its memory does.
    pub kind: Kind,
    /// The function that makes the blocks, as its symbol is called without its path.
    pub planted: &'static str,
    /// Iterations between two dumps: enough for some MB of a leak at the ninth, for warm-up before the first, and to be
    /// done in a second.
    pub iterations: u64,
    /// What it stands for.
    pub note: &'static str,
}

use Kind::{Bounded, Constant, Growing, Unreachable};

/// All of them, those that leak first, each part by name.
#[rustfmt::skip]
pub const ZOO: &[Animal] = &[
    Animal { file: "churn.c", kind: Unreachable, planted: "new_request", iterations: 20_000, note: "two in a hundred blocks of a churn are never freed" },
    Animal { file: "forget.rs", kind: Unreachable, planted: "begin_transaction", iterations: 5_000, note: "mem::forget on a guard, in a third of the iterations" },
    Animal { file: "library.c", kind: Unreachable, planted: "call_library", iterations: 150, note: "in a library that dlclose has closed at each dump, so that only its caller has a name" },
    Animal { file: "lost_realloc.c", kind: Unreachable, planted: "read_all", iterations: 3_000, note: "a buffer grown by realloc, lost on an early return" },
    Animal { file: "one_block.c", kind: Unreachable, planted: "parse_line", iterations: 5_000, note: "one block of 112 bytes per iteration" },
    Animal { file: "rc_cycle.rs", kind: Unreachable, planted: "new_widget", iterations: 1_500, note: "two Rc that own each other" },
    Animal { file: "released.cc", kind: Unreachable, planted: "open_session", iterations: 4_000, note: "unique_ptr::release where reset was meant" },
    Animal { file: "thread_local.c", kind: Unreachable, planted: "thread_buffer", iterations: 150, note: "a thread's buffer behind a key without a destructor" },
    Animal { file: "threads.c", kind: Unreachable, planted: "new_result", iterations: 150, note: "joinable threads that nobody joins; beside their stacks, which are mapped, their results" },
    Animal { file: "cache.cc", kind: Growing, planted: "render", iterations: 1_500, note: "a cache without eviction, asked by request id" },
    Animal { file: "connections.cc", kind: Growing, planted: "receive", iterations: 400, note: "room for the longest message in a vector per connection" },
    Animal { file: "listeners.rs", kind: Growing, planted: "listener_of", iterations: 1_500, note: "listeners that never unsubscribe" },
    Animal { file: "queue.rs", kind: Growing, planted: "new_job", iterations: 8_000, note: "a queue that is read more slowly than it is written" },
    Animal { file: "sessions_map.rs", kind: Growing, planted: "new_session", iterations: 2_000, note: "a map that nothing is taken out of" },
    Animal { file: "singleton.cc", kind: Growing, planted: "record_event", iterations: 3_000, note: "a singleton's list" },

    Animal { file: "arena.c", kind: Bounded(7 * 8192), planted: "new_chunk", iterations: 5_000, note: "chunks of a request, freed at once" },
    Animal { file: "batch.rs", kind: Bounded(800 * 512), planted: "new_row", iterations: 5_000, note: "a sawtooth: rows written out together" },
    Animal { file: "double_buffer.c", kind: Constant, planted: "new_frame", iterations: 1_000, note: "two frames that take turns" },
    Animal { file: "fifo.c", kind: Bounded(1000 * 640), planted: "new_item", iterations: 5_000, note: "the newest thousand items, of all sizes" },
    Animal { file: "intern.rs", kind: Constant, planted: "keep_name", iterations: 10_000, note: "strings of a bounded set, each kept once" },
    Animal { file: "joined.c", kind: Constant, planted: "new_result", iterations: 150, note: "threads that come and go" },
    Animal { file: "lru.rs", kind: Constant, planted: "load_page", iterations: 4_000, note: "a cache with eviction" },
    Animal { file: "memo.rs", kind: Constant, planted: "solve", iterations: 10_000, note: "memoization of a bounded set" },
    Animal { file: "pool.cc", kind: Constant, planted: "new_packet", iterations: 500, note: "a pool whose objects go in and out" },
    Animal { file: "ring_log.c", kind: Bounded(500 * 640), planted: "log_line", iterations: 5_000, note: "the last lines of a log" },
    Animal { file: "sessions.cc", kind: Bounded(750 * 480), planted: "begin_session", iterations: 4_000, note: "sessions that begin and end at random" },
    Animal { file: "startup.cc", kind: Constant, planted: "load_rule", iterations: 5_000, note: "a configuration that stays" },
    Animal { file: "steady_connections.cc", kind: Constant, planted: "receive", iterations: 2_000, note: "buffers of a fixed set of connections, as long as any message can be" },
    Animal { file: "tables.rs", kind: Constant, planted: "build_table", iterations: 2_000, note: "tables built when first asked for" },
    Animal { file: "workers.rs", kind: Constant, planted: "new_scratch", iterations: 1_200, note: "caches of threads that stay" },
];

/// Builds a program, once per content.
///
/// # Panics
/// As [`fixture::compiled`].
pub fn program(animal: &Animal) -> PathBuf {
    fixture::leak(animal.file, &[])
}

/// The library that `library.c` opens.
pub fn library() -> PathBuf {
    fixture::leak("closed.c", &["-shared", "-fPIC"])
}

/// Runs a program under an allocator with options, to which where its dumps go is added, in the folder. Answers the dumps
/// in their order, and what it said.
///
/// # Panics
/// When it fails or does not make as many dumps as it should.
#[track_caller]
pub fn run(
    animal: &Animal,
    allocator: &Path,
    options: &str,
    seed: u64,
    folder: &Scratch,
) -> (Vec<PathBuf>, Outcome) {
    let prefix = folder.file(&format!("z{seed}"));
    let conf = format!("prof:true,prof_prefix:{},{options}", prefix.display());
    let run = Run::new(program(animal)).preload(allocator).conf(conf).env("JEPROF_SEED", seed.to_string());
    let outcome = run.arg(animal.iterations.to_string()).arg(library()).folder(folder.path()).outcome().ok();
    // One digit tells the order.
    let dumps: Vec<PathBuf> =
        folder.files(&format!("z{seed}.")).into_iter().filter(|path| is_asked_for(path)).collect();
    assert_eq!(dumps.len(), DUMPS, "{outcome}");
    (dumps, outcome)
}

/// How many dumps a program makes.
pub const DUMPS: usize = 9;

/// Whether a dump is one that the program asked for, not one of its end.
fn is_asked_for(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.to_string_lossy().contains(".m"))
}

/// What the planted function's living blocks are worth at each dump, in objects and usable bytes, as the program says.
///
/// # Panics
/// When a line of it is not as it should be, or they are not as many as dumps.
#[track_caller]
pub fn truth(animal: &Animal, outcome: &Outcome) -> Vec<(u64, u64)> {
    let rows = outcome.stdout.lines().map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
        ["truth", function, objects, bytes] if function == animal.planted => {
            (objects.parse().expect("a number"), bytes.parse().expect("a number"))
        }
        _ => panic!("`{line}` is no truth about {}", animal.planted),
    });
    let rows: Vec<(u64, u64)> = rows.collect();
    assert_eq!(rows.len(), DUMPS, "{outcome}");
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::build::workspace;

    #[test]
    fn every_program_has_one_row_and_there_are_enough_of_either_sort() {
        let leaking = ZOO.iter().filter(|animal| animal.kind.leaks()).count();
        assert!(leaking >= 12 && ZOO.len() - leaking >= 12, "{leaking} of {}", ZOO.len());
        assert!(ZOO.is_sorted_by_key(|animal| !animal.kind.leaks()), "those that leak come first");
        let mut files: Vec<&str> = ZOO.iter().map(|animal| animal.file).collect();
        files.sort_unstable();
        let folder = std::fs::read_dir(workspace().join("fixtures/leaks")).unwrap();
        let mut there: Vec<String> =
            folder.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        there.retain(|file| !["closed.c", "zoo.h", "zoo.rs"].contains(&file.as_str()));
        there.sort_unstable();
        assert_eq!(files, there);
    }
}
