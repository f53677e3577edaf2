//! The endpoints: one row each. Routing, the page `/debug/pprof/` and the tables in `docs/server.md` are made from them.

use std::fmt;

use jealloc::ctl;

use crate::parameters::Parameters;
use crate::request::{Answer, Request};
use crate::response::Response;
use crate::{cmdline, flame, index, profiles, statistics, switches, symbols};

/// With which methods an endpoint is asked. Whatever answers `GET` answers `HEAD`, without the content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Methods {
    /// It only tells.
    Get,
    /// It changes something.
    Post,
    /// It tells of what is posted, too.
    Both,
}

impl Methods {
    /// Their names.
    pub fn names(self) -> &'static [&'static str] {
        match self {
            Methods::Get => &["GET", "HEAD"],
            Methods::Post => &["POST"],
            Methods::Both => &["GET", "HEAD", "POST"],
        }
    }
}

/// What has to be there for an endpoint; without it the answer is 503.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// Nothing.
    Nothing,
    /// The program allocates from jealloc.
    Allocator,
    /// It does, and was started with `prof:true`.
    Profiler,
}

/// A parameter of an endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// Which values it may have.
    pub values: &'static str,
    /// What it does.
    pub about: &'static str,
}

/// An endpoint.
pub struct Endpoint {
    /// Its paths; they answer the same, and the first is the usual one.
    pub paths: &'static [&'static str],
    /// How it is asked.
    pub methods: Methods,
    /// What may stand in the query.
    pub parameters: &'static [Parameter],
    /// What it answers, and to whom.
    pub about: &'static str,
    /// What it needs.
    pub needs: Needs,
    pub(crate) answer: fn(&Asked) -> Result<Answer, Response>,
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("paths", &self.paths).finish_non_exhaustive()
    }
}

/// What an endpoint is asked.
pub(crate) struct Asked<'a> {
    pub request: &'a Request<'a>,
    pub parameters: Parameters,
}

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

/// Answers a request. Blocks: see the head of this crate.
pub fn respond(request: &Request<'_>) -> Response {
    match begin(request) {
        Answer::Now(response) => response,
        Answer::Later(pending) => {
            std::thread::sleep(pending.wait());
            pending.finish()
        }
    }
}

/// Answers a request, or, when time has to pass for it, says how much. Never sleeps.
pub fn begin(request: &Request<'_>) -> Answer {
    let mut answer = answer(request).unwrap_or_else(Answer::Now);
    if request.method == "HEAD" {
        match &mut answer {
            Answer::Now(response) => response.body.clear(),
            Answer::Later(pending) => pending.leave_content_out(),
        }
    }
    answer
}

/// As [`begin`]; what is wrong with a request is an error.
fn answer(request: &Request<'_>) -> Result<Answer, Response> {
    let endpoint = find(request.path)?;
    if !endpoint.methods.names().contains(&request.method) {
        let allowed = endpoint.methods.names().join(", ");
        let what = format!("method: {} takes {allowed}, not {}", request.path, request.method);
        return Err(Response::error(405, what).with("Allow", allowed));
    }
    // The query of a symbol page is addresses.
    let query = if endpoint.methods == Methods::Both { "" } else { request.query };
    let parameters = Parameters::parse(query, endpoint.parameters)?;
    if endpoint.needs != Needs::Nothing && !is_allocator() {
        return Err(Response::error(
            503,
            "jealloc is not the allocator of this program: it has no `#[global_allocator]` of the type `jealloc::Jealloc`, or \
             another library took its place",
        ));
    }
    if endpoint.needs == Needs::Profiler && !has_profiler() {
        return Err(Response::error(503, jealloc::profile::NoProfile::Off));
    }
    (endpoint.answer)(&Asked { request, parameters })
}

