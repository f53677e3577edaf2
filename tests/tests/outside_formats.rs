//! Synthetic snapshots, written by our writers, in other people's readers: what they make of a file must be what our
//! reader makes of it, and what the snapshot says.
#![cfg(feature = "outside")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use object::{Object, ObjectSegment, ObjectSymbol, SymbolKind};
use prof_format::any::{read, write};
use prof_format::dump::{Carried, Dump, Figure, Label, LabelValue, StackRow};
use prof_format::gzip::{Gzip, GzipState};
use prof_format::pprof::{Function, Line, Location, Mapping, Profile, Sample, ValueType, encode};
use prof_format::testing::{Random, VecModule, VecSnapshot};
use prof_format::vocab::{BuildId, Format, Tally};
use suite::fixture::compiled_with;
use suite::run::Run;
use suite::scratch::Scratch;

/// Where the program would be mapped.
const BASE: u64 = 0x5555_5555_4000;

/// A real program, so that the viewers find names, with its functions: name, file offset, size.
struct Program {
    path: PathBuf,
    functions: Vec<(String, u64, u64)>,
    /// Offset in the file and length of what is executable.
    text: (u64, u64),
    build_id: BuildId,
}

fn program() -> Program {
    // Without inlining a function has one name in every viewer.
    let path = compiled_with("work.c", &["-O0"]).canonicalize().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let file = object::File::parse(&bytes[..]).unwrap();
    let functions: Vec<_> = file
        .symbols()
        .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.is_definition() && symbol.size() > 16)
        .map(|symbol| (symbol.name().unwrap_or_default().to_owned(), symbol.address(), symbol.size()))
        // `_start` has no line, and names of allocation functions are cut off by jeprof.
        .filter(|(name, ..)| !name.starts_with('_') && !name.contains("alloc"))
        .collect();
    assert!(functions.len() >= 5, "{functions:?}");
    let first = functions[0].1;
    let segment =
        file.segments().find(|part| (part.address()..part.address() + part.size()).contains(&first)).unwrap();
    let (offset, length) = segment.file_range();
    assert_eq!(offset, segment.address(), "offsets serve as addresses below");
    let build_id = BuildId::new(file.build_id().ok().flatten().unwrap_or_default());
    Program { path, functions, text: (offset, length.next_multiple_of(4096)), build_id }
}

/// Stacks of that program with samples of all sizes; half of the stacks hold objects of one size.
fn snapshot(program: &Program, seed: u64, period: u64, accum: bool) -> VecSnapshot {
    let mut random = Random::new(seed);
    let mut snapshot = VecSnapshot::empty(period, accum);
    let (offset, length) = program.text;
    let path = program.path.to_str().unwrap();
    let (start, end) = (BASE + offset, BASE + offset + length);
    snapshot.program = path.into();
    snapshot.modules =
        vec![VecModule { range: (start, end, offset), path: path.into(), build_id: program.build_id }];
    snapshot.maps = format!("{start:x}-{end:x} r-xp {offset:08x} fe:00 77                   {path}\n").into();
    while snapshot.stacks.len() < 500 {
        let frames: Vec<u64> = (0..1 + random.below(12))
            .map(|_| {
                let (_, start, size) =
                    &program.functions[random.below(program.functions.len() as u64) as usize];
                // Go takes another 1 from an address that is lowered already.
                BASE + start + 2 + random.below(size - 2)
            })
            .collect();
        let one_size = random.below(2).eq(&0).then(|| random.size_class());
        let mut sizes = |count| -> Vec<u64> {
            (0..random.below(count)).map(|_| one_size.unwrap_or_else(|| random.size_class())).collect()
        };
        let (live, freed, other) = (sizes(12), sizes(12), sizes(4));
        if live.is_empty() && other.is_empty() {
            continue;
        }
        let all = [live.clone(), freed].concat();
        snapshot.push(&frames, &[(0, &live, &all), (1, &other, &other)]);
    }
    snapshot
}

/// Live and accumulated figures: of the whole, and flat by function.
type Figures = BTreeMap<String, [Figure; 2]>;

