//! Keys of a single arena, `arena.<i>.dirty_decay_ms` and the like: extensions. There is no row for each of them; the value
//! is that of the option of the same name.

use crate::arena::settings::{self, Decaying};
use crate::tables::option::{BadValue, DIRTY_DECAY_MS, MUZZY_DECAY_MS, Opt};
use crate::units::ARENAS_MAX;
use crate::units::ArenaInd;

/// Index and last name of a key of that form.
fn split(key: &[u8]) -> Option<(ArenaInd, &str)> {
    let (index, name) = core::str::from_utf8(key).ok()?.strip_prefix("arena.")?.split_once('.')?;
    if !index.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let index = index.parse().ok().filter(|&index| index < ARENAS_MAX)?;
    Some((ArenaInd(index), name))
}

/// Sets the value of such a key; `None` when it is none.
pub fn set(key: &[u8], value: &[u8]) -> Option<Result<(), BadValue>> {
    let (index, name) = split(key)?;
    let decay = |opt: &Opt, state| {
        let ms = opt.kind.number(value)?;
        settings::preset_decay_ms(index, state, ms);
        Ok(())
    };
    Some(match name {
        "dirty_decay_ms" => decay(&DIRTY_DECAY_MS, Decaying::Dirty),
        "muzzy_decay_ms" => decay(&MUZZY_DECAY_MS, Decaying::Muzzy),
        "nthreads" => threads(value).map(|n| {
            settings::limit_threads(index, n);
        }),
        _ => return None,
    })
}

fn threads(value: &[u8]) -> Result<u32, BadValue> {
    let number: u64 =
        core::str::from_utf8(value).ok().and_then(|text| text.parse().ok()).ok_or(BadValue::Invalid)?;
    u32::try_from(number).map_err(|_| BadValue::OutOfRange)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_an_index_and_a_known_name() {
        assert_eq!(split(b"arena.12.nthreads"), Some((ArenaInd(12), "nthreads")));
        for key in [
            "arena.x.nthreads",
            "arena..nthreads",
            "arena.4095.nthreads",
            "arenas.0.nthreads",
            "arena.+1.nthreads",
        ] {
            assert_eq!(split(key.as_bytes()), None, "{key}");
        }
        assert!(set(b"arena.4000.name", b"x").is_none());
        assert_eq!(set(b"arena.4000.nthreads", b"x"), Some(Err(BadValue::Invalid)));
        assert_eq!(set(b"arena.4000.nthreads", b"4294967296"), Some(Err(BadValue::OutOfRange)));
        assert_eq!(set(b"arena.4000.dirty_decay_ms", b"-2"), Some(Err(BadValue::OutOfRange)));
        assert_eq!(set(b"arena.4000.muzzy_decay_ms", b"60000"), Some(Ok(())));
    }
}
