//! The code that the kernel maps into every process, which is in no file: it is read from our own process, if it can be
//! the one that the dump means.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use object::Object;
use prof_format::vocab::BuildId;

use crate::model::Image;

/// No kernel's is larger than a few pages.
const BYTES_MAX: u64 = 1 << 20;

/// How an image of it is called in a memory map.
pub const NAME: &str = "[vdso]";

/// The ELF file in memory.
///
/// # Errors
/// In words, why it is not known to be the dump's: another build id or, where the dump has none, another size, or a dump
/// from before this machine was started.
pub fn read(image: &Image, made_at: Option<SystemTime>) -> Result<Vec<u8>, String> {
    let bytes = own().ok_or("is not a file, and this process has none to look into")?;
    let id = object::File::parse(&*bytes)
        .ok()
        .and_then(|object| object.build_id().ok().flatten().map(BuildId::new));
    let same_size = image.parts.iter().all(|&(offset, length)| (offset, length) == (0, bytes.len() as u64));
    let same_boot = made_at.zip(started_at()).is_some_and(|(made, started)| made >= started);
    let fits = match id {
        Some(id) if !image.build_id.is_empty() => id == image.build_id,
        _ => same_size && same_boot,
    };
    if fits { Ok(bytes) } else { Err("is not a file, and belongs to another kernel than this one".into()) }
}

fn own() -> Option<Vec<u8>> {
    let map = std::fs::read_to_string("/proc/self/maps").ok()?;
    let line = map.lines().find(|line| line.ends_with(NAME))?;
    let (start, end) = line.split(' ').next()?.split_once('-')?;
    let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    let size = end.checked_sub(start).filter(|size| *size <= BYTES_MAX)?;
    let mut bytes = vec![0; size as usize];
    File::open("/proc/self/mem").ok()?.read_exact_at(&mut bytes, start).ok()?;
    Some(bytes)
}

/// When the machine was started.
fn started_at() -> Option<SystemTime> {
    let text = std::fs::read_to_string("/proc/stat").ok()?;
    let seconds = text.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()?;
    Some(UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_kernel_s_own_is_used() {
        let Some(bytes) = own() else { return };
        let image = |length, build_id| Image {
            path: NAME.into(),
            build_id,
            deleted: false,
            parts: vec![(0, length)],
            mapped: vec![],
        };
        let length = bytes.len() as u64;
        let (none, now) = (BuildId::default(), Some(SystemTime::now()));
        assert_eq!(read(&image(length, none), now), Ok(bytes));
        assert!(read(&image(length, none), Some(UNIX_EPOCH)).is_err());
        assert!(read(&image(length, none), None).is_err());
        assert!(read(&image(length + 4096, none), now).is_err());
        assert!(read(&image(length, BuildId::new(&[1; 20])), now).is_err());
    }
}
