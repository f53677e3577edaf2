//! Which arena a thread gets, as a pure function of what there is.

/// What the choice knows of an automatic arena.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// Its index.
    pub index: u32,
    /// Threads bound to it; `None` before it is made.
    pub threads: Option<u32>,
    /// How many it takes before the next is used, if it says.
    pub limit: Option<u32>,
}

/// The index for a new thread.
///
/// Arenas with a limit are filled one after the other. Then, as in jemalloc: one that no thread uses, otherwise one that
/// is not made yet, otherwise the one with the fewest threads. When all are full, limits count no more.
pub fn choose(candidates: impl Iterator<Item = Candidate> + Clone) -> Option<u32> {
    let below = |c: &Candidate| c.limit.is_none_or(|limit| c.threads.unwrap_or(0) < limit);
    let limited = candidates.clone().find(|c| c.limit.is_some() && below(c));
    let load = |c: &Candidate| match c.threads {
        Some(0) => 0,
        None => 1,
        Some(threads) => threads as u64 + 1,
    };
    let choice = limited
        .or_else(|| candidates.clone().filter(below).min_by_key(load))
        .or_else(|| candidates.min_by_key(load))?;
    Some(choice.index)
}

/// How processors map to automatic arenas (`percpu_arena`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PerCpu {
    /// One arena for each processor.
    Logical,
    /// One arena for each pair of processors `n` and `n + half`, as firmware numbers the two threads of a core.
    Physical,
}

impl PerCpu {
    /// Arenas for `cpus` processors.
    pub fn arenas(self, cpus: u32) -> u32 {
        match self {
            PerCpu::Logical => cpus.max(1),
            PerCpu::Physical => cpus.div_ceil(2).max(1),
        }
    }

    /// Arena of processor `cpu`, where there are `arenas` of them. A processor that was not there at start shares.
    pub fn arena_of(cpu: u32, arenas: u32) -> u32 {
        cpu % arenas.max(1)
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use std::vec::Vec;

    fn candidates(of: &[(Option<u32>, Option<u32>)]) -> Vec<Candidate> {
        let numbered = of.iter().zip(0..);
        numbered.map(|(&(threads, limit), index)| Candidate { index, threads, limit }).collect()
    }

    /// Binds `n` threads one by one and answers how many each arena has then.
    fn bind(limits: &[Option<u32>], n: usize) -> Vec<u32> {
        let mut all: Vec<_> = candidates(&limits.iter().map(|&limit| (None, limit)).collect::<Vec<_>>());
        for _ in 0..n {
            let index = choose(all.iter().copied()).unwrap() as usize;
            all[index].threads = Some(all[index].threads.unwrap_or(0) + 1);
        }
        all.iter().map(|c| c.threads.unwrap_or(0)).collect()
    }

    #[test]
    fn an_idle_arena_comes_before_one_that_is_not_made_and_that_before_the_least_loaded() {
        let of = |list: &[Option<u32>]| {
            choose(candidates(&list.iter().map(|&t| (t, None)).collect::<Vec<_>>()).into_iter())
        };
        assert_eq!(of(&[Some(1), None, Some(0), None]), Some(2));
        assert_eq!(of(&[Some(1), Some(3), None, None]), Some(2));
        assert_eq!(of(&[Some(4), Some(2), Some(2), Some(3)]), Some(1));
        assert_eq!(of(&[]), None);
    }

    #[test]
    fn arenas_with_a_limit_are_filled_first_and_the_rest_shares_the_others() {
        assert_eq!(bind(&[Some(8), None, None, None], 8), [8, 0, 0, 0]);
        assert_eq!(bind(&[Some(8), None, None, None], 14), [8, 2, 2, 2]);
        assert_eq!(bind(&[Some(2), Some(3), None], 6), [2, 3, 1]);
        assert_eq!(bind(&[None, Some(0), None], 4), [2, 0, 2]);
        assert_eq!(bind(&[Some(1), Some(1)], 6), [3, 3], "all full: limits count no more");
    }

    #[test]
    fn processors_share_an_arena_only_as_pairs_or_when_they_came_late() {
        assert_eq!(
            (PerCpu::Logical.arenas(6), PerCpu::Physical.arenas(6), PerCpu::Physical.arenas(5)),
            (6, 3, 3)
        );
        let of = |arenas| (0..6).map(|cpu| PerCpu::arena_of(cpu, arenas)).collect::<Vec<_>>();
        assert_eq!(of(6), [0, 1, 2, 3, 4, 5]);
        assert_eq!(of(3), [0, 1, 2, 0, 1, 2]);
        assert_eq!(of(4), [0, 1, 2, 3, 0, 1]);
    }
}
