//! Which function of a unit an address is in, and which inlined ones it is in there.
//!
//! One pass over the unit's entries finds the functions; only those that hold a wanted address are read further.

use gimli::{AttributeValue, UnitOffset, UnitRef, constants as c};

use super::ranges::CodeAttributes;
use super::sections::Reader;
use super::shapes::{Fault, Shapes, Walk};

/// A function that holds wanted addresses.
pub struct Hit {
    /// Its entry.
    pub offset: UnitOffset,
    /// Which ones: indices in the list of wanted addresses, rising.
    pub wanted: Vec<u32>,
}

/// An inlined call.
#[derive(Clone, Copy)]
pub struct Inlined<'a> {
    /// The entry itself.
    pub offset: UnitOffset,
    /// The entry of the function that was inlined.
    pub origin: Option<AttributeValue<Reader<'a>>>,
    /// Where it was called: number of the file in the unit's list.
    pub call_file: Option<u64>,
    /// Line of the call, 0 when unknown.
    pub call_line: u32,
    /// Column of the call, 0 when unknown.
    pub call_column: u32,
}

/// Finds the functions that hold these addresses (sorted). An address that several claim goes to the first.
///
/// # Errors
/// The entries are broken, or need the general engine.
pub fn find(
    unit: UnitRef<'_, Reader<'_>>,
    shapes: &Shapes,
    wanted: &[u64],
    code_start: u64,
) -> Result<Vec<Hit>, Fault> {
    const NOBODY: u32 = u32::MAX;
    let mut owners = vec![NOBODY; wanted.len()];
    let mut left = wanted.len();
    let mut found: Vec<Hit> = Vec::new();
    let mut walk = Walk::new(&unit, unit.header.root_offset())?;
    while left > 0 && !walk.is_over() {
        let offset = walk.offset();
        let Some(shape) = walk.next(shapes)? else { continue };
        walk.skip(shapes, shape)?;
        if shape.tag != c::DW_TAG_subprogram || !shape.has_code {
            continue;
        }
        let mut claimed = false;
        code_of(unit, offset)?.for_each(unit, code_start, |begin, end| {
            let first = wanted.partition_point(|&address| address < begin);
            for (index, _) in wanted[first..].iter().take_while(|&&address| address < end).enumerate() {
                let owner = &mut owners[first + index];
                if *owner == NOBODY {
                    *owner = found.len() as u32;
                    left -= 1;
                    claimed = true;
                }
            }
        })?;
        if claimed {
            found.push(Hit { offset, wanted: Vec::new() });
        }
    }
    for (index, owner) in owners.into_iter().enumerate() {
        if let Some(hit) = found.get_mut(owner as usize) {
            hit.wanted.push(index as u32);
        }
    }
    Ok(found)
}

fn code_of(unit: UnitRef<'_, Reader<'_>>, offset: UnitOffset) -> Result<CodeAttributes, Fault> {
    let mut entries = unit.entries_raw(Some(offset))?;
    let abbreviation = entries.read_abbreviation()?.ok_or(Fault::Broken)?;
    let mut code = CodeAttributes::default();
    for &attribute in abbreviation.attributes() {
        code.take(unit, &entries.read_attribute(attribute)?)?;
    }
    Ok(code)
}

/// What [`inlined`] answers with.
pub struct Chains<'a> {
    /// All inlined calls that hold a wanted address.
    pub calls: Vec<Inlined<'a>>,
    /// Per wanted address of the function its calls, outermost first, as indices in `calls`.
    pub of: Vec<Vec<u32>>,
}

