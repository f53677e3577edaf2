//! What an endpoint is, and what it is asked. Which ones there are is in the `table`, which knows their pages; no page knows
//! that table.

use std::fmt;

use crate::parameters::{Parameter, Parameters};
use crate::request::{Answer, Request};
use crate::response::Response;

/// With which methods an endpoint is asked. Whatever answers `GET` answers `HEAD`, without the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Methods {
    /// It only tells.
    Get,
    /// It changes something.
    Post,
    /// It tells of what is posted, too.
    Both,
}

impl Methods {
    /// Their names.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Methods::Get => &["GET", "HEAD"],
            Methods::Post => &["POST"],
            Methods::Both => &["GET", "HEAD", "POST"],
        }
    }
}

/// What has to be there for an endpoint; without it the answer is 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// The program allocates from jealloc.
    Allocator,
    /// It does, and was started with `prof:true`.
    Profiler,
}

/// An endpoint.
pub struct Endpoint {
    /// Its paths; they answer the same, and the first is the usual one.
    pub paths: &'static [&'static str],
    /// How it is asked.
    pub methods: Methods,
    /// What may stand in the query.
    pub parameters: &'static [Parameter],
    /// What it answers, and to whom.
    pub about: &'static str,
    /// What it needs.
    pub needs: Needs,
    pub(crate) answer: fn(&Asked) -> Result<Answer, Response>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("paths", &self.paths).finish_non_exhaustive()
    }
}

/// What an endpoint is asked.
pub(crate) struct Asked<'a> {
    pub request: &'a Request<'a>,
    pub parameters: Parameters,
    /// All endpoints that there are, for the page that lists them.
    pub endpoints: &'static [Endpoint],
}
