//! What `jeprof-rs leaks` and `check` write for CI systems, held against the schemas of those.
#![cfg(feature = "outside")]

use std::path::{Path, PathBuf};
use std::process::Command;

use suite::build::{Profile, preload, target_folder, viewer, workspace};
use suite::run::Run;
use suite::scratch::Scratch;
use suite::zoo::{self, ZOO};

fn schema(name: &str) -> PathBuf {
    workspace().join("fixtures/schemas").join(name)
}

/// Runs a checker, which has to be content.
#[track_caller]
fn content(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    assert!(output.status.success(), "{command:?}:\n{}", String::from_utf8_lossy(&said));
}

/// Writes both reports of a command and holds them against their schemas.
#[track_caller]
fn check(command: &str, words: &[&str], folder: &Scratch) {
    let [sarif, junit] = ["report.sarif", "report.xml"].map(|name| folder.file(name));
    let format = format!("--format=sarif={},junit={}", sarif.display(), junit.display());
    let outcome = Run::new(viewer(Profile::own())).arg(command).arg(format).args(words).outcome();
    assert!(matches!(outcome.status.code(), Some(0 | 1)), "{outcome}");
    content(Command::new("xmllint").arg("--noout").arg("--schema").arg(schema("junit-10.xsd")).arg(junit));
    let validate = "import json, sys, jsonschema\n\
                    jsonschema.Draft7Validator(json.load(open(sys.argv[1]))).validate(json.load(open(sys.argv[2])))";
    let python = target_folder().join("openmetrics/bin/python3");
    content(Command::new(python).args(["-c", validate]).arg(schema("sarif-2.1.0.json")).arg(sarif));
}

#[test]
fn reports_fit_the_schemas_of_those_who_read_them() {
    let folder = Scratch::new("forms");
    let dumps = workspace().join("fixtures/dumps");
    let shop = |name: &str| dumps.join(name).display().to_string();
    check("leaks", &[&shop("shop-2.heap")], &folder);
    // Nothing that is found.
    check("leaks", &["--min_leak=1GiB", &shop("shop-2.heap")], &folder);
    check("check", &[&shop("shop-1.heap"), &shop("shop-2.heap")], &folder);
    let limits = folder.file("jeprof.toml");
    let text = "[[budget]]\nmatch = \"total\"\nmax = \"28MiB\"\n[[budget]]\nstack = \"Cache\"\nobjects = 10\nowner = \"<&>\"\n";
    std::fs::write(&limits, text).unwrap();
    check("check", &["--config", limits.to_str().unwrap(), &shop("shop-2.heap")], &folder);
    // Names, files and lines of a real program.
    for file in ["one_block.c", "sessions_map.rs", "singleton.cc"] {
        let animal = ZOO.iter().find(|animal| animal.file == file).unwrap();
        let (found, _) = zoo::run(animal, &preload(), "lg_prof_sample:0", 1, &folder);
        let program = zoo::program(animal);
        let words: Vec<&Path> =
            std::iter::once(program.as_path()).chain(found.iter().map(PathBuf::as_path)).collect();
        let words: Vec<&str> = words.iter().map(|path| path.to_str().unwrap()).collect();
        check("check", &words, &folder);
        found.iter().for_each(|path| std::fs::remove_file(path).unwrap());
    }
}
