//! Which source line an address comes from.
//!
//! A line program is run once and no row of it is kept: the wanted addresses are sorted and so are the rows of a
//! sequence, so both are merged while the program runs.

use gimli::constants as c;

use super::sections::Reader;
use super::shapes::Fault;

/// A row of the line table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// Number of the file in the unit's list.
    pub file: u64,
    /// Line, 0 when the code comes from no line.
    pub line: u32,
    /// Column, 0 for the left edge or unknown.
    pub column: u32,
}

const START: Row = Row { file: 1, line: 1, column: 0 };

/// Answers sorted addresses while rows arrive.
struct Merge<'w> {
    wanted: &'w [u64],
    found: Vec<Option<Row>>,
    left: usize,
    /// Next address to answer in the current sequence.
    next: usize,
    /// The latest row of the sequence.
    last: Option<(u64, Row)>,
    /// Rows up to this address answer nothing: they only become the latest.
    idle_to: u64,
}

impl Merge<'_> {
    #[inline]
    fn row(&mut self, address: u64, row: Row) {
        // Nearly all rows of a program are of this kind.
        if let Some(last) = &mut self.last
            && address <= self.idle_to
        {
            *last = (address, row);
            return;
        }
        self.decisive_row(address, row);
    }

    fn decisive_row(&mut self, address: u64, row: Row) {
        match self.last {
            None => self.next = self.wanted.partition_point(|&wanted| wanted < address),
            Some((last, of_last)) if last < address => self.answer(address, of_last),
            Some(_) => {}
        }
        self.last = Some((address, row));
        self.idle_to = self.wanted.get(self.next).copied().unwrap_or(u64::MAX);
    }

    fn end(&mut self, address: u64) {
        if let Some((_, of_last)) = self.last.take() {
            self.answer(address, of_last);
        }
    }

    /// All wanted addresses below `address` that are not answered in this sequence are in this row.
    fn answer(&mut self, address: u64, row: Row) {
        while let Some(&wanted) = self.wanted.get(self.next)
            && wanted < address
        {
            if self.found[self.next].is_none() {
                self.found[self.next] = Some(row);
                self.left -= 1;
            }
            self.next += 1;
        }
    }
}

/// Finds the rows of these addresses (sorted). Rows below `code_start` belong to code that the linker has left out.
///
/// # Errors
/// The program is broken, or of a machine whose instructions hold several operations.
pub fn find(
    unit: &gimli::Unit<Reader<'_>>,
    wanted: &[u64],
    code_start: u64,
) -> Result<Vec<Option<Row>>, Fault> {
    let mut merge = Merge {
        wanted,
        found: vec![None; wanted.len()],
        left: wanted.len(),
        next: 0,
        last: None,
        idle_to: 0,
    };
    if let Some(program) = &unit.line_program {
        run(program.header(), &mut merge, code_start)?;
    }
    Ok(merge.found)
}

