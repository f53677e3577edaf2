//! What a row, a node or a box stands for: a function, a line, a file, an address.

use hashbrown::HashMap;

use crate::plan::choice::Granularity;
use crate::symbolize::symbols::{Line, LineId, NameId};
use crate::transform::View;

/// What tells two of them apart.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Identity {
    Function(NameId),
    Line(Line),
    File(NameId),
    Address(LineId),
}

/// The keys of all lines of a view, numbered from 0.
pub struct Keys {
    granularity: Granularity,
    /// Per line its key.
    of_line: Vec<u32>,
    /// Per key the first line that has it.
    examples: Vec<LineId>,
}

impl Keys {
    /// Numbers what occurs. Cost: one hash look-up per line.
    pub fn new(view: &View<'_>, granularity: Granularity) -> Keys {
        let symbols = view.symbols();
        let mut known: HashMap<Identity, u32> = HashMap::new();
        let mut examples: Vec<LineId> = Vec::new();
        let of_line = (0..symbols.lines.len())
            .map(|index| {
                let id = LineId::new(index);
                let line = *symbols.line(id);
                let identity = match granularity {
                    Granularity::Functions => Identity::Function(symbols.function(&line).name),
                    Granularity::Lines => Identity::Line(line),
                    Granularity::Files => Identity::File(line.file),
                    Granularity::Addresses => Identity::Address(id),
                };
                *known.entry(identity).or_insert_with(|| {
                    examples.push(id);
                    examples.len() as u32 - 1
                })
            })
            .collect();
        Keys { granularity, of_line, examples }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.examples.len()
    }

    /// The key of a line.
    pub fn of(&self, line: LineId) -> usize {
        self.of_line[line.index()] as usize
    }

    /// A line that has this key.
    pub fn example(&self, key: usize) -> LineId {
        self.examples[key]
    }

    /// What a key is called.
    pub fn name(&self, view: &View<'_>, key: usize) -> String {
        let symbols = view.symbols();
        let id = self.examples[key];
        let line = symbols.line(id);
        let function = symbols.function_name(line);
        match self.granularity {
            Granularity::Functions => function.into(),
            Granularity::Lines => format!("{function} {}", symbols.location(line)),
            Granularity::Files if line.file == NameId::EMPTY => "??".into(),
            Granularity::Files => symbols.names.text(line.file).into(),
            Granularity::Addresses => {
                format!("{:016x} {function} {}", view.address_of(id), symbols.location(line))
            }
        }
    }
}
