//! What a profile tells beyond sums: ages, ends, the peak, labels, requested bytes, on a program of which all of that is known.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use prof_format::dump::{Dump, LabelValue, More, StackRow};
use serde_json::Value;
use suite::build::{Profile, preload, viewer};
use suite::fixture::compiled;
use suite::heap::{Symbols, by_function, read};
use suite::run::Run;
use suite::scratch::Scratch;

/// A profile of `ages.c`, and how long that ran.
struct Seen {
    dump: Dump,
    symbols: Symbols,
    program: std::path::PathBuf,
    took: Duration,
    folder: Scratch,
}

fn seen(name: &str, factor: u64, conf: &str) -> Seen {
    scene(name, "d.pb.gz", &[&factor.to_string()], conf)
}

fn scene(name: &str, file: &str, arguments: &[&str], conf: &str) -> Seen {
    let folder = Scratch::new(name);
    let program = compiled("ages.c");
    let dump = folder.file(file);
    let start = Instant::now();
    let run = Run::new(&program).preload(&preload()).arg(&dump).args(arguments);
    run.conf(format!("prof:true,{conf}")).outcome().ok();
    let took = start.elapsed();
    let dump = read(&dump);
    assert_eq!(dump.warnings, Vec::<String>::new());
    Seen { dump, symbols: Symbols::of(&program), program, took, folder }
}

impl Seen {
    fn label(&self, row: &StackRow, key: &str) -> Option<&LabelValue> {
        let labels = &self.dump.label_sets[row.labels as usize];
        labels.iter().find(|label| label.key == key).map(|label| &label.value)
    }

    fn nanos(&self, row: &StackRow, key: &str) -> Option<i64> {
        self.label(row, key).map(|value| match value {
            LabelValue::Number { value, unit } if unit == "nanoseconds" => *value,
            other => panic!("{other:?}"),
        })
    }

    fn text(&self, row: &StackRow, key: &str) -> Option<&str> {
        self.label(row, key).map(|value| match value {
            LabelValue::Text(text) => text.as_str(),
            other => panic!("{other:?}"),
        })
    }

    /// Sums of a value by function, over rows that have it.
    fn by_site(&self, value: impl Fn(&StackRow, &More) -> f64) -> BTreeMap<String, f64> {
        let mut dump = self.dump.clone();
        for (row, more) in dump.stacks.iter_mut().zip(&self.dump.more) {
            row.live.bytes = value(row, more);
        }
        let sums = by_function(&dump, &self.program, &self.symbols);
        sums.into_iter().map(|(name, figure)| (name, figure.bytes)).collect()
    }

    /// A value of every row of a function that is alive.
    fn ages(&self, site: &str) -> Vec<i64> {
        let mut found = Vec::new();
        for (index, row) in self.dump.stacks.iter().enumerate() {
            let of_site = self.by_site_of_row(index) == Some(site);
            if of_site && row.live.bytes > 0.0 {
                found.push(self.nanos(row, "age").expect("who is alive has an age"));
            }
        }
        found
    }

    fn by_site_of_row(&self, index: usize) -> Option<&'static str> {
        let sums = {
            let mut dump = self.dump.clone();
            dump.stacks = vec![dump.stacks[index].clone()];
            by_function(&dump, &self.program, &self.symbols)
        };
        SITES.into_iter().find(|site| sums.contains_key(*site))
    }
}

const SITES: [&str; 7] =
    ["old_leak", "young_cache", "short_lived", "handed_over", "peak_phase", "for_tenant", "wasteful"];

/// Sites with the number of their objects and the usable and requested size of each.
const PLAN: [(&str, u64, u64, u64); 7] = [
    ("old_leak", 1000, 1024, 1024),
    ("young_cache", 2000, 512, 512),
    ("short_lived", 3000, 256, 256),
    ("handed_over", 800, 2048, 2048),
    ("peak_phase", 50, 1 << 20, 1 << 20),
    ("for_tenant", 500, 4096, 4096),
    ("wasteful", 1000, 5120, 4097),
];

