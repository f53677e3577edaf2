//! When dumps are written, how they are named, and that every one of them can be read and is right.

use std::path::Path;

use prof_format::dump::Dump;
use prof_format::vocab::Format;
use suite::build::{Profile, preload};
use suite::fixture::compiled;
use suite::heap::{self, Symbols};
use suite::run::{Outcome, Run};
use suite::sampling;
use suite::scratch::Scratch;
use suite::truth;

/// Runs `dumps.c` in a folder with the profiler on.
#[track_caller]
fn dumps(folder: &Scratch, conf: &str, actions: &[&str]) -> Outcome {
    let conf = format!("prof:true,prof_prefix:{}/d,{conf}", folder.path().display());
    Run::new(compiled("dumps.c")).args(actions).preload(&preload()).conf(conf).folder(folder.path()).outcome()
}

/// Live bytes and objects with `function` on their stack, rounded.
fn live(dump: &Dump, program: &Path, function: &str) -> (u64, u64) {
    let found = heap::by_function(dump, program, &Symbols::of(program));
    let figure = found.get(function).copied().unwrap_or_default();
    (figure.objs.round() as u64, figure.bytes.round() as u64)
}

/// The one file whose name has `part`.
#[track_caller]
fn only(folder: &Scratch, part: &str) -> std::path::PathBuf {
    let mut files = folder.files(part);
    assert_eq!(files.len(), 1, "files with `{part}`: {files:?}, of all {:?}", folder.files(""));
    files.remove(0)
}

#[test]
fn the_final_dump_is_named_by_pid_and_sequence_and_is_text_by_default() {
    let folder = Scratch::new("final");
    dumps(&folder, "lg_prof_sample:0,prof_final:true", &["keep=100"]).ok();
    let path = only(&folder, ".heap");
    let name = path.file_name().unwrap().to_string_lossy().into_owned();
    let parts: Vec<&str> = name.split('.').collect();
    assert!(matches!(parts[..], ["d", pid, "0", "f", "heap"] if pid.parse::<u32>().is_ok()), "{name}");
    assert!(std::fs::read_to_string(&path).unwrap().starts_with("heap profile: "));
    let dump = heap::read(&path);
    assert_eq!((dump.format, dump.period), (Format::Text, 1));
    assert_eq!(live(&dump, &compiled("dumps.c"), "keep_blocks"), (100, 100 * 1024));
}

#[test]
fn each_dump_format_tells_the_same() {
    let mut told = Vec::new();
    for (name, format) in [("text", Format::Text), ("heap_v2", Format::HeapV2), ("pprof", Format::Pprof)] {
        let folder = Scratch::new("formats");
        let conf = format!("lg_prof_sample:0,prof_final:true,prof_dump_format:{name}");
        dumps(&folder, &conf, &["keep=1000", "big=3", "threads=2"]).ok();
        let dump = heap::read(&only(&folder, ".f."));
        assert_eq!(dump.format, format);
        let program = compiled("dumps.c");
        told.push(
            ["keep_blocks", "big_blocks", "thread_blocks"].map(|function| live(&dump, &program, function)),
        );
    }
    assert_eq!(told[0], [(1000, 1000 * 1024), (3, 3 << 20), (2000, 2000 * 512)]);
    assert!(told.iter().all(|one| *one == told[0]), "{told:?}");
}

#[test]
fn a_named_dump_is_heap_v2_or_what_its_name_ends_in() {
    for (name, format) in [("a.heap", Format::HeapV2), ("a.pb", Format::Pprof), ("a.pb.gz", Format::Pprof)] {
        let folder = Scratch::new("named");
        let path = folder.file(name);
        let action = format!("dump={}", path.display());
        dumps(&folder, "lg_prof_sample:0", &["keep=50", &action]).ok();
        assert_eq!(folder.files(""), std::slice::from_ref(&path), "no other file is written");
        let gzipped = std::fs::read(&path).unwrap().starts_with(&[0x1f, 0x8b]);
        assert_eq!(gzipped, name.ends_with(".gz"));
        let dump = heap::read(&path);
        assert_eq!(dump.format, format, "{name}");
        assert_eq!(live(&dump, &compiled("dumps.c"), "keep_blocks").0, 50, "{name}");
    }
}

