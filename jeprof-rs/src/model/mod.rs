//! The one type in the middle: a profile whose frames do not depend on where a run happened to load its code.
//!
//! Each dump is normalised with its own mappings to (image, file offset), so that dumps of several runs, shifted by
//! address space randomisation, add up and subtract frame by frame. Absolute addresses are kept for printing only.

pub mod labels;
pub mod merge;
pub mod parts;
pub mod sign;
#[cfg(test)]
pub mod testing;

use std::collections::BTreeMap;
use std::time::SystemTime;

use prof_format::dump::{Figure, More, NamedFrame};
use prof_format::totals::Totals;
use prof_format::vocab::BuildId;

use crate::plan::choice::Metric;
use labels::{LabelSets, LabelsId};
use parts::{Part, PartDump};

/// Index in [`Profile::images`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageId(u32);

impl ImageId {
    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// Index in [`Profile::frames`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameId(u32);

impl FrameId {
    /// As an index.
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// An ELF file that was mapped, as the dumps tell it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Path in the dump, without ` (deleted)`.
    pub path: String,
    /// Build id, empty when no dump carries it.
    pub build_id: BuildId,
    /// Whether a dump says that the file was gone.
    pub deleted: bool,
    /// Mapped executable parts of the file: offset and length, as first seen.
    pub parts: Vec<(u64, u64)>,
    /// Where the parts lay in the first dump that has the file.
    pub mapped: Vec<Mapped>,
}

/// A mapped executable part of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapped {
    /// First address.
    pub start: u64,
    /// First address past the end.
    pub end: u64,
    /// Offset in the file of `start`.
    pub file_offset: u64,
}

impl Image {
    /// The file's name without folders.
    pub fn name(&self) -> &str {
        file_name(&self.path)
    }
}

/// The last part of a path.
pub fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Where a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// At this offset of a file.
    Image {
        /// The file.
        image: ImageId,
        /// Offset in the file (not an address: segments may lie elsewhere in memory than in the file).
        offset: u64,
    },
    /// In no mapping that the dump knows.
    Unmapped(u64),
}

/// One distinct frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it is.
    pub place: Place,
    /// Look-up address in the run in which it was first seen.
    pub address: u64,
    /// Names that came with the dump, innermost first; empty when it carries none.
    pub names: Vec<NamedFrame>,
}

/// The figures of a stack, un-sampled.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Live objects.
    pub live_objs: f64,
    /// Live bytes.
    pub live_bytes: f64,
    /// Accumulated objects.
    pub accum_objs: f64,
    /// Accumulated bytes.
    pub accum_bytes: f64,
    /// Objects that were live at the peak.
    pub peak_objs: f64,
    /// Bytes that were.
    pub peak_bytes: f64,
    /// Bytes that were asked for, of the live ones.
    pub requested: f64,
}

impl Figures {
    /// The figures of a row of a dump.
    pub fn new(live: Figure, accum: Figure) -> Figures {
        Figures {
            live_objs: live.objs,
            live_bytes: live.bytes,
            accum_objs: accum.objs,
            accum_bytes: accum.bytes,
            ..Figures::default()
        }
    }

    /// These figures with what else our own profiles tell.
    pub fn with(self, more: &More) -> Figures {
        let (Figure { objs, bytes }, requested) = (more.peak, more.requested);
        Figures { peak_objs: objs, peak_bytes: bytes, requested, ..self }
    }

    /// Adds other figures, multiplied by a factor.
    pub fn add(&mut self, other: Figures, factor: f64) {
        self.live_objs += factor * other.live_objs;
        self.live_bytes += factor * other.live_bytes;
        self.accum_objs += factor * other.accum_objs;
        self.accum_bytes += factor * other.accum_bytes;
        self.peak_objs += factor * other.peak_objs;
        self.peak_bytes += factor * other.peak_bytes;
        self.requested += factor * other.requested;
    }

    /// The one that a report is about.
    pub fn get(&self, metric: Metric) -> f64 {
        match metric {
            Metric::InuseSpace => self.live_bytes,
            Metric::InuseObjects => self.live_objs,
            Metric::AllocSpace => self.accum_bytes,
            Metric::AllocObjects => self.accum_objs,
            Metric::PeakSpace => self.peak_bytes,
            Metric::PeakObjects => self.peak_objs,
            Metric::RequestedSpace => self.requested,
        }
    }
}

