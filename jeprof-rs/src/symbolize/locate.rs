//! Which file on this machine is the image that a dump speaks of, and whether it still is.

use std::path::Path;

use super::binary::Binary;
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
    let binary = Binary::open(path).map_err(|what| Error::at(path.display(), what))?;
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
    let warning = likely.is_none().then(|| {
        format!(
            "{}: the dump names the program {}; their code has the same layout, so the names of the former are used",
            path.display(),
            image.path
        )
    });
    Ok(NamedProgram { image: Some(profile.image_id(index)), binary, warning })
}

/// The file of an image, by the path in the dump.
///
/// # Errors
/// In words, why the file cannot be used: missing, replaced, not a file at all.
pub fn by_dump_path(image: &Image) -> std::result::Result<Binary, String> {
    if !image.path.starts_with('/') {
        return Err("is not a file".into());
    }
    let binary = Binary::open(Path::new(&image.path))?;
    if image.deleted && image.build_id.is_empty() {
        return Err(
            "was deleted or replaced while the program ran, and the dump has no build id to check with"
                .into(),
        );
    }
    match contradiction(image, &binary) {
        Some(what) => Err(format!("was replaced since the dump: {what}")),
        None => Ok(binary),
    }
}

/// What shows that a file is not the image: another build id, or, when one of them has none, mapped parts that the
/// file does not have.
fn contradiction(image: &Image, binary: &Binary) -> Option<String> {
    if !image.build_id.is_empty() && !binary.build_id.is_empty() {
        return (image.build_id != binary.build_id)
            .then(|| format!("build id in the dump {}, in the file {}", image.build_id, binary.build_id));
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
        }
    }

    #[test]
    fn the_file_that_was_mapped_is_found() {
        assert!(by_dump_path(&image_of(&own_binary())).is_ok());
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
        assert!(by_dump_path(&image).unwrap_err().contains("deleted or replaced"));
    }

    #[test]
    fn what_is_no_path_is_no_file() {
        let image =
            Image { path: "[vdso]".into(), build_id: BuildId::default(), deleted: false, parts: vec![] };
        assert!(by_dump_path(&image).is_err());
    }
}
