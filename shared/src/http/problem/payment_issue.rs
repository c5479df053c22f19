//! The problems for a pause of automatic top-ups that does not end.

use super::Problem;
use crate::domain::payments::{ResumeRefusal, RetryRefusal};
use crate::use_cases::payments::{ResumeError, RetryError};

impl From<RetryError> for Problem {
    fn from(error: RetryError) -> Self {
        match error {
            RetryError::NotFound(error) => error.into(),
            RetryError::Refused(refusal) => refused(refusal),
            error @ RetryError::Unknown => Self::unavailable(error),
            error @ RetryError::Mismatch(_) => Self::internal(error),
            RetryError::Outside(error) => error.into(),
        }
    }
}

fn refused(refusal: RetryRefusal) -> Problem {
    match refusal {
        RetryRefusal::KeyReused(reused) => reused.into(),
        RetryRefusal::Closed(closed) => closed.into(),
        RetryRefusal::NotPaused => {
            let detail = "Automatic top-ups are not paused, so there is no open invoice to pay.";
            Problem::new(409, "not_paused", "Not paused", detail)
        }
        RetryRefusal::NothingToPay => {
            let detail = "The payment was refused permanently, so there is no invoice to pay. The payment issue says what \
                          helps.";
            Problem::new(409, "nothing_to_pay", "Nothing to pay", detail)
        }
        RetryRefusal::TooMany { max } => {
            let detail = format!(
                "This invoice was retried {max} times already. Pay it on the page that our e-mail links to, or resume."
            );
            Problem::new(409, "too_many_retries", "Too many retries", detail)
        }
        RetryRefusal::NoCard { is_named: true } => Problem::card_not_saved(),
        RetryRefusal::NoCard { is_named: false } => {
            let detail =
                "The customer has no default card. Name a saved card, or pay on the page that our e-mail links to.";
            Problem::new(409, "no_card", "No card", detail)
        }
    }
}

impl From<ResumeError> for Problem {
    fn from(error: ResumeError) -> Self {
        match error {
            ResumeError::NotFound(error) => error.into(),
            ResumeError::Refused(ResumeRefusal::Closed(closed)) => closed.into(),
            ResumeError::Refused(ResumeRefusal::NoValidCard) => {
                let detail = "Automatic top-ups go on only with a card that is saved and has not expired. Save one first, \
                              or turn automatic top-ups off.";
                Self::new(409, "no_valid_card", "No valid card", detail)
            }
            ResumeError::Refused(ResumeRefusal::PaymentUnderWay) => {
                let detail = "The customer's bank is processing the payment, so its invoice cannot be voided.";
                Self::new(409, "payment_under_way", "Payment under way", detail)
            }
            error @ ResumeError::Unknown => Self::unavailable(error),
            error @ ResumeError::Mismatch(_) => Self::internal(error),
            ResumeError::Outside(error) => error.into(),
        }
    }
}
