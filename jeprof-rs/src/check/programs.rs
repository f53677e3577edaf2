//! Dumps that are compared have to be of one program: of two, every stack of the one would be gone and every one of the
//! other new.
//!
//! A program is told by the name of its executable, without folders, so that it may have been built anew and moved. What
//! cargo appends to the names of tests, and versions at the end of a name, do not count either. Dumps that do not tell
//! their program are taken for ones of it.

use std::sync::LazyLock;

use regex::Regex;

use super::stacks::process_of;
use crate::error::{Error, Result};
use crate::model::file_name;
use crate::session::Taken;

/// `-0123456789abcdef` of cargo; `-1.2.3`, `3.11`.
static CHANGES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?:-[0-9a-f]{16}|[-_.]?v?[0-9]+(?:\.[0-9]+)*)$").expect("the pattern is this file's")
});

/// What a dump's program is called.
fn name_of(taken: &Taken) -> Option<&str> {
    let path = taken.program.as_deref()?;
    let name = file_name(path.strip_suffix(" (deleted)").unwrap_or(path));
    let stays = CHANGES.find(name).map_or(name.len(), |found| found.start());
    // What stands for a program that is not known.
    let is_known = !matches!(name, "" | "heap" | "(unknown)");
    is_known.then_some(if stays == 0 { name } else { &name[..stays] })
}

/// # Errors
/// No dump of the one side is of a program that the other side has.
pub fn check_sides(before: &[Taken], after: &[Taken]) -> Result<()> {
    let (Some(old), Some(new)) = (known(before), known(after)) else { return Ok(()) };
    if after.iter().any(|new| before.iter().any(|old| name_of(old) == name_of(new))) {
        return Ok(());
    }
    Err(differ(old, new))
}

/// # Errors
/// Dumps of one process, as far as their names tell, are of several programs.
pub fn check_series(dumps: &[Taken]) -> Result<()> {
    for (at, new) in dumps.iter().enumerate() {
        let process = process_of(&new.name);
        let same = |old: &&Taken| process_of(&old.name) == process && name_of(old).is_some();
        if let Some(old) = dumps[..at].iter().find(same)
            && name_of(new).is_some_and(|name| name_of(old) != Some(name))
        {
            return Err(differ(old, new));
        }
    }
    Ok(())
}

/// The first dump, when all tell their program.
fn known(dumps: &[Taken]) -> Option<&Taken> {
    dumps.iter().all(|dump| name_of(dump).is_some()).then_some(())?;
    dumps.first()
}

fn differ(old: &Taken, new: &Taken) -> Error {
    let path = |taken: &Taken| taken.program.clone().unwrap_or_default();
    let (program, other) = (path(new), path(old));
    let what = format_args!(
        "program: it is of {program}, and {} of {other}: dumps of different programs are not compared \
         (--any_program does)",
        old.name
    )
    .to_string();
    Error::at(&new.name, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: &str, program: &str) -> Taken {
        let program = (!program.is_empty()).then(|| program.to_string());
        Taken {
            name: name.into(),
            program,
            has_accum: true,
            has_live: true,
            has_peak: true,
            has_requested: true,
        }
    }

    fn are_one(a: &str, b: &str) -> bool {
        check_sides(&[of("a", a)], &[of("b", b)]).is_ok()
    }

    #[test]
    fn builds_of_one_program_compare_and_programs_of_other_names_do_not() {
        for (a, b) in [
            ("/opt/svc", "/srv/ci/target/debug/svc"),
            ("/opt/svc (deleted)", "/opt/svc"),
            ("/t/it-0123456789abcdef", "/t/it-fedcba9876543210"),
            ("/usr/bin/python3.11", "/usr/bin/python3.12"),
            ("/opt/svc-1.2", "/opt/svc-v1.3.0"),
            ("", "/opt/svc"),
            ("heap", "/opt/svc"),
        ] {
            assert!(are_one(a, b) && are_one(b, a), "{a} {b}");
        }
        for (a, b) in [("/bin/ls", "/bin/cat"), ("/opt/svc", "/opt/svc-worker"), ("/x/7", "/x/8")] {
            assert!(!are_one(a, b) && !are_one(b, a), "{a} {b}");
        }
    }

    #[test]
    fn sides_of_several_programs_need_one_in_common() {
        let (shell, old, new) = (of("1", "/bin/sh"), of("2", "/x/svc"), of("3", "/y/svc"));
        assert!(check_sides(&[shell.clone(), old.clone()], std::slice::from_ref(&new)).is_ok());
        let error = check_sides(&[shell], &[new]).unwrap_err().to_string();
        assert!(error.starts_with("3: program: it is of /y/svc, and 1 of /bin/sh"), "{error}");
    }

    #[test]
    fn a_process_is_of_one_program_and_others_are_not_compared_with_it() {
        let dump = |name: &str, program: &str| of(name, program);
        let series = [
            dump("a.1.0.i0.heap", "/bin/sh"),
            dump("a.2.0.i0.heap", "/x/svc"),
            dump("a.1.1.i1.heap", ""),
            dump("a.2.1.i1.heap", "/y/svc"),
        ];
        assert!(check_series(&series).is_ok());
        let exec = [series.as_slice(), &[dump("a.1.2.i2.heap", "/x/svc")]].concat();
        let error = check_series(&exec).unwrap_err().to_string();
        assert!(
            error.starts_with("a.1.2.i2.heap: program: it is of /x/svc, and a.1.0.i0.heap of /bin/sh"),
            "{error}"
        );
        assert!(check_series(&[of("old.heap", "/bin/sh"), of("new.heap", "/x/svc")]).is_err());
    }
}
