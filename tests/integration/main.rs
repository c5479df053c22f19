//! The product's parts against each other and against stand-ins of the outside.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod ledger;
mod main_job;
mod payments;
mod support;
