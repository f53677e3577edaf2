//! Go's pprof and ours, given the same words: `go tool pprof -top -cum FILE` and `jeprof-rs top -cum FILE` show the same
//! rows, figures and shares, on random profiles with inlined and recursive calls, labels, all four figures and a base,
//! and on what `jeprof-rs proto` writes of real dumps.
//!
//! Both are given `-unit=B` and most are given `-nodefraction=0`: pprof chooses the unit by the smallest row, ours by the
//! total. Known differences are in docs/compat.md, under "From pprof".
#![cfg(feature = "outside")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use prof_format::dump::{Carried, Label, LabelValue};
use prof_format::pprof::{Function, Line, Location, Mapping, Profile, Sample, ValueType, encode};
use prof_format::testing::Random;
use prof_format::vocab::BuildId;
use suite::build::{self, Profile as CargoProfile};
use suite::fixture::compiled;
use suite::run::Run;
use suite::scratch::Scratch;

/// Functions with files, of the kinds of names that programs have.
const FUNCTIONS: [(&str, &str); 14] = [
    ("main", "/src/app/main.rs"),
    ("server::serve::<tokio::Runtime>", "/src/app/serve.rs"),
    ("<app::Cache<K, V> as app::Store>::insert", "/src/app/cache.rs"),
    ("app::parse", "/src/app/parse.rs"),
    ("app::parse::value", "/src/app/parse.rs"),
    ("alloc::vec::Vec<T,A>::push", "/rust/alloc/src/vec/mod.rs"),
    ("std::vector<int, std::allocator<int> >::reserve(unsigned long)", "/usr/include/c++/vector"),
    ("(anonymous namespace)::grow(char const*, int)", "/src/app/grow.cc"),
    ("Queue::operator()(int) const", "/src/app/queue.cc"),
    ("walk", "/src/app/walk.c"),
    ("visit", "/src/app/walk.c"),
    ("deflateInit2_", "/src/zlib/deflate.c"),
    ("inflate", "/src/zlib/inflate.c"),
    ("thread_start", "/src/app/thread.c"),
];

const METRICS: [&str; 4] = ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"];

/// What a profile has beside stacks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Inlined functions, labels, two modules.
    Rich,
    /// Nothing: for requests that pprof answers differently where there is more.
    Plain,
}

/// A profile of random stacks over few functions, so that recursion, equal stacks and shared callers are frequent.
fn profile(seed: u64, kind: Kind) -> Vec<u8> {
    let mut random = Random::new(seed);
    // The same places in each profile: a base has to meet them.
    let mut places = Random::new(7);
    let locations: Vec<Vec<Line>> = (0..40)
        .map(|_| {
            let deep = if kind == Kind::Rich && places.below(3) == 0 { 1 + places.below(3) } else { 1 };
            let line = |random: &mut Random| Line {
                function: random.below(FUNCTIONS.len() as u64) as u32,
                line: 10 + random.below(4) as u32,
                column: 0,
            };
            (0..deep).map(|_| line(&mut places)).collect()
        })
        .collect();
    let build_id = |byte: u8| BuildId::new(&[byte; 20]);
    let carried = Carried { functions: true, filenames: true, line_numbers: true, inline_frames: true };
    let mapping = |start: u64, path, id| Mapping {
        start,
        end: start + 0x10_0000,
        file_offset: 0x1000,
        path,
        build_id: build_id(id),
        carried,
    };
    let mappings =
        [mapping(0x40_0000, "/opt/bin/daemon", 1), mapping(0x7f00_0000_0000, "/opt/lib/libz.so.1", 2)];
    let located: Vec<Location<'_>> = locations
        .iter()
        .enumerate()
        .map(|(at, lines)| {
            let mapping = u32::from(kind == Kind::Rich && at >= 32);
            let address = mappings[mapping as usize].start + 0x100 + 0x10 * at as u64;
            Location { address, mapping: Some(mapping), lines }
        })
        .collect();
    let text = |key: &str, value: String| Label { key: key.into(), value: LabelValue::Text(value) };
    let stacks: Vec<(Vec<u32>, [f64; 4], Vec<Label>)> = (0..300)
        .map(|_| {
            let depth = 1 + random.below(9);
            let path = (0..depth).map(|_| random.below(located.len() as u64) as u32).collect();
            let size = 16 << random.below(16);
            let live = random.below(20) as f64;
            let allocated = live + random.below(50) as f64 + 1.0;
            let values = [allocated, allocated * size as f64, live, live * size as f64];
            let bytes = LabelValue::Number { value: size, unit: "bytes".into() };
            let labels = [
                text("thread", format!("worker-{}", random.below(4))),
                text("tenant", ["blue", "green"][random.below(2) as usize].into()),
                Label { key: "bytes".into(), value: bytes },
            ];
            let labels = if kind == Kind::Rich { labels.to_vec() } else { Vec::new() };
            (path, values, labels)
        })
        .collect();
    let samples: Vec<Sample<'_>> =
        stacks.iter().map(|(locations, values, labels)| Sample { locations, values, labels }).collect();
    let functions: Vec<Function<'_>> = FUNCTIONS
        .iter()
        .map(|(name, file)| Function { name, file, start_line: 5, ..Function::default() })
        .collect();
    let sample_types: Vec<ValueType<'_>> = METRICS
        .iter()
        .map(|name| ValueType { name, unit: if name.ends_with("space") { "bytes" } else { "count" } })
        .collect();
    encode(&Profile {
        sample_types: &sample_types,
        default_sample_type: "inuse_space",
        samples: &samples,
        mappings: &mappings,
        locations: &located,
        functions: &functions,
        period_type: ValueType { name: "space", unit: "bytes" },
        period: 524_288,
        ..Profile::default()
    })
}

