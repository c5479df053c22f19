//! The ledger: the contract of the port, and further tests of the implementation on DynamoDB.
//!
//! The contract runs against the embedded engine through the SDK's client and through our own, and also against the endpoint in
//! `AWS_ENDPOINT_URL_DYNAMODB`, if it is set.

#![expect(clippy::unwrap_used, reason = "clippy allows it in tests but does not know their helpers for tests")]

mod batches;
pub mod clients;
mod concurrency;
mod contract;
mod cost;
mod faults;
mod filtered_history;
mod items;
pub mod samples;
mod stores;
mod verification;
