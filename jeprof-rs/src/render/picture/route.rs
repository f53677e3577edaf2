//! The way of each arrow, its head, and the place of its label.

use super::order::Net;
use super::place::Band;
use super::{Anchor, Edge, LABEL_SIZE, PlacedArrow, PlacedBox, PlacedText, Point, Rect, text};

/// How far a loop stands out from its box.
pub const LOOP_WIDTH: f64 = 34.0;
/// Part of a box's edge that arrows may end at.
const PORTS: f64 = 0.8;
/// Ends of arrows at one box are at most this far apart.
const PORT_GAP: f64 = 30.0;
/// Shares of the way at which a label may stand, the best first.
const LABEL_PLACES: [f64; 9] = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9];

/// A curve for every arrow, in their order, without labels.
pub fn arrows(
    net: &Net,
    edges: &[&Edge],
    boxes: &[PlacedBox],
    x: &[f64],
    bands: &[Band],
) -> Vec<PlacedArrow> {
    let ports = ports(net, edges, boxes, x);
    edges
        .iter()
        .enumerate()
        .map(|(index, edge)| {
            let chain = &net.chains[index];
            let curve = if chain.is_empty() {
                around(&boxes[edge.from].rect)
            } else {
                let mut curve = through(net, chain, boxes, ports[index], x, bands);
                if chain[0] != edge.from {
                    curve.reverse();
                }
                curve
            };
            finished(edge, curve)
        })
        .collect()
}

/// Adds the head to a curve that ends at the box it points at, and shortens the curve to the back of the head.
fn finished(edge: &Edge, curve: Vec<Point>) -> PlacedArrow {
    let tip = curve[curve.len() - 1];
    let before = curve[curve.len() - 2];
    let (dx, dy) = (tip.x - before.x, tip.y - before.y);
    let long = dx.hypot(dy).max(f64::MIN_POSITIVE);
    PlacedArrow::with_head(edge, curve, tip, (dx / long, dy / long))
}

impl PlacedArrow {
    /// A curve and a head whose tip looks in `direction`, a vector of length 1.
    pub fn with_head(edge: &Edge, mut curve: Vec<Point>, tip: Point, direction: (f64, f64)) -> PlacedArrow {
        let (length, half) = (7.0 + 1.5 * edge.width, 2.6 + 0.9 * edge.width);
        let (dx, dy) = direction;
        let back = Point { x: tip.x - dx * length, y: tip.y - dy * length };
        let head = [
            tip,
            Point { x: back.x - dy * half, y: back.y + dx * half },
            Point { x: back.x + dy * half, y: back.y - dx * half },
        ];
        if let Some(last) = curve.last_mut() {
            *last = back;
        }
        PlacedArrow {
            from: edge.from,
            to: edge.to,
            curve,
            head,
            width: edge.width,
            dashed: edge.dashed,
            label: None,
            tooltip: edge.tooltip.clone(),
        }
    }
}

/// Where each arrow leaves the upper and reaches the lower box: side by side, in the order of where they go.
fn ports(net: &Net, edges: &[&Edge], boxes: &[PlacedBox], x: &[f64]) -> Vec<(f64, f64)> {
    let mut ports = vec![(0.0, 0.0); edges.len()];
    let mut upper: Vec<Vec<(f64, usize)>> = vec![Vec::new(); boxes.len()];
    let mut lower: Vec<Vec<(f64, usize)>> = vec![Vec::new(); boxes.len()];
    for (index, chain) in net.chains.iter().enumerate().filter(|(_, chain)| !chain.is_empty()) {
        let last = chain.len() - 1;
        upper[chain[0]].push((x[chain[1]], index));
        lower[chain[last]].push((x[chain[last - 1]], index));
    }
    for (node, placed) in boxes.iter().enumerate() {
        for (list, is_upper) in [(&mut upper[node], true), (&mut lower[node], false)] {
            list.sort_by(|a, b| a.0.total_cmp(&b.0));
            let between = (placed.rect.width * PORTS / list.len().max(1) as f64).min(PORT_GAP);
            let first = x[node] - between * list.len().saturating_sub(1) as f64 / 2.0;
            for (place, &(_, index)) in list.iter().enumerate() {
                let at = first + between * place as f64;
                if is_upper {
                    ports[index].0 = at;
                } else {
                    ports[index].1 = at;
                }
            }
        }
    }
    ports
}

/// From the upper to the lower end: curved between the rows, upright through the rows, so that no box is crossed.
fn through(
    net: &Net,
    chain: &[usize],
    boxes: &[PlacedBox],
    (out, into): (f64, f64),
    x: &[f64],
    bands: &[Band],
) -> Vec<Point> {
    let (top, bottom) = (&boxes[chain[0]].rect, &boxes[chain[chain.len() - 1]].rect);
    let mut curve = vec![Point { x: out, y: top.y + top.height }];
    let (first, last) = (bands[net.rank_of(chain[0])], bands[net.rank_of(chain[chain.len() - 1])]);
    // Beside a box there may be higher ones in its row.
    upright(&mut curve, first.bottom);
    for &bend in &chain[1..chain.len() - 1] {
        let band = bands[net.rank_of(bend)];
        bow(&mut curve, Point { x: x[bend], y: band.top });
        upright(&mut curve, band.bottom);
    }
    bow(&mut curve, Point { x: into, y: last.top.min(bottom.y) });
    upright(&mut curve, bottom.y);
    curve
}

