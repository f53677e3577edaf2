//! Running a program with a time limit and captured output.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What a program did.
#[derive(Debug)]
pub struct Outcome {
    /// The command, for messages.
    pub command: String,
    /// How it ended.
    pub status: ExitStatus,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Outcome {
    /// Asserts exit status 0.
    ///
    /// # Panics
    /// With all output when the program ended otherwise.
    #[track_caller]
    pub fn ok(self) -> Outcome {
        assert!(self.status.success(), "{self}");
        self
    }

    /// Lines of standard error that the allocator wrote.
    pub fn warnings(&self) -> Vec<&str> {
        self.stderr.lines().filter(|line| line.starts_with("<jemalloc>: ")).collect()
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Outcome { command, status, stdout, stderr } = self;
        write!(f, "{command}\n{status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}

/// A program to run. The environment's own `LD_PRELOAD` and `MALLOC_CONF` are taken away, the viewer's cache is off.
pub struct Run {
    command: Command,
    input: Vec<u8>,
    limit: Duration,
}

impl Run {
    /// A program, found like a shell does. Time limit: 2 minutes, far above what any test takes.
    pub fn new(program: impl AsRef<OsStr>) -> Run {
        let mut command = Command::new(program);
        command.env_remove("LD_PRELOAD").env_remove("MALLOC_CONF").stdin(Stdio::null());
        // The viewer's names are to come from the files that the test has made.
        command.env("JEPROF_RS_CACHE", "off");
        Run { command, input: Vec::new(), limit: Duration::from_secs(120) }
    }

    /// One argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Run {
        self.command.arg(argument);
        self
    }

    /// Several arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Run {
        self.command.args(arguments);
        self
    }

    /// Runs under our allocator.
    pub fn preload(self, library: &Path) -> Run {
        self.env("LD_PRELOAD", library)
    }

    /// Sets the allocator's options.
    pub fn conf(self, options: impl AsRef<OsStr>) -> Run {
        self.env("MALLOC_CONF", options)
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Run {
        self.command.env(name, value);
        self
    }

    /// Runs in a folder.
    pub fn folder(mut self, folder: &Path) -> Run {
        self.command.current_dir(folder);
        self
    }

    /// What the program reads from its standard input, which is empty otherwise. It has to fit a pipe (64 KiB).
    pub fn input(mut self, text: &str) -> Run {
        self.input = text.into();
        self.command.stdin(Stdio::piped());
        self
    }

    /// The command itself, of a program that runs beside the test.
    pub fn command(self) -> Command {
        self.command
    }

    /// Another time limit.
    pub fn limit(mut self, limit: Duration) -> Run {
        self.limit = limit;
        self
    }

    /// Runs to the end.
    ///
    /// # Panics
    /// When the program cannot be started, or when it runs over the limit (it is killed first).
    #[track_caller]
    pub fn outcome(mut self) -> Outcome {
        let command = format!("{:?}", self.command);
        let piped = self.command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap_or_else(|error| panic!("{command}: cannot be started: {error}"));
        if let Some(mut stdin) = child.stdin.take() {
            // A program that does not read it has its reasons.
            let _ = stdin.write_all(&self.input);
        }
        let stdout = drain(child.stdout.take());
        let stderr = drain(child.stderr.take());
        let (status, late) = wait(&mut child, self.limit);
        let text = |reader: std::thread::JoinHandle<Vec<u8>>| {
            String::from_utf8_lossy(&reader.join().expect("the reader does not panic")).into_owned()
        };
        let outcome = Outcome { command, status, stdout: text(stdout), stderr: text(stderr) };
        assert!(!late, "ran over {:?} and was killed: {outcome}", self.limit);
        outcome
    }
}

fn drain(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // A pipe that breaks has said all it will say.
        let _ = pipe.expect("both outputs are piped").read_to_end(&mut bytes);
        bytes
    })
}

fn wait(child: &mut Child, limit: Duration) -> (ExitStatus, bool) {
    let started = Instant::now();
    let mut pause = Duration::from_millis(1);
    loop {
        if let Some(status) = child.try_wait().expect("a child can be waited for") {
            return (status, false);
        }
        if started.elapsed() > limit {
            // It may have ended just now; waiting tells in either case.
            let _ = child.kill();
            return (child.wait().expect("a killed child can be waited for"), true);
        }
        std::thread::sleep(pause);
        pause = (pause * 2).min(Duration::from_millis(50));
    }
}
