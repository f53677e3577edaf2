//! Reads the JSON.

use serde_json::Value;

/// One end of the life of an object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub thread: u64,
    pub name: String,
    /// On whichever clock the profiler had: wall time or the coarse monotonic one.
    pub nanos: u64,
    /// Return addresses, leaf first.
    pub trace: Vec<u64>,
}

/// A sampled object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sample {
    pub size: u64,
    pub usize_: u64,
    pub released: bool,
    pub alloc: Event,
    pub dalloc: Option<Event>,
}

impl Sample {
    /// When it was last heard of.
    pub fn newest(&self) -> u64 {
        self.dalloc.as_ref().map_or(self.alloc.nanos, |dalloc| dalloc.nanos.max(self.alloc.nanos))
    }
}

/// What the file says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Document {
    /// Mean sampling distance in bytes.
    pub interval: u64,
    /// How many samples are kept at most; -1 for all.
    pub max: i64,
    /// Oldest first.
    pub samples: Vec<Sample>,
}

/// How far into a file the first key is looked for.
const HEAD: usize = 256;

/// The samples of a document; `None` when the bytes do not begin as one.
///
/// # Errors
/// In words, with the field: it begins as one and is not.
pub fn read(bytes: &[u8]) -> Option<Result<Document, String>> {
    begins(bytes).then(|| parse(bytes.trim_ascii_start()))
}

/// Whether bytes begin as a document, by as many of them as are needed for that.
pub fn begins(bytes: &[u8]) -> bool {
    let start = bytes.trim_ascii_start();
    let head = String::from_utf8_lossy(&start[..start.len().min(HEAD)]);
    head.starts_with('{') && head.contains("\"recent_alloc")
}

fn parse(bytes: &[u8]) -> Result<Document, String> {
    let root: Value = serde_json::from_slice(bytes)
        .map_err(|error| format!("is cut off or no JSON: {error}, in samples of prof_recent"))?;
    let samples = root.get("recent_alloc").ok_or("field 'recent_alloc' is missing")?;
    let samples = samples.as_array().ok_or("field 'recent_alloc' is no list")?;
    let sample = |(at, value)| sample(value).map_err(|what| format!("recent_alloc[{at}]: {what}"));
    Ok(Document {
        interval: number(&root, "sample_interval")?,
        max: root.get("recent_alloc_max").and_then(Value::as_i64).unwrap_or(-1),
        samples: samples.iter().enumerate().map(sample).collect::<Result<_, _>>()?,
    })
}

fn sample(value: &Value) -> Result<Sample, String> {
    let released = value.get("released").and_then(Value::as_bool);
    let dalloc = value.get("dalloc_time").is_some();
    Ok(Sample {
        size: number(value, "size")?,
        usize_: number(value, "usize")?,
        released: released.ok_or("field 'released' is missing, or neither true nor false")?,
        alloc: event(value, "alloc")?,
        dalloc: if dalloc { Some(event(value, "dalloc")?) } else { None },
    })
}

fn event(value: &Value, of: &str) -> Result<Event, String> {
    let trace_key = format!("{of}_trace");
    let trace = value.get(&trace_key).and_then(Value::as_array);
    let trace = trace.ok_or_else(|| format!("field '{trace_key}' is missing, or no list"))?;
    let address = |value: &Value| {
        let digits = value.as_str().and_then(|text| text.strip_prefix("0x"));
        digits
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .ok_or_else(|| format!("field '{trace_key}': {value} is no address"))
    };
    let name = value.get(format!("{of}_thread_name")).and_then(Value::as_str);
    Ok(Event {
        thread: number(value, &format!("{of}_thread_uid"))?,
        name: name.unwrap_or_default().into(),
        nanos: number(value, &format!("{of}_time"))?,
        trace: trace.iter().map(address).collect::<Result<_, _>>()?,
    })
}

fn number(value: &Value, key: &str) -> Result<u64, String> {
    let field = value.get(key).ok_or_else(|| format!("field '{key}' is missing"))?;
    field.as_u64().ok_or_else(|| format!("field '{key}' is no number from 0 on"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        let refusal = |text: &str| read(text.as_bytes()).unwrap().unwrap_err();
        assert!(refusal(r#"{"sample_interval":1,"recent_alloc_max":3,"recent_alloc":["#).contains("cut off"));
        let one = |sample: &str| refusal(&format!(r#"{{"sample_interval":1,"recent_alloc":[{sample}]}}"#));
        assert_eq!(one(r#"{"size":-1}"#), "recent_alloc[0]: field 'size' is no number from 0 on");
        assert_eq!(one(r#"{"size":1}"#), "recent_alloc[0]: field 'usize' is missing");
        let trace = r#"{"size":1,"usize":8,"released":false,"alloc_thread_uid":0,"alloc_time":1,"alloc_trace":["zz"]}"#;
        assert!(one(trace).contains("field 'alloc_trace': \"zz\" is no address"));
    }

    #[test]
    fn other_documents_are_left_to_others() {
        assert!(
            read(br#"{"jemalloc":{}}"#).is_none() && read(b"heap_v2/1\n").is_none() && read(b"").is_none()
        );
    }
}
