//! The benchmark set without its running: which rows there are, what is made of the samples, the table and the chart.

pub mod chart;
pub mod figures;
pub mod locks;
pub mod operations;
pub mod report;
pub mod rows;
