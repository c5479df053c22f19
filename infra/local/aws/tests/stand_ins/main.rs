//! The stand-ins, driven by the SDK's own clients.

mod dynamodb;
mod dynamodb_faults;
mod dynamodb_streams;
mod support;