fn run(
    header: &gimli::LineProgramHeader<Reader<'_>>,
    merge: &mut Merge<'_>,
    code_start: u64,
) -> Result<(), Fault> {
    if header.maximum_operations_per_instruction() > 1 || header.line_range() == 0 {
        return Err(Fault::Unsupported);
    }
    let step = u64::from(header.minimum_instruction_length());
    let (base, range) = (i64::from(header.line_base()), header.line_range());
    let opcode_base = header.opcode_base();
    let lengths = header.standard_opcode_lengths().slice();
    // Per special opcode what it adds to address and line. They are most of a program, and each would cost a division.
    let special: [(u64, i64); 256] = std::array::from_fn(|opcode| {
        let adjusted = (opcode as u8).wrapping_sub(opcode_base);
        (step * u64::from(adjusted / range), base + i64::from(adjusted % range))
    });
    let highest = match header.address_size() {
        8 => u64::MAX,
        size => (1u64 << (8 * u32::from(size.min(7)))) - 1,
    };
    let program = header.raw_program_buf();
    let mut input = Input { bytes: program.slice(), at: 0 };
    let (mut address, mut row) = (0u64, START);
    let mut line = i64::from(START.line);
    // Set while the addresses are those of code that the linker has left out.
    let mut dead = true;
    while merge.left > 0 && input.at < input.bytes.len() {
        let opcode = input.byte()?;
        if opcode >= opcode_base {
            let (bytes, lines) = special[usize::from(opcode)];
            line = line.wrapping_add(lines);
            address = address.wrapping_add(bytes);
            if !dead {
                row.line = line as u32;
                merge.row(address, row);
            }
            continue;
        }
        match gimli::DwLns(opcode) {
            gimli::DwLns(0) => {
                let length = input.number()?;
                let end = input.at.saturating_add(usize::try_from(length).unwrap_or(usize::MAX));
                let mut operand = Input { bytes: input.bytes.get(..end).ok_or(Fault::Broken)?, at: input.at };
                input.at = end;
                if length == 0 {
                    continue;
                }
                match gimli::DwLne(operand.byte()?) {
                    c::DW_LNE_end_sequence => {
                        if !dead {
                            merge.end(address);
                        }
                        merge.last = None;
                        (address, row, line, dead) = (0, START, i64::from(START.line), true);
                    }
                    c::DW_LNE_set_address => {
                        let mut target = 0;
                        for shift in 0..(length - 1).min(8) {
                            target |= u64::from(operand.byte()?) << (8 * shift);
                        }
                        // The linker's marks for left-out code: the highest addresses, 0, or an address before the one
                        // that the sequence has reached.
                        dead = !dead && target < address || target < code_start || target >= highest - 1;
                        if !dead {
                            address = target;
                        }
                    }
                    // Files defined here are not in the header's list.
                    c::DW_LNE_define_file => return Err(Fault::Unsupported),
                    _ => {}
                }
            }
            c::DW_LNS_copy => {
                if !dead {
                    row.line = line as u32;
                    merge.row(address, row);
                }
            }
            c::DW_LNS_advance_pc => address = address.wrapping_add(step.wrapping_mul(input.number()?)),
            c::DW_LNS_advance_line => line = line.wrapping_add(input.signed()?),
            c::DW_LNS_set_file => row.file = input.number()?,
            c::DW_LNS_set_column => row.column = u32::try_from(input.number()?).unwrap_or(0),
            c::DW_LNS_negate_stmt
            | c::DW_LNS_set_basic_block
            | c::DW_LNS_set_prologue_end
            | c::DW_LNS_set_epilogue_begin => {}
            c::DW_LNS_const_add_pc => {
                address = address.wrapping_add(step * u64::from((255 - opcode_base) / range));
            }
            c::DW_LNS_fixed_advance_pc => {
                let low = u64::from(input.byte()?);
                address = address.wrapping_add(low | u64::from(input.byte()?) << 8);
            }
            _ => {
                // An opcode of a later version: the header says how many operands it has.
                let operands = lengths.get(usize::from(opcode) - 1).copied().unwrap_or(0);
                for _ in 0..operands {
                    input.number()?;
                }
            }
        }
    }
    Ok(())
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Input<'_> {
    #[inline]
    fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self.bytes.get(self.at).ok_or(Fault::Broken)?;
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    fn number(&mut self) -> Result<u64, Fault> {
        let (mut value, mut shift) = (0u64, 0);
        loop {
            let byte = self.byte()?;
            if shift < 64 {
                value |= u64::from(byte & 0x7f) << shift;
            }
            shift += 7;
            if byte < 0x80 {
                return Ok(value);
            }
        }
    }

    #[inline]
    fn signed(&mut self) -> Result<i64, Fault> {
        let (mut value, mut shift) = (0u64, 0);
        loop {
            let byte = self.byte()?;
            if shift < 64 {
                value |= u64::from(byte & 0x7f) << shift;
            }
            shift += 7;
            if byte < 0x80 {
                if shift < 64 && byte & 0x40 != 0 {
                    value |= u64::MAX << shift;
                }
                return Ok(value as i64);
            }
        }
    }
}
