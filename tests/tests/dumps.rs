//! What disturbs a dump while it is written, and whom it disturbs: slow and full targets, signals, a violent end.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use suite::build::preload;
use suite::fixture::compiled;
use suite::heap::{read, total};
use suite::run::{Outcome, Run};
use suite::scratch::Scratch;

/// Enough that a dump is many times what a pipe holds.
const STACKS: usize = 2000;

fn conf(folder: &Scratch) -> String {
    format!("prof:true,lg_prof_sample:0,prof_prefix:{}/p", folder.path().display())
}

/// Runs `stacks.c` in a folder.
#[track_caller]
fn stacks(folder: &Scratch, actions: &[&str]) -> Outcome {
    let run = Run::new(compiled("stacks.c")).arg(STACKS.to_string()).args(actions);
    run.preload(&preload()).conf(conf(folder)).folder(folder.path()).outcome()
}

/// All stacks of the program are in a dump.
#[track_caller]
fn is_whole(dump: &Path) {
    let objs = total(&read(dump)).objs;
    assert!(objs >= STACKS as f64, "{}: {objs} objects", dump.display());
}

const NAMES: [&str; 4] = ["a.heap", "a.txt", "a.pb", "a.pb.gz"];

#[test]
fn others_allocate_and_are_sampled_while_a_dump_waits_for_a_pipe_that_nobody_reads() {
    let folder = Scratch::new("dumps-fifo");
    let said = stacks(&folder, &["fifo=pipe", "dump=after.heap"]).ok().stdout;
    assert!(said.starts_with("went on\n"), "{said}");
    is_whole(&folder.file("pipe.heap"));
    let (blocked, after) = (read(&folder.file("pipe.heap")), read(&folder.file("after.heap")));
    let more = total(&after).objs - total(&blocked).objs;
    assert!((2000.0..2100.0).contains(&more), "{more} samples were taken while the dump waited");
}

#[test]
fn signals_that_come_all_the_time_spoil_no_dump() {
    for name in NAMES {
        let folder = Scratch::new("dumps-storm");
        stacks(&folder, &[&format!("storm={name}")]).ok();
        assert_eq!(folder.files(""), [folder.file(name)], "nothing else is left");
        is_whole(&folder.file(name));
    }
}

#[test]
fn a_program_that_is_killed_while_it_dumps_leaves_whole_files_alone() {
    for nth in 0..8_u64 {
        let name = NAMES[nth as usize % NAMES.len()];
        let folder = Scratch::new("dumps-killed");
        let mut child = Command::new(compiled("stacks.c"))
            .args([STACKS.to_string(), format!("ever={name}")])
            .current_dir(folder.path())
            .env("LD_PRELOAD", preload())
            .env("MALLOC_CONF", conf(&folder))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "dumping\n");
        std::thread::sleep(Duration::from_millis(7 * nth * nth));
        child.kill().unwrap();
        child.wait().unwrap();
        for file in folder.files("") {
            let unfinished = file.extension().is_some_and(|ending| ending == "tmp");
            assert!(unfinished || file == folder.file(name), "{file:?}");
            if !unfinished {
                is_whole(&file);
            }
        }
    }
}

#[test]
fn a_file_that_must_not_grow_is_told_and_nothing_of_it_is_left() {
    for name in NAMES {
        let folder = Scratch::new("dumps-limit");
        let outcome = stacks(&folder, &["small=3000", &format!("dump={name}")]).ok();
        assert!(outcome.stdout.starts_with("dump: Bad address\n"), "{outcome}");
        assert_eq!(outcome.warnings(), ["<jemalloc>: failed to write during heap profile flush"]);
        assert!(folder.files("").is_empty(), "{:?}", folder.files(""));
    }
}

#[test]
fn a_dump_that_fails_leaves_the_older_one_and_empties_one_that_was_empty() {
    let folder = Scratch::new("dumps-older");
    std::fs::write(folder.file("empty.heap"), "").unwrap();
    let actions = ["dump=a.heap", "small=3000", "dump=a.heap", "dump=empty.heap"];
    let outcome = stacks(&folder, &actions).ok();
    assert_eq!(outcome.warnings().len(), 2, "{outcome}");
    is_whole(&folder.file("a.heap"));
    assert_eq!(std::fs::metadata(folder.file("empty.heap")).unwrap().len(), 0);
    assert_eq!(folder.files("").len(), 2, "{:?}", folder.files(""));
}

#[test]
fn a_name_that_has_no_room_for_the_mark_of_a_temporary_file_is_written_or_not_there() {
    // As long as a name can be: a temporary one beside it cannot be made.
    let name = format!("{}.heap", "n".repeat(250));
    let folder = Scratch::new("dumps-long");
    stacks(&folder, &[&format!("dump={name}")]).ok();
    is_whole(&folder.file(&name));
    std::fs::remove_file(folder.file(&name)).unwrap();
    let outcome = stacks(&folder, &["small=3000", &format!("dump={name}")]).ok();
    assert_eq!(outcome.warnings().len(), 1, "{outcome}");
    assert!(folder.files("").is_empty(), "{:?}", folder.files(""));
}

#[test]
fn a_full_device_is_told_and_the_program_goes_on() {
    let folder = Scratch::new("dumps-full");
    let outcome = stacks(&folder, &["dump=/dev/full", "dump=a.heap"]).ok();
    assert_eq!(outcome.warnings(), ["<jemalloc>: failed to write during heap profile flush"]);
    is_whole(&folder.file("a.heap"));
}

#[test]
fn a_folder_that_is_not_there_is_told_and_the_program_goes_on() {
    let folder = Scratch::new("dumps-nowhere");
    let outcome = stacks(&folder, &["dump=no/a.heap", "dump=a.heap"]).ok();
    assert_eq!(outcome.warnings(), ["<jemalloc>: failed to open \"no/a.heap\""]);
    is_whole(&folder.file("a.heap"));
}
