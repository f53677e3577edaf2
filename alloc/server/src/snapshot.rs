//! The heap profile of this moment: its bytes, and a response that is a file of it.

use jealloc::profile::{self, Form, Format};

use crate::response::Response;

/// A profile to compute with.
pub const PLAIN: Form = Form { format: Format::Pprof, gzip: false, allocated_first: false };

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
    crate::delta::read(&taken(PLAIN)?)
}

/// A packed profile as a file of a name.
pub fn packed(name: &str, body: Vec<u8>) -> Response {
    Response::page("application/octet-stream", body)
        .with("Content-Disposition", format!("attachment; filename=\"{name}.pb.gz\""))
}
