//! jeprof's modes and filters, through the binary.

mod common;

use common::{Scratch, dump, tool, tool_in};

const DUMP: &str = "jemalloc-5.3.0.heap";

fn lines(text: &str) -> Vec<&str> {
    text.lines().collect()
}

#[test]
fn the_threads_of_a_dump_add_up_to_the_process() {
    let dump = dump(DUMP);
    let total = |args: &[&str]| -> Vec<(String, i64)> {
        let run = tool(&[&["--show_bytes", "--alloc_space", dump.as_str()], args].concat());
        assert_eq!(run.status, 0, "{}", run.stderr);
        let heads = run.stdout.lines().filter_map(|line| line.strip_prefix("Total"));
        heads
            .map(|head| {
                let (thread, figure) = head.split_once(": ").unwrap();
                (thread.trim().to_string(), figure.split(' ').next().unwrap().parse().unwrap())
            })
            .collect()
    };
    let process = total(&[]);
    let threads = total(&["--thread=*"]);
    assert_eq!(threads.iter().map(|(thread, _)| thread.as_str()).collect::<Vec<_>>(), ["(t0)", "(t1)"]);
    let sum: i64 = threads.iter().map(|(_, total)| total).sum();
    // Un-sampling a sum is not the sum of what is un-sampled: jemalloc's lines differ a little.
    assert!((sum - process[0].1).abs() <= process[0].1 / 100, "{threads:?} {process:?}");
    assert_eq!(total(&["--thread=1"])[0].1, threads[1].1);
    assert_eq!(total(&["--thread=worker-a"]), [("(worker-a)".to_string(), threads[1].1)]);
}

#[test]
fn a_thread_that_is_not_there_is_an_error_that_lists_those_that_are() {
    let run = tool(&["--thread=7", &dump(DUMP)]);
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("no thread '7'; there are 0, 1 (worker-a)"), "{}", run.stderr);
    let run = tool(&["--thread=7", "--compat=jeprof", &dump(DUMP)]);
    assert_eq!((run.status, run.stdout.as_str()), (0, ""));
    let run = tool(&["--thread=0", &dump("gperftools-2.10.heap")]);
    assert!(run.status == 2 && run.stderr.contains("do not tell threads apart"), "{}", run.stderr);
    let run = tool(&["flame", "--thread=*", &dump(DUMP)]);
    assert!(run.status == 2 && run.stderr.contains("one report per thread"), "{}", run.stderr);
}

#[test]
fn a_symbolized_file_gives_the_same_table_as_the_dump_it_was_made_of() {
    let scratch = Scratch::new("raw");
    for name in [DUMP, "gperftools-2.10.heap", "ours-text.heap", "ours-heap_v2.heap", "ours.pb"] {
        let raw = tool(&["--raw", &dump(name)]);
        assert!(raw.stdout.starts_with("--- symbol\nbinary="), "{name}: {}", raw.stderr);
        let path = scratch.write(name, raw.stdout);
        let table = |file: &str| tool(&["--show_bytes", "--cum", file]).stdout;
        assert_eq!(table(path.to_str().unwrap()), table(&dump(name)), "{name}");
    }
}

#[test]
fn a_symbolized_file_of_a_selection_or_a_difference_holds_just_that() {
    let scratch = Scratch::new("raw-part");
    let base = dump(DUMP);
    let figures = |args: &[&str]| -> Vec<(i64, i64, String)> {
        let run = tool(&[&["--show_bytes"], args].concat());
        assert_eq!(run.status, 0, "{}", run.stderr);
        run.rows()
    };
    for args in [&["--focus=0x120a", base.as_str()][..], &["--thread=1", &base], &[&base, &base]] {
        let raw = tool(&[&["--raw"], args].concat());
        let path = scratch.write("part.raw", &raw.stdout);
        let (part, whole) = (figures(&[path.to_str().unwrap()]), figures(args));
        assert_eq!(part.len(), whole.len(), "{args:?}");
        for ((flat, cum, name), (a, b, other)) in part.iter().zip(&whole) {
            // Figures are rounded to whole ones per stack.
            assert!(
                name == other && (flat - a).abs() <= 4 && (cum - b).abs() <= 4,
                "{args:?} {name} {other}"
            );
        }
    }
    let same = tool(&["--raw", "--base", &base, &base]);
    assert!(same.stdout.ends_with("--- heap\nheap profile: 0: 0 [0: 0] @ heapprofile\n"), "{}", same.stdout);
}

#[test]
fn retained_and_excluded_functions_pass_their_figures_on() {
    let dump = dump(DUMP);
    let whole = tool(&["--show_bytes", "--collapsed", &dump]);
    let leafless = tool(&["--show_bytes", "--collapsed", "--exclude=^app.0x12[0-9a-f]{2}$", &dump]);
    let sum = |text: &str| -> i64 {
        text.lines().map(|line| line.rsplit(' ').next().unwrap().parse::<i64>().unwrap()).sum()
    };
    assert!(!leafless.stdout.contains("app+0x12") && leafless.stdout.contains("app+0x13"));
    assert!((sum(&whole.stdout) - sum(&leafless.stdout)).abs() <= 4);
    let kept = tool(&["--show_bytes", "--collapsed", "--retain=^app", &dump]);
    assert!(lines(&kept.stdout).iter().all(|line| line.split(';').all(|name| name.starts_with("app+"))));
    let none = tool(&["--text", "--retain=nothing is called so", &dump]);
    assert_eq!((none.status, lines(&none.stdout).len()), (0, 1), "{}", none.stdout);
    assert!(none.stderr.contains("nothing is left"), "{}", none.stderr);
}

#[test]
fn callgrind_s_own_costs_add_up_to_its_summary() {
    let run = tool(&["--callgrind", "--alloc_space", &dump(DUMP)]);
    let number = |text: &str| text.parse::<i64>().unwrap();
    let mut own = 0;
    let mut summary = 0;
    let mut is_call = false;
    for line in lines(&run.stdout) {
        if let Some(figures) = line.strip_prefix("summary: ") {
            summary = number(figures.split(' ').next().unwrap());
        }
        if line.starts_with(|c: char| c.is_ascii_digit()) && !is_call {
            own += number(line.split(' ').nth(1).unwrap());
        }
        is_call = line.starts_with("calls=");
    }
    assert!(run.stdout.contains("\nevents: alloc_space "), "{}", run.stdout);
    // Each is rounded.
    assert!(summary > 1_000_000 && (own - summary).abs() <= 8, "{own} {summary}");
}

#[test]
fn switches_of_lock_profiles_are_accepted_with_a_word() {
    let scratch = Scratch::new("relics");
    for flag in ["--contentions", "-mean_delay", "--total-delay"] {
        let run = tool_in(&scratch.path("."), &[flag, "--addresses", &dump(DUMP)]);
        assert!(run.status == 0 && run.stderr.contains("lock profiles"), "{flag}: {}", run.stderr);
    }
}
