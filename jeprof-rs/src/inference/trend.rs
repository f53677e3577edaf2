//! Whether something grows over a series of dumps of one process, and whether it still does at the end.

use super::discovery::Correction;
use super::estimate::Estimate;
use super::growth::{Churn, Growth, chance, growth};
use super::kendall::{self, Kendall};
use super::slope::{self, Slope};

/// What a stack, or all together, held at a moment.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// When: in any unit of time, or in iterations.
    pub at: f64,
    /// What was live.
    pub live: Estimate,
}

/// What a series says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trend {
    /// From the beginning to the end.
    pub change: Growth,
    /// What the order of the figures says.
    pub order: Kendall,
    /// Bytes per unit of [`Moment::at`].
    pub slope: Slope,
    /// The chance of a false alarm: the greater of those of `change` and `order`, which have to agree.
    pub p: f64,
    /// What the second half alone says.
    pub late: Late,
}

/// Whether it still grows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Late {
    /// The chance of such a change of the second half when it no longer grows.
    pub p: f64,
    /// Whether the order of its figures, too, says that it rises; true of so few that no order would.
    pub is_rising: bool,
    /// How fast it grew in the second half, in time or from dump to dump, whichever is faster, as a multiple of the whole; 1 for
    /// steady growth.
    pub pace: f64,
    /// The same of the last third.
    pub pace_at_end: f64,
}

/// Which way a series goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Course {
    /// It grew, and did so up to the end.
    Growing,
    /// It grew; whether it still does at the end cannot be told: run longer, or look at ages.
    Unclear,
    /// It grew, and then no more, as what is filled or built once does.
    StoppedGrowing,
    /// Nothing that chance does not do.
    Steady,
}

/// Fewer dumps than this make a weak case; more are asked for.
pub const DUMPS_ADVISED: usize = 9;

/// The second half is one look at a series that is known to have grown: no correction for many is due. In simulated runs of nine
/// dumps 94 of 100 leaks of ten samples a dump are told to grow to the end; of caches that fill up before half of the time 3,
/// where they have 20 samples a dump, and none, where they have 100.
const LATE_ALPHA: f64 = 0.02;

/// The same for its order, which cannot be as certain: five figures that only rise have 0.8 %.
const LATE_ORDER_ALPHA: f64 = 0.05;

/// Growth at less than this part of the pace of the whole is no proof that it goes on.
const GOING_PACE: f64 = 0.5;

/// Growth at less than this part has stopped.
const STOPPED_PACE: f64 = 0.25;

/// Dumps before the total reaches this part of its median belong to the start.
const WARM: f64 = 0.9;

/// A start rises so many times as fast as what comes later. The steps of a leak that is sampled ten times from dump to dump vary
/// by a third; the first is four times the median of the others in less than one of 10,000 runs.
const STEEP: f64 = 4.0;

/// Looks at a series of at least two moments, in order of time; `None` for less, or where time stands still.
///
/// **Rule**: growth is what both the test of the last against the first and that of Mann and Kendall find. The second alone
/// alarms in 8 to 31 of 100 steady states where it should in one, since dumps of one process share objects; the first knows nothing
/// of what happens between. `churn` is what came and went between the first and the last dump. Where every
/// allocation is recorded, thirds are compared, so that one unlucky moment decides nothing.
///
/// `confidence` is for bounds. Cost: that of two comparisons and of all pairs of moments.
pub fn trend(moments: &[Moment], churn: Option<Churn>, confidence: f64) -> Option<Trend> {
    let points: Vec<(f64, f64)> = moments.iter().map(|moment| (moment.at, moment.live.bytes)).collect();
    let slope = slope::theil_sen(&points, confidence)?;
    let bytes: Vec<f64> = points.iter().map(|(_, bytes)| *bytes).collect();
    let (first, last) = ends(moments);
    let change = growth(&first, &last, 0.0, churn, confidence);
    let order = kendall::rising(&bytes);

    // A machine that is busy for a while makes what a program does per request look slow at the end; that it did as much from
    // dump to dump then shows that it went on.
    let pace = |of: &[Moment]| {
        let rose = |of: &[Moment]| of[of.len() - 1].live.bytes - of[0].live.bytes;
        let took = |of: &[Moment]| of[of.len() - 1].at - of[0].at;
        let steps = |of: &[Moment]| (of.len() - 1) as f64;
        let share = rose(of) / rose(moments);
        let pace = (share * took(moments) / took(of)).max(share * steps(moments) / steps(of));
        if pace.is_finite() { pace } else { 0.0 }
    };
    // At least two moments each: nine dumps have five in the second half, three in the last third.
    let [half, third] = [2, 3].map(|parts| &moments[moments.len() - moments.len().div_ceil(parts).max(2)..]);
    let (late_first, late_last) = ends(half);
    let order_late = kendall::rising(&bytes[bytes.len() - half.len()..]);
    let has_say = kendall::least_p(half.len()) <= LATE_ORDER_ALPHA;
    let late = Late {
        p: chance(&late_first, &late_last, 0.0, None),
        is_rising: !has_say || order_late.p <= LATE_ORDER_ALPHA,
        pace: pace(half),
        pace_at_end: pace(third),
    };
    Some(Trend { change, order, slope, p: change.p.max(order.p), late })
}

