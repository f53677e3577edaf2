//! The benchmark set without its running: which rows there are, what is made of the samples, the table and the chart.

pub mod chart;
pub mod figures;
pub mod leaks;
pub mod locks;
pub mod operations;
pub mod profiler;
pub mod report;
pub mod rows;

/// The numbers below `count`, each once; each round begins with the next one, so that a slow moment of the machine hits all
/// that are compared alike.
pub fn in_turn(count: usize, round: usize) -> impl Iterator<Item = usize> {
    (0..count).map(move |turn| (round + turn) % count)
}
