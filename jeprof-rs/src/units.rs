//! Figures as text: bytes, megabytes and object counts, percentages, sizes for people.

use std::fmt::Write;

/// How figures of a report are printed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unit {
    /// Whole bytes, cut towards zero.
    Bytes,
    /// Mebibytes with one decimal, which jeprof calls MB.
    Megabytes,
    /// Whole objects, cut towards zero.
    Objects,
    /// The unit that was asked for, with one decimal unless it is the byte.
    Chosen(&'static ByteUnit),
}

/// A unit of bytes that can be asked for.
#[derive(Debug, PartialEq)]
pub struct ByteUnit {
    /// As pprof writes it. pprof's and jeprof's kB and MB are powers of 1024.
    pub word: &'static str,
    /// Further spellings, in lower case.
    pub spellings: &'static [&'static str],
    /// How many bytes it is.
    pub bytes: f64,
}

/// Units from the smallest on.
pub static BYTE_UNITS: &[ByteUnit] = &[
    ByteUnit { word: "B", spellings: &["b", "byte", "bytes"], bytes: 1.0 },
    ByteUnit { word: "kB", spellings: &["kb", "kib", "k", "kilobyte", "kilobytes"], bytes: 1024.0 },
    ByteUnit { word: "MB", spellings: &["mb", "mib", "m", "megabyte", "megabytes"], bytes: 1_048_576.0 },
    ByteUnit { word: "GB", spellings: &["gb", "gib", "g", "gigabyte", "gigabytes"], bytes: 1_073_741_824.0 },
    ByteUnit {
        word: "TB",
        spellings: &["tb", "tib", "t", "terabyte", "terabytes"],
        bytes: 1_099_511_627_776.0,
    },
    ByteUnit {
        word: "PB",
        spellings: &["pb", "pib", "p", "petabyte", "petabytes"],
        bytes: 1_125_899_906_842_624.0,
    },
];

impl ByteUnit {
    /// The largest unit in which a figure is at least one.
    pub fn fitting(bytes: f64) -> &'static ByteUnit {
        BYTE_UNITS.iter().rev().find(|unit| bytes.abs() >= unit.bytes).unwrap_or(&BYTE_UNITS[0])
    }
}

/// Figures in pprof's manner: `13.55MB`, `4kB`, `17`.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    /// `None` for objects.
    unit: Option<&'static ByteUnit>,
}

impl Measure {
    /// For byte figures.
    pub fn bytes(unit: &'static ByteUnit) -> Measure {
        Measure { unit: Some(unit) }
    }

    /// For counts of objects.
    pub fn objects() -> Measure {
        Measure { unit: None }
    }

    /// A figure with its unit, at most two decimals.
    pub fn label(self, value: f64) -> String {
        let Some(unit) = self.unit else { return format!("{}", value.round() as i64) };
        let text = format!("{:.*}", if unit.bytes == 1.0 { 0 } else { 2 }, value / unit.bytes);
        let text = text.strip_suffix(".00").unwrap_or(&text);
        if text == "0" || text == "-0" { "0".into() } else { format!("{text}{}", unit.word) }
    }
}

/// A share in pprof's manner, six characters wide: four digits, of which two are decimals, and a round 100.
pub fn pprof_percent(value: f64, total: f64) -> String {
    let share = if total == 0.0 { 0.0 } else { (value / total).abs() * 100.0 };
    // What sums of floating point leave of nothing is nothing.
    let share = if share < 1e-10 { 0.0 } else { share };
    if (99.95..=100.05).contains(&share) {
        "  100%".into()
    } else if share >= 1.0 {
        format!("{share:5.2}%")
    } else {
        format!("{:>5}%", two_digits(share))
    }
}

/// Two significant digits without trailing zeros, as C's `%.2g` from a hundred-thousandth on.
fn two_digits(share: f64) -> String {
    if share == 0.0 {
        return "0".into();
    }
    let exponent = format!("{share:.1e}");
    let (digits, power) = exponent.split_once('e').unwrap_or((&exponent, "0"));
    let power: i32 = power.parse().unwrap_or(0);
    if power < -4 {
        let digits = digits.strip_suffix(".0").unwrap_or(digits);
        return format!("{digits}e-{:02}", -power);
    }
    let text = format!("{share:.*}", (1 - power).max(0) as usize);
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').into(),
        false => text,
    }
}

impl Unit {
    /// The word that stands behind a total.
    pub fn word(self) -> &'static str {
        match self {
            Unit::Bytes => "B",
            Unit::Megabytes => "MB",
            Unit::Objects => "objects",
            Unit::Chosen(unit) => unit.word,
        }
    }

    /// A figure in this unit, without the word. jeprof prints with `%d` and `%.1f`, so whole figures are cut.
    pub fn figure(self, value: f64) -> String {
        let mut text = String::new();
        self.put_figure(value, &mut text);
        text
    }

    /// Appends such a figure: a long table has hundreds of thousands of them.
    pub fn put_figure(self, value: f64, text: &mut String) {
        match self {
            Unit::Bytes | Unit::Objects => put_whole(value, text),
            Unit::Megabytes => put_one_decimal(value / 1_048_576.0, text),
            Unit::Chosen(unit) if unit.bytes == 1.0 => put_whole(value, text),
            Unit::Chosen(unit) => put_one_decimal(value / unit.bytes, text),
        }
    }
}

fn put_whole(value: f64, text: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(text, "{}", whole(value));
}

