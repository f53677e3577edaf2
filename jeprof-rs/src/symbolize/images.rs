//! For every image that a frame lies in: its file, the files beside it, and the addresses that are wanted of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use prof_format::vocab::BuildId;

use super::binary::Binary;
use super::debug_file::{self, Companions};
use super::locate::{self, NamedProgram};
use super::search::Search;
use super::symbol_table::SymbolTable;
use super::trail::Trail;
use super::{perf_map, vdso};
use crate::error::{Error, Result};
use crate::model::{FrameId, ImageId, Place, Profile};
use crate::plan::finding::Finding;

/// An image whose file was found, and what is wanted of it: addresses in the file's own space, sorted.
pub struct Located {
    /// `None` for code in no mapping.
    pub image: Option<ImageId>,
    /// The file.
    pub binary: Binary,
    /// The files beside it.
    pub beside: Companions,
    /// Addresses and the frames that they are of.
    pub wanted: Vec<(u64, FrameId)>,
}

/// What was found for one image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageFacts {
    /// The image.
    pub image: ImageId,
    /// Its file.
    pub file: Option<PathBuf>,
    /// The file's build id.
    pub build_id: BuildId,
    /// Files beside it that are used: debug file, common file, package.
    pub beside: Vec<(&'static str, PathBuf)>,
    /// What is wrong, when something is.
    pub problem: Option<String>,
    /// Where files were looked for in vain.
    pub trail: Trail,
}

/// Everything that was found.
#[derive(Default)]
pub struct Images {
    /// Files to look into.
    pub located: Vec<Located>,
    /// Linkage names of frames that are in no file.
    pub names: Vec<(FrameId, String)>,
    /// One row per image that a frame without a name lies in.
    pub facts: Vec<ImageFacts>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// Finds the files. `named` is the program of the command line, `dumps` are the names of the dumps.
///
/// # Errors
/// A file that the command line names cannot be used.
pub fn find(
    profile: &Profile,
    named: Option<&NamedProgram>,
    dumps: &[String],
    finding: &Finding,
    search: &Search,
) -> Result<Images> {
    let mut found = Images::default();
    let mut offsets: BTreeMap<ImageId, Vec<(u64, FrameId)>> = BTreeMap::new();
    // Code that may have been made while the program ran, by its address there.
    let mut homeless: Vec<(u64, FrameId)> = Vec::new();
    for (frame, id) in
        profile.frames.iter().zip(profile.frame_ids()).filter(|(frame, _)| frame.names.is_empty())
    {
        match frame.place {
            Place::Image { image, offset } => offsets.entry(image).or_default().push((offset, id)),
            Place::Unmapped(address) => homeless.push((address, id)),
        }
    }
    for (id, offsets) in offsets {
        let image = &profile.images[id.index()];
        let mut facts = ImageFacts {
            image: id,
            file: None,
            build_id: BuildId::default(),
            beside: Vec::new(),
            problem: None,
            trail: Trail::default(),
        };
        if image.path == vdso::NAME {
            match vdso::read(image, profile.made_at) {
                Ok(bytes) => found.names.extend(names_in_vdso(&bytes, &offsets)),
                Err(why) => facts.problem = Some(why),
            }
            found.facts.push(facts);
            continue;
        }
        let answer = match named {
            Some(named) if named.image == Some(id) => Ok(named.binary.clone()),
            _ => locate::image_file(image, search),
        };
        match answer {
            Ok(binary) => {
                let changed =
                    profile.made_at.zip(binary.modified).is_some_and(|(made, changed)| changed > made);
                if changed && image.build_id.is_empty() {
                    found.warnings.push(format!(
                        "{}: was changed after the dump was made, and the dump has no build id to check with: its \
                         names may be wrong",
                        binary.path.display()
                    ));
                }
                let in_file = |&(offset, id)| Some((binary.address_of_offset(offset)?, id));
                let mut wanted: Vec<(u64, FrameId)> = offsets.iter().filter_map(in_file).collect();
                wanted.sort_unstable();
                let beside = debug_file::find(&binary, &image.path, search);
                facts.file = Some(binary.path.clone());
                facts.build_id = binary.build_id;
                facts.beside = [
                    ("debug file", &beside.debug),
                    ("common file", &beside.common),
                    ("package", &beside.package),
                ]
                .into_iter()
                .filter_map(|(what, path)| Some((what, path.clone()?)))
                .collect();
                facts.trail = beside.trail.clone();
                found.located.push(Located { image: Some(id), binary, beside, wanted });
            }
            Err(missing) => {
                facts.problem = Some(missing.reason);
                facts.trail = missing.trail;
                homeless.extend(offsets.iter().map(|(_, id)| (profile.frames[id.index()].address, *id)));
            }
        }
        found.facts.push(facts);
    }
    add_unmapped(&mut found, &mut homeless, named, finding, search)?;
    if !homeless.is_empty()
        && let Some((path, text)) =
            perf_map::find(finding.perf_map.as_deref(), dumps, profile.made_at, search)?
    {
        homeless.sort_unstable();
        let addresses: Vec<u64> = homeless.iter().map(|(address, _)| *address).collect();
        let names = perf_map::names_in(&text, &addresses);
        let before = found.names.len();
        found.names.extend(names.into_iter().zip(&homeless).filter_map(|(name, (_, id))| Some((*id, name?))));
        if found.names.len() == before && finding.perf_map.is_some() {
            found.warnings.push(format!("{}: names no code of the dump", path.display()));
        }
    }
    Ok(found)
}

/// Takes frames in no mapping that lie in files whose code is at its own addresses: those of `--add_lib`, and a program
/// that is linked to fixed addresses when the dump has no mappings at all.
fn add_unmapped(
    found: &mut Images,
    homeless: &mut Vec<(u64, FrameId)>,
    named: Option<&NamedProgram>,
    finding: &Finding,
    search: &Search,
) -> Result<()> {
    let mut files: Vec<Binary> = Vec::new();
    for path in &finding.add_lib {
        files.push(Binary::open(path).map_err(|what| Error::at(path.display(), what))?);
    }
    files.extend(
        named
            .filter(|named| named.image.is_none() && named.binary.is_fixed)
            .map(|named| named.binary.clone()),
    );
    for binary in files {
        let (mut wanted, rest): (Vec<_>, Vec<_>) = homeless.drain(..).partition(|(address, _)| {
            let within = |segment: &super::binary::Segment| {
                address.checked_sub(segment.address).is_some_and(|offset| offset < segment.memory)
            };
            binary.segments.iter().any(within)
        });
        *homeless = rest;
        if wanted.is_empty() {
            continue;
        }
        wanted.sort_unstable();
        let path = binary.path.to_string_lossy().into_owned();
        let beside = debug_file::find(&binary, &path, search);
        found.located.push(Located { image: None, binary, beside, wanted });
    }
    Ok(())
}

/// The kernel's code is mapped as a whole, so that offsets are its own addresses.
fn names_in_vdso(bytes: &[u8], offsets: &[(u64, FrameId)]) -> Vec<(FrameId, String)> {
    let Ok(object) = object::File::parse(bytes) else { return Vec::new() };
    let table = SymbolTable::of(&object);
    offsets.iter().filter_map(|&(offset, id)| Some((id, table.spanning(offset)?.to_string()))).collect()
}
