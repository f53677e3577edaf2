//! Where the files with names are found: every place once, with the right file, a wrong one, or none.

mod common;
#[path = "common/server.rs"]
mod server;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::zoo::{Known, Zoo};
use common::{Scratch, command, compile, finish, line_of, program, run, tool};
use server::{Answer, Server};

/// A stripped program with a build id, its debug file at `debug` in the scratch folder, and a dump that carries the id.
fn stripped(name: &str, debug: &str) -> (Zoo, PathBuf) {
    // Static, so that no system library is among what is looked for.
    let zoo = Zoo::compile(name, &["-g", "-Clink-arg=-Wl,--build-id", "-Ctarget-feature=+crt-static"]);
    let debug = zoo.scratch.path(&debug.replace("ID", &by_id(&zoo)));
    fs::create_dir_all(debug.parent().unwrap()).unwrap();
    zoo.split_off(&debug);
    zoo.record();
    zoo.put_build_id_into_dump();
    (zoo, debug)
}

/// `ab/cdef` of the build id.
fn by_id(zoo: &Zoo) -> String {
    let id = zoo.build_id();
    format!("{}/{}", &id[..2], &id[2..])
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn debug_files_are_found_by_build_id_and_another_build_s_is_refused() {
    let (zoo, debug) = stripped("build-id", "root/usr/lib/debug/.build-id/ID.debug");
    zoo.check(Known::Nothing, &[]);
    let sysroot = zoo.scratch.path("root");
    zoo.check(Known::All, &["--sysroot", text(&sysroot)]);
    zoo.check(Known::All, &["--symbol-path", text(&sysroot.join("usr/lib/debug"))]);
    zoo.check(Known::All, &["--binary_path", &format!("/proc,{}", text(&sysroot.join("usr/lib/debug")))]);
    zoo.check_with(Known::All, &[], &[("PPROF_BINARY_PATH", text(&sysroot.join("usr/lib/debug")))]);
    zoo.check_with(
        Known::All,
        &[],
        &[("PPROF_BINARY_PATH", &format!("/proc::{}", text(&sysroot.join("usr/lib/debug"))))],
    );

    let flags = ["-g", "-Copt-level=1", "-Clink-arg=-Wl,--build-id", "-Ctarget-feature=+crt-static"];
    let other = Zoo::compile("build-id-other", &flags);
    fs::copy(&other.binary, &debug).unwrap();
    zoo.check(Known::Nothing, &["--sysroot", text(&sysroot)]);
    let answer = tool(&["--sysroot", text(&sysroot), zoo.dump()]);
    assert!(answer.stderr.contains(&other.build_id()), "{}", answer.stderr);
}

#[test]
fn a_debug_link_is_followed_next_to_the_program_below_it_and_under_the_root() {
    for (name, place) in
        [("beside", "menagerie.sym"), ("below", ".debug/menagerie.sym"), ("conventional", "menagerie.debug")]
    {
        // No build id: the checksum decides.
        let zoo = Zoo::compile(&format!("link-{name}"), &["-g", "-Clink-arg=-Wl,--build-id=none"]);
        let debug = zoo.scratch.path("menagerie.sym");
        zoo.split_off(&debug);
        run(Command::new("objcopy").arg(format!("--add-gnu-debuglink={}", text(&debug))).arg(&zoo.binary));
        let place = zoo.scratch.path(place);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::rename(&debug, &place).unwrap();
        zoo.record();
        zoo.check(Known::All, &[]);
        // A file that is not what the checksum was made of.
        let mut bytes = fs::read(&place).unwrap();
        bytes.push(0);
        fs::write(&place, bytes).unwrap();
        zoo.check(Known::Nothing, &[]);
    }
}

#[test]
fn a_program_that_is_gone_is_found_as_a_copy_or_named_by_its_debug_file() {
    let (zoo, debug) = stripped("gone", "debug/ID.debug");
    let copies = zoo.scratch.path("copies");
    let by_id = zoo.scratch.path("by-id").join(zoo.build_id());
    fs::create_dir_all(&copies).unwrap();
    fs::create_dir_all(&by_id).unwrap();
    fs::rename(&zoo.binary, copies.join("menagerie")).unwrap();
    zoo.check(Known::Nothing, &[]);
    // The debug file stands in for the program: it tells the addresses, the dump tells what was mapped.
    let folder = zoo.scratch.path("debug");
    zoo.check(Known::All, &["--symbol-path", text(&folder)]);
    zoo.check(Known::All, &[text(&debug)]);
    let both = format!("{},{}", text(&copies), text(&folder));
    zoo.check(Known::All, &["--symbol-path", &both]);
    // A folder by build id, whatever the file in it is called.
    fs::copy(&debug, by_id.join("anything")).unwrap();
    zoo.check(Known::All, &["--symbol-path", text(by_id.parent().unwrap())]);
}

#[test]
fn a_prefix_finds_a_file_by_the_end_of_its_path() {
    let zoo = Zoo::build("prefix", &["-g"]);
    let copies = Scratch::new("prefix-copies");
    let folder = copies.path(zoo.scratch.path("").file_name().unwrap().to_str().unwrap());
    fs::create_dir_all(&folder).unwrap();
    fs::rename(&zoo.binary, folder.join("menagerie")).unwrap();
    zoo.touch_dump();
    zoo.check(Known::Nothing, &[]);
    zoo.check(Known::All, &[&format!("--lib_prefix={}", text(&copies.path("")))]);
    zoo.check(Known::All, &["--lib-prefix", text(&folder)]);
}

#[test]
fn the_root_of_a_container_comes_first_and_its_own_files_only() {
    let zoo = Zoo::build("sysroot", &["-g", "-Ctarget-feature=+crt-static"]);
    let root = Scratch::new("sysroot-root");
    let inside = root.path("").join(zoo.binary.strip_prefix("/").unwrap());
    fs::create_dir_all(inside.parent().unwrap()).unwrap();
    // What lies at the path outside may be anything: without a build id it is not used.
    zoo.check(Known::Nothing, &["--sysroot", text(&root.path(""))]);
    fs::rename(&zoo.binary, &inside).unwrap();
    zoo.touch_dump();
    zoo.check(Known::All, &["--sysroot", text(&root.path(""))]);
    let answer = tool(&["--sysroot", "/no/such/root", zoo.dump()]);
    assert!(answer.status == 2 && answer.stderr.contains("is not a folder"), "{}", answer.stderr);
}

#[test]
fn packed_symbols_name_a_stripped_program() {
    use std::io::Write;
    let zoo = Zoo::compile("minidebug", &["-C", "debuginfo=0"]);
    let (symbols, packed) = (zoo.scratch.path("symbols"), zoo.scratch.path("symbols.xz"));
    run(Command::new("objcopy").arg("--only-keep-debug").args([&zoo.binary, &symbols]));
    let options = lzma_rust2::XzOptions::with_preset(6);
    let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    writer.write_all(&fs::read(&symbols).unwrap()).unwrap();
    fs::write(&packed, writer.finish().unwrap()).unwrap();
    run(Command::new("strip").arg(&zoo.binary));
    run(Command::new("objcopy")
        .arg(format!("--add-section=.gnu_debugdata={}", text(&packed)))
        .arg(&zoo.binary));
    zoo.record();
    zoo.check(Known::Symbols, &[]);
}

#[test]
fn a_package_is_found_beside_program_and_debug_file_and_in_folders() {
    for version in ["4", "5"] {
        let flags = ["-g", "-Csplit-debuginfo=packed", &format!("-Cdwarf-version={version}")];
        let zoo = Zoo::compile(&format!("dwp{version}"), &flags);
        let package = zoo.scratch.path("menagerie.dwp");
        let folder = zoo.scratch.path("symbols");
        fs::create_dir_all(&folder).unwrap();
        let debug = zoo.scratch.path("menagerie.debug");
        zoo.split_off(&debug);
        zoo.record();
        zoo.check(Known::All, &[]);
        fs::rename(&package, zoo.scratch.path("menagerie.debug.dwp")).unwrap();
        zoo.check(Known::All, &[]);
        fs::rename(zoo.scratch.path("menagerie.debug.dwp"), folder.join("menagerie.dwp")).unwrap();
        zoo.check(Known::All, &["--symbol_path", text(&folder)]);
    }
}

#[test]
fn unpacked_units_are_found_where_they_were_made_and_beside_the_program() {
    for version in ["4", "5"] {
        let flags = ["-g", "-Csplit-debuginfo=unpacked", &format!("-Cdwarf-version={version}")];
        let zoo = Zoo::build(&format!("dwo{version}"), &flags);
        zoo.check(Known::All, &[]);
        let elsewhere = Scratch::new(&format!("dwo{version}-elsewhere"));
        let mut count = 0;
        for entry in fs::read_dir(zoo.scratch.path("")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|end| end == "dwo") {
                fs::rename(&path, elsewhere.path(path.file_name().unwrap().to_str().unwrap())).unwrap();
                count += 1;
            }
        }
        assert!(count >= 2, "{count} files");
        zoo.check(Known::All, &["--symbol-path", text(&elsewhere.path(""))]);
    }
}

