//! Reminders of an unpaid attempt after 1, 3 and 7 days, each resting on what Stripe says about its invoice.

use super::asked_card::CardFace;
use super::payment::{GrantRefusal, TopUpOutcome};
use super::payment_issue::PaymentIssueKind;
use super::records::TopUp;
use super::top_up::decide_top_up_outcome;
use super::unpaid::later;
use crate::domain::{Account, Change, NoticeId, NoticeKind, PriceBook, Record};
use jiff::Timestamp;

/// What Stripe says about the invoice of an unpaid attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub outcome: TopUpOutcome,
    /// Whether the invoice is open and no payment of it is under way. An outcome alone does not tell, because nothing is
    /// concluded from an invoice for which no card was ever tried.
    pub is_waiting: bool,
}

/// Records what Stripe says about an unpaid attempt, as [`decide_top_up_outcome`], or reminds the customer if it is still
/// unpaid and a reminder is due. A run that comes late sends one reminder, not all that it missed. `None` if there is
/// nothing to do.
///
/// # Errors
/// [`GrantRefusal`] if the payment does not match what was asked for.
pub fn decide_follow_up(
    account: &Account,
    top_up: &TopUp,
    asked: &Asked,
    notice: NoticeId,
    now: Timestamp,
) -> Result<Option<Change>, GrantRefusal> {
    match decide_top_up_outcome(account, top_up, &asked.outcome, notice.clone(), now)? {
        Some(change) => Ok(Some(change)),
        None => Ok(remind(account, top_up, asked, notice, now)),
    }
}

