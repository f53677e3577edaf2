//! Which unit of the debug information holds an address.
//!
//! `.debug_aranges` lists the address ranges of units, so that the units themselves need not be looked at. Some
//! compilers do not write it: units that it does not name are asked themselves, if some address is still without one.

use std::sync::OnceLock;

use gimli::{AttributeValue, DebugInfoOffset, Section, UnitType, constants as c};

use super::ranges::CodeAttributes;
use super::sections::Reader;
use super::shapes::Fault;
use super::tables::Tables;

/// More claims than these are nonsense that would fill the memory.
const CLAIMS_MIN: usize = 1 << 16;
const CLAIMS_PER_ADDRESS_MAX: usize = 64;

fn claims_max(addresses: usize) -> usize {
    CLAIMS_MIN + CLAIMS_PER_ADDRESS_MAX * addresses
}

/// A unit and the wanted addresses that it claims, as indices in the list of wanted addresses.
#[derive(Debug, PartialEq, Eq)]
pub struct Claim {
    /// Where the unit begins in `.debug_info`.
    pub unit: DebugInfoOffset,
    /// Bytes of the unit, which is what work on it costs.
    pub size: usize,
    /// Indices, rising.
    pub wanted: Vec<u32>,
}

/// Where units begin.
#[derive(Default)]
pub struct Starts {
    /// Units that `.debug_aranges` speaks of, rising.
    listed: Vec<usize>,
    /// All units, rising, and the end of the last; worked out when first asked for.
    all: OnceLock<Vec<usize>>,
}

/// Asks `.debug_aranges` which units claim these addresses (sorted).
///
/// Cost: one pass over the section, a binary search for each range.
pub fn listed(dwarf: &gimli::Dwarf<Reader<'_>>, wanted: &[u64], code_start: u64) -> (Starts, Vec<Claim>) {
    let mut listed = Vec::new();
    let mut claims: Vec<(usize, u32)> = Vec::new();
    let (Some(&first), Some(&last)) = (wanted.first(), wanted.last()) else {
        return (Starts::default(), Vec::new());
    };
    let mut headers = dwarf.debug_aranges.headers();
    // A broken list ends; what it does not name is found in the units.
    while let Ok(Some(header)) = headers.next() {
        let unit = header.debug_info_offset().0;
        listed.push(unit);
        let mut entries = header.entries();
        while let Some(entry) = entries.next().transpose() {
            // An entry whose end wraps around is a mark for left-out code.
            let Ok(entry) = entry else { continue };
            let (begin, length) = (entry.address(), entry.length());
            let end = begin.saturating_add(length);
            if begin > last || end <= first || begin < code_start {
                continue;
            }
            let from = wanted.partition_point(|&address| address < begin);
            let held = wanted[from..].iter().take_while(|&&address| address < end).count();
            if claims.len() + held > claims_max(wanted.len()) {
                break;
            }
            claims.extend((from..from + held).map(|index| (unit, index as u32)));
        }
    }
    listed.sort_unstable();
    listed.dedup();
    (Starts { listed, all: OnceLock::new() }, gather(dwarf, claims))
}

impl Starts {
    /// The units that `.debug_aranges` does not name.
    ///
    /// Cost: the headers of all units.
    pub fn unlisted(&self, dwarf: &gimli::Dwarf<Reader<'_>>) -> Vec<usize> {
        let all = self.all(dwarf);
        let units = all.split_last().map_or(all, |(_, units)| units);
        units.iter().copied().filter(|unit| self.listed.binary_search(unit).is_err()).collect()
    }

    fn all(&self, dwarf: &gimli::Dwarf<Reader<'_>>) -> &[usize] {
        self.all.get_or_init(|| {
            let (mut starts, mut end) = (Vec::new(), 0);
            let mut headers = dwarf.units();
            while let Ok(Some(header)) = headers.next() {
                let Some(DebugInfoOffset(start)) = header.debug_info_offset() else { continue };
                starts.push(start);
                end = start + header.length_including_self();
            }
            starts.push(end);
            starts
        })
    }

    /// The header of the unit that holds an offset of `.debug_info`.
    ///
    /// # Errors
    /// There is none.
    ///
    /// Cost: two binary searches; in a file without `.debug_aranges` the first call reads the headers of all units.
    pub fn unit_around<'a>(
        &self,
        dwarf: &gimli::Dwarf<Reader<'a>>,
        offset: usize,
    ) -> Result<gimli::UnitHeader<Reader<'a>>, Fault> {
        for starts in [&self.listed[..], &[]] {
            let starts = if starts.is_empty() { self.all(dwarf) } else { starts };
            let before = starts.partition_point(|&start| start <= offset);
            let Some(&start) = before.checked_sub(1).and_then(|index| starts.get(index)) else { continue };
            let header = dwarf.unit_header(DebugInfoOffset(start))?;
            if offset - start < header.length_including_self() {
                return Ok(header);
            }
        }
        Err(Fault::Broken)
    }
}

