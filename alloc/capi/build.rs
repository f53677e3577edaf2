//! Link arguments of the shared library.

fn main() {
    // Programs that were linked against the original look for this name; a preload then satisfies them.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libjemalloc.so.2");
    // Preloads are in the process for good: dlclose must not unmap code that atexit and thread ends call.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    println!("cargo::rerun-if-changed=build.rs");
}
