//! What symbolization answers with: for each frame its source lines, innermost inlined function first.

use std::collections::HashSet;
use std::hash::BuildHasher;
use std::ops::Range;

use hashbrown::hash_table::Entry;
use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

/// Index in [`Names`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameId(u32);

impl NameId {
    /// The empty text, which every table holds.
    pub const EMPTY: NameId = NameId(0);

    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Distinct texts: function names and file names, one behind another.
#[derive(Clone, Debug)]
pub struct Names {
    texts: String,
    /// Where each text ends.
    ends: Vec<usize>,
    /// Finds a text again. The texts themselves are above; their hashes are kept, because looking at every text again
    /// whenever the table grows costs more than all else.
    ids: HashTable<(u64, NameId)>,
    hash: DefaultHashBuilder,
}

impl Default for Names {
    fn default() -> Names {
        let mut names = Names {
            texts: String::new(),
            ends: Vec::new(),
            ids: HashTable::new(),
            hash: DefaultHashBuilder::default(),
        };
        names.id("");
        names
    }
}

impl Names {
    /// The id of a text; the same for equal texts.
    pub fn id(&mut self, text: &str) -> NameId {
        let Names { texts, ends, ids, hash } = self;
        let hash = hash.hash_one(text);
        let is_it = |&(known, id): &(u64, NameId)| known == hash && text_at(texts, ends, id) == text;
        match ids.entry(hash, is_it, |&(hash, _)| hash) {
            Entry::Occupied(known) => known.get().1,
            Entry::Vacant(free) => {
                let id = NameId(ends.len() as u32);
                free.insert((hash, id));
                texts.push_str(text);
                ends.push(texts.len());
                id
            }
        }
    }

    /// Makes room for so many more texts of so many bytes altogether.
    pub fn reserve(&mut self, texts: usize, bytes: usize) {
        self.texts.reserve(bytes);
        self.ends.reserve(texts);
        self.ids.reserve(texts, |&(hash, _)| hash);
    }

    /// The text of an id of this table.
    pub fn text(&self, id: NameId) -> &str {
        text_at(&self.texts, &self.ends, id)
    }

    /// The texts, in the order of their ids.
    pub fn texts(&self) -> impl ExactSizeIterator<Item = &str> {
        (0..self.ends.len()).map(|index| self.text(NameId(index as u32)))
    }
}

fn text_at<'t>(texts: &'t str, ends: &[usize], id: NameId) -> &'t str {
    let start = id.index().checked_sub(1).map_or(0, |before| ends[before]);
    &texts[start..ends[id.index()]]
}

/// Index in [`Symbols::lines`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineId(u32);

impl LineId {
    /// The id of the line at this index.
    pub fn new(index: usize) -> LineId {
        LineId(index as u32)
    }

    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Index in [`Symbols::functions`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FunctionId(u32);

impl FunctionId {
    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One distinct function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Function {
    /// Readable name; [`NameId::EMPTY`] only before the driver has put a stand-in there.
    pub name: NameId,
    /// Name as the linker knows it, [`NameId::EMPTY`] when there is none or it is the readable one.
    pub linkage: NameId,
    /// Source file that it is declared in, [`NameId::EMPTY`] when unknown.
    pub file: NameId,
    /// Line of its declaration, 0 when unknown.
    pub start_line: u32,
}

/// One function of a frame, and where in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Line {
    /// The function.
    pub function: FunctionId,
    /// Source file, [`NameId::EMPTY`] when unknown.
    pub file: NameId,
    /// Line in the file, 0 when unknown.
    pub line: u32,
    /// Column in the line, 0 when unknown.
    pub column: u32,
}

/// The names of a list of addresses or frames.
#[derive(Clone, Debug, Default)]
pub struct Symbols {
    /// Texts that functions and lines refer to.
    pub names: Names,
    /// Distinct functions.
    pub functions: Vec<Function>,
    function_ids: HashMap<Function, FunctionId>,
    /// Lines of all entries, one after another.
    pub lines: Vec<Line>,
    /// Per entry its part of `lines`, innermost first.
    ranges: Vec<Range<u32>>,
    /// Names that stand for functions without one.
    pub stand_ins: HashSet<NameId>,
}

impl Symbols {
    /// The id of a function; the same for equal ones.
    pub fn function_id(&mut self, function: Function) -> FunctionId {
        let functions = &mut self.functions;
        *self.function_ids.entry(function).or_insert_with(|| {
            functions.push(function);
            FunctionId(functions.len() as u32 - 1)
        })
    }

    /// Makes room for so many more functions, lines and entries.
    pub fn reserve(&mut self, functions: usize, lines: usize, entries: usize) {
        self.functions.reserve(functions);
        self.function_ids.reserve(functions);
        self.lines.reserve(lines);
        self.ranges.reserve(entries);
    }

    /// Takes the names and functions out, to go on with them. The entries stay, with lines that refer to what is taken.
    pub fn take_tables(&mut self) -> Symbols {
        Symbols {
            names: std::mem::take(&mut self.names),
            functions: std::mem::take(&mut self.functions),
            function_ids: std::mem::take(&mut self.function_ids),
            ..Symbols::default()
        }
    }

    /// The function of a line.
    pub fn function(&self, line: &Line) -> &Function {
        &self.functions[line.function.index()]
    }

    /// The readable name of a line's function.
    pub fn function_name(&self, line: &Line) -> &str {
        self.names.text(self.function(line).name)
    }

    /// Whether nothing is known of a line's function.
    pub fn is_stand_in(&self, line: &Line) -> bool {
        self.stand_ins.contains(&self.function(line).name)
    }

    /// Adds the next entry.
    pub fn push(&mut self, lines: impl IntoIterator<Item = Line>) {
        let start = self.lines.len() as u32;
        self.lines.extend(lines);
        self.ranges.push(start..self.lines.len() as u32);
    }

    /// Gives some entries other lines. Every line keeps its place behind those of the entries before it, so that ids
    /// change; nobody may hold one.
    pub fn replace(&mut self, other: &HashMap<usize, Vec<Line>>) {
        let old_lines = std::mem::take(&mut self.lines);
        for (entry, old) in std::mem::take(&mut self.ranges).into_iter().enumerate() {
            match other.get(&entry) {
                Some(lines) => self.push(lines.iter().copied()),
                None => self.push(old_lines[old.start as usize..old.end as usize].iter().copied()),
            }
        }
    }

    /// The lines of an entry, as ids.
    pub fn line_ids(&self, entry: usize) -> impl DoubleEndedIterator<Item = LineId> + Clone + use<> {
        self.ranges[entry].clone().map(LineId)
    }

    /// The lines of an entry.
    pub fn lines_of(&self, entry: usize) -> &[Line] {
        let range = &self.ranges[entry];
        &self.lines[range.start as usize..range.end as usize]
    }

    /// A line by its id.
    pub fn line(&self, id: LineId) -> &Line {
        &self.lines[id.index()]
    }

    /// `file:line` of a line, `??:0` when unknown.
    pub fn location(&self, line: &Line) -> String {
        if line.file == NameId::EMPTY {
            "??:0".into()
        } else {
            format!("{}:{}", self.names.text(line.file), line.line)
        }
    }
}
