//! Names, lines and inlined functions of programs whose true stacks are known from their source.

mod common;

use std::path::Path;
use std::process::Command;

use common::{Run, Scratch, compile, line_of, program, run, tool};

/// Compiles, runs and returns the paths of program and dump.
fn record(scratch: &Scratch, source: &str, flags: &[&str]) -> (String, String) {
    let (binary, dump) = (scratch.path("program"), scratch.path("program.heap"));
    compile(source, &binary, flags);
    run(Command::new(&binary).arg(&dump));
    (text(&binary), text(&dump))
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().into()
}

/// What every flavour of `plain.c` with symbols has to answer.
fn check_functions(run: &Run, inlined: &str) {
    assert!(run.stdout.starts_with("Total: 15000 B\n"), "{}", run.stdout);
    assert_eq!(run.figures("direct_site"), (1000, 1000));
    assert_eq!(run.flat(inlined), 2000);
    assert_eq!(run.figures("recursive_site"), (4000, 4000));
    assert_eq!(run.figures("allocating_site"), (8000, 8000));
    assert_eq!(run.figures("main"), (0, 15000));
    assert!(!run.stdout.contains("je_malloc") && !run.stdout.contains("record"), "{}", run.stdout);
}

#[test]
fn position_independent_and_fixed_programs_are_named_alike() {
    for (name, flags) in [
        ("pie", &["-g", "-fPIE", "-pie"] as &[&str]),
        ("fixed", &["-g", "-fno-pie", "-no-pie"]),
        // Code whose address differs from its offset in the file, in a segment of its own.
        ("shifted", &["-g", "-fno-pie", "-no-pie", "-Wl,-Ttext=0x1234000"]),
        ("shifted-pie", &["-g", "-fPIE", "-pie", "-Wl,-Ttext=0x1234000"]),
        ("dwarf4", &["-g", "-gdwarf-4"]),
    ] {
        let scratch = Scratch::new(&format!("names-{name}"));
        let (binary, dump) = record(&scratch, "plain.c", flags);
        check_functions(&tool(&["--show_bytes", &binary, &dump]).quiet(), "inlined_site");
        // The program may be left out.
        check_functions(&tool(&["--show_bytes", &dump]).quiet(), "inlined_site");
    }
}

#[test]
fn lines_are_those_of_the_source() {
    let scratch = Scratch::new("names-lines");
    let (_, dump) = record(&scratch, "plain.c", &["-g"]);
    let run = tool(&["--show_bytes", "--lines", &dump]).quiet();
    let source = program("plain.c");
    let row =
        |function: &str, mark: &str| format!("{function} {}:{}", source.display(), line_of("plain.c", mark));
    assert_eq!(run.figures(&row("direct_site", "direct")), (1000, 1000));
    assert_eq!(run.figures(&row("inlined_site", "inlined")), (2000, 2000));
    assert_eq!(run.figures(&row("outer_site", "outer")), (0, 2000));
    assert_eq!(run.figures(&row("recursive_site", "bottom")), (4000, 4000));
    assert_eq!(run.figures(&row("recursive_site", "again")), (0, 4000));
    assert_eq!(run.figures(&row("allocating_site", "allocating")), (8000, 8000));
    let run = tool(&["--show_bytes", "--files", &dump]).quiet();
    assert_eq!(run.figures(source.to_str().unwrap()), (15000, 15000));
}

#[test]
fn stacks_are_whole_from_main_to_the_site() {
    let scratch = Scratch::new("names-stacks");
    let (_, dump) = record(&scratch, "plain.c", &["-g"]);
    let run = tool(&["--collapsed", &dump]).quiet();
    let from_main: Vec<&str> =
        run.stdout.lines().map(|line| &line[line.find(";main;").unwrap() + 1..]).collect();
    assert_eq!(
        from_main,
        [
            "main;allocating_site 8000",
            "main;direct_site 1000",
            "main;outer_site;inlined_site 2000",
            "main;recursive_site;recursive_site;recursive_site;recursive_site 4000",
        ]
    );
    let run = tool(&["--collapsed", "--all-frames", &dump]).quiet();
    assert!(run.stdout.contains("main;allocating_site;je_malloc 8000\n"), "{}", run.stdout);
}