#[test]
fn a_library_that_was_opened_while_the_program_ran_is_named() {
    let scratch = Scratch::new("finding-dlopen");
    let (library, binary, dump) =
        (scratch.path("libsite.so"), scratch.path("opener"), scratch.path("o.heap"));
    compile("library.c", &library, &["-g", "-shared", "-fPIC"]);
    compile("opener.c", &binary, &["-g", "-ldl"]);
    run(Command::new(&binary).args([&library, &dump]));
    let run = tool(&["--show_bytes", "--lines", text(&dump)]).quiet();
    let row =
        format!("hidden_in_library {}:{}", program("library.c").display(), line_of("library.c", "library"));
    assert_eq!(run.figures(&row), (3000, 3000));
    let collapsed = tool(&["--collapsed", text(&dump)]).quiet();
    assert!(collapsed.stdout.ends_with("main;library_site;hidden_in_library 3000\n"), "{}", collapsed.stdout);
}

#[test]
fn servers_are_asked_for_debug_file_and_program_only_when_the_environment_names_them() {
    let (zoo, debug) = stripped("server", "debug/ID.debug");
    let id = zoo.build_id();
    let debug_bytes = fs::read(&debug).unwrap();
    fs::remove_file(&debug).unwrap();
    let binary_bytes = fs::read(&zoo.binary).unwrap();
    let pages = [
        (format!("/buildid/{id}/debuginfo"), debug_bytes),
        (format!("/buildid/{id}/executable"), binary_bytes),
    ];
    let server = Server::start(move |request| {
        let page = pages.iter().find(|(target, _)| *target == request.target);
        page.map_or_else(|| Answer::status(404, "no"), |(_, bytes)| Answer::page(bytes.clone()))
    });
    let cache = zoo.scratch.path("cache");
    let url = server.url("");
    let environment = [
        ("DEBUGINFOD_URLS", url.as_str()),
        ("DEBUGINFOD_CACHE_PATH", text(&cache)),
        ("DEBUGINFOD_TIMEOUT", "5"),
    ];
    zoo.check(Known::Nothing, &[]);
    zoo.check_with(Known::Nothing, &["--no_debuginfod"], &environment);
    assert_eq!(server.requests().len(), 0);
    zoo.check_with(Known::All, &[], &environment);
    let asked =
        |target: &str| server.requests().iter().filter(|request| request.target.ends_with(target)).count();
    assert_eq!((asked(&format!("{id}/debuginfo")), asked(&format!("{id}/executable"))), (1, 0));
    // The program, too.
    fs::remove_file(&zoo.binary).unwrap();
    zoo.check_with(Known::All, &[], &environment);
    assert_eq!((asked(&format!("{id}/debuginfo")), asked(&format!("{id}/executable"))), (1, 1));
    // Now both are in the cache, in the layout of elfutils' own client.
    assert!(cache.join(&id).join("debuginfo").is_file());
    let asked_so_far = server.requests().len();
    zoo.check_with(Known::All, &[], &environment);
    assert_eq!(server.requests().len(), asked_so_far);
    // What a broken server gives is not used.
    fs::remove_dir_all(&cache).unwrap();
    let liar = Server::start(|_| Answer::page("not an ELF file"));
    let url = liar.url("");
    let environment = [("DEBUGINFOD_URLS", url.as_str()), ("DEBUGINFOD_CACHE_PATH", text(&cache))];
    zoo.check_with(Known::Nothing, &[], &environment);
}

