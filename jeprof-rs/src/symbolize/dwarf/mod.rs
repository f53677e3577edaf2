//! Look-up of many addresses of one binary in its debug information, unit by unit on all cores.
//!
//! One call: `units` says which units claim the addresses (one pass over `.debug_aranges`), then each claimed unit is
//! one job: `functions` walks its entries (by `shapes`), `lines` runs its line program, `worker` puts names to both.
//! Only claimed units are looked at. The index is shared and never written to; a thread owns what it finds.
//!
//! It does not know split debug information and files that share a part of it: such addresses are handed back.

mod functions;
mod lines;
mod ranges;
mod sections;
mod shapes;
mod tables;
mod units;
mod worker;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock};

pub use sections::{Sections, is_believable};
pub use worker::{Found, Frame, Function, NO_FUNCTION, is_without_paths};

use units::Claim;
use worker::{Answer, Worker};

/// Units that one job asks for their ranges.
const UNITS_PER_JOB: usize = 256;

/// What is known about a list of addresses.
#[derive(Default)]
pub struct Resolved<'a> {
    /// What each thread has found.
    pub found: Vec<Found<'a>>,
    /// Per address who has its answer: index in `found` and in its `answers`.
    answers: Vec<Option<(u32, u32)>>,
    /// Addresses, as indices, that only the general engine can look up; rising.
    pub unsupported: Vec<u32>,
}

impl<'a> Resolved<'a> {
    /// The answer for an address: the findings that its frames refer to, its frames, and whether functions of its
    /// language have no path.
    pub fn frames(&self, address: usize) -> Option<(usize, &[Frame], bool)> {
        let (finder, answer) = (*self.answers.get(address)?)?;
        let found = &self.found[finder as usize];
        let Answer { frames: (first, end), is_without_paths, .. } = found.answers[answer as usize];
        Some((finder as usize, &found.frames[first as usize..end as usize], is_without_paths))
    }
}

/// Looks addresses up (sorted, distinct) with so many threads.
///
/// Cost: units that hold an address are parsed, others at most named.
pub fn resolve<'a>(
    dwarf: &gimli::Dwarf<sections::Reader<'a>>,
    code_start: u64,
    wanted: &[u64],
    threads: usize,
) -> Resolved<'a> {
    let (starts, mut claims) = units::listed(dwarf, wanted, code_start);
    let mut workers: Vec<Worker<'_, 'a>> =
        (0..threads.max(1)).map(|_| Worker::new(dwarf, &starts, code_start)).collect();
    let unclaimed = unclaimed(&claims, wanted);

    // Code that no listed unit claims (start-up code, assembly, everything where the compiler writes no list) may
    // belong to a unit that is not listed. Finding those reads all headers, so it runs beside the look-ups.
    let unlisted: OnceLock<Vec<usize>> = OnceLock::new();
    let mut jobs: Vec<Job<'_>> = Vec::new();
    jobs.extend((!unclaimed.is_empty()).then_some(Job::ListUnits));
    jobs.extend(by_size(&mut claims).iter().map(Job::Resolve));
    let more: Mutex<Vec<Claim>> = Mutex::new(Vec::new());
    let work = |worker: &mut Worker<'_, 'a>, job: &Job<'_>| match job {
        Job::Resolve(claim) => worker.resolve(claim, wanted),
        Job::ListUnits => {
            unlisted.get_or_init(|| starts.unlisted(dwarf));
        }
        Job::Ask(units) => {
            let claims = units::claims_of(dwarf, &mut worker.tables, units, &unclaimed, code_start);
            more.lock().expect("no thread panics while it holds the lock").extend(claims);
        }
    };
    run(&mut workers, &jobs, work);
    let unlisted = unlisted.get().map_or(&[][..], |units| units);
    run(&mut workers, &unlisted.chunks(UNITS_PER_JOB).map(Job::Ask).collect::<Vec<_>>(), work);
    let mut more = std::mem::take(&mut *more.lock().expect("no thread panics while it holds the lock"));
    run(&mut workers, &by_size(&mut more).iter().map(Job::Resolve).collect::<Vec<_>>(), work);

    choose(workers.into_iter().map(|worker| worker.found).collect(), wanted.len())
}

