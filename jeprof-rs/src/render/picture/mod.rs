//! A graph as a picture, without Graphviz: boxes with text, arrows between them, words above.
//!
//! A [`Picture`] says what to draw; `layers`, `order`, `place` and `route` decide where (a layered drawing: callers above
//! callees, after Gansner, Koutsofios, North and Vo, "A technique for drawing directed graphs", 1993); `svg` and `pdf`
//! write the result. Nothing here knows of profiles.
//!
//! The layout is ours because the crates that offer one were measured and did not do: a port of dagre takes 40 s for 500
//! boxes and 1,200 arrows, layout-rs 52 s for 80 boxes and 300 arrows that form circles, and rust-sugiyama is fast but
//! tells neither where long arrows run nor heeds how heavy they are. Ours draws these in under 0.1 s.

pub mod graphviz;
mod layers;
mod order;
mod pdf;
mod place;
mod route;
mod svg;
#[cfg(test)]
mod tests;
mod text;

pub use pdf::pdf;
pub use svg::svg;

/// What to draw. Arrows name boxes by their index; those that name none are left out.
#[derive(Clone, Debug, Default)]
pub struct Picture {
    /// The name of the document.
    pub title: String,
    /// Lines above the picture.
    pub legend: Vec<String>,
    /// Boxes, the most important first: ties are decided in their favour.
    pub nodes: Vec<Node>,
    /// Arrows, the most important first.
    pub edges: Vec<Edge>,
}

/// One box.
#[derive(Clone, Debug)]
pub struct Node {
    /// Text inside; long lines are broken, and lines past the tenth are left out.
    pub lines: Vec<Line>,
    /// What a reader sees who points at the box.
    pub tooltip: String,
    /// In points.
    pub font_size: f64,
    /// Fill and border.
    pub look: Look,
}

/// A line of text in a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Any text: control characters are drawn as blanks.
    pub text: String,
    /// Where it stands in the box.
    pub side: Side,
}

/// Where a line of text stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Center,
    Right,
}

/// How a box looks. Told apart without colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    Plain,
    /// Filled grey.
    Filled,
    /// Three lines around it.
    TripleBorder,
}

/// One arrow.
#[derive(Clone, Debug)]
pub struct Edge {
    /// Index of the box it leaves.
    pub from: usize,
    /// Index of the box it points at.
    pub to: usize,
    /// Text beside it.
    pub label: String,
    /// What a reader sees who points at it.
    pub tooltip: String,
    /// Line width in points.
    pub width: f64,
    pub dashed: bool,
    /// How much it matters that the arrow is short and straight, from 1.
    pub weight: f64,
}

/// A place in points, from the upper left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    pub x: f64,
    pub y: f64,
}

/// A rectangle in points.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rect {
    pub x: f64,
    pub y: f64,
    pub width: f64,
    pub height: f64,
}

impl Rect {
    /// The area that both cover.
    fn overlap(&self, other: &Rect) -> f64 {
        let width = (self.x + self.width).min(other.x + other.width) - self.x.max(other.x);
        let height = (self.y + self.height).min(other.y + other.height) - self.y.max(other.y);
        width.max(0.0) * height.max(0.0)
    }
}

/// A picture with places: all that a writer of files needs.
#[derive(Clone, Debug)]
pub struct Drawing {
    pub title: String,
    pub width: f64,
    pub height: f64,
    pub legend: Vec<PlacedText>,
    pub boxes: Vec<PlacedBox>,
    pub arrows: Vec<PlacedArrow>,
}

/// A line of text at its place.
#[derive(Clone, Debug)]
pub struct PlacedText {
    pub text: String,
    /// The left end of the base line.
    pub at: Point,
    pub font_size: f64,
    /// How wide the text is in Helvetica.
    pub width: f64,
    /// The end that must stay where it is if the reader's font is wider or narrower.
    pub anchor: Anchor,
}

/// The fixed end of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// A box at its place.
#[derive(Clone, Debug)]
pub struct PlacedBox {
    pub rect: Rect,
    pub look: Look,
    pub lines: Vec<PlacedText>,
    pub tooltip: String,
}

