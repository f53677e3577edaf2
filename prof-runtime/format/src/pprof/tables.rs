//! Takes a profile apart by top-level field, in whatever order they came, and tells profiles from other files.

use alloc::{string::String, vec::Vec};

use super::fields::{profile, sample, value_type};
use super::wire_read::{Fields, Malformed, Value, numbers};
use crate::dump::ReadError;

/// A message of a top-level field with its offset in the file.
#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) offset: usize,
}

/// Why a part cannot be read; [`Part::broken`] adds where it is.
pub(super) enum Fault {
    Wire(Malformed),
    Content(String),
}

impl From<Malformed> for Fault {
    fn from(malformed: Malformed) -> Fault {
        Fault::Wire(malformed)
    }
}

impl From<String> for Fault {
    fn from(what: String) -> Fault {
        Fault::Content(what)
    }
}

impl<'a> Part<'a> {
    pub(super) fn broken(self, field: &'static str, fault: Fault) -> ReadError {
        match fault {
            Fault::Wire(Malformed { offset, what }) => {
                ReadError::Broken { offset: self.offset + offset, line: 0, field, what: what.into() }
            }
            Fault::Content(what) => ReadError::Broken { offset: self.offset, line: 0, field, what },
        }
    }

    /// Hands every field to `each`; names `field` in errors.
    pub(super) fn walk(
        self,
        field: &'static str,
        mut each: impl FnMut(u32, Value<'a>) -> Result<(), Fault>,
    ) -> Result<(), ReadError> {
        Fields::new(self.bytes)
            .try_for_each(|entry| {
                let (number, value) = entry?;
                each(number, value)
            })
            .map_err(|fault| self.broken(field, fault))
    }

    /// The numbers of plain fields by field number; others stay 0.
    pub(super) fn numbers<const N: usize>(self, field: &'static str) -> Result<[u64; N], ReadError> {
        let mut found = [0; N];
        self.walk(field, |number, value| {
            if let (Some(place), Value::Number(value)) = (found.get_mut(number as usize), value) {
                *place = value;
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// The plain fields of a message within a part, by field number; others stay 0.
pub(super) fn nested_numbers<const N: usize>(bytes: &[u8]) -> Result<[u64; N], Fault> {
    let mut found = [0; N];
    for entry in Fields::new(bytes) {
        // The offset within the inner message would be taken for one within the part.
        let (number, value) = entry.map_err(|malformed| Fault::Content(malformed.what.into()))?;
        if let (Some(place), Value::Number(value)) = (found.get_mut(number as usize), value) {
            *place = value;
        }
    }
    Ok(found)
}

/// The file taken apart by top-level field, in whatever order they came.
#[derive(Default)]
pub(super) struct Tables<'a> {
    pub(super) sample_types: Vec<Part<'a>>,
    pub(super) samples: Vec<Part<'a>>,
    pub(super) mappings: Vec<Part<'a>>,
    pub(super) locations: Vec<Part<'a>>,
    pub(super) functions: Vec<Part<'a>>,
    pub(super) strings: Vec<&'a [u8]>,
    pub(super) period_type: Option<Part<'a>>,
    /// Strings of comments, by index.
    pub(super) comments: Vec<u64>,
    /// Plain fields by number.
    pub(super) plain: [u64; profile::DOC_URL as usize + 1],
}

impl<'a> Tables<'a> {
    pub(super) fn collect(bytes: &'a [u8]) -> Result<Tables<'a>, ReadError> {
        let mut tables = Tables::default();
        let mut fields = Fields::new(bytes);
        let mut claimed = false;
        while let Some(field) = fields.next() {
            let end = fields.offset();
            match field {
                Ok((number, Value::Bytes(bytes))) => {
                    let part = Part { bytes, offset: end - bytes.len() };
                    claimed |= claims(number, part);
                    if !claimed && number == profile::SAMPLE_TYPE {
                        return Err(ReadError::NotThisFormat);
                    }
                    match number {
                        profile::SAMPLE_TYPE => tables.sample_types.push(part),
                        profile::SAMPLE => tables.samples.push(part),
                        profile::MAPPING => tables.mappings.push(part),
                        profile::LOCATION => tables.locations.push(part),
                        profile::FUNCTION => tables.functions.push(part),
                        profile::STRING_TABLE => tables.strings.push(bytes),
                        profile::PERIOD_TYPE => tables.period_type = Some(part),
                        profile::COMMENT => tables.comment(Value::Bytes(bytes), part)?,
                        _ => {}
                    }
                }
                Ok((profile::COMMENT, value)) => tables.comment(value, Part { bytes: &[], offset: end })?,
                Ok((number, Value::Number(value))) => {
                    if let Some(place) = tables.plain.get_mut(number as usize) {
                        *place = value;
                    }
                }
                Err(_) if !claimed => return Err(ReadError::NotThisFormat),
                Err(malformed) => {
                    let whole = Part { bytes, offset: 0 };
                    return Err(whole.broken("profile", Fault::Wire(malformed)));
                }
            }
        }
        // A profile without columns says nothing, so it is more likely something else.
        if claimed && !tables.sample_types.is_empty() { Ok(tables) } else { Err(ReadError::NotThisFormat) }
    }

    fn comment(&mut self, value: Value<'_>, part: Part<'_>) -> Result<(), ReadError> {
        let taken = numbers(value, |index| {
            self.comments.push(index);
            Ok(())
        });
        taken.map_err(|fault: Fault| part.broken("comment", fault))
    }
}

/// Whether this field makes it credible that the file is a profile.
fn claims(number: u32, part: Part<'_>) -> bool {
    let mut fields = Fields::new(part.bytes);
    match number {
        profile::SAMPLE_TYPE => {
            let known = |field| matches!(field, Ok((value_type::TYPE | value_type::UNIT, Value::Number(_))));
            !part.bytes.is_empty() && fields.all(known)
        }
        profile::SAMPLE => {
            let known = |field| matches!(field, Ok((sample::LOCATION_ID | sample::VALUE | sample::LABEL, _)));
            !part.bytes.is_empty() && fields.all(known)
        }
        profile::STRING_TABLE => part.bytes.is_empty(),
        _ => false,
    }
}
