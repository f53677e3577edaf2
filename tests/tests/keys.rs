//! Keys of stacks are the same after a rebuild in which every line lies elsewhere, closures have other numbers, hashes and
//! build ids are others, and the folder is another one; and they are others when a function has another name.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use suite::build::{Profile, preload, viewer, workspace};
use suite::run::{Outcome, Run};
use suite::scratch::Scratch;

/// How a source is compiled, beside what differs from variant to variant.
struct Build {
    source: &'static str,
    compiler: &'static [&'static str],
    /// What a function's name is written as when it is another one.
    renamed: (&'static str, &'static str),
    /// What stands for each line `// variant: ...` in the other build.
    inserted: [&'static str; 2],
    /// Arguments of the first and of the second build.
    differ: [&'static [&'static str]; 2],
    /// Functions with a leak each.
    leaks: &'static [&'static str],
}

const RUST: Build = Build {
    source: "keys.rs",
    compiler: &["rustc", "--edition=2024", "-Copt-level=2", "-Cdebuginfo=1", "-Zunstable-options"],
    renamed: ("grow_table", "grow_index"),
    inserted: [
        "#[inline(never)]\nfn another() -> usize {\n    [1, 2].iter().map(|x| x + 1).filter(|x| *x > 1).count()\n}\n\
         \n#[used]\nstatic ANOTHER: fn() -> usize = another;\n",
        "black_box((0..black_box(3)).map(|x| x + 1).sum::<usize>());",
    ],
    differ: [
        &["-Cmetadata=first"],
        &["-Cmetadata=second", "-Clink-arg=-Wl,--build-id=0x0123456789abcdef0123"],
    ],
    leaks: &["grow_table", "Circle", "Square", "deeper", "maps", "call", "{closure}"],
};

const CPLUSPLUS: Build = Build {
    source: "keys.cc",
    compiler: &["c++", "-O2", "-g1", "-Wall", "-Wextra", "-Werror", "-pthread"],
    renamed: ("grow_table", "grow_index"),
    inserted: [
        "SITE static int another(int x)\n{\n    auto one = [](int y) { return y + used; };\n    \
         auto two = [](int y) { return y - used; };\n    return one(x) * two(x);\n}\n\nint (*volatile pointer)(int) = another;\n",
        "auto zeroth = [](int x) { return x; };\nused = zeroth(used);",
    ],
    differ: [&["-Wl,--build-id=sha1"], &["-Wl,--build-id=0x0123456789abcdef0123"]],
    leaks: &["in_unnamed_namespace", "grow_table", "Circle::draw", "deeper", "main", "join", "{lambda"],
};

/// A built program and the dump of a run of it.
struct Built {
    _folder: Scratch,
    program: PathBuf,
    dump: PathBuf,
}

/// The text with blank lines and comments between its lines, so that none stays where it was.
fn shifted(text: &str) -> String {
    let between = |nth: usize| if nth.is_multiple_of(3) { "\n// Something new.\n" } else { "\n" };
    let lines = text.lines().enumerate().map(|(nth, line)| format!("{}{line}\n", between(nth)));
    // Inner documentation has to come first.
    let (head, code) = lines.partition::<Vec<String>, _>(|line| line.contains("//!"));
    head.into_iter().map(|line| line.trim_start().replace("// Something new.\n", "")).chain(code).collect()
}

impl Build {
    fn text(&self) -> String {
        std::fs::read_to_string(workspace().join("fixtures/programs").join(self.source)).unwrap()
    }

    /// Compiles a text, and runs the program, which writes a dump at its end.
    fn build(&self, text: &str, arguments: &[&str]) -> Built {
        let folder = Scratch::new("keys");
        let (source, program) = (folder.file(self.source), folder.file("keys"));
        std::fs::write(&source, text).unwrap();
        let [compiler, common @ ..] = self.compiler else { panic!("a compiler has a name") };
        let mut command = Command::new(compiler);
        // One of the two manglings is not the default of the compiler at hand, and choosing it may be unstable.
        command.env("RUSTC_BOOTSTRAP", "1").args(common).args(arguments).arg(&source).arg("-o").arg(&program);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        let conf =
            format!("prof:true,prof_final:true,lg_prof_sample:0,prof_prefix:{}/p", folder.path().display());
        Run::new(&program).preload(&preload()).conf(conf).outcome().ok();
        let [dump] = &folder.files(".f.heap")[..] else { panic!("{:?}", folder.files("")) };
        Built { dump: dump.clone(), program, _folder: folder }
    }

