//! Whether estimates from sampled dumps agree with the truth: runs the sample service for several seeds, compares
//! each call site with what the service itself says is alive, and scores the errors against Poisson sampling.

use std::collections::BTreeMap;
use std::path::Path;

use prof_format::dump::Figure;

use crate::bounds;
use crate::build::{self, Profile};
use crate::heap::{self, Symbols};
use crate::run::Run;
use crate::scratch::Scratch;
use crate::truth::{self, Site};

/// Errors of one figure (objects or bytes) of one site over all runs.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// Sum of the truths.
    pub truth: f64,
    /// Estimate minus truth, per run.
    pub errors: Vec<f64>,
    /// What Poisson sampling makes of it, per run: the second to fourth cumulant.
    pub cumulants: Vec<[f64; 3]>,
}

impl Series {
    /// The mean error in standard errors of the mean.
    pub fn score(&self) -> f64 {
        let error: f64 = self.errors.iter().sum();
        error / self.sum(0).sqrt()
    }

    /// Skewness of the mean error: few samples that each stand for much err upwards further than normal errors do.
    fn skewness(&self) -> f64 {
        self.sum(1) / self.sum(0).powf(1.5)
    }

    fn sum(&self, cumulant: usize) -> f64 {
        self.cumulants.iter().map(|run| run[cumulant]).sum()
    }

    /// Whether the mean error is beyond what chance passes as rarely as a normal error passes `sigmas`.
    pub fn is_beyond(&self, sigmas: f64) -> bool {
        !(-sigmas..=bounds::skewed(sigmas, self.skewness())).contains(&self.score())
    }

    /// Mean squared standard score; 1 when the spread is that of Poisson sampling.
    pub fn spread(&self) -> f64 {
        let squares =
            self.errors.iter().zip(&self.cumulants).map(|(error, [variance, ..])| error * error / variance);
        squares.sum::<f64>() / self.errors.len() as f64
    }

    /// Variance of the sum of squared standard scores: 2 for each normal one, and the excess of each that is not.
    fn variance_of_squares(&self) -> f64 {
        self.cumulants.iter().map(|[variance, _, fourth]| 2.0 + fourth / (variance * variance)).sum()
    }

    /// Whether each run has the information of five samples or more: where few objects that stand for much decide,
    /// one of them moves the spread anywhere.
    fn is_solid(&self) -> bool {
        let mean = self.truth / self.errors.len() as f64;
        self.cumulants.iter().all(|[variance, ..]| mean * mean >= 5.0 * variance)
    }
}

/// One call site at one sampling rate.
#[derive(Clone, Debug, Default)]
pub struct Score {
    /// Objects.
    pub objects: Series,
    /// Bytes.
    pub bytes: Series,
    /// Samples to be expected in one run.
    pub samples: f64,
    /// Objects to be expected in one run that are not sampled.
    pub missed: f64,
}

/// Scores per function at one rate.
pub type Scores = BTreeMap<String, Score>;

/// Runs the service once per seed at one rate and scores every site that has anything alive.
///
/// # Panics
/// As [`measure_runs`].
#[track_caller]
pub fn measure(profile: Profile, lg_sample: u32, seeds: std::ops::Range<u64>, arguments: &[&str]) -> Scores {
    let program = build::svc(profile);
    let program = program.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    measure_runs(&program, lg_sample, seeds, |run, seed| {
        run.args(["--truth", "--seed", seed]).args(arguments)
    })
}

/// The same of any program, by its whole path, that writes a final dump and prints the rows of [`truth`] when it is run as
/// `run` says for a seed.
///
/// # Panics
/// When a run fails, or the dump is missing or broken.
#[track_caller]
pub fn measure_runs(
    program: &Path,
    lg_sample: u32,
    seeds: std::ops::Range<u64>,
    run: impl Fn(Run, &str) -> Run,
) -> Scores {
    let symbols = Symbols::of(program);
    let period = (1u64 << lg_sample) as f64;
    let mut scores = Scores::new();
    for seed in seeds {
        let scratch = Scratch::new("truth");
        let conf = format!(
            "prof:true,lg_prof_sample:{lg_sample},prof_final:true,prof_prefix:{}/t",
            scratch.path().display()
        );
        let seed = seed.to_string();
        let outcome = run(Run::new(program).conf(conf), &seed).outcome().ok();
        let dumps = scratch.files(".f.heap");
        assert_eq!(dumps.len(), 1, "one final dump: {dumps:?}\n{outcome}");
        let found = heap::by_function(&heap::read(&dumps[0]), program, &symbols);
        add(&mut scores, truth::parse(&outcome.stdout), &found, period);
    }
    scores
}

