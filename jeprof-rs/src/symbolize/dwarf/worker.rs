//! One thread's part of the work: the addresses of one unit at a time, to frames.

use std::sync::Arc;

use gimli::{AttributeValue, DebugInfoOffset, UnitOffset, constants as c};
use hashbrown::HashMap;

use super::sections::Reader;
use super::shapes::Fault;
use super::tables::Tables;
use super::units::{Claim, Starts};
use super::{functions, lines};

/// How far references from one entry to another are followed.
const REFERENCES_MAX: u32 = 16;

/// A function as the debug information has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Function<'a> {
    /// Linkage name, or the plain name where there is none; empty when unknown.
    pub raw: &'a [u8],
    /// Where it is declared: index in [`Found::paths`], [`NO_PATH`] when unknown.
    pub file: u32,
    /// Line of its declaration, 0 when unknown.
    pub line: u32,
}

/// Stands for a file that is not known; the first entry of [`Found::paths`] is empty.
pub const NO_PATH: u32 = 0;

/// Stands for a function that is not known.
pub const NO_FUNCTION: u32 = u32::MAX;

/// One function of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Index in [`Found::functions`], or [`NO_FUNCTION`].
    pub function: u32,
    /// Index in [`Found::paths`].
    pub file: u32,
    /// 0 when unknown.
    pub line: u32,
    /// 0 when unknown.
    pub column: u32,
}

/// What is known about one address.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// Its index in the list of wanted addresses.
    pub wanted: u32,
    /// Its frames: first and behind last in [`Found::frames`], innermost first.
    pub frames: (u32, u32),
    /// Whether functions of the unit's language have no path in front of their names.
    pub is_without_paths: bool,
    /// The unit, to choose where several claim an address.
    pub unit: DebugInfoOffset,
}

/// What a worker has found.
#[derive(Default)]
pub struct Found<'a> {
    /// Distinct functions.
    pub functions: Vec<Function<'a>>,
    /// Distinct paths of source files.
    pub paths: Vec<String>,
    /// Frames of all answers.
    pub frames: Vec<Frame>,
    /// Answers in no particular order. Addresses about which nothing is known have none.
    pub answers: Vec<Answer>,
    /// Addresses that only the general engine can look up.
    pub unsupported: Vec<u32>,
}

/// A unit that entries are read from.
struct OpenUnit<'a> {
    /// Where it begins in `.debug_info`.
    start: usize,
    unit: gimli::Unit<Reader<'a>>,
}

/// The state of one thread.
pub struct Worker<'i, 'a> {
    dwarf: &'i gimli::Dwarf<Reader<'a>>,
    starts: &'i Starts,
    code_start: u64,
    /// Abbreviations that were read.
    pub tables: Tables,
    /// What has been found so far.
    pub found: Found<'a>,
    path_ids: HashMap<String, u32>,
    /// Paths by the unit that names them and their number there.
    files: HashMap<(usize, u64), u32>,
    /// Functions by where their entry is in `.debug_info`.
    known: HashMap<usize, u32>,
    /// Functions by what is known of them: every unit has its own entries for what it has inlined.
    function_ids: HashMap<Function<'a>, u32>,
    /// Units that others refer to.
    referred: HashMap<usize, Arc<OpenUnit<'a>>>,
}

impl<'i, 'a> Worker<'i, 'a> {
    /// Starts with nothing.
    pub fn new(dwarf: &'i gimli::Dwarf<Reader<'a>>, starts: &'i Starts, code_start: u64) -> Worker<'i, 'a> {
        let found = Found { paths: vec![String::new()], ..Found::default() };
        Worker {
            dwarf,
            starts,
            code_start,
            tables: Tables::default(),
            found,
            path_ids: HashMap::new(),
            files: HashMap::new(),
            known: HashMap::new(),
            function_ids: HashMap::new(),
            referred: HashMap::new(),
        }
    }

    /// Looks up the addresses that a unit claims; `all` is the list of wanted addresses.
    pub fn resolve(&mut self, claim: &Claim, all: &[u64]) {
        match self.resolve_unit(claim, all) {
            Ok(()) => {}
            Err(Fault::Unsupported) => self.found.unsupported.extend(&claim.wanted),
            // A broken unit does not cost the others their names.
            Err(Fault::Broken) => {}
        }
    }

