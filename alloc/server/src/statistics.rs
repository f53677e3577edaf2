//! The allocator's statistics, in its three forms.

use jealloc::stats::{self, Parts};

use crate::endpoint::Asked;
use crate::parameters::Parameter;
use crate::request::Answer;
use crate::response::{Response, TEXT};

/// The type of OpenMetrics text.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Letters of `malloc_stats_print` that leave a part out.
const LETTERS: &str = "gmdablxeh";

/// The parameter that the three have.
pub const PARAMETERS: &[Parameter] = &[Parameter {
    name: "omit",
    values: "letters of `gmdablxeh`",
    about: "Leaves parts out, by the letters of `malloc_stats_print`: `g` version and options, `m` sums of all arenas, `d` \
            destroyed arenas, `a` single arenas, `b` small classes, `l` large classes, `x` mutexes, `e` runs of unused \
            pages, `h` huge pages.",
}];

/// `/metrics`
pub fn metrics(asked: &Asked) -> Result<Answer, Response> {
    report(asked, b'o', OPEN_METRICS)
}

/// `/debug/jemalloc/stats`
pub fn text(asked: &Asked) -> Result<Answer, Response> {
    report(asked, b' ', TEXT)
}

/// `/debug/jemalloc/stats.json`
pub fn json(asked: &Asked) -> Result<Answer, Response> {
    report(asked, b'J', "application/json")
}

/// A report whose form is a letter, too.
fn report(asked: &Asked, form: u8, content_type: &str) -> Result<Answer, Response> {
    let omit = asked.parameters.get("omit").unwrap_or_default();
    if let Some(wrong) = omit.chars().find(|letter| !LETTERS.contains(*letter)) {
        return Err(Response::error(400, format_args!("omit: `{wrong}` is none of the letters {LETTERS}")));
    }
    let mut letters = omit.as_bytes().to_vec();
    letters.push(form);
    let mut body = Vec::new();
    stats::report(Parts::of(&letters), &mut |piece| body.extend_from_slice(piece.to_bytes()));
    Ok(Answer::Now(Response::page(content_type, body)))
}

#[cfg(test)]
mod tests {
    use crate::request::Request;
    use crate::respond;

    fn ask(path: &str, query: &str) -> (u16, String) {
        let response = respond(&Request { method: "GET", path, query, body: b"" });
        (response.status, String::from_utf8(response.body).unwrap())
    }

    #[test]
    fn each_form_is_what_its_type_says_and_leaves_out_what_is_not_wanted() {
        let (_, json) = ask("/debug/jemalloc/stats.json", "");
        assert!(json.starts_with("{\"jemalloc\":{") && json.contains("\"bins\":["), "{json}");
        let (_, less) = ask("/debug/jemalloc/stats.json", "omit=gbla");
        assert!(less.starts_with("{\"jemalloc\":{") && !less.contains("\"bins\":["), "{less}");
        let (_, text) = ask("/debug/jemalloc/stats", "");
        assert!(text.starts_with("___ Begin jemalloc statistics ___"), "{text}");
        let (_, metrics) = ask("/metrics", "");
        assert!(metrics.ends_with("# EOF\n") && metrics.contains("\njemalloc_allocated_bytes "), "{metrics}");
    }

    #[test]
    fn a_letter_that_is_none_is_named() {
        let wanted = (400, "omit: `J` is none of the letters gmdablxeh\n".to_owned());
        assert_eq!(ask("/debug/jemalloc/stats", "omit=gJ"), wanted);
    }
}
