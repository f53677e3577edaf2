//! The chart of the benchmark set: a line for each row, a mark for each peer, ratios on a logarithmic scale.

use std::fmt::Write;

use crate::bench::figures::{Figures, Metric, geometric_mean};
use crate::bench::report::{BASE, OURS};
use crate::bench::rows::ROWS;

const LINE: f64 = 17.0;
const TOP: f64 = 78.0;
const NAMES: f64 = 118.0;
const PANEL: f64 = 400.0;
/// Room left and right of a panel for what lies outside of the scale.
const MARGINS: [f64; 2] = [86.0, 48.0];
/// Ratios at the ends of the scale; what lies outside is told beside it.
const SCALE: [f64; 2] = [0.1, 4.0];
const COLOURS: [&str; 7] = ["#7f7f7f", "#2ca02c", "#1f77b4", "#9467bd", "#ff7f0e", "#8c564b", "#17becf"];

/// Where a ratio lies in a panel: from 0 to its width, or outside.
fn place(ratio: f64) -> f64 {
    (ratio / SCALE[0]).ln() / (SCALE[1] / SCALE[0]).ln() * PANEL
}

/// An end of the scale, with the ratios of one line that lie behind it, and their colours.
struct Beyond<'a> {
    left: bool,
    /// Where the panel ends.
    edge: f64,
    y: f64,
    ratios: Vec<(&'a str, &'static str, f64)>,
}

impl Beyond<'_> {
    /// Draws an arrowhead for each ratio, and the numbers in the same order and colours behind them.
    fn draw(&self, svg: &mut String) {
        const STEP: f64 = 8.0;
        let (away, anchor) = if self.left { (-1.0, "end") } else { (1.0, "start") };
        let mut at = self.edge + away * 4.0;
        for (peer, fill, ratio) in &self.ratios {
            let _ = writeln!(
                svg,
                "<polygon points=\"{at:.1},{:.1} {at:.1},{:.1} {:.1},{:.1}\" fill=\"{fill}\">\
                 <title>{peer} {ratio:.2}</title></polygon>",
                self.y - 4.0,
                self.y + 4.0,
                at + away * 6.0,
                self.y
            );
            at += away * STEP;
        }
        let mut numbers: Vec<String> = self
            .ratios
            .iter()
            .map(|(_, fill, ratio)| {
                let digits = if *ratio < 0.1 { 2 } else { 1 };
                format!("<tspan fill=\"{fill}\">{ratio:.digits$}</tspan>")
            })
            .collect();
        if self.left {
            numbers.reverse();
        }
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" font-size=\"8\" text-anchor=\"{anchor}\">{}</text>",
            at + away,
            self.y + 3.0,
            numbers.join(" ")
        );
    }
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
    let width = NAMES + 2.0 * (MARGINS[0] + PANEL + MARGINS[1]);
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
    panel(
        &mut svg,
        figures,
        peers,
        &rows,
        NAMES + MARGINS[0],
        ("time (jemalloc = 1, left is faster)", Metric::Time),
    );
    let second = NAMES + 2.0 * MARGINS[0] + PANEL + MARGINS[1];
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
    // For each line what lies left and right of the scale.
    let mut beyond = vec![[const { Vec::new() }; 2]; rows.len() + 1];
    // Ours last, so that it lies on top.
    let others = peers.iter().filter(|peer| **peer != BASE && **peer != OURS);
    for peer in others.chain(peers.iter().filter(|peer| **peer == OURS)) {
        let fill = colour(peers, peer);
        let radius = if *peer == OURS { 4.5 } else { 3.2 };
        let ratio = |row: &str| figures.ratio(row, metric, peer, BASE);
        let mean = geometric_mean(rows.iter().filter_map(|row| ratio(row)));
        let marks = rows.iter().map(|row| ratio(row)).chain([mean]);
        for (index, ratio) in marks.enumerate().filter_map(|(index, ratio)| Some((index, ratio?))) {
            let (x, y) = (place(ratio), TOP + LINE * index as f64);
            if !(0.0..=PANEL).contains(&x) {
                beyond[index][(x > PANEL) as usize].push((*peer, fill, ratio));
                continue;
            }
            let _ = writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{y:.1}\" r=\"{radius}\" fill=\"{fill}\" fill-opacity=\"0.85\">\
                 <title>{peer} {ratio:.2}</title></circle>",
                left + x
            );
        }
    }
    for (index, ends) in beyond.into_iter().enumerate() {
        let y = TOP + LINE * index as f64;
        for (ratios, (left, edge)) in ends.into_iter().zip([(true, left), (false, left + PANEL)]) {
            if !ratios.is_empty() {
                Beyond { left, edge, y, ratios }.draw(svg);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_is_logarithmic() {
        assert_eq!(place(0.1), 0.0);
        assert_eq!(place(4.0), PANEL);
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

    #[test]
    fn what_lies_outside_of_the_scale_has_an_arrowhead_and_its_number() {
        let mut figures = Figures::default();
        let all = [(BASE, 1.0, 1e6), (OURS, 0.05, 1e6), ("other", 0.02, 2e6), ("third", 10.76, 3e6)];
        for (peer, time, peak) in all {
            figures.add("slots1", Metric::Time, peer, time);
            figures.add("slots1", Metric::Peak, peer, peak);
        }
        let svg = chart(&figures, &[BASE, OURS, "other", "third"]);
        // Three in the row and in the mean, which is that of one row; the other panel has circles for all.
        assert_eq!(svg.matches("<polygon").count(), 2 * 3);
        assert_eq!(svg.matches("<circle").count(), 2 * 3 + 3);
        let numbers = |anchor: &str| {
            let text = svg
                .lines()
                .find(|line| line.contains(&format!("font-size=\"8\" text-anchor=\"{anchor}\"")))
                .unwrap();
            let of = |part: &str| part.split_once('>').map(|(_, number)| number.to_owned());
            text.split("</tspan>").filter_map(|part| of(part.split_once("<tspan")?.1)).collect::<Vec<_>>()
        };
        assert_eq!(numbers("end"), ["0.05", "0.02"]);
        assert_eq!(numbers("start"), ["10.8"]);
    }
}
