//! The gate on series of dumps with a planted answer, written here with names, so that no binary is needed.

mod common;

use std::path::PathBuf;

use common::{Run, Scratch, command, tool};
use serde_json::Value;

/// Functions and their addresses: the leaf of each stack, called by `serve` and `main`.
const FUNCTIONS: [&str; 4] = ["svc::Cache::insert", "svc::Ring::push", "svc::Pool::fill", "svc::log"];

/// Writes dumps of one process, `figures` telling objects and bytes of each function in each dump.
fn series(
    folder: &Scratch,
    period: u64,
    count: u64,
    figures: impl Fn(u64) -> [(u64, u64); 4],
) -> Vec<PathBuf> {
    let symbols: String = FUNCTIONS
        .iter()
        .enumerate()
        .map(|(index, name)| format!("0x{:016x} {name}\n", 0x2000 + 16 * index))
        .collect();
    (0..count)
        .map(|at| {
            let stacks = figures(at);
            let (objects, bytes) = stacks.iter().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
            let mut text = format!(
                "--- symbol\nbinary=/opt/svc\n0x0000000000001000 main\n0x0000000000001010 svc::serve\n{symbols}---\n\
                 --- heap\nheap_v2/{period}\n  t*: {objects}: {bytes} [0: 0]\n"
            );
            for (index, (objects, bytes)) in stacks.into_iter().enumerate().filter(|(_, (objects, _))| *objects > 0) {
                text += &format!("@ 0x{:x} 0x1011 0x1001\n  t*: {objects}: {bytes} [0: 0]\n", 0x2000 + 16 * index);
            }
            folder.write(&format!("svc.7.{at}.m{at}.heap"), text)
        })
        .collect()
}

fn check(args: &[&str], dumps: &[PathBuf]) -> Run {
    let dumps = dumps.iter().map(|path| path.to_str().unwrap());
    let words: Vec<&str> = std::iter::once("check").chain(args.iter().copied()).chain(dumps).collect();
    tool(&words)
}

/// One that grows, one that is full at dump 3, a pool that is there from the start, and what comes and goes.
fn mixed(at: u64) -> [(u64, u64); 4] {
    let leaked = 2000 * (at + 1);
    let filled = 1000 * (at + 1).min(4);
    [
        (leaked, 112 * leaked),
        (filled, 512 * filled),
        (10, 10 << 20),
        (100 + 7 * (at % 3), 4096 * (100 + 7 * (at % 3))),
    ]
}

#[test]
fn what_grows_to_the_end_fails_and_what_is_filled_once_does_not() {
    let folder = Scratch::new("check-trend");
    let dumps = series(&folder, 1, 12, mixed);
    let run = check(&["--skip_first=0", "--all"], &dumps);
    assert_eq!(run.status, 1, "{}{}", run.stdout, run.stderr);
    let first = run.stdout.lines().next().unwrap();
    assert!(first.starts_with("FAIL   trend     svc::Cache::insert"), "{}", run.stdout);
    assert!(run.stdout.contains("PASS   trend     svc::Ring::push"), "{}", run.stdout);
    assert!(run.stdout.contains("stopped growing"), "{}", run.stdout);
    assert!(run.stdout.contains("1 failed, 1 passed, 0 undecided"), "{}", run.stdout);
    // In any order on the command line.
    let shuffled: Vec<PathBuf> = dumps.iter().rev().cloned().collect();
    assert_eq!(check(&["--skip_first=0", "--all"], &shuffled).stdout, run.stdout);
    let other = check(&["--error_exitcode=23"], &dumps);
    assert_eq!(other.status, 23);
    let suppressed = folder.write("x.supp", "leak:Cache::insert$\n");
    let quiet = check(&[&format!("--suppressions={}", suppressed.display())], &dumps);
    assert_eq!(quiet.status, 0, "{}", quiet.stdout);
    assert!(quiet.stdout.contains("suppressed: 1 stack"), "{}", quiet.stdout);
}

