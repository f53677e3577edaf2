//! Which addresses an entry covers.

use gimli::{AttributeValue, UnitRef, constants as c};

use super::sections::Reader;
use super::shapes::Fault;

/// The attributes of an entry that say where its code is.
#[derive(Default)]
pub struct CodeAttributes {
    low: Option<u64>,
    high: Option<u64>,
    size: Option<u64>,
    list: Option<gimli::RangeListsOffset>,
}

impl CodeAttributes {
    /// Takes an attribute in, whichever it is.
    ///
    /// # Errors
    /// It points outside its section.
    pub fn take<'a>(
        &mut self,
        unit: UnitRef<'_, Reader<'a>>,
        attribute: &gimli::Attribute<Reader<'a>>,
    ) -> Result<(), Fault> {
        match (attribute.name(), attribute.value()) {
            (c::DW_AT_low_pc, value) => self.low = unit.attr_address(value)?,
            (c::DW_AT_high_pc, AttributeValue::Udata(size)) => self.size = Some(size),
            (c::DW_AT_high_pc, value) => self.high = unit.attr_address(value)?,
            (c::DW_AT_ranges, value) => self.list = unit.attr_ranges_offset(value)?,
            _ => {}
        }
        Ok(())
    }

    /// Hands out each range that is not empty: start and end. What begins below `code_start` belongs to code that the
    /// linker has left out.
    ///
    /// # Errors
    /// The list of ranges is broken.
    pub fn for_each(
        &self,
        unit: UnitRef<'_, Reader<'_>>,
        code_start: u64,
        mut visit: impl FnMut(u64, u64),
    ) -> Result<(), Fault> {
        let mut visit = |begin: u64, end: u64| {
            if begin < end && begin >= code_start {
                visit(begin, end);
            }
        };
        match (self.list, self.low, self.high, self.size) {
            (Some(list), ..) => {
                let mut ranges = unit.ranges(list)?;
                while let Some(range) = ranges.next()? {
                    visit(range.begin, range.end);
                }
            }
            (None, Some(low), Some(high), _) => visit(low, high),
            // The mark for left-out code is the highest address; adding to it wraps, and the range counts as empty.
            (None, Some(low), None, Some(size)) => visit(low, low.wrapping_add(size)),
            _ => {}
        }
        Ok(())
    }
}
