//! Background threads: the leaves at the root, and their statistics.

use super::{bool_of, needing, ro, rw};
use crate::background::{self, Refused};
use crate::tables::tree::Node;
use crate::tables::value::{CtlError, Type, Value};

/// `background_thread`
pub const ENABLED: Node = rw(
    "background_thread",
    Type::Bool,
    |_| Ok(background::enabled().into()),
    |_, value| background::switch(bool_of(value)?).map_err(errno),
    "Whether background threads purge; a write returns when they have started or ended.",
);

/// `max_background_threads`
pub const MAX: Node = rw(
    "max_background_threads",
    Type::Size,
    |_| Ok(Value(background::max() as u64)),
    |_, value| background::set_max(value.ok_or(CtlError::Invalid)?.0 as usize).map_err(errno),
    "Most background threads; at most the option's value.",
);

fn errno(refused: Refused) -> CtlError {
    match refused {
        Refused::OutOfRange => CtlError::Invalid,
        Refused::Failed => CtlError::Failed,
    }
}

/// `stats.background_thread.*`, in the order of the reference's tree.
pub static STATS_NODES: &[Node] = &[
    needing(
        ro(
            "num_threads",
            Type::Size,
            |_| Ok(Value(background::stats().num_threads)),
            "Background threads that run.",
        ),
        statistics,
    ),
    needing(
        ro(
            "num_runs",
            Type::U64,
            |_| Ok(Value(background::stats().num_runs)),
            "Times that background threads looked for work.",
        ),
        statistics,
    ),
    needing(
        ro(
            "run_interval",
            Type::U64,
            |_| Ok(Value(background::stats().run_interval)),
            "Nanoseconds that background threads slept between two such times, in the mean.",
        ),
        statistics,
    ),
];

fn statistics() -> Result<(), CtlError> {
    if cfg!(feature = "stats") { Ok(()) } else { Err(CtlError::NotFound) }
}
