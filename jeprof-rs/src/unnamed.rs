//! What to tell about code without names: which file, why, and how much of the total it concerns.

use crate::model::{Place, Profile};
use crate::symbolize::Outcome;
use crate::transform::View;

/// More files without names than this are only counted: a dump from another machine may have dozens.
const UNNAMED_SENTENCES_MAX: usize = 6;

/// A code file without symbols is mentioned when at least this share of the total has its leaf in it.
const STRIPPED_SHARE_MIN: f64 = 0.01;

/// One sentence for each image that matters and has frames without names: why, and how much is affected.
pub fn explain_unnamed(profile: &Profile, outcome: &Outcome, view: &View<'_>) -> Vec<String> {
    if outcome.stand_ins.is_empty() {
        return Vec::new();
    }
    // Code in no mapping is counted behind the images.
    let no_image = profile.images.len();
    let symbols = &outcome.symbols;
    let mut image_of_line: Vec<Option<u32>> = vec![None; symbols.lines.len()];
    let mut is_unnamed = vec![false; profile.frames.len()];
    for frame in &outcome.stand_ins {
        is_unnamed[frame.index()] = true;
        let image = match profile.frames[frame.index()].place {
            Place::Image { image, .. } => image.index(),
            Place::Unmapped(_) => no_image,
        };
        for line in symbols.line_ids(frame.index()) {
            image_of_line[line.index()] = Some(image as u32);
        }
    }
    /// What stacks with an unnamed frame of one image add up to.
    #[derive(Clone, Default)]
    struct Affected {
        at_leaf: f64,
        anywhere: f64,
        /// Number of the last stack that was counted.
        counted_in: usize,
    }
    let mut affected = vec![Affected::default(); no_image + 1];
    let (mut total, mut stack_number) = (0.0, 0);
    view.walk_marked(&is_unnamed, |seen| {
        let figure = seen.figure.abs();
        total += figure;
        stack_number += 1;
        for (depth, line) in seen.lines.iter().enumerate() {
            // Lines behind those of the session stand for labels.
            let Some(Some(image)) = image_of_line.get(line.index()) else { continue };
            let affected = &mut affected[*image as usize];
            if depth == 0 {
                affected.at_leaf += figure;
            }
            if affected.counted_in != stack_number {
                affected.counted_in = stack_number;
                affected.anywhere += figure;
            }
        }
    });
    let mut sentences: Vec<(f64, String)> = Vec::new();
    let mut unusable: Vec<String> = Vec::new();
    for unnamed in &outcome.unnamed {
        let image = &profile.images[unnamed.image.index()];
        let affected = &affected[unnamed.image.index()];
        let figure = if unnamed.file_unusable { affected.anywhere } else { affected.at_leaf };
        let share = if total > 0.0 { figure / total } else { 0.0 };
        if (unnamed.file_unusable && share > 0.0 && image.path.starts_with('/'))
            || share >= STRIPPED_SHARE_MIN
        {
            let percent = share * 100.0;
            let what = format!(
                "{}: {}; its frames in {percent:.1}% of the total have no name",
                image.path, unnamed.reason
            );
            if unnamed.file_unusable {
                unusable.push(what.clone());
            }
            sentences.push((share, what));
        }
    }
    // A dump without any mapping has said so itself.
    let share = if total > 0.0 { affected[no_image].anywhere / total } else { 0.0 };
    if no_image > 0 && share >= STRIPPED_SHARE_MIN {
        let percent = share * 100.0;
        let what = format!(
            "addresses in no mapping of the dump, in {percent:.1}% of the total, have no name (code that was made while \
             the program ran? --perf_map=FILE names it)"
        );
        sentences.push((share, what));
    }
    sentences.sort_by(|a, b| b.0.total_cmp(&a.0));
    // Once is enough.
    if let Some((_, first)) = sentences.iter_mut().find(|(_, sentence)| unusable.contains(sentence)) {
        first.push_str(" (a copy of it elsewhere is found with --symbol_path=DIR or --sysroot=DIR)");
    }
    let left_out = sentences.len().saturating_sub(UNNAMED_SENTENCES_MAX);
    sentences.truncate(UNNAMED_SENTENCES_MAX);
    let mut sentences: Vec<String> = sentences.into_iter().map(|(_, sentence)| sentence).collect();
    if left_out > 0 {
        sentences.push(format!("{left_out} more files have frames without a name"));
    }
    sentences
}