/// Appends a figure as `{:.1}` writes it, which rounds the exact value of the double. A long table has hundreds of thousands
/// of them, and next to none is so close to the middle of two tenths that it takes exact arithmetic to tell.
fn put_one_decimal(value: f64, out: &mut String) {
    const LARGEST: f64 = 1e12;
    let tenths = value.abs() * 10.0;
    // Up to here the product is wrong by less than a ten-thousandth.
    let is_clear = tenths < LARGEST && (tenths.fract() - 0.5).abs() > 1e-3;
    if !is_clear {
        // Writing to a String cannot fail.
        let _ = write!(out, "{value:.1}");
        return;
    }
    let mut tenths = (tenths + 0.5) as u64;
    // From the last character on. Formatting traits would take longer than all else.
    let mut text = [0; 16];
    let mut at = text.len();
    let mut put = |byte: u8| {
        at -= 1;
        text[at] = byte;
    };
    put(b'0' + (tenths % 10) as u8);
    put(b'.');
    loop {
        tenths /= 10;
        put(b'0' + (tenths % 10) as u8);
        if tenths < 10 {
            break;
        }
    }
    if value.is_sign_negative() {
        put(b'-');
    }
    // Digits, a point and a sign.
    out.push_str(str::from_utf8(&text[at..]).unwrap_or_default());
}

/// A figure cut towards zero, as C's `%d` of a cast does; out of range figures saturate.
pub fn whole(value: f64) -> i64 {
    value as i64
}

/// `value` as a share of `total`, jeprof's way: one decimal, `nan`, `+inf` and `-inf` for a total of zero.
pub fn percent(value: f64, total: f64) -> String {
    let mut text = String::new();
    put_percent(value, total, &mut text);
    text
}

/// Appends such a share.
pub fn put_percent(value: f64, total: f64, text: &mut String) {
    if total != 0.0 {
        put_one_decimal(value * 100.0 / total, text);
        text.push('%');
    } else if value > 0.0 {
        text.push_str("+inf");
    } else if value < 0.0 {
        text.push_str("-inf");
    } else {
        text.push_str("nan");
    }
}

/// A time for people: three figures or so, `350 ms`, `12 s`, `10.5 min`.
pub fn time_for_people(nanos: f64) -> String {
    const UNITS: [(&str, f64); 7] =
        [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("min", 60e9), ("h", 3600e9), ("d", 86_400e9)];
    let (unit, factor) = UNITS.into_iter().rev().find(|(_, factor)| nanos >= *factor).unwrap_or(UNITS[0]);
    let figure = nanos / factor;
    // A whole figure from a hundred on, and where the decimal would be 0.
    let text = format!("{figure:.*}", usize::from(figure < 99.95), figure = figure);
    format!("{} {unit}", text.strip_suffix(".0").unwrap_or(&text))
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
    fn times_have_a_unit_that_fits() {
        let texts = [0.0, 350e6, 12e9, 630e9, 7200e9, 1e15, 99.96e6].map(time_for_people);
        assert_eq!(texts, ["0 ns", "350 ms", "12 s", "10.5 min", "2 h", "11.6 d", "100 ms"]);
    }

    #[test]
    fn whole_units_are_cut_and_megabytes_are_rounded() {
        assert_eq!(Unit::Bytes.figure(1999.9), "1999");
        assert_eq!(Unit::Bytes.figure(-1.9), "-1");
        assert_eq!(Unit::Objects.figure(2.99), "2");
        assert_eq!(Unit::Megabytes.figure(1_048_576.0 * 1.26), "1.3");
    }

    #[test]
    fn one_decimal_is_what_the_standard_library_writes() {
        let near_the_middle = (0..4000).flat_map(|i| {
            let middle = f64::from(i) / 20.0;
            [middle, f64::from_bits(middle.to_bits() + 1), f64::from_bits(middle.to_bits().saturating_sub(1))]
        });
        let wide = (0..4000).map(|i| 1.37f64.powi(i % 200 - 60) * f64::from(i));
        for value in
            near_the_middle.chain(wide).chain([0.0, 1e300, f64::INFINITY, f64::NAN, 99_999_999_999.95])
        {
            for value in [value, -value] {
                let mut text = String::new();
                put_one_decimal(value, &mut text);
                assert_eq!(text, format!("{value:.1}"), "{value:e}");
            }
        }
    }

    #[test]
    fn measures_are_pprof_s() {
        let megabytes = Measure::bytes(ByteUnit::fitting(5_000_000.0));
        assert_eq!(megabytes.label(1_048_576.0 * 13.554), "13.55MB");
        assert_eq!(megabytes.label(2_097_152.0), "2MB");
        assert_eq!(megabytes.label(-1.0), "0");
        assert_eq!(Measure::bytes(ByteUnit::fitting(1023.0)).label(17.0), "17B");
        assert_eq!(Measure::objects().label(2.6), "3");
        let shares = [(1.0, "  100%"), (0.9996, "  100%"), (0.5, "50.00%"), (0.0123456, " 1.23%")];
        let small = [(0.00996, "    1%"), (0.0012, " 0.12%"), (0.00001, "0.001%"), (0.0, "    0%")];
        for (share, text) in shares.into_iter().chain(small) {
            assert_eq!(pprof_percent(share, 1.0), text, "{share}");
        }
        assert_eq!(pprof_percent(1e-7, 1.0), "1e-05%");
        assert_eq!(pprof_percent(3.0, 0.0), "    0%");
        assert_eq!(pprof_percent(1e-9, 1e6), "    0%");
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
