//! Whether a series rises: the test of Mann (1945) and Kendall, exact where few values make the normal distribution wrong.
//!
//! It looks at the order of values only, so that neither the shape of the growth nor outliers matter. Values of one process
//! hang together, which it does not know: in a steady state it alarms far more often than its `p` says, and is never to
//! be asked alone (`trend`).

use super::normal;

/// Up to so many values the distribution is counted out.
const EXACT_MAX: usize = 20;

/// What the order of the values says.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kendall {
    /// Pairs that rise, less pairs that fall.
    pub score: f64,
    /// The chance of so many rising pairs, or more, if every order were as likely.
    pub p: f64,
}

/// The one-sided test for a rise. Equal values make neither a rising nor a falling pair, and the distribution is that of series
/// with just such ties. Cost: `n²` comparisons, and `n³` additions up to 20 values.
pub fn rising(values: &[f64]) -> Kendall {
    let (mut rising, mut falling) = (0usize, 0usize);
    for (at, earlier) in values.iter().enumerate() {
        for later in &values[at + 1..] {
            rising += usize::from(later > earlier);
            falling += usize::from(later < earlier);
        }
    }
    let score = rising as f64 - falling as f64;
    let ties = ties(values);
    let p = if values.len() <= EXACT_MAX {
        falling_pairs(&ties).iter().take(falling + 1).sum::<f64>().min(1.0)
    } else {
        by_normal(score, values.len(), &ties)
    };
    Kendall { score, p }
}

/// The least `p` that so many values can have: `1/n!`, when each is above all before it.
pub fn least_p(values: usize) -> f64 {
    (1..=values).map(|n| 1.0 / n as f64).product()
}

/// The greatest number of falling pairs among `n` different values that has a chance of `alpha` or less; none where even a series
/// that only rises is more likely than that.
pub fn falling_pairs_within(n: usize, alpha: f64) -> Option<usize> {
    if n > EXACT_MAX {
        let pairs = (n * (n - 1) / 2) as f64;
        let score = normal::quantile_of_upper_tail(alpha) * variance(n, &[]).sqrt();
        return Some(((pairs - score) / 2.0 - 1.0).max(0.0) as usize);
    }
    let mut sum = 0.0;
    let within = |p: &f64| {
        sum += p;
        sum <= alpha
    };
    falling_pairs(&vec![1; n]).into_iter().take_while(within).count().checked_sub(1)
}

/// How many values are equal, for each different value.
fn ties(values: &[f64]) -> Vec<usize> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.chunk_by(|a, b| a == b).map(<[f64]>::len).collect()
}

/// The chance of each number of falling pairs. Values are put in group by group, the lowest first; a group of `t` makes with
/// the `m` that are there as many as Mann and Whitney's count has, whatever the order of those.
fn falling_pairs(ties: &[usize]) -> Vec<f64> {
    let (mut all, mut there) = (vec![1.0], 0);
    for &group in ties {
        all = convolved(&all, &mann_whitney(there, group));
        there += group;
    }
    all
}

/// The chance of each number of pairs in the wrong order between `m` and `t` values in random order: of all `m + t` the last is
/// one of the `m` with probability `m / (m + t)`, and then makes `t` such pairs.
fn mann_whitney(m: usize, t: usize) -> Vec<f64> {
    if t == 1 {
        return vec![1.0 / (m + 1) as f64; m + 1];
    }
    // Per number of the first kind, for the number of the second kind at hand.
    let mut row: Vec<Vec<f64>> = vec![vec![1.0]; m + 1];
    for t in 1..=t {
        for m in 1..=m {
            let (one, other) = (m as f64 / (m + t) as f64, t as f64 / (m + t) as f64);
            let mut sums = vec![0.0; m * t + 1];
            row[m - 1].iter().enumerate().for_each(|(at, p)| sums[at + t] += one * p);
            row[m].iter().enumerate().for_each(|(at, p)| sums[at] += other * p);
            row[m] = sums;
        }
    }
    row.pop().unwrap_or_default()
}

fn convolved(a: &[f64], b: &[f64]) -> Vec<f64> {
    let mut sums = vec![0.0; a.len() + b.len() - 1];
    for (at, p) in a.iter().enumerate() {
        b.iter().enumerate().for_each(|(more, q)| sums[at + more] += p * q);
    }
    sums
}