#[test]
fn two_dumps_are_compared() {
    let folder = Scratch::new("check-two");
    let dumps = series(&folder, 1, 2, mixed);
    let run = check(&[], &dumps);
    assert_eq!(run.status, 1, "{}", run.stdout);
    assert!(run.stdout.starts_with("FAIL   growth    svc::Ring::push"), "{}", run.stdout);
    let same = check(&[], &[dumps[0].clone(), dumps[0].clone()]);
    assert_eq!(same.status, 0, "{}", same.stdout);
}

/// A leak that is most of the heap, among many stacks that stay: none of its dumps may be taken for the start.
#[test]
fn a_leak_that_is_the_heap_is_no_start_of_it() {
    let folder = Scratch::new("check-dominant");
    let grow = |at: u64| [(1000 * (at + 1), (at + 1) << 20), (10, 1000), (10, 1000), (10, 1000)];
    let run = check(&[], &series(&folder, 1, 9, grow));
    assert_eq!(run.status, 1, "{}", run.stdout);
    // Of four dumps the order proves nothing; the ends do, and whether it goes on is not known.
    let few = check(&["--undecided=fail"], &series(&folder, 1, 4, grow));
    assert_eq!(few.status, 3, "{}", few.stdout);
    assert!(few.stdout.starts_with("UNSURE trend     svc::Cache::insert"), "{}", few.stdout);
}

/// In containers every process has one number.
#[test]
fn what_a_program_gives_back_at_its_end_was_growth_before() {
    let folder = Scratch::new("check-end");
    let mut dumps =
        series(
            &folder,
            1,
            10,
            |at| if at < 9 { mixed(at) } else { [(0, 0), (0, 0), (10, 10 << 20), (0, 0)] },
        );
    let end = folder.path("svc.7.9.f.heap");
    std::fs::rename(&dumps[9], &end).unwrap();
    dumps[9] = end;
    for of_them in [&dumps[..], &dumps[7..]] {
        let run = check(&[], of_them);
        assert_eq!(run.status, 1, "{}{}", run.stdout, run.stderr);
        assert!(run.stdout.contains("svc::Cache::insert"), "{}", run.stdout);
    }
    // Of two dumps it is the second.
    assert_eq!(check(&[], &dumps[8..]).status, 0);
}

#[test]
fn one_block_that_sampling_cannot_have_missed_is_growth() {
    let folder = Scratch::new("check-block");
    let blocks = |at: u64| [(2000, 224_000), (1000, 512_000), (10, 10 << 20), (at, at * (8 << 20))];
    let dumps = series(&folder, 4096, 2, blocks);
    let run = check(&[], &dumps);
    assert_eq!(run.status, 1, "{}{}", run.stdout, run.stderr);
    assert!(run.stdout.contains("svc::log"), "{}", run.stdout);
}

#[test]
fn processes_are_told_apart_by_folder_prefix_and_number() {
    let (one, two) = (Scratch::new("check-pod-1"), Scratch::new("check-pod-2"));
    let dumps =
        [series(&one, 1, 1, mixed), series(&two, 1, 1, |_| [(0, 0), (0, 0), (0, 0), (1, 64)])].concat();
    let words: Vec<&str> =
        ["leaks"].into_iter().chain(dumps.iter().map(|path| path.to_str().unwrap())).collect();
    let run = tool(&words);
    assert!(run.stdout.contains("svc::Cache::insert") && run.stdout.contains("svc::log"), "{}", run.stdout);
    let gate = check(&[], &dumps);
    assert_eq!(gate.status, 0, "two processes of one dump each are no series: {}", gate.stdout);
    // Names that tell no process are each of one by itself.
    let [plain, other] = ["api.heap", "worker.heap"].map(|name| one.path(name));
    std::fs::copy(&dumps[0], &plain).unwrap();
    std::fs::copy(&dumps[1], &other).unwrap();
    let run = tool(&["leaks", plain.to_str().unwrap(), other.to_str().unwrap()]);
    assert!(run.stdout.contains("svc::Cache::insert") && run.stdout.contains("svc::log"), "{}", run.stdout);
}

