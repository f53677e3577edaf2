//! What may stand in front of a text profile: commands, symbols, the heading of a section.
//!
//! ```text
//! %warn text                               commands, which a server puts first
//! --- symbol                               symbols of the addresses below (`jeprof --raw`)
//! binary=/opt/demo/app
//! 0x000055f508eca20a main--inlined--more   look-up address, names from the outermost to the innermost
//! ---
//! --- heap
//! heap_v2/524288                           the profile, in any text form
//! ```
//!
//! * A look-up address is what [`crate::lines::stack`] makes of the one in a stack: the leaf as it is, others lowered
//!   by one. Leading zeros say nothing.
//! * The profile is what its writer wrote, so a symbolized file can be made from its symbols and the unchanged bytes
//!   from [`Dump::profile_offset`](crate::dump::Dump::profile_offset) on.
//!
//! Source: jemalloc `bin/jeprof`; ClickHouse writes such files itself (`JemallocProfileSource`).

use alloc::{format, string::String, vec::Vec};

use hashbrown::HashMap;

use crate::builder::Builder;
use crate::digits::{leading_hex, string};
use crate::dump::{Dump, NamedFrame, ReadError};
use crate::lines::{Line, Lines};
use crate::vocab::Format;

/// A file whose heading was read: what it said, and where the profile starts.
pub(crate) struct Opened<'a> {
    /// The first line of the profile.
    pub(crate) first: Line<'a>,
    /// The lines after it.
    pub(crate) lines: Lines<'a>,
    /// The dump so far, without its format.
    pub(crate) into: Builder,
    symbols: Option<Symbols<'a>>,
}

/// The section of symbols.
#[derive(Default)]
struct Symbols<'a> {
    program: Option<String>,
    /// Names joined by `--`, by look-up address.
    names: HashMap<u64, &'a [u8]>,
}

/// Reads what stands in front of the profile.
///
/// # Errors
/// [`ReadError::NotThisFormat`] for a file without lines, [`ReadError::Broken`] when the symbols do not end.
pub(crate) fn open(bytes: &[u8]) -> Result<Opened<'_>, ReadError> {
    let mut lines = Lines::new(bytes);
    let mut into = Builder::new(Format::HeapV2);
    let mut symbols = None;
    let mut line = command_free(&mut lines, &mut into).ok_or(ReadError::NotThisFormat)?;
    let cut_off =
        |lines: &Lines<'_>| lines.end().broken("symbols", "the file ends before its profile begins");
    if is_heading(&line, &["symbol"]) {
        symbols = Some(Symbols::read(line, &mut lines, &mut into)?);
        into.dump.symbolized = true;
        into.dump.profile_offset = lines.offset();
        line = command_free(&mut lines, &mut into).ok_or_else(|| cut_off(&lines))?;
    }
    if is_heading(&line, &["heap", "growth"]) {
        into.dump.profile_offset = lines.offset();
        line = command_free(&mut lines, &mut into).ok_or_else(|| cut_off(&lines))?;
    }
    Ok(Opened { first: line, lines, into, symbols })
}

/// The next line that is no command.
fn command_free<'a>(lines: &mut Lines<'a>, into: &mut Builder) -> Option<Line<'a>> {
    loop {
        let line = lines.next()?;
        let Some(command) = line.text.strip_prefix(b"%") else { return Some(line) };
        match command.strip_prefix(b"warn") {
            Some(text) if text.first().is_none_or(u8::is_ascii_whitespace) => {
                into.warn(format!("the program that wrote this warns: {}", string(text.trim_ascii())));
            }
            _ => into.skip(line.number),
        }
    }
}

/// `--- word`, where anything may follow.
fn is_heading(line: &Line<'_>, words: &[&str]) -> bool {
    let Some(rest) = line.text.strip_prefix(b"---") else { return false };
    words.iter().any(|word| rest.trim_ascii_start().starts_with(word.as_bytes()))
}

impl<'a> Symbols<'a> {
    fn read(heading: Line<'a>, lines: &mut Lines<'a>, into: &mut Builder) -> Result<Symbols<'a>, ReadError> {
        let mut symbols = Symbols::default();
        for line in lines.by_ref() {
            if line.text.starts_with(b"---") {
                return Ok(symbols);
            }
            if let Some(digits) = line.text.strip_prefix(b"0x") {
                // A number that is none, or names without a blank before them: jeprof leaves such lines out.
                match leading_hex(digits) {
                    Some((address, names)) if names.first().is_some_and(u8::is_ascii_whitespace) => {
                        symbols.names.insert(address, names.trim_ascii_start());
                    }
                    Some((_, [])) => {}
                    _ => into.skip(line.number),
                }
            } else if let Some(value) = line.text.strip_prefix(b"binary=") {
                symbols.program = Some(string(value.trim_ascii()));
            } else if line.text.first().is_some_and(u8::is_ascii_lowercase) && line.text.contains(&b'=') {
                into.warn(format!("line {}: `{}` says nothing known", line.number, string(line.text)));
            } else if !line.text.is_empty() {
                into.skip(line.number);
            }
        }
        Err(heading.broken("symbols", "the line `---` that ends them is missing: the file is cut off"))
    }

    /// Names of the frame at `address`, innermost first.
    fn of(&self, address: u64) -> Vec<NamedFrame> {
        const SEPARATOR: &[u8] = b"--";
        let Some(mut rest) = self.names.get(&address).copied() else { return Vec::new() };
        let mut names = Vec::new();
        loop {
            let end = rest.windows(SEPARATOR.len()).position(|window| window == SEPARATOR);
            let function = string(&rest[..end.unwrap_or(rest.len())]);
            names.push(NamedFrame { function, ..NamedFrame::default() });
            match end {
                Some(end) => rest = &rest[end + SEPARATOR.len()..],
                None => break,
            }
        }
        // Nothing after the last separator is no name; between two of them it is one that nobody knows.
        while names.last().is_some_and(|name| name.function.is_empty()) {
            names.pop();
        }
        names.reverse();
        names
    }
}

impl Opened<'_> {
    /// Whether symbols came first, so that what follows has to be a text profile.
    pub(crate) fn has_symbols(&self) -> bool {
        self.symbols.is_some()
    }

    /// The finished dump with its names.
    pub(crate) fn finish(self) -> Dump {
        let mut dump = self.into.finish();
        if let Some(symbols) = self.symbols {
            for frame in &mut dump.frame_table {
                frame.names = symbols.of(frame.address);
            }
            if symbols.program.is_some() {
                dump.program = symbols.program;
            }
        }
        dump
    }
}
