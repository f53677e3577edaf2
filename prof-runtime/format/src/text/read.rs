//! Reads the text form, ours and that of other writers.

use alloc::format;

use super::MARK;
use crate::builder::{Builder, Stack};
use crate::digits::{decimal, hex, string};
use crate::dump::{Dump, Figure, ReadError};
use crate::heading::{self, Opened};
use crate::lines::{self, Cursor, Line, Pairs};
use crate::unbias::scale;
use crate::vocab::{BuildId, Format};

/// How figures of one file are un-sampled. The word after `@` decides, by jeprof's rules.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sampling {
    /// As they are: `heapprofile`, growth and fragmentation profiles, or no word and unequal pairs.
    Exact,
    /// `heap_v2/R`, `heapz_v2/R`: the formula of [`scale`].
    V2(u64),
    /// `heap/K` with `R = K/2`, or no word and equal pairs: tcmalloc before 2008 sampled every R-th byte.
    EveryNth(f64),
}

impl Sampling {
    fn of(word: &[u8], number: Option<u64>, pairs: Pairs) -> Sampling {
        /// The distance of writers that do not say theirs.
        const DEFAULT: u64 = 128 << 10;
        let has = |part: &[u8]| word.windows(part.len()).any(|window| window == part);
        let number = number.filter(|number| *number != 0);
        if word.is_empty() {
            if pairs.live == pairs.accum { Sampling::EveryNth(DEFAULT as f64) } else { Sampling::Exact }
        } else if word == b"heapprofile" || !has(b"heap") {
            Sampling::Exact
        } else if has(b"_v2") {
            Sampling::V2(number.unwrap_or(DEFAULT))
        } else {
            Sampling::EveryNth(number.unwrap_or(2 * DEFAULT) as f64 / 2.0)
        }
    }

    fn period(self) -> u64 {
        match self {
            Sampling::Exact => 1,
            Sampling::V2(period) => period,
            Sampling::EveryNth(period) => period as u64,
        }
    }

    fn figure(self, (objs, bytes): (u64, u64)) -> Figure {
        let plain = Figure { objs: objs as f64, bytes: bytes as f64 };
        match self {
            Sampling::Exact => plain,
            Sampling::V2(period) => scale(objs, bytes, period),
            Sampling::EveryNth(period) => {
                let ratio = plain.bytes / plain.objs / period;
                // Not below 1, and not a number for empty or exact figures: left as they are.
                if ratio > 0.0 && ratio < 1.0 {
                    Figure { objs: plain.objs / ratio, bytes: plain.bytes / ratio }
                } else {
                    plain
                }
            }
        }
    }
}

/// What the first line contains.
const NAME: &[u8] = b"heap profile:";

/// Reads a gperftools heap profile, from us or from another writer, symbolized or not.
///
/// Lines of no known kind are left out with a warning, as jeprof does, but in a file of ours they are an error. Lines
/// of the same stack are added up. Without the memory map (older writers) only the end of the file in the middle of a
/// line is an error; a file of ours that does not close with its `# end` is one wherever it was cut.
///
/// # Errors
/// [`ReadError::NotThisFormat`] unless the first line, or the first after the heading, contains `heap profile:`.
pub fn read(bytes: &[u8]) -> Result<Dump, ReadError> {
    read_opened(heading::open(bytes)?)
}

/// Where the name of this form is in the first line of a profile.
fn name(first: &Line<'_>) -> Option<usize> {
    first.text.windows(NAME.len()).position(|window| window == NAME)
}

/// Whether a profile that starts with this line is of this form.
pub(crate) fn claims(first: &Line<'_>) -> bool {
    name(first).is_some()
}

/// Reads what follows the heading.
pub(crate) fn read_opened(mut opened: Opened<'_>) -> Result<Dump, ReadError> {
    let (first, lines, into) = (opened.first, &mut opened.lines, &mut opened.into);
    let header = &first.text[name(&first).ok_or(ReadError::NotThisFormat)? + NAME.len()..];
    let mut cursor = Cursor(header);
    let pairs = cursor.pairs().ok_or_else(|| {
        first.broken("header", "`heap profile:` is not followed by `objects: bytes [objects: bytes]`")
    })?;
    let (word, number) = type_word(&mut cursor, &first)?;
    let sampling = Sampling::of(word, number, pairs);

    into.dump.format = Format::Text;
    into.dump.period = sampling.period();
    into.dump.has_accum = pairs.accum != (0, 0) && pairs.accum != pairs.live;
    let mut ours = Extras::default();
    let mut last = None;
    let mut has_maps = false;
    for line in lines.by_ref() {
        if lines::starts_maps(&line) {
            has_maps = true;
            break;
        }
        if let Some(comment) = line.text.strip_prefix(b"#") {
            ours.take(comment.trim_ascii(), &line, into);
        } else if !line.text.is_empty() {
            sample(&line, sampling, &mut ours, into)?;
        }
        last = Some(line);
    }
    let closed = has_maps && lines::maps(lines, into);
    if ours.announced && !closed {
        return Err(lines
            .end()
            .broken("end of file", "the dump is cut off: its closing line `# end` is missing"));
    }
    if let Some(last) = last.filter(|last| !has_maps && !last.ended) {
        return Err(
            last.broken("sample line", "the dump is cut off inside this line, and the memory map is missing")
        );
    }
    // A symbolized file has names instead.
    if !has_maps && !into.dump.symbolized {
        into.warn("there is no memory map: addresses cannot be told apart by file".into());
    }
    ours.finish(into);
    Ok(opened.finish())
}

