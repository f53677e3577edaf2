//! Servers on ours: Redis and named with ours in the place of `libjemalloc.so.2`, PostgreSQL under `LD_PRELOAD`.
#![cfg(feature = "outside")]

use std::path::{Path, PathBuf};
use std::process::Command;

use suite::build::preload;
use suite::postgres::Postgres;
use suite::reference;
use suite::run::Run;
use suite::scratch::Scratch;
use suite::server::{Server, free_port, redis, redis_figure, redis_says};

/// A folder in which the loader finds `library` as `libjemalloc.so.2`.
fn in_place_of_jemalloc(folder: &Scratch, library: &Path) -> PathBuf {
    let place = folder.file("lib");
    std::fs::create_dir_all(&place).unwrap();
    std::fs::copy(library, place.join("libjemalloc.so.2")).unwrap();
    place
}

const FIGURES: &[&str] = &["used_memory", "allocator_allocated", "allocator_active", "allocator_resident"];

/// The figures of a redis-server on a library after a load that is the same each time: 200,000 keys, every second one
/// deleted again, then purged.
fn redis_figures(library: &Path) -> Vec<f64> {
    let folder = Scratch::new("redis-figures");
    let place = in_place_of_jemalloc(&folder, library);
    let _server = redis(&folder, &[("LD_LIBRARY_PATH", &place)], "");
    let ask = |command: &[&str]| redis_says(&folder, command).ok().stdout.trim().to_owned();
    assert_eq!(ask(&["DEBUG", "POPULATE", "200000", "key", "200"]), "OK");
    let delete = "for i=0,199999,2 do redis.call('DEL','key:'..i) end return redis.call('DBSIZE')";
    assert_eq!(ask(&["EVAL", delete, "0"]), "100000");
    assert_eq!(ask(&["MEMORY", "PURGE"]), "OK");
    // The server reads the allocator's figures ten times a second.
    std::thread::sleep(std::time::Duration::from_millis(500));
    let info = ask(&["INFO", "memory"]);
    FIGURES.iter().map(|key| redis_figure(&info, key)).collect()
}

#[test]
fn redis_shows_the_figures_that_it_shows_on_stock_jemalloc() {
    let (ours, stock) = (redis_figures(&preload()), redis_figures(&reference::v530()));
    for ((name, ours), stock) in FIGURES.iter().zip(&ours).zip(&stock) {
        println!("{name}: ours {ours}, stock {stock}");
    }
    for ((name, ours), stock) in FIGURES.iter().zip(ours).zip(stock) {
        assert!((ours / stock - 1.0).abs() < 0.1, "{name}: ours {ours}, stock {stock}");
    }
}

#[test]
fn redis_answers_every_question_about_memory() {
    let folder = Scratch::new("redis-answers");
    let place = in_place_of_jemalloc(&folder, &preload());
    let server = redis(&folder, &[("LD_LIBRARY_PATH", &place)], "");
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", server.id())).unwrap();
    assert!(!maps.contains("/usr/lib/x86_64-linux-gnu/libjemalloc"), "the original is loaded");
    let ask = |command: &[&str]| redis_says(&folder, command).ok().stdout.trim().to_owned();
    let control = |key: &str| ask(&["DEBUG", "MALLCTL", key]);
    assert_eq!(ask(&["DEBUG", "POPULATE", "50000", "key", "200"]), "OK");
    let doctor = ask(&["MEMORY", "DOCTOR"]);
    assert!(doctor.starts_with("Sam,") || doctor.starts_with("Hi Sam,"), "{doctor}");
    let stats = ask(&["MEMORY", "STATS"]);
    for part in ["allocator.allocated", "allocator-fragmentation.ratio", "keys.count"] {
        assert!(stats.contains(part), "{part} in\n{stats}");
    }
    let text = ask(&["MEMORY", "MALLOC-STATS"]);
    assert!(text.contains("Begin jemalloc statistics") && text.contains("Allocated: "), "{text}");
    assert_eq!(ask(&["MEMORY", "PURGE"]), "OK");
    // Redis asks with eight bytes: other types are refused, on the original too.
    for (key, value) in
        [("arenas.page", "4096"), ("arenas.bin.1.size", "16"), ("arenas.nbins", "ERR Invalid argument")]
    {
        assert_eq!(control(key), value, "{key}");
    }
    for key in ["stats.allocated", "stats.active", "stats.resident", "stats.retained", "epoch"] {
        let said = control(key);
        assert!(said.parse::<u64>().is_ok(), "{key}: {said}");
    }
    assert_eq!(ask(&["DEBUG", "MALLCTL-STR", "version"]).split('.').next(), Some("5"));
    for (word, some) in [("yes", true), ("no", false)] {
        assert_eq!(ask(&["CONFIG", "SET", "jemalloc-bg-thread", word]), "OK");
        assert_eq!(ask(&["CONFIG", "GET", "jemalloc-bg-thread"]).lines().last(), Some(word));
        ask(&["DEBUG", "MALLCTL", "epoch", "1"]);
        let threads = control("stats.background_thread.num_threads");
        assert_eq!(threads != "0", some, "{threads} threads when told {word}");
    }
    let log = std::fs::read_to_string(folder.file("redis.log")).unwrap();
    assert!(!log.contains("<jemalloc>") && !log.contains("rror"), "{log}");
    assert!(server.stop("TERM").success());
}

