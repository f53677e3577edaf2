//! Dumps that come from outside of the program's code: by a signal, by the clock, and asked for by another process.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use suite::build::{Profile, preload, viewer};
use suite::fixture::compiled;
use suite::heap::{read, total};
use suite::run::{Outcome, Run};
use suite::scratch::Scratch;
use suite::server::Server;

/// `serving.c` under options, in a folder of its own.
struct Service {
    server: Server,
    folder: Scratch,
    /// The process that is ready: with the word `fork` not the one that was started.
    pid: u32,
}

impl Service {
    fn start(name: &str, conf: &str, words: &[&str]) -> Service {
        // Building it is not to be within the time in which something is awaited.
        viewer(Profile::own());
        let folder = Scratch::new(name);
        let prefix = folder.file("p");
        let mut command = Command::new(compiled("serving.c"));
        command.args(words).current_dir(folder.path()).env("LD_PRELOAD", preload()).env(
            "MALLOC_CONF",
            format!("prof:true,lg_prof_sample:0,prof_prefix:{},{conf}", prefix.display()),
        );
        let ready = || !folder.files("ready.").is_empty();
        let server = Server::start(command, &folder.file("log"), ready);
        let file = folder.files("ready.").remove(0);
        let pid = file.extension().unwrap().to_str().unwrap().parse().unwrap();
        Service { server, folder, pid }
    }

    fn signal(&self) {
        Run::new("kill").args(["-s", "USR2", &self.pid.to_string()]).outcome().ok();
    }

    /// Whole dumps of a trigger, oldest first.
    fn dumps(&self, letter: char) -> Vec<PathBuf> {
        let mut files = self.folder.files(&format!(".{letter}"));
        files.retain(|file| file.extension().is_some_and(|ending| ending == "heap"));
        files.sort();
        files
    }

    /// Waits until there are so many.
    fn await_dumps(&self, letter: char, count: usize) -> Vec<PathBuf> {
        eventually(|| Some(self.dumps(letter)).filter(|files| files.len() >= count))
    }

    /// What `jeprof-rs dump` does.
    fn ask(&self, words: &[&str]) -> Outcome {
        let run = Run::new(viewer(Profile::own())).arg("dump").args(words).arg(self.pid.to_string());
        run.folder(self.folder.path()).outcome()
    }

    /// Tells it to end.
    fn stop(self) {
        std::fs::write(self.folder.file("stop"), "").unwrap();
        assert!(self.server.wait().success());
        assert!(self.folder.files(".tmp").is_empty(), "nothing half-written is left");
        let socket = format!("/tmp/.jemalloc_prof.{}", self.pid);
        assert!(!std::path::Path::new(&socket).exists(), "no socket is left");
    }
}

/// Waits for something, at most half a minute, which is far above what it takes.
fn eventually<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(30), "it does not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The 1000 objects of 100 bytes (of the class of 112) and little else are alive.
fn is_of_the_service(dump: &std::path::Path) {
    let live = total(&read(dump));
    assert!((1000.0..1200.0).contains(&live.objs), "{live:?}");
}

#[test]
fn a_signal_writes_a_dump_each_time_while_the_program_goes_on() {
    let service = Service::start("signal", "prof_signal:SIGUSR2", &["busy"]);
    for nth in 0..3 {
        service.signal();
        let files = service.await_dumps('s', nth + 1);
        assert!(files[nth].to_str().unwrap().ends_with(&format!(".{nth}.s{nth}.heap")), "{files:?}");
        is_of_the_service(&files[nth]);
    }
    service.stop();
}

#[test]
fn a_handler_that_the_program_has_is_called_as_well() {
    let service = Service::start("signal-handler", "prof_signal:SIGUSR2", &["handler"]);
    service.signal();
    eventually(|| (!service.folder.files("handled").is_empty()).then_some(()));
    service.stop();
}

#[test]
fn the_child_of_a_fork_is_dumped_by_signal_clock_and_request_under_its_own_number() {
    let conf = "prof_signal:SIGUSR2,prof_interval_ms:100,prof_listen:true";
    let service = Service::start("triggers-fork", conf, &["fork", "busy"]);
    service.signal();
    let name = service.await_dumps('s', 1)[0].display().to_string();
    assert!(name.contains(&format!("p.{}.", service.pid)), "{name}");
    let of_child = |file: &PathBuf| file.display().to_string().contains(&format!("p.{}.", service.pid));
    eventually(|| service.dumps('t').iter().any(of_child).then_some(()));
    eventually(|| service.ask(&["-o", "asked.heap"]).status.success().then_some(()));
    is_of_the_service(&service.folder.file("asked.heap"));
    service.stop();
}