/// A dump of one stack with these lines of the map.
fn dump_of(scratch: &Scratch, name: &str, addresses: &str, maps: &str) -> PathBuf {
    let text = format!(
        "heap_v2/1\n  t*: 1: 1000 [0: 0]\n@ {addresses}\n  t*: 1: 1000 [0: 0]\n\nMAPPED_LIBRARIES:\n{maps}"
    );
    scratch.write(name, text)
}

#[test]
fn code_made_while_the_program_ran_is_named_by_a_perf_map() {
    let scratch = Scratch::new("finding-perf");
    let maps = "10000-20000 r-xp 00000000 00:00 0 \n30000-31000 r-xp 00000000 00:01 5 /memfd:doublemapper (deleted)\n\
                400000-401000 r-xp 00000000 08:01 7 /no/such/program\n";
    let dump = dump_of(&scratch, "jeprof.99999999.0.f.heap", "0x10010 0x10205 0x30011 0x99999", maps);
    let map = scratch.write(
        "perf.map",
        "10000 20 LazyCompile:*grow /app.js:7\n10200 0x10 helper\n30010 10 Jit::Run(int)\n",
    );
    let answer = tool(&["--collapsed", "--perf-map", text(&map), text(&dump)]);
    assert_eq!(
        answer.stdout, "0x0000000000099998;Jit::Run(int);helper;LazyCompile:*grow /app.js:7 1000\n",
        "{}",
        answer.stderr
    );
    let bare = tool(&["--collapsed", text(&dump)]);
    assert!(
        bare.stderr.contains("addresses in no mapping") && bare.stderr.contains("--perf_map"),
        "{}",
        bare.stderr
    );
    // Without being named, it is looked for by the process in the dump's name, in the root that the dump is from.
    let root = scratch.path("root");
    fs::create_dir_all(root.join("tmp")).unwrap();
    fs::rename(&map, root.join("tmp/perf-99999999.map")).unwrap();
    fs::write(&dump, fs::read(&dump).unwrap()).unwrap();
    let answer = tool(&["--collapsed", "--sysroot", text(&root), text(&dump)]);
    assert!(answer.stdout.contains(";Jit::Run(int);helper;"), "{}\n{}", answer.stdout, answer.stderr);
    // One that came into being after the dump is another process's.
    let made = fs::metadata(root.join("tmp/perf-99999999.map")).unwrap().created();
    if let Ok(made) = made {
        let file = fs::File::options().append(true).open(&dump).unwrap();
        file.set_modified(made - std::time::Duration::from_secs(60)).unwrap();
        let answer = tool(&["--collapsed", "--sysroot", text(&root), text(&dump)]);
        assert!(!answer.stdout.contains("helper"), "{}", answer.stdout);
    }
    let answer = tool(&["--perf_map", "/no/such.map", text(&dump)]);
    assert!(answer.status == 2 && answer.stderr.contains("/no/such.map: no such file"), "{}", answer.stderr);
}

