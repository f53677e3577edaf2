//! Our dumps in other people's viewers: perl jeprof, Go's pprof and the parser of jemalloc_pprof, against ours.
#![cfg(feature = "outside")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use suite::build::{self, Profile, preload};
use suite::fixture::compiled;
use suite::heap;
use suite::run::Run;
use suite::scratch::Scratch;

/// A total, and flat figures by function.
#[derive(Debug)]
struct Table {
    total: f64,
    flat: BTreeMap<String, f64>,
}

/// `jeprof --text` and ours print alike.
fn jeprof_table(text: &str) -> Table {
    let mut table = Table { total: f64::NAN, flat: BTreeMap::new() };
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["Total:", total, _] => table.total = total.parse().unwrap_or_else(|_| panic!("`{line}`")),
            [flat, _, _, _, _, ref name @ ..] if !name.is_empty() => {
                if let Ok(flat) = flat.parse::<f64>() {
                    // With --addresses the address comes before function and place.
                    let name = if is_address(name[0]) {
                        name[0].to_owned()
                    } else {
                        name.join(" ").replace(" (inline)", "").replace(" (partial-inline)", "")
                    };
                    *table.flat.entry(name).or_default() += flat;
                }
            }
            _ => {}
        }
    }
    assert!(!table.total.is_nan(), "no total in\n{text}");
    table
}

/// `go tool pprof -top -unit=b` (or `-unit=` of counts): `Showing nodes accounting for ..., of TOTAL total`.
fn pprof_table(text: &str) -> Table {
    let number = |word: &str| word.trim_end_matches('B').parse::<f64>().ok();
    let mut table = Table { total: f64::NAN, flat: BTreeMap::new() };
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if line.starts_with("Showing nodes accounting for") {
            let at = words.iter().position(|word| *word == "of").unwrap_or_else(|| panic!("`{line}`"));
            table.total = number(words[at + 1]).unwrap_or_else(|| panic!("`{line}`"));
        } else if let [flat, _, _, _, _, name @ ..] = &words[..]
            && let Some(flat) = number(flat)
            && !name.is_empty()
        {
            *table
                .flat
                .entry(name.join(" ").replace(" (inline)", "").replace(" (partial-inline)", ""))
                .or_default() += flat;
        }
    }
    assert!(!table.total.is_nan(), "no total in\n{text}");
    table
}

fn ours(program: &Path, dump: &Path, arguments: &[&str]) -> Table {
    let run = Run::new(build::viewer(Profile::own())).args(["--text", "--show_bytes"]).args(arguments);
    jeprof_table(&run.arg(program).arg(dump).outcome().ok().stdout)
}

fn jeprof(program: &Path, dump: &Path, arguments: &[&str]) -> Table {
    let run = Run::new("jeprof").args(["--text", "--show_bytes"]).args(arguments);
    jeprof_table(&run.arg(program).arg(dump).outcome().ok().stdout)
}

fn pprof(program: &Path, dump: &Path, index: &str) -> Table {
    let unit = if index.ends_with("space") { "-unit=b" } else { "-unit=count" };
    let index = format!("-sample_index={index}");
    let folder = Scratch::new("pprof");
    let arguments =
        ["tool", "pprof", "-top", "-nodecount=1000000", "-nodefraction=0", "-edgefraction=0", unit, &index];
    let run = Run::new("go").args(arguments).env("PPROF_TMPDIR", folder.path()).env("HOME", folder.path());
    pprof_table(&run.arg(program).arg(dump).outcome().ok().stdout)
}

/// How far two tables may be apart.
#[derive(Clone, Copy)]
enum Tolerance {
    /// To the printed digit; a sum in another order may end in another last one.
    Exact,
    /// Go's pprof keeps integers: it cuts each stack to a whole number, so a sum is off by up to one per stack, and
    /// within 0.01 % as soon as the figures are bytes.
    WholeStacks(usize),
}

impl Tolerance {
    fn allows(self, a: f64, b: f64) -> bool {
        let slack = match self {
            Tolerance::Exact => 1.0,
            Tolerance::WholeStacks(stacks) => (1e-4 * a.abs()).max(stacks as f64),
        };
        (a - b).abs() <= slack
    }
}

/// Whether a function is the program's own. For the system's libraries GNU addr2line names the enclosing symbol where
/// the debug information has an inlined function; there the names mean different things.
fn is_own(name: &str) -> bool {
    const WORK: [&str; 9] = [
        "new_table",
        "new_row",
        "new_name",
        "grow_buffer",
        "big_block",
        "aligned_block",
        "leak_note",
        "new_message",
        "main",
    ];
    WORK.contains(&name) || is_address(name)
}