    fn resolve_unit(&mut self, claim: &Claim, all: &[u64]) -> Result<(), Fault> {
        let open = self.open(self.dwarf.unit_header(claim.unit)?)?;
        // The entries of a split unit are in another file.
        if open.unit.dwo_id.is_some() {
            return Err(Fault::Unsupported);
        }
        let unit = open.unit.unit_ref(self.dwarf);
        let wanted: Vec<u64> = claim.wanted.iter().map(|&index| all[index as usize]).collect();
        let shapes = self.tables.shapes(&open.unit)?;
        let hits = functions::find(unit, &shapes, &wanted, self.code_start)?;
        let rows = match lines::find(&open.unit, &wanted, self.code_start) {
            // Names without lines are better than nothing.
            Err(Fault::Broken) => vec![None; wanted.len()],
            rows => rows?,
        };
        let is_without_paths = language(unit).is_some_and(is_without_paths);
        let mut answered = vec![false; wanted.len()];
        for hit in &hits {
            let addresses: Vec<u64> = hit.wanted.iter().map(|&index| wanted[index as usize]).collect();
            let chains = match functions::inlined(unit, &shapes, hit.offset, &addresses, self.code_start) {
                Err(Fault::Broken) => {
                    functions::Chains { calls: Vec::new(), of: vec![Vec::new(); addresses.len()] }
                }
                chains => chains?,
            };
            let own = self.function(&open, hit.offset)?;
            let mut calls = Vec::with_capacity(chains.calls.len());
            for call in &chains.calls {
                let function = match &call.origin {
                    Some(origin) => self.referred_function(&open, origin)?,
                    None => self.function(&open, call.offset)?,
                };
                let file = call.call_file.map_or(NO_PATH, |file| self.file(&open, file));
                calls.push((function, file, call.call_line, call.call_column));
            }
            for (&index, chain) in hit.wanted.iter().zip(&chains.of) {
                answered[index as usize] = true;
                let first = self.found.frames.len() as u32;
                let mut place = match rows[index as usize] {
                    Some(row) => self.place(&open, row),
                    None => (NO_PATH, 0, 0),
                };
                for &call in chain.iter().rev() {
                    let (function, file, line, column) = calls[call as usize];
                    self.found.frames.push(Frame { function, file: place.0, line: place.1, column: place.2 });
                    place = (file, line, column);
                }
                self.found.frames.push(Frame {
                    function: own,
                    file: place.0,
                    line: place.1,
                    column: place.2,
                });
                self.answer(claim, index, first, is_without_paths);
            }
        }
        // Code whose function is not described can still have lines.
        for (index, row) in rows.iter().enumerate().filter(|&(index, _)| !answered[index]) {
            let Some(row) = *row else { continue };
            let first = self.found.frames.len() as u32;
            let (file, line, column) = self.place(&open, row);
            self.found.frames.push(Frame { function: NO_FUNCTION, file, line, column });
            self.answer(claim, index as u32, first, is_without_paths);
        }
        Ok(())
    }

    fn answer(&mut self, claim: &Claim, index: u32, first: u32, is_without_paths: bool) {
        self.found.answers.push(Answer {
            wanted: claim.wanted[index as usize],
            frames: (first, self.found.frames.len() as u32),
            is_without_paths,
            unit: claim.unit,
        });
    }

    fn open(&mut self, header: gimli::UnitHeader<Reader<'a>>) -> Result<OpenUnit<'a>, Fault> {
        let start = header.debug_info_offset().ok_or(Fault::Broken)?;
        Ok(OpenUnit { start: start.0, unit: self.tables.open(self.dwarf, header)? })
    }

    fn place(&mut self, open: &OpenUnit<'a>, row: lines::Row) -> (u32, u32, u32) {
        let column = if row.line == 0 { 0 } else { row.column };
        (self.file(open, row.file), row.line, column)
    }

    /// The path of a unit's file by its number there.
    fn file(&mut self, open: &OpenUnit<'a>, number: u64) -> u32 {
        if let Some(&id) = self.files.get(&(open.start, number)) {
            return id;
        }
        let path = path_of(open.unit.unit_ref(self.dwarf), number).unwrap_or_default();
        let next = self.found.paths.len() as u32;
        let id = match path.is_empty() {
            true => NO_PATH,
            false => *self.path_ids.entry(path).or_insert_with_key(|path| {
                self.found.paths.push(path.clone());
                next
            }),
        };
        self.files.insert((open.start, number), id);
        id
    }

    /// The function that a reference leads to.
    fn referred_function(
        &mut self,
        from: &OpenUnit<'a>,
        reference: &AttributeValue<Reader<'a>>,
    ) -> Result<u32, Fault> {
        match *reference {
            AttributeValue::UnitRef(offset) => self.function(from, offset),
            AttributeValue::DebugInfoRef(DebugInfoOffset(offset)) => {
                let Ok(open) = self.unit_around(offset) else { return Ok(NO_FUNCTION) };
                self.function(&open, UnitOffset(offset - open.start))
            }
            AttributeValue::DebugInfoRefSup(_) => Err(Fault::Unsupported),
            _ => Ok(NO_FUNCTION),
        }
    }

    fn unit_around(&mut self, offset: usize) -> Result<Arc<OpenUnit<'a>>, Fault> {
        let header = self.starts.unit_around(self.dwarf, offset)?;
        let start = header.debug_info_offset().ok_or(Fault::Broken)?.0;
        if let Some(open) = self.referred.get(&start) {
            return Ok(Arc::clone(open));
        }
        let open = Arc::new(self.open(header)?);
        self.referred.insert(start, Arc::clone(&open));
        Ok(open)
    }

