//! What we write for viewers, opened with their own importers: speedscope's, the Firefox Profiler's, and `protoc --decode`
//! with the definitions of profile.proto and OpenTelemetry. Files are accepted, totals and functions equal ours.
//!
//! The importers come from npm, in a folder that goes away; the definitions lie in crates that cargo has fetched.
#![cfg(feature = "outside")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::Value;
use suite::build::{self, Profile, crate_folder, workspace};
use suite::run::Run;
use suite::scratch::Scratch;

/// Pinned: the test looks into what they print.
const PACKAGES: [&str; 2] = ["speedscope@1.25.0", "@firefox-devtools/profiler-cli@0.10.0"];

const METRICS: [&str; 4] = ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"];

/// The folder with the packages, installed once.
fn importers() -> PathBuf {
    static INSTALLED: OnceLock<PathBuf> = OnceLock::new();
    let installed = INSTALLED.get_or_init(|| {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("importers");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("package.json"), "{\"private\":true}").unwrap();
        let npm =
            Run::new("npm").folder(&folder).args(["install", "--no-audit", "--no-fund", "--ignore-scripts"]);
        npm.args(PACKAGES).outcome().ok();
        folder.join("node_modules")
    });
    installed.clone()
}

/// The dump of the sample service, its threads and inlined functions, and a small one with names in it. The format is the
/// one whose figures are the same with threads told apart and without.
fn dumps(folder: &Scratch) -> Vec<PathBuf> {
    let program = build::svc(Profile::own());
    let conf = format!(
        "prof:true,lg_prof_sample:12,prof_final:true,prof_accum:true,prof_dump_format:pprof,prof_prefix:{}",
        folder.file("svc").display()
    );
    Run::new(&program).args(["--requests=20000"]).conf(conf).outcome().ok();
    vec![folder.files("svc.").remove(0), workspace().join("fixtures/dumps/shop-2.heap")]
}

fn viewer(words: &[&str], dump: &Path) -> String {
    Run::new(build::viewer(Profile::own())).args(words).arg(dump).outcome().ok().stdout
}

/// Writes a report into the folder.
fn written(folder: &Scratch, name: &str, words: &[&str], dump: &Path) -> PathBuf {
    let file = folder.file(name);
    Run::new(build::viewer(Profile::own())).args(words).arg("-o").arg(&file).arg(dump).outcome().ok();
    file
}

/// What our own table says.
struct Truth {
    total: f64,
    /// Own figure, and with everything called.
    functions: BTreeMap<String, [f64; 2]>,
    /// By how much sums may be off: each stack is rounded to a whole number.
    slack: f64,
}

fn truth(metric: &str, dump: &Path) -> Truth {
    let json = |report| -> Value {
        let words = [report, "--format=json", &format!("-{metric}")];
        serde_json::from_str(&viewer(&words, dump)).unwrap()
    };
    let (table, stacks) = (json("top"), json("traces"));
    let rows = table["rows"].as_array().unwrap().iter();
    let figures = |row: &Value| [row["flat"].as_f64().unwrap(), row["cum"].as_f64().unwrap()];
    Truth {
        total: table["shown_total"].as_f64().unwrap(),
        functions: rows.map(|row| (row["name"].as_str().unwrap().into(), figures(row))).collect(),
        slack: 1.0 + stacks["stacks"].as_array().unwrap().len() as f64 / 2.0,
    }
}

impl Truth {
    /// Asserts the same total, and the same functions with the same figures.
    #[track_caller]
    fn is(&self, what: &str, total: f64, functions: &BTreeMap<String, [f64; 2]>) {
        assert!((self.total - total).abs() <= self.slack, "{what}: total {total}, not {}", self.total);
        for (name, figures) in &self.functions {
            let theirs = functions.get(name).copied().unwrap_or_default();
            let close = figures.iter().zip(theirs).all(|(a, b)| (a - b).abs() <= self.slack);
            assert!(close, "{what}: {name} has {theirs:?}, not {figures:?}");
        }
        let unknown = functions.keys().find(|name| !self.functions.contains_key(*name));
        assert!(unknown.is_none(), "{what}: {unknown:?}");
    }
}

