//! The Firefox Profiler's processed profile: one track per figure, sizes as weights of samples.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use fxprof_processed_profile::{
    CategoryHandle, CpuDelta, Frame, FrameFlags, FrameInfo, Profile, SamplingInterval, StringHandle,
    Timestamp, WeightType,
};

use crate::aggregate::keys::Keys;
use crate::error::{Error, Result};
use crate::render::{Output, Request};

/// The row of this output.
pub const ROW: Output = Output {
    name: "firefox",
    command: true,
    about: "JSON for the Firefox Profiler, one track per figure",
    examples: "\
Examples:
  jeprof-rs firefox svc.1234.0.f.heap > heap.firefox.json    then open the file on the profiler's page",
    parts: Output::EVERY,
    render,
    ..Output::BASE
};

fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    let (view, plan, session) = (request.view, request.plan, request.session);
    let keys = Keys::new(view, plan.rows.granularity);
    let start = SystemTime::UNIX_EPOCH + Duration::from_nanos(session.profile.time_nanos);
    let mut profile = Profile::new(&session.program_name, start.into(), SamplingInterval::from_millis(1));
    profile.set_symbolicated(true);
    let names: Vec<StringHandle> =
        (0..keys.len()).map(|key| profile.intern_string(&keys.name(view, key))).collect();
    let beginning = Timestamp::from_millis_since_reference(0.0);
    for (number, metric) in session.metrics().into_iter().enumerate() {
        // A track on top, under the name of its figure, is what the profiler makes of a process' main thread.
        let process = profile.add_process(metric.name(), number as u32 + 1, beginning);
        let thread = profile.add_thread(process, number as u32 + 1, beginning, true);
        let weight_type = if metric.is_bytes() { WeightType::Bytes } else { WeightType::Samples };
        profile.set_thread_samples_weight_type(thread, weight_type);
        if metric == plan.figure.metric {
            profile.add_initial_visible_thread(thread);
            profile.add_initial_selected_thread(thread);
        }
        // Equal stacks of names are one sample.
        let mut places: HashMap<Vec<usize>, usize> = HashMap::new();
        let mut samples: Vec<(Vec<usize>, f64)> = Vec::new();
        view.walk_every_figure(|seen| {
            let figure = view.figure_of(seen.stack, metric);
            if figure != 0.0 {
                let path: Vec<usize> = keys.of_stack(view, seen.lines).rev().map(|(_, key)| key).collect();
                let at = *places.entry(path).or_insert_with_key(|path| {
                    samples.push((path.clone(), 0.0));
                    samples.len() - 1
                });
                samples[at].1 += figure;
            }
        });
        let mut milliseconds = 0.0;
        for (path, figure) in &samples {
            let frames = path.iter().map(|&key| FrameInfo {
                frame: Frame::Label(names[key]),
                category_pair: CategoryHandle::OTHER.into(),
                flags: FrameFlags::empty(),
            });
            let stack = profile.intern_stack_frames(thread, frames);
            for weight in weights(*figure) {
                let time = Timestamp::from_millis_since_reference(milliseconds);
                profile.add_sample(thread, time, stack, CpuDelta::ZERO, weight);
                milliseconds += 1.0;
            }
        }
    }
    serde_json::to_vec(&profile).map_err(|error| Error::at("firefox", error))
}

/// A figure as weights that fit 32 bits.
fn weights(figure: f64) -> impl Iterator<Item = i32> {
    let mut rest = figure.round() as i64;
    std::iter::from_fn(move || {
        let part = rest.clamp(i32::MIN.into(), i32::MAX.into());
        rest -= part;
        (part != 0).then_some(part as i32)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_add_up_to_the_figure() {
        for figure in [0.0, 1.4, -3.0, 3.2e9, -9e9, 2_147_483_647.0] {
            let parts: Vec<i32> = weights(figure).collect();
            assert_eq!(parts.iter().map(|part| i64::from(*part)).sum::<i64>(), figure.round() as i64);
            assert!(parts.iter().all(|part| *part != 0));
        }
    }
}