#[test]
fn what_cannot_be_looked_at_is_never_green() {
    let folder = Scratch::new("check-blind");
    let empty = check(&[], &series(&folder, 1 << 19, 2, |_| [(0, 0); 4]));
    assert_eq!(empty.status, 2, "{}", empty.stdout);
    assert!(empty.stderr.contains("has no samples: profiling was off"), "{}", empty.stderr);
    let one = series(&folder, 1, 1, mixed);
    let limits =
        "[[budget]]\nleaf = \"Cache\"\ngrowth = \"1MiB\"\nrate = \"1MiB/min\"\nper_iteration = \"1\"\n";
    let limits = format!("--config={}", folder.write("a.toml", limits).display());
    let run = check(&[&limits, "--undecided=fail"], &one);
    assert_eq!(run.status, 3, "{}", run.stdout);
    assert_eq!(run.stdout.matches("not checked: that takes two dumps or more").count(), 3, "{}", run.stdout);
}

/// Bytes are those of large blocks, objects those of small ones: their bounds have nothing to do with each other.
#[test]
fn objects_have_bounds_of_their_own() {
    let folder = Scratch::new("check-objects");
    // Of 60,000 blocks of 64 bytes 7.3 are sampled at this distance; each stands for 8,193.
    let dumps = series(&folder, 1 << 19, 1, |_| [(1157, 1157 << 20), (7, 448), (0, 0), (0, 0)]);
    let limits = folder.write("a.toml", "[[budget]]\nmatch = \"total\"\nobjects = 70_000\n");
    let run = check(&[&format!("--config={}", limits.display())], &dumps);
    assert!(run.stdout.starts_with("UNSURE budget    total"), "{}", run.stdout);
}

