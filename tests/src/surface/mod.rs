//! The allocator's surface as lists: every option, mallctl name and symbol of `fixtures/compat`, the probes that follow
//! from each, and what they should answer.
//!
//! The lists say what there is; [`cases`] derives what to try; [`probe`] asks a library. Tests decide what may differ.

pub mod cases;
pub mod lists;
pub mod options;
pub mod probe;
pub mod strings;
pub mod verdict;

/// Whether an answer fits a pattern, in which `*` stands for anything.
pub fn fits(answer: &str, pattern: &str) -> bool {
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = answer.strip_prefix(first) else { return false };
    let mut last = None;
    for part in parts {
        if let Some(part) = last.replace(part) {
            let Some(at) = rest.find(part) else { return false };
            rest = &rest[at + part.len()..];
        }
    }
    match last {
        // Without a star the prefix must have been all of it.
        None => rest.is_empty(),
        Some(last) => rest.ends_with(last),
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stands_for_anything() {
        assert!(fits("rc=0 len=8 old=4096", "rc=0 len=8 old=*"));
        assert!(fits("rc=0 len=8 old=4096", "rc=0 * old=4*6"));
        assert!(fits("", "*"));
        assert!(!fits("rc=0", "rc=0 *"));
        assert!(!fits("rc=0 len=8", "rc=0 len"));
        assert!(!fits("rc=EPERM", "rc=0*"));
    }
}
