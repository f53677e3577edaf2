//! `/pprof/cmdline`.

use std::os::unix::ffi::OsStringExt;

use crate::endpoint::Asked;
use crate::request::Answer;
use crate::response::{Response, TEXT};

/// The program and its arguments.
pub fn page(_: &Asked) -> Result<Answer, Response> {
    let words: Vec<Vec<u8>> = std::env::args_os().map(OsStringExt::into_vec).collect();
    Ok(Answer::Now(Response::page(TEXT, words.join(&0))))
}
