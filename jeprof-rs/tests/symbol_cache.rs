//! The cache of names through the tool: used when it may be, never needed, off when told so.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Run, Scratch, command, compile, finish, run};

/// A program with debug information, its dump, and a folder for the cache.
struct Case {
    scratch: Scratch,
    binary: PathBuf,
    dump: PathBuf,
}

impl Case {
    fn new(name: &str) -> Case {
        let scratch = Scratch::new(&format!("cache-{name}"));
        let (binary, dump) = (scratch.path("program"), scratch.path("program.heap"));
        compile("plain.c", &binary, &["-g", "-fno-pie", "-no-pie"]);
        run(Command::new(&binary).arg(&dump));
        Case { scratch, binary, dump }
    }

    fn folder(&self) -> PathBuf {
        self.scratch.path("cache")
    }

    /// The files in it: the program's, and maybe those of the libraries that started it.
    fn files(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.folder()).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).collect()
    }

    fn report(&self, cache: &Path, flags: &[&str]) -> Run {
        let mut command = command(&["--text", "--lines", "--show_bytes"]);
        command.args(flags).arg(&self.binary).arg(&self.dump).env("JEPROF_RS_CACHE", cache);
        finish(command.output().unwrap())
    }

    /// Takes all debug information away and leaves the file's size, build id and everything else as they are.
    fn forget(&self) {
        let sections = run(Command::new("readelf").args(["-SW"]).arg(&self.binary));
        let mut bytes = std::fs::read(&self.binary).unwrap();
        for line in sections.lines().filter(|line| line.contains(" .debug_") || line.contains("tab ")) {
            let words: Vec<&str> = line.rsplit(']').next().unwrap().split_whitespace().collect();
            let number = |index: usize| usize::from_str_radix(words[index], 16).unwrap();
            let (offset, size) = (number(3), number(4));
            if words[0] != ".shstrtab" {
                bytes[offset..offset + size].fill(0);
            }
        }
        std::fs::write(&self.binary, bytes).unwrap();
        // The dump has no build id, so it has to be younger than the program.
        std::fs::write(&self.dump, std::fs::read(&self.dump).unwrap()).unwrap();
    }
}

#[test]
fn the_second_run_takes_the_names_from_the_first() {
    let case = Case::new("used");
    let first = case.report(&case.folder(), &[]).quiet().stdout;
    assert!(first.contains("inlined_site"), "{first}");
    assert!(!case.files().is_empty());
    case.forget();
    assert_eq!(case.report(&case.folder(), &[]).quiet().stdout, first);
    // Whoever wants none of it gets what the file says now: nothing.
    for anew in [case.report(&case.folder(), &["--no_symbol_cache"]), case.report(Path::new("off"), &[])] {
        assert_eq!(anew.status, 0);
        assert!(!anew.stdout.contains("inlined_site"), "{}", anew.stdout);
    }
    // So does everybody once the folder is gone.
    std::fs::remove_dir_all(case.folder()).unwrap();
    assert!(!case.report(&case.folder(), &[]).stdout.contains("inlined_site"));
}

#[test]
fn nothing_is_written_when_it_is_off() {
    let case = Case::new("off");
    case.report(&case.folder(), &["--no_symbol_cache"]).quiet();
    assert!(!case.folder().exists());
}

#[test]
fn a_torn_file_changes_nothing_and_is_mended() {
    let case = Case::new("torn");
    let first = case.report(&case.folder(), &[]).quiet().stdout;
    for file in case.files() {
        let whole = std::fs::read(&file).unwrap();
        for torn in [&whole[..whole.len() - 1], &whole[..40], b""] {
            std::fs::write(&file, torn).unwrap();
            assert_eq!(case.report(&case.folder(), &[]).quiet().stdout, first);
            assert!(std::fs::read(&file).unwrap() == whole);
        }
    }
}

#[test]
fn a_program_built_anew_in_the_same_place_has_its_own_names() {
    let case = Case::new("anew");
    case.report(&case.folder(), &[]).quiet();
    let before = case.files().len();
    compile("plain.c", &case.binary, &["-g", "-O1", "-fno-pie", "-no-pie"]);
    run(Command::new(&case.binary).arg(&case.dump));
    let cached = case.report(&case.folder(), &[]).quiet().stdout;
    assert_eq!(cached, case.report(Path::new("off"), &[]).quiet().stdout);
    assert_eq!(case.files().len(), before + 1);
}
