//! Adds dumps to a profile.

use std::collections::BTreeMap;
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashMap, HashTable};
use prof_format::dump::{Dump, MapRow, NamedFrame, StackRow};

use super::labels::{Labels, LabelsId, RowLabels};
use super::parts::{Part, PartDump};
use super::sign::Sign;
use super::{
    Figures, Frame, FrameId, Image, ImageId, Mapped, Place, Profile, Share, Stack, Thread, file_name,
};
use crate::error::{Error, Result};

/// What finds a known image, frame or stack again.
#[derive(Debug, Default)]
pub(super) struct Index {
    images: HashMap<ImageKey, ImageId>,
    /// By place and by the names that came along, as one text: a dump may have names and no addresses.
    frames: HashMap<(Place, String), FrameId>,
    /// Places in [`Profile::stacks`], found by frames. Holds the first `stacks_known` stacks: a single dump has no
    /// equal stacks, so it is filled only when a second one comes.
    stacks: HashTable<u32>,
    stacks_known: usize,
    hasher: DefaultHashBuilder,
    /// Places in [`Profile::shares`], by thread and stack.
    shares: HashMap<(u64, u32), usize>,
}

/// Two mappings are of one file if their build ids are equal, or, without ids, their paths.
#[derive(Debug, PartialEq, Eq, Hash)]
enum ImageKey {
    BuildId(Vec<u8>),
    Path { path: String, deleted: bool },
}

impl Profile {
    /// Images and frames of a dump, in its order.
    fn frames_of_dump(&mut self, dump: &Dump) -> (Vec<ImageId>, Vec<FrameId>) {
        let first_new = self.images.len();
        let image_of_map: Vec<ImageId> = dump.maps.iter().map(|map| self.image(map, first_new)).collect();
        let mut order: Vec<usize> = (0..dump.maps.len()).collect();
        order.sort_by_key(|&map| dump.maps[map].start);
        let place = |address: u64| {
            let above = order.partition_point(|&map| dump.maps[map].start <= address);
            above
                .checked_sub(1)
                .map(|position| order[position])
                .filter(|&map| address < dump.maps[map].end)
                .map_or(Place::Unmapped(address), |map| {
                    let row = &dump.maps[map];
                    let offset = (address - row.start).wrapping_add(row.file_offset);
                    Place::Image { image: image_of_map[map], offset }
                })
        };
        let frames = dump.frame_table.iter();
        let frame_ids =
            frames.map(|frame| self.frame(place(frame.address), frame.address, &frame.names)).collect();
        (image_of_map, frame_ids)
    }

    /// Adds (or subtracts) a dump, with its own mappings.
    ///
    /// Cost: one hash look-up per distinct frame and, from the second dump on, one per stack.
    ///
    /// # Errors
    /// More than 2^32 frames or stacks.
    pub fn add(&mut self, dump: &Dump, sign: Sign, labels: Labels) -> Result<()> {
        let (image_of_map, frame_ids) = self.frames_of_dump(dump);
        if sign == Sign::Minus {
            self.base_only_from.get_or_insert(self.stacks.len());
        }
        if self.keeps_parts {
            self.part_dumps.push(PartDump::new(dump, sign));
        }
        let mut frames: Vec<FrameId> = Vec::new();
        let rows = match labels {
            Labels::Keep if !dump.thread_stacks.is_empty() => &dump.thread_stacks,
            _ => &dump.stacks,
        };
        // The readers have brought equal stacks of one thread together.
        let is_plain = |row: &StackRow| labels == Labels::Keep || row.thread.is_none() && row.labels == 0;
        let mut row_labels = RowLabels::new(dump);
        let distinct = self.stacks.is_empty() && rows.iter().all(is_plain);
        self.has_pinned |= dump.has_pinned;
        // What else is told is told of the rows of the whole process.
        let more = if core::ptr::eq(rows, &dump.stacks) { dump.more.as_slice() } else { &[] };
        for (at, row) in rows.iter().enumerate() {
            frames.clear();
            frames.extend(dump.stack(row).iter().filter_map(|&frame| frame_ids.get(frame as usize)));
            let labels = match labels {
                Labels::Keep => row_labels.of(row, &mut self.labels),
                Labels::Drop => LabelsId::NONE,
            };
            let index =
                if distinct { self.new_stack(&frames, labels)? } else { self.stack(&frames, labels)? };
            let figures = Figures::new(row.live, row.accum);
            let more = more.get(at).copied().unwrap_or_default();
            let (figures, pinned) = (figures.with(&more), more.pinned);
            if self.keeps_parts {
                self.parts.push(Part::new(self.part_dumps.len() - 1, index, figures, &more));
            }
            let stack = &mut self.stacks[index];
            match sign {
                Sign::Plus => {
                    stack.figures.add(figures, 1.0);
                    stack.pinned += pinned;
                }
                Sign::Minus => {
                    stack.figures.add(figures, -1.0);
                    stack.pinned -= pinned;
                    stack.base.add(figures, 1.0);
                }
            }
        }
        if sign == Sign::Plus {
            self.note_program(dump, &image_of_map);
            if dump.totals.is_some() && dump.time_nanos >= self.time_nanos {
                self.totals = dump.totals;
            }
            self.time_nanos = self.time_nanos.max(dump.time_nanos);
            self.duration_nanos = self.duration_nanos.saturating_add(dump.duration_nanos);
            let new = dump.comments.iter().filter(|comment| !self.comments.contains(comment));
            let new: Vec<String> = new.cloned().collect();
            self.comments.extend(new);
            if !self.periods.contains(&dump.period) {
                self.periods.push(dump.period);
            }
        }
        if !dump.drop_frames.is_empty() && !self.drop_frames.contains(&dump.drop_frames) {
            self.drop_frames.push(dump.drop_frames.clone());
        }
        Ok(())
    }