/// An arrow at its place.
#[derive(Clone, Debug)]
pub struct PlacedArrow {
    pub from: usize,
    pub to: usize,
    /// A start and three more points for each Bezier curve of degree three.
    pub curve: Vec<Point>,
    /// Tip, then the two other corners.
    pub head: [Point; 3],
    pub width: f64,
    pub dashed: bool,
    pub label: Option<PlacedText>,
    pub tooltip: String,
}

/// Space around the whole.
const MARGIN: f64 = 12.0;
/// A box that is empty would not be seen.
const SMALLEST_BOX: (f64, f64) = (27.0, 18.0);
/// Between the text and the border.
const PADDING: (f64, f64) = (6.0, 4.0);
/// Height of a line in font sizes.
const LINE_HEIGHT: f64 = 1.2;
/// From the upper edge of a line to its base line, in font sizes.
const BASE_LINE: f64 = 0.92;
/// Lines of text in one box.
const MOST_LINES: usize = 10;
const LABEL_SIZE: f64 = 11.0;

/// A box with its text broken into lines.
struct Sized {
    lines: Vec<(String, Side, f64)>,
    width: f64,
    height: f64,
}

fn measure(node: &Node) -> Sized {
    let size = node.font_size;
    let mut lines: Vec<(String, Side, f64)> = Vec::new();
    let broken = node.lines.iter().flat_map(|line| {
        text::wrap(&text::printable(&line.text), text::widest(size)).into_iter().map(|part| (part, line.side))
    });
    for (part, side) in broken {
        let width = text::width(&part, size);
        lines.push((part, side, width));
    }
    if lines.len() > MOST_LINES {
        // The figures come last and matter more than the middle of a name.
        let tail = node.lines.iter().rev().take_while(|line| line.side == Side::Right).count();
        let tail = lines.split_off(lines.len() - tail.min(MOST_LINES / 2));
        lines.truncate(MOST_LINES - tail.len());
        if let Some((text, _, width)) = lines.last_mut() {
            text.push('\u{2026}');
            *width = text::width(text, size);
        }
        lines.extend(tail);
    }
    let width = lines.iter().map(|(_, _, width)| *width).fold(0.0, f64::max) + 2.0 * PADDING.0;
    let height = lines.len() as f64 * size * LINE_HEIGHT + 2.0 * PADDING.1;
    Sized { lines, width: width.max(SMALLEST_BOX.0), height: height.max(SMALLEST_BOX.1) }
}

impl Sized {
    fn placed(self, node: &Node, at: Point) -> PlacedBox {
        let rect = Rect { x: at.x, y: at.y, width: self.width, height: self.height };
        let text_height = self.lines.len() as f64 * node.font_size * LINE_HEIGHT;
        let top = at.y + (self.height - text_height) / 2.0;
        let lines = self.lines.into_iter().enumerate().map(|(row, (text, side, width))| {
            let (x, anchor) = match side {
                Side::Center => (at.x + (rect.width - width) / 2.0, Anchor::Middle),
                Side::Right => (at.x + rect.width - PADDING.0 - width, Anchor::End),
            };
            let y = top + (row as f64 * LINE_HEIGHT + BASE_LINE) * node.font_size;
            PlacedText { text, at: Point { x, y }, font_size: node.font_size, width, anchor }
        });
        PlacedBox { rect, look: node.look, lines: lines.collect(), tooltip: node.tooltip.clone() }
    }
}

