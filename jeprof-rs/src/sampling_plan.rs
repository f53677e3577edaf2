//! `jeprof-rs plan --heap SIZE --detect SIZE`: which sampling distance finds so much growth, and what it costs.
//!
//! Knows nothing of profiles: `inference::planning` tells how many samples it takes, and what a sample costs was measured.

use std::fmt::Write;
use std::process::ExitCode;

use clap::{Arg, ArgMatches, Command};
use serde_json::{Value, json};

use crate::error::{Error, Result};
use crate::inference::planning::{Aim, gain_needed, relative_error};
use crate::plan::query::value;
use crate::tool::{self, Tool};
use crate::units::{bytes_for_people, count_for_people, time_for_people};

/// The command.
pub const TOOL: Tool = Tool { name: "plan", about: ABOUT, parser, run };

const ABOUT: &str = "Plan sampling: which lg_prof_sample finds so much growth, and what it costs";

const MORE: &str = "\
For each lg_prof_sample: how far the estimates of the whole heap and of a stack of --detect may be off (half of their 95 %
bounds), and what a stack has to gain between two dumps to be reported: one that is new, and one of --stack.

Blocks are taken to be small and the two dumps to be of different processes, which is the worst case. Two dumps of one
process with prof_accum:true tell what was allocated and freed between; a stack that only grows is then found like a new
one. What sampling costs is measured in docs/performance.md.

Examples:
  jeprof-rs plan --heap=4GiB --detect=10MiB
  jeprof-rs plan --heap=4GiB --detect=50MiB --stack=100MiB --power=0.95 --format=json

Exit status: 0, or 2 with a message on stderr.";

/// Nanoseconds of one sampled allocation and its free, thirty frames deep (docs/performance.md, \"What profiling costs\").
const SAMPLE_NANOS: f64 = 425.0;

/// Bytes of memory for one live sample: there, 1.6 MB for 64 MB of objects at a distance of 4 KiB.
const SAMPLE_BYTES: f64 = 102.0;

const GIB: f64 = 1_073_741_824.0;

/// Rows of the table.
const SHOWN: std::ops::RangeInclusive<u32> = 10..=22;

/// The greatest distance that is recommended.
const LG_SAMPLE_MAX: u32 = 30;

const HEAP: &str = "heap";
const DETECT: &str = "detect";
const STACK: &str = "stack";
const STACKS: &str = "stacks";
const POWER: &str = "power";
const FDR: &str = "fdr";
const FORMAT: &str = "format";

/// What a stack of `--stack` holds, in multiples of what is to be found, when nothing is said.
const STACK_DEFAULT: f64 = 10.0;

fn parser() -> Command {
    let size = |name: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name("SIZE").help(help).value_parser(size)
    };
    Command::new(TOOL.name)
        .about(ABOUT)
        .override_usage("jeprof-rs plan --heap=SIZE --detect=SIZE [OPTIONS]")
        .after_help(MORE)
        .arg(size(HEAP, "What is live in all stacks together: 4GiB, 512MiB").required(true))
        .arg(size(DETECT, "The growth that is to be found").required(true))
        .arg(size(STACK, "What the stack holds that grows [default: ten times --detect, at most --heap]"))
        .arg(
            Arg::new(STACKS)
                .long(STACKS)
                .value_name("N")
                .help("How many stacks are tested: those with five samples or more, 36 to 350 in most heaps")
                .value_parser(clap::value_parser!(u64).range(1..=1_000_000_000))
                .default_value("150"),
        )
        .arg(
            Arg::new(POWER)
                .long(POWER)
                .value_name("SHARE")
                .help("How likely it has to be found")
                .value_parser(share)
                .default_value("0.9"),
        )
        .arg(
            Arg::new(FDR)
                .long(FDR)
                .value_name("SHARE")
                .help("Share of false alarms among what is reported")
                .value_parser(share)
                .default_value("0.05"),
        )
        .arg(
            Arg::new(FORMAT)
                .long(FORMAT)
                .value_name("FORMAT")
                .help("How to print")
                .value_parser(["text", "json"])
                .default_value("text"),
        )
}

