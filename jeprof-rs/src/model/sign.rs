//! Which side of a comparison a dump is on.

/// Whether a dump is added or subtracted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A dump to look at.
    Plus,
    /// A base.
    Minus,
}
