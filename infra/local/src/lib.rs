//! The whole product on one machine, to try it out, to develop against it, and for its tests.
//!
//! It is never part of a deployed function.

pub mod audio;
pub mod clock;
pub mod cloud;
pub mod demo;
pub mod first_steps;
mod functions;
mod local_guard;
mod local_problem;
mod local_routes;
pub mod openapi;
pub mod operations;
pub mod price_books;
pub mod prove;
pub mod quote;
pub mod ready_made;
pub mod support;
pub mod verify;
