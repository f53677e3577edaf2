//! The second kind of page supply: extents as jemalloc keeps them (its "page allocator classic"), for arenas whose
//! extent hooks are not the default ones, and for all arenas with `retain:false`.
//!
//! Unlike the blocks of the first kind, extents exist one by one: the hooks that gave them are asked before one is
//! cut or joined, and told what becomes of each. The rules of which extent serves a request, and of when neighbours are joined, are
//! those of jemalloc 5.3.1 (`src/{pac,extent,eset}.c`), so that hooks are called when they are called there.

mod exchange;
mod extents;
mod grow;
mod pool;
mod purge;
mod span;
mod supply;
#[cfg(test)]
mod tests;

pub use supply::{Mode, Pac};