/// Scores what one run found against the truth of it, at a mean sampling distance.
///
/// # Panics
/// When something was found where nothing was.
#[track_caller]
pub fn add(
    scores: &mut Scores,
    truths: impl IntoIterator<Item = (String, Site)>,
    found: &BTreeMap<String, Figure>,
    period: f64,
) {
    for (function, site) in truths {
        let estimate = found.get(&function).copied().unwrap_or_default();
        if site.objects == 0 {
            assert_eq!(estimate.bytes, 0.0, "{function}: there is nothing, yet the dump has {estimate:?}");
            continue;
        }
        let score = scores.entry(function).or_default();
        let (objects, bytes) = truth::cumulants(&site, period);
        score.samples = expected_samples(&site, period);
        score.missed = site.objects as f64 - score.samples;
        // A dump holds whole counts. Rounding is at most half a count either way, so it adds a twelfth of the
        // square of what one count stands for; that matters only where sampling itself has hardly any error.
        let per_count = 1.0 / (12.0 * score.samples * score.samples);
        push(&mut score.objects, site.objects as f64, estimate.objs, objects, per_count);
        push(&mut score.bytes, site.bytes as f64, estimate.bytes, bytes, per_count);
    }
}

fn push(series: &mut Series, truth: f64, estimate: f64, mut cumulants: [f64; 3], per_count: f64) {
    series.truth += truth;
    series.errors.push(estimate - truth);
    cumulants[0] += truth * truth * per_count;
    series.cumulants.push(cumulants);
}

fn expected_samples(site: &Site, period: f64) -> f64 {
    site.sizes.iter().map(|(size, count)| -(-(*size as f64) / period).exp_m1() * *count as f64).sum()
}

/// What all sites of one rate say together.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Sites within two standard errors, of how many, and those that are beyond what chance leaves; objects and bytes
    /// in turn.
    pub within: [(usize, usize, Vec<String>); 2],
    /// Mean squared score over sites of which the sample holds at least five objects' information and five objects
    /// are expected outside (where all are sampled there is no error to spread), and the bounds that chance leaves it.
    pub spread: [(f64, f64, f64); 2],
}

/// Judges the scores of one rate. `sigmas` is how far chance may go, in standard deviations of a normal variable.
pub fn judge(scores: &Scores, sigmas: f64) -> Verdict {
    let of = |pick: fn(&Score) -> &Series| {
        let within = scores.values().filter(|score| !pick(score).is_beyond(2.0)).count();
        let beyond = scores.iter().filter(|(_, score)| pick(score).is_beyond(sigmas));
        let beyond = beyond.map(|(function, _)| function.clone()).collect();
        let solid: Vec<&Series> =
            scores.values().filter(|score| score.missed >= 5.0 && pick(score).is_solid()).map(pick).collect();
        let runs = solid.iter().map(|series| series.errors.len()).sum::<usize>() as f64;
        let sum: f64 = solid.iter().map(|series| series.spread() * series.errors.len() as f64).sum();
        let variance: f64 = solid.iter().map(|series| series.variance_of_squares()).sum();
        let (low, high) = bounds::mean_square(variance / (runs * runs), sigmas);
        ((within, scores.len(), beyond), (sum / runs, low, high))
    };
    let (objects, bytes) = (of(|score| &score.objects), of(|score| &score.bytes));
    Verdict { within: [objects.0, bytes.0], spread: [objects.1, bytes.1] }
}

/// One line per site.
pub fn table(scores: &Scores) -> String {
    let mut text = format!(
        "{:>14} {:>9} {:>7} {:>7} {:>12} {:>9} {:>7} {:>7}  function\n",
        "true bytes", "error %", "score", "spread", "true objects", "error %", "score", "spread"
    );
    for (function, score) in scores {
        for series in [&score.bytes, &score.objects] {
            let runs = series.errors.len() as f64;
            let percent = 100.0 * series.errors.iter().sum::<f64>() / series.truth;
            let width = if std::ptr::eq(series, &score.bytes) { 14 } else { 12 };
            text += &format!(
                "{:>width$.0} {:>+9.3} {:>+7.2} {:>7.2} ",
                series.truth / runs,
                percent,
                series.score(),
                series.spread()
            );
        }
        text += &format!(" {function}\n");
    }
    text
}