/// Leaves and arrives upright.
fn bow(curve: &mut Vec<Point>, to: Point) {
    let from = curve[curve.len() - 1];
    let half = (to.y - from.y) / 2.0;
    curve.extend([Point { x: from.x, y: from.y + half }, Point { x: to.x, y: to.y - half }, to]);
}

/// Straight down, if that is down at all.
fn upright(curve: &mut Vec<Point>, to: f64) {
    let from = curve[curve.len() - 1];
    let down = to - from.y;
    if down > 0.0 {
        curve.extend([1.0, 2.0, 3.0].map(|part| Point { x: from.x, y: from.y + down * part / 3.0 }));
    }
}

/// A loop at the right side of a box.
fn around(rect: &Rect) -> Vec<Point> {
    let side = rect.x + rect.width;
    let far = side + LOOP_WIDTH;
    // The end comes in level, so that the head stands outside the box.
    let (start, end) = (rect.y + rect.height * 0.25, rect.y + rect.height * 0.75);
    let (upper, lower) = (start.min(end - 8.0) - 4.0, end + 4.0);
    vec![
        Point { x: side, y: start },
        Point { x: far, y: upper },
        Point { x: far, y: lower },
        Point { x: side, y: end },
    ]
}

/// Puts labels beside the arrows, where they cover the least of boxes and other labels.
pub fn label(arrows: &mut [PlacedArrow], edges: &[&Edge], boxes: &[PlacedBox]) {
    let mut taken = Taken::default();
    boxes.iter().for_each(|placed| taken.add(placed.rect));
    for (arrow, edge) in arrows.iter_mut().zip(edges) {
        let words = text::printable(&edge.label);
        if words.is_empty() {
            continue;
        }
        let wide = text::width(&words, LABEL_SIZE);
        let mut best: Option<(f64, Rect)> = None;
        'places: for share in LABEL_PLACES {
            let on = point_at(&arrow.curve, share);
            for left in [on.x + 4.0, on.x - 4.0 - wide] {
                let rect = Rect { x: left, y: on.y - LABEL_SIZE / 2.0, width: wide, height: LABEL_SIZE };
                let covered = taken.covered(&rect);
                if best.is_none_or(|(least, _)| covered < least) {
                    best = Some((covered, rect));
                }
                if covered == 0.0 {
                    break 'places;
                }
            }
        }
        if let Some((_, rect)) = best {
            taken.add(rect);
            let at = Point { x: rect.x, y: rect.y + LABEL_SIZE * 0.84 };
            arrow.label = Some(PlacedText {
                text: words,
                at,
                font_size: LABEL_SIZE,
                width: wide,
                anchor: Anchor::Start,
            });
        }
    }
}

/// The point after this share of the pieces of a curve.
fn point_at(curve: &[Point], share: f64) -> Point {
    let pieces = (curve.len() - 1) / 3;
    let along = share * pieces as f64;
    let piece = (along as usize).min(pieces.saturating_sub(1));
    let t = along - piece as f64;
    let [a, b, c, d] = [0, 1, 2, 3].map(|offset| curve[piece * 3 + offset]);
    let s = 1.0 - t;
    let mix = |a: f64, b: f64, c: f64, d: f64| {
        s * s * s * a + 3.0 * s * s * t * b + 3.0 * s * t * t * c + t * t * t * d
    };
    Point { x: mix(a.x, b.x, c.x, d.x), y: mix(a.y, b.y, c.y, d.y) }
}

/// Rectangles by the square of a grid, so that a label is compared with its neighbourhood only.
#[derive(Default)]
struct Taken {
    squares: std::collections::HashMap<(i64, i64), Vec<Rect>>,
}

impl Taken {
    const SQUARE: f64 = 128.0;

    fn squares_of(rect: &Rect) -> impl Iterator<Item = (i64, i64)> + use<> {
        let square = |at: f64| (at / Taken::SQUARE).floor() as i64;
        let rows = square(rect.y)..=square(rect.y + rect.height);
        let columns = square(rect.x)..=square(rect.x + rect.width);
        rows.flat_map(move |row| columns.clone().map(move |column| (column, row)))
    }

    fn add(&mut self, rect: Rect) {
        for square in Taken::squares_of(&rect) {
            self.squares.entry(square).or_default().push(rect);
        }
    }

    /// The covered area; what lies in two squares counts twice, which does no harm.
    fn covered(&self, rect: &Rect) -> f64 {
        Taken::squares_of(rect)
            .filter_map(|square| self.squares.get(&square))
            .flatten()
            .map(|other| rect.overlap(other))
            .sum()
    }
}
