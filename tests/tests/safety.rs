//! Options that find mistakes of programs: each mistake ends in a message of its own, and correct programs run clean.

use std::os::unix::process::ExitStatusExt;

use suite::build::preload;
use suite::fixture::{compiled, compiled_with};
use suite::run::{Outcome, Run};

const ABORTED: i32 = 6;
const FAULTED: i32 = 11;

fn misused(what: &str, conf: &str) -> Outcome {
    let library = preload();
    let program = compiled_with("misuse.c", &["-O0", "-fno-builtin", "-w", library.to_str().unwrap()]);
    Run::new(program).arg(what).preload(&library).conf(conf).outcome()
}

/// The same for a form of C++'s operator delete.
fn misused_form(what: &str, form: usize, conf: &str) -> Outcome {
    let program = compiled_with("misuse.cc", &["-O0", "-w", "-std=c++17"]);
    Run::new(program).args([what, &form.to_string()]).preload(&preload()).conf(conf).outcome()
}

/// Asserts that a misuse ends by abort, and that the one message has all `words`.
#[track_caller]
fn stops(what: &str, conf: &str, words: &[&str]) {
    stopped(misused(what, conf), words);
}

#[track_caller]
fn stopped(outcome: Outcome, words: &[&str]) {
    assert_eq!(outcome.status.signal(), Some(ABORTED), "{outcome}");
    let told = outcome.warnings();
    assert!(told.len() == 1 && words.iter().all(|&word| told[0].contains(word)), "{words:?}\n{outcome}");
}

#[test]
fn a_foreign_pointer_is_refused_without_any_option() {
    stops("stack", "", &["invalid pointer 0x", "passed to a deallocating function"]);
    stops("foreign", "", &["invalid pointer 0x12345670 "]);
}

#[test]
fn the_program_s_own_function_is_told_in_the_place_of_the_message() {
    let outcome = misused("told", "");
    assert_eq!(outcome.status.signal(), Some(ABORTED), "{outcome}");
    assert!(outcome.stdout.starts_with("told: <jemalloc>: invalid pointer 0x"), "{outcome}");
    assert!(outcome.stdout.ends_with("function\n") && outcome.warnings().is_empty(), "{outcome}");
}

#[test]
fn the_program_s_own_function_may_allocate_and_leave() {
    for case in ["misuse", "misuse-flush"] {
        let outcome = Run::new(compiled("callbacks.c")).arg(case).preload(&preload()).outcome().ok();
        assert!(outcome.stdout.ends_with("detected\n2000\n"), "{outcome}");
    }
}

#[test]
fn a_pointer_into_an_object_is_refused_when_frees_are_checked() {
    for conf in
        ["size_checks:true", "junk:free", "debug_double_free_max_scan:1", "size_checks:true,tcache:false"]
    {
        stops("inside", conf, &["invalid pointer 0x", "not the start of an object of 112 bytes"]);
        stops("inside-large", conf, &["not the start of an object of 20480 bytes"]);
    }
}

#[test]
fn a_double_free_is_found_among_the_newest_objects() {
    stops("double", "debug_double_free_max_scan:1", &["double free of 0x"]);
    stops("double-deep", "debug_double_free_max_scan:32", &["double free of 0x"]);
    assert_eq!(misused("double-deep", "debug_double_free_max_scan:2").stdout, "alive\n");
    stops("double", "tcache:false", &["double free of 0x"]);
    stops("double-large", "", &["invalid pointer 0x"]);
}

#[test]
fn a_free_with_a_wrong_size_names_both() {
    let checks = "size_checks:true";
    stops("free_sized", checks, &["size mismatch: 0x", "size 200", "usable size is 112"]);
    stops("sdallocx", checks, &["size mismatch: 0x", "size 100,", "usable size is 102400"]);
    stops("sdallocx-uncached", checks, &["size mismatch: 0x", "size 10,", "usable size is 112"]);
    assert_eq!(misused("free_sized", "").stdout, "alive\n");
}

