//! The problems for acts of support that are refused.

use super::Problem;
use crate::domain::support::{
    AdjustRefusal, EraseRefusal, REFUNDS_MAX, RESENDS_PER_DAY_MAX, RefundRefusal, ResendRefusal,
};
use crate::http::{FieldError, time};
use crate::use_cases::payments::ApplyReturnedError;
use crate::use_cases::support::{AdjustError, EraseError, EvidenceError, MakeRefundError, ResendError, RestrictError};

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

impl From<EvidenceError> for Problem {
    fn from(error: EvidenceError) -> Self {
        match error {
            EvidenceError::Unknown => Self::not_found("dispute"),
            EvidenceError::Outside(error) => error.into(),
        }
    }
}

impl From<MakeRefundError> for Problem {
    fn from(error: MakeRefundError) -> Self {
        match error {
            MakeRefundError::NotFound(error) => error.into(),
            MakeRefundError::Refused(refusal) => not_refunded(refusal),
            MakeRefundError::RefusedByProvider { code } => {
                let detail =
                    "Stripe refuses this refund, and no money moved. Stripe's dashboard says more about the payment.";
                let problem = Self::new(409, "refund_refused", "Refund refused", detail);
                match code {
                    Some(code) => problem.with("stripe_code", code),
                    None => problem,
                }
            }
            MakeRefundError::Applied(ApplyReturnedError::Outside(error)) | MakeRefundError::Outside(error) => {
                error.into()
            }
            MakeRefundError::Applied(error @ ApplyReturnedError::BalanceOutOfRange(_)) => Self::internal(error),
        }
    }
}

fn not_refunded(refusal: RefundRefusal) -> Problem {
    match refusal {
        RefundRefusal::KeyReused(error) => error.into(),
        RefundRefusal::NotPaid => {
            let detail = "No credits were granted for it, so there is nothing to give back.";
            Problem::new(409, "not_paid", "Not paid", detail)
        }
        RefundRefusal::PaidElsewhere => {
            let detail =
                "It was paid outside of Stripe. Give the money back where it came from, and adjust the credits.";
            Problem::new(409, "paid_elsewhere", "Paid elsewhere", detail)
        }
        RefundRefusal::UnderWay(key) => {
            let detail = format!("It is not known yet what became of the refund {key}. Send that request again first.");
            Problem::new(409, "refund_under_way", "Refund under way", detail).with("refund_request", key.as_str())
        }
        RefundRefusal::TooMany => {
            let detail = format!("{REFUNDS_MAX} refunds of it were asked for. Make any others in Stripe's dashboard.");
            Problem::new(409, "too_many_refunds", "Too many refunds", detail)
        }
        RefundRefusal::Disputed => {
            let detail =
                "The customer disputes the payment, and the bank has the money. A refund would return it twice.";
            Problem::new(409, "payment_disputed", "Payment disputed", detail)
        }
        RefundRefusal::NothingUnused => {
            let detail = "All credits of it are spent or taken back.";
            Problem::new(409, "nothing_unused", "Nothing unused", detail)
        }
        RefundRefusal::AboveLeft { left: 0 } => {
            let detail = "All of it has gone back already.";
            Problem::new(409, "nothing_left", "Nothing left", detail)
        }
        RefundRefusal::AboveLeft { left } => Problem::invalid(vec![FieldError::new(
            "amount",
            format!("must be from 1 to {left}, which have not gone back"),
        )]),
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
