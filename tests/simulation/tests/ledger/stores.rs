//! The ledgers that are tested against the contract.

use super::contract::DUE_PAGE_SIZE;
use futures::FutureExt;
use simulation::ledger::{MemoryLedger, MemoryLedgerSettings};

/// Runs a test. A runtime would be one more library that `make mutants` has to compile.
pub fn run(test: impl Future<Output = ()>) {
    test.now_or_never().expect("the in-memory ledger never waits");
}

/// One empty ledger of each kind, with pages of [`DUE_PAGE_SIZE`].
pub async fn empty() -> [MemoryLedger; 1] {
    let settings = MemoryLedgerSettings { due_page_size: DUE_PAGE_SIZE.into(), is_lagging: false };
    [MemoryLedger::new(settings)]
}

/// There is no network between this ledger and its caller, so no answer can get lost.
pub async fn losing_answers() -> [MemoryLedger; 0] {
    []
}

/// There is no ledger of another type.
pub async fn others_empty() -> [MemoryLedger; 0] {
    []
}

pub async fn others_losing_answers() -> [MemoryLedger; 0] {
    []
}
