//! Collapsed stacks of the findings, as the output `collapsed` writes them.

use super::excerpt::Excerpt;
use super::{Form, Shown};
use crate::aggregate::paths::{Paths, Root};
use crate::error::{Error, Result, plain};
use crate::plan::choice::Granularity;
use crate::render::collapsed;

/// The row of this form.
pub const FORM: Form =
    Form { name: "folded", about: "flame graph tools: collapsed stacks", binary: false, render };

fn render(shown: &Shown<'_>) -> Result<Vec<u8>> {
    let excerpt = Excerpt::of(shown);
    excerpt.warn_if_empty(shown, FORM.name);
    let view = excerpt.view(shown.request);
    let mut out = Vec::new();
    collapsed::lines(&Paths::new(&view, Granularity::Functions, Root::Callers), &mut out)
        .map_err(|error| Error::at(FORM.name, plain(&error)))?;
    Ok(out)
}
