//! Reports in pprof's layouts and for other viewers, through the binary: goldens on two dumps of one service, one taken
//! later than the other (`fixtures/dumps/shop-*.heap`, with names, so that no binary is needed), and every wrong request.
//!
//! What pprof prints for the same is compared in `tests/tests/outside_pprof.rs`; here the layout is fixed to the byte.

mod common;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::process::Stdio;

use common::{Run, command, golden, tool_in};
use prof_format::any::read;
use serde_json::Value;

const BEFORE: &str = "shop-1.heap";
const NOW: &str = "shop-2.heap";

/// In the folder of the dumps, so that paths are the same everywhere.
fn ask(args: &[&str]) -> Run {
    tool_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/dumps"), args)
}

/// The report, with a newline before what is on stderr, against the golden that is named after the request.
#[track_caller]
fn check(args: &[&str]) {
    let run = ask(&[args, &[NOW]].concat());
    assert_eq!(run.status, 0, "{args:?}: {}", run.stderr);
    let words = args.join(".").replace("--", "");
    let kept = |letter: char| letter.is_ascii_alphanumeric() || letter == '.' || letter == '_';
    let name: String = words.chars().map(|letter| if kept(letter) { letter } else { '_' }).collect();
    let text = if run.stderr.is_empty() { run.stdout } else { format!("{}\n{}", run.stdout, run.stderr) };
    golden(&format!("shop.{name}.txt"), &text);
}

#[test]
fn tables_in_pprof_s_layout() {
    check(&["top"]);
    check(&["top", "-cum", "-unit=B"]);
    check(&["top", "-inuse_objects", "-nodecount=3"]);
    check(&["top", "-nodefraction=0.1"]);
    check(&["top", "-focus=parse", "-relative_percentages"]);
    check(&["top", "-focus=nothing"]);
    check(&["top", "-mean"]);
    check(&["top", "-base=shop-1.heap"]);
    check(&["top", "-diff_base=shop-1.heap", "-cum"]);
    check(&["top", "-diff_base=shop-1.heap", "-normalize", "-unit=B"]);
    check(&["top", "-divide_by=1024", "-unit=B"]);
    check(&["top", "-filefunctions"]);
    check(&["top", "-modules"]);
}

#[test]
fn callers_and_callees() {
    check(&["tree"]);
    check(&["tree", "-edgefraction=0.2", "-focus=server"]);
    check(&["tree", "-trim=false", "-base=shop-1.heap"]);
    check(&["peek", "parse|reserve"]);
}

#[test]
fn two_dumps_side_by_side() {
    check(&["diff", "-functions", "shop-1.heap"]);
    check(&["diff", "-cum", "shop-1.heap"]);
    check(&["diff", "-alloc_objects", "-nodecount=1", "shop-1.heap"]);
    check(&["diff", "-functions", "-focus=parse", "-unit=B", "shop-1.heap"]);
    check(&["diff", "-functions", "-nodefraction=0.3", "shop-1.heap"]);
    check(&["diff", "-functions", NOW]);
    let same = ask(&["diff", "-functions", BEFORE, NOW]).quiet().stdout;
    for base in ["--base=shop-1.heap", "-diff_base=shop-1.heap"] {
        assert_eq!(ask(&["diff", "-functions", base, NOW]).quiet().stdout, same);
    }
    let json: Value =
        serde_json::from_str(&ask(&["diff", "-functions", "--format=json", BEFORE, NOW]).quiet().stdout)
            .unwrap();
    let figure = |of: &Value, key: &str| of[key].as_f64().unwrap();
    let rows = json["rows"].as_array().unwrap();
    assert_eq!(rows.len() as u64, json["row_count"].as_u64().unwrap());
    for key in ["before", "after", "change"] {
        let sum: f64 = rows.iter().map(|row| figure(&row["flat"], key)).sum();
        assert!((sum - figure(&json["change"], key)).abs() < 1e-6, "{key}");
    }
    let verdict = |name: &str| rows.iter().find(|row| row["name"] == name).unwrap()["verdict"].clone();
    assert_eq!(verdict("server::parse::<json::Value>"), "new");
    assert_eq!(verdict("alloc::vec::Vec<T,A>::push"), "shrunk");
    assert_eq!(verdict("main"), "same");
    // The other way round.
    let back = ask(&["diff", "-functions", NOW, BEFORE]).quiet().stdout;
    assert!(back.contains("gone    server::parse"), "{back}");
}

