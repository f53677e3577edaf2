//! `docs/reference.md`, and what `jeprof-rs conf` knows of the options, made from the tables.

extern crate std;

use std::string::String;
use std::{format, fs};

use super::option::{self, CType, Kind};
use crate::ctl::{self, Row};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference.md");
/// A file and no dependency: the viewer must not link the allocator.
const OPTIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../jeprof-rs/src/conf/options.tsv");

fn c_type(ctype: CType) -> &'static str {
    match ctype {
        CType::Unsigned => "unsigned",
        CType::Size => "size_t",
        CType::SSize => "ssize_t",
    }
}

fn words(words: &[&core::ffi::CStr], separator: &str) -> String {
    let words: std::vec::Vec<_> = words.iter().map(|word| word.to_str().unwrap_or("?")).collect();
    words.join(separator)
}

fn option_type(kind: Kind) -> String {
    match kind {
        Kind::Bool => "true, false".into(),
        Kind::Text => "text without a comma".into(),
        Kind::Choice(choice) => words(choice, ", "),
        Kind::Number { min, max, clip, ctype } => {
            format!("{}, {min} to {max}{}", c_type(ctype), if clip { " (clipped)" } else { "" })
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

/// One line per option, fields separated by tabs; `conf/ours.rs` of the viewer reads it.
fn options() -> String {
    let mut table = String::from("name\ttype\tmin\tmax\toutside\twords\tdefault\tdoc\n");
    for opt in option::ALL {
        let (kind, range, choice) = match opt.kind {
            Kind::Bool => ("bool", "\t\t".into(), String::new()),
            Kind::Text => ("text", "\t\t".into(), String::new()),
            Kind::Choice(choice) => ("choice", "\t\t".into(), words(choice, "|")),
            Kind::Number { min, max, clip, ctype } => {
                let outside = if clip { "clipped" } else { "refused" };
                (c_type(ctype), format!("{min}\t{max}\t{outside}"), String::new())
            }
        };
        // What is computed at start has no default that could be written down.
        let computed = opt.name == "narenas";
        let default = if computed { "default".into() } else { option_default(opt) };
        table += &format!("{}\t{kind}\t{range}\t{choice}\t{default}\t{}\n", opt.name, opt.doc);
    }
    table
}

#[track_caller]
fn current(path: &str, wanted: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(path, wanted).unwrap();
    }
    let committed = fs::read_to_string(path).unwrap_or_default();
    assert!(committed == wanted, "{path} is stale; UPDATE_GOLDEN=1 rewrites it");
}

#[test]
fn the_reference_page_is_current() {
    current(PAGE, &page());
}

#[test]
fn the_viewer_s_table_of_options_is_current() {
    current(OPTIONS, &options());
}
