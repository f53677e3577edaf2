//! OpenTelemetry's profiles signal as a file: `ProfilesData` of `opentelemetry.proto.profiles.v1development`, which is
//! still alpha; the version of the messages is that of the crate that brings them.
//!
//! A profile there has one figure, so a dump becomes up to four, which share one dictionary. Entry 0 of each of its
//! tables is the zero value, which stands for nothing.

use std::collections::HashMap;

use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::profiles::v1development::{
    Function, KeyValueAndUnit, Line, Link, Location, Mapping, Profile, ProfilesData, ProfilesDictionary,
    ResourceProfiles, Sample, ScopeProfiles, Stack, ValueType,
};
use opentelemetry_proto::tonic::resource::v1::Resource;
use prof_format::dump::{Label, LabelValue};
use prost::Message;

use crate::aggregate::samples::Samples;
use crate::error::Result;
use crate::model::ImageId;
use crate::plan::Part;
use crate::render::{Output, Request};
use crate::symbolize::symbols::NameId;

/// The row of this output.
pub const ROW: Output = Output {
    name: "otlp",
    command: true,
    about: "OpenTelemetry profiles (ProfilesData, alpha) as a file",
    parts: &[Part::Output, Part::Figure, Part::Selection, Part::Input, Part::Naming],
    keeps_labels: true,
    binary: true,
    render,
    ..Output::BASE
};

/// The shared tables in the making.
struct Dictionary {
    tables: ProfilesDictionary,
    strings: HashMap<String, i32>,
    attributes: HashMap<Label, i32>,
}

impl Dictionary {
    fn new() -> Dictionary {
        let tables = ProfilesDictionary {
            mapping_table: vec![Mapping::default()],
            location_table: vec![Location::default()],
            function_table: vec![Function::default()],
            link_table: vec![Link::default()],
            string_table: vec![String::new()],
            attribute_table: vec![KeyValueAndUnit::default()],
            stack_table: vec![Stack::default()],
        };
        Dictionary { tables, strings: HashMap::from([(String::new(), 0)]), attributes: HashMap::new() }
    }

    fn string(&mut self, text: &str) -> i32 {
        if let Some(&known) = self.strings.get(text) {
            return known;
        }
        let index = self.tables.string_table.len() as i32;
        self.tables.string_table.push(text.into());
        self.strings.insert(text.into(), index);
        index
    }

    fn attribute(&mut self, label: &Label) -> i32 {
        if let Some(&known) = self.attributes.get(label) {
            return known;
        }
        let (value, unit) = match &label.value {
            LabelValue::Text(text) => (Value::StringValue(text.clone()), ""),
            LabelValue::Number { value, unit } => (Value::IntValue(*value), unit.as_str()),
        };
        let entry = KeyValueAndUnit {
            key_strindex: self.string(&label.key),
            value: Some(AnyValue { value: Some(value) }),
            unit_strindex: self.string(unit),
        };
        let index = self.tables.attribute_table.len() as i32;
        self.tables.attribute_table.push(entry);
        self.attributes.insert(label.clone(), index);
        index
    }

    fn text_attribute(&mut self, key: &str, text: &str) -> i32 {
        self.attribute(&Label { key: key.into(), value: LabelValue::Text(text.into()) })
    }
}

fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    let session = request.session;
    let samples = Samples::new(request.view, session.metrics());
    if samples.samples.is_empty() {
        request.warn(request.explain_nothing());
    }
    let mut dictionary = Dictionary::new();
    add_code(&mut dictionary, request, &samples);
    let stacks: Vec<i32> = samples
        .samples
        .iter()
        .map(|sample| {
            let location_indices = samples.stack(sample).iter().map(|&at| at as i32 + 1).collect();
            dictionary.tables.stack_table.push(Stack { location_indices });
            dictionary.tables.stack_table.len() as i32 - 1
        })
        .collect();
    let attributes: Vec<Vec<i32>> = samples
        .samples
        .iter()
        .map(|sample| sample.labels.iter().map(|label| dictionary.attribute(label)).collect())
        .collect();
    let period_type =
        ValueType { type_strindex: dictionary.string("space"), unit_strindex: dictionary.string("bytes") };
    let mut profiles = Vec::new();
    for (column, metric) in samples.metrics.iter().enumerate() {
        let unit = if metric.is_bytes() { "bytes" } else { "count" };
        let samples = samples.samples.iter().zip(stacks.iter().zip(&attributes));
        let samples = samples
            .map(|(sample, (&stack_index, attributes))| Sample {
                stack_index,
                attribute_indices: attributes.clone(),
                values: vec![sample.values[column].round() as i64],
                ..Sample::default()
            })
            .filter(|sample| sample.values != [0])
            .collect();
        profiles.push(Profile {
            sample_type: Some(ValueType {
                type_strindex: dictionary.string(metric.name()),
                unit_strindex: dictionary.string(unit),
            }),
            samples,
            time_unix_nano: session.profile.time_nanos,
            duration_nano: session.profile.duration_nanos,
            period_type: Some(period_type),
            period: session.profile.periods.first().copied().unwrap_or(0) as i64,
            ..Profile::default()
        });
    }
    // Viewers show the first profile: the figure that was asked for.
    let wanted = samples.metrics.iter().position(|metric| *metric == request.plan.figure.metric);
    profiles.swap(0, wanted.unwrap_or(0));
    let name = KeyValue {
        key: "process.executable.name".into(),
        value: Some(AnyValue { value: Some(Value::StringValue(session.program_name.clone())) }),
        ..KeyValue::default()
    };
    let scope = InstrumentationScope {
        name: "jeprof-rs".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        ..InstrumentationScope::default()
    };
    let data = ProfilesData {
        resource_profiles: vec![ResourceProfiles {
            resource: Some(Resource { attributes: vec![name], ..Resource::default() }),
            scope_profiles: vec![ScopeProfiles { scope: Some(scope), profiles, ..ScopeProfiles::default() }],
            ..ResourceProfiles::default()
        }],
        dictionary: Some(dictionary.tables),
    };
    Ok(data.encode_to_vec())
}

/// Mappings, functions and locations.
fn add_code(dictionary: &mut Dictionary, request: &Request<'_>, samples: &Samples) {
    let (profile, symbols) = (&request.session.profile, request.view.symbols());
    let mut mapping_of: HashMap<ImageId, Vec<i32>> = HashMap::new();
    for (index, image) in profile.images.iter().enumerate() {
        let id = image.build_id.to_string();
        let attribute_indices = match id.is_empty() {
            true => Vec::new(),
            false => vec![dictionary.text_attribute("process.executable.build_id.gnu", &id)],
        };
        for part in &image.mapped {
            let mapping = Mapping {
                memory_start: part.start,
                memory_limit: part.end,
                file_offset: part.file_offset,
                filename_strindex: dictionary.string(&image.path),
                attribute_indices: attribute_indices.clone(),
            };
            let at = dictionary.tables.mapping_table.len() as i32;
            dictionary.tables.mapping_table.push(mapping);
            mapping_of.entry(profile.image_id(index)).or_default().push(at);
        }
    }
    let text = |id: NameId| symbols.names.text(id);
    for function in &symbols.functions {
        let function = Function {
            name_strindex: dictionary.string(text(function.name)),
            system_name_strindex: dictionary.string(text(function.linkage)),
            filename_strindex: dictionary.string(text(function.file)),
            start_line: function.start_line.into(),
        };
        dictionary.tables.function_table.push(function);
    }
    for location in &samples.locations.all {
        let of_image = location.image.and_then(|image| mapping_of.get(&image));
        let holds = |at: &&i32| {
            let mapping = &dictionary.tables.mapping_table[**at as usize];
            (mapping.memory_start..mapping.memory_limit).contains(&location.address)
        };
        let mapping = of_image.and_then(|of_image| of_image.iter().find(holds).or(of_image.first()));
        let lines = samples.locations.lines_of(location).iter().map(|line| {
            let line = symbols.line(*line);
            Line {
                function_index: line.function.index() as i32 + 1,
                line: line.line.into(),
                column: line.column.into(),
            }
        });
        let location = Location {
            mapping_index: mapping.copied().unwrap_or(0),
            address: location.address,
            lines: lines.collect(),
            attribute_indices: Vec::new(),
        };
        dictionary.tables.location_table.push(location);
    }
}