    /// Notes what the threads of a dump that was added or subtracted have of it. `labels` is what it was added with.
    ///
    /// # Errors
    /// As [`Profile::add`].
    pub fn add_shares(&mut self, dump: &Dump, sign: Sign, labels: Labels) -> Result<()> {
        let (_, frame_ids) = self.frames_of_dump(dump);
        let factor = if sign == Sign::Plus { 1.0 } else { -1.0 };
        let mut frames: Vec<FrameId> = Vec::new();
        let mut row_labels = RowLabels::new(dump);
        for row in dump.stacks.iter().chain(&dump.thread_stacks) {
            let Some(uid) = row.thread else { continue };
            frames.clear();
            frames.extend(dump.stack(row).iter().filter_map(|&frame| frame_ids.get(frame as usize)));
            let labels = match labels {
                Labels::Keep => row_labels.of(row, &mut self.labels),
                Labels::Drop => LabelsId::NONE,
            };
            let stack = self.stack(&frames, labels)? as u32;
            let shares = &mut self.shares;
            let index = *self.index.shares.entry((uid, stack)).or_insert_with(|| {
                shares.push(Share { uid, stack, figures: Figures::default() });
                shares.len() - 1
            });
            shares[index].figures.add(Figures::new(row.live, row.accum), factor);
        }
        // The first name that is not empty stays.
        let known = self.threads.drain(..).map(|thread| (thread.uid, thread.name));
        let unnamed = self.shares.iter().map(|share| (share.uid, String::new()));
        let mut names: BTreeMap<u64, String> = BTreeMap::new();
        for (uid, name) in known.chain(dump.threads.iter().cloned()).chain(unnamed) {
            let first = names.entry(uid).or_default();
            if first.is_empty() {
                *first = name;
            }
        }
        self.threads = names.into_iter().map(|(uid, name)| Thread { uid, name }).collect();
        Ok(())
    }

    /// Adds a stack of known frames, for tests of what comes after.
    #[cfg(test)]
    pub fn push(&mut self, frames: &[FrameId], labels: LabelsId, figures: Figures) {
        let index = self.new_stack(frames, labels).expect("tests are small");
        self.stacks[index].figures = figures;
    }

    /// The image of a mapping. Images from `first_new` on are this dump's own.
    fn image(&mut self, map: &MapRow, first_new: usize) -> ImageId {
        let key = if map.build_id.is_empty() {
            ImageKey::Path { path: map.path.clone(), deleted: map.deleted }
        } else {
            ImageKey::BuildId(map.build_id.as_bytes().to_vec())
        };
        let images = &mut self.images;
        let id = *self.index.images.entry(key).or_insert_with(|| {
            images.push(Image {
                path: map.path.clone(),
                build_id: map.build_id,
                deleted: map.deleted,
                parts: Vec::new(),
                mapped: Vec::new(),
            });
            ImageId(images.len() as u32 - 1)
        });
        let part = (map.file_offset, map.end.saturating_sub(map.start));
        let image = &mut images[id.index()];
        // Only the dump that made the image adds to it: where another run had it does not matter.
        if id.index() >= first_new {
            image.mapped.push(Mapped { start: map.start, end: map.end, file_offset: map.file_offset });
        }
        let parts = &mut image.parts;
        if !parts.contains(&part) {
            parts.push(part);
        }
        id
    }

    fn frame(&mut self, place: Place, address: u64, names: &[NamedFrame]) -> FrameId {
        let frames = &mut self.frames;
        let text = |named: &NamedFrame| {
            let NamedFrame { function, linkage, file, line, column, start_line: _ } = named;
            format!("{function}\0{linkage}\0{file}\0{line}\0{column}\0")
        };
        let names_text: String = names.iter().map(text).collect();
        *self.index.frames.entry((place, names_text)).or_insert_with(|| {
            frames.push(Frame { place, address, names: names.to_vec() });
            FrameId(frames.len() as u32 - 1)
        })
    }

