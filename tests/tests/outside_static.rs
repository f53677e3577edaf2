//! Programs into which everything is linked, the C library (musl) included: stacks and figures are exact there too. Needs
//! `musl-gcc`, and rustc's target `<machine>-unknown-linux-musl`.
#![cfg(feature = "outside")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use suite::build::{target_folder, workspace};
use suite::heap::{self, Symbols};
use suite::run::Run;
use suite::scratch::Scratch;
use suite::truth;

/// Builds a package for musl; the folder with the results.
fn package(name: &str) -> PathBuf {
    let target = format!("{}-unknown-linux-musl", std::env::consts::ARCH);
    let mut cargo = Command::new("cargo");
    cargo.current_dir(workspace()).args(["build", "--quiet", "--release", "--package", name]);
    cargo.args(["--target", &target, "--target-dir"]).arg(target_folder());
    // A shared library is not to be had there, of which cargo warns.
    let output = cargo.env("CARGO_PROFILE_RELEASE_LTO", "thin").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    target_folder().join(target).join("release")
}

/// Stacks of the final dump of a program, by names of its functions, all allocations sampled.
fn stacks(program: &Path) -> Vec<Vec<String>> {
    let folder = Scratch::new("static");
    let conf =
        format!("prof:true,lg_prof_sample:0,prof_final:true,prof_prefix:{}/s", folder.path().display());
    Run::new(program).conf(conf).outcome().ok();
    let dump = heap::read(&folder.files(".f.heap")[0]);
    let symbols = Symbols::of(program);
    let name = |frame: &u32| {
        let address = dump.frame_table[*frame as usize].address;
        let map = dump.maps.iter().find(|map| (map.start..map.end).contains(&address));
        let name = map.and_then(|map| symbols.at(address - map.start + map.file_offset));
        name.unwrap_or("nowhere").to_owned()
    };
    dump.stacks.iter().map(|row| dump.stack(row).iter().map(name).collect()).collect()
}

/// gcc makes no index of unwind tables for a static program unless it is told to, and without one there are no stacks.
/// musl's own functions have no tables either: a stack through `qsort` ends there.
#[test]
fn chains_are_whole_in_a_static_c_program() {
    let archive = package("jemalloc").join("libjemalloc.a");
    for level in ["-O0", "-O2", "-O3"] {
        let program = target_folder().join(format!("suite-fixtures/chains{level}-static"));
        let mut compiler = Command::new("musl-gcc");
        compiler.args([
            level,
            "-g1",
            "-fno-builtin",
            "-fomit-frame-pointer",
            "-static",
            "-Wl,--eh-frame-hdr",
        ]);
        compiler.arg(workspace().join("fixtures/programs/chains.c")).arg(&archive).arg("-o").arg(&program);
        let output = compiler.output().expect("musl-gcc is there (musl-tools)");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found = stacks(&program.canonicalize().unwrap());
        let below =
            |chain: &[&str]| found.iter().any(|stack| stack[..stack.len().min(chain.len())] == *chain);
        for chain in [
            &["leaf", "plain_inner", "plain", "main"][..],
            &["leaf", "sized_inner", "sized", "main"],
            &["leaf", "plain_inner", "thread_start"],
            &["leaf", "compared"],
        ] {
            assert!(below(chain), "{level}: {chain:?} in {found:#?}");
        }
        for handler in ["on_signal", "on_signal_elsewhere"] {
            let stack = found.iter().find(|stack| stack.iter().any(|name| name == handler));
            let stack: Vec<&str> = stack.expect(handler).iter().map(String::as_str).collect();
            let ["leaf", _, "past", _, "trap_here", signalled, "main", ..] = stack[..] else {
                panic!("{level}: {stack:?}")
            };
            assert!(signalled.starts_with("signalled"), "{stack:?}");
        }
        let deep = found.iter().find(|stack| stack.len() > 100).expect("the deep stack is there");
        assert!(deep[0] == "leaf" && deep[1..127].iter().all(|name| name == "recursion"), "{deep:?}");
    }
}

/// The Rust service with the allocator as its crate: every site's live objects, to the object.
#[test]
fn a_static_rust_program_s_dump_is_the_truth() {
    let program = package("svc").join("svc").canonicalize().unwrap();
    let folder = Scratch::new("static-svc");
    let conf =
        format!("prof:true,lg_prof_sample:0,prof_final:true,prof_prefix:{}/s", folder.path().display());
    let run = Run::new(&program).args(["--truth", "--cache=2000", "--requests=5000"]);
    let outcome = run.conf(conf).outcome().ok();
    let dump = heap::read(&folder.files(".f.heap")[0]);
    let found = heap::by_function(&dump, &program, &Symbols::of(&program));
    let found: BTreeMap<_, _> = found
        .iter()
        .map(|(name, figure)| (name.clone(), (figure.objs as u64, figure.bytes as u64)))
        .collect();
    for (function, site) in truth::parse(&outcome.stdout) {
        assert_eq!(
            found.get(&function).copied().unwrap_or_default(),
            (site.objects, site.bytes),
            "{function}"
        );
    }
}
