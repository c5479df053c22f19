//! Paying an attempt's open invoice now, because the customer asks for it.
//!
//! Each request is stored under its own key before Stripe is asked. So a repeated request is the same payment and gets
//! the first response, while another click is another try.

use super::payment::{GrantRefusal, TopUpOutcome};
use super::payment_issue::PaymentIssueKind;
use super::records::{TopUp, TopUpRetry, TopUpStatus};
use super::top_up::decide_top_up_outcome;
use crate::domain::{
    Account, AccountClosed, Change, IdempotencyKey, KeyReused, NoticeId, OutboundEventKind, PaymentMethodId, PriceBook,
    Record,
};
use jiff::Timestamp;

/// The customer's request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryCommand {
    pub key: IdempotencyKey,
    /// The card to charge. `None`: the default.
    pub card: Option<PaymentMethodId>,
}

/// Why nothing was asked of the bank, in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RetryRefusal {
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    #[error(transparent)]
    Closed(#[from] AccountClosed),
    #[error("automatic top-ups are not paused")]
    NotPaused,
    /// The payment provider refused the payment permanently, so no invoice is left.
    #[error("there is no invoice to pay")]
    NothingToPay,
    #[error("the invoice was retried {max} times already")]
    TooMany { max: u32 },
    /// The named card is not one of the customer's, or there is no default card.
    #[error("there is no such card")]
    NoCard { is_named: bool },
}

/// Whether a stored retry answers a request.
///
/// # Errors
/// [`KeyReused`] when the key asked for another card.
pub fn check_retry_replay(retry: &TopUpRetry, command: &RetryCommand) -> Result<(), KeyReused> {
    if retry.named == command.card { Ok(()) } else { Err(KeyReused { key: command.key.clone() }) }
}

/// Whether a retry is possible as far as the account and the attempt tell. The card is looked up only then.
///
/// # Errors
/// [`RetryRefusal`].
pub fn check_retry(account: &Account, attempt: Option<&TopUp>) -> Result<(), RetryRefusal> {
    account.check_not_closed()?;
    let issue = account.payment_issue.as_ref().ok_or(RetryRefusal::NotPaused)?;
    if matches!(issue.kind, PaymentIssueKind::Refused(_)) {
        return Err(RetryRefusal::NothingToPay);
    }
    let attempt = attempt.filter(|attempt| attempt.id == issue.top_up).ok_or(RetryRefusal::NotPaused)?;
    let max = PriceBook::TOP_UP_RETRIES_MAX;
    if attempt.retries >= max {
        return Err(RetryRefusal::TooMany { max });
    }
    Ok(())
}

/// Stores the retry, before Stripe is asked.
///
/// # Errors
/// [`RetryRefusal`]; nothing is asked of the bank.
pub fn decide_retry(
    account: &Account,
    attempt: Option<&TopUp>,
    card: Option<&PaymentMethodId>,
    command: &RetryCommand,
    now: Timestamp,
) -> Result<Change, RetryRefusal> {
    check_retry(account, attempt)?;
    let attempt = attempt.ok_or(RetryRefusal::NotPaused)?;
    let card = card.ok_or(RetryRefusal::NoCard { is_named: command.card.is_some() })?;
    let mut change = Change::on(account, now);
    change.records.push(Record::TopUp(TopUp { retries: attempt.retries.saturating_add(1), ..attempt.clone() }));
    change.records.push(Record::TopUpRetry(TopUpRetry {
        key: command.key.clone(),
        account: account.id.clone(),
        top_up: attempt.id.clone(),
        named: command.card.clone(),
        card: card.clone(),
        asked_at: now,
        status: TopUpStatus::Open,
    }));
    Ok(change)
}

/// How to continue a retry that has no outcome yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryStep {
    /// Ask Stripe to charge the card. With the same key, a repeated request is the same payment.
    Pay,
    /// Stripe may have forgotten the key: read what became of the invoice.
    LookUp,
}

/// A retry is sent only while Stripe still remembers its key, as an attempt is.
pub fn next_retry_step(retry: &TopUpRetry, now: Timestamp) -> RetryStep {
    let is_remembered = now.duration_since(retry.asked_at) < PriceBook::TOP_UP_SEND_WINDOW;
    if is_remembered { RetryStep::Pay } else { RetryStep::LookUp }
}

