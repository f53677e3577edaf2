//! A flame graph as a part of a page: boxes, names and figures as `flame` draws them, without the script, the style sheet
//! and the captions that make a file of them.

use std::sync::LazyLock;

use regex::Regex;

use super::flame::{Caption, Folded, draw};
use crate::aggregate::paths::{Paths, Root};
use crate::error::{Error, Result};
use crate::plan::PicturePlan;
use crate::plan::choice::Granularity;
use crate::transform::View;

/// Width of the drawing, which a page scales to its own, in pixels.
const WIDTH: usize = 1200;

/// Boxes narrower than this, in percent of the width, are folded into their parents: about a pixel.
const WIDTH_PERCENT_MIN: f64 = 0.1;

/// A box: what is before and behind the attributes that only the drawing crate's script reads.
static RECTANGLE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"<rect x="([^"]*)" y="(\d+)" width="([^"]*)" height="(\d+)" fill="([^"]*)"[^>]*/>"#)
        .expect("the expression is tested")
});

/// Draws the bytes of a view as an `svg` element of the class `flame`; `None` where no stack has any.
///
/// # Errors
/// The drawing crate refuses the stacks, or draws in a way that is not known here.
pub fn flame(view: &View<'_>) -> Result<Option<String>> {
    let paths = Paths::new(view, Granularity::Functions, Root::Callers);
    let folded = Folded::new(&paths, false, WIDTH_PERCENT_MIN / 100.0);
    if folded.lines.is_empty() {
        return Ok(None);
    }
    let picture = PicturePlan {
        width: Some(WIDTH),
        width_percent_min: Some(WIDTH_PERCENT_MIN),
        ..PicturePlan::default()
    };
    let caption = Caption { unit: "bytes".into(), ..Caption::default() };
    let svg = draw(&folded.lines, &picture, &caption, false)?;
    part(&String::from_utf8_lossy(&svg)).map(Some)
}

/// Cuts the boxes out of a file. Names are escaped in it, so that what looks like a tag is one.
fn part(file: &str) -> Result<String> {
    let unknown = || Error::at("flame graph", "the drawing has no boxes");
    let boxes = file.split_once("<svg id=\"frames\"").ok_or_else(unknown)?.1;
    let boxes = boxes.split_once('>').ok_or_else(unknown)?.1;
    let boxes = boxes.trim_end().strip_suffix("</svg></svg>").ok_or_else(unknown)?;
    let extent = RECTANGLE.captures_iter(boxes).map(|found| {
        let number = |index: usize| found[index].parse::<usize>().unwrap_or(0);
        (number(2), number(2) + number(4))
    });
    let (top, bottom) = extent.reduce(|all, one| (all.0.min(one.0), all.1.max(one.1))).ok_or_else(unknown)?;
    let boxes = RECTANGLE.replace_all(boxes, r#"<rect x="$1" y="$2" width="$3" height="$4" fill="$5"/>"#);
    Ok(format!(
        "<svg class=\"flame\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 {top} {WIDTH} {}\" role=\"img\" \
         aria-label=\"Flame graph\">{boxes}</svg>",
        bottom - top
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::example;
    use crate::plan::Plan;

    fn drawn(stacks: &[(&str, f64)]) -> Option<String> {
        let example = example(stacks);
        let plan = Plan::default();
        flame(&View::new(&example.profile, &example.symbols, &plan)).unwrap()
    }

    #[test]
    fn boxes_stay_and_what_is_around_them_goes() {
        let svg = drawn(&[("main;a<b", 300.0), ("main;c", 100.0)]).unwrap();
        let tree = roxmltree::Document::parse(&svg).unwrap();
        let titles: Vec<&str> = tree
            .descendants()
            .filter(|node| node.has_tag_name("title"))
            .filter_map(|node| node.text())
            .collect();
        assert_eq!(
            titles,
            [
                "a<b (300 bytes, 75.00%)",
                "all (400 bytes, 100%)",
                "main (400 bytes, 100.00%)",
                "c (100 bytes, 25.00%)"
            ]
        );
        for gone in ["script", "style", "onload", "fg:", "Search", "Reset Zoom"] {
            assert!(!svg.contains(gone), "{gone}: {svg}");
        }
        // Three rows of boxes of 16 pixels, of which one is kept free.
        assert!(svg.contains("viewBox=\"0 ") && svg.contains(" 1200 47\""), "{svg}");
        assert_eq!(svg, drawn(&[("main;a<b", 300.0), ("main;c", 100.0)]).unwrap());
    }

    #[test]
    fn nothing_is_no_picture() {
        assert_eq!(drawn(&[("main", -5.0)]), None);
    }

    #[test]
    fn a_name_that_looks_like_the_end_or_a_box_is_none() {
        let rect = r#"<rect x="1" y="9999" width="1" height="1" fill="f" onload="x"/>"#;
        let lines = [format!("{rect}</svg></svg> 5")];
        let file = draw(&lines, &PicturePlan::default(), &Caption::default(), false).unwrap();
        let svg = part(&String::from_utf8(file).unwrap()).unwrap();
        let tree = roxmltree::Document::parse(&svg).unwrap();
        assert_eq!(tree.descendants().filter(|node| node.has_tag_name("rect")).count(), 2, "{svg}");
        assert!(svg.contains(" 1200 31\""), "{svg}");
    }
}
