//! Random graphs: what must hold of every drawing, and of the files made from it.

use std::io::Read;

use super::*;

/// Numbers from a fixed seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % bound
    }
}

fn node(name: &str, font_size: f64, look: Look) -> Node {
    let line = |text: &str, side| Line { text: text.into(), side };
    Node {
        lines: vec![line(name, Side::Center), line("12.5 (3.0%)", Side::Right)],
        tooltip: name.into(),
        font_size,
        look,
    }
}

fn edge(from: usize, to: usize, weight: f64) -> Edge {
    let (label, tooltip) = (format!("{weight}"), format!("{from} calls {to}"));
    Edge { from, to, label, tooltip, width: 1.0, dashed: from.is_multiple_of(2), weight }
}

/// Loops, circles, parallel edges, parts that do not hang together, boxes of all sizes.
fn random(seed: u64, nodes: usize, edges: usize) -> Picture {
    let mut random = Random(seed);
    let looks = [Look::Plain, Look::Filled, Look::TripleBorder];
    Picture {
        title: "random".into(),
        legend: vec!["one".into(), "two".into()],
        nodes: (0..nodes)
            .map(|i| {
                node(
                    &format!("f{i}_{}", "x".repeat(random.below(90))),
                    8.0 + random.below(50) as f64,
                    looks[i % 3],
                )
            })
            .collect(),
        edges: (0..if nodes == 0 { 0 } else { edges })
            .map(|_| edge(random.below(nodes), random.below(nodes), 1.0 + random.below(100_000) as f64))
            .collect(),
    }
}

fn inside(drawing: &Drawing, point: Point) -> bool {
    (0.0..=drawing.width).contains(&point.x) && (0.0..=drawing.height).contains(&point.y)
}

/// Whether an arrow runs behind a box at one of many points.
fn runs_behind(arrow: &PlacedArrow, rect: &Rect) -> bool {
    arrow.curve.windows(4).step_by(3).any(|piece| {
        (0..=40).any(|step| {
            let t = f64::from(step) / 40.0;
            let s = 1.0 - t;
            let mix = |of: fn(&Point) -> f64| {
                s * s * s * of(&piece[0])
                    + 3.0 * s * s * t * of(&piece[1])
                    + 3.0 * s * t * t * of(&piece[2])
                    + t * t * t * of(&piece[3])
            };
            let (x, y) = (mix(|point| point.x), mix(|point| point.y));
            let within = |at: f64, from: f64, wide: f64| at > from + 0.5 && at < from + wide - 0.5;
            within(x, rect.x, rect.width) && within(y, rect.y, rect.height)
        })
    })
}

/// On the border of a rectangle, or nearer to it than half a point.
fn at_border(rect: &Rect, point: Point) -> bool {
    let dx = (rect.x - point.x).max(point.x - rect.x - rect.width);
    let dy = (rect.y - point.y).max(point.y - rect.y - rect.height);
    dx.max(dy).abs() < 0.5
}

#[track_caller]
fn check(picture: &Picture) -> Drawing {
    let drawing = layout(picture);
    assert_eq!(drawing.boxes.len(), picture.nodes.len());
    assert_eq!(drawing.arrows.len(), picture.edges.len());
    for (index, placed) in drawing.boxes.iter().enumerate() {
        let rect = &placed.rect;
        assert!(inside(&drawing, Point { x: rect.x, y: rect.y }));
        assert!(inside(&drawing, Point { x: rect.x + rect.width, y: rect.y + rect.height }));
        for line in &placed.lines {
            assert!(line.at.x >= rect.x && line.at.x + line.width <= rect.x + rect.width + 0.01, "{line:?}");
            assert!(line.at.y > rect.y && line.at.y < rect.y + rect.height, "{line:?} {rect:?}");
        }
        for other in &drawing.boxes[..index] {
            assert_eq!(rect.overlap(&other.rect), 0.0, "boxes cover each other");
        }
    }
    for (arrow, edge) in drawing.arrows.iter().zip(&picture.edges) {
        assert_eq!((arrow.from, arrow.to), (edge.from, edge.to));
        assert!(at_border(&drawing.boxes[edge.from].rect, arrow.curve[0]), "an arrow begins in the air");
        assert!(at_border(&drawing.boxes[edge.to].rect, arrow.head[0]), "an arrow ends in the air");
        assert!(arrow.curve.len() % 3 == 1 && arrow.curve.iter().all(|&point| inside(&drawing, point)));
        assert!(arrow.label.as_ref().is_some_and(|label| inside(&drawing, label.at)));
        let others =
            drawing.boxes.iter().enumerate().filter(|(node, _)| ![edge.from, edge.to].contains(node));
        for (node, other) in others.filter(|_| edge.from != edge.to) {
            assert!(!runs_behind(arrow, &other.rect), "{} -> {} runs behind {node}", edge.from, edge.to);
        }
    }
    drawing
}

#[test]
fn boxes_never_cover_each_other_and_arrows_join_them() {
    for seed in 0..60 {
        let mut sizes = Random(seed);
        let (nodes, edges) = (1 + sizes.below(30), sizes.below(80));
        check(&random(seed, nodes, edges));
    }
}

