//! profile.proto with names, gzipped: what pprof, Pyroscope, Parca, speedscope and Perfetto open.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use prof_format::dump::Carried;
use prof_format::pprof::{self as encode, encode};

use crate::aggregate::samples::{Location, Samples};
use crate::error::{Error, Result};
use crate::plan::Part;
use crate::render::{Output, Request};
use crate::symbolize::symbols::NameId;

/// The row of this output.
pub const ROW: Output = Output {
    name: "proto",
    command: true,
    about: "profile.proto with names (.pb.gz), after filters, for pprof, Pyroscope, Parca, speedscope, Perfetto",
    examples: "\
Examples:
  jeprof-rs proto -o heap.pb.gz svc.1234.0.f.heap && go tool pprof -http=: heap.pb.gz
  jeprof-rs proto --base=a.heap b.heap > growth.pb.gz",
    parts: &[Part::Output, Part::Figure, Part::Selection, Part::Input, Part::Naming],
    keeps_labels: true,
    binary: true,
    render,
    ..Output::BASE
};

fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    let samples = Samples::new(request.view, request.session.metrics());
    if samples.samples.is_empty() {
        request.warn(request.explain_nothing());
    }
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(&bytes(request, &samples)).map_err(|error| Error::at("gzip", error))?;
    packed.finish().map_err(|error| Error::at("gzip", error))
}

fn bytes(request: &Request<'_>, samples: &Samples) -> Vec<u8> {
    let (profile, symbols) = (&request.session.profile, request.view.symbols());
    let named = named_images(request, samples);
    let text = |id: NameId| symbols.names.text(id);

    // The program's mapping comes first: pprof takes the first for it.
    let mut images: Vec<usize> = (0..profile.images.len()).collect();
    images.sort_by_key(|&image| profile.program.is_none_or(|program| program.index() != image));
    let mut mapping_of = vec![Vec::new(); profile.images.len()];
    let mut mappings = Vec::new();
    for image in images {
        let facts = &profile.images[image];
        let is_named = named[image];
        for part in &facts.mapped {
            mapping_of[image].push(mappings.len() as u32);
            mappings.push(encode::Mapping {
                start: part.start,
                end: part.end,
                file_offset: part.file_offset,
                path: &facts.path,
                build_id: facts.build_id,
                carried: Carried {
                    functions: is_named,
                    filenames: is_named,
                    line_numbers: is_named,
                    inline_frames: is_named,
                },
            });
        }
    }
    let functions: Vec<encode::Function<'_>> = symbols
        .functions
        .iter()
        .map(|function| encode::Function {
            name: text(function.name),
            system_name: text(function.linkage),
            file: text(function.file),
            start_line: function.start_line,
        })
        .collect();
    let mut used = Used::new(functions.len());
    let lines: Vec<Vec<encode::Line>> = samples
        .locations
        .iter()
        .map(|location| {
            if location.image.is_some_and(|image| !named[image.index()]) {
                return Vec::new();
            }
            let line = |id: &_| {
                let line = symbols.line(*id);
                let function = used.of(line.function.index(), text(line.file));
                encode::Line { function, line: line.line, column: line.column }
            };
            location.lines.iter().map(line).collect()
        })
        .collect();
    let functions = used.finish(&functions);
    let locations: Vec<encode::Location<'_>> = samples
        .locations
        .iter()
        .zip(&lines)
        .map(|(location, lines)| encode::Location {
            address: location.address,
            mapping: mapping(location, &mapping_of, &mappings),
            lines,
        })
        .collect();
    let encoded: Vec<encode::Sample<'_>> = samples
        .samples
        .iter()
        .map(|sample| encode::Sample {
            locations: samples.stack(sample),
            values: &sample.values,
            labels: &sample.labels,
        })
        .collect();
    let unit = |is_bytes: bool| if is_bytes { "bytes" } else { "count" };
    let sample_types: Vec<encode::ValueType<'_>> = samples
        .metrics
        .iter()
        .map(|metric| encode::ValueType { name: metric.name(), unit: unit(metric.is_bytes()) })
        .collect();
    let drop_frames = profile.drop_frames.join("|");
    let comments: Vec<&str> = profile.comments.iter().map(String::as_str).collect();
    encode(&encode::Profile {
        sample_types: &sample_types,
        default_sample_type: request.plan.figure.metric.name(),
        samples: &encoded,
        mappings: &mappings,
        locations: &locations,
        functions: &functions,
        period_type: encode::ValueType { name: "space", unit: "bytes" },
        period: profile.periods.first().copied().unwrap_or(0),
        time_nanos: profile.time_nanos,
        duration_nanos: profile.duration_nanos,
        drop_frames: &drop_frames,
        keep_frames: "",
        comments: &comments,
        doc_url: "",
    })
}

/// Per image, whether any of its locations has a real name. Viewers look up the rest themselves when none has; when
/// some have, the others keep their stand-ins.
fn named_images(request: &Request<'_>, samples: &Samples) -> Vec<bool> {
    let mut is_stand_in = vec![false; request.session.profile.frames.len()];
    for frame in &request.session.outcome.stand_ins {
        is_stand_in[frame.index()] = true;
    }
    let mut named = vec![false; request.session.profile.images.len()];
    for location in &samples.locations {
        if let (Some(image), Some(frame)) = (location.image, location.frame)
            && !is_stand_in[frame.index()]
        {
            named[image.index()] = true;
        }
    }
    named
}

fn mapping(location: &Location, mapping_of: &[Vec<u32>], mappings: &[encode::Mapping<'_>]) -> Option<u32> {
    let of_image = &mapping_of[location.image?.index()];
    let holds = |mapping: &encode::Mapping<'_>| (mapping.start..mapping.end).contains(&location.address);
    of_image.iter().copied().find(|&at| holds(&mappings[at as usize])).or(of_image.first().copied())
}

/// The functions that locations use. A function has its file from its declaration, or else from the first line in it.
struct Used<'a> {
    number: Vec<Option<u32>>,
    used: Vec<(usize, &'a str)>,
}

impl<'a> Used<'a> {
    fn new(count: usize) -> Used<'a> {
        Used { number: vec![None; count], used: Vec::new() }
    }

    fn of(&mut self, function: usize, file: &'a str) -> u32 {
        *self.number[function].get_or_insert_with(|| {
            self.used.push((function, file));
            self.used.len() as u32 - 1
        })
    }

    fn finish(self, functions: &[encode::Function<'a>]) -> Vec<encode::Function<'a>> {
        self.used
            .into_iter()
            .map(|(function, file)| {
                let function = functions[function];
                if function.file.is_empty() { encode::Function { file, ..function } } else { function }
            })
            .collect()
    }
}
