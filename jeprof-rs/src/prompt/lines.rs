//! Where the lines come from: an editor with history and completion on a terminal, plain lines in a pipe.

use std::io::{BufRead, IsTerminal, Write};
use std::path::{Path, PathBuf};

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::Validator;
use rustyline::{Behavior, CompletionType, Config, Context, Editor, Helper};

use super::completion::Completion;
use crate::error::{Error, Result, plain};

/// jeprof's prompt.
const PROMPT: &str = "(jeprof) ";

const HISTORY_LINES_MAX: usize = 1000;

/// A source of lines.
pub enum Lines {
    /// A person.
    Terminal {
        /// Reads and edits.
        editor: Box<Editor<Completing, FileHistory>>,
        /// Where earlier lines are kept, when there is a place for them.
        history: Option<PathBuf>,
    },
    /// A script.
    Pipe,
}

impl Lines {
    /// An editor when stdin is a terminal.
    ///
    /// # Errors
    /// The terminal cannot be used.
    pub fn open(completion: Completion) -> Result<Lines> {
        if !std::io::stdin().is_terminal() {
            return Ok(Lines::Pipe);
        }
        let config = Config::builder()
            .behavior(Behavior::PreferTerm)
            .completion_type(CompletionType::List)
            .max_history_size(HISTORY_LINES_MAX)
            .and_then(|config| config.history_ignore_dups(true))
            .map_err(unusable)?
            .history_ignore_space(true)
            .build();
        let mut editor = Editor::with_config(config).map_err(unusable)?;
        editor.set_helper(Some(Completing(completion)));
        let history = history_file();
        if let Some(path) = &history {
            // The first time there is none.
            let _ = editor.load_history(path);
        }
        Ok(Lines::Terminal { editor: Box::new(editor), history })
    }

    /// The next line; `None` at the end of input.
    ///
    /// # Errors
    /// Reading fails.
    pub fn next(&mut self) -> Result<Option<String>> {
        match self {
            Lines::Terminal { editor, .. } => loop {
                match editor.readline(PROMPT) {
                    Ok(line) => {
                        if !line.trim().is_empty() {
                            editor.add_history_entry(&line).map_err(unusable)?;
                        }
                        return Ok(Some(line));
                    }
                    // The line is given up, not the session.
                    Err(ReadlineError::Interrupted) => {}
                    Err(ReadlineError::Eof) => return Ok(None),
                    Err(error) => return Err(unusable(error)),
                }
            },
            Lines::Pipe => {
                let mut stderr = std::io::stderr();
                let _ = stderr.write_all(PROMPT.as_bytes());
                let mut line = Vec::new();
                let count = std::io::stdin().lock().read_until(b'\n', &mut line);
                let count = count.map_err(|error| Error::at("standard input", plain(&error)))?;
                if count == 0 {
                    let _ = stderr.write_all(b"\n");
                    return Ok(None);
                }
                let line = String::from_utf8(line);
                line.map(Some).map_err(|_| Error::at("standard input", "is not valid UTF-8"))
            }
        }
    }

    /// Whether a person sits in front.
    pub fn is_terminal(&self) -> bool {
        matches!(self, Lines::Terminal { .. })
    }

    /// Keeps the lines of this session.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn keep_history(&mut self) -> Result<()> {
        let Lines::Terminal { editor, history: Some(path) } = self else { return Ok(()) };
        let complain = |what: String| Error::at(path.display(), format!("the history is not kept: {what}"));
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| complain(plain(&error)))?;
        }
        editor.append_history(path).map_err(|error| complain(error.to_string()))
    }
}

fn unusable(error: ReadlineError) -> Error {
    Error::at("terminal", error)
}

/// The user's state folder, as the XDG base directories say.
fn history_file() -> Option<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state =
        absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(Path::new(".local/state"))))?;
    Some(state.join("jeprof-rs").join("history"))
}

/// The editor's side of completion.
pub struct Completing(Completion);

impl Completer for Completing {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        cursor: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.0.complete(&line[..cursor]))
    }
}

impl Hinter for Completing {
    type Hint = String;
}

impl Highlighter for Completing {}
impl Validator for Completing {}
impl Helper for Completing {}
