//! The problems for acts of support that are refused.

use super::Problem;
use crate::domain::support::{AdjustRefusal, EraseRefusal, RESENDS_PER_DAY_MAX, ResendRefusal};
use crate::http::{FieldError, time};
use crate::use_cases::support::{AdjustError, EraseError, ResendError, RestrictError};

impl Problem {
    /// The token has the scope, but names no one whom an act could be recorded with.
    pub fn no_operator() -> Self {
        Self::new(403, "forbidden", "Forbidden", "The token needs a subject of 1 to 255 bytes: who acts.")
    }
}

impl From<AdjustError> for Problem {
    fn from(error: AdjustError) -> Self {
        match error {
            AdjustError::NotFound(error) => error.into(),
            AdjustError::KeyReused(error) => error.into(),
            AdjustError::Refused(AdjustRefusal::Closed(closed)) => closed.into(),
            AdjustError::Refused(AdjustRefusal::BelowZero { balance, credits }) => {
                let detail = format!(
                    "Taking {credits} credits from a balance of {balance} would leave it below zero. \
                     Send \"allow_negative\": true to take them nevertheless."
                );
                Self::new(409, "balance_below_zero", "Balance below zero", detail).with("balance", balance.get())
            }
            AdjustError::Refused(AdjustRefusal::BalanceOutOfRange(_)) => {
                let detail = "The balance would leave the range of 10¹⁵ credits.";
                Self::new(409, "balance_out_of_range", "Balance out of range", detail)
            }
            AdjustError::Store(error) => error.into(),
        }
    }
}

impl From<RestrictError> for Problem {
    fn from(error: RestrictError) -> Self {
        match error {
            RestrictError::NotFound(error) => error.into(),
            RestrictError::Closed(closed) => closed.into(),
            RestrictError::UntilOutOfRange(range) => {
                let message =
                    format!("must be later than {} and at the latest {}", time(range.after), time(range.latest));
                Self::invalid(vec![FieldError::new("until", message)])
            }
            RestrictError::Store(error) => error.into(),
        }
    }
}

impl From<EraseError> for Problem {
    fn from(error: EraseError) -> Self {
        match error {
            EraseError::NotFound(error) => error.into(),
            EraseError::Refused(EraseRefusal::ChargesPending { credits }) => {
                let detail = "Charges are pending. Capture or void them, or wait until they expire.";
                Self::new(409, "charges_pending", "Charges pending", detail).with("pending", credits.get())
            }
            EraseError::Refused(EraseRefusal::TopUpOpen(top_up)) => {
                let detail = "A top-up is under way. Wait for its outcome, or void its invoice at Stripe.";
                Self::new(409, "payment_open", "Payment open", detail).with("top_up", top_up.as_str())
            }
            EraseError::Refused(EraseRefusal::Paused(top_up)) => {
                let detail = "Automatic top-ups are paused, and the invoice of a top-up can still be paid. Turn automatic \
                              top-ups off, then end the pause with POST …/auto-top-up/resume, which voids the invoice. \
                              Without that, it is voided 30 days after the pause began.";
                Self::new(409, "payment_open", "Payment open", detail).with("top_up", top_up.as_str())
            }
            EraseError::Refused(EraseRefusal::PurchaseOpen(purchase)) => {
                let detail = "A purchase can still be paid. Wait for its outcome; its page expires after a day.";
                Self::new(409, "payment_open", "Payment open", detail).with("purchase", purchase.as_str())
            }
            EraseError::Store(error) => error.into(),
        }
    }
}

impl From<ResendError> for Problem {
    fn from(error: ResendError) -> Self {
        match error {
            ResendError::NotFound(error) => error.into(),
            ResendError::Refused(ResendRefusal::Closed(closed)) => closed.into(),
            ResendError::Refused(ResendRefusal::BeingSent { since }) => {
                let detail = "The e-mail has not been sent yet and is tried again by itself for six hours.";
                Self::new(409, "notice_being_sent", "E-mail being sent", detail).with("since", time(since))
            }
            ResendError::Refused(ResendRefusal::ResentRecently { at, possible_at }) => {
                let detail = "The same e-mail was sent again within the last hour.";
                Self::new(409, "notice_resent", "E-mail sent again", detail)
                    .with("resent_at", time(at))
                    .with("possible_at", time(possible_at))
            }
            ResendError::Refused(ResendRefusal::TooMany { possible_at }) => {
                let detail = format!("{RESENDS_PER_DAY_MAX} e-mails were sent again to this account within a day.");
                Self::new(409, "resend_limit_reached", "Limit reached", detail).with("possible_at", time(possible_at))
            }
            ResendError::Store(error) => error.into(),
        }
    }
}
