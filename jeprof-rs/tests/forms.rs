//! Forms of findings for people and viewers: the page, and the stacks as collapsed lines and as profile.proto. Those for CI
//! systems are in `check.rs`.

mod common;

use std::path::{Path, PathBuf};

use common::{Run, Scratch, command, finish, golden, tool_in};
use prof_format::any::read;
use roxmltree::{Document, ParsingOptions};
use serde_json::Value;

const BEFORE: &str = "shop-1.heap";
const NOW: &str = "shop-2.heap";

fn dumps() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/dumps")
}

/// In the folder of the dumps, so that paths are the same everywhere.
fn ask(args: &[&str]) -> Run {
    tool_in(&dumps(), args)
}

/// Asks for the text, the object, the page, the lines and the profile at once; answers with the last four.
#[track_caller]
fn all_forms(folder: &Scratch, args: &[&str]) -> (Value, String, String, Vec<u8>) {
    let files = ["f.json", "made/f.html", "f.folded", "f.pb.gz"].map(|name| folder.path(name));
    let [json, html, folded, pprof] = &files;
    let format = format!(
        "--format=text,json={},html={},folded={},pprof={}",
        json.display(),
        html.display(),
        folded.display(),
        pprof.display()
    );
    let words: Vec<&str> =
        args.iter().copied().take(1).chain([format.as_str()]).chain(args[1..].iter().copied()).collect();
    let run = ask(&words);
    assert!(matches!(run.status, 0 | 1), "{args:?}: {}", run.stderr);
    assert!(!run.stdout.is_empty());
    let text = |path: &Path| std::fs::read_to_string(path).unwrap();
    let left: Vec<_> =
        std::fs::read_dir(folder.path("")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(left.iter().all(|path| path.extension().is_none_or(|ending| ending != "tmp")), "{left:?}");
    (serde_json::from_str(&text(json)).unwrap(), text(html), text(folded), std::fs::read(pprof).unwrap())
}

/// `path BYTES` lines, read.
fn lines(folded: &str) -> Vec<(&str, i64)> {
    folded
        .lines()
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(path, bytes)| (path, bytes.parse().unwrap()))
        .collect()
}

/// Stacks of a profile as `root;..;leaf` with bytes and objects, and what their figures are called.
fn stacks(profile: &[u8]) -> (Vec<(String, f64, f64)>, u64) {
    let mut plain = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(profile), &mut plain).unwrap();
    let dump = read(&plain).unwrap();
    let stack = |row| {
        let row: &prof_format::dump::StackRow = row;
        let frames = dump.stack(row).iter().rev();
        let names = frames.flat_map(|frame| {
            dump.frame_table[*frame as usize].names.iter().rev().map(|name| name.function.as_str())
        });
        (names.collect::<Vec<_>>().join(";"), row.live.bytes, row.live.objs)
    };
    (dump.stacks.iter().map(stack).collect(), dump.period)
}

/// What the object says of findings about one stack that viewers are given: function of the leaf and bytes.
fn told(json: &Value) -> Vec<(String, f64)> {
    let findings = json["findings"].as_array().unwrap().iter();
    findings
        .filter(|finding| finding["verdict"] != "pass" && !finding["key"].is_null())
        .map(|finding| {
            let leaf = finding["frames"][0]["function"].as_str().unwrap();
            (leaf.to_string(), finding["figure"]["value"].as_f64().unwrap())
        })
        .collect()
}

/// That lines and profile have the stacks and bytes of the findings, and no others.
#[track_caller]
fn viewers_are_given(folder: &Scratch, args: &[&str]) -> usize {
    let (json, html, folded, profile) = all_forms(folder, args);
    let expected = told(&json);
    let (stacks, period) = stacks(&profile);
    assert_eq!(period, json["sampling_distance_bytes"].as_u64().unwrap());
    let lines = lines(&folded);
    assert_eq!((lines.len(), stacks.len()), (expected.len(), expected.len()), "{folded}");
    for (leaf, bytes) in &expected {
        let of = |path: &str| path.rsplit(';').next() == Some(leaf);
        assert!(
            lines.iter().any(|(path, figure)| of(path) && (*figure as f64 - bytes).abs() <= 1.0),
            "{leaf}: {folded}"
        );
        assert!(
            stacks.iter().any(|(path, figure, _)| of(path) && (figure - bytes).abs() <= 1.0),
            "{leaf}: {stacks:?}"
        );
    }
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let tree = Document::parse_with_options(&html, options).unwrap();
    let titles: Vec<&str> = tree
        .descendants()
        .filter(|node| node.has_tag_name("g"))
        .filter_map(|node| node.first_element_child()?.text())
        .collect();
    for (leaf, _) in &expected {
        assert!(titles.iter().any(|title| title.starts_with(&format!("{leaf} ("))), "{leaf}: {titles:?}");
    }
    expected.len()
}

