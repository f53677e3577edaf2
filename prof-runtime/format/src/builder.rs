//! Puts a [`Dump`] together: distinct frames, distinct stacks, figures added up.

use alloc::{boxed::Box, collections::BTreeMap, format, string::String, vec::Vec};
use core::ops::Range;

use crate::dump::{Dump, Figure, Frame, StackRow};
use crate::vocab::Format;

/// Warnings kept of one dump; a file of the wrong kind would give one per line.
const WARNINGS_MAX: usize = 20;

/// A dump in the making.
pub(crate) struct Builder {
    pub(crate) dump: Dump,
    frames: BTreeMap<u64, u32>,
    stacks: BTreeMap<Box<[u32]>, Range<usize>>,
    /// Row of `dump.stacks` (`true`) or `dump.thread_stacks` by start of the stack's range, length and thread.
    rows: BTreeMap<(bool, usize, usize, Option<u64>), usize>,
    /// Place of a uid in `dump.threads`.
    threads: BTreeMap<u64, usize>,
    /// How many lines, and the first of them.
    skipped: (usize, usize),
}

impl Builder {
    pub(crate) fn new(format: Format) -> Builder {
        Builder {
            dump: Dump {
                format,
                period: 0,
                has_accum: false,
                has_live: true,
                frame_table: Vec::new(),
                frames: Vec::new(),
                stacks: Vec::new(),
                thread_stacks: Vec::new(),
                threads: Vec::new(),
                maps: Vec::new(),
                program: None,
                time_nanos: 0,
                duration_nanos: 0,
                drop_frames: String::new(),
                warnings: Vec::new(),
            },
            frames: BTreeMap::new(),
            stacks: BTreeMap::new(),
            rows: BTreeMap::new(),
            threads: BTreeMap::new(),
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

    /// Range of a stack in `dump.frames`.
    pub(crate) fn stack(&mut self, frames: &[u32]) -> Range<usize> {
        if let Some(range) = self.stacks.get(frames) {
            return range.clone();
        }
        let start = self.dump.frames.len();
        self.dump.frames.extend_from_slice(frames);
        let range = start..self.dump.frames.len();
        self.stacks.insert(frames.into(), range.clone());
        range
    }

    /// Adds to the row of this stack and thread label.
    pub(crate) fn add(&mut self, frames: Range<usize>, thread: Option<u64>, live: Figure, accum: Figure) {
        let key = (true, frames.start, frames.len(), thread);
        add(&mut self.rows, &mut self.dump.stacks, key, frames, live, accum);
    }

    /// Adds to the row of a thread that repeats its share of what [`Builder::add`] was given.
    pub(crate) fn add_share(&mut self, frames: Range<usize>, thread: u64, live: Figure, accum: Figure) {
        let key = (false, frames.start, frames.len(), Some(thread));
        add(&mut self.rows, &mut self.dump.thread_stacks, key, frames, live, accum);
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

fn add(
    rows: &mut BTreeMap<(bool, usize, usize, Option<u64>), usize>,
    list: &mut Vec<StackRow>,
    key: (bool, usize, usize, Option<u64>),
    frames: Range<usize>,
    live: Figure,
    accum: Figure,
) {
    let index = *rows.entry(key).or_insert_with(|| {
        list.push(StackRow { frames, thread: key.3, ..StackRow::default() });
        list.len() - 1
    });
    list[index].live = list[index].live.plus(live);
    list[index].accum = list[index].accum.plus(accum);
}