#[test]
fn what_grew_beyond_chance() {
    check(&["diff", "shop-1.heap"]);
    check(&["diff", NOW]);
    check(&["diff", "--format=json", "shop-1.heap"]);
    let status = |args: &[&str]| ask(args).status;
    assert_eq!(status(&["diff", BEFORE, NOW]), 0, "a report");
    assert_eq!(status(&["diff", "--exit_code", BEFORE, NOW]), 1, "a gate");
    assert_eq!(status(&["diff", "--exit-code", "--error-exitcode=23", BEFORE, NOW]), 23);
    assert_eq!(status(&["diff", "--exit_code", "--min_growth=1GiB", BEFORE, NOW]), 0);
    assert_eq!(status(&["diff", "--exit_code", NOW, NOW]), 0, "nothing changed");
}

#[test]
fn what_was_not_given_back() {
    let leaks = |args: &[&str]| {
        let run = ask(&[&["leaks"], args, &[NOW]].concat());
        format!("{}\n{}\nexit status {}\n", run.stdout, run.stderr, run.status)
    };
    golden("shop.leaks.txt", &leaks(&[]));
    golden("shop.leaks.all_frames.txt", &leaks(&["--all_frames", "--nodecount=1"]));
    golden(
        "shop.leaks.suppressed.txt",
        &leaks(&["--suppressions=../suppressions/shop.supp", "--print-suppressions"]),
    );
    assert!(leaks(&["--min_leak=1GiB"]).ends_with("exit status 0\n"));
    assert!(leaks(&["--min_leak=8MiB", "--undecided=fail"]).ends_with("exit status 1\n"));
    assert!(leaks(&["--min_leak=20MiB", "--undecided=fail"]).ends_with("exit status 3\n"));
    let unused = leaks(&["--suppressions=../suppressions/shop.supp", "--unused_suppressions=error"]);
    assert!(unused.contains("shop.supp:5 leak:^nobody$: the rule leaves nothing out"), "{unused}");
    assert!(unused.ends_with("exit status 2\n"));
    // Several forms at once, one of them in a file.
    let file = std::env::temp_dir().join(format!("leaks-{}.json", std::process::id()));
    let run = ask(&["leaks", &format!("--format=text,json={}", file.display()), NOW]);
    assert!(run.stdout.contains("leaking stacks"), "{}", run.stdout);
    let json: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(json["schema"], "jeprof-rs.check/1");
    let bytes = |finding: &Value| finding["figure"]["value"].as_f64().unwrap();
    let sum: f64 = json["findings"].as_array().unwrap().iter().map(bytes).sum();
    assert_eq!(sum, json["totals"][0]["value"].as_f64().unwrap());
}

#[test]
fn stacks_and_labels() {
    check(&["traces"]);
    check(&["traces", "-alloc_objects", "-tagfocus=worker"]);
    check(&["tags"]);
    check(&["tags", "-alloc_space", "-nodecount=2"]);
    check(&["tags", "-base=shop-1.heap"]);
}

/// Filters of frames, seen in the stacks that they leave.
#[test]
fn filters_of_frames_and_stacks() {
    check(&["--collapsed"]);
    for filter in [
        "-hide=server::",
        "-show=server::",
        "-show_from=handle",
        "-prune_from=^server::handle$",
        "-tagfocus=thread=^main$",
        "-tagfocus=128kb:",
        "-tagignore=bytes=:4kb",
        "-tagroot=thread,size_class",
        "-tagleaf=thread",
        "-noinlines",
        "-retain=server",
        "-exclude=::",
        "-ignore=parse",
    ] {
        check(&["--collapsed", filter]);
    }
}

