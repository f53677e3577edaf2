//! perl jeprof 5.3.1 against ours, byte for byte under `--compat=jeprof`.
//!
//! The ground is symbolized files, which jeprof reads without any object tool: random ones, and those that our `--raw`
//! makes of dumps of C, C++ and Rust programs. What jeprof prints in an accidental order is settled on both sides.
#![cfg(feature = "outside")]

mod accidents;
mod script;
mod symbolized;

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use accidents::{Sums, settled};
use suite::build::{self, Profile, preload, viewer};
use suite::fixture::{compiled, compiled_with};
use suite::run::{Outcome, Run};
use suite::scratch::Scratch;
use symbolized::{Form, Names, symbolized};

/// jeprof with arguments, in a folder. Its hashes have a fixed order, so that a difference shows again.
fn jeprof(folder: &Path, arguments: &[&str]) -> Run {
    let run = Run::new("perl").arg(script::script()).args(arguments).folder(folder);
    run.env("PERL_HASH_SEED", "0").env("PERL_PERTURB_KEYS", "0").env("HOME", folder)
}

/// Ours with arguments, in a folder.
fn ours(folder: &Path, arguments: &[&str]) -> Run {
    static VIEWER: OnceLock<PathBuf> = OnceLock::new();
    Run::new(VIEWER.get_or_init(|| viewer(Profile::own()))).args(arguments).folder(folder)
}

/// The first line in which two outputs differ, with what stands around it.
fn difference(theirs: &[String], ours: &[String]) -> Option<String> {
    let at = (0..theirs.len().max(ours.len())).find(|&index| theirs.get(index) != ours.get(index))?;
    let around = |lines: &[String]| {
        let end = lines.len().min(at + 3);
        lines[at.saturating_sub(2).min(end)..end].join("\n")
    };
    Some(format!("line {}\njeprof:\n{}\nours:\n{}", at + 1, around(theirs), around(ours)))
}

/// Runs both and compares; the answer says what differs.
fn compare(folder: &Path, mode: &str, arguments: &[&str], sums: Sums) -> Option<String> {
    let all: Vec<&str> = [mode].iter().chain(arguments).copied().collect();
    let theirs = jeprof(folder, &all).outcome();
    let mine = ours(folder, &[&["--compat=jeprof"], &all[..]].concat()).outcome();
    compare_outcomes(mode, arguments, &theirs, &mine, sums)
}

fn compare_outcomes(
    mode: &str,
    arguments: &[&str],
    theirs: &Outcome,
    mine: &Outcome,
    sums: Sums,
) -> Option<String> {
    let all: Vec<&str> = [mode].iter().chain(arguments).copied().collect();
    let what = |why: String| Some(format!("{}: {why}\n{}", all.join(" "), mine.stderr));
    // jeprof ends --raw of a local file with an error.
    if mode != "--raw" && theirs.status.success() != mine.status.success() {
        return what(format!("{} and {}\n{}", theirs.status, mine.status, theirs.stderr));
    }
    let settled = |outcome: &Outcome| settled(mode, arguments, &outcome.stdout, sums);
    difference(&settled(theirs), &settled(mine)).and_then(what)
}

/// Options that every output has to take like jeprof.
const OPTIONS: &[&[&str]] = &[
    &[],
    &["--show_bytes"],
    &["--inuse_objects"],
    &["--alloc_space"],
    &["--alloc_objects"],
    &["--focus=grab|FnOnce"],
    &["--focus=^00005500000010[0-7]"],
    &["--focus=nothing is called like this"],
    &["--ignore=recurse|main"],
    &["--focus=f", "--ignore=std::", "--show_bytes"],
    &["--retain=std|main|two"],
    &["--exclude=^(main|f|alloc|go)"],
    &["--exclude=.", "--show_bytes"],
    &["--thread=0", "--show_bytes"],
    &["--thread=12"],
    &["--thread=99"],
    &["--thread=*", "--show_bytes"],
];

