//! jealloc-server in a real server, the example in axum, asked by the viewer.

use std::io::Read;

use suite::build::{Profile, viewer};
use suite::heap_server::{HeapServer, SESSION, SESSION_MAKER};
use suite::run::{Outcome, Run};
use suite::scratch::Scratch;

/// Every allocation is sampled.
const CONF: &str = "prof:true,prof_accum:true,lg_prof_sample:0";

fn view(folder: &Scratch, words: &[&str]) -> Outcome {
    let run = Run::new(viewer(Profile::own())).args(words);
    run.env("HOME", folder.path()).env("JEPROF_TMPDIR", folder.path()).outcome().ok()
}

/// What the maker of sessions has, itself and what it calls, in a table of `--show_bytes`.
fn of_sessions(table: &Outcome) -> usize {
    let row = table.stdout.lines().find(|line| line.ends_with(SESSION_MAKER));
    let cum = row.and_then(|row| row.split_whitespace().nth(3)?.parse().ok());
    cum.unwrap_or_else(|| panic!("no {SESSION_MAKER} in {table}"))
}

#[test]
fn the_viewer_finds_the_pages_and_the_sessions() {
    let folder = Scratch::new("heap_server");
    let server = HeapServer::start(&folder, CONF);
    server.open_sessions(5000);
    let urls = ["", "/pprof/heap", "/debug/pprof/heap", "/debug/pprof/heap?debug=1", "/debug/pprof/allocs"];
    for url in urls.map(|target| server.url(target)) {
        let table = view(&folder, &["--text", "--show_bytes", "--cum", &url]);
        assert_eq!(of_sessions(&table), 5000 * SESSION, "{url}");
    }
    // The copy has the program's name: the page of its command line was asked.
    assert!(!folder.files(".pprof.heap").is_empty());
    let stats = server.ask("GET", "/debug/jemalloc/stats.json", "").text();
    let json = folder.file("stats.json");
    std::fs::write(&json, stats).unwrap();
    let report = view(&folder, &["stats", json.to_str().unwrap()]);
    assert!(report.stdout.to_lowercase().contains("allocated"), "{report}");
}

#[test]
fn pages_come_through_as_they_are() {
    let folder = Scratch::new("heap_server_pages");
    let server = HeapServer::start(&folder, CONF);
    server.open_sessions(7);
    let metrics = server.ask("GET", "/metrics", "");
    assert!(
        metrics.head.to_lowercase().contains("content-type: application/openmetrics-text"),
        "{}",
        metrics.head
    );
    assert!(metrics.text().ends_with("# EOF\n"));
    let missing = server.ask("GET", "/nowhere", "");
    assert_eq!(missing.status, 404);
    let get = server.ask("GET", "/debug/jemalloc/activate", "");
    assert!(get.status == 405 && get.head.to_lowercase().contains("allow: post"), "{}", get.head);
    assert_eq!(server.ask("POST", "/debug/jemalloc/deactivate", "").text(), "sampling is off, was on\n");
    assert!(server.ask("GET", "/pprof/cmdline", "").text().ends_with("/examples/axum"));
    assert!(server.ask("GET", "/debug/pprof/flamegraph", "").text().contains(SESSION_MAKER));
    // While somebody waits for a difference, others are served.
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| server.ask("GET", "/debug/pprof/heap?seconds=1", ""));
        assert_eq!(server.ask("GET", "/pprof/symbol", "").status, 200);
        let delta = waiting.join().unwrap();
        assert_eq!(delta.status, 200, "{}", delta.head);
        let mut profile = Vec::new();
        flate2::read::GzDecoder::new(&delta.body[..]).read_to_end(&mut profile).unwrap();
        let profile = prof_format::pprof::read(&profile).unwrap();
        assert!(profile.duration_nanos >= 1_000_000_000 && profile.has_accum);
    });
}

#[test]
fn a_server_without_a_profiler_says_so_and_has_the_rest() {
    let folder = Scratch::new("heap_server_off");
    let server = HeapServer::start(&folder, "prof:false");
    let heap = server.ask("GET", "/debug/pprof/heap", "");
    assert!(heap.status == 503 && String::from_utf8_lossy(&heap.body).contains("prof:true"), "{heap:?}");
    assert!(server.ask("GET", "/metrics", "").text().contains("jemalloc_prof_active 0\n"));
}