#[test]
fn json_of_every_report_is_an_object_with_the_same_head() {
    for report in ["top", "tree", "traces", "tags", "--text", "--collapsed", "flame", "dot", "svg"] {
        let run = ask(&[report, "--format=json", "-base=shop-1.heap", NOW]).quiet();
        let value: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(value["schema"], "jeprof-rs/1", "{report}");
        assert_eq!(value["report"], report.trim_start_matches('-'), "{report}");
        assert_eq!((&value["dumps"][0], &value["base"][0]), (&NOW.into(), &BEFORE.into()), "{report}");
        assert_eq!(value["figure"]["unit"], "bytes");
        let total = value["total"].as_f64().unwrap();
        // Of whatever a report lists, the own figures add up to the total.
        let (list, figure) = [("rows", "flat"), ("nodes", "flat"), ("stacks", "figure")]
            .into_iter()
            .find(|(list, _)| value.get(list).is_some())
            .unwrap_or(("tags", ""));
        if list != "tags" {
            let sum: f64 =
                value[list].as_array().unwrap().iter().map(|entry| entry[figure].as_f64().unwrap()).sum();
            assert!((sum - total).abs() < 1e-6, "{report}: {sum}, not {total}");
        }
    }
    let run = ask(&["peek", "--format=json", "parse", NOW]).quiet();
    let value: Value = serde_json::from_str(&run.stdout).unwrap();
    let matching = |node: &&Value| node["matches"] == true;
    assert_eq!(value["nodes"].as_array().unwrap().iter().filter(matching).count(), 1);
    assert!(ask(&["proto", "--format=json", NOW]).stderr.contains("proto has no JSON form"));
}

/// What the table says a figure adds up to.
fn total(metric: &str, args: &[&str]) -> f64 {
    let json = ask(&[&["top", "--format=json", metric, NOW], args].concat()).quiet().stdout;
    serde_json::from_str::<Value>(&json).unwrap()["shown_total"].as_f64().unwrap()
}

const METRICS: [&str; 4] = ["-alloc_objects", "-alloc_space", "-inuse_objects", "-inuse_space"];

#[test]
fn a_profile_proto_has_all_figures_names_and_labels_of_what_the_filters_leave() {
    let raw = |args: &[&str]| {
        let mut command = command(&[&["proto"], args, &[NOW]].concat());
        command.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/dumps"));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut bytes = Vec::new();
        flate2::read::GzDecoder::new(&output.stdout[..]).read_to_end(&mut bytes).unwrap();
        read(&bytes).unwrap()
    };
    for args in [&[] as &[&str], &["-focus=parse"], &["-base=shop-1.heap"], &["-tagroot=thread"]] {
        let dump = raw(args);
        let sums = dump.stacks.iter().fold([0.0; 4], |mut sums, row| {
            let figures = [row.accum.objs, row.accum.bytes, row.live.objs, row.live.bytes];
            sums.iter_mut().zip(figures).for_each(|(sum, figure)| *sum += figure);
            sums
        });
        for (metric, sum) in METRICS.iter().zip(sums) {
            assert!((total(metric, args) - sum).abs() <= 1.0, "{metric} {args:?}: {sum}");
        }
    }
    assert!(raw(&[]).label_sets.iter().flatten().any(|label| label.key == "thread"));
}

#[test]
fn speedscope_s_file_has_a_profile_per_figure_with_its_total() {
    let run = ask(&["speedscope", "-inuse_objects", NOW]).quiet();
    let value: Value = serde_json::from_str(&run.stdout).unwrap();
    let profiles = value["profiles"].as_array().unwrap();
    assert_eq!(
        profiles.iter().map(|p| p["name"].as_str().unwrap()).collect::<Vec<_>>(),
        ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"]
    );
    assert_eq!(value["activeProfileIndex"], 2);
    let frames = value["shared"]["frames"].as_array().unwrap().len() as u64;
    for (metric, profile) in METRICS.iter().zip(profiles) {
        let weights = profile["weights"].as_array().unwrap();
        let sum: f64 = weights.iter().map(|weight| weight.as_f64().unwrap()).sum();
        // Each of the four stacks is rounded.
        assert!((total(metric, &[]) - sum).abs() <= 2.0, "{metric}: {sum}");
        let samples = profile["samples"].as_array().unwrap();
        assert_eq!(samples.len(), weights.len());
        assert!(
            samples.iter().flat_map(|stack| stack.as_array().unwrap()).all(|f| f.as_u64().unwrap() < frames)
        );
    }
    let shrunk = ask(&["speedscope", "-base=shop-1.heap", NOW]);
    assert!(shrunk.stderr.contains("speedscope has no negative weights"), "{}", shrunk.stderr);
}

