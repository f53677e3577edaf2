//! Profiles of running services, as gperftools' and Go's libraries serve them.

mod common;
#[path = "common/server.rs"]
mod server;

use common::{Run, Scratch, command, dump, finish, tool};
use server::{Answer, Request, Server};

/// Runs the tool with a home folder of its own, so that copies are kept there.
fn run(home: &Scratch, args: &[&str]) -> Run {
    let mut command = command(args);
    command.env("HOME", home.path("")).env_remove("JEPROF_TMPDIR").env_remove("PPROF_TMPDIR");
    finish(command.current_dir(home.path("")).stdin(std::process::Stdio::null()).output().unwrap())
}

/// A dump that maps no file of this machine.
fn foreign_dump() -> String {
    std::fs::read_to_string(dump("jemalloc-5.3.0.heap")).unwrap().replace(" /", " /nowhere/")
}

/// Behaves as a program that is linked with gperftools.
fn classic(request: &Request) -> Answer {
    match (request.method.as_str(), request.target.split('?').next().unwrap_or("")) {
        ("GET", "/pprof/heap") => Answer::page(foreign_dump()),
        ("GET", "/pprof/cmdline") => Answer::page("/opt/bin/svc\0--port\0"),
        ("GET", "/pprof/symbol") => Answer::page("num_symbols: 9\n"),
        ("POST", "/pprof/symbol") => {
            let body = String::from_utf8(request.body.clone()).unwrap();
            let name = |address: &str| format!("{address}\tcaller_of_{address}--named_{address}\n");
            Answer::page(body.split('+').map(name).collect::<String>())
        }
        _ => Answer::status(404, "not found"),
    }
}

#[test]
fn a_service_is_asked_for_its_profile_and_for_the_names_that_are_not_here() {
    let server = Server::start(classic);
    let home = Scratch::new("remote-classic");
    let run_of = |args: &[&str]| run(&home, args);
    let local = home.write("local.heap", foreign_dump());
    let local = tool(&["--show_bytes", "--all_frames", local.to_str().unwrap()]);
    for word in [server.place(), server.url("/pprof/heap"), server.place() + "/pprof/heap"] {
        let fetched = run_of(&["--show_bytes", "--all_frames", &word]);
        assert_eq!(fetched.status, 0, "{}", fetched.stderr);
        assert_eq!(fetched.stdout.lines().next(), local.stdout.lines().next(), "{word}");
        assert!(fetched.stdout.lines().skip(1).all(|row| row.contains("_0x0000")), "{}", fetched.stdout);
        // Two functions for each address, the inner one at the leaf.
        assert_eq!(fetched.rows().len(), 2 * local.rows().len());
        assert!(fetched.rows()[0].2.starts_with("named_"), "{}", fetched.stdout);
    }
    let asked = server.asked();
    assert_eq!(
        asked[..4],
        ["GET /pprof/heap", "GET /pprof/cmdline", "GET /pprof/symbol", "POST /pprof/symbol"]
    );
    let question = String::from_utf8(server.requests()[3].body.clone()).unwrap();
    assert!(question.split('+').all(|word| word.len() == 18 && word.starts_with("0x0000")), "{question}");
    let local_only = run_of(&["--show_bytes", "--all_frames", "--symbolize=local", &server.place()]);
    assert_eq!(local_only.stdout, local.stdout);
}