/// Asks units themselves whether they claim addresses (sorted, with their indices).
///
/// Cost: the first entry of each; the line table of a unit that does not say where its code is.
pub fn claims_of<'a>(
    dwarf: &gimli::Dwarf<Reader<'a>>,
    tables: &mut Tables,
    units: &[usize],
    wanted: &[(u64, u32)],
    code_start: u64,
) -> Vec<Claim> {
    let mut claims: Vec<(usize, u32)> = Vec::new();
    for &offset in units {
        let Ok(header) = dwarf.unit_header(DebugInfoOffset(offset)) else { continue };
        // Partial units hold what others refer to, type units no code.
        if matches!(header.type_(), UnitType::Compilation | UnitType::Skeleton(_)) {
            // A broken unit does not cost the others their names.
            let _ = claim(dwarf, tables, header, wanted, code_start, |index| {
                if claims.last() != Some(&(offset, index)) && claims.len() < claims_max(wanted.len()) {
                    claims.push((offset, index));
                }
            });
        }
    }
    gather(dwarf, claims)
}

fn claim<'a>(
    dwarf: &gimli::Dwarf<Reader<'a>>,
    tables: &mut Tables,
    header: gimli::UnitHeader<Reader<'a>>,
    wanted: &[(u64, u32)],
    code_start: u64,
    mut claimed: impl FnMut(u32),
) -> Result<(), Fault> {
    let abbreviations = tables.of(dwarf, &header)?;
    let mut entries = header.entries_raw(&abbreviations, None)?;
    let abbreviation = entries.read_abbreviation()?.ok_or(Fault::Broken)?;
    let (mut attributes, mut has_ranges, mut has_rows) = (Vec::new(), false, false);
    for &specification in abbreviation.attributes() {
        let attribute = entries.read_attribute(specification)?;
        match (attribute.name(), attribute.value()) {
            (c::DW_AT_low_pc | c::DW_AT_ranges, _) => has_ranges = true,
            (c::DW_AT_stmt_list, AttributeValue::DebugLineRef(at)) => {
                has_rows = !is_empty_program(dwarf, at.0)
            }
            _ => {}
        }
        attributes.push(attribute);
    }
    // Most units that are not listed have no code, and opening one reads the list of its files.
    if !has_ranges && !has_rows {
        return Ok(());
    }
    let unit = tables.open(dwarf, header)?;
    let unit = unit.unit_ref(dwarf);
    let mut code = CodeAttributes::default();
    for attribute in &attributes {
        code.take(unit, attribute)?;
    }
    let any = std::cell::Cell::new(false);
    let mut claim_range = |begin: u64, end: u64| {
        any.set(true);
        let from = wanted.partition_point(|&(address, _)| address < begin);
        for &(_, index) in wanted[from..].iter().take_while(|&&(address, _)| address < end) {
            claimed(index);
        }
    };
    code.for_each(unit, code_start, &mut claim_range)?;
    if any.get() {
        return Ok(());
    }
    // The unit does not say where its code is; its line table does.
    if let Some(program) = unit.line_program.clone() {
        let mut rows = program.rows();
        let mut start = None;
        while let Some((_, row)) = rows.next_row()? {
            if row.end_sequence() {
                if let Some(start) = start.take().filter(|&start| start >= code_start) {
                    claim_range(start, row.address());
                }
            } else {
                start.get_or_insert(row.address());
            }
        }
    }
    Ok(())
}

/// Whether a line program has no instructions. `false` also for what is not easily told.
fn is_empty_program(dwarf: &gimli::Dwarf<Reader<'_>>, offset: usize) -> bool {
    let section = dwarf.debug_line.reader().slice();
    let number = |at: usize, length: usize| {
        let bytes = section.get(offset.checked_add(at)?..)?.get(..length)?;
        Some(bytes.iter().rev().fold(0_u64, |number, &byte| number << 8 | u64::from(byte)))
    };
    let is_empty = || {
        let (length, version) = (number(0, 4)?, number(4, 2)?);
        // Up to version 4 the length of the header follows the version, in 5 two bytes come between.
        let at = match version {
            2..=4 => 6,
            5 => 8,
            _ => return None,
        };
        // What the length counts begins behind its 4 bytes.
        Some(length < 0xffff_fff0 && length == at as u64 + number(at, 4)?)
    };
    is_empty().unwrap_or(false)
}

/// Brings the claims of each unit together.
fn gather(dwarf: &gimli::Dwarf<Reader<'_>>, mut claims: Vec<(usize, u32)>) -> Vec<Claim> {
    claims.sort_unstable();
    claims.dedup();
    claims
        .chunk_by(|a, b| a.0 == b.0)
        .map(|claims| {
            let unit = DebugInfoOffset(claims[0].0);
            let size = dwarf.unit_header(unit).map_or(0, |header| header.length_including_self());
            Claim { unit, size, wanted: claims.iter().map(|&(_, index)| index).collect() }
        })
        .collect()
}
