//! Names of functions cut to a width, in columns of a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A function keeps at least this much before the folders of its file are given up altogether.
const FUNCTION_MIN: usize = 24;

/// `name` in at most `width` columns. `(inline)` behind it stays. Of a file behind a function, or alone, the
/// folders go first, the outermost before the inner ones, because many share them; of an address in front nothing
/// goes. Of the function generic arguments become `…` first, the innermost before the outer ones; then its middle is
/// left out. Its end, which tells most, gets the larger part.
pub fn shortened(name: &str, width: usize) -> String {
    let count = columns;
    if count(name) <= width {
        return name.into();
    }
    let (name, mark) = [" (inline)", " (partial-inline)"]
        .iter()
        .find_map(|mark| Some((name.strip_suffix(mark)?, *mark)))
        .unwrap_or((name, ""));
    let Some(left) = width.checked_sub(count(mark)) else { return middle_left_out(name, width) };
    let address = name.get(..17).filter(|start| is_address(start)).unwrap_or("");
    let name = &name[address.len()..];
    let Some(left) = left.checked_sub(address.len()) else { return middle_left_out(address, width) };
    let short = match place_of(name) {
        Some(0) => path_shortened(name, left, left),
        Some(at) => {
            let function = &name[..at - 1];
            let place = path_shortened(&name[at..], left.saturating_sub(count(function) + 1), left / 2);
            match left.checked_sub(count(&place) + 1) {
                Some(left) if left >= count(function).min(FUNCTION_MIN) => {
                    format!("{} {place}", function_shortened(function, left))
                }
                _ => {
                    let file = place.rsplit('/').next().unwrap_or_default();
                    match left.checked_sub(count(file) + 1) {
                        Some(left) => format!("{} {file}", function_shortened(function, left)),
                        None => middle_left_out(file, left),
                    }
                }
            }
        }
        None => function_shortened(name, left),
    };
    format!("{address}{short}{mark}")
}

/// How many columns of a terminal a text takes: none for what combines with the letter before, two for Chinese and
/// Japanese letters.
pub fn columns(text: &str) -> usize {
    text.width()
}

