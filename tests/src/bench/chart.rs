//! The chart of the benchmark set: a line for each row, a mark for each peer, ratios on a logarithmic scale.

use std::fmt::Write;

use crate::bench::figures::{Figures, Metric, geometric_mean};
use crate::bench::report::{BASE, OURS};
use crate::bench::rows::ROWS;

const LINE: f64 = 17.0;
const TOP: f64 = 78.0;
const NAMES: f64 = 118.0;
const PANEL: f64 = 400.0;
const GAP: f64 = 36.0;
/// Ratios at the ends of the scale; what lies outside is drawn at the end.
const SCALE: [f64; 2] = [0.1, 4.0];
const COLOURS: [&str; 7] = ["#7f7f7f", "#2ca02c", "#1f77b4", "#9467bd", "#ff7f0e", "#8c564b", "#17becf"];

/// Where a ratio lies in a panel, from 0 to its width.
fn place(ratio: f64) -> f64 {
    let part = (ratio / SCALE[0]).ln() / (SCALE[1] / SCALE[0]).ln();
    part.clamp(0.0, 1.0) * PANEL
}

fn colour(peers: &[&str], peer: &str) -> &'static str {
    if peer == OURS {
        return "#d62728";
    }
    let others = peers.iter().filter(|peer| **peer != OURS && **peer != BASE);
    COLOURS[others.take_while(|other| **other != peer).count() % COLOURS.len()]
}

/// The chart as SVG, of the rows that have samples.
pub fn chart(figures: &Figures, peers: &[&str]) -> String {
    let rows: Vec<&str> = ROWS
        .iter()
        .filter(|row| row.timed() && figures.median(row.name, Metric::Time, BASE).is_some())
        .map(|row| row.name)
        .collect();
    let height = TOP + LINE * (rows.len() as f64 + 2.0);
    let width = NAMES + 2.0 * (PANEL + GAP);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" font-family=\"sans-serif\" \
         font-size=\"11\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n"
    );
    let mut at = NAMES;
    for peer in peers.iter().filter(|peer| **peer != BASE) {
        let fill = colour(peers, peer);
        let _ = writeln!(svg, "<circle cx=\"{at}\" cy=\"14\" r=\"4\" fill=\"{fill}\"/>");
        let _ = writeln!(svg, "<text x=\"{:.0}\" y=\"18\">{peer}</text>", at + 8.0);
        at += 96.0;
    }
    for (index, name) in rows.iter().chain([&"geometric mean"]).enumerate() {
        let y = TOP + LINE * index as f64;
        let weight = if index == rows.len() { " font-weight=\"bold\"" } else { "" };
        let _ = writeln!(
            svg,
            "<text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\"{weight}>{name}</text>",
            NAMES - 10.0,
            y + 4.0
        );
    }
    panel(&mut svg, figures, peers, &rows, NAMES, ("time (jemalloc = 1, left is faster)", Metric::Time));
    let second = NAMES + PANEL + GAP;
    panel(&mut svg, figures, peers, &rows, second, ("peak resident memory (left is smaller)", Metric::Peak));
    svg += "</svg>\n";
    svg
}

fn panel(
    svg: &mut String,
    figures: &Figures,
    peers: &[&str],
    rows: &[&str],
    left: f64,
    (title, metric): (&str, Metric),
) {
    let bottom = TOP + LINE * (rows.len() as f64 + 0.7);
    let _ = writeln!(svg, "<text x=\"{left:.0}\" y=\"42\" font-weight=\"bold\">{title}</text>");
    for tick in [0.1, 0.2, 0.5, 1.0, 2.0, 4.0] {
        let x = left + place(tick);
        let stroke = if tick == 1.0 { "#555" } else { "#ddd" };
        let _ = writeln!(
            svg,
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{:.0}\" y2=\"{bottom:.1}\" stroke=\"{stroke}\"/>\n\
             <text x=\"{x:.1}\" y=\"{:.0}\" text-anchor=\"middle\" fill=\"#555\">{tick}</text>",
            TOP - 12.0,
            TOP - 18.0
        );
    }
    // Ours last, so that it lies on top.
    let others = peers.iter().filter(|peer| **peer != BASE && **peer != OURS);
    for peer in others.chain(peers.iter().filter(|peer| **peer == OURS)) {
        let fill = colour(peers, peer);
        let radius = if *peer == OURS { 4.5 } else { 3.2 };
        let ratio = |row: &str| figures.ratio(row, metric, peer, BASE);
        let mean = geometric_mean(rows.iter().filter_map(|row| ratio(row)));
        let marks = rows.iter().map(|row| ratio(row)).chain([mean]);
        for (index, ratio) in marks.enumerate().filter_map(|(index, ratio)| Some((index, ratio?))) {
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\" fill=\"{fill}\" fill-opacity=\"0.85\">\
                 <title>{peer} {ratio:.2}</title></circle>",
                left + place(ratio),
                TOP + LINE * index as f64
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_logarithmic_and_closed() {
        assert_eq!(place(0.1), 0.0);
        assert_eq!(place(4.0), PANEL);
        assert_eq!(place(400.0), PANEL);
        let halves = place(1.0) - place(0.5);
        assert!((halves - (place(2.0) - place(1.0))).abs() < 1e-9);
    }

    #[test]
    fn every_peer_has_a_mark_in_every_row_and_in_the_mean() {
        let mut figures = Figures::default();
        for row in ["slots1", "slots2"] {
            for peer in [BASE, OURS, "other"] {
                figures.add(row, Metric::Time, peer, 1.0);
                figures.add(row, Metric::Peak, peer, 1e6);
            }
        }
        let svg = chart(&figures, &[BASE, OURS, "other"]);
        // Two peers in two panels: two rows and the mean each, and the legend.
        assert_eq!(svg.matches("<circle").count(), 2 * 2 * 3 + 2);
        assert!(svg.contains(">slots2</text>") && svg.ends_with("</svg>\n"));
    }
}