/// Judges the series of many stacks at once: which way each goes, and the rate of false alarms `q` at which its growth is just
/// reported, by that correction for many. What has `q <= alpha` grew.
pub fn courses(trends: &[Trend], correction: Correction, alpha: f64) -> Vec<(Course, f64)> {
    let p: Vec<f64> = trends.iter().map(|trend| trend.p).collect();
    let course = |(trend, q): (&Trend, f64)| (trend.course(q <= alpha), q);
    trends.iter().zip(correction.of(&p)).map(course).collect()
}

impl Trend {
    /// Which way it goes, once it is decided whether it grew at all.
    pub fn course(&self, grew: bool) -> Course {
        let Late { p, is_rising, pace, pace_at_end } = self.late;
        if !grew {
            Course::Steady
        } else if p <= LATE_ALPHA && is_rising && pace.min(pace_at_end) >= GOING_PACE {
            Course::Growing
        } else if pace < STOPPED_PACE {
            Course::StoppedGrowing
        } else {
            Course::Unclear
        }
    }
}

/// How many dumps at the beginning belong to the start of the program: those before the total first reaches 90 % of its median,
/// as long as it rises [`STEEP`] times as fast there as it does in the second half. What grows as fast at the beginning as later is
/// no start but growth, which a series that lost its first dumps would show less well.
///
/// `times` and `totals` are in the order of dumps, one for each. At most a third of all are the start.
pub fn warm_up(times: &[f64], totals: &[f64]) -> usize {
    let Some(median) = upper_median(totals.to_vec()) else { return 0 };
    let points: Vec<(f64, f64)> = times.iter().copied().zip(totals.iter().copied()).collect();
    let paces: Vec<f64> =
        points.windows(2).map(|pair| (pair[1].1 - pair[0].1) / (pair[1].0 - pair[0].0)).collect();
    let later = median_of_rest(&paces).max(0.0);
    let is_start = |(total, pace): &(&f64, &f64)| **total < WARM * median && **pace > STEEP * later;
    let start = totals.iter().zip(&paces).take_while(is_start).count();
    start.min(totals.len() / 3)
}

/// The median of the second half.
fn median_of_rest(paces: &[f64]) -> f64 {
    upper_median(paces[paces.len() / 2..].to_vec()).unwrap_or(0.0)
}

/// The middle one, or the upper of two.
fn upper_median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

/// How many dumps it takes until a single series that only rises is found among so many that are tested.
pub fn dumps_needed(tested: usize, fdr: f64) -> usize {
    let needed = fdr / tested.max(1) as f64;
    (2..100).find(|dumps| kendall::least_p(*dumps) <= needed).unwrap_or(100)
}

/// The same, and at least the number advised.
pub fn dumps_wanted(tested: usize, fdr: f64) -> usize {
    dumps_needed(tested, fdr).max(DUMPS_ADVISED)
}

/// What the beginning is, and what the end: the first and the last, or the means of thirds of exact dumps.
fn ends(moments: &[Moment]) -> (Estimate, Estimate) {
    let is_exact = moments.iter().all(|moment| moment.live.is_exact());
    let length = if is_exact { (moments.len() / 3).max(1) } else { 1 };
    (mean(&moments[..length]), mean(&moments[moments.len() - length..]))
}

