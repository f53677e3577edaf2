//! Where a file was looked for, and what came of it: so that a name that is missing can be explained.

use std::path::{Path, PathBuf};

/// More places than this are not spelled out in a sentence; the table lists all.
const PLACES_MAX: usize = 3;

/// Places in the order in which they were tried.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trail {
    tried: Vec<(PathBuf, Option<String>)>,
}

impl Trail {
    /// There is no file.
    pub fn missing(&mut self, place: &Path) {
        self.tried.push((place.to_path_buf(), None));
    }

    /// There is one that cannot be used.
    pub fn refused(&mut self, place: &Path, why: impl Into<String>) {
        self.tried.push((place.to_path_buf(), Some(why.into())));
    }

    /// Places with what was wrong there, in words.
    pub fn steps(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.tried.iter().map(|(place, why)| (place.as_path(), why.as_deref().unwrap_or("no such file")))
    }

    /// The places as the end of a sentence that says what is missing: first files that are there and are wrong, each
    /// with its reason, then a few of those where there was none. Empty when nothing was tried.
    pub fn summary(&self) -> String {
        let wrong = self
            .tried
            .iter()
            .filter_map(|(place, why)| why.as_ref().map(|why| format!("{}: {why}", place.display())));
        let missing = self.tried.iter().filter(|(_, why)| why.is_none());
        let mut parts: Vec<String> = wrong.collect();
        let mut places: Vec<String> = missing.map(|(place, _)| place.display().to_string()).collect();
        if !places.is_empty() {
            let more = places.len().saturating_sub(PLACES_MAX);
            places.truncate(PLACES_MAX);
            let mut text = format!("not at {}", places.join(", "));
            if more > 0 {
                text.push_str(&format!(" or {more} more places (--debug lists them)"));
            }
            parts.push(text);
        }
        parts.join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_files_come_first_and_a_long_list_is_cut() {
        let mut trail = Trail::default();
        assert_eq!(trail.summary(), "");
        for place in ["/a", "/b"] {
            trail.missing(Path::new(place));
        }
        trail.refused(Path::new("/c"), "is another build");
        assert_eq!(trail.summary(), "/c: is another build; not at /a, /b");
        for place in ["/d", "/e", "/f"] {
            trail.missing(Path::new(place));
        }
        assert_eq!(
            trail.summary(),
            "/c: is another build; not at /a, /b, /d or 2 more places (--debug lists them)"
        );
        assert_eq!(trail.steps().nth(2), Some((Path::new("/c"), "is another build")));
    }
}
