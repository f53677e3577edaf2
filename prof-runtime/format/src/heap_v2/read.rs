//! Reads jemalloc's form, from us, jemalloc 5 and the variants of it in the wild.

use alloc::format;

use crate::builder::{Builder, Stack};
use crate::digits::{decimal, string};
use crate::dump::{Dump, Figure, ReadError};
use crate::heading::{self, Opened};
use crate::lines::{self, Cursor, Line, Pairs};
use crate::unbias::scale;
use crate::vocab::Format;

/// How the first line begins.
const NAME: &[u8] = b"heap_v2/";

/// Reads a jemalloc heap dump, symbolized or not.
///
/// Lines of no known kind (ClickHouse adds some) are left out with a warning.
///
/// # Errors
/// [`ReadError::NotThisFormat`] unless the file, or what follows its heading, begins with `heap_v2/`.
pub fn read(bytes: &[u8]) -> Result<Dump, ReadError> {
    read_opened(heading::open(bytes)?)
}

/// Whether a profile that starts with this line is of this form.
pub(crate) fn claims(first: &Line<'_>) -> bool {
    first.text.starts_with(NAME)
}

/// Reads what follows the heading.
pub(crate) fn read_opened(mut opened: Opened<'_>) -> Result<Dump, ReadError> {
    let (first, lines, into) = (opened.first, &mut opened.lines, &mut opened.into);
    let rate = first.text.strip_prefix(NAME).ok_or(ReadError::NotThisFormat)?;
    if !first.ended {
        return Err(first.broken("header", "the dump is cut off inside its first line"));
    }
    into.dump.format = Format::HeapV2;
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
            let found = lines::stack(&line, addresses, into)?;
            stack = Some(Open { stack: found, line, counted: false });
        } else if let Some((uid, pairs, rest)) = counts(line.text) {
            let (live, accum) = (figure(pairs.live, into), figure(pairs.accum, into));
            match (&mut stack, uid) {
                // Names stand in the header only: behind the figures of a stack they are damage.
                (Some(_), _) if !rest.is_empty() => into.skip(line.number),
                (Some(open), None) => {
                    into.add(open.stack.row(live, accum), open.stack.new && !open.counted);
                    open.counted = true;
                }
                (Some(open), Some(uid)) => into.add_share(&mut open.stack, uid, live, accum),
                (None, None) => {}
                (None, Some(uid)) => into.thread(uid, &string(rest)),
            }
            into.dump.has_accum |= pairs.accum != (0, 0);
        } else if let Some((name, bytes)) = crate::lines::total(line.text) {
            into.total(name, bytes);
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
        lines::maps(lines, into);
    } else if !into.dump.symbolized {
        // A symbolized file has names instead.
        into.warn(
            "there is no memory map: the dump is cut off, or the program could not read its own map".into(),
        );
    }
    into.dump.program = crate::maps::program_of(&into.dump.maps);
    Ok(opened.finish())
}

/// The stack that count lines belong to.
struct Open<'a> {
    stack: Stack,
    line: Line<'a>,
    counted: bool,
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
