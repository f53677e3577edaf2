//! Background threads: the leaves at the root, and their statistics.

use super::{bool_of, rw};
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
