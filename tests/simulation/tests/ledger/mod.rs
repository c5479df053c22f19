//! The contract of the ledger, run against the in-memory ledger.

#![expect(clippy::unwrap_used, reason = "clippy allows it in tests but does not know their helpers for tests")]

#[path = "../../../integration/ledger/contract/mod.rs"]
mod contract;
#[path = "../../../integration/ledger/samples.rs"]
mod samples;
mod stores;
