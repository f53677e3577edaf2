//! The options of this project's allocator, from the file that its own test writes.

use std::sync::OnceLock;

use super::jemalloc;
use super::option::{Row, Says, Versions};
use super::value::Kind;

/// Made from the allocator's rows by `UPDATE_GOLDEN=1 cargo test -p jealloc`. Tab-separated: name, type (`bool`, a C
/// type of a number, `fraction`, `choice`, `text`), least, greatest, what happens outside (`clipped`, `refused`), words
/// with `|` between them, default, whose it is (`jemalloc`, `retired`, `extension`), what it does.
const TABLE: &str = include_str!("options.tsv");

/// Every option of ours, sorted by name.
pub fn rows() -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    ROWS.get_or_init(|| TABLE.lines().skip(1).filter_map(parse).collect())
}

/// One line of the table. What it says of a value is jemalloc's row's sentence where there is one.
fn parse(line: &'static str) -> Option<Row> {
    let fields: Vec<&'static str> = line.split('\t').collect();
    let [name, kind, min, max, outside, words, default, _, doc] = fields.try_into().ok()?;
    let kind = match kind {
        "bool" => Kind::Bool,
        "choice" => Kind::Words { words, beginnings: false },
        "text" => Kind::Text,
        "fraction" => {
            // The greatest of 16.16 bits is no limit that anybody meets.
            let max = max.parse::<f64>().ok()?;
            Kind::Fraction { max: (max < 32767.0).then_some(max as u32), minus_one: min == "-1" }
        }
        _ => Kind::Number { min: min.parse().ok()?, max: max.parse().ok()?, clip: outside == "clipped" },
    };
    let theirs = jemalloc::ROWS.iter().find(|row| row.name == name);
    let says = theirs.filter(|row| same_sort(row.kind, kind)).map_or(Says::Any(doc), |row| row.says);
    Some(Row { name, kind, default, versions: Versions::Both, build: None, says })
}

fn same_sort(one: Kind, other: Kind) -> bool {
    match (one, other) {
        // The sentences stand in the order of the words.
        (Kind::Words { words, .. }, Kind::Words { words: others, .. }) => words == others,
        _ => std::mem::discriminant(&one) == std::mem::discriminant(&other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_a_row() {
        assert_eq!(rows().len(), TABLE.lines().count() - 1);
        assert!(rows().windows(2).all(|pair| pair[0].name < pair[1].name));
    }

    #[test]
    fn an_option_that_jemalloc_lacks_is_told_in_the_allocator_s_own_words() {
        let row = rows().iter().find(|row| row.name == "prof_dump_format").unwrap();
        assert!(matches!(row.says, Says::Any(doc) if doc.contains("Format")), "{row:?}");
    }
}