const ZONE: &str = "$TTL 300
@ IN SOA ns.example. admin.example. ( 1 3600 600 86400 300 )
@ IN NS ns.example.
ns IN A 127.0.0.1
* IN TXT \"anything else\"
";

#[test]
fn named_serves_a_zone_and_shuts_down_clean() {
    const QUERIES: usize = 50_000;
    let folder = Scratch::new("named");
    let place = in_place_of_jemalloc(&folder, &preload());
    let mut zone = ZONE.to_owned();
    let mut queries = String::new();
    for host in 0..500 {
        zone += &format!(
            "host{host} IN A 10.0.{}.{}\nhost{host} IN TXT \"host number {host}\"\n",
            host / 256,
            host % 256
        );
        queries += &format!(
            "host{host}.example A\nhost{host}.example TXT\nother{host}.example TXT\nhost{host}.example MX\n"
        );
    }
    std::fs::write(folder.file("example.zone"), zone).unwrap();
    std::fs::write(folder.file("queries"), &queries).unwrap();
    let port = free_port();
    let path = folder.path().display();
    let conf = format!(
        "options {{ directory \"{path}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
         recursion no; pid-file none; session-keyfile none; dnssec-validation no; }};\ncontrols {{ }};\n\
         zone \"example\" {{ type master; file \"example.zone\"; }};\n"
    );
    std::fs::write(folder.file("named.conf"), conf).unwrap();
    let mut command = Command::new("named");
    command.arg("-g").arg("-c").arg(folder.file("named.conf")).args(["-n", "2"]).current_dir(folder.path());
    command.env("LD_LIBRARY_PATH", &place).env_remove("LD_PRELOAD").env_remove("MALLOC_CONF");
    let log = folder.file("named.log");
    let server = Server::start(command, &log, || {
        std::fs::read_to_string(&log).is_ok_and(|log| log.contains("running"))
    });
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", server.id())).unwrap();
    assert!(maps.contains(&*place.to_string_lossy()), "named does not run on ours:\n{maps}");
    let repeats = QUERIES / queries.lines().count();
    let perf = Run::new("dnsperf")
        .args(["-s", "127.0.0.1", "-p", &port.to_string(), "-d"])
        .arg(folder.file("queries"));
    let perf = perf.args(["-n", &repeats.to_string(), "-c", "4", "-q", "50"]).outcome().ok();
    let count = |key: &str| -> usize {
        let line = perf.stdout.lines().find_map(|line| line.trim().strip_prefix(key));
        let word = line.and_then(|rest| rest.split_whitespace().next());
        word.and_then(|word| word.parse().ok()).unwrap_or_else(|| panic!("{key} in {perf}"))
    };
    assert_eq!(count("Queries sent:"), QUERIES, "{perf}");
    assert_eq!(count("Queries completed:"), QUERIES, "{perf}");
    let status = server.stop("TERM");
    let log = std::fs::read_to_string(&log).unwrap();
    // named checks at its end that everything was given back to its memory contexts.
    assert!(status.success() && log.contains("exiting"), "{status}:\n{log}");
    assert!(!log.contains("<jemalloc>") && !log.contains("assert"), "{log}");
}

/// Thirty seconds in full; `SUITE_PGBENCH_SECONDS` says otherwise.
fn pgbench_seconds() -> String {
    std::env::var("SUITE_PGBENCH_SECONDS").unwrap_or_else(|_| "5".into())
}

#[test]
fn postgresql_runs_pgbench() {
    let server = Postgres::start(&preload(), "");
    server.tool("pgbench").args(["-i", "-q", "-s", "2"]).outcome().ok();
    let seconds = pgbench_seconds();
    let bench = server.tool("pgbench").args(["-c", "4", "-T", &seconds]).outcome().ok();
    assert!(bench.stdout.contains("number of failed transactions: 0 ("), "{bench}");
    let maps = std::fs::read_to_string(format!("/proc/{}/maps", server.id())).unwrap();
    assert!(maps.contains(&*server.library().to_string_lossy()), "the server does not run on ours");
    let sum =
        "SELECT (SELECT sum(abalance) FROM pgbench_accounts) = (SELECT sum(delta) FROM pgbench_history)";
    assert_eq!(server.tool("psql").args(["-At", "-c", sum]).outcome().ok().stdout.trim(), "t");
    let log = server.stop();
    assert!(!log.contains("<jemalloc>") && !log.contains("PANIC") && !log.contains("signal"), "{log}");
}
