//! Pages of servers: profiles, symbol look-ups, debug files.
//!
//! Redirections are followed here and not by the client below: a look-up that is posted has to be posted again where
//! it is sent on to, and headers that carry a secret stay with the server that they were meant for.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use ureq::config::Config;
use ureq::tls::{RootCerts, TlsConfig};
use ureq::{Agent, Body, http::Response};

use super::url::Url;
use crate::error::{Error, Result, plain};

/// How long looking up a host and connecting may take.
const CONNECT_MAX: Duration = Duration::from_secs(10);

const REDIRECTIONS_MAX: usize = 5;

/// Most of an error page's text that is quoted.
const QUOTED_BYTES_MAX: u64 = 300;

/// How a server is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manner {
    /// Headers to send along, names and values.
    pub headers: Vec<(String, String)>,
    /// How long the server may be silent: before it answers, and between parts of the answer.
    pub silence_max: Duration,
    /// Most bytes of an answer, unpacked.
    pub answer_bytes_max: u64,
}

/// A client. Clones share their connections.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    manner: Arc<Manner>,
}

impl Client {
    /// A client; nothing is sent yet.
    pub fn new(manner: Manner) -> Client {
        let config = Config::builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(concat!("jeprof-rs/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(Some(CONNECT_MAX))
            .timeout_connect(Some(CONNECT_MAX))
            .timeout_per_read(Some(manner.silence_max))
            .timeout_per_write(Some(manner.silence_max))
            .timeout_recv_response(Some(manner.silence_max))
            .tls_config(TlsConfig::builder().root_certs(trusted()).build())
            .build();
        Client { agent: config.new_agent(), manner: Arc::new(manner) }
    }

    /// The page, whole in memory; `None` when the server says that there is no such page (404, 410).
    ///
    /// # Errors
    /// The server cannot be reached, refuses, is silent for too long, or sends too much. The text names the page.
    pub fn get(&self, url: &Url) -> Result<Option<Vec<u8>>> {
        self.open(url)?.map(|page| page.whole()).transpose()
    }

    /// The answer to what is posted; `None` and errors as for [`Client::get`].
    pub fn post(&self, url: &Url, content: &[u8]) -> Result<Option<Vec<u8>>> {
        self.ask(url, Some(content))?.map(|page| page.whole()).transpose()
    }

    /// The page as a stream, for files too large to hold.
    ///
    /// # Errors
    /// As [`Client::get`]; those of the stream come while it is read, with [`Page::explain`] for words.
    pub fn open(&self, url: &Url) -> Result<Option<Page>> {
        self.ask(url, None)
    }

    fn ask(&self, url: &Url, content: Option<&[u8]>) -> Result<Option<Page>> {
        let mut at = url.clone();
        for _ in 0..=REDIRECTIONS_MAX {
            let response = self.send(&at, url, content)?;
            let status = response.status();
            let location = response.headers().get("location").and_then(|value| value.to_str().ok());
            match (status.as_u16(), location) {
                (200, _) => {
                    let max = self.manner.answer_bytes_max;
                    let reader = response.into_body().into_reader();
                    return Ok(Some(Page { url: at, reader: Box::new(reader), left: max, max }));
                }
                (404 | 410, _) => return Ok(None),
                (301 | 302 | 303 | 307 | 308, Some(location)) => {
                    at = at
                        .join(location)
                        .map_err(|what| Error::at(&at, format!("leads to {location}, which {what}")))?;
                }
                _ => return Err(Error::at(&at, refusal(response))),
            }
        }
        Err(Error::at(url, format!("leads on and on ({REDIRECTIONS_MAX} redirections)")))
    }

    /// One request. `asked` is the address that the user gave, to whose server the headers belong.
    fn send(&self, url: &Url, asked: &Url, content: Option<&[u8]>) -> Result<Response<Body>> {
        let mut headers: Vec<(&str, String)> = Vec::new();
        if let Some(credentials) = url.credentials() {
            headers.push(("Authorization", format!("Basic {}", BASE64_STANDARD.encode(&credentials))));
        }
        if url.same_server(asked) {
            headers.extend(self.manner.headers.iter().map(|(name, value)| (name.as_str(), value.clone())));
        }
        let target = url.target();
        // A proxy of the environment is for the world outside; it could not reach this machine's own ports.
        let own = matches!(url.host(), "localhost" | "[::1]") || url.host().starts_with("127.");
        let outcome = match content {
            None => {
                let mut request = self.agent.get(&target);
                for (name, value) in &headers {
                    request = request.header(*name, value);
                }
                if own { request.config().proxy(None).build().call() } else { request.call() }
            }
            Some(content) => {
                let mut request = self.agent.post(&target);
                for (name, value) in &headers {
                    request = request.header(*name, value);
                }
                request = request.content_type("application/x-www-form-urlencoded");
                if own { request.config().proxy(None).build().send(content) } else { request.send(content) }
            }
        };
        outcome.map_err(|error| Error::at(url, self.explain(error)))
    }

    fn explain(&self, error: ureq::Error) -> String {
        match error {
            ureq::Error::HostNotFound => "there is no such host".into(),
            ureq::Error::ConnectionFailed => "cannot connect".into(),
            ureq::Error::Timeout(_) => format!("no answer within {} s", self.manner.silence_max.as_secs()),
            ureq::Error::Io(error) => in_words(&error),
            ureq::Error::Rustls(error) => untrusted(&error),
            other => other.to_string(),
        }
    }
}

fn in_words(error: &std::io::Error) -> String {
    match error.kind() {
        // How the client below hands on what its TLS says.
        std::io::ErrorKind::InvalidData => untrusted(error),
        std::io::ErrorKind::TimedOut => "the server fell silent".into(),
        std::io::ErrorKind::UnexpectedEof => {
            "the server closed the connection in the middle of its answer".into()
        }
        _ => plain(error),
    }
}

fn untrusted(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    let is_about_trust = text.contains("certificate");
    let advice = if is_about_trust { " (the system's are trusted; SSL_CERT_FILE names others)" } else { "" };
    text + advice
}

/// An answer that is being read. Reading fails past the limit, never silently short.
pub struct Page {
    url: Url,
    reader: Box<dyn Read + Send>,
    left: u64,
    max: u64,
}

impl Page {
    /// An error of reading, in words, with the address in front.
    pub fn explain(&self, error: &std::io::Error) -> Error {
        if error.kind() == std::io::ErrorKind::FileTooLarge {
            let max = self.max >> 20;
            return Error::at(&self.url, format!("sends more than {max} MiB (--unpack_max=MIB raises it)"));
        }
        Error::at(&self.url, in_words(error))
    }

    fn whole(mut self) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        match self.read_to_end(&mut bytes) {
            Ok(_) => Ok(bytes),
            Err(error) => Err(self.explain(&error)),
        }
    }
}

impl Read for Page {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let count = self.reader.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| std::io::Error::from(std::io::ErrorKind::FileTooLarge))?;
        Ok(count)
    }
}

