//! From rows of the lists to commands of the probe and the answers that the rules of the interface ask for.

use super::lists::{Row, list};

/// Commands for one process, and the pattern that each answer should fit.
#[derive(Clone, Debug)]
pub struct Case {
    /// The row that this is about.
    pub row: String,
    /// `MALLOC_CONF`; empty for none.
    pub conf: String,
    /// Commands of the probe.
    pub commands: Vec<String>,
    /// What each should answer, `*` for anything.
    pub expected: Vec<String>,
}

impl Case {
    fn new(row: &str, conf: &str) -> Case {
        Case { row: row.into(), conf: conf.into(), commands: Vec::new(), expected: Vec::new() }
    }

    fn try_it(&mut self, command: impl Into<String>, expected: impl Into<String>) {
        self.commands.push(command.into());
        self.expected.push(expected.into());
    }
}

const GLOBAL_MUTEXES: &[&str] = &[
    "background_thread",
    "max_per_bg_thd",
    "ctl",
    "prof",
    "prof_thds_data",
    "prof_dump",
    "prof_recent_alloc",
    "prof_recent_dump",
    "prof_stats",
];

const ARENA_MUTEXES: &[&str] = &[
    "large",
    "extent_avail",
    "extents_dirty",
    "extents_muzzy",
    "extents_retained",
    "decay_dirty",
    "decay_muzzy",
    "base",
    "tcache_list",
    "hpa_shard",
    "hpa_shard_grow",
    "hpa_sec",
];

/// The names that a row stands for, each with a number for its `<g>` or `<m>`; other indices are 0.
pub fn instances(name: &str) -> Vec<(String, usize)> {
    let plain = name.replace("<i>", "0").replace("<j>", "0");
    let of = |list: &[&str], mark: &str| {
        (0..).zip(list).map(|(number, word)| (plain.replace(mark, word), number)).collect()
    };
    if plain.contains("<g>") {
        of(GLOBAL_MUTEXES, "<g>")
    } else if plain.contains("<m>") {
        of(ARENA_MUTEXES, "<m>")
    } else {
        vec![(plain, 0)]
    }
}

/// The settings under which the profiler's rows are tried.
pub const PROFILING: &str = "prof:true,prof_active:false";

/// What to try with a mallctl row. Rows with rules of their own have them in [`sequences`].
pub fn control(row: &Row) -> Vec<Case> {
    if row.get("value") == "special" {
        return Vec::new();
    }
    match row.get("needs") {
        "prof" | "prof-read" => vec![control_in(row, "", false), control_in(row, PROFILING, true)],
        "prof_stats" => vec![control_in(row, "prof:true,prof_active:false,prof_stats:true", true)],
        "source" => vec![control_in(row, "narenas:8", true)],
        _ => vec![control_in(row, "", true)],
    }
}

fn control_in(row: &Row, conf: &str, works: bool) -> Case {
    let mut case = Case::new(row.name(), conf);
    for (name, _) in instances(row.name()) {
        match row.get("access") {
            "call" => call(&mut case, &name),
            access => {
                if access.contains('r') {
                    read(&mut case, row, &name, works);
                }
                if access.contains('w') {
                    write(&mut case, row, &name, works);
                } else {
                    for way in ["ctl", "mib"] {
                        // The other way round for leaves that do not exist in this build.
                        let error = if absent(row) { "rc=ENOENT*" } else { "rc=EPERM*" };
                        case.try_it(format!("{way} {name} - u=1"), error);
                    }
                }
            }
        }
    }
    case
}

/// Rows that read ENOENT: a source of options that is not set, or a part that nobody has to compile in.
fn absent(row: &Row) -> bool {
    let unset = row.get("needs") == "source" && row.name() != "opt.malloc_conf.env_var";
    unset || (row.get("value") == "build" && !row.required())
}

/// The probe's letter of a type and the type's size.
pub fn kind(row: &Row) -> (&str, usize) {
    match row.get("type") {
        "b" => ("b", 1),
        "u" => ("u", 4),
        "x16" => ("x", 16),
        "x8" => ("x", 8),
        other => (other, 8),
    }
}