/// Nodes take any number of edges.
const NO_ROOM_LIMIT: &str = "--maxdegree=100000";

/// Options of single outputs.
const MORE: &[(&str, &[&str])] = &[
    ("--text", &["--cum"]),
    ("--text", &["--cum", "--show_bytes"]),
    ("--text", &["--addresses", "--show_bytes"]),
    ("--text", &["--files"]),
    ("--text", &["--functions", "--nodecount=3", "--nodefraction=0.5"]),
    ("--text", &["-show_bytes", "--nocum"]),
    ("--text", &["--SHOW", "--cum", "--no-cum"]),
    ("--dot", &["--addresses", NO_ROOM_LIMIT]),
    ("--dot", &["--nodecount=5", NO_ROOM_LIMIT]),
    ("--dot", &["--nodefraction=0.1", "--edgefraction=0.05", NO_ROOM_LIMIT]),
    ("--dot", &["--nodefraction=0", "--edgefraction=0", "--nodecount=10000", NO_ROOM_LIMIT]),
    ("--dot", &["--heapcheck", "--show_bytes", NO_ROOM_LIMIT]),
    ("--dot", &["--maxdegree=2", "--show_bytes"]),
    ("--dot", &["--show_bytes"]),
];

const MODES: &[&str] = &["--text", "--collapsed", "--callgrind", "--dot", "--raw"];

/// Compares everything that can be asked of these files.
fn compare_all(folder: &Path, files: &[&str], sums: Sums, differences: &mut Vec<String>) {
    for mode in MODES {
        let always = if *mode == "--dot" { &[NO_ROOM_LIMIT][..] } else { &[] };
        // Names and a profile for each thread is nothing that could be read again; after a thread without nodes jeprof
        // leaves out the graphs of the others.
        let has_each_thread = *mode != "--raw" && *mode != "--dot";
        for options in OPTIONS.iter().filter(|options| has_each_thread || !options.contains(&"--thread=*")) {
            differences.extend(compare(folder, mode, &[*options, always, files].concat(), sums));
        }
    }
    for (mode, options) in MORE {
        differences.extend(compare(folder, mode, &[*options, files].concat(), sums));
    }
}

#[track_caller]
fn none(differences: Vec<String>) {
    assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n\n"));
}

#[test]
fn random_symbolized_files_are_shown_to_the_byte() {
    let folder = Scratch::new("jeprof-random");
    let mut differences = Vec::new();
    let forms = [
        Form::HeapV2(524_288),
        Form::HeapV2(512),
        Form::HeapV2(1),
        Form::Text("heapprofile"),
        Form::Text("heap_v2/4096"),
        Form::Text("heap/65536"),
    ];
    for (index, form) in forms.into_iter().enumerate() {
        let name = format!("random{index}.raw");
        std::fs::write(folder.file(&name), symbolized(index as u64, 100 + index as u64, form, Names::Odd))
            .unwrap();
        compare_all(folder.path(), &[&name], Sums::Settled, &mut differences);
    }
    none(differences);
}

#[test]
fn several_files_and_a_base_are_added_and_subtracted_alike() {
    let folder = Scratch::new("jeprof-several");
    let file = |name: &str, seed, figures| {
        std::fs::write(folder.file(name), symbolized(seed, figures, Form::HeapV2(4096), Names::Odd)).unwrap();
    };
    file("a.raw", 7, 1);
    file("b.raw", 7, 2);
    file("c.raw", 7, 3);
    let mut differences = Vec::new();
    for files in [
        &["a.raw", "b.raw"][..],
        &["a.raw", "b.raw", "c.raw", "a.raw"],
        &["--base=a.raw", "b.raw"],
        &["--base=a.raw", "b.raw", "--drop_negative"],
        &["--base=b.raw", "a.raw", "c.raw", "--drop_negative"],
    ] {
        compare_all(folder.path(), files, Sums::Settled, &mut differences);
    }
    none(differences);
}