#[test]
fn the_firefox_profiler_s_file_has_a_thread_per_figure_with_its_total() {
    for args in [&[] as &[&str], &["-base=shop-1.heap"]] {
        let run = ask(&[&["firefox"], args, &[NOW]].concat()).quiet();
        let value: Value = serde_json::from_str(&run.stdout).unwrap();
        let threads = value["threads"].as_array().unwrap();
        assert_eq!(threads.len(), 4);
        for (metric, thread) in METRICS.iter().zip(threads) {
            assert_eq!(thread["name"], metric.trim_start_matches('-'));
            let kind = if metric.ends_with("space") { "bytes" } else { "samples" };
            assert_eq!(thread["samples"]["weightType"], kind);
            let weights = thread["samples"]["weight"].as_array().unwrap();
            let sum: f64 = weights.iter().map(|weight| weight.as_f64().unwrap()).sum();
            assert!((total(metric, args) - sum).abs() <= 3.0, "{metric} {args:?}: {sum}");
        }
    }
}

#[test]
fn wrong_requests_are_refused_with_their_reason() {
    let refused = |args: &[&str], what: &str| {
        let run = ask(args);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{args:?}");
        assert!(run.stderr.contains(what), "{args:?}: {}", run.stderr);
    };
    refused(&["peek", "nothing", NOW], "no function matches 'nothing'");
    refused(&["list", "nothing", NOW], "no function with samples matches 'nothing'");
    refused(&["peek", "(", NOW], "unclosed group");
    refused(&["diff", NOW], "two dumps are compared, OLD and NEW, here are 1");
    refused(&["diff", NOW, NOW, NOW], "here are 3");
    refused(&["disasm", "nothing", NOW], "no function with samples and a known place matches 'nothing'");
    refused(&["peek"], "REGEX");
    refused(&["top", "-unit=parsec", NOW], "'parsec' is none of B");
    refused(&["top", "-sample_index=cpu", NOW], "--sample_index");
    refused(&["top", "-divide_by=0", NOW], "'0' is not a number other than zero");
    refused(&["top", "-edgefraction=2", NOW], "'2' is not a share");
    refused(&["top", "-trim=perhaps", NOW], "neither true nor false");
    refused(&["top", "-tagfocus=thread=(", NOW], "--tagfocus");
    refused(&["top", "-files", "-lines", NOW], "--lines");
    refused(&["top", "-diff_base=missing.heap", NOW], "missing.heap");
    refused(&["bridge", NOW], "no totals of the allocator");
    refused(&["top", "--thread=9", NOW], "there is no thread '9'");
}

#[test]
fn flags_that_a_report_does_not_look_at_are_told() {
    let run = ask(&["traces", "-nodecount=3", NOW]);
    assert!(run.stderr.contains("--nodecount has no effect on traces"), "{}", run.stderr);
}

/// What is on a terminal of 104 columns.
fn terminal(args: &[&str]) -> String {
    let ends = nix::pty::openpty(None, None).unwrap();
    let mut tool = command(args);
    tool.current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/dumps"));
    tool.env("COLUMNS", "104").env("NO_COLOR", "1").env("TERM", "xterm");
    let mut child = tool.stdin(Stdio::null()).stdout(Stdio::from(ends.slave)).spawn().unwrap();
    // The command keeps its copy of the terminal, and reading would never end.
    drop(tool);
    let mut shown = Vec::new();
    let mut reader = File::from(ends.master);
    let mut buffer = [0; 4096];
    // The other end is closed when the tool ends; reading fails then.
    while let Ok(count @ 1..) = reader.read(&mut buffer) {
        shown.extend(&buffer[..count]);
    }
    assert!(child.wait().unwrap().success());
    String::from_utf8(shown).unwrap()
}

#[test]
fn on_a_terminal_names_fit_the_line() {
    for report in ["top", "tree"] {
        let text = terminal(&[report, NOW]);
        let rows: Vec<&str> = text.lines().filter(|line| line.contains("::")).collect();
        assert!(rows.len() > 4, "{text}");
        assert!(rows.iter().all(|line| line.chars().count() <= 104), "{text}");
        assert!(text.contains('…') && !terminal(&[report, "--full_names", NOW]).contains('…'), "{text}");
    }
}

/// Reports on what only profiles of our allocator tell, asked of one that does not: no empty answer, in no form.
#[test]
fn what_a_dump_does_not_tell_is_refused_in_every_form() {
    for (report, told) in
        [("old", "label 'age'"), ("lifetimes", "label 'lifetime'"), ("frag", "how full slabs are")]
    {
        for form in [&[][..], &["--format=json"]] {
            let run = ask(&[&[report], form, &[NOW]].concat());
            assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{report} {form:?}: {}", run.stderr);
            assert!(run.stderr.contains(told), "{report} {form:?}: {}", run.stderr);
        }
    }
}
