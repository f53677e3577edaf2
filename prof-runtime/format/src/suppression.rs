//! Rules about leaks that are none, in the language of LeakSanitizer's suppression files.
//!
//! One rule a line, `leak:TEMPLATE`; `#` begins a comment. A comment `# jeprof-rs: KEY=VALUE ..` right above a rule says
//! more of it, and is a comment to LeakSanitizer. Source: llvm `compiler-rt/lib/sanitizer_common/sanitizer_suppressions.cpp`.

/// What a rule starts with.
pub const LEAK: &[u8] = b"leak:";
/// What a comment with more about the rule below starts with, behind its `#`.
pub const MORE: &[u8] = b"jeprof-rs:";

/// A rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule<'a> {
    /// What a module's path, a function or a file is held against.
    pub template: &'a [u8],
    /// What the comment right above says, without the word that starts it; empty when there is none.
    pub more: &'a [u8],
}

/// The rules of a text about leaks. Lines that are none are passed over.
pub fn rules(text: &[u8]) -> impl Iterator<Item = Rule<'_>> {
    let mut more: &[u8] = b"";
    text.split(|byte| *byte == b'\n').filter_map(move |line| {
        let line = line.trim_ascii();
        let above = core::mem::take(&mut more);
        if let Some(comment) = line.strip_prefix(b"#") {
            more = comment.trim_ascii_start().strip_prefix(MORE).unwrap_or(b"").trim_ascii();
            return None;
        }
        line.strip_prefix(LEAK).map(|template| Rule { template, more: above })
    })
}

/// Whether a text matches a template: anywhere in it, with `*` for anything, `^` at its start and `$` at its end. An empty
/// text matches nothing.
pub fn matches(template: &[u8], text: &[u8]) -> bool {
    if text.is_empty() {
        return false;
    }
    let (mut at_start, mut template) = match template.strip_prefix(b"^") {
        Some(rest) => (true, rest),
        None => (false, template),
    };
    let (mut text, mut anything) = (text, false);
    while let Some(first) = template.first() {
        match first {
            b'*' => {
                (template, at_start, anything) = (&template[1..], false, true);
                continue;
            }
            b'$' => return text.is_empty() || anything,
            _ if text.is_empty() => return false,
            _ => {}
        }
        let end = template.iter().position(|byte| matches!(byte, b'*' | b'$')).unwrap_or(template.len());
        let (part, rest) = template.split_at(end);
        let Some(at) = text.windows(part.len()).position(|window| window == part) else { return false };
        if at_start && at != 0 {
            return false;
        }
        (text, template) = (&text[at + part.len()..], rest);
        (at_start, anything) = (false, false);
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    /// The cases of LeakSanitizer's own test (`sanitizer_suppressions_test.cpp`).
    #[test]
    fn templates_match_as_leaksanitizer_s_do() {
        let does: [(&[u8], &[u8]); 18] = [
            (b"aaaa", b"aaaa"),
            (b"aaaa", b"baaaac"),
            (b"aa*aa", b"aaaa"),
            (b"aa*aa", b"aabbaa"),
            (b"a*b", b"xaxbx"),
            (b"^aa", b"aab"),
            (b"aa$", b"baa"),
            (b"^aa$", b"aa"),
            (b"^a*b$", b"axxb"),
            (b"*a*", b"xax"),
            (b"a*$", b"ab"),
            (b"*", b"x"),
            (b"", b"x"),
            (b"^", b"x"),
            (b"a*b*c", b"1a2b3c4"),
            (b"^lib*.so", b"libz.so.1"),
            (b"a^b", b"a^b"),
            (b"**a", b"ba"),
        ];
        for (template, text) in does {
            assert!(matches(template, text), "{:?} {:?}", template.escape_ascii(), text.escape_ascii());
        }
        let does_not: [(&[u8], &[u8]); 9] = [
            (b"aaaa", b"aaa"),
            (b"^aa", b"baa"),
            (b"aa$", b"aab"),
            (b"^aa$", b"aaa"),
            (b"a*b", b"ba"),
            (b"^a*b$", b"axbx"),
            (b"aa*aa", b"aaa"),
            (b"", b""),
            (b"*", b""),
        ];
        for (template, text) in does_not {
            assert!(!matches(template, text), "{:?} {:?}", template.escape_ascii(), text.escape_ascii());
        }
    }

    #[test]
    fn rules_are_told_from_what_else_is_in_a_file_and_know_the_comment_above_them() {
        let text = b"# a list\n\n  leak:one \r\n#jeprof-rs: max=4KiB\nleak:two\nrace:three\n# jeprof-rs: max=1\n\nleak:four\nleak:";
        let found: Vec<_> = rules(text).map(|rule| (rule.template, rule.more)).collect();
        let expected: [(&[u8], &[u8]); 4] =
            [(b"one", b""), (b"two", b"max=4KiB"), (b"four", b""), (b"", b"")];
        assert_eq!(found, expected);
    }
}
