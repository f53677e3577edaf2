//! Our graphs in Graphviz: what we print is drawn, and what it places is taken over.
#![cfg(feature = "outside")]

use std::path::PathBuf;

use suite::build::{self, Profile};
use suite::run::Run;
use suite::scratch::Scratch;

/// A symbolized file with a recursion, an inlined call and names with everything that Graphviz might trip over.
fn hostile(scratch: &Scratch) -> PathBuf {
    let path = scratch.file("hostile.sym");
    let text = "--- symbol\nbinary=/opt/a \"b\"\\n\n0x1000 main\n0x2000 say \"hi\" \\N \\ {a|b} <b>x</b> &amp;\n\
        0x3000 std::f(std::vector<int, std::allocator<int> >)--deep\n---\n--- heap\nheap_v2/1\n  t*: 1: 1 [0: 0]\n\
        @ 0x3000 0x2001 0x2001 0x1001\n  t*: 1: 600000 [0: 0]\n@ 0x2000 0x1001\n  t*: 1: 400000 [0: 0]\n";
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn graphviz_draws_every_name_and_counts_the_same_nodes_and_edges() {
    let scratch = Scratch::new("graphviz-dot");
    let text =
        Run::new(build::viewer(Profile::own())).arg("--dot").arg(hostile(&scratch)).outcome().ok().stdout;
    let file = scratch.file("hostile.dot");
    std::fs::write(&file, &text).unwrap();
    let drawn = Run::new("dot").arg("-Tsvg").arg(&file).outcome().ok();
    assert_eq!(drawn.stderr, "");
    let counts =
        (drawn.stdout.matches("class=\"node\"").count(), drawn.stdout.matches("class=\"edge\"").count());
    // The legend is a node, too.
    assert_eq!(counts, (4 + 1, 4), "{text}");
    assert!(drawn.stdout.contains("&quot;hi&quot;"), "{}", drawn.stdout);
}

#[test]
fn places_of_graphviz_are_taken_over() {
    let scratch = Scratch::new("graphviz-layout");
    let svg = |layout: &str| {
        let run = Run::new(build::viewer(Profile::own())).arg("svg").arg(layout).arg(hostile(&scratch));
        run.outcome().ok().stdout
    };
    let (own, theirs) = (svg("--layout=own"), svg("--layout=dot"));
    assert_ne!(own, theirs);
    assert_eq!(theirs, svg("--layout=auto"));
    for part in ["data-box=", "data-from=", "<polygon", "&quot;hi&quot;"] {
        assert_eq!(own.matches(part).count(), theirs.matches(part).count(), "{part}");
    }
}

#[test]
fn graphviz_writes_the_formats_that_we_do_not() {
    let scratch = Scratch::new("graphviz-formats");
    for (flag, start) in [("--gif", &b"GIF8"[..]), ("--ps", b"%!PS")] {
        let file = scratch.file("picture");
        Run::new(build::viewer(Profile::own()))
            .arg(flag)
            .arg("-o")
            .arg(&file)
            .arg(hostile(&scratch))
            .outcome()
            .ok();
        assert!(std::fs::read(&file).unwrap().starts_with(start), "{flag}");
    }
}
