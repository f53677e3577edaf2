//! The report for people: the sums, the arenas, the size classes that hold most, and what the free memory is in.

use std::fmt::Write;

use super::document::{Arena, Document};
use crate::units::bytes_for_people;

/// Size classes that are shown.
const CLASSES: usize = 15;

/// The whole report.
pub fn write(document: &Document) -> String {
    let mut out = String::new();
    sums(&mut out, document);
    arenas(&mut out, document);
    classes(&mut out, document);
    words(&mut out, document);
    out
}

/// Share of active pages that no object takes.
pub fn fragmentation(document: &Document) -> Option<f64> {
    let (active, allocated) = (stat(document, "active")?, stat(document, "allocated")?);
    Some(if active == 0 { 0.0 } else { active.saturating_sub(allocated) as f64 / active as f64 })
}

fn stat(document: &Document, name: &str) -> Option<u64> {
    document.number(&["stats", name])
}

fn people(bytes: u64) -> String {
    bytes_for_people(bytes as f64)
}

/// Adds a line; writing to a string never fails.
macro_rules! line {
    ($out:expr, $($format:tt)*) => {{
        let _ = writeln!($out, $($format)*);
    }};
}

fn sums(out: &mut String, document: &Document) {
    if let Some(version) = document.text(&["version"]) {
        line!(out, "jemalloc {version}");
    }
    let names =
        ["allocated", "active", "metadata", "resident", "mapped", "retained", "requested", "kernel_rss"];
    for name in names {
        if let Some(bytes) = stat(document, name) {
            line!(out, "{name:<12}{:>12}  {bytes}", people(bytes));
        }
    }
}

fn arenas(out: &mut String, document: &Document) {
    let arenas = document.arenas();
    if arenas.is_empty() {
        return;
    }
    line!(
        out,
        "\n{:<8}{:>8}{:>12}{:>12}{:>12}{:>12}{:>12}  name",
        "arena",
        "threads",
        "allocated",
        "active",
        "dirty",
        "muzzy",
        "retained"
    );
    for arena in document.merged().into_iter().chain(arenas) {
        let of = |path: &[&str]| arena.number(path).unwrap_or(0);
        let pages = |name| people(of(&[name]).saturating_mul(document.page()));
        line!(
            out,
            "{:<8}{:>8}{:>12}{:>12}{:>12}{:>12}{:>12}  {}",
            arena.index,
            of(&["nthreads"]),
            people(of(&["small", "allocated"]).saturating_add(of(&["large", "allocated"]))),
            pages("pactive"),
            pages("pdirty"),
            pages("pmuzzy"),
            people(of(&["retained"])),
            arena.name.escape_debug()
        );
    }
}

/// A small class: bytes of an object, objects, room for objects.
struct Class {
    size: u64,
    objects: u64,
    room: u64,
}

fn small(document: &Document, merged: &Arena) -> Vec<Class> {
    let counts = merged.bins();
    document
        .bins()
        .into_iter()
        .zip(counts)
        .map(|((size, nregs), (slabs, objects))| Class { size, objects, room: slabs.saturating_mul(nregs) })
        .filter(|class| class.room != 0)
        .collect()
}

fn classes(out: &mut String, document: &Document) {
    let Some(merged) = document.merged() else { return };
    let mut classes = small(document, &merged);
    classes.sort_by_key(|class| std::cmp::Reverse(class.size.saturating_mul(class.room)));
    if classes.is_empty() {
        return;
    }
    line!(out, "\n{:<8}{:>12}{:>12}{:>12}  utilization", "class", "objects", "allocated", "free");
    for class in classes.iter().take(CLASSES) {
        let free = class.room.saturating_sub(class.objects).saturating_mul(class.size);
        line!(
            out,
            "{:<8}{:>12}{:>12}{:>12}  {:.3}",
            class.size,
            class.objects,
            people(class.objects.saturating_mul(class.size)),
            people(free),
            class.objects as f64 / class.room as f64
        );
    }
    if let Some(more) = classes.len().checked_sub(CLASSES).filter(|&more| more != 0) {
        line!(out, "and {more} classes with less");
    }
}

fn words(out: &mut String, document: &Document) {
    let Some((share, active)) = fragmentation(document).zip(stat(document, "active")) else { return };
    let free = active.saturating_sub(stat(document, "allocated").unwrap_or(0));
    line!(
        out,
        "\nFragmentation: {:.1} % of the active pages ({}) hold no object.",
        share * 100.0,
        people(free)
    );
    if let Some(merged) = document.merged() {
        let unused = ["pdirty", "pmuzzy"]
            .map(|name| merged.number(&[name]).unwrap_or(0).saturating_mul(document.page()));
        line!(
            out,
            "Unused pages that were not given back: {} dirty, {} muzzy.",
            people(unused[0]),
            people(unused[1])
        );
    }
}