const TOTAL: &str = "(total)";

/// What our reader makes of a file, by the functions of leaf addresses.
fn read_by_us(dump: &Dump, program: &Program) -> Figures {
    let mut figures = Figures::new();
    let mut add = |name: &str, row: &StackRow| {
        let [live, accum] = figures.entry(name.to_owned()).or_default();
        (*live, *accum) = (live.plus(row.live), accum.plus(row.accum));
    };
    for row in &dump.stacks {
        let leaf = dump.frame_table[dump.stack(row)[0] as usize].address - BASE;
        let function =
            program.functions.iter().find(|(_, start, size)| (*start..start + size).contains(&leaf));
        add(TOTAL, row);
        add(&function.unwrap().0, row);
    }
    figures
}

/// Total and flat figures of a table as jeprof and pprof print it.
fn table(text: &str) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let number = |word: &str| word.trim_end_matches('B').parse::<f64>().ok();
        match words[..] {
            // `Total (t1): ...` with `--thread`.
            ["Total:", total, ..] | ["Total", _, total, ..] => {
                found.insert(TOTAL.to_owned(), number(total).unwrap());
            }
            ["Showing", "nodes", "accounting", "for", .., total, "total"] => {
                found.insert(TOTAL.to_owned(), number(total).unwrap());
            }
            [flat, _, _, _, _, name] if number(flat).is_some() => {
                found.insert(name.to_owned(), number(flat).unwrap());
            }
            _ => {}
        }
    }
    found
}

fn jeprof(program: &Path, dump: &Path, kind: &str) -> BTreeMap<String, f64> {
    let kind = format!("--{kind}");
    let run = Run::new("jeprof").args(["--text", "--show_bytes", &kind]).arg(program).arg(dump);
    table(&run.outcome().ok().stdout)
}

fn pprof(program: &Path, dump: &Path, kind: &str) -> BTreeMap<String, f64> {
    let unit = if kind.ends_with("space") { "-unit=b" } else { "-unit=count" };
    let kind = format!("-sample_index={kind}");
    let folder = Scratch::new("pprof");
    let run =
        Run::new("go").args(["tool", "pprof", "-top", "-nodecount=1000000", "-nodefraction=0", unit, &kind]);
    let run = run.arg(program).arg(dump).env("PPROF_TMPDIR", folder.path()).env("HOME", folder.path());
    table(&run.outcome().ok().stdout)
}

/// The column of a name such as `inuse_space`.
fn column(figures: &[Figure; 2], kind: &str) -> f64 {
    let figure = figures[usize::from(kind.starts_with("alloc"))];
    if kind.ends_with("space") { figure.bytes } else { figure.objs }
}

/// Every figure within `share` and one unit: both print whole numbers, and each cuts or rounds in its own way.
#[track_caller]
fn assert_same(
    what: &str,
    theirs: &BTreeMap<String, f64>,
    ours: &Figures,
    kind: &str,
    share: f64,
    units: f64,
) {
    assert_eq!(theirs.len(), ours.len(), "{what} {kind}: {theirs:#?}\n{ours:#?}");
    for (name, figures) in ours {
        let ours = column(figures, kind);
        let theirs = theirs.get(name).unwrap_or_else(|| panic!("{what} {kind}: no `{name}` in {theirs:#?}"));
        let slack = share * ours + units;
        assert!((theirs - ours).abs() <= slack, "{what} {kind} of {name}: {theirs}, ours {ours}");
    }
}

/// What our reader finds is what the snapshot says: bytes within 0.01 %.
#[track_caller]
fn assert_true(what: &str, ours: &Figures, snapshot: &VecSnapshot) {
    let check = |found: Figure, truth: Tally| {
        let truth = truth.est_bytes as f64;
        assert!((found.bytes - truth).abs() <= 1e-4 * truth, "{what}: {} bytes, not {truth}", found.bytes);
    };
    check(ours[TOTAL][0], snapshot.total(|part| part.live));
    check(ours[TOTAL][1], snapshot.total(|part| part.accum));
}

