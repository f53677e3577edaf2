//! The file of `-o`: whole or as it was, never half.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

/// A file in the making. What was there before stays until [`OutputFile::finish`].
pub struct OutputFile {
    file: File,
    /// Where it is made and where it goes; none for what cannot be replaced, such as a device.
    rename: Option<(PathBuf, PathBuf)>,
}

impl OutputFile {
    /// Begins a file.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn create(path: &Path) -> std::io::Result<OutputFile> {
        let facts = std::fs::metadata(path);
        if facts.is_ok_and(|facts| !facts.is_file()) {
            return Ok(OutputFile { file: File::options().write(true).open(path)?, rename: None });
        }
        // The file behind a link is replaced, not the link.
        let target = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
        let mut name = std::ffi::OsString::from(".");
        name.push(target.file_name().unwrap_or_default());
        name.push(format!(".{}.tmp", std::process::id()));
        let temporary = target.with_file_name(name);
        let file = File::create(&temporary)?;
        if let Ok(facts) = std::fs::metadata(&target) {
            // Who may read it stays as it was; that this fails is no reason not to write.
            let _ = file.set_permissions(facts.permissions());
        }
        Ok(OutputFile { file, rename: Some((temporary, target)) })
    }

    /// Puts it in its place.
    ///
    /// # Errors
    /// Those of the operating system.
    pub fn finish(mut self) -> std::io::Result<()> {
        self.file.flush()?;
        match self.rename.take() {
            Some((temporary, target)) => std::fs::rename(&temporary, target).inspect_err(|_| {
                // The error that matters is the first one.
                let _ = std::fs::remove_file(&temporary);
            }),
            None => Ok(()),
        }
    }
}

impl Write for OutputFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if let Some((temporary, _)) = &self.rename {
            // Nobody is left to tell.
            let _ = std::fs::remove_file(temporary);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_whole_or_as_it_was() {
        let folder = std::env::temp_dir().join(format!("jeprof-rs-output-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("report");
        std::fs::write(&path, "before").unwrap();
        let mut dropped = OutputFile::create(&path).unwrap();
        dropped.write_all(b"half").unwrap();
        drop(dropped);
        assert_eq!(std::fs::read(&path).unwrap(), b"before");
        let mut whole = OutputFile::create(&path).unwrap();
        whole.write_all(b"after").unwrap();
        whole.finish().unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"after");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
        let mut nowhere = OutputFile::create(Path::new("/dev/null")).unwrap();
        nowhere.write_all(b"x").unwrap();
        nowhere.finish().unwrap();
        assert!(OutputFile::create(&folder.join("missing/report")).is_err());
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