#[test]
fn a_dump_tells_the_sums_that_mallctl_tells_and_changes_none_of_them() {
    for name in ["a.heap", "a.pb.gz"] {
        let folder = Scratch::new("totals");
        let path = folder.file(name);
        let dump = format!("dump={}", path.display());
        // Blocks that were freed leave something on dirty pages; and a last few that the thread's cache is not empty, which
        // the blocks that are kept may have emptied to the last object.
        let actions = ["keep=20000", "free", "big=9", "keep=5000", "churn=10", "stats=1", &dump, "stats=0"];
        let outcome = dumps(&folder, "lg_prof_sample:16", &actions).ok();
        let lines: Vec<&str> = outcome.stdout.lines().collect();
        let (before, after) = lines.split_at(lines.len() / 2);
        assert_eq!(before, after, "neither the epoch nor a sum moved");
        let stats = |name: &str| -> u64 {
            let value = before.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.unwrap_or_else(|| panic!("{name} in {before:?}")).parse().unwrap()
        };
        let totals = heap::read(&path).totals.unwrap();
        let told: Vec<(&str, u64)> = totals.known().collect();
        let total = |name: &str| {
            let found = told.iter().find(|(known, _)| *known == name);
            found.unwrap_or_else(|| panic!("{name} in {told:?}")).1
        };
        // Between snapshot and dump the program printed; a slab or two may have been made for that.
        for name in ["allocated", "active", "metadata", "resident", "mapped", "retained"] {
            let (told, expected) = (total(name), stats(name));
            assert!(told.abs_diff(expected) <= 1 << 20, "{name}: {told} in the dump, {expected} before");
        }
        assert!(total("allocated") >= (9 << 20) + 5000 * 1000 && total("allocated") <= total("active"));
        assert!(total("tcache_bytes") > 0 && total("tcache_bytes") < total("allocated"));
        assert!(total("active") + total("dirty") <= total("resident"), "{told:?}");
        assert!(total("resident") <= total("mapped"), "{told:?}");
        // What is kept was written to, so it is in memory; and there is little else in this program.
        assert!(total("rss_anon") >= (9 << 20) + 5000 * 1000, "{told:?}");
        assert!(total("rss") >= total("rss_anon"), "{told:?}");
        assert!(total("rss") <= total("resident") + total("muzzy") + (64 << 20), "{told:?}");
    }
}

#[test]
fn dumps_without_a_name_are_numbered() {
    let folder = Scratch::new("manual");
    dumps(&folder, "lg_prof_sample:0,prof_final:true", &["dump", "keep=1", "dump"]).ok();
    let names: Vec<String> = folder
        .files("d.")
        .iter()
        .map(|path| path.file_name().unwrap().to_string_lossy().splitn(3, '.').nth(2).unwrap().to_owned())
        .collect();
    assert_eq!(names, ["0.m0.heap", "1.m1.heap", "2.f.heap"]);
}

#[test]
fn an_empty_prefix_switches_automatic_dumps_off() {
    let folder = Scratch::new("no-prefix");
    let conf = "prof:true,prof_final:true,prof_prefix:";
    let run = Run::new(compiled("dumps.c")).arg("dump").preload(&preload()).conf(conf).folder(folder.path());
    let outcome = run.outcome();
    assert_eq!(outcome.stdout, "prof.dump: Bad address\n", "{outcome}");
    assert_eq!(folder.files(""), [] as [std::path::PathBuf; 0]);
}

#[test]
fn interval_dumps_come_every_so_many_bytes() {
    let folder = Scratch::new("interval");
    // 64,000 blocks of 1,024 usable bytes are 62.5 MiB: some 15 intervals of 4 MiB, give or take what a sample lumps.
    dumps(&folder, "lg_prof_sample:14,lg_prof_interval:22", &["keep=20", "churn=64000"]).ok();
    let files = folder.files(".i");
    assert!((10..=20).contains(&files.len()), "{} files", files.len());
    for file in &files {
        heap::read(file);
    }
    assert!(files.iter().any(|file| file.to_string_lossy().contains(".i0.heap")));
}

