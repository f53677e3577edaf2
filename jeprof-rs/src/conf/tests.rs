//! Strings through the whole of it.

use super::check::{Checked, Level, check};
use super::settings::options;
use super::target::Target;
use super::{answer, jemalloc, value};
use crate::terminal::Screen;

use Target::{Jemalloc530, Jemalloc531, Ours};

/// Levels of the elements, one letter each: o, n, w.
fn levels(string: &str, target: Target) -> String {
    check(string, target).findings.iter().map(|finding| &finding.level.name()[..1]).collect()
}

#[track_caller]
fn corrects(string: &str, target: Target, want: &str) {
    let checked = check(string, target);
    assert!(!checked.is_good(), "{string}: {checked:?}");
    assert_eq!(checked.corrected, want, "{string}");
}

#[track_caller]
fn says(string: &str, words: &str) {
    let text = answer(string, &Target::ALL).text(Screen::default());
    assert!(text.contains(words), "{string}: '{words}' is not in\n{text}");
}

#[test]
fn every_option_with_its_default_is_ok() {
    for target in Target::ALL {
        for row in options(target).filter(|row| !row.default.is_empty() && super::repair::is_ordinary(row)) {
            let pair = format!("{}:{}", row.name, row.default);
            assert_eq!(levels(&pair, target), "o", "{pair} for {target:?}: {:?}", check(&pair, target));
        }
    }
}

#[test]
fn rows_are_sorted_and_unique_for_each_allocator() {
    for target in Target::ALL {
        let names: Vec<_> = options(target).map(|row| row.name).collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{target:?}: {names:?}");
    }
}

/// Options of both whose values or defaults differ, by `docs/compat.md`.
const DIFFERENT: &[&str] = &[
    "cache_oblivious",
    "debug_double_free_max_scan",
    "hpa_purge_threshold_ratio",
    "lg_tcache_max",
    "process_madvise_max_batch",
    "tcache_max",
    "tcache_ncached_max",
];

#[test]
fn where_both_allocators_have_an_option_they_take_the_same_values() {
    let mut different = Vec::new();
    for ours in options(Ours) {
        let theirs = jemalloc::ROWS.iter().filter(|row| row.is_for(Target::Jemalloc531));
        let Some(theirs) = theirs.clone().find(|row| row.name == ours.name) else { continue };
        // A limit of 64 bits is none, and ours takes no beginnings of words.
        let kind = match theirs.kind {
            value::Kind::Words { words, .. } => value::Kind::Words { words, beginnings: false },
            kind => kind,
        };
        let default = theirs.default == ours.default || ours.default == "default";
        if kind != ours.kind || !default {
            different.push(format!(
                "{}: {:?} {:?} / {:?} {:?}",
                ours.name, theirs.kind, theirs.default, ours.kind, ours.default
            ));
        }
    }
    let unexpected: Vec<_> =
        different.iter().filter(|line| !DIFFERENT.iter().any(|name| line.starts_with(name))).collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
}

/// A generator that needs no seed from outside; its strings are near what people write.
struct Strings(u64);

impl Strings {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }

    fn string(&mut self) -> String {
        let mut keys: Vec<&str> = jemalloc::ROWS.iter().map(|row| row.name).collect();
        keys.extend(super::mistakes::ROWS.iter().map(|row| row.written));
        keys.extend([
            "",
            "prof_dump_format",
            "foo",
            "d",
            "m",
            "PROF",
            "lg-prof-sample",
            "naarenas",
            "é",
            "\"prof",
        ]);
        let values = [
            "true",
            "false",
            "TRUE",
            "yes",
            "0",
            "1",
            "-1",
            "-7",
            "19",
            "64",
            "5000",
            "524288",
            "32k",
            "10s",
            "never",
            "18446744073709551615",
            "99999999999999999999",
            "0.5",
            "150%",
            "default",
            "auto",
            "always",
            "a",
            "",
            " 2",
            "2 ",
            "1-64:4",
            "1-64:",
            "x:y",
            "percpu",
            "text",
            "heap_v2",
            "/tmp/x",
            "0x10",
            "true;prof:true",
            "é\"",
        ];
        let mut string = String::new();
        for _ in 0..self.below(7) {
            string += &(self.pick(&keys).to_string() + self.pick(&[":", ":", ":", ":", "=", "", ";"]));
            string += self.pick(&values);
            string += self.pick(&[",", ",", ",", ",", ";", " ", ",,", ", "]);
        }
        string
    }
}

#[test]
fn the_corrected_string_of_any_input_is_good() {
    let mut strings = Strings(1);
    let mut bad = 0;
    for round in 0..1000 {
        let string = strings.string();
        for target in Target::ALL {
            let checked = check(&string, target);
            bad += usize::from(!checked.is_good());
            let again = check(&checked.corrected, target);
            assert!(again.is_good(), "round {round}, {target:?}: {string}\n{}\n{again:?}", checked.corrected);
            assert_eq!(again.corrected, checked.corrected, "round {round}, {target:?}: {string}");
        }
    }
    assert!(bad > 1500, "the strings are too good to test anything: {bad}");
}

