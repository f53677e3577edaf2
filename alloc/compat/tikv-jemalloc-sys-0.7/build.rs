//! Tells the crate and those above it whether names have a prefix, and compiles the variable `malloc_conf` into an
//! archive of its own.
//!
//! The variable has to be there for programs that read it, and to give way to a program's own. Rust has no weak
//! definitions; the linker takes a member of an archive only when nobody else defines what it is asked for. An assembly
//! block in the crate itself would do, but for programs that are optimized as a whole, where both definitions meet in one
//! module.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    let prefixed = env::var_os("CARGO_FEATURE_UNPREFIXED_MALLOC_ON_SUPPORTED_PLATFORMS").is_none();
    if prefixed {
        println!("cargo::rustc-cfg=prefixed");
    }
    let symbol = if prefixed { "_rjem_malloc_conf" } else { "malloc_conf" };
    let folder = PathBuf::from(variable("OUT_DIR"));
    let object = compile(&folder, &variable("RUSTC"), &variable("TARGET"), symbol);
    let archive = folder.join("libjealloc_malloc_conf.a");
    fs::write(&archive, archive_of(symbol, &fs::read(object).expect("the object was just written")))
        .unwrap_or_else(|error| panic!("{}: {error}", archive.display()));
    println!("cargo::rustc-link-search=native={}", folder.display());
    println!("cargo::rustc-link-lib=static=jealloc_malloc_conf");
    println!("cargo::metadata=root={}", folder.display());
}

/// Compiles a null pointer named `symbol` to an object file.
fn compile(folder: &Path, rustc: &str, target: &str, symbol: &str) -> PathBuf {
    let source = folder.join("malloc_conf.rs");
    let text = format!(
        "#![no_std]\n\
         #[unsafe(no_mangle)]\n\
         pub static {symbol}: core::sync::atomic::AtomicPtr<u8> =\n\
         core::sync::atomic::AtomicPtr::new(core::ptr::null_mut());\n"
    );
    fs::write(&source, text).unwrap_or_else(|error| panic!("{}: {error}", source.display()));
    let object = folder.join("malloc_conf.o");
    let mut command = Command::new(rustc);
    command.args(["--edition=2024", "--crate-type=lib", "--crate-name=jealloc_malloc_conf", "--emit=obj"]);
    command.args(["-Copt-level=1", "-Ccodegen-units=1", "-Anonstandard_style", "--target", target]);
    let status = command.arg("-o").arg(&object).arg(&source).status();
    assert!(status.as_ref().is_ok_and(|status| status.success()), "{command:?}: {status:?}");
    object
}

/// An archive with one member that defines one symbol, and the index by which linkers find it.
fn archive_of(symbol: &str, object: &[u8]) -> Vec<u8> {
    let mut index = Vec::from(1u32.to_be_bytes());
    // Where the member begins: behind the archive's mark, the header of the index and the index, which is even.
    let mut length = 4 + 4 + symbol.len() + 1;
    length += length % 2;
    index.extend((8 + 60 + length as u32).to_be_bytes());
    index.extend(symbol.bytes());
    index.resize(length, 0);

    let mut archive = Vec::from(*b"!<arch>\n");
    for (name, bytes) in [("/", &index[..]), ("malloc_conf.o/", object)] {
        archive.extend(format!("{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", 0, 0, 0, 644, bytes.len()).bytes());
        archive.extend(bytes);
        if !bytes.len().is_multiple_of(2) {
            archive.push(b'\n');
        }
    }
    archive
}
