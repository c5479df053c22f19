//! Problems that several use cases share: a reused key, a ledger or a Stripe that does not respond.

use super::Problem;
use crate::domain::{AccountClosed, KeyReused};
use crate::http::time;
use crate::ports::LedgerError;
use crate::use_cases::{NotFound, OutsideError, StoreError};

/// The same response for what does not exist and for what belongs to another account.
impl From<NotFound> for Problem {
    fn from(error: NotFound) -> Self {
        Self::not_found(match error {
            NotFound::Account(_) => "account",
            NotFound::Charge(_) => "charge",
            NotFound::Entry(_) => "entry",
            NotFound::Purchase(_) => "purchase",
            NotFound::TopUp(_) => "top-up",
            NotFound::Invoice(_) => "invoice",
            NotFound::PaymentMethod(_) => "payment method",
            NotFound::Notice(_) => "notice",
        })
    }
}

impl From<AccountClosed> for Problem {
    fn from(AccountClosed { closed_at }: AccountClosed) -> Self {
        let detail = "The account was closed and is not opened again.";
        Self::new(403, "account_closed", "Account closed", detail).with("closed_at", time(closed_at))
    }
}

impl From<KeyReused> for Problem {
    fn from(error: KeyReused) -> Self {
        let detail = format!("The idempotency key {} was already used for another request.", error.key);
        Self::new(409, "idempotency_key_reused", "Conflict", detail)
    }
}

impl From<OutsideError> for Problem {
    fn from(error: OutsideError) -> Self {
        if error.is_retryable() { Self::unavailable(error) } else { Self::internal(error) }
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if error.is_retryable() { Self::unavailable(error) } else { Self::internal(error) }
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        StoreError::from(error).into()
    }
}
