//! What the kernel does about transparent huge pages by default.

use super::files;

/// The kernel's policy, `/sys/kernel/mm/transparent_hugepage/enabled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Huge pages where a program asks for them.
    Madvise,
    /// Huge pages everywhere.
    Always,
    /// None at all.
    Never,
    /// The kernel knows of none.
    Unsupported,
}

/// Reads the policy. Cost: four system calls.
pub fn policy() -> Policy {
    let mut text = [0; 64];
    files::read(&[b"/sys/kernel/mm/transparent_hugepage/enabled"], &mut text)
        .map_or(Policy::Unsupported, parse)
}

/// The word in brackets.
fn parse(text: &[u8]) -> Policy {
    let chosen = |word: &[u8]| text.windows(word.len()).any(|part| part == word);
    if chosen(b"[madvise]") {
        Policy::Madvise
    } else if chosen(b"[always]") {
        Policy::Always
    } else if chosen(b"[never]") {
        Policy::Never
    } else {
        Policy::Unsupported
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_in_brackets_is_the_policy() {
        assert_eq!(parse(b"always [madvise] never\n"), Policy::Madvise);
        assert_eq!(parse(b"[always] madvise never\n"), Policy::Always);
        assert_eq!(parse(b"always madvise [never]\n"), Policy::Never);
        assert_eq!(parse(b""), Policy::Unsupported);
    }
}
