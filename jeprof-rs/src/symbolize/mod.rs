//! Names for the frames of a profile.
//!
//! `images` finds the files: `search` makes candidates, `locate` and `debug_file` check them. `resolve` names addresses of
//! one file; here the work is spread over threads and put together. What cannot be named becomes `module+0xoffset`, or
//! `module!fn@0xstart` where at least the function's bounds are known, never a guess.

mod binary;
mod cache;
mod cache_file;
pub mod code;
mod debug_file;
mod debuginfod;
mod dwarf;
mod frame_ranges;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod general;
mod images;
mod locate;
mod mapped;
mod mini_debug;
mod names;
mod perf_map;
mod plt;
mod resolve;
mod search;
pub mod service;
mod symbol_table;
pub mod symbols;
mod trail;
mod vdso;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use hashbrown::HashMap;

use crate::error::Result;
use crate::model::{FrameId, ImageId, Place, Profile};
use crate::plan::finding::Finding;
use crate::progress::Progress;
pub use images::ImageFacts;
use images::{Images, Located};
use search::Search;
use symbols::{Function, FunctionId, Line, NameId, Symbols};

/// An image of which some frames have no name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unnamed {
    /// The image.
    pub image: ImageId,
    /// Why, in words.
    pub reason: String,
    /// Whether the file is missing or another one, as opposed to a file without symbols.
    pub file_unusable: bool,
}

/// Names for all frames, and what could not be named.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Entry `i` is frame `i` of the profile; every entry has a line and every line a function name.
    pub symbols: Symbols,
    /// Frames whose name is only a stand-in.
    pub stand_ins: Vec<FrameId>,
    /// Images with such frames.
    pub unnamed: Vec<Unnamed>,
    /// What was found of each image.
    pub images: Vec<ImageFacts>,
    /// Anything else that the user should know.
    pub warnings: Vec<String>,
}

/// From so many addresses on, a file is worth all threads; smaller ones share them.
const ADDRESSES_FOR_ALL_THREADS: usize = 256;

/// What to name, and with what.
pub struct Request<'a> {
    /// The frames.
    pub profile: &'a Profile,
    /// The file that the user named.
    pub program: Option<&'a Path>,
    /// File names of the dumps.
    pub dumps: &'a [String],
    /// Where files are looked for.
    pub finding: &'a Finding,
}

/// Names every frame.
///
/// # Errors
/// Only for files that the user named: a program that is not the one that made the dumps, a file that cannot be read.
pub fn symbolize(request: &Request<'_>, progress: &Progress) -> Result<Outcome> {
    let profile = request.profile;
    let mut outcome = Outcome::default();
    let search = Search::new(request.finding, &|name| std::env::var_os(name));
    let named = request.program.map(|path| locate::named_program(profile, path)).transpose()?;
    outcome.warnings.extend(named.iter().filter_map(|named| named.warning.clone()));
    let mut found = images::find(profile, named.as_ref(), request.dumps, request.finding, &search)?;
    outcome.warnings.append(&mut found.warnings);
    for facts in found.facts.iter().filter(|facts| facts.file.is_none()) {
        let Some(problem) = &facts.problem else { continue };
        let reason = with_places(problem, facts);
        outcome.unnamed.push(Unnamed { image: facts.image, reason, file_unusable: true });
    }

    let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
    progress.step(format!("naming the code of {} files", found.located.len()));
    let cache = if request.finding.no_symbol_cache { None } else { cache::folder() };
    let answers = resolve_all(&found.located, cache.as_deref(), threads);
    assemble(profile, &found, answers, &mut outcome);
    outcome.images = found.facts;
    Ok(outcome)
}

/// A reason, with the places where the file, or its debug file, was looked for in vain.
fn with_places(reason: &str, facts: &ImageFacts) -> String {
    match facts.trail.summary() {
        places if places.is_empty() => reason.into(),
        places => format!("{reason} ({places})"),
    }
}

type Answer = std::result::Result<Symbols, String>;

/// Looks everything up: files with many addresses one after another with all threads, then the others side by side.
fn resolve_all(located: &[Located], cache: Option<&Path>, threads: usize) -> Vec<Answer> {
    let resolve = |index: usize, threads: usize| {
        let Located { binary, beside, wanted, .. } = &located[index];
        let addresses: Vec<u64> = wanted.iter().map(|&(address, _)| address).collect();
        cache::resolve_cached(cache, binary, beside, &addresses, threads)
    };
    let (large, small): (Vec<usize>, Vec<usize>) = (0..located.len())
        .partition(|&index| located.len() == 1 || located[index].wanted.len() >= ADDRESSES_FOR_ALL_THREADS);
    let mut answers: Vec<Option<Answer>> = located.iter().map(|_| None).collect();
    for index in large {
        answers[index] = Some(resolve(index, threads));
    }
    let next = AtomicUsize::new(0);
    let answers = Mutex::new(answers);
    let work = || {
        while let Some(&index) = small.get(next.fetch_add(1, Ordering::Relaxed)) {
            let answer = resolve(index, 1);
            answers.lock().expect("no thread panics while it holds the lock")[index] = Some(answer);
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads.min(small.len()) {
            scope.spawn(work);
        }
        work();
    });
    let answers = answers.into_inner().expect("no thread panics while it holds the lock");
    answers.into_iter().map(|answer| answer.expect("every index was handed out once")).collect()
}

/// Ids of one answer's names and functions in the whole.
struct Renamed {
    names: Vec<NameId>,
    functions: Vec<FunctionId>,
}