#[test]
fn the_kernel_s_code_is_named_when_it_is_this_kernel_s() {
    let own = fs::read_to_string("/proc/self/maps").unwrap();
    let Some(line) = own.lines().find(|line| line.ends_with("[vdso]")) else { return };
    let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
    let number = |hex: &str| u64::from_str_radix(hex, 16).unwrap();
    let size = number(end) - number(start);
    // Every offset, to find one that is in a function: the layout is the kernel's own.
    let scratch = Scratch::new("finding-vdso");
    let addresses: String = (0x10000..0x10000 + size).step_by(64).map(|at| format!("{at:#x} ")).collect();
    let maps = |end: u64| format!("10000-{end:x} r-xp 00000000 00:00 0 [vdso]\n");
    let dump = dump_of(&scratch, "v.heap", addresses.trim_end(), &maps(0x10000 + size));
    let answer = tool(&["--all-frames", "--show_bytes", text(&dump)]);
    assert!(answer.stdout.contains("clock_gettime"), "{}{}", answer.stdout, answer.stderr);
    let dump = dump_of(&scratch, "other.heap", "0x10500", &maps(0x10000 + size + 0x1000));
    let answer = tool(&["--show_bytes", text(&dump)]);
    assert!(answer.stdout.contains("[vdso]+0x500"), "{}", answer.stdout);
    assert!(answer.stderr.contains("another kernel"), "{}", answer.stderr);
}

