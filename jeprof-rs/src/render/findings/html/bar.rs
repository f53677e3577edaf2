//! A figure with its bounds against what is allowed, as a picture of the height of a line.

use crate::check::finding::Measured;
use crate::render::findings::xml;

/// Size of the picture, in pixels.
const SIZE: (f64, f64) = (160.0, 16.0);

/// Room at both ends, so that a line at the very end is seen whole.
const MARGIN: f64 = 2.0;

/// Draws a figure as a bar from zero, its bounds as a line with ends, and the limit across both, each where it is finite.
/// Without a limit the picture ends at `most`, so that several can be compared; `words` say the same.
pub fn bar(figure: &Measured, limit: Option<f64>, most: f64, words: &str) -> String {
    let scale = Scale::new(figure, limit, most);
    let (zero, value) = (scale.x(0.0), scale.x(figure.value));
    let words = xml::text(words);
    let (width, height) = SIZE;
    let mut out = format!(
        "<svg class=\"bar\" xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" \
         height=\"{height}\" role=\"img\" aria-label=\"{words}\"><title>{words}</title>\
         <rect class=\"track\" x=\"0\" y=\"7\" width=\"{width}\" height=\"2\"/>\
         <rect class=\"amount\" x=\"{:.1}\" y=\"4\" width=\"{:.1}\" height=\"8\"/>",
        zero.min(value),
        (value - zero).abs(),
    );
    if !figure.is_exact() {
        let (low, high) = (scale.x(figure.low), scale.x(figure.high));
        out += &format!("<path class=\"bounds\" d=\"M{low:.1} 3v10M{low:.1} 8H{high:.1}M{high:.1} 3v10\"/>");
    }
    if let Some(limit) = limit {
        out += &format!("<path class=\"limit\" d=\"M{:.1} 0v{height}\"/>", scale.x(limit));
    }
    out + "</svg>"
}

/// From a figure to a place in the picture.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    fn new(figure: &Measured, limit: Option<f64>, most: f64) -> Scale {
        let ends = [figure.value, figure.low, figure.high, limit.unwrap_or(most)];
        let finite = ends.into_iter().filter(|end| end.is_finite());
        let (low, high) = finite.fold((0.0_f64, 0.0_f64), |(low, high), end| (low.min(end), high.max(end)));
        Scale { low, high: if high > low { high } else { low + 1.0 } }
    }

    fn x(&self, value: f64) -> f64 {
        let share = (value - self.low) / (self.high - self.low);
        MARGIN + share.clamp(0.0, 1.0) * (SIZE.0 - 2.0 * MARGIN)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(value: f64, low: f64, high: f64) -> Measured {
        Measured { value, low, high, samples: None }
    }

    /// The numbers of an element of this class.
    fn numbers(picture: &str, class: &str) -> Vec<f64> {
        let tree = roxmltree::Document::parse(picture).unwrap();
        let element = tree.descendants().find(|node| node.attribute("class") == Some(class));
        let text = element.map_or(String::new(), |node| {
            ["d", "x", "width"].iter().filter_map(|name| node.attribute(*name)).collect::<Vec<_>>().join(" ")
        });
        let words = text.split(|letter: char| !letter.is_ascii_digit() && letter != '.');
        words.filter_map(|word| word.parse().ok()).collect()
    }

    #[test]
    fn bar_bounds_and_limit_lie_as_their_figures_do() {
        let picture = bar(&measured(50.0, 25.0, 100.0), Some(75.0), 0.0, "a < b");
        assert_eq!(numbers(&picture, "amount"), [2.0, 78.0]);
        assert_eq!(numbers(&picture, "bounds"), [41.0, 3.0, 10.0, 41.0, 8.0, 158.0, 158.0, 3.0, 10.0]);
        assert_eq!(numbers(&picture, "limit"), [119.0, 0.0, 16.0]);
        // Exact figures have no bounds, what is compared with others no limit.
        let picture = bar(&measured(50.0, 50.0, 50.0), None, 200.0, "");
        assert_eq!(numbers(&picture, "amount"), [2.0, 39.0]);
        assert!(!picture.contains("bounds") && !picture.contains("limit"), "{picture}");
    }

    #[test]
    fn less_goes_to_the_left_and_what_is_not_known_reaches_both_ends() {
        let picture = bar(&measured(-50.0, -100.0, 0.0), Some(0.0), 0.0, "");
        assert_eq!(numbers(&picture, "amount"), [80.0, 78.0]);
        let picture = bar(&measured(0.0, f64::NEG_INFINITY, f64::INFINITY), Some(10.0), 0.0, "");
        assert_eq!(numbers(&picture, "bounds")[..1], [2.0]);
        assert_eq!(numbers(&picture, "bounds")[5..7], [158.0, 158.0]);
        let nothing = bar(&measured(0.0, 0.0, 0.0), None, 0.0, "");
        assert!(!nothing.contains("NaN") && !nothing.contains("inf"), "{nothing}");
    }
}
