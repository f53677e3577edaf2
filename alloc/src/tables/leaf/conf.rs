//! `opt.malloc_conf.*`: the texts that options were read from.

use super::ro;
use crate::conf::{self, Place};
use crate::tables::tree::Node;
use crate::tables::value::{CtlError, Type, Value};

fn text(place: Place) -> Result<Value, CtlError> {
    conf::text(place).map(Value::from).ok_or(CtlError::NotFound)
}

/// In the order of the reference's tree.
pub static NODES: &[Node] = &[
    ro(
        "symlink",
        Type::Text,
        |_| text(Place::Link),
        "Link text of /etc/malloc.conf; ENOENT when there is none.",
    ),
    ro(
        "env_var",
        Type::Text,
        |_| text(Place::Environment),
        "MALLOC_CONF at start; ENOENT when it was not set.",
    ),
    ro(
        "global_var",
        Type::Text,
        |_| text(Place::Variable),
        "The program's variable malloc_conf; ENOENT when it has none.",
    ),
    ro(
        "global_var_2_conf_harder",
        Type::Text,
        |_| text(Place::Harder),
        "The program's variable malloc_conf_2_conf_harder; ENOENT when it has none.",
    ),
];