#[test]
fn limits_of_a_file_have_three_verdicts() {
    let folder = Scratch::new("check-limits");
    // 64 MiB, 32 KiB each, one of sixteen sampled: known to a tenth or so.
    let dumps = series(&folder, 1 << 19, 1, |_| [(2048, 64 << 20), (0, 0), (0, 0), (64, 2 << 20)]);
    let config = folder.write(
        "jeprof.toml",
        "[check]\nundecided = \"fail\"\n\
         [[budget]]\nstack = \"^svc::log$\"\nmax = \"64MiB\"\nowner = \"@logs\"\n\
         [[budget]]\nleaf = \"Cache\"\nmax = \"1GiB\"\nobjects = 100\n\
         [[budget]]\nmatch = \"total\"\nmax = \"1100MiB\"\n",
    );
    let config = format!("--config={}", config.display());
    let run = check(&[&config, "--format=json"], &dumps);
    let json: Value = serde_json::from_str(&run.stdout).unwrap();
    let verdicts: Vec<(&str, &str, &str)> = json["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| {
            (of["verdict"].as_str().unwrap(), of["subject"].as_str().unwrap(), of["unit"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        verdicts,
        [
            ("fail", "Cache", "objects"),
            ("unsure", "total", "bytes"),
            ("unsure", "Cache", "bytes"),
            ("pass", "^svc::log$", "bytes"),
        ],
        "{}",
        run.stdout
    );
    assert_eq!(run.status, 1);
    let undecided = folder.write("only.toml", "[[budget]]\nmatch = \"total\"\nmax = \"1100MiB\"\n");
    let undecided = format!("--config={}", undecided.display());
    let run = check(&[&undecided], &dumps);
    assert_eq!(run.status, 0);
    assert!(run.stdout.contains("UNSURE budget    total"), "{}", run.stdout);
    assert!(run.stdout.contains("sample at lg_prof_sample:"), "{}", run.stdout);
    assert!(run.stderr.contains("--undecided=fail makes them fail"), "{}", run.stderr);
    assert_eq!(check(&[&undecided, "--undecided=fail"], &dumps).status, 3);
}

#[test]
fn growth_per_iteration_and_per_time_have_limits() {
    let folder = Scratch::new("check-slope");
    let dumps = series(&folder, 1, 9, mixed);
    let config =
        folder.write("a.toml", "[[budget]]\nleaf = \"Cache\"\nper_iteration = \"111\"\ngrowth = \"4MiB\"\n");
    let config = format!("--config={}", config.display());
    let run = check(&[&config, "--iterations=2000", "--min_growth=1GiB"], &dumps);
    assert_eq!(run.status, 1, "{}", run.stdout);
    assert!(run.stdout.contains("+112 B/iteration"), "{}", run.stdout);
    assert!(
        run.stdout.contains("PASS") || run.stdout.contains("2 passed") || run.stdout.contains("1 passed")
    );
    let enough = check(&[&config, "--iterations=4000", "--min_growth=1GiB"], &dumps);
    assert_eq!(enough.status, 0, "{}", enough.stdout);
}

#[test]
fn a_baseline_forgives_what_is_known_and_nothing_else() {
    let folder = Scratch::new("check-baseline");
    let dumps = series(&folder, 1, 9, mixed);
    let base = folder.path("server.base");
    let baseline = |words: &[&str], dumps: &[PathBuf]| {
        let dumps = dumps.iter().map(|path| path.to_str().unwrap());
        let words: Vec<&str> = ["baseline"].into_iter().chain(words.iter().copied()).chain(dumps).collect();
        tool(&words)
    };
    let file = base.to_str().unwrap();
    let written = baseline(&["update", file], &dumps[..1]);
    assert_eq!((written.status, written.stderr.as_str()), (0, ""), "{}", written.stdout);
    let text = std::fs::read_to_string(&base).unwrap();
    assert!(text.starts_with("jeprof-baseline 1 unit=bytes rate=exact keys=- tool="), "{text}");
    assert_eq!(text.lines().count(), 5, "{text}");
    assert!(text.contains(" 224000 2000 sd=0 svc::Cache::insert < svc::serve < main\n"), "{text}");
    // Taken in twice it is the same.
    assert_eq!(baseline(&["update", file], &dumps[..1]).status, 0);
    assert_eq!(std::fs::read_to_string(&base).unwrap(), text);

    let option = format!("--baseline={file}");
    let same = check(&[&option, "--all"], &dumps[..1]);
    assert_eq!(same.status, 0, "{}", same.stdout);
    assert_eq!(same.stdout.matches("PASS   baseline").count(), 4, "{}", same.stdout);
    let grown = check(&[&option], &dumps[8..]);
    assert_eq!(grown.status, 1, "{}", grown.stdout);
    assert!(grown.stdout.contains("FAIL   baseline  svc::Cache::insert"), "{}", grown.stdout);
    assert!(!grown.stdout.contains("FAIL   baseline  svc::Pool::fill"), "{}", grown.stdout);
    // What is not there at all is new; what is gone is told and can be forgotten.
    let other = folder.write(
        "less.base",
        text.lines().filter(|line| !line.contains("Ring")).collect::<Vec<_>>().join("\n"),
    );
    let new = check(&[&format!("--baseline={}", other.display())], &dumps[..1]);
    assert!(
        new.stdout.contains("FAIL   baseline  svc::Ring::push") && new.stdout.contains(" new\n"),
        "{}",
        new.stdout
    );
    let gone = folder.write("more.base", format!("{text}k1:00 1 1 sd=0 f < g\n"));
    let gone = gone.to_str().unwrap();
    let told = check(&[&format!("--baseline={gone}")], &dumps[..1]);
    assert!(told.stdout.contains("1 of 5 rows of the baseline have no stack any more"), "{}", told.stdout);
    assert_eq!(baseline(&["prune", gone], &dumps[..1]).status, 0);
    assert_eq!(std::fs::read_to_string(gone).unwrap(), text);
    let shown = baseline(&["show", file], &[]);
    assert!(
        shown.stdout.lines().nth(1).unwrap().contains("svc::Pool::fill"),
        "the largest first: {}",
        shown.stdout
    );

    let wrong = folder.write("wrong.base", text.replace("jeprof-baseline 1", "jeprof-baseline 7"));
    let refused = check(&[&format!("--baseline={}", wrong.display())], &dumps[..1]);
    assert_eq!(refused.status, 2);
    assert!(refused.stderr.contains("wrong.base:1: was written by the tool's 0."), "{}", refused.stderr);
    let refused = check(&[&option, "--key=file"], &dumps[..1]);
    assert!(refused.stderr.contains("has keys made with '-', not with 'file'"), "{}", refused.stderr);
    assert_eq!(std::fs::read_to_string(&base).unwrap(), text, "nothing was overwritten");
}

/// Each is told with file, line and key, by every command that looks at it.
#[test]
fn wrong_inputs_are_refused_with_their_place() {
    let folder = Scratch::new("check-wrong");
    let dumps = series(&folder, 1, 2, mixed);
    let refused = |words: &[&str], dumps: &[PathBuf], told: &str| {
        let dumps = dumps.iter().map(|path| path.to_str().unwrap());
        let run = tool(&words.iter().copied().chain(dumps).collect::<Vec<&str>>());
        assert_eq!((run.status, run.stdout.as_str()), (2, ""), "{words:?}: {}", run.stderr);
        assert!(run.stderr.contains(told), "{words:?}: {}", run.stderr);
    };
    let file = |name: &str, text: &str| folder.write(name, text).display().to_string();
    let budget = "[[budget]]\nmatch = \"total\"\nmax = \"1GiB\"\n";
    for (name, text, told) in [
        ("typo.toml", format!("{budget}[check]\nfrd = 0.05\n"), "typo.toml:5: unknown field 'frd'"),
        (
            "word.toml",
            "[check]\nundecided = \"wran\"\n".into(),
            "word.toml:2: undecided: unknown variant 'wran'",
        ),
        (
            "regex.toml",
            format!("{budget}[[budget]]\nstack = \"svc::(\"\nmax = \"1MiB\"\n"),
            "regex.toml:5: stack: 'svc::(' does not compile: unclosed group",
        ),
    ] {
        refused(&["check", &format!("--config={}", file(name, &text))], &dumps, told);
    }
    for (name, text, told) in [
        (
            "other.base",
            "jeprof-baseline 2 unit=bytes tool=9.8.7\n",
            "other.base:1: was written by the tool's 9.8.7 version",
        ),
        (
            "keys.base",
            "jeprof-baseline 1 unit=bytes rate=exact keys=- tool=9.8.7\nk2:5d0c1f9a3be02711 1 1 sd=0 f < main\n",
            "keys.base:2: has a key of version k2, and this tool makes k1; remove it and write it anew with",
        ),
    ] {
        let path = file(name, text);
        refused(&["check", &format!("--baseline={path}")], &dumps, told);
        refused(&["baseline", "update", &path], &dumps, told);
        refused(&["baseline", "show", &path], &[], told);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "it stays as it is");
    }
    let rules = file("old.supp", "leak:f\n# jeprof-rs: until=2020-02-29\nleak:svc::log\n");
    let rules = format!("--suppressions={rules}");
    for command in ["leaks", "diff", "check"] {
        let told = "old.supp: line 3: leak:svc::log: its date has passed (until=2020-02-29)";
        refused(&[command, &rules], &dumps, told);
    }
}

#[test]
fn dumps_of_different_programs_are_not_compared_and_builds_of_one_are() {
    let folder = Scratch::new("check-programs");
    let dumps = series(&folder, 1, 2, mixed);
    let of = |program: &str| {
        let text = std::fs::read_to_string(&dumps[1]).unwrap().replace("/opt/svc", program);
        let name = format!("new.{}.heap", program.replace('/', "_"));
        [dumps[0].clone(), folder.write(&name, text)]
    };
    let run = |words: &[&str], dumps: &[PathBuf]| {
        let dumps = dumps.iter().map(|path| path.to_str().unwrap());
        tool(&words.iter().copied().chain(dumps).collect::<Vec<&str>>())
    };
    let other = of("/opt/worker");
    let series = [folder.path("old.heap"), other[1].clone()];
    std::fs::copy(&dumps[0], &series[0]).unwrap();
    let [old, new] = [&series[0], &series[1]].map(|path| path.display().to_string());
    let told = format!("{new}: program: it is of /opt/worker, and {old} of /opt/svc");
    for words in
        [&["diff"][..], &["diff", "--functions"], &["diff", "--functions", "--format=json"], &["check"]]
    {
        let refused = run(words, &series);
        assert_eq!((refused.status, refused.stdout.as_str()), (2, ""), "{words:?}");
        assert!(refused.stderr.contains(&told), "{words:?}: {}", refused.stderr);
        let asked = run(&[words, &["--any_program"]].concat(), &series);
        assert!(asked.status < 2 && !asked.stdout.is_empty(), "{words:?}: {}", asked.stderr);
    }
    let moved = run(&["diff"], &of("/srv/ci/build/svc"));
    assert_eq!(moved.status, 0, "{}", moved.stderr);
    // What is not compared may be of anything.
    let leaks = run(&["leaks"], &series);
    assert_eq!(leaks.status, 1, "{}", leaks.stderr);
}

#[test]
fn what_leaks_are_not_held_against_is_told_to_have_no_effect() {
    let folder = Scratch::new("check-unused");
    let dumps = series(&folder, 1, 1, mixed);
    let run = tool(&["leaks", "--baseline=no-such-file", "--skip_first=1", dumps[0].to_str().unwrap()]);
    assert!(run.stderr.contains("--baseline has no effect on leaks"), "{}", run.stderr);
    assert!(run.stderr.contains("--skip_first has no effect on leaks"), "{}", run.stderr);
}

#[test]
fn every_form_can_be_read_and_is_the_same_each_time() {
    let folder = Scratch::new("check-forms");
    let dumps = series(&folder, 1, 9, mixed);
    let summary = folder.path("summary.md");
    let ask = |form: &str| {
        let mut command = command(&["check", "--skip_first=0", &format!("--format={form}")]);
        let output = command.env("GITHUB_STEP_SUMMARY", &summary).args(&dumps).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for form in ["text", "json", "junit", "sarif", "github", "gitlab", "bencher"] {
        assert_eq!(ask(form), ask(form), "{form}");
    }
    let junit = ask("junit");
    let tree = roxmltree::Document::parse(&junit).unwrap();
    let failures: Vec<_> = tree.descendants().filter(|node| node.has_tag_name("failure")).collect();
    assert_eq!(failures.len(), 1, "{junit}");
    assert!(failures[0].text().unwrap().starts_with("svc::Cache::insert\nsvc::serve"), "{junit}");
    let sarif: Value = serde_json::from_str(&ask("sarif")).unwrap();
    let result = &sarif["runs"][0]["results"][0];
    assert_eq!((&result["ruleId"], &result["level"]), (&"trend".into(), &"error".into()));
    let print = result["partialFingerprints"]["primaryLocationLineHash"].as_str().unwrap();
    assert!(print.starts_with("trend svc::Cache::insert [k1:"), "{print}");
    let github = ask("github");
    assert!(github.starts_with("::error title=Memory%3A trend::trend svc::Cache::insert: +"), "{github}");
    let written = std::fs::read_to_string(&summary).unwrap();
    assert!(written.starts_with("### Memory of svc: 1 failed, 0 undecided"), "{written}");
    let gitlab: Value = serde_json::from_str(&ask("gitlab")).unwrap();
    assert_eq!(gitlab[0]["severity"], "major");
    let bencher: Value = serde_json::from_str(&ask("bencher")).unwrap();
    assert!(bencher["svc/total"]["heap"]["value"].as_f64().unwrap() > 1e7, "{bencher}");
}

#[test]
fn mistakes_are_told_with_file_line_and_key() {
    let folder = Scratch::new("check-mistakes");
    let dumps = series(&folder, 1, 1, mixed);
    let told = |args: &[&str]| {
        let run = check(args, &dumps);
        assert_eq!(run.status, 2, "{}", run.stdout);
        run.stderr
    };
    let config = |text: &str| format!("--config={}", folder.write("bad.toml", text).display());
    assert!(told(&[&config("[chek]\n")]).contains("bad.toml:1: unknown field 'chek'"));
    let pattern = told(&[&config("[[budget]]\nstack = \"(\"\nmax = \"1\"\n")]);
    assert!(pattern.contains("bad.toml:2: stack: '(' does not compile: unclosed group"), "{pattern}");
    assert!(told(&["--config=/no/such.toml"]).contains("/no/such.toml: no such file"));
    let old = folder.write("old.supp", "# jeprof-rs: until=2020-01-01\nleak:f\n");
    let past = told(&[&format!("--suppressions={}", old.display())]);
    assert!(past.contains("old.supp: line 2: leak:f: its date has passed (until=2020-01-01)"), "{past}");
    assert!(told(&["--format=pdf"]).contains("'pdf' is none of native, text (for people)"));
    assert!(told(&["--confidence=2"]).contains("--confidence: '2' is no number between 0 and 1"));
}
