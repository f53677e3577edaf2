//! Figures as text: bytes, megabytes and object counts, percentages, sizes for people.

/// How figures of a report are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Whole bytes, cut towards zero.
    Bytes,
    /// Mebibytes with one decimal, which jeprof calls MB.
    Megabytes,
    /// Whole objects, cut towards zero.
    Objects,
}

impl Unit {
    /// The word that stands behind a total.
    pub fn word(self) -> &'static str {
        match self {
            Unit::Bytes => "B",
            Unit::Megabytes => "MB",
            Unit::Objects => "objects",
        }
    }

    /// A figure in this unit, without the word. jeprof prints with `%d` and `%.1f`, so whole figures are cut.
    pub fn figure(self, value: f64) -> String {
        match self {
            Unit::Bytes | Unit::Objects => whole(value).to_string(),
            Unit::Megabytes => format!("{:.1}", value / 1_048_576.0),
        }
    }
}

/// A figure cut towards zero, as C's `%d` of a cast does; out of range figures saturate.
pub fn whole(value: f64) -> i64 {
    value as i64
}

/// `value` as a share of `total`, jeprof's way: one decimal, `nan`, `+inf` and `-inf` for a total of zero.
pub fn percent(value: f64, total: f64) -> String {
    if total != 0.0 {
        format!("{:.1}%", value * 100.0 / total)
    } else if value > 0.0 {
        "+inf".into()
    } else if value < 0.0 {
        "-inf".into()
    } else {
        "nan".into()
    }
}

/// A byte count for people: three figures or so with a binary unit, `512 KiB`, `61.3 MiB`.
pub fn bytes_for_people(bytes: f64) -> String {
    let mut figure = bytes;
    let mut unit = "B";
    for next in ["KiB", "MiB", "GiB", "TiB"] {
        if figure.abs() < 1024.0 {
            break;
        }
        figure /= 1024.0;
        unit = next;
    }
    if unit == "B" || figure.fract() == 0.0 {
        format!("{figure:.0} {unit}")
    } else {
        format!("{figure:.1} {unit}")
    }
}

/// A count with thousands separated by commas.
pub fn count_for_people(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let mut out = String::from(if count < 0 { "-" } else { "" });
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_units_are_cut_and_megabytes_are_rounded() {
        assert_eq!(Unit::Bytes.figure(1999.9), "1999");
        assert_eq!(Unit::Bytes.figure(-1.9), "-1");
        assert_eq!(Unit::Objects.figure(2.99), "2");
        assert_eq!(Unit::Megabytes.figure(1_048_576.0 * 1.26), "1.3");
    }

    #[test]
    fn percentages_keep_the_odd_cases_of_jeprof() {
        assert_eq!(percent(1.0, 8.0), "12.5%");
        assert_eq!(percent(0.0, -8.0), "-0.0%");
        assert_eq!(percent(0.0, 0.0), "nan");
        assert_eq!(percent(1.0, 0.0), "+inf");
        assert_eq!(percent(-1.0, 0.0), "-inf");
    }

    #[test]
    fn sizes_for_people_have_a_unit_that_fits() {
        assert_eq!(bytes_for_people(12.0), "12 B");
        assert_eq!(bytes_for_people(524_288.0), "512 KiB");
        assert_eq!(bytes_for_people(64_278_364.0), "61.3 MiB");
        assert_eq!(bytes_for_people(-2048.0), "-2 KiB");
        assert_eq!(count_for_people(1_234_567), "1,234,567");
        assert_eq!(count_for_people(-123), "-123");
    }
}
