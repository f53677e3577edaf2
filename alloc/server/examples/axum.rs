//! A server in axum that has the pages of jealloc-server beside its own.
//!
//!     MALLOC_CONF=prof:true,prof_accum:true,lg_prof_sample:12 cargo run -p jealloc-server --example axum -- 127.0.0.1:6060
//!     curl -X POST http://127.0.0.1:6060/sessions/1000
//!     go tool pprof -top http://127.0.0.1:6060/debug/pprof/heap
//!     jeprof-rs http://127.0.0.1:6060
//!
//! A program that others reach gives these pages a port of their own.

use std::sync::Mutex;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::{Method, Uri};
use axum::response::Response;
use axum::routing::post;
use jealloc_server::{Answer, Request};

#[global_allocator]
static ALLOC: jealloc::Jealloc = jealloc::Jealloc;

/// What the service keeps.
static SESSIONS: Mutex<Vec<Box<[u8]>>> = Mutex::new(Vec::new());

/// The service's own work: opens so many sessions of a KiB each.
#[inline(never)]
async fn open_sessions(Path(count): Path<usize>) -> String {
    let mut sessions = SESSIONS.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    sessions.reserve(count);
    (0..count).for_each(|_| sessions.push(new_session()));
    format!("{} sessions\n", sessions.len())
}

#[inline(never)]
fn new_session() -> Box<[u8]> {
    vec![1; 1024].into_boxed_slice()
}

/// Everything else: heap profiles, metrics, statistics. Computing them takes a while, so a thread for blocking work does
/// it; the time between two profiles is slept away here, where it costs no thread.
async fn about_the_heap(method: Method, uri: Uri, body: Bytes) -> Response {
    let begun = tokio::task::spawn_blocking(move || {
        jealloc_server::begin(&Request {
            method: method.as_str(),
            path: uri.path(),
            query: uri.query().unwrap_or_default(),
            body: &body,
        })
    });
    let response = match begun.await {
        Ok(Answer::Now(response)) => Ok(response),
        Ok(Answer::Later(pending)) => {
            tokio::time::sleep(pending.wait()).await;
            tokio::task::spawn_blocking(|| pending.finish()).await
        }
        Err(error) => Err(error),
    };
    match response {
        Ok(response) => {
            let mut sent = Response::new(Body::from(response.body));
            *sent.status_mut() = response.status.try_into().expect("it is one of HTTP's");
            for (name, value) in response.headers {
                sent.headers_mut().insert(
                    name.parse::<axum::http::HeaderName>().expect("it is a name"),
                    value.parse().expect("it is ASCII"),
                );
            }
            sent
        }
        Err(error) => {
            let mut failed = Response::new(Body::from(format!("{error}\n")));
            *failed.status_mut() = axum::http::StatusCode::INTERNAL_SERVER_ERROR;
            failed
        }
    }
}

fn main() -> std::io::Result<()> {
    let place = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let service = Router::new().route("/sessions/{count}", post(open_sessions)).fallback(about_the_heap);
    tokio::runtime::Builder::new_multi_thread().enable_all().build()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(place).await?;
        println!("listening on {}", listener.local_addr()?);
        axum::serve(listener, service).await
    })
}
