//! Estimates beside those of what is alive: what was allocated in all, what was alive when most was, and each of them by
//! thread; at fixed rates, after a reset with another rate, and under a ceiling on samples per second.

use std::collections::BTreeMap;
use std::path::Path;

use prof_format::dump::{Dump, Figure};
use suite::bounds::outside_two_sigma;
use suite::build::preload;
use suite::fixture::compiled;
use suite::heap::{self, Symbols};
use suite::run::Run;
use suite::sampling::{self, Scores};
use suite::scratch::Scratch;
use suite::truth::{self, Site};

/// Figures by function, one kind of them.
type Found = BTreeMap<String, Figure>;

/// One run of `totals.c`: its two dumps, and what is true by `kind:function@thread`.
struct Seen {
    heap: Dump,
    profile: Dump,
    truths: BTreeMap<String, Site>,
}

#[track_caller]
fn seen(program: &Path, conf: &str, seed: u64, arguments: &[&str]) -> Seen {
    let folder = Scratch::new("totals");
    let (heap, profile) = (folder.file("t.heap"), folder.file("t.pb.gz"));
    let conf = format!("prof:true,prof_accum:true,prof_peak:true,prof_sys_thread_name:true,{conf}");
    let run = Run::new(program).arg(seed.to_string()).args([&heap, &profile]).args(arguments);
    let outcome = run.preload(&preload()).conf(conf).outcome().ok();
    let truths = truth::parse(&outcome.stdout);
    Seen { heap: heap::read(&heap), profile: heap::read(&profile), truths }
}

/// Sums of a figure over the rows that `pick` gives one for, by function.
fn sums(
    dump: &Dump,
    program: &Path,
    symbols: &Symbols,
    pick: impl Fn(&Dump, usize) -> Option<Figure>,
) -> Found {
    let mut picked = dump.clone();
    for (index, row) in picked.stacks.iter_mut().enumerate() {
        row.live = pick(dump, index).unwrap_or_default();
    }
    heap::by_function(&picked, program, symbols)
}

/// The uid of a thread of this name.
fn uid(dump: &Dump, name: &str) -> Option<u64> {
    dump.threads.iter().find(|(_, found)| found == name).map(|(uid, _)| *uid)
}

/// What a dump says by `function` and by `function@thread`, of a kind of figures; the variance of live bytes is one, too.
fn found(seen: &Seen, program: &Path, symbols: &Symbols, source: Source, kind: &str) -> Found {
    let dump = if source == Source::Heap { &seen.heap } else { &seen.profile };
    let figure = |dump: &Dump, index: usize| match kind {
        "accum" => dump.stacks[index].accum,
        "live" => dump.stacks[index].live,
        "peak" => dump.more[index].peak,
        _ => Figure { objs: 0.0, bytes: dump.more[index].variance },
    };
    let mut all = sums(dump, program, symbols, |dump, index| Some(figure(dump, index)));
    // heap_v2 has the rows of threads beside those of the process.
    let mut by_thread = dump.clone();
    if source == Source::Heap {
        by_thread.stacks = std::mem::take(&mut by_thread.thread_stacks);
    }
    for thread in THREADS {
        let uid = uid(dump, thread);
        let of_thread = sums(&by_thread, program, symbols, |dump, index| {
            (uid.is_some() && dump.stacks[index].thread == uid).then(|| figure(dump, index))
        });
        all.extend(of_thread.into_iter().map(|(function, figure)| (format!("{function}@{thread}"), figure)));
    }
    all
}

const THREADS: [&str; 4] = ["t0", "t1", "t2", "t3"];
const SITES: [&str; 4] = ["nodes", "texts", "buffers", "tables"];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Source {
    Heap,
    Profile,
}

/// What is asked of which dump; heap_v2 has no peak.
const ASKED: [(Source, &str); 5] = [
    (Source::Heap, "live"),
    (Source::Heap, "accum"),
    (Source::Profile, "live"),
    (Source::Profile, "accum"),
    (Source::Profile, "peak"),
];

/// The truth of one kind, by function and by function and thread.
fn truths(seen: &Seen, kind: &str) -> BTreeMap<String, Site> {
    let mut all: BTreeMap<String, Site> = BTreeMap::new();
    for (name, site) in &seen.truths {
        if let Some(name) = name.strip_prefix(kind).and_then(|name| name.strip_prefix(':')) {
            let (function, _) = name.split_once('@').expect("each is of a thread");
            let sum = all.remove(function).unwrap_or_default();
            all.insert(function.to_owned(), sum.plus(site.clone()));
            all.insert(name.to_owned(), site.clone());
        }
    }
    assert_eq!(all.len(), SITES.len() * (THREADS.len() + 1));
    all
}

