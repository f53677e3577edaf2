//! One run: from the plan to the bytes that are printed.

use std::io::IsTerminal;

use prof_format::dump::{Dump, MapRow};

use crate::aggregate;
use crate::cli::plan::{Granularity, Metric, Output, Plan};
use crate::error::{Error, Result};
use crate::formats::{self, Unmapped};
use crate::load::{self, Source, inputs};
use crate::model::merge::Sign;
use crate::model::{Place, Profile, file_name};
use crate::progress::Progress;
use crate::render::flame::Caption;
use crate::render::text::Layout;
use crate::render::{collapsed, flame, text};
use crate::symbolize::{Outcome, symbolize};
use crate::transform::View;
use crate::units::{bytes_for_people, count_for_people, whole};

/// What a run answers with.
#[derive(Debug)]
pub struct Report {
    /// The bytes for stdout or the file.
    pub output: Vec<u8>,
    /// What was chosen without being asked for.
    pub note: Option<String>,
    /// What makes the answer less than it could be.
    pub warnings: Vec<String>,
}

/// More files without names than this are only counted: a dump from another machine may have dozens.
const UNNAMED_SENTENCES_MAX: usize = 6;

/// A code file without symbols is mentioned when at least this share of the total has its leaf in it.
const STRIPPED_SHARE_MIN: f64 = 0.01;

/// Reads, adds up, names and prints.
///
/// # Errors
/// See the exit status in the help: everything that makes the answer wrong or empty.
pub fn make(plan: &Plan) -> Result<Report> {
    let progress = Progress::start();
    let inputs = inputs::sort(&plan.inputs)?;
    let mut warnings: Vec<String> = Vec::new();
    let mut profile = Profile::default();
    let mut empty = Vec::new();
    let (mut earlier, mut same_process): (Vec<Vec<MapRow>>, Vec<_>) = (Vec::new(), Vec::new());
    for source in &inputs.dumps {
        let dump = read(source, plan, &progress, &mut warnings)?;
        if dump.stacks.is_empty() {
            empty.push(source);
        }
        same_process.extend(earlier.iter().any(|maps| one_process(maps, &dump.maps)).then_some(source));
        earlier.push(dump.maps.clone());
        profile.add(&dump, Sign::Plus);
        profile.made_at = profile.made_at.max(source.written_at());
    }
    match empty.as_slice() {
        [source, ..] if empty.len() == inputs.dumps.len() => return Err(Error::at(source, NO_SAMPLES)),
        some => warnings.extend(some.iter().map(|source| format!("{source}: {NO_SAMPLES}"))),
    }
    if let [first, ..] = same_process.as_slice() {
        warnings.push(format!(
            "{first}: comes from the same process as a dump before it (code lies at the same addresses); what is live in \
             both is counted twice"
        ));
    }
    for base in &plan.base {
        let source = Source::File(base.into());
        if load::kind(base.as_ref())? == load::Kind::Program {
            return Err(Error::at(source, "--base wants a dump, this is a program"));
        }
        let dump = read(&source, plan, &progress, &mut warnings)?;
        profile.add(&dump, Sign::Minus);
    }

    let outcome = symbolize(&profile, inputs.program.as_deref(), &progress)?;
    warnings.extend(outcome.warnings.iter().cloned());
    progress.step("adding up");
    let view = View::new(&profile, &outcome.symbols, plan);
    warnings.extend(view.warnings.iter().cloned());
    warnings.extend(explain_unnamed(&profile, &outcome, &view));

    let output = match plan.output {
        Output::Text => {
            let table = aggregate::table(&view, plan.granularity, plan.order);
            if table.rows.is_empty() {
                warnings.push(explain_nothing(plan, &view));
            }
            let on_terminal = plan.output_file.is_none() && std::io::stdout().is_terminal();
            let layout = Layout { unit: plan.unit(), rows: plan.rows, on_terminal };
            text::render(&table, view.total(), layout).into_bytes()
        }
        Output::Collapsed => {
            let stacks = aggregate::collapsed(&view);
            if stacks.is_empty() {
                warnings.push(explain_nothing(plan, &view));
            }
            collapsed::render(&stacks).into_bytes()
        }
        Output::Flame => {
            let stacks = aggregate::collapsed(&view);
            if stacks.is_empty() {
                return Err(Error::new(explain_nothing(plan, &view)));
            }
            let shrunk: f64 = stacks.values().filter(|figure| **figure < 0.0).sum();
            if shrunk < 0.0 {
                warnings.push(format!("stacks that shrank ({}) are not drawn", people(plan.metric, shrunk)));
            }
            let caption = caption(plan, &profile, &inputs, stacks.values().filter(|f| **f > 0.0).sum());
            flame::render(&stacks, &caption)?
        }
    };
    Ok(Report { output, note: inputs.note, warnings })
}

/// Whether two dumps are of one process: every file that both have mapped lies at the same place, and at least two do,
/// since a program that is linked to fixed addresses is always at the same place.
fn one_process(a: &[MapRow], b: &[MapRow]) -> bool {
    let start_in =
        |rows: &[MapRow], path: &str| rows.iter().find(|row| row.path == path).map(|row| row.start);
    let mut shared = 0;
    for row in a.iter().filter(|row| !row.path.starts_with('[')) {
        match start_in(b, &row.path) {
            Some(start) if start_in(a, &row.path) != Some(start) => return false,
            Some(_) => shared += 1,
            None => {}
        }
    }
    shared >= 2
}

