//! From what the kernel counts down to what was sampled: where the memory of a process is that no stack explains.

use std::fmt::Write;

use prof_format::totals::Totals;
use serde_json::{Map, Value, json};

use super::{Output, Request};
use crate::error::{Error, Result};
use crate::model::Stack;
use crate::plan::Part;
use crate::plan::choice::Metric;
use crate::terminal::{folded, paint, style};
use crate::units::bytes_for_people;

/// The row of this output.
pub const ROW: Output = Output {
    name: "bridge",
    command: true,
    about: "From resident memory down to live bytes: each step in words and bytes, and what gives it back",
    examples: "\
Examples:
  jeprof-rs bridge svc.1234.0.f.heap              a dump of this project's allocator carries the totals
  jeprof-rs bridge jeprof.1234.0.f.heap stats.json    jemalloc's own dump, and its statistics as JSON
                                                  (malloc_stats_print(.., \"J\"), or stats_print_opts:J)",
    parts: &[Part::Output, Part::Terminal, Part::Selection, Part::Input, Part::Naming],
    json: Some(json_body),
    render,
    ..Output::BASE
};

/// One line of the bridge.
struct Step {
    /// In fewest words; what JSON calls it.
    name: &'static str,
    /// A sum, or a part that is taken from the sum above.
    is_sum: bool,
    bytes: f64,
    /// What it is.
    words: &'static str,
    /// What to set to get it back.
    advice: &'static str,
}

/// A part: how much of the sum above, what it is, what helps.
struct Portion {
    name: &'static str,
    bytes: fn(&Facts) -> Option<f64>,
    words: &'static str,
    advice: &'static str,
}

/// A sum and the parts that lead from it to the next.
struct Level {
    name: &'static str,
    bytes: fn(&Facts) -> Option<f64>,
    words: &'static str,
    parts: &'static [Portion],
}

/// What the steps are made of.
struct Facts {
    totals: Totals,
    sampled: f64,
}

fn some(bytes: Option<u64>) -> Option<f64> {
    bytes.map(|bytes| bytes as f64)
}

/// The steps from the top down. A level that nobody told is left out; what is missing between two levels after all
/// known parts is shown as such.
const LEVELS: &[Level] = &[
    Level {
        name: "rss",
        bytes: |facts| some(facts.totals.rss),
        words: "in memory, as the kernel counts it (RSS)",
        parts: &[Portion {
            name: "not from malloc",
            bytes: |facts| Some(some(facts.totals.rss)? - some(facts.totals.resident)?),
            words: "code, libraries, stacks, files and memory mapped by the program itself; negative when pages of the \
                    allocator were swapped out or never touched",
            advice: "nothing in the allocator: look at /proc/PID/smaps",
        }],
    },
    Level {
        name: "resident",
        bytes: |facts| some(facts.totals.resident),
        words: "pages that the allocator believes to be in memory (stats.resident)",
        parts: &[
            Portion {
                name: "metadata",
                bytes: |facts| some(facts.totals.metadata),
                words: "the allocator's own structures, the profiler's tables among them",
                advice: "fewer arenas (narenas), fewer threads; a larger lg_prof_sample",
            },
            Portion {
                name: "dirty",
                bytes: |facts| some(facts.totals.dirty),
                words: "free pages that are kept for reuse",
                advice: "a smaller dirty_decay_ms, background_thread:true, or arena.<i>.purge now",
            },
        ],
    },
    Level {
        name: "active",
        bytes: |facts| some(facts.totals.active),
        words: "pages with objects in them (stats.active)",
        parts: &[Portion {
            name: "slab waste",
            bytes: |facts| Some(some(facts.totals.active)? - some(facts.totals.allocated)?),
            words: "free places between objects of the same size: fragmentation",
            advice: "fewer arenas (narenas), long-lived objects in an arena of their own; it goes as the objects that \
                     hold the slabs go",
        }],
    },
    Level {
        name: "allocated",
        bytes: |facts| some(facts.totals.allocated),
        words: "objects that were handed out (stats.allocated)",
        parts: &[Portion {
            name: "thread caches",
            bytes: |facts| some(facts.totals.tcache_bytes),
            words: "freed objects that threads keep for themselves",
            advice: "a smaller tcache_max, thread.tcache.flush in idle threads, tcache:false",
        }],
    },
];

fn steps(facts: &Facts) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let known: Vec<(&Level, f64)> =
        LEVELS.iter().filter_map(|level| Some((level, (level.bytes)(facts)?))).collect();
    for (index, (level, bytes)) in known.iter().enumerate() {
        let sum = |name, bytes, words| Step { name, is_sum: true, bytes, words, advice: "" };
        steps.push(sum(level.name, *bytes, level.words));
        let mut rest = *bytes;
        for part in level.parts {
            if let Some(bytes) = (part.bytes)(facts) {
                rest -= bytes;
                let Portion { name, words, advice, .. } = part;
                steps.push(Step { name, is_sum: false, bytes, words, advice });
            }
        }
        // What lies between this level and the next after all parts.
        let next = known.get(index + 1).map_or(facts.sampled, |(_, bytes)| *bytes);
        let missing = rest - next;
        if missing.abs() >= 1.0 {
            let is_last = index + 1 == known.len();
            let (name, words, advice) = if is_last {
                (
                    "not in the samples",
                    "difference between what is held and what the samples stand for: chance, objects from before \
                     profiling was on, filters, and the pages that jemalloc's profiler gives to each small object that it \
                     samples",
                    "if it is chance, a smaller lg_prof_sample; a larger one if it is jemalloc's pages for samples",
                )
            } else {
                ("rest", "counted at another moment, or of kinds that the statistics do not tell apart", "")
            };
            steps.push(Step { name, is_sum: false, bytes: missing, words, advice });
        }
    }
    steps
}

/// A total that is not part of resident memory, or not all of it.
struct Beside {
    name: &'static str,
    bytes: fn(&Totals) -> Option<u64>,
    words: &'static str,
}

/// What is outside of resident memory and often asked about.
const BESIDE: &[Beside] = &[
    Beside {
        name: "muzzy",
        bytes: |totals| totals.muzzy,
        words: "free pages that the kernel may take when it wants to; until then they may count as resident \
                (muzzy_decay_ms:0)",
    },
    Beside {
        name: "retained",
        bytes: |totals| totals.retained,
        words: "address space without memory behind it, kept for reuse; costs nothing but address space (retain:false)",
    },
    Beside { name: "swap", bytes: |totals| totals.swap, words: "of the process, moved out" },
    Beside {
        name: "cgroup limit",
        bytes: |totals| totals.cgroup_limit,
        words: "the most that the control group may use",
    },
];

/// Half the width of the interval that holds the true live bytes in 95 of 100 cases, from the samples' own spread.
///
/// With `R` the sampling distance, an object of `z` bytes is sampled with probability `p = 1 - exp(-z/R)` and then
/// stands for `z/p` bytes; the variance of a sum of such estimates is estimated by the sum of `(z/p)^2 (1-p)` over the
/// samples (Horvitz and Thompson 1952). A stack with `n` objects of `z` bytes on average has `n p` samples.
fn half_interval(stacks: &[Stack], period: u64) -> f64 {
    let variance = |stack: &Stack| {
        let (objects, bytes) = (stack.figures.live_objs, stack.figures.live_bytes);
        if objects <= 0.0 || bytes <= 0.0 {
            return 0.0;
        }
        let size = bytes / objects;
        let chance = -(-size / period as f64).exp_m1();
        objects * chance * (size / chance).powi(2) * (1.0 - chance)
    };
    1.96 * stacks.iter().map(variance).sum::<f64>().sqrt()
}

fn facts(request: &Request<'_>) -> Result<Facts> {
    let profile = &request.session.profile;
    let totals = profile.totals.ok_or_else(|| {
        Error::new(
            "bridge: the dump carries no totals of the allocator (only dumps of this project's do): give jemalloc's \
             statistics as a second file, JSON as malloc_stats_print writes it with the option J",
        )
    })?;
    request.session.check_metric(Metric::InuseSpace)?;
    let sampled = profile.stacks.iter().map(|stack| stack.figures.get(Metric::InuseSpace)).sum();
    Ok(Facts { totals, sampled })
}

fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    let facts = facts(request)?;
    let steps = steps(&facts);
    let whole = steps.first().map_or(0.0, |step| step.bytes);
    let mut out = String::new();
    let share = |bytes: f64| if whole > 0.0 { share(bytes, whole) } else { String::new() };
    let bold = |text: &str| paint(text, style::NAME, request.screen);
    let mut line = |mark: &str, name: &str, bytes: f64, words: &str| {
        let size = bytes_for_people(bytes);
        // Writing to a String cannot fail.
        let start = format!("{mark} {name:<18} {size:>11} {:>7}  ", share(bytes));
        let words = folded(words, start.chars().count(), request.screen);
        let _ = writeln!(out, "{}{words}", if mark == "=" { bold(&start) } else { start });
    };
    for step in &steps {
        line(if step.is_sum { "=" } else { "-" }, step.name, step.bytes, step.words);
    }
    line("=", "sampled live", facts.sampled, "what the stacks of the dump add up to");
    if let [period] = request.session.profile.periods.as_slice()
        && *period > 1
    {
        let half = half_interval(&request.session.profile.stacks, *period);
        let _ = writeln!(
            out,
            "                     +- {} with 95% confidence, sampled every {}",
            bytes_for_people(half),
            bytes_for_people(*period as f64)
        );
    }
    let beside: Vec<_> =
        BESIDE.iter().filter_map(|row| Some((row.name, (row.bytes)(&facts.totals)?, row.words))).collect();
    if !beside.is_empty() {
        let _ = writeln!(out, "\n{}", bold("beside that"));
        for (name, bytes, words) in beside {
            let start = format!("  {name:<18} {:>11}          ", bytes_for_people(bytes as f64));
            let _ = writeln!(out, "{start}{}", folded(words, start.chars().count(), request.screen));
        }
    }
    let mut parts: Vec<&Step> =
        steps.iter().filter(|step| !step.advice.is_empty() && step.bytes > 0.0).collect();
    parts.sort_by(|a, b| b.bytes.total_cmp(&a.bytes));
    let _ = writeln!(out, "\n{}", bold("what gives it back, the largest part first"));
    for step in parts {
        let start = format!("  {:<18} {:>11}  ", step.name, bytes_for_people(step.bytes));
        let _ = writeln!(out, "{start}{}", folded(step.advice, start.chars().count(), request.screen));
    }
    Ok(out.into_bytes())
}

