//! The stand-ins, called by the SDK's own clients.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic too")]

mod access;
mod dynamodb;
mod dynamodb_faults;
mod dynamodb_streams;
mod event_bus;
mod scheduler;
mod server;
mod ses;
mod support;
