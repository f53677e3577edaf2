//! Stacks in dumps are the chains of calls that there were, from the leaf to the root.

use std::path::Path;

use prof_format::dump::Dump;
use suite::build::preload;
use suite::fixture::{compiled, compiled_with};
use suite::heap::{self, Symbols};
use suite::run::Run;
use suite::scratch::Scratch;

/// Every stack of a program's final dump in which each allocation is sampled, as names: functions of the given files,
/// and the first part of the name of any other file.
fn stacks(program: &Path, arguments: &[&str], named: &[&Path]) -> Vec<Vec<String>> {
    let folder = Scratch::new("chains");
    let conf =
        format!("prof:true,lg_prof_sample:0,prof_final:true,prof_prefix:{}/c", folder.path().display());
    Run::new(program).args(arguments).preload(&preload()).conf(conf).outcome().ok();
    let dumps = folder.files(".f.heap");
    assert_eq!(dumps.len(), 1, "{dumps:?}");
    let dump = heap::read(&dumps[0]);
    let symbols: Vec<(&Path, Symbols)> = named.iter().map(|path| (*path, Symbols::of(path))).collect();
    let name = |address: u64| name(&dump, &symbols, address);
    dump.stacks
        .iter()
        .map(|row| {
            dump.stack(row).iter().map(|frame| name(dump.frame_table[*frame as usize].address)).collect()
        })
        .collect()
}

fn name(dump: &Dump, symbols: &[(&Path, Symbols)], address: u64) -> String {
    let Some(map) = dump.maps.iter().find(|map| (map.start..map.end).contains(&address)) else {
        return "nowhere".to_owned();
    };
    let path = Path::new(&map.path);
    let known = symbols.iter().find(|(named, _)| *named == path);
    match known.map(|(_, symbols)| symbols.at(address - map.start + map.file_offset)) {
        Some(Some(function)) => function.to_owned(),
        // The start of a program has no size in its symbol table.
        Some(None) => "start".to_owned(),
        None => {
            let file = path.file_name().map(|file| file.to_string_lossy().into_owned()).unwrap_or_default();
            file.split(['.', '-']).next().unwrap_or_default().to_owned()
        }
    }
}

/// The one stack that goes through `function` begins with `chain`, in which the frames of a library are one; what is
/// nearer to the root satisfies `root`.
#[track_caller]
fn expect(stacks: &[Vec<String>], function: &str, chain: &[&str], root: fn(&[&str]) -> bool) {
    let mut found: Vec<Vec<&str>> = stacks
        .iter()
        .filter(|stack| stack.iter().any(|name| name == function))
        .map(|stack| stack.iter().map(String::as_str).collect())
        .collect();
    for stack in &mut found {
        stack.dedup_by(|a, b| a == b && (a.starts_with("lib") || a.starts_with("ld")));
    }
    let [stack] = &found[..] else { panic!("stacks with {function}: {found:#?} of {stacks:#?}") };
    assert!(stack.starts_with(chain), "{function}: {stack:?}");
    assert!(root(&stack[chain.len()..]), "{function}: {stack:?} goes on wrong after {chain:?}");
}

/// Above `main`: the C library, which the program's first instructions have called.
fn above_main(rest: &[&str]) -> bool {
    matches!(rest, ["libc", "start" | "_start"])
}

fn in_library(rest: &[&str]) -> bool {
    matches!(rest, [] | ["libc"])
}

