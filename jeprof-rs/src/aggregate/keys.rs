//! What a row, a node or a box stands for: a function, a line, a file, an address, a module.

use std::collections::BTreeSet;

use hashbrown::HashMap;

use crate::compat::names::{JeprofNames, Known, is_callback};
use crate::model::{ImageId, Place};
use crate::plan::choice::Granularity;
use crate::symbolize::symbols::{LineId, NameId};
use crate::transform::View;

/// What tells two of them apart.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Identity {
    Function(NameId),
    FunctionInFile(NameId, NameId),
    /// Function, file, line, and column where columns are shown.
    Line(NameId, NameId, u32, u32),
    File(NameId),
    Address(u64, NameId, NameId, u32),
    /// `None` for code in no file. Labels, which are in none either, are told apart by name.
    Module(Option<ImageId>, NameId),
    /// jeprof's text for it.
    Text(String),
}

/// A line that has no key.
pub const NO_KEY: u32 = u32::MAX;

/// The keys of all lines of a view, numbered from 0.
pub struct Keys {
    granularity: Granularity,
    /// Per line its key, or [`NO_KEY`].
    of_line: Vec<u32>,
    /// Per key the first line that has it.
    examples: Vec<LineId>,
    /// Per key jeprof's text for it, when its rules are followed.
    texts: Option<Vec<String>>,
    /// Keys of lines that depend on the address which they called, 0 at the leaf.
    by_callee: HashMap<(LineId, u64), u32>,
}

impl Keys {
    /// Numbers what occurs. Cost: one hash look-up per line.
    pub fn new(view: &View<'_>, granularity: Granularity) -> Keys {
        let symbols = view.symbols();
        let mut known: HashMap<Identity, u32> = HashMap::new();
        let mut keys = Keys {
            granularity,
            of_line: Vec::with_capacity(symbols.lines.len()),
            examples: Vec::new(),
            texts: view.jeprof().map(|_| Vec::new()),
            by_callee: HashMap::new(),
        };
        for index in 0..symbols.lines.len() {
            let id = LineId::new(index);
            let key = match view.jeprof() {
                Some(names) => {
                    let text = jeprof_text(view, names.of(id), id, granularity, None);
                    keys.jeprof_key(&mut known, text, id)
                }
                None => {
                    let line = symbols.line(id);
                    let function = symbols.function(line).name;
                    let identity = match granularity {
                        Granularity::Functions => Identity::Function(function),
                        Granularity::FileFunctions => Identity::FunctionInFile(function, line.file),
                        Granularity::Lines => {
                            let column = if view.shows_columns() { line.column } else { 0 };
                            Identity::Line(function, line.file, line.line, column)
                        }
                        Granularity::Files => Identity::File(line.file),
                        Granularity::Addresses => {
                            Identity::Address(view.address_of(id), function, line.file, line.line)
                        }
                        Granularity::Modules => {
                            let is_label = view.frame_of(id).is_none();
                            Identity::Module(image(view, id), if is_label { function } else { NameId::EMPTY })
                        }
                    };
                    keys.number(&mut known, identity, id)
                }
            };
            keys.of_line.push(key);
        }
        if let Some(names) = view.jeprof() {
            keys.tell_callbacks_apart(view, names, &mut known);
        }
        keys
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.examples.len()
    }

