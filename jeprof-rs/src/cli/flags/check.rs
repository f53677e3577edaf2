//! Flags about leaks, growth and limits.

use super::{Flag, Takes};
use crate::inference::discovery::Correction;
use crate::plan::check::{Undecided, Unused};
use crate::plan::query::value;

/// A share between 0 and 1, both excluded.
fn share(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.parse().ok();
    number
        .filter(|share| *share > 0.0 && *share < 1.0)
        .ok_or_else(|| format!("'{text}' is no number between 0 and 1, such as 0.95"))
}

fn size(text: &str) -> Result<f64, String> {
    value::bytes(text).ok_or_else(|| format!("'{text}' is no size such as 64KiB or 1.5MiB"))
}

/// In the order of the help.
pub const ROWS: &[Flag] = &[
    Flag {
        name: "confidence",
        takes: Takes::One("LEVEL", |plan, value| {
            plan.check.confidence = Some(share(value)?);
            Ok(())
        }),
        help: "Level of the bounds of figures [default: 0.95]",
        ..Flag::BASE
    },
    Flag {
        name: "fdr",
        takes: Takes::One("SHARE", |plan, value| {
            plan.check.fdr = Some(share(value)?);
            Ok(())
        }),
        help: "Share of false alarms among stacks that are reported to have changed [default: 0.05]",
        ..Flag::BASE
    },
    Flag {
        name: "fwer",
        takes: Takes::Switch(|plan| plan.check.correction = Correction::FamilyWise),
        help: "Hold --fdr against the chance of any false alarm in the report instead",
        ..Flag::BASE
    },
    Flag {
        name: "min_growth",
        takes: Takes::One("SIZE", |plan, value| {
            plan.check.min_growth = Some(size(value)?);
            Ok(())
        }),
        help: "Report growth whose lower bound is above SIZE [default: 64KiB and a hundredth of the total]",
        ..Flag::BASE
    },
    Flag {
        name: "min_leak",
        takes: Takes::One("SIZE", |plan, value| {
            plan.check.min_leak = size(value)?;
            Ok(())
        }),
        help: "Leaks of at most SIZE from a stack pass [default: 0]",
        ..Flag::BASE
    },
    Flag {
        name: "reachable",
        takes: Takes::Switch(|plan| plan.check.reachable = true),
        help: "Count as leaked what is still pointed to, too, where dumps tell it apart",
        ..Flag::BASE
    },
    Flag {
        name: "suppressions",
        takes: Takes::Many("FILE", |plan, value| {
            plan.check.suppressions.push(value.into());
            Ok(())
        }),
        help: "Leave out what the rules in FILE are about (LeakSanitizer's syntax; docs/leaks.md)",
        ..Flag::BASE
    },
    Flag {
        name: "no_builtin_suppressions",
        takes: Takes::Switch(|plan| plan.check.builtin_suppressions = false),
        help: "Show what C, C++ and Rust libraries keep until the end, too",
        ..Flag::BASE
    },
    Flag {
        name: "print_suppressions",
        takes: Takes::Switch(|plan| plan.check.print_suppressions = true),
        help: "Show what each rule left out, as LeakSanitizer does",
        ..Flag::BASE
    },
    Flag {
        name: "unused_suppressions",
        words: &["ignore", "warn", "error"],
        takes: Takes::One("WHAT", |plan, value| {
            plan.check.unused_suppressions = match value {
                "ignore" => Unused::Ignore,
                "warn" => Unused::Warn,
                "error" => Unused::Error,
                _ => return Err(format!("'{value}' is none of ignore, warn, error")),
            };
            Ok(())
        }),
        help: "What to do about rules of files that left nothing out: ignore, warn, error [default: ignore]",
        ..Flag::BASE
    },
    Flag {
        name: "undecided",
        words: &["pass", "warn", "fail"],
        takes: Takes::One("WHAT", |plan, value| {
            plan.check.undecided = Some(match value {
                "pass" => Undecided::Pass,
                "warn" => Undecided::Warn,
                "fail" => Undecided::Fail,
                _ => return Err(format!("'{value}' is none of pass, warn, fail")),
            });
            Ok(())
        }),
        help: "What becomes of limits that the samples do not decide: pass, warn, fail (exit status 3) [default: warn]",
        ..Flag::BASE
    },
    Flag {
        name: "error_exitcode",
        takes: Takes::One("N", |plan, value| {
            let code = value.parse().ok().filter(|code| *code != 0);
            plan.check.error_exitcode =
                Some(code.ok_or_else(|| format!("'{value}' is no exit status from 1 to 255"))?);
            Ok(())
        }),
        help: "Exit status of findings [default: 1]",
        ..Flag::BASE
    },
    Flag {
        name: "exit_code",
        takes: Takes::Switch(|plan| plan.check.exit_code = true),
        help: "diff: end with the exit status of findings when something grew",
        ..Flag::BASE
    },
    Flag {
        name: "all",
        takes: Takes::Switch(|plan| plan.check.all = true),
        help: "Show changes that chance explains, and limits that are kept, too",
        ..Flag::BASE
    },
    Flag {
        name: "any_program",
        takes: Takes::Switch(|plan| plan.check.any_program = true),
        help: "diff, check: compare dumps of programs whose executables have different names, too",
        ..Flag::BASE
    },
    Flag {
        name: "fold_generics",
        takes: Takes::Switch(|plan| plan.check.keys.fold_generics = true),
        help: "Stacks that differ in generic arguments only are one",
        ..Flag::BASE
    },
    Flag {
        name: "fold_recursion",
        takes: Takes::Switch(|plan| plan.check.keys.fold_recursion = true),
        help: "Stacks that differ in how often a cycle of calls went round are one",
        ..Flag::BASE
    },
    Flag {
        name: "key",
        words: &["function", "file"],
        takes: Takes::One("WHAT", |plan, value| {
            plan.check.keys.with_file = match value {
                "function" => false,
                "file" => true,
                _ => return Err(format!("'{value}' is neither 'function' nor 'file'")),
            };
            Ok(())
        }),
        help: "What frames are told apart by in keys: function, or file (with the function) [default: function]",
        ..Flag::BASE
    },
    Flag {
        name: "key_depth",
        takes: Takes::One("N", |plan, value| {
            let depth = value.parse().ok().filter(|depth| *depth > 0);
            plan.check.keys.depth = Some(depth.ok_or_else(|| format!("'{value}' is no number of frames"))?);
            Ok(())
        }),
        help: "Stacks that are equal in their N innermost frames are one",
        ..Flag::BASE
    },
];
