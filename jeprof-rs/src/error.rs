//! How the tool fails: one sentence for the user, with what it was doing in front.
//!
//! Every failure ends the run with exit status 2; there is nothing to tell apart by kind, so the type is opaque.

use std::fmt;
use std::path::Path;

/// A failure, readable as it is: `what was being done: what was wrong`.
#[derive(Debug, PartialEq, Eq)]
pub struct Error {
    text: String,
}

/// What fallible functions of this package return.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// A failure with this text. No full stop, no `error:` in front.
    pub fn new(text: impl Into<String>) -> Error {
        Error { text: text.into() }
    }

    /// Puts the place (a file name, a flag) in front.
    pub fn at(place: impl fmt::Display, what: impl fmt::Display) -> Error {
        Error { text: format!("{place}: {what}") }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Error {}

/// The text of a file that somebody wrote for us.
///
/// # Errors
/// It cannot be read, or is not UTF-8; the file is named.
pub fn read_text(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).map_err(|error| Error::at(path.display(), plain(&error)))
}

/// An operating system error in plain words, without the code that `std` appends.
pub fn plain(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        std::io::ErrorKind::IsADirectory => "is a directory, not a file".into(),
        _ => {
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or(&text).to_lowercase()
        }
    }
}