/// Two profiles of one program.
struct Pair {
    folder: Scratch,
    now: PathBuf,
    base: String,
}

impl Pair {
    fn new(seed: u64, kind: Kind) -> Pair {
        let folder = Scratch::new("pprof");
        let (now, base) = (folder.file("now.pb"), folder.file("base.pb"));
        std::fs::write(&now, profile(seed, kind)).unwrap();
        std::fs::write(&base, profile(seed + 1000, kind)).unwrap();
        Pair { base: base.display().to_string(), now, folder }
    }

    /// What both print for the same words, in which `BASE` stands for the second profile.
    fn both(&self, report: &str, words: &[&str]) -> [String; 2] {
        let words: Vec<String> = words.iter().map(|word| word.replace("BASE", &self.base)).collect();
        [ours(report, &words, &self.now, &self.folder), pprof(report, &words, &self.now, &self.folder)]
    }
}

/// `peek=REGEX` is pprof's flag and our command with a word behind it.
fn ours(report: &str, words: &[String], dump: &Path, folder: &Scratch) -> String {
    let (command, argument) = report.split_once('=').map_or((report, None), |(c, a)| (c, Some(a)));
    let run = Run::new(build::viewer(CargoProfile::own())).folder(folder.path()).arg(command).args(argument);
    run.args(words).arg(dump).outcome().ok().stdout
}

fn pprof(report: &str, words: &[String], dump: &Path, folder: &Scratch) -> String {
    let run = Run::new("go").folder(folder.path()).args(["tool", "pprof", "-symbolize=none"]);
    let run = run.arg(format!("-{report}")).env("PPROF_TMPDIR", folder.path()).env("HOME", folder.path());
    run.args(words).arg(dump).outcome().ok().stdout
}

/// A figure with its unit as a number of bytes or objects.
#[track_caller]
fn figure(word: &str) -> f64 {
    word.trim_end_matches('B').parse().unwrap_or_else(|_| panic!("`{word}` is no figure"))
}

/// The name without the mark of inlined functions: pprof's is about the calls of each caller, ours about all.
fn unmarked(name: &str) -> String {
    let marks = [" (inline)", " (partial-inline)"];
    marks.iter().find_map(|mark| name.strip_suffix(mark)).unwrap_or(name).into()
}

/// The five figures in front of a name, and the name.
fn columns(line: &str) -> Option<([&str; 5], &str)> {
    let (mut words, mut rest) = ([""; 5], line);
    for word in &mut words {
        (*word, rest) = rest.trim_start().split_once(' ')?;
    }
    Some((words, rest.trim_start()))
}

