//! The prompt: scripts through a pipe, a person at a terminal.

mod common;

use std::fs::File;
use std::io::{Read, Write};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use common::{Run, Scratch, command, dump, finish, tool};

/// Runs a script in a folder of its own.
fn script(scratch: &Scratch, flags: &[&str], lines: &str) -> Run {
    let dump = dump("jemalloc-5.3.0.heap");
    let args = [&["--interactive", "--show_bytes"], flags, &[dump.as_str()]].concat();
    let mut child = command(&args)
        .current_dir(scratch.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    finish(child.wait_with_output().unwrap())
}

/// What the tool prints for these flags without the prompt.
fn direct(flags: &[&str]) -> String {
    let run = tool(&[flags, &["--show_bytes", &dump("jemalloc-5.3.0.heap")]].concat());
    assert_eq!(run.status, 0, "{}", run.stderr);
    run.stdout
}

#[test]
fn a_script_prints_what_the_command_line_would() {
    let scratch = Scratch::new("prompt-script");
    let lines =
        "text\n\ntext3 --cum\ntext 2 0x120a -nothing_here\ncollapsed\nalloc_space\ntext2\ntop4\nquit\ntop\n";
    let run = script(&scratch, &[], lines);
    let expected = [
        direct(&["--nodecount=10"]),
        direct(&["--nodecount=3", "--cum"]),
        direct(&["--nodecount=2", "--focus=0x120a", "--ignore=nothing_here"]),
        direct(&["--collapsed"]),
        direct(&["--nodecount=2", "--alloc_space"]),
        direct(&["top", "--nodecount=4", "--alloc_space"]),
    ];
    assert_eq!((run.status, run.stdout), (0, expected.concat()), "{}", run.stderr);
    assert!(!run.stderr.contains('\x1b') && run.stderr.matches("(jeprof) ").count() == 9, "{}", run.stderr);
    // Three different shares of the total: the same warning is told once.
    assert_eq!(run.stderr.matches("/opt/demo/app: no such file").count(), 3, "{}", run.stderr);
}

#[test]
fn options_stay_until_they_are_taken_back_and_flags_of_the_command_line_count() {
    let scratch = Scratch::new("prompt-options");
    let lines = "nodecount=1\ntext\nfocus = 0x120a\ntext\nfocus=\nlines\ntext\no\nfunctions\n";
    let run = script(&scratch, &["--cum"], lines);
    let (first, options) = run.stdout.split_once("  output =").unwrap();
    let expected = [
        direct(&["--nodecount=1", "--cum"]),
        direct(&["--nodecount=1", "--cum", "--focus=0x120a"]),
        direct(&["--nodecount=1", "--cum", "--lines"]),
    ];
    assert_eq!((run.status, first), (0, expected.concat().as_str()), "{}", run.stderr);
    for option in ["nodecount = 1 ", "lines = true ", "cum = true ", "functions = false ", "focus = "] {
        assert!(options.contains(option), "no `{option}` in {options}");
    }
    assert!(!options.contains("unpack_max"), "{options}");
}

#[test]
fn reports_go_to_files_and_through_commands() {
    let scratch = Scratch::new("prompt-targets");
    let run = script(&scratch, &[], "text2 >table.txt\nflame > my.svg\nflame\nflame\ntext2 | wc -l\n");
    assert_eq!((run.status, run.stdout.trim()), (0, "3"), "{}", run.stderr);
    let read = |name: &str| std::fs::read_to_string(scratch.path(name)).unwrap();
    assert_eq!(read("table.txt"), direct(&["--nodecount=2"]));
    assert!(read("my.svg").contains("<svg"));
    assert_eq!(read("jeprof001.svg"), read("my.svg"));
    assert_eq!(read("jeprof002.svg"), read("my.svg"));
    assert!(run.stderr.contains("written to jeprof002.svg"), "{}", run.stderr);
}

#[test]
fn a_mistake_is_told_and_the_script_goes_on_to_fail_in_the_end() {
    let scratch = Scratch::new("prompt-mistakes");
    let lines =
        "xyzzy\ncolapsed\ntop (\nbase=x\nnodecount=many\ntop2 >none/x\ntop2 | exit 3\nhelp nonsense\ntext1\n";
    let run = script(&scratch, &[], lines);
    assert_eq!((run.status, run.stdout), (2, direct(&["--nodecount=1"])));
    for said in [
        "Unknown command: try 'help'.\n",
        "colapsed: did you mean collapsed?",
        "focus: '(' is no regular expression: unclosed group",
        "base: counts when the profiles are read",
        "nodecount: 'many' is not a number",
        "none/x: no such file",
        "exit 3: ends with exit status: 3",
        "no option nonsense",
    ] {
        assert!(run.stderr.contains(said), "no `{said}` in {}", run.stderr);
    }
}

#[test]
fn help_names_every_command() {
    let scratch = Scratch::new("prompt-help");
    let run = script(&scratch, &[], "help\nhelp flame\nhelp nodecount\n");
    for word in ["peek REGEX", "collapsed", "flame", "options, o", "quit, exit", "width=", "At most N rows"] {
        assert!(run.stdout.contains(word), "no `{word}` in {}", run.stdout);
    }
    assert_eq!(run.status, 0);
    assert_eq!(tool(&["--interactive", "/no/such.heap"]).status, 2);
}

/// A terminal of ours with the tool in it.
struct Terminal {
    keys: File,
    screen: Receiver<Vec<u8>>,
    seen: String,
    child: std::process::Child,
}

impl Terminal {
    fn open(scratch: &Scratch) -> Terminal {
        let ends = nix::pty::openpty(None, None).unwrap();
        let end = || Stdio::from(ends.slave.try_clone().unwrap());
        let child = command(&["--interactive", "--show_bytes", &dump("jemalloc-5.3.0.heap")])
            .env("XDG_STATE_HOME", scratch.path(""))
            .env("TERM", "xterm")
            .stdin(end())
            .stdout(end())
            .stderr(end())
            .spawn()
            .unwrap();
        let keys = File::from(ends.master);
        let (sender, screen) = channel();
        let mut reader = keys.try_clone().unwrap();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // The other end is closed when the tool ends; reading fails then.
            while let Ok(count @ 1..) = reader.read(&mut buffer) {
                if sender.send(buffer[..count].to_vec()).is_err() {
                    return;
                }
            }
        });
        Terminal { keys, screen, seen: String::new(), child }
    }

    /// Waits until a text is on the screen, and forgets everything up to it.
    #[track_caller]
    fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        loop {
            if let Some(at) = self.seen.find(text) {
                let rest = self.seen.split_off(at + text.len());
                return std::mem::replace(&mut self.seen, rest);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.screen.recv_timeout(left) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(_) => panic!("`{text}` does not come; on the screen: {}", self.seen),
            }
        }
    }

    /// Waits for the next prompt. While a line is edited the prompt is drawn again and again, but without a line end; and a
    /// key that is pressed between two lines is the terminal's, which understands Ctrl-D in its own way.
    #[track_caller]
    fn wait_for_next_line(&mut self) {
        self.wait_for("\n");
        self.wait_for("(jeprof) ");
    }

    fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }
}

