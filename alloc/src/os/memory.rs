//! How much memory the process has, by the kernel.

use super::{environment, files};

/// Bytes of the process that are in memory (RSS), from `/proc/self/statm`; `None` when that cannot be read. Four system
/// calls. On some kernels each thread's last few pages are missing.
pub fn resident() -> Option<u64> {
    let mut text = [0; 128];
    Some(parse(files::read(&[b"/proc/self/statm"], &mut text)?)? * environment::page_size() as u64)
}

/// The second number, pages.
fn parse(text: &[u8]) -> Option<u64> {
    core::str::from_utf8(text).ok()?.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_number_of_statm_counts_pages_in_memory() {
        assert_eq!(parse(b"2214 523 455 9 0 156 0\n"), Some(523));
        assert_eq!(parse(b"2214"), None);
        assert!(resident().is_some_and(|bytes| bytes > 4096));
    }
}