/// A share with one decimal; what rounds to nothing has no sign.
fn share(bytes: f64, whole: f64) -> String {
    let text = format!("{:.1}%", bytes * 100.0 / whole);
    if text == "-0.0%" { "0.0%".into() } else { text }
}

fn json_body(request: &Request<'_>) -> Map<String, Value> {
    let Ok(facts) = facts(request) else {
        return Map::from_iter([("steps".to_string(), Value::Null)]);
    };
    let steps: Vec<Value> = steps(&facts)
        .iter()
        .map(|step| {
            json!({
                "name": step.name,
                "kind": if step.is_sum { "sum" } else { "part" },
                "bytes": step.bytes,
                "words": step.words,
                "advice": step.advice,
            })
        })
        .collect();
    let mut body = Map::from_iter([
        ("steps".to_string(), steps.into()),
        ("sampled_live_bytes".to_string(), facts.sampled.into()),
    ]);
    if let [period] = request.session.profile.periods.as_slice()
        && *period > 1
    {
        let half = half_interval(&request.session.profile.stacks, *period);
        body.insert("sampled_live_bytes_half_interval_95".into(), half.into());
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts_of(totals: Totals, sampled: f64) -> Facts {
        Facts { totals, sampled }
    }

    #[test]
    fn every_sum_is_the_one_above_less_its_parts() {
        let totals = Totals {
            rss: Some(3200),
            resident: Some(2900),
            metadata: Some(50),
            dirty: Some(600),
            active: Some(2240),
            allocated: Some(1850),
            tcache_bytes: Some(250),
            ..Totals::default()
        };
        for totals in [totals, Totals { rss: None, dirty: None, ..totals }, Totals { active: None, ..totals }]
        {
            let facts = facts_of(totals, 900.0);
            let steps = steps(&facts);
            let (mut sum, mut sums) = (steps[0].bytes, 0);
            for step in &steps[1..] {
                if step.is_sum {
                    assert_eq!(sum, step.bytes, "{}", step.name);
                    sums += 1;
                } else {
                    sum -= step.bytes;
                }
            }
            assert!(sums >= 2);
            assert_eq!(sum, facts.sampled);
        }
    }

    #[test]
    fn a_share_that_rounds_to_nothing_has_no_sign() {
        assert_eq!(
            [-4.0, -6.0, 0.0, 500.0].map(|bytes| share(bytes, 10_000.0)),
            ["0.0%", "-0.1%", "0.0%", "5.0%"]
        );
    }

    #[test]
    fn the_interval_of_one_stack_is_that_of_its_samples() {
        // 100 samples of small objects: the relative error is one in ten, as for a Poisson count.
        let objects = 100.0 * 524_288.0 / 64.0;
        let example = crate::model::testing::example(&[("main;f", objects * 64.0)]);
        let mut stack = example.profile.stacks[0].clone();
        stack.figures.live_objs = objects;
        let half = half_interval(&[stack], 524_288);
        assert!((half / (objects * 64.0) - 0.196).abs() < 0.001, "{half}");
    }
}