/// Gives everything its place. The same picture always comes out the same.
///
/// Cost: 80 boxes take milliseconds; 2,000 boxes with 3,000 arrows take under two seconds.
pub fn layout(picture: &Picture) -> Drawing {
    let sizes: Vec<Sized> = picture.nodes.iter().map(measure).collect();
    let edges: Vec<&Edge> =
        picture.edges.iter().filter(|edge| edge.from < sizes.len() && edge.to < sizes.len()).collect();
    let pairs: Vec<layers::Link> = edges
        .iter()
        .map(|edge| layers::Link { from: edge.from, to: edge.to, weight: edge.weight.max(1.0) })
        .collect();
    let ranks = layers::rank(sizes.len(), &pairs);
    let mut net = order::Net::new(&ranks, &pairs);
    net.untangle();
    let spaces: Vec<place::Space> = (0..sizes.len())
        .map(|node| {
            let loops: f64 = edges
                .iter()
                .filter(|edge| edge.from == node && edge.to == node)
                .map(|edge| route::LOOP_WIDTH + text::width(&edge.label, LABEL_SIZE))
                .fold(0.0, f64::max);
            place::Space { left: sizes[node].width / 2.0, right: sizes[node].width / 2.0 + loops }
        })
        .collect();
    let x = place::columns(&net, &spaces);
    let heights: Vec<f64> = sizes.iter().map(|size| size.height).collect();
    let bands = place::bands(&net, &heights, &x);

    let boxes: Vec<PlacedBox> = sizes
        .into_iter()
        .zip(&picture.nodes)
        .enumerate()
        .map(|(index, (size, node))| {
            let middle = bands[net.rank_of(index)].middle();
            let at = Point { x: x[index] - size.width / 2.0, y: middle - size.height / 2.0 };
            size.placed(node, at)
        })
        .collect();
    let mut arrows = route::arrows(&net, &edges, &boxes, &x, &bands);
    route::label(&mut arrows, &edges, &boxes);
    Drawing::framed(picture, boxes, arrows)
}

impl Drawing {
    /// Puts the words above and moves everything so that it begins at the margin.
    fn framed(picture: &Picture, boxes: Vec<PlacedBox>, arrows: Vec<PlacedArrow>) -> Drawing {
        let mut drawing = Drawing {
            title: text::printable(&picture.title),
            width: 0.0,
            height: 0.0,
            legend: Vec::new(),
            boxes,
            arrows,
        };
        let mut corners = (Point { x: f64::MAX, y: f64::MAX }, Point { x: f64::MIN, y: f64::MIN });
        drawing.every_point(|point| {
            corners.0 = Point { x: corners.0.x.min(point.x), y: corners.0.y.min(point.y) };
            corners.1 = Point { x: corners.1.x.max(point.x), y: corners.1.y.max(point.y) };
        });
        let (low, high) = corners;
        let (width, height) = if low.x <= high.x { (high.x - low.x, high.y - low.y) } else { (0.0, 0.0) };
        // Readable when the whole of a wide picture is on the screen.
        let size = (width / 70.0).clamp(13.0, 40.0);
        let mut y = MARGIN;
        let mut widest: f64 = 0.0;
        for line in &picture.legend {
            let text = text::printable(line);
            let wide = text::width(&text, size);
            widest = widest.max(wide);
            let at = Point { x: MARGIN, y: y + BASE_LINE * size };
            y += size * LINE_HEIGHT;
            drawing.legend.push(PlacedText { text, at, font_size: size, width: wide, anchor: Anchor::Start });
        }
        if !drawing.legend.is_empty() {
            y += size;
        }
        let whole = width.max(widest);
        let (dx, dy) = (MARGIN + (whole - width) / 2.0 - low.x, y - low.y);
        drawing.every_point(|point| *point = Point { x: point.x + dx, y: point.y + dy });
        drawing.width = whole + 2.0 * MARGIN;
        drawing.height = y + height + MARGIN;
        drawing
    }

    /// Visits what spans the drawing. A box's rectangle and a text's box are visited by their corners.
    fn every_point(&mut self, mut visit: impl FnMut(&mut Point)) {
        fn label(text: &mut PlacedText, visit: &mut impl FnMut(&mut Point)) {
            visit(&mut text.at);
            let mut end = Point { x: text.at.x + text.width, y: text.at.y + text.font_size * 0.3 };
            visit(&mut end);
        }
        for placed in &mut self.boxes {
            let rect = &mut placed.rect;
            let mut start = Point { x: rect.x, y: rect.y };
            let mut end = Point { x: rect.x + rect.width, y: rect.y + rect.height };
            visit(&mut start);
            visit(&mut end);
            (rect.x, rect.y) = (start.x, start.y);
            placed.lines.iter_mut().for_each(|line| label(line, &mut visit));
        }
        for arrow in &mut self.arrows {
            arrow.curve.iter_mut().chain(&mut arrow.head).for_each(&mut visit);
            arrow.label.iter_mut().for_each(|text| label(text, &mut visit));
        }
    }
}
