//! The whole product on one machine, for trying it, for developing against it, and for its tests.
//!
//! It is never part of a deployed function.

pub mod audio;
pub mod operations;
pub mod quote;
