//! Sampling on and off.

use jealloc::ctl;

use crate::endpoint::Asked;
use crate::request::Answer;
use crate::response::{Response, TEXT};

/// `/debug/jemalloc/activate`
pub fn activate(_: &Asked) -> Result<Answer, Response> {
    switch(true)
}

/// `/debug/jemalloc/deactivate`
pub fn deactivate(_: &Asked) -> Result<Answer, Response> {
    switch(false)
}

fn switch(on: bool) -> Result<Answer, Response> {
    let failed = |error: ctl::CtlError| Response::error(500, format_args!("prof.active: {error:?}"));
    let before: bool = ctl::read(c"prof.active").map_err(failed)?;
    ctl::write(c"prof.active", on).map_err(failed)?;
    let word = |on| if on { "on" } else { "off" };
    Ok(Answer::Now(Response::page(TEXT, format!("sampling is {}, was {}\n", word(on), word(before)))))
}
