//! Whether a part of the objects of a stack is never given back, from the lifetimes of those that were and the ages of those
//! that are alive: one dump is enough.
//!
//! A leak is no large figure but a plateau: after some age nothing dies any more. Short-lived objects, caches and pools all
//! die in the end, however slowly.

use super::beta;

/// Powers of two of nanoseconds: 584 years.
pub const CLASSES: usize = 64;

/// Samples by age. Each class `i` is for ages of `2^i` nanoseconds and more, and less than twice that; 0 and 1 are in
/// class 0.
///
/// **Units**: samples as they were drawn, not what they stand for: bounds of shares need counts. Where only estimated objects
/// are known, multiply them by [`super::estimate::Estimate::effective_samples`] per object.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ages {
    /// Of those that were freed: at death.
    pub freed: [f64; CLASSES],
    /// Of those that are alive: now.
    pub alive: [f64; CLASSES],
}

impl Default for Ages {
    fn default() -> Ages {
        Ages { freed: [0.0; CLASSES], alive: [0.0; CLASSES] }
    }
}

/// The class of an age.
pub fn class_of(nanos: u64) -> usize {
    nanos.checked_ilog2().unwrap_or(0) as usize
}

/// That a part of the objects stays.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plateau {
    /// From this age on hardly anything dies, in nanoseconds.
    pub from_nanos: u64,
    /// Share of all objects that get there and stay.
    pub share: f64,
    /// Lower bound of the share.
    pub low: f64,
    /// Upper bound of the share.
    pub high: f64,
    /// Samples alive at four times that age or more.
    pub survivors: f64,
}

/// Survivors may be so few of all that lived; fewer are none of anybody's business.
const SHARE_MIN: f64 = 0.002;

/// Of those that reached an age, so many have to reach four times as much. Of lifetimes with the heaviest tails that were
/// found in programs (Pareto's with an exponent of 1.25) 18 % do.
const STAYING_MIN: f64 = 0.5;

/// What contradicts a plateau at a greater age need not be as certain as what shows one.
const CONTRADICTION_ALPHA: f64 = 0.05;

/// A stream that goes on is taken for one that stopped with this chance.
const STOPPED_ALPHA: f64 = 0.01;

/// Looks for a plateau. Bounds of which each is wrong with at most `alpha` (0.001).
///
/// For each power of two `a` of nanoseconds: of those that reached the age `a`, how many are alive at `4a` or more, against how
/// many died after `a` (at any age: what dies later is a cache, no leak)? What is alive and younger than `4a` is censored and left
/// out, as if it had never been, which is on the safe side, since those who die early are all there. A plateau is where
/// * the lower bound of that share is above a half,
/// * at no greater age hardly anything is alive at twice of it, for what died: a cache that has just begun to give back looks
///   like a leak up to the age at which it does,
/// * of what was born after the first half of the time, the lower bound of those that stay among all that died is above 0.2 %, and
///   its younger part is not too small for that to have gone on: tables that are built at the start stay, too, and are followed
///   by nothing.
///
/// Of several such ages the least is told, at which most is known. Cost: some 60 inverse beta functions, less where ages
/// are few.
pub fn plateau(ages: &Ages, alpha: f64) -> Option<Plateau> {
    let oldest = ages.alive.iter().rposition(|count| *count > 0.0)?;
    let freed: f64 = ages.freed.iter().sum();
    let mut found = None;
    // From the greatest age on, so that contradictions come first.
    for class in (0..CLASSES - 2).rev() {
        let died_later: f64 = ages.freed[class..].iter().sum();
        let [twice, survivors]: [f64; 2] = [1, 2].map(|ahead| ages.alive[class + ahead..].iter().sum());
        if beta::clopper_pearson(twice, twice + died_later, CONTRADICTION_ALPHA).1 < STAYING_MIN {
            break;
        }
        if beta::clopper_pearson(survivors, survivors + died_later, alpha).0 <= STAYING_MIN {
            continue;
        }
        // The class of the oldest holds at least half of the time.
        let later: f64 = ages.alive[class..oldest].iter().sum();
        if beta::clopper_pearson(later, later + freed, alpha).0 <= SHARE_MIN || !goes_on(ages, class, oldest)
        {
            continue;
        }
        // Of all that died some were born too late to have had a chance to stay: the share is rather too low.
        let all = survivors + freed;
        let (low, high) = beta::clopper_pearson(survivors, all, alpha);
        found = Some(Plateau { from_nanos: 1 << class, share: survivors / all, low, high, survivors });
    }
    found
}

/// Whether those of the ages from `class` up to the second class below the `oldest` may be as many as a steady stream would have
/// left there, measured by the class between. Where the start of the program lies just across a border between classes, what was
/// built then is in that class, and nothing is in those.
fn goes_on(ages: &Ages, class: usize, oldest: usize) -> bool {
    let (younger, older): (f64, f64) = (ages.alive[class..oldest - 1].iter().sum(), ages.alive[oldest - 1]);
    // Lengths of time, in units of that of the class between.
    let share = 1.0 - 0.5f64.powi((oldest - 1 - class) as i32);
    let all = 1.0 + share;
    beta::binomial_at_least(older, younger, 1.0 / all, share / all) > STOPPED_ALPHA
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 5,000 that died after a millisecond, and so many alive in each class.
    fn ages(alive: &[(usize, f64)]) -> Ages {
        let mut ages = Ages::default();
        ages.freed[class_of(1_048_576)] = 5000.0;
        alive.iter().for_each(|&(class, samples)| ages.alive[class] = samples);
        ages
    }

    #[test]
    fn a_stream_that_stays_is_a_plateau_and_its_share_is_told() {
        // 3 a time of 2^32 ns, for 20 of them.
        let leak = ages(&[(20, 4.0), (31, 1.5), (32, 3.0), (33, 6.0), (34, 12.0), (35, 24.0), (36, 12.0)]);
        let found = plateau(&leak, 0.001).unwrap();
        assert!(found.low < found.share && found.share < found.high && found.low > 0.002, "{found:?}");
        assert!((0.008..0.013).contains(&found.share) && found.from_nanos <= 1 << 33, "{found:?}");
    }

    #[test]
    fn what_is_built_at_the_start_is_no_plateau() {
        assert_eq!(plateau(&ages(&[(36, 1000.0)]), 0.001), None);
        // The start was just 2^36 ns ago: half of it is younger than that.
        assert_eq!(plateau(&ages(&[(36, 500.0), (35, 500.0)]), 0.001), None);
        // A table of a thousand does not hide a stream, which is told by itself.
        let both = ages(&[(31, 8.0), (32, 15.0), (33, 30.0), (34, 60.0), (35, 120.0), (36, 1060.0)]);
        assert!(plateau(&both, 0.001).is_some());
    }

    #[test]
    fn few_samples_and_none_say_nothing() {
        assert_eq!(plateau(&Ages::default(), 0.001), None);
        assert_eq!(plateau(&ages(&[]), 0.001), None);
        assert_eq!(plateau(&ages(&[(34, 2.0), (35, 3.0), (36, 2.0)]), 0.001), None);
        // As old as ages get, and as young.
        assert_eq!(plateau(&ages(&[(63, 9.0), (0, 5.0)]), 0.001), None);
        assert_eq!((class_of(0), class_of(1), class_of(1023), class_of(u64::MAX)), (0, 0, 9, 63));
    }
}