#[test]
fn the_smallest_pictures_are_drawn() {
    let one = Picture { nodes: vec![node("", 8.0, Look::Plain)], ..Picture::default() };
    check(&one);
    let mut looped = one.clone();
    looped.edges = vec![edge(0, 0, 1.0), edge(0, 0, 2.0)];
    check(&looped);
    let nothing = layout(&Picture::default());
    assert!(nothing.width.is_finite() && roxmltree::Document::parse(&svg(&nothing)).is_ok());
    // An arrow to a box that is not there is left out.
    looped.edges.push(edge(0, 7, 1.0));
    assert_eq!(layout(&looped).arrows.len(), 2);
}

#[test]
fn two_thousand_boxes_are_drawn_and_every_file_is_the_same_twice() {
    let mut picture = random(1, 2000, 500);
    let mut numbers = Random(2);
    picture.edges.extend((1..2000).map(|to| edge(numbers.below(to), to, 1.0)));
    // Graphs of calls have few circles.
    picture.edges.retain(|edge| edge.from < edge.to);
    let (first, second) = (layout(&picture), layout(&picture));
    assert_eq!(svg(&first), svg(&second));
    assert_eq!(pdf(&first), pdf(&second));
}

#[test]
fn a_chain_of_thousands_of_calls_is_drawn() {
    let nodes = (0..3000).map(|i| node(&format!("f{i}"), 8.0, Look::Plain)).collect();
    let edges = (1..3000).map(|i| edge(i - 1, i, 1.0)).collect();
    let drawing = layout(&Picture { nodes, edges, ..Picture::default() });
    assert!(drawing.boxes.windows(2).all(|pair| pair[0].rect.y < pair[1].rect.y));
}

#[test]
fn hostile_names_stay_text() {
    let names = [
        "</script><script>alert(1)</script>",
        "a&b<c>\"d'e",
        "]]><x/>",
        "\u{0}\u{1}\u{1b}[31m\u{7f}\u{fffe}\u{ffff}",
        "--><!-- &amp; &#0;",
        "\u{202e}\u{4e2d}\u{6587}\u{1f980}",
    ];
    let mut picture = Picture {
        title: names.join("\n"),
        legend: names.map(String::from).into(),
        nodes: names.iter().map(|name| node(name, 10.0, Look::Plain)).collect(),
        edges: (1..names.len()).map(|i| edge(i - 1, i, 1.0)).collect(),
    };
    picture.edges[0].label = names[0].into();
    picture.edges[0].tooltip = names[1].into();
    let text = svg(&layout(&picture));
    let document = roxmltree::Document::parse(&text).unwrap();
    let count = |tag: &str| document.descendants().filter(|node| node.has_tag_name(tag)).count();
    let namespace = "http://www.w3.org/2000/svg";
    let scripts = document.descendants().filter(|node| node.has_tag_name((namespace, "script")));
    assert_eq!((scripts.count(), count("x")), (1, 0));
    let titles: Vec<&str> = document
        .descendants()
        .filter(|node| node.has_tag_name((namespace, "title")))
        .filter_map(|node| node.text())
        .collect();
    for name in [names[0], names[1], names[2], names[4], names[5]] {
        assert!(titles.contains(&name), "{name:?} is not among {titles:?}");
    }
}

/// The operators on the page.
fn page(pdf: &[u8]) -> String {
    let find = |what: &[u8]| pdf.windows(what.len()).position(|window| window == what).unwrap();
    let (start, end) = (find(b"stream\n") + 7, find(b"\nendstream"));
    let mut text = Vec::new();
    flate2::read::ZlibDecoder::new(&pdf[start..end]).read_to_end(&mut text).unwrap();
    text.iter().map(|&byte| byte as char).collect()
}

#[test]
fn a_pdf_has_one_page_of_the_drawing_s_size_with_its_texts() {
    let mut picture = random(3, 12, 20);
    picture.nodes[0] = node("f(a)\\\u{e9}\u{2026}\u{4e2d}", 10.0, Look::Plain);
    let drawing = layout(&picture);
    let file = pdf(&drawing);
    assert!(file.starts_with(b"%PDF-1.") && file.ends_with(b"%%EOF"));
    let text = String::from_utf8_lossy(&file);
    assert!(text.contains("/Count 1") && text.contains("/Helvetica"));
    let size = format!("/MediaBox [0 0 {} {}]", drawing.width as f32, drawing.height as f32);
    assert!(text.contains(&size), "{size}");
    let page = page(&file);
    assert_eq!(
        page.matches(" Tj").count(),
        2 + 20 + drawing.boxes.iter().map(|b| b.lines.len()).sum::<usize>()
    );
    // f(a)\ as it is, then the bytes of the letters that the font has, and a question mark for the one it has not.
    assert!(page.contains("<662861295CE9853F>"), "{page}");
}

#[test]
fn a_drawing_that_is_too_large_for_a_page_is_made_smaller() {
    let nodes = (0..400).map(|_| node(&"wide".repeat(10), 50.0, Look::Plain)).collect();
    let drawing = layout(&Picture { nodes, ..Picture::default() });
    assert!(drawing.width > 14_400.0);
    assert!(String::from_utf8_lossy(&pdf(&drawing)).contains("/MediaBox [0 0 14400 "));
}
