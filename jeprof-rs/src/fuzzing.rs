//! What the fuzz targets (`tests/fuzz`) call: each function takes hostile bytes the way that a user's file or a server
//! would bring them in, as far as they go. None answers anything; what counts is that they return.

use std::collections::HashMap;
use std::path::Path;
use std::sync::OnceLock;

use crate::cli::{self, Request};
use crate::load::{statistics, symbol_page, unpack as unpacking, url};
use crate::plan::Plan;
use crate::plan::tag_filter::TagFilter;
use crate::render::{OUTPUTS, Output};
use crate::session::Session;
use crate::terminal::Screen;
use crate::{conf as strings, report};

pub use crate::symbolize::fuzzing::{binary, cache_file, names, perf_map, split};

/// Limit of unpacked bytes: small enough to be reached, so that bombs are met.
const UNPACKED_MAX: u64 = 8 << 20;

/// A packed dump.
pub fn unpack(bytes: &[u8]) {
    if let Ok(unpacked) = unpacking::unpack(bytes.into(), UNPACKED_MAX) {
        assert!(unpacked.len() as u64 <= UNPACKED_MAX || *unpacked == *bytes, "the limit holds");
    }
}

/// The allocator's statistics as JSON.
pub fn statistics_document(bytes: &[u8]) {
    let _ = statistics::read(bytes);
}

/// A filter of labels, and what it says to some.
pub fn tag_filter(text: &str) {
    use prof_format::dump::{Label, LabelValue};
    let Ok(filter) = TagFilter::parse(text) else { return };
    let number = |value, unit: &str| LabelValue::Number { value, unit: unit.into() };
    for value in
        [LabelValue::Text("t\u{e9}xt".into()), number(i64::MIN, "kb"), number(7, ""), number(1, "hours")]
    {
        let _ = filter.fits(&[Label { key: "key".into(), value }]);
    }
}

/// A `MALLOC_CONF` string, or text with one in it.
pub fn conf(text: &str) {
    let _ = strings::answer_in_both_forms(text);
}

/// A symbol page's answer.
pub fn symbol_page_answer(text: &str) {
    symbol_page::read_names(text, &mut HashMap::new());
}

/// A service's address and where its answer sends on to, one below the other.
pub fn addresses(text: &str) {
    let (address, onward) = text.split_once('\n').unwrap_or((text, ""));
    if let Ok(url) = url::Url::parse(address) {
        let _ = url.join(onward).map(|url| (url.target(), url.credentials(), url.to_string()));
    }
}

/// Ways to ask for a report, beside the name of the output.
const MANNERS: &[&[&str]] = &[
    &[],
    &["--compat=jeprof", "--addresses"],
    &["--lines", "--cum", "--alloc_space"],
    &["--files", "--inuse_objects", "--nodecount=3"],
    &["--drop_negative", "--alloc_objects", "--thread=*"],
    &["--focus=a", "--ignore=zz", "--addresses", "--compat=jeprof"],
    &["--functions", "--tagfocus=thread", "--nodefraction=0", "--edgefraction=0"],
];

/// A request for every output that prints without asking another program, with files of sources or of code.
fn requests(manner: &[&str]) -> Vec<(&'static Output, Plan)> {
    let is_alone = |name: &str| !matches!(name, "list" | "weblist" | "disasm" | "gif" | "ps");
    let outputs = OUTPUTS.iter().filter(|output| output.flag && is_alone(output.name));
    let request = |output: &Output| {
        let flag = format!("--{}", output.name);
        let fixed = [flag.as_str(), "--no_symbol_cache", "--offline", "dump"];
        match cli::parse(fixed.iter().chain(manner).map(|word| word.to_string())).ok()? {
            Request::Report(output, mut plan) => {
                (plan.input.keep_text, plan.input.keep_labels) = (true, true);
                Some((output, *plan))
            }
            _ => None,
        }
    };
    outputs.filter_map(request).collect()
}

/// A whole dump in a file: read, named as far as it names itself, and printed in every output. `manner` is one of
/// several ways to ask. Cost: the outputs.
pub fn reports(path: &Path, manner: u8) {
    static REQUESTS: OnceLock<Vec<Vec<(&'static Output, Plan)>>> = OnceLock::new();
    let requests = REQUESTS.get_or_init(|| MANNERS.iter().map(|manner| requests(manner)).collect());
    let requests = &requests[usize::from(manner) % requests.len()];
    let (Some((_, first)), Some(path)) = (requests.first(), path.to_str()) else { return };
    let mut first = first.clone();
    first.input.words = vec![path.into()];
    let Ok(session) = Session::load(&first) else { return };
    for (output, plan) in requests {
        let _ = report::make(&session, output, plan, Screen::default());
    }
}
