//! Whole strings of options.

use super::lists::{Row, list};

/// Strings that show one message or rule each.
pub fn known() -> Vec<String> {
    let known = [
        "",
        "foo:1",
        "narenas:abc",
        "dirty_decay_ms:-5",
        "foo:1,narenas:abc,dirty_decay_ms:-5,lg_prof_sample:99",
        "narenas: 2",
        "narenas:2 ",
        "narenas:0x10",
        "narenas:010",
        "narenas:+3",
        "narenas:64k",
        "narenas:",
        "narenas:1,narenas:2",
        "tcache:1",
        "tcache:",
        "tcache:TRUE",
        "zero:true,zero:false",
        "lg_prof_sample:99",
        "max_background_threads:3,max_background_threads:8",
        "tcache_max:64,lg_tcache_max:12",
        "narenas:2,tcach",
        "narenas:2,",
        "narenas",
        "na-renas:4",
        "narenas:2,na-renas:4,dirty_decay_ms:77",
        "narenas:2,two words:1",
        ":",
        ",",
        "narenas:2,,tcache:false",
        "slab_sizes:nonsense",
        "bin_shards:nonsense",
        "tcache_ncached_max:nonsense",
        "tcache_ncached_max:8-128:10|256-512:3",
        "tcache_ncached_max:8-128:10|,tcache_ncached_max:64-64:5|x,tcache_ncached_max:",
        "tcache_ncached_max:0x8-0100:1,tcache_ncached_max:8-18446744073709551616:1",
        "tcache_ncached_max:8-16:1 32-32:2,tcache_ncached_max:8-16:-1,tcache_ncached_max:09-16:1",
        "prof_leak_error:true",
        "prof_leak:true",
        "abort_conf:true,foo:1",
        "abort_conf:true,experimental_nonsense:1",
        "abort_conf:true,narenas:x,tcache:2",
        "foo:1,abort_conf:true",
        "prof_prefix:a/b c,prof_active:false",
        "stats_print_opts:JJgzzm",
        "stats_print_opts:Jgmdablxehq",
        "metadata_thp:aut",
        "thp:al",
        "dss:pri",
        "percpu_arena:percpu,narenas:3",
        "hpa:true",
        "lg_extent_max_active_fit:65",
        "oversize_threshold:0",
        "zero_realloc:nonsense",
        "junk:nonsense",
        "hpa_dirty_mult:-1",
        "hpa_dirty_mult:0.5",
        "narenas_ratio:0.5",
        "narenas_ratio:nonsense",
        "confirm_conf:true,narenas:2,tcache:false,foo:1",
        "confirm_conf:maybe",
        "lg_chunk:22",
        "decay_time:10",
        "narenas:4,arena.0.nthreads:8,tcache:false",
        "stats_print_interval:5000",
    ];
    known.map(str::to_owned).to_vec()
}

/// Options that a random string leaves alone: those that print, end the process, or are known not to be in ours.
const NOT_RANDOM: &[&str] = &[
    "confirm_conf",
    "stats_print",
    "stats_interval",
    "abort_conf",
    "hpa",
    "slab_sizes",
    "bin_shards",
    "prof_leak_error",
    "prof_leak",
    "prof_final",
    "prof_log",
    "prof_gdump",
];

/// Strings of one to four options with good and bad values. The seed decides.
pub fn random(seed: u64, count: usize) -> Vec<String> {
    let options = list("options.tsv");
    let usable =
        |row: &&Row| row.in_release("5.3.1") && row.get("needs") == "-" && !NOT_RANDOM.contains(&row.name());
    let options: Vec<&Row> = options.iter().filter(usable).collect();
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mut pick = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    };
    let mut string = || {
        let pairs: Vec<String> = (0..=pick(4))
            .map(|_| {
                let row = options[pick(options.len())];
                let kind = pick(12);
                let end = if kind % 2 == 0 { "low" } else { "high" };
                let value = match kind {
                    0..6 => good(row, end, pick(100)),
                    6 => "nonsense".to_owned(),
                    7 => "-3".to_owned(),
                    8 => "0x40".to_owned(),
                    // Nothing is the beginning of every word, and therefore taken by the reference.
                    9 if row.get("type") == "word" => "nonsense".to_owned(),
                    9 => String::new(),
                    10 => "99999999999999999999".to_owned(),
                    _ => format!("{} ", good(row, end, 7)),
                };
                format!("{}:{value}", row.name())
            })
            .collect();
        pairs.join(",")
    };
    (0..count).map(|_| string()).collect()
}

fn good(row: &Row, end: &str, number: usize) -> String {
    let value = |cell: &str| cell.split('>').next().unwrap_or_default().to_owned();
    match row.get("type") {
        "word" => {
            let words: Vec<&str> = row.get("low").split('|').collect();
            value(words[number % words.len()])
        }
        "unsigned" | "size" | "ssize" | "int64" | "uint64" if number.is_multiple_of(3) => number.to_string(),
        _ => value(row.get(end)).replace('-', if row.get(end) == "-" { "" } else { "-" }),
    }
}