#[derive(Debug, PartialEq)]
struct Row {
    name: String,
    flat: f64,
    cum: f64,
    shares: [String; 3],
}

fn row(words: [&str; 5], name: &str) -> Row {
    let [flat, flat_share, sum, cum, cum_share] = words;
    let shares = [flat_share, sum, cum_share].map(String::from);
    Row { name: unmarked(name), flat: figure(flat), cum: figure(cum), shares }
}

/// Rows of `top`, and `Showing nodes ..`.
#[track_caller]
fn top(text: &str) -> (String, Vec<Row>) {
    let showing = text.lines().find(|line| line.starts_with("Showing nodes")).expect("a head").to_string();
    let rows = text.lines().skip_while(|line| !line.contains("flat  flat%")).skip(1);
    (showing, rows.map(|line| columns(line).map(|(words, name)| row(words, name)).unwrap()).collect())
}

/// A function between its callers and callees; these by name, since equal ones are in no order. Whether a callee was
/// inlined is left out: pprof has it wrong when frames are hidden.
#[derive(Debug, PartialEq)]
struct Block {
    row: Row,
    callers: Vec<(String, String, String)>,
    callees: Vec<(String, String, String)>,
}

/// Blocks of `tree` and `peek`.
fn tree(text: &str) -> Vec<Block> {
    let lines = text.lines().skip_while(|line| !line.contains("calls calls%"));
    let lines: Vec<&str> = lines.skip(1).collect();
    let mut blocks = Vec::new();
    for lines in lines.split(|line| line.starts_with("-----")) {
        let (mut around, mut own) = ([Vec::new(), Vec::new()], None);
        for line in lines {
            let (figures, name) = line.split_once("| ").unwrap();
            match figures.split_whitespace().collect::<Vec<&str>>()[..] {
                [weight, share] => {
                    around[usize::from(own.is_some())].push((
                        unmarked(name.trim()),
                        weight.into(),
                        share.into(),
                    ));
                }
                [a, b, c, d, e] => own = Some(row([a, b, c, d, e], name)),
                _ => panic!("`{line}`"),
            }
        }
        let Some(row) = own else { continue };
        around.iter_mut().for_each(|edges: &mut Vec<(String, String, String)>| edges.sort());
        let [callers, callees] = around;
        blocks.push(Block { row, callers, callees });
    }
    blocks
}

/// Totals by key, and figures and shares by key and value.
fn tags(text: &str) -> BTreeMap<(String, String), (f64, String)> {
    let mut found = BTreeMap::new();
    let mut key = String::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if let Some((name, total)) = line.split_once(": Total ") {
            key = name.trim().into();
            found.insert((key.clone(), String::new()), (figure(total.trim()), String::new()));
        } else {
            let (what, value) = line.split_once("):").unwrap_or_else(|| panic!("`{line}`"));
            let (number, share) = what.split_once('(').unwrap();
            found.insert((key.clone(), value.trim().into()), (figure(number.trim()), share.trim().into()));
        }
    }
    found
}

/// Stacks with their labels, sorted: pprof prints them in the order of the file. Sizes in labels are left out: pprof
/// shortens them; and so are marks of inlined functions, as in trees.
fn traces(text: &str) -> Vec<Vec<String>> {
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("-----")).collect();
    let blocks = lines.split(|line| line.starts_with("-----")).filter(|block| !block.is_empty());
    // pprof shows stacks of nothing, too.
    let blocks = blocks.filter(|block| !block.iter().any(|line| line.starts_with("         0   ")));
    let mut blocks: Vec<Vec<String>> = blocks
        .map(|block| {
            let lines = block.iter().filter(|line| !line.trim_start().starts_with("bytes:"));
            lines.map(|line| unmarked(line.trim_end())).collect()
        })
        .collect();
    blocks.sort();
    blocks
}