/// Sixteen digits and a blank.
fn is_address(start: &str) -> bool {
    start.strip_suffix(' ').is_some_and(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// Where in `FUNCTION FILE:LINE`, `FUNCTION FILE` or `FILE` the file begins.
fn place_of(name: &str) -> Option<usize> {
    let at = name.rfind(' ').map_or(0, |blank| blank + 1);
    let place = &name[at..];
    let number = place.rsplit_once(':').map(|(_, number)| number);
    let has_line =
        number.is_some_and(|number| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
    let is_path = place.starts_with(['/', '.']) || (has_line && at > 0);
    (is_path && !place.contains(['<', '>', '(', ')'])).then_some(at)
}

/// A path in at most `width` columns, or the shortest in at most `enough` that has the inner two parts; folders
/// that go become `…`.
fn path_shortened(path: &str, width: usize, enough: usize) -> String {
    if columns(path) <= width {
        return path.into();
    }
    let slashes: Vec<usize> = path.match_indices('/').map(|(at, _)| at).filter(|&at| at > 0).collect();
    let rest = |at: usize| format!("…{}", &path[at..]);
    let fitting = slashes.iter().map(|&at| rest(at)).find(|short| columns(short) <= width);
    let inner = || slashes.iter().rev().nth(1).map(|&at| rest(at));
    fitting
        .or_else(|| inner().filter(|short| columns(short) <= enough))
        .or_else(|| slashes.last().map(|&at| rest(at)))
        .filter(|short| columns(short) <= enough.max(width))
        .unwrap_or_else(|| middle_left_out(path.rsplit('/').next().unwrap_or(path), enough))
}

fn function_shortened(name: &str, width: usize) -> String {
    let mut name = name.to_string();
    while columns(&name) > width {
        let Some(shorter) = without_one_argument_list(&name) else { break };
        name = shorter;
    }
    middle_left_out(&name, width)
}

fn middle_left_out(name: &str, width: usize) -> String {
    if columns(name) <= width {
        return name.into();
    }
    let Some(kept) = width.checked_sub(1) else { return String::new() };
    let start = fitting(name.chars(), kept / 3);
    let end = fitting(name.chars().rev(), kept - columns(&start));
    let end: String = end.chars().rev().collect();
    // What is left out beside something that is left out already.
    format!("{}…{}", start.trim_end_matches('…'), end.trim_start_matches('…'))
}

/// As many of the letters as have room in `width` columns.
fn fitting(letters: impl Iterator<Item = char>, width: usize) -> String {
    let mut taken = 0;
    letters
        .take_while(|letter| {
            taken += letter.width().unwrap_or(1);
            taken <= width
        })
        .collect()
}

/// The name with its longest innermost `<...>` as `<…>`; none when there is none that is longer than that.
///
/// A list at the beginning (`<Vec<T> as Trait>::f`) or around ` as ` says whose function it is and is kept.
fn without_one_argument_list(name: &str) -> Option<String> {
    let mut open = Vec::new();
    let mut longest: Option<(usize, usize)> = None;
    let bytes = name.as_bytes();
    for (at, byte) in bytes.iter().enumerate() {
        match byte {
            b'<' if name[..at].ends_with("operator") || name[..at].ends_with("operator<") => {}
            b'<' => open.push(at),
            // The arrow of a return type.
            b'>' if at > 0 && bytes[at - 1] == b'-' => {}
            b'>' => {
                let Some(start) = open.pop() else { continue };
                let inner = &name[start + 1..at];
                // What holds other lists is looked at once these are gone, or are shortened already.
                let innermost = !inner.replace("<…>", "").contains('<');
                let longer = columns(inner) > 1 && longest.is_none_or(|(s, e)| at - start > e - s);
                if innermost && longer && start > 0 && !inner.contains(" as ") {
                    longest = Some((start, at));
                }
            }
            _ => {}
        }
    }
    longest.map(|(start, end)| format!("{}<…>{}", &name[..start], &name[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generic_arguments_go_first_then_the_middle() {
        let name = "alloc::vec::Vec<std::collections::HashMap<u32, String>>::push";
        assert_eq!(shortened(name, 100), name);
        assert_eq!(shortened(name, 51), "alloc::vec::Vec<std::collections::HashMap<…>>::push");
        assert_eq!(shortened(name, 30), "alloc::vec::Vec<…>::push");
        assert_eq!(shortened(name, 12), "all…>::push");
        assert_eq!(
            shortened("<alloc::vec::Vec<T> as Extend<T>>::extend_one", 30),
            "<alloc::v…tend<T>>::extend_one"
        );
        assert_eq!(shortened("operator<<", 4), "o…<<");
        assert_eq!(shortened("f", 0), "");
    }

    #[test]
    fn letters_that_take_two_columns_count_twice() {
        let name = "漢字::関数名前とても長い名前です";
        assert_eq!(columns(name), 32);
        assert_eq!(shortened(name, 32), name);
        for width in 0..32 {
            assert!(columns(&shortened(name, width)) <= width, "{width}");
        }
        assert_eq!(shortened(name, 14), "漢字…名前です");
        assert_eq!(columns("e\u{301}"), 1);
    }

    #[test]
    fn of_a_line_the_folders_go_before_the_function() {
        let name = "alloc::raw_vec::RawVecInner<A>::try_allocate_in /rustc/598/library/alloc/src/raw_vec/mod.rs:464 \
                    (inline)";
        for (width, short) in [
            (
                95,
                "alloc::raw_vec::RawVecInner<A>::try_allocate_in …/library/alloc/src/raw_vec/mod.rs:464 (inline)",
            ),
            (80, "alloc::raw_vec::RawVecInner<A>::try_allocate_in …/raw_vec/mod.rs:464 (inline)"),
            (60, "alloc::ra…<A>::try_allocate_in …/raw_vec/mod.rs:464 (inline)"),
            (40, "alloc:…y_allocate_in mod.rs:464 (inline)"),
        ] {
            let answer = shortened(name, width);
            assert!(columns(&answer) <= width, "{answer}");
            assert_eq!(answer, short, "{width}");
        }
        let name = "00005629aa4afd9d core::f /rustc/598/library/core/src/mod.rs:464";
        assert_eq!(shortened(name, 45), "00005629aa4afd9d core::f …/src/mod.rs:464");
        assert_eq!(
            shortened("/rustc/598/library/alloc/src/raw_vec/mod.rs", 26),
            "…/alloc/src/raw_vec/mod.rs"
        );
        assert_eq!(shortened("operator/ (a, b)", 10), "ope…(a, b)");
    }

    #[test]
    fn no_name_is_longer_than_its_width_and_none_that_fits_is_changed() {
        for name in [
            "",
            "main",
            "a<b>",
            "été<naïve<…>>::x",
            "a->b<c>",
            ">><<",
            "x<y as z<w>>::operator<",
            "λ<λ<λλλλ>>",
            "f /a/b/cccccccccccccccccccccc.rs:12 (inline)",
            "00005629aa4afd9d fffffff ./x.c:1",
            "/a/λλλλλλλλλλλλλλλλλλλλλλλλλλλλλλ",
            "f (partial-inline)",
        ] {
            for width in 0..30 {
                let short = shortened(name, width);
                assert!(columns(&short) <= width, "{name} {width}: {short}");
                assert!(name.chars().count() > width || short == name);
            }
        }
    }
}
