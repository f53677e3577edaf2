//! Labels of stacks as frames and as filters.

use prof_format::dump::{Label, LabelValue};

use crate::model::labels::{number_of, value_text};
use crate::model::{Figures, Profile, Stack};

/// The label that says how large an object of a stack is on average.
pub const BYTES: &str = "bytes";

/// The made-up label that says in which size class that average is.
const SIZE_CLASS: &str = "size_class";

/// The labels of a stack, with `bytes` where the dump has none: the average size of its objects.
pub fn labels_of(profile: &Profile, stack: &Stack) -> Vec<Label> {
    let mut labels = profile.labels.get(stack.labels).to_vec();
    if let Some(bytes) = missing_size(profile, stack) {
        let value = LabelValue::Number { value: bytes, unit: "bytes".into() };
        labels.push(Label { key: BYTES.into(), value });
    }
    labels
}

/// The value of the label `bytes` of a stack of which the dump has none: the average size of its objects.
pub fn missing_size(profile: &Profile, stack: &Stack) -> Option<i64> {
    let known = profile.labels.get(stack.labels);
    if known.iter().any(|label| label.key == BYTES) { None } else { object_size(&stack.figures) }
}

/// Average size of the live objects of a stack, or, when none lives, of all that it allocated.
fn object_size(figures: &Figures) -> Option<i64> {
    [(figures.live_bytes, figures.live_objs), (figures.accum_bytes, figures.accum_objs)]
        .into_iter()
        .find(|(bytes, objects)| *objects > 0.0 && *bytes > 0.0)
        .map(|(bytes, objects)| (bytes / objects).round() as i64)
}

/// What the frame of a label says for a stack.
pub fn frame_text(labels: &[Label], key: &str) -> String {
    if key == SIZE_CLASS {
        return match number_of(labels, BYTES) {
            Some(bytes) => format!("size class {} B", size_class(bytes)),
            None => format!("({key} unknown)"),
        };
    }
    let values: Vec<String> =
        labels.iter().filter(|label| label.key == key).map(|label| value_text(&label.value)).collect();
    if values.is_empty() { format!("(no {key})") } else { values.join(",") }
}

/// The smallest of jemalloc's size classes that holds this many bytes: 8, multiples of 16 up to 128, then four to a
/// doubling.
fn size_class(bytes: i64) -> i64 {
    match bytes {
        ..=8 => 8,
        9..=128 => (bytes + 15) / 16 * 16,
        _ => {
            let doubling = (bytes - 1).ilog2();
            let step = 1 << (doubling - 2);
            (bytes + step - 1) / step * step
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn size_classes_are_jemalloc_s() {
        for (bytes, class) in [
            (1, 8),
            (8, 8),
            (9, 16),
            (17, 32),
            (128, 128),
            (129, 160),
            (160, 160),
            (161, 192),
            (256, 256),
            (257, 320),
            (4096, 4096),
            (4097, 5120),
            (14_337, 16_384),
            (3 << 20, 3 << 20),
        ] {
            assert_eq!(size_class(bytes), class, "{bytes}");
        }
    }
}