/// Nobody is reminded of a payment whose outcome is not known, or that is being made.
fn remind(account: &Account, top_up: &TopUp, asked: &Asked, notice: NoticeId, now: Timestamp) -> Option<Change> {
    let since = top_up.unpaid_since().filter(|_| asked.is_waiting && !top_up.is_given_up_at(now))?;
    top_up.unpaid_due_at().filter(|due_at| *due_at <= now)?;
    let issue = account.payment_issue.as_ref().filter(|issue| issue.top_up == top_up.id)?;
    let reason = match issue.kind {
        PaymentIssueKind::Declined(reason) => Some(reason),
        PaymentIssueKind::ActionRequired => None,
        PaymentIssueKind::Refused(_) => return None,
    };
    let passed = PriceBook::REMINDERS_AFTER.iter().filter(|wait| later(since, **wait) <= now).count();
    let mut change = Change::on(account, now);
    let (id, credits, price, card) = (top_up.id.clone(), top_up.credits, top_up.price, CardFace::default());
    let kind = NoticeKind::PaymentReminder { top_up: id, credits, price, reason, since, card };
    change.notices.extend(account.owed(notice, kind, now));
    let reminders = u8::try_from(passed).unwrap_or(u8::MAX);
    change.records.push(Record::TopUp(TopUp { reminders, ..top_up.clone() }));
    Some(change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::TopUpId;
    use crate::domain::payments::{DeclineReason, PaymentIssue, TopUpStatus};
    use crate::domain::samples::*;

    const DAY: i64 = 86_400;

    fn paused() -> (Account, TopUp) {
        let reason = DeclineReason::InsufficientFunds;
        let issue = PaymentIssue { kind: PaymentIssueKind::Declined(reason), top_up: TopUpId::mint(1), since: at(0) };
        let account = Account { payment_issue: Some(issue), auto_top_up: Some(settings(500, 5_000)), ..account() };
        (account, TopUp { status: TopUpStatus::Declined(reason), ended_at: Some(at(0)), ..top_up(1, 5_000) })
    }

    fn still_unpaid() -> Asked {
        let outcome = TopUpOutcome::Declined { reason: DeclineReason::InsufficientFunds, invoice: None };
        Asked { outcome, is_waiting: true }
    }

    fn ended(outcome: TopUpOutcome) -> Asked {
        Asked { outcome, is_waiting: false }
    }

    fn follow_up((account, top_up): (&Account, &TopUp), asked: &Asked, now: i64) -> Option<Change> {
        decide_follow_up(account, top_up, asked, NoticeId::mint(3), at(now)).unwrap()
    }

    #[test]
    fn a_customer_is_reminded_after_one_three_and_seven_days_and_once_each() {
        let (account, mut top_up) = paused();
        let mut reminded = vec![];
        for hour in 0..29 * 24 {
            let Some(change) = follow_up((&account, &top_up), &still_unpaid(), hour * 3_600) else { continue };
            let [notice] = &change.notices[..] else { panic!("{:?}", change.notices) };
            assert!(matches!(notice.kind, NoticeKind::PaymentReminder { since, .. } if since == at(0)));
            assert_eq!(change.account.payment_issue, account.payment_issue);
            assert!(change.events.is_empty() && change.entries.is_empty());
            top_up = change.top_up().unwrap().clone();
            reminded.push(hour / 24);
        }
        assert_eq!(reminded, [1, 3, 7]);
        assert_eq!(top_up.unpaid_due_at(), Some(at(30 * DAY)));
    }

    /// Stripe concludes nothing from an invoice for which no card was tried, and it is open all the same.
    #[test]
    fn a_customer_without_a_card_is_reminded_too() {
        let (account, top_up) = paused();
        let asked = Asked { outcome: TopUpOutcome::Unknown, is_waiting: true };
        assert_eq!(follow_up((&account, &top_up), &asked, DAY).unwrap().notices.len(), 1);
    }

    #[test]
    fn a_run_that_comes_late_reminds_once() {
        let (account, top_up) = paused();
        let change = follow_up((&account, &top_up), &still_unpaid(), 4 * DAY).unwrap();
        let top_up = change.top_up().unwrap();
        assert_eq!((top_up.reminders, top_up.unpaid_due_at()), (2, Some(at(7 * DAY))));
        assert_eq!(follow_up((&account, top_up), &still_unpaid(), 4 * DAY), None);
    }

    #[test]
    fn nobody_is_reminded_of_what_is_unknown_under_way_paid_or_over() {
        let (account, top_up) = paused();
        let not_paused = Account { payment_issue: None, ..account.clone() };
        for (name, account, outcome, day) in [
            ("too early", &account, still_unpaid(), 0),
            ("unknown", &account, ended(TopUpOutcome::Unknown), 1),
            ("under way", &account, ended(TopUpOutcome::Processing { invoice: None }), 1),
            ("not paused any more", &not_paused, still_unpaid(), 1),
            ("to be voided", &account, still_unpaid(), 30),
        ] {
            assert_eq!(follow_up((account, &top_up), &outcome, day * DAY), None, "{name}");
        }
        let paid = follow_up((&account, &top_up), &ended(TopUpOutcome::Paid(payment())), DAY).unwrap();
        assert!(matches!(paid.notices[..], [ref notice] if matches!(notice.kind, NoticeKind::TopUpPaid { .. })));
        assert_eq!(paid.top_up().unwrap().unpaid_due_at(), None, "nothing is due of what is paid");
    }

    /// No timer may charge a paused account again, so a pause that a timer ends leaves top-ups off.
    #[test]
    fn after_thirty_days_a_void_ends_the_pause_turns_top_ups_off_and_is_said_by_mail() {
        let (account, top_up) = paused();
        for (seconds, is_enabled, mails) in [(30 * DAY - 1, true, 0), (30 * DAY, false, 1)] {
            let change = follow_up((&account, &top_up), &ended(TopUpOutcome::Abandoned), seconds).unwrap();
            let account = &change.account;
            assert_eq!((&account.payment_issue, change.top_up().unwrap().unpaid_due_at()), (&None, None));
            assert_eq!(account.auto_top_up.as_ref().unwrap().is_enabled, is_enabled, "{seconds}");
            assert_eq!(change.notices.len(), mails, "{seconds}");
        }
    }
}