/// A size above nothing.
fn size(text: &str) -> std::result::Result<f64, String> {
    let bytes = value::bytes(text).ok_or("not a size such as 10MiB, 512k or 4096")?;
    if (1.0..=1e18).contains(&bytes) { Ok(bytes) } else { Err("not between 1 byte and 1 EB".into()) }
}

/// A probability that is neither 0 nor 1.
fn share(text: &str) -> std::result::Result<f64, String> {
    let share: f64 = text.parse().map_err(|_| "not a number between 0 and 1, such as 0.9")?;
    if (1e-9..=0.999_999).contains(&share) { Ok(share) } else { Err("not between 0 and 1".into()) }
}

fn run(matches: &ArgMatches) -> Result<ExitCode> {
    let task = Task::new(matches)?;
    let json = matches.get_one::<String>(FORMAT).is_some_and(|format| format == "json");
    tool::print(if json { task.json() } else { task.text() }.as_bytes())
}

/// What is asked.
#[derive(Clone, Copy, Debug)]
struct Task {
    heap: f64,
    detect: f64,
    stack: f64,
    stacks: u64,
    power: f64,
    fdr: f64,
}

/// What one distance does, in bytes and samples.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Row {
    lg_sample: u32,
    period: f64,
    /// Live samples of the whole heap.
    samples: f64,
    /// How far the estimate of the whole heap may be off, as a part of it.
    heap_error: f64,
    /// The same of a stack of what is to be found; none where there is less than a sample to be expected.
    detect_error: Option<f64>,
    new_stack: f64,
    growth: f64,
}

/// A distance for a purpose.
struct Advice {
    /// Word in JSON.
    purpose: &'static str,
    lg_sample: u32,
}

impl Task {
    fn new(matches: &ArgMatches) -> Result<Task> {
        let size = |name: &str| matches.get_one::<f64>(name).copied();
        let needed =
            |name: &str| size(name).ok_or_else(|| Error::at(TOOL.name, format_args!("wants --{name}=SIZE")));
        let share = |name: &str, default: f64| size(name).unwrap_or(default);
        let (heap, detect) = (needed(HEAP)?, needed(DETECT)?);
        let stack = size(STACK).unwrap_or((STACK_DEFAULT * detect).min(heap));
        for (name, part) in [(DETECT, detect), (STACK, stack)] {
            if part > heap {
                let (part, heap) = (bytes_for_people(part), bytes_for_people(heap));
                return Err(Error::at(
                    format_args!("plan: --{name}"),
                    format_args!("{part} is more than the heap, which is {heap}"),
                ));
            }
        }
        let stacks = matches.get_one::<u64>(STACKS).copied().unwrap_or(1);
        Ok(Task { heap, detect, stack, stacks, power: share(POWER, 0.9), fdr: share(FDR, 0.05) })
    }

    /// Among many tests a single finding has to be as unlikely as this.
    fn aim(&self) -> Aim {
        Aim { alpha: self.fdr / self.stacks as f64, power: self.power }
    }

    fn row(&self, lg_sample: u32) -> Row {
        let period = (1u64 << lg_sample) as f64;
        let samples = self.heap / period;
        let detected = self.detect / period;
        Row {
            lg_sample,
            period,
            samples,
            heap_error: relative_error(samples),
            detect_error: (detected >= 1.0).then(|| relative_error(detected)),
            new_stack: period * gain_needed(0.0, self.aim()),
            growth: period * gain_needed(self.stack / period, self.aim()),
        }
    }

    /// The greatest distances at which a new stack is found, and growth of one that is there; 0, where every allocation is
    /// recorded, if no greater one will do.
    fn advice(&self) -> [Advice; 2] {
        let greatest = |of: fn(&Row) -> f64| {
            (1..=LG_SAMPLE_MAX).rev().find(|lg| of(&self.row(*lg)) <= self.detect).unwrap_or(0)
        };
        [
            Advice { purpose: "new_stack", lg_sample: greatest(|row| row.new_stack) },
            Advice { purpose: "growth", lg_sample: greatest(|row| row.growth) },
        ]
    }

