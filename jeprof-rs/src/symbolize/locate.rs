//! Which file on this machine is the image that a dump speaks of, and whether it still is.

use std::path::Path;

use super::binary::{self, Binary};
use super::debug_file::fetched;
use super::debuginfod::Kind;
use super::search::{Origin, Search};
use super::trail::Trail;
use crate::error::{Error, Result};
use crate::model::{Image, ImageId, Profile, file_name};

/// The program that the user named, and the image that it stands for.
#[derive(Debug)]
pub struct NamedProgram {
    /// Its headers.
    pub binary: Binary,
    /// The image, `None` when the dumps have no mappings to compare with.
    pub image: Option<ImageId>,
    /// What the user should know about the match.
    pub warning: Option<String>,
}

/// Finds the image that the named program is: by build id, else by path or name, else the main program if its
/// mapped parts fit.
///
/// # Errors
/// The file is no program, or not the one that made the dumps.
pub fn named_program(profile: &Profile, path: &Path) -> Result<NamedProgram> {
    let mut binary = Binary::open(path).map_err(|what| Error::at(path.display(), what))?;
    if profile.images.is_empty() && binary.is_fixed {
        // Its code is at its own addresses, whatever else the dump does not tell.
        return Ok(NamedProgram { binary, image: None, warning: None });
    }
    if profile.images.is_empty() {
        let warning = "the dump has no mappings, so the program cannot be matched with it; it is not used";
        return Ok(NamedProgram {
            warning: Some(format!("{}: {warning}", path.display())),
            binary,
            image: None,
        });
    }
    let by_id = |image: &Image| !image.build_id.is_empty() && image.build_id == binary.build_id;
    let real_path = path.canonicalize().ok();
    let real_path = real_path.as_deref().and_then(Path::to_str).unwrap_or_default();
    let by_path = |image: &Image| image.path == real_path || Path::new(&image.path) == path;
    let by_name = |image: &Image| {
        image.name() == file_name(real_path) || path.file_name().is_some_and(|n| n == image.name())
    };
    let find = |fits: &dyn Fn(&Image) -> bool| profile.images.iter().position(fits);
    let exact = find(&by_id);
    let likely = exact.or_else(|| find(&by_path)).or_else(|| find(&by_name));
    let index = match likely.or(profile.program.map(ImageId::index)) {
        Some(index) => index,
        None => {
            return Err(Error::at(path.display(), "is not the program that made the dump: no mapping of it"));
        }
    };
    let image = &profile.images[index];
    if exact.is_none()
        && let Some(what) = contradiction(image, &binary)
    {
        return Err(Error::at(
            path.display(),
            format!("is not the program that made the dump ({}): {what}", image.path),
        ));
    }
    put_in_place(&mut binary, image).map_err(|what| Error::at(path.display(), what))?;
    let warning = likely.is_none().then(|| {
        format!(
            "{}: the dump names the program {}; their code has the same layout, so the names of the former are used",
            path.display(),
            image.path
        )
    });
    Ok(NamedProgram { image: Some(profile.image_id(index)), binary, warning })
}

/// Why no file can be used for an image, and where one was looked for beside its own path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// In words.
    pub reason: String,
    /// The other places.
    pub trail: Trail,
}

/// The file of an image: the first that is there and is the one that was mapped, or else its debug file.
///
/// # Errors
/// There is none; for the dump's own path with what is wrong there: missing, replaced, not a file at all.
pub fn image_file(image: &Image, search: &Search) -> std::result::Result<Binary, Missing> {
    let mut trail = Trail::default();
    let is_path = image.path.starts_with('/') && !image.path.starts_with("//");
    let mut reason = (!is_path).then(|| "is not a file".to_string());
    if image.path.starts_with('[') || !is_path && image.build_id.is_empty() {
        return Err(Missing { reason: reason.unwrap_or_default(), trail });
    }
    // A debug file has all names, but not what stripping leaves in the program itself.
    let mut second_best = None;
    for (path, origin) in search.binaries(&image.path, &image.build_id) {
        let answer = if path.is_file() { usable(&path, origin, image) } else { Err("no such file".into()) };
        match answer {
            Ok(binary) if binary.is_hollow => second_best = second_best.or(Some(binary)),
            Ok(binary) => return Ok(binary),
            Err(why) if origin == Origin::Itself => reason = Some(why),
            Err(_) if !path.exists() => trail.missing(&path),
            Err(why) => trail.refused(&path, why),
        }
    }
    if let Some(binary) = second_best {
        return Ok(binary);
    }
    for kind in [Kind::Executable, Kind::Debug] {
        let fetched = fetched(search, kind, &image.build_id, &mut trail);
        if let Some(Ok(binary)) = fetched.map(|path| usable(&path, Origin::Copy, image)) {
            return Ok(binary);
        }
    }
    Err(Missing { reason: reason.unwrap_or_else(|| "no file of it was found".into()), trail })
}

