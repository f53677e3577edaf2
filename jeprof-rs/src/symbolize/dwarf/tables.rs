//! Abbreviations, read once for all units that share them.
//!
//! What link-time optimisation brings into one object file shares one table: thousands of units, of which most have no
//! code left, would otherwise read hundreds of abbreviations each.

use std::sync::Arc;

use gimli::{Abbreviations, UnitHeader};
use hashbrown::HashMap;

use super::sections::Reader;
use super::shapes::{Fault, Shapes};

/// Tables that have been read, by where they begin in `.debug_abbrev`.
#[derive(Default)]
pub struct Tables {
    read: HashMap<usize, Arc<Abbreviations>>,
    shapes: HashMap<(usize, gimli::Encoding), Arc<Shapes>>,
}

impl Tables {
    /// The abbreviations of a unit.
    ///
    /// # Errors
    /// They are broken.
    pub fn of<'a>(
        &mut self,
        dwarf: &gimli::Dwarf<Reader<'a>>,
        header: &UnitHeader<Reader<'a>>,
    ) -> Result<Arc<Abbreviations>, Fault> {
        let at = header.debug_abbrev_offset().0;
        if let Some(known) = self.read.get(&at) {
            return Ok(Arc::clone(known));
        }
        let read = dwarf.abbreviations(header)?;
        self.read.insert(at, Arc::clone(&read));
        Ok(read)
    }

    /// A unit.
    ///
    /// # Errors
    /// Its abbreviations, its first entry or its line table are broken.
    pub fn open<'a>(
        &mut self,
        dwarf: &gimli::Dwarf<Reader<'a>>,
        header: UnitHeader<Reader<'a>>,
    ) -> Result<gimli::Unit<Reader<'a>>, Fault> {
        let abbreviations = self.of(dwarf, &header)?;
        Ok(gimli::Unit::new_with_abbreviations(dwarf, header, abbreviations)?)
    }

    /// How long the entries of a unit are.
    ///
    /// # Errors
    /// See [`Shapes::new`].
    pub fn shapes(&mut self, unit: &gimli::Unit<Reader<'_>>) -> Result<Arc<Shapes>, Fault> {
        let key = (unit.header.debug_abbrev_offset().0, unit.encoding());
        if let Some(known) = self.shapes.get(&key) {
            return Ok(Arc::clone(known));
        }
        let shapes = Arc::new(Shapes::new(unit)?);
        self.shapes.insert(key, Arc::clone(&shapes));
        Ok(shapes)
    }
}
