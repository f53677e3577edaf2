//! Equal stacks by name, added up and sorted: each path from the root once.

use super::keys::{Keys, NO_KEY};
use crate::plan::choice::Granularity;
use crate::transform::View;

/// Which end of the stacks is the root.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Root {
    /// `main`: what follows are callees.
    Callers,
    /// The allocating function: what follows are callers.
    Leaves,
}

/// One distinct path.
#[derive(Clone, Copy, Debug)]
pub struct Path {
    start: usize,
    depth: u32,
    /// Its figure.
    pub own: f64,
    /// Its figure in the base.
    pub before: f64,
}

/// All paths of a view in the order of their names, element by element.
pub struct Paths {
    /// Distinct names, sorted. Keys of one name are one: overloads and generic instances that are shown alike.
    pub names: Vec<String>,
    /// Indices of names, path after path.
    elements: Vec<u32>,
    paths: Vec<Path>,
}

impl Paths {
    /// Collects, sorts and adds up.
    ///
    /// Cost: a copy of every stack and one sort of the stacks: comparing paths is cheaper than finding the node of
    /// each frame by a hash (on 20,000 stacks of 85 frames a seventh of the time).
    pub fn new(view: &View<'_>, granularity: Granularity, root: Root) -> Paths {
        let keys = Keys::new(view, granularity);
        let mut named: Vec<(String, usize)> =
            (0..keys.len()).map(|key| (keys.name(view, key), key)).collect();
        named.sort_unstable();
        let mut names: Vec<String> = Vec::new();
        let mut number = vec![0_u32; keys.len()];
        for (name, key) in named {
            if names.last() != Some(&name) {
                names.push(name);
            }
            number[key] = names.len() as u32 - 1;
        }
        // Where that is possible, from a line to the number of its name in one step.
        let of_lines: Option<Vec<u32>> = keys.of_lines().map(|of_lines| {
            of_lines.iter().map(|&key| number.get(key as usize).copied().unwrap_or(NO_KEY)).collect()
        });
        let mut elements: Vec<u32> = Vec::new();
        let mut paths: Vec<Path> = Vec::new();
        view.walk(|seen| {
            let start = elements.len();
            match &of_lines {
                Some(of_lines) => {
                    let numbers = seen.lines.iter().map(|line| of_lines[line.index()]);
                    elements.extend(numbers.filter(|number| *number != NO_KEY));
                }
                None => elements.extend(keys.of_stack(view, seen.lines).map(|(_, key)| number[key])),
            }
            if root == Root::Callers {
                elements[start..].reverse();
            }
            paths.push(Path {
                start,
                depth: (elements.len() - start) as u32,
                own: seen.figure,
                before: seen.before,
            });
        });
        let of = |path: &Path| &elements[path.start..path.start + path.depth as usize];
        // A stable sort, so that figures of equal paths are added in the order of the dumps.
        paths.sort_by(|a, b| of(a).cmp(of(b)));
        paths.dedup_by(|next, kept| {
            let same = of(next) == of(kept);
            if same {
                kept.own += next.own;
                kept.before += next.before;
            }
            same
        });
        Paths { names, elements, paths }
    }

    /// The paths with their elements, root first.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &[u32])> {
        self.paths.iter().map(|path| (path, &self.elements[path.start..path.start + path.depth as usize]))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }
}

/// How many elements two paths have in common from the root on.
pub fn shared(a: &[u32], b: &[u32]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}
