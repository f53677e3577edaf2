//! Shows a finished report in a window of another program.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::error::{Error, Result, plain};
use crate::plan::Plan;
use crate::render::Viewer;

/// Writes the report into a file (`-o FILE`, or a temporary one that only its owner can read) and opens it.
/// Answers with the sentence that tells where it is.
///
/// The file stays: most viewers hand it on to a window that is open already, and end at once.
///
/// # Errors
/// The file cannot be written, or none of the programs is installed.
pub fn show(viewer: &Viewer, report: &[u8], plan: &Plan) -> Result<String> {
    let path = match &plan.output_file {
        Some(path) => {
            std::fs::write(path, report).map_err(|error| Error::at(path.display(), plain(&error)))?;
            path.clone()
        }
        None => temporary(viewer.ending, report)?,
    };
    let program = open(viewer, &path, plan)?;
    Ok(format!("{} is shown with {program}", path.display()))
}

/// A new file: never one that is there, which might be a trap of somebody else's.
fn temporary(ending: &str, report: &[u8]) -> Result<PathBuf> {
    let folder = std::env::temp_dir();
    for number in 0..1000 {
        let path = folder.join(format!("jeprof-rs-{}-{number}.{ending}", std::process::id()));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&path).and_then(|mut file| file.write_all(report)) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(Error::at(path.display(), plain(&error))),
        }
    }
    Err(Error::at(folder.display(), "there are too many files of this name; remove jeprof-rs-*"))
}

fn open(viewer: &Viewer, path: &Path, plan: &Plan) -> Result<&'static str> {
    for &program in viewer.programs {
        let started = Command::new(program)
            .args((viewer.options)(plan))
            .arg(path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        match started {
            Ok(_) => return Ok(program),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::at(program, plain(&error))),
        }
    }
    Err(Error::new(format!(
        "the picture is in {}, but there is nothing to show it: {} is not installed",
        path.display(),
        viewer.programs.join(" or ")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_viewer_is_told_and_the_picture_is_kept() {
        let viewer = Viewer {
            programs: &["no-such-viewer-1", "no-such-viewer-2"],
            ending: "svg",
            options: |_| Vec::new(),
        };
        let error = show(&viewer, b"<svg/>", &Plan::default()).unwrap_err().to_string();
        assert!(error.contains("no-such-viewer-1 or no-such-viewer-2 is not installed"), "{error}");
        let path = error.split_whitespace().find(|word| word.contains(".svg")).unwrap().trim_end_matches(',');
        assert_eq!(std::fs::read(path).unwrap(), b"<svg/>");
        std::fs::remove_file(path).unwrap();
    }
}
