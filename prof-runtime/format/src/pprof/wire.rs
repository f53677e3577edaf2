//! What both sides of protocol buffers' wire format share.

/// Longest varint of 64 bits.
pub(super) const VARINT_MAX: usize = 10;

/// Wire type of a number.
pub(super) const VARINT: u32 = 0;
/// Wire type of a string, bytes, a message or packed numbers.
pub(super) const LENGTH: u32 = 2;
/// Wire type of a number of eight bytes.
#[cfg(feature = "read")]
pub(super) const FIXED64: u32 = 1;
/// Wire type of a number of four bytes.
#[cfg(feature = "read")]
pub(super) const FIXED32: u32 = 5;
