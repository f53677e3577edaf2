//! What Graphviz does when it is installed and asked for: places in place of ours (`dot -Tplain`; the writers are the
//! same), and formats that we do not write.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use super::{Drawing, LABEL_SIZE, Picture, PlacedArrow, PlacedText, Point, Sized, measure, text};
use crate::error::{Error, Result, plain};

const POINTS_PER_INCH: f64 = 72.0;

/// Gives everything the place that Graphviz's `dot` gives it.
///
/// # Errors
/// `dot` is not installed, or what it says is not understood.
pub fn layout(picture: &Picture) -> Result<Drawing> {
    let sizes: Vec<Sized> = picture.nodes.iter().map(measure).collect();
    let answer = run_dot(&question(picture, &sizes), "plain", "or leave out --layout")?;
    let answer = String::from_utf8_lossy(&answer);
    read_answer(picture, sizes, &answer)
        .ok_or_else(|| Error::at("dot", "it printed something else than places"))
}

/// Boxes of fixed sizes, so that the text fits by our measures, and arrows with room for their labels.
fn question(picture: &Picture, sizes: &[Sized]) -> String {
    let mut out = String::from("digraph {\nnode [shape=box,fixedsize=true,label=\"\"];\n");
    let inches = |points: f64| points / POINTS_PER_INCH;
    for (index, size) in sizes.iter().enumerate() {
        let _ = writeln!(out, "{index} [width={:.4},height={:.4}];", inches(size.width), inches(size.height));
    }
    for edge in drawn(picture) {
        let wide = text::width(&edge.label, LABEL_SIZE);
        // An HTML table of a fixed size is a label that needs no font.
        let _ = writeln!(
            out,
            "{} -> {} [weight={},label=<<table border=\"0\" fixedsize=\"true\" width=\"{:.0}\" height=\"{:.0}\"><tr><td></td></tr></table>>];",
            edge.from,
            edge.to,
            edge.weight.clamp(1.0, 100_000.0) as i64,
            wide + 4.0,
            LABEL_SIZE + 4.0
        );
    }
    out.push_str("}\n");
    out
}

fn drawn(picture: &Picture) -> impl Iterator<Item = &super::Edge> {
    let count = picture.nodes.len();
    picture.edges.iter().filter(move |edge| edge.from < count && edge.to < count)
}

/// Draws text in Graphviz's language in one of its formats. `instead` says what does without Graphviz.
///
/// # Errors
/// `dot` is not installed, or refuses.
pub fn converted(text: &str, format: &str, instead: &str) -> Result<Vec<u8>> {
    run_dot(text, format, &format!("or use {instead}, which do without"))
}

/// Whether `dot` can be run.
pub fn is_installed() -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join("dot").is_file())
}