/// Asserts bytes of a site: exactly, or within six standard deviations of the sampling.
fn assert_bytes(found: &BTreeMap<String, f64>, site: &str, objects: u64, size: u64, scale: f64, period: u64) {
    let found = found.get(site).copied().unwrap_or(0.0);
    let expected = objects as f64 * size as f64;
    let deviation = match period {
        1 => 0.0,
        _ => (objects as f64 * (size * size) as f64 / ((size as f64 / period as f64).exp() - 1.0)).sqrt(),
    };
    assert!(
        (found - expected * scale).abs() <= 6.0 * deviation * scale,
        "{site}: {found} of {}, standard deviation {deviation}",
        expected * scale
    );
}

fn check(seen: &Seen, factor: u64, period: u64) {
    let count = |site: &str, objects: u64| if site == "peak_phase" { objects } else { objects * factor };
    let alive = ["old_leak", "young_cache", "for_tenant", "wasteful"];
    let live = seen.by_site(|row, _| row.live.bytes);
    let accum = seen.by_site(|row, _| row.accum.bytes);
    let requested = seen.by_site(|_, more| more.requested);
    let peak = seen.by_site(|_, more| more.peak.bytes);
    for (site, objects, size, asked) in PLAN {
        let objects = count(site, objects);
        let living = if alive.contains(&site) { objects } else { 0 };
        assert_bytes(&live, site, living, size, 1.0, period);
        assert_bytes(&accum, site, objects, size, 1.0, period);
        assert_bytes(&requested, site, living, size, asked as f64 / size as f64, period);
        let at_peak = if ["old_leak", "peak_phase"].contains(&site) { objects } else { 0 };
        assert_bytes(&peak, site, at_peak, size, 1.0, period);
    }

    let elsewhere = |by: &'static str| {
        seen.by_site(move |row, _| match seen.text(row, "freed_by") {
            Some(found) if found == by => row.accum.bytes,
            _ => 0.0,
        })
    };
    let (same, other) = (elsewhere("same thread"), elsewhere("other thread"));
    for (site, objects, size, _) in PLAN {
        let objects = count(site, objects);
        let freed = |sites: &[&str]| if sites.contains(&site) { objects } else { 0 };
        assert_bytes(&same, site, freed(&["short_lived", "peak_phase"]), size, 1.0, period);
        assert_bytes(&other, site, freed(&["handed_over"]), size, 1.0, period);
    }
    for row in seen.dump.stacks.iter().filter(|row| seen.nanos(row, "lifetime").is_some()) {
        assert_eq!(row.live.bytes, 0.0);
        if seen.text(row, "freed_by") == Some("other thread") {
            assert!(seen.nanos(row, "lifetime").unwrap() >= 1 << 30, "handed over for more than a second");
        }
    }

    let (old, young) = (seen.ages("old_leak"), seen.ages("young_cache"));
    assert!(!old.is_empty() && old.iter().all(|age| *age >= 1 << 30), "{old:?}");
    if seen.took < Duration::from_secs(2) {
        assert!(!young.is_empty() && young.iter().all(|age| *age < 1 << 30), "{young:?}");
    }

    for (tenant, objects) in [("tenant a", 400), ("tenant b", 100)] {
        let of = seen.by_site(|row, _| match seen.text(row, "label") {
            Some(label) if label == tenant => row.live.bytes,
            _ => 0.0,
        });
        assert_bytes(&of, "for_tenant", objects * factor, 4096, 1.0, period);
        assert!(of.get("wasteful").is_none_or(|bytes| *bytes == 0.0));
    }
    let threads: Vec<_> = seen.dump.threads.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(threads.len(), 2, "{threads:?}");
    assert_eq!(threads[1], "collector", "what the system calls it");
}

