//! Questions about the newest samples, asked of a program whose answers are planted.

use std::path::PathBuf;

use suite::build::{self, Profile, preload};
use suite::fixture::compiled;
use suite::run::{Outcome, Run};
use suite::scratch::Scratch;

struct Samples {
    folder: Scratch,
    file: PathBuf,
}

/// What `recent.c` writes, every allocation sampled.
fn samples(name: &str, words: &[&str]) -> Samples {
    let folder = Scratch::new(name);
    let conf = format!(
        "prof:true,lg_prof_sample:0,prof_recent_alloc_max:1000,prof_prefix:{}/p",
        folder.path().display()
    );
    Run::new(compiled("recent.c")).args(words).preload(&preload()).conf(conf).outcome().ok();
    let file = folder.files(".json").remove(0);
    Samples { folder, file }
}

impl Samples {
    fn asked(&self, words: &[&str]) -> Outcome {
        Run::new(build::viewer(Profile::own())).args(words).arg(&self.file).outcome()
    }

    /// The groups of `recent` under these words: first line of what they have in common, and how many samples.
    fn groups(&self, words: &[&str]) -> Vec<(String, u64)> {
        let outcome = self.asked(&[&["recent"], words].concat()).ok();
        let rows = outcome.stdout.lines().skip_while(|line| !line.ends_with("what")).skip(1);
        let rows = rows.filter(|line| !line.starts_with("     ") || !line[..61].trim().is_empty());
        rows.map(|line| {
            let figures: Vec<&str> = line[..61].split_whitespace().collect();
            let samples = figures.iter().filter_map(|word| word.parse().ok()).nth(2);
            (line[61..].to_string(), samples.unwrap_or_else(|| panic!("{outcome}")))
        })
        .collect()
    }
}

#[test]
fn the_planted_stack_comes_first_and_is_all_that_the_condition_leaves() {
    let samples = samples("recent", &[]);
    let condition = r#"--where=size>1MiB and age>200ms and thread~"filler" and stack~"old_""#;
    assert_eq!(samples.groups(&[condition]), [("fill_old_cache".into(), 8)]);
    assert_eq!(samples.groups(&["--where=age<100ms and size>1m"]), [("fill_young_cache".into(), 8)]);
    assert_eq!(
        samples.groups(&["--where=released and lifetime<1s", "--sort=samples"])[0],
        ("use_scratch".into(), 50)
    );
    assert_eq!(samples.groups(&["--where=freed_by=reader"]), [("write_message".into(), 1)]);
    let by_bytes = samples.groups(&[]);
    assert_eq!((by_bytes[0].0.as_str(), by_bytes[1].0.as_str()), ("fill_young_cache", "fill_old_cache"));
    let by_age = samples.groups(&["--sort=age", "--group_by=leaf", "--where=size>1000"]);
    assert_eq!(by_age[0], ("fill_old_cache".into(), 8));
}

#[test]
fn samples_are_put_together_by_thread_and_size_or_listed() {
    let samples = samples("recent-groups", &[]);
    let threads = samples.groups(&["--group_by=thread", "--where=size>1000"]);
    assert!(threads.contains(&("cache filler".into(), 8)), "{threads:?}");
    let sizes = samples.groups(&["--group_by=size", "--sort=size", "--where=size>1m"]);
    assert_eq!(sizes, [("3145728 B".into(), 8), ("2097152 B".into(), 8)]);
    let listed = samples.groups(&["--group_by=none", "--where=size=2m"]);
    assert_eq!(listed, vec![("fill_old_cache".to_string(), 1); 8]);
}

#[test]
fn other_reports_read_recent_samples_and_take_conditions() {
    let samples = samples("recent-reports", &[]);
    let live = samples.asked(&["--show_bytes", "--where=size>1m"]).ok();
    let heaviest = live.stdout.lines().nth(1).unwrap_or_default();
    assert!(
        heaviest.starts_with(&(8 * (3 << 20)).to_string()) && heaviest.ends_with("fill_young_cache"),
        "{live}"
    );
    let folded = samples.asked(&["collapsed", "--alloc_space", "--where=leaf=use_scratch"]).ok();
    assert!(folded.stdout.trim_end().ends_with(&format!("use_scratch {}", 50 * 1024)), "{folded}");
    let json = samples.asked(&["recent", "--format=json", "--where=stack~old_cache"]).ok();
    let document: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    let group = &document["groups"][0];
    assert_eq!((&document["group_count"], &group["samples"]), (&1.into(), &8.into()), "{json}");
    assert!(group["age_max_nanos"].as_u64().is_some_and(|age| age >= 200_000_000), "{json}");
}

/// The samples carry no memory map: the dump beside them lends its own, or one that is named, or a copy of the process map.
#[test]
fn the_memory_map_comes_from_elsewhere_or_is_asked_for() {
    let samples = samples("recent-map", &["alone"]);
    let refused = samples.asked(&["recent"]);
    assert_eq!(refused.status.code(), Some(2), "{refused}");
    assert!(refused.stderr.contains("no memory map: name a heap profile of the same process"), "{refused}");
    let bare = samples.asked(&["recent", "--addresses"]).ok();
    assert!(bare.stdout.contains("0x"), "{bare}");

    let with_dump = self::samples("recent-lent", &[]);
    let dump = with_dump.folder.files(".heap").remove(0);
    let text = std::fs::read_to_string(&dump).unwrap();
    let maps = with_dump.folder.file("maps.txt");
    std::fs::write(&maps, text.split_once("MAPPED_LIBRARIES:\n").unwrap().1).unwrap();
    let elsewhere = with_dump.folder.file("renamed");
    std::fs::rename(&with_dump.file, &elsewhere).unwrap();
    let moved = Samples { file: elsewhere, ..with_dump };
    for lender in [&dump, &maps] {
        let lender = lender.to_str().unwrap();
        assert_eq!(moved.groups(&["--where=thread=reader or size=2m", lender])[0].0, "fill_old_cache");
    }
}

#[test]
fn wrong_questions_and_files_are_told() {
    let samples = samples("recent-wrong", &[]);
    for (words, what) in [
        (&["recent", "--where=sise>1"][..], "did you mean size?"),
        (&["recent", "--where=age>10"], "no time for 'age'"),
        (&["recent", "--group_by=colour"], "'colour' is none of stack, leaf, thread, size, none"),
    ] {
        let outcome = samples.asked(words);
        assert_eq!(outcome.status.code(), Some(2), "{outcome}");
        assert!(outcome.stderr.contains(what), "{outcome}");
    }
    let nothing = samples.asked(&["recent", "--where=size>1GiB"]).ok();
    assert!(nothing.stderr.contains("no sample is left where size>1GiB"), "{nothing}");
    let dump = Samples { file: samples.folder.files(".heap").remove(0), ..samples };
    for words in [&["recent"][..], &["recent", "--format=json"]] {
        let outcome = dump.asked(words);
        assert_eq!(outcome.status.code(), Some(2), "{outcome}");
        assert!(outcome.stderr.contains("and this is a heap profile"), "{outcome}");
    }
    let cut = dump.folder.file("cut.json");
    std::fs::write(&cut, r#"{"sample_interval":1,"recent_alloc_max":3,"recent_alloc":[{"size":"#).unwrap();
    let outcome = Samples { file: cut, ..dump }.asked(&["recent"]);
    assert_eq!(outcome.status.code(), Some(2), "{outcome}");
    assert!(outcome.stderr.contains("cut.json: is cut off or no JSON"), "{outcome}");
}