/// What speedscope makes of files: the active profile, and of each its name, unit, total and functions.
fn in_speedscope(files: &[&Path]) -> Vec<Value> {
    let script = workspace().join("tests/importers/speedscope.mjs");
    let release = importers().join("speedscope/dist/release");
    let run = Run::new("node").arg(script).arg(release).args(files).outcome().ok();
    run.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn functions_of(profile: &Value) -> BTreeMap<String, [f64; 2]> {
    let of = profile["functions"].as_object().unwrap().iter();
    of.map(|(name, figures)| (name.clone(), [0, 1].map(|at| figures[at].as_f64().unwrap())))
        .filter(|(_, figures)| *figures != [0.0, 0.0])
        .collect()
}

#[test]
fn speedscope_opens_our_file_with_every_figure() {
    let folder = Scratch::new("speedscope");
    for dump in dumps(&folder) {
        let file = written(&folder, "heap.speedscope.json", &["speedscope", "-alloc_space"], &dump);
        let opened = in_speedscope(&[&file]).remove(0);
        assert_eq!(opened["active"], 1);
        let profiles = opened["profiles"].as_array().unwrap();
        assert_eq!(profiles.len(), METRICS.len());
        for (metric, profile) in METRICS.into_iter().zip(profiles) {
            assert_eq!(profile["name"], metric);
            assert_eq!(profile["unit"], if metric.ends_with("space") { "bytes" } else { "none" });
            truth(metric, &dump).is(metric, profile["total"].as_f64().unwrap(), &functions_of(profile));
        }
    }
}

#[test]
fn speedscope_opens_what_we_write_for_others() {
    let folder = Scratch::new("speedscope-others");
    for dump in dumps(&folder) {
        let truth = truth("inuse_space", &dump);
        let collapsed = written(&folder, "heap.collapsed.txt", &["--collapsed"], &dump);
        let proto = written(&folder, "heap.pb.gz", &["proto"], &dump);
        let opened = in_speedscope(&[&collapsed, &proto]);
        let total = |at: usize| opened[at]["profiles"][0]["total"].as_f64().unwrap();
        // Collapsed stacks are cut to whole numbers instead of rounded.
        let cut = Truth { slack: 2.0 * truth.slack, functions: truth.functions, ..truth };
        cut.is("collapsed", total(0), &functions_of(&opened[0]["profiles"][0]));
        // Of a profile.proto it takes the default figure, and of inlined functions only the outermost.
        assert!((total(1) - cut.total).abs() <= cut.slack, "proto: {}", total(1));
        assert_eq!(opened[1]["profiles"][0]["unit"], "bytes");
    }
}

/// The Firefox Profiler's server for one file, which ends with the test, also with one that fails.
struct Server<'a> {
    tool: &'a Path,
    home: &'a Path,
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        Run::new("node").arg(self.tool).arg("stop").env("HOME", self.home).outcome();
    }
}

#[test]
fn the_firefox_profiler_opens_our_file_with_every_figure() {
    let folder = Scratch::new("firefox");
    let tool = importers().join("@firefox-devtools/profiler-cli/dist/profiler-cli.js");
    // Its server and its notes are kept in the home folder.
    let outcome =
        |words: &[&str]| Run::new("node").arg(&tool).args(words).env("HOME", folder.path()).outcome();
    let ask = |words: &[&str]| outcome(words).ok().stdout;
    // It gives its server half a second to start, which is not enough on a busy machine, and says itself that one may
    // try again; the server that came too late is stopped first.
    let load = |file: &str| {
        for _ in 0..20 {
            let loaded = outcome(&["load", file]);
            if !loaded.stderr.contains("did not become ready within") {
                return loaded.ok();
            }
            outcome(&["stop"]);
        }
        outcome(&["load", file]).ok()
    };
    for dump in dumps(&folder) {
        let file = written(&folder, "heap.firefox.json", &["firefox", "-inuse_objects"], &dump);
        load(file.to_str().unwrap());
        let server = Server { tool: &tool, home: folder.path() };
        for (number, metric) in METRICS.into_iter().enumerate() {
            let thread = format!("t-{number}");
            let json = |words: &[&str]| -> Value {
                serde_json::from_str(
                    &ask(&[words, &["--thread", &thread, "--limit", "0", "--json"]].concat()),
                )
                .unwrap()
            };
            let answer = json(&["thread", "functions"]);
            assert_eq!(answer["friendlyThreadName"], metric);
            assert_eq!(answer["weightType"], if metric.ends_with("space") { "bytes" } else { "samples" });
            // It shows what stands before a `!` as the library; a Rust type may be `!`.
            let functions: BTreeMap<String, [f64; 2]> = answer["functions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|function| {
                    let figure = |key: &str| function[key].as_f64().unwrap();
                    (
                        function["nameWithLibrary"].as_str().unwrap().into(),
                        [figure("selfSamples"), figure("totalSamples")],
                    )
                })
                .filter(|(_, figures)| *figures != [0.0, 0.0])
                .collect();
            let total = functions.values().map(|[own, _]| own).sum();
            truth(metric, &dump).is(metric, total, &functions);
        }
        drop(server);
    }
}