/// The word and number of `@ word/number`, both optional.
fn type_word<'a>(cursor: &mut Cursor<'a>, line: &Line<'_>) -> Result<(&'a [u8], Option<u64>), ReadError> {
    if cursor.eat(b"@").is_none() {
        return Ok((&[], None));
    }
    let text = cursor.word();
    let Some(slash) = text.iter().position(|byte| *byte == b'/') else {
        return Ok((text, None));
    };
    let digits = &text[slash + 1..];
    let number = decimal(digits);
    if number.is_none() && !digits.is_empty() {
        return Err(line.broken("sampling distance", format!("`{}` is not a number", string(digits))));
    }
    Ok((&text[..slash], number))
}

/// `n: s [N: S] @ addresses`.
fn sample(
    line: &Line<'_>,
    sampling: Sampling,
    ours: &mut Extras,
    into: &mut Builder,
) -> Result<(), ReadError> {
    let mut cursor = Cursor(line.text);
    let (Some(pairs), Some(())) = (cursor.pairs(), cursor.eat(b"@")) else {
        if ours.announced {
            // We write no such line, so it is damage, and memory would go missing without a word.
            return Err(line.broken("sample line", "not `objects: bytes [objects: bytes] @ addresses`"));
        }
        into.skip(line.number);
        return Ok(());
    };
    let stack = lines::stack(line, cursor.0, into)?;
    let accum = if into.dump.has_accum { sampling.figure(pairs.accum) } else { Figure::default() };
    into.add(stack.row(sampling.figure(pairs.live), accum), stack.new);
    ours.stack = Some(stack);
    Ok(())
}

/// What the `#` lines tell. In files of other writers they are comments, whatever they say.
#[derive(Default)]
struct Extras {
    announced: bool,
    /// The stack to which `# t` lines belong.
    stack: Option<Stack>,
    build_ids: alloc::vec::Vec<(u64, BuildId)>,
}

impl Extras {
    fn take(&mut self, comment: &[u8], line: &Line<'_>, into: &mut Builder) {
        if comment == MARK.as_bytes() {
            self.announced = true;
        } else if self.announced && self.field(comment, into).is_none() {
            into.skip(line.number);
        }
    }

    fn field(&mut self, comment: &[u8], into: &mut Builder) -> Option<()> {
        let mut rest = Cursor(comment);
        let name = rest.word();
        rest.skip_blanks();
        match name {
            b"program" => into.dump.program = Some(string(rest.0)),
            b"time_nanos" => into.dump.time_nanos = rest.number()?,
            b"duration_nanos" => into.dump.duration_nanos = rest.number()?,
            b"accum" => into.dump.has_accum = rest.number()? != 0,
            // Of use to a person only.
            b"pid" | b"sampled" => {}
            b"total" => {
                let name = rest.word();
                into.total(name, rest.number()?);
            }
            b"about" => {
                let name = string(rest.word());
                into.dump.about.push((name, string(rest.0.trim_ascii())));
            }
            b"thread" => {
                let uid = rest.number()?;
                estimates(&mut rest)?;
                into.thread(uid, &string(rest.0.trim_ascii()));
            }
            b"build-id" => {
                let id = BuildId::from_hex(rest.word())?;
                let start = rest.word();
                self.build_ids.push((hex(start.strip_prefix(b"0x").unwrap_or(start))?, id));
            }
            _ => {
                let uid = decimal(name.strip_prefix(b"t")?)?;
                let (live, accum) = estimates(&mut rest)?;
                into.add_share(self.stack.as_mut()?, uid, live, accum);
            }
        }
        Some(())
    }

    fn finish(mut self, into: &mut Builder) {
        self.build_ids.sort_unstable_by_key(|(start, _)| *start);
        for row in &mut into.dump.maps {
            // A joined row may start below the mapping that the id was noted with.
            let first = self.build_ids.partition_point(|(start, _)| *start < row.start);
            if let Some((_, id)) = self.build_ids.get(first).filter(|(start, _)| *start < row.end) {
                row.build_id = *id;
            }
        }
        if into.dump.program.is_none() {
            into.dump.program = crate::maps::program_of(&into.dump.maps);
        }
    }
}

/// `n s [N S]`.
fn estimates(cursor: &mut Cursor<'_>) -> Option<(Figure, Figure)> {
    let mut figure = || Some(Figure { objs: cursor.number()? as f64, bytes: cursor.number()? as f64 });
    let live = figure()?;
    cursor.eat(b"[")?;
    let mut figure = || Some(Figure { objs: cursor.number()? as f64, bytes: cursor.number()? as f64 });
    let accum = figure()?;
    cursor.eat(b"]")?;
    Some((live, accum))
}