fn read(case: &mut Case, row: &Row, name: &str, works: bool) {
    let (letter, size) = kind(row);
    let exact = if letter == "x" { format!("x/{size}") } else { letter.to_owned() };
    let value = row.get("value").strip_prefix('=').unwrap_or("*");
    // Options set for the sake of the row change what it reads.
    let value = if case.conf.is_empty() { value } else { "*" };
    if absent(row) || (!works && row.get("needs") == "prof-read") {
        for way in ["ctl", "mib"] {
            case.try_it(format!("{way} {name} {exact} -"), "rc=ENOENT*");
        }
        return;
    }
    if row.get("access") == "w" {
        return;
    }
    for way in ["ctl", "mib"] {
        case.try_it(format!("{way} {name} {exact} -"), format!("rc=0 len={size} old={value}"));
        let short = size / 2;
        case.try_it(format!("{way} {name} {letter}/{short} -"), format!("rc=EINVAL len={short} old=*"));
        case.try_it(format!("{way} {name} {letter}/{} -", size + 1), format!("rc=EINVAL len={size} old=*"));
        case.try_it(format!("{way} {name} - -"), "rc=0 len=0 old=-");
    }
    if letter != "x" {
        case.try_it(format!("ctl {name} nolen:{letter} -"), format!("rc=0 len={size} old=-"));
    }
}

fn write(case: &mut Case, row: &Row, name: &str, works: bool) {
    let (letter, _) = kind(row);
    let value = match row.get("write") {
        "back" => {
            case.try_it(format!("ctl {name} {letter} -"), "rc=0*");
            case.try_it("keep 1", "kept");
            format!("{letter}=$1")
        }
        value => value.to_owned(),
    };
    if !works {
        // Switching off what is off is no error.
        let off = matches!(row.name(), "prof.active");
        for way in ["ctl", "mib"] {
            case.try_it(format!("{way} {name} - {value}"), if off { "rc=0*" } else { "rc=ENOENT*" });
        }
        return;
    }
    for way in ["ctl", "mib"] {
        case.try_it(format!("{way} {name} - {value}"), "rc=0 len=0 old=-");
        case.try_it(format!("{way} {name} - x/3=000000"), "rc=EINVAL*");
    }
    if row.get("access") == "w" {
        for way in ["ctl", "mib"] {
            case.try_it(format!("{way} {name} {letter} -"), "rc=EPERM*");
        }
    } else {
        case.try_it(format!("ctl {name} {letter} {value}"), "rc=0*");
        case.try_it(format!("mib {name} {letter} {value}"), "rc=0*");
    }
}

fn call(case: &mut Case, name: &str) {
    for way in ["ctl", "mib"] {
        case.try_it(format!("{way} {name} - -"), "rc=0*");
        case.try_it(format!("{way} {name} b -"), "rc=EPERM*");
        case.try_it(format!("{way} {name} - b=true"), "rc=EPERM*");
    }
}

/// Where the reference has a name: its MIB.
pub fn mib(row: &Row) -> Option<Case> {
    let pattern = row.get("mib");
    if pattern == "-" {
        return None;
    }
    let conf =
        if row.get("needs") == "prof_stats" { "prof:true,prof_active:false,prof_stats:true" } else { "" };
    let mut case = Case::new(row.name(), conf);
    for (name, number) in instances(row.name()) {
        let words = pattern.split('.').map(|part| match part {
            "i" | "j" => "0".to_owned(),
            "g" | "m" => number.to_string(),
            part => part.to_owned(),
        });
        let words: Vec<String> = words.collect();
        let expected = format!("rc=0 len={} mib={}", words.len(), words.join("."));
        case.try_it(format!("tomib {name} 12"), expected);
    }
    Some(case)
}

/// Sequences and calls that were recorded from 5.3.1: lines of one file with equal row and settings that follow each
/// other are one process.
pub fn recorded(file: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in list(file) {
        let conf = line.get("conf").trim_start_matches('-').to_owned();
        let row = line.get("row");
        if !cases.last().is_some_and(|last| last.row == row && last.conf == conf) {
            cases.push(Case::new(row, &conf));
        }
        let last = cases.last_mut().expect("one was just pushed");
        last.try_it(line.get("command"), line.get("answer"));
    }
    cases
}

/// Whether the symbols of a row belong to the library that serves mallctl.
pub fn symbols(row: &Row) -> Option<Case> {
    let names = row.get("symbols");
    if names == "-" || !matches!(row.get("kind"), "function" | "operator" | "global") {
        return None;
    }
    let mut case = Case::new(row.name(), "");
    for name in names.split(' ') {
        case.try_it(format!("sym {name}"), "own");
    }
    Some(case)
}