/// Hands a dump of each setting to `check`: name of the case, file, what our reader makes of it, columns it has.
fn each_dump(format: Format, mut check: impl FnMut(&str, &Program, &Path, &Figures, &[&str])) {
    let program = program();
    let folder = Scratch::new("formats");
    for (seed, period) in [1, 1 << 12, 1 << 16, 1 << 19].into_iter().enumerate() {
        for accum in [false, true] {
            let what = format!("{} at {period}, accum {accum}", format.name());
            let snapshot = snapshot(&program, seed as u64, period, accum);
            let mut bytes = Vec::new();
            let Ok(()) = write(format, &snapshot, &mut bytes);
            let path = folder.file(&format!("{period}-{accum}"));
            std::fs::write(&path, &bytes).unwrap();
            let ours = read_by_us(&read(&bytes).unwrap(), &program);
            assert_true(&what, &ours, &snapshot);
            let kinds: &[&str] = &["inuse_space", "inuse_objects", "alloc_space", "alloc_objects"];
            check(&what, &program, &path, &ours, if accum { kinds } else { &kinds[..2] });
        }
    }
}

#[test]
fn jeprof_reads_the_text_form_as_we_do_to_the_printed_digit() {
    each_dump(Format::Text, |what, program, path, ours, kinds| {
        for kind in kinds {
            assert_same(what, &jeprof(&program.path, path, kind), ours, kind, 0.0, 1.0);
        }
    });
}

#[test]
fn jeprof_reads_heap_v2_as_we_do_to_the_printed_digit() {
    each_dump(Format::HeapV2, |what, program, path, ours, kinds| {
        // At a distance of 1 jeprof scales exact figures: by exp(-16) for objects of 16 bytes, the smallest here.
        let share = if what.contains(" at 1,") { 1.2e-7 } else { 0.0 };
        for kind in kinds {
            assert_same(what, &jeprof(&program.path, path, kind), ours, kind, share, 1.0);
        }
    });
}

#[test]
fn go_pprof_reads_the_text_form_as_we_do_within_a_hundredth_of_a_percent() {
    each_dump(Format::Text, |what, program, path, ours, kinds| {
        for kind in kinds {
            // It cuts each of up to 1,000 lines to whole numbers, which costs half an object or byte each.
            let objects = if kind.ends_with("objects") { 500.0 } else { 1.0 };
            assert_same(what, &pprof(&program.path, path, kind), ours, kind, 1e-4, objects);
        }
    });
}

#[test]
fn go_pprof_reads_profile_proto_as_we_do_to_the_unit() {
    each_dump(Format::Pprof, |what, program, path, ours, kinds| {
        for kind in kinds {
            assert_same(what, &pprof(&program.path, path, kind), ours, kind, 0.0, 0.5);
        }
    });
}

#[test]
fn go_pprof_reads_the_gzipped_form_of_ours() {
    let program = program();
    let folder = Scratch::new("gzipped");
    let snapshot = snapshot(&program, 9, 1 << 16, true);
    let mut state = Box::new(GzipState::new());
    let mut gzip = Gzip::new(Vec::new(), &mut state);
    let Ok(()) = write(Format::Pprof, &snapshot, &mut gzip);
    let Ok(bytes) = gzip.finish();
    let path = folder.file("dump.pb.gz");
    std::fs::write(&path, bytes).unwrap();
    Run::new("gzip").arg("--test").arg(&path).outcome().ok();
    let live = snapshot.total(|part| part.live);
    assert_eq!(pprof(&program.path, &path, "inuse_space")[TOTAL], live.est_bytes as f64);
}

