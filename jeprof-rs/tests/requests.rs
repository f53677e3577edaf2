//! Requests and refusals: goldens on the workspace's dumps, every wrong input, ways in and out.

mod common;

use std::io::Write;
use std::process::Stdio;

use common::{Scratch, command, dump, finish, golden, tool, tool_in};

/// Output of a request on a fixture, compared with the golden named after it. No file that the dump maps is found,
/// also not a library that happens to be on this machine, so names are module and offset everywhere.
#[track_caller]
fn check(dump_name: &str, flags: &[&str]) {
    let request = flags.join("").replace("--", ".").replace(['=', '\\', '|'], "_");
    let scratch = Scratch::new(&format!("golden-{dump_name}{request}"));
    let moved = scratch.write("moved.heap", without_files(dump_name));
    let run = tool(&[flags, &[moved.to_str().unwrap()]].concat());
    assert_eq!(run.status, 0, "{}", run.stderr);
    golden(&format!("{dump_name}{request}.txt"), &run.stdout);
}

/// A dump whose files are nowhere. Paths keep their length, so that this works in every format.
fn without_files(dump_name: &str) -> Vec<u8> {
    let mut content = std::fs::read(dump(dump_name)).unwrap();
    for start in 0..content.len() {
        if content[start..].starts_with(b"/opt/") || content[start..].starts_with(b"/usr/") {
            content[start..start + 5].copy_from_slice(b"/nop/");
        }
    }
    content
}

#[test]
fn the_three_formats_of_one_snapshot_give_one_table() {
    check("ours-text.heap", &["--show_bytes"]);
    check("ours-text.heap", &["--alloc_space", "--collapsed"]);
    let scratch = Scratch::new("requests-formats");
    let table = |name: &str, flags: &[&str]| {
        let moved = scratch.write("moved", without_files(name));
        let run = tool(&[flags, &["--show_bytes", moved.to_str().unwrap()]].concat());
        assert_eq!(run.status, 0, "{name}: {}", run.stderr);
        run.rows()
    };
    for flags in
        [&["--inuse_space"] as &[&str], &["--alloc_space"], &["--inuse_objects"], &["--alloc_objects"]]
    {
        let expected = table("ours-text.heap", flags);
        for name in ["ours-heap_v2.heap", "ours.pb"] {
            let rows = table(name, flags);
            assert_eq!(rows.len(), expected.len(), "{name} {flags:?}");
            for ((flat, cum, row), (expected_flat, expected_cum, expected_row)) in rows.iter().zip(&expected)
            {
                assert_eq!(row, expected_row, "{name} {flags:?}");
                // The formats round each stack in their own way: text and heap_v2 when they are written, pprof to
                // whole objects and bytes. The dump has eight stacks, so no sum is further off than eight.
                assert!((flat - expected_flat).abs() <= 8 && (cum - expected_cum).abs() <= 8, "{name} {row}");
            }
        }
    }
}

#[test]
fn tables_of_a_jemalloc_dump() {
    check("jemalloc-5.3.0.heap", &[]);
    check("jemalloc-5.3.0.heap", &["--show_bytes"]);
    check("jemalloc-5.3.0.heap", &["--inuse_objects", "--cum"]);
    check("jemalloc-5.3.0.heap", &["--alloc_space", "--lines"]);
    check("jemalloc-5.3.0.heap", &["--alloc_objects", "--nodecount=3"]);
    check("jemalloc-5.3.0.heap", &["--show_bytes", "--addresses"]);
    check("jemalloc-5.3.0.heap", &["--show_bytes", "--files"]);
    check("jemalloc-5.3.0.heap", &["--show_bytes", "--all_frames"]);
    check("jemalloc-5.3.0.heap", &["--show_bytes", "--focus=0x120a"]);
    check("jemalloc-5.3.0.heap", &["--show_bytes", "--ignore=libc"]);
}

#[test]
fn collapsed_stacks_of_dumps() {
    check("jemalloc-5.3.0.heap", &["--collapsed"]);
    check("gperftools-2.10.heap", &["--collapsed"]);
    check("gperftools-2.10.heap", &["--show_bytes"]);
    check("gperftools-2.10.heap", &["--collapsed", "--alloc_objects"]);
}

#[test]
fn the_flame_graph_is_titled_and_counts_bytes() {
    let path = dump("gperftools-2.10.heap");
    let run = tool(&["flame", &path]);
    assert_eq!(run.status, 0);
    for part in
        ["<svg", "app: 3.2 MiB live", "inuse_space, every allocation recorded", "3,407,872 bytes, 100%"]
    {
        assert!(run.stdout.contains(part), "{part}");
    }
    assert_eq!(run.stdout, tool(&["flame", &path]).stdout);
}

