//! What jeprof makes of a dump before it adds anything up.

use prof_format::dump::{Dump, Figure, NamedFrame};
use prof_format::vocab::Format;

/// Changes a dump into what jeprof would have read.
pub fn as_jeprof_reads(dump: &mut Dump, bytes: &[u8]) {
    // A symbolized file names everything; what it does not name is called by its address, and never looked up.
    if dump.symbolized {
        for frame in dump.frame_table.iter_mut().filter(|frame| frame.names.is_empty()) {
            frame.names =
                vec![NamedFrame { function: format!("{:#018x}", frame.address), ..NamedFrame::default() }];
        }
    }
    // Every distance is one to jeprof, also that of 1 byte, which records everything. The figures are then those of
    // the dump; an object of 8 bytes becomes 1.0003 of them.
    let is_sampled = match dump.format {
        Format::HeapV2 => true,
        Format::Text => header(bytes, dump.profile_offset).windows(4).any(|word| word == b"_v2/"),
        Format::Pprof => false,
    };
    if is_sampled && dump.period == 1 {
        for row in dump.stacks.iter_mut().chain(&mut dump.thread_stacks) {
            row.live = as_if_sampled(row.live);
            row.accum = as_if_sampled(row.accum);
        }
    }
}

/// The first line of a text profile.
fn header(bytes: &[u8], offset: usize) -> &[u8] {
    bytes.get(offset..).and_then(|profile| profile.split(|byte| *byte == b'\n').next()).unwrap_or_default()
}

/// The usual formula for a distance of one byte.
fn as_if_sampled(figure: Figure) -> Figure {
    if figure.objs == 0.0 || figure.bytes == 0.0 {
        return figure;
    }
    let scale = 1.0 / (1.0 - (-figure.bytes / figure.objs).exp());
    Figure { objs: figure.objs * scale, bytes: figure.bytes * scale }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exact_figures_are_scaled_as_if_they_were_sampled() {
        let small = as_if_sampled(Figure { objs: 1.0, bytes: 8.0 });
        assert!((small.bytes - 8.002_684).abs() < 1e-6, "{small:?}");
        assert_eq!(as_if_sampled(Figure { objs: 2.0, bytes: 8192.0 }), Figure { objs: 2.0, bytes: 8192.0 });
        assert_eq!(as_if_sampled(Figure::default()), Figure::default());
    }
}
