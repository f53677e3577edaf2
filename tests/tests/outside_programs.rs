//! Real programs under `libjemalloc.so`: the same output and exit status as without, with and without profiling, and
//! a dump whose first rows name the program's own code.
#![cfg(feature = "outside")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use suite::build::{self, Profile, preload};
use suite::heap;
use suite::run::{Outcome, Run};
use suite::scratch::Scratch;

/// Runs a command three times: without the library, under it, and under it with the profiler on. All three must agree
/// in output and exit status. Gives the folder with the dumps of the third run.
#[track_caller]
fn same_and_profiled(command: impl Fn() -> Run, stderr_too: bool) -> Scratch {
    let said = |outcome: &Outcome| {
        (outcome.status, outcome.stdout.clone(), stderr_too.then(|| outcome.stderr.clone()))
    };
    let without = command().outcome().ok();
    let under = command().preload(&preload()).outcome();
    assert_eq!(said(&without), said(&under), "under the library: {}", under.command);
    let folder = Scratch::new("outside");
    let conf =
        format!("prof:true,lg_prof_sample:14,prof_final:true,prof_prefix:{}/o", folder.path().display());
    let profiled = command().preload(&preload()).conf(conf).outcome();
    assert_eq!(said(&without), said(&profiled), "with the profiler: {}", profiled.command);
    folder
}

/// The dump that holds most; processes that a program starts write dumps too.
#[track_caller]
fn largest(folder: &Scratch) -> PathBuf {
    let dumps = folder.files(".heap");
    let by_total = |path: &PathBuf| heap::total(&heap::read(path)).bytes as u64;
    dumps.into_iter().max_by_key(by_total).unwrap_or_else(|| panic!("no dump in {}", folder.path().display()))
}

/// Asserts that most of the flat figure of the table's first rows belongs to names that `own` accepts.
#[track_caller]
fn first_rows_are_its_own(dump: &Path, own: impl Fn(&str) -> bool) {
    let viewer = build::viewer(Profile::own());
    let outcome = Run::new(viewer).args(["--text", "--show_bytes"]).arg(dump).outcome().ok();
    let rows: Vec<(f64, &str)> = outcome
        .stdout
        .lines()
        .skip(1)
        .take(5)
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            (words[0].parse().unwrap_or_else(|_| panic!("{outcome}")), words[5])
        })
        .collect();
    let all: f64 = rows.iter().map(|(flat, _)| flat).sum();
    let mine: f64 = rows.iter().filter(|(_, name)| own(name)).map(|(flat, _)| flat).sum();
    assert!(mine > 0.5 * all && own(rows[0].1), "{mine} of {all} in the first rows: {outcome}");
}

#[test]
fn python_runs_a_threaded_json_workload() {
    const PROGRAM: &str = "
import json, threading, hashlib
results = {}
def work(me):
    kept, digest = [], hashlib.sha256()
    for n in range(150):
        rows = [{'id': i, 'name': 'row %d of %d' % (i, n), 'values': list(range(i % 40))} for i in range(150)]
        text = json.dumps({'worker': me, 'rows': rows})
        digest.update(text.encode())
        back = json.loads(text)
        if n % 10 == 0:
            kept.append(back)
    results[me] = (digest.hexdigest(), sum(len(k['rows']) for k in kept))
threads = [threading.Thread(target=work, args=(i,)) for i in range(6)]
for t in threads: t.start()
for t in threads: t.join()
for me in sorted(results): print(me, *results[me])
import os
dump = os.environ.get('DUMP_TO')
if dump:
    import ctypes
    path = ctypes.c_char_p(dump.encode())
    answer = ctypes.CDLL(None).mallctl(b'prof.dump', None, None, ctypes.byref(path), ctypes.c_size_t(8))
    assert answer == 0, answer
";
    let python = || Run::new("/usr/bin/python3").args(["-c", PROGRAM]).env("PYTHONMALLOC", "malloc");
    same_and_profiled(python, true);
    // At exit the interpreter has freed nearly everything, so the dump is made while the rows are alive.
    let folder = Scratch::new("python");
    let dump = folder.file("python.heap");
    let run = python().preload(&preload()).conf("prof:true,lg_prof_sample:14").env("DUMP_TO", &dump);
    run.outcome().ok();
    first_rows_are_its_own(&dump, |name| {
        name.starts_with("Py") || name.starts_with("_Py") || name.starts_with("python")
    });
}

