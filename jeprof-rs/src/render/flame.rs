//! The flame graph: one SVG file that searches and zooms by itself.

use std::collections::BTreeMap;

use inferno::flamegraph::color::{BackgroundColor, BasicPalette, Palette};
use inferno::flamegraph::{Options, TextTruncateDirection, from_lines};

use super::{Output, Request};
use crate::aggregate::stacks::by_names;
use crate::error::{Error, Result};
use crate::plan::Part;
use crate::plan::choice::Metric;
use crate::units::{bytes_for_people, count_for_people, whole};

/// The row of this output.
pub const ROW: Output = Output {
    name: "flame",
    command: true,
    about: "Draw a flame graph of the heap (SVG on stdout)",
    examples: "\
Examples:
  jeprof-rs flame > heap.svg                    newest dump of this directory
  jeprof-rs flame svc.1234.0.f.heap > heap.svg  this dump; the program is found through it
  jeprof-rs flame --alloc_space -o churn.svg ./svc svc.*.heap
  curl -s http://host/heap | jeprof-rs flame - > heap.svg",
    parts: &[Part::Output, Part::Figure, Part::Selection, Part::Input, Part::Naming, Part::Picture],
    render,
    ..Output::BASE
};

fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    let stacks = by_names(request.view);
    if stacks.is_empty() {
        return Err(Error::new(request.explain_nothing()));
    }
    let shrunk: f64 = stacks.values().filter(|figure| **figure < 0.0).sum();
    if shrunk < 0.0 {
        let shrunk = people(request.plan.figure.metric, shrunk);
        request.warn(format!("stacks that shrank ({shrunk}) are not drawn"));
    }
    draw(&stacks, &caption(request, stacks.values().filter(|figure| **figure > 0.0).sum()))
}

fn people(metric: Metric, figure: f64) -> String {
    if metric.is_bytes() {
        bytes_for_people(figure)
    } else {
        format!("{} objects", count_for_people(whole(figure)))
    }
}

fn caption(request: &Request<'_>, total: f64) -> Caption {
    let (session, metric) = (request.session, request.plan.figure.metric);
    let what = match (session.base.is_empty(), metric.is_accumulated()) {
        (false, _) => "more than before",
        (true, true) => "allocated",
        (true, false) => "live",
    };
    let sampled = match session.profile.periods.as_slice() {
        [1] => "every allocation recorded".to_string(),
        [0] | [] => "sampling distance unknown".to_string(),
        [period] => format!("sampled every {} on average", bytes_for_people(*period as f64)),
        _ => "sampled at several distances".to_string(),
    };
    let dumps = match session.dumps.as_slice() {
        [one] => one.name.clone(),
        several => format!("{} dumps added up", several.len()),
    };
    let mut subtitle = format!("{}, {sampled}, {dumps}", metric.name());
    if let [base, ..] = session.base.as_slice() {
        subtitle.push_str(&format!(", minus {}", base.name));
    }
    Caption {
        title: format!("{}: {} {what}", session.program_name, people(metric, total)),
        subtitle,
        unit: if metric.is_bytes() { "bytes" } else { "objects" },
    }
}

/// Words around the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Caption {
    /// Program, figure and total.
    title: String,
    /// Where it comes from: sampling, number of dumps.
    subtitle: String,
    /// What the widths count: `bytes` or `objects`.
    unit: &'static str,
}

/// Narrower boxes (in percent of the width) are not drawn: a tenth of a pixel on a large screen.
const MIN_WIDTH_PERCENT: f64 = 0.01;

/// Draws stacks with a positive figure. The same stacks always give the same bytes.
///
/// # Errors
/// There is nothing to draw.
fn draw(stacks: &BTreeMap<String, f64>, caption: &Caption) -> Result<Vec<u8>> {
    let lines: Vec<String> = stacks
        .iter()
        .filter(|&(_, &figure)| whole(figure) > 0)
        .map(|(stack, &figure)| format!("{stack} {}", whole(figure)))
        .collect();
    if lines.is_empty() {
        return Err(Error::new("nothing to draw: no stack has a positive figure"));
    }
    let mut options = Options::default();
    options.title = caption.title.clone();
    options.subtitle = Some(caption.subtitle.clone());
    options.count_name = caption.unit.into();
    options.colors = Palette::Basic(BasicPalette::Mem);
    options.bgcolors = Some(BackgroundColor::Green);
    options.min_width = MIN_WIDTH_PERCENT;
    options.text_truncate_direction = TextTruncateDirection::Right;
    // Colours by name: the same function has the same colour in every picture.
    options.deterministic = true;
    options.font_size = 12;
    let mut svg = Vec::new();
    from_lines(&mut options, lines.iter().map(String::as_str), &mut svg)
        .map_err(|error| Error::at("flame graph", error))?;
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caption() -> Caption {
        Caption { title: "svc <1>".into(), subtitle: "1 dump".into(), unit: "bytes" }
    }

    #[test]
    fn the_picture_is_titled_counts_bytes_and_is_the_same_each_time() {
        let stacks =
            BTreeMap::from([("main;a<b>".into(), 300.0), ("main;c".into(), 100.0), ("main;d".into(), -9.0)]);
        let svg = draw(&stacks, &caption()).unwrap();
        assert_eq!(svg, draw(&stacks, &caption()).unwrap());
        let svg = String::from_utf8(svg).unwrap();
        for part in ["svc &lt;1&gt;", "1 dump", "a&lt;b&gt; (300 bytes, 75.00%)", "main (400 bytes", "search"]
        {
            assert!(svg.contains(part), "{part} is missing");
        }
        assert!(!svg.contains(">d ("));
    }

    #[test]
    fn nothing_positive_is_nothing_to_draw() {
        let stacks = BTreeMap::from([("main".into(), -3.0)]);
        assert!(draw(&stacks, &caption()).unwrap_err().to_string().contains("nothing to draw"));
    }
}
