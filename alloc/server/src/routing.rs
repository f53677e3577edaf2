//! From a request to the endpoint that answers it.

use crate::allocator::{has_profiler, is_allocator};
use crate::endpoint::{Asked, Endpoint, Methods, Needs};
use crate::parameters::Parameters;
use crate::request::{Answer, Request};
use crate::response::Response;
use crate::table::ENDPOINTS;

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
    (endpoint.answer)(&Asked { request, parameters, endpoints: ENDPOINTS })
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
