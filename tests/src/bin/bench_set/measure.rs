//! One run of one program: how long it took, and what memory it held at its end and at most.
//!
//! The program is traced, which costs it nothing but three stops: at its start, at an exec, and at its end, where its
//! memory is still there to be read from `/proc`. `wait4` would give a peak that begins with that of this process.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Instant;

/// Seconds after which a run is taken for hung and ended by a signal.
const LIMIT: u32 = 120;

/// What one run took.
#[derive(Clone, Debug, Default)]
pub struct Run {
    /// Seconds from the program's start to its end.
    pub wall: f64,
    /// User and system seconds.
    pub cpu: f64,
    /// Peak of resident memory, bytes.
    pub peak: f64,
    /// Resident memory at the end, bytes.
    pub last: f64,
    /// What it wrote to its standard output.
    pub output: String,
    /// What it wrote to its standard error.
    pub errors: String,
}

impl Run {
    /// The seconds that the program measured itself, if it did.
    pub fn own_seconds(&self) -> Option<f64> {
        self.told("seconds")
    }

    /// A number that the program tells under a name.
    pub fn told(&self, name: &str) -> Option<f64> {
        self.output.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('\t')?.parse().ok())
    }

    /// Stages with their resident memory in bytes.
    pub fn stages(&self) -> Vec<(&str, f64)> {
        stages(&self.output)
    }
}

/// Stages that a program told, with their resident memory in bytes.
pub fn stages(output: &str) -> Vec<(&str, f64)> {
    let stage = |line: &'_ str| -> Option<(usize, f64)> {
        let (name, bytes) = line.strip_prefix("rss\t")?.split_once('\t')?;
        Some((name.len(), bytes.parse().ok()?))
    };
    output
        .lines()
        .filter_map(|line| stage(line).map(|(length, bytes)| (&line[4..4 + length], bytes)))
        .collect()
}

/// A line of `/proc/<id>/status` in bytes.
fn status_line(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(rest.trim().strip_suffix(" kB")?.parse::<f64>().ok()? * 1024.0)
}

/// Runs to the end. `meanwhile` runs in a thread of its own from the start on, because this one has to be there for the
/// program's stops; when it is through, the program is asked to end, by a signal, if it is a server.
///
/// # Errors
/// When it cannot be started, ends with another status than 0, or runs over the limit.
pub fn run(
    command: &mut Command,
    output: &Path,
    meanwhile: Option<&(dyn Fn() -> Result<(), String> + Sync)>,
) -> Result<Run, String> {
    let errors = output.with_extension("errors");
    let child = start(command, output, &errors, true)?;
    let id = child.id() as libc::pid_t;
    let (status, mut run, served) = std::thread::scope(|scope| {
        let client = |meanwhile: &'_ (dyn Fn() -> Result<(), String> + Sync)| {
            let answer = meanwhile();
            // SAFETY: takes two numbers; should the program have ended before its client, nobody is signalled.
            unsafe { libc::kill(id, libc::SIGTERM) };
            answer
        };
        let client = meanwhile.map(|meanwhile| scope.spawn(move || client(meanwhile)));
        let (status, run) = follow(id)?;
        let served = client.map_or(Ok(()), |client| client.join().expect("a client does not panic"));
        Ok::<_, String>((status, run, served))
    })?;
    run.output = fs::read_to_string(output).unwrap_or_default();
    run.errors = fs::read_to_string(errors).unwrap_or_default();
    served?;
    if status == 0 {
        return Ok(run);
    }
    Err(format!("ended with wait status {status:#x}: {}", run.errors.lines().last().unwrap_or_default()))
}

/// Runs to the end without being traced, which tools that trace by themselves do not bear. The peak is that of the largest of its
/// processes, and at least this one's own; CPU seconds are of all.
///
/// # Errors
/// When it cannot be started, ends with another exit status than `status`, or runs over the limit.
pub fn run_untraced(command: &mut Command, output: &Path, status: i32) -> Result<Run, String> {
    let errors = output.with_extension("errors");
    let child = start(command, output, &errors, false)?;
    let started = Instant::now();
    let (ended, used) = wait(child.id() as libc::pid_t)?;
    let run = Run {
        wall: started.elapsed().as_secs_f64(),
        cpu: seconds(&used),
        peak: used.ru_maxrss as f64 * 1024.0,
        output: fs::read_to_string(output).unwrap_or_default(),
        errors: fs::read_to_string(errors).unwrap_or_default(),
        ..Run::default()
    };
    if libc::WIFEXITED(ended) && libc::WEXITSTATUS(ended) == status {
        return Ok(run);
    }
    Err(format!("ended with wait status {ended:#x}: {}", run.errors.lines().last().unwrap_or_default()))
}

