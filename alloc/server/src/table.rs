//! The endpoints: one row each. Routing, the page `/debug/pprof/` and the tables in `docs/server.md` are made from them.

use crate::endpoint::{Endpoint, Methods, Needs};
use crate::{cmdline, flame, index, profiles, statistics, switches, symbols};

/// All endpoints, in the order in which they are listed.
pub static ENDPOINTS: &[Endpoint] = &[
    Endpoint {
        paths: &["/debug/pprof/"],
        methods: Methods::Get,
        parameters: &[],
        about: "This list as a page, and whether the profiler is there and samples.",
        needs: Needs::Nothing,
        answer: index::page,
    },
    Endpoint {
        paths: &["/debug/pprof/heap"],
        methods: Methods::Get,
        parameters: profiles::PARAMETERS,
        about: "What is alive: profile.proto, packed with gzip, as Go's programs have it. `go tool pprof`, `jeprof-rs`, Parca, \
                Pyroscope.",
        needs: Needs::Profiler,
        answer: profiles::heap,
    },
    Endpoint {
        paths: &["/debug/pprof/allocs"],
        methods: Methods::Get,
        parameters: profiles::PARAMETERS,
        about: "The same profile; viewers show first what was allocated since the start. Without `prof_accum:true` that is \
                not known, and it is the profile of what is alive.",
        needs: Needs::Profiler,
        answer: profiles::allocs,
    },
    Endpoint {
        paths: &["/pprof/heap"],
        methods: Methods::Get,
        parameters: profiles::CLASSIC_PARAMETERS,
        about: "The heap profile as text, which perl `jeprof` asks a server for. `jeprof-rs` reads it as well.",
        needs: Needs::Profiler,
        answer: profiles::classic,
    },
    Endpoint {
        paths: &["/pprof/symbol", "/debug/pprof/symbol"],
        methods: Methods::Both,
        parameters: &[],
        about: "Names of addresses of this process, from the symbol tables of its files: posted as `0x1+0x2`, or in the \
                place of a query; a line `0x1<tab>name` for each that is known. Asked for none, it answers `num_symbols: N`.",
        needs: Needs::Nothing,
        answer: symbols::page,
    },
    Endpoint {
        paths: &["/pprof/cmdline", "/debug/pprof/cmdline"],
        methods: Methods::Get,
        parameters: &[],
        about: "The program and its arguments, with zero bytes between them.",
        needs: Needs::Nothing,
        answer: cmdline::page,
    },
    Endpoint {
        paths: &["/debug/pprof/flamegraph"],
        methods: Methods::Get,
        parameters: flame::PARAMETERS,
        about: "A flame graph (SVG) with the names of `/pprof/symbol`. With the feature `flame`, else 501.",
        needs: Needs::Profiler,
        answer: flame::page,
    },
    Endpoint {
        paths: &["/metrics"],
        methods: Methods::Get,
        parameters: statistics::PARAMETERS,
        about: "Metrics of allocator and profiler as OpenMetrics text 1.0, from a snapshot that is taken for it. Prometheus.",
        needs: Needs::Allocator,
        answer: statistics::metrics,
    },
    Endpoint {
        paths: &["/debug/jemalloc/stats"],
        methods: Methods::Get,
        parameters: statistics::PARAMETERS,
        about: "The statistics as `malloc_stats_print` prints them.",
        needs: Needs::Allocator,
        answer: statistics::text,
    },
    Endpoint {
        paths: &["/debug/jemalloc/stats.json"],
        methods: Methods::Get,
        parameters: statistics::PARAMETERS,
        about: "The same as JSON, with jemalloc's keys. `jeprof-rs stats`.",
        needs: Needs::Allocator,
        answer: statistics::json,
    },
    Endpoint {
        paths: &["/debug/jemalloc/activate"],
        methods: Methods::Post,
        parameters: &[],
        about: "Switches sampling on (`prof.active`), and tells whether it was.",
        needs: Needs::Profiler,
        answer: switches::activate,
    },
    Endpoint {
        paths: &["/debug/jemalloc/deactivate"],
        methods: Methods::Post,
        parameters: &[],
        about: "Switches sampling off, and tells whether it was on. What was sampled stays.",
        needs: Needs::Profiler,
        answer: switches::deactivate,
    },
];