/// What a server says when it does not give the page: the status, and the first line of a plain answer.
fn refusal(response: Response<Body>) -> String {
    let status = response.status();
    let name = status.canonical_reason().unwrap_or("an answer that is no page");
    let is_plain = response.body().mime_type().is_none_or(|kind| kind == "text/plain");
    let mut said = Vec::new();
    // The status alone is an answer, so nothing is lost when the rest cannot be read.
    let _ = response.into_body().into_reader().take(QUOTED_BYTES_MAX).read_to_end(&mut said);
    let said = String::from_utf8_lossy(&said);
    let line = said.lines().next().unwrap_or("").trim();
    let hint = if status.as_u16() == 401 { " (http://USER:PASSWORD@host/, or --header)" } else { "" };
    if is_plain && !line.is_empty() && !line.chars().any(char::is_control) {
        format!("the server answers {} {name}: {line}{hint}", status.as_u16())
    } else {
        format!("the server answers {} {name}{hint}", status.as_u16())
    }
}

/// The system's certificates, which a company may have added its own to; where there are none, as in slim containers,
/// those of Mozilla's list that are compiled in.
fn trusted() -> RootCerts {
    let named = ["SSL_CERT_FILE", "SSL_CERT_DIR"].iter().any(|name| std::env::var_os(name).is_some());
    let usual = [
        "/etc/ssl/certs/ca-certificates.crt",
        "/etc/pki/tls/certs/ca-bundle.crt",
        "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
        "/etc/ssl/cert.pem",
        "/etc/ssl/ca-bundle.pem",
    ];
    if named || usual.iter().any(|path| Path::new(path).exists()) {
        RootCerts::PlatformVerifier
    } else {
        RootCerts::WebPki
    }
}