#[test]
fn gzip_is_told_by_content_and_stdin_is_a_dash_or_what_is_piped_in() {
    let scratch = Scratch::new("requests-gzip");
    let plain = std::fs::read(dump("jemalloc-5.3.0.heap")).unwrap();
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(&plain).unwrap();
    let packed = packer.finish().unwrap();
    let expected = tool(&["--show_bytes", &dump("jemalloc-5.3.0.heap")]).stdout;
    let file = scratch.write("no-telling-name", &packed);
    assert_eq!(tool(&["--show_bytes", file.to_str().unwrap()]).stdout, expected);
    for (args, input) in [(&["--show_bytes", "-"] as &[&str], &plain), (&["--show_bytes"], &packed)] {
        let mut command = command(args);
        command
            .current_dir(scratch.path(""))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        assert_eq!(finish(child.wait_with_output().unwrap()).stdout, expected, "{args:?}");
    }
}

#[test]
fn without_a_dump_the_newest_one_here_is_taken_and_named() {
    let scratch = Scratch::new("requests-newest");
    let empty = tool_in(&scratch.path(""), &[]);
    assert_eq!(empty.status, 2);
    assert!(empty.stderr.contains("no heap profile given"), "{}", empty.stderr);
    let old = scratch.write("z.heap", std::fs::read(dump("gperftools-2.10.heap")).unwrap());
    let an_hour_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    std::fs::File::options().write(true).open(old).unwrap().set_modified(an_hour_ago).unwrap();
    scratch.write("a.heap", std::fs::read(dump("jemalloc-5.3.0.heap")).unwrap());
    let run = tool_in(&scratch.path(""), &["--show_bytes"]);
    assert_eq!(run.stdout, tool(&["--show_bytes", &dump("jemalloc-5.3.0.heap")]).stdout);
    assert!(run.stderr.contains("reading a.heap, the newest dump here"), "{}", run.stderr);
}

#[test]
fn output_goes_to_a_file_and_a_closed_pipe_is_no_failure() {
    let scratch = Scratch::new("requests-output");
    let file = scratch.path("out.svg");
    let run = tool(&["flame", "-o", file.to_str().unwrap(), &dump("gperftools-2.10.heap")]);
    assert_eq!((run.status, run.stdout.as_str()), (0, ""));
    assert!(std::fs::read_to_string(&file).unwrap().contains("</svg>"));
    let mut child = command(&["flame", &dump("jemalloc-5.3.0.heap")])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(!String::from_utf8_lossy(&output.stderr).contains("roken pipe"));
}

/// Status 2, nothing on stdout, and these words on stderr.
#[track_caller]
fn refuse(args: &[&str], words: &[&str]) {
    let run = tool(args);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{args:?}: {}", run.stderr);
    for word in words {
        assert!(run.stderr.contains(word), "{args:?}: no `{word}` in: {}", run.stderr);
    }
}

#[test]
fn wrong_files_are_refused_by_name() {
    let scratch = Scratch::new("requests-wrong");
    let path = |name: &str, content: &[u8]| scratch.write(name, content).to_str().unwrap().to_string();
    let good = dump("jemalloc-5.3.0.heap");
    let own = env!("CARGO_BIN_EXE_jeprof-rs");
    refuse(&["/no/such.heap"], &["/no/such.heap: no such file"]);
    refuse(&[&path("empty.heap", b"")], &["empty.heap: is empty"]);
    refuse(&[&path("text.heap", b"hello\n")], &["text.heap: is not a heap profile"]);
    refuse(&[&path("script.heap", b"#!/bin/sh\n")], &["is a script"]);
    refuse(&[&path("cut.gz", &[0x1f, 0x8b, 8, 0])], &["cut.gz: gzip: the file is cut short"]);
    refuse(&[own, own, &good], &["is a second program"]);
    refuse(&["--base", "/no/such.heap", &good], &["/no/such.heap: no such file"]);
    refuse(&["--base", own, &good], &["--base wants a dump"]);
    refuse(
        &[&path("none.heap", b"heap_v2/524288\n  t*: 0: 0 [0: 0]\n\nMAPPED_LIBRARIES:\n")],
        &["no samples"],
    );
    let no_accum: Vec<u8> = std::fs::read(&good).unwrap();
    let no_accum = String::from_utf8(no_accum).unwrap();
    let live_only: String = no_accum
        .lines()
        .map(|line| match (line.find('['), line.find(']')) {
            (Some(start), Some(end)) if line.contains("t") => {
                format!("{}[0: 0{}\n", &line[..start], &line[end..])
            }
            _ => format!("{line}\n"),
        })
        .collect();
    let live_only = path("live.heap", live_only.as_bytes());
    refuse(&["--alloc_space", &live_only], &["prof_accum:true"]);
    assert_eq!(tool(&["--show_bytes", &live_only]).stdout, tool(&["--show_bytes", &good]).stdout);
}