    fn text(&self) -> String {
        let mut out = String::new();
        let [heap, detect, stack] = [self.heap, self.detect, self.stack].map(bytes_for_people);
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "A heap of {heap}; found in {} of 100 runs, {} tested, false discovery rate {}\n",
            decimals(100.0 * self.power),
            if self.stacks == 1 {
                "one stack".into()
            } else {
                format!("{} stacks", count_for_people(self.stacks as i64))
            },
            self.fdr,
        );
        let titles = [
            "lg_prof_sample".to_owned(),
            "distance".to_owned(),
            "live samples".to_owned(),
            "heap".to_owned(),
            detect.clone(),
            "new stack".to_owned(),
            format!("on {stack}"),
            "memory".to_owned(),
            "CPU per GiB".to_owned(),
        ];
        let rows = SHOWN.rev().map(|lg| {
            let row = self.row(lg);
            [
                lg.to_string(),
                bytes_for_people(row.period),
                count_for_people(row.samples.round() as i64),
                percent(Some(row.heap_error)),
                percent(row.detect_error),
                bytes_for_people(row.new_stack.round()),
                bytes_for_people(row.growth.round()),
                bytes_for_people(memory(row.samples).round()),
                time_for_people(cpu_nanos(row.period)),
            ]
        });
        let lines: Vec<[String; 9]> = std::iter::once(titles).chain(rows).collect();
        let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
        for line in &lines {
            let cells = line.iter().enumerate().map(|(column, cell)| format!("{cell:>0$}", width(column)));
            let _ = writeln!(out, "{}", cells.collect::<Vec<_>>().join("  "));
        }
        let _ = writeln!(
            out,
            "\nheap, {detect}: how far estimates of that much may be off (95 %); new stack, on {stack}: the least growth that is\n\
             found; CPU per GiB: what the samples of one GiB that is allocated take\n"
        );
        for (advice, what) in self.advice().iter().zip([
            format!("For a new stack of {detect}:"),
            format!("For {detect} more on a stack of {stack}:"),
        ]) {
            let costs = match advice.lg_sample {
                0 => format!(
                    "every allocation is recorded: {} and {SAMPLE_BYTES} bytes each",
                    time_for_people(SAMPLE_NANOS)
                ),
                lg => {
                    let row = self.row(lg);
                    format!(
                        "{} of memory, {} of CPU time per GiB allocated",
                        bytes_for_people(memory(row.samples).round()),
                        time_for_people(cpu_nanos(row.period))
                    )
                }
            };
            let _ = writeln!(out, "{what}\n  MALLOC_CONF={}\n  {costs}", advice.malloc_conf());
        }
        out
    }

    fn json(&self) -> String {
        let rows = SHOWN.rev().map(|lg| {
            let row = self.row(lg);
            json!({
                "lg_prof_sample": lg,
                "sampling_distance_bytes": row.period,
                "samples": row.samples,
                "heap_error": row.heap_error,
                "detect_error": row.detect_error,
                "new_stack_bytes": row.new_stack,
                "growth_bytes": row.growth,
                "memory_bytes": memory(row.samples),
                "cpu_nanos_per_gib": cpu_nanos(row.period),
            })
        });
        let advice = self.advice().map(|advice| {
            json!({
                "for": advice.purpose,
                "lg_prof_sample": advice.lg_sample,
                "malloc_conf": advice.malloc_conf(),
            })
        });
        let whole = json!({
            "schema": SCHEMA,
            "heap_bytes": self.heap,
            "detect_bytes": self.detect,
            "stack_bytes": self.stack,
            "stacks": self.stacks,
            "power": self.power,
            "fdr": self.fdr,
            "rows": rows.collect::<Vec<Value>>(),
            "recommended": advice,
        });
        format!("{whole}\n")
    }
}

/// Version of the fields of the JSON.
const SCHEMA: &str = "jeprof-rs.plan/1";

