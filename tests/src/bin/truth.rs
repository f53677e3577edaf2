//! The full comparison of estimates with the truth: 20 seeds at three sampling rates.
//!
//! `cargo run --release -p suite --bin truth [SEEDS]`; exit status 1 when fewer than 95 % of the figures lie within
//! two standard errors, or when an error or the spread is not that of Poisson sampling.

use std::process::ExitCode;

use suite::build::Profile;
use suite::sampling;

fn main() -> ExitCode {
    let seeds = match std::env::args().nth(1).map(|argument| argument.parse::<u64>()) {
        None => 20,
        Some(Ok(seeds)) if seeds > 0 => seeds,
        Some(_) => {
            eprintln!("usage: truth [SEEDS]");
            return ExitCode::from(2);
        }
    };
    let (mut within, mut figures, mut chance) = (0, 0, true);
    for lg_sample in [12, 16, 19] {
        let scores = sampling::measure(Profile::own(), lg_sample, 1..seeds + 1, &[]);
        let verdict = sampling::judge(&scores, 3.0);
        println!("lg_prof_sample:{lg_sample}, {seeds} seeds\n{}", sampling::table(&scores));
        let kinds = ["objects", "bytes"].iter().zip(verdict.within.iter().zip(&verdict.spread));
        for (kind, ((inside, of, beyond), (spread, low, high))) in kinds {
            println!(
                "{kind}: {inside} of {of} sites within 2 standard errors, beyond chance: {beyond:?}; spread {spread:.3} (1 is Poisson, chance leaves {low:.3} to {high:.3})"
            );
            (within, figures) = (within + inside, figures + of);
            chance &= beyond.is_empty() && (low..=high).contains(&spread);
        }
        println!();
    }
    let share = 100.0 * within as f64 / figures as f64;
    println!("{within} of {figures} figures within 2 standard errors: {share:.1} %");
    if share >= 95.0 && chance { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
