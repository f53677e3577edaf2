//! What happens between two profiles, which takes time.

use std::time::{Duration, Instant};

use jealloc::profile::Form;
use prof_format::gzip::{Gzip, GzipState};

use crate::delta;
use crate::response::Response;
use crate::snapshot::{PLAIN, packed, taken};

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
    /// Begins to wait, with the profile of now.
    pub(crate) fn begin(
        name: &'static str,
        seconds: u32,
        allocated_first: bool,
    ) -> Result<Pending, Response> {
        let before = taken(Form { allocated_first, ..PLAIN })?;
        let wait = Duration::from_secs(seconds.into());
        Ok(Pending { name, allocated_first, before, begun: Instant::now(), wait, content: true })
    }

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
