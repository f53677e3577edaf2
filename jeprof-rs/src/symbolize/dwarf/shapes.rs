//! How many bytes each kind of entry takes, worked out once per unit, so that walking past an entry is a few additions.
//!
//! A unit's entries are a flat sequence: an abbreviation code, then the attributes that the abbreviation lists, without
//! lengths. Nearly all entries are only walked past (types, variables, functions that nobody asked for), ten million of
//! them in a large binary, so this is the inner loop of a look-up.

use gimli::{Abbreviation, AttributeSpecification, DwAt, DwForm, DwTag, constants as c};

use super::sections::Reader;

/// Codes are handed out from 1 on, so that they are indices; a unit with more is not parsed this way.
const CODES_MAX: u64 = 1 << 20;

/// Why entries cannot be walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The bytes make no sense.
    Broken,
    /// Something that this engine leaves to the general one.
    Unsupported,
}

impl From<gimli::Error> for Fault {
    fn from(_: gimli::Error) -> Fault {
        Fault::Broken
    }
}

/// A part of an entry whose length is in the entry itself, and the bytes of fixed length behind it.
#[derive(Clone, Copy)]
struct Step {
    part: Part,
    then: u32,
}

#[derive(Clone, Copy)]
enum Part {
    /// A number in groups of seven bits.
    Leb,
    /// A text with a zero at its end.
    Text,
    /// A length of one byte, then as many bytes; likewise below.
    Block1,
    Block2,
    Block4,
    BlockLeb,
}

/// One abbreviation.
#[derive(Clone, Copy)]
pub struct Shape {
    /// What the entry is.
    pub tag: DwTag,
    /// Whether entries below it follow.
    pub has_children: bool,
    /// Whether it can have code: it has an address or ranges.
    pub has_code: bool,
    /// Bytes of fixed length at the start.
    fixed: u32,
    steps: (u32, u32),
}

/// The abbreviations of one unit.
pub struct Shapes {
    shapes: Vec<Shape>,
    steps: Vec<Step>,
}

impl Shapes {
    /// Works out all abbreviations of a unit.
    ///
    /// # Errors
    /// [`Fault::Unsupported`] for forms whose length is not known in advance.
    pub fn new(unit: &gimli::Unit<Reader<'_>>) -> Result<Shapes, Fault> {
        let mut shapes = Shapes { shapes: Vec::with_capacity(128), steps: Vec::with_capacity(128) };
        let mut code = 1;
        while let Some(abbreviation) = unit.abbreviations.get(code) {
            shapes.add(abbreviation, unit.encoding())?;
            code += 1;
            if code > CODES_MAX {
                return Err(Fault::Unsupported);
            }
        }
        Ok(shapes)
    }

    fn add(&mut self, abbreviation: &Abbreviation, encoding: gimli::Encoding) -> Result<(), Fault> {
        let first = self.steps.len() as u32;
        let mut fixed: u32 = 0;
        let has = |name: DwAt| abbreviation.attributes().iter().any(|attribute| attribute.name() == name);
        for attribute in abbreviation.attributes() {
            match length(*attribute, encoding)? {
                Length::Fixed(bytes) => match self.steps[first as usize..].last_mut() {
                    None => fixed += bytes,
                    Some(step) => step.then += bytes,
                },
                Length::Varies(part) => self.steps.push(Step { part, then: 0 }),
            }
        }
        self.shapes.push(Shape {
            tag: abbreviation.tag(),
            has_children: abbreviation.has_children(),
            has_code: has(c::DW_AT_low_pc) || has(c::DW_AT_ranges),
            fixed,
            steps: (first, self.steps.len() as u32),
        });
        Ok(())
    }
}

enum Length {
    Fixed(u32),
    Varies(Part),
}

