//! The example of jealloc-server in axum, running.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;

use crate::build::{self, Profile};
use crate::scratch::Scratch;
use crate::server::Server;

/// What the example's service keeps for each session.
pub const SESSION: usize = 1024;
/// The function that makes them.
pub const SESSION_MAKER: &str = "axum::new_session";

/// The server and its address.
pub struct HeapServer {
    /// `127.0.0.1:PORT`
    pub place: String,
    _server: Server,
}

/// What it answers.
#[derive(Debug)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Lines of the head.
    pub head: String,
    /// Content.
    pub body: Vec<u8>,
}

impl Answer {
    /// The content of a page that is text.
    ///
    /// # Panics
    /// When the status is not 200.
    #[track_caller]
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(&self.body).into_owned();
        assert_eq!(self.status, 200, "{}\n{text}", self.head);
        text
    }
}

impl HeapServer {
    /// Starts it with options of the allocator; its output is kept in `folder`.
    ///
    /// # Panics
    /// When it does not start.
    pub fn start(folder: &Scratch, conf: &str) -> HeapServer {
        let log = folder.file("server.log");
        let mut command = Command::new(build::example("jealloc-server", "axum", Profile::own()));
        command.env("MALLOC_CONF", conf).env_remove("LD_PRELOAD");
        let place = || {
            let text = std::fs::read_to_string(&log).unwrap_or_default();
            text.lines().find_map(|line| line.strip_prefix("listening on ").map(str::to_owned))
        };
        let server = Server::start(command, &log, || place().is_some());
        HeapServer { place: place().expect("it was there just now"), _server: server }
    }

    /// A page's address.
    pub fn url(&self, target: &str) -> String {
        format!("http://{}{target}", self.place)
    }

    /// Asks for a page.
    ///
    /// # Panics
    /// When there is no answer within a minute.
    pub fn ask(&self, method: &str, target: &str, body: &str) -> Answer {
        let mut stream = TcpStream::connect(&self.place).expect("it listens");
        stream.set_read_timeout(Some(Duration::from_secs(60))).expect("a minute is not nothing");
        let (place, length) = (&self.place, body.len());
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {place}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).expect("it reads");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("it answers");
        let end = answer.windows(4).position(|part| part == b"\r\n\r\n").expect("it speaks HTTP");
        let head = String::from_utf8_lossy(&answer[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("it has a status");
        Answer { status, head, body: answer.split_off(end + 4) }
    }

    /// Opens so many sessions.
    pub fn open_sessions(&self, count: usize) {
        self.ask("POST", &format!("/sessions/{count}"), "").text();
    }
}
