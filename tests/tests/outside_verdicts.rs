//! The zoo of leaks before `jeprof-rs check` with one byte in 32 KiB sampled and nine dumps each, over some seeds, 20 with
//! `VERDICT_SEEDS=20`.
//!
//! At least 11 of 12 verdicts about programs that leak have to be right, and no program that does not leak may alarm. By the
//! correction for many stacks (`--fdr`, 5 %) an alarm for nothing is allowed in one run in twenty; growth that no chance
//! explains has to be above `--min_growth` as well, and to go on to the end, which leaves next to nothing.
#![cfg(feature = "outside")]

use suite::verdict::gate;
use suite::zoo::ZOO;

/// Each takes some ten seconds.
const SEEDS: u64 = 2;

#[test]
fn sampled_dumps_find_eleven_of_twelve_leaks_and_alarm_for_nothing() {
    let seeds = std::env::var("VERDICT_SEEDS").map_or(SEEDS, |count| count.parse().expect("a number"));
    let (mut leaking, mut found) = (0, 0);
    let (mut missed, mut alarms) = (Vec::new(), Vec::new());
    for animal in ZOO {
        for seed in 1..=seeds {
            let told = gate(animal, "lg_prof_sample:15", seed);
            if animal.kind.leaks() {
                leaking += 1;
                found += usize::from(told.names_first());
                if !told.names_first() {
                    missed.push(format!("{} (seed {seed}):\n{}", animal.file, told.text));
                }
            } else if !told.passes() {
                alarms.push(format!("{} (seed {seed}):\n{}", animal.file, told.text));
            }
        }
    }
    println!("{found} of {leaking} found, {} false alarms:\n{}", alarms.len(), missed.join("\n"));
    assert!(12 * found >= 11 * leaking, "{found} of {leaking}:\n{}", missed.join("\n"));
    assert!(alarms.is_empty(), "{}", alarms.join("\n"));
}
