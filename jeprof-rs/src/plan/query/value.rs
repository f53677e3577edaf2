//! Values of a condition: sizes and times with units.

use crate::units::BYTE_UNITS;

/// Units of time, in nanoseconds.
const TIME_UNITS: &[(&[&str], f64)] = &[
    (&["ns"], 1.0),
    (&["us", "µs"], 1e3),
    (&["ms"], 1e6),
    (&["s", "sec"], 1e9),
    (&["m", "min"], 60e9),
    (&["h", "hour", "hours"], 3600e9),
    (&["d", "day", "days"], 86_400e9),
];

/// Bytes: `4096`, `1MiB`, `64k`.
pub fn bytes(text: &str) -> Option<f64> {
    let (number, unit) = split(text)?;
    let unit = unit.to_lowercase();
    let found = BYTE_UNITS.iter().find(|of| of.spellings.contains(&unit.as_str()));
    if unit.is_empty() { Some(number) } else { Some(number * found?.bytes) }
}

/// Nanoseconds: `10m`, `1.5h`. A unit is needed.
pub fn nanoseconds(text: &str) -> Option<f64> {
    let (number, unit) = split(text)?;
    let unit = unit.to_lowercase();
    TIME_UNITS.iter().find(|(names, _)| names.contains(&unit.as_str())).map(|(_, factor)| number * factor)
}

fn split(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let number: f64 = text[..end].parse().ok()?;
    number.is_finite().then_some((number, &text[end..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_count_as_they_do_elsewhere() {
        assert_eq!(
            (bytes("1MiB"), bytes("64k"), bytes("17")),
            (Some(1_048_576.0), Some(65_536.0), Some(17.0))
        );
        assert_eq!((nanoseconds("10m"), nanoseconds("1.5h")), (Some(600e9), Some(5400e9)));
        assert_eq!((bytes("1x"), bytes("k"), bytes(""), nanoseconds("5")), (None, None, None, None));
    }
}
