//! Profiles of this very process, which has to be started with the profiler on: each test runs itself again so.

use std::io::Read;
use std::process::Command;

use jealloc::ctl;
use jealloc_server::{Answer, Request, Response, begin, respond};
use prof_format::dump::{Dump, Figure};

#[global_allocator]
static ALLOC: jealloc::Jealloc = jealloc::Jealloc;

/// Runs the test of this name in a process of its own, every allocation sampled.
fn alone(name: &str, test: fn()) {
    if ctl::read(c"opt.prof") == Ok(true) {
        return test();
    }
    let mut again = Command::new(std::env::current_exe().unwrap());
    again
        .args(["--exact", name, "--nocapture"])
        .env("MALLOC_CONF", "prof:true,prof_accum:true,lg_prof_sample:0");
    let output = again.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
}

fn ask(method: &str, path: &str, query: &str) -> Response {
    respond(&Request { method, path, query, body: b"" })
}

fn unpacked(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut bytes).unwrap();
    bytes
}

fn profile(response: &Response) -> Dump {
    assert_eq!(response.status, 200, "{}", String::from_utf8_lossy(&response.body));
    assert_eq!(response.header("Content-Type"), Some("application/octet-stream"));
    prof_format::pprof::read(&unpacked(&response.body)).unwrap()
}

/// Sizes that nobody else asks for, so that their objects are found again.
const SIZE: usize = 3 << 20;

#[inline(never)]
fn objects(count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|_| Vec::with_capacity(SIZE)).collect()
}

/// Live and accumulated figures of the objects of that size or more.
fn of_objects(dump: &Dump) -> [Figure; 2] {
    let large = dump.stacks.iter().filter(|row| {
        let figure = if row.live.objs == 0.0 { row.accum } else { row.live };
        (figure.bytes / figure.objs).abs() >= SIZE as f64
    });
    large.fold([Figure::default(); 2], |[live, accum], row| [live.plus(row.live), accum.plus(row.accum)])
}

fn figure(count: f64) -> Figure {
    Figure { objs: count, bytes: count * SIZE as f64 }
}

#[test]
fn pages_have_the_same_figures_and_each_its_own_first_one() {
    alone("pages_have_the_same_figures_and_each_its_own_first_one", || {
        let kept = objects(5);
        drop(objects(2));
        let heap = profile(&ask("GET", "/debug/pprof/heap", "gc=1&debug=0"));
        let allocs = profile(&ask("GET", "/debug/pprof/allocs", ""));
        assert_eq!(of_objects(&heap), [figure(5.0), figure(7.0)]);
        assert_eq!(of_objects(&allocs), of_objects(&heap));
        let first = [heap, allocs].map(|dump| dump.default_sample_type);
        assert_eq!(first, ["inuse_space", "alloc_space"]);
        for (path, query) in
            [("/pprof/heap", ""), ("/debug/pprof/heap", "debug=1"), ("/debug/pprof/allocs", "debug=2")]
        {
            let text = ask("GET", path, query);
            assert!(text.body.starts_with(b"heap profile: "), "{path}");
            let dump = prof_format::any::read(&text.body).unwrap();
            assert_eq!(of_objects(&dump), [figure(5.0), figure(7.0)], "{path}");
        }
        assert_eq!(kept.len(), 5);
    });
}

