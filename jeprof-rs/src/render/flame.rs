//! The flame graph: one SVG file that searches and zooms by itself.

use std::collections::BTreeMap;

use inferno::flamegraph::color::{BackgroundColor, BasicPalette, Palette};
use inferno::flamegraph::{Options, TextTruncateDirection, from_lines};

use crate::error::{Error, Result};
use crate::units::whole;

/// Words around the picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caption {
    /// Program, figure and total.
    pub title: String,
    /// Where it comes from: sampling, number of dumps.
    pub subtitle: String,
    /// What the widths count: `bytes` or `objects`.
    pub unit: &'static str,
}

/// Narrower boxes (in percent of the width) are not drawn: a tenth of a pixel on a large screen.
const MIN_WIDTH_PERCENT: f64 = 0.01;

/// Draws stacks with a positive figure. The same stacks always give the same bytes.
///
/// # Errors
/// There is nothing to draw.
pub fn render(stacks: &BTreeMap<String, f64>, caption: &Caption) -> Result<Vec<u8>> {
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
        let svg = render(&stacks, &caption()).unwrap();
        assert_eq!(svg, render(&stacks, &caption()).unwrap());
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
        assert!(render(&stacks, &caption()).unwrap_err().to_string().contains("nothing to draw"));
    }
}
