//! `arena.<i>.*`: one arena, or all of them.

use super::{action, pages};
use crate::arena::{Arena, table};
use crate::tables::tree::Node;
use crate::tables::value::{ARENAS_ALL, CtlError};
use crate::units::ArenaInd;

/// The number of arenas stands for all of them, too: what programs wrote before there was [`ARENAS_ALL`].
pub fn exists(index: usize) -> bool {
    index <= table::narenas() as usize || index == ARENAS_ALL
}

/// In the order of the reference's tree.
pub static NODES: &[Node] = &[
    action(
        "decay",
        |mib| each(mib[1], |arena| arena.decay()),
        "Purges what has decayed of an arena's unused pages; index 4096 means every arena.",
    ),
    action(
        "purge",
        |mib| each(mib[1], |arena| arena.purge()),
        "Purges all unused pages of an arena; index 4096 means every arena.",
    ),
    pages::DSS,
    pages::OVERSIZE_THRESHOLD,
    pages::EXTENT_HOOKS,
    pages::RETAIN_GROW_LIMIT,
];

fn each(index: usize, act: impl Fn(&'static Arena)) -> Result<(), CtlError> {
    if index == ARENAS_ALL || index == table::narenas() as usize {
        table::all().for_each(act);
    } else if let Some(arena) = table::get(ArenaInd(index as u32)) {
        act(arena);
    }
    // An arena that was not made yet has nothing to purge.
    Ok(())
}