/// One distinct stack. [`Profile::frames_of`] gives its frames.
#[derive(Clone, Debug, PartialEq)]
pub struct Stack {
    /// Where its frames start in [`Profile::stack_frames`].
    start: u32,
    /// How many they are.
    depth: u32,
    /// Its labels.
    pub labels: LabelsId,
    /// Sum over the dumps; those of a base are subtracted.
    pub figures: Figures,
    /// What was subtracted, as a positive figure. Zero without a base.
    pub base: Figures,
    /// Bytes of free regions in the slabs that its live objects keep, in excess of those of a base; zero where no dump tells.
    pub pinned: f64,
}

/// A thread, as the dumps number and name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// Its number. In dumps of several processes equal numbers are added up.
    pub uid: u64,
    /// Its name, empty when no dump tells it.
    pub name: String,
}

/// What one thread has of a stack's figures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Share {
    /// Number of the thread.
    pub uid: u64,
    /// Index in [`Profile::stacks`].
    pub stack: u32,
    /// Its part.
    pub figures: Figures,
}

/// Sum of several dumps.
#[derive(Debug, Default)]
pub struct Profile {
    /// Files that were mapped.
    pub images: Vec<Image>,
    /// Distinct frames.
    pub frames: Vec<Frame>,
    /// Distinct stacks, in the order in which they were first seen.
    pub stacks: Vec<Stack>,
    /// Frames of all stacks, one after another, each leaf first.
    pub stack_frames: Vec<FrameId>,
    /// Labels of the stacks.
    pub labels: LabelSets,
    /// Index of the first stack that only a base has; `None` before a base is subtracted.
    pub base_only_from: Option<usize>,
    /// Threads by number, noted by [`Profile::add_shares`].
    pub threads: Vec<Thread>,
    /// What threads have of the stacks' figures, likewise.
    pub shares: Vec<Share>,
    /// Whether what each dump has is noted in `parts`.
    pub keeps_parts: bool,
    /// The dumps whose parts were noted, in the order in which they were added and subtracted.
    pub part_dumps: Vec<PartDump>,
    /// What each dump has of each stack, in the order of the dumps; where labels were dropped, there may be several of
    /// one dump and stack.
    pub parts: Vec<Part>,
    /// Whether a dump tells what live objects pin.
    pub has_pinned: bool,
    /// The main program's image.
    pub program: Option<ImageId>,
    /// The main program's path, which a dump may tell without mapping it.
    pub program_path: Option<String>,
    /// Mean sampling distances of the dumps, distinct, in bytes; 0 for unknown.
    pub periods: Vec<u64>,
    /// When the newest of the dumps was made, as far as files tell.
    pub made_at: Option<SystemTime>,
    /// Wall clock of the newest of the dumps, nanoseconds since the epoch, 0 when none tells.
    pub time_nanos: u64,
    /// Nanoseconds that the dumps cover, added up.
    pub duration_nanos: u64,
    /// What the newest of the dumps says about the whole process.
    pub totals: Option<Totals>,
    /// Remarks that came with the dumps (pprof).
    pub comments: Vec<String>,
    /// Regular expressions of allocator functions that came with the dumps.
    pub drop_frames: Vec<String>,
    index: merge::Index,
}

impl Profile {
    /// The id of an image by its index.
    pub fn image_id(&self, index: usize) -> ImageId {
        ImageId(index as u32)
    }

    /// The frames of a stack of this profile, leaf first.
    pub fn frames_of(&self, stack: &Stack) -> &[FrameId] {
        &self.stack_frames[stack.start as usize..(stack.start + stack.depth) as usize]
    }

    /// The stacks that threads of these numbers have a share in, with their figures, in the profile's order.
    pub fn stacks_of(&self, uids: &[u64]) -> Vec<Stack> {
        let mut figures: BTreeMap<u32, Figures> = BTreeMap::new();
        for share in self.shares.iter().filter(|share| uids.contains(&share.uid)) {
            figures.entry(share.stack).or_default().add(share.figures, 1.0);
        }
        let stack = |(index, figures): (u32, Figures)| Stack {
            figures,
            base: Figures::default(),
            ..self.stacks[index as usize].clone()
        };
        figures.into_iter().map(stack).collect()
    }

    /// Ids of all frames, in order.
    pub fn frame_ids(&self) -> impl Iterator<Item = FrameId> + use<> {
        (0..self.frames.len() as u32).map(FrameId)
    }
}
