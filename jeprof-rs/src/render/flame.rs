//! The flame graph: one SVG file that searches and zooms by itself.

use std::ops::Range;

use inferno::flamegraph::color::{BackgroundColor, BasicPalette, Color, MultiPalette, Palette};
use inferno::flamegraph::{Direction, Options, TextTruncateDirection, from_lines};
use regex::{Captures, Regex};

use super::collapsed::{PathText, safe_name};
use super::{Output, Request};
use crate::aggregate::paths::{Path, Paths, Root};
use crate::error::{Error, Result};
use crate::plan::choice::Metric;
use crate::plan::{Part, PicturePlan};
use crate::terminal::names::shortened;
use crate::units::{bytes_for_people, count_for_people, whole};

/// The row of this output.
pub const ROW: Output = Output {
    name: "flame",
    flag: false,
    command: true,
    about: "Draw a flame graph of the heap (SVG on stdout)",
    examples: "\
Examples:
  jeprof-rs flame > heap.svg                    newest dump of this directory
  jeprof-rs flame svc.1234.0.f.heap > heap.svg  this dump; the program is found through it
  jeprof-rs flame --alloc_space -o churn.svg ./svc svc.*.heap
  jeprof-rs flame --diff_base=before.heap after.heap > change.svg
  curl -s http://host/heap | jeprof-rs flame - > heap.svg",
    parts: &[
        Part::Output,
        Part::Figure,
        Part::Granularity,
        Part::Selection,
        Part::Input,
        Part::Naming,
        Part::Picture,
    ],
    json: Some(super::json::stacks),
    render,
    ..Output::BASE
};

/// Palettes by flamegraph.pl's names.
pub const PALETTES: [(&str, Palette); 15] = [
    ("mem", Palette::Basic(BasicPalette::Mem)),
    ("hot", Palette::Basic(BasicPalette::Hot)),
    ("red", Palette::Basic(BasicPalette::Red)),
    ("green", Palette::Basic(BasicPalette::Green)),
    ("blue", Palette::Basic(BasicPalette::Blue)),
    ("aqua", Palette::Basic(BasicPalette::Aqua)),
    ("yellow", Palette::Basic(BasicPalette::Yellow)),
    ("purple", Palette::Basic(BasicPalette::Purple)),
    ("orange", Palette::Basic(BasicPalette::Orange)),
    ("rust", Palette::Multi(MultiPalette::Rust)),
    ("java", Palette::Multi(MultiPalette::Java)),
    ("js", Palette::Multi(MultiPalette::Js)),
    ("perl", Palette::Multi(MultiPalette::Perl)),
    ("python", Palette::Multi(MultiPalette::Python)),
    ("wakeup", Palette::Multi(MultiPalette::Wakeup)),
];

const WHITE: Color = Color { r: 255, g: 255, b: 255 };

/// Narrower boxes (in percent of the width) are not drawn: a tenth of a pixel on a large screen.
const WIDTH_PERCENT_MIN: f64 = 0.01;

fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    let picture = &request.plan.picture;
    let root = if picture.reverse { Root::Leaves } else { Root::Callers };
    let paths = Paths::new(request.view, request.plan.rows.granularity, root);
    if paths.is_empty() {
        return Err(Error::new(request.explain_nothing()));
    }
    let percent = picture.width_percent_min.unwrap_or(WIDTH_PERCENT_MIN);
    let folded = Folded::new(&paths, is_differential(request), percent / 100.0);
    if folded.shrunk < 0.0 {
        let shrunk = people(request.plan.figure.metric, folded.shrunk);
        request.warn(format!("stacks that shrank ({shrunk}) are not drawn"));
    }
    let svg = draw(&folded.lines, picture, &caption(request, folded.width), is_differential(request))?;
    Ok(if is_differential(request) { recolored(&svg) } else { svg })
}

