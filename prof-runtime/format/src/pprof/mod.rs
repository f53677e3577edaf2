//! profile.proto, the format of Go pprof, Pyroscope, Parca, speedscope and Perfetto. Uncompressed here.
//!
//! Written from a snapshot by [`write`](write()), without allocation, or by [`encode`](encode()) from tables in memory,
//! with names, any sample types and any labels. Of what the profiler writes:
//!
//! * Sample types `alloc_objects/count alloc_space/bytes inuse_objects/count inuse_space/bytes`, the first two only
//!   with `prof_accum`; `default_sample_type` is `inuse_space`, or what the snapshot wants shown first. Values are
//!   un-sampled.
//! * Of the profiler itself (not of a viewer that writes figures again) also `peak_objects/count peak_space/bytes` with
//!   `prof_peak`: what was alive when most was; `inuse_requested_space/bytes`: what the program asked for, of what is alive;
//!   `pinned_space/bytes` with `prof_frag`: free regions of the slabs that live objects keep, each slab's shared out among
//!   its objects, which is what would come back without them; `samples/count`: live samples as they were drawn; `inuse_space_variance/bytes2`: the estimated variance of
//!   `inuse_space`, to be added up like it; and, without `prof_accum`, `births/count deaths/count`: objects of stacks that
//!   have live ones, which with `prof_accum` are `alloc_objects` and what it exceeds `inuse_objects` by.
//! * One sample per stack, thread and label of the thread, with the labels `thread` (the program's name for it, else the
//!   system's, else `thread-UID`), `thread_uid`, `label` (where there is one) and `bytes` (mean object size); of the profiler
//!   itself one for each age and way to end:
//!   - live objects by age: `age` in nanoseconds is a power of two, the age is at least as much and less than twice that;
//!   - with `prof_accum`, freed objects by lifetime: `lifetime` alike, and `freed_by`, `same thread` or `other thread`;
//!     their `inuse_*` are 0;
//!   - live objects by whether the program can still reach them, with `prof_leak_reach` and at its end: `leak`, `direct` for what nothing leads to, `indirect` for what only
//!     such objects lead to, and no such label for what is reached. A comment `# about reach done objects=N direct=N
//!     direct_bytes=N indirect=N indirect_bytes=N` tells that it was looked at, `# about reach unknown: WHY` that it could not be;
//!   - what belongs to neither: what was alive at the peak, freed objects without `prof_accum`, and live ones whose age was
//!     not seen.
//!
//!   Sums over samples are right whatever a viewer does with labels. Objects younger than a tick of the clock (1 to 10 ms)
//!   have the age 1.
//! * Mappings carry real bounds, offsets and build ids, the program first, so that every viewer can symbolize.
//!   Location ids are address indices plus one, mapping ids module indices plus one; addresses are lowered by one.
//! * Totals of the process are comments `# total NAME BYTES`, which viewers do not show; so are `# about command WORDS`,
//!   `# about host NAME`, `# about conf OPTIONS`, `# about start_nanos NANOSECONDS` and `# about samples N`.
//! * The string table comes last and its last string is referred to, so a file that was cut off has an index out of
//!   range.
//!
//! Source: google/pprof `proto/profile.proto`; Go `src/runtime/pprof/protomem.go` for the names.

#[cfg(feature = "read")]
mod encode;
#[cfg_attr(
    not(feature = "read"),
    expect(dead_code, reason = "the table lists what only the reader needs, too")
)]
mod fields;
#[cfg(feature = "read")]
mod read;
mod samples;
mod strings;
#[cfg(feature = "read")]
mod tables;
mod wire;
#[cfg(feature = "read")]
mod wire_buffer;
#[cfg(feature = "read")]
mod wire_read;
mod wire_write;
mod write;

#[cfg(feature = "read")]
pub use encode::{Encoder, Function, Labels, Line, Location, Mapping, Profile, Sample, ValueType, encode};
#[cfg(feature = "read")]
pub use read::read;
pub use write::write;

/// Functions that stand for allocating as such: pprof cuts a stack above the one nearest its root, so that what
/// called it is the leaf. Matched in full against a name cut at its first `(`. Containers that allocate (`Vec`,
/// `RawVec`) are the program's doing and stay, as in the viewer of this project, whose own list is longer because it
/// also has to know other allocators.
pub const DROP_FRAMES: &str = concat!(
    "(_rjem_|je_|_rjem_je_|__libc_)?(malloc|calloc|realloc|memalign|posix_memalign|aligned_alloc|valloc|pvalloc|",
    "reallocarray|mallocx|rallocx|xallocx)|",
    "operator new(\\[\\])?|",
    "(__rustc::)?__(rust|rdl|rg)_(alloc|realloc|alloc_zeroed)|",
    "<?alloc::alloc::.*|<?jealloc::.*"
);
