//! A drawing as SVG: one file, no requests, readable in print and on dark screens.

use std::fmt::Write;

use super::{Anchor, Drawing, Look, PlacedText, Point, Rect};

/// Moving, zooming, and showing the arrows of a box. Everything works without it.
const SCRIPT: &str = include_str!("pan_zoom.js");

/// Colours that a dark screen replaces. They are attributes first, so that programs without style sheets see them too.
const STYLE: &str = "\
.quiet path,.quiet polygon{opacity:.12}.quiet .lit path,.quiet .lit polygon{opacity:1}
@media (prefers-color-scheme: dark){\
.paper{fill:#16181c}.box{fill:#202329;stroke:#c9ccd1}.filled{fill:#4a4e56}text{fill:#e6e8eb}\
.line{stroke:#aeb3ba}.tip{fill:#aeb3ba;stroke:#aeb3ba}.halo{stroke:#16181c}}";

/// Borders of a box with three lines.
const BORDER_GAP: f64 = 3.0;

/// The drawing as one SVG document. Names are data throughout: whatever they hold, the document stays well formed.
pub fn svg(drawing: &Drawing) -> String {
    let mut out = String::new();
    let (width, height) = (drawing.width, drawing.height);
    // Writing to a string does not fail.
    let _ = write_document(&mut out, drawing, width, height);
    out
}

fn write_document(out: &mut String, drawing: &Drawing, width: f64, height: f64) -> std::fmt::Result {
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"100%\" height=\"100%\" viewBox=\"0 0 {width:.1} {height:.1}\" \
         font-family=\"Helvetica,Arial,'Liberation Sans','Nimbus Sans',sans-serif\">"
    )?;
    writeln!(out, "<title>{}</title>", escaped(&drawing.title))?;
    writeln!(out, "<style>{STYLE}</style>")?;
    // Far wider than the drawing: there is paper everywhere when the picture is moved.
    writeln!(
        out,
        "<rect class=\"paper\" x=\"-1000%\" y=\"-1000%\" width=\"2100%\" height=\"2100%\" fill=\"#fff\"/>"
    )?;
    writeln!(out, "<g id=\"viewport\">")?;
    writeln!(out, "<g class=\"legend\">")?;
    drawing.legend.iter().try_for_each(|line| text(out, line, ""))?;
    writeln!(out, "</g>\n<g class=\"arrows\">")?;
    for arrow in &drawing.arrows {
        writeln!(out, "<g data-from=\"{}\" data-to=\"{}\">", arrow.from, arrow.to)?;
        writeln!(out, "<title>{}</title>", escaped(&arrow.tooltip))?;
        write!(
            out,
            "<path class=\"line\" fill=\"none\" stroke=\"#333\" stroke-width=\"{:.2}\"",
            arrow.width
        )?;
        if arrow.dashed {
            write!(out, " stroke-dasharray=\"6 4\"")?;
        }
        let start = arrow.curve[0];
        write!(out, " d=\"M{:.1} {:.1}", start.x, start.y)?;
        for piece in arrow.curve[1..].chunks_exact(3) {
            write!(out, "C")?;
            piece.iter().try_for_each(|point| write!(out, "{:.1} {:.1} ", point.x, point.y))?;
        }
        writeln!(out, "\"/>")?;
        write!(out, "<polygon class=\"tip\" fill=\"#333\" stroke=\"#333\" stroke-width=\"0.5\" points=\"")?;
        arrow.head.iter().try_for_each(|Point { x, y }| write!(out, "{x:.1},{y:.1} "))?;
        writeln!(out, "\"/>\n</g>")?;
    }
    writeln!(out, "</g>\n<g class=\"boxes\">")?;
    for (index, placed) in drawing.boxes.iter().enumerate() {
        writeln!(out, "<g data-box=\"{index}\">")?;
        writeln!(out, "<title>{}</title>", escaped(&placed.tooltip))?;
        border(
            out,
            &placed.rect,
            if placed.look == Look::Filled { "box filled" } else { "box" },
            placed.look,
        )?;
        if placed.look == Look::TripleBorder {
            for step in [1.0, 2.0] {
                border(out, &grown(&placed.rect, step * BORDER_GAP), "box", Look::TripleBorder)?;
            }
        }
        placed.lines.iter().try_for_each(|line| text(out, line, ""))?;
        writeln!(out, "</g>")?;
    }
    // Last, so that no arrow runs over a figure.
    writeln!(out, "</g>\n<g class=\"labels\">")?;
    let halo =
        " class=\"halo\" stroke=\"#fff\" stroke-width=\"3\" stroke-linejoin=\"round\" paint-order=\"stroke\"";
    drawing
        .arrows
        .iter()
        .filter_map(|arrow| arrow.label.as_ref())
        .try_for_each(|label| text(out, label, halo))?;
    writeln!(out, "</g>\n</g>")?;
    writeln!(out, "<script><![CDATA[\n{SCRIPT}]]></script>\n</svg>")
}

/// The outer lines of a box with three are not filled, or they would hide the inner ones.
fn border(out: &mut String, rect: &Rect, class: &str, look: Look) -> std::fmt::Result {
    let fill = match look {
        Look::Plain => "#fff",
        Look::Filled => "#c4c4c4",
        Look::TripleBorder => "none",
    };
    let fill = if look == Look::TripleBorder {
        format!("style=\"fill:{fill}\"")
    } else {
        format!("fill=\"{fill}\"")
    };
    writeln!(
        out,
        "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" {fill} stroke=\"#222\"/>",
        rect.x, rect.y, rect.width, rect.height
    )
}

fn grown(rect: &Rect, by: f64) -> Rect {
    Rect { x: rect.x - by, y: rect.y - by, width: rect.width + 2.0 * by, height: rect.height + 2.0 * by }
}

fn text(out: &mut String, line: &PlacedText, more: &str) -> std::fmt::Result {
    if line.text.trim().is_empty() {
        return Ok(());
    }
    let (x, anchor) = match line.anchor {
        Anchor::Start => (line.at.x, "start"),
        Anchor::Middle => (line.at.x + line.width / 2.0, "middle"),
        Anchor::End => (line.at.x + line.width, "end"),
    };
    // The length is fixed, so that text fits its box in fonts of other measures too.
    writeln!(
        out,
        "<text x=\"{x:.1}\" y=\"{:.1}\" font-size=\"{:.1}\" text-anchor=\"{anchor}\" textLength=\"{:.1}\" \
         lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\"{more}>{}</text>",
        line.at.y,
        line.font_size,
        line.width,
        escaped(&line.text)
    )
}

/// Text for XML, in an element or a quoted attribute. Lines stay lines: tooltips have several.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let lines: Vec<String> = text.split('\n').map(super::text::printable).collect();
    for c in lines.join("\n").chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}
