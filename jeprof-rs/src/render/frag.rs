//! Whose survivors keep slabs that are mostly empty: a table by stack.

use serde_json::{Map, Value, json};

use super::stack_rows::{self, Lead, Row};
use super::{Output, Request};
use crate::aggregate::keys::Keys;
use crate::aggregate::pinned::{Known, Pinned, pinned};
use crate::error::{Error, Result};
use crate::load::statistics::Bin;
use crate::terminal::{harmless, paint, style};
use crate::units::{bytes_for_people, count_for_people};

/// The row of this output.
pub const ROW: Output = Output {
    name: "frag",
    command: true,
    about: "Fragmentation: whose live objects keep slabs that are mostly empty, in bytes that would come back",
    examples: "\
DUMP is a profile in pprof's format of a program on this project's allocator with prof_frag:true, which tells for each
sample how full its slab is. With any other dump, stock jemalloc's too, name the allocator's statistics (JSON) beside it:
then what is free in the slabs of a size class is shared out among all objects of that class.

Examples:
  MALLOC_CONF=prof:true,prof_frag:true,prof_final:true,prof_dump_format:pprof ./svc
  jeprof-rs frag svc jeprof.1234.0.f.pb.gz
  MALLOC_CONF=prof:true,prof_final:true,stats_print:true,stats_print_opts:J ./svc 2> svc.json
  jeprof-rs frag svc jeprof.1234.0.f.heap svc.json",
    parts: stack_rows::PARTS,
    wants,
    json: Some(json),
    render,
    ..Output::BASE
};

/// Columns in front of the stack.
const TAKEN: usize = 50;

fn rows(request: &Request<'_>) -> Option<(Keys, Known, Vec<Pinned>)> {
    let keys = Keys::new(request.view, request.plan.rows.granularity);
    let (known, rows) = pinned(request.view, &keys, &request.session.bins)?;
    Some((keys, known, rows))
}

fn wants(request: &Request<'_>) -> Result<()> {
    let session = request.session;
    if session.profile.has_pinned || !session.bins.is_empty() { Ok(()) } else { Err(untold(request)) }
}

fn untold(request: &Request<'_>) -> Error {
    let dump = request.session.dumps.first().map_or(ROW.name, |dump| dump.name.as_str());
    Error::at(
        dump,
        "does not tell how full slabs are: run the program with prof_frag:true and prof_dump_format:pprof, or name the \
         allocator's statistics (stats_print_opts:J) beside the dump",
    )
}

fn render(request: &Request<'_>) -> Result<Vec<u8>> {
    let (keys, known, rows) = rows(request).ok_or_else(|| untold(request))?;
    if rows.is_empty() {
        request.warn("no live object keeps a slab that has free regions");
    }
    let total: f64 = rows.iter().map(|row| row.bytes).sum();
    let mut out = head(request, known, total);
    let row = |row: &Pinned| Row {
        figures: figures(row, total),
        share: row.bytes / total,
        lines: stack_rows::names(request, &keys, &row.stack),
    };
    stack_rows::put(request, &rows, (TAKEN, Lead::Marked), row, &mut out);
    Ok(out.into_bytes())
}

fn figures(row: &Pinned, total: f64) -> String {
    let full = row.fullness().map_or("-".into(), |part| format!("{:.0}%", part * 100.0));
    format!(
        "{:>10} {:>6.1}% {:>10} {:>10} {full:>7}",
        bytes_for_people(row.bytes),
        row.bytes / total * 100.0,
        bytes_for_people(row.live_bytes),
        count_for_people(row.live_objects.round() as i64),
    )
}

fn head(request: &Request<'_>, known: Known, total: f64) -> String {
    let how = match known {
        Known::BySample => "by the slab of each sample".to_string(),
        Known::ByClass => {
            let free: f64 = request.session.bins.iter().map(|bin| Bin::free_bytes(bin) as f64).sum();
            format!("by size class, of {} that are free in slabs", bytes_for_people(free))
        }
    };
    let program = harmless(&request.session.program_name, request.screen);
    let columns =
        format!("{:>10} {:>7} {:>10} {:>10} {:>7}  stack", "pinned", "share", "live", "objects", "full");
    format!(
        "File: {program}\nPinned: {}, {how}\n{}\n",
        bytes_for_people(total),
        paint(&columns, style::HEAD, request.screen)
    )
}

fn json(request: &Request<'_>) -> Map<String, Value> {
    let Some((keys, known, rows)) = rows(request) else { return Map::new() };
    let row = |row: &Pinned| {
        let figures = json!({
            "pinned_bytes": row.bytes,
            "live_bytes": row.live_bytes,
            "live_objects": row.live_objects,
            "fullness": row.fullness(),
        });
        stack_rows::json_row(request, &keys, &row.stack, figures)
    };
    let known = match known {
        Known::BySample => "sample",
        Known::ByClass => "size_class",
    };
    Map::from_iter([
        ("known_by".to_string(), known.into()),
        ("pinned_bytes".to_string(), rows.iter().map(|row| row.bytes).sum::<f64>().into()),
        ("row_count".to_string(), rows.len().into()),
        ("rows".to_string(), stack_rows::json_rows(request, &rows, row)),
    ])
}