#[test]
fn out_of_memory_ends_the_process_with_the_name_of_the_function() {
    for function in ["malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign", "mallocx", "rallocx"] {
        stops(function, "xmalloc:true", &[&format!("Error in {function}(): out of memory")]);
        assert_eq!(misused(function, "").stdout, "alive\n", "{function}");
    }
}

#[test]
fn realloc_with_size_0_does_what_the_option_says() {
    assert_eq!(misused("realloc-zero", "").stdout, "null alive\n");
    assert_eq!(misused("realloc-zero", "zero_realloc:free").stdout, "null alive\n");
    assert_eq!(misused("realloc-zero", "zero_realloc:alloc").stdout, "object alive\n");
    stops("realloc-zero", "zero_realloc:abort", &["Called realloc(0x", "zero_realloc:abort"]);
}

#[test]
fn memory_is_filled_as_asked_and_a_correct_program_runs_clean_under_every_option() {
    let library = preload();
    let program = compiled_with("filling.c", &["-fno-builtin", "-w", library.to_str().unwrap(), "-pthread"]);
    let checks = "size_checks:true,debug_double_free_max_scan:64,xmalloc:true";
    for (conf, words) in [
        ("", &[][..]),
        (checks, &[]),
        ("junk:true", &["junk", "freed"]),
        ("junk:alloc", &["junk"]),
        ("junk:free", &["freed"]),
        ("zero:true", &["zero"]),
        ("zero:true,junk:free,tcache_max:4194304", &["zero", "freed"]),
        ("junk:true,prof:true,lg_prof_sample:10,prof_final:false", &["junk", "freed"]),
        ("junk:alloc,cache_oblivious:true", &["junk"]),
        ("junk:true,cache_oblivious:true", &["junk", "freed"]),
        ("junk:true,retain:false", &["junk", "freed"]),
        ("san_guard_small:1", &[]),
        ("zero:true,tcache:false", &["zero"]),
    ] {
        for conf in [conf, &format!("{conf},{checks}")] {
            let outcome = Run::new(&program)
                .args(words)
                .preload(&library)
                .conf(conf.trim_start_matches(','))
                .outcome()
                .ok();
            assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("good\n", ""), "{conf}");
        }
    }
}

#[test]
fn what_is_resized_is_looked_at_like_what_is_freed() {
    for function in ["realloc to", "realloc 0", "rallocx", "xallocx"] {
        for conf in ["size_checks:true", "debug_double_free_max_scan:1"] {
            stops(&format!("{function} inside"), conf, &["not the start of an object of 112 bytes"]);
            stops(&format!("{function} inside large"), conf, &["not the start of an object of 20480 bytes"]);
        }
        for (more, scan) in [("", 1), (" large", 1), ("", 32)] {
            let conf = format!("debug_double_free_max_scan:{scan}");
            stops(&format!("{function} freed{more}"), &conf, &["double free of 0x"]);
        }
        stops(&format!("{function} freed"), "size_checks:true,tcache:false", &["double free of 0x"]);
    }
    for function in ["realloc", "xallocx"] {
        stops(&format!("stack {function}"), "", &["invalid pointer 0x", "passed to a deallocating function"]);
    }
}

#[test]
fn objects_of_named_arenas_and_caches_are_looked_at_too() {
    for of in ["arena", "cache"] {
        for conf in ["size_checks:true", "debug_double_free_max_scan:1"] {
            stops(&format!("inside {of}"), conf, &["not the start of an object of 112 bytes"]);
        }
        stops(&format!("double {of}"), "debug_double_free_max_scan:1", &["double free of 0x"]);
        stops(&format!("size {of}"), "size_checks:true", &["size mismatch: 0x", "size 10,"]);
    }
}

#[test]
fn an_object_that_no_cache_holds_any_more_is_not_freed_again() {
    stops("past the cache", "debug_double_free_max_scan:1", &["double free of 0x"]);
    for conf in ["size_checks:true", "debug_double_free_max_scan:1", "junk:free"] {
        stops("flushed", conf, &["double free of 0x"]);
    }
}

