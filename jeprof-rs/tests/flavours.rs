//! Every way to build, link, strip and pack a program: the names, inlined functions and lines of its stacks are those
//! of its source, or what is not known is said to be unknown.
//!
//! Flavours that need tools beyond Rust and a C compiler with its binutils are in the package `suite`.

mod common;

use common::zoo::{Known, Zoo};

#[test]
fn debug_information_of_every_level() {
    Zoo::build("full", &["-g"]).check(Known::All, &[]);
    Zoo::build("limited", &["-C", "debuginfo=1"]).check(Known::All, &[]);
    Zoo::build("lines", &["-C", "debuginfo=line-tables-only"]).check(Known::AllShort, &[]);
    Zoo::build("symbols", &["-C", "debuginfo=0"]).check(Known::Symbols, &[]);
    Zoo::build("nothing", &["-C", "strip=symbols"]).check(Known::Nothing, &[]);
}

#[test]
fn both_manglings() {
    for mangling in ["legacy", "v0"] {
        let flag = format!("-Csymbol-mangling-version={mangling}");
        Zoo::build(mangling, &["-g", &flag]).check(Known::All, &[]);
    }
}

#[test]
fn dwarf_4_and_5() {
    for version in ["4", "5"] {
        Zoo::build(&format!("dwarf{version}"), &["-g", &format!("-Cdwarf-version={version}")])
            .check(Known::All, &[]);
    }
}

#[test]
fn compressed_sections() {
    for kind in ["zlib", "zstd"] {
        let link = format!("-Clink-arg=-Wl,--compress-debug-sections={kind}");
        Zoo::build(kind, &["-g", "-Clinker-features=-lld", &link]).check(Known::All, &[]);
    }
}

#[test]
fn link_time_optimisation_with_references_between_units() {
    for version in ["4", "5"] {
        let name = format!("lto{version}");
        Zoo::build(&name, &["-g", "-Clto=fat", "-Cembed-bitcode=yes", &format!("-Cdwarf-version={version}")])
            .check(Known::All, &[]);
    }
}

#[test]
fn every_way_to_place_a_program() {
    for (name, flags) in [
        ("pie", &["-Crelocation-model=pie"] as &[&str]),
        ("fixed", &["-Crelocation-model=static"]),
        ("static-pie", &["-Ctarget-feature=+crt-static"]),
        ("static", &["-Ctarget-feature=+crt-static", "-Crelocation-model=static"]),
    ] {
        Zoo::build(name, &[&["-g"], flags].concat()).check(Known::All, &[]);
    }
}

#[test]
fn every_linker_at_hand() {
    for (name, flags) in [
        ("lld", &["-Clinker-features=+lld"] as &[&str]),
        ("bfd", &["-Clinker-features=-lld", "-Clink-arg=-fuse-ld=bfd"]),
        ("gold", &["-Clinker-features=-lld", "-Clink-arg=-fuse-ld=gold"]),
    ] {
        Zoo::build(name, &[&["-g"], flags].concat()).check(Known::All, &[]);
    }
}

#[test]
fn split_debug_information_packed_and_not() {
    for version in ["4", "5"] {
        for kind in ["packed", "unpacked"] {
            let flags = ["-g", &format!("-Csplit-debuginfo={kind}"), &format!("-Cdwarf-version={version}")];
            Zoo::build(&format!("{kind}{version}"), &flags).check(Known::All, &[]);
        }
    }
}
