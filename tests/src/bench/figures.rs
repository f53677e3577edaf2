//! Samples of the benchmark set and what is computed from them.

use std::collections::BTreeMap;

/// What a sample is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Metric {
    /// Seconds of the measured part: the program's own, or wall clock, or a server's CPU time.
    Time,
    /// User and system seconds of the process.
    Cpu,
    /// Peak of resident memory, bytes.
    Peak,
    /// Resident memory at the process's end, or after a stage in rows that are stages; bytes.
    Last,
    /// 1 for each run that did not end well.
    Failed,
    /// A checksum of the library of ours that the row was measured with.
    Build,
    /// Times that locks were taken, per million operations.
    Taken,
    /// Of these, times after sleeping.
    Slept,
    /// Of these, times after spinning.
    Spun,
    /// Instructions of one operation.
    Instructions,
    /// Nanoseconds of one operation.
    Nanoseconds,
}

const NAMES: [(Metric, &str); 11] = [
    (Metric::Time, "time"),
    (Metric::Cpu, "cpu"),
    (Metric::Peak, "peak"),
    (Metric::Last, "last"),
    (Metric::Failed, "failed"),
    (Metric::Build, "build"),
    (Metric::Taken, "taken"),
    (Metric::Slept, "slept"),
    (Metric::Spun, "spun"),
    (Metric::Instructions, "instructions"),
    (Metric::Nanoseconds, "nanoseconds"),
];

impl Metric {
    fn name(self) -> &'static str {
        NAMES.iter().find(|(metric, _)| *metric == self).expect("every metric has a name").1
    }
}

/// The middle one, or the mean of the middle two. None of nothing.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

/// Median distance from the median, as a part of the median. None of nothing, or when the median is 0.
pub fn spread(values: &[f64]) -> Option<f64> {
    let middle = median(values).filter(|middle| *middle != 0.0)?;
    let distances: Vec<f64> = values.iter().map(|value| (value - middle).abs()).collect();
    Some(median(&distances)? / middle)
}

/// Of values above 0. None of nothing.
pub fn geometric_mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0);
    for value in values {
        sum += value.ln();
        count += 1;
    }
    (count > 0).then(|| f64::exp(sum / f64::from(count)))
}

/// All samples, by row, metric and peer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Figures(BTreeMap<(String, Metric, String), Vec<f64>>);

impl Figures {
    /// One more sample.
    pub fn add(&mut self, row: &str, metric: Metric, peer: &str, value: f64) {
        self.0.entry((row.to_owned(), metric, peer.to_owned())).or_default().push(value);
    }

    /// Takes the samples of a row and peer away, before it is measured anew.
    pub fn forget(&mut self, row: &str, peer: &str) {
        self.0.retain(|(other, _, whose), _| other != row || whose != peer);
    }

    /// Samples in the order of their taking.
    pub fn samples(&self, row: &str, metric: Metric, peer: &str) -> &[f64] {
        self.0.get(&(row.to_owned(), metric, peer.to_owned())).map_or(&[], Vec::as_slice)
    }

    /// The median of a cell.
    pub fn median(&self, row: &str, metric: Metric, peer: &str) -> Option<f64> {
        median(self.samples(row, metric, peer))
    }

    /// A cell as multiples of `base`'s, round by round, because a slow moment of the machine hits a whole round. When a
    /// run is missing, each sample is a multiple of `base`'s median.
    pub fn ratios(&self, row: &str, metric: Metric, peer: &str, base: &str) -> Vec<f64> {
        let (own, others) = (self.samples(row, metric, peer), self.samples(row, metric, base));
        if own.len() == others.len() {
            return own.iter().zip(others).map(|(own, other)| own / other).collect();
        }
        median(others).map(|other| own.iter().map(|own| own / other).collect()).unwrap_or_default()
    }

    /// The median of [`Figures::ratios`].
    pub fn ratio(&self, row: &str, metric: Metric, peer: &str, base: &str) -> Option<f64> {
        median(&self.ratios(row, metric, peer, base))
    }