/// Opens a file that is there, if it is the image.
fn usable(path: &Path, origin: Origin, image: &Image) -> std::result::Result<Binary, String> {
    let mut binary = Binary::open(path)?;
    let checked = !image.build_id.is_empty();
    if let Some(what) = contradiction(image, &binary) {
        return Err(match origin {
            Origin::Itself => format!("was replaced since the dump: {what}"),
            _ => format!("is another build: {what}"),
        });
    }
    match origin {
        Origin::Itself if image.deleted && !checked => {
            Err("was deleted or replaced while the program ran, and the dump has no build id to check with"
                .into())
        }
        Origin::OtherRoot if !checked => {
            Err("is not below --sysroot, and the dump has no build id to check with".into())
        }
        _ => put_in_place(&mut binary, image).map(|()| binary),
    }
}

/// Gives a debug file, which does not tell where in the real file its code was, the places that were mapped.
fn put_in_place(binary: &mut Binary, image: &Image) -> std::result::Result<(), String> {
    if binary.is_hollow {
        binary.segments = binary::unfolded(&binary.segments, &image.parts)
            .ok_or("is a debug file, and its segments are not those that were mapped")?;
    }
    Ok(())
}

/// What shows that a file is not the image: another build id, or, when one of them has none, mapped parts that the
/// file does not have.
fn contradiction(image: &Image, binary: &Binary) -> Option<String> {
    if !image.build_id.is_empty() && !binary.build_id.is_empty() {
        return (image.build_id != binary.build_id)
            .then(|| format!("build id in the dump {}, in the file {}", image.build_id, binary.build_id));
    }
    if binary.is_hollow {
        return binary::unfolded(&binary.segments, &image.parts)
            .is_none()
            .then(|| "it is a debug file, and its segments are not those that were mapped".to_string());
    }
    let stray = image.parts.iter().find(|part| !binary.may_hold(**part))?;
    Some(format!(
        "{:#x} bytes of code were mapped from offset {:#x} of the file, where this one has no such code segment",
        stray.1, stray.0
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use prof_format::vocab::BuildId;

    fn own_binary() -> Binary {
        Binary::open(&std::env::current_exe().unwrap()).unwrap()
    }

    fn image_of(binary: &Binary) -> Image {
        let segment = binary.segments[0];
        Image {
            path: binary.path.to_str().unwrap().into(),
            build_id: binary.build_id,
            deleted: false,
            parts: vec![(segment.offset / 4096 * 4096, 4096)],
            mapped: vec![],
        }
    }

    #[test]
    fn the_file_that_was_mapped_is_found() {
        assert!(image_file(&image_of(&own_binary()), &Search::default()).is_ok());
    }

    #[test]
    fn another_build_id_is_told_with_both_ids() {
        let mut binary = own_binary();
        binary.build_id = BuildId::new(&[0xaa; 20]);
        let mut image = image_of(&binary);
        image.build_id = BuildId::new(&[0xbb; 20]);
        let what = contradiction(&image, &binary).unwrap();
        assert!(what.contains(&"aa".repeat(20)) && what.contains(&"bb".repeat(20)), "{what}");
    }

    #[test]
    fn without_build_ids_the_layout_decides() {
        let binary = own_binary();
        let mut image = image_of(&binary);
        image.build_id = BuildId::default();
        assert_eq!(contradiction(&image, &binary), None);
        image.parts.push((1 << 40, 4096));
        assert!(contradiction(&image, &binary).unwrap().contains("no such code segment"));
    }

    #[test]
    fn a_deleted_file_is_used_only_with_an_equal_build_id() {
        let mut image = image_of(&own_binary());
        image.deleted = true;
        image.build_id = BuildId::default();
        let missing = image_file(&image, &Search::default()).unwrap_err();
        assert!(missing.reason.contains("deleted or replaced"), "{missing:?}");
    }

    #[test]
    fn what_is_no_path_is_no_file() {
        let image = Image {
            path: "[vdso]".into(),
            build_id: BuildId::default(),
            deleted: false,
            parts: vec![],
            mapped: vec![],
        };
        let missing = image_file(&image, &Search::default()).unwrap_err();
        assert_eq!((missing.reason.as_str(), missing.trail), ("is not a file", Trail::default()));
    }
}
