//! The static probes, as gdb finds them and reads their arguments.
#![cfg(feature = "outside")]

use std::collections::BTreeMap;

use prof_format::unbias;
use suite::build::preload;
use suite::fixture::compiled;
use suite::run::Run;
use suite::scratch::Scratch;
use suite::truth;

const LG_SAMPLE: u32 = 15;

/// Breaks at each probe and prints its arguments. The library is loaded when `main` is reached.
const SCRIPT: &str = r#"
set pagination off
set confirm off
set breakpoint pending off
set startup-with-shell off
set language c
break main
run
break -probe-stap otel_memory:alloc
commands
silent
printf "probe alloc %lu %lu %lu\n", $_probe_arg0, $_probe_arg1, $_probe_arg2
continue
end
break -probe-stap otel_memory:free
commands
silent
printf "probe free %lu\n", $_probe_arg0
continue
end
break -probe-stap jemalloc_rs:purge
commands
silent
printf "probe purge %lu %lu\n", $_probe_arg0, $_probe_arg1
continue
end
break -probe-stap jemalloc_rs:dump
commands
silent
printf "probe dump %s\n", (char *) $_probe_arg0
continue
end
break -probe-stap jemalloc_rs:oom
commands
silent
printf "probe oom %lu\n", $_probe_arg0
continue
end
continue
"#;

#[test]
fn gdb_sees_every_probe_and_the_weights_add_up_to_what_was_allocated() {
    let scratch = Scratch::new("probes");
    let (script, dump) = (scratch.file("script"), scratch.file("one.heap"));
    let conf = format!("prof:true,prof_active:false,lg_prof_sample:{LG_SAMPLE},narenas:1,dirty_decay_ms:-1");
    let environment =
        format!("set environment LD_PRELOAD {}\nset environment MALLOC_CONF {conf}\n", preload().display());
    std::fs::write(&script, environment + SCRIPT).unwrap();
    let run = Run::new("gdb").args(["-nx", "-batch", "-x"]).arg(&script);
    let outcome = run.arg("--args").arg(compiled("probed.c")).arg(&dump).outcome().ok();
    assert!(outcome.stdout.contains("exited normally"), "{outcome}");

    let site = truth::parse(&outcome.stdout).remove("main").expect("what it allocated");
    let (mut live, mut sum, mut samples) = (BTreeMap::new(), 0, 0);
    let (mut purged, mut refused, mut dumped) = (0, Vec::new(), Vec::new());
    let words = outcome.stdout.lines().filter_map(|line| line.strip_prefix("probe "));
    for line in words {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |nth: usize| words[nth].parse::<u64>().unwrap_or_else(|_| panic!("{line}"));
        match words[0] {
            "alloc" => {
                let (object, size, weight) = (number(1), number(2), number(3));
                assert!(live.insert(object, size).is_none(), "{line}: was there already");
                assert!(site.sizes.contains_key(&size), "{line}: no object has this size");
                assert_eq!(weight, unbias::weight(size, 1 << LG_SAMPLE).bytes, "{line}");
                (sum, samples) = (sum + weight, samples + 1);
            }
            "free" => assert!(live.remove(&number(1)).is_some(), "{line}: no such object"),
            "purge" => {
                assert_eq!(number(1), 0, "{line}: there is one arena");
                purged += number(2);
            }
            "oom" => refused.push(number(1)),
            "dump" => dumped.push(words[1].to_owned()),
            _ => panic!("{line}"),
        }
    }
    assert!(live.is_empty(), "{} were never freed", live.len());
    assert!(samples >= 300, "{samples} samples");
    // Each object is sampled by itself with a known probability, so this is the standard deviation of the sum. Nearly all
    // runs are within three of them; five, which chance passes once in two million runs, still find a bias of a tenth.
    let deviation = truth::cumulants(&site, f64::from(1 << LG_SAMPLE)).1[0].sqrt();
    let error = sum as f64 - site.bytes as f64;
    println!(
        "{samples} samples, {sum} of {} bytes, {:.2} standard deviations",
        site.bytes,
        error / deviation
    );
    assert!(error.abs() <= 5.0 * deviation, "{sum} of {} bytes, deviation {deviation}", site.bytes);
    assert!(purged > 100, "{purged} pages");
    assert_eq!(refused, [1 << 62]);
    assert_eq!(dumped, [dump.display().to_string()]);
}
