//! The statistics and their reports.

use std::collections::BTreeSet;

use suite::build::{Profile, preload, viewer};
use suite::fixture::compiled;
use suite::json::Json;
use suite::run::{Outcome, Run};
use suite::scratch::Scratch;

fn reported(letters: &str) -> Outcome {
    let program = Run::new(compiled("report.c")).arg(letters).preload(&preload());
    program.conf("narenas:3,prof_prefix:a\"b\\c").outcome().ok()
}

#[test]
fn identities_hold_while_four_threads_allocate() {
    for conf in ["narenas:4", "narenas:4,dirty_decay_ms:1,muzzy_decay_ms:1", "narenas:2,tcache:false"] {
        Run::new(compiled("identities.c")).preload(&preload()).conf(conf).outcome().ok();
    }
}

#[test]
fn the_text_has_every_section_in_order() {
    let outcome = reported("");
    let mut rest = outcome.stdout.as_str();
    for section in [
        "___ Begin jemalloc statistics ___\n",
        "Version: \"",
        "\nBuild-time option settings\n  config.",
        "\nSystem configuration\n  system.thp_mode: \"",
        "\nRun-time option settings\n  Global variable malloc_conf: \"\"\n  Symbolic link malloc.conf: \"",
        "\n  Environment variable MALLOC_CONF: \"narenas:3,prof_prefix:a\\\"b\\\\c\"\n  opt.",
        "\n  opt.dirty_decay_ms: 10000",
        "\nArenas: ",
        "\nQuantum size: 16\nPage size: 4096\nHugepage size: 2097152\nMaximum thread-cached size class: 32768\n",
        "Number of bin size classes: 36\nNumber of thread-cache bin size classes: 41\nNumber of large size classes: 196\n",
        "Allocated: ",
        ", kernel RSS: ",
        "\nCount of realloc(non-null-ptr, 0) calls: 1\n",
        "Background threads: 0, num_runs: 0, run_interval: 0 ns\n",
        "\nbackground_thread ",
        "\nprof_stats ",
        "\nFragmentation of all arenas: ",
        "\nMerged arenas stats:\nassigned threads: ",
        "\ndss allocation precedence: \"N/A\"\ndecaying:  time       npages       sweeps     madvises       purged\n   dirty:   N/A",
        "\nsmall: ",
        "\nlarge: ",
        "\ntotal: ",
        "\nactive: ",
        "\nextent_avail: ",
        "\nhpa_sec ",
        "\nbins:           size ind ",
        "\nlarge:          size ind ",
        "\nextents:        size ind ",
        "\nBytes in small extent cache: 0\n",
        "\nHPA shard stats:\n",
        "\narenas[0]:\nname: \"auto_0\"\nassigned threads: ",
        "\ndss allocation precedence: \"secondary\"\n",
        "\nFragmentation of arena 0: ",
        "\narenas[1]:\n",
        "\n--- End jemalloc statistics ---\n",
    ] {
        let at =
            rest.find(section).unwrap_or_else(|| panic!("`{section}` is missing or out of order: {outcome}"));
        // The last line break may be the next section's first.
        rest = &rest[at + section.len() - usize::from(section.ends_with('\n'))..];
    }
}

#[test]
fn pieces_are_shorter_than_64_kib() {
    for letters in ["", "J", "o"] {
        let outcome = reported(letters);
        let longest: usize = outcome.stderr.trim().parse().expect("the program tells the longest piece");
        assert!(longest < 64 << 10, "{letters}: {longest}");
    }
}

#[test]
fn letters_leave_their_parts_out() {
    let text = |letters| reported(letters).stdout;
    for (letter, part) in [
        ("g", "opt.narenas"),
        ("m", "Merged arenas stats:"),
        ("a", "arenas[0]:"),
        ("b", "bins:  "),
        ("l", "large:          size"),
        ("x", "n_lock_ops"),
        ("e", "extents:  "),
        ("h", "HPA shard stats:"),
    ] {
        assert!(text("").contains(part) && !text(letter).contains(part), "{letter}: {part}");
    }
    for (letters, key) in [
        ("Jg", "\"opt\":"),
        ("Jm", "\"merged\":"),
        ("Jb", "\"bins\":"),
        ("Jx", "\"mutexes\":"),
        ("Jh", "\"full_slabs\":"),
    ] {
        assert!(text("J").contains(key) && !text(letters).contains(key), "{letters}: {key}");
    }
}

/// Every key with the keys above it.
fn paths(value: &Json, above: &str, into: &mut BTreeSet<String>) {
    match value {
        Json::Object(pairs) => {
            for (key, value) in pairs {
                let path = format!("{above}.{key}");
                paths(value, &path, into);
                into.insert(path);
            }
        }
        Json::Array(items) => items.iter().for_each(|item| paths(item, &format!("{above}[]"), into)),
        _ => {}
    }
}

