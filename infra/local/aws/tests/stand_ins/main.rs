//! The stand-ins, driven by the SDK's own clients.

#![expect(clippy::unwrap_used, reason = "everything here is a test, its helpers too")]

mod access;
mod dynamodb;
mod dynamodb_faults;
mod dynamodb_streams;
mod scheduler;
mod server;
mod ses;
mod support;
