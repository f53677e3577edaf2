//! What the integration tests share: scratch folders, the tool, compilers, goldens.

#![allow(dead_code, reason = "each test file uses its own part of this module")]

pub mod truth;
pub mod zoo;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// The package of the tool; other packages' tests include this file, too.
const PACKAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../jeprof-rs");

/// The tool, where cargo does not tell the tests of another package where it is.
pub static TOOL: OnceLock<PathBuf> = OnceLock::new();

/// A folder that goes away with the test.
pub struct Scratch(PathBuf);

impl Scratch {
    /// An empty folder; `name` tells the tests of one process apart.
    pub fn new(name: &str) -> Scratch {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        // What the kernel shows in a map is the real path.
        Scratch(path.canonicalize().unwrap())
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// Writes a file and returns its path.
    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), content).unwrap();
        self.path(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A finished run of the tool.
pub struct Run {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// The run, which has to have succeeded without a word on stderr.
    #[track_caller]
    pub fn quiet(self) -> Run {
        assert_eq!((self.status, self.stderr.as_str()), (0, ""), "stdout: {}", self.stdout);
        self
    }

    /// The flat figure of a row of the table, by name.
    #[track_caller]
    pub fn flat(&self, name: &str) -> i64 {
        self.figures(name).0
    }

    /// Flat and cumulative figure of a row.
    #[track_caller]
    pub fn figures(&self, name: &str) -> (i64, i64) {
        let row = self.rows().into_iter().find(|(_, _, row)| row == name);
        let (flat, cum, _) = row.unwrap_or_else(|| panic!("no row `{name}` in\n{}", self.stdout));
        (flat, cum)
    }

    /// Flat figure, cumulative figure and name of every row, without the mark of inlined functions.
    pub fn rows(&self) -> Vec<(i64, i64, String)> {
        let row = |line: &str| {
            let mut rest = line;
            let mut words = Vec::new();
            for _ in 0..5 {
                rest = rest.trim_start();
                let (word, after) = rest.split_once(' ')?;
                words.push(word);
                rest = after;
            }
            let marks = [" (inline)", " (partial-inline)"];
            let name = marks.iter().find_map(|mark| rest.strip_suffix(mark)).unwrap_or(rest);
            Some((words[0].parse().ok()?, words[3].parse().ok()?, name.to_string()))
        };
        self.stdout.lines().filter(|line| !line.starts_with("Total")).filter_map(row).collect()
    }
}

/// Runs the tool in `folder` without stdin.
pub fn tool_in(folder: &Path, args: &[&str]) -> Run {
    finish(command(args).current_dir(folder).stdin(Stdio::null()).output().unwrap())
}

/// Runs the tool without stdin.
pub fn tool(args: &[&str]) -> Run {
    tool_in(Path::new(PACKAGE), args)
}

/// The tool, not started.
pub fn command(args: &[&str]) -> Command {
    let built_by_cargo = option_env!("CARGO_BIN_EXE_jeprof-rs").map(PathBuf::from);
    let tool = built_by_cargo.or_else(|| TOOL.get().cloned()).expect("TOOL is set");
    let mut command = Command::new(tool);
    // Names from an earlier run would hide what this one does.
    command.args(args).env("JEPROF_RS_CACHE", "off");
    // Where files are found is the test's to say.
    for variable in ["PPROF_BINARY_PATH", "DEBUGINFOD_URLS", "DEBUGINFOD_CACHE_PATH", "DEBUGINFOD_TIMEOUT"] {
        command.env_remove(variable);
    }
    command
}

/// Output as text.
pub fn finish(output: Output) -> Run {
    Run {
        status: output.status.code().expect("the tool was not killed"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A file of `tests/programs`.
pub fn program(name: &str) -> PathBuf {
    let path = Path::new(PACKAGE).join("tests/programs").join(name);
    path.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A dump of the workspace's fixtures.
pub fn dump(name: &str) -> String {
    let path = Path::new(PACKAGE).join("../fixtures/dumps").join(name);
    path.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", path.display())).to_str().unwrap().into()
}

/// Runs a command that has to succeed.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}\n{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Compiles a C or C++ program of `tests/programs`. Functions keep their frames, everything else is optimised.
#[track_caller]
pub fn compile(source: &str, output: &Path, flags: &[&str]) {
    let compiler = if source.ends_with(".cc") { "c++" } else { "cc" };
    run(Command::new(compiler)
        .args(["-O2", "-fno-optimize-sibling-calls", "-funwind-tables", "-Wl,--build-id"])
        .arg(program(source))
        .arg("-o")
        .arg(output)
        .args(flags));
}

/// The number of the line in a program that is marked with `line: NAME`.
pub fn line_of(source: &str, mark: &str) -> usize {
    let text = std::fs::read_to_string(program(source)).unwrap();
    let wanted = format!("line: {mark}");
    let has_mark = |line: &str| {
        line.split("/*")
            .chain(line.split("//"))
            .any(|part| part.trim().trim_end_matches("*/").trim() == wanted)
    };
    text.lines().position(has_mark).unwrap_or_else(|| panic!("no `{wanted}` in {source}")) + 1
}

/// Compares with `tests/goldens/NAME`; `UPDATE_GOLDEN=1` writes it.
#[track_caller]
pub fn golden(name: &str, actual: &str) {
    let path = Path::new(PACKAGE).join("tests/goldens").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, actual).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        expected == actual,
        "{} differs (UPDATE_GOLDEN=1 rewrites it)\n--- expected\n{expected}\n--- actual\n{actual}",
        path.display()
    );
}
