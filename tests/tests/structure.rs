//! Rules about the sources that no compiler checks: which room imports which, that the files of the page layer and of the server's
//! answers do so in no circle, where C symbols live, that every unsafe block is argued, that the repository says nothing about the machine it
//! was written on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use suite::build::workspace;

/// Sources below a folder of the workspace, with their paths relative to it.
fn sources(folder: &str, ending: &str) -> Vec<(PathBuf, String)> {
    let root = workspace();
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in
            std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        {
            let path = entry.expect("the folder can be read").path();
            let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
            if path.is_dir() && !hidden && !path.ends_with("target") {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(ending) {
                let text = std::fs::read_to_string(&path)
                    .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
                found.push((path.strip_prefix(&root).expect("inside the workspace").to_owned(), text));
            }
        }
    }
    found.sort();
    found
}

/// Rooms of jealloc from the bottom up; a room imports only from its own row and those above it in this list.
/// Rooms in one row are one layer.
const ROOMS: &[&[&str]] = &[
    &["units"],
    &["os", "arch"],
    &["sync", "relaxed"],
    // Fixed messages and the end of the process: any room may have to say that going on would corrupt memory.
    &["report"],
    &["size_class"],
    &["base"],
    &["page"],
    &["extent"],
    // The questions that the data plane asks the profiler; the profiler's own package lies below all of this.
    &["sampling"],
    &["arena"],
    &["tcache"],
    &["thread"],
    &["entry"],
    // The control plane: these may use each other.
    &["tables", "conf", "ctl", "stats", "background", "cgroup", "prof", "profile", "boot", "fork", "global"],
];

/// Imports against the order, each with its reason.
const UPWARD: &[(&str, &str)] = &[
    // The first allocation of a process sets everything up; there is no earlier moment under a preload.
    ("thread", "boot"),
];

fn layer(room: &str) -> Option<usize> {
    ROOMS.iter().position(|layer| layer.contains(&room))
}

/// The room of a file: the first part of its path below `alloc/src`.
fn room_of(path: &Path) -> String {
    let inside = path.strip_prefix("alloc/src").expect("a source of jealloc");
    let first = inside.components().next().expect("a path has a part");
    first.as_os_str().to_string_lossy().trim_end_matches(".rs").to_owned()
}

/// Every `crate::room` that a source names outside comments, tests included.
fn imports(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.split("//").next().unwrap_or_default();
        for after in code.split("crate::").skip(1) {
            // `use crate::{a::B, c}` names several.
            let rooms: Vec<&str> = match after.strip_prefix('{') {
                Some(list) => {
                    list.split(',').map(|item| item.split("::").next().unwrap_or_default()).collect()
                }
                None => vec![after],
            };
            for room in rooms {
                let room: String =
                    room.trim().chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                if !room.is_empty() && room.starts_with(|c: char| c.is_ascii_lowercase()) {
                    found.push((number, room));
                }
            }
        }
    }
    found
}

