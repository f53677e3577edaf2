//! jeprof's `--symbols`: a memory map and addresses on stdin, one name per address on stdout.

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use prof_format::dump::{Dump, Frame, MapRow};
use prof_format::maps::parse_line;
use prof_format::vocab::Format;

use crate::compat::short_name::short_name;
use crate::error::{Error, Result, plain};
use crate::model::labels::Labels;
use crate::model::sign::Sign;
use crate::model::{FrameId, Profile, file_name};
use crate::plan::Plan;
use crate::plan::choice::Compat;
use crate::progress::Progress;
use crate::symbolize::{Request, symbolize};

/// What is printed for an address without a name.
const UNKNOWN: &str = "??";

/// The names, one line each in the order of the addresses, and what the user should know.
#[derive(Debug)]
pub struct Named {
    /// For stdout.
    pub output: Vec<u8>,
    /// For stderr.
    pub warnings: Vec<String>,
}

/// Names the addresses on stdin. The plan's one word is the program; where the map does not tell where it was loaded,
/// the addresses are its own.
///
/// # Errors
/// Several words, no readable stdin, or a program that is not the one of the map.
pub fn name(plan: &Plan) -> Result<Named> {
    let program = match plan.input.words.as_slice() {
        [] => None,
        [program] => Some(Path::new(program)),
        [_, more, ..] => {
            return Err(Error::at(more, "--symbols wants a program, and addresses on the standard input"));
        }
    };
    let mut bytes = Vec::new();
    std::io::stdin()
        .lock()
        .read_to_end(&mut bytes)
        .map_err(|error| Error::at("standard input", plain(&error)))?;
    let list = read_list(&bytes);
    let mut finding = plan.finding.clone();
    let is_mapped = |program: &Path| {
        let real = program.canonicalize().unwrap_or_else(|_| program.into());
        let names =
            [program, &real].map(|path| path.file_name().and_then(|name| name.to_str()).map(String::from));
        list.maps.iter().any(|row| names.iter().flatten().any(|name| name == file_name(&row.path)))
    };
    let mapped_program = program.filter(|program| is_mapped(program));
    if mapped_program.is_none() {
        finding.add_lib.extend(program.map(Path::to_path_buf));
    }

    let mut dump = Dump::new(Format::Text);
    dump.maps = list.maps;
    dump.frame_table = list.addresses.iter().map(|&address| Frame { address, names: Vec::new() }).collect();
    let mut profile = Profile::default();
    profile.add(&dump, Sign::Plus, Labels::Drop)?;
    let request = Request { profile: &profile, program: mapped_program, dumps: &[], finding: &finding };
    let outcome = symbolize(&request, &Progress::start())?;

    let frames: HashMap<u64, FrameId> =
        profile.frames.iter().zip(profile.frame_ids()).map(|(frame, id)| (frame.address, id)).collect();
    let symbols = &outcome.symbols;
    let name = |address: &u64| {
        // The function that lies there; what is inlined into it has no address of its own.
        let line = symbols.lines_of(frames.get(address)?.index()).last()?;
        let name = symbols.function_name(line);
        (!symbols.stand_ins.contains(&symbols.function(line).name)).then(|| match plan.compat {
            Compat::None => name.to_string(),
            Compat::Jeprof => short_name(name),
        })
    };
    let names: Vec<String> =
        list.addresses.iter().map(|address| name(address).unwrap_or_else(|| UNKNOWN.into()) + "\n").collect();
    let mut warnings = outcome.warnings;
    if list.other > 0 {
        warnings
            .push(format!("standard input: {} lines are neither of a memory map nor an address", list.other));
    }
    Ok(Named { output: names.concat().into_bytes(), warnings })
}

/// What stands on stdin.
#[derive(Debug, Default, PartialEq)]
struct List {
    maps: Vec<MapRow>,
    addresses: Vec<u64>,
    /// Lines that are neither, blank ones apart.
    other: usize,
}

fn read_list(bytes: &[u8]) -> List {
    let mut list = List::default();
    for line in bytes.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
        if let Some(map) = parse_line(line) {
            list.maps.extend(map.exec.then_some(map.row));
        } else if let Some(address) = address_in(line) {
            list.addresses.push(address);
        } else {
            list.other += 1;
        }
    }
    list
}

/// The first word that begins with `0x`, as jeprof takes it, or a line that is a number.
fn address_in(line: &[u8]) -> Option<u64> {
    let line = std::str::from_utf8(line).ok()?;
    let mut words = line.split(|c: char| !c.is_ascii_alphanumeric());
    let digits =
        words.find_map(|word| word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"))).unwrap_or(line);
    u64::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn maps_and_addresses_are_told_apart() {
        let list = read_list(
            b"1000-2000 r-xp 00000000 08:01 1 /bin/x\r\n1000-3000 rw-p 00000000 08:01 1 /bin/x\n\n0x1234\n pc 0xABCD: here\ndead\nhello\n",
        );
        assert_eq!((list.maps.len(), list.maps[0].end), (1, 0x2000));
        assert_eq!((list.addresses, list.other), (vec![0x1234, 0xabcd, 0xdead], 1));
    }
}
