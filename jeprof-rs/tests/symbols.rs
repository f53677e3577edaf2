//! `--symbols`: addresses on stdin, names on stdout.

mod common;

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use common::{Run, Scratch, command, compile, finish, tool};
use object::{Object, ObjectSegment, ObjectSymbol, SegmentFlags};

fn names(args: &[&str], list: &str) -> Run {
    let mut child = command(&[&["--symbols"], args].concat())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(list.as_bytes()).unwrap();
    finish(child.wait_with_output().unwrap())
}

/// Where `main` is in the program's own address space, and the code segment: address, size, place in the file.
fn layout(program: &Path) -> (u64, [u64; 3]) {
    let bytes = std::fs::read(program).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let main = file.symbols().find(|symbol| symbol.name() == Ok("main")).unwrap().address();
    let is_code =
        |flags: SegmentFlags| matches!(flags, SegmentFlags::Elf { p_flags, .. } if p_flags.0 & 1 != 0);
    let code = file.segments().find(|segment| is_code(segment.flags())).unwrap();
    (main, [code.address(), code.size(), code.file_range().0])
}

#[test]
fn a_program_without_a_map_is_at_its_own_addresses() {
    let scratch = Scratch::new("symbols-own");
    let program = scratch.path("program");
    for flag in ["-no-pie", "-pie"] {
        compile("plain.c", &program, &[flag]);
        let (main, _) = layout(&program);
        let run = names(&[program.to_str().unwrap()], &format!("{main:#x}\n0x1\n{:#018x}\n", main + 1));
        assert_eq!((run.status, run.stdout.as_str()), (0, "main\n??\nmain\n"), "{flag}: {}", run.stderr);
    }
}

#[test]
fn a_map_says_where_the_program_was_loaded_and_which_it_is() {
    let scratch = Scratch::new("symbols-map");
    let program = scratch.path("program");
    compile("plain.c", &program, &["-pie", "-fPIE"]);
    let (main, [code, size, offset]) = layout(&program);
    let start = 0x5500_0000_0000 + (code & !0xfff);
    let end = (start + (code & 0xfff) + size + 0xfff) & !0xfff;
    let path = program.to_str().unwrap();
    let map = format!("{start:x}-{end:x} r-xp {:08x} 08:01 7 {path}\n", offset & !0xfff);
    let list = format!("{map}0x{:x}\n0x10\nthis is nothing\n", main + 0x5500_0000_0000);
    for args in [&[path] as &[&str], &[]] {
        let run = names(args, &list);
        assert_eq!((run.status, run.stdout.as_str()), (0, "main\n??\n"), "{}", run.stderr);
        assert!(run.stderr.contains("1 lines are neither"), "{}", run.stderr);
    }
}

#[test]
fn what_does_not_fit_is_refused() {
    let run = names(&["/no/such/program"], "0x1\n");
    assert_eq!((run.status, run.stdout.as_str()), (2, ""));
    assert!(run.stderr.contains("/no/such/program: no such file"), "{}", run.stderr);
    let run = names(&["a", "b"], "");
    assert!(run.stderr.contains("b: --symbols wants a program"), "{}", run.stderr);
    assert_eq!(tool(&["--symbols", "--text"]).status, 2);
    assert_eq!(tool(&["--symbols"]).quiet().stdout, "");
}

#[test]
fn ways_to_name_object_tools_are_accepted_and_told_to_be_needless() {
    let dump = common::dump("ours.pb");
    let run = tool(&["--tools=/opt/bin/x-", "--test_stride=3", &dump]);
    assert_eq!((run.status, &run.stdout), (0, &tool(&[&dump]).stdout));
    for said in ["--tools is not needed", "--test_stride is not needed"] {
        assert!(run.stderr.contains(said), "no `{said}` in {}", run.stderr);
    }
    let mut command = command(&[&dump]);
    let run = finish(command.env("PPROF_TOOLS", "nm:/opt/nm").stdin(Stdio::null()).output().unwrap());
    assert!(run.status == 0 && run.stderr.contains("PPROF_TOOLS is not needed"), "{}", run.stderr);
}
