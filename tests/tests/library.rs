//! The library as a file: its name for the loader, what it needs, what it exports, and that programs link with it.

use std::collections::BTreeSet;
use std::path::Path;

use object::read::elf::{Dyn, ElfFile64};
use object::{LittleEndian, Object, ObjectSection, ObjectSymbol, elf};
use suite::build::{self, Profile};
use suite::fixture::compiled_with;
use suite::golden::assert_golden;
use suite::run::Run;
use suite::scratch::Scratch;

/// Strings of the dynamic section with these tags: SONAME, NEEDED.
fn dynamic_strings(bytes: &[u8], tag: elf::DynamicTag) -> BTreeSet<String> {
    let file = ElfFile64::<LittleEndian>::parse(bytes).expect("an ELF file of this machine");
    let endian = file.endian();
    let sections = file.elf_section_table();
    let (entries, link) = sections.dynamic(endian, bytes).expect("readable").expect("a dynamic section");
    let strings = sections.strings(endian, bytes, link).expect("its strings");
    entries
        .iter()
        .filter(|entry| entry.tag(endian) == tag)
        .map(|entry| {
            String::from_utf8_lossy(entry.string(endian, strings).expect("in the table")).into_owned()
        })
        .collect()
}

fn library() -> Vec<u8> {
    let path = build::package("jemalloc", Profile::own()).join("libjemalloc.so");
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn the_library_takes_the_place_of_the_original_and_needs_the_c_library_alone() {
    let bytes = library();
    assert_eq!(dynamic_strings(&bytes, elf::DT_SONAME), ["libjemalloc.so.2".to_owned()].into());
    // libgcc_s would bring its unwinder, whose first use allocates; libstdc++ allocates when it is loaded.
    let needed = dynamic_strings(&bytes, elf::DT_NEEDED);
    let allowed = |name: &String| name.starts_with("libc.so.") || name.starts_with("ld-linux");
    assert!(needed.iter().all(allowed), "{needed:?}");
}

#[test]
fn the_exported_symbols_are_those_of_the_list() {
    let bytes = library();
    let file = object::File::parse(&bytes[..]).expect("an ELF file");
    let mut names: Vec<&str> = file
        .dynamic_symbols()
        .filter(|symbol| symbol.is_definition() && symbol.is_global())
        .filter_map(|symbol| symbol.name().ok())
        .collect();
    names.sort_unstable();
    names.dedup();
    assert_golden("compat/exports.txt", &(names.join("\n") + "\n"));
}

#[test]
fn code_that_every_program_runs_lies_in_front_of_all_other() {
    let bytes = library();
    let file = object::File::parse(&bytes[..]).expect("an ELF file");
    let addresses = |part: &str| -> Vec<u64> {
        let symbols = file.symbols().filter(|symbol| symbol.name().is_ok_and(|name| name.contains(part)));
        symbols.map(|symbol| symbol.address()).collect()
    };
    let start = addresses("7jealloc4boot6ensure").into_iter().chain(addresses("7jealloc5arena3bin3Bin4take"));
    let last = start.max().expect("functions of the start");
    // Reports, dumps, the reading of frames.
    for room in ["7jealloc5stats", "12prof_runtime4dump", "5gimli4read"] {
        let first = addresses(room).into_iter().min().unwrap_or_else(|| panic!("no function of {room}"));
        assert!(last < first, "{room}");
    }
}

#[test]
fn a_program_linked_with_the_static_library_uses_it() {
    let folder = build::package("jemalloc", Profile::own());
    let archive = folder.join("libjemalloc.a");
    assert!(archive.is_file(), "{}", archive.display());
    // -rdynamic, because the fixtures look for mallctl at run time; the reference keeps the linker from dropping it.
    let linked = compiled_with("options.c", &["-rdynamic", "-Wl,-u,mallctl", &link(&archive)]);
    let outcome = Run::new(&linked).conf("narenas:3").outcome().ok();
    assert!(outcome.stdout.starts_with("narenas:3,"), "{outcome}");
    let linked = compiled_with("work.c", &[&link(&archive)]);
    Run::new(&linked).arg("--rows=2000").outcome().ok();
}

#[test]
fn a_program_linked_with_the_shared_library_finds_it_by_the_original_s_name() {
    let folder = build::package("jemalloc", Profile::own());
    let scratch = Scratch::new("linked");
    std::fs::copy(folder.join("libjemalloc.so"), scratch.file("libjemalloc.so.2")).unwrap();
    let linked = compiled_with("options.c", &["-Wl,--no-as-needed", &link(&folder.join("libjemalloc.so"))]);
    let run = Run::new(&linked).env("LD_LIBRARY_PATH", scratch.path()).conf("narenas:6");
    let outcome = run.outcome().ok();
    assert!(outcome.stdout.starts_with("narenas:6,"), "{outcome}");
}

/// The notes of static probes in a file: `provider:name` with its arguments, where it is, and where the linker put the byte
/// that tells tools by how much the file was moved.
fn probes(bytes: &[u8]) -> Vec<(String, u64, u64)> {
    let file = object::File::parse(bytes).expect("an ELF file");
    let Some(section) = file.section_by_name(".note.stapsdt") else { return Vec::new() };
    let mut notes = section.data().expect("readable");
    let mut found = Vec::new();
    while !notes.is_empty() {
        let word = |at: usize| u32::from_le_bytes(notes[at..at + 4].try_into().unwrap()) as usize;
        let (owner, length, kind) = (word(0), word(4), word(8));
        assert_eq!((&notes[12..12 + owner], kind), (&b"stapsdt\0"[..], 3));
        let content = &notes[12 + owner.next_multiple_of(4)..];
        let address = |nth: usize| u64::from_le_bytes(content[nth * 8..][..8].try_into().unwrap());
        let texts: Vec<&str> = content[24..length]
            .split(|byte| *byte == 0)
            .map(|text| std::str::from_utf8(text).unwrap())
            .collect();
        assert_eq!(address(2), 0, "no semaphores");
        let [provider, name, arguments, ""] = texts[..] else { panic!("{texts:?}") };
        let base = file.section_by_name(".stapsdt.base").expect("the linker has kept it");
        assert_eq!(base.address(), address(1), "{provider}:{name}");
        found.push((format!("{provider}:{name} {arguments}"), address(0), address(1)));
        notes = &content[length.next_multiple_of(4)..];
    }
    found
}

/// How tools spell an unsigned argument of 64 bits in a register.
fn is_register(argument: &str) -> bool {
    let (sign, names) = if cfg!(target_arch = "x86_64") { ("8@%", 2..4) } else { ("8@x", 1..3) };
    argument.strip_prefix(sign).is_some_and(|register| names.contains(&register.len()))
}

#[track_caller]
fn assert_probes(bytes: &[u8]) {
    let file = object::File::parse(bytes).expect("an ELF file");
    let mut numbers = BTreeSet::new();
    for (probe, at, _) in probes(bytes) {
        let mut words = probe.split(' ');
        let name = words.next().unwrap().to_owned();
        let arguments: Vec<&str> = words.collect();
        assert!(arguments.iter().all(|argument| is_register(argument)), "{probe}");
        assert_eq!(arguments.iter().collect::<BTreeSet<_>>().len(), arguments.len(), "{probe}");
        let text = file
            .sections()
            .find(|section| (section.address()..section.address() + section.size()).contains(&at));
        let text = text.unwrap_or_else(|| panic!("{probe} is at {at:#x}"));
        if cfg!(target_arch = "x86_64") {
            assert_eq!(text.data_range(at, 1).unwrap(), Some(&[0x90][..]), "{probe}: no `nop` there");
        }
        numbers.insert((name, arguments.len()));
    }
    let expected = [
        ("jemalloc_rs:dump", 1),
        ("jemalloc_rs:oom", 1),
        ("jemalloc_rs:purge", 2),
        ("otel_memory:alloc", 3),
        ("otel_memory:free", 1),
    ];
    assert_eq!(numbers, expected.map(|(name, arguments)| (name.to_owned(), arguments)).into());
}

#[test]
fn the_probes_are_noted_with_their_arguments_in_the_library_and_in_programs_linked_with_the_archive() {
    assert_probes(&library());
    let archive = build::package("jemalloc", Profile::own()).join("libjemalloc.a");
    let throw_out = "-Wl,--gc-sections";
    let linked = compiled_with("work.c", &[&link(&archive), throw_out]);
    assert_probes(&std::fs::read(linked).unwrap());
    let told = std::fs::read_to_string(build::workspace().join("docs/compat.md")).unwrap();
    for (probe, _, _) in probes(&library()) {
        let (name, arguments) = probe.split_once(' ').unwrap();
        let row = told.lines().find_map(|line| line.strip_prefix(&format!("| `{name}(")));
        let row = row.unwrap_or_else(|| panic!("docs/compat.md has no row for {name}"));
        let listed = row.split(')').next().unwrap().split(',').count();
        assert_eq!(listed, arguments.split(' ').count(), "{name}");
    }
}

/// The file as an argument of the linker that comes after the source.
fn link(file: &Path) -> String {
    format!("-Wl,{}", file.display())
}
