//! The call graph in a window: a picture in a temporary file, and the program that shows it.

use super::{BASE, pdf, svg};
use crate::render::{Output, Viewer};

/// The picture in the browser.
pub const WEB: Output = Output {
    name: "web",
    flag: true,
    about: "Draw the call graph and show it in the browser",
    render: svg::render,
    viewer: Some(Viewer {
        // What the desktop is set to; then jeprof's list; then macOS.
        programs: &["xdg-open", "gnome-www-browser", "x-www-browser", "google-chrome", "firefox", "open"],
        ending: "svg",
        options: |_| Vec::new(),
    }),
    ..BASE
};

/// The picture in gv. It reads PDF, so that no PostScript is needed.
pub const GV: Output = Output {
    name: "gv",
    flag: true,
    about: "Draw the call graph and show it with gv",
    render: pdf::render,
    viewer: Some(Viewer {
        programs: &["gv"],
        ending: "pdf",
        options: |plan| vec![format!("--scale={}", plan.graph.scale), "--noantialias".into()],
    }),
    ..BASE
};

/// The picture in evince.
pub const EVINCE: Output = Output {
    name: "evince",
    flag: true,
    about: "Draw the call graph and show it with evince",
    render: pdf::render,
    viewer: Some(Viewer { programs: &["evince"], ending: "pdf", options: |_| Vec::new() }),
    ..BASE
};
