//! The known word that a misspelt one is nearest to. Pure.

/// Longest word that is compared.
const WORD_MAX: usize = 48;

/// The candidate that takes the fewest insertions, deletions, replacements and swaps of neighbours to become `word`, if
/// these are at most one for every three letters.
pub fn nearest<'a>(word: &[u8], candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = word.len().min(WORD_MAX) / 3;
    candidates
        .filter_map(|candidate| Some((distance(word, candidate.as_bytes())?, candidate)))
        .filter(|&(distance, _)| distance != 0 && distance <= most)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, candidate)| candidate)
}

/// Optimal string alignment distance; `None` for words too long to be names.
fn distance(a: &[u8], b: &[u8]) -> Option<usize> {
    if a.len() > WORD_MAX || b.len() > WORD_MAX {
        return None;
    }
    // Rows of the usual table: row i of it is here at i modulo 3.
    let mut rows = [[0; WORD_MAX + 1]; 3];
    rows[0][..=b.len()].iter_mut().enumerate().for_each(|(j, cell)| *cell = j);
    for i in 1..=a.len() {
        let (above, before) = (rows[(i + 2) % 3], rows[(i + 1) % 3]);
        let row = &mut rows[i % 3];
        row[0] = i;
        for j in 1..=b.len() {
            let replaced = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
    }
    Some(rows[a.len() % 3][b.len()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_far_ones_are_not() {
        let words = || ["narenas", "dirty_decay_ms", "tcache_max", "prof"].into_iter();
        for (word, want) in [
            ("naremas", Some("narenas")),
            ("dirty_deacy_ms", Some("dirty_decay_ms")),
            ("tcachemax", Some("tcache_max")),
            ("prfo", Some("prof")),
            ("foo", None),
            ("", None),
            ("nothing_like_it", None),
        ] {
            assert_eq!(nearest(word.as_bytes(), words()), want, "{word}");
        }
    }
}
