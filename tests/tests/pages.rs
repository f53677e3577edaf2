//! Where address space comes from, and what becomes of it: retain, dss, thp, growth, extent hooks, eager purges.

use suite::build::preload;
use suite::fixture::compiled;
use suite::run::Run;

#[track_caller]
fn address_space(conf: &str, arguments: &[&str]) {
    Run::new(compiled("address_space.c")).args(arguments).preload(&preload()).conf(conf).outcome().ok();
}

#[test]
fn with_retain_false_purged_memory_is_unmapped() {
    address_space("narenas:1,retain:false,oversize_threshold:0", &["unmapped"]);
    address_space("narenas:1,retain:true,oversize_threshold:0", &["retained"]);
}

#[test]
fn with_dss_primary_memory_comes_from_sbrk_unless_the_arena_says_no() {
    address_space("narenas:1,dss:primary", &["sbrk"]);
    address_space("narenas:1,dss:disabled", &["mmap"]);
    address_space("narenas:1,dss:secondary", &["mmap", "and set"]);
    address_space("narenas:1,dss:primary,retain:false", &["sbrk"]);
}

#[test]
fn thp_marks_the_mappings_of_objects() {
    // With the system's own choice `always` or `never` one of the two changes nothing.
    let system = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled").unwrap_or_default();
    if system.contains("[madvise]") {
        address_space("narenas:1,thp:always", &["huge"]);
    }
    if system.contains("[madvise]") || system.contains("[always]") {
        address_space("narenas:1,thp:never", &["plain"]);
    }
}

#[test]
fn the_arena_of_oversize_requests_has_huge_pages_when_metadata_has() {
    if asks_for_huge_pages() {
        for rest in ["", ",retain:false"] {
            let options = |metadata: &str| format!("huge_arena_pac_thp:true,metadata_thp:{metadata}{rest}");
            address_space(&options("always"), &["arena", "yes"]);
            address_space(&options("disabled"), &["arena", "no"]);
            // There is too little metadata.
            address_space(&options("auto"), &["arena", "no"]);
        }
        address_space("metadata_thp:always", &["arena", "no"]);
        address_space("metadata_thp:always", &["metadata", "yes"]);
        address_space("metadata_thp:auto", &["metadata", "no"]);
    }
}

#[test]
fn lg_chunk_is_the_step_of_growth() {
    address_space("narenas:1,lg_chunk:24,oversize_threshold:0", &["steps", "16777216"]);
    address_space("narenas:1,lg_chunk:26,oversize_threshold:0", &["steps", "67108864"]);
}

#[test]
fn the_growth_limit_of_an_arena_bounds_its_steps() {
    address_space("narenas:1", &["limited"]);
}

#[test]
fn a_large_dirty_run_is_purged_at_once_unless_that_is_switched_off() {
    // What was mapped in one piece counts, so there must be large pieces.
    address_space("narenas:1,lg_chunk:26,dirty_decay_ms:100000", &["eager"]);
    address_space("narenas:1,lg_chunk:26,dirty_decay_ms:100000,process_madvise_max_batch:64", &["eager"]);
    address_space("narenas:1,lg_chunk:26,dirty_decay_ms:100000,oversize_threshold:0", &["lasting"]);
    address_space("narenas:1,lg_chunk:26,dirty_decay_ms:-1", &["lasting"]);
}

#[test]
fn hooks_set_on_an_arena_with_objects_rule_it_from_then_on() {
    // Otherwise its large object would be the huge arena's, which has hooks of its own.
    let rest = "narenas:1,oversize_threshold:0";
    for conf in ["", ",muzzy_decay_ms:10000", ",retain:false"].map(|more| format!("{rest}{more}")) {
        Run::new(compiled("auto_hooks.c")).preload(&preload()).conf(&conf).outcome().ok();
    }
}

