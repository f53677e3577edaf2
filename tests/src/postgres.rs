//! A PostgreSQL server under a library, in a folder of its own.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::run::{Outcome, Run};
use crate::scratch::Scratch;

/// A running server. It is stopped when the test ends, however it ends.
pub struct Postgres {
    folder: Scratch,
    tools: PathBuf,
    library: PathBuf,
    is_stopped: bool,
}

impl Postgres {
    /// A server of the newest version that is installed, under a library with options.
    ///
    /// # Panics
    /// When none is installed, or it does not start.
    #[track_caller]
    pub fn start(library: &Path, conf: &str) -> Postgres {
        let tools = std::fs::read_dir("/usr/lib/postgresql").expect("postgresql is installed");
        let tools = tools.map(|entry| entry.expect("the folder can be read").path().join("bin")).max();
        let folder = Scratch::new("postgres");
        let mode = |path: &Path, mode: u32| {
            std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).expect("it is this test's own");
        };
        mode(folder.path(), 0o777);
        // A copy that another user can read.
        let copy = folder.file("libjemalloc.so.2");
        std::fs::copy(library, &copy).expect("the library is there");
        mode(&copy, 0o755);
        let tools = tools.expect("a version is installed");
        let mut server = Postgres { folder, tools, library: copy, is_stopped: true };
        let data = server.data();
        server
            .tool("initdb")
            .args(["--no-sync", "-A", "trust", "-U", "tester", "-D"])
            .arg(&data)
            .outcome()
            .ok();
        let place = server.folder.path().display();
        let options = format!("-c listen_addresses= -c unix_socket_directories={place} -c fsync=off");
        let run = server.tool_with("pg_ctl", conf).args(["start", "-w", "-o", &options, "-D"]).arg(&data);
        run.arg("-l").arg(server.log()).outcome().ok();
        server.is_stopped = false;
        server
    }

    /// One of its programs (`psql`, `pgbench`), under the library without options.
    pub fn tool(&self, name: &str) -> Run {
        self.tool_with(name, "")
    }

    /// As a user that may run PostgreSQL, which refuses root. The library is for the program alone: what changes the user
    /// does so thread by thread, which the C library does not forgive where there is more than one.
    fn tool_with(&self, name: &str, conf: &str) -> Run {
        let is_root = std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0);
        let run = match is_root {
            true => {
                Run::new("setpriv").args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "env"])
            }
            false => Run::new("env"),
        };
        let variables = [format!("LD_PRELOAD={}", self.library.display()), format!("MALLOC_CONF={conf}")];
        let run = run.args(variables).arg(self.tools.join(name)).folder(self.folder.path());
        run.env("HOME", self.folder.path())
            .env("PGHOST", self.folder.path())
            .env("PGUSER", "tester")
            .env("PGDATABASE", "postgres")
    }

    /// The server's program.
    pub fn program(&self) -> PathBuf {
        self.tools.join("postgres")
    }

    /// Where everything is.
    pub fn folder(&self) -> &Scratch {
        &self.folder
    }

    /// The library that it runs under.
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// The process that starts all others.
    ///
    /// # Panics
    /// When the server does not run.
    pub fn id(&self) -> u32 {
        let file = std::fs::read_to_string(self.data().join("postmaster.pid")).expect("the server runs");
        file.lines().next().and_then(|line| line.parse().ok()).expect("a number")
    }

    /// Stops it in good order; gives its log.
    ///
    /// # Panics
    /// When it does not end.
    #[track_caller]
    pub fn stop(mut self) -> String {
        self.end("fast").ok();
        self.is_stopped = true;
        // pg_ctl waits for the server to give up its folder; its last words may come a moment later.
        for _ in 0..100 {
            let log = std::fs::read_to_string(self.log()).expect("the log is there");
            if log.contains("database system is shut down") {
                return log;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("{}", std::fs::read_to_string(self.log()).unwrap_or_default());
    }

    fn end(&self, how: &str) -> Outcome {
        self.tool("pg_ctl").args(["stop", "-w", "-m", how, "-D"]).arg(self.data()).outcome()
    }

    fn data(&self) -> PathBuf {
        self.folder.file("data")
    }

    fn log(&self) -> PathBuf {
        self.folder.file("log")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        if !self.is_stopped {
            // What a failing test leaves behind does not matter, as long as it ends.
            let _ = self.end("immediate");
        }
    }
}