#[test]
fn the_clock_writes_dumps_while_sampling_is_on() {
    let service = Service::start("timer", "prof_interval_ms:50", &[]);
    let files = service.await_dumps('t', 3);
    is_of_the_service(files.last().unwrap());
    service.stop();
    let idle = Service::start("timer-off", "prof_interval_ms:20,prof_active:false", &[]);
    std::thread::sleep(Duration::from_millis(300));
    assert!(idle.dumps('t').is_empty());
    idle.stop();
}

#[test]
fn no_half_dump_is_left_when_the_program_ends_while_dumps_are_written() {
    for nth in 0..10 {
        let folder = Scratch::new("timer-exit");
        let conf = format!(
            "prof:true,lg_prof_sample:0,prof_interval_ms:1,prof_prefix:{}/p",
            folder.path().display()
        );
        let run = Run::new(compiled("serving.c")).preload(&preload()).conf(conf).folder(folder.path());
        run.arg("exit").outcome().ok();
        assert!(folder.files(".tmp").is_empty(), "run {nth}");
        folder.files(".heap").iter().for_each(|file| drop(read(file)));
    }
}

#[test]
fn another_process_gets_a_dump_in_each_format_and_is_told_where_it_is() {
    let service = Service::start("listen", "prof_listen:true", &["busy"]);
    for (format, file) in [("heap_v2", "heap"), ("text", "heap"), ("pprof", "pb.gz")] {
        let said = service.ask(&["--format", format]).ok().stderr;
        let file = format!("jeprof.{}.{file}", service.pid);
        assert!(said.starts_with(&format!("{file}: ")), "{said}");
        is_of_the_service(&service.folder.file(&file));
    }
    let dump = service.ask(&["-o", "-"]).ok().stdout;
    assert!(dump.starts_with("heap_v2/1\n"));
    let table =
        Run::new(viewer(Profile::own())).arg("--inuse_objects").arg(service.folder.file("asked.heap"));
    std::fs::write(service.folder.file("asked.heap"), dump).unwrap();
    assert!(table.outcome().ok().stdout.contains("remember"));
    service.stop();
}

#[test]
fn a_file_that_is_there_stays_when_the_process_cannot_be_asked() {
    let service = Service::start("listen-not", "prof_signal:SIGUSR2", &[]);
    let file = service.folder.file("old.heap");
    std::fs::write(&file, "old").unwrap();
    let refused = service.ask(&["-o", "old.heap"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(refused.stderr.contains("does not listen"), "{refused}");
    assert_eq!(std::fs::read(&file).unwrap(), b"old");
    service.stop();
}

#[test]
fn a_program_that_closes_what_it_did_not_open_can_still_be_asked() {
    let service = Service::start("listen-close", "prof_listen:true", &["close", "busy"]);
    for name in ["first.heap", "second.heap", "third.heap"] {
        eventually(|| service.ask(&["-o", name]).status.success().then_some(()));
        is_of_the_service(&service.folder.file(name));
    }
    service.stop();
}

/// Who waits at the program's socket is not ours to accept, though the socket lies under the number of ours.
#[test]
fn a_program_s_socket_under_the_number_of_ours_keeps_who_waits_there() {
    let service = Service::start("listen-take", "prof_listen:true", &["take", "busy"]);
    // The first one that asks wakes whoever waits for it, at a socket that is nobody's any more.
    eventually(|| service.ask(&["-o", "asked.heap"]).status.success().then_some(()));
    is_of_the_service(&service.folder.file("asked.heap"));
    let folder = service.folder.path().to_path_buf();
    std::fs::write(folder.join("stop"), "").unwrap();
    eventually(|| folder.join("kept").exists().then_some(()));
    service.stop();
}

#[test]
fn a_line_that_asks_for_nothing_known_is_refused_and_silence_holds_up_nobody() {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;
    let service = Service::start("listen-odd", "prof_listen:true", &[]);
    let path = format!("/tmp/.jemalloc_prof.{}", service.pid);
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&path).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    for line in ["\n", "dump\n", "dump heap_v3\n", &"x".repeat(500)] {
        let mut socket = UnixStream::connect(&path).unwrap();
        let _ = socket.write_all(line.as_bytes());
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer);
        // What was sent and never read makes the kernel cut the answer off.
        assert!(line.len() > 64 || answer.ends_with(b"is not known here"), "{answer:?}");
    }
    // One says nothing, one leaves in the middle of its dump.
    let silent = UnixStream::connect(&path).unwrap();
    UnixStream::connect(&path).unwrap().write_all(b"dump heap_v2\n").unwrap();
    service.ask(&["-o", "asked.heap"]).ok();
    drop(silent);
    service.stop();
}
