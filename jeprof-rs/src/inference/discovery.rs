//! Many tests at once: how likely each finding is a false one, given all that were looked for.
//!
//! Of a thousand stacks of an unchanged heap fifty have `p < 0.05`. [`q_values`] bounds the share of false findings among
//! those reported, [`holm`] the chance of any. Both take the chances `p` in any order and answer in the same order; what is no
//! number counts as 1. Cost: one sort.

/// Against what findings are held to a rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Correction {
    /// The share of false ones among those reported: [`q_values`].
    #[default]
    DiscoveryRate,
    /// The chance of any false one: [`holm`].
    FamilyWise,
}

impl Correction {
    /// The rate at which each is just reported.
    pub fn of(self, p: &[f64]) -> Vec<f64> {
        match self {
            Correction::DiscoveryRate => q_values(p),
            Correction::FamilyWise => holm(p),
        }
    }
}

/// The false-discovery rate at which each is just reported (Benjamini and Hochberg 1995): `min over j >= i of p(j) m / j`.
///
/// Reporting what has `q <= f` keeps the expected share of false findings at `f`, for tests that are independent, as those
/// of stacks are, since sampling decisions are.
pub fn q_values(p: &[f64]) -> Vec<f64> {
    let ranked = ranked(p);
    let mut q = vec![1.0; p.len()];
    let mut least = 1.0f64;
    for (rank, &(at, p)) in ranked.iter().enumerate().rev() {
        least = least.min(p * ranked.len() as f64 / (rank + 1) as f64);
        q[at] = least;
    }
    q
}

/// The chance of any false finding at which each is just reported (Holm 1979): `max over j <= i of p(j) (m - j + 1)`.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let ranked = ranked(p);
    let mut adjusted = vec![1.0; p.len()];
    let mut most = 0.0f64;
    for (rank, &(at, p)) in ranked.iter().enumerate() {
        most = most.max((p * (ranked.len() - rank) as f64).min(1.0));
        adjusted[at] = most;
    }
    adjusted
}

/// Places and chances, from the least chance on.
fn ranked(p: &[f64]) -> Vec<(usize, f64)> {
    let cleaned = p.iter().map(|p| if p.is_nan() { 1.0 } else { p.clamp(0.0, 1.0) });
    let mut ranked: Vec<(usize, f64)> = cleaned.enumerate().collect();
    ranked.sort_by(|a, b| a.1.total_cmp(&b.1));
    ranked
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: &[f64], wanted: &[f64]) {
        assert_eq!(found.len(), wanted.len());
        assert!(found.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-12), "{found:?} for {wanted:?}");
    }

    #[test]
    fn the_example_of_the_paper_finds_four() {
        // Benjamini and Hochberg 1995, section 3.1: 15 comparisons, of which 4 are rejected at 0.05; Bonferroni rejects 3.
        let p = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719,
            0.6528, 0.7590, 1.0,
        ];
        let found = |q: Vec<f64>| q.iter().filter(|q| **q <= 0.05).count();
        assert_eq!((found(q_values(&p)), found(holm(&p))), (4, 3));
    }

    #[test]
    fn order_does_not_matter_and_ties_are_equal() {
        close(&q_values(&[0.04, 0.01, 0.03, 0.02]), &[0.04, 0.04, 0.04, 0.04]);
        close(&q_values(&[0.5, 0.001, 0.001]), &[0.5, 0.0015, 0.0015]);
        close(&holm(&[0.03, 0.01, 0.04]), &[0.06, 0.03, 0.06]);
        close(&q_values(&[f64::NAN, 0.02]), &[1.0, 0.04]);
        assert!(q_values(&[]).is_empty() && holm(&[]).is_empty());
    }
}