#[test]
fn chains_of_c_are_whole_however_the_program_was_compiled() {
    let plugin = compiled_with("plugin.c", &["-shared", "-fPIC"]);
    let other = compiled_with("plugin.c", &["-shared", "-fPIC", "-DOTHER"]);
    let arguments = [plugin.to_str().unwrap(), other.to_str().unwrap()];
    for flags in [&["-fasynchronous-unwind-tables"][..], &["-O3"], &["-O3", "-flto"], &["-O0"], &["-no-pie"]]
    {
        let program = compiled_with("chains.c", flags);
        let found = stacks(&program, &arguments, &[&program, &plugin, &other]);
        let check = |function: &str, chain: &[&str]| expect(&found, function, chain, above_main);
        check("plain", &["leaf", "plain_inner", "plain", "main"]);
        check("sized", &["leaf", "sized_inner", "sized", "main"]);
        check("sorted", &["leaf", "compared", "libc", "sorted", "main"]);
        let handled = ["past", "libc", "trap_here"];
        check("signalled", &[&["leaf", "on_signal"][..], &handled, &["signalled", "main"]].concat());
        let elsewhere =
            [&["leaf", "on_signal_elsewhere"][..], &handled, &["signalled_elsewhere", "main"]].concat();
        check("signalled_elsewhere", &elsewhere);
        let outer = ["plugin_inner", "plugin_outer", "call_plugin", "main"];
        check("from_plugin", &[&["leaf", "from_plugin"][..], &outer].concat());
        expect(&found, "thread_start", &["leaf", "plain_inner", "thread_start"], in_library);
        expect(&found, "coroutine", &["leaf", "coroutine_inner", "coroutine"], in_library);
        let deep = found.iter().find(|stack| stack.iter().any(|name| name == "recursion"));
        let deep = deep.expect("the deep stack is there");
        assert!(deep[0] == "leaf" && deep[1..127].iter().all(|name| name == "recursion"), "{deep:?}");
        assert!(deep.len() <= 129 && !deep.contains(&"main".to_owned()), "{deep:?}");
        if cfg!(target_arch = "x86_64") {
            // The frame of the generated code has a place and no name; nothing is known of its caller.
            let described = ["plain", "thread_start"];
            let jit: Vec<_> = found
                .iter()
                .filter(|stack| stack[1] == "plain_inner" && !described.contains(&stack[2].as_str()))
                .collect();
            assert!(matches!(&jit[..], [stack] if ["", "nowhere"].contains(&stack[2].as_str())), "{jit:?}");
        }
    }
}

#[test]
fn chains_of_c_plus_plus_are_whole_while_an_exception_is_in_flight() {
    for flags in [&["-O2"][..], &["-O3", "-flto"]] {
        let program = compiled_with("chains.cc", flags);
        let found = stacks(&program, &[], &[&program]);
        expect(&found, "throws", &["libstdc++", "throws", "guarded", "caught", "main"], above_main);
        expect(&found, "Guard", &["leaf", "Guard", "guarded", "caught", "main"], above_main);
        let caught: Vec<_> = found.iter().filter(|stack| stack[..2] == ["leaf", "caught"]).cloned().collect();
        expect(&caught, "caught", &["leaf", "caught", "main"], above_main);
    }
}

#[test]
fn chains_of_rust_are_whole_while_a_panic_unwinds() {
    let program = compiled("chains.rs").canonicalize().unwrap();
    let found = stacks(&program, &[], &[&program]);
    let stack = found.iter().find(|stack| stack.contains(&"allocated_in_drop".to_owned()));
    let stack = stack.unwrap_or_else(|| panic!("{found:#?}"));
    let at = |name: &str| {
        stack.iter().position(|frame| frame == name).unwrap_or_else(|| panic!("{name}: {stack:?}"))
    };
    assert!(at("allocated_in_drop") < at("panics") && at("panics") < at("guards"), "{stack:?}");
    assert!(
        at("guards") < at("main") && matches!(&stack[stack.len() - 2..], [libc, _] if libc == "libc"),
        "{stack:?}"
    );
}

/// Frames of libraries that come and go, mostly at addresses where another one was: the program itself compares each stack
/// with the calls that it made, in the hook of samples.
#[test]
fn chains_through_libraries_that_threads_load_and_close_are_exact() {
    let plugin = compiled_with("plugin.c", &["-shared", "-fPIC"]);
    let other = compiled_with("plugin.c", &["-shared", "-fPIC", "-DOTHER"]);
    let folder = Scratch::new("plugins");
    for dump in ["d.heap", "d.pb.gz"] {
        let dump = folder.file(dump);
        let run = Run::new(compiled_with("plugins.c", &[])).args([&plugin, &other]).arg("2").arg(&dump);
        let outcome =
            run.preload(&preload()).conf("prof:true,lg_prof_sample:0,prof_accum:true").outcome().ok();
        let count = |name: &str| -> u64 {
            let line = outcome.stdout.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{name}: {outcome}")).parse().unwrap()
        };
        assert!(count("right") >= count("loads") && count("loads") > 100, "{outcome}");
        assert!(count("threads") > 2 && count("dumps") > 0, "{outcome}");
        assert!(!heap::read(&dump).stacks.is_empty());
    }
}
