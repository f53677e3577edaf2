//! Runs the program: hands on the signals that are sent to us, and tells how it ended.

use std::fmt;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use signal_hook::consts::signal::{
    SIGALRM, SIGHUP, SIGINT, SIGIO, SIGPROF, SIGQUIT, SIGTERM, SIGURG, SIGUSR1, SIGUSR2, SIGVTALRM, SIGWINCH,
};
use signal_hook::iterator::Signals;

use super::collect::Dump;
use crate::error::{Error, Result, plain};

/// Signals that are handed on; number, name.
const PASSED: [(i32, &str); 13] = [
    (SIGHUP, "SIGHUP"),
    (SIGINT, "SIGINT"),
    (SIGQUIT, "SIGQUIT"),
    (SIGTERM, "SIGTERM"),
    (SIGUSR1, "SIGUSR1"),
    (SIGUSR2, "SIGUSR2"),
    (SIGALRM, "SIGALRM"),
    (SIGVTALRM, "SIGVTALRM"),
    (SIGPROF, "SIGPROF"),
    (SIGURG, "SIGURG"),
    (SIGIO, "SIGIO"),
    (SIGWINCH, "SIGWINCH"),
    (Signal::POWER.as_raw(), "SIGPWR"),
];

/// Of these those that a terminal sends to all processes in front of it.
const OF_TERMINAL: [i32; 3] = [SIGINT, SIGQUIT, SIGWINCH];

/// Names of signals that programs die of.
const FATAL: [(i32, &str); 9] = [
    (4, "SIGILL"),
    (5, "SIGTRAP"),
    (6, "SIGABRT"),
    (7, "SIGBUS"),
    (8, "SIGFPE"),
    (9, "SIGKILL"),
    (11, "SIGSEGV"),
    (13, "SIGPIPE"),
    (24, "SIGXCPU"),
];

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// With this status.
    Exited(u8),
    /// See [`Ended`].
    BySignal(i32),
}

impl How {
    fn of(status: ExitStatus) -> How {
        match (status.signal(), status.code()) {
            (Some(signal), _) => How::BySignal(signal),
            (_, code) => How::Exited(code.unwrap_or(0) as u8),
        }
    }

    /// The exit status that a shell gives it.
    pub fn status(self) -> u8 {
        match self {
            How::Exited(status) => status,
            How::BySignal(signal) => 128_u8.wrapping_add(signal as u8),
        }
    }
}

impl fmt::Display for How {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            How::Exited(status) => write!(f, "ended with status {status}"),
            How::BySignal(number) => {
                let name = PASSED.iter().chain(&FATAL).find(|(known, _)| known == number);
                match name {
                    Some((_, name)) => write!(f, "was ended by {name}"),
                    None => write!(f, "was ended by signal {number}"),
                }
            }
        }
    }
}

/// A program that has ended.
pub struct Ended {
    /// Its process.
    pub pid: u32,
    /// How.
    pub how: How,
}

impl Ended {
    /// Why it has no final dump; `None` when it has one.
    pub fn missing(&self, dumps: &[Dump]) -> Option<&'static str> {
        if dumps.iter().any(|dump| dump.pid == self.pid && dump.is_final) {
            return None;
        }
        Some(match self.how {
            How::BySignal(_) => "a signal ends a program without one",
            How::Exited(_) => {
                "it ended by _exit, closed in a way that the allocator did not see, or the allocator is not in it"
            }
        })
    }
}

/// Runs a program to its end.
///
/// # Errors
/// It cannot be started.
pub fn run(mut command: Command, name: &str) -> Result<Ended> {
    let complain =
        |error: std::io::Error| Error::at(name, format_args!("cannot be started: {}", plain(&error)));
    let ignored = ignored();
    // What we were told to ignore stays ignored, for the program as well: it inherits that.
    let numbers = PASSED.map(|(number, _)| number).into_iter().filter(|number| !ignored.contains(number));
    // Handlers, other than a mask, are not inherited.
    let mut signals = Signals::new(numbers).map_err(complain)?;
    let handle = signals.handle();
    let mut child = command.spawn().map_err(complain)?;
    let pid = child.id();
    let target = Pid::from_raw(pid as i32).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
    let terminal = std::fs::File::open("/dev/tty").is_ok();
    let passing = std::thread::spawn(move || {
        for number in signals.forever() {
            if !(terminal && OF_TERMINAL.contains(&number)) {
                pass(target.as_ref(), number);
            }
        }
    });
    let status = child.wait().map_err(complain)?;
    handle.close();
    // It has nothing to say, and does not panic.
    let _ = passing.join();
    Ok(Ended { pid, how: How::of(status) })
}

fn pass(target: Option<&OwnedFd>, number: i32) {
    if let (Some(target), Some(signal)) = (target, Signal::from_named_raw(number)) {
        // A program that has ended meanwhile needs none.
        let _ = pidfd_send_signal(target, signal);
    }
}

/// Signals that this process was started to ignore.
fn ignored() -> Vec<i32> {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    (1..=64).filter(|number| mask >> (number - 1) & 1 == 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_shell(script: &str) -> Ended {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        run(command, "sh").unwrap()
    }

    #[test]
    fn a_program_s_end_is_told_as_a_shell_does() {
        assert_eq!(run_shell("exit 7").how, How::Exited(7));
        let killed = run_shell("kill -TERM $$").how;
        assert_eq!((killed, killed.status()), (How::BySignal(15), 143));
        assert_eq!(killed.to_string(), "was ended by SIGTERM");
        assert_eq!(How::BySignal(40).to_string(), "was ended by signal 40");
        assert!(
            run(Command::new("/no/such"), "x").err().unwrap().to_string().starts_with("x: cannot be started")
        );
    }

    #[test]
    fn a_signal_to_us_reaches_the_program() {
        // The shell signals its parent, this process, and waits for what comes back.
        for name in ["USR1", "PWR"] {
            let script = format!(
                "trap 'exit 9' {name}; kill -{name} $PPID; n=0; while [ $n -lt 100 ]; do sleep 0.1; n=$((n+1)); done"
            );
            assert_eq!(run_shell(&script).how, How::Exited(9), "{name}");
        }
    }

    #[test]
    fn who_has_no_dump_is_told_why() {
        let dump = |pid, is_final| Dump { pid, is_final, seq: 0, path: "x".into() };
        let ended = |how| Ended { pid: 7, how };
        assert!(ended(How::Exited(0)).missing(&[dump(7, true)]).is_none());
        assert!(
            ended(How::Exited(0))
                .missing(&[dump(7, false), dump(8, true)])
                .is_some_and(|why| why.contains("_exit"))
        );
        assert!(ended(How::BySignal(9)).missing(&[]).is_some_and(|why| why.contains("signal")));
    }
}
