//! How long the objects of each stack have lived, from the labels `age` and `lifetime` of our own profiles.

use super::by_key::ByKey;
use super::keys::Keys;
use crate::model::labels::{number_of, text_of};
use crate::transform::View;

/// Bytes and objects that lived at least so long, in nanoseconds, and less than twice that.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Span {
    /// A power of two.
    pub nanos: i64,
    /// Bytes.
    pub bytes: f64,
    /// Objects.
    pub objects: f64,
}

/// The objects of a stack.
#[derive(Clone, Debug, Default)]
pub struct Lives {
    /// Keys, leaf first.
    pub stack: Vec<usize>,
    /// The living by age, in ascending order once all are in.
    pub living: Vec<Span>,
    /// The freed ones by lifetime, likewise.
    pub freed: Vec<Span>,
    /// Bytes that are alive, of whatever age.
    pub live_bytes: f64,
    /// Objects that are alive.
    pub live_objects: f64,
    /// Freed objects of which it is known who freed them.
    pub freed_objects: f64,
    /// Those of them that another thread freed.
    pub freed_elsewhere: f64,
}

impl Lives {
    /// Bytes and objects that are alive and at least so old.
    pub fn older(&self, nanos: i64) -> (f64, f64) {
        let old = self.living.iter().filter(|span| span.nanos >= nanos);
        old.fold((0.0, 0.0), |(bytes, objects), span| (bytes + span.bytes, objects + span.objects))
    }

    /// The age of the oldest.
    pub fn oldest(&self) -> Option<i64> {
        self.living.last().map(|span| span.nanos)
    }

    /// The time at which so large a part of all objects had been freed, of those that were freed or are alive: `None` when
    /// fewer were. The living count as if they lived for ever, so that this is never too short.
    pub fn lifetime(&self, part: f64) -> Option<i64> {
        let wanted = part * self.objects();
        let mut freed = 0.0;
        self.freed.iter().find_map(|span| {
            freed += span.objects;
            (freed >= wanted).then_some(span.nanos)
        })
    }

    /// All objects.
    pub fn objects(&self) -> f64 {
        self.live_objects + self.freed.iter().map(|span| span.objects).sum::<f64>()
    }
}

/// One for each stack of what the filters leave, in the order of the dumps.
///
/// Cost: one hash look-up per sample.
pub fn lives(view: &View<'_>, keys: &Keys) -> Vec<Lives> {
    let mut by_stack = ByKey::new();
    view.walk_every_figure(|seen| {
        let stack: Vec<usize> = keys.of_stack(view, seen.lines).map(|(_, key)| key).collect();
        let lives = by_stack.of(stack, |stack| Lives { stack: stack.clone(), ..Lives::default() });
        let figures = seen.stack.figures;
        let labels = view.profile().labels.get(seen.stack.labels);
        lives.live_bytes += figures.live_bytes;
        lives.live_objects += figures.live_objs;
        if let Some(nanos) = number_of(labels, "age") {
            lives.living.push(Span { nanos, bytes: figures.live_bytes, objects: figures.live_objs });
        }
        if let Some(nanos) = number_of(labels, "lifetime") {
            let (bytes, objects) = (figures.accum_bytes, figures.accum_objs);
            lives.freed.push(Span { nanos, bytes, objects });
            if let Some(by) = text_of(labels, "freed_by") {
                lives.freed_objects += objects;
                lives.freed_elsewhere += if by == "other thread" { objects } else { 0.0 };
            }
        }
    });
    for lives in &mut by_stack.all {
        lives.living.sort_by_key(|span| span.nanos);
        lives.freed.sort_by_key(|span| span.nanos);
    }
    by_stack.all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn span(nanos: i64, objects: f64) -> Span {
        Span { nanos, bytes: 10.0 * objects, objects }
    }

    #[test]
    fn who_lives_is_not_taken_for_short_lived() {
        let lives = Lives {
            living: vec![span(1, 5.0), span(1 << 30, 5.0)],
            freed: vec![span(1, 60.0), span(1 << 20, 30.0)],
            live_objects: 10.0,
            ..Lives::default()
        };
        assert_eq!(lives.older(1 << 30), (50.0, 5.0));
        assert_eq!((lives.older(0), lives.oldest()), ((100.0, 10.0), Some(1 << 30)));
        assert_eq!(lives.objects(), 100.0);
        assert_eq!(
            [0.5, 0.61, 0.9].map(|part| lives.lifetime(part)),
            [Some(1), Some(1 << 20), Some(1 << 20)]
        );
        assert_eq!(lives.lifetime(0.99), None, "a tenth of them has not been freed");
    }
}
