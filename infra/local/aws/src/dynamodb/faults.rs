//! Faults a test sets at the door. They are drawn before the database sees the request.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Operation;
use crate::wire::Loss;

/// What happens to one operation instead of an honest answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Nothing is done and the error is answered.
    Refuse(Refusal),
    /// Nothing is done and the transaction is answered as cancelled. Reasons are in the order of its items, and a
    /// list that is too short is filled up with [`CancellationCode::None`]. Passes over anything but transactions.
    CancelTransaction(Vec<CancellationCode>),
    /// Nothing is done and no answer comes.
    LoseRequest(Loss),
    /// The operation is carried out, and no answer comes.
    LoseAnswer(Loss),
}

/// An error DynamoDB answers for a whole request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// `ProvisionedThroughputExceededException`: also of on-demand tables whose partition is too hot.
    ProvisionedThroughputExceeded,
    /// `ThrottlingException`.
    Throttling,
    /// `TransactionInProgressException`: the same `ClientRequestToken` is still being worked on.
    TransactionInProgress,
    /// `TransactionConflictException`: a plain write met an ongoing transaction.
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
    /// The item's condition did not hold. Without the item: for `ALL_OLD` let a real condition fail.
    ConditionalCheckFailed,
    /// The item's partition is too hot.
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
    /// See <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/transaction-apis.html#transaction-conflict-handling>.
    pub fn set_conflict_window(&self, window: Option<Duration>) {
        self.state().conflict_window = window;
    }

    /// Applies `fault` to the next `times` operations called `operation` (such as `"PutItem"`).
    pub fn next(&self, operation: &str, times: usize, fault: Fault) {
        self.script(Some(operation), times, fault);
    }

    /// Applies `fault` to the next `times` operations, whatever they are.
    pub fn next_any(&self, times: usize, fault: Fault) {
        self.script(None, times, fault);
    }

    /// Answers the next `times` transactional writes with these cancellation reasons.
    pub fn cancel_next_transactions(&self, times: usize, codes: &[CancellationCode]) {
        self.next("TransactWriteItems", times, Fault::CancelTransaction(codes.to_vec()));
    }

    /// Asks `decider` for a fault before every operation for which none is scripted. A simulation puts its seeded
    /// randomness here.
    pub fn decide_with(&self, decider: impl FnMut(&Operation) -> Option<Fault> + Send + 'static) {
        self.state().decider = Some(Box::new(decider));
    }

    /// Ends all faults, the conflict window included.
    pub fn clear(&self) {
        *self.state() = State::default();
    }

    /// How many scripted faults have not been met yet.
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
        // A decider that panicked has failed its test already; the others go on.
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
