//! Gives unused pages back to the kernel, a batch of runs at a time, with no lock held during the system calls.

use super::advice;
use super::parked::Parked;
use super::pressure;
use super::run::Run;
use super::state::Free;
use super::supply::Supply;
use crate::sync::Mutex;
use crate::units::PAGE;

/// Runs taken out of circulation at a time: bounds how much memory a concurrent allocation misses.
const BATCH: usize = 16;

/// Where purged pages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Dirty to muzzy, by `MADV_FREE`.
    DirtyToMuzzy,
    /// Dirty to retained, by `MADV_DONTNEED`.
    DirtyToRetained,
    /// Muzzy to retained, by `MADV_DONTNEED`.
    MuzzyToRetained,
}

impl Step {
    /// State of the pages that the step looks for.
    pub fn from(self) -> Free {
        match self {
            Step::DirtyToMuzzy | Step::DirtyToRetained => Free::Dirty,
            Step::MuzzyToRetained => Free::Muzzy,
        }
    }
}

/// What a purge did.
#[derive(Clone, Copy, Debug, Default)]
pub struct Purged {
    /// System calls.
    pub nmadvise: usize,
    /// Pages.
    pub npages: usize,
}

/// Takes the step for pages until at most `keep` are left in its from-state.
///
/// A run that the kernel refuses to take (locked memory) goes back as it was, and ends the purge.
pub fn purge(supply: &Mutex<Supply>, parked: &Parked, step: Step, keep: usize) -> Purged {
    let mut done = Purged::default();
    loop {
        let mut batch: [Option<Run>; BATCH] = [None; BATCH];
        {
            let mut supply = supply.lock();
            let counts = supply.counts();
            let unused =
                if step.from() == Free::Dirty { counts.dirty + parked.pages() } else { counts.muzzy };
            let mut rest = unused.saturating_sub(keep);
            for slot in &mut batch {
                if rest == 0 {
                    break;
                }
                let Some(run) = supply.take_unused(step.from(), rest, parked) else { break };
                rest -= run.npages;
                *slot = Some(run);
            }
        }
        let mut refused = false;
        let mut went = [Free::Retained; BATCH];
        let together = step != Step::DirtyToMuzzy && purge_together(&batch);
        for (run, went) in batch.iter().zip(&mut went) {
            let Some(run) = run else { break };
            *went = if together { Free::Retained } else { advise(run, step) };
            refused |= *went == step.from();
            done.nmadvise += 1;
            if *went != step.from() {
                done.npages += run.npages;
            }
            if *went == Free::Retained {
                // Run by run: whoever asks how much memory was taken and given back lately may do so meanwhile.
                pressure::shrank(run.npages);
            }
        }
        let mut supply = supply.lock();
        batch.iter().zip(went).filter_map(|(run, went)| Some(((*run)?, went))).for_each(|(run, went)| {
            supply.vacate(run, went);
        });
        if refused || batch[0].is_none() {
            return done;
        }
    }
}

/// Purges all runs in as few system calls as the kernel allows; answers whether all of them read as zero now.
fn purge_together(batch: &[Option<Run>; BATCH]) -> bool {
    if advice::batch() == 0 {
        return false;
    }
    let mut ranges = [(core::ptr::null_mut(), 0); BATCH];
    let mut n = 0;
    for run in batch.iter().flatten() {
        ranges[n] = (run.base, run.npages * PAGE);
        n += 1;
    }
    // SAFETY: the runs are out of circulation: no extent holds their pages and nobody can take them.
    n != 0 && unsafe { advice::purge_together(&ranges[..n]) }
}

/// Advises the kernel and answers the state that the pages are in now.
pub(super) fn advise(run: &Run, step: Step) -> Free {
    let (at, bytes) = (run.base, run.npages * PAGE);
    if step == Step::DirtyToMuzzy {
        // SAFETY: the run is out of circulation: no extent holds its pages and nobody can take them.
        if unsafe { advice::purge_lazy(at, bytes) } {
            return Free::Muzzy;
        }
    }
    // SAFETY: as above.
    if unsafe { advice::purge_forced(at, bytes) } { Free::Retained } else { step.from() }
}