#[test]
fn at_a_terminal_there_are_completion_and_history() {
    let scratch = Scratch::new("prompt-terminal");
    let mut terminal = Terminal::open(&scratch);
    terminal.wait_for("(jeprof) ");
    terminal.press("colla\t\r");
    terminal.wait_for("app+0x134c");
    terminal.wait_for_next_line();
    // The line before.
    terminal.press("\x1b[A >again.txt\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\r");
    terminal.wait_for("app+0x134c");
    terminal.wait_for_next_line();
    // A line is given up with Ctrl-C, the session with Ctrl-D.
    terminal.press("top\x03");
    terminal.wait_for_next_line();
    terminal.press("foc\t0x12\r");
    terminal.wait_for_next_line();
    terminal.press("\x04");
    assert!(terminal.child.wait().unwrap().success());
    let history = std::fs::read_to_string(scratch.path("jeprof-rs/history")).unwrap();
    let lines: Vec<&str> = history.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines, ["collapsed", "focus=0x12"]);
    // The next session knows them.
    let mut terminal = Terminal::open(&scratch);
    terminal.wait_for("(jeprof) ");
    terminal.press("\x1b[A\x1b[A\r");
    terminal.wait_for("app+0x134c");
    terminal.wait_for_next_line();
    terminal.press("quit\r");
    assert!(terminal.child.wait().unwrap().success());
}
