//! Labels that threads set for requests or tenants: texts, each stored once. Lock-free; nothing is ever taken out, so
//! there are only so many.

use core::{
    ffi::CStr,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{
    index::{Index, mix},
    memory::{Array, Zeroed},
};

/// Longest label in bytes.
pub const LABEL_MAX: usize = 63;
/// Most distinct labels of a process: 4 MiB of them.
const LABELS_MAX: u32 = 1 << 16;

const WORDS: usize = (LABEL_MAX + 1) / 8;

/// Why a label was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadLabel {
    /// It is longer than 63 bytes, or has a character that is neither printable ASCII nor a blank.
    Text,
    /// There are 65,536 others, or memory is out.
    TooMany,
}

/// A stored label; never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LabelId(u32);

impl LabelId {
    /// For storing; 0 for none.
    pub fn to_bits(label: Option<LabelId>) -> u32 {
        label.map_or(0, |label| label.0)
    }

    /// From what was stored.
    pub fn from_bits(bits: u32) -> Option<LabelId> {
        (bits != 0).then_some(LabelId(bits))
    }
}

/// The text, then zeros, of which there is at least one. Complete before its number is known, and never changed.
#[derive(Default)]
struct Record([AtomicU64; WORDS]);

// SAFETY: atomics only, for which zero is a value.
unsafe impl Zeroed for Record {}

/// All labels.
pub struct Labels {
    index: Index,
    table: Array<Record, 64>,
}

impl Labels {
    /// None; maps nothing.
    pub const fn new() -> Labels {
        Labels { index: Index::new(), table: Array::new() }
    }

    /// How many there are.
    pub fn len(&self) -> u32 {
        self.table.len()
    }

    /// The label of a text, added when it is new; `None` for an empty text.
    ///
    /// # Errors
    /// See [`BadLabel`].
    pub fn intern(&self, text: &[u8]) -> Result<Option<LabelId>, BadLabel> {
        if text.is_empty() {
            return Ok(None);
        }
        let printable = |byte: &u8| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t');
        if text.len() > LABEL_MAX || !text.iter().all(printable) {
            return Err(BadLabel::Text);
        }
        let words: [u64; WORDS] = core::array::from_fn(|at| {
            u64::from_le_bytes(core::array::from_fn(|byte| text.get(at * 8 + byte).copied().unwrap_or(0)))
        });
        let equals = |id: u32| {
            let record = self.table.get(id - 1);
            record.is_some_and(|record| {
                record.0.iter().zip(words).all(|(held, word)| held.load(Ordering::Relaxed) == word)
            })
        };
        let make = || {
            if self.len() >= LABELS_MAX {
                return None;
            }
            let (at, made) = self.table.alloc(1)?;
            made.first()?.0.iter().zip(words).for_each(|(slot, word)| slot.store(word, Ordering::Relaxed));
            Some(at + 1)
        };
        let hash = words.iter().fold(0, |hash, word| mix(hash, *word));
        let id = self.index.find_or_insert(hash, equals, make).ok_or(BadLabel::TooMany)?;
        Ok(Some(LabelId(id)))
    }

    /// The text of a label, and a zero after it; it stays where it is. Empty for none.
    pub fn text(&self, label: Option<LabelId>) -> &CStr {
        let Some(record) = label.and_then(|label| self.table.get(label.0 - 1)) else { return c"" };
        // SAFETY: the words lie in a row, are never written again (an id is known only when its record is complete), and
        // may be read as bytes.
        let bytes = unsafe { core::slice::from_raw_parts(record.0.as_ptr().cast::<u8>(), LABEL_MAX + 1) };
        CStr::from_bytes_until_nul(bytes).unwrap_or(c"")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{format, vec::Vec};

    #[test]
    fn equal_texts_are_one_label_and_come_back_as_they_were() {
        let labels = Labels::new();
        let long = "x".repeat(LABEL_MAX);
        let texts = ["tenant a", "tenant b", "\t ~!", "x", &long];
        let ids: Vec<_> = texts.iter().map(|text| labels.intern(text.as_bytes()).unwrap()).collect();
        for (text, id) in texts.iter().zip(&ids) {
            assert_eq!(labels.intern(text.as_bytes()), Ok(*id));
            assert_eq!(labels.text(*id).to_bytes(), text.as_bytes());
        }
        assert_eq!(labels.len() as usize, texts.len());
        assert_eq!((labels.intern(b""), labels.text(None)), (Ok(None), c""));
    }

    #[test]
    fn what_is_no_label_and_what_is_too_much_is_refused() {
        let labels = Labels::new();
        for text in [&b"a\nb"[..], b"\xc3\xa4", &[b'x'; LABEL_MAX + 1], b"a\0"] {
            assert_eq!(labels.intern(text), Err(BadLabel::Text));
        }
        for n in 0..LABELS_MAX {
            assert!(labels.intern(format!("{n}").as_bytes()).is_ok(), "{n}");
        }
        assert_eq!(labels.intern(b"one more"), Err(BadLabel::TooMany));
        assert!(labels.intern(b"17").is_ok(), "those that are there go on");
    }
}
