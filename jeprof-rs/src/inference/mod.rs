//! What sampled figures allow to say: bounds, growth, trends, plateaus, and which sampling distance would decide.
//!
//! Pure functions over figures; knows no profile, no command line and no file. One call: `estimate` (what was seen of
//! a stack) - `interval` (between which bounds the truth lies), or `growth` (one estimate against another) -
//! `discovery` (many such tests at once). `trend` judges a series of dumps, by `kendall` and `slope`; `survival` ages.
//! `planning` is the way round: what a sampling distance would find. `gamma`, `beta` and `normal` hold the distributions.
//!
//! **Model**: each byte is a sample with probability `1/R`, independently, so that an object of `z` bytes is sampled with
//! `p(z) = 1 - exp(-z/R)`, and stands for `1/p` objects and `z/p` bytes. `R` is the period, in bytes.

pub mod beta;
pub mod discovery;
pub mod estimate;
pub mod gamma;
pub mod growth;
pub mod interval;
pub mod kendall;
pub mod normal;
pub mod planning;
pub mod slope;
pub mod survival;
pub mod trend;

#[cfg(test)]
mod simulations;
