//! Heap profiles: of this moment, or of what happens in some seconds.

use jealloc::profile::{Form, Format};

use crate::endpoint::Asked;
use crate::parameters::Parameter;
use crate::pending::Pending;
use crate::request::Answer;
use crate::response::{Response, TEXT};
use crate::snapshot::{packed, taken};

/// Longest time between the two profiles of a difference: the first of them is kept in memory so long.
const SECONDS_MAX: u32 = 3600;

const SECONDS: Parameter = Parameter {
    name: "seconds",
    values: "1 to 3600",
    about: "What happens in that time: a second profile minus a first one, always as profile.proto. Stacks that shrank have \
            negative figures.",
};
const GC: Parameter = Parameter {
    name: "gc",
    values: "any",
    about: "Go's collection before the profile; there is none here, and it does nothing.",
};

/// Parameters of Go's pages.
pub const PARAMETERS: &[Parameter] = &[
    SECONDS,
    Parameter {
        name: "debug",
        values: "0, 1, 2",
        about: "1 or 2: as text, in the form that jeprof and pprof both read. Not together with `seconds`.",
    },
    GC,
];

/// Parameters of gperftools' page.
pub const CLASSIC_PARAMETERS: &[Parameter] = &[SECONDS, GC];

/// `/debug/pprof/heap`
pub fn heap(asked: &Asked) -> Result<Answer, Response> {
    go_page(asked, "heap", false)
}

/// `/debug/pprof/allocs`
pub fn allocs(asked: &Asked) -> Result<Answer, Response> {
    go_page(asked, "allocs", true)
}

/// `/pprof/heap`
pub fn classic(asked: &Asked) -> Result<Answer, Response> {
    match asked.parameters.number("seconds", SECONDS_MAX)? {
        Some(seconds) => difference("heap", seconds, false),
        None => text(),
    }
}

fn go_page(asked: &Asked, name: &'static str, allocated_first: bool) -> Result<Answer, Response> {
    let as_text = asked.parameters.choice("debug", &["0", "1", "2"])? != "0";
    match (asked.parameters.number("seconds", SECONDS_MAX)?, as_text) {
        // As Go answers.
        (Some(_), true) => Err(Response::error(
            400,
            "seconds: cannot be together with debug, whose text has no negative figures",
        )),
        (Some(seconds), false) => difference(name, seconds, allocated_first),
        (None, true) => text(),
        (None, false) => {
            let form = Form { format: Format::Pprof, gzip: true, allocated_first };
            Ok(Answer::Now(packed(name, taken(form)?)))
        }
    }
}

/// The profile in the text form.
fn text() -> Result<Answer, Response> {
    let form = Form { format: Format::Text, gzip: false, allocated_first: false };
    Ok(Answer::Now(Response::page(TEXT, taken(form)?)))
}

fn difference(name: &'static str, seconds: u32, allocated_first: bool) -> Result<Answer, Response> {
    Pending::begin(name, seconds, allocated_first).map(Answer::Later)
}