    /// The place of the stack with these frames and labels.
    fn stack(&mut self, frames: &[FrameId], labels: LabelsId) -> Result<usize> {
        let Profile { stacks, stack_frames, index, .. } = self;
        let frames_at = |at: u32| -> (&[FrameId], LabelsId) {
            let stack = &stacks[at as usize];
            (&stack_frames[stack.start as usize..(stack.start + stack.depth) as usize], stack.labels)
        };
        let hasher = &index.hasher;
        for at in index.stacks_known as u32..stacks.len() as u32 {
            let hash = hasher.hash_one(frames_at(at));
            index.stacks.insert_unique(hash, at, |&at| hasher.hash_one(frames_at(at)));
        }
        index.stacks_known = stacks.len();
        if let Some(&at) =
            index.stacks.find(hasher.hash_one((frames, labels)), |&at| frames_at(at) == (frames, labels))
        {
            return Ok(at as usize);
        }
        self.new_stack(frames, labels)
    }

    /// The place of a new stack with these frames.
    fn new_stack(&mut self, frames: &[FrameId], labels: LabelsId) -> Result<usize> {
        let start = u32::try_from(self.stack_frames.len());
        let end = u32::try_from(self.stack_frames.len() + frames.len());
        let (Ok(start), Ok(_), Ok(_)) = (start, end, u32::try_from(self.stacks.len())) else {
            return Err(Error::new("the dumps have more than 4,294,967,295 frames, which is too many"));
        };
        self.stack_frames.extend_from_slice(frames);
        let (figures, base) = (Figures::default(), Figures::default());
        self.stacks.push(Stack { start, depth: frames.len() as u32, labels, figures, base, pinned: 0.0 });
        Ok(self.stacks.len() - 1)
    }

    /// The first dump says which program this is about: by name, or by the first mapping that is not a library.
    fn note_program(&mut self, dump: &Dump, image_of_map: &[ImageId]) {
        if self.program.is_some() || self.program_path.is_some() {
            return;
        }
        let (map, path) = program_of(dump);
        self.program = map.map(|map| image_of_map[map]);
        self.program_path = path;
    }
}

