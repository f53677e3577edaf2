//! Small files of the kernel's, read whole into a buffer of the caller's.

use core::ffi::CStr;

use prof_runtime::fleeting::Fleeting;

/// Longest path, with its NUL.
const PATH_MAX: usize = 1024;

/// The path that `parts` make up one after the other, which need not be UTF-8; `None` when it is too long.
fn joined<'a>(parts: &[&[u8]], buffer: &'a mut [u8; PATH_MAX]) -> Option<&'a CStr> {
    let mut len = 0;
    for part in parts {
        buffer.get_mut(len..len + part.len())?.copy_from_slice(part);
        len += part.len();
    }
    *buffer.get_mut(len)? = 0;
    CStr::from_bytes_with_nul(&buffer[..=len]).ok()
}

/// Reads the file whose path `parts` make up, up to the length of `buffer`; `None` when it cannot be read. Never
/// allocates. Cost: three or four system calls.
pub fn read<'a>(parts: &[&[u8]], buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    let mut path = [0; PATH_MAX];
    let path = joined(parts, &mut path)?;
    let file = Fleeting::open(path).ok()?;
    let mut len = 0;
    while len < buffer.len() {
        match rustix::io::read(&file, &mut buffer[len..]) {
            Ok(0) => break,
            Ok(n) => len += n,
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return None,
        }
    }
    Some(&buffer[..len])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_whole_or_up_to_the_buffer() {
        let mut buffer = [0; 4096];
        let all = read(&[b"/proc", b"/self/", b"status"], &mut buffer).unwrap();
        assert!(all.starts_with(b"Name:") && all.len() > 100);
        let mut short = [0; 5];
        assert_eq!(read(&[b"/proc/self/status"], &mut short), Some(&b"Name:"[..]));
        assert_eq!(read(&[b"/proc/self/no such file"], &mut short), None);
        assert_eq!(read(&[&[b'a'; PATH_MAX]], &mut short), None);
    }
}
