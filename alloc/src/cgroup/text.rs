//! What the kernel's files say. Pure.

/// Which interface a control group has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A hierarchy for each controller.
    V1,
    /// One hierarchy.
    V2,
}

/// Path of the control group of a controller in the text of `/proc/self/cgroup`, whose lines are
/// `number:controllers:path`. Version 1 is looked for first: where both are there, its hierarchies have the controllers.
pub fn path<'a>(text: &'a [u8], controller: &[u8]) -> Option<(Version, &'a [u8])> {
    let lines = || text.split(|&byte| byte == b'\n').filter_map(fields);
    let v1 =
        lines().find(|(controllers, _)| controllers.split(|&b| b == b',').any(|name| name == controller));
    let v2 = || lines().find(|(controllers, _)| controllers.is_empty());
    v1.map(|(_, path)| (Version::V1, path)).or_else(|| v2().map(|(_, path)| (Version::V2, path)))
}

fn fields(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut fields = line.splitn(3, |&byte| byte == b':');
    fields.next()?;
    Some((fields.next()?, fields.next()?))
}

/// A number of bytes; `None` for `max`, and for what version 1 says instead, about 2^63.
pub fn bytes(text: &[u8]) -> Option<usize> {
    number(text.trim_ascii()).filter(|&bytes| bytes < 1 << 60)
}

/// The number behind `key` and a blank at the start of a line.
pub fn value_of(text: &[u8], key: &[u8]) -> Option<usize> {
    let mut lines = text.split(|&byte| byte == b'\n');
    lines.find_map(|line| number(line.strip_prefix(key)?.strip_prefix(b" ")?))
}

/// Processors' worth of time, rounded up, in the text of `cpu.max`: `quota period`; `None` without a quota.
pub fn cpus_v2(text: &[u8]) -> Option<u32> {
    let mut words = text.trim_ascii().split(|&byte| byte == b' ');
    cpus(words.next()?, words.next()?)
}

/// The same of version 1's two files.
pub fn cpus(quota: &[u8], period: &[u8]) -> Option<u32> {
    let (quota, period) = (number(quota.trim_ascii())?, number(period.trim_ascii())?);
    if period == 0 { None } else { u32::try_from(quota.div_ceil(period).max(1)).ok() }
}

fn number(text: &[u8]) -> Option<usize> {
    core::str::from_utf8(text).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_of_a_controller_is_found() {
        let v1 = b"5:memory:/a/b\n3:cpu,cpuacct:/c:d\n1:name=systemd:/x\n0::/y\n";
        assert_eq!(path(v1, b"memory"), Some((Version::V1, &b"/a/b"[..])));
        assert_eq!(path(v1, b"cpu"), Some((Version::V1, &b"/c:d"[..])));
        assert_eq!(path(v1, b"pids"), Some((Version::V2, &b"/y"[..])));
        assert_eq!(path(b"0::/\n", b"memory"), Some((Version::V2, &b"/"[..])));
        assert_eq!(path(b"", b"memory"), None);
    }

    #[test]
    fn limits_are_numbers_or_none() {
        assert_eq!(bytes(b"268435456\n"), Some(256 << 20));
        for none in [&b"max\n"[..], b"9223372036854771712\n", b"", b"x"] {
            assert_eq!(bytes(none), None);
        }
        assert_eq!(value_of(b"anon 1\ninactive_file 77\nx 2", b"inactive_file"), Some(77));
        assert_eq!(value_of(b"total_inactive_file 77", b"inactive_file"), None);
    }

    #[test]
    fn a_quota_counts_processors_rounded_up() {
        for (text, want) in
            [("200000 100000\n", Some(2)), ("150000 100000", Some(2)), ("1000 100000", Some(1))]
        {
            assert_eq!(cpus_v2(text.as_bytes()), want, "{text}");
        }
        for none in ["max 100000\n", "", "7", "5 0"] {
            assert_eq!(cpus_v2(none.as_bytes()), None, "{none}");
        }
        assert_eq!(cpus(b"-1\n", b"100000\n"), None);
        assert_eq!(cpus(b"50000\n", b"100000\n"), Some(1));
    }
}
