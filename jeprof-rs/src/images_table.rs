//! The table of `--debug`: each program and library in the dumps, which files its names come from, how many frames
//! have none, and where files were looked for in vain.

use std::fmt::Write;

use crate::model::Place;
use crate::plan::choice::Metric;
use crate::session::Session;

/// Figures of one image.
#[derive(Clone, Default)]
struct Affected {
    frames: usize,
    unnamed: usize,
    /// Part of the figure in whose stacks there is an unnamed frame of it.
    figure: f64,
}

/// One paragraph per image that has frames, those with most unnamed code first.
pub fn render(session: &Session, metric: Metric) -> String {
    let profile = &session.profile;
    let (affected, total) = affected(session, metric);
    let mut order: Vec<usize> = (0..session.outcome.images.len()).collect();
    let key = |index: usize| {
        let image = session.outcome.images[index].image.index();
        (affected[image].figure, affected[image].unnamed)
    };
    order.sort_by(|&a, &b| {
        let ((a_figure, a_count), (b_figure, b_count)) = (key(a), key(b));
        b_figure.total_cmp(&a_figure).then(b_count.cmp(&a_count)).then(a.cmp(&b))
    });
    let mut text = String::new();
    for index in order {
        let facts = &session.outcome.images[index];
        let image = &profile.images[facts.image.index()];
        let affected = &affected[facts.image.index()];
        let share = if total > 0.0 { affected.figure / total * 100.0 } else { 0.0 };
        let deleted = if image.deleted { " (deleted)" } else { "" };
        let _ = writeln!(text, "{}{deleted}", image.path);
        let mut row = |what: &str, value: &dyn std::fmt::Display| {
            let _ = writeln!(text, "  {what:<12} {value}");
        };
        if !image.build_id.is_empty() {
            row("in the dump", &format_args!("build id {}", image.build_id));
        }
        match &facts.file {
            Some(path) if facts.build_id.is_empty() => {
                row("file", &format_args!("{}, no build id", path.display()))
            }
            Some(path) => row("file", &format_args!("{}, build id {}", path.display(), facts.build_id)),
            None => row("file", &facts.problem.as_deref().unwrap_or("not needed")),
        }
        for (what, path) in &facts.beside {
            row(what, &path.display());
        }
        row(
            "frames",
            &format_args!(
                "{}, {} without a name, in {share:.1}% of {}",
                affected.frames,
                affected.unnamed,
                metric.name()
            ),
        );
        for (place, why) in facts.trail.steps() {
            row("looked at", &format_args!("{}: {why}", place.display()));
        }
    }
    text
}

fn affected(session: &Session, metric: Metric) -> (Vec<Affected>, f64) {
    let profile = &session.profile;
    let mut affected = vec![Affected::default(); profile.images.len()];
    let mut image_of_unnamed: Vec<Option<usize>> = vec![None; profile.frames.len()];
    for image in profile.frames.iter().filter_map(|frame| image_of(frame.place)) {
        affected[image].frames += 1;
    }
    for id in &session.outcome.stand_ins {
        image_of_unnamed[id.index()] = image_of(profile.frames[id.index()].place);
    }
    for image in image_of_unnamed.iter().flatten() {
        affected[*image].unnamed += 1;
    }
    let mut total = 0.0;
    for stack in &profile.stacks {
        let figure = stack.figures.get(metric).abs();
        total += figure;
        let mut images: Vec<usize> =
            profile.frames_of(stack).iter().filter_map(|id| image_of_unnamed[id.index()]).collect();
        images.sort_unstable();
        images.dedup();
        for image in images {
            affected[image].figure += figure;
        }
    }
    (affected, total)
}

fn image_of(place: Place) -> Option<usize> {
    match place {
        Place::Image { image, .. } => Some(image.index()),
        Place::Unmapped(_) => None,
    }
}
