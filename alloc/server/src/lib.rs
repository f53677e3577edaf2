//! What a server tells of the heap of its program: profiles, metrics, statistics, for `go tool pprof`, jeprof,
//! `jeprof-rs`, Prometheus and people.
//!
//! No server, no framework, no runtime: a [`Request`] goes in, a [`Response`] comes out, and any HTTP server can carry
//! both. `docs/server.md` lists what can be asked for; the list is [`ENDPOINTS`], from which routing, the page
//! `/debug/pprof/` and that document are made.
//!
//! ```no_run
//! #[global_allocator]
//! static ALLOC: jealloc::Jealloc = jealloc::Jealloc;
//!
//! # fn main() {
//! let request = jealloc_server::Request { method: "GET", path: "/debug/pprof/heap", query: "", body: b"" };
//! let response = jealloc_server::respond(&request);
//! assert_eq!(response.status, if jealloc::ctl::read(c"opt.prof") == Ok(true) { 200 } else { 503 });
//! # }
//! ```
//!
//! **Blocking.** An answer is computed by the calling thread: milliseconds for statistics, up to tenths of a second for a
//! profile of 100,000 stacks. `?seconds=N` is two profiles and what happened between them: [`respond`] sleeps meanwhile;
//! a server that is not to have a thread sleep calls [`begin`], waits by itself for as long as [`Pending::wait`] says, and
//! calls [`Pending::finish`]. `examples/axum.rs` does.
//!
//! **Memory.** What an answer takes comes from the program's heap and is sampled as anything else: an answer shows up in
//! profiles that are taken while it is being sent, in the stack of whoever asked, never in itself.
//!
//! **Security.** Whoever can ask sees names of functions, the command line and how much there is of everything, can slow
//! the program down by asking, and can switch sampling on and off. Nothing here asks who that is: serve it on a private
//! address, or behind what the program has for such things. Only `POST` changes anything.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod allocator;
mod cmdline;
mod delta;
mod endpoint;
mod flame;
mod index;
#[cfg(feature = "symbols")]
mod names;
mod parameters;
mod pending;
mod profiles;
mod request;
mod response;
mod routing;
mod snapshot;
mod statistics;
mod switches;
mod symbols;
mod table;

pub use endpoint::{Endpoint, Methods, Needs};
pub use parameters::Parameter;
pub use pending::Pending;
pub use request::{Answer, Request};
pub use response::Response;
pub use routing::{begin, respond};
pub use table::ENDPOINTS;

/// The tests are a program with jealloc whose profiler is off.
#[cfg(test)]
#[global_allocator]
static ALLOC: jealloc::Jealloc = jealloc::Jealloc;
