//! jeprof of jemalloc 5.3.1, from the sources that the Rust binding carries.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use suite::build::{target_folder, workspace};

/// The crate that carries the sources of jemalloc 5.3.1, as cargo names it.
const CRATE: &str = "tikv-jemalloc-sys-0.7.1";

/// The script, made once for a jemalloc without a prefix.
///
/// # Panics
/// When cargo does not know the crate, or its template is another one than expected.
pub fn script() -> &'static Path {
    static SCRIPT: OnceLock<PathBuf> = OnceLock::new();
    SCRIPT.get_or_init(|| {
        let path = sources().join("jemalloc/bin/jeprof.in");
        let template =
            std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let text = template.replace("@jemalloc_version@", "5.3.1").replace("@JEMALLOC_PREFIX@", "");
        assert!(!text.contains("@JEMALLOC") && text.contains("jeprof"), "{}", path.display());
        let folder = target_folder().join("suite-jeprof");
        std::fs::create_dir_all(&folder).expect("the target folder can be written");
        // Another test binary may run the script right now.
        let (done, new) = (folder.join("jeprof"), folder.join(format!("jeprof.{}", std::process::id())));
        std::fs::write(&new, text).expect("the target folder can be written");
        std::fs::rename(&new, &done).expect("the target folder can be written");
        done
    })
}

/// The crate's folder, which cargo tells (and fetches when it is not there yet).
fn sources() -> PathBuf {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()));
    cargo.current_dir(workspace()).args(["metadata", "--format-version=1", "--all-features"]);
    let output = cargo.output().expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    // "manifest_path":"/../tikv-jemalloc-sys-0.7.1+5.3.1-../Cargo.toml"
    let paths = text.split("\"manifest_path\":\"").skip(1).filter_map(|rest| rest.split('"').next());
    let manifest = paths
        .map(PathBuf::from)
        .find(|path| path.parent().is_some_and(|folder| folder.to_string_lossy().contains(CRATE)));
    manifest
        .and_then(|path| Some(path.parent()?.to_owned()))
        .unwrap_or_else(|| panic!("cargo knows no {CRATE}"))
}
