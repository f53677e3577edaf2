//! What the original tells about the targets it can be built for, by parts of their names. Ours is for Linux with glibc.

/// Targets that cannot be built for.
pub static UNSUPPORTED_TARGETS: &[&str] =
    &["rumprun", "bitrig", "emscripten", "fuchsia", "redox", "wasm32", "windows", "apple", "android", "musl"];

/// Targets that nobody has tried.
pub static UNTESTED_TARGETS: &[&str] = &["openbsd", "msvc"];

/// Targets without background threads.
pub static NO_BG_THREAD_TARGETS: &[&str] = &["musl"];

/// Targets on which `malloc` cannot be replaced.
pub static NO_UNPREFIXED_MALLOC_TARGETS: &[&str] = &["android", "dragonfly", "apple"];
