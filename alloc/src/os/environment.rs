//! What the process was given: environment variables, the link text of a file, whether it runs privileged.

use core::ffi::{CStr, c_char};

use rustix::fd::BorrowedFd;
use rustix::fs::{CWD, readlinkat_raw};

use super::files;

unsafe extern "C" {
    static environ: *const *const c_char;
}

/// Copies the value of environment variable `name` into `buffer` and answers its length, cut to the buffer.
///
/// Reads `environ`; before libc has set that up (a preload is called by the loader first) reads
/// `/proc/self/environ` instead. Never allocates. `None` when the variable is not set.
pub fn variable(name: &[u8], buffer: &mut [u8]) -> Option<usize> {
    // SAFETY: reads the pointer that libc maintains; while the process starts up there is one thread.
    let mut entry = unsafe { environ };
    if entry.is_null() {
        return variable_of_proc(name, buffer);
    }
    loop {
        // SAFETY: `environ` is an array of pointers that ends with a null one; `entry` has not passed that.
        let pair = unsafe { *entry };
        if pair.is_null() {
            return None;
        }
        // SAFETY: entries before the null one are NUL-terminated strings.
        let pair = unsafe { CStr::from_ptr(pair) }.to_bytes();
        if let Some(value) = value_of(name, pair) {
            return Some(copy(value, buffer));
        }
        entry = entry.wrapping_add(1);
    }
}

fn value_of<'a>(name: &[u8], pair: &'a [u8]) -> Option<&'a [u8]> {
    pair.strip_prefix(name)?.strip_prefix(b"=")
}

fn copy(value: &[u8], buffer: &mut [u8]) -> usize {
    let len = value.len().min(buffer.len());
    buffer[..len].copy_from_slice(&value[..len]);
    len
}

/// Streams `/proc/self/environ` through a small window: names are matched and the value copied byte by byte, so
/// that neither a large environment nor a large value needs memory.
fn variable_of_proc(name: &[u8], buffer: &mut [u8]) -> Option<usize> {
    files::with(c"/proc/self/environ", |file| variable_of(file, name, buffer))?
}

fn variable_of(file: BorrowedFd<'_>, name: &[u8], buffer: &mut [u8]) -> Option<usize> {
    let mut window = [0u8; 512];
    // Bytes of `name=` matched so far in this pair; `None` once they differ.
    let mut matched = Some(0);
    let mut found = None;
    loop {
        let n = rustix::io::read(file, &mut window).ok().filter(|&n| n != 0);
        let Some(n) = n else { return found };
        for &byte in &window[..n] {
            match (byte, matched) {
                (0, _) if found.is_some() => return found,
                (0, _) => matched = Some(0),
                (b'=', Some(at)) if at == name.len() && found.is_none() => found = Some(0),
                (_, _) if found.is_some() => {
                    let len = found.unwrap_or(0);
                    if len < buffer.len() {
                        buffer[len] = byte;
                        found = Some(len + 1);
                    }
                }
                (_, Some(at)) if name.get(at) == Some(&byte) => matched = Some(at + 1),
                _ => matched = None,
            }
        }
    }
}

/// Copies the link text of `path` into `buffer` and answers its length; `None` when it is no symbolic link.
pub fn link_text(path: &CStr, buffer: &mut [u8]) -> Option<usize> {
    readlinkat_raw(CWD, path, buffer).ok()
}

/// Whether the process gained privileges at exec (set-user-id): its environment is not to be trusted.
pub fn privileged() -> bool {
    // SAFETY: getauxval reads a vector that the kernel wrote before the process began.
    unsafe { libc::getauxval(libc::AT_SECURE) != 0 }
}

/// The kernel's page size; at least 1.
pub fn page_size() -> usize {
    // SAFETY: as above.
    unsafe { libc::getauxval(libc::AT_PAGESZ) as usize }.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_found_in_environ_and_in_proc_alike() {
        let mut a = [0; 64];
        let mut b = [0; 64];
        // The process that runs the tests was started with a PATH.
        let n = variable(b"PATH", &mut a).unwrap();
        assert_eq!(variable_of_proc(b"PATH", &mut b), Some(n));
        assert_eq!(a, b);
        assert_eq!(variable(b"PAT", &mut a), None);
        assert_eq!(variable_of_proc(b"JEALLOC_NO_SUCH_VARIABLE", &mut b), None);
    }
}