#[test]
fn addresses_outside_of_all_mappings_are_named_by_added_files() {
    let zoo = Zoo::build("added", &["-g", "-Crelocation-model=static"]);
    let dump = fs::read_to_string(&zoo.dump).unwrap();
    let unmapped: String =
        dump.lines().filter(|line| !line.contains("/menagerie")).map(|line| format!("{line}\n")).collect();
    fs::write(&zoo.dump, &unmapped).unwrap();
    let bare = tool(&["--collapsed", zoo.dump()]);
    assert!(!bare.stdout.contains("menagerie::"), "{}", bare.stdout);
    zoo.check(Known::All, &["--add_lib", text(&zoo.binary)]);
    let answer = tool(&["--add_lib=/no/such", zoo.dump()]);
    assert!(answer.status == 2 && answer.stderr.contains("/no/such: no such file"), "{}", answer.stderr);
}

#[test]
fn the_table_of_files_tells_what_was_found_and_where_else_it_was_looked_for() {
    let (zoo, debug) = stripped("table", "debug/ID.debug");
    let id = zoo.build_id();
    let answer = tool(&["--debug", zoo.dump()]);
    let path = text(&zoo.binary);
    for part in [
        format!("{path}\n  in the dump  build id {id}\n  file         {path}, build id {id}\n"),
        format!("  looked at    {path}.debug: no such file\n"),
        format!("/usr/lib/debug/.build-id/{}.debug: no such file\n", by_id(&zoo)),
    ] {
        assert!(answer.stderr.contains(&part), "no `{part}` in\n{}", answer.stderr);
    }
    let frames = answer.stderr.lines().find(|line| line.starts_with("  frames ")).unwrap();
    assert!(frames.ends_with(" without a name, in 100.0% of inuse_space"), "{frames}");
    let folder = zoo.scratch.path("debug");
    let answer = tool(&["--debug", "--symbol_path", text(&folder), zoo.dump()]);
    assert!(answer.stderr.contains(&format!("  debug file   {}\n", text(&debug))), "{}", answer.stderr);
    assert!(!answer.stderr.contains(&format!("{path}.debug")), "{}", answer.stderr);
    let note = tool(&["--debug-syms-by-id", "--symbol_path", text(&folder), zoo.dump()]);
    assert!(note.status == 0 && note.stderr.contains("is not needed"), "{}", note.stderr);
}

#[test]
fn a_warning_says_where_a_missing_file_was_looked_for() {
    let (zoo, _) = stripped("where", "debug/ID.debug");
    let id = zoo.build_id();
    let mut with = command(&["--symbol_path", "/proc", zoo.dump()]);
    fs::rename(&zoo.binary, zoo.scratch.path("moved")).unwrap();
    let answer = finish(with.output().unwrap());
    let expected = format!("{}: no such file (not at /proc/{}/menagerie, ", text(&zoo.binary), id);
    assert!(answer.stderr.contains(&expected), "no `{expected}` in {}", answer.stderr);
    assert!(answer.stderr.contains("--debug lists them"), "{}", answer.stderr);
}

#[test]
fn damaged_programs_and_debug_files_are_told_or_read_in_part_and_never_end_the_tool() {
    let scratch = Scratch::new("finding-damage");
    let (binary, dump) = (scratch.path("program"), scratch.path("program.heap"));
    compile("plain.c", &binary, &["-g", "-fno-pie", "-no-pie", "-Wl,--compress-debug-sections=zlib"]);
    run(Command::new(&binary).arg(&dump));
    let (whole, damaged) = (fs::read(&binary).unwrap(), scratch.path("damaged"));
    // Marsaglia's xorshift; the state is what a failure prints.
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state as usize) % below
    };
    let mut named = 0;
    for round in 0..60 {
        let mut bytes = whole.clone();
        match round % 5 {
            0 => bytes.truncate(random(whole.len())),
            // Headers of the file, of segments, of sections.
            1 => bytes[random(64 + 13 * 56)] = random(256) as u8,
            2 => {
                let start = whole.len() - 40 * 64;
                bytes[start + random(40 * 64)] = random(256) as u8;
            }
            _ => (0..20).for_each(|_| bytes[random(whole.len())] = random(256) as u8),
        }
        fs::write(&damaged, &bytes).unwrap();
        let answer = tool(&["--collapsed", text(&damaged), text(&dump)]);
        let place = format!("round {round}: {}", answer.stderr);
        assert!(matches!(answer.status, 0 | 2) && !answer.stderr.contains("panicked"), "{place}");
        named += i32::from(answer.stdout.contains("main;direct_site 1000"));
    }
    assert!((12..60).contains(&named), "{named} of 60 are named");
}
