//! Collapsed stacks: what flame graph tools read.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::{Output, Request};
use crate::aggregate::stacks::by_names;
use crate::error::Result;
use crate::units::whole;

/// The row of this output.
pub const ROW: Output = Output {
    name: "collapsed",
    flag: true,
    command: true,
    about: "One line per stack, 'root;...;leaf FIGURE', for flame graph tools",
    parts: Output::EVERY,
    render,
    ..Output::BASE
};

fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    let stacks = by_names(request.view);
    if stacks.is_empty() {
        request.warn(request.explain_nothing());
    }
    Ok(lines(&stacks).into_bytes())
}

/// `root;..;leaf FIGURE` lines, sorted. Figures are whole; those that come to zero are left out, because most
/// readers refuse or ignore them.
fn lines(stacks: &BTreeMap<String, f64>) -> String {
    let mut out = String::new();
    for (stack, &figure) in stacks {
        if whole(figure) != 0 {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "{stack} {}", whole(figure));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_sorted_whole_and_never_zero() {
        let stacks = BTreeMap::from([("b;c".into(), 2.9), ("a".into(), -1.5), ("z".into(), 0.4)]);
        assert_eq!(lines(&stacks), "a -1\nb;c 2\n");
    }
}
