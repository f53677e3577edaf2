//! The lists of `fixtures/compat`, read.

use crate::build::workspace;

/// A line of a list: its cells by column name.
#[derive(Clone, Debug)]
pub struct Row {
    columns: Vec<String>,
    cells: Vec<String>,
}

impl Row {
    /// The cell of a column.
    ///
    /// # Panics
    /// When the list has no such column.
    pub fn get(&self, column: &str) -> &str {
        let at = self.columns.iter().position(|name| name == column);
        let at = at.unwrap_or_else(|| panic!("no column {column} in {:?}", self.columns));
        &self.cells[at]
    }

    /// The name, which every list has.
    pub fn name(&self) -> &str {
        self.get("name")
    }

    /// Whether it has to be there: P0 and P1.
    pub fn required(&self) -> bool {
        matches!(self.get("priority"), "P0" | "P1")
    }

    /// Whether a release of the reference has it.
    pub fn in_release(&self, release: &str) -> bool {
        let since = self.get("since");
        let until = if self.columns.iter().any(|name| name == "until") { self.get("until") } else { "-" };
        let since_ok = match since {
            "all" => true,
            "ours" | "dev" | "none" | "build" | "4" => false,
            since => since <= release,
        };
        since_ok && (until == "-" || release <= until)
    }
}

/// A list by its file name.
///
/// # Panics
/// When the file is missing or a line has not as many cells as the head.
pub fn list(file: &str) -> Vec<Row> {
    let path = workspace().join("fixtures/compat").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let mut lines = text.lines();
    let columns: Vec<String> = lines.next().unwrap_or_default().split('\t').map(str::to_owned).collect();
    let mut rows = Vec::new();
    for line in lines {
        let cells: Vec<String> = line.split('\t').map(str::to_owned).collect();
        assert_eq!(cells.len(), columns.len(), "{file}: {line}");
        rows.push(Row { columns: columns.clone(), cells });
    }
    rows
}