/// A message as `protoc --decode` prints it, of which every field has to be known.
fn decoded(message: &str, include: &Path, definition: &str, file: &Path) -> String {
    let text = Run::new("sh")
        .args(["-c", "exec protoc \"--decode=$0\" -I \"$1\" \"$1/$2\" < \"$3\"", message])
        .args([include, Path::new(definition), file])
        .outcome()
        .ok()
        .stdout;
    let is_number = |line: &&str| line.trim_start().starts_with(|first: char| first.is_ascii_digit());
    // The column of a line is younger than the definition that the crate has.
    let is_column = |line: &&str| message.starts_with("perftools") && line.starts_with("    3: ");
    let unknown = text.lines().find(|line| is_number(line) && !is_column(line));
    assert!(unknown.is_none(), "{message}: field {unknown:?} is not in the definition");
    text
}

/// The values of a field, wherever it stands.
fn field<'t>(text: &'t str, name: &'t str) -> impl Iterator<Item = &'t str> {
    text.lines().filter_map(move |line| line.trim_start().strip_prefix(name)?.strip_prefix(": "))
}

fn sum<'t>(numbers: impl Iterator<Item = &'t str>) -> f64 {
    numbers.map(|number| number.parse::<f64>().unwrap()).sum()
}

#[test]
fn protoc_decodes_our_profile_proto_and_finds_our_totals() {
    let folder = Scratch::new("protoc");
    let include = crate_folder("pprof").unwrap().join("proto");
    for dump in dumps(&folder) {
        let packed = written(&folder, "heap.pb.gz", &["proto"], &dump);
        let plain = folder.file("heap.pb");
        let mut unpacked = Vec::new();
        flate2::read::GzDecoder::new(File::open(&packed).unwrap()).read_to_end(&mut unpacked).unwrap();
        std::fs::write(&plain, unpacked).unwrap();
        let text = decoded("perftools.profiles.Profile", &include, "profile.proto", &plain);
        let strings: Vec<&str> = field(&text, "string_table").collect();
        let types: Vec<String> = field(&text, "ty")
            .take(4)
            .map(|at| strings[at.parse::<usize>().unwrap()].replace('"', ""))
            .collect();
        assert_eq!(types, METRICS);
        for (number, metric) in METRICS.into_iter().enumerate() {
            let total = sum(field(&text, "value").skip(number).step_by(4));
            let truth = truth(metric, &dump);
            assert!((truth.total - total).abs() <= truth.slack, "{metric}: {total}, not {}", truth.total);
        }
    }
}

#[test]
fn protoc_decodes_our_opentelemetry_profiles_and_finds_our_totals() {
    let folder = Scratch::new("otlp");
    let include = crate_folder("opentelemetry-proto").unwrap().join("src/proto/opentelemetry-proto");
    for dump in dumps(&folder) {
        let file = written(&folder, "heap.otlp", &["otlp"], &dump);
        let definition = "opentelemetry/proto/profiles/v1development/profiles.proto";
        let text =
            decoded("opentelemetry.proto.profiles.v1development.ProfilesData", &include, definition, &file);
        let strings: Vec<&str> = field(&text, "string_table").collect();
        let mut metrics: Vec<String> = Vec::new();
        for profile in text.split("    profiles {\n").skip(1) {
            let at: usize = field(profile, "type_strindex").next().unwrap().parse().unwrap();
            let metric = strings[at].replace('"', "");
            let total = sum(field(profile, "values"));
            let truth = truth(&metric, &dump);
            assert!((truth.total - total).abs() <= truth.slack, "{metric}: {total}, not {}", truth.total);
            metrics.push(metric);
        }
        metrics.sort();
        assert_eq!(metrics, METRICS);
    }
}
