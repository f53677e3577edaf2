//! What stands out on a terminal and what recedes, in all reports alike: SGR styles for `paint`.

/// Heads of columns, and rules between blocks.
pub const HEAD: &str = "2";
/// Figures of a large share.
pub const HEAVY: &str = "1;31";
/// The name that a heavy row, or a block, is about.
pub const NAME: &str = "1";
/// Rows that hardly count.
pub const FAINT: &str = "2";
/// Labels of stacks.
pub const LABEL: &str = "36";
/// What is right.
pub const GOOD: &str = "32";
/// What is wrong.
pub const BAD: &str = "1;31";
/// What is neither.
pub const DOUBTFUL: &str = "33";
/// What became more.
pub const MORE: &str = "31";
/// What became less.
pub const LESS: &str = "32";

/// From this share of the whole on a figure stands out.
const HEAVY_SHARE: f64 = 0.1;
/// Below this share it recedes.
const FAINT_SHARE: f64 = 0.001;

/// The style of a figure that is a part of `total`.
pub fn of_share(value: f64, total: f64) -> &'static str {
    match (value / total).abs() {
        share if share >= HEAVY_SHARE => HEAVY,
        share if share < FAINT_SHARE => FAINT,
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenth_stands_out_and_less_than_a_thousandth_recedes() {
        let of = |value| of_share(value, -1000.0);
        assert_eq!([100.0, -100.0, 99.0, 1.0, 0.9, 0.0].map(of), [HEAVY, HEAVY, "", "", FAINT, FAINT]);
        assert_eq!(of_share(0.0, 0.0), "");
    }
}
