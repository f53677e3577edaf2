//! jealloc-server's pages before those for whom they are: perl jeprof, Go's pprof, a parser of OpenMetrics.
#![cfg(feature = "outside")]

use suite::build::{Profile, target_folder, viewer};
use suite::heap_server::{HeapServer, SESSION, SESSION_MAKER};
use suite::run::{Outcome, Run};
use suite::scratch::Scratch;

/// Every allocation is sampled.
const CONF: &str = "prof:true,prof_accum:true,lg_prof_sample:0";

fn run(folder: &Scratch, program: Run, words: &[&str]) -> Outcome {
    let home = |run: Run, name| run.env(name, folder.path());
    ["HOME", "JEPROF_TMPDIR", "PPROF_TMPDIR"].into_iter().fold(program.args(words), home).outcome().ok()
}

#[test]
fn perl_jeprof_names_functions_by_the_symbol_page() {
    let folder = Scratch::new("heap_server_perl");
    let server = HeapServer::start(&folder, CONF);
    server.open_sessions(5000);
    // Nothing comes between the two that look.
    server.ask("POST", "/debug/jemalloc/deactivate", "").text();
    let url = server.url("/pprof/heap");
    for flags in
        [&["--text", "--show_bytes", "--cum"][..], &["--text", "--show_bytes", "--cum", "--alloc_space"]]
    {
        let words = [flags, &[&url]].concat();
        let theirs = run(&folder, Run::new("jeprof"), &words);
        let row = theirs.stdout.lines().find(|line| line.ends_with(SESSION_MAKER));
        let cum = row.and_then(|row| row.split_whitespace().nth(3)?.parse::<usize>().ok());
        // Rounded for each stack.
        assert!(cum.is_some_and(|cum| cum.abs_diff(5000 * SESSION) <= 1), "{theirs}");
        let ours = run(&folder, Run::new(viewer(Profile::own())), &words);
        let total = |outcome: &Outcome| outcome.stdout.lines().next().map(str::to_owned);
        assert!(total(&ours).is_some_and(|line| line.starts_with("Total: ")), "{ours}");
    }
}

#[test]
fn go_pprof_reads_the_profiles_and_asks_for_names() {
    let folder = Scratch::new("heap_server_go");
    let server = HeapServer::start(&folder, CONF);
    server.open_sessions(5000);
    let pprof = |flags: &[&str], target: &str| {
        let fixed = ["tool", "pprof", "-symbolize=remote", "-top", "-cum", "-unit=b"];
        run(&folder, Run::new("go"), &[&fixed, flags, &[&server.url(target)]].concat())
    };
    let wanted = format!("{}B", 5000 * SESSION);
    for (target, kind) in [
        ("/debug/pprof/heap", "Type: inuse_space"),
        ("/debug/pprof/heap?gc=1", "Type: inuse_space"),
        ("/debug/pprof/allocs", "Type: alloc_space"),
        ("/debug/pprof/heap?debug=1", ""),
        ("/pprof/heap", ""),
    ] {
        let top = pprof(&[], target);
        assert!(top.stdout.contains(kind), "{target}: {top}");
        let row = top.stdout.lines().find(|line| line.ends_with(SESSION_MAKER));
        assert!(row.is_some_and(|row| row.contains(&wanted)), "{target}: {top}");
    }
    let objects = pprof(&["-sample_index=alloc_objects"], "/debug/pprof/heap");
    let row = objects.stdout.lines().find(|line| line.ends_with(SESSION_MAKER));
    assert!(row.is_some_and(|row| row.trim_start().starts_with("5000")), "{objects}");
    // A difference, which pprof asks for by a flag of its own, too.
    for (flags, target) in
        [(&[][..], "/debug/pprof/heap?seconds=1"), (&["-seconds=1"], "/debug/pprof/allocs")]
    {
        let delta = pprof(flags, target);
        assert!(delta.stdout.contains("Duration: 1"), "{delta}");
        assert!(!delta.stdout.contains(SESSION_MAKER), "no session was opened meanwhile: {delta}");
    }
}

#[test]
fn a_real_parser_reads_the_metrics() {
    let python = target_folder().join("openmetrics/bin/python3");
    assert!(python.exists(), "{} is missing: tests/outside.sh installs it", python.display());
    let folder = Scratch::new("heap_server_metrics");
    let server = HeapServer::start(&folder, CONF);
    let text = folder.file("metrics.txt");
    for target in ["/metrics", "/metrics?omit=gabx"] {
        std::fs::write(&text, server.ask("GET", target, "").text()).unwrap();
        const SCRIPT: &str = "import sys\n\
            from prometheus_client.openmetrics.parser import text_string_to_metric_families\n\
            print(*(family.name for family in text_string_to_metric_families(open(sys.argv[1]).read())))";
        let read = Run::new(&python).args(["-c", SCRIPT]).arg(&text).outcome().ok();
        let families: Vec<&str> = read.stdout.split_whitespace().collect();
        assert!(families.contains(&"jemalloc_allocated_bytes") && families.len() > 20, "{read}");
    }
}
