//! The call graph as a picture for documents and printers.

use super::{BASE, Chart};
use crate::error::Result;
use crate::render::picture::pdf;
use crate::render::{Output, Request};

/// The row of this output.
pub const ROW: Output = Output {
    name: "pdf",
    flag: true,
    command: true,
    about: "Draw the call graph (PDF, one page)",
    examples: "\
Examples:
  jeprof-rs pdf svc.1234.0.f.heap > heap.pdf
  jeprof-rs pdf --nodecount=30 -o heap.pdf ./svc svc.*.heap",
    binary: true,
    render,
    ..BASE
};

/// The picture as bytes.
pub fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    let drawing = Chart::new(request)?.drawing(request.plan.graph.layout)?;
    Ok(pdf(&drawing))
}
