//! The newest samples one by one, in jemalloc's JSON (`experimental.prof_recent.alloc_dump`): one line, oldest first.

use crate::json::Json;
use crate::snapshot::Sink;

/// One end of the life of an object.
#[derive(Clone, Copy, Debug, Default)]
pub struct Event<'a> {
    /// Uid of the thread.
    pub thread: u64,
    /// Its name; may be empty, any bytes.
    pub name: &'a [u8],
    /// When; which clock that is depends on the profiler's options.
    pub nanos: u64,
    /// Return addresses, leaf first.
    pub trace: &'a [u64],
}

/// A sampled object.
#[derive(Clone, Copy, Debug, Default)]
pub struct Record<'a> {
    /// Bytes asked for.
    pub size: u64,
    /// Usable bytes.
    pub usize_: u64,
    /// Whether it was freed.
    pub released: bool,
    /// Its birth.
    pub alloc: Event<'a>,
    /// Its death, if that is known.
    pub dalloc: Option<Event<'a>>,
}

/// Writes the text up to the first record. Does not allocate, as all of these.
///
/// # Errors
/// The first one of `sink`, as for all of these.
pub fn begin<S: Sink>(interval: u64, max: i64, sink: &mut S) -> Result<(), S::Error> {
    let mut json = Json::new(sink, false);
    json.open("{")?;
    json.number("sample_interval", interval)?;
    json.signed("recent_alloc_max", max)?;
    json.open_at("recent_alloc", "[")
}

/// Writes a record; `first` when it is.
pub fn record<S: Sink>(record: &Record<'_>, first: bool, sink: &mut S) -> Result<(), S::Error> {
    let mut json = Json::new(sink, !first);
    json.open("{")?;
    json.number("size", record.size)?;
    json.number("usize", record.usize_)?;
    json.truth("released", record.released)?;
    event(&mut json, &record.alloc, ["alloc_thread_uid", "alloc_thread_name", "alloc_time", "alloc_trace"])?;
    if let Some(dalloc) = &record.dalloc {
        event(&mut json, dalloc, ["dalloc_thread_uid", "dalloc_thread_name", "dalloc_time", "dalloc_trace"])?;
    }
    json.close("}")
}

fn event<S: Sink>(json: &mut Json<'_, S>, event: &Event<'_>, keys: [&str; 4]) -> Result<(), S::Error> {
    let [uid, name, time, trace] = keys;
    json.number(uid, event.thread)?;
    if !event.name.is_empty() {
        json.text(name, event.name)?;
    }
    json.number(time, event.nanos)?;
    json.open_at(trace, "[")?;
    json.addresses(event.trace)?;
    json.close("]")
}

/// Writes what follows the last record.
pub fn end<S: Sink>(sink: &mut S) -> Result<(), S::Error> {
    let mut json = Json::new(sink, false);
    json.close("]")?;
    json.close("}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{string::String, vec::Vec};

    fn written(records: &[Record<'_>], max: i64) -> String {
        let mut bytes = Vec::new();
        let Ok(()) = begin(1, max, &mut bytes);
        records.iter().enumerate().for_each(|(nth, row)| {
            let Ok(()) = record(row, nth == 0, &mut bytes);
        });
        let Ok(()) = end(&mut bytes);
        let text = String::from_utf8(bytes).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap();
        text
    }

    #[test]
    fn the_text_is_jemalloc_s_to_the_byte() {
        let alloc =
            Event { thread: 1, name: b"worker-a", nanos: 1_795_189_616_001_278_996, trace: &[0x7f81, 16] };
        let dalloc = Event { thread: 0, name: b"", nanos: 5, trace: &[1] };
        let dead = Record { size: 100, usize_: 112, released: true, alloc, dalloc: Some(dalloc) };
        let alive =
            Record { size: 300, usize_: 320, alloc: Event { trace: &[], ..dalloc }, ..Record::default() };
        assert_eq!(
            written(&[dead, alive], 3),
            "{\"sample_interval\":1,\"recent_alloc_max\":3,\"recent_alloc\":[{\"size\":100,\"usize\":112,\"released\":true,\
             \"alloc_thread_uid\":1,\"alloc_thread_name\":\"worker-a\",\"alloc_time\":1795189616001278996,\
             \"alloc_trace\":[\"0x7f81\",\"0x10\"],\"dalloc_thread_uid\":0,\"dalloc_time\":5,\"dalloc_trace\":[\"0x1\"]},\
             {\"size\":300,\"usize\":320,\"released\":false,\"alloc_thread_uid\":0,\"alloc_time\":5,\"alloc_trace\":[]}]}"
        );
        assert_eq!(written(&[], -1), "{\"sample_interval\":1,\"recent_alloc_max\":-1,\"recent_alloc\":[]}");
    }
}
