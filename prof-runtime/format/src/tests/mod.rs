//! Tests over all formats: what one module's own tests cannot see.

use alloc::vec::Vec;

use crate::dump::{Dump, Figure, StackRow};
use crate::testing::VecSnapshot;
use crate::vocab::{Format, Tally};

mod damage;
mod decode;
mod encode;
mod figures;
mod golden;
mod heading;
mod round_trip;
mod rows;

fn written(format: Format, snapshot: &VecSnapshot) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Ok(()) = crate::any::write(format, snapshot, &mut bytes);
    bytes
}

fn total(rows: &[StackRow], pick: impl Fn(&StackRow) -> Figure) -> Figure {
    rows.iter().map(pick).fold(Figure::default(), Figure::plus)
}

fn live_total(dump: &Dump) -> Figure {
    total(&dump.stacks, |row| row.live)
}

/// Figures agree within `part` of the estimate.
fn assert_close(found: Figure, estimate: Tally, part: f64, what: &str) {
    assert_within(found, estimate, part, part, what);
}

/// Figures agree within `objs_part` and `bytes_part` of the estimate.
fn assert_within(found: Figure, estimate: Tally, objs_part: f64, bytes_part: f64, what: &str) {
    let (objs, bytes) = (estimate.est_objs(), estimate.est_bytes as f64);
    assert!((found.objs - objs).abs() <= objs_part * objs, "{what}: {} objects, not {objs}", found.objs);
    assert!((found.bytes - bytes).abs() <= bytes_part * bytes, "{what}: {} bytes, not {bytes}", found.bytes);
}
