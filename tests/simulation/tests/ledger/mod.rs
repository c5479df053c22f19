//! The ledger in memory under the same contract as the one on DynamoDB.

#![expect(clippy::unwrap_used, reason = "clippy allows it in tests but does not know their helpers for tests")]

#[path = "../../../integration/ledger/contract/mod.rs"]
mod contract;
#[path = "../../../integration/ledger/samples.rs"]
mod samples;
mod stores;
