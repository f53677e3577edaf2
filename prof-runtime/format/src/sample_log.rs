//! The log of sampled objects that were freed, in jemalloc's JSON (`prof.log_stop`): one line; threads and stacks are
//! listed once and referred to by position.

use crate::json::Json;
use crate::snapshot::Sink;

/// Facts about the whole log.
#[derive(Clone, Copy, Debug, Default)]
pub struct Info<'a> {
    /// Nanoseconds that it was kept.
    pub duration_nanos: u64,
    /// The allocator's version.
    pub version: &'a str,
    /// Log2 of the mean sampling distance.
    pub lg_sample: u8,
    /// Whether times are exact (`prof_time_resolution:high`).
    pub exact_time: bool,
    /// The process.
    pub pid: u32,
}

/// A freed object; threads and stacks by position in their lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Row {
    /// Thread that allocated it.
    pub alloc_thread: u64,
    /// Thread that freed it.
    pub free_thread: u64,
    /// Stack of the allocation.
    pub alloc_trace: u64,
    /// Stack of the free.
    pub free_trace: u64,
    /// When it was allocated.
    pub alloc_nanos: u64,
    /// When it was freed.
    pub free_nanos: u64,
    /// Usable bytes.
    pub usize_: u64,
}

/// What a log is made of, by index.
pub trait Log {
    /// Number of threads.
    fn threads(&self) -> usize;
    /// Uid of a thread, and its name in `name`; answers the name's length.
    fn thread(&self, index: usize, name: &mut [u8; 16]) -> (u64, usize);
    /// Number of stacks.
    fn stacks(&self) -> usize;
    /// Return addresses of a stack, leaf first, in `trace`; answers how many.
    fn stack(&self, index: usize, trace: &mut [u64]) -> usize;
    /// Number of freed objects.
    fn rows(&self) -> usize;
    /// A freed object.
    fn row(&self, index: usize) -> Row;
}

/// Most frames of a stack that are written.
const TRACE_MAX: usize = 256;

/// Writes the log. Does not allocate.
///
/// # Errors
/// The first one of `sink`.
pub fn write<L: Log, S: Sink>(info: &Info<'_>, log: &L, sink: &mut S) -> Result<(), S::Error> {
    let mut json = Json::new(sink, false);
    json.open("{")?;
    json.open_at("info", "{")?;
    json.number("duration", info.duration_nanos)?;
    json.text("version", info.version.as_bytes())?;
    json.number("lg_sample_rate", info.lg_sample.into())?;
    json.text("prof_time_resolution", if info.exact_time { b"high" } else { b"default" })?;
    json.number("pid", info.pid.into())?;
    json.close("}")?;
    json.open_at("threads", "[")?;
    for index in 0..log.threads() {
        let mut name = [0; 16];
        let (uid, length) = log.thread(index, &mut name);
        json.open("{")?;
        json.number("thr_uid", uid)?;
        json.text("thr_name", &name[..length.min(16)])?;
        json.close("}")?;
    }
    json.close("]")?;
    json.open_at("stack_traces", "[")?;
    for index in 0..log.stacks() {
        let mut trace = [0; TRACE_MAX];
        let frames = log.stack(index, &mut trace).min(TRACE_MAX);
        json.open("[")?;
        json.addresses(&trace[..frames])?;
        json.close("]")?;
    }
    json.close("]")?;
    json.open_at("allocations", "[")?;
    for index in 0..log.rows() {
        row(&mut json, &log.row(index))?;
    }
    json.close("]")?;
    json.close("}")
}

fn row<S: Sink>(json: &mut Json<'_, S>, row: &Row) -> Result<(), S::Error> {
    json.open("{")?;
    json.number("alloc_thread", row.alloc_thread)?;
    json.number("free_thread", row.free_thread)?;
    json.number("alloc_trace", row.alloc_trace)?;
    json.number("free_trace", row.free_trace)?;
    json.number("alloc_timestamp", row.alloc_nanos)?;
    json.number("free_timestamp", row.free_nanos)?;
    json.number("usize", row.usize_)?;
    json.close("}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::String, vec::Vec};

    struct Two;

    impl Log for Two {
        fn threads(&self) -> usize {
            2
        }

        fn thread(&self, index: usize, name: &mut [u8; 16]) -> (u64, usize) {
            name[..3].copy_from_slice(b"a\"b");
            (index as u64 + 7, if index == 0 { 3 } else { 0 })
        }

        fn stacks(&self) -> usize {
            2
        }

        fn stack(&self, index: usize, trace: &mut [u64]) -> usize {
            trace[..2].copy_from_slice(&[0x10, 0x20]);
            2 * index
        }

        fn rows(&self) -> usize {
            2
        }

        fn row(&self, index: usize) -> Row {
            Row {
                free_thread: 1,
                alloc_trace: 1,
                alloc_nanos: 3,
                free_nanos: 4,
                usize_: 16 << index,
                ..Row::default()
            }
        }
    }

    #[test]
    fn the_text_is_jemalloc_s_to_the_byte() {
        let info =
            Info { duration_nanos: 16, version: "5.3.1-0-g0", lg_sample: 16, exact_time: false, pid: 24 };
        let mut bytes = Vec::new();
        let Ok(()) = write(&info, &Two, &mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
        let row = |usize_: u64| {
            alloc::format!(
                "{{\"alloc_thread\":0,\"free_thread\":1,\"alloc_trace\":1,\"free_trace\":0,\"alloc_timestamp\":3,\
                 \"free_timestamp\":4,\"usize\":{usize_}}}"
            )
        };
        assert_eq!(
            text,
            alloc::format!(
                "{{\"info\":{{\"duration\":16,\"version\":\"5.3.1-0-g0\",\"lg_sample_rate\":16,\
                 \"prof_time_resolution\":\"default\",\"pid\":24}},\"threads\":[{{\"thr_uid\":7,\"thr_name\":\"a\\\"b\"}},\
                 {{\"thr_uid\":8,\"thr_name\":\"\"}}],\"stack_traces\":[[],[\"0x10\",\"0x20\"]],\"allocations\":[{},{}]}}",
                row(16),
                row(32)
            )
        );
    }
}
