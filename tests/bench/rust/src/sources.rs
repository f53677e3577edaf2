//! The Rust sources that programs work on.

use std::fs;
use std::path::Path;

/// The texts of all Rust files in and below a folder, largest first, the build's own left out.
pub fn read(folder: &str) -> Vec<String> {
    let mut texts = Vec::new();
    collect(Path::new(folder), &mut texts);
    assert!(!texts.is_empty(), "no Rust sources in {folder}");
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    texts
}

fn collect(folder: &Path, texts: &mut Vec<String>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    for entry in entries {
        let path = entry.expect("a folder can be read").path();
        if path.is_dir() && !path.ends_with("target") {
            collect(&path, texts);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            texts.push(fs::read_to_string(&path).expect("a source is text"));
        }
    }
}
