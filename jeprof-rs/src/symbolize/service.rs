//! Names that a running service gives for its own code, over its symbol page.

use std::ops::Range;

use hashbrown::HashMap;
use prof_format::dump::NamedFrame;

use super::Outcome;
use super::names::{is_mangled, readable};
use super::symbols::{Function, Line, NameId};
use crate::error::{Error, Result};
use crate::load::symbol_page::SymbolPage;
use crate::model::{FrameId, Profile};

/// The process that a dump was fetched from.
pub struct Service {
    /// Frames that were first seen in its dump, so that their addresses are its own.
    pub frames: Range<usize>,
    /// Where it is asked.
    pub page: SymbolPage,
}

/// Names every frame of the service that carries no names yet by what the service says, in the profile itself: the
/// binaries of this machine are then not looked at for these frames.
///
/// # Errors
/// The service does not name its code.
pub fn name_all(profile: &mut Profile, service: &Service) -> Result<()> {
    let unnamed: Vec<FrameId> =
        frames_of(profile, service).filter(|frame| profile.frames[frame.index()].names.is_empty()).collect();
    let answers = ask(profile, service, &unnamed)?.ok_or_else(|| {
        Error::at(service.page.url(), "there is no such page, which --symbolize=remote needs")
    })?;
    for (frame, names) in answers {
        profile.frames[frame.index()].names = names;
    }
    Ok(())
}

/// Names those frames of the service that the binaries of this machine gave no name. Many services have no symbol page,
/// which is no error.
///
/// # Errors
/// The service does not name its code; everything stays as it was.
pub fn name_rest(profile: &Profile, service: &Service, outcome: &mut Outcome) -> Result<()> {
    let stand_ins: Vec<FrameId> = {
        let wanted = |frame: &FrameId| service.frames.contains(&frame.index());
        outcome.stand_ins.iter().copied().filter(wanted).collect()
    };
    if stand_ins.is_empty() {
        return Ok(());
    }
    let Some(answers) = ask(profile, service, &stand_ins)? else { return Ok(()) };
    let symbols = &mut outcome.symbols;
    let mut other = HashMap::new();
    for (frame, names) in &answers {
        let mut lines = Vec::new();
        for named in names {
            let function = Function {
                name: symbols.names.id(&named.function),
                linkage: symbols.names.id(&named.linkage),
                ..Function::default()
            };
            lines.push(Line {
                function: symbols.function_id(function),
                file: NameId::EMPTY,
                line: 0,
                column: 0,
            });
        }
        other.insert(frame.index(), lines);
    }
    symbols.replace(&other);
    outcome.stand_ins.retain(|frame| !other.contains_key(&frame.index()));
    Ok(())
}

fn frames_of(profile: &Profile, service: &Service) -> impl Iterator<Item = FrameId> + use<> {
    let Range { start, end } = service.frames;
    profile.frame_ids().skip(start).take(end.saturating_sub(start))
}

type Answers = Vec<(FrameId, Vec<NamedFrame>)>;

fn ask(profile: &Profile, service: &Service, frames: &[FrameId]) -> Result<Option<Answers>> {
    let addresses: Vec<u64> = frames.iter().map(|frame| profile.frames[frame.index()].address).collect();
    if addresses.is_empty() {
        return Ok(Some(Vec::new()));
    }
    let Some(mut answers) = service.page.names(&addresses)? else { return Ok(None) };
    let named = |raw: String| NamedFrame {
        function: readable(&raw).into_owned(),
        linkage: if is_mangled(&raw) { raw } else { String::new() },
        ..NamedFrame::default()
    };
    let answer_of = |(frame, address): (&FrameId, &u64)| {
        let names = answers.remove(address)?;
        Some((*frame, names.into_iter().map(named).collect()))
    };
    Ok(Some(frames.iter().zip(&addresses).filter_map(answer_of).collect()))
}
