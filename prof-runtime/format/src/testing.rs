//! A snapshot over vectors and seeded random numbers, for tests here and in other packages.

use alloc::{format, vec, vec::Vec};

use crate::snapshot::{About, Facts, Module, Part, Row, Snapshot, Stack, Thread};
use crate::totals::Totals;
use crate::unbias::weight;
use crate::vocab::{BuildId, Counts, Tally};

/// Small deterministic generator (xorshift64*): the same seed gives the same test on every machine.
pub struct Random(u64);

impl Random {
    /// Starts from `seed`.
    pub fn new(seed: u64) -> Random {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// The next 64 random bits.
    #[expect(clippy::should_implement_trait, reason = "an endless generator is no iterator to be adapted")]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }

    /// A size class between 16 bytes and 8 MiB, each power of two as likely as another.
    pub fn size_class(&mut self) -> u64 {
        let power: u64 = 16 << self.below(18);
        power + (power / 4 * self.below(4)) / 16 * 16
    }
}

/// What the sampler would hold after sampling objects of these `sizes`.
pub fn tally_of(sizes: &[u64], period: u64) -> Tally {
    sizes.iter().fold(Tally::default(), |sum, &size| {
        let weight = weight(size, period);
        sum.plus(Tally {
            sampled: Counts { objs: 1, bytes: size },
            est_objs_q16: weight.objs_q16,
            est_bytes: weight.bytes,
        })
    })
}

/// One stack of a [`VecSnapshot`].
pub struct VecStack {
    /// Indices into [`VecSnapshot::addresses`], leaf first.
    pub frames: Vec<u32>,
    /// Shares of threads; the stack's own figures are their sum.
    pub parts: Vec<Part>,
    /// The same in detail, put in by the test.
    pub rows: Vec<Row>,
}

/// One module of a [`VecSnapshot`].
pub struct VecModule {
    /// First address, first address past the end, offset in the file.
    pub range: (u64, u64, u64),
    /// Path as in the process map.
    pub path: Vec<u8>,
    /// Build id.
    pub build_id: BuildId,
}

/// A snapshot that holds everything in vectors.
pub struct VecSnapshot {
    /// Facts, except for the program's path.
    pub facts: Facts<'static>,
    /// The program's path.
    pub program: Vec<u8>,
    /// Return addresses.
    pub addresses: Vec<u64>,
    /// Uid and name.
    pub threads: Vec<(u64, Vec<u8>)>,
    /// Labels.
    pub labels: Vec<Vec<u8>>,
    /// Names that the system has for threads, by index.
    pub system_names: Vec<Vec<u8>>,
    /// Stacks, put in by [`VecSnapshot::push`].
    pub stacks: Vec<VecStack>,
    /// Live and accumulated samples by thread index.
    totals: Vec<[Tally; 2]>,
    /// Executable mappings.
    pub modules: Vec<VecModule>,
    /// Text of the maps file.
    pub maps: Vec<u8>,
}

impl VecSnapshot {
    /// Two threads and no stacks; a program and a library are mapped, each with one executable segment.
    pub fn empty(period: u64, accum: bool) -> VecSnapshot {
        let module = |start: u64, end: u64, path: &str, id: u8| VecModule {
            range: (start, end, 0x1000),
            path: path.into(),
            build_id: BuildId::new(&[id; 20]),
        };
        let modules = vec![
            module(0x55f5_08ec_a000, 0x55f5_08f0_a000, "/opt/demo/app", 0xab),
            module(0x7f7a_957a_2000, 0x7f7a_958c_2000, "/usr/lib/x86_64-linux-gnu/libc.so.6", 0xcd),
        ];
        let mut maps = Vec::new();
        for module in &modules {
            let (start, end, offset) = module.range;
            let path = core::str::from_utf8(&module.path).unwrap_or_default();
            for (from, to, permissions, at) in [
                (start - 0x1000, start, "r--p", 0),
                (start, end, "r-xp", offset),
                (end, end + 0x1000, "rw-p", 0),
            ] {
                maps.extend_from_slice(
                    format!(
                        "{from:x}-{to:x} {permissions} {at:08x} fe:00 10305553                   {path}\n"
                    )
                    .as_bytes(),
                );
            }
        }
        maps.extend_from_slice(
            b"7ffe3474c000-7ffe3476d000 rw-p 00000000 00:00 0                          [stack]\n",
        );
        VecSnapshot {
            facts: Facts {
                period,
                accum,
                raw: false,
                time_nanos: 1_795_189_616_001_278_996,
                duration_nanos: 12_000_000_345,
                pid: 4711,
                program: b"",
                about: About::default(),
                detail: false,
                peak: false,
                allocated_first: false,
                pinned: false,
                totals: Totals::default(),
            },
            program: b"/opt/demo/app".to_vec(),
            addresses: Vec::new(),
            threads: vec![(0, Vec::new()), (1, b"worker-a".to_vec())],
            labels: Vec::new(),
            system_names: Vec::new(),
            stacks: Vec::new(),
            totals: Vec::new(),
            modules,
            maps,
        }
    }

