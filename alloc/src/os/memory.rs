//! How much memory the process has, by the kernel.

use prof_runtime::fleeting::Fleeting;

use super::environment;

/// Bytes of the process that are in memory (RSS), from `/proc/self/statm`; `None` when that cannot be read. Three system
/// calls. On some kernels each thread's last few pages are missing.
pub fn resident() -> Option<u64> {
    let file = Fleeting::open(c"/proc/self/statm").ok()?;
    let mut text = [0u8; 128];
    let read = rustix::io::read(&file, &mut text).ok()?;
    Some(parse(&text[..read])? * environment::page_size() as u64)
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
