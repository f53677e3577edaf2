//! Reads profile.proto, uncompressed, from any writer.

use alloc::{format, string::String, vec::Vec};

use hashbrown::HashMap;

use super::fields::{function, line, location, mapping, profile, sample, value_type};
use super::strings::Str;
use super::tables::{Fault, Part, Tables, nested_numbers};
use super::wire_read::{Value, numbers};
use crate::builder::{Builder, TooMany};
use crate::digits::string;
use crate::dump::{
    Carried, Dump, Figure, Frame, Label, LabelValue, MapRow, More, NamedFrame, ReadError, StackRow,
};
use crate::totals::ABOUT_PREFIX;
use crate::vocab::{BuildId, Format};

/// Bytes of names (of functions, files, mappings, labels) that all of a dump together may hold, beyond 16 for each byte of the file. Names
/// are shared in the file and copied into every frame, so a small file could ask for any amount of memory.
const NAMES_MAX: usize = 64 << 20;

/// Sample types of ours that tell more of the same objects: names, units and places.
type MorePlace = fn(&mut More) -> &mut f64;
const MORE: [(Str, Str, MorePlace); 8] = [
    (Str::PeakObjects, Str::Count, |more| &mut more.peak.objs),
    (Str::PeakSpace, Str::Bytes, |more| &mut more.peak.bytes),
    (Str::InuseRequestedSpace, Str::Bytes, |more| &mut more.requested),
    (Str::PinnedSpace, Str::Bytes, |more| &mut more.pinned),
    (Str::Samples, Str::Count, |more| &mut more.samples),
    (Str::Variance, Str::Bytes2, |more| &mut more.variance),
    (Str::Births, Str::Count, |more| &mut more.births),
    (Str::Deaths, Str::Count, |more| &mut more.deaths),
];

/// Sample types that one warning names.
const OTHERS_MAX: usize = 10;

/// Reads a profile.
///
/// Columns are found by name (`inuse_space` or `space`, `inuse_objects` or `objects`, `alloc_space`, `alloc_objects`),
/// others are left out with a warning; without live ones [`Dump::has_live`] is false. Samples of the same stack with
/// the same labels are added up.
///
/// # Errors
/// [`ReadError::NotThisFormat`] unless the file begins with fields of a profile: a sample type, a sample or an empty
/// first string that is well-formed, before anything that is not.
pub fn read(bytes: &[u8]) -> Result<Dump, ReadError> {
    let tables = Tables::collect(bytes)?;
    Reader::new(&tables, bytes.len()).read()
}

/// Where the columns are among a sample's values.
#[derive(Default)]
struct Columns {
    count: usize,
    live_objs: Option<usize>,
    live_bytes: Option<usize>,
    accum_objs: Option<usize>,
    accum_bytes: Option<usize>,
    /// By [`MORE`].
    more: [Option<usize>; MORE.len()],
}

struct Function {
    names: NamedFrame,
    size: usize,
}

/// A set of labels that was met before.
#[derive(Clone, Copy)]
struct Labels {
    /// Index in [`Dump::label_sets`].
    set: u32,
    thread: Option<u64>,
}

struct Reader<'t, 'a> {
    tables: &'t Tables<'a>,
    into: Builder,
    columns: Columns,
    functions: HashMap<u64, Function>,
    /// Frame by location id.
    locations: HashMap<u64, u32>,
    /// Label sets by what their messages say: key, text, number and unit of each label.
    label_sets: HashMap<Vec<[u64; 4]>, Labels>,
    /// Uids given to thread names in files that have no `thread_uid`.
    thread_names: HashMap<String, u64>,
    names_left: usize,
}

impl<'t, 'a> Reader<'t, 'a> {
    fn new(tables: &'t Tables<'a>, size: usize) -> Reader<'t, 'a> {
        Reader {
            tables,
            into: Builder::new(Format::Pprof),
            columns: Columns::default(),
            functions: HashMap::new(),
            locations: HashMap::new(),
            label_sets: HashMap::from_iter([(Vec::new(), Labels { set: 0, thread: None })]),
            thread_names: HashMap::new(),
            names_left: NAMES_MAX.saturating_add(size.saturating_mul(16)),
        }
    }

    fn read(mut self) -> Result<Dump, ReadError> {
        let tables = self.tables;
        self.columns()?;
        self.plain_fields()?;
        tables.mappings.iter().try_for_each(|part| self.mapping(*part))?;
        tables.functions.iter().try_for_each(|part| self.function(*part))?;
        tables.locations.iter().try_for_each(|part| self.location(*part))?;
        tables.samples.iter().try_for_each(|part| self.sample(*part))?;
        // By convention the program comes first; profiles without maps have one nameless mapping.
        let first = self.into.dump.maps.first();
        self.into.dump.program = first.map(|row| row.path.clone()).filter(|path| !path.is_empty());
        Ok(self.into.finish())
    }

