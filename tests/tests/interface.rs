//! The C and C++ interface as programs see it: the header, the installed files, every symbol under its three names, the
//! operators.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use object::{Object, ObjectSymbol};
use suite::build::{self, Profile, preload, workspace};
use suite::fixture::compiled_with;
use suite::golden::golden;
use suite::run::{Outcome, Run};
use suite::scratch::Scratch;

/// A folder that the library of this profile was installed into; it lives as long as the tests.
fn installed() -> &'static Path {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let built = build::package("jemalloc", Profile::own());
        let prefix = built.join("suite-installed");
        let script = workspace().join("alloc/capi/install.sh");
        let outcome = Run::new(script).arg("--built").arg(&built).arg(&prefix).outcome().ok();
        assert!(outcome.stdout.starts_with("installed jemalloc 5.3.1"), "{outcome}");
        prefix
    })
}

/// What pkg-config answers for the installed library.
fn pkg_config(arguments: &[&str]) -> Vec<String> {
    let run = Run::new("pkg-config").args(arguments).arg("jemalloc");
    let outcome = run.env("PKG_CONFIG_PATH", installed().join("lib/pkgconfig")).outcome().ok();
    outcome.stdout.split_whitespace().map(str::to_owned).collect()
}

/// Compiles a fixture against the installed header and shared library, as pkg-config says.
fn with_shared(source: &str, more: &[&str]) -> PathBuf {
    let mut arguments = pkg_config(&["--cflags", "--libs"]);
    arguments.extend(more.iter().map(|&argument| argument.to_owned()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    compiled_with(source, &arguments)
}

/// The same with the static library.
fn with_static(source: &str, more: &[&str]) -> PathBuf {
    let mut arguments = pkg_config(&["--cflags", "--libs", "--static"]);
    for argument in &mut arguments {
        if argument == "-ljemalloc" {
            *argument = installed().join("lib/libjemalloc.a").display().to_string();
        }
    }
    arguments.extend(more.iter().map(|&argument| argument.to_owned()));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    compiled_with(source, &arguments)
}

/// Runs a program that was linked with the installed shared library.
fn run_shared(program: &Path) -> Run {
    Run::new(program).env("LD_LIBRARY_PATH", installed().join("lib"))
}

#[track_caller]
fn checks_hold(outcome: Outcome) {
    let outcome = outcome.ok();
    assert!(outcome.stdout.ends_with("checks, 0 failed\n"), "{outcome}");
}

#[test]
fn every_name_works_in_a_c_program_with_the_installed_header_and_shared_library() {
    checks_hold(run_shared(&with_shared("interface.c", &[])).outcome());
    // Such a program has copies of the library's variables, which the library has to look at.
    checks_hold(run_shared(&with_shared("interface.c", &["-no-pie", "-fno-pie"])).outcome());
}

#[test]
fn every_name_works_in_a_c_program_with_the_installed_static_library() {
    checks_hold(Run::new(with_static("interface.c", &[])).outcome());
}

#[test]
fn every_name_works_in_a_cpp_program() {
    // The language is named by the first argument behind the source, so it is the source that has to be C++.
    checks_hold(run_shared(&with_shared("interface.cc", &["-std=c++11"])).outcome());
    checks_hold(run_shared(&with_shared("interface.cc", &["-std=c++20"])).outcome());
    checks_hold(Run::new(with_static("interface.cc", &[])).outcome());
}

#[test]
fn the_header_compiles_in_every_standard_before_and_after_the_system_s() {
    let scratch = Scratch::new("header");
    for (name, text) in [
        ("first.c", "#include <jemalloc/jemalloc.h>\n#include <malloc.h>\n#include <stdlib.h>\n"),
        ("last.c", "#include <malloc.h>\n#include <stdlib.h>\n#include <jemalloc/jemalloc.h>\n"),
        (
            "mangled.c",
            "#define JEMALLOC_MANGLE\n#include <jemalloc/jemalloc.h>\nvoid *f(void) { return malloc(1); }\n",
        ),
    ] {
        std::fs::write(scratch.file(name), text).unwrap();
        for (compiler, standard) in [
            ("cc", "c99"),
            ("cc", "c11"),
            ("cc", "gnu2x"),
            ("c++", "c++98"),
            ("c++", "c++11"),
            ("c++", "c++20"),
        ] {
            let language = if compiler == "cc" { "c" } else { "c++" };
            let object = scratch.file("out.o");
            let run = Run::new(compiler).arg(format!("-std={standard}")).args(["-x", language]);
            run.args(["-Wall", "-Wextra", "-Werror", "-D_GNU_SOURCE", "-c"])
                .arg(scratch.file(name))
                .args(pkg_config(&["--cflags"]))
                .arg("-o")
                .arg(&object)
                .outcome()
                .ok();
            if name == "mangled.c" {
                let (_, wanted) = symbols(&std::fs::read(&object).unwrap());
                assert!(wanted.contains("je_malloc"), "{wanted:?}");
            }
        }
    }
}

/// Names of the symbols that a file defines, and of those that it wants from others.
fn symbols(bytes: &[u8]) -> (BTreeSet<String>, BTreeSet<String>) {
    let file = object::File::parse(bytes).expect("an ELF file");
    let all = file.symbols().chain(file.dynamic_symbols());
    let named = all.filter_map(|symbol| {
        let name = symbol.name().ok().filter(|name| !name.is_empty())?;
        Some((name.split('@').next()?.to_owned(), symbol.is_definition()))
    });
    let (mut defined, mut wanted) = (BTreeSet::new(), BTreeSet::new());
    for (name, is_definition) in named {
        if is_definition { &mut defined } else { &mut wanted }.insert(name);
    }
    (defined, wanted)
}

#[test]
fn every_exported_symbol_is_used_by_one_of_these_programs() {
    let used = |program: PathBuf| {
        let (defined, wanted) = symbols(&std::fs::read(program).unwrap());
        // Variables of a library may be copied into the program.
        defined.into_iter().chain(wanted).collect::<BTreeSet<String>>()
    };
    let mut used_by_all = used(with_shared("interface.c", &[]));
    used_by_all.extend(used(compiled_with("operators.cc", &["-std=c++17"])));
    let exported = golden("compat/exports.txt");
    let unused: Vec<&str> = exported.lines().filter(|&name| !used_by_all.contains(name)).collect();
    assert!(unused.is_empty(), "no program uses {unused:?}");
}

#[test]
fn the_operators_of_cpp_allocate_throw_and_ask_the_new_handler() {
    let program = compiled_with("operators.cc", &["-std=c++17"]);
    // The C++ library's own operators keep the same contract.
    checks_hold(Run::new(&program).outcome());
    checks_hold(Run::new(&program).preload(&preload()).outcome());
    checks_hold(Run::new(&program).preload(&preload()).conf("tcache:false").outcome());
    checks_hold(Run::new(&program).preload(&preload()).conf("prof:true,lg_prof_sample:0").outcome());
    checks_hold(run_shared(&with_shared("operators.cc", &["-std=c++17"])).outcome());
    checks_hold(Run::new(with_static("operators.cc", &["-std=c++17"])).outcome());
}

#[test]
fn small_objects_throw_too_when_the_address_space_is_used_up() {
    let program = compiled_with("operators.cc", &["-std=c++17"]);
    let limited = "ulimit -v 200000; exec \"$0\" small";
    let run = Run::new("sh").args(["-c", limited]).arg(&program).env("LD_PRELOAD", preload());
    checks_hold(run.outcome());
}

#[test]
fn with_a_static_cpp_library_out_of_memory_ends_in_an_exception_or_in_a_message() {
    let fixed = ["-std=c++17", "-static-libstdc++", "-static-libgcc"];
    let outcome = Run::new(with_static("operators.cc", &fixed)).arg("once").outcome();
    assert!(!outcome.status.success() && outcome.stderr.contains("link with -Wl,-u,"), "{outcome}");
    let wanted = [&fixed[..], &["-Wl,-u,_ZSt17__throw_bad_allocv"]].concat();
    let outcome = Run::new(with_static("operators.cc", &wanted)).arg("once").outcome();
    assert!(outcome.stderr.contains("std::bad_alloc") && outcome.warnings().is_empty(), "{outcome}");
}

#[test]
fn experimental_infallible_new_ends_the_process_instead_of_throwing() {
    let program = compiled_with("operators.cc", &["-std=c++17"]);
    let outcome =
        Run::new(&program).arg("once").preload(&preload()).conf("experimental_infallible_new:true").outcome();
    let told = "<jemalloc>: Allocation of size 9223372036854775807 failed. opt.experimental_infallible_new is true. \
                Aborting.";
    assert_eq!(outcome.warnings(), [told], "{outcome}");
    assert!(!outcome.stderr.contains("bad_alloc"), "{outcome}");
}

#[test]
fn a_program_s_own_malloc_message_gets_what_the_library_has_to_say() {
    let told = "told: <jemalloc>: Invalid conf pair: nonsense:1\n";
    for run in [run_shared(&with_shared("message.c", &[])), Run::new(with_static("message.c", &[]))] {
        let outcome = run.conf("nonsense:1").outcome().ok();
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), (told, ""), "{outcome}");
    }
}

