//! The part of the huge page allocator.

use super::columns::{GAP, cell};
use crate::stats::report::out::{Out, put};
use crate::tables::metric::rows::*;

/// The huge page allocator, which is not here: zeros, under the reference's labels.
pub fn write(out: &mut Out) {
    for metric in &SEC {
        put!(out, "{}: 0\n", metric.column.title);
    }
    put!(out, "HPA shard stats:\n");
    for label in ["Pageslabs", "Active pages", "Dirty pages"] {
        put!(out, "  {label}: 0 (0 huge, 0 nonhuge)\n");
    }
    put!(out, "  Retained pages: 0\n");
    for metric in &HPA_EVENTS {
        put!(out, "  {}: 0 (0 / sec)\n", metric.column.title);
    }
    put!(out, "\n");
    for kind in ["full", "empty"] {
        put!(out, "  In {kind} slabs:\n");
        put!(out, "      npageslabs: 0 huge, 0 nonhuge\n");
        for label in ["nactive", "ndirty", "nretained"] {
            put!(out, "      {label}: 0 huge, 0 nonhuge \n");
        }
    }
    put!(out, "  In nonfull slabs:\n{:>20}{:>4}", "size", "ind");
    for (title, width) in [
        ("npageslabs_huge", 16),
        ("nactive_huge", 16),
        ("ndirty_huge", 16),
        ("npageslabs_nonhuge", 20),
        ("nactive_nonhuge", 20),
        ("ndirty_nonhuge", 20),
        ("nretained_nonhuge", 20),
    ] {
        cell(out, width, title);
    }
    put!(out, "\n{GAP}");
}