#[test]
fn a_damaged_line_of_our_own_dump_is_an_error_and_not_missing_memory() {
    let scratch = Scratch::new("requests-damaged");
    let text = std::fs::read_to_string(dump("ours-text.heap")).unwrap();
    let line = text.lines().position(|line| line.contains("@ 0x")).unwrap();
    let damaged: String = text
        .lines()
        .enumerate()
        .map(|(at, text)| if at == line { text.replacen(':', "x:", 1) + "\n" } else { format!("{text}\n") })
        .collect();
    let path = scratch.write("damaged.heap", damaged.as_bytes());
    refuse(&[path.to_str().unwrap()], &["damaged.heap", &format!("line {}", line + 1), "sample line"]);
}

#[test]
fn two_dumps_of_one_process_are_added_up_with_a_warning() {
    let good = dump("jemalloc-5.3.0.heap");
    let run = tool(&["--show_bytes", &good, &good]);
    assert_eq!(run.status, 0);
    assert!(run.stderr.contains("comes from the same process"), "{}", run.stderr);
    let run = tool(&["--show_bytes", &good, &dump("gperftools-2.10.heap")]);
    assert!(!run.stderr.contains("the same process"), "{}", run.stderr);
}

#[test]
fn wrong_options_are_refused_with_the_nearest_one() {
    let good = dump("jemalloc-5.3.0.heap");
    refuse(&["--inuse-spaces", &good], &["--inuse_space"]);
    refuse(&["-focsu=x", &good], &["--focus"]);
    refuse(&["--inuse", &good], &["--inuse_space or --inuse_objects"]);
    refuse(&["--text", "--collapsed", &good], &["--text", "--collapsed"]);
    refuse(&["--lines", "--files", &good], &["--lines", "--files"]);
    refuse(&["--focus=(", &good], &["--focus", "unclosed group"]);
    refuse(&["--nodecount", "many", &good], &["--nodecount", "'many'"]);
    refuse(&["--unpack_max=0", &good], &["--unpack_max"]);
    let run = tool(&["--collapsed", "--nodecount=3", &good]);
    assert!(
        run.status == 0 && run.stderr.contains("--nodecount has no effect on collapsed"),
        "{}",
        run.stderr
    );
}

#[test]
fn every_spelling_of_an_option_gives_the_same_text() {
    let good = dump("jemalloc-5.3.0.heap");
    let expected = tool(&["--show_bytes", "--alloc_space", &good]).stdout;
    for spelling in [
        ["--show-bytes", "--alloc-space", &good],
        ["-show_bytes", "-alloc-space", &good],
        ["--show", &good, "--alloc_s"],
        [&good, "--Show-Bytes", "-ALLOC_SPACE"],
    ] {
        assert_eq!(tool(&spelling).stdout, expected, "{spelling:?}");
    }
}

#[test]
fn a_dump_cut_anywhere_is_refused_or_complete_up_to_its_maps_and_never_a_crash() {
    let scratch = Scratch::new("requests-cut");
    for name in ["jemalloc-5.3.0.heap", "gperftools-2.10.heap"] {
        let whole = std::fs::read(dump(name)).unwrap();
        let maps = whole.windows(8).position(|window| window == b"MAPPED_L").unwrap();
        let total = tool(&["--show_bytes", &dump(name)]).stdout.lines().next().unwrap().to_string();
        for cut in (1..whole.len()).step_by(37) {
            let path = scratch.write("cut.heap", &whole[..cut]);
            let run = tool(&["--show_bytes", path.to_str().unwrap()]);
            assert!(run.status == 2 || run.status == 0, "{name} cut at {cut}: {}", run.stderr);
            if cut <= maps {
                assert_eq!(run.status, 2, "{name} cut at {cut}: {}", run.stdout);
                assert!(run.stderr.contains("cut.heap"), "{}", run.stderr);
            } else if run.status == 0 {
                assert!(run.stdout.starts_with(&total), "{name} cut at {cut}");
            }
        }
    }
}

#[test]
fn help_names_every_option_and_shows_examples() {
    let help = tool(&["--help"]);
    assert_eq!(help.status, 0);
    for word in
        ["--inuse_space", "--focus <REGEX>", "--base <DUMP>", "Examples:", "jeprof-rs flame > heap.svg"]
    {
        assert!(help.stdout.contains(word), "{word}");
    }
    assert!(tool(&["flame", "--help"]).stdout.contains("Examples:"));
    assert!(tool(&["--version"]).stdout.starts_with("jeprof-rs "));
}
