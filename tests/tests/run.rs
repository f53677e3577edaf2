//! `jeprof-rs run -- COMMAND`: what the program does passes through, each process's dump is found, and ends that leave no
//! dump are told.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use suite::build::{Profile, preload, svc, viewer};
use suite::fixture::{compiled, compiled_with};
use suite::heap;
use suite::run::{Outcome, Run};
use suite::scratch::Scratch;

/// `jeprof-rs run` with these options, a program and its arguments.
fn run(options: &[&str], program: impl AsRef<Path>, arguments: &[&str]) -> Run {
    let run = Run::new(viewer(Profile::own())).arg("run").arg("--library").arg(preload());
    run.args(options).arg("--").arg(program.as_ref()).args(arguments)
}

/// The same, with the program that leaks.
fn leaker(options: &[&str], arguments: &[&str]) -> Outcome {
    run(options, compiled("leaker.c"), arguments).outcome()
}

#[test]
fn streams_and_status_are_the_program_s_own() {
    let outcome = leaker(&[], &["say=out", "err=not out", "exit=7"]);
    assert_eq!((outcome.status.code(), &*outcome.stdout), (Some(7), "out\n"), "{outcome}");
    assert!(outcome.stderr.starts_with("not out\n"), "{outcome}");
    let outcome = run(&[], compiled("leaker.c"), &["echo"]).input("some\nlines\n").outcome();
    assert_eq!(outcome.stdout, "some\nlines\n", "{outcome}");
}

#[test]
fn a_leak_is_shown_with_its_function() {
    let outcome = leaker(&[], &["leak=100"]);
    assert_eq!((outcome.status.code(), outcome.stdout.as_str()), (Some(1), ""), "{outcome}");
    // What was left on the stack may still point to a few.
    let last = outcome.stderr.lines().find(|line| line.starts_with("leaked ")).unwrap_or_default();
    let blocks = last.split(" bytes in ").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<u32>().ok());
    assert!(blocks.is_some_and(|blocks| (90..=100).contains(&blocks)), "{outcome}");
    assert!(outcome.stderr.contains("leak_block"), "{outcome}");
}

#[test]
fn programs_that_are_in_order_are_told_to_be() {
    for command in [&["true"][..], &["ls", "/"], &["bash", "-c", "true"]] {
        let outcome = run(&[], command[0], &command[1..]).outcome().ok();
        assert!(outcome.stderr.starts_with("no leaks"), "{outcome}");
    }
}

#[test]
fn which_status_goes_first_and_what_it_is_can_be_chosen() {
    let status = |options: &[&str], arguments: &[&str]| leaker(options, arguments).status.code();
    assert_eq!(status(&[], &["leak=100", "exit=7"]), Some(7));
    assert_eq!(status(&["--error-exitcode", "9"], &["leak=100"]), Some(9));
    assert_eq!(status(&["--leaks-win"], &["leak=100", "exit=7"]), Some(1));
    assert_eq!(status(&["--leaks-win", "--error_exitcode=9"], &["exit=7"]), Some(7));
}

#[test]
fn what_leaks_takes_is_taken_here_as_well() {
    let folder = Scratch::new("run-flags");
    let (rules, report) = (folder.file("rules"), folder.file("report.json"));
    std::fs::write(&rules, "leak:leak_block\n").unwrap();
    let outcome = leaker(&["--suppressions", rules.to_str().unwrap()], &["leak=100"]).ok();
    assert!(outcome.stderr.contains("suppressed: 1 stack"), "{outcome}");
    let json = format!("json={}", report.display());
    assert_eq!(leaker(&["--format", &json], &["leak=100"]).status.code(), Some(1));
    let value: serde_json::Value = serde_json::from_slice(&std::fs::read(&report).unwrap()).unwrap();
    assert!(value.to_string().contains("leak_block"), "{value}");
}

