//! The call graph as text for Graphviz, in jeprof's layout.

use std::fmt::Write;

use super::{BASE, Chart};
use crate::error::Result;
use crate::plan::choice::Compat;
use crate::render::picture::Look;
use crate::render::{Output, Request};

/// The row of this output.
pub const ROW: Output = Output {
    name: "dot",
    flag: true,
    command: true,
    about: "Call graph as text for Graphviz",
    examples: "\
Examples:
  jeprof-rs dot svc.1234.0.f.heap | dot -Tpng > heap.png
  jeprof-rs dot --nodecount=30 --focus=parse ./svc svc.1234.0.f.heap > parse.dot",
    json: Some(crate::render::json::graph),
    repeats: true,
    render,
    ..BASE
};

fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    Ok(text(&Chart::new(request)?, request.plan.compat).into_bytes())
}

/// The text.
pub(super) fn text(chart: &Chart, compat: Compat) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = write(&mut out, chart, compat);
    out
}

fn write(out: &mut String, chart: &Chart, compat: Compat) -> std::fmt::Result {
    // compat: jeprof writes names as they are, and dot stumbles over those with a quotation mark.
    let escaped = |text: &str| match compat {
        Compat::Jeprof => text.to_string(),
        Compat::None => text.replace('\\', "\\\\").replace('"', "\\\"").replace(['\n', '\r'], " "),
    };
    writeln!(out, "digraph \"{}; {}\" {{", escaped(&chart.program), chart.total)?;
    writeln!(out, "node [width=0.375,height=0.25];")?;
    write!(out, "Legend [shape=box,fontsize=24,shape=plaintext,label=\"")?;
    chart.legend.iter().try_for_each(|line| write!(out, "{}\\l", escaped(line)))?;
    writeln!(out, "\"];")?;
    for (index, shown) in chart.boxes.iter().enumerate() {
        let name: Vec<String> = shown.name.iter().map(|line| escaped(line)).collect();
        let cum = shown.cum.as_ref().map_or(String::new(), |cum| format!("\\rof {cum}"));
        let style = match shown.look {
            Look::Plain => "",
            Look::Filled => ",style=filled,fillcolor=gray",
            Look::TripleBorder => ",peripheries=3",
        };
        writeln!(
            out,
            "N{} [label=\"{}\\n{}{cum}\\r\",shape=box,fontsize={:.1}{style}];",
            index + 1,
            name.join("\\n"),
            shown.flat,
            shown.font_size,
        )?;
    }
    for arrow in &chart.arrows {
        writeln!(
            out,
            "N{} -> N{} [label={}, weight={}, style=\"setlinewidth({:.6}){}\"];",
            arrow.from + 1,
            arrow.to + 1,
            arrow.label,
            arrow.weight,
            arrow.width,
            if arrow.dashed { ",dashed" } else { "" },
        )?;
    }
    writeln!(out, "}}")
}
