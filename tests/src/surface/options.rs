//! Options: the settings to try for a row, and what each should lead to.

use super::lists::Row;

/// One setting of one option.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The option's row.
    pub row: String,
    /// The whole of `MALLOC_CONF`.
    pub conf: String,
    /// What is printed, without the prefix: nothing, a text, or `*` for anything at all.
    pub says: Option<String>,
    /// The value that is read back, if it can be told.
    pub reads: Option<String>,
}

/// `value>reads`: a value, and what reading gives when that is something else.
fn split(cell: &str) -> (&str, &str) {
    cell.split_once('>').unwrap_or((cell, cell))
}

/// A key that stands for one arena, for arena 0.
fn key(row: &Row) -> String {
    row.name().replace("<i>", "0")
}

fn past(value: &str, step: i128) -> Option<String> {
    value.parse::<i128>().ok().map(|number| (number + step).to_string())
}

/// Default, both ends, and past them.
pub fn settings(row: &Row) -> Vec<Setting> {
    let key = key(row);
    let mut found = Vec::new();
    let kind = row.get("type");
    let quoted = matches!(kind, "word" | "string" | "letters");
    let shown = |value: &str| if quoted { format!("\"{value}\"") } else { value.to_owned() };
    let says = (row.get("says") != "-").then(|| row.get("says").to_owned());
    let mut add = |value: &str, says: Option<String>, reads: Option<String>| {
        found.push(Setting { row: row.name().into(), conf: format!("{key}:{value}"), says, reads });
    };
    let refused = |what: &str, value: &str| Some(format!("{what}: {key}:{value}"));
    // What every value of an option says that is accepted with a notice.
    let always = says.clone().filter(|_| row.get("until") == "4");
    let default = row.get("default");
    if !matches!(default, "-" | "\"\"") {
        let (value, reads) = split(default);
        // The word that stands for a number which the machine decides.
        let reads = (value != "default" || quoted).then(|| shown(reads));
        add(value, always.clone(), reads);
    }
    if kind == "word" {
        for (number, word) in (0..).zip(row.get("low").split('|')) {
            let (value, reads) = split(word);
            add(value, always.clone(), Some(shown(reads)));
            if number == 0 {
                // A word that is longer than a known one.
                let longer = format!("{value}x");
                add(&longer, refused("Invalid conf value", &longer), None);
            }
        }
        add("nonsense", refused("Invalid conf value", "nonsense"), None);
        return found;
    }
    for (column, beyond, step) in [("low", "below", -1), ("high", "above", 1)] {
        let (value, reads) = split(row.get(column));
        if value == "-" {
            continue;
        }
        let here = if column == "high" { says.clone() } else { always.clone() };
        let letters = kind == "letters" || kind == "string";
        let known = row.get("read") != "-" && (!letters || column == "high");
        add(value, here, known.then(|| shown(reads)));
        let Some(value) = past(value, step) else { continue };
        match row.get(beyond) {
            "clip" => add(&value, None, known.then(|| shown(reads))),
            "range" => add(&value, refused("Out-of-range conf value", &value), None),
            "value" => add(&value, refused("Invalid conf value", &value), None),
            _ => {}
        }
    }
    match kind {
        "bool" | "unsigned" | "size" | "ssize" | "int64" | "uint64" | "fixed" if always.is_none() => {
            add("nonsense", refused("Invalid conf value", "nonsense"), None);
        }
        "ranges" => {
            let what = format!("Invalid settings for {key}");
            add("nonsense", refused(&what, "nonsense"), None);
        }
        _ => {}
    }
    if row.get("needs") == "build" && !row.required() {
        // A part that nobody has to compile in.
        for setting in &mut found {
            setting.says = Some(format!("Invalid conf pair: {}", setting.conf));
            setting.reads = None;
        }
    }
    found
}
