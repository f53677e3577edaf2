//! The call graph as PostScript, by Graphviz.

use super::{BASE, Chart, dot};
use crate::error::Result;
use crate::render::picture::graphviz::converted;
use crate::render::{Output, Request};

/// The row of this output.
pub const ROW: Output = Output {
    name: "ps",
    flag: true,
    about: "Draw the call graph (PostScript; needs Graphviz)",
    binary: true,
    render: |request: &Request<'_>| -> Result<Vec<u8>> {
        converted(&dot::text(&Chart::new(request)?, request.plan.compat), "ps2", "--pdf and --svg")
    },
    ..BASE
};
