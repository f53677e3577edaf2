//! Flags about how dumps are read.

use super::{Flag, Takes};
use crate::plan::choice::NamedBy;

/// In the order of the help.
pub const ROWS: &[Flag] = &[
    Flag {
        name: "base",
        takes: Takes::Many("DUMP", |plan, value| {
            plan.input.base.push(value.into());
            Ok(())
        }),
        help: "Subtract this dump, stack by stack; it may come from another run of the program",
        ..Flag::BASE
    },
    Flag {
        name: "diff_base",
        takes: Takes::Many("DUMP", |plan, value| {
            plan.input.base.push(value.into());
            plan.input.base_is_reference = true;
            Ok(())
        }),
        help: "As --base, for comparing: shares relate to the base's total, and flame graphs show what is there now, \
               coloured by the change",
        ..Flag::BASE
    },
    Flag {
        name: "add",
        takes: Takes::Many("DUMP", |plan, value| {
            plan.input.words.push(value.into());
            Ok(())
        }),
        help: "Add this dump to the others, as if it were named behind them",
        ..Flag::BASE
    },
    Flag {
        name: "seconds",
        takes: Takes::One("N", |plan, value| {
            let seconds = value.parse().ok().filter(|seconds| (1..=86_400).contains(seconds));
            plan.input.seconds =
                Some(seconds.ok_or_else(|| format!("'{value}' is not a number of seconds up to a day"))?);
            Ok(())
        }),
        help: "Ask servers for what their program does in the next N seconds, where they can tell",
        ..Flag::BASE
    },
    Flag {
        name: "header",
        takes: Takes::Many("NAME: VALUE", |plan, value| {
            plan.input.headers.push(header(value)?);
            Ok(())
        }),
        help: "Send this header to the servers that profiles are fetched from",
        ..Flag::BASE
    },
    Flag {
        name: "symbolize",
        words: &["local", "remote"],
        takes: Takes::One("WHO", |plan, value| {
            plan.input.named_by = match value {
                "local" => NamedBy::Binaries,
                "remote" => NamedBy::ServiceFirst,
                _ => return Err(format!("'{value}' is neither local nor remote")),
            };
            Ok(())
        }),
        help: "Who names the code of a running service: 'local' for the binaries here, 'remote' for the service's own \
               symbol page [default: the binaries, and the page for what they do not know]",
        ..Flag::BASE
    },
    Flag {
        name: "unpack_max",
        takes: Takes::One("MIB", |plan, value| {
            let mebibytes: u64 = value
                .parse()
                .ok()
                .filter(|mebibytes| (1..1 << 40).contains(mebibytes))
                .ok_or_else(|| format!("'{value}' is not a number of MiB from 1"))?;
            plan.input.unpack_bytes_max = mebibytes << 20;
            Ok(())
        }),
        help: "Refuse dumps that unpack or download to more than this many MiB [default: 1024]",
        ..Flag::BASE
    },
];

/// A header, with words that say what is wrong before anything is sent.
fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or_else(|| format!("'{text}' is not NAME: VALUE"))?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let name = name.trim();
    if name.is_empty() || !name.bytes().all(is_name) {
        return Err(format!("'{name}' is no name of a header"));
    }
    let value = value.trim();
    if value.chars().any(|c| c.is_control() && c != '\t') {
        return Err(format!("the value of {name} has a line end or another control character in it"));
    }
    Ok((name.into(), value.into()))
}