const NO_SAMPLES: &str = "has no samples: profiling was off (prof:true, prof_active:true), or little was allocated for \
the sampling distance (lg_prof_sample), or what was sampled had been freed (prof_accum:true keeps that; a dump while \
the program runs shows it live)";

fn read(source: &Source, plan: &Plan, progress: &Progress, warnings: &mut Vec<String>) -> Result<Dump> {
    progress.step(format!("reading {source}"));
    let bytes = load::read(source, plan.unpack_bytes_max)?;
    let bare = plan.output == Output::Text && plan.granularity == Granularity::Addresses;
    let dump = formats::parse(source, &bytes, if bare { Unmapped::Fine } else { Unmapped::Refused })?;
    if plan.metric.is_accumulated() && !dump.has_accum && !dump.stacks.is_empty() {
        return Err(Error::at(
            source,
            format!(
                "has no accumulated figures, so there is no {}: run the program with prof_accum:true",
                plan.metric.name()
            ),
        ));
    }
    if !plan.metric.is_accumulated() && !dump.has_live {
        return Err(Error::at(source, format!("has no live figures, so there is no {}", plan.metric.name())));
    }
    warnings.extend(dump.warnings.iter().map(|warning| format!("{source}: {warning}")));
    Ok(dump)
}

/// Why a report has no rows.
fn explain_nothing(plan: &Plan, view: &View<'_>) -> String {
    if view.total() != 0.0 {
        let which = match (&plan.focus, &plan.ignore) {
            (Some(_), None) => "--focus matches no stack",
            (None, Some(_)) => "--ignore matches every stack",
            _ => "no stack is left by --focus and --ignore",
        };
        which.into()
    } else if !plan.base.is_empty() {
        "nothing differs from the base".into()
    } else if plan.metric.is_accumulated() {
        format!("{} is zero everywhere", plan.metric.name())
    } else {
        "everything that was sampled has been freed (--alloc_space shows it, with prof_accum:true)".into()
    }
}

/// One sentence for each image that matters and has frames without names: why, and how much is affected.
fn explain_unnamed(profile: &Profile, outcome: &Outcome, view: &View<'_>) -> Vec<String> {
    if outcome.unnamed.is_empty() {
        return Vec::new();
    }
    let mut image_of_frame: Vec<Option<usize>> = vec![None; profile.frames.len()];
    for frame in &outcome.stand_ins {
        if let Place::Image { image, .. } = profile.frames[frame.index()].place {
            image_of_frame[frame.index()] = Some(image.index());
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
    let mut affected = vec![Affected::default(); profile.images.len()];
    let (mut total, mut stack_number) = (0.0, 0);
    view.walk(|lines, figure| {
        let figure = figure.abs();
        total += figure;
        stack_number += 1;
        for (depth, line) in lines.iter().enumerate() {
            let Some(image) = image_of_frame[view.frame_of(*line).index()] else { continue };
            let affected = &mut affected[image];
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
            sentences.push((share, what));
        }
    }
    sentences.sort_by(|a, b| b.0.total_cmp(&a.0));
    let left_out = sentences.len().saturating_sub(UNNAMED_SENTENCES_MAX);
    sentences.truncate(UNNAMED_SENTENCES_MAX);
    let mut sentences: Vec<String> = sentences.into_iter().map(|(_, sentence)| sentence).collect();
    if left_out > 0 {
        sentences.push(format!("{left_out} more files have frames without a name"));
    }
    sentences
}

fn people(metric: Metric, figure: f64) -> String {
    if metric.is_bytes() {
        bytes_for_people(figure)
    } else {
        format!("{} objects", count_for_people(whole(figure)))
    }
}

fn caption(plan: &Plan, profile: &Profile, inputs: &inputs::Inputs, total: f64) -> Caption {
    let given = inputs.program.as_deref().and_then(|path| path.to_str());
    let program = given.or(profile.program_path.as_deref()).map_or("heap", file_name);
    let what = match (plan.base.is_empty(), plan.metric.is_accumulated()) {
        (false, _) => "more than before",
        (true, true) => "allocated",
        (true, false) => "live",
    };
    let sampled = match profile.periods.as_slice() {
        [1] => "every allocation recorded".to_string(),
        [0] | [] => "sampling distance unknown".to_string(),
        [period] => format!("sampled every {} on average", bytes_for_people(*period as f64)),
        _ => "sampled at several distances".to_string(),
    };
    let dumps = match inputs.dumps.len() {
        1 => inputs.dumps[0].to_string(),
        several => format!("{several} dumps added up"),
    };
    let mut subtitle = format!("{}, {sampled}, {dumps}", plan.metric.name());
    if let [base, ..] = plan.base.as_slice() {
        subtitle.push_str(&format!(", minus {base}"));
    }
    Caption {
        title: format!("{program}: {} {what}", people(plan.metric, total)),
        subtitle,
        unit: if plan.metric.is_bytes() { "bytes" } else { "objects" },
    }
}