fn variance(n: usize, ties: &[usize]) -> f64 {
    let of = |n: usize| (n * n.saturating_sub(1) * (2 * n + 5)) as f64;
    (of(n) - ties.iter().map(|t| of(*t)).sum::<f64>()) / 18.0
}

fn by_normal(score: f64, n: usize, ties: &[usize]) -> f64 {
    let variance = variance(n, ties);
    if variance <= 0.0 { 1.0 } else { normal::upper_tail((score - 1.0) / variance.sqrt()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_chances_are_those_of_factorials() {
        for (n, p) in [(4, 0.0417), (5, 0.008_33), (6, 0.001_39), (7, 1.98e-4), (8, 2.48e-5), (9, 2.76e-6)] {
            let values: Vec<f64> = (0..n).map(f64::from).collect();
            let found = rising(&values);
            assert!((found.p / p - 1.0).abs() < 5e-3, "{n}: {found:?}");
            assert!((found.p / least_p(n as usize) - 1.0).abs() < 1e-12);
            assert_eq!(found.score, f64::from(n * (n - 1) / 2));
        }
    }

    #[test]
    fn chances_are_those_of_the_tables() {
        // Kendall's tables (Hollander and Wolfe, A.30): P(K >= x) for n values.
        for (values, p) in [
            (&[1.0, 3.0, 2.0, 4.0][..], 0.167),
            (&[1.0, 2.0, 4.0, 3.0, 5.0], 0.042),
            (&[2.0, 1.0, 4.0, 3.0, 5.0], 0.117),
            (&[2.0, 1.0, 3.0, 4.0, 5.0, 7.0, 6.0, 8.0], 0.000_868),
            (&[1.0, 2.0, 3.0, 5.0, 4.0, 7.0, 6.0], 0.0054),
        ] {
            let found = rising(values);
            assert!((found.p - p).abs() < 6e-4 * p.max(0.05) / 0.05, "{values:?}: {found:?}");
        }
    }

    #[test]
    fn ties_have_the_distribution_of_all_their_orders() {
        // Every order of the values is counted out.
        let values = [0.0, 0.0, 1.0, 2.0, 2.0, 2.0, 3.0];
        let mut orders: Vec<Vec<f64>> = vec![Vec::new()];
        for value in values {
            orders = orders
                .iter()
                .flat_map(|order| {
                    (0..=order.len()).map(move |at| {
                        let mut order = order.clone();
                        order.insert(at, value);
                        order
                    })
                })
                .collect();
        }
        assert_eq!(orders.len(), 5040);
        let scores: Vec<f64> = orders.iter().map(|order| rising(order).score).collect();
        for order in orders.iter().step_by(97) {
            let found = rising(order);
            let share = scores.iter().filter(|score| **score >= found.score).count() as f64 / 5040.0;
            assert!((found.p - share).abs() < 1e-12, "{order:?}: {found:?} for {share}");
        }
        assert_eq!(rising(&[5.0; 9]), Kendall { score: 0.0, p: 1.0 });
        assert_eq!(rising(&[]).p, 1.0);
    }

    #[test]
    fn long_series_go_on_where_short_ones_end() {
        // Nearly the same series of 20 and 21 values, each with a moderate rise.
        let value = |i: usize| i as f64 * 0.15 + ((i * 7) % 11) as f64 * 0.4;
        let [exact, normal] = [20, 21].map(|n| rising(&(0..n).map(value).collect::<Vec<f64>>()).p);
        assert!(exact > 1e-6 && exact < 0.05, "{exact}");
        assert!((exact / normal).ln().abs() < 1.2, "{exact} {normal}");
    }

    #[test]
    fn the_pairs_allowed_have_at_most_the_chance_asked_for() {
        // Of 5 values none may fall for 2.5 % (p = 1/120), one for 5 % (5/120).
        assert_eq!(falling_pairs_within(4, 0.025), None);
        assert_eq!(falling_pairs_within(5, 0.025), Some(0));
        assert_eq!(falling_pairs_within(5, 0.05), Some(1));
        let [exact, normal] = [20, 21].map(|n| falling_pairs_within(n, 0.025));
        assert!(exact < normal && normal < exact.map(|pairs| pairs + 15), "{exact:?} {normal:?}");
    }
}
