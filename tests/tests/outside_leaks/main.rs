//! Programs from outside that grow: `jeprof-rs check` and `jeprof-rs diff` name the stack, and say nothing about the same
//! programs under a load that does as much and keeps nothing.
#![cfg(feature = "outside")]

mod growth;

use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

use growth::{Grown, Report, check, diff};
use suite::build::{Profile, preload, viewer};
use suite::postgres::Postgres;
use suite::run::{Outcome, Run};
use suite::scratch::Scratch;
use suite::server::redis;

/// Parts of a load; a dump is made before the first and after each.
const PARTS: usize = 8;

fn jeprof_rs(command: &str) -> Run {
    Run::new(viewer(Profile::own())).arg(command)
}

/// `jeprof-rs dump PID`, into a file whose name tells its place in the series.
fn dump(pid: u32, folder: &Scratch, part: usize) -> PathBuf {
    let path = folder.file(&format!("{part}.heap"));
    jeprof_rs("dump").arg("-o").arg(&path).arg(pid.to_string()).outcome().ok();
    path
}

/// What both commands say of a series.
#[track_caller]
fn reports(words: &[&str], program: &Path, dumps: &[PathBuf]) -> [Report; 2] {
    [check(words, program, dumps), diff(words, program, &dumps[0], &dumps[dumps.len() - 1])]
}

/// Asserts an alarm that names a stack with `function` first, beside which nothing else that `part` does not accept as the same
/// growth grew by more than 5 % of it.
#[track_caller]
fn names_first(report: &Report, function: &str, part: impl Fn(&Grown) -> bool) {
    assert_eq!(report.status, Some(1), "{}", report.text);
    assert!(report.grown[0].has(function), "{}", report.text);
    let (of_it, others): (Vec<_>, Vec<_>) = report.grown.iter().partition(|grown| part(grown));
    let all: f64 = of_it.iter().map(|grown| grown.bytes).sum();
    let other = others.iter().find(|grown| grown.bytes > 0.05 * all);
    assert!(other.is_none(), "{other:?} beside {all}: {}", report.text);
}

/// How often every program's allocations are recorded: all, and one in 4 KiB.
const RATES: [u32; 2] = [0, 12];

/// Scripts that are evaluated.
const SCRIPTS: usize = 5_000;

/// Dumps of redis-server while it evaluates scripts, of which those of one number are the same.
fn redis_under_scripts(folder: &Scratch, lg_sample: u32, number: impl Fn(usize) -> usize) -> Vec<PathBuf> {
    let conf = format!("prof:true,prof_listen:true,lg_prof_sample:{lg_sample}");
    let server = redis(folder, &[("LD_PRELOAD", &preload())], &conf);
    let evaluate = |scripts: std::ops::Range<usize>| {
        let (count, mut requests) = (scripts.len(), String::new());
        for number in scripts.map(&number) {
            let script = format!("return redis.call('INCRBY', 'k', {number})");
            // Writing to a String cannot fail.
            let _ = write!(requests, "*3\r\n$4\r\nEVAL\r\n${}\r\n{script}\r\n$1\r\n0\r\n", script.len());
        }
        std::fs::write(folder.file("requests"), requests).unwrap();
        let run = Run::new("sh").args(["-c", "redis-cli -s socket --pipe <requests"]).folder(folder.path());
        let outcome = run.outcome().ok();
        assert!(outcome.stdout.contains(&format!("errors: 0, replies: {count}\n")), "{outcome}");
    };
    // Warm-up: the buffers of a connection, Lua's own, and the tables that a few hundred scripts make grow.
    evaluate(0..SCRIPTS / 10);
    let after = |part: usize| {
        let start = SCRIPTS / 10 + part * SCRIPTS / PARTS;
        evaluate(start..start + SCRIPTS / PARTS);
        dump(server.id(), folder, part + 1)
    };
    let mut dumps = vec![dump(server.id(), folder, 0)];
    dumps.extend((0..PARTS).map(after));
    dumps
}

const REDIS: &str = "/usr/bin/redis-server";