/// Asserts that both show the same.
#[track_caller]
fn agree(pair: &Pair, report: &str, words: &[&str]) {
    let [ours, theirs] = pair.both(report, words);
    let what = format!("{report} {words:?}\n--- ours\n{ours}\n--- pprof\n{theirs}");
    match report.split('=').next().unwrap() {
        "top" => {
            let (ours, theirs) = (top(&ours), top(&theirs));
            assert!(!ours.1.is_empty(), "{what}");
            assert_eq!(ours, theirs, "{what}");
        }
        "tree" | "peek" => {
            let (ours, theirs) = (tree(&ours), tree(&theirs));
            assert!(!ours.is_empty(), "{what}");
            assert_eq!(ours, theirs, "{what}");
        }
        "tags" => {
            assert!(!tags(&ours).is_empty(), "{what}");
            assert_eq!(tags(&ours), tags(&theirs), "{what}");
        }
        "traces" => {
            assert!(!traces(&ours).is_empty(), "{what}");
            assert_eq!(traces(&ours), traces(&theirs), "{what}");
        }
        other => panic!("{other} has no reader here"),
    }
}

/// Words that leave nothing out.
const ALL: [&str; 4] = ["-unit=B", "-nodefraction=0", "-edgefraction=0", "-nodecount=0"];

#[track_caller]
fn check(pair: &Pair, reports: &[&str], requests: &[&[&str]]) {
    for report in reports {
        for words in requests {
            agree(pair, report, &[&ALL, *words].concat());
        }
    }
}

const REPORTS: [&str; 5] = ["top", "tree", "peek=walk|visit|main", "tags", "traces"];

#[test]
fn figures_orders_and_kinds_of_rows_are_pprof_s() {
    let pair = Pair::new(1, Kind::Rich);
    check(&pair, &REPORTS, &[&[], &["-sample_index=alloc_space"]]);
    check(&pair, &REPORTS[..3], &[&["-cum"], &["-lines"], &["-addresses"], &["-filefunctions"]]);
    check(&pair, &["top", "tree", "traces"], &[&["-noinlines"], &["-lines", "-noinlines"]]);
    check(&pair, &["top"], &[&["-divide_by=4"], &["-sample_index=1"], &["-alloc_space", "-cum"]]);
    // Counts have no unit; pprof would print the one that was asked for.
    for index in ["-sample_index=inuse_objects", "-sample_index=alloc_objects", "-inuse_objects"] {
        for report in REPORTS {
            agree(
                &pair,
                report,
                &[index, "-unit=count", "-nodefraction=0", "-edgefraction=0", "-nodecount=0"],
            );
        }
    }
    // Rows of files are told apart by module in pprof, without a word of it.
    check(&Pair::new(2, Kind::Plain), &["top", "tree"], &[&["-files"], &["-files", "-cum"]]);
}

#[test]
fn filters_of_stacks_and_frames_are_pprof_s() {
    let pair = Pair::new(3, Kind::Rich);
    let everywhere: [&[&str]; 6] = [
        &["-focus=parse"],
        &["-ignore=inflate|parse"],
        &["-focus=cache", "-ignore=zlib"],
        &["-hide=vec"],
        &["-show=app"],
        &["-focus=serve", "-hide=alloc", "-relative_percentages"],
    ];
    check(&pair, &["top", "tree", "tags", "traces"], &everywhere);
    // pprof cuts these off the place instead of the stack, so that inlined callers are lost further up as well.
    let pair = Pair::new(4, Kind::Plain);
    let cuts: [&[&str]; 4] = [
        &["-show_from=walk"],
        &["-prune_from=walk"],
        &["-prune_from=^Queue::operator\\(\\)$"],
        &["-show_from=parse", "-prune_from=insert"],
    ];
    check(&pair, &["top", "tree", "traces"], &cuts);
}

#[test]
fn filters_by_label_and_labels_as_frames_are_pprof_s() {
    let pair = Pair::new(5, Kind::Rich);
    let requests: [&[&str]; 10] = [
        &["-tagfocus=worker-1"],
        &["-tagfocus=tenant=blue"],
        &["-tagfocus=worker,blue"],
        &["-tagignore=bytes=1kb:"],
        &["-tagfocus=1kb:64kb"],
        &["-tagfocus=4kb"],
        &["-tagfocus=:2kb", "-tagignore=green"],
        &["-tagroot=thread"],
        &["-tagroot=thread,tenant"],
        &["-tagleaf=tenant,thread"],
    ];
    check(&pair, &["top", "tree", "tags", "traces"], &requests);
    check(&pair, &["top", "tree"], &[&["-tagleaf=bytes"]]);
}

