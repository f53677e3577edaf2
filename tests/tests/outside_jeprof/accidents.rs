//! Outputs without what is accidental in jeprof's: it walks its tables in the order of their hashes.

use crate::NO_ROOM_LIMIT;

/// Whether the last bits of jeprof's sums are known. It adds stacks up in the order of its hash, so of rows whose
/// figures are the same sum in another order, either may come first; which one differs from dump to dump.
#[derive(Clone, Copy, PartialEq)]
pub enum Sums {
    Settled,
    Accidental,
}

/// What two outputs have to have in common, line by line.
pub fn settled(mode: &str, arguments: &[&str], text: &str, sums: Sums) -> Vec<String> {
    // Of edges of equal weight it is accidental which one a node still has room for.
    let has_room = arguments.contains(&NO_ROOM_LIMIT);
    let is_comparable = |line: &str| has_room || !line.contains(" -> ");
    match mode {
        "--dot" if sums == Sums::Accidental => {
            let (nodes, others) = graph(text);
            nodes.into_iter().chain(others.into_iter().filter(|line| is_comparable(line))).collect()
        }
        "--dot" if !has_room => text.lines().filter(|line| is_comparable(line)).map(String::from).collect(),
        "--dot" | "--collapsed" => sorted(text.lines()),
        "--callgrind" => sorted(unnumbered(text).split("\n\n")),
        // jeprof refuses to repeat a local file behind the names.
        "--raw" => sorted(text.split("--- heap\n").next().unwrap_or_default().lines()),
        "--text" if sums == Sums::Accidental => {
            let has_cum = arguments.contains(&"--cum") && !arguments.contains(&"--nocum");
            table(text, if has_cum { 3 } else { 0 })
        }
        _ => text.lines().map(String::from).collect(),
    }
}

fn sorted<'a>(parts: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut parts: Vec<String> = parts.map(String::from).collect();
    parts.sort();
    parts
}

/// Lines of a graph, its nodes called by their labels: nodes by falling figures, those of equal figures by label; and
/// all else.
fn graph(text: &str) -> (Vec<String>, Vec<String>) {
    let mut labels = std::collections::HashMap::new();
    let mut nodes = Vec::new();
    let mut others = Vec::new();
    for line in text.lines() {
        let label =
            line.split_once(" [label=\"").filter(|(name, _)| name.starts_with('N') && !name.contains(' '));
        match label {
            Some((number, rest)) => {
                // `name\n1.0 (2.0%)\rof 3.0 (4.0%)\r",shape=...`: the last of the figures gives a node its place.
                let label = rest.split("\\r\",").next().unwrap();
                let figures = label.rsplit("\\n").next().unwrap();
                let cum = figures.rsplit("\\rof ").next().unwrap();
                labels.insert(number, label);
                nodes.push((cum.to_string(), rest.to_string()));
            }
            None => others.push(line),
        }
    }
    let called = |line: &&str| {
        let called = |number: &str| labels.get(number).map_or(number.to_string(), |label| label.to_string());
        let ends = line.split_once(" -> ").and_then(|(from, rest)| Some((from, rest.split_once(" [")?)));
        match ends {
            Some((from, (to, rest))) => format!("{} -> {} [{rest}", called(from), called(to)),
            None => line.to_string(),
        }
    };
    let mut others: Vec<String> = others.iter().map(called).collect();
    others.sort();
    nodes.chunk_by_mut(|a, b| a.0 == b.0).for_each(<[_]>::sort);
    (nodes.into_iter().map(|(_, rest)| rest).collect(), others)
}

/// Lines of a table, those with the same figure in the column that orders it sorted. The running sum stays in its place.
fn table(text: &str, ordering_column: usize) -> Vec<String> {
    const RUNNING_SUM: usize = 2;
    let figure = |line: &str| line.split_whitespace().nth(ordering_column).map(String::from);
    let lines: Vec<&str> = text.lines().collect();
    let mut settled = Vec::new();
    for equals in lines.chunk_by(|a, b| figure(a) == figure(b)) {
        let mut rows = Vec::new();
        for line in equals {
            let mut words: Vec<&str> = line.split_whitespace().collect();
            if words.len() > RUNNING_SUM {
                settled.push(words.remove(RUNNING_SUM).to_string());
            }
            rows.push(words.join(" "));
        }
        rows.sort();
        settled.extend(rows);
    }
    settled
}

/// Callgrind's numbers for names written out.
fn unnumbered(text: &str) -> String {
    let mut names = std::collections::HashMap::new();
    let mut out = String::new();
    for line in text.lines() {
        let parts = line.split_once("=(").and_then(|(key, rest)| Some((key, rest.split_once(')')?)));
        match parts {
            Some((key, (number, name))) => {
                let kind = if key.ends_with("fl") { "file" } else { "function" };
                if !name.is_empty() {
                    names.insert((kind, number.to_string()), name.to_string());
                }
                let name = names.get(&(kind, number.to_string()));
                out.push_str(&format!("{key}={}\n", name.unwrap_or_else(|| panic!("no name yet: `{line}`"))));
            }
            None => out.push_str(&format!("{line}\n")),
        }
    }
    out
}
