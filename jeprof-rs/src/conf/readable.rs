//! Figures with their units, for people.

use crate::units::{bytes_for_people, count_for_people};

/// What a number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes.
    Bytes,
    /// Power of two of a number of bytes.
    LgBytes,
    /// Milliseconds.
    Milliseconds,
    /// Anything else.
    Count,
    /// Power of two of a count.
    LgCount,
}

impl Unit {
    /// The number with its unit.
    pub fn show(self, number: i128) -> String {
        let count = |number: i128| count_for_people(i64::try_from(number).unwrap_or(i64::MAX));
        match self {
            Unit::Bytes if (0..1024).contains(&number) => format!("{number} bytes"),
            Unit::Bytes => bytes_for_people(number as f64),
            Unit::LgBytes => power_of_two(number),
            Unit::Milliseconds => duration(number),
            Unit::Count => count(number),
            Unit::LgCount => count(1i128.checked_shl(number.clamp(0, 62) as u32).unwrap_or(0)),
        }
    }
}

fn power_of_two(lg: i128) -> String {
    const UNITS: [&str; 7] = ["", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let lg = lg.clamp(0, 63) as usize;
    match (1u32 << (lg % 10), UNITS[lg / 10]) {
        (1, "") => "1 byte".into(),
        (count, "") => format!("{count} bytes"),
        (count, unit) => format!("{count} {unit}"),
    }
}

/// The largest unit in which the time has at most one decimal.
fn duration(milliseconds: i128) -> String {
    const UNITS: [(i128, &str); 4] = [(86_400_000, "days"), (3_600_000, "h"), (60_000, "min"), (1000, "s")];
    for (length, unit) in UNITS {
        if milliseconds >= length && (milliseconds * 10) % length == 0 {
            let tenths = milliseconds * 10 / length;
            let unit = if tenths == 10 && unit == "days" { "day" } else { unit };
            return match tenths % 10 {
                0 => format!("{} {unit}", tenths / 10),
                tenth => format!("{}.{tenth} {unit}", tenths / 10),
            };
        }
    }
    format!("{milliseconds} ms")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_shown_with_the_unit_that_reads_best() {
        for (unit, number, want) in [
            (Unit::LgBytes, 19, "512 KiB"),
            (Unit::LgBytes, 0, "1 byte"),
            (Unit::LgBytes, 63, "8 EiB"),
            (Unit::Bytes, 64, "64 bytes"),
            (Unit::Bytes, 8_388_608, "8 MiB"),
            (Unit::Milliseconds, 10_000, "10 s"),
            (Unit::Milliseconds, 1500, "1.5 s"),
            (Unit::Milliseconds, 1234, "1234 ms"),
            (Unit::Milliseconds, 86_400_000, "1 day"),
            (Unit::Count, 4095, "4,095"),
            (Unit::LgCount, 6, "64"),
        ] {
            assert_eq!(unit.show(number), want);
        }
    }
}