#[test]
fn go_pprof_splits_profile_proto_by_thread() {
    let program = program();
    let folder = Scratch::new("tags");
    let snapshot = snapshot(&program, 3, 1 << 16, false);
    let path = folder.file("dump.pb");
    let mut bytes = Vec::new();
    let Ok(()) = write(Format::Pprof, &snapshot, &mut bytes);
    std::fs::write(&path, bytes).unwrap();
    let mine = |thread| {
        move |part: &prof_format::snapshot::Part| match part.thread == thread {
            true => part.live,
            false => Tally::default(),
        }
    };
    for (name, thread) in [("thread-0", 0), ("worker-a", 1)] {
        let focus = format!("-tagfocus=thread={name}");
        let run =
            Run::new("go").args(["tool", "pprof", "-top", "-unit=b", &focus]).arg(&program.path).arg(&path);
        let text = run.env("HOME", folder.path()).outcome().ok().stdout;
        let shown = format!("{}B, ", snapshot.total(mine(thread)).est_bytes);
        assert!(text.contains(&shown), "{name}: no {shown} in\n{text}");
    }
}

#[test]
fn jeprof_finds_the_threads_of_heap_v2() {
    let program = program();
    let folder = Scratch::new("threads");
    let path = folder.file("dump");
    let snapshot = snapshot(&program, 4, 1 << 16, false);
    let mut bytes = Vec::new();
    let Ok(()) = write(Format::HeapV2, &snapshot, &mut bytes);
    std::fs::write(&path, &bytes).unwrap();
    let dump = read(&bytes).unwrap();
    for uid in [0, 1] {
        let run = Run::new("jeprof").args(["--text", "--show_bytes", &format!("--thread={uid}")]);
        let theirs = table(&run.arg(&program.path).arg(&path).outcome().ok().stdout)[TOTAL];
        let rows = dump.thread_stacks.iter().filter(|row| row.thread == Some(uid));
        let ours: f64 = rows.map(|row| row.live.bytes).sum();
        assert!((theirs - ours).abs() <= 1.0, "thread {uid}: {theirs}, ours {ours}");
    }
}

#[test]
fn the_parser_of_jemalloc_pprof_reads_heap_v2() {
    // It leaves out accumulated figures, and gives stacks without live objects the weight "not a number".
    for period in [1 << 12, 1 << 19] {
        let snapshot = snapshot(&program(), 5, period, false);
        let mut bytes = Vec::new();
        let Ok(()) = write(Format::HeapV2, &snapshot, &mut bytes);
        let parsed = pprof_util::parse_jeheap(std::io::BufReader::new(&bytes[..]), None).unwrap();
        let theirs: f64 = parsed.iter().map(|(stack, _)| stack.weight).sum();
        let truth = snapshot.total(|part| part.live).est_bytes as f64;
        assert!((theirs - truth).abs() <= 1e-4 * truth, "{theirs}, not {truth}");
    }
}

#[test]
fn go_pprof_shows_every_name_of_an_encoded_profile() {
    let functions = [
        Function {
            name: "<a::B<T> as c::D>::leaf",
            system_name: "_ZN4leaf",
            file: "/src/leaf.rs",
            start_line: 7,
        },
        Function {
            name: "<x::Y>::caller",
            system_name: "<x::Y>::caller",
            file: "/src/caller.rs",
            start_line: 3,
        },
    ];
    let lines = [Line { function: 0, line: 9, column: 5 }, Line { function: 1, line: 30, column: 0 }];
    let carried = Carried { functions: true, filenames: true, line_numbers: true, inline_frames: true };
    let mapping =
        Mapping { start: 0x1000, end: 0x2000, path: "/opt/demo/app", carried, ..Mapping::default() };
    let location = Location { address: 0x1010, mapping: Some(0), lines: &lines };
    let number = LabelValue::Number { value: 64, unit: "bytes".into() };
    let labels = [
        Label { key: "thread".into(), value: LabelValue::Text("io".into()) },
        Label { key: "bytes".into(), value: number },
    ];
    let types = [("inuse_objects", "count"), ("inuse_space", "bytes")];
    let bytes = encode(&Profile {
        sample_types: &types.map(|(name, unit)| ValueType { name, unit }),
        default_sample_type: "inuse_objects",
        samples: &[Sample { locations: &[0], values: &[3.0, 192.4], labels: &labels }],
        mappings: &[mapping],
        locations: &[location],
        functions: &functions,
        period_type: ValueType { name: "space", unit: "bytes" },
        period: 4096,
        comments: &["written for a test", "# total rss 4096"],
        doc_url: "https://example.org/a",
        ..Profile::default()
    });
    let folder = Scratch::new("encoded");
    let path = folder.file("a.pb");
    std::fs::write(&path, bytes).unwrap();
    let show = |kind: &str| Run::new("go").args(["tool", "pprof", kind]).arg(&path).outcome().ok().stdout;
    let raw = show("-raw");
    for part in [
        "inuse_objects/count[dflt] inuse_space/bytes",
        "Period: 4096",
        "3        192: 1",
        "bytes:[64 bytes]",
        "thread:[io]",
        // Columns and pages are shown by newer versions only.
        "<a::B<T> as c::D>::leaf /src/leaf.rs:9",
        "s=7(_ZN4leaf)",
        "<x::Y>::caller /src/caller.rs:30",
        "/opt/demo/app",
        "[FN][FL][LN][IN]",
    ] {
        assert!(raw.contains(part), "`{part}` in\n{raw}");
    }
    let top = show("-top");
    for part in ["written for a test", "<x::Y>::caller", "<a::B<T> as c::D>::leaf (inline)"] {
        assert!(top.contains(part), "`{part}` in\n{top}");
    }
    assert!(!top.contains("# total"), "{top}");
}