/// Bytes that an attribute of this form takes. Source: DWARF 5, section 7.5.6, and the extensions of GNU.
fn length(attribute: AttributeSpecification, encoding: gimli::Encoding) -> Result<Length, Fault> {
    let offset = u32::from(encoding.format.word_size());
    Ok(match attribute.form() {
        c::DW_FORM_flag_present | c::DW_FORM_implicit_const => Length::Fixed(0),
        c::DW_FORM_data1 | c::DW_FORM_flag | c::DW_FORM_ref1 | c::DW_FORM_strx1 | c::DW_FORM_addrx1 => {
            Length::Fixed(1)
        }
        c::DW_FORM_data2 | c::DW_FORM_ref2 | c::DW_FORM_strx2 | c::DW_FORM_addrx2 => Length::Fixed(2),
        c::DW_FORM_strx3 | c::DW_FORM_addrx3 => Length::Fixed(3),
        c::DW_FORM_data4 | c::DW_FORM_ref4 | c::DW_FORM_ref_sup4 | c::DW_FORM_strx4 | c::DW_FORM_addrx4 => {
            Length::Fixed(4)
        }
        c::DW_FORM_data8 | c::DW_FORM_ref8 | c::DW_FORM_ref_sig8 | c::DW_FORM_ref_sup8 => Length::Fixed(8),
        c::DW_FORM_data16 => Length::Fixed(16),
        c::DW_FORM_addr => Length::Fixed(u32::from(encoding.address_size)),
        // Version 2 had references to other units as wide as an address.
        c::DW_FORM_ref_addr if encoding.version <= 2 => Length::Fixed(u32::from(encoding.address_size)),
        c::DW_FORM_sec_offset
        | c::DW_FORM_strp
        | c::DW_FORM_strp_sup
        | c::DW_FORM_line_strp
        | c::DW_FORM_ref_addr
        | c::DW_FORM_GNU_ref_alt
        | c::DW_FORM_GNU_strp_alt => Length::Fixed(offset),
        c::DW_FORM_udata
        | c::DW_FORM_sdata
        | c::DW_FORM_ref_udata
        | c::DW_FORM_strx
        | c::DW_FORM_addrx
        | c::DW_FORM_loclistx
        | c::DW_FORM_rnglistx
        | c::DW_FORM_GNU_str_index
        | c::DW_FORM_GNU_addr_index => Length::Varies(Part::Leb),
        c::DW_FORM_string => Length::Varies(Part::Text),
        c::DW_FORM_block1 => Length::Varies(Part::Block1),
        c::DW_FORM_block2 => Length::Varies(Part::Block2),
        c::DW_FORM_block4 => Length::Varies(Part::Block4),
        c::DW_FORM_block | c::DW_FORM_exprloc => Length::Varies(Part::BlockLeb),
        DwForm(_) => return Err(Fault::Unsupported),
    })
}

/// A place in the entries of a unit.
pub struct Walk<'a> {
    bytes: &'a [u8],
    /// Where `bytes` begins in the unit.
    base: usize,
    at: usize,
}

impl<'a> Walk<'a> {
    /// Starts at an entry (`offset` counts from the start of the unit).
    ///
    /// # Errors
    /// The offset lies outside the unit.
    pub fn new(unit: &gimli::Unit<Reader<'a>>, offset: gimli::UnitOffset) -> Result<Walk<'a>, Fault> {
        let bytes = unit.header.range_from(offset..)?.slice();
        Ok(Walk { bytes, base: offset.0, at: 0 })
    }

    /// Whether nothing is left.
    pub fn is_over(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// Where the next entry begins, from the start of the unit.
    pub fn offset(&self) -> gimli::UnitOffset {
        gimli::UnitOffset(self.base + self.at)
    }

    /// Reads which kind of entry comes next; `None` is the end of a list of children.
    ///
    /// # Errors
    /// The kind is not known.
    #[inline]
    pub fn next<'s>(&mut self, shapes: &'s Shapes) -> Result<Option<&'s Shape>, Fault> {
        let code = self.number()?;
        match (code as usize).checked_sub(1) {
            None => Ok(None),
            Some(index) => match shapes.shapes.get(index) {
                Some(shape) => Ok(Some(shape)),
                // Codes with gaps are legal and do not occur.
                None => Err(Fault::Unsupported),
            },
        }
    }

    /// Goes past the attributes of the entry that [`Walk::next`] has just named.
    ///
    /// # Errors
    /// The entry reaches beyond the unit.
    #[inline]
    pub fn skip(&mut self, shapes: &Shapes, shape: &Shape) -> Result<(), Fault> {
        self.at += shape.fixed as usize;
        let (first, end) = shape.steps;
        for step in &shapes.steps[first as usize..end as usize] {
            match step.part {
                Part::Leb => while self.byte()? >= 0x80 {},
                Part::Text => while self.byte()? != 0 {},
                Part::Block1 => {
                    let length = self.byte()?;
                    self.forward(u64::from(length))?;
                }
                Part::Block2 => {
                    let length = u64::from(self.byte()?) | u64::from(self.byte()?) << 8;
                    self.forward(length)?;
                }
                Part::Block4 => {
                    let mut length = 0;
                    for shift in [0, 8, 16, 24] {
                        length |= u64::from(self.byte()?) << shift;
                    }
                    self.forward(length)?;
                }
                Part::BlockLeb => {
                    let length = self.number()?;
                    self.forward(length)?;
                }
            }
            self.at += step.then as usize;
        }
        Ok(())
    }

    /// Goes on at another entry behind this one.
    pub fn go_to(&mut self, offset: gimli::UnitOffset) {
        self.at = offset.0.saturating_sub(self.base).max(self.at);
    }

    #[inline]
    fn forward(&mut self, bytes: u64) -> Result<(), Fault> {
        if bytes > self.bytes.len() as u64 {
            return Err(Fault::Broken);
        }
        self.at += bytes as usize;
        Ok(())
    }

    #[inline]
    fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self.bytes.get(self.at).ok_or(Fault::Broken)?;
        self.at += 1;
        Ok(byte)
    }

    #[inline]
    fn number(&mut self) -> Result<u64, Fault> {
        let byte = self.byte()?;
        if byte < 0x80 {
            return Ok(u64::from(byte));
        }
        let (mut value, mut shift) = (u64::from(byte & 0x7f), 7);
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
}
