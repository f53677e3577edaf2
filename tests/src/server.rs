//! Servers of a test: stopped when the test ends, however it ends.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::run::{Outcome, Run};
use crate::scratch::Scratch;

/// A running server.
pub struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; both calls then only say so.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    /// Starts a command whose output goes to `log`, and waits until `ready` says so.
    ///
    /// # Panics
    /// When it cannot be started, ends, or is not ready within 30 seconds.
    pub fn start(mut command: Command, log: &Path, ready: impl Fn() -> bool) -> Server {
        let file = std::fs::File::create(log).unwrap_or_else(|error| panic!("{}: {error}", log.display()));
        let twin = file.try_clone().expect("a file can be duplicated");
        command.stdin(Stdio::null()).stdout(file).stderr(twin);
        let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let mut server = Server(child);
        let started = Instant::now();
        while !ready() {
            let ended = server.0.try_wait().expect("a child can be waited for");
            let said = || std::fs::read_to_string(log).unwrap_or_default();
            assert!(ended.is_none(), "{command:?} ended with {ended:?}:\n{}", said());
            assert!(started.elapsed() < Duration::from_secs(30), "{command:?} is not ready:\n{}", said());
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Asks it to end with a signal (`TERM`, `INT`) and waits.
    ///
    /// # Panics
    /// When it has not ended within 60 seconds.
    pub fn stop(self, signal: &str) -> ExitStatus {
        let id = self.id().to_string();
        Run::new("kill").args(["-s", signal, &id]).outcome().ok();
        self.wait()
    }

    /// Waits until it ends by itself.
    ///
    /// # Panics
    /// When it has not ended within 60 seconds.
    pub fn wait(mut self) -> ExitStatus {
        let asked = Instant::now();
        loop {
            if let Some(status) = self.0.try_wait().expect("a child can be waited for") {
                return status;
            }
            assert!(asked.elapsed() < Duration::from_secs(60), "process {} does not end", self.id());
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// A port that nobody listens on at the moment.
///
/// # Panics
/// When the machine has no loopback interface.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback interface gives a port");
    listener.local_addr().expect("a listener has an address").port()
}

/// redis-server on a socket in `folder`, with more variables in its environment.
pub fn redis(folder: &Scratch, environment: &[(&str, &Path)], conf: &str) -> Server {
    let mut command = Command::new("redis-server");
    command.args(["--port", "0", "--save", "", "--appendonly", "no", "--enable-debug-command", "yes"]);
    command.arg("--unixsocket").arg(folder.file("socket"));
    command.current_dir(folder.path()).env("MALLOC_CONF", conf).env_remove("LD_PRELOAD");
    command.envs(environment.iter().copied());
    let ready = || folder.file("socket").exists() && redis_says(folder, &["PING"]).stdout.trim() == "PONG";
    Server::start(command, &folder.file("redis.log"), ready)
}

/// What redis-server in `folder` answers.
pub fn redis_says(folder: &Scratch, command: &[&str]) -> Outcome {
    Run::new("redis-cli").arg("-s").arg(folder.file("socket")).args(command).outcome()
}

/// A number in what redis calls bulk information: `key:number` lines.
///
/// # Panics
/// When there is no such line.
pub fn redis_figure(info: &str, key: &str) -> f64 {
    let line = info.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
    line.and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| panic!("{key} in\n{info}"))
}