/// Records what Stripe answers to a retry: as [`decide_top_up_outcome`], and under the retry's key. If the card is refused
/// again, the pause says why from then on. There is no second e-mail, since the customer is present. `None` if there is
/// nothing to do.
///
/// # Errors
/// [`GrantRefusal`] if the payment does not match what was asked for.
pub fn decide_retry_outcome(
    account: &Account,
    (attempt, retry): (&TopUp, &TopUpRetry),
    outcome: &TopUpOutcome,
    notice: NoticeId,
    now: Timestamp,
) -> Result<Option<Change>, GrantRefusal> {
    let decided = decide_top_up_outcome(account, attempt, outcome, notice, now)?;
    let Some(status) = status_of(outcome).filter(|_| retry.status == TopUpStatus::Open) else { return Ok(decided) };
    let mut change = decided.unwrap_or_else(|| Change::on(account, now));
    if let Some(kind) = refused_again(attempt.status, status)
        && let Some(issue) = change.account.payment_issue.as_mut().filter(|issue| issue.top_up == attempt.id)
    {
        issue.kind = kind;
        if kind == PaymentIssueKind::ActionRequired {
            let (top_up, credits, price) = (attempt.id.clone(), attempt.credits, attempt.price);
            change.tell(OutboundEventKind::PaymentActionRequired { top_up, credits, price }, now);
        }
        change.records.push(Record::TopUp(TopUp { status, ..attempt.clone() }));
    }
    change.records.push(Record::TopUpRetry(TopUpRetry { status, ..retry.clone() }));
    Ok(Some(change))
}

fn refused_again(before: TopUpStatus, now: TopUpStatus) -> Option<PaymentIssueKind> {
    if !matches!(before, TopUpStatus::Declined(_) | TopUpStatus::ActionRequired) {
        return None;
    }
    match now {
        TopUpStatus::Declined(reason) => Some(PaymentIssueKind::Declined(reason)),
        TopUpStatus::ActionRequired => Some(PaymentIssueKind::ActionRequired),
        _ => None,
    }
}

