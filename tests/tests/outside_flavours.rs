//! Flavours of programs that need more than Rust and a C compiler: the names, inlined functions and lines of their stacks
//! are those of the source.
#![cfg(feature = "outside")]

#[path = "../../jeprof-rs/tests/common/mod.rs"]
mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::truth::{self, Known as Function};
use common::zoo::{Known, Zoo};
use common::{Scratch, command, finish, program, run};
use suite::build::{self, Profile};

fn set_up() {
    common::TOOL.get_or_init(|| build::viewer(Profile::own()));
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Name, `+` in front when it is inlined, source, and mark of the line.
type Place = (&'static str, &'static str, &'static str);

/// The stacks of `aviary.cc`; without inlined functions when only symbols are known. `flock` is local to its unit and
/// inlined everywhere: the compiler writes neither a linkage name nor a symbol for it, so its path is not known.
fn aviary(inlined: bool) -> Vec<(i64, Vec<Function>)> {
    const MAIN: &str = "aviary.cc";
    const PART: &str = "aviary_part.cc";
    let stacks: [(i64, &str, &[Place]); 6] = [
        (1000, "main lay", &[("aviary::Nest<int>::lay", MAIN, "lay")]),
        (
            2000,
            "main roost",
            &[("aviary::roost", MAIN, "roost"), ("+aviary::Nest<std::pair<int, long> >::warm", MAIN, "warm")],
        ),
        (4000, "main sing", &[("aviary::Wren::sing", MAIN, "sing")]),
        (8000, "main lambda", &[("main::{lambda()#1}::operator()", MAIN, "lambda")]),
        (16000, "main constructor", &[("aviary::Wren::Wren", MAIN, "constructor")]),
        (32000, "main migrate", &[("aviary::migrate", PART, "migrate"), ("+flock", PART, "flock")]),
    ];
    let function = |name: &str, source, mark| Function { name: name.into(), place: (source, mark) };
    stacks
        .into_iter()
        .map(|(bytes, mark, below)| {
            let below = below.iter().filter_map(|(name, source, mark)| match name.strip_prefix('+') {
                Some(name) => inlined.then(|| function(name, source, mark)),
                None => Some(function(name, source, mark)),
            });
            (bytes, [function("main", MAIN, mark)].into_iter().chain(below).collect())
        })
        .collect()
}

/// Compiles the C++ program in a folder of its own.
fn compile_aviary(scratch: &Scratch, flags: &[&str]) -> PathBuf {
    let binary = scratch.path("aviary");
    let mut objects = Vec::new();
    for source in ["aviary.cc", "aviary_part.cc"] {
        let object = scratch.path(source).with_extension("o");
        run(Command::new("c++")
            .current_dir(scratch.path(""))
            .args(["-O2", "-fno-optimize-sibling-calls", "-funwind-tables", "-c"])
            .args(flags.iter().filter(|flag| !flag.starts_with("-Wl,") && !flag.starts_with("-fuse-ld")))
            .arg(program(source))
            .arg("-o")
            .arg(&object));
        objects.push(object);
    }
    run(Command::new("c++")
        .args(["-O2", "-Wl,--build-id"])
        .args(flags)
        .args(&objects)
        .arg("-o")
        .arg(&binary));
    binary
}

fn check_aviary(binary: &Path, args: &[&str], known: Known) {
    let dump = binary.with_extension("heap");
    run(Command::new(binary).arg(&dump));
    let ask = |more: &[&str]| {
        let mut tool = command(&[more, args, &[text(&dump)]].concat());
        finish(tool.output().unwrap())
    };
    truth::check(&ask, &aviary(known != Known::Symbols), known != Known::Symbols);
}

#[test]
fn cpp_programs_of_every_kind() {
    set_up();
    for (name, flags) in [
        ("dwarf4", &["-g", "-gdwarf-4"] as &[&str]),
        ("dwarf5", &["-g", "-gdwarf-5"]),
        ("fixed", &["-g", "-no-pie", "-fno-pie"]),
        ("static", &["-g", "-static"]),
        ("static-pie", &["-g", "-static-pie", "-fPIE"]),
        ("zlib", &["-g", "-gz=zlib"]),
        ("zstd", &["-g", "-Wl,--compress-debug-sections=zstd"]),
        ("gnu-zlib", &["-g", "-gdwarf-4", "-Wl,--compress-debug-sections=zlib-gnu"]),
        ("lto", &["-g", "-flto"]),
        ("types", &["-g", "-fdebug-types-section"]),
        ("sections", &["-g", "-ffunction-sections", "-Wl,--gc-sections", "-Wl,-z,noseparate-code"]),
        ("gold", &["-g", "-fuse-ld=gold"]),
        ("gold-index", &["-g", "-fuse-ld=gold", "-Wl,--gdb-index"]),
        ("lld", &["-g", "-fuse-ld=lld"]),
        ("lld-sections", &["-g", "-fuse-ld=lld", "-ffunction-sections", "-Wl,-z,separate-loadable-segments"]),
        ("split4", &["-g", "-gsplit-dwarf", "-gdwarf-4"]),
        ("split5", &["-g", "-gsplit-dwarf", "-gdwarf-5"]),
    ] {
        let scratch = Scratch::new(&format!("aviary-{name}"));
        println!("{name}");
        check_aviary(&compile_aviary(&scratch, flags), &[], Known::All);
    }
    let scratch = Scratch::new("aviary-symbols");
    check_aviary(&compile_aviary(&scratch, &["-g0"]), &[], Known::Symbols);
}

#[test]
fn a_package_made_by_dwp() {
    set_up();
    for (version, tool) in [("4", "dwp"), ("5", "llvm-dwp")] {
        let scratch = Scratch::new(&format!("aviary-dwp{version}"));
        let binary = compile_aviary(&scratch, &["-g", "-gsplit-dwarf", &format!("-gdwarf-{version}")]);
        run(Command::new(tool).current_dir(scratch.path("")).args([
            "-e",
            text(&binary),
            "-o",
            &format!("{}.dwp", text(&binary)),
        ]));
        for part in ["aviary.dwo", "aviary_part.dwo"] {
            fs::remove_file(scratch.path(part)).unwrap();
        }
        check_aviary(&binary, &[], Known::All);
    }
}

#[test]
fn debug_files_that_share_a_part_made_by_dwz() {
    set_up();
    // Debian's dwz does not know all sections of DWARF 5 as Rust writes them; those of C++ it does.
    let zoo = Zoo::compile("dwz", &["-g", "-Clink-arg=-Wl,--build-id", "-Cdwarf-version=4"]);
    let share = |scratch: &Scratch, program: &str| {
        fs::copy(scratch.path(program), scratch.path("twin")).unwrap();
        fs::create_dir_all(scratch.path("shared")).unwrap();
        run(Command::new("dwz").current_dir(scratch.path("")).args([
            "-m",
            "shared/common.debug",
            "-M",
            "shared/common.debug",
            program,
            "twin",
        ]));
        let content = fs::read(scratch.path(program)).unwrap();
        assert!(content.windows(17).any(|part| part == b".gnu_debugaltlink"));
        scratch.path("shared/common.debug")
    };
    let common = share(&zoo.scratch, "menagerie");
    zoo.record();
    zoo.check(Known::All, &[]);
    // The same for a stripped program, whose debug file says where the common part is.
    let debug = zoo.scratch.path("menagerie.debug");
    zoo.split_off(&debug);
    zoo.record();
    zoo.check(Known::All, &[]);
    let elsewhere = zoo.scratch.path("usr/lib/debug/.dwz");
    fs::create_dir_all(&elsewhere).unwrap();
    fs::rename(&common, elsewhere.join("common.debug")).unwrap();
    zoo.check(Known::All, &["--symbol_path", text(&elsewhere)]);

    for version in ["4", "5"] {
        let scratch = Scratch::new(&format!("aviary-dwz{version}"));
        let binary = compile_aviary(&scratch, &["-g", &format!("-gdwarf-{version}")]);
        share(&scratch, "aviary");
        check_aviary(&binary, &[], Known::All);
    }
}

#[test]
fn debug_files_made_by_eu_strip() {
    set_up();
    let zoo = Zoo::compile("eu-strip", &["-g", "-Clink-arg=-Wl,--build-id", "-Ctarget-feature=+crt-static"]);
    let mut strip = Command::new("eu-strip");
    run(strip.current_dir(zoo.scratch.path("")).args(["-f", "menagerie.sym", "menagerie"]));
    zoo.record();
    zoo.put_build_id_into_dump();
    zoo.check(Known::All, &[]);
    fs::remove_file(&zoo.binary).unwrap();
    zoo.check(Known::Nothing, &[]);
    zoo.check(Known::All, &[text(&zoo.scratch.path("menagerie.sym"))]);
}

#[test]
fn sections_compressed_by_eu_elfcompress() {
    set_up();
    for kind in ["zlib", "zlib-gnu"] {
        let zoo = Zoo::compile(&format!("elfcompress-{kind}"), &["-g", "-Clinker-features=-lld"]);
        run(Command::new("eu-elfcompress").args(["-q", "-t", kind]).arg(&zoo.binary));
        zoo.record();
        zoo.check(Known::All, &[]);
    }
}

/// As Fedora's packages are made: functions alone, without those that are exported, packed with xz.
#[test]
fn packed_symbols_made_as_distributions_do() {
    set_up();
    let zoo = Zoo::compile("minidebug-xz", &["-C", "debuginfo=0"]);
    let script = "nm -D menagerie --format=posix --defined-only | awk '{print $1}' | sort > exported
        nm menagerie --format=posix --defined-only | awk '{ if ($2 == \"T\" || $2 == \"t\") print $1 }' | sort > all
        comm -13 exported all > kept
        objcopy --only-keep-debug menagerie full
        objcopy -S --remove-section .gdb_index --remove-section .comment --keep-symbols=kept full packed
        strip menagerie
        xz packed
        objcopy --add-section .gnu_debugdata=packed.xz menagerie";
    run(Command::new("bash").args(["-euc", script]).current_dir(zoo.scratch.path("")));
    zoo.record();
    zoo.check(Known::Symbols, &[]);
}

/// One function of an address: whether it has a name, and its line without folders.
type Seen = (bool, Option<String>);

fn seen(name: &str, place: &str) -> Seen {
    let place = place.split(" (").next().unwrap_or(place);
    let mut parts = place.rsplit('/').next().unwrap_or(place).split(':');
    let (file, line) = (parts.next().unwrap_or("??"), parts.next().unwrap_or("0"));
    let known = file != "??" && !matches!(line, "0" | "?");
    (!name.is_empty() && !name.starts_with("??"), known.then(|| format!("{file}:{line}")))
}

/// What other programs know of addresses, innermost function first.
fn known_to(tool: &str, binary: &Path, addresses: &[String]) -> Vec<Vec<Seen>> {
    let mut command = Command::new(tool);
    match tool {
        "addr2line" => command.args(["-afiC", "-e"]).arg(binary),
        _ => command.args(["--inlines", "--print-address", "--obj"]).arg(binary),
    };
    let text = run(command.args(addresses));
    let mut answers: Vec<Vec<Seen>> = Vec::new();
    let mut lines = text.lines().filter(|line| !line.is_empty());
    while let Some(line) = lines.next() {
        match (line.starts_with("0x"), answers.last_mut()) {
            (true, _) => answers.push(Vec::new()),
            (false, Some(answer)) => answer.push(seen(line, lines.next().unwrap_or(""))),
            (false, None) => panic!("{text}"),
        }
    }
    assert_eq!(answers.len(), addresses.len(), "{tool}: {text}");
    answers
}

/// What we know of all addresses of the program in its dump: address, and its functions in no order.
fn known_to_us(zoo: &Zoo, args: &[&str]) -> Vec<(String, Vec<Seen>)> {
    let own = ["--text", "--addresses", "--all-frames", "--show_bytes"];
    let report = finish(command(&[&own, args, &[zoo.dump()]].concat()).output().unwrap());
    let mut known: std::collections::BTreeMap<String, Vec<Seen>> = Default::default();
    for (_, _, row) in report.rows() {
        let (address, rest) = row.split_once(' ').unwrap();
        let (name, place) = rest.rsplit_once(' ').unwrap_or((rest, ""));
        // A program that is linked to fixed addresses lies low; libraries do not.
        if !address.starts_with("00007") {
            let (named, line) = seen(name, place);
            let named = named && !name.contains("!fn@0x") && !name.contains("+0x");
            known.entry(format!("0x{address}")).or_default().push((named, line));
        }
    }
    known.into_iter().collect()
}

/// For every address of the program in the dump: as many functions, names and lines as GNU addr2line and
/// llvm-symbolizer know, and where the latter knows as many functions as we do, the same lines. `binary` is what those two
/// can be given to find the debug information.
fn check_complete(zoo: &Zoo, binary: &Path, args: &[&str]) -> [usize; 3] {
    let ours = known_to_us(zoo, args);
    assert!(ours.len() > 12, "{ours:?}");
    let addresses: Vec<String> = ours.iter().map(|(address, _)| address.clone()).collect();
    let figures = |known: &[Seen]| {
        [
            known.len(),
            known.iter().filter(|seen| seen.0).count(),
            known.iter().filter(|seen| seen.1.is_some()).count(),
        ]
    };
    let sorted = |known: &[Seen]| {
        let mut lines: Vec<Option<String>> = known.iter().map(|seen| seen.1.clone()).collect();
        lines.sort();
        lines
    };
    for tool in ["addr2line", "llvm-symbolizer"] {
        for ((address, ours), theirs) in ours.iter().zip(known_to(tool, binary, &addresses)) {
            let (mine, other) = (figures(ours), figures(&theirs));
            assert!(
                mine.iter().zip(other).all(|(mine, other)| *mine >= other),
                "{address}: {ours:?}, {tool}: {theirs:?}"
            );
            // GNU's takes the unit's own name for the first file of DWARF 5.
            if mine == other && tool != "addr2line" {
                assert_eq!(sorted(ours), sorted(&theirs), "{address}, {tool}");
            }
        }
    }
    let all: Vec<Seen> = ours.into_iter().flat_map(|(_, known)| known).collect();
    figures(&all)
}

#[test]
fn nothing_that_gnu_and_llvm_know_is_missing() {
    set_up();
    let mut figures: Vec<(String, [usize; 3])> = Vec::new();
    for (name, flags) in [
        ("dwarf4", &["-Cdwarf-version=4"] as &[&str]),
        ("dwarf5", &["-Cdwarf-version=5"]),
        ("legacy", &["-Csymbol-mangling-version=legacy"]),
        ("lto", &["-Clto=fat", "-Cembed-bitcode=yes"]),
        ("packed", &["-Csplit-debuginfo=packed"]),
        ("unpacked", &["-Csplit-debuginfo=unpacked"]),
        ("zlib", &["-Clinker-features=-lld", "-Clink-arg=-Wl,--compress-debug-sections=zlib"]),
        ("zstd", &["-Clinker-features=-lld", "-Clink-arg=-Wl,--compress-debug-sections=zstd"]),
        ("lines", &["-Cdebuginfo=line-tables-only"]),
        ("symbols", &["-Cdebuginfo=0"]),
    ] {
        let zoo =
            Zoo::build(&format!("complete-{name}"), &[&["-g", "-Crelocation-model=static"], flags].concat());
        figures.push((name.into(), check_complete(&zoo, &zoo.binary, &[])));
    }
    let zoo = Zoo::compile("complete-stripped", &["-g", "-Crelocation-model=static"]);
    let whole = zoo.scratch.path("whole");
    fs::copy(&zoo.binary, &whole).unwrap();
    let debug = zoo.scratch.path("menagerie.debug");
    zoo.split_off(&debug);
    run(Command::new("objcopy").arg(format!("--add-gnu-debuglink={}", text(&debug))).arg(&zoo.binary));
    zoo.record();
    figures.push(("debug link".into(), check_complete(&zoo, &whole, &[])));
    println!("frames, names, lines: {figures:?}");
    let of = |wanted: &str| figures.iter().find(|(name, _)| name == wanted).unwrap().1;
    // The same code, whatever its debug information is packed in.
    for same in ["packed", "unpacked", "debug link", "dwarf5"] {
        assert_eq!(of(same), of("dwarf4"), "{same}");
    }
    assert_eq!(of("zlib"), of("zstd"));
}
