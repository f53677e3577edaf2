//! profile.proto with names, gzipped: what pprof, Pyroscope, Parca, speedscope and Perfetto open.

use hashbrown::HashMap;
use prof_format::dump::Carried;
use prof_format::pprof::{self as encode, Encoder};

use super::gzip;
use crate::aggregate::samples::{Location, LocationTable, Locations, walk_values};
use crate::error::Result;
use crate::model::labels::LabelsId;
use crate::plan::Part;
use crate::plan::choice::Metric;
use crate::render::{Output, Request};
use crate::symbolize::symbols::NameId;
use crate::transform::tags;

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
    profile(request, &request.session.metrics())
}

/// The stacks of the request's view with these figures, gzipped.
///
/// # Errors
/// Those of [`gzip::pack`].
pub fn profile(request: &Request<'_>, metrics: &[Metric]) -> Result<Vec<u8>> {
    let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
    gzip::pack(threads, |each| write(request, metrics, each))
}

/// Hands the profile over piece by piece.
fn write(request: &Request<'_>, metrics: &[Metric], each: &mut dyn FnMut(Vec<u8>)) {
    let unit = |is_bytes: bool| if is_bytes { "bytes" } else { "count" };
    let sample_types: Vec<encode::ValueType<'_>> = metrics
        .iter()
        .map(|metric| encode::ValueType { name: metric.name(), unit: unit(metric.is_bytes()) })
        .collect();
    let mut encoder = Encoder::new(&sample_types);
    let mut locations = Locations::new(request.view);
    if !samples(request, metrics, &mut encoder, &mut locations, each) {
        request.warn(request.explain_nothing());
    }
    tables(request, encoder, &locations.table, each);
}

/// Writes a sample for each stack; answers whether there was any.
fn samples<'a>(
    request: &Request<'a>,
    metrics: &[Metric],
    encoder: &mut Encoder<'a>,
    locations: &mut Locations<'_>,
    each: &mut dyn FnMut(Vec<u8>),
) -> bool {
    let (profile, view) = (&request.session.profile, request.view);
    let mut known: HashMap<LabelsId, encode::Labels> = HashMap::new();
    let (mut numbers, mut labels) = (Vec::new(), encode::Labels::default());
    let mut any = false;
    walk_values(view, metrics, |stack, lines, frames, values| {
        any = true;
        numbers.clear();
        locations.of_stack(lines, frames, &mut numbers);
        labels.copy_from(known.entry(stack.labels).or_insert_with_key(|id| {
            let mut labels = encode::Labels::default();
            profile.labels.get(*id).iter().for_each(|label| encoder.label(&mut labels, label));
            labels
        }));
        if let Some(bytes) = tags::missing_size(profile, stack) {
            encoder.number_label(&mut labels, tags::BYTES, bytes, "bytes");
        }
        encoder.sample(&numbers, values, &labels);
        encoder.take(gzip::PIECE).into_iter().for_each(&mut *each);
    });
    any
}

/// Writes what the samples refer to.
fn tables<'a>(
    request: &Request<'a>,
    encoder: Encoder<'a>,
    locations: &'a LocationTable,
    each: &mut dyn FnMut(Vec<u8>),
) {
    let (profile, symbols) = (&request.session.profile, request.view.symbols());
    let named = named_images(request, &locations.all);
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
    // One location's after another's: a vector for each would be most of the work.
    let mut lines: Vec<encode::Line> = Vec::with_capacity(symbols.lines.len());
    let mut ends: Vec<usize> = Vec::with_capacity(locations.all.len());
    for location in &locations.all {
        if location.image.is_none_or(|image| named[image.index()]) {
            lines.extend(locations.lines_of(location).iter().map(|id| {
                let line = symbols.line(*id);
                let function = used.of(line.function.index(), text(line.file));
                encode::Line { function, line: line.line, column: line.column }
            }));
        }
        ends.push(lines.len());
    }
    let functions = used.finish(&functions);
    let starts = std::iter::once(0).chain(ends.iter().copied());
    let locations: Vec<encode::Location<'_>> = locations
        .all
        .iter()
        .zip(starts.zip(&ends))
        .map(|(location, (start, &end))| encode::Location {
            address: location.address,
            mapping: mapping(location, &mapping_of, &mappings),
            lines: &lines[start..end],
        })
        .collect();
    let drop_frames = profile.drop_frames.join("|");
    let comments: Vec<&str> = profile.comments.iter().map(String::as_str).collect();
    let profile = encode::Profile {
        sample_types: &[],
        default_sample_type: request.plan.figure.metric.name(),
        samples: &[],
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
    };
    encoder.finish(&profile, gzip::PIECE, each);
}

/// Per image, whether any of its locations has a real name. Viewers look up the rest themselves when none has; when
/// some have, the others keep their stand-ins.
fn named_images(request: &Request<'_>, locations: &[Location]) -> Vec<bool> {
    let mut is_stand_in = vec![false; request.session.profile.frames.len()];
    for frame in &request.session.outcome.stand_ins {
        is_stand_in[frame.index()] = true;
    }
    let mut named = vec![false; request.session.profile.images.len()];
    for location in locations {
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