/// Equal stacks as one, without those of zero: what ours does unless asked to be like jeprof.
fn merged(collapsed: &str) -> Vec<String> {
    let mut stacks = std::collections::BTreeMap::new();
    for line in collapsed.lines() {
        let (stack, figure) = line.rsplit_once(' ').unwrap();
        *stacks.entry(stack).or_insert(0) += figure.parse::<i64>().unwrap();
    }
    let lines = stacks.into_iter().filter(|(_, figure)| *figure != 0);
    lines.map(|(stack, figure)| format!("{stack} {figure}")).collect()
}

/// Names without brackets, nothing inlined, no allocation function, known threads: no listed difference applies but
/// those of collapsed stacks and of unknown places, which are made good here.
#[test]
fn without_compat_plain_profiles_are_shown_as_jeprof_shows_them() {
    let folder = Scratch::new("jeprof-plain");
    let mut differences = Vec::new();
    let files = [("a.raw", Form::HeapV2(524_288)), ("b.raw", Form::Text("heapprofile"))];
    for (index, (name, form)) in files.into_iter().enumerate() {
        std::fs::write(folder.file(name), symbolized(20 + index as u64, 5, form, Names::Plain)).unwrap();
        let is_known = |options: &&[&str]| {
            !options.iter().any(|option| {
                option.starts_with("--focus=nothing")
                    || *option == "--exclude=."
                    || option.starts_with("--thread") && (name == "b.raw" || *option == "--thread=99")
            })
        };
        let of_text =
            MORE.iter().filter(|(mode, options)| *mode == "--text" && !options.contains(&"--nodecount=3"));
        let all = OPTIONS.iter().copied().filter(is_known);
        for options in all.chain(of_text.map(|(_, options)| *options)) {
            for mode in ["--text", "--dot", "--collapsed"] {
                let is_table =
                    options.iter().any(|option| matches!(*option, "--cum" | "--nocum" | "--files"));
                // jeprof cuts each stack to a whole figure, ours their sum; whole figures are the same. Frames of collapsed
                // stacks are always functions there.
                let is_fraction =
                    mode == "--collapsed" && (name == "a.raw" || options.contains(&"--addresses"));
                if mode != "--text" && (is_table || is_fraction || options.contains(&"--thread=*")) {
                    continue;
                }
                let arguments =
                    [options, if mode == "--dot" { &[NO_ROOM_LIMIT] } else { &[] }, &[name]].concat();
                let all = [&[mode], &arguments[..]].concat();
                let (theirs, mut mine) =
                    (jeprof(folder.path(), &all).outcome(), ours(folder.path(), &all).outcome());
                // What is unknown is written alike for every kind of input: `??:0`, and `??` for the file alone.
                mine.stdout = mine.stdout.replace("??:0", "?").replace("% ??\n", "% ?\n");
                if mode == "--collapsed" {
                    let mine: Vec<String> = mine.stdout.lines().map(String::from).collect();
                    differences.extend(difference(&merged(&theirs.stdout), &mine));
                } else {
                    differences.extend(compare_outcomes(mode, &arguments, &theirs, &mine, Sums::Settled));
                }
            }
        }
    }
    none(differences);
}

/// A dump of a real program and its program.
struct Real {
    program: PathBuf,
    dump: PathBuf,
}

/// Runs a program with the profiler and gives its last dump.
fn dump(folder: &Scratch, name: &str, run: Run, program: &Path, options: &str) -> Real {
    let prefix = folder.file(name);
    let conf = format!("prof:true,prof_final:true,{options},prof_prefix:{}", prefix.display());
    run.conf(conf).outcome().ok();
    let dump = folder.files(&format!("{name}.")).pop().unwrap_or_else(|| panic!("{name}: no dump"));
    Real { program: program.to_owned(), dump }
}

