//! Dumps to where there is no room, or no right to write: on a file system of a few pages, and as another user. Needs `mount`
//! in a namespace (root, or a kernel that lets users have namespaces) and `setpriv`, both of util-linux.
#![cfg(feature = "outside")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use suite::build::preload;
use suite::fixture::compiled;
use suite::heap;
use suite::run::{Outcome, Run};
use suite::scratch::Scratch;

const UNWRITTEN: &str = "<jemalloc>: failed to write during heap profile flush";

/// `dumps.c` as a word of a shell script, sampling everything.
fn program(conf: &str, actions: &str) -> String {
    let (library, program) = (preload(), compiled("dumps.c"));
    let (library, program) = (library.canonicalize().unwrap(), program.canonicalize().unwrap());
    let conf = format!("prof:true,lg_prof_sample:0,{conf}");
    format!("LD_PRELOAD={} MALLOC_CONF={conf} {} {actions}", library.display(), program.display())
}

/// Runs a script where `disk` is a file system of 64 KiB on which nothing fits any more; then says what lies there.
#[track_caller]
fn on_a_full_disk(disk: &Path, script: &str) -> Outcome {
    let disk = disk.display();
    let script = format!(
        "mount -t tmpfs -o size=64k none {disk} || exit 99
         head -c 100000 /dev/zero > {disk}/filler 2>/dev/null
         {script}
         echo status $?
         ls -A {disk} | sed 's/^/there: /'"
    );
    Run::new("unshare").args(["--map-root-user", "--mount", "sh", "-c", &script]).outcome().ok()
}

#[test]
fn a_dump_to_a_full_disk_is_told_leaves_nothing_and_the_program_goes_on() {
    let folder = Scratch::new("full");
    let disk = folder.file("disk");
    std::fs::create_dir(&disk).unwrap();
    let elsewhere = folder.file("fine.heap");
    for name in ["d.heap", "d.pb", "d.pb.gz"] {
        // A gzipped one of few stacks would fit a page; none is left.
        let actions = format!("keep=100 dump={}/{name} keep=23 dump={}", disk.display(), elsewhere.display());
        let outcome = on_a_full_disk(&disk, &program("prof_accum:true", &actions));
        assert_eq!(outcome.warnings(), [UNWRITTEN], "{name}: {outcome}");
        assert_eq!(outcome.stdout, "prof.dump: Bad address\nstatus 1\nthere: filler\n", "{name}: {outcome}");
        assert!(heap::total(&heap::read(&elsewhere)).objs >= 123.0, "{name}");
        std::fs::remove_file(&elsewhere).unwrap();
    }
}

/// Those that nobody asks for: each is tried, and told.
#[test]
fn dumps_of_the_profiler_s_own_fail_the_same_way() {
    let folder = Scratch::new("full-own");
    let disk = folder.file("disk");
    std::fs::create_dir(&disk).unwrap();
    let elsewhere = folder.file("fine.heap");
    let conf =
        format!("prof_final:true,prof_gdump:true,lg_prof_interval:20,prof_prefix:{}/d", disk.display());
    let actions = format!("keep=10000 dump={}", elsewhere.display());
    let outcome = on_a_full_disk(&disk, &program(&conf, &actions));
    let warnings = outcome.warnings();
    assert!(warnings.len() > 10 && warnings.iter().all(|line| *line == UNWRITTEN), "{outcome}");
    assert_eq!(outcome.stdout, "status 0\nthere: filler\n", "{outcome}");
    assert!(heap::total(&heap::read(&elsewhere)).objs >= 10_000.0);
}

/// A file that is there already is not lost to a dump that does not fit.
#[test]
fn a_dump_that_does_not_fit_leaves_the_one_before_as_it_was() {
    let folder = Scratch::new("full-before");
    let disk = folder.file("disk");
    std::fs::create_dir(&disk).unwrap();
    let target = format!("{}/d.heap", disk.display());
    let script = format!(
        "rm {disk}/filler; {} && cp {target} {kept}; head -c 100000 /dev/zero > {disk}/filler 2>/dev/null; {}; \
         cmp {target} {kept} && echo the same; true",
        program("prof_accum:false", &format!("keep=10 dump={target}")),
        program("prof_accum:false", &format!("keep=20 dump={target}")),
        disk = disk.display(),
        kept = folder.file("kept.heap").display()
    );
    let outcome = on_a_full_disk(&disk, &script);
    let expected = "prof.dump: Bad address\nthe same\nstatus 0\nthere: d.heap\nthere: filler\n";
    assert_eq!(outcome.stdout, expected, "{outcome}");
    assert_eq!(outcome.warnings(), [UNWRITTEN]);
}

/// In a folder that takes no files of this user's, and over one that is not his.
#[test]
fn a_dump_that_is_not_allowed_is_told_and_the_program_goes_on() {
    let folder = Scratch::new("forbidden");
    let closed = folder.file("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::write(closed.join("kept.heap"), "kept").unwrap();
    std::fs::set_permissions(closed.join("kept.heap"), PermissionsExt::from_mode(0o444)).unwrap();
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o555)).unwrap();
    let open = folder.file("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, PermissionsExt::from_mode(0o777)).unwrap();
    // Root may write anywhere: then as somebody else. The library and the program are where all may read them.
    let (library, program) = (folder.file("library.so"), folder.file("program"));
    std::fs::copy(preload(), &library).unwrap();
    std::fs::copy(compiled("dumps.c"), &program).unwrap();
    let root = std::fs::metadata("/proc/self").unwrap();
    let run = match std::os::unix::fs::MetadataExt::uid(&root) {
        0 => {
            let other = ["--reuid=65534", "--regid=65534", "--clear-groups"];
            Run::new("setpriv").args(other).arg(&program)
        }
        _ => Run::new(&program),
    };
    let (new, kept, fine) = (closed.join("new.heap"), closed.join("kept.heap"), open.join("fine.heap"));
    let actions = [&new, &kept, &fine].map(|path| format!("dump={}", path.display()));
    let conf = format!("prof:true,lg_prof_sample:0,prof_final:true,prof_prefix:{}/d", closed.display());
    let outcome = run.arg("keep=50").args(&actions).preload(&library).conf(conf).outcome();
    assert_eq!(outcome.status.code(), Some(1), "{outcome}");
    assert_eq!(outcome.stdout, "prof.dump: Bad address\nprof.dump: Bad address\n", "{outcome}");
    let warnings = outcome.warnings();
    let unopened = |path: &Path| format!("<jemalloc>: failed to open \"{}\"", path.display());
    assert_eq!(warnings[..2], [unopened(&new), unopened(&kept)], "{outcome}");
    assert!(warnings.len() == 3 && warnings[2].contains("/closed/d."), "the final one: {outcome}");
    let names: Vec<_> = std::fs::read_dir(&closed).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["kept.heap"]);
    assert_eq!(std::fs::read_to_string(&kept).unwrap(), "kept");
    assert!(heap::total(&heap::read(&fine)).objs >= 50.0);
    std::fs::set_permissions(&closed, PermissionsExt::from_mode(0o755)).unwrap();
}