/// What Redis keeps of a script: what evaluating it for the first time makes, and its text, which was read before anybody knew
/// that it was one.
fn is_of_a_script(grown: &Grown) -> bool {
    // A text of 40 letters, which is an object of 64 bytes.
    let is_text = grown.has("processMultibulkBuffer") && grown.bytes <= 1.2 * 64.0 * SCRIPTS as f64;
    grown.has("evalGenericCommand") || is_text
}

#[test]
fn redis_keeps_every_script_that_it_evaluates() {
    for lg_sample in RATES {
        let folder = Scratch::new("redis-scripts");
        let dumps = redis_under_scripts(&folder, lg_sample, |nth| 100_000 + nth);
        // As it is, and with all that it calls as one stack.
        for words in [&[] as &[&str], &["--prune_from=^luaCreateFunction$"]] {
            for report in reports(words, Path::new(REDIS), &dumps) {
                names_first(&report, "luaCreateFunction", is_of_a_script);
            }
        }
    }
}

#[test]
fn redis_does_not_grow_under_one_script() {
    for lg_sample in RATES {
        let folder = Scratch::new("redis-script");
        let dumps = redis_under_scripts(&folder, lg_sample, |_| 100_000);
        for report in reports(&[], Path::new(REDIS), &dumps) {
            assert!(report.is_quiet(), "{}", report.text);
        }
    }
}

/// Does the same work in both forms, and keeps its results in one of them.
const PYTHON: &str = "
import json, sys

kept = []

def handle(number):
    rows = json.loads(json.dumps([{'id': number * 40 + i, 'name': 'row %d of %d' % (i, number)} for i in range(40)]))
    return ''.join(row['name'] for row in rows)

for number in range(4_000):
    answer = handle(number)
    if sys.argv[1] == 'keep':
        kept.append(answer)
";

/// Runs the script with dumps, as the docs tell how, and looks at them.
fn python(word: &str, allocator: &str, lg_sample: u32, every: &str) -> (Outcome, Report) {
    let folder = Scratch::new("python-list");
    let script = folder.file("service.py");
    std::fs::write(&script, PYTHON).unwrap();
    let (interpreter, sample) = (Path::new("/usr/bin/python3"), lg_sample.to_string());
    let run = jeprof_rs("run").arg("--library").arg(preload()).args(["--sample", &sample, "--every", every]);
    let run =
        run.args(["--keep", "dumps", "--min_leak", "1TiB", "--"]).arg(interpreter).arg(&script).arg(word);
    let outcome = run.folder(folder.path()).env("PYTHONMALLOC", allocator).outcome().ok();
    let report = check(&[], interpreter, &[folder.file("dumps")]);
    (outcome, report)
}

#[test]
fn python_appends_to_a_global_list() {
    // Strings of this length are malloc's own with either; smaller objects are so with the first.
    for allocator in ["malloc", "pymalloc"] {
        for lg_sample in RATES {
            let (outcome, report) = python("keep", allocator, lg_sample, "32MiB");
            assert_eq!(report.status, Some(1), "{outcome}\n{}", report.text);
            names_first(&report, "_PyUnicode_JoinArray", |grown| grown.has("_PyEval_EvalFrameDefault"));
        }
    }
}

#[test]
fn python_that_drops_its_results_does_not_grow() {
    for allocator in ["malloc", "pymalloc"] {
        for lg_sample in RATES {
            let (outcome, report) = python("drop", allocator, lg_sample, "32MiB");
            assert!(report.is_quiet(), "{outcome}\n{}", report.text);
        }
    }
}

/// Tables that a session touches.
const TABLES: usize = 2_000;

