//! Labels of stacks: the thread that allocated, and whatever else a profile.proto says.

use hashbrown::HashMap;
use prof_format::dump::{Dump, Label, LabelValue, StackRow};

/// The label that names the thread.
pub const THREAD: &str = "thread";

/// Index in [`LabelSets`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct LabelsId(u32);

impl LabelsId {
    /// The set without labels.
    pub const NONE: LabelsId = LabelsId(0);
}

/// Whether stacks of different labels are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labels {
    /// Yes: per thread, where a dump tells.
    Keep,
    /// No: they are added up.
    Drop,
}

/// Distinct sets of labels; the first is the empty one.
#[derive(Debug)]
pub struct LabelSets {
    sets: Vec<Vec<Label>>,
    ids: HashMap<Vec<Label>, LabelsId>,
}

impl Default for LabelSets {
    fn default() -> LabelSets {
        LabelSets { sets: vec![Vec::new()], ids: HashMap::from([(Vec::new(), LabelsId::NONE)]) }
    }
}

impl LabelSets {
    /// The id of a set; the same for equal ones.
    pub fn id(&mut self, set: Vec<Label>) -> LabelsId {
        let sets = &mut self.sets;
        *self.ids.entry(set.clone()).or_insert_with(|| {
            sets.push(set);
            LabelsId(sets.len() as u32 - 1)
        })
    }

    /// The labels of a set.
    pub fn get(&self, id: LabelsId) -> &[Label] {
        &self.sets[id.0 as usize]
    }

    /// The set of a row of a dump: its labels, and its thread, by name or else as `t` and its number.
    fn of_row(&mut self, dump: &Dump, names: &HashMap<u64, &str>, row: &StackRow) -> LabelsId {
        let mut set = dump.label_sets.get(row.labels as usize).cloned().unwrap_or_default();
        if let Some(thread) = row.thread
            && set.iter().all(|label| label.key != THREAD)
        {
            let name = names.get(&thread).map_or_else(|| format!("t{thread}"), |name| name.to_string());
            set.push(Label { key: THREAD.into(), value: LabelValue::Text(name) });
        }
        self.id(set)
    }
}

/// The sets of a dump's rows, each made once: there are few, and many rows.
pub struct RowLabels<'d> {
    dump: &'d Dump,
    /// Names of threads, once the first is asked for. Where several are told, the first.
    names: Option<HashMap<u64, &'d str>>,
    known: HashMap<(Option<u64>, u32), LabelsId>,
}

impl RowLabels<'_> {
    /// For the rows of this dump.
    pub fn new(dump: &Dump) -> RowLabels<'_> {
        RowLabels { dump, names: None, known: HashMap::new() }
    }

    /// The set of a row.
    pub fn of(&mut self, row: &StackRow, sets: &mut LabelSets) -> LabelsId {
        let RowLabels { dump, names, known } = self;
        *known.entry((row.thread, row.labels)).or_insert_with(|| {
            let names = names.get_or_insert_with(|| {
                let named = dump.threads.iter().rev().filter(|(_, name)| !name.is_empty());
                named.map(|(uid, name)| (*uid, name.as_str())).collect()
            });
            sets.of_row(dump, names, row)
        })
    }
}

/// The number that a label of this key says, the first of several.
pub fn number_of(labels: &[Label], key: &str) -> Option<i64> {
    labels.iter().find(|label| label.key == key).and_then(|label| match label.value {
        LabelValue::Number { value, .. } => Some(value),
        LabelValue::Text(_) => None,
    })
}

/// The text that a label of this key says, the first of several.
pub fn text_of<'l>(labels: &'l [Label], key: &str) -> Option<&'l str> {
    labels.iter().find(|label| label.key == key).and_then(|label| match &label.value {
        LabelValue::Text(text) => Some(text.as_str()),
        LabelValue::Number { .. } => None,
    })
}

/// A label's value as text: `worker-1`, `4096B`. Sizes stay whole, so that different ones look different.
pub fn value_text(value: &LabelValue) -> String {
    match value {
        LabelValue::Text(text) => text.clone(),
        LabelValue::Number { value, unit } if unit.is_empty() => value.to_string(),
        LabelValue::Number { value, unit } if unit == "bytes" => format!("{value}B"),
        LabelValue::Number { value, unit } => format!("{value} {unit}"),
    }
}