#[test]
fn growth_dumps_come_with_each_new_maximum() {
    let folder = Scratch::new("gdump");
    dumps(&folder, "lg_prof_sample:16,prof_gdump:true", &["big=10"]).ok();
    let files = folder.files(".u");
    assert!(files.len() >= 10, "10 new maxima at least, {} files", files.len());
    let program = compiled("dumps.c");
    let counts: Vec<u64> =
        files.iter().map(|file| live(&heap::read(file), &program, "big_blocks").0).collect();
    assert!(counts.iter().max() >= Some(&8), "the last dumps see nearly all blocks: {counts:?}");
}

#[test]
fn freed_objects_are_gone_from_the_dump_and_stay_in_the_accumulated_figures() {
    let folder = Scratch::new("accum");
    let (first, second) = (folder.file("a.heap"), folder.file("b.heap"));
    let (dump_first, dump_second) =
        (format!("dump={}", first.display()), format!("dump={}", second.display()));
    dumps(
        &folder,
        "lg_prof_sample:0,prof_accum:true",
        &["keep=500", &dump_first, "free", "churn=300", &dump_second],
    )
    .ok();
    let program = compiled("dumps.c");
    assert_eq!(live(&heap::read(&first), &program, "keep_blocks").0, 500);
    let after = heap::read(&second);
    assert!(after.has_accum);
    assert_eq!(live(&after, &program, "keep_blocks").0, 0);
    let accumulated: f64 = after.stacks.iter().map(|row| row.accum.objs).sum();
    assert!(accumulated >= 800.0, "500 kept and 300 churned: {accumulated}");
}

/// Requests that were refused for want of memory once stayed in the accumulated figures, with exabytes.
#[test]
fn what_was_refused_is_not_accumulated() {
    let folder = Scratch::new("refused");
    let conf = format!(
        "prof:true,lg_prof_sample:0,prof_accum:true,prof_final:true,prof_prefix:{}/d",
        folder.path().display()
    );
    Run::new(compiled("semantics.c")).preload(&preload()).conf(conf).folder(folder.path()).outcome().ok();
    let dump = heap::read(&only(&folder, ".f."));
    let bytes: f64 = dump.stacks.iter().map(|row| row.accum.bytes).sum();
    assert!(bytes > 0.0 && bytes < (1_u64 << 36) as f64, "{bytes}");
}

#[test]
fn switching_the_profiler_off_and_resetting_it_takes_effect() {
    let folder = Scratch::new("active");
    let (first, second) = (folder.file("a.heap"), folder.file("b.heap"));
    let (dump_first, dump_second) =
        (format!("dump={}", first.display()), format!("dump={}", second.display()));
    let actions =
        ["keep=100", "active=0", "keep=1000", &dump_first, "active=1", "reset", "keep=10", &dump_second];
    dumps(&folder, "lg_prof_sample:0", &actions).ok();
    let program = compiled("dumps.c");
    assert_eq!(live(&heap::read(&first), &program, "keep_blocks").0, 100);
    assert_eq!(live(&heap::read(&second), &program, "keep_blocks").0, 10);
}

#[test]
fn prof_active_false_starts_without_sampling() {
    let folder = Scratch::new("inactive");
    let path = folder.file("a.heap");
    let dump = format!("dump={}", path.display());
    dumps(&folder, "lg_prof_sample:0,prof_active:false", &["keep=100", "active=1", "keep=7", &dump]).ok();
    assert_eq!(live(&heap::read(&path), &compiled("dumps.c"), "keep_blocks").0, 7);
}

#[test]
fn a_forked_child_dumps_what_it_inherited() {
    let folder = Scratch::new("fork");
    let path = folder.file("child.heap");
    let fork = format!("fork={}", path.display());
    dumps(&folder, "lg_prof_sample:0", &["keep=100", &fork]).ok();
    assert_eq!(live(&heap::read(&path), &compiled("dumps.c"), "keep_blocks").0, 100);
}