#[test]
fn what_is_left_out_as_small_is_what_pprof_leaves_out() {
    let pair = Pair::new(6, Kind::Rich);
    for words in [
        &["-nodefraction=0.4"] as &[&str],
        &["-lines", "-nodefraction=0.2"],
        &["-focus=parse", "-nodefraction=0.3"],
        &["-nodecount=4", "-nodefraction=0"],
        &["-lines"],
    ] {
        agree(&pair, "top", &[&["-unit=B"], words].concat());
    }
    agree(&pair, "tree", &["-unit=B", "-nodecount=0", "-nodefraction=0", "-edgefraction=0.05"]);
    agree(&pair, "tree", &["-unit=B", "-nodecount=0", "-trim=false"]);
}

#[test]
fn differences_are_pprof_s() {
    // With labels pprof subtracts label by label, also where no label is shown; ours does so where one is.
    let pair = Pair::new(7, Kind::Plain);
    let requests: [&[&str]; 4] = [
        &["-base=BASE"],
        &["-diff_base=BASE"],
        &["-diff_base=BASE", "-cum"],
        &["-base=BASE", "-focus=parse"],
    ];
    check(&pair, &["top", "tree", "peek=insert"], &requests);
    // The figures of rows are the same with labels, too.
    let rows = |text: &str| -> BTreeMap<String, [f64; 2]> {
        top(text).1.into_iter().map(|row| (row.name, [row.flat, row.cum])).collect()
    };
    let pair = Pair::new(8, Kind::Rich);
    let [ours, theirs] = pair.both("top", &[&ALL[..], &["-base=BASE", "-sample_index=alloc_space"]].concat());
    assert_eq!(rows(&ours), rows(&theirs));
    // pprof cuts each of the 300 stacks to whole bytes when it scales them.
    for words in
        [["-diff_base=BASE", "-sample_index=inuse_space"], ["-base=BASE", "-sample_index=alloc_space"]]
    {
        let [ours, theirs] =
            pair.both("top", &[&ALL[..], &["-normalize"], &words].concat()).map(|t| rows(&t));
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>());
        for (name, figures) in &ours {
            for (a, b) in figures.iter().zip(theirs[name]) {
                assert!((a - b).abs() <= 300.0, "{words:?} {name}: {a}, in pprof {b}");
            }
        }
    }
}

/// pprof divides by the first figure of the file, which is that of allocated objects.
#[test]
fn averages_of_what_was_allocated_are_pprof_s() {
    let pair = Pair::new(9, Kind::Rich);
    let [ours, theirs] = pair.both("top", &[&ALL[..], &["-mean", "-sample_index=alloc_space"]].concat());
    let mut compared = 0;
    for row in top(&theirs).1 {
        let line = ours.lines().find(|line| line.ends_with(&format!("  {}", row.name)));
        let line = line.unwrap_or_else(|| panic!("no {} in\n{ours}", row.name));
        let words: Vec<&str> = line.split_whitespace().collect();
        // Cut to whole bytes there, rounded here.
        assert!((figure(words[0]) - row.flat).abs() <= 1.0, "{line} {row:?}");
        assert!((figure(words[1]) - row.cum).abs() <= 1.0, "{line} {row:?}");
        compared += 1;
    }
    assert!(compared > 10);
}