#[test]
fn ages_ends_the_peak_labels_and_requested_bytes_are_exact_where_all_is_sampled() {
    let seen = seen("ages-exact", 1, "lg_prof_sample:0,prof_accum:true,prof_peak:true");
    check(&seen, 1, 1);
    let samples = seen.by_site(|_, more| more.samples);
    assert_eq!(samples["old_leak"], 1000.0);
    assert!(seen.dump.more.iter().all(|more| more.variance == 0.0 && more.births == 0.0));
    let about = |name: &str| seen.dump.about(name);
    assert_eq!(about("conf"), Some("prof:true,lg_prof_sample:0,prof_accum:true,prof_peak:true"));
    assert!(about("command").unwrap().ends_with(".pb.gz 1"), "{:?}", about("command"));
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    assert_eq!(about("host"), Some(host.trim()));
    let start: u64 = about("start_nanos").unwrap().parse().unwrap();
    assert!(start < seen.dump.time_nanos && seen.dump.time_nanos - start < 300_000_000_000);
}

#[test]
fn they_are_right_within_their_errors_where_a_part_is_sampled() {
    let seen = seen("ages-sampled", 4, "lg_prof_sample:12,prof_accum:true,prof_peak:true");
    check(&seen, 4, 4096);
    let (live, variance) = (seen.by_site(|row, _| row.live.bytes), seen.by_site(|_, more| more.variance));
    for (site, size) in [("old_leak", 1024.0_f64), ("wasteful", 5120.0)] {
        // The sum over samples of z^2 (1-p) / p^2 is the estimate times z (1-p) / p.
        let expected = live[site] * size / ((size / 4096.0).exp() - 1.0);
        assert!((variance[site] / expected - 1.0).abs() < 1e-3, "{site}: {} {expected}", variance[site]);
    }
}

#[test]
fn without_accumulated_figures_births_and_deaths_of_stacks_that_live_are_told() {
    let seen = seen("ages-births", 1, "lg_prof_sample:0");
    assert!(!seen.dump.has_accum && !seen.dump.has_peak);
    let (births, deaths) = (seen.by_site(|_, more| more.births), seen.by_site(|_, more| more.deaths));
    assert_eq!((births["old_leak"], deaths["old_leak"]), (1000.0, 0.0));
    assert!(!births.contains_key("short_lived"), "as in every dump without prof_accum");
    assert_eq!(births["main"] - deaths["main"], seen.by_site(|_, more| more.samples)["main"]);
    assert!(seen.dump.stacks.iter().all(|row| seen.nanos(row, "lifetime").is_none()));
}

/// Objects by a function of ours that stands for what is missing.
fn missing(seen: &Seen, marker: &str) -> f64 {
    let library = std::fs::canonicalize(preload()).unwrap();
    by_function(&seen.dump, &library, &Symbols::of(&library)).get(marker).map_or(0.0, |figure| figure.objs)
}

#[test]
fn stacks_that_are_too_many_count_under_one_that_says_so() {
    for file in ["d.pb", "d.heap"] {
        let scene = |conf: &str| {
            let conf = format!("lg_prof_sample:0,{conf}");
            scene("ages-stacks", file, &["1", "stacks"], &conf)
        };
        let (all, few) = (scene("prof_max_stacks:0"), scene("prof_max_stacks:20"));
        let objects = |seen: &Seen| suite::heap::total(&seen.dump).objs;
        assert_eq!(objects(&all), objects(&few), "none is lost");
        assert_eq!(missing(&all, "prof_dropped_stacks"), 0.0);
        let dropped = missing(&few, "prof_dropped_stacks");
        let kept = few.dump.stacks.len() as f64;
        assert!(dropped >= 64.0 - kept && (2.0..=20.0).contains(&kept), "{dropped} dropped, {kept} kept");
    }
}

#[test]
fn stacks_that_were_cut_say_so_at_their_root() {
    let seen = scene("ages-cut", "d.pb", &["1", "stacks"], "lg_prof_sample:0,prof_bt_max:10");
    // Below `deep` there are `main` and what starts it; the shallowest are whole.
    let cut = missing(&seen, "prof_truncated_stack");
    assert!((50.0..64.0).contains(&cut), "{cut}");
    let seen = scene("ages-cut", "d.heap", &["1", "stacks"], "lg_prof_sample:0,prof_bt_max:10");
    assert_eq!(missing(&seen, "prof_truncated_stack"), 0.0, "heap_v2 is the reference's");
}

