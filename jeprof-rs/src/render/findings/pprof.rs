//! The stacks of the findings as profile.proto, as the output `proto` writes it.

use super::excerpt::Excerpt;
use super::{Form, Shown};
use crate::error::Result;
use crate::plan::choice::Metric;
use crate::render::Request;
use crate::render::export::proto;
use crate::terminal::Screen;

/// The row of this form.
pub const FORM: Form =
    Form { name: "pprof", about: "pprof, speedscope and others: profile.proto", binary: true, render };

fn render(shown: &Shown<'_>) -> Result<Vec<u8>> {
    let excerpt = Excerpt::of(shown);
    excerpt.warn_if_empty(shown, FORM.name);
    let view = excerpt.view(shown.request);
    let request = Request::new(shown.request.session, &view, excerpt.plan(), Screen::default());
    proto::profile(&request, &[Metric::InuseObjects, Metric::InuseSpace])
}
