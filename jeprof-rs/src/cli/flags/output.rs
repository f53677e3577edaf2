//! Flags about what is printed, and where to. The flags of the outputs themselves come from their rows in `render`.

use super::{Flag, Takes};
use crate::plan::FindingsOutput;
use crate::plan::choice::{Compat, Format};
use crate::render::findings::FORMS;

/// A list of forms of findings, `text,junit=out/mem.xml`.
fn forms(list: &str) -> Result<Vec<FindingsOutput>, String> {
    list.split(',')
        .map(|word| {
            let (name, file) = word.split_once('=').map_or((word, None), |(name, file)| (name, Some(file)));
            let form = FORMS.iter().find(|form| form.name == name).ok_or_else(|| {
                let forms: Vec<String> =
                    FORMS.iter().map(|form| format!("{} (for {})", form.name, form.about)).collect();
                format!("'{name}' is none of native, {}", forms.join(", "))
            })?;
            match file {
                Some("") => Err(format!("{name}= wants a file")),
                _ => Ok(FindingsOutput { form: form.name, file: file.map(Into::into) }),
            }
        })
        .collect()
}

/// In the order of the help.
pub const ROWS: &[Flag] = &[
    Flag {
        name: "output",
        short: Some('o'),
        takes: Takes::One("FILE", |plan, value| {
            plan.output_file = Some(value.into());
            Ok(())
        }),
        help: "Write to FILE instead of stdout",
        ..Flag::BASE
    },
    Flag {
        name: "format",
        words: &["json", "native"],
        takes: Takes::One("FORMAT", |plan, value| {
            match value {
                "json" => plan.format = Format::Json,
                "native" => plan.format = Format::Native,
                _ => plan.findings = forms(value)?,
            }
            Ok(())
        }),
        help: "'json': the report as one JSON object, described in docs/json.md [default: native]. For leaks, diff and \
               check a list with commas of forms, each with =FILE where it goes: text, html, json, junit, sarif, github, gitlab, bencher, folded, pprof (docs/leaks.md)",
        ..Flag::BASE
    },
    Flag {
        name: "compat",
        words: &["jeprof", "none"],
        takes: Takes::One("WHOSE", |plan, value| {
            plan.compat = match value {
                "jeprof" => Compat::Jeprof,
                "none" => Compat::None,
                _ => return Err(format!("'{value}' is neither 'jeprof' nor 'none'")),
            };
            Ok(())
        }),
        help: "Keep the quirks of 'jeprof' (5.3.1), to the byte; docs/compat.md lists them [default: none]",
        ..Flag::BASE
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_names_every_form() {
        let help = ROWS.iter().find(|flag| flag.name == "format").unwrap().help;
        let names: Vec<&str> = FORMS.iter().map(|form| form.name).collect();
        assert!(help.contains(&names.join(", ")), "{help}");
    }
}
