//! The call graph through the binary: what is drawn, what is left out, what is refused.

mod common;

use std::path::PathBuf;
use std::process::Command;

use common::{Run, Scratch, command, finish, tool};

/// A recursion, an inlined call, a small branch, one that grew and one that shrank; names that need care.
const SYMBOLS: &str = "--- symbol
binary=/opt/svc
0x0000000000001000 main
0x0000000000002000 ns::walk(int, char)
0x0000000000003000 leaf--deep
0x0000000000004000 tiny
0x0000000000005000 say \"hi\" </svg>
---
--- heap
";

/// A symbolized file: leaf first, and what every stack holds.
fn dump(scratch: &Scratch, name: &str, stacks: &[(&str, u64)]) -> PathBuf {
    let mut text = String::from(SYMBOLS);
    text.push_str("heap_v2/1\n  t*: 1: 1 [0: 0]\n");
    for (stack, bytes) in stacks {
        text.push_str(&format!("@ {stack}\n  t*: 1: {bytes} [0: 0]\n"));
    }
    scratch.write(name, text)
}

fn finished(command: &mut Command) -> Run {
    finish(command.output().unwrap())
}

fn example(scratch: &Scratch) -> PathBuf {
    dump(
        scratch,
        "svc.sym",
        &[
            ("0x3000 0x2001 0x2001 0x1001", 600_000),
            ("0x2000 0x1001", 300_000),
            ("0x4000 0x1001", 1_000),
            ("0x5000 0x1001", 99_000),
        ],
    )
}

const DOT: &str = r#"digraph "/opt/svc; 1000000 B" {
node [width=0.375,height=0.25];
Legend [shape=box,fontsize=24,shape=plaintext,label="/opt/svc\lTotal B: 1000000\lFocusing on: 1000000\lDropped nodes with <= 5000 abs(B)\lDropped edges with <= 1000 B\l"];
N1 [label="main\n0 (0.0%)\rof 1000000 (100.0%)\r",shape=box,fontsize=8.0];
N2 [label="ns\nwalk(int, char)\n300000 (30.0%)\rof 900000 (90.0%)\r",shape=box,fontsize=35.4];
N3 [label="deep\n600000 (60.0%)\r",shape=box,fontsize=46.7];
N4 [label="leaf\n0 (0.0%)\rof 600000 (60.0%)\r",shape=box,fontsize=8.0];
N5 [label="say\n\"hi\"\n</svg>\n99000 (9.9%)\r",shape=box,fontsize=23.7];
N1 -> N2 [label=900000, weight=14722, style="setlinewidth(2.000000)"];
N2 -> N2 [label=600000, weight=11084, style="setlinewidth(2.000000)"];
N2 -> N4 [label=600000, weight=11084, style="setlinewidth(2.000000)"];
N4 -> N3 [label=600000, weight=11084, style="setlinewidth(2.000000),dashed"];
N1 -> N5 [label=99000, weight=3140, style="setlinewidth(0.594000)"];
}
"#;

#[test]
fn dot_has_jeprof_s_layout_and_its_strings_are_closed() {
    let scratch = Scratch::new("graphs-dot");
    let file = example(&scratch);
    let file = file.to_str().unwrap();
    let expected = DOT.replace("say\\n\"hi\"", "say\\n\\\"hi\\\"");
    assert_eq!(tool(&["--dot", "--show_bytes", file]).quiet().stdout, expected);
    assert_eq!(tool(&["dot", "--show_bytes", file]).quiet().stdout, expected);
}

#[test]
fn nodes_and_edges_are_left_out_by_number_and_by_share() {
    let scratch = Scratch::new("graphs-limits");
    let file = example(&scratch);
    let file = file.to_str().unwrap();
    let counts = |flags: &[&str]| {
        let text = tool(&[&["--dot", "--show_bytes", file], flags].concat()).quiet().stdout;
        let edges = text.matches(" -> ").count();
        (text.lines().filter(|line| line.starts_with('N')).count() - edges, edges)
    };
    assert_eq!(counts(&[]), (5, 5));
    assert_eq!(counts(&["--nodecount=2"]), (2, 2));
    assert_eq!(counts(&["--nodefraction=0.7"]), (2, 2));
    assert_eq!(counts(&["--nodefraction=0"]), (6, 6));
    // Every callee keeps a caller; the loop is not the first edge into its node.
    assert_eq!(counts(&["--edgefraction=1"]), (5, 4));
    assert_eq!(counts(&["--maxdegree=1"]), (5, 4));
    assert_eq!(counts(&["--trim=false"]), (6, 6));
    // Two ways to `walk`, so that the recursion is a chain.
    assert_eq!(counts(&["--call_tree"]), (6, 5));
    assert_eq!(counts(&["--focus=walk"]), (4, 4));
}

