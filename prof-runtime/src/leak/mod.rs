//! The leak summary at exit: what is still live, its largest stacks, and where the dump is. Text only.
//!
//! Sums are of unbiased estimates per object, unlike jemalloc's, which scales the average over everything. A program
//! that mixes sizes is summarised rightly here.

mod names;
mod program;
mod rules;

use prof_format::{snapshot::Snapshot, vocab::Tally};

pub use self::program::default_suppressions;
use self::{names::Names, rules::is_suppressed};
use crate::dump::{frozen::Frozen, names::Text};

/// Stacks that the summary shows.
const STACKS: usize = 3;
/// Frames of each.
const FRAMES: usize = 6;

/// What a summary is made with.
pub struct Ask<'a> {
    /// The program's own rules.
    pub suppressions: &'a [u8],
    /// The file of the final dump, if it was written.
    pub file: Option<&'a [u8]>,
    /// Takes one line.
    pub message: fn(&[u8]),
}

/// Live samples of some stacks.
#[derive(Clone, Copy, Default)]
struct Sum {
    live: Tally,
    stacks: u64,
}

impl Sum {
    fn add(&mut self, live: Tally) {
        *self = Sum { live: self.live.plus(live), stacks: self.stacks + 1 };
    }
}

fn counted<'a>(text: &'a mut Text, number: u64, noun: &[u8]) -> &'a mut Text {
    text.number(number).push(b" ").push(noun).push(if number == 1 { b"" } else { b"s" })
}

fn objects(live: Tally) -> u64 {
    live.est_objs_q16.saturating_add(1 << 15) >> 16
}

/// `~N bytes, ~N objects`
fn figures(live: Tally, text: &mut Text) -> &mut Text {
    counted(text.push(b"~"), live.est_bytes, b"byte").push(b", ~");
    counted(text, objects(live), b"object")
}

/// Hands over the summary, one line at a time; nothing when nothing leaked. Answers the bytes that did. `None` when memory is
/// out.
pub fn report(frozen: &Frozen, ask: &Ask, text: &mut Text) -> Option<u64> {
    let names = Names::of(frozen, frozen.image())?;
    let (mut leaked, mut suppressed) = (Sum::default(), Sum::default());
    // Indices of the largest stacks, the largest first.
    let mut top = [None; STACKS];
    for index in 0..frozen.stacks() {
        let (stack, lost) = (frozen.stack(index), frozen.lost(index));
        if lost.is_empty() {
            continue;
        }
        if is_suppressed(stack.frames, &names, ask.suppressions) {
            suppressed.add(lost);
            continue;
        }
        leaked.add(lost);
        keep(&mut top, (lost.est_bytes, index));
    }
    let say = |text: &mut Text| (ask.message)(text.push(b"\n").as_bytes());
    summary(leaked, text).then(|| say(text));
    if leaked.stacks != 0 {
        (ask.message)(b"<jemalloc>: Run jeprof on dump output for leak detail\n");
        for (_, index) in top.iter().flatten() {
            let stack = frozen.stack(*index);
            figures(frozen.lost(*index), text.clear().push(b"<jemalloc>: "));
            for (depth, frame) in stack.frames.iter().take(FRAMES).enumerate() {
                text.push(if depth == 0 { b": " } else { b" < " });
                names.write(*frame, text);
            }
            say(text.push(if stack.frames.len() > FRAMES { b" < .." } else { b"" }));
        }
        if suppressed.stacks != 0 {
            figures(suppressed.live, text.clear().push(b"<jemalloc>: Suppressed: ")).push(b", ");
            say(counted(text, suppressed.stacks, b"context"));
        }
        if let Some(file) = ask.file {
            say(text.clear().push(b"<jemalloc>: The dump is ").push(file));
        }
    }
    Some(leaked.live.est_bytes)
}

/// Makes the line about all that leaked; false when that is nothing.
fn summary(leaked: Sum, text: &mut Text) -> bool {
    figures(leaked.live, text.clear().push(b"<jemalloc>: Leak approximation summary: ")).push(b", >= ");
    counted(text, leaked.stacks, b"context");
    leaked.stacks != 0
}

/// Puts a stack among the largest if it is one. Of equals the first stays in front.
fn keep(top: &mut [Option<(u64, usize)>; STACKS], mut new: (u64, usize)) {
    for slot in top {
        match slot {
            Some(held) if held.0 >= new.0 => {}
            Some(held) => core::mem::swap(held, &mut new),
            None => {
                *slot = Some(new);
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Rows;
    use prof_format::vocab::Counts;
    use std::string::String;

    #[test]
    fn one_is_singular_several_are_plural_and_nothing_says_nothing() {
        let mut text = Rows::<Text>::zeroed(1).unwrap();
        let mut said = |est_objs_q16: u64, est_bytes: u64, stacks: u64| {
            let live = Tally { sampled: Counts { objs: stacks, bytes: est_bytes }, est_objs_q16, est_bytes };
            assert_eq!(summary(Sum { live, stacks }, &mut text[0]), stacks != 0);
            String::from_utf8(text[0].as_bytes().into()).unwrap()
        };
        said(0, 0, 0);
        assert_eq!(
            said(42 << 16, 13_193_216, 3),
            "<jemalloc>: Leak approximation summary: ~13193216 bytes, ~42 objects, >= 3 contexts"
        );
        assert_eq!(
            said((1 << 16) + 1, 1, 1),
            "<jemalloc>: Leak approximation summary: ~1 byte, ~1 object, >= 1 context"
        );
    }

    #[test]
    fn the_largest_stacks_are_kept_in_order() {
        let mut top = [None; STACKS];
        for (index, bytes) in [5, 9, 1, 9, 7, 2].into_iter().enumerate() {
            keep(&mut top, (bytes, index));
        }
        assert_eq!(top, [Some((9, 1)), Some((9, 3)), Some((7, 4))]);
    }
}
