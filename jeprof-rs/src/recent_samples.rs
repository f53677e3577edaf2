//! Files of recent samples among the inputs: read, and given the memory map that they do not carry.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use prof_format::dump::{Dump, MapRow};

use crate::error::{Error, Result, plain};
use crate::formats::{self, Unmapped};
use crate::load::recent::{self, Document, Facts, map};
use crate::load::{self, Source};
use crate::plan::Plan;
use crate::plan::choice::Granularity;
use crate::progress::Progress;

/// What the files make together.
pub struct RecentSamples<'s> {
    /// Each file as a dump.
    pub dumps: Vec<(&'s Source, Dump)>,
    /// About all of them.
    pub facts: Facts,
    /// Where maps were found that were not given, to be told.
    pub notes: Vec<String>,
}

/// Reads them all; `None` when none of the inputs is one. Beside them, heap profiles and copies of process maps lend their
/// memory map, and count nothing.
///
/// # Errors
/// A broken file, or no map for one, unless the report is about bare addresses.
pub fn read<'s>(
    sources: &'s [Source],
    plan: &Plan,
    progress: &Progress,
) -> Result<Option<RecentSamples<'s>>> {
    if !sources.iter().any(is_one) {
        return Ok(None);
    }
    let mut documents: Vec<(&Source, Document)> = Vec::new();
    let mut given: Vec<MapRow> = Vec::new();
    for source in sources {
        progress.step(format!("reading {source}"));
        let bytes = load::read(source, plan.input.unpack_bytes_max)?;
        match recent::read(&bytes) {
            Some(document) => documents.push((source, document.map_err(|what| Error::at(source, what))?)),
            None => given.extend(lent(source, &bytes)?),
        }
    }
    let mut recent = RecentSamples { dumps: Vec::new(), facts: Facts::default(), notes: Vec::new() };
    for (source, document) in documents {
        let Facts { count, max, interval } = document.facts();
        recent.facts = Facts { count: recent.facts.count + count, max, interval };
        let maps = if given.is_empty() { found(source, plan, &mut recent.notes) } else { given.clone() };
        if maps.is_empty() && plan.rows.granularity != Granularity::Addresses {
            return Err(Error::at(
                source,
                "recent samples carry no memory map: name a heap profile of the same process, or a copy of its \
                 /proc/PID/maps, beside it (--addresses shows the bare addresses)",
            ));
        }
        recent.dumps.push((source, document.into_dump(maps)));
    }
    Ok(Some(recent))
}

/// Whether a source begins as one, without reading all of it. A pipe (`<(zcat x.gz)`) can be read only once.
fn is_one(source: &Source) -> bool {
    let mut head = Vec::new();
    let bytes = match source {
        Source::File(path) if path.is_file() => {
            let read = File::open(path).and_then(|file| file.take(1024).read_to_end(&mut head));
            if read.is_err() { &[] } else { head.as_slice() }
        }
        Source::File(_) => &[],
        Source::Stdin(bytes) => bytes.as_slice(),
        Source::Service(fetched) => fetched.bytes.as_slice(),
    };
    recent::begins(bytes)
}

fn lent(source: &Source, bytes: &[u8]) -> Result<Vec<MapRow>> {
    match map::read(bytes) {
        Some(rows) => Ok(rows),
        None => formats::parse(source, bytes, Unmapped::Refused).map(|dump| dump.maps),
    }
}

/// The map that is to be found without being given.
fn found(source: &Source, plan: &Plan, notes: &mut Vec<String>) -> Vec<MapRow> {
    let Source::File(path) = source else { return Vec::new() };
    let places = map::Places::of(path, Path::new("/proc"));
    for dump in places.dumps {
        let source = Source::File(dump);
        let maps = load::read(&source, plan.input.unpack_bytes_max).and_then(|bytes| lent(&source, &bytes));
        if let Ok(maps) = maps
            && !maps.is_empty()
        {
            notes.push(format!("the memory map is that of {source}"));
            return maps;
        }
    }
    let Some(maps) = places.process else { return Vec::new() };
    match std::fs::read(&maps) {
        Ok(bytes) => {
            notes.push(format!("the memory map is that of the running process, {}", maps.display()));
            map::read(&bytes).unwrap_or_default()
        }
        Err(error) => {
            notes.push(format!("{}: {}", maps.display(), plain(&error)));
            Vec::new()
        }
    }
}