#[test]
fn the_page_and_the_files_for_viewers_are_written_here_as_well() {
    let folder = Scratch::new("run-forms");
    let files = ["page.html", "leaks.folded", "leaks.pb.gz"].map(|name| folder.file(name));
    let [html, folded, pprof] = files.each_ref().map(|path| path.display());
    let outcome = leaker(&["--format", &format!("html={html},folded={folded},pprof={pprof}")], &["leak=100"]);
    assert_eq!((outcome.status.code(), outcome.stderr.as_str()), (Some(1), ""), "{outcome}");
    let [html, folded] = [&files[0], &files[1]].map(|path| std::fs::read_to_string(path).unwrap());
    assert!(html.contains("LEAKS") && html.contains("<code class=\"subject\">leak_block</code>"), "{html}");
    let line = folded.lines().find(|line| line.contains(";leak_block ")).unwrap_or_default();
    assert!(line.contains(";main;"), "{folded}");
    let stacks = heap::read(&files[2]).stacks.len();
    assert_eq!(stacks, folded.lines().count(), "{folded}");
}

/// Each final dump has the memory map of its process, so it is whole.
#[track_caller]
fn dumps(folder: &Path, count: usize) {
    let dumps: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(dumps.len(), count, "{dumps:?}");
    assert!(dumps.iter().all(|dump| !heap::read(dump).maps.is_empty()));
}

#[test]
fn children_are_looked_at_as_well() {
    let folder = Scratch::new("run-fork");
    let kept = folder.file("kept");
    let outcome = leaker(&["--keep", kept.to_str().unwrap()], &["leak=100", "fork"]);
    assert!(outcome.stderr.contains("leak_block") && outcome.stderr.contains("leak_of_child"), "{outcome}");
    assert!(outcome.stderr.contains(&format!("2 dumps are in {}", kept.canonicalize().unwrap().display())));
    dumps(&kept, 2);
}

#[test]
fn a_program_that_becomes_another_is_looked_at_as_that() {
    let folder = Scratch::new("run-exec");
    let outcome = leaker(&["--out", folder.path().to_str().unwrap()], &["exec=/bin/true"]);
    assert_eq!(outcome.status.code(), Some(0), "{outcome}");
    dumps(folder.path(), 1);
}

#[test]
fn a_crash_is_told_and_has_the_status_that_a_shell_gives_it() {
    let outcome = leaker(&[], &["leak=100", "abort"]);
    assert_eq!(outcome.status.code(), Some(128 + 6), "{outcome}");
    assert!(outcome.stderr.contains("was ended by SIGABRT"), "{outcome}");
    assert!(outcome.stderr.contains("has no dump: a signal ends a program without one"), "{outcome}");
}

#[test]
fn without_a_dump_there_is_a_status_of_its_own_unless_the_program_has_one() {
    let outcome = leaker(&[], &["_exit=0"]);
    assert_eq!(outcome.status.code(), Some(4), "{outcome}");
    assert!(outcome.stderr.contains("has no dump: it ended by _exit"), "{outcome}");
    assert_eq!(leaker(&[], &["_exit=3"]).status.code(), Some(3));
}

#[test]
fn dumps_by_bytes_are_kept_when_that_is_asked_for_and_else_nothing_stays() {
    let folder = Scratch::new("run-every");
    let kept = folder.file("kept");
    let keep = ["--keep", kept.to_str().unwrap(), "--every", "5000"];
    run(&keep, compiled("leaker.c"), &["leak=100"]).env("TMPDIR", folder.path()).outcome();
    // 100 objects of 112 bytes pass 4096 bytes twice.
    let names: Vec<_> = std::fs::read_dir(&kept).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    let by_bytes = names.iter().filter(|name| name.to_str().unwrap().contains(".i")).count();
    assert!(by_bytes >= 2 && names.len() == by_bytes + 1, "{names:?}");
    std::fs::remove_dir_all(&kept).unwrap();
    run(&[], compiled("leaker.c"), &["leak=100"]).env("TMPDIR", folder.path()).outcome();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "the temporary folder is gone");
}