#[test]
fn json_is_strict_and_escapes_texts() {
    let text = reported("J").stdout;
    let mut keys = BTreeSet::new();
    paths(&Json::read(&text), "", &mut keys);
    for key in [
        ".jemalloc.opt.prof_prefix",
        ".jemalloc.stats.kernel_rss",
        ".jemalloc.stats.mutexes.ctl.num_wait",
        ".jemalloc.stats.arenas.merged.bins[].util",
        ".jemalloc.stats.arenas.0.lextents[].nrequests",
        ".jemalloc.stats.arenas.1.hpa_shard.nonfull_slabs[].nretained_nonhuge",
    ] {
        assert!(keys.contains(key), "{key} is missing");
    }
    assert!(text.contains(r#""prof_prefix":"a\"b\\c""#));
}

#[test]
fn open_metrics_has_one_head_for_each_family_and_ends() {
    let text = reported("o").stdout;
    let mut families = BTreeSet::new();
    let mut family = "";
    for line in text.lines() {
        if let Some(head) = line.strip_prefix("# TYPE ") {
            family = head.split(' ').next().unwrap();
            assert!(families.insert(family), "{family} twice");
        } else if !line.starts_with('#') {
            assert!(line.starts_with(family), "`{line}` is not of the family {family}");
            let value = line.rsplit(' ').next().unwrap();
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
    assert!(text.ends_with("\n# EOF\n"));
    for family in [
        "jemalloc_allocated_bytes",
        "jemalloc_arena_operations",
        "jemalloc_mutex_wait_seconds",
        "jemalloc_purges",
    ] {
        assert!(families.contains(family), "{family} is missing");
    }
}

/// The value of a family without labels.
fn value_in(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn openmetrics_tells_of_samples_and_dumps_when_there_is_a_profiler() {
    let scratch = Scratch::new("openmetrics_prof");
    let prefix = scratch.file("p");
    let conf = format!("prof:true,lg_prof_sample:0,lg_prof_interval:10,prof_prefix:{}", prefix.display());
    let program = Run::new(compiled("report.c")).arg("o").preload(&preload());
    let text = program.conf(conf).outcome().ok().stdout;
    // Two objects of the program's own are kept, and libc has some.
    let live = value_in(&text, "jemalloc_prof_samples_live").unwrap();
    assert!((1..1000).contains(&live), "{live}");
    let stacks = value_in(&text, "jemalloc_prof_stacks").unwrap();
    assert!((2..1000).contains(&stacks), "{stacks}");
    let dumps = value_in(&text, "jemalloc_prof_dumps_total").unwrap();
    let files = scratch.files("p.").len() as u64;
    assert!(dumps > 0 && dumps <= files, "{dumps} told, {files} files");
    assert_eq!(value_in(&reported("o").stdout, "jemalloc_prof_samples_live"), None, "without a profiler");
}

#[test]
fn refused_requests_and_locks_of_the_profiler_are_counted() {
    let scratch = Scratch::new("counters");
    let conf = "prof:true,prof_recent_alloc_max:10,lg_prof_sample:0,retain:false,narenas:1,prof_prefix:";
    let program = Run::new(compiled("counters.c")).arg(scratch.path()).preload(&preload()).conf(conf);
    program.outcome().ok();
    assert_eq!(value_in(&reported("o").stdout, "jemalloc_oom_total"), Some(0));
}

#[test]
fn the_viewer_makes_the_allocator_s_own_families_of_its_json() {
    let scratch = Scratch::new("viewer_statistics");
    let json = scratch.file("statistics.json");
    std::fs::write(&json, reported("J").stdout).unwrap();
    let stats = |format: &str| {
        let run = Run::new(viewer(Profile::own())).args(["stats", format]).arg(&json);
        run.outcome().ok().stdout
    };
    let (made, own) = (stats("--format=openmetrics"), reported("o").stdout);
    let heads: BTreeSet<&str> = own.lines().filter(|line| line.starts_with('#')).collect();
    let unknown: Vec<&str> =
        made.lines().filter(|line| line.starts_with('#') && !heads.contains(line)).collect();
    assert_eq!(unknown, Vec::<&str>::new(), "types, units and words are the allocator's");
    let series = |text: &str| -> BTreeSet<String> {
        let lines = text.lines().filter(|line| !line.starts_with('#') && !line.starts_with("jemalloc_info"));
        lines.map(|line| line.rsplit_once(' ').unwrap().0.to_owned()).collect()
    };
    let (made_series, own_series) = (series(&made), series(&own));
    assert!(made_series.len() > 50, "{made}");
    let more: Vec<&String> = made_series.difference(&own_series).collect();
    assert!(more.is_empty(), "{more:?}");
    assert!(value_in(&made, "jemalloc_active_bytes").is_some());
    let text = stats("--format=text");
    for part in ["jemalloc 5.", "\nallocated ", "\nmerged ", "\nclass ", "\nFragmentation: "] {
        assert!(text.contains(part), "{part} is missing in {text}");
    }
}