#[test]
fn objects_of_threads_that_have_ended_stay_with_their_thread() {
    let folder = Scratch::new("threads");
    let path = folder.file("a.heap");
    let dump_it = format!("dump={}", path.display());
    dumps(&folder, "lg_prof_sample:0", &["threads=3", &dump_it]).ok();
    let dump = heap::read(&path);
    assert_eq!(live(&dump, &compiled("dumps.c"), "thread_blocks"), (3000, 3000 * 512));
    let mut threads: Vec<_> = dump.thread_stacks.iter().filter_map(|row| row.thread).collect();
    threads.sort_unstable();
    threads.dedup();
    assert!(threads.len() >= 4, "the main thread and three more: {threads:?}");
}

#[test]
fn leaving_at_once_writes_no_final_dump() {
    let folder = Scratch::new("exit");
    dumps(&folder, "lg_prof_sample:0,prof_final:true", &["keep=10", "exit"]).ok();
    assert_eq!(folder.files(".heap").len(), 0);
}

#[test]
fn the_leak_summary_tells_what_is_alive_at_exit() {
    let folder = Scratch::new("leak");
    let outcome = dumps(&folder, "lg_prof_sample:0,prof_leak:true,prof_final:true", &["keep=1000"]).ok();
    let warnings = outcome.warnings();
    let [summary, advice, ..] = warnings[..] else { panic!("two lines: {outcome}") };
    let numbers: Vec<u64> = summary
        .strip_prefix("<jemalloc>: Leak approximation summary: ~")
        .unwrap_or_else(|| panic!("{summary}"))
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|digits| digits.parse().ok())
        .collect();
    let [bytes, objects, contexts] = numbers[..] else { panic!("three numbers: {summary}") };
    assert!(summary.ends_with(" contexts") || summary.ends_with(" context"), "{summary}");
    // The C library keeps a few objects of its own.
    assert!((1000 * 1024..1000 * 1024 + 200_000).contains(&bytes), "{summary}");
    assert!((1000..1050).contains(&objects) && contexts >= 1, "{summary}");
    assert_eq!(advice, "<jemalloc>: Run jeprof on dump output for leak detail");
}

#[test]
fn a_dump_that_cannot_be_written_is_told_and_does_no_harm() {
    let conf = "prof:true,prof_final:true,prof_prefix:/nonexistent-folder/d";
    let outcome = Run::new(compiled("dumps.c")).arg("keep=10").preload(&preload()).conf(conf).outcome().ok();
    assert!(outcome.stderr.contains("<jemalloc>: failed to open \"/nonexistent-folder/d"), "{outcome}");
}

/// Exact dumps must equal the truth to the object, for every site of a C and a C++ program.
#[test]
fn at_rate_one_the_dump_is_the_truth_for_c_and_cpp() {
    for source in ["work.c", "work.cc"] {
        let folder = Scratch::new("exact");
        let program = compiled(source);
        let conf =
            format!("prof:true,lg_prof_sample:0,prof_final:true,prof_prefix:{}/e", folder.path().display());
        let outcome = Run::new(&program).arg("--truth").preload(&preload()).conf(conf).outcome().ok();
        let dump = heap::read(&only(&folder, ".f.heap"));
        for (function, site) in truth::parse(&outcome.stdout) {
            assert_eq!(live(&dump, &program, &function), (site.objects, site.bytes), "{source}: {function}");
        }
    }
}

/// The same for the Rust service, whose allocator is linked in.
#[test]
fn at_rate_one_the_dump_is_the_truth_for_the_service() {
    let folder = Scratch::new("exact-svc");
    let program = suite::build::svc(Profile::own()).canonicalize().unwrap();
    let conf =
        format!("prof:true,lg_prof_sample:0,prof_final:true,prof_prefix:{}/e", folder.path().display());
    let arguments = ["--truth", "--cache=2000", "--requests=5000"];
    let outcome = Run::new(&program).args(arguments).conf(conf).outcome().ok();
    let dump = heap::read(&only(&folder, ".f.heap"));
    for (function, site) in truth::parse(&outcome.stdout) {
        assert_eq!(live(&dump, &program, &function), (site.objects, site.bytes), "{function}");
    }
}

