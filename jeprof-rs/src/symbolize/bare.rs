//! Rust functions that the debug information names without their path.
//!
//! `debug = "line-tables-only"` keeps no linkage names: every function is `alloc`, `grow` or `new`, so different ones
//! become one row and the allocation shims are not recognised. For the function that an address lies in the symbol
//! table knows better; for inlined ones the source file is the best witness, since Rust's modules are files.

/// Whether a name has no path that could be read from it.
pub fn is_bare(raw: &str) -> bool {
    !raw.starts_with("_R") && !raw.starts_with("_ZN")
}

/// The name with the crate and the modules that its source file stands for: `grow_one` in
/// `/rustc/HASH/library/alloc/src/raw_vec/mod.rs` is `alloc::raw_vec::grow_one`. A crate is named by the folder that
/// holds its `src`, which is its package's name for crates from a registry and nearly always otherwise. `None` for
/// files that do not lie in a `src`.
pub fn qualified(bare: &str, file: &str) -> Option<String> {
    let (package, modules) = file.rsplit_once("/src/")?;
    let package = package.rsplit('/').next().filter(|name| !name.is_empty())?;
    let mut name = without_version(package).replace('-', "_");
    let modules = modules.strip_suffix(".rs")?;
    // The last part may be the file of a folder or of the crate itself, which adds no module.
    for module in modules.split('/').filter(|part| !matches!(*part, "mod" | "lib" | "main")) {
        name += "::";
        name += module;
    }
    Some(name + "::" + bare)
}

/// `hashbrown-0.15.2` is `hashbrown`; `rustc-hash` stays.
fn without_version(package: &str) -> &str {
    match package.rsplit_once('-') {
        Some((name, version)) if version.starts_with(|first: char| first.is_ascii_digit()) => name,
        _ => package,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bare_name_gets_the_path_of_its_file() {
        for (bare, file, name) in [
            ("alloc_impl", "/rustc/0123/library/alloc/src/alloc.rs", Some("alloc::alloc::alloc_impl")),
            ("grow_one", "/rustc/0123/library/alloc/src/raw_vec/mod.rs", Some("alloc::raw_vec::grow_one")),
            ("insert", "/x/hashbrown-0.15.2/src/raw/mod.rs", Some("hashbrown::raw::insert")),
            ("hash", "/x/rustc-hash-2.1.0/src/lib.rs", Some("rustc_hash::hash")),
            ("{closure#0}", "/y/svc/src/requests.rs", Some("svc::requests::{closure#0}")),
            ("f", "src/main.rs", None),
            ("f", "/y/build/out/bindings.rs", None),
            ("f", "/y/lib/src/x.c", None),
            ("f", "", None),
        ] {
            assert_eq!(qualified(bare, file).as_deref(), name, "{bare} in {file}");
        }
    }

    #[test]
    fn mangled_names_are_not_bare() {
        assert!(is_bare("alloc") && is_bare("catch_unwind<fn(), ()>"));
        assert!(!is_bare("_RNvCs1_3foo3bar") && !is_bare("_ZN3foo3bar17h05af221e174051e9E"));
    }
}
