//! What goes out.

/// Plain text.
pub const TEXT: &str = "text/plain; charset=utf-8";

/// A response, for an HTTP server to send. The server adds the length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Status: 200, 301, 400, 404, 405, 500, 501 or 503. Every error has a sentence in its body that says what is wrong.
    pub status: u16,
    /// Names and values, all of them ASCII.
    pub headers: Vec<(&'static str, String)>,
    /// The content; empty for `HEAD`.
    pub body: Vec<u8>,
}

impl Response {
    /// A page of a type. It is of this moment, and is what its type says.
    pub(crate) fn page(content_type: &str, body: impl Into<Vec<u8>>) -> Response {
        let headers = vec![
            ("Content-Type", content_type.to_owned()),
            ("X-Content-Type-Options", "nosniff".to_owned()),
            ("Cache-Control", "no-store".to_owned()),
        ];
        Response { status: 200, headers, body: body.into() }
    }

    /// An error, and what is wrong in a sentence.
    pub(crate) fn error(status: u16, what: impl std::fmt::Display) -> Response {
        Response { status, ..Response::page(TEXT, format!("{what}\n")) }
    }

    /// One more header.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.push((name, value.into()));
        self
    }

    /// The value of a header, by its name as it is written here.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_str())
    }
}