#[test]
fn without_debug_information_symbols_name_functions_but_not_inlined_ones() {
    let scratch = Scratch::new("names-symbols");
    let (_, dump) = record(&scratch, "plain.c", &["-g0"]);
    check_functions(&tool(&["--show_bytes", &dump]).quiet(), "outer_site");
}

#[test]
fn a_stripped_program_is_shown_by_module_and_start_of_the_function_and_that_is_said() {
    let scratch = Scratch::new("names-stripped");
    let (binary, dump) = record(&scratch, "plain.c", &["-g0", "-fno-pie", "-no-pie"]);
    let symbols = run(Command::new("nm").arg(&binary));
    run(Command::new("strip").arg(&binary));
    let answer = tool(&["--show_bytes", &dump]);
    assert_eq!(answer.status, 0);
    assert!(answer.stderr.contains("stripped"), "{}", answer.stderr);
    assert!(!answer.stdout.contains("_site"), "{}", answer.stdout);
    let (_, _, row) = answer.rows().into_iter().find(|(flat, _, _)| *flat == 1000).unwrap();
    let start = u64::from_str_radix(row.strip_prefix("program!fn@0x").unwrap(), 16).unwrap();
    let site = symbols.lines().find(|line| line.ends_with(" direct_site")).unwrap();
    let named = u64::from_str_radix(site.split(' ').next().unwrap(), 16).unwrap();
    assert_eq!(start, named, "{row} is not {site}");
}

#[test]
fn a_separate_debug_file_is_found_and_checked() {
    let scratch = Scratch::new("names-debuglink");
    let (binary, dump) = record(&scratch, "plain.c", &["-g"]);
    let debug = text(&scratch.path("program.debug"));
    run(Command::new("objcopy").args(["--only-keep-debug", &binary, &debug]));
    run(Command::new("strip").arg(&binary));
    run(Command::new("objcopy").arg(format!("--add-gnu-debuglink={debug}")).arg(&binary));
    // The dump has no build id, so it has to be younger than the program.
    let content = std::fs::read(&dump).unwrap();
    std::fs::write(&dump, content).unwrap();
    check_functions(&tool(&["--show_bytes", &dump]).quiet(), "inlined_site");
    // The debug file of another build of the same name is not used.
    let other = Scratch::new("names-debuglink-other");
    let (other_binary, _) = record(&other, "plain.c", &["-g", "-O1"]);
    std::fs::copy(other_binary, &debug).unwrap();
    let answer = tool(&["--show_bytes", &dump]);
    assert!(answer.stderr.contains("stripped") && !answer.stdout.contains("_site"), "{}", answer.stdout);
}

#[test]
fn functions_of_shared_libraries_are_named() {
    let scratch = Scratch::new("names-library");
    let library = scratch.path("libsite.so");
    compile("library.c", &library, &["-g", "-shared", "-fPIC"]);
    let folder = text(library.parent().unwrap());
    let flags = ["-g", &format!("-L{folder}"), "-lsite", &format!("-Wl,-rpath,{folder}")];
    let (_, dump) = record(&scratch, "user.c", &flags);
    let run = tool(&["--show_bytes", "--lines", &dump]).quiet();
    let row =
        format!("hidden_in_library {}:{}", program("library.c").display(), line_of("library.c", "library"));
    assert_eq!(run.figures(&row), (3000, 3000));
}

#[test]
fn exported_names_are_never_stretched_over_what_lies_behind_them() {
    let scratch = Scratch::new("names-exported");
    let library = scratch.path("libsite.so");
    compile("library.c", &library, &["-g0", "-shared", "-fPIC"]);
    let folder = text(library.parent().unwrap());
    let flags = ["-g", &format!("-L{folder}"), "-lsite", &format!("-Wl,-rpath,{folder}")];
    let (_, dump) = record(&scratch, "user.c", &flags);
    run(Command::new("strip").arg(&library));
    let run = tool(&["--show_bytes", &dump]);
    assert_eq!(run.figures("library_site"), (0, 3000));
    let leaf = run.rows().into_iter().find(|(flat, _, _)| *flat == 3000).unwrap().2;
    assert!(leaf.starts_with("libsite.so!fn@0x"), "{leaf}");
}