    /// As it is, rebuilt, and with another name; each with these arguments, too.
    fn three(&self, more: &[&str]) -> [Built; 3] {
        let text = self.text();
        let marked = text.lines().filter(|line| line.trim_start().starts_with("// variant: "));
        let marked: Vec<String> = marked.map(|line| format!("{}\n", line.trim_start())).collect();
        assert_eq!(marked.len(), self.inserted.len());
        let changed = marked
            .iter()
            .zip(self.inserted)
            .fold(text.clone(), |text, (line, inserted)| text.replace(line, &format!("{inserted}\n")));
        let [first, second] = self.differ.map(|arguments| [more, arguments].concat());
        let other = shifted(&changed);
        let stays = |(old, new): &(&str, &str)| old == new && old.starts_with(char::is_alphabetic);
        assert_eq!(text.lines().zip(other.lines()).find(stays), None);
        let (name, renamed) = self.renamed;
        [(text.clone(), &first), (other, &second), (text.replace(name, renamed), &first)]
            .map(|(text, arguments)| self.build(&text, arguments))
    }
}

fn tool(words: &[&str], files: &[&Path]) -> Outcome {
    Run::new(viewer(Profile::own())).args(words).args(files).outcome()
}

fn json(words: &[&str], files: &[&Path]) -> Value {
    let outcome = tool(&[words, &["--format=json"]].concat(), files);
    serde_json::from_str(&outcome.stdout).unwrap_or_else(|error| panic!("{error}: {outcome}"))
}

impl Built {
    /// Key and frames of each leak.
    fn leaks(&self) -> BTreeSet<(String, String)> {
        let report = json(&["leaks", "--no_builtin_suppressions"], &[&self.program, &self.dump]);
        let finding = |finding: &Value| (finding["key"].to_string(), finding["stack"].to_string());
        report["findings"].as_array().unwrap().iter().map(finding).collect()
    }
}

#[track_caller]
fn check_keys(build: &Build, [first, rebuilt, renamed]: &[Built; 3]) {
    let leaks = first.leaks();
    for name in build.leaks {
        assert!(leaks.iter().any(|(_, stack)| stack.contains(name)), "{name} in {leaks:#?}");
    }
    let other = rebuilt.leaks();
    let differ: Vec<_> = leaks.symmetric_difference(&other).collect();
    assert!(differ.is_empty(), "{} of {} differ: {differ:#?}", differ.len(), leaks.len());

    let (name, new_name) = build.renamed;
    let other = renamed.leaks();
    let gone: Vec<_> = leaks.difference(&other).collect();
    let new: Vec<_> = other.difference(&leaks).collect();
    assert!(!gone.is_empty() && gone.len() == new.len(), "{gone:#?} {new:#?}");
    assert!(gone.iter().all(|(_, stack)| stack.contains(name)), "{gone:#?}");
    assert!(new.iter().all(|(_, stack)| stack.contains(new_name)), "{new:#?}");
}

/// Nothing is new to a comparison or a baseline either.
#[track_caller]
fn check_comparisons(build: &Build, [first, rebuilt, renamed]: &[Built; 3]) {
    let (_, new_name) = build.renamed;
    let changes = |to: &Built| {
        let report = json(&["diff", "--min_growth=0"], &[&first.dump, &to.dump]);
        let all = report["findings"].as_array().unwrap().clone();
        let stacks = all.into_iter().filter(|finding| !finding["key"].is_null());
        stacks.map(|finding| finding["stack"].to_string()).collect::<Vec<String>>()
    };
    assert_eq!(changes(rebuilt), Vec::<String>::new());
    let changed = changes(renamed);
    assert!(changed.iter().any(|stack| stack.contains(new_name)), "{changed:#?}");

    let folder = Scratch::new("keys-base");
    let base = folder.file("x.base");
    tool(&["baseline", "update", base.to_str().unwrap()], &[&first.program, &first.dump]).ok();
    let option = format!("--baseline={}", base.display());
    // Stacks that the baseline does not have, or has under another key: new, or moved.
    let unknown = |to: &Built| {
        let report = json(&["check", &option], &[&to.program, &to.dump]);
        let is_unknown =
            |finding: &&Value| finding["notes"].as_array().is_some_and(|notes| !notes.is_empty());
        let all = report["findings"].as_array().unwrap();
        all.iter().filter(is_unknown).map(|finding| finding["stack"].to_string()).collect::<Vec<String>>()
    };
    assert_eq!(unknown(rebuilt), Vec::<String>::new());
    let unknown = unknown(renamed);
    assert!(!unknown.is_empty() && unknown.iter().all(|stack| stack.contains(new_name)), "{unknown:#?}");
}

#[test]
fn keys_of_a_c_plus_plus_program_survive_a_rebuild() {
    let three = CPLUSPLUS.three(&[]);
    check_keys(&CPLUSPLUS, &three);
    check_comparisons(&CPLUSPLUS, &three);
}

#[test]
fn keys_of_a_rust_program_survive_a_rebuild_whose_hashes_are_others() {
    check_keys(&RUST, &RUST.three(&["-Csymbol-mangling-version=legacy"]));
}

#[test]
fn keys_of_a_rust_program_survive_a_rebuild_whose_disambiguators_are_others() {
    let three = RUST.three(&["-Csymbol-mangling-version=v0"]);
    check_keys(&RUST, &three);
    check_comparisons(&RUST, &three);
}
