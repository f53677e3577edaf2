//! What the kernel says of the process as a whole: how much of it is in memory, and how much may be.
//!
//! From `/proc` and the control group's own file, without allocation; what cannot be read stays unknown.

use core::ffi::CStr;

use prof_format::totals::Totals;
use rustix::io::Errno;

use super::names::Text;
use crate::{fleeting::Fleeting, memory::Rows, procmaps::read_full};

/// More than the kernel writes into any of the files.
const FILE_MAX: usize = 16 << 10;
/// Limits from here on mean that there is none: version 1 of control groups says so with the largest number of pages.
const NO_LIMIT: u64 = 1 << 62;

/// Adds what the kernel knows.
pub fn add_to(totals: &mut Totals) {
    let Some(mut buffer) = Rows::<u8>::zeroed(FILE_MAX) else { return };
    let read = |name: &CStr, fallback: &CStr, buffer: &mut [u8]| {
        // Through the thread: what is asked of the process itself is empty once its first thread has ended.
        contents(name, buffer).or_else(|_| contents(fallback, buffer)).unwrap_or(0)
    };
    let bytes = read(c"/proc/thread-self/status", c"/proc/self/status", &mut buffer);
    status(&buffer[..bytes], totals);
    let bytes = read(c"/proc/thread-self/cgroup", c"/proc/self/cgroup", &mut buffer);
    let Some(mut path) = Rows::<Text>::zeroed(1) else { return };
    if let Some(path) = path.first_mut() {
        let limits = groups(&buffer[..bytes]).filter_map(|group| group.limit(path));
        totals.cgroup_limit = limits.min();
    }
}

fn contents(path: &CStr, buffer: &mut [u8]) -> Result<usize, Errno> {
    let file = Fleeting::open(path)?;
    read_full(&file, buffer)
}

fn decimal(digits: &[u8]) -> Option<u64> {
    core::str::from_utf8(digits).ok()?.parse().ok()
}

/// Takes the sizes from the text of a status file, whose lines are `VmRSS:     1234 kB`.
fn status(text: &[u8], totals: &mut Totals) {
    for line in text.split(|byte| *byte == b'\n') {
        let kib = |name: &[u8]| {
            let rest = line.strip_prefix(name)?.trim_ascii();
            decimal(rest.strip_suffix(b" kB")?)?.checked_mul(1024)
        };
        totals.rss = totals.rss.or(kib(b"VmRSS:"));
        totals.rss_anon = totals.rss_anon.or(kib(b"RssAnon:"));
        totals.swap = totals.swap.or(kib(b"VmSwap:"));
    }
}

/// The control group that limits memory, as one hierarchy knows it.
struct Group<'a> {
    /// Where the hierarchy is mounted.
    mount: &'static [u8],
    /// The file in a group's folder that holds its limit.
    file: &'static [u8],
    /// The group in the hierarchy, from `/` on.
    path: &'a [u8],
}

/// Control groups in the text of a cgroup file, whose lines are `number:controllers:path`.
fn groups(text: &[u8]) -> impl Iterator<Item = Group<'_>> {
    text.split(|byte| *byte == b'\n').filter_map(|line| {
        let mut parts = line.splitn(3, |byte| *byte == b':');
        let (number, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        let mut controllers = controllers.split(|byte| *byte == b',');
        if number == b"0" {
            Some(Group { mount: b"/sys/fs/cgroup", file: b"/memory.max", path })
        } else if controllers.any(|controller| controller == b"memory") {
            Some(Group { mount: b"/sys/fs/cgroup/memory", file: b"/memory.limit_in_bytes", path })
        } else {
            None
        }
    })
}

impl Group<'_> {
    /// The smallest limit of the group and of those above it. In a container the path may be the host's, of which
    /// only the end of the way up exists.
    fn limit(&self, name: &mut Text) -> Option<u64> {
        let mut path = self.path.strip_suffix(b"/").unwrap_or(self.path);
        let mut least: Option<u64> = None;
        loop {
            name.clear().push(self.mount).push(path).push(self.file);
            let mut text = [0; 32];
            let bytes = name.as_path().and_then(|name| contents(name, &mut text).ok()).unwrap_or(0);
            let limit = decimal(text[..bytes].trim_ascii()).filter(|limit| *limit < NO_LIMIT);
            least = least.into_iter().chain(limit).min();
            match path.iter().rposition(|byte| *byte == b'/') {
                Some(slash) => path = &path[..slash],
                None => return least,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_found_among_the_lines_of_a_status_file() {
        let mut totals = Totals::default();
        status(
            b"Name:\tx VmRSS: 9 kB\nVmRSS:\t    1234 kB\nRssAnon:\t 34 kB\nVmSwap:\t0 kB\nVmLck:\t5 kB\n",
            &mut totals,
        );
        assert_eq!((totals.rss, totals.rss_anon, totals.swap), (Some(1234 << 10), Some(34 << 10), Some(0)));
        let mut totals = Totals::default();
        status(b"VmRSS: many kB\nRssAnon:\t99999999999999999999 kB\nVmSwap:", &mut totals);
        assert_eq!(totals, Totals::default());
    }

    #[test]
    fn groups_of_both_versions_are_found() {
        let text = b"5:devices:/a\n4:cpu,memory:/b/c:d\n0::/e\nnonsense\n";
        let found: std::vec::Vec<_> = groups(text).map(|group| (group.file, group.path)).collect();
        let expected: [(&[u8], &[u8]); 2] = [(b"/memory.limit_in_bytes", b"/b/c:d"), (b"/memory.max", b"/e")];
        assert_eq!(found, expected);
    }

    #[test]
    fn this_process_has_a_size() {
        let mut totals = Totals::default();
        add_to(&mut totals);
        let rss = totals.rss.unwrap();
        assert!(rss > 100 << 10 && totals.rss_anon.is_some_and(|anon| anon <= rss), "{totals:?}");
        assert!(totals.cgroup_limit.is_none_or(|limit| limit >= rss), "{totals:?}");
    }
}