#[test]
fn a_good_string_is_left_as_it_is() {
    let mut strings = Strings(2);
    let mut seen = 0;
    for _ in 0..1000 {
        let corrected = check(&strings.string(), Jemalloc531).corrected;
        let again: Checked = check(&corrected, Jemalloc531);
        let pairs = corrected.split(',').filter(|pair| !pair.is_empty()).count();
        assert_eq!(again.findings.len(), pairs);
        seen += pairs;
    }
    assert!(seen > 500, "{seen}");
}

#[test]
fn meanings_have_values_and_units() {
    says("lg_prof_sample:19", "one sample per 512 KiB allocated on average");
    says("dirty_decay_ms:-1", "never purged");
    says("dirty_decay_ms:30000", "within 30 s");
    says("lg_prof_interval:30,prof:true", "each time 1 GiB have been allocated");
    says("tcache_max:65536", "threads cache objects up to 64 KiB");
    says("narenas:4", "spread over 4 arenas");
    says("narenas:default", "left to the allocator");
    says("prof_dump_format:pprof,prof:true", "Format of the dumps");
}

#[test]
fn ranges_clip_in_silence_or_refuse() {
    assert_eq!(levels("lg_prof_sample:64,prof:true", Jemalloc530), "nn");
    says("lg_prof_sample:64", "64 is out of range and counts as 63, without a message");
    corrects(
        "lg_prof_sample:524288,prof:true,prof_final:true",
        Jemalloc530,
        "lg_prof_sample:19,prof:true,prof_final:true",
    );
    corrects("dirty_decay_ms:-5", Ours, "dirty_decay_ms:-1");
    says("dirty_decay_ms:-5", "Out-of-range conf value: dirty_decay_ms:-5");
    says("tcache_max:9999999", "9999999 is out of range and counts as 32768");
    says("tcache_max:9999999", "9999999 is out of range and counts as 8388608");
}

#[test]
fn versions_differ_where_they_do() {
    assert_eq!(levels("prof_bt_max:64,prof:true,prof_final:true", Jemalloc530), "woo");
    assert_eq!(levels("prof_bt_max:64,prof:true,prof_final:true", Jemalloc531), "ooo");
    assert_eq!(levels("hpa:true,hpa_sec_bytes_after_flush:8192", Jemalloc530), "no");
    assert_eq!(levels("hpa:true,hpa_sec_bytes_after_flush:8192", Jemalloc531), "nw");
    says("hpa_sec_bytes_after_flush:8192", "gone since jemalloc 5.3.1");
    says("cache_oblivious:true", "known since jemalloc 5.3.1 only");
    says("prof_dump_format:text", "jemalloc does not have");
    says("xmalloc:true", "--enable-xmalloc");
}

#[test]
fn options_that_need_others_are_told() {
    corrects("prof_accum:true", Ours, "prof_accum:true,prof:true");
    corrects("lg_prof_interval:30", Jemalloc531, "lg_prof_interval:30,prof:true");
    corrects("prof_leak_error:true", Jemalloc530, "prof_leak_error:true,prof_final:true");
    corrects("stats_print_opts:J", Jemalloc530, "stats_print_opts:J,stats_print:true");
    corrects("narenas_ratio:2,narenas:4", Jemalloc530, "narenas:4");
    says("prof:true,prof_active:false", "until the program sets prof.active");
    says("percpu_arena:percpu,narenas:4", "percpu_arena gives each processor its arena");
    says("background_thread:true,dirty_decay_ms:0", "nothing is left for the background threads");
    says("prof:true", "no dump is written by itself");
    says("prof:false,prof_final:true", "as long as prof:false");
    assert_eq!(levels("prof:false,prof_final:true", Jemalloc530), "on");
    // The leak option turns profiling on.
    assert_eq!(levels("prof_leak:true,prof_final:true,lg_prof_sample:18", Jemalloc530), "ooo");
    corrects(
        "prof_leak:true,prof_final:true,lg_prof_interval:30",
        Jemalloc530,
        "prof_leak:true,prof_final:true,lg_prof_interval:30,prof:true",
    );
    assert_eq!(levels("prof_leak:true,prof_final:true,lg_prof_interval:30", Ours), "ooo");
}

#[test]
fn a_malformed_element_hides_the_rest_from_jemalloc_only() {
    assert_eq!(levels("tcache:false,a b:1,narenas:2,foo:1", Jemalloc530), "owww");
    assert_eq!(levels("tcache:false,a b:1,narenas:2,foo:1", Ours), "owow");
    corrects("tcache:false,a b:1,narenas:2", Jemalloc530, "tcache:false,narenas:2");
    says("tcache:false,a b:1,narenas:2", "not read at all: it stands behind the malformed 'a b:1'");
    corrects("tcache:false,", Jemalloc531, "tcache:false");
    corrects("tcache:false,prof", Ours, "tcache:false,prof:true");
    assert_eq!(levels("", Ours), "");
}

