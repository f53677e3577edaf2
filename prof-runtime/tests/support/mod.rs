//! A tiny host for the profiler: counts down, samples, and remembers the truth per call site.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::{
    cell::Cell,
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Mutex,
};

use prof_format::dump::{Dump, Figure, StackRow};
use prof_runtime::{Draw, Profiler, SampleRef, Settings, ThreadProf};

/// Settings of the tests, to be changed one by one.
pub fn settings() -> Settings<'static> {
    Settings { lg_sample: 12, accum: true, message: said, ..Settings::default() }
}

/// Lines that the profiler said to the user.
pub static SAID: Mutex<String> = Mutex::new(String::new());

fn said(line: &[u8]) {
    SAID.lock().unwrap().push_str(std::str::from_utf8(line).unwrap());
}

/// A profiler of one's own that lives for ever, as in a static.
pub fn boot(settings: &Settings) -> &'static Profiler {
    let profiler = Box::leak(Box::new(Profiler::new()));
    profiler.boot(settings).unwrap();
    profiler
}

/// An object of the host's.
#[derive(Debug)]
pub struct Object {
    pub size: u64,
    pub sample: Option<SampleRef>,
}

/// The host's side of one thread.
pub struct Host {
    pub profiler: &'static Profiler,
    pub thread: ThreadProf,
    /// Bytes until the next sample; `None`: draw anew.
    distance: Cell<Option<Draw>>,
    epoch: Cell<u32>,
}

impl Host {
    pub fn new(profiler: &'static Profiler) -> Host {
        Host {
            profiler,
            thread: ThreadProf::new(),
            distance: Cell::new(None),
            epoch: Cell::new(profiler.epoch()),
        }
    }

    /// Allocates an imaginary object as an allocator would: by bytes counted down.
    #[inline(never)]
    pub fn alloc(&self, size: u64) -> Object {
        if self.epoch.replace(self.profiler.epoch()) != self.profiler.epoch() {
            self.distance.set(None);
        }
        let distance = self.distance.get().or_else(|| self.profiler.draw_bytes(&self.thread));
        let Some(Draw { distance, rate }) = distance else { return Object { size, sample: None } };
        let due = distance <= size;
        self.distance.set(if due { None } else { Some(Draw { distance: distance - size, rate }) });
        let sample = if due { self.profiler.sample(&self.thread, rate, size, size) } else { None };
        if let Some(sample) = sample {
            self.profiler.born(&self.thread, sample, std::ptr::dangling(), 0);
        }
        Object { size, sample }
    }

    pub fn free(&self, object: Object) {
        if let Some(sample) = object.sample {
            // As the host stores it.
            let sample = SampleRef::from_bits(sample.to_bits()).unwrap();
            self.profiler.unsample(Some(&self.thread), sample, std::ptr::null(), object.size);
        }
    }
}

/// A call site: a function of its own, whose address its frames lie behind.
pub type Site = fn(&Host, u64) -> Object;

macro_rules! sites {
    ($($name:ident $number:literal)*) => {
        $(#[inline(never)]
        fn $name(host: &Host, size: u64) -> Object {
            // Different code for each, so that the linker does not fold them.
            std::hint::black_box($number);
            let object = host.alloc(size);
            std::hint::black_box($number);
            object
        })*
        /// All call sites.
        pub const SITES: &[Site] = &[$($name),*];
    };
}
sites!(site_a 1001 site_b 1002 site_c 1003 site_d 1004 site_e 1005 site_f 1006);

/// Which site an address lies in.
fn site_of(address: u64) -> Option<usize> {
    let distance = |site: &Site| address.wrapping_sub(*site as usize as u64);
    let nearest = SITES.iter().enumerate().min_by_key(|(_, site)| distance(site))?;
    (distance(nearest.1) < 400).then_some(nearest.0)
}

/// Figures of the rows by site; stacks that pass through no site are left out.
pub fn by_site(dump: &Dump, rows: &[StackRow]) -> HashMap<usize, (Figure, Figure)> {
    let mut sums: HashMap<usize, (Figure, Figure)> = HashMap::new();
    for row in rows {
        let frames = dump.stack(row).iter().map(|frame| dump.frame_table[*frame as usize].address);
        if let Some(site) = frames.into_iter().find_map(site_of) {
            let sum = sums.entry(site).or_default();
            for (sum, figure) in [(&mut sum.0, row.live), (&mut sum.1, row.accum)] {
                sum.objs += figure.objs;
                sum.bytes += figure.bytes;
            }
        }
    }
    sums
}

/// A directory of the test's own, removed at its end.
pub struct Directory(pub PathBuf);

impl Directory {
    pub fn new(name: &str) -> Directory {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Directory(path)
    }

    pub fn file(&self, name: &str) -> String {
        self.0.join(name).into_os_string().into_string().unwrap()
    }

    /// Names of the files in it, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Reads a dump of any format.
pub fn read(path: &str) -> Dump {
    let bytes = std::fs::read(path).unwrap();
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) { gunzip(&bytes) } else { bytes };
    let dump = prof_format::any::read(&bytes).unwrap();
    assert_eq!(dump.warnings, Vec::<String>::new());
    dump
}

fn gunzip(bytes: &[u8]) -> Vec<u8> {
    use std::io::Read;
    let mut out = Vec::new();
    flate2::read::GzDecoder::new(bytes).read_to_end(&mut out).unwrap();
    out
}
