//! How the programs of the rows are called, and the ones from outside: found, fed with `tests/bench/real`, left out when
//! they are not installed.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use suite::bench::rows::Real;
use suite::build::{target_folder, workspace};
use suite::scratch::Scratch;

/// A program with all it needs.
pub struct Job {
    program: PathBuf,
    arguments: Vec<String>,
    environment: &'static [(&'static str, &'static str)],
    input: Option<PathBuf>,
    client: Option<Client>,
}

/// What asks a server.
struct Client {
    port: String,
    requests: String,
}

impl Job {
    /// A program that needs its arguments alone.
    pub fn new(program: PathBuf, arguments: Vec<String>) -> Job {
        Job { program, arguments, environment: &[], input: None, client: None }
    }

    /// Ready to be started.
    ///
    /// # Errors
    /// When its input cannot be opened.
    pub fn command(&self) -> Result<Command, String> {
        self.command_of(&self.program)
    }

    /// The same with another program in its place.
    ///
    /// # Errors
    /// As [`Job::command`].
    pub fn command_of(&self, program: &Path) -> Result<Command, String> {
        let mut command = Command::new(program);
        command.args(&self.arguments).envs(self.environment.iter().copied());
        match &self.input {
            Some(path) => {
                command.stdin(File::open(path).map_err(|error| format!("{}: {error}", path.display()))?)
            }
            None => command.stdin(Stdio::null()),
        };
        Ok(command)
    }

    /// Whether its CPU time is what counts, because it waits for another program.
    pub fn serves(&self) -> bool {
        self.client.is_some()
    }

    /// Asks it for all that it is to do, while it runs; nothing when it is no server.
    ///
    /// # Errors
    /// What a client said.
    pub fn ask(&self) -> Result<(), String> {
        let Some(Client { port, requests }) = &self.client else { return Ok(()) };
        let started = Instant::now();
        while told("redis-cli", &["-p", port, "ping"]).as_deref() != Ok("PONG") {
            if started.elapsed() > Duration::from_secs(10) {
                return Err("redis-server does not answer".to_owned());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let words = [
            "-p",
            port,
            "-n",
            requests,
            "-q",
            "-P",
            "16",
            "-r",
            "200000",
            "-d",
            "64",
            "-t",
            "set,lpush,hset",
        ];
        told("redis-benchmark", &words).map(drop)
    }
}

/// What a program prints, without its last newline.
///
/// # Errors
/// That it cannot be run, or what it said.
pub fn told(program: &str, arguments: &[&str]) -> Result<String, String> {
    let mut command = Command::new(program);
    command.args(arguments).env_remove("LD_PRELOAD").stdin(Stdio::null());
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    if !output.status.success() {
        return Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// A program by the first of its names that is found.
///
/// # Errors
/// That it is not installed.
pub fn find(names: &[&str]) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = || std::env::split_paths(&path).chain([target_folder().join("peers/venv/bin")]);
    let mut found = names.iter().flat_map(|name| folders().map(move |folder| folder.join(name)));
    found.find(|path| path.is_file()).ok_or_else(|| format!("{} is not installed", names[0]))
}

fn fed(name: &str) -> PathBuf {
    workspace().join("tests/bench/real").join(name)
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// A script of `tests/bench/real`, which takes how much it is to do.
fn script(program: PathBuf, name: &str, count: u64) -> Job {
    Job::new(program, vec![text(&fed(name)), count.to_string()])
}

/// Finds and feeds a program.
///
/// # Errors
/// Why it cannot run.
pub fn job(which: Real, count: u64, quick: bool, scratch: &Scratch) -> Result<Job, String> {
    Ok(match which {
        Real::Cc1plus | Real::Z3 if quick => return Err("takes too long for a quick run".to_owned()),
        Real::Python => {
            // A launcher on the path may be a script that starts another shell; the interpreter tells its own path.
            let launcher = text(&find(&["python3"])?);
            let python = told(&launcher, &["-c", "import os, sys; print(os.path.realpath(sys.executable))"])?;
            Job { environment: &[("PYTHONMALLOC", "malloc")], ..script(python.into(), "objects.py", count) }
        }
        Real::Lua => script(find(&["lua5.4", "lua5.3", "lua"])?, "trees.lua", count),
        Real::Ruby => script(find(&["ruby"])?, "words.rb", count),
        Real::Cc1plus => {
            let compiler = told("g++", &["-print-prog-name=cc1plus"])?;
            let system = told("g++", &["-print-multiarch"])?;
            let words =
                ["-quiet", "-D_GNU_SOURCE", "-O0", "-std=c++17", "-imultiarch", &system, "-o", "/dev/null"];
            let mut words = words.map(str::to_owned).to_vec();
            words.push(text(&fed("heavy.cc")));
            Job::new(find(&[&compiler])?, words)
        }
        Real::Sqlite => {
            let statements = scratch.file("statements.sql");
            let template = fed("tables.sql");
            let sql = std::fs::read_to_string(&template)
                .map_err(|error| format!("{}: {error}", template.display()))?;
            std::fs::write(&statements, sql.replace("ROWS", &count.to_string()))
                .map_err(|error| format!("{}: {error}", statements.display()))?;
            let words = vec!["-batch".to_owned(), ":memory:".to_owned()];
            Job { input: Some(statements), ..Job::new(find(&["sqlite3"])?, words) }
        }
        Real::Z3 => Job::new(find(&["z3"])?, vec![text(&fed("factors.smt2"))]),
        Real::Redis => {
            find(&["redis-benchmark"])?;
            let server = find(&["redis-server"])?;
            let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
            let port = free.map_err(|error| format!("no free port: {error}"))?.port().to_string();
            let words = ["--port", &port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
            let words = words.map(str::to_owned).to_vec();
            Job { client: Some(Client { port, requests: count.to_string() }), ..Job::new(server, words) }
        }
    })
}
