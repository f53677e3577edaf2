//! The statistics as text, for a writer of the standard library.

use std::io::{self, Write};

use crate::stats;

/// What the report leaves out; nothing by default.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// JSON instead of text (letter `J`).
    pub json_format: bool,
    /// What does not change while the process runs (`g`).
    pub skip_constants: bool,
    /// The sums over all arenas (`m`).
    pub skip_merged_arenas: bool,
    /// Single arenas (`a`).
    pub skip_per_arena: bool,
    /// Size classes of bins (`b`).
    pub skip_bin_size_classes: bool,
    /// Size classes of large objects (`l`).
    pub skip_large_size_classes: bool,
    /// Mutexes (`x`).
    pub skip_mutex_statistics: bool,
}

impl Options {
    /// The letters of `malloc_stats_print`.
    fn letters(self) -> ([u8; 7], usize) {
        let all = [
            (self.json_format, b'J'),
            (self.skip_constants, b'g'),
            (self.skip_merged_arenas, b'm'),
            (self.skip_per_arena, b'a'),
            (self.skip_bin_size_classes, b'b'),
            (self.skip_large_size_classes, b'l'),
            (self.skip_mutex_statistics, b'x'),
        ];
        let (mut letters, mut length) = ([0; 7], 0);
        for (_, letter) in all.into_iter().filter(|(given, _)| *given) {
            letters[length] = letter;
            length += 1;
        }
        (letters, length)
    }
}

/// Writes the report. The first error of the writer ends the writing, and is answered.
pub fn stats_print<W: Write>(mut writer: W, options: Options) -> io::Result<()> {
    let (letters, length) = options.letters();
    let mut result = Ok(());
    stats::report(stats::Parts::of(&letters[..length]), &mut |piece| {
        if result.is_ok() {
            result = writer.write_all(piece.to_bytes());
        }
    });
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_written_and_an_error_of_the_writer_is_answered() {
        let mut text = std::vec::Vec::new();
        stats_print(&mut text, Options { skip_constants: true, ..Options::default() }).unwrap();
        let text = std::string::String::from_utf8(text).unwrap();
        assert!(
            text.starts_with("___ Begin") && text.ends_with("--- End jemalloc statistics ---\n"),
            "{text}"
        );
        let mut full = [0; 10];
        let error = stats_print(&mut full[..], Options::default()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    }

    #[test]
    fn options_are_letters() {
        let options = Options { json_format: true, skip_mutex_statistics: true, ..Options::default() };
        assert_eq!(options.letters(), (*b"Jx\0\0\0\0\0", 2));
    }
}
