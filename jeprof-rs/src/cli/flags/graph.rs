//! Flags about the nodes and edges of the call graph, and about how it is drawn.

use super::{Flag, Takes};
use crate::plan::choice::{Contexts, Layout};

/// In the order of the help.
pub const ROWS: &[Flag] = &[
    Flag {
        name: "maxdegree",
        takes: Takes::One("N", |plan, value| {
            plan.graph.degree_max =
                value.parse().map_err(|_| format!("'{value}' is not a number of edges"))?;
            Ok(())
        }),
        help: "At most N edges into a node and N out of it [default: 8]",
        ..Flag::BASE
    },
    Flag {
        name: "call_tree",
        takes: Takes::Switch(|plan| plan.graph.contexts = Contexts::Separate),
        help: "One node for each way in which a function is reached, not one per function",
        ..Flag::BASE
    },
    Flag {
        name: "heapcheck",
        takes: Takes::Switch(|plan| plan.graph.heapcheck = true),
        help: "Mark what is left over: grey boxes hold memory themselves, triple borders gave some back",
        ..Flag::BASE
    },
    Flag {
        name: "layout",
        words: &["own", "dot", "auto"],
        takes: Takes::One("WHOSE", |plan, value| {
            let known = [("own", Layout::Own), ("dot", Layout::Graphviz), ("auto", Layout::Auto)];
            let found = known.iter().find(|(name, _)| *name == value);
            plan.graph.layout = found.ok_or_else(|| format!("'{value}' is none of own, dot and auto"))?.1;
            Ok(())
        }),
        help: "Who places the nodes of --svg and --pdf: 'own', 'dot' (Graphviz), or 'auto', dot where it is installed. \
               Only with 'own' is a picture the same on every machine [default: own]",
        ..Flag::BASE
    },
    Flag {
        name: "scale",
        takes: Takes::One("N", |plan, value| {
            plan.graph.scale = value.parse().map_err(|_| format!("'{value}' is not a whole number"))?;
            Ok(())
        }),
        help: "How large --gv shows the picture, as gv counts: 0 is its normal size [default: 0]",
        ..Flag::BASE
    },
];