/// Whether widths are what is there now, and colours the change.
fn is_differential(request: &Request<'_>) -> bool {
    request.plan.input.base_is_reference
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
    let what = match (session.base.is_empty() || is_differential(request), metric.is_accumulated()) {
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
    let (dumps, base) = match session.base.as_slice() {
        [] => (told(&dumps, ""), String::new()),
        [base, ..] => (told(&dumps, &base.name), told(&base.name, &dumps)),
    };
    let compared = match (base.as_str(), is_differential(request), request.plan.picture.negate) {
        ("", ..) => String::new(),
        (base, true, false) => format!(" compared with {base} (orange: more, blue: less)"),
        (base, true, true) => format!(" compared with {base} (blue: more, orange: less)"),
        (base, false, _) => format!(" minus {base}"),
    };
    let subtitle = format!("{}, {sampled}, {dumps}{compared}", metric.name());
    let picture = &request.plan.picture;
    let change = if is_differential(request) {
        let change = request.view.total();
        let sign = if change > 0.0 { "+" } else { "" };
        format!(" ({sign}{})", people(metric, change))
    } else {
        String::new()
    };
    let title = || format!("{}: {} {what}{change}", session.program_name, people(metric, total));
    let unit = if metric.is_bytes() { "bytes" } else { "objects" };
    Caption {
        title: picture.title.clone().unwrap_or_else(title),
        subtitle: picture.subtitle.clone().unwrap_or(subtitle),
        unit: picture.count_name.clone().unwrap_or(unit.into()),
    }
}

/// Characters of a dump's name that two of have room in the line.
const DUMP_NAME_MAX: usize = 44;

/// A dump's name for a line that has no room for folders; they stay where only they tell it from the other.
fn told(name: &str, other: &str) -> String {
    let file = |path: &'_ str| path.rsplit('/').next().unwrap_or_default().to_string();
    let differs = !file(name).is_empty() && file(name) != file(other);
    // Of a server its name tells more than the path there.
    let name = if differs && !name.contains("://") { file(name) } else { name.to_string() };
    shortened(&name, DUMP_NAME_MAX)
}

/// What the drawing crate reads.
pub struct Folded {
    /// `path now`, or `path before now`, in the order of the paths.
    pub lines: Vec<String>,
    /// What is drawn.
    width: f64,
    /// Sum of what is not drawn because it is negative.
    shrunk: f64,
}

impl Folded {
    /// Boxes below the share of the total are folded into their parents, which keeps the lines few however many stacks
    /// there are.
    ///
    /// Cost: for each box that is drawn, one look at the paths that go through it. No tree is made of all the others.
    pub fn new(paths: &Paths, differential: bool, share_min: f64) -> Folded {
        let all: Vec<(&Path, &[u32])> = paths.iter().collect();
        let (mut shrunk, mut width) = (0.0, 0.0);
        // Per path its figure, if it is positive: now, and in the base.
        let mut figures: Vec<(f64, f64)> = Vec::with_capacity(all.len());
        for (path, _) in &all {
            let now = if differential { path.own + path.before } else { path.own };
            shrunk += now.min(0.0);
            width += now.max(0.0);
            figures.push((now.max(0.0), path.before.max(0.0)));
        }
        let sum = |of: &Range<usize>| {
            let sums = |sum: (f64, f64), figures: &(f64, f64)| (sum.0 + figures.0, sum.1 + figures.1);
            figures[of.clone()].iter().fold((0.0, 0.0), sums)
        };
        let least = width * share_min;
        let is_drawn = |(now, _): (f64, f64)| now >= least && whole(now) > 0;
        let (mut text, mut lines) = (PathText::default(), Vec::new());
        // Boxes that are yet to be written, the next one last: their paths, and how many elements those share.
        let mut pending: Vec<(Range<usize>, usize)> = vec![(0..all.len(), 0)];
        while let Some((within, depth)) = pending.pop() {
            if let Some(last) = depth.checked_sub(1) {
                let (_, elements) = all[within.start];
                text.enter(depth, &safe_name(&paths.names[elements[last] as usize]));
            }
            // The path that ends here is the first of them.
            let ends = all[within.clone()].first().is_some_and(|(_, elements)| elements.len() == depth);
            let mut at = within.start + usize::from(ends);
            let (mut now, mut before) = sum(&(within.start..at));
            let first_child = pending.len();
            while at < within.end {
                let (_, elements) = all[at];
                let end =
                    at + all[at..within.end].partition_point(|(_, other)| other[depth] == elements[depth]);
                let child = sum(&(at..end));
                if is_drawn(child) {
                    pending.push((at..end, depth + 1));
                } else {
                    (now, before) = (now + child.0, before + child.1);
                }
                at = end;
            }
            pending[first_child..].reverse();
            match (differential, whole(now), whole(before)) {
                // Of no box: what is too narrow has nothing to be folded into.
                _ if depth == 0 => {}
                (false, 1.., _) => lines.push(format!("{} {}", text.text, whole(now))),
                (true, now, before) if now > 0 || before > 0 => {
                    lines.push(format!("{} {before} {now}", text.text));
                }
                _ => {}
            }
        }
        Folded { lines, width, shrunk }
    }
}

/// Words around the picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caption {
    /// Program, figure and total.
    pub title: String,
    /// Where it comes from: sampling, number of dumps.
    pub subtitle: String,
    /// What the widths count: `bytes` or `objects`.
    pub unit: String,
}

