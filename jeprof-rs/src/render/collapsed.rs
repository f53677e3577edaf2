//! Collapsed stacks: what flame graph tools read.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::units::whole;

/// `root;..;leaf FIGURE` lines, sorted. Figures are whole; those that come to zero are left out, because most
/// readers refuse or ignore them.
pub fn render(stacks: &BTreeMap<String, f64>) -> String {
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
        assert_eq!(render(&stacks), "a -1\nb;c 2\n");
    }
}
