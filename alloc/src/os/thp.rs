//! What the kernel does about transparent huge pages by default.

use prof_runtime::fleeting::Fleeting;

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

/// Reads the policy. Cost: three system calls.
pub fn policy() -> Policy {
    let Ok(file) = Fleeting::open(c"/sys/kernel/mm/transparent_hugepage/enabled") else {
        return Policy::Unsupported;
    };
    let mut text = [0u8; 64];
    let read = rustix::io::read(&file, &mut text).unwrap_or(0);
    parse(&text[..read])
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
