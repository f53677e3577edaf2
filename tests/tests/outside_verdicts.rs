//! The zoo of leaks before `jeprof-rs check` with one byte in 32 KiB sampled and nine dumps each, over some seeds, 20 with
//! `VERDICT_SEEDS=20`.
//!
//! No program that does not leak may alarm, and none that leaks may pass: it fails, or is undecided where three dumps were taken
//! for the start of a program whose leak is all of its heap, and the other six do not show whether it goes on to the end. At
//! least half of the verdicts have to be FAIL; about 7 of 10 are, with exact dumps all.
#![cfg(feature = "outside")]

use suite::verdict::gate;
use suite::zoo::ZOO;

/// Each takes some ten seconds.
const SEEDS: u64 = 2;

#[test]
fn sampled_dumps_let_no_leak_pass_and_alarm_for_nothing_else() {
    let seeds = std::env::var("VERDICT_SEEDS").map_or(SEEDS, |count| count.parse().expect("a number"));
    let (mut leaking, mut found) = (0, 0);
    let (mut missed, mut alarms) = (Vec::new(), Vec::new());
    for animal in ZOO {
        for seed in 1..=seeds {
            let told = gate(animal, "lg_prof_sample:15", seed);
            if animal.kind.leaks() {
                leaking += 1;
                found += usize::from(told.names_first());
                if !told.names_first() && !told.text.starts_with("UNSURE trend") {
                    missed.push(format!("{} (seed {seed}):\n{}", animal.file, told.text));
                }
            } else if !told.passes() {
                alarms.push(format!("{} (seed {seed}):\n{}", animal.file, told.text));
            }
        }
    }
    println!("{found} of {leaking} found, {} false alarms", alarms.len());
    assert!(missed.is_empty(), "{}", missed.join("\n"));
    assert!(alarms.is_empty(), "{}", alarms.join("\n"));
    assert!(2 * found >= leaking, "{found} of {leaking}");
}
