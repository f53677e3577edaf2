//! speedscope's own JSON: one profile per figure, inlined frames as frames of their own.
//!
//! Source: speedscope `file-format-spec` (version 1 of the exported file).

use serde_json::{Value, json};

use crate::aggregate::keys::Keys;
use crate::error::{Error, Result};
use crate::render::{Output, Request};
use crate::symbolize::symbols::NameId;

/// The row of this output.
pub const ROW: Output = Output {
    name: "speedscope",
    command: true,
    about: "JSON for speedscope, one profile per figure",
    examples: "\
Examples:
  jeprof-rs speedscope svc.1234.0.f.heap > heap.speedscope.json    then drop the file on speedscope's page",
    parts: Output::EVERY,
    render,
    ..Output::BASE
};

fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    let (view, plan) = (request.view, request.plan);
    let symbols = view.symbols();
    let keys = Keys::new(view, plan.rows.granularity);
    let frames: Vec<Value> = (0..keys.len())
        .map(|key| {
            let line = symbols.line(keys.example(key));
            let mut frame = json!({ "name": keys.name(view, key) });
            if line.file != NameId::EMPTY {
                frame["file"] = symbols.names.text(line.file).into();
            }
            frame
        })
        .collect();
    let metrics = request.session.metrics();
    let mut samples: Vec<Vec<Vec<usize>>> = vec![Vec::new(); metrics.len()];
    let mut weights: Vec<Vec<f64>> = vec![Vec::new(); metrics.len()];
    let mut shrunk = false;
    view.walk_every_figure(|seen| {
        let path: Vec<usize> = keys.of_stack(view, seen.lines).rev().map(|(_, key)| key).collect();
        for (index, metric) in metrics.iter().enumerate() {
            let figure = view.figure_of(seen.stack, *metric).round();
            shrunk |= figure < 0.0;
            if figure > 0.0 {
                samples[index].push(path.clone());
                weights[index].push(figure);
            }
        }
    });
    if shrunk {
        request.warn("stacks that shrank are left out: speedscope has no negative weights");
    }
    let profiles: Vec<Value> = metrics
        .iter()
        .zip(samples.into_iter().zip(weights))
        .map(|(metric, (samples, weights))| {
            json!({
                "type": "sampled",
                "name": metric.name(),
                "unit": if metric.is_bytes() { "bytes" } else { "none" },
                "startValue": 0,
                "endValue": weights.iter().sum::<f64>(),
                "samples": samples,
                "weights": weights,
            })
        })
        .collect();
    let active = metrics.iter().position(|metric| *metric == plan.figure.metric).unwrap_or(0);
    let file = json!({
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "name": request.session.program_name,
        "exporter": concat!("jeprof-rs ", env!("CARGO_PKG_VERSION")),
        "activeProfileIndex": active,
        "shared": { "frames": frames },
        "profiles": profiles,
    });
    serde_json::to_vec(&file).map_err(|error| Error::at("speedscope", error))
}
