//! Instructions with figures, of a compiled program.
#![cfg(target_arch = "x86_64")]

mod common;

use std::process::Command;

use common::{Scratch, compile, run, tool};
use serde_json::Value;

struct Program {
    _scratch: Scratch,
    binary: String,
    dump: String,
}

fn program(name: &str, flags: &[&str]) -> Program {
    let scratch = Scratch::new(name);
    let binary = scratch.path("program");
    compile("plain.c", &binary, flags);
    let dump = scratch.path("program.heap");
    run(Command::new(&binary).arg(&dump));
    let text = |path: &std::path::Path| path.to_str().unwrap().to_string();
    Program { binary: text(&binary), dump: text(&dump), _scratch: scratch }
}

/// Figures and text of the rows that are instructions with figures.
fn calls(stdout: &str) -> Vec<(String, String, String)> {
    let row = |line: &str| {
        let (figures, text) = line.split_once(": ")?;
        let words: Vec<&str> = figures.split_whitespace().collect();
        let [flat, cum, _] = words[..] else { return None };
        let is_call = text.starts_with("call") && cum != ".";
        let name = text.split_once('<')?.1.split_once('>')?.0;
        is_call.then(|| (flat.into(), cum.into(), name.into()))
    };
    stdout.lines().filter_map(row).collect()
}

#[test]
fn calls_have_the_figures_of_what_they_allocate_and_lines_stand_beside() {
    let program = program("disasm-lines", &["-g"]);
    let own = |flat: &str, cum: &str, name: &str| (flat.to_string(), cum.to_string(), name.to_string());
    let expected = |unit: &str| {
        let bytes = format!("4000{unit}");
        [own(&bytes, &bytes, "record"), own(".", &bytes, "recursive_site")]
    };
    let pprof = tool(&["disasm", "recursive", "-unit=B", &program.dump]).quiet().stdout;
    assert!(pprof.starts_with("Total: 15000B\nROUTINE ======================== recursive_site\n"), "{pprof}");
    assert_eq!(calls(&pprof), expected("B"), "{pprof}");
    let line = common::line_of("plain.c", "bottom");
    assert!(
        pprof.contains(&format!(";recursive_site {}:{line}\n", common::program("plain.c").display())),
        "{pprof}"
    );
    let jeprof = tool(&["--disasm=recursive", "--show_bytes", &program.binary, &program.dump]).quiet().stdout;
    assert_eq!(calls(&jeprof), expected(""), "{jeprof}");
    assert!(jeprof.contains("  4000   4000 B (flat, cumulative) 26.7% of total\n"), "{jeprof}");
    assert!(jeprof.contains(&format!("  4000   4000 {line:>5}:         record(4000);")), "{jeprof}");
    // As many instructions in the other syntax, and the same figures.
    let intel = tool(&["disasm", "recursive", "-unit=B", "-intel_syntax", &program.dump]).quiet().stdout;
    assert_eq!(calls(&intel), expected("B"), "{intel}");
    assert!(intel.contains("sub    rsp,0x8") || intel.contains("push   rb"), "{intel}");
    assert_eq!(intel.lines().count(), pprof.lines().count());
}

#[test]
fn json_has_every_instruction_and_their_figures_add_up() {
    let program = program("disasm-json", &["-g"]);
    let json = tool(&["disasm", "_site$", "--format=json", &program.dump]).quiet().stdout;
    let json: Value = serde_json::from_str(&json).unwrap();
    let routines = json["routines"].as_array().unwrap();
    let names: Vec<&str> = routines.iter().map(|routine| routine["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["allocating_site", "direct_site", "outer_site", "recursive_site"]);
    for routine in routines {
        let rows = routine["instructions"].as_array().unwrap();
        let sum: f64 = rows.iter().map(|row| row["flat"].as_f64().unwrap()).sum();
        assert_eq!(sum, routine["flat"].as_f64().unwrap(), "{routine}");
        assert!(rows.iter().any(|row| row["text"].as_str().unwrap().starts_with("ret")), "{routine}");
    }
}

#[test]
fn without_debug_information_there_are_instructions_without_lines() {
    let program = program("disasm-plain", &[]);
    let run = tool(&["disasm", "direct_site", "-unit=B", &program.dump]);
    assert_eq!(calls(&run.stdout)[0].0, "1000B", "{}{}", run.stdout, run.stderr);
    assert!(!run.stdout.contains(';'), "{}", run.stdout);
}

#[test]
fn what_is_inlined_everywhere_and_what_is_gone_is_told() {
    let program = program("disasm-told", &["-g"]);
    let inlined = tool(&["disasm", "inlined_site", &program.dump]);
    assert_eq!(inlined.status, 2);
    assert!(
        inlined.stderr.contains("'inlined_site' is always inlined; into: outer_site"),
        "{}",
        inlined.stderr
    );
    let proto = format!("{}.pb.gz", program.dump);
    assert_eq!(tool(&["proto", "-o", &proto, &program.dump]).status, 0);
    let named = tool(&["disasm", "direct_site", "-unit=B", &proto]).quiet().stdout;
    assert_eq!(calls(&named)[0].0, "1000B", "{named}");
    std::fs::remove_file(&program.binary).unwrap();
    let gone = tool(&["disasm", "direct_site", &proto]);
    assert_eq!((gone.status, gone.stdout.as_str()), (2, ""));
    assert!(gone.stderr.contains("no such file"), "{}", gone.stderr);
}
