//! Faults that a test sets. They are applied before the database sees the request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Operation;
use crate::wire::Loss;

/// What happens to one operation instead of a normal answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done, and the answer is the error.
    Refuse(Refusal),
    /// Nothing is done, and the answer is a cancelled transaction. Reasons are in the order of its items, and missing
    /// ones are [`CancellationCode::None`]. Only applies to transactions.
    CancelTransaction(Vec<CancellationCode>),
    /// Nothing is done, and no answer arrives.
    LoseRequest(Loss),
    /// The operation is carried out, and no answer arrives.
    LoseAnswer(Loss),
}

/// An error that DynamoDB returns for a whole request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `ProvisionedThroughputExceededException`: also for on-demand tables with a hot partition.
    ProvisionedThroughputExceeded,
    /// `ThrottlingException`.
    Throttling,
    /// `TransactionInProgressException`: a request with the same `ClientRequestToken` is still in progress.
    TransactionInProgress,
    /// `TransactionConflictException`: a plain write conflicted with an ongoing transaction.
    TransactionConflict,
    /// `InternalServerError`, status 500. In AWS the operation may have been carried out or not.
    InternalServerError,
}

/// The code of one cancellation reason.
/// See <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_CancellationReason.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancellationCode {
    /// This item was not the reason.
    None,
    /// Another transaction holds the item.
    TransactionConflict,
    /// The item's condition failed. The item is not returned; for `ALL_OLD`, let a real condition fail.
    ConditionalCheckFailed,
    /// The item's partition is hot.
    ThrottlingError,
    /// The table's provisioned throughput is exceeded.
    ProvisionedThroughputExceeded,
}

impl CancellationCode {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::TransactionConflict => "TransactionConflict",
            Self::ConditionalCheckFailed => "ConditionalCheckFailed",
            Self::ThrottlingError => "ThrottlingError",
            Self::ProvisionedThroughputExceeded => "ProvisionedThroughputExceeded",
        }
    }

    pub(super) fn message(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::TransactionConflict => Some("Transaction is ongoing for the item"),
            Self::ConditionalCheckFailed => Some("The conditional request failed"),
            Self::ThrottlingError => Some("Throughput exceeds the current capacity for one or more items"),
            Self::ProvisionedThroughputExceeded => Some("The level of configured throughput was exceeded"),
        }
    }
}

/// The faults of one database. Clones share them.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

type Decider = Box<dyn FnMut(&Operation) -> Option<Fault> + Send>;

#[derive(Default)]
struct State {
    conflict_window: Option<Duration>,
    scripted: VecDeque<Scripted>,
    decider: Option<Decider>,
}

struct Scripted {
    operation: Option<String>,
    fault: Fault,
}

impl Faults {
    /// Holds the keys of every write in flight for `window` of tokio time, half before and half after the write, so
    /// that concurrent transactions on one item conflict as in AWS. `None` turns it off.
    /// See
    /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling>.
    pub fn set_conflict_window(&self, window: Option<Duration>) {
        self.state().conflict_window = window;
    }

    /// Applies `fault` to the next `times` operations with the name `operation` (such as `"PutItem"`).
    pub fn next(&self, operation: &str, times: usize, fault: Fault) {
        self.script(Some(operation), times, fault);
    }

    /// Applies `fault` to the next `times` operations of any kind.
    pub fn next_any(&self, times: usize, fault: Fault) {
        self.script(None, times, fault);
    }

    /// Answers the next `times` transactional writes with these cancellation reasons.
    pub fn cancel_next_transactions(&self, times: usize, codes: &[CancellationCode]) {
        self.next("TransactWriteItems", times, Fault::CancelTransaction(codes.to_vec()));
    }

    /// Asks `decider` for a fault before every operation without a scripted fault. A simulation uses its seeded
    /// randomness here.
    pub fn decide_with(&self, decider: impl FnMut(&Operation) -> Option<Fault> + Send + 'static) {
        self.state().decider = Some(Box::new(decider));
    }

    /// Removes all faults, including the conflict window.
    pub fn clear(&self) {
        *self.state() = State::default();
    }

    /// How many scripted faults were not used yet.
    pub fn remaining(&self) -> usize {
        self.state().scripted.len()
    }

    pub(super) fn conflict_window(&self) -> Option<Duration> {
        self.state().conflict_window
    }

    pub(super) fn draw(&self, operation: &Operation) -> Option<Fault> {
        let mut state = self.state();
        let is_met = |scripted: &Scripted| {
            scripted.operation.as_deref().is_none_or(|name| name == operation.name) && fits(&scripted.fault, operation)
        };
        let fault = match state.scripted.iter().position(is_met) {
            Some(position) => state.scripted.remove(position).map(|scripted| scripted.fault),
            None => state.decider.as_mut().and_then(|decide| decide(operation)).filter(|fault| fits(fault, operation)),
        };
        fault.map(|fault| filled_up(fault, operation))
    }

    fn script(&self, operation: Option<&str>, times: usize, fault: Fault) {
        let scripted = (0..times).map(|_| Scripted { operation: operation.map(str::to_owned), fault: fault.clone() });
        self.state().scripted.extend(scripted);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A decider that panicked has already failed its own test; the other tests continue.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn fits(fault: &Fault, operation: &Operation) -> bool {
    !matches!(fault, Fault::CancelTransaction(_)) || operation.is_transaction()
}

fn filled_up(fault: Fault, operation: &Operation) -> Fault {
    match fault {
        Fault::CancelTransaction(mut codes) => {
            codes.resize(operation.requested_item_count(), CancellationCode::None);
            Fault::CancelTransaction(codes)
        }
        other => other,
    }
}