#[test]
fn a_copy_is_kept_under_jeprof_s_name_and_reads_like_the_service() {
    let server = Server::start(classic);
    let home = Scratch::new("remote-kept");
    let first = run(&home, &["--show_bytes", "--symbolize=local", &server.place()]);
    let second = run(&home, &["--show_bytes", "--symbolize=local", &server.place()]);
    assert_eq!(first.stdout, second.stdout);
    let mut kept: Vec<String> = std::fs::read_dir(home.path("jeprof"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    kept.sort();
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert!(kept[1].starts_with("svc.") && kept[1].ends_with(".127.0.0.1.pprof.heap"), "{kept:?}");
    let path = home.path("jeprof").join(&kept[1]);
    assert!(second.stderr.contains("kept as") || first.stderr.contains(path.to_str().unwrap()));
    let read = tool(&["--show_bytes", path.to_str().unwrap()]);
    assert_eq!(read.stdout, first.stdout);
    // A folder that cannot be made is told, and the report is there.
    let mut command = command(&["--show_bytes", "--symbolize=local", &server.place()]);
    let run = finish(command.env("JEPROF_TMPDIR", path.join("x")).output().unwrap());
    assert_eq!((run.status, run.stdout), (0, first.stdout));
    assert!(run.stderr.contains("not kept:"), "{}", run.stderr);
}

#[test]
fn a_go_program_has_its_pages_below_debug_and_sends_packed_profiles() {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packer, &std::fs::read(dump("ours.pb")).unwrap()).unwrap();
    let packed = packer.finish().unwrap();
    let server = Server::start(move |request| match request.target.split('?').next().unwrap_or("") {
        "/debug/pprof/heap" => Answer::page(packed.clone()).with("Content-Type", "application/octet-stream"),
        "/debug/pprof/symbol" if request.method == "GET" => Answer::page("num_symbols: 1\n"),
        "/debug/pprof/symbol" => Answer::page("num_symbols: 1\n0x0\tnever_asked_for\n"),
        _ => Answer::status(404, "404 page not found"),
    });
    let home = Scratch::new("remote-go");
    let expected = tool(&["--show_bytes", &dump("ours.pb")]);
    for (word, first) in [
        (server.place(), "GET /pprof/heap"),
        (server.url("/debug/pprof/"), "GET /debug/pprof/heap"),
        (server.url("/debug/pprof/heap?gc=1"), "GET /debug/pprof/heap?gc=1"),
    ] {
        let before = server.asked().len();
        let run = run(&home, &["--show_bytes", &word]);
        assert_eq!((run.status, &run.stdout), (0, &expected.stdout), "{word}: {}", run.stderr);
        assert_eq!(server.asked()[before], first);
    }
    let run = run(&home, &["--seconds=3", &server.url("/debug/pprof/heap?gc=1")]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(
        server.asked().contains(&"GET /debug/pprof/heap?gc=1&seconds=3".to_string()),
        "{:?}",
        server.asked()
    );
}

#[test]
fn several_services_and_a_base_are_fetched_and_headers_are_sent() {
    let servers = [Server::start(classic), Server::start(classic)];
    let home = Scratch::new("remote-several");
    let (a, b) = (servers[0].place(), servers[1].place());
    let one = run(&home, &["--show_bytes", "--symbolize=local", &a]);
    let same = ["--show_bytes", "--symbolize=local", "--header", "X-Key: k", "--header=Y:1"];
    let two = run(&home, &[&same[..], &[&a, &b]].concat());
    let total = |run: &Run| run.stdout.split_whitespace().nth(1).unwrap().parse::<i64>().unwrap();
    assert!((total(&two) - 2 * total(&one)).abs() <= 1);
    assert_eq!(run(&home, &[&same[..], &[&a, "--add", &b]].concat()).stdout, two.stdout);
    for server in &servers {
        let last = server.requests().pop().unwrap();
        assert_eq!((last.header("x-key"), last.header("y")), (Some("k"), Some("1")));
    }
    let nothing = run(&home, &["--symbolize=local", "--base", &b, &a]);
    assert!(nothing.stderr.contains("nothing differs from the base"), "{}", nothing.stderr);
}

#[test]
fn what_a_service_refuses_is_told_with_its_address() {
    let server = Server::start(|request| match request.target.as_str() {
        "/off/pprof/heap" => Answer::status(501, "profiling is off"),
        "/html" => Answer::page("<html>"),
        "/key" => Answer::status(401, "who is there?"),
        _ => Answer::status(404, "no"),
    });
    let home = Scratch::new("remote-refused");
    let refuse = |args: &[&str], words: &[&str]| {
        let run = run(&home, args);
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{args:?}");
        for word in words {
            assert!(run.stderr.contains(word), "{args:?}: no `{word}` in: {}", run.stderr);
        }
    };
    refuse(&[&server.url("/off/")], &[&server.url("/off/pprof/heap"), "501", "profiling is off"]);
    refuse(&[&server.url("/html")], &[&server.url("/html"), "is not a heap profile"]);
    refuse(&[&server.url("/key")], &["401", "--header"]);
    refuse(&[&server.place()], &["there is no such page", "/debug/pprof/heap"]);
    refuse(&[&server.url("/pprof/profile")], &["CPU profiles", "/pprof/heap"]);
    refuse(&["--header", "X", &server.url("/x")], &["NAME: VALUE"]);
    refuse(&["--symbolize=remote", &server.url("/x")], &["there is no such page"]);
    assert_eq!(server.asked().iter().filter(|asked| asked.contains("/pprof/profile")).count(), 0);
}