/// C, C++ and Rust; exact and sampled; PIE and not; ours and the C library; each form of dump.
fn real_dumps(folder: &Scratch) -> Vec<Real> {
    let c = compiled("work.c");
    let fixed = compiled_with("work.c", &["-no-pie", "-fno-pie"]);
    let cpp = compiled("work.cc");
    let fixed_cpp = compiled_with("work.cc", &["-no-pie", "-fno-pie"]);
    let svc = build::svc(Profile::own()).canonicalize().expect("the service was built");
    let original = Path::new("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2");
    let under = |program: &Path, library: &Path| Run::new(program).preload(library);
    let own = preload();
    let v2 = "prof_dump_format:heap_v2";
    let mut dumps = Vec::new();
    for (name, program, library, options) in [
        ("c-sampled", &c, own.as_path(), format!("{v2},lg_prof_sample:12")),
        ("c-exact", &c, &own, format!("{v2},lg_prof_sample:0")),
        ("c-text", &c, &own, "prof_dump_format:text,lg_prof_sample:12".into()),
        ("c-accum", &c, &own, format!("{v2},lg_prof_sample:12,prof_accum:true")),
        ("c-fixed", &fixed, &own, format!("{v2},lg_prof_sample:12,prof_accum:true")),
        ("cpp-sampled", &cpp, &own, format!("{v2},lg_prof_sample:12")),
        ("cpp-exact", &cpp, &own, "prof_dump_format:text,lg_prof_sample:0".into()),
        ("cpp-fixed", &fixed_cpp, &own, format!("{v2},lg_prof_sample:12")),
        ("original-c", &c, original, "lg_prof_sample:12".into()),
        ("original-cpp", &cpp, original, "lg_prof_sample:12,prof_accum:true".into()),
        ("original-exact", &fixed, original, "lg_prof_sample:0".into()),
    ] {
        dumps.push(dump(folder, name, under(program, library), program, &options));
    }
    let serve = || Run::new(&svc).args(["--requests=5000"]);
    dumps.push(dump(folder, "rust-sampled", serve(), &svc, &format!("{v2},lg_prof_sample:12")));
    dumps.push(dump(
        folder,
        "rust-accum",
        serve(),
        &svc,
        "prof_dump_format:text,lg_prof_sample:14,prof_accum:true",
    ));
    dumps
}

#[test]
fn symbolized_files_of_real_dumps_are_shown_to_the_byte() {
    let folder = Scratch::new("jeprof-real");
    let mut differences = Vec::new();
    let dumps = real_dumps(&folder);
    assert!(dumps.len() >= 12);
    for (index, Real { program, dump }) in dumps.iter().enumerate() {
        let name = format!("{index}.raw");
        let (program, dump) = (program.to_str().unwrap(), dump.to_str().unwrap());
        let raw = ours(folder.path(), &["--raw", "-o", &name, program, dump]).outcome().ok();
        assert!(raw.stdout.is_empty(), "{raw}");
        compare_all(folder.path(), &[&name], Sums::Accidental, &mut differences);
    }
    none(differences);
}

/// Total, and flat figures by name.
fn table(outcome: &Outcome) -> (f64, std::collections::BTreeMap<String, f64>) {
    let mut flat = std::collections::BTreeMap::new();
    let mut total = f64::NAN;
    for line in outcome.stdout.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["Total:", figure, _] => total = figure.parse().unwrap(),
            [figure, _, _, _, _, ref name @ ..] => {
                *flat.entry(name.join(" ")).or_default() += figure.parse::<f64>().unwrap();
            }
            _ => {}
        }
    }
    (total, flat)
}