/// What the viewer says about a dump of `ages.c`.
fn shown(dump: &Path, arguments: &[&str]) -> String {
    Run::new(viewer(Profile::own())).args(arguments).arg(dump).outcome().ok().stdout
}

/// The site in a stack of JSON.
fn site_of(stack: &Value) -> Option<&'static str> {
    let frames = stack["frames"].as_array().unwrap();
    SITES.into_iter().find(|site| frames.iter().any(|frame| frame == site))
}

#[test]
fn the_viewer_names_the_planted_stacks_first() {
    let seen = seen("ages-viewer", 1, "lg_prof_sample:0,prof_accum:true,prof_peak:true");
    let dump = seen.folder.file("d.pb.gz");
    let json = |arguments: &[&str]| -> Value {
        serde_json::from_str(&shown(&dump, &[arguments, &["--format=json", "--nodecount=0"]].concat()))
            .unwrap()
    };
    let old = json(&["old", "--min_age=1s"]);
    let first = &old["stacks"][0];
    assert_eq!((site_of(first), &first["old_objects"]), (Some("old_leak"), &Value::from(1000.0)), "{old}");
    let text = shown(&dump, &["old", "--min_age=1s"]);
    assert!(text.contains("Ages are known to a factor of two"), "{text}");

    let lifetimes = json(&["lifetimes"]);
    let of = |site: &str| {
        let stacks = lifetimes["stacks"].as_array().unwrap();
        stacks.iter().find(|stack| site_of(stack) == Some(site)).unwrap().clone()
    };
    let (short, handed, leak) = (of("short_lived"), of("handed_over"), of("old_leak"));
    assert!(short["median_nanos"].as_i64().unwrap() < 1 << 30 && short["freed_elsewhere"] == 0.0, "{short}");
    assert!(handed["median_nanos"].as_i64().unwrap() >= 1 << 30, "{handed}");
    assert_eq!((&handed["freed_elsewhere"], &handed["live_objects"]), (&800.0.into(), &0.0.into()));
    assert_eq!((&leak["median_nanos"], &leak["live_objects"]), (&Value::Null, &1000.0.into()));

    let of = |index: &str, site: &str| {
        let report = shown(&dump, &["collapsed", index]);
        let lines = report.lines().filter(|line| line.contains(site));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum::<u64>()
    };
    assert_eq!(of("--sample_index=peak_space", "peak_phase"), 50 << 20);
    assert_eq!(of("--sample_index=peak_objects", "old_leak"), 1000);
    assert_eq!(of("--sample_index=peak_space", "wasteful"), 0);
    assert_eq!(of("--sample_index=inuse_requested_space", "wasteful"), 1000 * 4097);
    assert_eq!(of("--inuse_space", "wasteful"), 1000 * 5120);

    // Labels are filters of every report.
    let tenant = shown(&dump, &["collapsed", "--tagfocus=label=tenant a"]);
    assert!(tenant.contains("for_tenant") && !tenant.contains("wasteful"), "{tenant}");
    let aged = shown(&dump, &["collapsed", "--tagfocus=age=1s:"]);
    assert!(aged.contains("old_leak") && !aged.contains("wasteful"), "{aged}");
    let roots = shown(&dump, &["collapsed", "--tagroot=freed_by", "--alloc_space"]);
    assert!(
        roots.lines().any(|line| line.starts_with("other thread;") && line.contains("handed_over")),
        "{roots}"
    );
}

#[test]
fn ages_are_wanted_of_a_profile_that_has_them() {
    let seen = scene("ages-none", "d.heap", &["1", "stacks"], "lg_prof_sample:0");
    let dump = seen.folder.file("d.heap");
    for command in ["old", "lifetimes"] {
        let outcome = Run::new(viewer(Profile::own())).arg(command).arg(&dump).outcome();
        assert!(!outcome.status.success() && outcome.stderr.contains("pprof's format"), "{outcome}");
    }
    let outcome =
        Run::new(viewer(Profile::own())).args(["top", "--sample_index=peak_space"]).arg(&dump).outcome();
    assert!(!outcome.status.success() && outcome.stderr.contains("prof_peak:true"), "{outcome}");
}