    /// Adds a stack of return addresses, leaf first, with one part per `(thread index, live, accumulated)` sizes.
    pub fn push(&mut self, frames: &[u64], parts: &[(usize, &[u64], &[u64])]) {
        let period = self.facts.period;
        let frames = frames.iter().map(|&address| self.intern(address)).collect();
        let accum = |sizes| if self.facts.accum { tally_of(sizes, period) } else { Tally::default() };
        let parts: Vec<Part> = parts
            .iter()
            .map(|&(thread, live, accumulated)| Part {
                thread,
                live: tally_of(live, period),
                accum: accum(accumulated),
            })
            .collect();
        for Part { thread, live, accum } in &parts {
            self.totals.resize(self.totals.len().max(thread + 1), [Tally::default(); 2]);
            self.totals[*thread] =
                [self.totals[*thread][0].plus(*live), self.totals[*thread][1].plus(*accum)];
        }
        self.stacks.push(VecStack { frames, parts, rows: Vec::new() });
    }

    fn intern(&mut self, address: u64) -> u32 {
        let known = self.addresses.iter().position(|&a| a == address);
        known.unwrap_or_else(|| {
            self.addresses.push(address);
            self.addresses.len() - 1
        }) as u32
    }

    /// `stacks` random stacks of random sizes over random threads.
    pub fn random(random: &mut Random, period: u64, accum: bool, stacks: usize) -> VecSnapshot {
        let mut snapshot = VecSnapshot::empty(period, accum);
        for row in Totals::ROWS {
            *(row.place)(&mut snapshot.facts.totals) =
                random.below(4).gt(&0).then(|| random.next() >> random.below(64));
        }
        snapshot.threads.push((7, b"name with blanks: 1 [2]".to_vec()));
        while snapshot.stacks.len() < stacks {
            let depth = 1 + random.below(20);
            let frames: Vec<u64> = (0..depth)
                .map(|_| {
                    let module = &snapshot.modules[random.below(2) as usize];
                    module.range.0 + 1 + random.below(300)
                })
                .collect();
            let mut sizes = |limit| -> Vec<u64> {
                let fixed = random.below(2).eq(&0).then(|| random.size_class());
                (0..random.below(limit)).map(|_| fixed.unwrap_or_else(|| random.size_class())).collect()
            };
            let (live, freed) = ([sizes(20), sizes(5)], [sizes(30), sizes(3)]);
            let all = [0, 1].map(|i| [&live[i][..], &freed[i][..]].concat());
            if all.iter().all(Vec::is_empty) || !accum && live.iter().all(Vec::is_empty) {
                continue;
            }
            let first = random.below(2) as usize;
            snapshot.push(&frames, &[(first, &live[0], &all[0]), (2, &live[1], &all[1])]);
        }
        snapshot
    }

    /// Sum over all stacks of what `pick` chooses of a part.
    pub fn total(&self, pick: impl Fn(&Part) -> Tally) -> Tally {
        self.stacks.iter().flat_map(|stack| &stack.parts).map(pick).fold(Tally::default(), Tally::plus)
    }
}

impl Snapshot for VecSnapshot {
    fn facts(&self) -> Facts<'_> {
        Facts { program: &self.program, ..self.facts }
    }

    fn addresses(&self) -> usize {
        self.addresses.len()
    }

    fn address(&self, index: usize) -> u64 {
        self.addresses[index]
    }

    fn threads(&self) -> usize {
        self.threads.len()
    }

    fn thread(&self, index: usize) -> Thread<'_> {
        let (uid, name) = &self.threads[index];
        let [live, accum] = self.totals.get(index).copied().unwrap_or_default();
        let system_name = self.system_names.get(index).map_or(&[][..], |name| name);
        Thread { uid: *uid, name, system_name, live, accum }
    }

    fn stacks(&self) -> usize {
        self.stacks.len()
    }

    fn stack(&self, index: usize) -> Stack<'_> {
        let stack = &self.stacks[index];
        Stack {
            frames: &stack.frames,
            live: stack.parts.iter().fold(Tally::default(), |sum, part| sum.plus(part.live)),
            accum: stack.parts.iter().fold(Tally::default(), |sum, part| sum.plus(part.accum)),
            parts: stack.parts.len(),
            rows: stack.rows.len(),
        }
    }

    fn part(&self, index: usize, part: usize) -> Part {
        self.stacks[index].parts[part]
    }

    fn row(&self, index: usize, row: usize) -> Row {
        self.stacks[index].rows[row]
    }

    fn labels(&self) -> usize {
        self.labels.len()
    }

    fn label(&self, index: usize) -> &[u8] {
        &self.labels[index]
    }

    fn modules(&self) -> usize {
        self.modules.len()
    }

    fn module(&self, index: usize) -> Module<'_> {
        let module = &self.modules[index];
        let (start, end, file_offset) = module.range;
        Module { start, end, file_offset, path: &module.path, build_id: module.build_id }
    }

    fn maps<E>(&self, piece: &mut dyn FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        self.maps.chunks(100).try_for_each(piece)
    }
}