fn run_dot(text: &str, format: &str, or_else: &str) -> Result<Vec<u8>> {
    let started = Command::new("dot")
        .arg(format!("-T{format}"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut dot = started.map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Error::new(format!(
            "this needs the program dot, which is not on the PATH: install Graphviz (package graphviz), {or_else}"
        )),
        _ => Error::at("dot", plain(&error)),
    })?;
    if let Some(mut input) = dot.stdin.take() {
        // dot reads everything before it prints, so this does not block for ever. If it stops reading, its status and
        // its words tell why.
        let _ = input.write_all(text.as_bytes());
    }
    let output = dot.wait_with_output().map_err(|error| Error::at("dot", plain(&error)))?;
    if output.status.success() {
        return Ok(output.stdout);
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let reason = words.lines().next().map_or_else(|| output.status.to_string(), String::from);
    Err(Error::at("dot", reason))
}

/// Reads `node NAME X Y W H ..`, `edge TAIL HEAD N X1 Y1 .. [LABEL X Y]`, in inches from the lower left corner.
fn read_answer(picture: &Picture, sizes: Vec<Sized>, answer: &str) -> Option<Drawing> {
    let point = |x: &str, y: &str| -> Option<Point> {
        let (x, y): (f64, f64) = (x.parse().ok()?, y.parse().ok()?);
        // Downwards: the frame moves everything to where it belongs.
        Some(Point { x: x * POINTS_PER_INCH, y: -y * POINTS_PER_INCH })
    };
    let mut middles = vec![None; sizes.len()];
    let edges: Vec<&super::Edge> = drawn(picture).collect();
    let mut arrows: Vec<Option<PlacedArrow>> = vec![None; edges.len()];
    for line in answer.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["node", name, x, y, ..] => *middles.get_mut(name.parse::<usize>().ok()?)? = point(x, y),
            ["edge", from, to, count, rest @ ..] => {
                let (from, to): (usize, usize) = (from.parse().ok()?, to.parse().ok()?);
                let numbers = 2 * count.parse::<usize>().ok()?;
                let curve: Vec<Point> = rest
                    .get(..numbers)?
                    .chunks_exact(2)
                    .map(|pair| point(pair[0], pair[1]))
                    .collect::<Option<_>>()?;
                // Arrows between the same boxes come in the order in which they were given.
                let index = (0..edges.len())
                    .find(|&i| arrows[i].is_none() && (edges[i].from, edges[i].to) == (from, to))?;
                let [.., before, end] = curve.as_slice() else { return None };
                let (dx, dy) = (end.x - before.x, end.y - before.y);
                let long = dx.hypot(dy).max(f64::MIN_POSITIVE);
                let direction = (dx / long, dy / long);
                // The curve ends at the back of dot's own head, which is ten points long.
                let tip = Point { x: end.x + direction.0 * 10.0, y: end.y + direction.1 * 10.0 };
                let mut arrow = PlacedArrow::with_head(edges[index], curve, tip, direction);
                let words = text::printable(&edges[index].label);
                if let (false, [_, x, y, ..]) = (words.is_empty(), &rest[numbers..]) {
                    let middle = point(x, y)?;
                    let width = text::width(&words, LABEL_SIZE);
                    arrow.label = Some(PlacedText {
                        at: Point { x: middle.x - width / 2.0, y: middle.y + LABEL_SIZE * 0.34 },
                        text: words,
                        font_size: LABEL_SIZE,
                        width,
                        anchor: super::Anchor::Start,
                    });
                }
                arrows[index] = Some(arrow);
            }
            _ => {}
        }
    }
    let boxes = sizes
        .into_iter()
        .zip(&picture.nodes)
        .zip(middles)
        .map(|((size, node), middle)| {
            let middle = middle?;
            let at = Point { x: middle.x - size.width / 2.0, y: middle.y - size.height / 2.0 };
            Some(size.placed(node, at))
        })
        .collect::<Option<_>>()?;
    Some(Drawing::framed(picture, boxes, arrows.into_iter().collect::<Option<_>>()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::picture::{Edge, Line, Look, Node, Side};

    fn picture() -> Picture {
        let node = |name: &str| Node {
            lines: vec![Line { text: name.into(), side: Side::Center }],
            tooltip: name.into(),
            font_size: 10.0,
            look: Look::Plain,
        };
        let edge = |from, to| Edge {
            from,
            to,
            label: "7".into(),
            tooltip: String::new(),
            width: 1.0,
            dashed: false,
            weight: 1.0,
        };
        // The last one names no box.
        Picture {
            nodes: vec![node("a"), node("b")],
            edges: vec![edge(0, 1), edge(1, 1), edge(1, 5)],
            ..Picture::default()
        }
    }

    const ANSWER: &str = "graph 1 1 2\nnode 0 0.5 1.5 0.4 0.3 \"\" solid box black lightgrey\n\
        node 1 0.5 0.5 0.4 0.3 \"\" solid box black lightgrey\n\
        edge 0 1 4 0.5 1.3 0.5 1.2 0.5 1.0 0.5 0.8 \"<..>\" 0.6 1.0 solid black\n\
        edge 1 1 4 0.7 0.6 0.9 0.6 0.9 0.4 0.7 0.4 \"<..>\" 0.95 0.5 solid black\nstop\n";

    fn read(answer: &str) -> Option<Drawing> {
        let picture = picture();
        let sizes = picture.nodes.iter().map(measure).collect();
        read_answer(&picture, sizes, answer)
    }

    #[test]
    fn places_are_taken_over_and_turned_upside_down() {
        let drawing = read(ANSWER).unwrap();
        assert!(drawing.boxes[0].rect.y < drawing.boxes[1].rect.y);
        assert_eq!(drawing.arrows.len(), 2);
        let head = &drawing.arrows[0].head;
        assert!(head[0].y > head[1].y, "the arrow points down");
        assert_eq!(drawing.arrows[1].label.as_ref().unwrap().text, "7");
        assert!(question(&picture(), &[measure(&picture().nodes[0])]).contains("1 -> 1 [weight=1,label="));
    }

    #[test]
    fn an_answer_without_the_places_is_refused() {
        for broken in [
            "",
            "graph 1 1 2\nstop\n",
            &ANSWER.replace("node 1", "node 9"),
            &ANSWER.replace("edge 1 1 4", "edge 1 1 400"),
            &ANSWER.replace("edge 0 1", "edge 1 0"),
            &ANSWER.replace("0.5 1.5", "here there"),
        ] {
            assert!(read(broken).is_none(), "{broken}");
        }
    }
}