#[test]
fn git_logs_and_collects_garbage() {
    let folder = Scratch::new("git");
    let git = |arguments: &[&str]| {
        let run = Run::new("git").args(["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "gc.auto=0"]);
        run.args(arguments).folder(folder.path()).env("GIT_CONFIG_NOSYSTEM", "1").env("HOME", folder.path())
    };
    git(&["init", "--quiet", "."]).outcome().ok();
    for commit in 0..60 {
        for file in 0..20 {
            let text: String = (0..200)
                .map(|line| format!("file {file} line {line} of {}\n", commit / (file + 1)))
                .collect();
            std::fs::write(folder.file(&format!("file-{file}.txt")), text).unwrap();
        }
        git(&["add", "."]).outcome().ok();
        let when = format!("{} +0000", 1_700_000_000 + commit);
        let run = git(&["commit", "--quiet", "--allow-empty", "-m", &format!("commit {commit}")]);
        run.env("GIT_AUTHOR_DATE", &when).env("GIT_COMMITTER_DATE", &when).outcome().ok();
    }
    let dumps = same_and_profiled(|| git(&["log", "--stat", "-p"]), true);
    // Debian's git has no symbol table: its own code shows as places in the program.
    first_rows_are_its_own(&largest(&dumps), |name| name.starts_with("git!fn@0x"));
    // Packing is deterministic with one thread; the first run does the work, the others find little left to do.
    same_and_profiled(|| git(&["-c", "pack.threads=1", "gc", "--quiet"]), true);
    same_and_profiled(|| git(&["-c", "pack.threads=4", "repack", "-a", "-d", "-f", "-q"]), true);
    git(&["fsck", "--full", "--strict"]).preload(&preload()).outcome().ok();
}

#[test]
fn gcc_compiles_five_thousand_lines() {
    let folder = Scratch::new("gcc");
    let mut source = String::from("#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n");
    let mut n = 0;
    while source.lines().count() < 4990 {
        source += &format!(
            "struct s{n} {{ int a[{}]; struct s{n} *next; double d; }};\nstatic int f{n}(struct s{n} *s, int x)\n{{\n    int sum = x;\n    for (int i = 0; i < {}; i++)\n        sum += s->a[i] * (x ^ {n}) + (i & 3 ? (int)s->d : i);\n    while (s->next && sum > {n})\n        sum -= s->next->a[sum % {}], s = s->next;\n    return sum;\n}}\nint g{n}(int x) {{ struct s{n} *s = calloc(1, sizeof(*s)); int r = f{n}(s, x); free(s); return r; }}\n",
            4 + n % 13,
            4 + n % 13,
            4 + n % 13,
        );
        n += 1;
    }
    source += "int main(void) { return g0(1) == 42; }\n";
    std::fs::write(folder.file("big.c"), &source).unwrap();
    let output = folder.file("big.s");
    let gcc = || Run::new("gcc").args(["-O2", "-S", "big.c", "-o", "big.s"]).folder(folder.path());
    let assembly = |run: Run| {
        run.outcome().ok();
        std::fs::read(&output).unwrap()
    };
    let without = assembly(gcc());
    assert!(without == assembly(gcc().preload(&preload())), "other assembly under the library");
    let dumps = same_and_profiled(gcc, true);
    assert!(without == std::fs::read(&output).unwrap(), "other assembly with the profiler");
    // The compiler proper is the process with the largest heap; it exports its symbols for plugins.
    let own = |name: &str| !name.contains("!fn@0x") || name.starts_with("cc1!fn@0x");
    first_rows_are_its_own(&largest(&dumps), own);
}

#[test]
fn sqlite_inserts_and_queries_a_hundred_thousand_rows() {
    const SCRIPT: &str = "
PRAGMA cache_size=-64000;
CREATE TABLE t(id INTEGER PRIMARY KEY, name TEXT, value REAL);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
INSERT INTO t SELECT i, 'name ' || (i * 7919 % 100003), i * 0.5 FROM n;
CREATE INDEX by_name ON t(name);
SELECT count(*), sum(value), min(name), max(name) FROM t;
SELECT substr(name, 1, 6) AS p, count(*), avg(value) FROM t GROUP BY p ORDER BY 2 DESC, p LIMIT 10;
SELECT a.id, b.id FROM t a JOIN t b ON a.name = b.name WHERE a.id < 20 ORDER BY 1, 2;
UPDATE t SET value = value + id WHERE id % 3 = 0;
DELETE FROM t WHERE id % 5 = 0;
SELECT count(*), sum(value) FROM t;
";
    same_and_profiled(|| Run::new("sqlite3").args([":memory:", SCRIPT]), true);
    // The library frees its pages before exit; growth dumps see them alive.
    let folder = Scratch::new("sqlite");
    let conf =
        format!("prof:true,lg_prof_sample:14,prof_gdump:true,prof_prefix:{}/s", folder.path().display());
    Run::new("sqlite3").args([":memory:", SCRIPT]).preload(&preload()).conf(conf).outcome().ok();
    first_rows_are_its_own(&largest(&folder), |name| {
        name.starts_with("sqlite3") || name.starts_with("libsqlite3")
    });
}

/// A server that is stopped when the test ends, however it ends.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; both calls then only say so.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts redis-server on a socket in `folder` and waits until it answers.
fn redis(folder: &Scratch, environment: &[(&str, &Path)], conf: &str) -> Server {
    let socket = folder.file("socket");
    let mut command = Command::new("redis-server");
    command.args([
        "--port",
        "0",
        "--save",
        "",
        "--appendonly",
        "no",
        "--enable-debug-command",
        "yes",
        "--unixsocket",
    ]);
    command.arg(&socket).current_dir(folder.path()).env("MALLOC_CONF", conf).env_remove("LD_PRELOAD");
    command
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let server = Server(command.spawn().expect("redis-server can be started"));
    let started = Instant::now();
    while ask(folder, &["PING"]).stdout.trim() != "PONG" {
        assert!(started.elapsed() < Duration::from_secs(30), "redis-server does not answer");
        std::thread::sleep(Duration::from_millis(50));
    }
    server
}

fn ask(folder: &Scratch, command: &[&str]) -> Outcome {
    Run::new("redis-cli").arg("-s").arg(folder.file("socket")).args(command).outcome()
}

/// 200,000 SET and GET, then a dump through the server's own command; gives the path of the dump.
fn redis_works_and_dumps(folder: &Scratch) -> PathBuf {
    let load = ["-n", "100000", "-r", "50000", "-d", "200", "-t", "set,get", "-P", "16", "-q"];
    let benchmark =
        Run::new("redis-benchmark").arg("-s").arg(folder.file("socket")).args(load).outcome().ok();
    assert!(!benchmark.stdout.contains("rror"), "{benchmark}");
    let keys: u64 = ask(folder, &["DBSIZE"]).stdout.trim().parse().expect("a number of keys");
    assert!((40_000..=50_000).contains(&keys), "{keys} keys");
    let dump = folder.file("redis.heap");
    let answer = ask(folder, &["DEBUG", "MALLCTL-STR", "prof.dump", &dump.to_string_lossy()]);
    assert_eq!(answer.stdout.trim(), "OK", "{answer}");
    first_rows_are_its_own(&dump, |name| {
        ["z", "sds", "dict", "redis-check-rdb!fn@0x", "redis-server!fn@0x"]
            .iter()
            .any(|part| name.starts_with(part))
    });
    // At least the values: 200 bytes each.
    let total = heap::total(&heap::read(&dump)).bytes;
    assert!(total > 0.8 * 200.0 * keys as f64, "{total} bytes for {keys} keys");
    dump
}

#[test]
fn redis_serves_and_dumps_on_request() {
    let folder = Scratch::new("redis");
    let library = preload();
    let server = redis(&folder, &[("LD_PRELOAD", &library)], "prof:true,lg_prof_sample:14");
    redis_works_and_dumps(&folder);
    drop(server);
}

#[test]
fn redis_with_our_library_in_the_place_of_the_original_shows_our_figures() {
    let folder = Scratch::new("redis-substituted");
    // Debian's redis-server asks the loader for libjemalloc.so.2 and finds ours first.
    std::fs::copy(preload(), folder.file("libjemalloc.so.2")).unwrap();
    let server = redis(&folder, &[("LD_LIBRARY_PATH", folder.path())], "prof:true,lg_prof_sample:14");
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", server.0.id())).unwrap();
    assert!(!maps.contains("/usr/lib/x86_64-linux-gnu/libjemalloc"), "the original is loaded");
    redis_works_and_dumps(&folder);
    let info = ask(&folder, &["INFO", "memory"]).stdout;
    let value = |key: &str| -> f64 {
        let line = info.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(':'));
        line.and_then(|value| value.trim().parse().ok()).unwrap_or_else(|| panic!("{key} in\n{info}"))
    };
    let (allocated, active) = (value("allocator_allocated"), value("allocator_active"));
    let resident = value("allocator_resident");
    assert!(value("used_memory") <= allocated * 1.05, "{info}");
    assert!(allocated > 8e6 && allocated <= active && active <= resident, "{info}");
    assert_eq!(ask(&folder, &["MEMORY", "PURGE"]).stdout.trim(), "OK");
    assert_eq!(ask(&folder, &["DEBUG", "MALLCTL", "arenas.page"]).stdout.trim(), "4096");
    assert!(ask(&folder, &["MEMORY", "MALLOC-STATS"]).stdout.contains("Allocated: "));
}

/// The system-wide options are the text of a link in `/etc`, here in an `/etc` of the test's own.
/// Every program under valgrind once died in its first malloc: the library read the auxiliary vector from the kernel,
/// which is not the one that valgrind gives the program. `--soname-synonyms` would make valgrind replace our malloc;
/// without, its plain tool runs ours.
#[test]
fn a_program_under_valgrind_runs_on_the_library_and_is_profiled() {
    let folder = Scratch::new("valgrind");
    let conf =
        format!("prof:true,lg_prof_sample:0,prof_final:true,prof_prefix:{}/v", folder.path().display());
    let run = || Run::new("valgrind").args(["--tool=none", "--quiet", "/bin/ls", "/"]);
    let without = run().outcome().ok();
    let with = run().preload(&preload()).conf(conf.as_str()).outcome().ok();
    assert_eq!(with.stdout, without.stdout);
    assert!(heap::total(&heap::read(&largest(&folder))).bytes > 1000.0);
}

#[test]
fn options_come_from_the_link_in_etc_too() {
    let folder = Scratch::new("etc");
    std::os::unix::fs::symlink("narenas:3,dirty_decay_ms:55,nonsense:1", folder.file("malloc.conf")).unwrap();
    let program = suite::fixture::compiled("options.c");
    let script =
        "mount --bind \"$1\" /etc && exec env LD_PRELOAD=\"$2\" MALLOC_CONF=dirty_decay_ms:66 \"$3\"";
    let unshare = ["--user", "--map-root-user", "--mount", "sh", "-c", script, "sh"];
    let run = Run::new("unshare").args(unshare).arg(folder.path()).arg(preload()).arg(&program);
    let outcome = run.outcome().ok();
    assert_eq!(outcome.warnings(), ["<jemalloc>: Invalid conf pair: nonsense:1"]);
    assert!(outcome.stdout.starts_with("narenas:3,dirty_decay_ms:66,"), "{outcome}");
}