/// What we write, pprof reads as we read the dump that it was made of: the C program and the Rust service, each figure.
#[test]
fn what_we_write_pprof_shows_as_we_show_the_dump() {
    let folder = Scratch::new("pprof-proto");
    let programs: [(PathBuf, Option<PathBuf>, &[&str]); 2] = [
        (compiled("work.c"), Some(build::preload()), &[]),
        (build::svc(CargoProfile::own()), None, &["--requests=20000"]),
    ];
    for (program, preload, arguments) in programs {
        for format in ["pprof", "heap_v2", "text"] {
            let prefix = folder.file(&format!("{}-{format}", program.file_name().unwrap().to_str().unwrap()));
            let conf = format!(
                "prof:true,lg_prof_sample:12,prof_final:true,prof_accum:true,prof_dump_format:{format},prof_prefix:{}",
                prefix.display()
            );
            let run = Run::new(&program).args(arguments).conf(conf);
            match &preload {
                Some(library) => run.preload(library).outcome().ok(),
                None => run.outcome().ok(),
            };
            let name = prefix.file_name().unwrap().to_str().unwrap();
            let dump = folder.files(&format!("{name}.")).remove(0);
            let proto = folder.file("out.pb.gz");
            Run::new(build::viewer(CargoProfile::own()))
                .args(["proto", "-o"])
                .arg(&proto)
                .arg(&dump)
                .outcome()
                .ok();
            for index in METRICS {
                let words = [format!("-{index}"), "-nodefraction=0".into(), "-nodecount=0".into()];
                let unit = if index.ends_with("space") { "-unit=B" } else { "-unit=count" };
                let words = [&words[..], &[unit.into()]].concat();
                let ours = top(&ours("top", &words, &dump, &folder)).1;
                let theirs = top(&pprof("top", &words, &proto, &folder)).1;
                assert!(ours.len() > 5, "{ours:?}");
                let theirs: BTreeMap<&str, &Row> =
                    theirs.iter().map(|row| (row.name.as_str(), row)).collect();
                // Values of a profile.proto are whole: a stack may be off by one, and what is less than half is gone.
                // Of text files it is made of the threads' shares, each rounded before it is scaled up.
                let stacks = suite::heap::read(&dump).stacks.len() as f64;
                let relative = if format == "pprof" { 0.0 } else { 1e-4 };
                let close = |a: f64, b: f64| (a - b).abs() <= stacks + relative * a;
                for row in &ours {
                    let (flat, cum) =
                        theirs.get(row.name.as_str()).map_or((0.0, 0.0), |row| (row.flat, row.cum));
                    assert!(
                        close(row.flat, flat) && close(row.cum, cum),
                        "{format} {index} {row:?}: pprof {flat} {cum}"
                    );
                }
                let total = ours.iter().map(|row| row.flat).sum::<f64>();
                let theirs = theirs.values().map(|row| row.flat).sum::<f64>();
                assert!(close(total, theirs), "{format} {index}: total {total}, in pprof {theirs}");
            }
        }
    }
}

/// A dump without names: pprof looks them up itself, with binutils, ours with its own resolver. The program's functions
/// have one name in both; seven of them hold live memory.
#[test]
fn a_dump_without_names_has_the_same_figures_in_pprof() {
    let folder = Scratch::new("pprof-names");
    let program = compiled("work.c");
    let conf = format!(
        "prof:true,lg_prof_sample:12,prof_final:true,prof_accum:true,prof_dump_format:pprof,prof_prefix:{}",
        folder.file("work").display()
    );
    Run::new(&program).preload(&build::preload()).conf(conf).outcome().ok();
    let dump = folder.files("work.").remove(0);
    let source = std::fs::read_to_string(build::workspace().join("fixtures/programs/work.c")).unwrap();
    for index in METRICS {
        let unit = if index.ends_with("space") { "-unit=B" } else { "-unit=count" };
        let words = [format!("-{index}"), "-nodefraction=0".into(), "-nodecount=0".into(), unit.into()];
        let ours = top(&ours("top", &words, &dump, &folder)).1;
        let run = Run::new("go").folder(folder.path()).args(["tool", "pprof", "-top"]).args(&words);
        let run = run.env("PPROF_TMPDIR", folder.path()).env("HOME", folder.path());
        let theirs = top(&run.arg(&program).arg(&dump).outcome().ok().stdout).1;
        let mut compared = 0;
        for row in ours.iter().filter(|row| source.contains(&format!("{}(", row.name))) {
            let other = theirs.iter().find(|other| other.name == row.name);
            // `main` lies in a section of its own, where pprof 1.19 finds no name.
            let Some(other) = other else { continue };
            assert_eq!((row.flat, row.cum), (other.flat, other.cum), "{index} {}", row.name);
            compared += 1;
        }
        assert!(compared >= 7, "{index}: only {compared} in common: {ours:#?} {theirs:#?}");
    }
}