/// A session of psql, which does a statement as soon as it is told.
struct Session {
    psql: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Session {
    fn start(server: &Postgres) -> Session {
        let run = server.tool("psql").args(["-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1"]);
        let mut psql = run.command().stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (psql.stdin.take().unwrap(), BufReader::new(psql.stdout.take().unwrap()));
        Session { psql, input, output }
    }

    /// The lines that it says.
    fn tell(&mut self, statements: &str) -> Vec<String> {
        write!(self.input, "{statements}\n\\echo that is all\n").unwrap();
        let mut lines = Vec::new();
        loop {
            let mut line = String::new();
            assert!(self.output.read_line(&mut line).unwrap() > 0, "psql ended after {lines:?}");
            match line.trim_end() {
                "that is all" => return lines,
                said => lines.push(said.to_owned()),
            }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // The server is stopped next, so that it cannot stay.
        let _ = self.psql.kill();
        let _ = self.psql.wait();
    }
}

/// Dumps of a backend whose session queries tables, of which those of one number are the same.
fn postgresql_session(folder: &Scratch, lg_sample: u32, number: &str) -> (Vec<PathBuf>, PathBuf) {
    let conf = format!("prof:true,prof_listen:true,lg_prof_sample:{lg_sample}");
    let server = Postgres::start(&preload(), &conf);
    let create =
        "SELECT format('CREATE TABLE t%s (id int PRIMARY KEY, name text UNIQUE, mail text UNIQUE)', n)";
    let tables = format!("{create} FROM generate_series(0, {}) n \\gexec", TABLES - 1 + TABLES / 10);
    let made = Session::start(&server).tell(&tables);
    assert!(made.is_empty(), "{made:?}");
    let mut session = Session::start(&server);
    let pid: u32 = session.tell("SELECT pg_backend_pid();")[0].parse().unwrap();
    let mut query = |from: usize, to: usize| {
        let statements = format!(
            "SELECT format('SELECT count(*) FROM t%s', {number}) FROM generate_series({from}, {}) n \\gexec",
            to - 1
        );
        let said = session.tell(&statements);
        assert!(said.len() == to - from && said.iter().all(|line| line == "0"), "{said:?}");
    };
    // Warm-up: what every session has to know, and buffers.
    query(0, TABLES / 10);
    let mut dumps = vec![dump(pid, folder, 0)];
    for part in 0..PARTS {
        let start = TABLES / 10 + part * TABLES / PARTS;
        query(start, start + TABLES / PARTS);
        dumps.push(dump(pid, folder, part + 1));
    }
    let program = server.program();
    drop(session);
    let log = server.stop();
    assert!(!log.contains("<jemalloc>") && !log.contains("PANIC"), "{log}");
    (dumps, program)
}

/// What a session keeps of a table: its descriptor, and those of its indexes; what it has counted of it. Each index has a memory
/// context; PostgreSQL takes the one that the statement before gave back for the first of them, and a new one for the statement.
fn is_of_a_table(grown: &Grown) -> bool {
    ["RelationIdGetRelation", "pgstat_assoc_relation", "CreatePortal"].iter().any(|name| grown.has(name))
}

#[test]
fn postgresql_remembers_every_table_that_a_session_has_touched() {
    for lg_sample in RATES {
        let folder = Scratch::new("postgresql-tables");
        let (dumps, program) = postgresql_session(&folder, lg_sample, "n");
        // Debian's server has no symbol table, and `RelationBuildDesc` is not among the functions that it exports.
        let [series, ends] = reports(&[], &program, &dumps);
        names_first(&series, "RelationIdGetRelation", is_of_a_table);
        // Blocks of 8 MiB count for whoever of the cache needed the next one.
        let is_of_the_cache = |grown: &&Grown| {
            ["RelationIdGetRelation", "RelationGetIndexList"].iter().any(|name| grown.has(name))
        };
        let all: f64 = ends.grown.iter().map(|grown| grown.bytes).sum();
        let cache: f64 = ends.grown.iter().filter(is_of_the_cache).map(|grown| grown.bytes).sum();
        assert!(ends.status == Some(1) && cache > 0.5 * all, "{cache} of {all}: {}", ends.text);
    }
}

#[test]
fn postgresql_does_not_grow_by_querying_one_table() {
    for lg_sample in RATES {
        let folder = Scratch::new("postgresql-table");
        let (dumps, program) = postgresql_session(&folder, lg_sample, "0");
        for report in reports(&[], &program, &dumps) {
            assert!(report.is_quiet(), "{}", report.text);
        }
    }
}
