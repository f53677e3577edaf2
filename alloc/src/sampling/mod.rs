//! What the data plane asks the profiler: when the next sample is due, to take one, to forget one. Without the
//! feature `prof` the answers are constants.

#[cfg(feature = "prof")]
mod classes;
#[cfg(not(feature = "prof"))]
mod off;
#[cfg(feature = "prof")]
mod on;

#[cfg(feature = "prof")]
pub use classes::{CLASSES, ClassSum};
#[cfg(not(feature = "prof"))]
pub use off::*;
#[cfg(feature = "prof")]
pub use on::*;