#[test]
fn every_form_of_delete_is_looked_at_and_fills() {
    let program = compiled_with("misuse.cc", &["-O0", "-w", "-std=c++17"]);
    let forms: usize = Run::new(program).preload(&preload()).outcome().ok().stdout.parse().unwrap();
    let mut sized = 0;
    for form in 0..forms {
        let misused = |what, conf| misused_form(what, form, conf);
        stopped(misused("foreign", ""), &["invalid pointer 0x"]);
        stopped(misused("inside", "size_checks:true"), &["not the start of an object of 2"]);
        stopped(misused("double", "debug_double_free_max_scan:1"), &["double free of 0x"]);
        assert_eq!(misused("fill", "junk:true").ok().stdout, "filled\n");
        assert_eq!(misused("fill", "").ok().stdout, "not filled\n");
        assert_eq!(
            misused("none", "size_checks:true,debug_double_free_max_scan:64").ok().stdout,
            "nothing\n"
        );
        if misused("size", "").ok().stdout == "alive\n" {
            stopped(
                misused("size", "size_checks:true"),
                &["size mismatch: 0x", "size 400, but its usable size is 2"],
            );
            sized += 1;
        }
    }
    assert_eq!((forms, sized), (12, 4));
}

#[test]
fn programs_that_make_no_mistake_do_what_they_do_while_they_are_checked() {
    let checks = "size_checks:true,debug_double_free_max_scan:32";
    let runs: [(&str, &[&str]); 6] = [
        ("semantics.c", &[]),
        ("lifecycle.c", &[]),
        ("explicit.c", &[]),
        ("counting.c", &["words"]),
        ("counting.c", &["numbers"]),
        ("stress.c", &["--seconds=2", "--megabytes=64"]),
    ];
    for (source, arguments) in runs {
        let program = compiled_with(source, &["-fno-builtin", "-pthread", "-w"]);
        for more in ["", ",junk:true,san_guard_small:3"] {
            let run = Run::new(&program).args(arguments).preload(&preload());
            run.conf(format!("{checks}{more}")).outcome().ok();
        }
    }
}

#[test]
fn an_access_beyond_a_guarded_extent_ends_the_process_and_one_inside_does_not() {
    let run =
        |what, conf: &str| Run::new(compiled("guards.c")).arg(what).preload(&preload()).conf(conf).outcome();
    for (what, option) in [
        ("large-behind", "san_guard_large"),
        ("large-before", "san_guard_large"),
        ("small-behind", "san_guard_small"),
    ] {
        for more in ["", ",retain:false", ",tcache:false"] {
            let outcome = run(what, &format!("{option}:1{more}"));
            assert_eq!(outcome.status.signal(), Some(FAULTED), "{what}{more}: {outcome}");
        }
        for conf in ["", &format!("{option}:1000000")] {
            assert_eq!(run(what, conf).ok().stdout, "alive\n", "{what} with {conf}");
        }
    }
    assert_eq!(run("large-inside", "san_guard_large:1,san_guard_small:1").ok().stdout, "alive\n");
}

#[test]
fn every_nth_extent_of_a_thread_is_guarded_until_it_is_freed() {
    for more in ["", ",retain:false", ",dirty_decay_ms:0", ",metadata_thp:auto,thp:always"] {
        let conf = format!("san_guard_small:3,san_guard_large:3{more}");
        Run::new(compiled("guards.c")).preload(&preload()).conf(&conf).outcome().ok();
    }
}

#[test]
fn nothing_else_changes_when_all_extents_are_guarded() {
    let guarded = "san_guard_small:1,san_guard_large:1";
    for more in
        ["", ",retain:false", ",dirty_decay_ms:0,narenas:1", ",prof:true,lg_prof_sample:12,prof_final:false"]
    {
        let conf = format!("{guarded}{more}");
        let stress = Run::new(compiled("stress.c")).args(["--seconds=3", "--megabytes=64"]);
        let outcome = stress.preload(&preload()).conf(&conf).outcome().ok();
        assert!(outcome.stdout.contains("faults 0"), "{conf}: {outcome}");
    }
    for conf in [&format!("{guarded},narenas:4"), &format!("{guarded},narenas:2,tcache:false")] {
        Run::new(compiled("identities.c")).preload(&preload()).conf(conf).outcome().ok();
    }
}
