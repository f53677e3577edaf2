//! What looking for leaks costs: the ways to do it, and the table. Rows of [`Figures`] have one name, columns are the ways.

use std::fmt::Write;

use crate::bench::figures::{Figures, Metric};

/// What is put in the program's way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// Nothing: the system's allocator.
    System,
    /// Our library, with `MALLOC_CONF`.
    Ours(&'static str),
    /// Debian's library, with `MALLOC_CONF`.
    Stock(&'static str),
    /// `jeprof-rs run`, its report included.
    Run,
    /// heaptrack.
    Heaptrack,
    /// LeakSanitizer's runtime, linked in by clang.
    Sanitizer,
    /// Valgrind's memcheck.
    Memcheck,
}

/// A way.
#[derive(Debug)]
pub struct Way {
    /// Name of its row.
    pub name: &'static str,
    /// What is put in.
    pub tool: Tool,
    /// The row of the same allocator without looking.
    pub plain: &'static str,
    /// As it is typed, or what it is.
    pub what: &'static str,
}

/// The row that all are compared with.
pub const BASE: &str = "glibc";

const STOCK: &str = "jemalloc";

const OURS: &str = "ours";

/// All, in the order of the table.
#[rustfmt::skip]
pub const WAYS: &[Way] = &[
    Way { name: BASE, tool: Tool::System, plain: BASE, what: "svc" },
    Way { name: OURS, tool: Tool::Ours("prof:false"), plain: OURS, what: "preloaded, prof:false" },
    Way { name: STOCK, tool: Tool::Stock("prof:false"), plain: STOCK, what: "Debian's 5.3.0 preloaded, prof:false" },
    Way { name: "ours-19", tool: Tool::Ours("prof:true,prof_final:true,lg_prof_sample:19"), plain: OURS, what: "prof:true,prof_final:true,lg_prof_sample:19" },
    Way { name: "jemalloc-19", tool: Tool::Stock("prof:true,prof_final:true,lg_prof_sample:19"), plain: STOCK, what: "prof:true,prof_final:true,lg_prof_sample:19" },
    Way { name: "ours-exact", tool: Tool::Ours("prof:true,prof_final:true,lg_prof_sample:0"), plain: OURS, what: "prof:true,prof_final:true,lg_prof_sample:0" },
    Way { name: "jemalloc-exact", tool: Tool::Stock("prof:true,prof_final:true,lg_prof_sample:0"), plain: STOCK, what: "prof:true,prof_final:true,lg_prof_sample:0" },
    Way { name: "run", tool: Tool::Run, plain: OURS, what: "jeprof-rs run -- svc: exact, what is lost, and the report" },
    Way { name: "heaptrack", tool: Tool::Heaptrack, plain: BASE, what: "heaptrack svc" },
    Way { name: "lsan", tool: Tool::Sanitizer, plain: BASE, what: "LeakSanitizer of clang, linked in, with frame pointers" },
    Way { name: "memcheck", tool: Tool::Memcheck, plain: BASE, what: "valgrind --leak-check=full svc" },
];

/// Row of the figures.
pub const ROW: &str = "leaks";

/// The table: medians, and medians of ratios within a round. A way without figures has a dash; why is told elsewhere.
pub fn markdown(figures: &Figures) -> String {
    let mut text = "| way | s | of glibc's | of its own without | CPU of glibc's | peak MB | of glibc's | of its own without | what it is |\n|---|---|---|---|---|---|---|---|---|\n".to_owned();
    for way in WAYS {
        let ratio = |metric, base: &str| {
            figures.ratio(ROW, metric, way.name, base).map_or("-".to_owned(), |ratio| format!("{ratio:.2}"))
        };
        let median = |metric, unit: f64, digits: usize| {
            let median = figures.median(ROW, metric, way.name);
            median.map_or("-".to_owned(), |median| format!("{:.*}", digits, median / unit))
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            way.name,
            median(Metric::Time, 1.0, 3),
            ratio(Metric::Time, BASE),
            ratio(Metric::Time, way.plain),
            ratio(Metric::Cpu, BASE),
            median(Metric::Peak, 1e6, 1),
            ratio(Metric::Peak, BASE),
            ratio(Metric::Peak, way.plain),
            way.what,
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_is_compared_with_a_plain_one_before_it() {
        for (at, way) in WAYS.iter().enumerate() {
            let plain = WAYS.iter().position(|other| other.name == way.plain).unwrap();
            assert!(plain <= at && WAYS[plain].plain == way.plain, "{way:?}");
            assert_eq!(WAYS.iter().filter(|other| other.name == way.name).count(), 1, "{way:?}");
        }
    }

    #[test]
    fn ratios_are_to_glibc_and_to_the_same_allocator() {
        let mut figures = Figures::default();
        for (way, seconds, bytes) in
            [("glibc", 1.0, 50e6), ("ours", 0.5, 60e6), ("ours-exact", 0.75, 90e6), ("memcheck", 40.0, 200e6)]
        {
            figures.add(ROW, Metric::Time, way, seconds);
            figures.add(ROW, Metric::Cpu, way, 2.0 * seconds);
            figures.add(ROW, Metric::Peak, way, bytes);
        }
        let text = markdown(&figures);
        for line in [
            "| ours-exact | 0.750 | 0.75 | 1.50 | 0.75 | 90.0 | 1.80 | 1.50 | prof:true",
            "| memcheck | 40.000 | 40.00 | 40.00 | 40.00 | 200.0 | 4.00 | 4.00 | valgrind",
            "| heaptrack | - | - | - | - | - | - | - | heaptrack svc |",
        ] {
            assert!(text.contains(line), "{text}");
        }
    }
}