/// Draws lines that are in the order of a tree. The same lines always give the same bytes.
///
/// # Errors
/// There is nothing to draw.
pub fn draw(
    lines: &[String],
    picture: &PicturePlan,
    caption: &Caption,
    differential: bool,
) -> Result<Vec<u8>> {
    if lines.is_empty() {
        return Err(Error::new("nothing to draw: no stack has a positive figure"));
    }
    let mut options = Options::default();
    options.title = caption.title.clone();
    options.subtitle = Some(caption.subtitle.clone());
    options.notes = picture.notes.clone().unwrap_or_default();
    options.count_name = caption.unit.clone();
    let colors = picture.colors.unwrap_or("mem");
    options.colors = PALETTES.iter().find(|(name, _)| *name == colors).map_or(PALETTES[0].1, |row| row.1);
    // Behind grey boxes, white.
    let background = if differential { BackgroundColor::Flat(WHITE) } else { BackgroundColor::Green };
    options.bgcolors = Some(background);
    options.min_width = picture.width_percent_min.unwrap_or(WIDTH_PERCENT_MIN);
    options.image_width = picture.width;
    options.text_truncate_direction = TextTruncateDirection::Right;
    options.direction = if picture.inverted { Direction::Inverted } else { Direction::Straight };
    options.negate_differentials = picture.negate;
    // Colours by name: the same function has the same colour in every picture.
    options.deterministic = true;
    options.font_size = 12;
    // The widest of the usual fonts of fixed width; a browser measures its own.
    options.font_width = 0.61;
    options.frame_height = picture.box_height.unwrap_or(16);
    let mut svg = Vec::new();
    from_lines(&mut options, lines.iter().map(String::as_str), &mut svg)
        .map_err(|error| Error::at("flame graph", error))?;
    Ok(svg)
}

/// The drawing crate paints differences red and blue, which are of one grey in print, and what did not change almost
/// white. Here more is orange, less is blue, and no change is grey. How strong a colour is stays as it was.
fn recolored(svg: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(svg);
    let fill = Regex::new(r"rgb\((\d+),(\d+),(\d+)\)").expect("the expression is tested");
    let color = |found: &Captures<'_>| -> String {
        let part = |index: usize| found[index].parse::<u32>().unwrap_or(0);
        let (full, pale) = match (part(1), part(2), part(3)) {
            (250, 250, 250) => return NO_CHANGE.into(),
            (255, pale, same) if pale == same => (MORE, pale),
            (pale, same, 255) if pale == same => (LESS, pale),
            _ => return found[0].into(),
        };
        // From 250 (hardly any change) to 100 (the largest one).
        let Some(strength @ ..=150) = 250_u32.checked_sub(pale) else { return found[0].into() };
        let mix = |full: u32| (GREY * (150 - strength) + full * strength) / 150;
        format!("rgb({},{},{})", mix(full[0]), mix(full[1]), mix(full[2]))
    };
    fill.replace_all(&text, color).into_owned().into_bytes()
}