/// Runs the program with as many seeds, and judges each kind of figures by itself: threads apart from the process, whose sum
/// they are.
///
/// Five and a half standard deviations, corrected for the skewness of few samples, for each of 4 or 16 scores; as many of
/// these outside two as chance exceeds once in a million times; and the spread within as many. That is at most a few in a
/// million for each of 10 groups with two figures each, which nearly agree with each other: one false alarm in 20,000 runs.
#[track_caller]
fn judged(conf: &str, seeds: std::ops::Range<u64>, arguments: &[&str], lg_sample: u32) {
    let program = compiled("totals.c");
    let symbols = Symbols::of(&program);
    let mut scores: BTreeMap<(Source, &str, bool), Scores> = BTreeMap::new();
    for seed in seeds {
        let seen = seen(&program, conf, seed, arguments);
        for (source, kind) in ASKED {
            let found = found(&seen, &program, &symbols, source, kind);
            for by_thread in [false, true] {
                let truths =
                    truths(&seen, kind).into_iter().filter(|(name, _)| name.contains('@') == by_thread);
                let scores = scores.entry((source, kind, by_thread)).or_default();
                sampling::add(scores, truths, &found, (1u64 << lg_sample) as f64);
            }
        }
    }
    for (group, scores) in &scores {
        let verdict = sampling::judge(scores, 5.5);
        let table = || format!("{conf} {arguments:?} {group:?}: {verdict:?}\n{}", sampling::table(scores));
        for (inside, of, beyond) in &verdict.within {
            assert!(of - inside <= outside_two_sigma(*of, 1e-6) && beyond.is_empty(), "{}", table());
        }
        for (spread, low, high) in verdict.spread {
            // Where no site has enough samples there is no spread to judge.
            assert!(spread.is_nan() || (low..=high).contains(&spread), "{}", table());
        }
    }
}

/// Where all is sampled, all is exact: also which thread allocated, whoever freed.
#[test]
fn where_all_is_sampled_totals_peak_and_threads_are_exact() {
    let program = compiled("totals.c");
    let symbols = Symbols::of(&program);
    let seen = seen(&program, "lg_prof_sample:0", 1, &[]);
    for (source, kind) in ASKED {
        let found = found(&seen, &program, &symbols, source, kind);
        for (name, site) in truths(&seen, kind) {
            let figure = found.get(&name).copied().unwrap_or_default();
            let (objects, bytes) = (figure.objs.round() as u64, figure.bytes.round() as u64);
            assert_eq!((objects, bytes), (site.objects, site.bytes), "{source:?} {kind} {name}");
        }
    }
}

#[test]
fn at_fixed_rates_totals_peak_and_threads_agree_with_the_truth() {
    for lg in [12, 16, 19] {
        judged(&format!("lg_prof_sample:{lg}"), 1..7, &[], lg);
    }
}

/// Sums over runs of one figure of one kind.
#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    truth: f64,
    found: f64,
    /// Of what is alive.
    variance: f64,
}

/// The same for runs in which not all samples are drawn at one rate. Each profile tells the variance of what is alive, from the
/// rates that its samples were drawn with; byte by byte, and the runs taken together, that of the other kinds is at most
/// twice as much, since a part of what has come at each rate is alive. Six standard deviations of that for 5 kinds of 20
/// sums, each of some hundred samples or more: less than one false alarm in a hundred thousand runs, even where the estimate
/// of the variance is a third too small.
#[track_caller]
fn within_own_errors(conf: &str, seeds: std::ops::Range<u64>, arguments: &[&str]) {
    let program = compiled("totals.c");
    let symbols = Symbols::of(&program);
    let mut sums: BTreeMap<(Source, &str, String), Sum> = BTreeMap::new();
    for seed in seeds {
        let seen = seen(&program, conf, seed, arguments);
        let variances = found(&seen, &program, &symbols, Source::Profile, "variance");
        for (source, kind) in ASKED {
            let found = found(&seen, &program, &symbols, source, kind);
            for (name, site) in truths(&seen, kind) {
                let bytes = |found: &Found| found.get(&name).map_or(0.0, |figure| figure.bytes);
                let sum = sums.entry((source, kind, name.clone())).or_default();
                sum.truth += site.bytes as f64;
                sum.found += bytes(&found);
                sum.variance += bytes(&variances);
            }
        }
    }
    let mut telling = 0;
    for ((source, kind, name), Sum { truth, found, .. }) in &sums {
        let function = name.split('@').next().unwrap_or_default();
        let alive = sums[&(Source::Profile, "live", function.to_owned())];
        let tolerance = 6.0 * (2.0 * alive.variance / alive.truth * truth).sqrt();
        let what = format!("{conf} {arguments:?} {source:?} {kind} {name}: {found} of {truth} ± {tolerance}");
        assert!((found - truth).abs() <= tolerance, "{what}");
        telling += usize::from(tolerance < 0.6 * truth);
    }
    // How many samples a ceiling allows depends on how fast the machine is just then.
    assert!(2 * telling >= sums.len(), "{conf}: only {telling} of {} sums tell something", sums.len());
}

/// What was sampled before lives on and is freed after it: that leaves no trace in what comes then.
#[test]
fn after_a_reset_with_another_rate_they_agree_with_the_truth_of_what_came_then() {
    judged("lg_prof_sample:10", 11..17, &["reset", "14"], 14);
    // A thread notices at the next event of each size class; samples that it takes until then stand for more.
    within_own_errors("lg_prof_sample:17", 11..17, &["reset", "12"]);
}

#[test]
fn under_a_ceiling_on_samples_they_agree_with_the_truth() {
    within_own_errors("lg_prof_sample:8,prof_target_samples_per_sec:20000", 21..27, &["pauses"]);
}