#[test]
fn rooms_of_the_allocator_import_only_downwards() {
    let mut wrong = Vec::new();
    for (path, text) in sources("alloc/src", ".rs") {
        let room = room_of(&path);
        if room == "lib" {
            continue;
        }
        let Some(own) = layer(&room) else {
            wrong.push(format!("{}: room `{room}` is not in the list", path.display()));
            continue;
        };
        for (line, other) in imports(&text) {
            match layer(&other) {
                Some(theirs) if theirs > own && !UPWARD.contains(&(room.as_str(), other.as_str())) => {
                    wrong.push(format!(
                        "{}:{line}: `{room}` imports `{other}`, which lies above it",
                        path.display()
                    ));
                }
                _ => {}
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn imports_are_found_in_all_their_forms() {
    let text = "use crate::page::Supply;\nuse crate::{arena::Arena, tcache};\nlet x = crate::os::now(); // crate::conf\nuse crate::Jealloc;";
    let rooms: Vec<String> = imports(text).into_iter().map(|(_, room)| room).collect();
    assert_eq!(rooms, ["page", "arena", "tcache", "os"]);
}

/// Every path of two names or more in code without comments, its braces written out: `a::{b, c::D}` is `a::b` and `a::c::D`.
fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = code;
    while let Some(at) = rest.find(|c: char| c.is_ascii_alphabetic() || c == '_') {
        rest = read_path("", &rest[at..], &mut found);
    }
    found.retain(|path| path.contains("::"));
    found
}

/// Reads the path that code begins with; answers what follows it.
fn read_path<'a>(before: &str, code: &'a str, found: &mut Vec<String>) -> &'a str {
    let end = code.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(code.len());
    let (path, rest) = (format!("{before}{}", &code[..end]), &code[end..]);
    let Some(more) = rest.strip_prefix("::") else {
        found.push(path);
        return rest;
    };
    let Some(mut list) = more.strip_prefix('{') else { return read_path(&(path + "::"), more, found) };
    loop {
        list = list.trim_start_matches(|c: char| c.is_whitespace() || c == ',');
        if let Some(after) = list.strip_prefix('}') {
            return after;
        }
        list = read_path(&format!("{path}::"), list, found);
        // What is left of the item is another name for it.
        let Some(end) = list.find([',', '}']) else { return "" };
        list = &list[end..];
    }
}

/// The module among `modules` that a path in module `own` leads to, or into.
fn module<'a>(own: &str, path: &str, modules: &'a BTreeSet<String>) -> Option<&'a String> {
    let mut at: Vec<&str> = own.split("::").collect();
    for (nth, name) in path.split("::").enumerate() {
        match name {
            "crate" if nth == 0 => at.clear(),
            "self" => {}
            "super" => drop(at.pop()),
            _ => at.push(name),
        }
    }
    (1..=at.len()).rev().find_map(|len| modules.get(&at[..len].join("::")))
}

/// Modules that import each other in circles, each with those among them that it imports, from modules with their sources.
/// Tests beside the code may import what they like.
fn circles(sources: &[(String, String)]) -> BTreeMap<String, BTreeSet<String>> {
    let modules: BTreeSet<String> = sources.iter().map(|(name, _)| name.clone()).collect();
    let mut edges = BTreeMap::new();
    for (own, text) in sources {
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let code: Vec<&str> = code.lines().flat_map(|line| line.split("//").next()).collect();
        let theirs: BTreeSet<String> =
            paths(&code.join("\n")).iter().filter_map(|path| module(own, path, &modules)).cloned().collect();
        edges.insert(own.clone(), &theirs - &BTreeSet::from([own.clone()]));
    }
    loop {
        let before = edges.clone();
        let imported: BTreeSet<String> = before.values().flatten().cloned().collect();
        // What imports nothing that is left, or what nothing imports that is left, is in no circle.
        edges.values_mut().for_each(|theirs| theirs.retain(|name| before.contains_key(name)));
        edges.retain(|own, theirs| !theirs.is_empty() && imported.contains(own));
        if edges == before {
            return edges;
        }
    }
}

/// Modules with their sources in a folder of a package.
fn modules(package: &str, folder: &str) -> Vec<(String, String)> {
    let files = sources(&format!("{package}/{folder}"), ".rs").into_iter().map(|(path, text)| {
        let inside = path.strip_prefix(package).expect("a source of the package").with_extension("");
        let name = inside.to_string_lossy().replace('/', "::");
        (name.trim_end_matches("::mod").to_owned(), text)
    });
    files.collect()
}

