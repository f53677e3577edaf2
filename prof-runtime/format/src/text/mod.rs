//! gperftools' heap profile: the form that jeprof and Go pprof both read.
//!
//! ```text
//! heap profile: 27528: 9489643 [35234: 41104179] @ heap_v2/65536
//! # jeprof-rs text 1                          our extras; both viewers skip lines that start with #
//! # program /opt/demo/app
//! # pid 4711
//! # time_nanos 1795189616001278996
//! # duration_nanos 12000000345
//! # accum 1
//! # sampled 50 6379424 [517 8292822]          raw sampled objects and bytes
//! # total rss 60948480                       sums over the whole process, one line each
//! # thread 1 25003 9170000 [29003 25170000] worker-a     estimates: objects, bytes, live [accumulated]; name
//! # build-id 5f1c... 55f508eca000 /opt/demo/app
//! 7: 784 [7: 784] @ 0x55f508eca20a 0x55f508eca34d 0x7f7a957a324a
//! # t1 4100 459200 [4100 459200]              share of a thread in the stack above, estimates
//!
//! MAPPED_LIBRARIES:
//! 55f508eca000-55f508ecb000 r-xp 00001000 fe:00 10305553                   /opt/demo/app
//! # end
//! ```
//!
//! * Viewers scale every stack line by itself ([`crate::unbias::scale`]); its pair is made for that. A stack may
//!   take two lines ([`crate::unbias::split_for_viewers`]); readers add up lines of the same stack anyway.
//! * The leaf is a return address like the others, but viewers take it as it is: it is written lowered by one.
//! * The first line's totals decide whether Go shows allocated columns: it does when the bracket pair is neither
//!   zero nor equal to the first pair. So they are the estimates, and when nothing was freed, so that both would be
//!   equal, the accumulated bytes there are raised by one.
//! * A sampling distance of 1 is written as `@ heapprofile`, which viewers take as exact.
//! * A file of ours ends in `# end`; without that line it was cut off, wherever the cut was.
//!
//! Source: gperftools `src/heap-profile-table.cc`; google/pprof `profile/legacy_profile.go`.

#[cfg(feature = "read")]
mod read;
mod write;

#[cfg(feature = "read")]
pub use read::read;
#[cfg(feature = "read")]
pub(crate) use read::{claims, read_opened};
pub use write::write;
pub(crate) use write::{addresses, maps, pairs};

/// The line that tells our files from others of this form.
pub const MARK: &str = "jeprof-rs text 1";