enum Job<'j> {
    Resolve(&'j Claim),
    ListUnits,
    Ask(&'j [usize]),
}

/// Hands the jobs out to one thread per worker.
fn run<W: Send, J: Sync>(workers: &mut [W], jobs: &[J], work: impl Fn(&mut W, &J) + Sync) {
    let next = AtomicUsize::new(0);
    let take_jobs = |worker: &mut W| {
        while let Some(job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
            work(worker, job);
        }
    };
    let Some((own, others)) = workers.split_first_mut() else { return };
    std::thread::scope(|scope| {
        for worker in others.iter_mut().take(jobs.len().saturating_sub(1)) {
            scope.spawn(|| take_jobs(worker));
        }
        take_jobs(own);
    });
}

/// The largest unit first, so that it does not start last.
fn by_size(claims: &mut [Claim]) -> &[Claim] {
    claims.sort_by_key(|claim| (std::cmp::Reverse(claim.size), claim.unit));
    claims
}

/// Addresses that no unit claims, with their indices.
fn unclaimed(claims: &[Claim], wanted: &[u64]) -> Vec<(u64, u32)> {
    let mut is_claimed = vec![false; wanted.len()];
    for &index in claims.iter().flat_map(|claim| &claim.wanted) {
        is_claimed[index as usize] = true;
    }
    let addresses = wanted.iter().zip(0..).zip(is_claimed);
    addresses.filter(|(_, is_claimed)| !is_claimed).map(|((&address, index), _)| (address, index)).collect()
}

/// Chooses the answer for each address: one with a function before one without, then the first unit's.
fn choose(found: Vec<Found<'_>>, count: usize) -> Resolved<'_> {
    let mut answers: Vec<Option<(u32, u32)>> = vec![None; count];
    let rank = |(finder, index): (u32, u32)| {
        let found: &Found<'_> = &found[finder as usize];
        let answer: &Answer = &found.answers[index as usize];
        let outermost = found.frames[answer.frames.1 as usize - 1];
        (outermost.function == NO_FUNCTION, answer.unit)
    };
    for (finder, of_finder) in (0..).zip(&found) {
        for (index, answer) in (0..).zip(&of_finder.answers) {
            let chosen = &mut answers[answer.wanted as usize];
            if chosen.is_none_or(|chosen| rank((finder, index)) < rank(chosen)) {
                *chosen = Some((finder, index));
            }
        }
    }
    let mut unsupported: Vec<u32> = found.iter().flat_map(|found| &found.unsupported).copied().collect();
    unsupported.sort_unstable();
    unsupported.dedup();
    Resolved { found, answers, unsupported }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Function, file, line, column.
    type Told = (String, String, u32, u32);

    fn ours(resolved: &Resolved<'_>, index: usize) -> Vec<Told> {
        let Some((finder, frames, _)) = resolved.frames(index) else { return Vec::new() };
        let found = &resolved.found[finder];
        let tell = |frame: &Frame| {
            let function = found.functions.get(frame.function as usize);
            let name = function.map(|function| String::from_utf8_lossy(function.raw).into_owned());
            let file = found.paths[frame.file as usize].clone();
            (name.unwrap_or_default(), file, frame.line, frame.column)
        };
        frames.iter().map(tell).collect()
    }

    fn theirs(loader: &addr2line::Loader, address: u64) -> Vec<Told> {
        let mut told = Vec::new();
        let mut frames = loader.find_frames(address).unwrap();
        while let Some(frame) = frames.next().unwrap() {
            let name = frame.function.map(|function| function.raw_name().unwrap().into_owned());
            let (file, line, column) = frame.location.map_or((None, None, None), |location| {
                (location.file.map(String::from), location.line, location.column)
            });
            told.push((
                name.unwrap_or_default(),
                file.unwrap_or_default(),
                line.unwrap_or(0),
                column.unwrap_or(0),
            ));
        }
        told
    }

    /// Compares with addr2line at addresses spread over the code with a fixed seed.
    fn check(path: &Path, count: usize, threads: usize) {
        let bytes = std::fs::read(path).unwrap();
        let object = object::File::parse(&*bytes).unwrap();
        let text = object::Object::section_by_name(&object, ".text").unwrap();
        let (start, size) = (object::ObjectSection::address(&text), object::ObjectSection::size(&text));
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        let mut wanted: Vec<u64> = (0..count)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                start + state % size
            })
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        let sections = Sections::open(path).unwrap();
        let dwarf = sections.dwarf();
        let resolved = resolve(&dwarf, sections.code_start, &wanted, threads);
        assert_eq!(resolved.unsupported, [0_u32; 0]);
        let loader = addr2line::Loader::new(path).unwrap();
        let mut named = 0;
        for (index, &address) in wanted.iter().enumerate() {
            let ours = ours(&resolved, index);
            named += usize::from(!ours.is_empty());
            assert_eq!(ours, theirs(&loader, address), "{} at {address:#x}", path.display());
        }
        assert!(named * 2 > wanted.len(), "only {named} of {} addresses have names", wanted.len());
    }

    #[test]
    fn a_rust_program_has_the_frames_that_addr2line_finds() {
        check(&std::env::current_exe().unwrap(), 2000, 3);
    }

    #[test]
    fn a_c_program_has_the_frames_that_addr2line_finds() {
        let folder = std::env::temp_dir().join(format!("jeprof-rs-dwarf-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let source = folder.join("inlines.c");
        std::fs::write(&source, C_SOURCE).unwrap();
        for (name, flags) in [
            ("dwarf4", &["-O2", "-gdwarf-4"] as &[&str]),
            ("dwarf5", &["-O2", "-gdwarf-5"]),
            ("unoptimised", &["-O0", "-g"]),
            ("lines", &["-O2", "-g1"]),
            ("sections", &["-O2", "-g", "-ffunction-sections", "-Wl,--gc-sections"]),
            ("zlib", &["-O2", "-g", "-gz=zlib"]),
        ] {
            let program = folder.join(name);
            let mut compiler = std::process::Command::new(std::env::var_os("CC").unwrap_or("cc".into()));
            let compiled = compiler.args(flags).arg(&source).arg("-o").arg(&program).status().unwrap();
            assert!(compiled.success(), "{name}");
            check(&program, 2000, 2);
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }

    /// Functions inlined into each other over several levels, one in cold code of its own, one that nobody calls.
    const C_SOURCE: &str = "
#include <stdio.h>
#include <stdlib.h>
static inline int innermost(int x) { if (x > 7) x = abs(x) * 3; return x + rand(); }
static inline int inner(int x) { int sum = 0; for (int i = 0; i < x; i++) sum += innermost(i) ^ sum; return sum; }
__attribute__((noinline, cold)) static void rare(int x) { fprintf(stderr, \"%d\\n\", inner(x)); exit(x); }
__attribute__((noinline)) int outer(int x) { if (x == 1234) rare(x); { int y = inner(x); return inner(y) + y; } }
int unused(int x) { return inner(x) * outer(x); }
int main(int argc, char **argv) { (void)argv; printf(\"%d %d\\n\", outer(argc), inner(argc)); return 0; }
";
}
