//! Reports as text. One file per output; each is given figures and names, and touches no file.

pub mod collapsed;
pub mod flame;
pub mod text;
