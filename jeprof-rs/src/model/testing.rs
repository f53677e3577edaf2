//! Small profiles for tests of what comes after: frames are named by letters, one line each.

use prof_format::dump::NamedFrame;

use super::labels::LabelsId;
use super::{Figures, Frame, FrameId, Place, Profile};
use crate::plan::finding::Finding;
use crate::progress::Progress;
use crate::symbolize::symbols::Symbols;
use crate::symbolize::{Request, symbolize};

/// A profile and its names.
pub struct Example {
    /// The profile.
    pub profile: Profile,
    /// Its names.
    pub symbols: Symbols,
}

/// Stacks as `root;..;leaf`, each with live bytes. A frame `a>b` is one address at which `b` is inlined into `a`;
/// every function `x` is in file `x.c`, line 1.
pub fn example(stacks: &[(&str, f64)]) -> Example {
    let mut profile = Profile::default();
    for (path, bytes) in stacks {
        let frames: Vec<FrameId> = path.split(';').rev().map(|text| frame(&mut profile, text)).collect();
        let figures = Figures { live_bytes: *bytes, live_objs: 1.0, ..Figures::default() };
        profile.push(&frames, LabelsId::NONE, figures);
    }
    let request = Request { profile: &profile, program: None, dumps: &[], finding: &Finding::default() };
    let symbols = symbolize(&request, &Progress::start()).unwrap().symbols;
    Example { profile, symbols }
}

fn frame(profile: &mut Profile, text: &str) -> FrameId {
    let named = |function: &str| NamedFrame {
        function: function.into(),
        file: format!("{function}.c"),
        line: 1,
        ..NamedFrame::default()
    };
    let names: Vec<NamedFrame> = text.split('>').rev().map(named).collect();
    let known = profile.frames.iter().position(|frame| frame.names == names);
    let index = known.unwrap_or_else(|| {
        let address = 0x1000 + profile.frames.len() as u64;
        profile.frames.push(Frame { place: Place::Unmapped(address), address, names });
        profile.frames.len() - 1
    });
    FrameId(index as u32)
}