#[test]
fn a_program_s_own_options_count_under_every_name() {
    for run in [run_shared(&with_shared("prefixed.c", &[])), Run::new(with_static("prefixed.c", &[]))] {
        assert_eq!(run.outcome().ok().stdout, "usable 112, narenas 3\n");
    }
    let program = with_static("options.c", &["-DWITH_SYMBOL", "-rdynamic", "-Wl,-u,mallctl"]);
    let outcome = Run::new(&program).outcome().ok();
    assert!(outcome.stdout.starts_with("narenas:3,dirty_decay_ms:1234,"), "{outcome}");
}

#[test]
fn jemalloc_config_and_jemalloc_sh_work_where_they_were_installed() {
    let config = |option: &str| {
        Run::new(installed().join("bin/jemalloc-config")).arg(option).outcome().ok().stdout.trim().to_owned()
    };
    assert_eq!(config("--version"), "5.3.1-0-g0");
    assert_eq!(config("--revision"), "2");
    assert_eq!(config("--prefix"), installed().display().to_string());
    assert_eq!(config("--libdir"), installed().join("lib").display().to_string());
    assert_eq!(config("--cflags"), format!("-I{}/include", installed().display()));
    assert_eq!(config("--ldflags"), format!("-L{}/lib", installed().display()));
    assert!(config("--libs").contains("-pthread"));
    for option in ["--config", "--bindir", "--datadir", "--mandir", "--cc", "--cppflags", "--cxxflags"] {
        config(option);
    }
    let wrong = Run::new(installed().join("bin/jemalloc-config")).arg("--nonsense").outcome();
    assert_eq!(wrong.status.code(), Some(1), "{wrong}");

    let run = Run::new(installed().join("bin/jemalloc.sh")).arg("/bin/echo").arg("a  b").conf("nonsense:1");
    let outcome = run.outcome().ok();
    assert_eq!(outcome.stdout, "a  b\n");
    assert_eq!(outcome.warnings(), ["<jemalloc>: Invalid conf pair: nonsense:1"]);
}

#[test]
fn the_header_s_version_is_that_of_pkg_config_and_of_the_package() {
    assert_eq!(pkg_config(&["--modversion"]), ["5.3.1_0"]);
    let library = installed().join("lib/libjemalloc.so");
    assert_eq!(std::fs::read_link(&library).unwrap(), Path::new("libjemalloc.so.2"));
    assert!(installed().join("lib/libjemalloc_pic.a").is_file());
}
