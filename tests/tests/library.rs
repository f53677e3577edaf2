//! The library as a file: its name for the loader, what it needs, what it exports, and that programs link with it.

use std::collections::BTreeSet;
use std::path::Path;

use object::read::elf::{Dyn, ElfFile64};
use object::{LittleEndian, Object, ObjectSymbol, elf};
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

/// The file as an argument of the linker that comes after the source.
fn link(file: &Path) -> String {
    format!("-Wl,{}", file.display())
}