/// The mean of estimates of the same thing. They share objects, so that averaging may make nothing more certain: the standard
/// deviation is the mean one.
fn mean(moments: &[Moment]) -> Estimate {
    let count = moments.len() as f64;
    let of =
        |figure: fn(&Estimate) -> f64| moments.iter().map(|moment| figure(&moment.live)).sum::<f64>() / count;
    let sum: Estimate = moments.iter().map(|moment| moment.live).sum();
    Estimate {
        bytes: of(|live| live.bytes),
        objects: of(|live| live.objects),
        variance: of(|live| live.variance.sqrt()).powi(2),
        samples: sum.samples.map(|samples| samples / count),
        period: sum.period,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const R: f64 = 524_288.0;

    fn series(samples: &[f64], period: f64) -> Vec<Moment> {
        let live = |samples: f64| Estimate::told(samples * R, samples, samples * R * period, samples, period);
        samples
            .iter()
            .enumerate()
            .map(|(at, samples)| Moment { at: at as f64, live: live(*samples) })
            .collect()
    }

    fn course_of(samples: &[f64], period: f64) -> Course {
        let trend = trend(&series(samples, period), None, 0.95).unwrap();
        courses(&[trend], Correction::DiscoveryRate, 0.05)[0].0
    }

    #[test]
    fn courses_are_told_apart() {
        let growing = [0.0, 6.0, 13.0, 20.0, 26.0, 33.0, 41.0, 47.0, 55.0];
        let filled = [0.0, 15.0, 30.0, 45.0, 50.0, 51.0, 49.0, 50.0, 51.0];
        let steady = [50.0, 48.0, 55.0, 51.0, 46.0, 52.0, 49.0, 53.0, 50.0];
        let slowing = [0.0, 20.0, 38.0, 50.0, 55.0, 57.0, 60.0, 62.0, 65.0];
        for period in [R, 1.0] {
            assert_eq!(course_of(&growing, period), Course::Growing);
            assert_eq!(course_of(&filled, period), Course::StoppedGrowing);
            assert_eq!(course_of(&steady, period), Course::Steady);
            assert_eq!(course_of(&slowing, period), Course::Unclear);
        }
        let falling: Vec<f64> = growing.iter().rev().copied().collect();
        assert_eq!(course_of(&falling, R), Course::Steady);
    }

    #[test]
    fn a_machine_that_gets_slower_hides_no_growth() {
        let mut growing = series(&[0.0, 6.0, 13.0, 20.0, 26.0, 33.0, 41.0, 47.0, 55.0], R);
        growing[5..].iter_mut().for_each(|moment| moment.at = 5.0 + (moment.at - 5.0) * 8.0);
        let trend = trend(&growing, None, 0.95).unwrap();
        assert_eq!(trend.course(true), Course::Growing);
    }

    #[test]
    fn both_tests_have_to_agree() {
        // It only rises, by less than chance does; and it jumps, and falls from there on.
        for samples in [
            [50.0, 51.0, 52.0, 53.0, 54.0, 55.0, 56.0, 57.0, 58.0],
            [0.0, 90.0, 80.0, 75.0, 70.0, 65.0, 60.0, 55.0, 50.0],
        ] {
            let trend = trend(&series(&samples, R), None, 0.95).unwrap();
            assert!(trend.p > 0.05 && trend.change.p.min(trend.order.p) < 1e-3, "{trend:?}");
        }
    }

    #[test]
    fn the_slope_is_per_unit_of_time() {
        let mut moments = series(&[1.0, 3.0, 5.0, 7.0, 9.0, 11.0], R);
        moments.iter_mut().for_each(|moment| moment.at *= 60.0);
        let slope = trend(&moments, None, 0.95).unwrap().slope;
        assert!((slope.value - R / 30.0).abs() < 1e-6, "{slope:?}");
    }

    #[test]
    fn short_series_say_what_they_can() {
        assert_eq!(trend(&[], None, 0.95), None);
        assert_eq!(trend(&series(&[1.0], R), None, 0.95), None);
        let two = trend(&series(&[0.0, 100.0], R), None, 0.95).unwrap();
        assert_eq!((two.p, two.course(false)), (0.5, Course::Steady));
        let mut still = series(&[0.0, 100.0], R);
        still[1].at = 0.0;
        assert_eq!(trend(&still, None, 0.95), None);
    }

    fn start_of(totals: &[f64]) -> usize {
        let times: Vec<f64> = (0..totals.len()).map(|at| at as f64).collect();
        warm_up(&times, totals)
    }

    #[test]
    fn dumps_of_the_start_are_left_out() {
        assert_eq!(start_of(&[10.0, 60.0, 95.0, 100.0, 99.0, 101.0, 100.0, 98.0, 100.0]), 2);
        assert_eq!(start_of(&[100.0, 99.0, 101.0]), 0);
        // A start, and a leak behind it.
        assert_eq!(start_of(&[1.0, 50.0, 52.0, 54.0, 56.0, 58.0, 60.0, 62.0, 64.0]), 1);
        // Never more than a third.
        assert_eq!(start_of(&[1.0, 11.0, 21.0, 31.0, 41.0, 99.0, 100.0, 100.0, 101.0]), 3);
        assert_eq!((start_of(&[]), start_of(&[0.0]), start_of(&[5.0])), (0, 0, 0));
    }

    #[test]
    fn a_leak_from_the_beginning_on_is_no_start() {
        let leak: Vec<f64> = (0..9).map(f64::from).collect();
        assert_eq!(start_of(&leak), 0);
        let uneven = [0.0, 14.0, 21.0, 32.0, 45.0, 52.0, 60.0, 73.0, 80.0];
        assert_eq!(start_of(&uneven), 0);
        // As fast as later, though the dumps lie apart unevenly.
        assert_eq!(warm_up(&[0.0, 30.0, 32.0, 35.0, 38.0, 40.0], &[0.0, 31.0, 33.0, 35.0, 39.0, 41.0]), 0);
    }

    #[test]
    fn more_stacks_want_more_dumps() {
        assert_eq!(
            [1, 350, 2000, 20_000, 200_000].map(|tested| dumps_wanted(tested, 0.05)),
            [9, 9, 9, 10, 11]
        );
    }
}
