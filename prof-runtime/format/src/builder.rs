//! Puts a [`Dump`] together: distinct frames, distinct stacks, figures added up.

use alloc::{format, string::String, vec::Vec};
use core::hash::BuildHasher;
use core::ops::Range;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use crate::dump::{Dump, Figure, Frame, StackRow};
use crate::vocab::Format;

/// Warnings kept of one dump; a file of the wrong kind would give one per line.
const WARNINGS_MAX: usize = 20;

/// A dump has more frames or rows than a number of 32 bits can tell apart.
pub(crate) struct TooMany;

impl TooMany {
    /// For the error that names the place.
    pub(crate) const WHAT: &'static str = "more frames than 4,294,967,295";
}

/// A stack of the dump.
#[derive(Clone)]
pub(crate) struct Stack {
    /// Its range in `dump.frames`.
    pub(crate) frames: Range<u32>,
    /// Whether it was met for the first time, so that no row of it can be there.
    pub(crate) new: bool,
    /// The largest uid of a thread that has a row of it since it was met; they come in ascending order.
    last_uid: Option<u64>,
}

impl Stack {
    /// A row of this stack.
    pub(crate) fn row(&self, live: Figure, accum: Figure) -> StackRow {
        StackRow { frames: self.frames.clone(), live, accum, ..StackRow::default() }
    }
}

/// Indices of rows, by stack, thread and labels. Most files repeat nothing, and then it is never made: a million stacks
/// would pay a few misses of the cache each.
#[derive(Default)]
struct RowIndex(Option<HashTable<u32>>);

/// A dump in the making.
///
/// Frames, stacks and rows are found again by hashing, in tables that hold indices only: what they are is in the dump
/// already. The order of everything in the dump is that of the file, whatever the hash.
pub(crate) struct Builder {
    pub(crate) dump: Dump,
    hash: DefaultHashBuilder,
    /// Index in `dump.frame_table` by address.
    frames: HashMap<u64, u32>,
    /// Ranges of `dump.frames` that are distinct stacks.
    stacks: HashTable<(u32, u32)>,
    rows: RowIndex,
    shares: RowIndex,
    /// Place of a uid in `dump.threads`.
    threads: HashMap<u64, usize>,
    /// How many lines, and the first of them.
    skipped: (usize, usize),
}

impl Builder {
    pub(crate) fn new(format: Format) -> Builder {
        Builder {
            dump: Dump::new(format),
            hash: DefaultHashBuilder::default(),
            frames: HashMap::new(),
            stacks: HashTable::new(),
            rows: RowIndex::default(),
            shares: RowIndex::default(),
            threads: HashMap::new(),
            skipped: (0, 0),
        }
    }

    /// Index of the unnamed frame at `address`.
    pub(crate) fn frame(&mut self, address: u64) -> u32 {
        let table = &mut self.dump.frame_table;
        *self.frames.entry(address).or_insert_with(|| {
            table.push(Frame { address, names: Vec::new() });
            (table.len() - 1) as u32
        })
    }

    /// Where the stack starts whose frames the caller now pushes to `dump.frames`.
    pub(crate) fn open_stack(&self) -> usize {
        self.dump.frames.len()
    }

    /// The stack whose frames were pushed since `start`. If it is known, those frames are taken back.
    ///
    /// # Errors
    /// [`TooMany`] when its place is not a number of 32 bits.
    pub(crate) fn close_stack(&mut self, start: usize) -> Result<Stack, TooMany> {
        let all = &mut self.dump.frames;
        let hash = &self.hash;
        let place = |index: usize| u32::try_from(index).map_err(|_| TooMany);
        let (range, end) = ((place(start)?, place(all.len())?), all.len());
        let frames = |&(start, end): &(u32, u32)| &all[start as usize..end as usize];
        let found = self.stacks.entry(
            hash.hash_one(&all[start..end]),
            |known| frames(known) == &all[start..end],
            |known| hash.hash_one(frames(known)),
        );
        match found {
            hashbrown::hash_table::Entry::Occupied(known) => {
                let (first, past) = *known.get();
                all.truncate(start);
                Ok(Stack { frames: first..past, new: false, last_uid: None })
            }
            hashbrown::hash_table::Entry::Vacant(free) => {
                free.insert(range);
                Ok(Stack { frames: range.0..range.1, new: true, last_uid: None })
            }
        }
    }

