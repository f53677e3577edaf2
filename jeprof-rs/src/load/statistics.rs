//! The allocator's statistics as JSON (`malloc_stats_print` with the option `J`, or `MALLOC_CONF=stats_print:true,\
//! stats_print_opts:J`): the totals that a stock jemalloc does not write into its dumps, and how full slabs are.

use prof_format::totals::Totals;
use serde_json::Value;

use crate::statistics::document::Document;

/// What is taken from a statistics document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statistics {
    /// Sums over the process.
    pub totals: Totals,
    /// Slabs by size class, smallest first; empty when the document was printed without them.
    pub bins: Vec<Bin>,
}

/// Slabs of a size class, of all arenas together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bin {
    /// Bytes of a region.
    pub size: u64,
    /// Regions of a slab.
    pub nregs: u64,
    /// Regions in use, those in thread caches included.
    pub curregs: u64,
    /// Slabs.
    pub curslabs: u64,
}

impl Bin {
    /// Bytes of regions that are free in slabs that are not.
    pub fn free_bytes(&self) -> u64 {
        self.curslabs.saturating_mul(self.nregs).saturating_sub(self.curregs).saturating_mul(self.size)
    }
}

/// What a statistics document tells; `None` when the bytes do not begin as one.
///
/// # Errors
/// In words, with the field: it begins as one and is not, or lacks what every version writes.
pub fn read(bytes: &[u8]) -> Option<Result<Statistics, String>> {
    let start = bytes.trim_ascii_start();
    start.starts_with(b"{").then(|| parse(start))
}

fn parse(bytes: &[u8]) -> Result<Statistics, String> {
    let mut document: Value = serde_json::from_slice(bytes).map_err(|error| format!("JSON: {error}"))?;
    let root = document
        .get_mut("jemalloc")
        .map(Value::take)
        .ok_or("is JSON, but not jemalloc's statistics: there is no field 'jemalloc'")?;
    let stats = root.get("stats").ok_or("field 'jemalloc.stats' is missing (statistics compiled out?)")?;
    let number = |object: &Value, path: &str, field: &str| {
        let value = object.get(field).ok_or_else(|| format!("field '{path}.{field}' is missing"))?;
        value.as_u64().ok_or_else(|| format!("field '{path}.{field}' is not a number of bytes"))
    };
    let total = |field: &str| number(stats, "jemalloc.stats", field);
    let mut totals = Totals {
        allocated: Some(total("allocated")?),
        active: Some(total("active")?),
        metadata: Some(total("metadata")?),
        resident: Some(total("resident")?),
        mapped: Some(total("mapped")?),
        retained: Some(total("retained")?),
        ..Totals::default()
    };
    // What follows depends on the options of the print.
    let page = root.get("arenas").and_then(|arenas| arenas.get("page")).and_then(Value::as_u64);
    if let Some(merged) = root.get("stats.arenas").and_then(|arenas| arenas.get("merged")) {
        let pages = |field: &str| Some(merged.get(field)?.as_u64()?.saturating_mul(page?));
        totals.dirty = pages("pdirty");
        totals.muzzy = pages("pmuzzy");
        totals.tcache_bytes = merged.get("tcache_bytes").and_then(Value::as_u64);
    }
    Ok(Statistics { totals, bins: bins(&Document::of(root)) })
}

/// Slabs of all arenas together, where the document tells them.
fn bins(document: &Document) -> Vec<Bin> {
    let slabs = document.merged().map(|all| all.bins()).unwrap_or_default();
    let bin = |((size, nregs), (curslabs, curregs))| Bin { size, nregs, curregs, curslabs };
    document.bins().into_iter().zip(slabs).map(bin).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_of_a_print_are_found_and_pages_become_bytes() {
        let text = br#"{"jemalloc":{"arenas":{"page":4096},
            "stats":{"allocated":10,"active":20,"metadata":3,"resident":40,"mapped":50,"retained":6},
            "stats.arenas":{"merged":{"pdirty":2,"pmuzzy":1,"tcache_bytes":5}}}}"#;
        let totals = read(text).unwrap().unwrap().totals;
        assert_eq!((totals.allocated, totals.retained, totals.rss), (Some(10), Some(6), None));
        assert_eq!((totals.dirty, totals.muzzy, totals.tcache_bytes), (Some(8192), Some(4096), Some(5)));
    }

    #[test]
    fn other_documents_are_told_apart() {
        assert_eq!(read(b"heap_v2/1"), None);
        for (text, what) in [
            ("{", "JSON"),
            ("{}", "'jemalloc'"),
            (r#"{"jemalloc":{}}"#, "jemalloc.stats"),
            (r#"{"jemalloc":{"stats":{"allocated":"x"}}}"#, "stats.allocated"),
            (r#"{"jemalloc":{"stats":{"allocated":1}}}"#, "stats.active"),
        ] {
            let error = read(text.as_bytes()).unwrap().unwrap_err();
            assert!(error.contains(what), "{text}: {error}");
        }
    }
}
