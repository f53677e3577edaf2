//! `docs/reference.md`, made from the tables.

extern crate std;

use std::string::String;
use std::{format, fs};

use super::option::{self, CType, Kind};
use crate::ctl::{self, Row};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference.md");

fn option_type(kind: Kind) -> String {
    match kind {
        Kind::Bool => "true, false".into(),
        Kind::Text => "text without a comma".into(),
        Kind::Choice(words) => {
            let words: std::vec::Vec<_> = words.iter().map(|word| word.to_str().unwrap_or("?")).collect();
            words.join(", ")
        }
        Kind::Number { min, max, clip, ctype } => {
            let ctype = match ctype {
                CType::Unsigned => "unsigned",
                CType::Size => "size_t",
                CType::SSize => "ssize_t",
            };
            format!("{ctype}, {min} to {max}{}", if clip { " (clipped)" } else { "" })
        }
    }
}

fn option_default(opt: &option::Opt) -> String {
    match opt.kind {
        Kind::Bool => format!("{}", opt.on()),
        Kind::Number { .. } if opt.name == "narenas" => "4 per processor".into(),
        Kind::Number { .. } => format!("{}", opt.get()),
        _ => opt.as_cstr().to_str().unwrap_or("?").into(),
    }
}

fn page() -> String {
    let mut page = String::from(
        "# Reference\n\nMade from the tables in `alloc/src/tables` by their test; `UPDATE_GOLDEN=1 cargo test -p \
         jealloc` rewrites it.\n\n## Options\n\n`key:value` pairs with commas between them, from, in this order: the \
         program's variable `malloc_conf`, the link text of\n`/etc/malloc.conf`, the environment variable `MALLOC_CONF`. \
         Later ones win.\n\n| key | values | default | what it does |\n|---|---|---|---|\n",
    );
    for opt in option::ALL {
        page += &format!(
            "| `{}` | {} | {} | {} |\n",
            opt.name,
            option_type(opt.kind),
            option_default(opt),
            opt.doc
        );
    }
    page += "\n## mallctl\n\n`<i>` is an arena index; 4096 stands for all arenas.\n\n\
             | name | type | access | what it is or does |\n|---|---|---|---|\n";
    for row in ctl::rows() {
        let path: std::vec::Vec<_> = row.path().collect();
        let (access, doc) = match row {
            Row::Leaf(leaf) => {
                let access = match (leaf.read, leaf.write, leaf.call) {
                    (Some(_), Some(_), _) => "rw",
                    (Some(_), None, _) => "r-",
                    (None, Some(_), _) => "-w",
                    _ => "--",
                };
                (access, leaf.doc.into())
            }
            Row::Option(opt) => ("r-", format!("The option `{}` as it was at start.", opt.name)),
            Row::Metric(metric) => ("r-", metric.doc.into()),
        };
        page += &format!("| `{}` | {} | {access} | {doc} |\n", path.join("."), row.value_type().c_name());
    }
    page
}

#[test]
fn the_reference_page_is_current() {
    let page = page();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(PAGE, &page).unwrap();
    }
    let committed = fs::read_to_string(PAGE).unwrap_or_default();
    assert!(committed == page, "docs/reference.md is stale; UPDATE_GOLDEN=1 rewrites it");
}