#[test]
fn what_is_left_over_is_marked() {
    let scratch = Scratch::new("graphs-heapcheck");
    let before = dump(&scratch, "before.sym", &[("0x2000 0x1001", 500_000), ("0x4000 0x1001", 9_000)]);
    let after = dump(&scratch, "after.sym", &[("0x2000 0x1001", 100_000), ("0x4000 0x1001", 900_000)]);
    let base = format!("--base={}", before.display());
    let run = tool(&["--dot", "--show_bytes", "--heapcheck", &base, after.to_str().unwrap()]).quiet();
    let node = |name: &str| run.stdout.lines().find(|line| line.contains(name)).unwrap().to_string();
    assert!(node("\"tiny").contains("style=filled,fillcolor=gray"), "{}", run.stdout);
    assert!(
        node("walk").contains("-400000 (-81.5%)") && node("walk").contains("peripheries=3"),
        "{}",
        run.stdout
    );
    let dropped = tool(&["--dot", "--heapcheck", "--drop_negative", &base, after.to_str().unwrap()]).quiet();
    assert!(!dropped.stdout.contains("peripheries"));
}

#[test]
fn pictures_need_no_graphviz_and_are_the_same_twice() {
    let scratch = Scratch::new("graphs-pictures");
    let file = example(&scratch);
    for (format, start) in [("svg", "<?xml"), ("pdf", "%PDF-")] {
        let picture = |name: &str| {
            let path = scratch.path(name);
            let mut command = command(&[format, "-o", path.to_str().unwrap(), file.to_str().unwrap()]);
            finished(command.env("PATH", scratch.path("nothing"))).quiet();
            std::fs::read(path).unwrap()
        };
        let bytes = picture("first");
        assert!(bytes.starts_with(start.as_bytes()));
        assert_eq!(bytes, picture("second"));
        if format == "svg" {
            let text = String::from_utf8(bytes).unwrap();
            for part in [
                "ns::walk(int, char)",
                "say &quot;hi&quot; &lt;/svg&gt;",
                "600000 (60.0%)",
                "stroke-dasharray",
            ] {
                let part = part.replace("600000", "0.6");
                assert!(text.contains(&part), "{part} is not in\n{text}");
            }
        }
    }
}

#[test]
fn what_needs_another_program_says_which() {
    let scratch = Scratch::new("graphs-programs");
    let file = example(&scratch);
    let without = |flags: &[&str]| {
        let mut command = command(&[flags, &[file.to_str().unwrap()]].concat());
        let run = finished(command.env("PATH", scratch.path("nothing")).env("TMPDIR", scratch.path("")));
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{flags:?}");
        run.stderr
    };
    for flags in [&["--gif"] as &[&str], &["--ps"], &["--svg", "--layout=dot"]] {
        assert!(without(flags).contains("install Graphviz"), "{flags:?}");
    }
    for (flag, program) in [("--web", "xdg-open"), ("--gv", "gv"), ("--evince", "evince")] {
        let told = without(&[flag]);
        assert!(told.contains("nothing to show it") && told.contains(program), "{told}");
    }
    let mut auto = command(&["--svg", "--layout=auto", file.to_str().unwrap()]);
    finished(auto.env("PATH", scratch.path("nothing"))).quiet();
}

#[test]
fn a_viewer_is_given_the_picture() {
    let scratch = Scratch::new("graphs-viewer");
    let file = example(&scratch);
    let programs = scratch.path("bin");
    std::fs::create_dir_all(&programs).unwrap();
    let seen = scratch.path("seen");
    let viewer = programs.join("gv");
    std::fs::write(
        &viewer,
        format!("#!/bin/sh\necho \"$@\" > {0}.new; /bin/mv {0}.new {0}\n", seen.display()),
    )
    .unwrap();
    let mut mode = std::fs::metadata(&viewer).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut mode, 0o755);
    std::fs::set_permissions(&viewer, mode).unwrap();
    let picture = scratch.path("picture.pdf");
    let mut command =
        command(&["--gv", "--scale=3", "-o", picture.to_str().unwrap(), file.to_str().unwrap()]);
    let run = finished(command.env("PATH", &programs));
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(run.stderr.contains("is shown with gv"), "{}", run.stderr);
    // The viewer runs on its own.
    let told = (0..500).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(20));
        std::fs::read_to_string(&seen).ok()
    });
    assert_eq!(told.unwrap().trim(), format!("--scale=3 --noantialias {}", picture.display()));
    assert!(std::fs::read(&picture).unwrap().starts_with(b"%PDF-"));
}

#[test]
fn nothing_to_draw_is_an_error_with_its_reason() {
    let scratch = Scratch::new("graphs-empty");
    let file = example(&scratch);
    let file = file.to_str().unwrap();
    let error = |flags: &[&str]| {
        let run = tool(&[flags, &[file]].concat());
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{flags:?}");
        run.stderr
    };
    assert!(error(&["--dot", "--focus=nowhere"]).contains("no nodes to draw: --focus matches no stack"));
    assert!(error(&["svg", &format!("--base={file}")]).contains("nothing differs from the base"));
    assert!(error(&["--dot", "--nodefraction=1"]).contains("every node is below --nodefraction"));
    assert!(error(&["--dot", "--edgefraction=2"]).contains("--edgefraction: '2' is not a share"));
    assert!(error(&["--svg", "--layout=neat"]).contains("--layout: 'neat' is none of own, dot and auto"));
}
