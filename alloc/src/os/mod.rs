//! The operating system: address space, clock, CPUs, environment, file descriptor 2. System calls go through
//! rustix's raw backend, which touches neither libc nor `errno`.

pub mod aside;
pub mod clock;
pub mod cpu;
pub mod environment;
pub mod errno;
pub mod files;
pub mod memory;
pub mod output;
pub mod pages;
pub mod prefetch;
pub mod probes;
pub mod thp;
pub mod tls;
