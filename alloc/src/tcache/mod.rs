//! Thread caches: for each class that threads cache, a stack of free objects that only its thread touches.

pub mod bin;
pub mod explicit;
pub mod geometry;
pub mod ranges;
pub mod settings;