/// On programs jeprof asks binutils, whose guesses are not ours; what the symbol table says of a leaf's function, both
/// know.
#[test]
fn totals_and_common_names_of_real_dumps_agree() {
    const COMMON: &[&str] = &[
        "new_table",
        "new_row",
        "new_name",
        "grow_buffer",
        "big_block",
        "aligned_block",
        "leak_note",
        "new_message",
    ];
    let folder = Scratch::new("jeprof-binaries");
    for Real { program, dump } in real_dumps(&folder) {
        for kind in ["--inuse_space", "--inuse_objects"] {
            let arguments =
                ["--text", "--show_bytes", kind, program.to_str().unwrap(), dump.to_str().unwrap()];
            let theirs = jeprof(folder.path(), &arguments).outcome().ok();
            let compat: Vec<&str> = ["--compat=jeprof"].iter().chain(&arguments).copied().collect();
            for mine in [ours(folder.path(), &arguments), ours(folder.path(), &compat)] {
                let mine = mine.outcome().ok();
                let ((their_total, theirs), (total, mine)) = (table(&theirs), table(&mine));
                assert!(
                    (their_total - total).abs() <= 1.0 + 4e-4 * total,
                    "{dump:?} {kind}: {their_total}, {total}"
                );
                for name in COMMON {
                    if let (Some(a), Some(b)) = (theirs.get(*name), mine.get(*name)) {
                        assert!((a - b).abs() <= 1.0 + 4e-4 * b, "{dump:?} {kind} {name}: {a}, ours {b}");
                    }
                }
            }
        }
    }
}

#[test]
fn callbacks_are_rows_per_callee() {
    let folder = Scratch::new("jeprof-callbacks");
    let file = "--- symbol\nbinary=x\n0xf main\n0x1f base::Callback<A>::Run\n0x20 f\n0x30 g\n0x40 b::Callback::Run\n---\n\
        --- heap\nheap profile: 1: 1 [1: 1] @ heapprofile\n\
        3: 3000 [3: 3000] @ 0x20 0x20 0x10\n4: 5000 [4: 5000] @ 0x30 0x20 0x10\n1: 7 [1: 7] @ 0x40 0x10\n\
        \nMAPPED_LIBRARIES:\n";
    std::fs::write(folder.file("a.raw"), file).unwrap();
    // Their numbers are accidental in jeprof.
    let table = |outcome: Outcome| {
        let mut lines: Vec<String> = outcome.ok().stdout.lines().map(String::from).collect();
        lines.iter_mut().for_each(|line| *line = line.split('#').next().unwrap().to_string());
        lines.sort();
        lines
    };
    for options in [&["--text", "--show_bytes", "a.raw"][..], &["--text", "--cum", "--addresses", "a.raw"]] {
        let mine = ours(folder.path(), &[&["--compat=jeprof"], options].concat()).outcome();
        let mine = table(mine);
        assert_eq!(mine.iter().filter(|line| line.contains("Run")).count(), 3, "{mine:?}");
        assert_eq!(table(jeprof(folder.path(), options).outcome()), mine);
    }
}

#[test]
fn the_prompt_answers_like_jeprof_s() {
    let folder = Scratch::new("jeprof-prompt");
    std::fs::write(folder.file("a.raw"), symbolized(3, 4, Form::HeapV2(4096), Names::Odd)).unwrap();
    let commands = "top\ntop3\ntop5 --cum\ntext\ntop -grab\ntop4 -grab -main --cum\n\nquit\n";
    for options in [&[][..], &["--show_bytes"], &["--inuse_objects"], &["--focus=main", "--show_bytes"]] {
        let arguments: Vec<&str> =
            ["--interactive"].iter().chain(options).chain(&["a.raw"]).copied().collect();
        let theirs = jeprof(folder.path(), &arguments).input(commands).outcome().ok();
        let compat: Vec<&str> = ["--compat=jeprof"].iter().chain(&arguments).copied().collect();
        let mine = ours(folder.path(), &compat).input(commands).outcome().ok();
        // What the ignored words leave is a line that ours has not.
        let is_common = |line: &&str| !line.starts_with("After ignoring");
        let lines = |outcome: &Outcome| {
            outcome.stdout.lines().filter(is_common).map(String::from).collect::<Vec<_>>()
        };
        if let Some(what) = difference(&lines(&theirs), &lines(&mine)) {
            panic!("{arguments:?}: {what}\n{mine}");
        }
    }
}