#[test]
fn files_of_the_page_layer_import_each_other_in_no_circle() {
    let files = modules("alloc/src", "page");
    assert!(files.iter().any(|(name, _)| name == "page::supply"));
    let found = circles(&files);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn files_of_the_server_s_answers_import_each_other_in_no_circle() {
    let files = modules("alloc/server/src", "");
    assert!(files.iter().any(|(name, _)| name == "table"));
    let found = circles(&files);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn circles_are_found_through_lists_parents_and_children() {
    let source = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    let a = source("page::a", "use super::{\n    b::{self as other, X},\n    c,\n};\n");
    let b = source("page::b", "mod d; // crate::page::a::A\nfn f() { d::g() }\n");
    let c = source(
        "page::c",
        "use crate::units::Ns;\n#[cfg(test)]\nmod tests {\n    use crate::page::a::A;\n}\n",
    );
    let mut all = vec![a, b, c, source("page::b::d", "use super::super::c::C;\n")];
    assert_eq!(circles(&all), BTreeMap::new());
    all[3].1 = "fn g() -> crate::page::a::A {}".to_owned();
    let names: Vec<String> = circles(&all).into_keys().collect();
    assert_eq!(names, ["page::a", "page::b", "page::b::d"]);
}

/// Whether a line defines a C symbol, by attribute or by a macro of the package of C functions. Texts and raw
/// expressions may speak of it.
fn defines_c_symbols(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let code = code.replace("\\\"", "").split('"').step_by(2).collect::<String>();
    ["no_mangle)", "no_mangle]", "export_name =", "export!", "export_glibc!"]
        .iter()
        .any(|word| code.contains(word))
}

#[test]
fn c_symbols_are_defined_in_the_c_packages_alone() {
    // The functions themselves are no symbols; their file of names holds the macros that make them some.
    let names = "alloc/capi/functions/src/names.rs";
    let mut wrong = Vec::new();
    for folder in [
        "alloc/src",
        "alloc/capi/functions/src",
        "prof-runtime/src",
        "prof-runtime/format/src",
        "prof-runtime/options/src",
        "prof-runtime/profiled/src",
        "jeprof-rs/src",
    ] {
        for (path, text) in sources(folder, ".rs").into_iter().filter(|(path, _)| path != Path::new(names)) {
            for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| defines_c_symbols(line)) {
                wrong.push(format!("{}:{number}: {}", path.display(), line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for folder in ["alloc/capi/src", "alloc/capi/variables/src", "alloc/compat/tikv-jemalloc-sys-0.7/src"] {
        let defined = sources(folder, ".rs").iter().any(|(_, text)| text.lines().any(defines_c_symbols));
        assert!(defined, "{folder} defines C symbols");
    }
}

#[test]
fn formats_options_assertions_answers_and_viewer_have_no_unsafe_code() {
    let read = |path: &str| {
        std::fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
    };
    for root in ["prof-runtime/format", "prof-runtime/options", "alloc/test", "alloc/server"] {
        assert!(read(&format!("{root}/src/lib.rs")).contains("#![forbid(unsafe_code)]"), "{root}");
    }
    // The viewer maps files: one block, in one file.
    assert!(read("jeprof-rs/src/lib.rs").contains("#![deny(unsafe_code)]"));
    let allowed: Vec<PathBuf> = sources("jeprof-rs/src", ".rs")
        .into_iter()
        .filter(|(_, text)| text.contains("allow(unsafe_code)"))
        .map(|(path, _)| path)
        .collect();
    let mapped = "jeprof-rs/src/symbolize/mapped.rs";
    assert_eq!(allowed, [Path::new(mapped)]);
    assert_eq!(read(mapped).matches("unsafe {").count(), 1);
}

/// Packages of the workspace that are not tests or fixtures, by folder, each with those that it uses when it is built for
/// others.
const PACKAGES: &[(&str, &[&str])] = &[
    ("prof-runtime/format", &[]),
    ("prof-runtime/options", &[]),
    ("prof-runtime", &["prof-format"]),
    // Over any allocator, and so not over ours in particular.
    ("prof-runtime/profiled", &["prof-options", "prof-runtime"]),
    ("alloc", &["prof-format", "prof-options", "prof-runtime"]),
    ("alloc/server", &["jealloc", "prof-format"]),
    ("alloc/test", &["jealloc"]),
    ("alloc/capi/functions", &["jealloc"]),
    ("alloc/capi/variables", &[]),
    ("alloc/capi", &["jealloc", "jealloc-c", "jemalloc-variables"]),
    ("jeprof-rs", &["prof-format"]),
];

/// Names of the dependencies in a manifest that are packages of the workspace.
fn dependencies(manifest: &str, ours: &[String]) -> BTreeSet<String> {
    let section = manifest.split("\n[").find(|section| section.starts_with("dependencies]"));
    let lines = section.unwrap_or_default().lines();
    let name = |line: &str| line.split([' ', '.', '=']).next().unwrap_or_default().to_owned();
    lines.map(name).filter(|name| ours.contains(name)).collect()
}

#[test]
fn packages_use_those_below_them_and_no_others() {
    let read = |folder: &str| {
        let path = workspace().join(folder).join("Cargo.toml");
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let name = |manifest: &str| {
        manifest.lines().find_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).map(str::to_owned)
    };
    let ours: Vec<String> = PACKAGES.iter().filter_map(|(folder, _)| name(&read(folder))).collect();
    assert_eq!(ours.len(), PACKAGES.len());
    for (folder, uses) in PACKAGES {
        let uses: BTreeSet<String> = uses.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(dependencies(&read(folder), &ours), uses, "{folder}");
    }
    // Whoever adds a package says where it belongs.
    let known = |member: &str| {
        PACKAGES.iter().any(|(folder, _)| *folder == member)
            || member == "tests"
            || member.starts_with("fixtures/")
    };
    let manifest = read(".");
    let members = manifest.split("members = [").nth(1).and_then(|rest| rest.split(']').next());
    let members: Vec<&str> = members.unwrap_or_default().split('"').skip(1).step_by(2).collect();
    assert!(members.len() > PACKAGES.len());
    assert!(members.iter().all(|member| known(member)), "{members:?}");
}

#[test]
fn runtime_packages_do_without_the_standard_library() {
    for root in [
        "prof-runtime/format",
        "prof-runtime/options",
        "prof-runtime",
        "alloc",
        "alloc/capi",
        "alloc/capi/functions",
        "alloc/capi/variables",
        "alloc/compat/tikv-jemalloc-sys-0.7",
    ] {
        let path = workspace().join(root).join("src/lib.rs");
        let text =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert!(text.contains("#![no_std]") || text.contains("#![cfg_attr(not(test), no_std)]"), "{root}");
    }
}

#[test]
fn every_unsafe_block_is_argued_right_above() {
    let mut wrong = Vec::new();
    for (path, text) in sources(".", ".rs") {
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            let code = code.split('"').step_by(2).collect::<String>();
            let opens = code.contains("unsafe {") || code.trim_start().starts_with("unsafe impl");
            if opens && !argued(&lines, at) {
                wrong.push(format!("{}:{}: {}", path.display(), at + 1, line.trim()));
            }
        }
    }
    assert!(wrong.is_empty(), "without `// SAFETY:` right above:\n{}", wrong.join("\n"));
}

/// Whether the comment block that ends right above line `at` (over attributes and the lines of the same statement)
/// holds a `SAFETY:`.
fn argued(lines: &[&str], at: usize) -> bool {
    let mut comment = false;
    for line in lines[..at].iter().rev().take(40) {
        let line = line.trim();
        if line.starts_with("//") {
            comment = true;
            if line.contains("SAFETY:") {
                return true;
            }
        } else if comment || line.is_empty() || line.ends_with(';') || line.ends_with('}') {
            // The comment block has ended, or another statement begins.
            return false;
        }
    }
    false
}

#[test]
fn unsafe_without_an_argument_is_found() {
    let lines = ["// SAFETY: checked.", "let x = call(", "    unsafe { f() },", ");", "unsafe { g() }"];
    assert!(argued(&lines, 2));
    assert!(!argued(&lines, 4));
}

#[test]
fn nothing_points_at_a_machine_or_a_registry() {
    let mut wrong = Vec::new();
    // Assembled, so that this file does not contain what it looks for.
    let needles = [["/wo", "rk/"], ["/tmp/", "team"], ["/ho", "me/"], ["crates", ".io"], ["/ro", "ot/"]]
        .map(|p| p.concat());
    for ending in [".rs", ".toml", ".md", ".c", ".cc", ".h", ".sh", ".tsv", "/run"] {
        for (path, text) in sources(".", ending) {
            for needle in &needles {
                if text.contains(needle) {
                    wrong.push(format!("{}: {needle}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
