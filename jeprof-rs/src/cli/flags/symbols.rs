//! Flags about where code gets its names from.

use std::path::{Path, PathBuf};

use super::{Flag, Takes};

/// What is said of jeprof's ways to name object tools.
const NO_TOOLS: &str = "--tools is not needed: no other programs are called for names";

/// In the order of the help.
pub const ROWS: &[Flag] = &[
    Flag {
        name: "symbol_path",
        aliases: &["binary_path", "symfs"],
        takes: Takes::Many("DIR[,DIR]", |plan, value| {
            plan.finding.symbol_path.extend(folders(value)?);
            Ok(())
        }),
        help: "Look for programs, libraries and debug files there first, by build id, name or path; \
               PPROF_BINARY_PATH is searched next [default: ~/pprof/binaries]",
        ..Flag::BASE
    },
    Flag {
        name: "lib_prefix",
        takes: Takes::Many("DIR[,DIR]", |plan, value| {
            plan.finding.lib_prefix.extend(folders(value)?);
            Ok(())
        }),
        help: "Look for each mapped file below DIR, with ever more leading parts of its path left out",
        ..Flag::BASE
    },
    Flag {
        name: "sysroot",
        takes: Takes::One("DIR", |plan, value| {
            plan.finding.sysroot = Some(folder(value)?);
            Ok(())
        }),
        help: "The dump comes from a container or machine whose root directory is DIR here",
        ..Flag::BASE
    },
    Flag {
        name: "add_lib",
        takes: Takes::Many("FILE", |plan, value| {
            plan.finding.add_lib.push(file(value)?);
            Ok(())
        }),
        help: "Name addresses that lie in no mapping by this file, whose code is taken to be at its own addresses",
        ..Flag::BASE
    },
    Flag {
        name: "perf_map",
        takes: Takes::One("FILE", |plan, value| {
            plan.finding.perf_map = Some(file(value)?);
            Ok(())
        }),
        help: "Names of code made while the program ran (JIT) [default: /tmp/perf-PID.map, PID as in the dump's name]",
        ..Flag::BASE
    },
    Flag {
        name: "offline",
        aliases: &["no_debuginfod"],
        takes: Takes::Switch(|plan| plan.finding.offline = true),
        help: "Ask no server for files (also --no_debuginfod); without this, those that DEBUGINFOD_URLS names are asked",
        ..Flag::BASE
    },
    Flag {
        name: "no_symbol_cache",
        takes: Takes::Switch(|plan| plan.finding.no_symbol_cache = true),
        help: "Look everything up anew; without this, names of binaries with a build id are kept in \
               ~/.cache/jeprof-rs (XDG_CACHE_HOME counts; JEPROF_RS_CACHE names another folder, or is 'off'); the \
               folder may be deleted at any time",
        ..Flag::BASE
    },
    Flag {
        name: "debug",
        takes: Takes::Switch(|plan| plan.finding.show_table = true),
        help: "List on stderr, for each program and library, which files its names come from and where others were \
               looked for",
        ..Flag::BASE
    },
    Flag {
        name: "tools",
        takes: Takes::One("PREFIX", |plan, _| {
            plan.remarks.push(NO_TOOLS);
            Ok(())
        }),
        help: "For scripts written for jeprof: names are found without nm, addr2line, objdump and c++filt",
        ..Flag::BASE
    },
    Flag {
        name: "test_stride",
        takes: Takes::One("N", |plan, _| {
            plan.remarks
                .push("--test_stride is not needed: there is no reader of CPU profiles that it could test");
            Ok(())
        }),
        help: "For scripts written for jeprof: nothing is read in strides",
        ..Flag::BASE
    },
    Flag {
        name: "debug_syms_by_id",
        takes: Takes::Switch(|plan| {
            plan.remarks.push("--debug_syms_by_id is not needed: debug files are always found by build id");
        }),
        help: "For scripts written for jeprof: debug files are found by build id without it",
        ..Flag::BASE
    },
];

fn folders(list: &str) -> Result<Vec<PathBuf>, String> {
    list.split(',').map(folder).collect()
}

fn folder(value: &str) -> Result<PathBuf, String> {
    let path = file(value)?;
    if path.is_dir() { Ok(path) } else { Err(format!("'{value}' is not a folder")) }
}

fn file(value: &str) -> Result<PathBuf, String> {
    if value.is_empty() { Err("has an empty name in it".into()) } else { Ok(Path::new(value).to_path_buf()) }
}