#[test]
fn pairs_that_are_set_twice_and_keys_cut_short_are_noted() {
    assert_eq!(levels("narenas:2,narenas:4", Jemalloc530), "no");
    assert_eq!(check("narenas:2,narenas:4", Ours).corrected, "narenas:4");
    assert_eq!(levels("d:primary", Jemalloc530), "n");
    assert_eq!(check("d:prim", Jemalloc530).corrected, "dss:primary");
    assert_eq!(levels("d:primary", Ours), "w");
    says("naarenas:2", "did you mean narenas?");
}

// What articles say: a string or statement each, and what is true.

#[test]
fn statistics_are_not_printed_by_time() {
    says("stats_print_interval:5000", "stats_interval:N prints statistics each time N bytes");
    corrects("stats_print:true,stats_print_interval:5000", Jemalloc530, "stats_print:true");
    says("stats_print_interval:5000", "Invalid conf pair: stats_print_interval:5000");
}

#[test]
fn chunks_are_gone() {
    says("lg_chunk:22", "gone since 5.0");
    corrects("lg_chunk:22,narenas:2", Jemalloc531, "narenas:2");
}

#[test]
fn threads_of_an_arena_are_no_option_and_jemalloc_drops_what_follows() {
    corrects("arena.0.nthreads:8,dirty_decay_ms:1", Jemalloc530, "dirty_decay_ms:1");
    assert_eq!(levels("arena.0.nthreads:8,dirty_decay_ms:1", Jemalloc530), "ww");
    assert_eq!(levels("arena.0.nthreads:8,dirty_decay_ms:1", Ours), "wo");
    says("arena.0.nthreads:8,dirty_decay_ms:1", "Malformed conf string");
    says("arena.0.nthreads:8,dirty_decay_ms:1", "nor can the threads of an arena be limited");
}

#[test]
fn the_thread_cache_counts_bytes() {
    says("tcache_gc_interval:10", "tcache_gc_incr_bytes:N");
    assert_eq!(levels("tcache_max:64", Jemalloc530), "n");
    says("tcache_max:64", "bytes, not objects");
}

#[test]
fn options_cannot_be_written_by_mallctl() {
    says("mallctl(\"opt.narenas\", NULL, NULL, &n, sizeof(n))", "EPERM");
    says("opt.narenas:4", "read-only");
    corrects("opt.narenas:4", Ours, "narenas:4");
}

#[test]
fn recent_allocations_have_an_experimental_name() {
    says("mallctl(\"prof.recent_alloc_max\", &n, &len, NULL, 0)", "experimental.prof_recent.alloc_max");
}

#[test]
fn muzzy_pages_do_not_decay_by_default() {
    says("muzzy decay default 10 s", "muzzy_decay_ms is 0 by default since 5.2.0");
    says("muzzy_decay_ms:10000", "not the default");
}

#[test]
fn postgresql_is_preloaded() {
    says("./configure --with-jemalloc", "LD_PRELOAD=");
}

#[test]
fn redis_has_an_option_of_its_own() {
    let answer = answer("redis-server --jemalloc-bg-thread yes", &Target::ALL);
    assert!(
        answer.is_good() && answer.text(Screen::default()).starts_with("right\n"),
        "{}",
        answer.text(Screen::default())
    );
}

#[test]
fn go_is_not_preloaded() {
    says("LD_PRELOAD=libjemalloc.so for a pure Go binary", "cgo");
}

#[test]
fn leak_summaries_need_the_final_dump_in_jemalloc() {
    corrects("prof_leak:true", Jemalloc530, "prof_leak:true,prof_final:true");
    says("prof:true,prof_leak:true", "prints nothing without prof_final:true");
    assert_eq!(levels("prof_leak:true", Ours), "o");
}

#[test]
fn decay_per_arena_exists() {
    says("per-arena decay: Meta is building it", "arena.<i>.dirty_decay_ms");
    says("arena.0.dirty_decay_ms:1000", "set arena.<i>.dirty_decay_ms from the program");
}

#[test]
fn the_exported_name_has_a_prefix() {
    let text = "#[export_name = \"malloc_conf\"]\npub static malloc_conf: &[u8] = b\"prof:true,prof_final:true\\0\";";
    says(text, "_rjem_malloc_conf");
    says(text, "the string within: prof:true,prof_final:true");
}

#[test]
fn elements_of_all_allocators_are_the_same() {
    let mut strings = Strings(3);
    for _ in 0..300 {
        let string = strings.string();
        let count = |target| check(&string, target).findings.len();
        assert!(count(Jemalloc530) == count(Ours) && count(Jemalloc531) == count(Ours), "{string}");
    }
}

#[test]
fn defaults_of_rows_are_values_of_their_kinds() {
    for row in jemalloc::ROWS.iter().filter(|row| !row.default.is_empty()) {
        assert!(value::read(row.name, row.kind, row.default, Jemalloc531).is_ok(), "{}", row.name);
    }
    assert!(Level::Ok < Level::Wrong);
}
