//! Symbols, commands and headings in front of a text profile.

use alloc::{format, string::String, vec::Vec};

use super::{live_total, written};
use crate::any::read;
use crate::dump::{Dump, ReadError};
use crate::testing::{Random, VecSnapshot};
use crate::vocab::Format;

/// Symbols for every look-up address of `dump` but each seventh, one to three names each.
fn symbols(dump: &Dump) -> String {
    let mut text = String::from("--- symbol\nbinary=/srv/other name\n");
    for (index, frame) in dump.frame_table.iter().enumerate().filter(|(index, _)| index % 7 != 0) {
        let names: Vec<String> =
            (0..1 + index % 3).map(|depth| format!("ns::f{index}<int, {depth}>(x)")).collect();
        text.push_str(&format!("{:#018x} {}\n", frame.address, names.join("--")));
    }
    text + "---\n--- heap\n"
}

#[test]
fn a_symbolized_file_is_the_same_dump_with_names() {
    let mut random = Random::new(3);
    for format in [Format::Text, Format::HeapV2] {
        let profile = written(format, &VecSnapshot::random(&mut random, 1 << 16, true, 40));
        let plain = read(&profile).unwrap();
        let head = symbols(&plain);
        let file = [head.as_bytes(), &profile].concat();
        let dump = read(&file).unwrap();
        assert!(dump.symbolized && !plain.symbolized);
        assert_eq!(dump.program.as_deref(), Some("/srv/other name"));
        assert!(file[dump.profile_offset..] == profile, "the profile itself starts there");
        assert_eq!((&dump.frames, &dump.stacks), (&plain.frames, &plain.stacks));
        assert_eq!((&dump.thread_stacks, &dump.threads), (&plain.thread_stacks, &plain.threads));
        assert_eq!((&dump.maps, &dump.warnings), (&plain.maps, &plain.warnings));
        for (index, frame) in dump.frame_table.iter().enumerate() {
            let names: Vec<_> = frame.names.iter().map(|name| &name.function[..]).collect();
            let expected: Vec<String> = if index % 7 == 0 {
                Vec::new()
            } else {
                (0..1 + index % 3).rev().map(|depth| format!("ns::f{index}<int, {depth}>(x)")).collect()
            };
            assert_eq!(names, expected, "innermost first");
        }
    }
}

/// What the names of the only frame are after this symbol line.
fn names_after(line: &str) -> Vec<String> {
    let text = format!("--- symbol\n{line}\n---\n--- heap\nheap_v2/1\n@ 0x10\n  t*: 1: 8 [0: 0]\n");
    let dump = read(text.as_bytes()).unwrap();
    dump.frame_table[0].names.iter().map(|name| name.function.clone()).collect()
}

#[test]
fn symbol_lines_follow_jeprofs_rules() {
    assert_eq!(names_after("0x10 main"), ["main"]);
    assert_eq!(names_after("0x0000000000000010\tmain (x) -- y"), [" y", "main (x) "]);
    assert_eq!(names_after("0x10 main--"), ["main"]);
    assert_eq!(names_after("0x10 main----leaf"), ["leaf", "", "main"]);
    assert_eq!(names_after("0x10 one\n0x10 two"), ["two"], "the last one counts");
    assert_eq!(names_after("0x10\r\n0x11 other"), [""; 0]);
    assert_eq!(names_after("0x1g main"), [""; 0]);
    assert_eq!(names_after("0x11111111111111110 main"), [""; 0]);
}

#[test]
fn callers_are_named_by_the_address_inside_their_call() {
    let text = "--- symbol\n0x10 leaf\n0x1f caller\n0x20 wrong\n---\nheap profile: 1: 8 [0: 0] @ heapprofile\n\
                1: 8 [0: 0] @ 0x10 0x20\nMAPPED_LIBRARIES:\n";
    let dump = read(text.as_bytes()).unwrap();
    let names: Vec<_> = dump.frame_table.iter().map(|frame| &frame.names[0].function[..]).collect();
    assert_eq!(names, ["leaf", "caller"]);
    assert_eq!(dump.profile_offset, text.find("heap profile").unwrap());
}

#[test]
fn commands_and_headings_come_before_any_text_profile() {
    for profile in
        ["heap_v2/1\n@ 0x10\n  t*: 1: 8 [0: 0]\n", "heap profile: 1: 8 [0: 0]\n1: 8 [0: 0] @ 0x10\n"]
    {
        for heading in ["", "--- heap\n", "---growth\r\n", "--- symbol\n---\n--- heapz and more\n"] {
            let text =
                format!("%warn too  many\n%warn\n%other\n{heading}%warn last\n{profile}MAPPED_LIBRARIES:\n");
            let dump = read(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert_eq!(live_total(&dump).bytes, 8.0);
            assert_eq!(
                dump.warnings,
                [
                    "the program that wrote this warns: too  many",
                    "the program that wrote this warns: ",
                    "the program that wrote this warns: last",
                    "1 line is not of this format and left out, the first is line 3",
                ]
            );
        }
    }
}

#[test]
fn errors_in_front_of_the_profile_name_the_place() {
    let check = |text: &str, expected: &str| {
        let error = read(text.as_bytes()).expect_err(text);
        assert_eq!(format!("{error}"), expected, "{text}");
    };
    let unended = "line 1: symbols: the line `---` that ends them is missing: the file is cut off";
    check("--- symbol", unended);
    check("--- symbol\n0x10 main\nheap_v2/1\n", unended);
    check("--- symbol\n---", "line 2: symbols: the file ends before its profile begins");
    check("--- symbol\n---\n--- heap\n", "line 3: symbols: the file ends before its profile begins");
    check("--- symbol\n---\n--- contention\n", {
        "line 3: profile: what follows the symbols is not a heap profile in text form"
    });
    check("--- symbol\n---\nheap_v2/0\n", "line 3: sampling distance: `0` is not a positive number");
    for text in ["%warn", "--- contention\n", "--- profile\n", "%x\nhello\n"] {
        assert_eq!(read(text.as_bytes()), Err(ReadError::NotThisFormat), "{text}");
    }
}

#[test]
fn names_behind_the_figures_of_a_stack_are_damage() {
    let text = "heap_v2/1\n  t3: 1: 8 [0: 0] a [1] b\n@ 0x10\n  t*: 1: 8 [0: 0]\n  t3: 1: 8 [0: 0] name\n\nMAPPED_LIBRARIES:\n";
    let dump = read(text.as_bytes()).unwrap();
    assert_eq!((dump.threads, dump.thread_stacks.len()), (Vec::from([(3, "a [1] b".into())]), 0));
    assert_eq!(dump.warnings, ["1 line is not of this format and left out, the first is line 5"]);
}

#[test]
fn addresses_of_the_kernel_are_left_out_of_stacks() {
    let text = "heap_v2/1\n@ 0x7fffffffffffffff 0x8000000000000000 0x8000000000000001 0x0 0x11 0xffffffffff600000\n  \
                t*: 1: 8 [0: 0]\n@ 0xffffffffff600000\n  t*: 2: 8 [0: 0]\n\nMAPPED_LIBRARIES:\n";
    let dump = read(text.as_bytes()).unwrap();
    let addresses: Vec<u64> = dump.frame_table.iter().map(|frame| frame.address).collect();
    assert_eq!(addresses, [0x7fff_ffff_ffff_ffff, 0x10]);
    assert_eq!(dump.stack(&dump.stacks[0]), [0, 0, 1]);
    assert_eq!((dump.stack(&dump.stacks[1]), dump.stacks[1].live.objs), (&[][..], 2.0));
}