fn is_address(word: &str) -> bool {
    word.len() == 16 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn whole_stacks(dump: &Path) -> Tolerance {
    Tolerance::WholeStacks(heap::read(dump).stacks.len())
}

/// Asserts the same total.
#[track_caller]
fn agree_on_total(what: &str, ours: &Table, theirs: &Table, tolerance: Tolerance) {
    let (a, b) = (ours.total, theirs.total);
    assert!(a > 0.0 && tolerance.allows(a, b), "{what}: total {a} and {b}");
}

/// Asserts the same total, and the same flat figure for each of the program's functions that both name.
#[track_caller]
fn agree(what: &str, ours: &Table, theirs: &Table, tolerance: Tolerance, functions_at_least: usize) {
    agree_on_total(what, ours, theirs, tolerance);
    let close = |a, b| tolerance.allows(a, b);
    let own = ours.flat.iter().filter(|(name, _)| is_own(name));
    let both: Vec<_> = own.filter_map(|(name, a)| Some((name, a, theirs.flat.get(name)?))).collect();
    let wrong: Vec<_> = both.iter().filter(|(_, a, b)| !close(**a, **b)).collect();
    assert!(wrong.is_empty(), "{what}: function, ours, theirs: {wrong:#?}");
    let telling = both.iter().filter(|(_, a, _)| **a > 0.0).count();
    assert!(
        telling >= functions_at_least,
        "{what}: only {telling} functions in common: {ours:#?} {theirs:#?}"
    );
}

/// Dumps of the C program with known work, sampled, in one format.
fn dump_of_work(folder: &Scratch, format: &str, accum: bool) -> (PathBuf, PathBuf) {
    let program = compiled("work.c");
    let prefix = folder.file(format);
    let conf = format!(
        "prof:true,lg_prof_sample:12,prof_final:true,prof_accum:{accum},prof_dump_format:{format},prof_prefix:{}",
        prefix.display()
    );
    Run::new(&program).preload(&preload()).conf(conf).outcome().ok();
    let dumps = folder.files(".f.");
    assert_eq!(dumps.len(), 1, "{dumps:?}");
    (program, dumps[0].clone())
}

/// The same of the Rust service.
fn dump_of_svc(folder: &Scratch, format: &str) -> (PathBuf, PathBuf) {
    let program = build::svc(Profile::own()).canonicalize().unwrap();
    let prefix = folder.file(format);
    let conf = format!(
        "prof:true,lg_prof_sample:12,prof_final:true,prof_dump_format:{format},prof_prefix:{}",
        prefix.display()
    );
    Run::new(&program).args(["--requests=20000"]).conf(conf).outcome().ok();
    (program, folder.files(".f.").remove(0))
}

#[test]
fn perl_jeprof_and_ours_agree_on_the_text_dump() {
    let folder = Scratch::new("jeprof-text");
    let (program, dump) = dump_of_work(&folder, "text", false);
    agree("bytes", &ours(&program, &dump, &[]), &jeprof(&program, &dump, &[]), Tolerance::Exact, 7);
    let objects = ["--inuse_objects"];
    agree(
        "objects",
        &ours(&program, &dump, &objects),
        &jeprof(&program, &dump, &objects),
        Tolerance::Exact,
        7,
    );
}

#[test]
fn perl_jeprof_and_ours_agree_on_the_heap_v2_dump() {
    let folder = Scratch::new("jeprof-native");
    let (program, dump) = dump_of_work(&folder, "heap_v2", true);
    for kind in ["--inuse_space", "--inuse_objects", "--alloc_space", "--alloc_objects"] {
        agree(kind, &ours(&program, &dump, &[kind]), &jeprof(&program, &dump, &[kind]), Tolerance::Exact, 7);
    }
}

/// Figures by address, of the rows of `--disasm` that have any.
fn instructions(text: &str) -> BTreeMap<String, [String; 2]> {
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [flat, cum, address, _, ..] = words[..] else { return None };
        let address = address.strip_suffix(':')?;
        // Rows of source lines have a decimal number, and more room in front of it.
        let is_instruction = line.get(13..17) == Some("    ") && u64::from_str_radix(address, 16).is_ok();
        (is_instruction && [flat, cum] != [".", "."]).then(|| (address.into(), [flat.into(), cum.into()]))
    };
    text.lines().filter_map(row).collect()
}