/// `None` for an outcome that is not known.
fn status_of(outcome: &TopUpOutcome) -> Option<TopUpStatus> {
    Some(match outcome {
        TopUpOutcome::Paid(_) => TopUpStatus::Paid,
        TopUpOutcome::PartlyPaid { .. } => TopUpStatus::PartlyPaid,
        TopUpOutcome::Declined { reason, .. } => TopUpStatus::Declined(*reason),
        TopUpOutcome::ActionRequired { .. } => TopUpStatus::ActionRequired,
        TopUpOutcome::Processing { .. } => TopUpStatus::Processing,
        TopUpOutcome::Refused { reason } => TopUpStatus::Refused(*reason),
        TopUpOutcome::Abandoned => TopUpStatus::Abandoned,
        TopUpOutcome::Unknown => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::payments::{DeclineReason, PaymentIssue, RefusalReason};
    use crate::domain::samples::*;
    use crate::domain::{NoticeKind, TopUpId};

    fn paused(kind: PaymentIssueKind) -> Account {
        let issue = PaymentIssue { kind, top_up: TopUpId::mint(1), since: at(3) };
        Account { payment_issue: Some(issue), auto_top_up: Some(settings(500, 5_000)), ..account() }
    }

    fn declined() -> (Account, TopUp) {
        let kind = PaymentIssueKind::Declined(DeclineReason::InsufficientFunds);
        let status = TopUpStatus::Declined(DeclineReason::InsufficientFunds);
        (paused(kind), TopUp { status, ..top_up(1, 5_000) })
    }

    fn command(card: Option<&str>) -> RetryCommand {
        let key = IdempotencyKey::parse("again-1").unwrap();
        RetryCommand { key, card: card.map(|card| PaymentMethodId::parse(card).unwrap()) }
    }

    fn card() -> PaymentMethodId {
        PaymentMethodId::parse("pm_2").unwrap()
    }

    fn retry(change: &Change) -> TopUpRetry {
        let found = change.records.iter().find_map(|record| match record {
            Record::TopUpRetry(retry) => Some(retry.clone()),
            _ => None,
        });
        found.unwrap()
    }

    #[test]
    fn retries_are_refused_in_order_of_precedence_and_stored_otherwise() {
        let (account, attempt) = declined();
        let closed = Account { closed_at: Some(at(9)), ..account.clone() };
        let running = Account { payment_issue: None, ..account.clone() };
        let refused = paused(PaymentIssueKind::Refused(RefusalReason::NoTaxLocation));
        let often = TopUp { retries: PriceBook::TOP_UP_RETRIES_MAX, ..attempt.clone() };
        let other = TopUp { id: TopUpId::mint(2), ..attempt.clone() };
        let too_many = Err(RetryRefusal::TooMany { max: PriceBook::TOP_UP_RETRIES_MAX });
        let no_card = |is_named| Err(RetryRefusal::NoCard { is_named });
        let stored = Ok(PaymentMethodId::parse("pm_2").unwrap());
        for (name, account, attempt, card, named, expected) in [
            ("closed", &closed, &often, None, None, Err(AccountClosed { closed_at: at(9) }.into())),
            ("not paused", &running, &often, None, None, Err(RetryRefusal::NotPaused)),
            ("refused for good", &refused, &often, None, None, Err(RetryRefusal::NothingToPay)),
            ("paused by another attempt", &account, &other, None, None, Err(RetryRefusal::NotPaused)),
            ("too often", &account, &often, None, None, too_many),
            ("without a default card", &account, &attempt, None, None, no_card(false)),
            ("with the card of another", &account, &attempt, None, Some("pm_9"), no_card(true)),
            ("with the default card", &account, &attempt, Some(card()), None, stored.clone()),
            ("with a named card", &account, &attempt, Some(card()), Some("pm_2"), stored),
        ] {
            let decided = decide_retry(account, Some(attempt), card.as_ref(), &command(named), at(20));
            let decided = decided.map(|change| {
                assert_eq!(change.top_up().unwrap().retries, attempt.retries + 1, "{name}");
                assert_eq!(change.account.payment_issue, account.payment_issue, "{name}");
                retry(&change).card
            });
            assert_eq!(decided, expected, "{name}");
        }
    }

    #[test]
    fn a_key_answers_only_its_own_request() {
        let (account, attempt) = declined();
        let retry =
            retry(&decide_retry(&account, Some(&attempt), Some(&card()), &command(Some("pm_2")), at(20)).unwrap());
        assert_eq!(check_retry_replay(&retry, &command(Some("pm_2"))), Ok(()));
        for other in [command(None), command(Some("pm_3"))] {
            assert_eq!(check_retry_replay(&retry, &other), Err(KeyReused { key: other.key.clone() }));
        }
        assert_eq!(next_retry_step(&retry, at(20 + 20 * 3_600 - 1)), RetryStep::Pay);
        assert_eq!(next_retry_step(&retry, at(20 + 20 * 3_600)), RetryStep::LookUp);
    }

    /// One payment, one grant, and the customer who is present gets no e-mail about a card that is declined again.
    #[test]
    fn a_retry_ends_as_its_invoice_does() {
        let (account, attempt) = declined();
        let change = decide_retry(&account, Some(&attempt), Some(&card()), &command(None), at(20)).unwrap();
        let (account, attempt, retry_1) = (change.account.clone(), change.top_up().unwrap().clone(), retry(&change));
        let decide = |account: &Account, attempt: &TopUp, retry: &TopUpRetry, outcome: &TopUpOutcome| {
            decide_retry_outcome(account, (attempt, retry), outcome, NoticeId::mint(3), at(21)).unwrap()
        };
        let paid = TopUpOutcome::Paid(payment());
        let granted = decide(&account, &attempt, &retry_1, &paid).unwrap();
        assert_eq!((granted.account.balance, &granted.account.payment_issue), (attempt.credits, &None));
        assert_eq!(retry(&granted).status, TopUpStatus::Paid);
        assert!(matches!(granted.notices[0].kind, NoticeKind::TopUpPaid { .. }));
        let again = decide(&granted.account, granted.top_up().unwrap(), &retry_1, &paid).unwrap();
        assert!(again.entries.is_empty(), "another report of the same payment");

        let asked = decide(&account, &attempt, &retry_1, &TopUpOutcome::ActionRequired { invoice: None }).unwrap();
        let issue = asked.account.payment_issue.clone().unwrap();
        assert_eq!((issue.kind, issue.since), (PaymentIssueKind::ActionRequired, at(3)));
        assert_eq!(asked.top_up().unwrap().status, TopUpStatus::ActionRequired);
        assert!(asked.notices.is_empty());
        assert_eq!(asked.events[0].kind.name(), "payment.action_required");

        assert_eq!(decide(&account, &attempt, &retry_1, &TopUpOutcome::Unknown), None);
        let voided = decide(&account, &attempt, &retry_1, &TopUpOutcome::Abandoned).unwrap();
        assert_eq!((retry(&voided).status, &voided.account.payment_issue), (TopUpStatus::Abandoned, &None));
        let late = TopUpOutcome::Declined { reason: DeclineReason::ExpiredCard, invoice: None };
        let late = decide(&granted.account, granted.top_up().unwrap(), &retry_1, &late).unwrap();
        assert_eq!((late.account.payment_issue.as_ref(), late.top_up()), (None, None), "paid on the page meanwhile");
        let ended = TopUpRetry { status: TopUpStatus::ActionRequired, ..retry_1 };
        assert_eq!(decide(&account, &attempt, &ended, &TopUpOutcome::ActionRequired { invoice: None }), None);
    }
}
