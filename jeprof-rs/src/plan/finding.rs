//! Where program, libraries and debug files are looked for.

use std::path::PathBuf;

/// What the command line says of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Finding {
    /// Folders that hold copies of binaries and debug files, by build id, by name or by path.
    pub symbol_path: Vec<PathBuf>,
    /// Folders in which a library's path is looked up, whole and without its leading parts.
    pub lib_prefix: Vec<PathBuf>,
    /// The root of the file system that the program saw.
    pub sysroot: Option<PathBuf>,
    /// Files whose code is at its own addresses, for addresses in no mapping.
    pub add_lib: Vec<PathBuf>,
    /// Names of code that was made while the program ran.
    pub perf_map: Option<PathBuf>,
    /// Whether servers that the environment names may not be asked.
    pub offline: bool,
    /// Whether names are neither taken from the cache of earlier runs nor added to it.
    pub no_symbol_cache: bool,
    /// Whether a table of all files and what was found of them is printed on stderr.
    pub show_table: bool,
}