/// Which program a dump is of: its mapping, and its path, as far as the dump tells; a guess is the first mapping that is
/// not a library.
pub fn program_of(dump: &Dump) -> (Option<usize>, Option<String>) {
    let named = dump.program.as_ref().and_then(|path| dump.maps.iter().position(|map| map.path == *path));
    let guessed = || {
        let is_program = |map: &MapRow| map.path.starts_with('/') && !file_name(&map.path).contains(".so");
        dump.maps.iter().position(is_program)
    };
    let map = named.or_else(|| if dump.program.is_none() { guessed() } else { None });
    let path = dump.program.clone().or_else(|| map.map(|map| dump.maps[map].path.clone()));
    (map, path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use prof_format::dump::Figure;
    use prof_format::vocab::{BuildId, Format};

    fn map(start: u64, path: &str, id: &[u8]) -> MapRow {
        MapRow {
            start,
            end: start + 0x1000,
            file_offset: 0x2000,
            path: path.into(),
            build_id: BuildId::new(id),
            ..MapRow::default()
        }
    }

    /// One stack of these addresses, leaf first.
    fn dump(maps: Vec<MapRow>, addresses: &[u64], bytes: f64) -> Dump {
        let frame = |&address: &u64| prof_format::dump::Frame { address, names: Vec::new() };
        Dump {
            period: 512,
            frame_table: addresses.iter().map(frame).collect(),
            frames: (0..addresses.len() as u32).collect(),
            stacks: vec![StackRow {
                frames: 0..addresses.len() as u32,
                live: Figure { objs: 1.0, bytes },
                ..StackRow::default()
            }],
            maps,
            ..Dump::new(Format::HeapV2)
        }
    }

    #[test]
    fn runs_at_other_addresses_are_the_same_stack() {
        let mut profile = Profile::default();
        profile
            .add(
                &dump(vec![map(0x50_0000, "/bin/x", b"")], &[0x50_0010, 0x50_0020], 10.0),
                Sign::Plus,
                Labels::Drop,
            )
            .unwrap();
        profile
            .add(
                &dump(vec![map(0x70_0000, "/bin/x", b"")], &[0x70_0010, 0x70_0020], 5.0),
                Sign::Plus,
                Labels::Drop,
            )
            .unwrap();
        assert_eq!((profile.stacks.len(), profile.frames.len(), profile.images.len()), (1, 2, 1));
        assert_eq!(profile.stacks[0].figures.live_bytes, 15.0);
        assert_eq!(profile.frames[0].place, Place::Image { image: ImageId(0), offset: 0x2010 });
        assert_eq!(profile.frames[0].address, 0x50_0010);
    }

    #[test]
    fn a_base_of_another_run_is_subtracted_stack_by_stack() {
        let mut profile = Profile::default();
        profile
            .add(&dump(vec![map(0x50_0000, "/bin/x", b"")], &[0x50_0010], 10.0), Sign::Plus, Labels::Drop)
            .unwrap();
        profile
            .add(&dump(vec![map(0x70_0000, "/bin/x", b"")], &[0x70_0010], 4.0), Sign::Minus, Labels::Drop)
            .unwrap();
        profile
            .add(&dump(vec![map(0x70_0000, "/bin/x", b"")], &[0x70_0011], 4.0), Sign::Minus, Labels::Drop)
            .unwrap();
        let bytes: Vec<f64> = profile.stacks.iter().map(|stack| stack.figures.live_bytes).collect();
        assert_eq!((bytes, profile.base_only_from), (vec![6.0, -4.0], Some(1)));
    }

    #[test]
    fn shares_of_threads_add_up_and_their_names_stay() {
        let mut profile = Profile::default();
        let mut one = dump(vec![], &[0x10, 0x20], 10.0);
        let share = |uid, bytes| StackRow {
            frames: 0..2,
            live: Figure { objs: 1.0, bytes },
            thread: Some(uid),
            ..StackRow::default()
        };
        one.thread_stacks = vec![share(7, 4.0), share(2, 6.0)];
        one.threads = vec![(7, "worker".into())];
        let mut add = |dump: &Dump, sign| {
            profile.add(dump, sign, Labels::Drop).unwrap();
            profile.add_shares(dump, sign, Labels::Drop).unwrap();
        };
        add(&one, Sign::Plus);
        add(&one, Sign::Plus);
        one.thread_stacks.truncate(1);
        add(&one, Sign::Minus);
        let thread = |uid, name: &str| Thread { uid, name: name.into() };
        assert_eq!(profile.threads, [thread(2, ""), thread(7, "worker")]);
        let bytes = |uids: &[u64]| profile.stacks_of(uids)[0].figures.live_bytes;
        assert_eq!((bytes(&[7]), bytes(&[2]), bytes(&[2, 7])), (4.0, 12.0, 16.0));
        assert!(profile.stacks_of(&[1]).is_empty());
        assert_eq!(profile.stacks[0].figures.live_bytes, 10.0);
    }

    #[test]
    fn build_ids_tell_files_apart_and_bring_copies_together() {
        let mut profile = Profile::default();
        profile
            .add(&dump(vec![map(0x50_0000, "/bin/x", b"one")], &[0x50_0010], 1.0), Sign::Plus, Labels::Drop)
            .unwrap();
        profile
            .add(&dump(vec![map(0x50_0000, "/bin/x", b"two")], &[0x50_0010], 1.0), Sign::Plus, Labels::Drop)
            .unwrap();
        profile
            .add(&dump(vec![map(0x60_0000, "/copy/y", b"one")], &[0x60_0010], 1.0), Sign::Plus, Labels::Drop)
            .unwrap();
        assert_eq!(profile.images.len(), 2);
        assert_eq!(profile.stacks[0].figures.live_bytes, 2.0);
    }

    #[test]
    fn an_address_outside_every_mapping_stays_bare() {
        let mut profile = Profile::default();
        let maps = || vec![map(0x50_0000, "/bin/x", b""), map(0x60_0000, "/lib/y.so", b"")];
        profile.add(&dump(maps(), &[0x50_1000, 0x10, 0x60_0fff], 1.0), Sign::Plus, Labels::Drop).unwrap();
        let places: Vec<Place> = profile.frames.iter().map(|frame| frame.place).collect();
        assert_eq!(places[..2], [Place::Unmapped(0x50_1000), Place::Unmapped(0x10)]);
        assert_eq!(places[2], Place::Image { image: ImageId(1), offset: 0x2fff });
    }

    #[test]
    fn the_program_is_the_one_the_dump_names_or_the_first_that_is_no_library() {
        let maps = || vec![map(0x10_0000, "/lib/libc.so.6", b""), map(0x50_0000, "/bin/x", b"")];
        let mut profile = Profile::default();
        profile.add(&dump(maps(), &[0x10], 1.0), Sign::Plus, Labels::Drop).unwrap();
        assert_eq!((profile.program, profile.program_path.as_deref()), (Some(ImageId(1)), Some("/bin/x")));
        let mut named = dump(maps(), &[0x10], 1.0);
        named.program = Some("/elsewhere".into());
        let mut profile = Profile::default();
        profile.add(&named, Sign::Plus, Labels::Drop).unwrap();
        assert_eq!((profile.program, profile.program_path.as_deref()), (None, Some("/elsewhere")));
    }
}
