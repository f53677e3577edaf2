//! Profiles of running services: perl jeprof (with curl) and ours at one server, and a real Go program.
#![cfg(feature = "outside")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use server::{Answer, Request, Server};
use suite::build::{self, Profile};
use suite::run::Run;
use suite::scratch::Scratch;

#[path = "../../jeprof-rs/tests/common/server.rs"]
mod server;

/// A program with gperftools' pages. Several addresses have one name, as in life.
fn classic(request: &Request) -> Answer {
    let dump =
        std::fs::read_to_string("../fixtures/dumps/jemalloc-5.3.0.heap").expect("the fixture is there");
    match (request.method.as_str(), request.target.as_str()) {
        ("GET", "/pprof/heap") => Answer::page(dump.replace(" /", " /nowhere/")),
        ("GET", "/pprof/cmdline") => Answer::page("/opt/demo/app\0--port\0"),
        ("GET" | "HEAD", "/pprof/symbol") => Answer::page("num_symbols: 9\n"),
        ("POST", "/pprof/symbol") => {
            let body = String::from_utf8(request.body.clone()).expect("addresses are text");
            let name =
                |address: &str| format!("{address}\tf{}\n", &address[address.len() - 3..address.len() - 1]);
            Answer::page(body.split('+').map(name).collect::<String>())
        }
        _ => Answer::status(404, "no"),
    }
}

#[test]
fn perl_jeprof_and_ours_print_the_same_of_one_service() {
    let server = Server::start(classic);
    let folder = Scratch::new("remote-jeprof");
    for flags in [
        &["--show_bytes"] as &[&str],
        &["--cum"],
        &["--inuse_objects", "--focus=f2"],
        &["--alloc_space", "--ignore=f6"],
    ] {
        for word in [server.url("/pprof/heap"), server.place() + "/pprof/heap"] {
            let print = |program: Run| {
                let program = program.env("HOME", folder.path()).env("JEPROF_TMPDIR", folder.path());
                program.arg("--text").args(flags).arg(&word).outcome().ok().stdout
            };
            let ours = print(Run::new(build::viewer(Profile::own())).arg("--all_frames"));
            assert_eq!(ours, print(Run::new("jeprof")), "{flags:?} {word}");
        }
    }
}

const GO_SERVICE: &str = r#"package main

import (
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
	"runtime"
)

var kept [][]byte

//go:noinline
func keepBlocks() {
	for i := 0; i < 64; i++ {
		kept = append(kept, make([]byte, 1<<20))
	}
}

func main() {
	runtime.MemProfileRate = 1
	keepBlocks()
	// The profile shows what was live at the end of the last but one collection.
	runtime.GC()
	runtime.GC()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Println(listener.Addr())
	panic(http.Serve(listener, nil))
}
"#;

#[test]
fn a_go_program_is_asked_at_its_own_page_and_its_functions_have_names() {
    let folder = Scratch::new("remote-go");
    std::fs::write(folder.file("main.go"), GO_SERVICE).expect("the folder is writable");
    let go = Run::new("go").args(["build", "-o", "svc", "main.go"]).folder(folder.path());
    go.env("HOME", folder.path()).env("GOCACHE", folder.file("cache")).outcome().ok();
    let mut service = Command::new(folder.file("svc"))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it was built just now");
    let mut place = String::new();
    let outcome = BufReader::new(service.stdout.take().expect("it is piped")).read_line(&mut place);
    outcome.expect("it tells its address");
    let run = Run::new(build::viewer(Profile::own())).args(["--text", "--show_bytes", place.trim()]);
    let run = run.env("JEPROF_TMPDIR", folder.path()).outcome();
    service.kill().and_then(|()| service.wait()).expect("it runs until it is stopped");
    let run = run.ok();
    let row = run.stdout.lines().find(|line| line.ends_with(" main.keepBlocks"));
    let flat: u64 = row
        .and_then(|row| row.split_whitespace().next()?.parse().ok())
        .unwrap_or_else(|| panic!("no main.keepBlocks in {run}"));
    // 64 blocks of a MiB, and the slice of their headers.
    assert!((64 << 20..65 << 20).contains(&flat), "{run}");
    // The copy is what Go's own tool reads.
    let copy = folder.files(".pprof.heap.gz").pop().unwrap_or_else(|| panic!("no copy: {run}"));
    let theirs = Run::new("go").args(["tool", "pprof", "-top", "-unit=b"]).arg(&copy);
    let theirs = theirs.env("HOME", folder.path()).outcome().ok();
    let wanted = format!("{flat}B");
    assert!(
        theirs.stdout.lines().any(|line| line.contains(&wanted) && line.ends_with("main.keepBlocks")),
        "{theirs}"
    );
}
