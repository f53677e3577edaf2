//! The call graph as a picture for browsers.

use super::{BASE, Chart};
use crate::error::Result;
use crate::render::picture::svg;
use crate::render::{Output, Request};

/// The row of this output.
pub const ROW: Output = Output {
    name: "svg",
    flag: true,
    command: true,
    about: "Draw the call graph (SVG; zooms and moves in a browser)",
    examples: "\
Wheel, + and - zoom, dragging and the arrow keys move, 0 shows all, a click on a box shows its edges only.

Examples:
  jeprof-rs svg svc.1234.0.f.heap > heap.svg
  jeprof-rs svg --focus=parse --nodecount=30 -o parse.svg ./svc svc.1234.0.f.heap",
    json: Some(crate::render::json::graph),
    render,
    ..BASE
};

/// The picture as bytes.
pub fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    let drawing = Chart::new(request)?.drawing(request.plan.graph.layout)?;
    Ok(svg(&drawing).into_bytes())
}