    /// The lowest ratio of a row, over `peers`, and whose it is.
    pub fn best<'p>(
        &self,
        row: &str,
        metric: Metric,
        peers: &[&'p str],
        base: &str,
    ) -> Option<(&'p str, f64)> {
        let ratios = peers.iter().filter_map(|peer| Some((*peer, self.ratio(row, metric, peer, base)?)));
        ratios.min_by(|(_, one), (_, other)| one.total_cmp(other))
    }

    /// One line for each cell.
    pub fn text(&self) -> String {
        let line = |((row, metric, peer), values): (&(String, Metric, String), &Vec<f64>)| {
            let values: Vec<String> = values.iter().map(f64::to_string).collect();
            format!("{row}\t{}\t{peer}\t{}\n", metric.name(), values.join(" "))
        };
        self.0.iter().map(line).collect()
    }

    /// Reads what [`Figures::text`] wrote.
    ///
    /// # Errors
    /// The line that is not understood.
    pub fn parse(text: &str) -> Result<Figures, String> {
        let mut figures = Figures::default();
        for line in text.lines() {
            let cell = || {
                let [row, metric, peer, values] = line.split('\t').collect::<Vec<_>>().try_into().ok()?;
                let (metric, _) = *NAMES.iter().find(|(_, name)| *name == metric)?;
                let values: Result<Vec<f64>, _> = values.split(' ').map(str::parse).collect();
                Some(((row.to_owned(), metric, peer.to_owned()), values.ok()?))
            };
            let (key, values) = cell().ok_or_else(|| format!("not a line of samples: {line}"))?;
            figures.0.insert(key, values);
        }
        Ok(figures)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_the_middle_or_between_the_middle_two() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 30.0]), Some(3.0));
    }

    #[test]
    fn the_spread_is_relative_and_ignores_one_outlier() {
        assert_eq!(spread(&[]), None);
        assert_eq!(spread(&[10.0, 11.0, 9.0, 10.0, 1000.0]), Some(0.1));
        assert_eq!(spread(&[0.0]), None);
    }

    #[test]
    fn the_geometric_mean_weighs_half_and_double_alike() {
        assert_eq!(geometric_mean([]), None);
        let mean = geometric_mean([0.5, 2.0, 1.0]).expect("a mean");
        assert!((mean - 1.0).abs() < 1e-12, "{mean}");
    }

    fn sample() -> Figures {
        let mut figures = Figures::default();
        for (peer, values) in [("a", [1.0, 2.5, 3.0]), ("b", [5.0, 5.0, 0.125])] {
            values.iter().for_each(|value| figures.add("row", Metric::Time, peer, *value));
        }
        figures
    }

    #[test]
    fn samples_survive_being_written_and_read() {
        assert_eq!(Figures::parse(&sample().text()), Ok(sample()));
        assert!(Figures::parse("row\tspeed\ta\t1").is_err());
        assert!(Figures::parse("row\ttime\ta\tfast").is_err());
        assert!(Figures::parse("row\ttime\ta").is_err());
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let mut figures = sample();
        // 0.2, 0.5 and 24.
        assert_eq!(figures.ratio("row", Metric::Time, "a", "b"), Some(0.5));
        assert_eq!(figures.ratio("row", Metric::Cpu, "a", "b"), None);
        assert_eq!(figures.best("row", Metric::Time, &["b", "a", "c"], "b"), Some(("a", 0.5)));
        figures.add("row", Metric::Time, "a", 3.5);
        assert_eq!(figures.ratio("row", Metric::Time, "a", "b"), Some(0.55));
    }

    #[test]
    fn a_row_measured_anew_forgets_only_its_own_cells() {
        let mut figures = sample();
        figures.forget("row", "a");
        assert_eq!(figures.median("row", Metric::Time, "a"), None);
        assert_eq!(figures.median("row", Metric::Time, "b"), Some(5.0));
    }
}
