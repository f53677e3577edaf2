//! Which stacks and frames count.

use regex::Regex;

use super::choice::{Frames, Negative, Threads};
use super::query::Query;
use super::tag_filter::TagFilter;

/// See the module's head.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Only stacks in which a frame matches.
    pub focus: Option<Regex>,
    /// Only stacks in which no frame matches.
    pub ignore: Option<Regex>,
    /// Frames whose function does not match are left out, before anything else is looked at.
    pub retain: Option<Regex>,
    /// Frames whose function matches are left out, before anything else is looked at.
    pub exclude: Option<Regex>,
    /// Only what these threads allocated.
    pub threads: Threads,
    /// Frames that match are left out.
    pub hide: Option<Regex>,
    /// Frames that do not match are left out.
    pub show: Option<Regex>,
    /// Frames between the root and the first match are left out, and stacks without a match.
    pub show_from: Option<Regex>,
    /// Frames between the last match and the leaf are left out.
    pub prune_from: Option<Regex>,
    /// Whether inlined frames count for the function that they are inlined into.
    pub no_inlines: bool,
    /// Only stacks whose labels match.
    pub tag_focus: Option<TagFilter>,
    /// Only stacks whose labels do not match.
    pub tag_ignore: Option<TagFilter>,
    /// Only stacks or samples of which this holds.
    pub condition: Option<Query>,
    /// Labels that become frames at the root.
    pub tag_root: Vec<String>,
    /// Labels that become frames at the leaf.
    pub tag_leaf: Vec<String>,
    /// What becomes of negative differences.
    pub negative: Negative,
    /// Which frames are shown.
    pub frames: Frames,
}

impl Default for Selection {
    /// All stacks, with the program's frames.
    fn default() -> Selection {
        Selection {
            focus: None,
            ignore: None,
            retain: None,
            exclude: None,
            threads: Threads::Process,
            hide: None,
            show: None,
            show_from: None,
            prune_from: None,
            no_inlines: false,
            tag_focus: None,
            tag_ignore: None,
            condition: None,
            tag_root: Vec::new(),
            tag_leaf: Vec::new(),
            negative: Negative::Keep,
            frames: Frames::Program,
        }
    }
}

impl Selection {
    /// What is left to do for stacks that were chosen by it: which of their frames are shown.
    pub fn of_chosen_stacks(&self) -> Selection {
        let Selection { retain, exclude, hide, show, show_from, prune_from, no_inlines, frames, .. } =
            self.clone();
        Selection {
            retain,
            exclude,
            hide,
            show,
            show_from,
            prune_from,
            no_inlines,
            frames,
            ..Selection::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_chose_stacks_is_done_and_what_shows_their_frames_stays() {
        let pattern = |text: &str| Some(Regex::new(text).unwrap());
        let given = Selection {
            focus: pattern("focus"),
            ignore: pattern("ignore"),
            hide: pattern("hide"),
            show_from: pattern("show_from"),
            threads: Threads::Each,
            tag_root: vec!["thread".into()],
            negative: Negative::Drop,
            no_inlines: true,
            frames: Frames::All,
            ..Selection::default()
        };
        let left = given.of_chosen_stacks();
        assert!(left.focus.is_none() && left.ignore.is_none() && left.tag_root.is_empty());
        assert!(matches!((left.threads, left.negative), (Threads::Process, Negative::Keep)));
        let text = |pattern: Option<Regex>| pattern.map(|pattern| pattern.to_string());
        assert_eq!(text(left.hide).as_deref(), Some("hide"));
        assert_eq!(text(left.show_from).as_deref(), Some("show_from"));
        assert!(left.no_inlines && left.frames == Frames::All);
    }
}
