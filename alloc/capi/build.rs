//! Link arguments of the shared library.

fn main() {
    // Programs that were linked against the original look for this name; a preload then satisfies them.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-soname,libjemalloc.so.2");
    // Preloads are in the process for good: dlclose must not unmap code that atexit and thread ends call.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,nodelete");
    // Another library with a section of this name must not take the place of ours.
    println!("cargo::rustc-cdylib-link-arg=-Wl,-z,start-stop-visibility=hidden");
    // What every program runs lies together: see there.
    let folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo runs this");
    println!("cargo::rustc-cdylib-link-arg=-Wl,-T,{folder}/order.ld");
    println!("cargo::rerun-if-changed=order.ld");
    // The variables of jemalloc-variables: nothing else asks the linker for them.
    for prefix in ["", "je_", "_rjem_"] {
        for variable in ["malloc_conf", "malloc_conf_2_conf_harder", "malloc_message"] {
            println!("cargo::rustc-cdylib-link-arg=-Wl,-u,{prefix}{variable}");
        }
    }
    println!("cargo::rerun-if-changed=build.rs");
}
