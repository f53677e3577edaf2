//! Line by line through a text dump, with places for error messages.

use alloc::{format, string::String};

use crate::builder::{Builder, Stack, TooMany};
use crate::digits::{leading_decimal, leading_hex, string};
use crate::dump::ReadError;
use crate::maps;
use crate::totals::PREFIX;

/// One line, without its end and without blanks around it (jeprof strips both).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) text: &'a [u8],
    /// Byte offset of its first byte in the file.
    pub(crate) offset: usize,
    /// From 1.
    pub(crate) number: usize,
    /// Whether a newline ended it: a file that was cut off ends in a line without one.
    pub(crate) ended: bool,
}

impl Line<'_> {
    pub(crate) fn broken(&self, field: &'static str, what: impl Into<String>) -> ReadError {
        ReadError::Broken { offset: self.offset, line: self.number, field, what: what.into() }
    }
}

/// The lines of a file.
pub(crate) struct Lines<'a> {
    bytes: &'a [u8],
    offset: usize,
    number: usize,
}

impl<'a> Lines<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Lines<'a> {
        Lines { bytes, offset: 0, number: 0 }
    }

    /// Byte offset of the next line.
    pub(crate) fn offset(&self) -> usize {
        self.offset
    }

    /// The place just past the last line, for what is missing there.
    pub(crate) fn end(&self) -> Line<'a> {
        Line { text: &[], offset: self.offset, number: self.number.max(1), ended: true }
    }
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let rest = &self.bytes[self.offset..];
        if rest.is_empty() {
            return None;
        }
        let end = memchr::memchr(b'\n', rest);
        let text = rest[..end.unwrap_or(rest.len())].trim_ascii();
        self.number += 1;
        let line = Line { text, offset: self.offset, number: self.number, ended: end.is_some() };
        self.offset += end.map_or(rest.len(), |end| end + 1);
        Some(line)
    }
}

/// A place inside a line.
#[derive(Clone, Copy)]
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(crate) fn skip_blanks(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    /// Takes `expected` after any blanks.
    pub(crate) fn eat(&mut self, expected: &[u8]) -> Option<()> {
        self.skip_blanks();
        self.0 = self.0.strip_prefix(expected)?;
        Some(())
    }

    /// Takes a decimal number after any blanks; `None` without digits or past 64 bits.
    pub(crate) fn number(&mut self) -> Option<u64> {
        self.skip_blanks();
        let (number, rest) = leading_decimal(self.0)?;
        self.0 = rest;
        Some(number)
    }

    /// Takes `n: s [N: S]`.
    pub(crate) fn pairs(&mut self) -> Option<Pairs> {
        let live = (self.number()?, self.eat(b":").and_then(|()| self.number())?);
        self.eat(b"[")?;
        let accum = (self.number()?, self.eat(b":").and_then(|()| self.number())?);
        self.eat(b"]")?;
        Some(Pairs { live, accum })
    }

    /// Takes everything up to the next blank, after any blanks; empty at the end.
    pub(crate) fn word(&mut self) -> &'a [u8] {
        self.skip_blanks();
        let length = self.0.iter().take_while(|byte| !byte.is_ascii_whitespace()).count();
        let (word, rest) = self.0.split_at(length);
        self.0 = rest;
        word
    }
}

/// Objects and bytes, live and accumulated, as printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pairs {
    pub(crate) live: (u64, u64),
    pub(crate) accum: (u64, u64),
}

/// Look-up addresses past this one are left out of stacks, as jeprof does: code of the kernel, or no code at all.
const ADDRESS_MAX: u64 = i64::MAX as u64;

/// The addresses of a stack line, leaf first, into frames: 1 is taken from every address but the leaf, which names a
/// call, so that each lies inside the calling instruction (a writer that leaves allocator frames out has lowered the
/// leaf already). The single address 0 stands for a stack without frames.
pub(crate) fn stack(line: &Line<'_>, addresses: &[u8], into: &mut Builder) -> Result<Stack, ReadError> {
    let start = into.open_stack();
    let mut rest = addresses.trim_ascii();
    if rest == b"0x0" {
        rest = b"";
    }
    let mut below = 0;
    while !rest.is_empty() {
        let digits = rest.strip_prefix(b"0x").unwrap_or(rest);
        let found =
            leading_hex(digits).filter(|(_, after)| after.first().is_none_or(u8::is_ascii_whitespace));
        let Some((address, after)) = found else {
            let word = Cursor(rest).word();
            return Err(line.broken("address", format!("`{}` is not a hex address", string(word))));
        };
        let lookup = address.wrapping_sub(below);
        below = 1;
        if lookup <= ADDRESS_MAX {
            let frame = into.frame(lookup);
            into.dump.frames.push(frame);
        }
        rest = after.trim_ascii_start();
    }
    into.close_stack(start).map_err(|TooMany| line.broken("stack", TooMany::WHAT))
}

/// Whether this line starts the copy of the process map.
pub(crate) fn starts_maps(line: &Line<'_>) -> bool {
    line.text == b"MAPPED_LIBRARIES:" || line.text.starts_with(b"--- Memory map:")
}

/// Reads the map section: of the kernel, or as programs write it themselves, where `build=/folder` says what
/// paths mean that start with `$build`. The last line may be cut off: what a map line says is not what makes a total wrong.
/// Returns whether a line `# end` closed the section.
pub(crate) fn maps(lines: &mut Lines<'_>, into: &mut Builder) -> bool {
    let mut joined = maps::Joined::default();
    let mut closed = false;
    for line in lines {
        if line.text == b"# end" {
            closed = line.ended;
        } else if !line.ended {
            into.warn(format!("line {}: the memory map is cut off", line.number));
        } else {
            joined.line(line.text);
        }
    }
    into.dump.maps = joined.finish();
    closed
}

/// The total on a line or in a comment, name and bytes; `None` when it is no such line.
pub(crate) fn total(line: &[u8]) -> Option<(&[u8], u64)> {
    let mut rest = Cursor(line.strip_prefix(PREFIX.as_bytes())?);
    let name = rest.word();
    let bytes = rest.number()?;
    rest.0.trim_ascii().is_empty().then_some((name, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_are_told_from_other_comments() {
        assert_eq!(total(b"# total rss 4096"), Some((&b"rss"[..], 4096)));
        for line in ["# total rss", "# total rss 1 2", "# totals rss 1", "total rss 1", "# total rss -1"] {
            assert_eq!(total(line.as_bytes()), None, "{line}");
        }
    }
}
