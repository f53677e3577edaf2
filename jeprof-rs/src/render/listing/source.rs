//! Finds source files where the debug information says, or where the user says.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::plan::ListingPlan;

/// Larger files are not source code that a person wrote.
const SOURCE_BYTES_MAX: u64 = 64 << 20;

/// Source files that were read.
pub struct Sources<'a> {
    plan: &'a ListingPlan,
    files: HashMap<String, Option<Vec<String>>>,
}

impl<'a> Sources<'a> {
    /// None yet.
    pub fn new(plan: &'a ListingPlan) -> Sources<'a> {
        Sources { plan, files: HashMap::new() }
    }

    /// The lines of a file, `None` when it is nowhere.
    pub fn lines(&mut self, file: &str) -> Option<&[String]> {
        if !self.files.contains_key(file) {
            let text = candidates(file, self.plan).into_iter().find_map(|path| read(&path));
            let lines = text.map(|text| text.lines().map(String::from).collect());
            self.files.insert(file.into(), lines);
        }
        self.files.get(file)?.as_deref()
    }
}

fn read(path: &Path) -> Option<String> {
    let facts = std::fs::metadata(path).ok()?;
    if !facts.is_file() || facts.len() > SOURCE_BYTES_MAX {
        return None;
    }
    Some(String::from_utf8_lossy(&std::fs::read(path).ok()?).into_owned())
}

/// Where a file may be: under its own path; without a prefix of `--trim_path`, there and below each folder of
/// `--source_path`; and below each of these with fewer and fewer leading folders, as pprof looks.
fn candidates(file: &str, plan: &ListingPlan) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::from(file)];
    let trimmed = trim(file, &plan.trim_path);
    if trimmed != file {
        found.push(PathBuf::from(trimmed));
    }
    let parts: Vec<&str> = trimmed.split('/').filter(|part| !part.is_empty()).collect();
    for folder in &plan.source_path {
        for start in 0..parts.len() {
            found.push(folder.join(parts[start..].join("/")));
        }
    }
    found
}

/// A path without the first of the prefixes that it has.
pub fn trim<'f>(file: &'f str, prefixes: &[String]) -> &'f str {
    prefixes
        .iter()
        .find_map(|prefix| {
            let rest = file.strip_prefix(prefix.trim_end_matches('/'))?;
            rest.strip_prefix('/')
        })
        .unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_looked_for_below_the_folders_with_fewer_and_fewer_parts() {
        let plan = ListingPlan {
            source_path: vec!["/users/me".into()],
            trim_path: vec!["/build/".into(), "/other".into()],
            intel_syntax: false,
        };
        let names: Vec<String> =
            candidates("/build/a/b.c", &plan).iter().map(|path| path.display().to_string()).collect();
        assert_eq!(names, ["/build/a/b.c", "a/b.c", "/users/me/a/b.c", "/users/me/b.c"]);
        assert_eq!(trim("/builder/x.c", &plan.trim_path), "/builder/x.c");
    }
}
