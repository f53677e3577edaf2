//! Helpers of the end-to-end tests: build what is tested, run it with a time limit, read what it wrote.
//!
//! One typical test: [`build::preload`] gives the library, [`fixture::compiled`] a C program, [`run::Run`] runs the
//! one under the other, and [`heap`] reads the dump and names its functions by the program's symbol table.
//! The helpers know nothing of what a test asserts.

pub mod bench;
pub mod bounds;
pub mod build;
pub mod fixture;
pub mod golden;
pub mod heap;
pub mod heap_server;
pub mod json;
pub mod perl_jeprof;
pub mod postgres;
pub mod reference;
pub mod run;
pub mod sampling;
pub mod scratch;
pub mod server;
pub mod surface;
pub mod truth;
pub mod verdict;
pub mod zoo;
