//! The program; all of it is in the library, so that the fuzz targets reach the same code.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    jeprof_rs::main()
}