    /// The function of an entry.
    fn function(&mut self, open: &OpenUnit<'a>, offset: UnitOffset) -> Result<u32, Fault> {
        let key = open.start.checked_add(offset.0).ok_or(Fault::Broken)?;
        if let Some(&known) = self.known.get(&key) {
            return Ok(known);
        }
        let mut function = Function::default();
        // A broken reference costs this function what lies behind it, not the unit its names.
        if let Err(Fault::Unsupported) = self.describe(open, offset, &mut function, REFERENCES_MAX) {
            return Err(Fault::Unsupported);
        }
        let id = match function.raw {
            [] => NO_FUNCTION,
            _ => *self.function_ids.entry(function).or_insert_with(|| {
                self.found.functions.push(function);
                self.found.functions.len() as u32 - 1
            }),
        };
        self.known.insert(key, id);
        Ok(id)
    }

    /// Fills in what an entry, and what it refers to, says about a function.
    fn describe(
        &mut self,
        open: &OpenUnit<'a>,
        offset: UnitOffset,
        function: &mut Function<'a>,
        references_left: u32,
    ) -> Result<(), Fault> {
        let unit = open.unit.unit_ref(self.dwarf);
        let mut entries = unit.entries_raw(Some(offset))?;
        let abbreviation = entries.read_abbreviation()?.ok_or(Fault::Broken)?;
        let (mut linkage, mut plain, mut reference) = (None, None, None);
        let (mut file, mut line) = (None, 0);
        for &specification in abbreviation.attributes() {
            let attribute = entries.read_attribute(specification)?;
            match attribute.name() {
                c::DW_AT_linkage_name | c::DW_AT_MIPS_linkage_name => linkage = Some(attribute.value()),
                c::DW_AT_name => plain = Some(attribute.value()),
                c::DW_AT_abstract_origin | c::DW_AT_specification => reference = Some(attribute.value()),
                c::DW_AT_decl_file => {
                    if let AttributeValue::FileIndex(index) = attribute.value() {
                        file = Some(index).filter(|&index| index > 0 || unit.header.version() >= 5);
                    }
                }
                c::DW_AT_decl_line => line = attribute.udata_value().map_or(0, |line| line as u32),
                _ => {}
            }
        }
        if function.line == 0
            && let (Some(file), 1..) = (file, line)
        {
            function.file = self.file(open, file);
            function.line = line;
        }
        for name in [linkage, plain].into_iter().flatten() {
            if matches!(name, AttributeValue::DebugStrRefSup(_)) {
                return Err(Fault::Unsupported);
            }
            if let (true, Ok(text)) = (function.raw.is_empty(), unit.attr_string(name)) {
                function.raw = text.slice();
            }
        }
        let (Some(reference), true, true) = (reference, function.raw.is_empty(), references_left > 0) else {
            return Ok(());
        };
        match reference {
            AttributeValue::UnitRef(offset) => self.describe(open, offset, function, references_left - 1),
            AttributeValue::DebugInfoRef(DebugInfoOffset(offset)) => {
                let other = self.unit_around(offset)?;
                let offset = UnitOffset(offset - other.start);
                self.describe(&other, offset, function, references_left - 1)
            }
            AttributeValue::DebugInfoRefSup(_) => Err(Fault::Unsupported),
            _ => Ok(()),
        }
    }
}

fn language(unit: gimli::UnitRef<'_, Reader<'_>>) -> Option<gimli::DwLang> {
    let mut entries = unit.entries_raw(None).ok()?;
    let abbreviation = entries.read_abbreviation().ok()??;
    for &specification in abbreviation.attributes() {
        let attribute = entries.read_attribute(specification).ok()?;
        if let AttributeValue::Language(language) = attribute.value() {
            return Some(language);
        }
    }
    None
}

/// Whether functions of a language have no path: those of C.
pub fn is_without_paths(language: gimli::DwLang) -> bool {
    use gimli::{DW_LANG_C, DW_LANG_C11, DW_LANG_C17, DW_LANG_C89, DW_LANG_C99};
    matches!(language, DW_LANG_C | DW_LANG_C89 | DW_LANG_C99 | DW_LANG_C11 | DW_LANG_C17)
}

/// The path of a unit's file: compilation folder, folder and name, joined from the last that is absolute on.
fn path_of(unit: gimli::UnitRef<'_, Reader<'_>>, number: u64) -> Option<String> {
    let header = unit.line_program.as_ref()?.header();
    let file = header.file(number)?;
    let mut path = unit.comp_dir.map(|folder| folder.to_string_lossy().into_owned()).unwrap_or_default();
    // Folder 0 is the compilation folder.
    if file.directory_index() != 0
        && let Some(folder) = file.directory(header)
    {
        push(&mut path, &unit.attr_string(folder).ok()?.to_string_lossy());
    }
    push(&mut path, &unit.attr_string(file.path_name()).ok()?.to_string_lossy());
    Some(path)
}

fn push(path: &mut String, part: &str) {
    let is_windows = |path: &str| path.starts_with('\\') || path.get(1..3) == Some(":\\");
    if part.starts_with('/') || part.get(1..3) == Some(":/") || is_windows(part) {
        part.clone_into(path);
        return;
    }
    let separator = if is_windows(path) { '\\' } else { '/' };
    if !path.is_empty() && !path.ends_with(separator) {
        path.push(separator);
    }
    path.push_str(part);
}
