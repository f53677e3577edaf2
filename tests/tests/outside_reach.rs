//! What `prof_leak_reach` calls lost, against valgrind, and on programs that lose nothing.
#![cfg(feature = "outside")]

use std::path::{Path, PathBuf};
use std::process::Command;

use suite::build::preload;
use suite::fixture::compiled;
use suite::heap::read;
use suite::scratch::Scratch;

/// `# about reach`, by program, of every process that a command starts; and whether it ended well.
fn told(command: &[&str]) -> Vec<(String, String)> {
    let folder = Scratch::new("outside-reach");
    let conf = format!(
        "prof:true,prof_final:true,lg_prof_sample:0,prof_leak_reach:true,prof_prefix:{}",
        folder.file("p").display()
    );
    let outcome = Command::new(command[0])
        .args(&command[1..])
        .env("LD_PRELOAD", preload())
        .env("MALLOC_CONF", conf)
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", command[0]));
    assert!(outcome.status.success(), "{command:?}: {outcome:?}");
    let dumps = folder.files(".f.heap");
    assert!(!dumps.is_empty(), "{command:?}");
    let of = |path: PathBuf| {
        let dump = read(&path);
        let reach = dump.about("reach").unwrap().to_owned();
        (dump.program.unwrap_or_default(), reach)
    };
    dumps.into_iter().map(of).collect()
}

fn number(reach: &str, name: &str) -> u64 {
    let words = reach.strip_prefix("done ").unwrap_or_else(|| panic!("{reach}"));
    words.split(' ').find_map(|word| word.strip_prefix(name)?.strip_prefix('=')).unwrap().parse().unwrap()
}

/// The interpreter itself, where a script stands for it.
fn python() -> String {
    let output = Command::new("python3").args(["-c", "import sys; print(sys.executable)"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn programs_that_keep_all_they_have_lose_nothing() {
    let python = python();
    let commands: [&[&str]; 7] = [
        &["/bin/true"],
        &["ls", "/"],
        &["git", "--version"],
        &["bash", "-c", "true"],
        &["bash", "-c", "f() { echo $1; }; for i in 1 2 3; do f $(echo $i); done"],
        &[&python, "-c", "pass"],
        &[&python, "-c", "import json, threading; t = threading.Thread(target=print); t.start(); t.join()"],
    ];
    for command in commands {
        for (program, reach) in told(command) {
            let lost = (number(&reach, "direct"), number(&reach, "indirect"));
            assert_eq!(lost, (0, 0), "{command:?}: {program}: {reach}");
        }
    }
}

/// Blocks that valgrind counts as definitely and as indirectly lost.
fn valgrind(program: &Path, scene: &str) -> (u64, u64) {
    let outcome = Command::new("valgrind")
        .args(["--leak-check=full", "--show-leak-kinds=none"])
        .arg(program)
        .arg(scene)
        .output()
        .expect("valgrind is needed for this test");
    let text = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let blocks = |kind: &str| {
        if text.contains("no leaks are possible") {
            return 0;
        }
        let line = text.lines().find(|line| line.contains(kind)).unwrap_or_else(|| panic!("{text}"));
        let words: Vec<&str> = line.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "in").unwrap();
        words[at + 1].replace(',', "").parse().unwrap()
    };
    (blocks("definitely lost: "), blocks("indirectly lost: "))
}

#[test]
fn what_is_lost_is_what_valgrind_calls_definitely_and_indirectly_lost() {
    let program = compiled("reachable.c");
    for scene in ["direct", "chain", "cycles", "hidden", "global", "stack", "own-thread-local", "late"] {
        let path = program.to_str().unwrap();
        let [(_, reach)] = &told(&[path, scene])[..] else { panic!("{scene}: one process") };
        let ours = (number(reach, "direct"), number(reach, "indirect"));
        assert_eq!(ours, valgrind(&program, scene), "{scene}");
    }
}