/// Starts it, to be traced by this thread or not.
fn start(command: &mut Command, output: &Path, errors: &Path, traced: bool) -> Result<Child, String> {
    // Files, because nobody reads a pipe until the program has ended.
    let file = |path: &Path| File::create(path).map_err(|error| format!("{}: {error}", path.display()));
    command.stdout(file(output)?).stderr(file(errors)?);
    // SAFETY: all are system calls without memory of ours, which are allowed between fork and exec.
    unsafe {
        command.pre_exec(move || {
            libc::alarm(LIMIT);
            ahead_of_the_rest();
            if traced && libc::ptrace(libc::PTRACE_TRACEME, 0, 0, 0) < 0 {
                return Err(std::io::Error::last_os_error());
            }
            Ok(())
        })
    };
    command.spawn().map_err(|error| format!("{command:?}: {error}"))
}

/// Puts the calling process ahead of whatever else the machine does, where that is permitted. Linux shares the
/// processors between sessions first, and between the processes of a session then.
fn ahead_of_the_rest() {
    // SAFETY: numbers, and texts that live for ever; a failure leaves everything as it was.
    unsafe {
        libc::setsid();
        libc::setpriority(libc::PRIO_PROCESS, 0, -20);
        let file = libc::open(c"/proc/self/autogroup".as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        libc::write(file, c"-20".as_ptr().cast(), 3);
        libc::close(file);
    }
}

/// Lets it run from stop to stop, to its end; gives the wait status.
fn follow(id: libc::pid_t) -> Result<(i32, Run), String> {
    let (mut started, mut run) = (None, Run::default());
    loop {
        let (status, used) = wait(id)?;
        if libc::WIFEXITED(status) || libc::WIFSIGNALED(status) {
            run.cpu = seconds(&used);
            return Ok((status, run));
        }
        // A stop for a signal passes it on; the other stops have none.
        let mut signal = if status >> 16 == 0 { libc::WSTOPSIG(status) } else { 0 };
        match started {
            // The stop at its exec.
            None => {
                let options = libc::PTRACE_O_TRACEEXIT | libc::PTRACE_O_TRACEEXEC | libc::PTRACE_O_EXITKILL;
                trace(libc::PTRACE_SETOPTIONS, id, options as usize)?;
                signal = 0;
                started = Some(Instant::now());
            }
            Some(started) if status >> 16 == libc::PTRACE_EVENT_EXIT => {
                run.wall = started.elapsed().as_secs_f64();
                let text = fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
                run.peak = status_line(&text, "VmHWM").unwrap_or_default();
                run.last = status_line(&text, "VmRSS").unwrap_or_default();
            }
            Some(_) => {}
        }
        trace(libc::PTRACE_CONT, id, signal as usize)?;
    }
}

/// User and system seconds.
fn seconds(used: &libc::rusage) -> f64 {
    let seconds = |time: libc::timeval| time.tv_sec as f64 + time.tv_usec as f64 / 1e6;
    seconds(used.ru_utime) + seconds(used.ru_stime)
}

/// Wait status and what was used so far.
fn wait(id: libc::pid_t) -> Result<(i32, libc::rusage), String> {
    let mut status = 0;
    // SAFETY: numbers, for which all bits zero are a value.
    let mut used: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: the child is this process's and nobody else waits for it; both pointers are to locals.
    let answer = unsafe { libc::wait4(id, &raw mut status, 0, &raw mut used) };
    if answer < 0 {
        return Err(format!("wait4: {}", std::io::Error::last_os_error()));
    }
    Ok((status, used))
}

fn trace(request: libc::c_uint, id: libc::pid_t, data: usize) -> Result<(), String> {
    // SAFETY: these requests take numbers, and no memory of ours.
    let answer = unsafe { libc::ptrace(request, id, 0_usize, data) };
    if answer < 0 { Err(format!("ptrace: {}", std::io::Error::last_os_error())) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_tells_is_understood() {
        let output = "rss\tfill\t4096\nseconds\t0.250000\nrss\tidle\t8192\nother\n".to_owned();
        let run = Run { output, ..Run::default() };
        assert_eq!(run.own_seconds(), Some(0.25));
        assert_eq!(run.stages(), [("fill", 4096.0), ("idle", 8192.0)]);
        assert_eq!(status_line("VmPeak:\t 9 kB\nVmHWM:\t    12 kB\n", "VmHWM"), Some(12288.0));
        assert_eq!(status_line("Name:\tx\n", "VmHWM"), None);
    }

    #[test]
    fn a_run_tells_its_time_and_memory_and_a_failure_its_words() {
        let output = std::env::temp_dir().join(format!("bench-set-{}", std::process::id()));
        let mut sleeps = Command::new("sh");
        let ran = run(sleeps.args(["-c", "sleep 0.1; echo seconds; exit 0"]), &output, None).expect("runs");
        assert!(ran.wall >= 0.1 && ran.peak >= ran.last && ran.last > 0.0, "{ran:?}");
        assert_eq!(ran.output, "seconds\n");
        let failed = run(Command::new("sh").args(["-c", "echo because >&2; exit 3"]), &output, None);
        assert_eq!(failed.expect_err("fails"), "ended with wait status 0x300: because");
        // The operating system's temporary folder is cleaned by others if this fails.
        let _ = fs::remove_file(output.with_extension("errors"));
        let _ = fs::remove_file(output);
    }
}
