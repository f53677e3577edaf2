//! The rows in which the fixtures tell what is alive: `truth FUNCTION OBJECTS BYTES`, `size FUNCTION USABLE OBJECTS`.

use std::collections::BTreeMap;

/// What one function holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// Live objects.
    pub objects: u64,
    /// Live usable bytes.
    pub bytes: u64,
    /// Objects per usable size.
    pub sizes: BTreeMap<u64, u64>,
}

impl Site {
    /// Both together.
    pub fn plus(mut self, other: Site) -> Site {
        self.objects += other.objects;
        self.bytes += other.bytes;
        for (size, objects) in other.sizes {
            *self.sizes.entry(size).or_default() += objects;
        }
        self
    }
}

/// Reads the rows from a program's output; other lines are ignored.
///
/// # Panics
/// When a row is malformed, or when the sizes of a function do not add up to its totals.
#[track_caller]
pub fn parse(stdout: &str) -> BTreeMap<String, Site> {
    let mut sites: BTreeMap<String, Site> = BTreeMap::new();
    for line in stdout.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |word: &str| word.parse::<u64>().unwrap_or_else(|_| panic!("not a number in `{line}`"));
        match words[..] {
            ["truth", function, objects, bytes] => {
                let site = sites.entry(function.to_owned()).or_default();
                (site.objects, site.bytes) = (number(objects), number(bytes));
            }
            ["size", function, usable, objects] => {
                let site = sites.entry(function.to_owned()).or_default();
                site.sizes.insert(number(usable), number(objects));
            }
            _ => {}
        }
    }
    for (function, site) in &sites {
        let sums = site.sizes.iter().fold((0, 0), |(n, b), (size, count)| (n + count, b + size * count));
        assert_eq!(sums, (site.objects, site.bytes), "{function}: sizes do not add up to its totals");
    }
    assert!(!sites.is_empty(), "no `truth` row in:\n{stdout}");
    sites
}

/// Second, third and fourth cumulant of the estimates of a site under Poisson sampling with mean `period`: of objects
/// and of bytes.
///
/// An object of usable size `z` is sampled with `p = 1 - exp(-z/period)` and then stands for `1/p` objects
/// (Horvitz-Thompson with independent decisions), so each adds the cumulants of a Bernoulli variable, multiplied by
/// the powers of what it stands for; cumulants of independent objects add up.
pub fn cumulants(site: &Site, period: f64) -> ([f64; 3], [f64; 3]) {
    let (mut objects, mut bytes) = ([0.0; 3], [0.0; 3]);
    for (size, count) in &site.sizes {
        let z = *size as f64;
        let (p, q) = (-(-z / period).exp_m1(), (-z / period).exp());
        let bernoulli = [p * q, p * q * (q - p), p * q * (1.0 - 6.0 * p * q)];
        for (n, cumulant) in bernoulli.into_iter().enumerate() {
            let order = n as i32 + 2;
            objects[n] += *count as f64 * cumulant / p.powi(order);
            bytes[n] += *count as f64 * cumulant * (z / p).powi(order);
        }
    }
    (objects, bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_checked() {
        let sites = parse("hello\ntruth f 3 48\nsize f 16 3\ntruth g 0 0\n");
        assert_eq!(sites["f"].sizes[&16], 3);
        assert_eq!(sites["g"], Site::default());
    }

    #[test]
    fn the_variance_of_small_objects_is_period_times_bytes() {
        let site = Site { objects: 1000, bytes: 16_000, sizes: [(16, 1000)].into() };
        let (_, [bytes, ..]) = cumulants(&site, 1e6);
        assert!((bytes / (1e6 * 16_000.0) - 1.0).abs() < 1e-4);
        let big = Site { objects: 1, bytes: 1 << 30, sizes: [(1 << 30, 1)].into() };
        assert!(cumulants(&big, 4096.0).1[0] < 1e-6);
    }

    /// With 1,000 objects of 16 bytes and a period of 1,600, ten samples are expected, nearly Poisson: skewness
    /// 1/sqrt(10), excess 1/10.
    #[test]
    fn few_samples_are_skewed_as_a_poisson_count_is() {
        let site = Site { objects: 1000, bytes: 16_000, sizes: [(16, 1000)].into() };
        let ([variance, third, fourth], _) = cumulants(&site, 1600.0);
        assert!((third / variance.powf(1.5) * 10f64.sqrt() - 1.0).abs() < 0.02);
        assert!((fourth / variance.powi(2) * 10.0 - 1.0).abs() < 0.06);
    }
}
