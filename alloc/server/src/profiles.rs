//! Heap profiles: of this moment, or of what happens in some seconds.

use std::time::{Duration, Instant};

use jealloc::profile::{self, Form, Format};
use prof_format::gzip::{Gzip, GzipState};

use crate::delta;
use crate::endpoint::{Asked, Parameter};
use crate::request::Answer;
use crate::response::{Response, TEXT};

/// Longest time between the two profiles of a difference: the first of them is kept in memory so long.
const SECONDS_MAX: u32 = 3600;

const SECONDS: Parameter = Parameter {
    name: "seconds",
    values: "1 to 3600",
    about: "What happens in that time: a second profile minus a first one, always as profile.proto. Stacks that shrank have \
            negative figures.",
};
const GC: Parameter = Parameter {
    name: "gc",
    values: "any",
    about: "Go's collection before the profile; there is none here, and it does nothing.",
};

/// Parameters of Go's pages.
pub const PARAMETERS: &[Parameter] = &[
    SECONDS,
    Parameter {
        name: "debug",
        values: "0, 1, 2",
        about: "1 or 2: as text, in the form that jeprof and pprof both read. Not together with `seconds`.",
    },
    GC,
];

/// Parameters of gperftools' page.
pub const CLASSIC_PARAMETERS: &[Parameter] = &[SECONDS, GC];

/// `/debug/pprof/heap`
pub fn heap(asked: &Asked) -> Result<Answer, Response> {
    go_page(asked, "heap", false)
}

/// `/debug/pprof/allocs`
pub fn allocs(asked: &Asked) -> Result<Answer, Response> {
    go_page(asked, "allocs", true)
}

/// `/pprof/heap`
pub fn classic(asked: &Asked) -> Result<Answer, Response> {
    match asked.parameters.number("seconds", SECONDS_MAX)? {
        Some(seconds) => difference("heap", seconds, false),
        None => text(),
    }
}

fn go_page(asked: &Asked, name: &'static str, allocated_first: bool) -> Result<Answer, Response> {
    let as_text = asked.parameters.choice("debug", &["0", "1", "2"])? != "0";
    match (asked.parameters.number("seconds", SECONDS_MAX)?, as_text) {
        // As Go answers.
        (Some(_), true) => Err(Response::error(
            400,
            "seconds: cannot be together with debug, whose text has no negative figures",
        )),
        (Some(seconds), false) => difference(name, seconds, allocated_first),
        (None, true) => text(),
        (None, false) => {
            let form = Form { format: Format::Pprof, gzip: true, allocated_first };
            Ok(Answer::Now(packed(name, taken(form)?)))
        }
    }
}

/// The profile in the text form.
fn text() -> Result<Answer, Response> {
    let form = Form { format: Format::Text, gzip: false, allocated_first: false };
    Ok(Answer::Now(Response::page(TEXT, taken(form)?)))
}

fn difference(name: &'static str, seconds: u32, allocated_first: bool) -> Result<Answer, Response> {
    let before = taken(Form { allocated_first, ..PLAIN })?;
    let wait = Duration::from_secs(seconds.into());
    Ok(Answer::Later(Pending { name, allocated_first, before, begun: Instant::now(), wait, content: true }))
}

/// A profile to compute with.
const PLAIN: Form = Form { format: Format::Pprof, gzip: false, allocated_first: false };

/// The bytes of a profile.
pub fn taken(form: Form) -> Result<Vec<u8>, Response> {
    let mut bytes = Vec::new();
    profile::write(form, &mut |piece| bytes.extend_from_slice(piece))
        .map_err(|reason| Response::error(503, reason))?;
    Ok(bytes)
}

/// A profile to look into.
#[cfg(feature = "flame")]
pub fn read() -> Result<prof_format::dump::Dump, Response> {
    delta::read(&taken(PLAIN)?)
}

/// A packed profile as a file of a name.
fn packed(name: &str, body: Vec<u8>) -> Response {
    Response::page("application/octet-stream", body)
        .with("Content-Disposition", format!("attachment; filename=\"{name}.pb.gz\""))
}

/// A request that is answered when some time has passed.
#[derive(Debug)]
pub struct Pending {
    name: &'static str,
    allocated_first: bool,
    /// The profile when the request came.
    before: Vec<u8>,
    begun: Instant,
    wait: Duration,
    content: bool,
}

impl Pending {
    /// How long to wait from now on until [`Pending::finish`].
    pub fn wait(&self) -> Duration {
        self.wait.saturating_sub(self.begun.elapsed())
    }

    /// The response. It is about the time that has passed really, be that more or less than what was asked for.
    pub fn finish(self) -> Response {
        self.response().unwrap_or_else(|error| error)
    }

    fn response(&self) -> Result<Response, Response> {
        let after = taken(Form { allocated_first: self.allocated_first, ..PLAIN })?;
        let span = delta::Span { before: &self.before, after: &after, duration: self.begun.elapsed() };
        let mut response = packed(&format!("{}-delta", self.name), gzipped(&span.profile()?));
        if !self.content {
            response.body.clear();
        }
        Ok(response)
    }

    /// For `HEAD`.
    pub(crate) fn leave_content_out(&mut self) {
        self.content = false;
    }
}

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut state = Box::<GzipState>::default();
    let mut gzip = Gzip::new(Vec::new(), &mut state);
    let Ok(()) = prof_format::snapshot::Sink::write(&mut gzip, bytes);
    let Ok(packed) = gzip.finish();
    packed
}