/// Finds the inlined calls that hold a function's wanted addresses (sorted).
///
/// # Errors
/// As [`find`].
pub fn inlined<'a>(
    unit: UnitRef<'_, Reader<'a>>,
    shapes: &Shapes,
    function: UnitOffset,
    wanted: &[u64],
    code_start: u64,
) -> Result<Chains<'a>, Fault> {
    /// Stands for an inlined call that holds no wanted address.
    const MISSED: u32 = u32::MAX;
    let mut chains = Chains { calls: Vec::new(), of: vec![Vec::new(); wanted.len()] };
    let mut walk = Walk::new(&unit, function)?;
    // Of the entries that the walk is inside of: whether each is an inlined call, and which.
    let mut inside: Vec<Option<u32>> = Vec::new();
    // Of those, the inlined calls alone.
    let mut calls: Vec<u32> = Vec::new();
    // Below this depth everything belongs to a function inside the function.
    let mut nested: Option<usize> = None;
    loop {
        let offset = walk.offset();
        let Some(shape) = walk.next(shapes)? else {
            if inside.pop().flatten().is_some() {
                calls.pop();
            }
            if nested.is_some_and(|depth| inside.len() <= depth) {
                nested = None;
            }
            if inside.is_empty() {
                return Ok(chains);
            }
            continue;
        };
        walk.skip(shapes, shape)?;
        let mut entered = None;
        if shape.tag == c::DW_TAG_inlined_subroutine && nested.is_none() {
            let (call, code, sibling) = read_inlined(unit, offset)?;
            let mut index = MISSED;
            code.for_each(unit, code_start, |begin, end| {
                let first = wanted.partition_point(|&address| address < begin);
                let held = wanted[first..].iter().take_while(|&&address| address < end);
                for (chain, _) in chains.of[first..].iter_mut().zip(held) {
                    // Only if all calls around it hold the address too, and no sibling has claimed it before.
                    if chain.len() == calls.len() && chain.last() == calls.last() {
                        if index == MISSED {
                            index = chains.calls.len() as u32;
                            chains.calls.push(call);
                        }
                        chain.push(index);
                    }
                }
            })?;
            if let (MISSED, true, Some(sibling)) = (index, shape.has_children, sibling) {
                walk.go_to(sibling);
                continue;
            }
            entered = Some(index);
        }
        if shape.has_children {
            if shape.tag == c::DW_TAG_subprogram && !inside.is_empty() && nested.is_none() {
                nested = Some(inside.len());
            }
            inside.push(entered);
            calls.extend(entered);
        } else if inside.is_empty() {
            return Ok(chains);
        }
    }
}

/// An inlined call, where its code is, and where its next sibling begins.
type Read<'a> = (Inlined<'a>, CodeAttributes, Option<UnitOffset>);

fn read_inlined<'a>(unit: UnitRef<'_, Reader<'a>>, offset: UnitOffset) -> Result<Read<'a>, Fault> {
    let mut entries = unit.entries_raw(Some(offset))?;
    let abbreviation = entries.read_abbreviation()?.ok_or(Fault::Broken)?;
    let mut call = Inlined { offset, origin: None, call_file: None, call_line: 0, call_column: 0 };
    let mut code = CodeAttributes::default();
    let mut sibling = None;
    for &specification in abbreviation.attributes() {
        let attribute = entries.read_attribute_inline(specification)?;
        let small = || attribute.udata_value().map_or(0, |value| value as u32);
        match attribute.name() {
            c::DW_AT_abstract_origin => call.origin = Some(attribute.value()),
            c::DW_AT_call_line => call.call_line = small(),
            c::DW_AT_call_column => call.call_column = small(),
            c::DW_AT_call_file => {
                // Up to version 4, 0 is no file; from 5 on it is the first one.
                if let AttributeValue::FileIndex(index) = attribute.value() {
                    call.call_file = Some(index).filter(|&index| index > 0 || unit.header.version() >= 5);
                }
            }
            c::DW_AT_sibling => {
                if let AttributeValue::UnitRef(offset) = attribute.value() {
                    sibling = Some(offset);
                }
            }
            _ => code.take(unit, &attribute)?,
        }
    }
    Ok((call, code, sibling))
}