    fn string(&self, index: u64) -> Result<&'a [u8], Fault> {
        let strings = &self.tables.strings;
        let found = usize::try_from(index).ok().and_then(|index| strings.get(index));
        found.copied().ok_or_else(|| {
            let count = strings.len();
            Fault::Content(format!(
                "string {index} of {count}: the file is cut off or its string table is damaged"
            ))
        })
    }

    fn text(&self, index: u64) -> Result<String, Fault> {
        self.string(index).map(string)
    }

    fn columns(&mut self) -> Result<(), ReadError> {
        let mut others = Vec::new();
        // Those of ours have names that others use, too: `samples` of a CPU profile are none of a heap.
        let ours = self.tables.sample_types.iter().any(|part| {
            let name = part.numbers::<3>("sample_type").map(|values| values[value_type::TYPE as usize]);
            name.is_ok_and(|name| self.string(name).is_ok_and(|name| name == b"inuse_space"))
        });
        for (place, part) in self.tables.sample_types.iter().enumerate() {
            const FIELD: &str = "sample_type";
            let values = part.numbers::<3>(FIELD)?;
            let text =
                |field: u32| self.string(values[field as usize]).map_err(|fault| part.broken(FIELD, fault));
            let (name, unit) = (text(value_type::TYPE)?, text(value_type::UNIT)?);
            let columns = &mut self.columns;
            let column = match name {
                b"inuse_space" | b"space" => &mut columns.live_bytes,
                b"inuse_objects" | b"objects" => &mut columns.live_objs,
                b"alloc_space" => &mut columns.accum_bytes,
                b"alloc_objects" => &mut columns.accum_objs,
                _ => {
                    let known =
                        MORE.iter().position(|(of, in_, _)| (of.bytes(), in_.bytes()) == (name, unit));
                    if let Some(known) = known.filter(|_| ours) {
                        columns.more[known].get_or_insert(place);
                        continue;
                    }
                    if others.len() < OTHERS_MAX {
                        others.push(format!("`{}/{}`", string(name), string(unit)));
                    }
                    continue;
                }
            };
            column.get_or_insert(place);
        }
        if !others.is_empty() {
            let others = others.join(", ");
            self.into.warn(format!("values of {others} are no heap figures and left out"));
        }
        self.columns.count = self.tables.sample_types.len();
        self.into.dump.has_live = self.columns.live_bytes.is_some() || self.columns.live_objs.is_some();
        let tells = |name: Str| {
            MORE.iter().zip(self.columns.more).any(|((of, ..), column)| *of == name && column.is_some())
        };
        self.into.dump.has_peak = tells(Str::PeakObjects) || tells(Str::PeakSpace);
        self.into.dump.has_pinned = tells(Str::PinnedSpace);
        self.into.dump.has_accum = self.columns.accum_bytes.is_some() || self.columns.accum_objs.is_some();
        Ok(())
    }

    fn plain_fields(&mut self) -> Result<(), ReadError> {
        let plain = &self.tables.plain;
        let whole = Part { bytes: &[], offset: 0 };
        let text = |index: u64, field| self.text(index).map_err(|fault| whole.broken(field, fault));
        let drop_frames = text(plain[profile::DROP_FRAMES as usize], "drop_frames")?;
        let keep_frames = text(plain[profile::KEEP_FRAMES as usize], "keep_frames")?;
        let default = text(plain[profile::DEFAULT_SAMPLE_TYPE as usize], "default_sample_type")?;
        let doc_url = text(plain[profile::DOC_URL as usize], "doc_url")?;
        for &comment in &self.tables.comments {
            let text = self.string(comment).map_err(|fault| whole.broken("comment", fault))?;
            if let Some((name, bytes)) = crate::lines::total(text) {
                self.into.total(name, bytes);
                continue;
            }
            let size = text.len() + 2 * size_of::<String>();
            self.pay_for_names(size).map_err(|fault| whole.broken("comment", fault))?;
            if let Some(about) = text.strip_prefix(ABOUT_PREFIX.as_bytes()) {
                let end = about.iter().position(|byte| *byte == b' ').unwrap_or(about.len());
                let (name, value) = about.split_at(end);
                self.into.dump.about.push((string(name), string(value.trim_ascii())));
                continue;
            }
            self.into.dump.comments.push(string(text));
        }
        self.into.dump.drop_frames = drop_frames;
        self.into.dump.keep_frames = keep_frames;
        self.into.dump.default_sample_type = default;
        self.into.dump.doc_url = doc_url;
        self.into.dump.time_nanos = plain[profile::TIME_NANOS as usize];
        self.into.dump.duration_nanos = plain[profile::DURATION_NANOS as usize];
        if let Some(part) = self.tables.period_type {
            const FIELD: &str = "period_type";
            let values = part.numbers::<3>(FIELD)?;
            let unit =
                self.string(values[value_type::UNIT as usize]).map_err(|fault| part.broken(FIELD, fault))?;
            if unit == b"bytes" {
                self.into.dump.period = plain[profile::PERIOD as usize];
            }
        }
        Ok(())
    }

    fn mapping(&mut self, part: Part<'a>) -> Result<(), ReadError> {
        const FIELD: &str = "mapping";
        let values = part.numbers::<11>(FIELD)?;
        let text = |index: u32| self.text(values[index as usize]).map_err(|fault| part.broken(FIELD, fault));
        let (path, build_id) = (text(mapping::FILENAME)?, text(mapping::BUILD_ID)?);
        self.pay_for_names(path.len() + size_of::<MapRow>()).map_err(|fault| part.broken(FIELD, fault))?;
        if values[mapping::ID as usize] == 0 {
            return Err(part.broken(FIELD, Fault::Content("id 0 is not allowed".into())));
        }
        let flag = |field: u32| values[field as usize] != 0;
        let kept = path.strip_suffix(" (deleted)");
        self.into.dump.maps.push(MapRow {
            start: values[mapping::START as usize],
            end: values[mapping::LIMIT as usize],
            file_offset: values[mapping::OFFSET as usize],
            deleted: kept.is_some(),
            path: kept.unwrap_or(&path).into(),
            build_id: BuildId::from_hex(build_id.as_bytes()).unwrap_or_default(),
            carried: Carried {
                functions: flag(mapping::HAS_FUNCTIONS),
                filenames: flag(mapping::HAS_FILENAMES),
                line_numbers: flag(mapping::HAS_LINE_NUMBERS),
                inline_frames: flag(mapping::HAS_INLINE_FRAMES),
            },
        });
        Ok(())
    }

    fn function(&mut self, part: Part<'a>) -> Result<(), ReadError> {
        const FIELD: &str = "function";
        let values = part.numbers::<6>(FIELD)?;
        let text = |index: u32| self.text(values[index as usize]).map_err(|fault| part.broken(FIELD, fault));
        let names = NamedFrame {
            function: text(function::NAME)?,
            linkage: text(function::SYSTEM_NAME)?,
            file: text(function::FILENAME)?,
            start_line: small(values[function::START_LINE as usize]),
            ..NamedFrame::default()
        };
        let size = names.function.len() + names.linkage.len() + names.file.len() + size_of::<NamedFrame>();
        // Functions share strings, so they can ask for as much as frames can.
        self.pay_for_names(size).map_err(|fault| part.broken(FIELD, fault))?;
        self.functions.insert(values[function::ID as usize], Function { names, size });
        Ok(())
    }

    fn pay_for_names(&mut self, size: usize) -> Result<(), Fault> {
        let left = self.names_left.checked_sub(size);
        self.names_left = left.ok_or_else(|| {
            Fault::Content("names take far more room than a file of this size explains".into())
        })?;
        Ok(())
    }

    fn location(&mut self, part: Part<'a>) -> Result<(), ReadError> {
        const FIELD: &str = "location";
        let (mut id, mut frame) = (0, Frame::default());
        part.walk(FIELD, |number, value| {
            match (number, value) {
                (location::ID, Value::Number(value)) => id = value,
                (location::ADDRESS, Value::Number(value)) => frame.address = value,
                (location::LINE, Value::Bytes(bytes)) => {
                    let values = nested_numbers::<4>(bytes)?;
                    let id = values[line::FUNCTION_ID as usize];
                    let Some(function) = self.functions.get(&id) else {
                        return Err(Fault::Content(format!(
                            "its line refers to function {id}, which is missing"
                        )));
                    };
                    let line = small(values[line::LINE as usize]);
                    let column = small(values[line::COLUMN as usize]);
                    let names = NamedFrame { line, column, ..function.names.clone() };
                    let size = function.size;
                    self.pay_for_names(size)?;
                    frame.names.push(names);
                }
                _ => {}
            }
            Ok(())
        })?;
        if id == 0 {
            return Err(part.broken(FIELD, Fault::Content("id 0 is not allowed".into())));
        }
        let table = &mut self.into.dump.frame_table;
        let index = table.len() as u32;
        table.push(frame);
        match self.locations.insert(id, index) {
            None => Ok(()),
            Some(_) => Err(part.broken(FIELD, Fault::Content(format!("id {id} appears twice")))),
        }
    }

    fn sample(&mut self, part: Part<'a>) -> Result<(), ReadError> {
        const FIELD: &str = "sample";
        let start = self.into.open_stack();
        let frames = &mut self.into.dump.frames;
        let mut values: Vec<i64> = Vec::new();
        let mut labels: Vec<[u64; 4]> = Vec::new();
        part.walk(FIELD, |number, value| match (number, value) {
            (sample::LOCATION_ID, value) => numbers(value, |id| {
                let frame = self.locations.get(&id);
                frames.push(*frame.ok_or_else(|| format!("it refers to location {id}, which is missing"))?);
                Ok(())
            }),
            (sample::VALUE, value) => numbers(value, |number| {
                values.push(number as i64);
                Ok(())
            }),
            (sample::LABEL, Value::Bytes(bytes)) => {
                let [_, key, text, number, unit] = nested_numbers::<5>(bytes)?;
                labels.push([key, text, number, unit]);
                Ok(())
            }
            _ => Ok(()),
        })?;
        let columns = &self.columns;
        if values.len() != columns.count {
            let what = format!("{} values for {} sample types", values.len(), columns.count);
            return Err(part.broken(FIELD, Fault::Content(what)));
        }
        let value = |column: Option<usize>| column.map_or(0.0, |column| values[column] as f64);
        let live = Figure { objs: value(columns.live_objs), bytes: value(columns.live_bytes) };
        let accum = Figure { objs: value(columns.accum_objs), bytes: value(columns.accum_bytes) };
        let more = columns.more.iter().any(Option::is_some).then(|| {
            let mut more = More::default();
            for ((.., place), column) in MORE.iter().zip(columns.more) {
                *place(&mut more) = value(column);
            }
            more
        });
        let Labels { set, thread } = match self.label_sets.get(&labels) {
            Some(known) => *known,
            None => self.labels(labels).map_err(|fault| part.broken("label", fault))?,
        };
        let stack = self.into.close_stack(start);
        let stack = stack.map_err(|TooMany| part.broken(FIELD, Fault::Content(TooMany::WHAT.into())))?;
        let row = self.into.add(StackRow { thread, labels: set, ..stack.row(live, accum) }, stack.new);
        if let Some(more) = more {
            let all = &mut self.into.dump.more;
            all.resize(all.len().max(row + 1), More::default());
            all[row] = all[row].plus(more);
        }
        Ok(())
    }

    /// Takes in a new set of labels.
    fn labels(&mut self, raw: Vec<[u64; 4]>) -> Result<Labels, Fault> {
        let mut set = Vec::with_capacity(raw.len());
        let (mut name, mut uid) = (None, None);
        for &[key, text, number, unit] in &raw {
            let size = self.string(key)?.len() + self.string(text)?.len() + self.string(unit)?.len();
            self.pay_for_names(size + size_of::<Label>())?;
            let (key, text) = (self.text(key)?, Some(self.text(text)?).filter(|text| !text.is_empty()));
            match (&key[..], &text) {
                ("thread", Some(text)) => name = Some(text.clone()),
                ("thread_uid", None) => uid = Some(number),
                _ => {}
            }
            let value = match text {
                Some(text) => LabelValue::Text(text),
                None => LabelValue::Number { value: number as i64, unit: self.text(unit)? },
            };
            set.push(Label { key, value });
        }
        let thread = name.map_or(uid, |name| Some(self.thread(uid, name)));
        let sets = &mut self.into.dump.label_sets;
        sets.push(set);
        let labels = Labels { set: (sets.len() - 1) as u32, thread };
        self.label_sets.insert(raw, labels);
        Ok(labels)
    }

    /// Uid of a thread of this name: its own, or the next free one in files without.
    fn thread(&mut self, uid: Option<u64>, name: String) -> u64 {
        let next = self.thread_names.len() as u64;
        let uid = match uid {
            Some(uid) => uid,
            None => *self.thread_names.entry(name.clone()).or_insert(next),
        };
        self.into.thread(uid, &name);
        uid
    }
}

/// A line or column; one that cannot be is unknown.
fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(0)
}
