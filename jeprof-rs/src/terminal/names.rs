//! Names of functions cut to a width.

/// `name` in at most `width` characters: generic arguments become `…` first, the innermost before the outer ones;
/// then the middle is left out. The end, which tells most, gets the larger part.
pub fn shortened(name: &str, width: usize) -> String {
    let mut name = name.to_string();
    while name.chars().count() > width {
        let Some(shorter) = without_one_argument_list(&name) else { break };
        name = shorter;
    }
    let count = name.chars().count();
    if count <= width {
        return name;
    }
    let Some(kept) = width.checked_sub(1) else { return String::new() };
    let front = kept / 3;
    let start: String = name.chars().take(front).collect();
    let end: String = name.chars().skip(count - (kept - front)).collect();
    format!("{start}…{end}")
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
                let longer = inner.chars().count() > 1 && longest.is_none_or(|(s, e)| at - start > e - s);
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
        assert_eq!(shortened(name, 12), "all……>::push");
        assert_eq!(
            shortened("<alloc::vec::Vec<T> as Extend<T>>::extend_one", 30),
            "<alloc::v…tend<T>>::extend_one"
        );
        assert_eq!(shortened("operator<<", 4), "o…<<");
        assert_eq!(shortened("f", 0), "");
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
        ] {
            for width in 0..30 {
                let short = shortened(name, width);
                assert!(short.chars().count() <= width, "{name} {width}: {short}");
                assert!(name.chars().count() > width || short == name);
            }
        }
    }
}
