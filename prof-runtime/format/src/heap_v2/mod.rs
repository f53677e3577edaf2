//! jemalloc's own heap dump.
//!
//! ```text
//! heap_v2/65536
//!   t*: 144: 49780 [621: 723707]              totals of all threads
//!   t1: 88: 21641 [325: 256148] worker-a      one per thread: uid, figures, name
//! # total rss 60948480                       ours only: sums over the whole process, one line each
//! @ 0x55f508eca20a 0x55f508eca34d ...         a stack, leaf first
//!   t*: 7: 784 [7: 784]                       live objects: bytes [accumulated objects: bytes], to be scaled
//!   t0: 7: 784 [7: 784]                       the same per thread
//!
//! MAPPED_LIBRARIES:
//! 55f508eca000-55f508ecb000 r-xp ...
//! ```
//!
//! * Figures are for the viewer's formula ([`crate::unbias::scale`]), line by line, so they do not add up.
//! * A stack whose estimate needs two pairs ([`crate::unbias::split_for_viewers`]) appears twice, as do such threads
//!   within a stack; readers add up both (after `prof.reset`, jemalloc itself writes a uid twice).
//! * The leaf is written lowered by one, see [`crate::text`].
//! * Readers of this form apply the formula at a distance of 1 too, where it adds 0.03 % to objects of 8 bytes and
//!   nothing to larger ones. Ours takes the figures as they are: they are exact.
//! * A file cannot tell whether it is whole. Ours and jemalloc's end in the memory map; a file without one is broken
//!   when it ends inside a line or in a stack without figures, and gets a warning otherwise, because jemalloc leaves
//!   the map out when it cannot open it.
//!
//! Source: jemalloc `src/prof_data.c` and `src/prof_sys.c`, observable output only.

#[cfg(feature = "read")]
mod read;
mod write;

#[cfg(feature = "read")]
pub use read::read;
#[cfg(feature = "read")]
pub(crate) use read::{claims, read_opened};
pub use write::write;
