//! Names for the frames of a profile.
//!
//! `locate` says which file an image is, `resolve` names addresses of one file; here the work is spread over
//! threads and put together. What cannot be named becomes `module+0xoffset`, never a guess.

mod binary;
mod debug_file;
mod dwarf;
mod frame_ranges;
mod general;
mod locate;
mod mapped;
mod mini_debug;
mod names;
mod plt;
mod resolve;
pub mod service;
mod symbol_table;
pub mod symbols;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::error::Result;
use crate::model::{FrameId, ImageId, Place, Profile};
use crate::progress::Progress;
use binary::Binary;
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
    /// Anything else that the user should know.
    pub warnings: Vec<String>,
}

/// An image whose file was found, and what is wanted of it: addresses in the file's own space, sorted.
struct Located {
    image: ImageId,
    binary: Binary,
    debug: Option<PathBuf>,
    wanted: Vec<(u64, FrameId)>,
}

/// From so many addresses on, a file is worth all threads; smaller ones share them.
const ADDRESSES_FOR_ALL_THREADS: usize = 256;

/// Names every frame. `program` is the file that the user named.
///
/// # Errors
/// Only for a named program that is not the one that made the dumps.
pub fn symbolize(profile: &Profile, program: Option<&Path>, progress: &Progress) -> Result<Outcome> {
    let mut outcome = Outcome::default();
    let named = program.map(|path| locate::named_program(profile, path)).transpose()?;
    outcome.warnings.extend(named.iter().filter_map(|named| named.warning.clone()));

    let mut offsets: BTreeMap<ImageId, Vec<(u64, FrameId)>> = BTreeMap::new();
    for (frame, id) in profile.frames.iter().zip(profile.frame_ids()) {
        if let (Place::Image { image, offset }, true) = (frame.place, frame.names.is_empty()) {
            offsets.entry(image).or_default().push((offset, id));
        }
    }
    let mut located: Vec<Located> = Vec::new();
    for (image, offsets) in offsets {
        let answer = match &named {
            Some(named) if named.image == Some(image) => Ok(named.binary.clone()),
            _ => locate::by_dump_path(&profile.images[image.index()]),
        };
        match answer {
            Ok(binary) => {
                if changed_since(profile, image, &binary) {
                    outcome.warnings.push(format!(
                        "{}: was changed after the dump was made, and the dump has no build id to check with: its \
                         names may be wrong",
                        binary.path.display()
                    ));
                }
                let mut wanted: Vec<(u64, FrameId)> = offsets
                    .iter()
                    .filter_map(|&(offset, id)| Some((binary.address_of_offset(offset)?, id)))
                    .collect();
                wanted.sort_unstable();
                let debug = debug_file::find(&binary);
                located.push(Located { image, binary, debug, wanted });
            }
            Err(reason) => outcome.unnamed.push(Unnamed { image, reason, file_unusable: true }),
        }
    }

    let threads = std::thread::available_parallelism().map_or(1, |count| count.get());
    progress.step(format!("naming the code of {} files", located.len()));
    let answers = resolve_all(&located, threads);
    assemble(profile, &located, answers, &mut outcome);
    Ok(outcome)
}

/// Whether a file may be another build than the one that ran, which neither a build id nor its layout rules out.
fn changed_since(profile: &Profile, image: ImageId, binary: &Binary) -> bool {
    let unchecked = profile.images[image.index()].build_id.is_empty();
    unchecked
        && profile.made_at.is_some_and(|made_at| binary.modified.is_some_and(|modified| modified > made_at))
}

type Answer = std::result::Result<Symbols, String>;

/// Looks everything up: files with many addresses one after another with all threads, then the others side by side.
fn resolve_all(located: &[Located], threads: usize) -> Vec<Answer> {
    let resolve = |index: usize, threads: usize| {
        let Located { binary, debug, wanted, .. } = &located[index];
        let addresses: Vec<u64> = wanted.iter().map(|&(address, _)| address).collect();
        resolve::resolve(&binary.path, debug.as_deref(), &addresses, threads)
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
#[derive(Default)]
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
fn assemble(profile: &Profile, located: &[Located], answers: Vec<Answer>, outcome: &mut Outcome) {
    /// Where the lines of a frame are: in which answer, under which entry, and the address that was looked up.
    #[derive(Clone, Copy)]
    struct Found {
        answer: usize,
        entry: usize,
        address: u64,
    }
    let mut found: Vec<Option<Found>> = vec![None; profile.frames.len()];
    for (answer, image) in located.iter().enumerate() {
        for (entry, &(address, frame)) in image.wanted.iter().enumerate() {
            found[frame.index()] = Some(Found { answer, entry, address });
        }
    }
    let symbols = &mut outcome.symbols;
    let renamed: Vec<Renamed> = answers
        .iter()
        .map(|answer| match answer {
            Ok(answer) => Renamed::new(answer, symbols),
            Err(_) => Renamed::default(),
        })
        .collect();
    for (Located { image, .. }, answer) in located.iter().zip(&answers) {
        if let Err(reason) = answer
            && outcome.unnamed.iter().all(|unnamed| unnamed.image != *image)
        {
            outcome.unnamed.push(Unnamed { image: *image, reason: reason.clone(), file_unusable: true });
        }
    }
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
            lines.extend(known.lines_of(entry).iter().map(|line| Line {
                function: renamed[answer].functions[line.function.index()],
                file: renamed[answer].names[line.file.index()],
                ..*line
            }));
        }
        if lines.is_empty() {
            let function = symbols.function_id(Function::default());
            lines.push(Line { function, file: NameId::EMPTY, line: 0, column: 0 });
        }
        if lines.iter().any(|line| symbols.function(line).name == NameId::EMPTY) {
            let stand_in =
                symbols.names.id(&stand_in(profile, frame.place, found.map(|found| found.address)));
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
                let reason = "has no symbol for some of its code (stripped?)".to_string();
                outcome.unnamed.push(Unnamed { image, reason, file_unusable: false });
            }
        }
        symbols.push(lines.iter().copied());
    }
}

/// What a frame without a name is called: the file and the address that `nm` and `objdump` would show for it, or,
/// when the file could not be looked into, the offset in the file.
fn stand_in(profile: &Profile, place: Place, address: Option<u64>) -> String {
    match place {
        Place::Image { image, offset } => {
            format!("{}+{:#x}", profile.images[image.index()].name(), address.unwrap_or(offset))
        }
        Place::Unmapped(address) => format!("{address:#018x}"),
    }
}
