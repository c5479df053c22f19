//! Leaving a pause without paying: the open invoice is voided, and automatic top-ups go on.

use super::payment::TopUpOutcome;
use super::payment_issue::PaymentIssueKind;
use super::saved_cards::SavedCard;
use crate::domain::{Account, AccountClosed, Change};
use jiff::Timestamp;

/// Why an account stays paused, in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResumeRefusal {
    #[error(transparent)]
    Closed(#[from] AccountClosed),
    /// The next top-up would only be declined.
    #[error("there is no valid card")]
    NoValidCard,
    /// A bank debit is in progress, and its invoice cannot be voided.
    #[error("the payment is being processed by the bank")]
    PaymentUnderWay,
}

/// Whether automatic top-ups may go on. A card is needed only if they are turned on.
///
/// # Errors
/// [`ResumeRefusal`]. Nothing may be voided then.
pub fn check_resume(account: &Account, card: Option<&SavedCard>, now: Timestamp) -> Result<(), ResumeRefusal> {
    account.check_not_closed()?;
    let is_armed = needs_card(account);
    if is_armed && card.is_none_or(|card| card.has_expired_at(now)) {
        return Err(ResumeRefusal::NoValidCard);
    }
    Ok(())
}

/// Whether a valid card is required to resume.
pub fn needs_card(account: &Account) -> bool {
    account.auto_top_up.as_ref().is_some_and(|settings| settings.is_enabled)
}

/// Ends a pause that no payment can end: the payment provider refused the payment permanently, so there is no invoice.
/// `None` for any other pause, which ends when its invoice is voided or paid.
pub fn decide_resume_refused(account: &Account, now: Timestamp) -> Option<Change> {
    let issue = account.payment_issue.as_ref()?;
    matches!(issue.kind, PaymentIssueKind::Refused(_)).then(|| {
        let mut change = Change::on(account, now);
        change.account.payment_issue = None;
        change
    })
}

/// Whether the answer to a void says that the invoice can be paid no more.
///
/// # Errors
/// [`ResumeRefusal::PaymentUnderWay`].
pub fn check_voided(outcome: &TopUpOutcome) -> Result<bool, ResumeRefusal> {
    match outcome {
        TopUpOutcome::Abandoned | TopUpOutcome::Paid(_) | TopUpOutcome::PartlyPaid { .. } => Ok(true),
        TopUpOutcome::Processing { .. } => Err(ResumeRefusal::PaymentUnderWay),
        TopUpOutcome::Unknown
        | TopUpOutcome::Declined { .. }
        | TopUpOutcome::ActionRequired { .. }
        | TopUpOutcome::Refused { .. } => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::payments::{AutoTopUp, DeclineReason, Expiry, PaymentIssue, RefusalReason};
    use crate::domain::samples::*;
    use crate::domain::{PaymentMethodId, TopUpId};

    fn paused(kind: PaymentIssueKind) -> Account {
        let issue = PaymentIssue { kind, top_up: TopUpId::mint(1), since: at(3) };
        Account { payment_issue: Some(issue), auto_top_up: Some(settings(500, 5_000)), ..account() }
    }

    #[test]
    fn top_ups_are_armed_again_only_with_a_valid_card() {
        let account = paused(PaymentIssueKind::ActionRequired);
        let off = AutoTopUp { is_enabled: false, ..settings(500, 5_000) };
        let off = Account { auto_top_up: Some(off), ..account.clone() };
        let closed = Account { closed_at: Some(at(9)), ..off.clone() };
        let id = PaymentMethodId::parse("pm_1").unwrap();
        let card = |expiry| {
            Some(SavedCard {
                id: id.clone(),
                kind: "card".to_owned(),
                brand: None,
                last4: None,
                expiry,
                wallet: None,
                fingerprint: None,
                saved_at: at(0),
            })
        };
        let expired = card(Expiry::new(2025, 12));
        for (name, account, card, expected) in [
            ("closed", &closed, None, Err(AccountClosed { closed_at: at(9) }.into())),
            ("turned on, no card", &account, None, Err(ResumeRefusal::NoValidCard)),
            ("turned on, an expired card", &account, expired, Err(ResumeRefusal::NoValidCard)),
            ("turned on, a card", &account, card(None), Ok(())),
            ("turned off, no card", &off, None, Ok(())),
        ] {
            assert_eq!(check_resume(account, card.as_ref(), at(100 * 86_400)), expected, "{name}");
        }
    }

    #[test]
    fn only_a_pause_without_an_invoice_ends_without_a_void() {
        for (kind, is_ended) in [
            (PaymentIssueKind::ActionRequired, false),
            (PaymentIssueKind::Declined(DeclineReason::Generic), false),
            (PaymentIssueKind::Refused(RefusalReason::NoTaxLocation), true),
        ] {
            let change = decide_resume_refused(&paused(kind), at(20));
            assert_eq!(change.is_some(), is_ended, "{kind:?}");
            assert!(change.is_none_or(|change| change.account.payment_issue.is_none()));
        }
        assert_eq!(decide_resume_refused(&account(), at(20)), None);
    }
}
