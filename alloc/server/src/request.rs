//! What comes in, and the two ways in which it is answered.

use crate::pending::Pending;
use crate::response::Response;

/// A request, as an HTTP server has it.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `GET`, `HEAD` or `POST`, in capitals.
    pub method: &'a str,
    /// The path from the first slash on, without the query. A server that has this below a prefix takes the prefix away.
    pub path: &'a str,
    /// What follows the question mark, still percent-encoded; empty for none.
    pub query: &'a str,
    /// What was posted. The server limits its length: a megabyte is more than anybody needs.
    pub body: &'a [u8],
}

/// What [`begin`](crate::begin) answers.
#[derive(Debug)]
pub enum Answer {
    /// The response.
    Now(Response),
    /// Time has to pass first.
    Later(Pending),
}