    /// The keys of a stack's lines, in their order, with the line that each is of. Lines without a key, which only
    /// jeprof's rules know, are left out, and calls within a module where a key is one.
    pub fn of_stack<'a>(
        &'a self,
        view: &'a View<'_>,
        lines: &'a [LineId],
    ) -> impl DoubleEndedIterator<Item = (LineId, usize)> + 'a {
        let is_module = self.granularity == Granularity::Modules;
        lines.iter().enumerate().filter_map(move |(index, &line)| {
            let plain = self.of_line[line.index()];
            if is_module && index > 0 && self.of_line[lines[index - 1].index()] == plain {
                return None;
            }
            let key = if self.by_callee.is_empty() {
                plain
            } else {
                self.by_callee.get(&(line, callee(view, lines, index))).copied().unwrap_or(plain)
            };
            (key != NO_KEY).then_some((line, key as usize))
        })
    }

    /// Per line its key, if that does not depend on the lines around it; [`NO_KEY`] for none.
    pub fn of_lines(&self) -> Option<&[u32]> {
        let depends = self.granularity == Granularity::Modules || !self.by_callee.is_empty();
        (!depends).then_some(self.of_line.as_slice())
    }

    /// A line that has this key.
    pub fn example(&self, key: usize) -> LineId {
        self.examples[key]
    }

    /// What a key is called.
    pub fn name(&self, view: &View<'_>, key: usize) -> String {
        if let Some(texts) = &self.texts {
            return texts[key].clone();
        }
        let symbols = view.symbols();
        let id = self.examples[key];
        let line = symbols.line(id);
        let function = symbols.function_name(line);
        match self.granularity {
            Granularity::Functions => function.into(),
            Granularity::FileFunctions if line.file == NameId::EMPTY => function.into(),
            Granularity::FileFunctions => format!("{function} {}", symbols.names.text(line.file)),
            Granularity::Lines if view.shows_columns() && line.column > 0 => {
                format!("{function} {}:{}", symbols.location(line), line.column)
            }
            Granularity::Lines => format!("{function} {}", symbols.location(line)),
            Granularity::Files if line.file == NameId::EMPTY => "??".into(),
            Granularity::Files => symbols.names.text(line.file).into(),
            Granularity::Addresses => {
                format!("{:016x} {function} {}", view.address_of(id), symbols.location(line))
            }
            Granularity::Modules if view.frame_of(id).is_none() => function.into(),
            Granularity::Modules => module_name(view, id),
        }
    }

    /// What a row of a table shows for a key of this name. jeprof replaces an address that is all there is by what is
    /// known of it.
    pub fn row_name(&self, view: &View<'_>, key: usize, name: String) -> String {
        let id = self.examples[key];
        let outermost =
            view.frame_of(id).and_then(|frame| view.symbols().line_ids(frame.index()).next_back());
        match (view.jeprof(), outermost) {
            (Some(names), Some(outermost)) if name == digits(view, id) => match names.of(outermost) {
                Some(known) => format!("{} {}", known.short, known.place),
                None => name,
            },
            _ => name,
        }
    }

    fn number(&mut self, known: &mut HashMap<Identity, u32>, identity: Identity, line: LineId) -> u32 {
        *known.entry(identity).or_insert_with(|| {
            self.examples.push(line);
            self.examples.len() as u32 - 1
        })
    }

    /// The key of jeprof's text; the empty one is none.
    fn jeprof_key(&mut self, known: &mut HashMap<Identity, u32>, text: String, line: LineId) -> u32 {
        if text.is_empty() {
            return NO_KEY;
        }
        let key = self.number(known, Identity::Text(text.clone()), line);
        if let Some(texts) = &mut self.texts
            && key as usize == texts.len()
        {
            texts.push(text);
        }
        key
    }

    /// compat: functions like `Callback<..>::Run` are one row or node per address that they called, `Run#1` and so on,
    /// because one node for all of them makes circles in a graph. jeprof numbers the addresses in an accidental order,
    /// here it is that of the addresses.
    fn tell_callbacks_apart(
        &mut self,
        view: &View<'_>,
        names: &JeprofNames,
        known: &mut HashMap<Identity, u32>,
    ) {
        let is_run = |line: &LineId| {
            names.of(*line).is_some_and(|known| is_callback(&jeprof_function(known, view.is_inlined(*line))))
        };
        let runs: Vec<bool> = (0..self.of_line.len()).map(|line| is_run(&LineId::new(line))).collect();
        if !runs.contains(&true) {
            return;
        }
        let mut uses: BTreeSet<(u64, LineId)> = BTreeSet::new();
        view.walk(|seen| {
            for (index, &line) in seen.lines.iter().enumerate().filter(|(_, line)| runs[line.index()]) {
                uses.insert((callee(view, seen.lines, index), line));
            }
        });
        let mut numbers: Vec<u64> = uses.iter().map(|(address, _)| *address).collect();
        numbers.dedup();
        for (address, line) in uses {
            let number = numbers.partition_point(|&known| known < address) + 1;
            let text =
                jeprof_text(view, names.of(line), line, self.granularity, Some(format!("Run#{number}")));
            let key = self.jeprof_key(known, text, line);
            self.by_callee.insert((line, address), key);
        }
    }
}

/// The address which the frame of a line called, 0 at the leaf.
fn callee(view: &View<'_>, lines: &[LineId], index: usize) -> u64 {
    let frame = view.frame_of(lines[index]);
    let leafward = lines[..index].iter().rev().find(|line| view.frame_of(**line) != frame);
    leafward.map_or(0, |line| view.address_of(*line))
}

/// The file that a line's code is in.
fn image(view: &View<'_>, line: LineId) -> Option<ImageId> {
    match view.profile().frames[view.frame_of(line)?.index()].place {
        Place::Image { image, .. } => Some(image),
        Place::Unmapped(_) => None,
    }
}

