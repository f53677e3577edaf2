//! Puts a [`Dump`] together: distinct frames, distinct stacks, figures added up.

use alloc::{format, string::String, vec::Vec};
use core::hash::BuildHasher;
use core::ops::Range;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};

use crate::dump::{Dump, Frame, StackRow};
use crate::vocab::Format;

/// Warnings kept of one dump; a file of the wrong kind would give one per line.
const WARNINGS_MAX: usize = 20;

/// A dump has more frames or rows than a number of 32 bits can tell apart.
pub(crate) struct TooMany;

impl TooMany {
    /// For the error that names the place.
    pub(crate) const WHAT: &'static str = "more frames than 4,294,967,295";
}

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
    /// Indices in `dump.stacks`, by stack, thread and labels.
    rows: HashTable<u32>,
    /// Indices in `dump.thread_stacks`, likewise.
    shares: HashTable<u32>,
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
            rows: HashTable::new(),
            shares: HashTable::new(),
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

    /// The range of the stack whose frames were pushed since `start`. If it is known, those frames are taken back.
    ///
    /// # Errors
    /// [`TooMany`] when its place is not a number of 32 bits.
    pub(crate) fn close_stack(&mut self, start: usize) -> Result<Range<u32>, TooMany> {
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
                Ok(first..past)
            }
            hashbrown::hash_table::Entry::Vacant(free) => {
                free.insert(range);
                Ok(range.0..range.1)
            }
        }
    }

    /// Adds to the row of this stack, thread and labels.
    pub(crate) fn add(&mut self, row: StackRow) {
        add(&self.hash, &mut self.rows, &mut self.dump.stacks, row);
    }

    /// Adds to the row of a thread that repeats its share of what [`Builder::add`] was given.
    pub(crate) fn add_share(&mut self, row: StackRow) {
        add(&self.hash, &mut self.shares, &mut self.dump.thread_stacks, row);
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

fn add(hash: &DefaultHashBuilder, rows: &mut HashTable<u32>, list: &mut Vec<StackRow>, row: StackRow) {
    let key = |row: &StackRow| (row.frames.start, row.frames.end, row.thread, row.labels);
    let hashed = |row: &StackRow| hash.hash_one(key(row));
    let found = rows.entry(
        hashed(&row),
        |index| key(&list[*index as usize]) == key(&row),
        |index| hashed(&list[*index as usize]),
    );
    match found {
        hashbrown::hash_table::Entry::Occupied(known) => {
            let known = &mut list[*known.get() as usize];
            known.live = known.live.plus(row.live);
            known.accum = known.accum.plus(row.accum);
        }
        hashbrown::hash_table::Entry::Vacant(free) => {
            // Each row took a line or a message of the file, and one of 32 bits' worth would fill the memory first.
            free.insert(list.len() as u32);
            list.push(row);
        }
    }
}