#[test]
fn perl_jeprof_and_ours_agree_on_the_figures_of_instructions() {
    let folder = Scratch::new("jeprof-disasm");
    let (program, dump) = dump_of_work(&folder, "heap_v2", false);
    let words = ["--disasm=^(new_|grow_|main)", "--show_bytes"];
    let theirs = Run::new("jeprof").args(words).arg(&program).arg(&dump).outcome().ok().stdout;
    let viewer = build::viewer(Profile::own());
    let ours = Run::new(viewer).args(words).arg(&program).arg(&dump).outcome().ok().stdout;
    let (ours, theirs) = (instructions(&ours), instructions(&theirs));
    assert!(ours.len() > 5, "{ours:?}");
    assert_eq!(ours, theirs);
}

#[test]
fn go_pprof_and_ours_agree_on_the_text_dump() {
    let folder = Scratch::new("pprof-text");
    let (program, dump) = dump_of_work(&folder, "text", false);
    agree(
        "bytes",
        &ours(&program, &dump, &[]),
        &pprof(&program, &dump, "inuse_space"),
        whole_stacks(&dump),
        7,
    );
    let objects = ours(&program, &dump, &["--inuse_objects"]);
    agree("objects", &objects, &pprof(&program, &dump, "inuse_objects"), whole_stacks(&dump), 7);
}

#[test]
fn go_pprof_and_ours_agree_on_the_profile_proto_dump() {
    let folder = Scratch::new("pprof-proto");
    let (program, dump) = dump_of_work(&folder, "pprof", true);
    for kind in ["inuse_space", "inuse_objects", "alloc_space", "alloc_objects"] {
        agree(
            kind,
            &ours(&program, &dump, &[&format!("--{kind}")]),
            &pprof(&program, &dump, kind),
            whole_stacks(&dump),
            7,
        );
    }
}

/// In the service nearly every leaf is an inlined function of the standard library, which GNU addr2line calls by the
/// name of the function around it; so leaves are compared by address, and with pprof, which moves addresses and calls
/// `svc::main` and all that is inlined in it `main`, the total alone.
#[test]
fn the_viewers_agree_on_the_service() {
    let folder = Scratch::new("viewers-svc");
    let (program, dump) = dump_of_svc(&folder, "text");
    // jeprof does not know Rust's allocation shims, some of which are functions of their own.
    let ours_here = ours(&program, &dump, &["--addresses", "--all_frames"]);
    let theirs = jeprof(&program, &dump, &["--addresses"]);
    agree("jeprof", &ours_here, &theirs, Tolerance::Exact, 20);
    agree_on_total("text", &ours_here, &pprof(&program, &dump, "inuse_space"), whole_stacks(&dump));
    let folder = Scratch::new("viewers-svc-proto");
    let (program, dump) = dump_of_svc(&folder, "pprof");
    let ours_here = ours(&program, &dump, &[]);
    agree_on_total("proto", &ours_here, &pprof(&program, &dump, "inuse_space"), whole_stacks(&dump));
}

#[test]
fn the_parser_of_jemalloc_pprof_reads_the_heap_v2_dump() {
    let folder = Scratch::new("jemalloc-pprof");
    let (_, dump) = dump_of_work(&folder, "heap_v2", false);
    let bytes = std::fs::read(&dump).unwrap();
    let parsed =
        pprof_util::parse_jeheap(std::io::BufReader::new(&bytes[..]), None).expect("its parser reads it");
    let theirs: f64 = parsed.iter().map(|(stack, _)| stack.weight).sum();
    let total = heap::total(&heap::read(&dump)).bytes;
    assert!((theirs - total).abs() <= 1e-3 * total, "{theirs}, not {total}");
}

/// What the preloaded C library dumps, our viewer shows as jeprof does.
#[test]
fn a_dump_of_the_c_jemalloc_gives_the_same_table_as_in_jeprof() {
    let folder = Scratch::new("original");
    let program = compiled("work.c");
    let library = Path::new("/usr/lib/x86_64-linux-gnu/libjemalloc.so.2");
    let conf =
        format!("prof:true,lg_prof_sample:12,prof_final:true,prof_prefix:{}/c", folder.path().display());
    Run::new(&program).preload(library).conf(conf).outcome().ok();
    let dump = folder.files(".f.heap").remove(0);
    let (ours, theirs) = (ours(&program, &dump, &[]), jeprof(&program, &dump, &[]));
    agree("bytes", &ours, &theirs, Tolerance::Exact, 7);
}