fn module_name(view: &View<'_>, line: LineId) -> String {
    image(view, line).map_or("(no module)", |image| view.profile().images[image.index()].name()).into()
}

fn digits(view: &View<'_>, line: LineId) -> String {
    format!("{:016x}", view.address_of(line))
}

/// The function's name in jeprof's rows.
fn jeprof_function(known: &Known, inlined: bool) -> String {
    if inlined { format!("{} (inline)", known.shown) } else { known.shown.clone() }
}

/// What jeprof calls a line's row. `renamed` stands for the function.
fn jeprof_text(
    view: &View<'_>,
    known: Option<&Known>,
    line: LineId,
    granularity: Granularity,
    renamed: Option<String>,
) -> String {
    let digits = digits(view, line);
    let (function, place) = match known {
        Some(known) => {
            let function = renamed.unwrap_or_else(|| jeprof_function(known, view.is_inlined(line)));
            (function, known.place.as_str())
        }
        None => (digits.clone(), ""),
    };
    match granularity {
        Granularity::Functions if function == "??" => digits,
        Granularity::Functions => function,
        Granularity::FileFunctions if function == "??" || place == "??:0" || place.is_empty() => function,
        Granularity::FileFunctions => format!("{function} {}", without_line(place)),
        Granularity::Lines if function == "??" && place == "??:0" => digits,
        Granularity::Lines => format!("{function} {place}"),
        Granularity::Files if place == "??:0" || place.is_empty() => digits,
        Granularity::Files => without_line(place).into(),
        Granularity::Addresses => format!("{digits} {function} {place}"),
        Granularity::Modules if view.frame_of(line).is_none() => function,
        Granularity::Modules => module_name(view, line),
    }
}

/// A place without `:digits` at its end.
fn without_line(place: &str) -> &str {
    match place.rsplit_once(':') {
        Some((file, line)) if !line.is_empty() && line.bytes().all(|byte| byte.is_ascii_digit()) => file,
        _ => place,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::testing::example;
    use crate::plan::Plan;
    use crate::plan::choice::Compat;

    fn stacks(paths: &[(&str, f64)], granularity: Granularity) -> Vec<Vec<String>> {
        let example = example(paths);
        let plan = Plan { compat: Compat::Jeprof, ..Plan::default() };
        let view = View::new(&example.profile, &example.symbols, &plan);
        let keys = Keys::new(&view, granularity);
        let mut stacks = Vec::new();
        view.walk(|seen| {
            stacks.push(keys.of_stack(&view, seen.lines).map(|(_, key)| keys.name(&view, key)).collect())
        });
        stacks
    }

    #[test]
    fn jeprof_s_rows_have_short_names_and_mark_inlined_functions() {
        let paths = [("main(int);f(a)::g(b)>h(d)", 1.0)];
        assert_eq!(stacks(&paths, Granularity::Functions), [["h (inline)", "f::g", "main"]]);
        assert_eq!(stacks(&paths, Granularity::Addresses)[0][0], "0000000000001000 h (inline) h(d).c:1");
        assert_eq!(stacks(&paths, Granularity::Lines)[0][2], "main main(int).c:1");
        assert_eq!(stacks(&paths, Granularity::Files)[0][2], "main(int).c");
    }

    #[test]
    fn a_callback_is_a_row_per_address_that_it_called() {
        let paths =
            [("main;Callback(A)::Run;f", 1.0), ("main;Callback(A)::Run;g", 1.0), ("Callback(A)::Run", 1.0)];
        assert_eq!(
            stacks(&paths, Granularity::Functions),
            [vec!["f", "Run#2", "main"], vec!["g", "Run#3", "main"], vec!["Run#1"]]
        );
    }

    #[test]
    fn calls_within_a_module_are_one_and_labels_keep_their_names() {
        let example = example(&[("main;a;b", 1.0)]);
        let mut plan = Plan::default();
        plan.selection.tag_root = vec!["thread".into()];
        let view = View::new(&example.profile, &example.symbols, &plan);
        let keys = Keys::new(&view, Granularity::Modules);
        let mut names: Vec<String> = Vec::new();
        view.walk(|seen| {
            names = keys.of_stack(&view, seen.lines).map(|(_, key)| keys.name(&view, key)).collect()
        });
        assert_eq!(names, ["(no module)", "(no thread)"]);
    }

    #[test]
    fn a_function_whose_short_name_is_empty_is_no_row() {
        let paths = [("main;(a);f", 1.0)];
        assert_eq!(stacks(&paths, Granularity::Functions), [["f", "main"]]);
    }
}