#[test]
fn viewers_are_given_the_stacks_of_the_findings() {
    let folder = Scratch::new("forms-viewers");
    assert_eq!(viewers_are_given(&folder, &["leaks", NOW]), 4);
    assert_eq!(viewers_are_given(&folder, &["leaks", "--all_frames", "--min_leak=6MiB", NOW]), 2);
    assert!(viewers_are_given(&folder, &["diff", BEFORE, NOW]) > 0);
    assert!(viewers_are_given(&folder, &["check", BEFORE, NOW]) > 0);
    // Nothing found: empty files, not none, and no old ones.
    assert_eq!(viewers_are_given(&folder, &["leaks", "--min_leak=1GiB", NOW]), 0);
    assert_eq!(viewers_are_given(&folder, &["diff", NOW, NOW]), 0);
}

#[test]
fn the_page_is_the_same_each_time() {
    let page = || ask(&["leaks", "--format=html", "--suppressions=../suppressions/shop.supp", NOW]).stdout;
    let page = [page(), page()];
    assert_eq!(page[0], page[1]);
    let version = format!("content=\"jeprof-rs {}\"", env!("CARGO_PKG_VERSION"));
    golden("shop.leaks.html", &page[0].replace(&version, "content=\"jeprof-rs VERSION\""));
}

#[test]
fn limits_of_a_pattern_are_on_the_page_and_no_stack_for_viewers() {
    let folder = Scratch::new("forms-limits");
    let config = folder.write(
        "limits.toml",
        "[[budget]]\nmatch = \"total\"\nmax = \"1MiB\"\n[[budget]]\nstack = \"Cache\"\nmax = \"1GiB\"\nowner = \"@a<b>\"\n",
    );
    let files = ["f.html", "f.folded"].map(|name| folder.path(name));
    let format = format!("--format=html={},folded={}", files[0].display(), files[1].display());
    let run = ask(&["check", &format, "--config", config.to_str().unwrap(), NOW]);
    assert_eq!((run.status, run.stdout.as_str()), (1, ""), "{}", run.stderr);
    assert!(
        run.stderr.contains("folded is empty: no finding is about the bytes of one stack"),
        "{}",
        run.stderr
    );
    assert_eq!(std::fs::read_to_string(&files[1]).unwrap(), "");
    let html = std::fs::read_to_string(&files[0]).unwrap();
    for part in
        ["@a&lt;b&gt;", "<h2>Passed</h2>", "the largest stack of it", ">1 failed, 1 passed, 0 undecided"]
    {
        assert!(html.contains(part), "{part}: {html}");
    }
    assert!(!html.contains("class=\"flame\""), "{html}");
}

#[test]
fn what_cannot_be_asked_for_is_refused() {
    let refused = |args: &[&str], why: &str| {
        let run = ask(args);
        assert!(run.status == 2 && run.stderr.contains(why), "{args:?}: {} {}", run.status, run.stderr);
    };
    refused(
        &["leaks", "--format=text,pprof", NOW],
        "pprof goes into no file with another form: name a file (pprof=FILE)",
    );
    // It mixed up the stacks of the thread with those of the process.
    refused(&["leaks", "--thread=worker-1", NOW], "--thread: findings are about the whole process");
    refused(&["check", "--thread=worker-1", NOW], "--thread: findings are about the whole process");
    refused(&["leaks", "--format=html=", NOW], "html= wants a file");
    refused(&["top", "--format=html", NOW], "top has no other forms than native and json");
    refused(&["diff", "--functions", "--format=folded", BEFORE, NOW], "diff has no other forms");
    refused(&["leaks", "--format=html=/dev/null/x/f.html", NOW], "/dev/null");
    // Before the program is run, not after.
    let folder = Scratch::new("forms-refused");
    let made = folder.path("made");
    let run =
        finish(command(&["run", "--format=pprof", "--", "touch", made.to_str().unwrap()]).output().unwrap());
    assert!(run.status == 2 && run.stderr.contains("pprof is nothing for a terminal"), "{}", run.stderr);
    assert!(!made.exists());
}

#[test]
fn a_profile_may_go_to_a_pipe_or_the_file_of_o() {
    let folder = Scratch::new("forms-pipe");
    let piped = command(&["leaks", "--format=pprof", NOW]).current_dir(dumps()).output().unwrap();
    assert_eq!(stacks(&piped.stdout).0.len(), 4);
    let file = folder.path("f.pb.gz");
    let run = ask(&["leaks", "--format=pprof", "-o", file.to_str().unwrap(), NOW]);
    assert_eq!((run.status, run.stdout.as_str()), (1, ""), "{}", run.stderr);
    assert_eq!(std::fs::read(&file).unwrap(), piped.stdout);
}