impl Advice {
    fn malloc_conf(&self) -> String {
        format!("prof:true,lg_prof_sample:{}", self.lg_sample)
    }
}

fn memory(samples: f64) -> f64 {
    samples * SAMPLE_BYTES
}

fn cpu_nanos(period: f64) -> f64 {
    GIB / period * SAMPLE_NANOS
}

fn percent(share: Option<f64>) -> String {
    share.map_or("-".into(), |share| format!("{}%", decimals(100.0 * share)))
}

/// Three figures or so.
fn decimals(figure: f64) -> String {
    let text = format!("{figure:.*}", if figure < 0.995 { 2 } else { usize::from(figure < 99.95) });
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').into(),
        false => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: f64 = 1_048_576.0;

    fn task(words: &str) -> Result<Task> {
        let words = std::iter::once("plan").chain(words.split_whitespace());
        Task::new(&parser().try_get_matches_from(words).unwrap())
    }

    #[test]
    fn the_default_distance_finds_a_new_stack_of_eight_megabytes() {
        let task = task("--heap 4GiB --detect 50MiB --stack 100MiB").unwrap();
        let row = task.row(19);
        assert!((row.new_stack / MIB - 8.3).abs() < 0.5, "{row:?}");
        assert!((row.growth / MIB - 53.0).abs() < 3.0, "{row:?}");
        assert_eq!(row.samples, 8192.0);
        let row = task.row(15);
        assert!(
            (row.new_stack / MIB - 0.52).abs() < 0.05 && (row.growth / MIB - 12.0).abs() < 1.0,
            "{row:?}"
        );
    }

    #[test]
    fn what_is_advised_finds_and_twice_that_does_not() {
        for words in [
            "--heap 4GiB --detect 10MiB",
            "--heap 1GiB --detect 1MiB --stack 1GiB --power 0.99",
            "--heap 64k --detect 4k --stacks 1",
        ] {
            let task = task(words).unwrap();
            let [new, growth] = task.advice();
            assert!(new.lg_sample > 0 && new.lg_sample >= growth.lg_sample, "{words}");
            assert!(task.row(new.lg_sample).new_stack <= task.detect, "{words}");
            assert!(task.row(new.lg_sample + 1).new_stack > task.detect, "{words}");
            assert!(growth.lg_sample == 0 || task.row(growth.lg_sample).growth <= task.detect, "{words}");
            assert!(task.row(growth.lg_sample + 1).growth > task.detect, "{words}");
        }
        // A byte takes every allocation.
        assert_eq!(task("--heap 1GiB --detect 1").unwrap().advice().map(|advice| advice.lg_sample), [0, 0]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |words: &str| task(words).unwrap_err().to_string();
        assert_eq!(
            refused("--heap 1MiB --detect 2MiB"),
            "plan: --detect: 2 MiB is more than the heap, which is 1 MiB"
        );
        assert_eq!(
            refused("--heap 4MiB --detect 2MiB --stack 8MiB"),
            "plan: --stack: 8 MiB is more than the heap, which is 4 MiB"
        );
        for (text, what) in
            [("10 apples", "not a size"), ("0", "not between"), ("", "not a size"), ("1e30", "not a size")]
        {
            assert!(size(text).unwrap_err().starts_with(what), "{text}");
        }
        for text in ["0", "1", "-1", "nan", "many"] {
            assert!(share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn json_and_text_say_the_same() {
        let task = task("--heap 4GiB --detect 10MiB").unwrap();
        let json: Value = serde_json::from_str(&task.json()).unwrap();
        let text = task.text();
        assert_eq!(json["schema"], SCHEMA);
        assert_eq!(json["rows"].as_array().unwrap().len(), SHOWN.count());
        for advice in json["recommended"].as_array().unwrap() {
            let conf = advice["malloc_conf"].as_str().unwrap();
            assert!(text.contains(&format!("  MALLOC_CONF={conf}\n")), "{conf} in {text}");
        }
        assert!(text.lines().any(|line| line.trim_start().starts_with("19   512 KiB")), "{text}");
    }
}
