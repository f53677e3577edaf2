//! Options, their warnings, mallctl and the statistics.

use suite::build::preload;
use suite::fixture::compiled;
use suite::run::{Outcome, Run};

fn with_conf(conf: &str) -> Outcome {
    Run::new(compiled("options.c")).preload(&preload()).conf(conf).outcome()
}

/// Asserts the warnings that a string of options gives, without their prefix; the program itself must go on.
#[track_caller]
fn warns(conf: &str, expected: &[&str]) {
    let outcome = with_conf(conf).ok();
    let told: Vec<&str> = outcome.warnings().iter().map(|line| &line["<jemalloc>: ".len()..]).collect();
    assert_eq!(told, expected, "MALLOC_CONF={conf}");
}

#[test]
fn good_options_give_no_warning() {
    for conf in [
        "",
        "narenas:2",
        "narenas: 2",
        "dirty_decay_ms:0x10,muzzy_decay_ms:-1",
        "prof:true,prof_active:false,prof_prefix:,lg_prof_sample:64,prof_accum:true,prof_gdump:false",
        "tcache:false,stats_print:false,prof_leak:false,prof_final:false,lg_prof_interval:-1",
    ] {
        warns(conf, &[]);
    }
}

#[test]
fn a_bad_pair_gives_the_reference_s_warning() {
    warns("foo:1", &["Invalid conf pair: foo:1"]);
    warns("narenas:abc", &["Invalid conf value: narenas:abc"]);
    warns("narenas:2 ", &["Invalid conf value: narenas:2 "]);
    warns("tcache:1", &["Invalid conf value: tcache:1"]);
    warns("tcache:", &["Invalid conf value: tcache:"]);
    warns("dirty_decay_ms:-5", &["Out-of-range conf value: dirty_decay_ms:-5"]);
    warns("naremas:2", &["Invalid conf pair: naremas:2", "Did you mean narenas?"]);
}

#[test]
fn an_option_of_an_older_jemalloc_is_taken_with_a_notice() {
    let outcome = with_conf("abort_conf:true,lg_chunk:22,decay_time:3,quarantine:0").ok();
    let told: Vec<_> =
        outcome.warnings().iter().map(|line| line.split(':').nth(1).unwrap().trim().to_owned()).collect();
    assert_eq!(told, ["lg_chunk", "decay_time", "quarantine"]);
    assert!(outcome.stdout.contains("dirty_decay_ms:3000"), "{outcome}");
}

#[test]
fn each_bad_pair_of_a_string_is_told_in_order() {
    warns(
        "foo:1,narenas:abc,dirty_decay_ms:-5,lg_prof_sample:99,bar:22",
        &[
            "Invalid conf pair: foo:1",
            "Invalid conf value: narenas:abc",
            "Out-of-range conf value: dirty_decay_ms:-5",
            "Invalid conf pair: bar:22",
        ],
    );
}

#[test]
fn a_malformed_element_does_not_take_those_after_it_along() {
    for malformed in ["na-renas:4", "nothing", "two words:1", ".:1", ":"] {
        let conf = format!("narenas:2,{malformed},dirty_decay_ms:77,tcache:false");
        let outcome = with_conf(&conf).ok();
        assert!(!outcome.warnings().is_empty(), "{conf}: nothing was said");
        assert_eq!(
            outcome.stdout.trim(),
            "narenas:2,dirty_decay_ms:77,muzzy_decay_ms:0,lg_prof_sample:19,tcache:false",
            "{conf}"
        );
    }
}

#[test]
fn a_string_that_stops_short_is_told() {
    for (conf, part) in
        [("narenas:2,tcach", "Conf string ends with key"), ("narenas:2,", "Conf string ends with comma")]
    {
        let outcome = with_conf(conf).ok();
        let warnings = outcome.warnings();
        assert!(!warnings.is_empty() && warnings.iter().all(|line| line.contains(part)), "{conf}: {outcome}");
        assert!(outcome.stdout.starts_with("narenas:2,"), "{outcome}");
    }
}

#[test]
fn confirm_conf_shows_every_source_and_every_pair() {
    let conf = "confirm_conf:true,narenas:2,tcache:false";
    let outcome = with_conf(conf).ok();
    let warnings = outcome.warnings().join("\n");
    for part in [
        "malloc_conf #1 (string specified via --with-malloc-conf): \"\"",
        "malloc_conf #2 (string pointed to by the global variable malloc_conf): \"\"",
        "malloc_conf #3 (\"name\" of the file referenced by the symbolic link named /etc/malloc.conf): \"\"",
        &format!("malloc_conf #4 (value of the environment variable MALLOC_CONF): \"{conf}\""),
        "-- Set conf value: confirm_conf:true",
        "-- Set conf value: narenas:2",
        "-- Set conf value: tcache:false",
    ] {
        assert!(warnings.contains(part), "`{part}` is missing in:\n{warnings}");
    }
}

#[test]
fn abort_conf_ends_the_program_after_all_warnings() {
    use std::os::unix::process::ExitStatusExt;
    let outcome = with_conf("abort_conf:true,foo:1,narenas:x");
    let warnings = outcome.warnings();
    assert_eq!(outcome.status.signal(), Some(6), "{outcome}");
    assert_eq!(
        warnings,
        [
            "<jemalloc>: Invalid conf pair: foo:1",
            "<jemalloc>: Invalid conf value: narenas:x",
            "<jemalloc>: Abort (abort_conf:true) on invalid conf value (see above)."
        ]
    );
    assert_eq!(outcome.stdout, "");
    with_conf("abort_conf:true,narenas:2").ok();
}

#[test]
fn mallctl_gives_the_values_and_error_numbers_of_the_reference() {
    Run::new(compiled("ctl.c")).preload(&preload()).outcome().ok();
}

#[test]
fn mallctl_of_the_profiler_works_when_it_is_on() {
    let conf = "prof:true,lg_prof_sample:16";
    Run::new(compiled("ctl.c")).arg("prof").preload(&preload()).conf(conf).outcome().ok();
}

#[test]
fn statistics_agree_with_each_other_and_with_what_is_alive() {
    Run::new(compiled("statistics.c")).preload(&preload()).conf("narenas:1").outcome().ok();
}

#[test]
fn statistics_count_usable_bytes_when_every_allocation_is_sampled() {
    let conf = "narenas:1,prof:true,lg_prof_sample:0";
    Run::new(compiled("statistics.c")).preload(&preload()).conf(conf).outcome().ok();
}

#[test]
fn dirty_pages_decay_without_being_purged_by_hand() {
    let run = |conf: &str| Run::new(compiled("decay.c")).preload(&preload()).conf(conf);
    run("dirty_decay_ms:300").outcome().ok();
    run("dirty_decay_ms:200,muzzy_decay_ms:200").outcome().ok();
    run("dirty_decay_ms:0").arg("at-once").outcome().ok();
}

#[test]
fn stats_print_prints_the_labels_that_scripts_look_for() {
    let outcome = Run::new("/bin/true").preload(&preload()).conf("stats_print:true").outcome().ok();
    for part in
        ["___ Begin jemalloc statistics ___", "Version: \"", "Allocated: ", "--- End jemalloc statistics ---"]
    {
        assert!(outcome.stderr.contains(part), "`{part}` is missing in:\n{}", outcome.stderr);
    }
}
