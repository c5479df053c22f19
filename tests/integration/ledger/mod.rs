//! The ledger: what every implementation of the port owes, and what the one on DynamoDB owes besides.
//!
//! The contract runs against the embedded engine behind the SDK's own wire format, and also against the endpoint
//! that `AWS_ENDPOINT_URL_DYNAMODB` names, if it does.

#![expect(clippy::unwrap_used, reason = "clippy allows it in tests but does not know their helpers for tests")]

mod concurrency;
mod contract;
mod cost;
mod faults;
mod items;
mod samples;
mod stores;
