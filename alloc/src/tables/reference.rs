//! `docs/reference.md`, and what `jeprof-rs conf` knows of the options, made from the tables.

extern crate std;

use std::string::String;
use std::{format, fs};

use super::option::{self, CType, Kind, Opt, Origin};
use super::tree::{self, Node};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/reference.md");
/// A file and no dependency: the viewer must not link the allocator.
const OPTIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../jeprof-rs/src/conf/options.tsv");

fn words(words: &[&core::ffi::CStr], separator: &str) -> String {
    let words: std::vec::Vec<_> = words.iter().map(|word| word.to_str().unwrap_or("?")).collect();
    words.join(separator)
}

fn option_type(kind: Kind) -> String {
    match kind {
        Kind::Bool => "true, false".into(),
        Kind::Text(_) => "text without a comma".into(),
        Kind::Letters(letters) => format!("letters of {}", String::from_utf8_lossy(letters.known)),
        Kind::Choice(choice) => words(choice, ", "),
        Kind::Number { min, max, clip, ctype } => {
            let clip = if clip { " (clipped)" } else { "" };
            format!("{}, {min} to {max}{clip}", ctype.value_type().c_name())
        }
        Kind::Fixed { min, max } => format!("fraction, {} to {}", fraction(min), fraction(max)),
        Kind::Alias { source, .. } => option_type(*source),
    }
}

/// A number of 16.16 bits.
fn fraction(bits: i128) -> String {
    if bits < 0 { format!("{bits}") } else { format!("{:?}", (bits as f64 / 65536.0 * 1e3).round() / 1e3) }
}

fn option_default(opt: &Opt) -> String {
    match opt.kind {
        Kind::Bool => format!("{}", opt.on()),
        _ if opt.computed => "default".into(),
        Kind::Number { .. } | Kind::Alias { source: Kind::Number { .. }, .. } => format!("{}", opt.get()),
        Kind::Fixed { .. } | Kind::Alias { .. } => fraction(opt.get() as i128),
        Kind::Choice(_) | Kind::Text(_) | Kind::Letters(_) => opt.as_cstr().to_str().unwrap_or("?").into(),
    }
}

fn whose(origin: Origin) -> &'static str {
    match origin {
        Origin::Reference | Origin::Unlisted => "",
        Origin::NotBuilt => "Not built. ",
        Origin::Retired => "Retired. ",
        Origin::Extension => "Extension. ",
    }
}

fn page() -> String {
    let mut page = String::from(
        "# Reference\n\nMade from the tables in `alloc/src/tables` by their test; `UPDATE_GOLDEN=1 cargo test -p \
         jealloc` rewrites it.\n\n## Options\n\n`key:value` pairs with commas between them, from, in this order: the \
         program's variable `malloc_conf`, the link text of\n`/etc/malloc.conf`, the environment variable `MALLOC_CONF`. \
         Later ones win.\n\n| key | values | default | what it does |\n|---|---|---|---|\n",
    );
    for opt in sorted() {
        page += &format!(
            "| `{}` | {} | {} | {}{} |\n",
            opt.name,
            option_type(opt.kind),
            option_default(opt),
            whose(opt.origin),
            opt.doc
        );
    }
    page += "\n## mallctl\n\n`<i>` is an arena index; 4096 stands for all arenas.\n\n\
             | name | type | access | what it is or does |\n|---|---|---|---|\n";
    for (path, node) in tree::leaves() {
        let (access, doc) = match node {
            Node::Leaf(leaf) => (leaf.access_text(), leaf.doc.into()),
            Node::Option(opt) if opt.write.is_some() => {
                ("rw", format!("The option `{}`; written, it grows.", opt.name))
            }
            Node::Option(opt) => ("r-", format!("The option `{}` as it was at start.", opt.name)),
            Node::Metric(metric) => ("r-", metric.doc.into()),
            Node::Branch { .. } | Node::Indexed { .. } => continue,
        };
        page += &format!("| `{path}` | {} | {access} | {doc} |\n", node.value_type().c_name());
    }
    page
}

/// Every option, by name.
fn sorted() -> std::vec::Vec<&'static Opt> {
    let mut options: std::vec::Vec<_> = option::all().collect();
    options.sort_by_key(|opt| opt.name);
    options
}

/// One line per option that can be set, fields separated by tabs; `conf/ours.rs` of the viewer reads it.
fn options() -> String {
    let mut table = String::from("name\ttype\tmin\tmax\toutside\twords\tdefault\torigin\tdoc\n");
    for opt in sorted().into_iter().filter(|opt| opt.origin != Origin::NotBuilt) {
        let kind = if let Kind::Alias { source, .. } = opt.kind { *source } else { opt.kind };
        let (kind, range, choice) = match kind {
            Kind::Bool => ("bool", "\t\t".into(), String::new()),
            Kind::Text(_) | Kind::Letters(_) => ("text", "\t\t".into(), String::new()),
            Kind::Choice(choice) => ("choice", "\t\t".into(), words(choice, "|")),
            Kind::Fixed { min, max } => {
                ("fraction", format!("{}\t{}\trefused", fraction(min), fraction(max)), String::new())
            }
            Kind::Number { min, max, clip, ctype } => {
                let outside = if clip { "clipped" } else { "refused" };
                (c_type(ctype), format!("{min}\t{max}\t{outside}"), String::new())
            }
            Kind::Alias { .. } => continue,
        };
        let origin = match opt.origin {
            Origin::Retired => "retired",
            Origin::Extension => "extension",
            _ => "jemalloc",
        };
        let (name, default, doc) = (opt.name, option_default(opt), opt.doc);
        table += &format!("{name}\t{kind}\t{range}\t{choice}\t{default}\t{origin}\t{doc}\n");
    }
    table
}

fn c_type(ctype: CType) -> &'static str {
    ctype.value_type().c_name()
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