#[cfg(test)]
#[path = "../../tests/common/server.rs"]
mod server;

#[cfg(test)]
mod tests {
    use super::server::{Answer, Server};
    use super::*;

    fn client(headers: &[(&str, &str)], answer_bytes_max: u64) -> Client {
        let headers = headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Client::new(Manner { headers, silence_max: Duration::from_secs(5), answer_bytes_max })
    }

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn a_page_is_read_with_headers_and_credentials() {
        let server = Server::start(|_| Answer::page("content"));
        let client = client(&[("X-Key", "k")], 100);
        let address = format!("http://me:pw@{}/a?b", server.place());
        assert_eq!(client.get(&url(&address)).unwrap().unwrap(), b"content");
        let request = &server.requests()[0];
        assert_eq!((request.method.as_str(), request.target.as_str()), ("GET", "/a?b"));
        assert_eq!(request.header("authorization"), Some("Basic bWU6cHc="));
        assert_eq!(request.header("x-key"), Some("k"));
    }

    #[test]
    fn what_is_posted_follows_a_redirection_and_secrets_do_not() {
        let other = Server::start(|request| Answer::page(request.body.clone()));
        let there = other.url("/there");
        let server = Server::start(move |request| match request.target.as_str() {
            "/start" => Answer::status(302, "").with("Location", "next"),
            _ => Answer::status(307, "").with("Location", &there),
        });
        let start = url(&format!("http://me:pw@{}/start", server.place()));
        let answer = client(&[("X-Key", "k")], 100).post(&start, b"0x1+0x2").unwrap().unwrap();
        assert_eq!(answer, b"0x1+0x2");
        assert_eq!(server.asked(), ["POST /start", "POST /next"]);
        assert!(server.requests().iter().all(|request| request.header("authorization").is_some()));
        let foreign = &other.requests()[0];
        assert_eq!((foreign.header("authorization"), foreign.header("x-key")), (None, None));
    }

    #[test]
    fn a_missing_page_is_an_answer_and_other_refusals_are_errors_with_the_address() {
        let server = Server::start(|request| match request.target.as_str() {
            "/none" => Answer::status(404, "no"),
            "/loop" => Answer::status(302, "").with("Location", "/loop"),
            "/html" => Answer::status(500, "<p>").with("Content-Type", "text/html"),
            _ => Answer::status(503, "profiling is off\nsee the manual"),
        });
        let client = client(&[], 100);
        assert_eq!(client.get(&url(&server.url("/none"))).unwrap(), None);
        let error = client.get(&url(&server.url("/busy"))).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("{}: the server answers 503 Service Unavailable: profiling is off", server.url("/busy"))
        );
        assert!(client.get(&url(&server.url("/loop"))).unwrap_err().to_string().contains("on and on"));
        let gone = server.url("/");
        drop(server);
        let error = client.get(&url(&gone)).unwrap_err().to_string();
        assert!(error.starts_with(&gone) && error.contains("refused"), "{error}");
    }

    #[test]
    fn an_answer_stops_at_the_limit_also_when_it_is_packed() {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        std::io::Write::write_all(&mut packer, &[b'x'; 1000]).unwrap();
        let packed = packer.finish().unwrap();
        let server = Server::start(move |request| match request.target.as_str() {
            "/packed" => Answer::page(packed.clone()).with("Content-Encoding", "gzip"),
            _ => Answer::page([b'x'; 1000]),
        });
        for page in ["/packed", "/plain"] {
            let page = url(&server.url(page));
            assert_eq!(client(&[], 1000).get(&page).unwrap().unwrap(), [b'x'; 1000]);
            let error = client(&[], 999).get(&page).unwrap_err().to_string();
            assert!(error.contains("--unpack_max"), "{error}");
        }
    }

    #[test]
    fn silence_and_an_answer_that_breaks_off_are_told() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = url(&format!("http://{}/", server.local_addr().unwrap()));
        let manner =
            Manner { headers: vec![], silence_max: Duration::from_millis(200), answer_bytes_max: 100 };
        let error = Client::new(manner.clone()).get(&address).unwrap_err().to_string();
        assert!(error.contains("no answer within"), "{error}");
        drop(server);
        let server = Server::start(|_| Answer::page("short").with("Content-Length", "9"));
        let error = Client::new(manner).get(&url(&server.url("/"))).unwrap_err().to_string();
        assert!(error.starts_with(&server.url("/")), "{error}");
    }
}