#[test]
fn jeprof_names_a_symbolized_file_as_we_do() {
    for (format, seed) in [(Format::Text, 91), (Format::HeapV2, 92)] {
        let snapshot = VecSnapshot::random(&mut Random::new(seed), 1 << 16, false, 60);
        let mut profile = Vec::new();
        let Ok(()) = write(format, &snapshot, &mut profile);
        let mut file = String::from("--- symbol\nbinary=/opt/demo/app\n");
        for (index, frame) in read(&profile).unwrap().frame_table.iter().enumerate() {
            let address = frame.address;
            match index % 4 {
                0 => {}
                1 => file.push_str(&format!("{address:#x} plain{index}\n")),
                2 => file.push_str(&format!("{address:#018x} outer{index}--inner{index}\r\n")),
                _ => file.push_str(&format!("0x0{address:x}\tone{index}--two{index}--three{index}--\n")),
            }
        }
        let bytes = [file.as_bytes(), b"---\n%warn careful\n--- heap\n", &profile].concat();
        let dump = read(&bytes).unwrap();
        let mut ours: BTreeMap<String, f64> = BTreeMap::new();
        for row in &dump.stacks {
            let leaf = &dump.frame_table[dump.stack(row)[0] as usize];
            let name = match &leaf.names[..] {
                [] => format!("{:#018x}", leaf.address),
                [only] => only.function.clone(),
                [inner, ..] => format!("{} (inline)", inner.function),
            };
            *ours.entry(name).or_default() += row.live.bytes;
        }
        let folder = Scratch::new("symbolized");
        let path = folder.file("a.heap");
        std::fs::write(&path, bytes).unwrap();
        let outcome = Run::new("jeprof").args(["--text", "--show_bytes"]).arg(&path).outcome().ok();
        assert!(outcome.stderr.contains("careful"), "{outcome}");
        let mut theirs: BTreeMap<String, f64> = BTreeMap::new();
        for line in outcome.stdout.lines().skip(1) {
            let (figures, name) = line.rsplit_once("% ").unwrap();
            let flat: f64 = figures.split_whitespace().next().unwrap().parse().unwrap();
            if flat > 0.0 {
                theirs.insert(name.to_owned(), flat);
            }
        }
        ours.retain(|_, bytes| *bytes >= 1.0);
        assert!(ours.len() > 20 && ours.keys().eq(theirs.keys()), "{ours:#?}\n{theirs:#?}");
        for (name, bytes) in &ours {
            assert!((bytes - theirs[name]).abs() <= 1.0, "{name}: {bytes}, jeprof {}", theirs[name]);
        }
    }
}