/// In two steps, with no time between them: what is measured is what happens, not how long it takes.
#[test]
fn seconds_are_what_came_and_went_meanwhile() {
    alone("seconds_are_what_came_and_went_meanwhile", || {
        let mut kept = objects(5);
        for (path, first) in [("/debug/pprof/heap", "inuse_space"), ("/debug/pprof/allocs", "alloc_space")] {
            let request = Request { method: "GET", path, query: "seconds=3600", body: b"" };
            let Answer::Later(pending) = begin(&request) else { panic!("it has to wait") };
            assert!(pending.wait() <= std::time::Duration::from_secs(3600));
            kept.extend(objects(4));
            drop(objects(2));
            let response = pending.finish();
            let delta = profile(&response);
            assert_eq!(of_objects(&delta), [figure(4.0), figure(6.0)], "{path}");
            assert_eq!((delta.default_sample_type.as_str(), delta.period), (first, 1));
            assert!(delta.duration_nanos > 0 && !delta.maps.is_empty());
        }
        // What goes is negative, in the profile of the other page, too.
        let request = Request { method: "GET", path: "/pprof/heap", query: "seconds=1", body: b"" };
        let Answer::Later(pending) = begin(&request) else { panic!("it has to wait") };
        kept.truncate(10);
        assert_eq!(of_objects(&profile(&pending.finish())), [figure(-3.0), figure(0.0)]);
        // A reset leaves nothing to compare with.
        let Answer::Later(pending) = begin(&request) else { panic!("it has to wait") };
        ctl::write(c"prof.reset", 0usize).unwrap();
        let response = pending.finish();
        assert_eq!(response.status, 503);
        assert!(String::from_utf8_lossy(&response.body).contains("prof.reset"));
    });
}

#[test]
fn wrong_seconds_are_named_and_head_gets_no_content() {
    alone("wrong_seconds_are_named_and_head_gets_no_content", || {
        for (query, wanted) in [
            ("seconds=0", "seconds: `0` is no whole number from 1 to 3600"),
            ("seconds=x", "seconds: `x` is no"),
            ("seconds=1&debug=1", "seconds: cannot be together with debug"),
            ("debug=3", "debug: `3` is none of 0, 1, 2"),
        ] {
            let response = ask("GET", "/debug/pprof/heap", query);
            let said = String::from_utf8(response.body).unwrap();
            assert!(response.status == 400 && said.starts_with(wanted), "{query}: {said}");
        }
        let head = ask("HEAD", "/debug/pprof/heap", "");
        assert!(head.status == 200 && head.body.is_empty());
        let request = Request { method: "HEAD", path: "/debug/pprof/heap", query: "seconds=9", body: b"" };
        let Answer::Later(pending) = begin(&request) else { panic!("it has to wait") };
        let response = pending.finish();
        assert!(response.status == 200 && response.body.is_empty());
    });
}

#[test]
fn sampling_is_switched_off_and_on() {
    alone("sampling_is_switched_off_and_on", || {
        let switch = |path| String::from_utf8(ask("POST", path, "").body).unwrap();
        assert_eq!(switch("/debug/jemalloc/deactivate"), "sampling is off, was on\n");
        let unseen = objects(3);
        let heap = profile(&ask("GET", "/debug/pprof/heap", ""));
        assert_eq!(of_objects(&heap), [figure(0.0), figure(0.0)]);
        assert_eq!(switch("/debug/jemalloc/activate"), "sampling is on, was off\n");
        assert_eq!(switch("/debug/jemalloc/activate"), "sampling is on, was on\n");
        let seen = objects(2);
        let heap = profile(&ask("GET", "/debug/pprof/heap", ""));
        assert_eq!(of_objects(&heap)[0], figure(2.0));
        assert_eq!(unseen.len() + seen.len(), 5);
    });
}

#[test]
fn the_flame_graph_has_the_functions_of_this_program() {
    alone("the_flame_graph_has_the_functions_of_this_program", || {
        let kept = objects(5);
        drop(objects(2));
        for (query, wanted) in [("", 5), ("type=alloc_space", 7)] {
            let response = ask("GET", "/debug/pprof/flamegraph", query);
            let svg = String::from_utf8(response.body).unwrap();
            assert!(response.status == 200 && svg.starts_with("<?xml"), "{svg}");
            let bytes: String = (wanted * SIZE).to_string();
            let grouped = format!("{},{},{}", &bytes[..2], &bytes[2..5], &bytes[5..]);
            assert!(svg.contains("profiles::objects"), "{svg}");
            let title = svg.lines().find(|line| line.contains("<title>profiles::objects"));
            assert!(title.is_some_and(|title| title.contains(&grouped)), "{grouped} in {title:?}");
        }
        let wrong = ask("GET", "/debug/pprof/flamegraph", "type=cpu");
        assert_eq!(wrong.status, 400);
        assert!(wrong.body.starts_with(b"type: `cpu` is none of inuse_space, "));
        assert_eq!(kept.len(), 5);
    });
}
