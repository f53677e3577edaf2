//! `jeprof-rs conf` against jemalloc itself: it must foretell each message.
#![cfg(feature = "outside")]

use std::path::Path;
use std::process::Command;

use suite::build::{Profile, viewer};

/// Debian's 5.3.0.
const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2";

const VALUES: &[&str] = &[
    "true",
    "false",
    "TRUE",
    "0",
    "1",
    "-1",
    "-7",
    "19",
    "64",
    "65",
    "32k",
    "",
    "18446744073709551615",
    "99999999999999999999",
    "0.5",
    "1.5",
    "default",
    "auto",
    "a",
    "p",
    " 2",
    "2 ",
    "1-64:4",
    "1-64:0",
    "8-16:1|",
    "free",
    "0x10",
    "9223372036854775808",
    "8070450532247928833",
    ".5",
    "5.",
];

const STRINGS: &[&str] = &[
    "narenas:2,b c:2,tcache:x",
    "narenas:2,arena.0.nthreads:8,foo:1",
    "prof",
    "narenas:2,",
    ",",
    ":",
    ":x",
    "m:a",
    "d:primary",
    "narenas:2,,tcache:x",
    "PROF:true",
    "prof=true",
    "prof:true;narenas:2",
    "foo:1,narenas:x,dirty_decay_ms:-5,lg_chunk:22",
];

/// Messages without prefix, sorted; those about the whole string come twice from 5.3.0.
fn told(conf: &str) -> Vec<String> {
    let outcome =
        Command::new("/bin/true").env("MALLOC_CONF", conf).env("LD_PRELOAD", LIBRARY).output().unwrap();
    let text = String::from_utf8_lossy(&outcome.stderr).into_owned();
    let mut told: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("<jemalloc>: "))
        .filter(|line| !line.starts_with("Reducing narenas") && !line.starts_with("prof_leak_error is set"))
        .map(String::from)
        .collect();
    told.sort();
    told.dedup();
    told
}

fn foretold(conf: &str) -> Vec<String> {
    let mut command = Command::new(viewer(Profile::own()));
    command.args(["conf", "--for=jemalloc-5.3.0", "--format=json", "--", conf]);
    let outcome = command.output().unwrap();
    let text = String::from_utf8(outcome.stdout).unwrap();
    let mut messages: Vec<String> = text
        .split("\"message\":\"")
        .skip(1)
        .map(|rest| rest[..rest.find("\",\"text\"").unwrap()].replace("\\\"", "\""))
        .collect();
    messages.sort();
    messages.dedup();
    messages
}

#[test]
fn every_message_of_jemalloc_is_foretold() {
    assert!(Path::new(LIBRARY).exists(), "{LIBRARY} is missing: tests/outside.sh installs it");
    let rows =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../jeprof-rs/src/conf/jemalloc.rs"))
            .unwrap();
    // The first string literal behind each constructor is a key.
    let mut keys: Vec<&str> = ["row(", "switch(", "words("]
        .iter()
        .flat_map(|make| rows.split(make).skip(1))
        .filter_map(|rest| rest.trim_start().strip_prefix('"')?.split('"').next())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    assert!(keys.len() > 80, "{keys:?}");
    // These print something besides.
    keys.retain(|key| !["confirm_conf", "stats_print", "stats_interval"].contains(key));
    let pairs = keys.iter().flat_map(|key| VALUES.iter().map(move |value| format!("{key}:{value}")));
    let mut differing = Vec::new();
    for conf in pairs.chain(STRINGS.iter().map(|conf| conf.to_string())) {
        let (told, foretold) = (told(&conf), foretold(&conf));
        if told != foretold {
            differing.push(format!("{conf}: {told:?}, but we said {foretold:?}"));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
