//! Reads jemalloc's form, from us, jemalloc 5 and the variants of it in the wild.

use alloc::format;
use core::ops::Range;

use crate::builder::Builder;
use crate::digits::{decimal, string};
use crate::dump::{Dump, Figure, ReadError, StackRow};
use crate::lines::{self, Cursor, Line, Lines, Pairs};
use crate::unbias::scale;
use crate::vocab::Format;

/// Reads a jemalloc heap dump.
///
/// Lines of no known kind (ClickHouse adds some) are left out with a warning.
///
/// # Errors
/// [`ReadError::NotThisFormat`] unless the file begins with `heap_v2/`.
pub fn read(bytes: &[u8]) -> Result<Dump, ReadError> {
    let mut lines = Lines::new(bytes);
    let first = lines.next().ok_or(ReadError::NotThisFormat)?;
    let rate = first.text.strip_prefix(b"heap_v2/").ok_or(ReadError::NotThisFormat)?;
    if !first.ended {
        return Err(first.broken("header", "the dump is cut off inside its first line"));
    }
    let mut into = Builder::new(Format::HeapV2);
    into.dump.period = decimal(rate).filter(|rate| *rate > 0).ok_or_else(|| {
        first.broken("sampling distance", format!("`{}` is not a positive number", string(rate)))
    })?;
    let mut stack: Option<Open<'_>> = None;
    let mut last = first;
    let mut has_maps = false;
    for line in lines.by_ref() {
        if lines::starts_maps(&line) {
            has_maps = true;
            break;
        }
        last = line;
        if let Some(addresses) = line.text.strip_prefix(b"@") {
            close(stack.take())?;
            let frames = lines::stack(&line, addresses, &mut into)?;
            stack = Some(Open { frames, line, counted: false });
        } else if let Some((uid, pairs, rest)) = counts(line.text) {
            let (live, accum) = (figure(pairs.live, &into), figure(pairs.accum, &into));
            into.dump.has_accum |= pairs.accum != (0, 0);
            match (&mut stack, uid) {
                (Some(open), None) => {
                    open.counted = true;
                    into.add(open.row(None, live, accum));
                }
                (Some(open), Some(uid)) => into.add_share(open.row(Some(uid), live, accum)),
                (None, None) => {}
                (None, Some(uid)) => into.thread(uid, &string(rest)),
            }
        } else if !line.text.is_empty() && line.ended {
            into.skip(line.number);
        }
    }
    if !has_maps && !last.ended {
        return Err(
            last.broken("count line", "the dump is cut off inside this line, and the memory map is missing")
        );
    }
    close(stack)?;
    if has_maps {
        lines::maps(&mut lines, &mut into);
    } else {
        into.warn(
            "there is no memory map: the dump is cut off, or the program could not read its own map".into(),
        );
    }
    into.dump.program = crate::maps::program_of(&into.dump.maps);
    Ok(into.finish())
}

/// The stack that count lines belong to.
struct Open<'a> {
    frames: Range<u32>,
    line: Line<'a>,
    counted: bool,
}

impl Open<'_> {
    fn row(&self, thread: Option<u64>, live: Figure, accum: Figure) -> StackRow {
        StackRow { frames: self.frames.clone(), live, accum, thread }
    }
}

/// A stack ends at the next one, at the memory map or at the end of the file, and by then has to have its figures.
fn close(stack: Option<Open<'_>>) -> Result<(), ReadError> {
    match stack {
        Some(open) if !open.counted => {
            Err(open.line.broken("stack", "no line `t*: objects: bytes [objects: bytes]` follows this stack"))
        }
        _ => Ok(()),
    }
}

/// `tUID: n: s [N: S] rest`; the uid of `t*` is `None`.
fn counts(text: &[u8]) -> Option<(Option<u64>, Pairs, &[u8])> {
    let mut cursor = Cursor(text.strip_prefix(b"t")?);
    let uid = match cursor.0.strip_prefix(b"*") {
        Some(rest) => {
            cursor = Cursor(rest);
            None
        }
        None => Some(cursor.number()?),
    };
    cursor.eat(b":")?;
    let pairs = cursor.pairs()?;
    cursor.skip_blanks();
    Some((uid, pairs, cursor.0))
}

fn figure((objs, bytes): (u64, u64), into: &Builder) -> Figure {
    scale(objs, bytes, into.dump.period)
}