impl Renamed {
    fn new(answer: &Symbols, symbols: &mut Symbols) -> Renamed {
        let names: Vec<NameId> = answer.names.texts().map(|text| symbols.names.id(text)).collect();
        let functions = answer
            .functions
            .iter()
            .map(|function| {
                symbols.function_id(Function {
                    name: names[function.name.index()],
                    linkage: names[function.linkage.index()],
                    file: names[function.file.index()],
                    start_line: function.start_line,
                })
            })
            .collect();
        Renamed { names, functions }
    }
}

/// Brings the answers into the order of the profile's frames and fills the gaps.
fn assemble(profile: &Profile, images: &Images, mut answers: Vec<Answer>, outcome: &mut Outcome) {
    /// Where the lines of a frame are: in which answer, under which entry, and the address that was looked up.
    #[derive(Clone, Copy)]
    struct Found {
        answer: usize,
        entry: usize,
        address: u64,
    }
    let mut found: Vec<Option<Found>> = vec![None; profile.frames.len()];
    for (answer, image) in images.located.iter().enumerate() {
        for (entry, &(address, frame)) in image.wanted.iter().enumerate() {
            found[frame.index()] = Some(Found { answer, entry, address });
        }
    }
    // The largest answer's tables are gone on with, so that most names are not looked up again.
    let count = |answer: &Answer| answer.as_ref().map_or(0, |answer| answer.names.texts().len());
    let largest = (0..answers.len()).max_by_key(|&index| count(&answers[index]));
    if let Some(Ok(largest)) = largest.map(|index| &mut answers[index]) {
        outcome.symbols = largest.take_tables();
    }
    let symbols = &mut outcome.symbols;
    let renamed: Vec<Option<Renamed>> = (answers.iter().enumerate())
        .map(|(index, answer)| match answer {
            Ok(answer) if largest != Some(index) => Some(Renamed::new(answer, symbols)),
            _ => None,
        })
        .collect();
    for (Located { image, .. }, answer) in images.located.iter().zip(&answers) {
        if let Err(reason) = answer
            && let Some(image) = *image
            && outcome.unnamed.iter().all(|unnamed| unnamed.image != image)
        {
            outcome.unnamed.push(Unnamed { image, reason: reason.clone(), file_unusable: true });
        }
    }
    let in_no_file: HashMap<FrameId, &str> =
        images.names.iter().map(|(id, name)| (*id, name.as_str())).collect();
    let mut starts: HashMap<usize, frame_ranges::Starts> = HashMap::new();
    let mut lines: Vec<Line> = Vec::new();
    for ((frame, id), found) in profile.frames.iter().zip(profile.frame_ids()).zip(&found) {
        lines.clear();
        lines.extend(frame.names.iter().map(|named| {
            let name = if named.function.is_empty() { &named.linkage } else { &named.function };
            let linkage = if named.linkage == *name { "" } else { &named.linkage };
            let function = Function {
                name: symbols.names.id(name),
                linkage: symbols.names.id(linkage),
                ..Function::default()
            };
            let file = symbols.names.id(&named.file);
            Line { function: symbols.function_id(function), file, line: named.line, column: 0 }
        }));
        if let Some(Found { answer, entry, .. }) = *found
            && let Ok(known) = &answers[answer]
        {
            match &renamed[answer] {
                None => lines.extend_from_slice(known.lines_of(entry)),
                Some(Renamed { names, functions }) => {
                    lines.extend(known.lines_of(entry).iter().map(|line| {
                        let (function, file) = (functions[line.function.index()], names[line.file.index()]);
                        Line { function, file, ..*line }
                    }))
                }
            }
        }
        if lines.is_empty()
            && let Some(raw) = in_no_file.get(&id)
        {
            let name = symbols.names.id(&names::readable(raw));
            let function = symbols.function_id(Function { name, ..Function::default() });
            lines.push(Line { function, file: NameId::EMPTY, line: 0, column: 0 });
        }
        if lines.is_empty() {
            let function = symbols.function_id(Function::default());
            lines.push(Line { function, file: NameId::EMPTY, line: 0, column: 0 });
        }
        if lines.iter().any(|line| symbols.function(line).name == NameId::EMPTY) {
            let start = found.and_then(|Found { answer, address, .. }| {
                let path = &images.located[answer].binary.path;
                starts.entry(answer).or_insert_with(|| frame_ranges::Starts::of_file(path)).start(address)
            });
            let address = found.map(|found| found.address);
            let stand_in = symbols.names.id(&stand_in(profile, frame.place, address, start));
            symbols.stand_ins.insert(stand_in);
            for line in &mut lines {
                let function = *symbols.function(line);
                if function.name == NameId::EMPTY {
                    line.function = symbols.function_id(Function { name: stand_in, ..function });
                }
            }
            outcome.stand_ins.push(id);
            if let Place::Image { image, .. } = frame.place
                && outcome.unnamed.iter().all(|unnamed| unnamed.image != image)
            {
                let facts = images.facts.iter().find(|facts| facts.image == image);
                let reason = "has no symbol for some of its code (stripped?)";
                let reason = facts.map_or_else(|| reason.into(), |facts| with_places(reason, facts));
                outcome.unnamed.push(Unnamed { image, reason, file_unusable: false });
            }
        }
        symbols.push(lines.iter().copied());
    }
}

/// What a frame without a name is called: the file and where the function starts, else the address that `nm` and
/// `objdump` would show for it, or, when the file could not be looked into, the offset in the file.
fn stand_in(profile: &Profile, place: Place, address: Option<u64>, start: Option<u64>) -> String {
    match (place, start) {
        (Place::Image { image, .. }, Some(start)) => {
            format!("{}!fn@{start:#x}", profile.images[image.index()].name())
        }
        (Place::Image { image, offset }, None) => {
            format!("{}+{:#x}", profile.images[image.index()].name(), address.unwrap_or(offset))
        }
        (Place::Unmapped(address), _) => format!("{address:#018x}"),
    }
}
