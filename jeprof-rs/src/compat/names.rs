//! What jeprof would know about each line: short name, place and full name.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use regex::Regex;

use super::short_name::short_name;
use crate::model::{Place, Profile};
use crate::symbolize::symbols::{LineId, NameId, Symbols};

/// What nothing is known about.
const UNKNOWN: &str = "??";

/// One function of an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The name that tables and graphs show, with what tells functions of one short name apart.
    pub shown: String,
    /// The name that is compared with filters and with the list of allocator functions.
    pub short: String,
    /// `file:line`, `??:0` when unknown, `?` when the names came along with the dump.
    pub place: String,
    /// The name as it was, brackets and all.
    pub full: String,
}

/// What is known about all lines.
#[derive(Debug)]
pub struct JeprofNames {
    /// By line; `None` for an address in no mapping, of which not even a place is known.
    lines: Vec<Option<Known>>,
}

impl JeprofNames {
    /// Takes the names as the dump has them, or as they were found.
    pub fn new(profile: &Profile, symbols: &Symbols) -> JeprofNames {
        let mut lines = Vec::with_capacity(symbols.lines.len());
        for (frame, id) in profile.frames.iter().zip(profile.frame_ids()) {
            for (index, line) in symbols.lines_of(id.index()).iter().enumerate() {
                let carried = frame.names.get(index);
                let full = match carried {
                    Some(named) => named.function.clone(),
                    None if symbols.is_stand_in(line) => UNKNOWN.into(),
                    None => symbols.function_name(line).into(),
                };
                let place = match (line.file, carried) {
                    (NameId::EMPTY, Some(_)) => "?".into(),
                    _ => symbols.location(line),
                };
                let outside = matches!(frame.place, Place::Unmapped(_)) && carried.is_none();
                let short = short_name(&full);
                lines.push((!outside).then(|| Known { shown: short.clone(), short, place, full }));
            }
        }
        let mut names = JeprofNames { lines };
        names.tell_overloads_apart(profile.frame_ids().filter_map(|id| symbols.line_ids(id.index()).last()));
        names
    }

    /// Adds the line of a label, which is shown as it is.
    pub fn push_label(&mut self, text: &str) {
        let [shown, short, full] = [(); 3].map(|()| text.to_string());
        self.lines.push(Some(Known { shown, short, place: String::new(), full }));
    }

    /// What is known about a line.
    pub fn of(&self, line: LineId) -> Option<&Known> {
        self.lines[line.index()].as_ref()
    }

    /// Where different functions share a short name and their full names end in a start address, `name<1f00>`, they
    /// are shown as `name@1f00`. Only the outermost functions are looked at.
    fn tell_overloads_apart(&mut self, outermost: impl Iterator<Item = LineId>) {
        let mut full_of_short: HashMap<&str, &str> = HashMap::new();
        let mut shared: HashSet<&str> = HashSet::new();
        let outermost: Vec<&Known> = outermost.filter_map(|line| self.lines[line.index()].as_ref()).collect();
        for known in &outermost {
            if start_address(&known.full).is_some()
                && *full_of_short.entry(&known.short).or_insert(&known.full) != known.full
            {
                shared.insert(&known.short);
            }
        }
        let told_apart: HashMap<String, String> = outermost
            .iter()
            .filter(|known| shared.contains(known.short.as_str()))
            .filter_map(|known| {
                let address = last_bracket(&known.full)?;
                Some((known.full.clone(), format!("{}@{address}", known.short)))
            })
            .collect();
        for known in self.lines.iter_mut().flatten() {
            if let Some(shown) = told_apart.get(&known.full) {
                known.shown.clone_from(shown);
            }
        }
    }
}

/// The hexadecimal number in angle brackets that a name ends in.
fn start_address(full: &str) -> Option<&str> {
    let digits = full.strip_suffix('>')?.rsplit_once('<')?.1;
    (!digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(digits)
}

/// What stands in the last angle brackets of a name that ends in them, without leading zeros.
fn last_bracket(full: &str) -> Option<&str> {
    static LAST: LazyLock<Regex> =
        LazyLock::new(|| Regex::new("<0*([^>]*)>$").expect("the expression is tested"));
    Some(LAST.captures(full)?.get(1)?.as_str())
}

/// Whether jeprof takes a function for a callback's `Run`, which it shows apart per address that it called.
pub fn is_callback(function: &str) -> bool {
    function.strip_suffix("::Run").is_some_and(|path| path.contains("Callback"))
}
