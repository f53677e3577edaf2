//! jeprof's callgrind text.
//!
//! It builds a text per call, `file:line:function -> file:line:function` of outermost functions, and takes it apart
//! again for printing, which cuts the caller's name at its first blank and loses the callee with it.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;
use std::sync::LazyLock;

use regex::Regex;

use crate::compat::names::JeprofNames;
use crate::symbolize::symbols::LineId;
use crate::transform::View;
use crate::units::whole;

/// Names up to this length are not numbered.
const SHORT_NAME_BYTES_MAX: usize = 3;

/// Figures by call. The leaf of a stack is an entry without a callee.
pub fn calls(view: &View<'_>, names: &JeprofNames) -> BTreeMap<String, f64> {
    let place = |line: LineId| match names.of(line) {
        Some(known) if known.place == "?" => format!("??:0:{}", known.short),
        Some(known) => format!("{}:{}", known.place, known.short),
        None => "??:0:unknown".into(),
    };
    let mut calls: BTreeMap<String, f64> = BTreeMap::new();
    view.walk_with_empty(|seen| {
        let mut outermost =
            seen.lines.iter().filter(|line| !view.is_inlined(**line)).map(|line| place(*line));
        let mut callee = outermost.next().unwrap_or_else(|| "??:0:unknown".into());
        *calls.entry(callee.clone()).or_insert(0.0) += seen.figure;
        for caller in outermost {
            *calls.entry(format!("{caller} -> {callee}")).or_insert(0.0) += seen.figure;
            callee = caller;
        }
    });
    calls
}

/// The text. Calls of one line are in an accidental order in jeprof, here in that of their names. A call without a
/// name to it is left out; jeprof repeats parts of another one for it.
pub fn text(calls: &BTreeMap<String, f64>) -> String {
    static CALL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new("([^:]+):([0-9]+):([^ ]+)(?: -> ([^:]+):([0-9]+):(.+))?")
            .expect("the expression is tested")
    });
    let mut taken_apart: Vec<_> =
        calls.iter().filter_map(|(call, figure)| Some((CALL.captures(call)?, *figure))).collect();
    let line = |digits: &str| digits.parse::<u64>().unwrap_or(u64::MAX);
    taken_apart.sort_by(|(a, _), (b, _)| (&a[1], line(&a[2])).cmp(&(&b[1], line(&b[2]))));
    let (mut files, mut functions) = (HashMap::new(), HashMap::new());
    let mut out = String::from("events: Hits\n\n");
    for (call, figure) in taken_apart {
        let count = count(figure);
        put(&mut out, "fl", &call[1], &mut files);
        put(&mut out, "fn", &call[3], &mut functions);
        // Writing to a String cannot fail.
        if let (Some(file), Some(line), Some(function)) = (call.get(4), call.get(5), call.get(6)) {
            put(&mut out, "cfl", file.as_str(), &mut files);
            put(&mut out, "cfn", function.as_str(), &mut functions);
            let _ = writeln!(out, "calls={count} {}", line.as_str());
        }
        let _ = writeln!(out, "{} {count}\n", &call[2]);
    }
    out
}

/// A figure without its fraction; Perl's integers have 64 bits without a sign.
fn count(figure: f64) -> String {
    if figure < i64::MAX as f64 { whole(figure).to_string() } else { format!("{figure:.0}") }
}

fn put(out: &mut String, key: &str, name: &str, numbers: &mut HashMap<String, usize>) {
    // Writing to a String cannot fail.
    let _ = match numbers.get(name) {
        _ if name.len() <= SHORT_NAME_BYTES_MAX => writeln!(out, "{key}={name}"),
        Some(number) => writeln!(out, "{key}=({number})"),
        None => {
            let number = numbers.len() + 1;
            numbers.insert(name.into(), number);
            writeln!(out, "{key}=({number}) {name}")
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_numbered_and_a_blank_in_the_caller_s_loses_the_callee() {
        let calls = BTreeMap::from([
            ("??:0:grab".to_string(), 5.9),
            ("??:0:main -> ??:0:grab".into(), 5.9),
            ("a.c:9:operator new -> ??:0:grab".into(), 1.0),
            ("a.c:10:f -> ??:0:grab".into(), 1.0),
        ]);
        let expected = "events: Hits\n\n\
            fl=??\nfn=(1) grab\n0 5\n\n\
            fl=??\nfn=(2) main\ncfl=??\ncfn=(1)\ncalls=5 0\n0 5\n\n\
            fl=a.c\nfn=(3) operator\n9 1\n\n\
            fl=a.c\nfn=f\ncfl=??\ncfn=(1)\ncalls=1 0\n10 1\n\n";
        assert_eq!(text(&calls), expected);
    }
}
