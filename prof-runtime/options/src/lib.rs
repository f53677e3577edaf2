//! The options of the profiler, a row each, and how a configuration string is read: `key:value` pairs with commas between
//! them, as in jemalloc's `MALLOC_CONF`.
//!
//! Whoever embeds the profiler has the same options with the same ranges, defaults and messages: the allocator, whose
//! table has rows of its own beside these, and the profiler over any other allocator. Nothing here allocates, keeps
//! anything or knows where a string comes from.
#![no_std]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

#[cfg(test)]
extern crate std;

mod element;
mod nearest;
mod read;
mod rows;
mod value;
mod weak;

pub use element::{Element, elements};
pub use read::{Host, Show, read};
pub use rows::{Kind, ROWS, Row, SIGNALS, at, row};
pub use value::{BadValue, Range, fixed, switch};
