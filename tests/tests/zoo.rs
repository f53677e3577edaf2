//! The zoo of leaks keeps its word: what each program says of its planted function is what the dumps hold.

use std::path::PathBuf;

use suite::build::preload;
use suite::heap::{self, Symbols, by_function};
use suite::scratch::Scratch;
use suite::zoo::{self, Animal, DUMPS, Kind, ZOO};

/// What a dump holds: objects and bytes of the planted function, and bytes of all other stacks.
struct Held {
    planted: (u64, u64),
    beside: u64,
}

fn held(animal: &Animal, dumps: &[PathBuf]) -> Vec<Held> {
    let program = zoo::program(animal);
    let symbols = Symbols::of(&program);
    let look = |path: &PathBuf| {
        let dump = heap::read(path);
        let functions = by_function(&dump, &program, &symbols);
        let planted = functions.get(animal.planted).copied().unwrap_or_default();
        // Every allocation is sampled: the figures are whole numbers.
        let beside = (heap::total(&dump).bytes - planted.bytes) as u64;
        Held { planted: (planted.objs as u64, planted.bytes as u64), beside }
    };
    dumps.iter().map(look).collect()
}

/// Runs a program with every allocation sampled and checks its word; answers what is wrong.
fn wrong(animal: &Animal, seed: u64) -> Vec<String> {
    let folder = Scratch::new("zoo");
    let (dumps, outcome) = zoo::run(animal, &preload(), "lg_prof_sample:0", seed, &folder);
    let (truth, held) = (zoo::truth(animal, &outcome), held(animal, &dumps));
    let mut wrong = Vec::new();
    let mut say = |what: String| wrong.push(format!("{} (seed {seed}): {what}", animal.file));
    let planted: Vec<(u64, u64)> = held.iter().map(|held| held.planted).collect();
    if planted != truth {
        say(format!("the dumps hold {planted:?}, but true is {truth:?}"));
    }
    let (first, last) = (truth[0].1, truth[DUMPS - 1].1);
    let most = truth.iter().map(|row| row.1).max().unwrap_or(0);
    // What other stacks have more at the end than at the second dump, when all of them had their warm-up.
    let beside = held[DUMPS - 1].beside.saturating_sub(held[1].beside);
    match animal.kind {
        Kind::Unreachable | Kind::Growing => {
            if !truth.is_sorted_by(|a, b| a.1 < b.1) || last - first < 2 << 20 {
                say(format!("no steady leak of 2 MiB at least: {truth:?}"));
            }
            if beside >= (last - truth[1].1) / 2 {
                say(format!(
                    "{beside} bytes more beside what is planted, which is not first then: {truth:?}"
                ));
            }
        }
        Kind::Constant if truth.iter().any(|row| row.1 != first) => say(format!("not constant: {truth:?}")),
        Kind::Bounded(bound) if most > bound || most < bound / 4 => {
            say(format!("{bound} bytes are no good bound: {truth:?}"));
        }
        _ => {}
    }
    if !animal.kind.leaks() && beside > 4096 {
        say(format!("{beside} bytes more beside what is planted"));
    }
    wrong
}

fn check(leaks: bool) {
    let animals = ZOO.iter().filter(|animal| animal.kind.leaks() == leaks);
    let wrong: Vec<String> = animals.flat_map(|animal| wrong(animal, 1)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_leaks_grows_from_dump_to_dump_by_what_the_program_says() {
    check(true);
}

#[test]
fn what_does_not_leak_stays_within_what_the_program_says() {
    check(false);
}