#[test]
fn the_service_dumps_by_the_rust_interface_too() {
    let folder = Scratch::new("svc-dump");
    let path = folder.file("s.pb.gz");
    let program = suite::build::svc(Profile::own());
    let run = || Run::new(&program).args(["--cache=100", "--requests=100", "--dump"]).arg(&path);
    run().conf("prof:true,lg_prof_sample:10").outcome().ok();
    assert_eq!(heap::read(&path).format, Format::Pprof);
    let refused = run().outcome();
    assert_eq!(refused.status.code(), Some(1), "without the profiler there is nothing to dump: {refused}");
    assert!(refused.stderr.contains("s.pb.gz"), "{refused}");
}

/// Six seeds at three rates. With some 20 sites, two figures and three rates there are about 120 scores; chance alone
/// puts 4.6 % of them beyond two standard errors. The bounds, five standard deviations wide and corrected for the
/// skewness of few samples, leave chance about one run in ten thousand (20,000 runs drawn from the service's sizes:
/// one alarm); `truth` (a binary of this package) does the full comparison with 20 seeds.
#[test]
fn estimates_from_sampled_dumps_agree_with_the_truth() {
    for lg_sample in [12, 16, 19] {
        let arguments = ["--cache=5000", "--requests=5000"];
        let scores = sampling::measure(Profile::own(), lg_sample, 1..7, &arguments);
        let verdict = sampling::judge(&scores, 5.0);
        let table = sampling::table(&scores);
        for (inside, of, beyond) in &verdict.within {
            let outside = suite::bounds::outside_two_sigma(*of, 1e-5);
            assert!(of - inside <= outside && beyond.is_empty(), "lg {lg_sample}: {verdict:?}\n{table}");
        }
        for (spread, low, high) in verdict.spread {
            assert!((low..=high).contains(&spread), "lg {lg_sample}: {verdict:?}\n{table}");
        }
    }
}

/// jemalloc_pprof makes an empty temporary file, asks for a dump by its name and reads it through the handle it has.
#[test]
fn a_dump_into_an_empty_file_is_seen_by_those_who_hold_it_open() {
    use std::io::Read;
    let folder = Scratch::new("handle");
    let path = folder.path().join("empty.heap");
    let mut handle = std::fs::File::create_new(&path).and_then(|_| std::fs::File::open(&path)).unwrap();
    dumps(&folder, "lg_prof_sample:0", &["keep=100", &format!("dump={}", path.display())]).ok();
    let mut text = String::new();
    handle.read_to_string(&mut text).unwrap();
    assert!(text.starts_with("heap_v2/1\n"), "{text}");
    assert_eq!(live(&heap::read(&path), &compiled("dumps.c"), "keep_blocks"), (100, 100 * 1024));
}

/// `endings.cc` in a case, every allocation sampled; its final dumps.
#[track_caller]
fn endings(case: &str) -> Vec<std::path::PathBuf> {
    let folder = Scratch::new(case);
    let conf =
        format!("prof:true,lg_prof_sample:0,prof_final:true,prof_prefix:{}/e", folder.path().display());
    Run::new(compiled("endings.cc")).arg(case).preload(&preload()).conf(conf).outcome().ok();
    let dumps = folder.files(".f.heap");
    dumps.iter().for_each(|dump| drop(heap::read(dump)));
    dumps
}

#[test]
fn destructors_that_allocate_when_a_thread_has_nearly_ended_do_no_harm() {
    assert_eq!(endings("thread_local").len(), 1);
}

/// Each of the fifty programs that children become dumps for itself, and so does their parent.
#[test]
fn children_of_vfork_become_other_programs_while_threads_allocate() {
    assert_eq!(endings("vfork").len(), 51);
}

/// The program that was left dumps nothing: it has no end.
#[test]
fn a_program_that_becomes_another_is_profiled_as_that() {
    assert_eq!(endings("exec").len(), 1);
}
