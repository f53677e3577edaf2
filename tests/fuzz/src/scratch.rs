//! Files for targets that open files.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Where they are; the script has `TMPDIR` point into memory.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = std::env::temp_dir().join(format!("jeprof-rs-fuzz-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder for the target's files can be made");
        folder
    })
}

/// Calls `target` with files of these contents. They are overwritten by the next call.
pub fn with_files(contents: &[&[u8]], target: impl FnOnce(&[PathBuf])) {
    let write = |(index, content): (usize, &&[u8])| {
        let path = folder().join(format!("input{index}"));
        std::fs::write(&path, content).expect("the target's file can be written");
        path
    };
    let paths: Vec<PathBuf> = contents.iter().enumerate().map(write).collect();
    target(&paths);
}