    /// Adds to the row of this stack, thread and labels; `new` when there can be none yet. Answers its index.
    pub(crate) fn add(&mut self, row: StackRow, new: bool) -> usize {
        self.rows.add(&self.hash, &mut self.dump.stacks, row, new)
    }

    /// Adds to the row of a thread that repeats its share of what [`Builder::add`] was given.
    pub(crate) fn add_share(&mut self, stack: &mut Stack, uid: u64, live: Figure, accum: Figure) {
        let new = stack.new && stack.last_uid.is_none_or(|last| last < uid);
        stack.last_uid = stack.last_uid.max(Some(uid));
        let row = StackRow { thread: Some(uid), ..stack.row(live, accum) };
        self.shares.add(&self.hash, &mut self.dump.thread_stacks, row, new);
    }

    /// Notes a thread; the first name that is not empty stays.
    pub(crate) fn thread(&mut self, uid: u64, name: &str) {
        let list = &mut self.dump.threads;
        let place = *self.threads.entry(uid).or_insert_with(|| {
            list.push((uid, String::new()));
            list.len() - 1
        });
        let known = &mut list[place].1;
        if known.is_empty() {
            known.push_str(name);
        }
    }

    /// Takes a total; one of no known name is from a newer writer and left out.
    pub(crate) fn total(&mut self, name: &[u8], bytes: u64) {
        let mut totals = self.dump.totals.unwrap_or_default();
        if totals.set(name, bytes).is_some() {
            self.dump.totals = Some(totals);
        }
    }

    pub(crate) fn warn(&mut self, warning: String) {
        if self.dump.warnings.len() < WARNINGS_MAX {
            self.dump.warnings.push(warning);
        }
    }

    /// Counts a line that no rule of the format covers.
    pub(crate) fn skip(&mut self, line: usize) {
        let (count, first) = &mut self.skipped;
        *count += 1;
        if *count == 1 {
            *first = line;
        }
    }

    pub(crate) fn finish(mut self) -> Dump {
        let (count, first) = self.skipped;
        if count > 0 {
            let lines = if count == 1 { "line is" } else { "lines are" };
            self.warn(format!("{count} {lines} not of this format and left out, the first is line {first}"));
        }
        self.dump
    }
}

impl RowIndex {
    fn add(
        &mut self,
        hash: &DefaultHashBuilder,
        list: &mut Vec<StackRow>,
        row: StackRow,
        new: bool,
    ) -> usize {
        if new && self.0.is_none() {
            list.push(row);
            return list.len() - 1;
        }
        let key = |row: &StackRow| (row.frames.start, row.frames.end, row.thread, row.labels);
        let hashed = |row: &StackRow| hash.hash_one(key(row));
        let table = self.0.get_or_insert_with(|| {
            let mut table = HashTable::with_capacity(list.len());
            for (index, row) in (0..).zip(&*list) {
                table.insert_unique(hashed(row), index, |index: &u32| hashed(&list[*index as usize]));
            }
            table
        });
        let found = table.entry(
            hashed(&row),
            |index| key(&list[*index as usize]) == key(&row),
            |index| hashed(&list[*index as usize]),
        );
        match found {
            hashbrown::hash_table::Entry::Occupied(known) => {
                let index = *known.get() as usize;
                let known = &mut list[index];
                known.live = known.live.plus(row.live);
                known.accum = known.accum.plus(row.accum);
                index
            }
            hashbrown::hash_table::Entry::Vacant(free) => {
                // Each row took a line or a message of the file, and one of 32 bits' worth would fill the memory first.
                free.insert(list.len() as u32);
                list.push(row);
                list.len() - 1
            }
        }
    }
}