/// The endpoint of a path.
fn find(path: &str) -> Result<&'static Endpoint, Response> {
    let has = |path: &str| ENDPOINTS.iter().find(|endpoint| endpoint.paths.contains(&path));
    has(path).ok_or_else(|| match has(&format!("{path}/")) {
        // Relative, because the server may have taken a prefix away.
        Some(_) => {
            let last = path.rsplit('/').next().unwrap_or_default();
            Response::error(301, format_args!("it is at {path}/")).with("Location", format!("{last}/"))
        }
        None => {
            let all: String = ENDPOINTS
                .iter()
                .flat_map(|endpoint| endpoint.paths)
                .map(|path| format!("\n  {path}"))
                .collect();
            Response::error(404, format_args!("path: there is no {path} here, but{all}"))
        }
    })
}

/// Whether the profiler is there.
pub(crate) fn has_profiler() -> bool {
    ctl::read(c"opt.prof").unwrap_or(false)
}

/// Whether the program's memory comes from jealloc: a program may link it and allocate from another.
pub(crate) fn is_allocator() -> bool {
    // The thread's own counter; one that cannot be read says nothing against it.
    let allocated = || ctl::read::<u64>(c"thread.allocated").ok();
    let before = allocated();
    std::hint::black_box(Vec::<u8>::with_capacity(4096));
    before.is_none() || before != allocated()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is answered to a request without content.
    fn ask(method: &str, path: &str, query: &str) -> Response {
        respond(&Request { method, path, query, body: b"" })
    }

    fn said(response: &Response) -> &str {
        std::str::from_utf8(&response.body).unwrap()
    }

    #[test]
    fn rows_are_sound() {
        let mut paths = std::collections::BTreeSet::new();
        for endpoint in ENDPOINTS {
            assert!(!endpoint.paths.is_empty() && endpoint.about.ends_with('.'), "{endpoint:?}");
            for path in endpoint.paths {
                assert!(path.starts_with('/') && paths.insert(path), "{path}");
            }
            for parameter in endpoint.parameters {
                assert!(parameter.about.ends_with('.') && !parameter.values.is_empty(), "{endpoint:?}");
            }
        }
    }

    #[test]
    fn every_row_answers_its_methods_and_refuses_the_others() {
        for endpoint in ENDPOINTS {
            for path in endpoint.paths {
                for method in ["GET", "HEAD", "POST", "PUT", "get"] {
                    let response = ask(method, path, "");
                    let allowed = endpoint.methods.names().contains(&method);
                    assert_eq!(response.status == 405, !allowed, "{method} {path}: {response:?}");
                    if !allowed {
                        assert!(response.header("Allow").is_some_and(|names| !names.contains(method)));
                        let said = said(&response);
                        assert!(said.starts_with("method: ") || method == "HEAD", "{said}");
                    }
                    assert!(method != "HEAD" || response.body.is_empty(), "{path}");
                }
                // The addresses of a symbol page stand in its place.
                if endpoint.methods != Methods::Both {
                    let response = ask(endpoint.methods.names()[0], path, "colour=red");
                    assert_eq!(response.status, 400, "{path}");
                    assert!(said(&response).contains("no parameter `colour`"), "{}", said(&response));
                }
            }
        }
    }

    #[test]
    fn what_needs_the_profiler_says_so_when_it_is_off() {
        for endpoint in ENDPOINTS {
            let response = ask(endpoint.methods.names()[0], endpoint.paths[0], "");
            if endpoint.needs == Needs::Profiler {
                assert_eq!(response.status, 503, "{endpoint:?}");
                assert!(said(&response).contains("prof:true"), "{}", said(&response));
            } else {
                assert_eq!(response.status, 200, "{endpoint:?}: {}", said(&response));
            }
        }
    }

    #[test]
    fn unknown_paths_get_the_known_ones_and_a_missing_slash_is_added() {
        for path in ["", "/", "/debug/pprof/heaps", "/debug/pprof/heap/", "/metrics/x"] {
            let response = ask("GET", path, "");
            assert_eq!(response.status, 404, "{path}");
            assert!(said(&response).contains("\n  /debug/pprof/heap\n"), "{}", said(&response));
        }
        let response = ask("GET", "/debug/pprof", "");
        assert_eq!((response.status, response.header("Location")), (301, Some("pprof/")));
    }
}