const MORE: [u32; 3] = [255, 140, 0];
const LESS: [u32; 3] = [40, 110, 255];
/// Where the colours of change begin, so that the smallest one is told from none.
const GREY: u32 = 232;
const NO_CHANGE: &str = "rgb(214,214,214)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::example;
    use crate::plan::Plan;
    use crate::plan::choice::Granularity;
    use crate::transform::View;

    fn svg(stacks: &[(&str, f64)], picture: &PicturePlan) -> Result<String> {
        let example = example(stacks);
        let plan = Plan::default();
        let view = View::new(&example.profile, &example.symbols, &plan);
        let paths = Paths::new(&view, Granularity::Functions, Root::Callers);
        let caption = Caption { title: "svc <1>".into(), subtitle: "1 dump".into(), unit: "bytes".into() };
        let folded = Folded::new(&paths, false, 0.01);
        draw(&folded.lines, picture, &caption, false).map(|svg| String::from_utf8(svg).unwrap())
    }

    #[test]
    fn the_picture_is_titled_counts_bytes_and_is_the_same_each_time() {
        let stacks = [("main;a<b", 300.0), ("main;c", 100.0), ("main;d", -9.0)];
        let picture = PicturePlan::default();
        let drawn = svg(&stacks, &picture).unwrap();
        assert_eq!(drawn, svg(&stacks, &picture).unwrap());
        for part in ["svc &lt;1&gt;", "1 dump", "a&lt;b (300 bytes, 75.00%)", "main (400 bytes", "search"] {
            assert!(drawn.contains(part), "{part} is missing");
        }
        assert!(!drawn.contains(">d ("));
    }

    fn folded(stacks: &[(&str, f64)], root: Root, share_min: f64) -> Folded {
        let example = example(stacks);
        let plan = Plan::default();
        let view = View::new(&example.profile, &example.symbols, &plan);
        Folded::new(&Paths::new(&view, Granularity::Functions, root), false, share_min)
    }

    #[test]
    fn equal_paths_are_one_and_siblings_are_ordered_by_name() {
        let stacks = [("main;f>g", 4.0), ("main;f;g", 2.0), ("main", 1.0), ("main;a", 8.0), ("main;f", 3.0)];
        let all = folded(&stacks, Root::Callers, 0.0);
        assert_eq!(all.lines, ["main 1", "main;a 8", "main;f 3", "main;f;g 6"]);
        assert_eq!(all.width, 18.0);
        assert_eq!(
            folded(&stacks, Root::Leaves, 0.0).lines,
            ["a;main 8", "f;main 3", "g;f;main 6", "main 1"]
        );
        // What is folded into a parent counts there, from however far below.
        assert_eq!(folded(&stacks, Root::Callers, 0.4).lines, ["main 1", "main;a 8", "main;f 9"]);
        let deep = [("a;b;c;d", 1.0), ("a;b;c", 1.0), ("a;e", 98.0)];
        assert_eq!(folded(&deep, Root::Callers, 0.5).lines, ["a 2", "a;e 98"]);
    }

    #[test]
    fn a_path_of_a_hundred_thousand_frames_is_folded() {
        let deep = vec!["f"; 100_000].join(";");
        assert_eq!(folded(&[(&deep, 1.0)], Root::Callers, 0.01).lines, [format!("{deep} 1")]);
    }

    #[test]
    fn nothing_positive_is_nothing_to_draw() {
        let error = svg(&[("main", -3.0)], &PicturePlan::default()).unwrap_err();
        assert!(error.to_string().contains("nothing to draw"));
    }

    #[test]
    fn narrow_boxes_are_folded_into_their_parents_and_nothing_is_lost() {
        let drawn = svg(&[("main;a", 990.0), ("main;b", 5.0), ("main;c;d", 5.0)], &PicturePlan::default());
        let drawn = drawn.unwrap();
        assert!(
            drawn.contains("main (1,000 bytes, 100.00%)")
                && !drawn.contains(">b (")
                && !drawn.contains(">c (")
        );
    }

    #[test]
    fn a_dump_is_named_without_the_folders_unless_they_tell_it_from_the_other() {
        assert_eq!(told("/a/b/new.heap", "/a/b/old.heap"), "new.heap");
        assert_eq!(told("a/b.heap", ""), "b.heap");
        assert_eq!(told("new/b.heap", "old/b.heap"), "new/b.heap");
        assert_eq!(told("http://host/pprof/heap", ""), "http://host/pprof/heap");
        assert_eq!(told("-", ""), "-");
        assert_eq!(told("3 dumps added up", ""), "3 dumps added up");
        assert_eq!(told(&"x".repeat(100), "").chars().count(), DUMP_NAME_MAX);
    }

    #[test]
    fn more_is_orange_less_is_blue_and_other_colours_stay() {
        let text = |color: &str| String::from_utf8(recolored(color.as_bytes())).unwrap();
        assert_eq!(text("rgb(255,100,100)"), "rgb(255,140,0)");
        assert_eq!(text("rgb(100,100,255)"), "rgb(40,110,255)");
        assert_eq!(text("rgb(250,250,250)"), "rgb(214,214,214)");
        assert_eq!(text("rgb(255,250,250)"), "rgb(232,232,232)");
        for other in ["rgb(255,10,200)", "rgb(255,255,255)", "rgb(0,0,0)", "rgb(255,20,20)"] {
            assert_eq!(text(other), other);
        }
    }
}