#[test]
fn the_user_s_own_options_hold_unless_they_contradict() {
    let folder = Scratch::new("run-conf");
    let keep = ["--keep", folder.path().to_str().unwrap()];
    run(&keep, compiled("leaker.c"), &["leak=100"]).conf("lg_prof_sample:4,prof_dump_format:pprof").outcome();
    let [dump] = &folder.files(".f.pb.gz")[..] else { panic!("{:?}", folder.files("")) };
    assert_eq!(heap::read(dump).period, 16);
    let outcome = run(&[], "/bin/true", &[]).conf("prof_prefix:/x/y").outcome();
    assert_eq!(outcome.status.code(), Some(2), "{outcome}");
    assert!(outcome.stderr.contains("MALLOC_CONF: prof_prefix:/x/y sends the dumps elsewhere"), "{outcome}");
}

#[test]
fn what_cannot_be_looked_at_is_refused_with_what_to_do() {
    let refused = |run: Run| {
        let outcome = run.outcome();
        assert_eq!((outcome.status.code(), outcome.stdout.as_str()), (Some(2), ""), "{outcome}");
        outcome.stderr
    };
    let folder = Scratch::new("run-refused");
    let fixed = compiled_with("leaker.c", &["-static"]);
    assert!(refused(run(&[], &fixed, &[])).contains("is linked statically"), "a static program");
    assert!(refused(run(&[], "no-such-program", &[])).contains("no such program in PATH"));
    assert!(refused(run(&["--library", "/bin/ls"], "/bin/true", &[])).contains("the argument '--library"));
    let viewer = viewer(Profile::own());
    let alone = folder.file("jeprof-rs");
    std::fs::copy(&viewer, &alone).unwrap();
    let told = refused(Run::new(&alone).args(["run", "--", "/bin/true"]));
    assert!(told.contains("there is no libjemalloc.so of this project: build it"), "{told}");
    let wrong = Run::new(&alone).args(["run", "--", "/bin/true"]).env("JEPROF_RS_LIBRARY", "/bin/ls");
    assert!(refused(wrong).contains("/bin/ls: is not this project's libjemalloc.so"));
    // Beside the viewer it is found.
    std::os::unix::fs::symlink(preload(), folder.file("libjemalloc.so")).unwrap();
    Run::new(&alone).args(["run", "--", "/bin/true"]).outcome().ok();
}

#[test]
fn a_program_that_has_the_allocator_needs_no_library() {
    let folder = Scratch::new("run-svc");
    let command = Run::new(viewer(Profile::own())).env("JEPROF_RS_LIBRARY", "/nonexistent").arg("run");
    let command =
        command.args(["--sample", "10", "--keep"]).arg(folder.path()).arg("--").arg(svc(Profile::own()));
    command.args(["--cache=100", "--requests=100"]).outcome();
    assert_eq!(folder.files(".f.heap").len(), 1);
}

/// With their conditions, which the summary at run time leaves alone.
#[test]
fn what_the_program_says_of_its_leaks_is_honoured() {
    let program = compiled_with("suppressing.c", &["-rdynamic"]);
    let outcome = run(&["--reachable"], &program, &[]).outcome().ok();
    assert!(outcome.stderr.contains("suppressed: 1 stack"), "{outcome}");
    let outcome = run(&["--reachable"], &program, &["limited"]).outcome();
    assert_eq!(outcome.status.code(), Some(1), "5000 bytes are more than the rule allows: {outcome}");
}

/// Sends a signal to a process.
fn signal(name: &str, pid: u32) {
    let status = Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn signals_reach_the_program_and_one_of_them_makes_a_dump() {
    let folder = Scratch::new("run-signal");
    let mut child = Command::new(viewer(Profile::own()))
        .args(["run", "--signal", "USR2", "--library"])
        .arg(preload())
        .arg("--keep")
        .arg(folder.path())
        .arg("--")
        .arg(compiled("leaker.c"))
        .args(["leak=100", "wait"])
        .env_remove("MALLOC_CONF")
        .env_remove("LD_PRELOAD")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "ready\n");
    signal("USR2", child.id());
    let started = Instant::now();
    while folder.files(".s0.pb.gz").is_empty() {
        assert!(started.elapsed() < Duration::from_secs(60), "no dump came");
        std::thread::sleep(Duration::from_millis(10));
    }
    signal("TERM", child.id());
    assert_eq!(child.wait().unwrap().code(), Some(5));
    assert_eq!(folder.files(".f.pb.gz").len(), 1);
}
