//! Strings of options and programs as articles print them: each does what it says.

use suite::build::{Profile, example, preload, workspace};
use suite::fixture::{compiled, compiled_with};
use suite::run::{Outcome, Run};
use suite::surface::probe::ask;
use suite::surface::verdict::pending;

/// Runs a test that has to pass; or, as long as it is listed as pending, has to fail.
fn unless_pending(name: &str, test: fn()) {
    let listed = pending("articles").contains(name);
    match std::panic::catch_unwind(test) {
        Ok(()) => assert!(!listed, "no longer pending, take out of pending.tsv (articles): {name}"),
        Err(panic) => {
            if std::env::var_os("SUITE_PENDING").is_some() {
                println!("PENDING\tarticles\t{name}");
            }
            if !listed {
                std::panic::resume_unwind(panic);
            }
        }
    }
}

/// Sets options, expects silence but for lines with `notice`, and reads values back.
#[track_caller]
fn reads(conf: &str, notice: Option<&str>, values: &[(&str, &str)]) {
    let commands: Vec<String> = values.iter().map(|(command, _)| (*command).to_owned()).collect();
    let said = ask(&preload(), conf, &commands);
    let strange: Vec<&String> =
        said.stderr.iter().filter(|line| !notice.is_some_and(|notice| line.contains(notice))).collect();
    assert!(said.whole && strange.is_empty(), "MALLOC_CONF={conf}: {strange:#?}");
    assert_eq!(said.stderr.is_empty(), notice.is_none(), "MALLOC_CONF={conf}: {:#?}", said.stderr);
    for ((command, value), answer) in values.iter().zip(&said.answers) {
        let read = answer.split_once("old=").map(|(_, read)| read);
        assert_eq!(read, Some(*value), "MALLOC_CONF={conf}: {command}: {answer}");
    }
}

#[test]
fn statistics_come_every_five_seconds() {
    let conf = "stats_print:true,stats_print_interval:5000";
    let run = Run::new(compiled("articles.c")).args(["wait", "6000"]).preload(&preload()).conf(conf);
    let outcome = run.outcome().ok();
    // One after five seconds, one at the end.
    let reports = outcome.stderr.matches("___ Begin jemalloc statistics ___").count();
    assert_eq!(reports, 2, "{outcome}");
}

#[test]
fn a_tuned_server_s_string_is_taken_with_a_notice_for_the_old_key() {
    unless_pending("a tuned server", || {
        let conf = "narenas:8,dirty_decay_ms:60000,muzzy_decay_ms:300000,lg_chunk:22";
        let values = [
            ("ctl opt.narenas u -", "8"),
            ("ctl arenas.dirty_decay_ms t -", "60000"),
            ("ctl arenas.muzzy_decay_ms t -", "300000"),
            ("ctl arena.0.dirty_decay_ms t -", "60000"),
            ("ctl arena.0.muzzy_decay_ms t -", "300000"),
        ];
        reads(conf, Some("lg_chunk"), &values);
    });
}

#[test]
fn a_small_thread_cache_caches_small_objects_only() {
    unless_pending("a small thread cache", || {
        let conf = "tcache_max:64,tcache_gc_interval:10";
        let values = [
            ("ctl opt.tcache_max z -", "64"),
            ("ctl arenas.tcache_max z -", "64"),
            ("ctl thread.tcache.max z -", "64"),
        ];
        reads(conf, None, &values);
    });
}

#[test]
fn an_arena_takes_as_many_threads_as_it_is_told() {
    unless_pending("threads of an arena", || {
        let conf = "narenas:4,arena.0.nthreads:8,dirty_decay_ms:5000,tcache:true";
        let run = Run::new(compiled("articles.c")).args(["arenas", "12"]).preload(&preload()).conf(conf);
        let outcome = run.outcome().ok();
        assert_eq!(outcome.stderr, "", "{outcome}");
        let arenas: Vec<&str> = outcome.stdout.split_whitespace().collect();
        assert_eq!(arenas.len(), 13, "{outcome}");
        assert_eq!(arenas.iter().filter(|arena| **arena == "0").count(), 8, "{outcome}");
        // The options behind the dotted key count.
        reads(conf, None, &[("ctl opt.dirty_decay_ms t -", "5000")]);
    });
}

#[test]
fn memory_is_kept_without_decay_and_given_back_with_it() {
    let kept = |conf: &str| -> u64 {
        let run = Run::new(compiled("articles.c")).args(["keep", "64"]).preload(&preload()).conf(conf);
        let outcome = run.outcome().ok();
        outcome.stdout.trim().parse().unwrap_or_else(|_| panic!("{outcome}"))
    };
    let never = kept("dirty_decay_ms:-1,muzzy_decay_ms:-1");
    assert!(never >= 60, "{never} of 64 MiB are left");
    let at_once = kept("dirty_decay_ms:0,muzzy_decay_ms:0");
    assert!(at_once <= 8, "{at_once} of 64 MiB are left");
}

/// `je_mallctl` is a name that articles use; jemalloc's own header takes it away again.
#[test]
fn the_program_with_four_statistics_compiles_and_adds_up() {
    let include = format!("-I{}", workspace().join("alloc/capi/include").display());
    let library = preload();
    let program = compiled_with("four.c", &[&include, &library.to_string_lossy()]);
    let folder = library.parent().unwrap();
    // Linked by its file; the loader asks for libjemalloc.so.2.
    let place = suite::scratch::Scratch::new("four");
    std::fs::copy(&library, place.file("libjemalloc.so.2")).unwrap();
    let outcome = Run::new(program).env("LD_LIBRARY_PATH", place.path()).folder(folder).outcome().ok();
    adds_up(&outcome);
}

#[test]
fn the_program_with_four_statistics_in_rust_adds_up() {
    adds_up(&Run::new(example("jealloc", "four_statistics", Profile::own())).outcome().ok());
}

/// The four figures are what they are for a program with 10 MiB.
fn adds_up(outcome: &Outcome) {
    let names = ["stats.allocated", "stats.active", "stats.resident", "stats.mapped"];
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    let figure = |(line, name): (&&str, &str)| -> u64 {
        let figure = line.strip_prefix(name).and_then(|rest| rest.strip_prefix(": ")?.parse().ok());
        figure.unwrap_or_else(|| panic!("{outcome}"))
    };
    let figures: Vec<u64> = lines.iter().zip(names).map(figure).collect();
    let [allocated, active, resident, mapped] = figures[..] else { panic!("{outcome}") };
    assert!(allocated >= 10 << 20, "{outcome}");
    assert!(allocated <= active && active <= resident && active <= mapped, "{outcome}");
}