#[test]
fn functions_that_the_allocator_calls_may_ask_for_statistics() {
    let rest = "narenas:1,oversize_threshold:0,prof:true,lg_prof_sample:12,dirty_decay_ms:1";
    for more in ["", ",muzzy_decay_ms:1000", ",retain:false"] {
        for arguments in
            [&["all", "own"][..], &["all", "first"], &["all", "own", "other"], &["all", "first", "other"]]
        {
            let program = Run::new(compiled("asking_hooks.c")).args(arguments).preload(&preload());
            let outcome = program.conf(format!("{rest}{more}")).outcome().ok();
            for hook in
                ["alloc", "dalloc", "forced", "split", "merge", "sample", "sample_free", "dump", "backtrace"]
            {
                assert!(
                    outcome.stdout.lines().any(|line| line == format!("{hook} asked")),
                    "{hook}: {outcome}"
                );
            }
        }
    }
}

#[test]
fn a_large_calloc_gets_its_zeros_from_the_kernel() {
    let calloc = |conf: &str, zeros: &str| {
        let conf = format!("oversize_threshold:0,dirty_decay_ms:-1,{conf}");
        Run::new(compiled("calloc_large.c")).args([zeros]).preload(&preload()).conf(&conf).outcome().ok();
    };
    calloc("narenas:1", "kernel");
    calloc("retain:false", "kernel");
    calloc("calloc_madvise_threshold:33554432", "written");
    calloc("thp:always", if asks_for_huge_pages() { "written" } else { "kernel" });
}

/// Whether the system waits to be asked for huge pages: otherwise `thp:always` changes nothing.
fn asks_for_huge_pages() -> bool {
    std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled")
        .is_ok_and(|text| text.contains("[madvise]"))
}

#[test]
fn an_idle_process_gives_memory_back_at_one_call_or_when_it_allocates_again() {
    for rest in ["", ",oversize_threshold:0", ",retain:false,oversize_threshold:0"] {
        for what in ["decay", "large", "small"] {
            let conf = format!("narenas:1,dirty_decay_ms:300{rest}");
            Run::new(compiled("idle_decay.c")).args([what]).preload(&preload()).conf(&conf).outcome().ok();
        }
    }
}

#[test]
fn part_of_the_memory_goes_when_nearly_everything_is_freed_but_not_where_a_decay_time_was_set() {
    let program = |rest: &str, arguments: &[&str]| {
        let conf = format!("narenas:1,cgroup_aware:false{rest}");
        Run::new(compiled("ebb.c")).args(arguments).preload(&preload()).conf(&conf).outcome().ok();
    };
    program("", &["goes"]);
    program(",tcache:false", &["goes"]);
    for rest in
        [",dirty_decay_ms:10000", ",muzzy_decay_ms:0", ",arena.0.dirty_decay_ms:10000", ",retain:false"]
    {
        program(rest, &["stays"]);
    }
    for leaf in ["dirty_decay_ms", "muzzy_decay_ms"] {
        program("", &["stays", leaf]);
    }
}

#[test]
fn large_objects_begin_anywhere_in_a_page_when_that_is_asked_for() {
    for rest in ["", ",tcache:false", ",retain:false", ",tcache_max:8388608", ",prof:true,lg_prof_sample:0"] {
        let conf = format!("cache_oblivious:true{rest}");
        Run::new(compiled("offsets.c")).preload(&preload()).conf(&conf).outcome().ok();
        Run::new(compiled("semantics.c")).preload(&preload()).conf(&conf).outcome().ok();
    }
}

#[test]
fn hooks_may_allocate_and_change_errno() {
    for conf in ["", "tcache:false,dirty_decay_ms:0", "prof:true,lg_prof_sample:0,prof_prefix:"] {
        Run::new(compiled("callbacks.c")).arg("hooks").preload(&preload()).conf(conf).outcome().ok();
    }
}

#[test]
fn hooks_may_purge_their_own_arena() {
    for conf in ["", "background_thread:true", "tcache:false,narenas:1"] {
        Run::new(compiled("callbacks.c")).arg("hooks-purge").preload(&preload()).conf(conf).outcome().ok();
    }
}

#[test]
fn forks_do_not_wait_for_hooks_that_wait_for_memory() {
    Run::new(compiled("callbacks.c")).arg("hooks-forks").preload(&preload()).outcome().ok();
}
