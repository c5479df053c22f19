//! Taking credits back because their payment went back, and giving them back again when it came back.
//!
//! Nothing is decided from what an event says changed: what is taken back is what all refunds and disputes of the payment
//! return by now, less what was taken back already. So reports may arrive late, twice and in any order.

use super::bought::Bought;
use super::returned::{PaidFor, ReturnReason, ReturnedPayment, Returns, ReversalPause, Reversed};
use crate::domain::{
    Account, Amount, BalanceOutOfRange, Cause, Change, Credits, Currency, NoticeKind, OutboundEventKind, ToldReversal,
};
use jiff::Timestamp;

/// What a report about a payment's refunds and disputes means, in order of precedence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReturnOutcome {
    /// It is another payment than the one that credits were granted for, so it granted none: nothing is taken back.
    OtherPayment,
    /// It was paid in another currency than the price, so it granted nothing.
    OtherCurrency,
    /// Everything was known.
    Known,
    /// No credits were granted for it. What went back is recorded, so that it is taken back if they are granted later.
    NeverGranted(Box<Change>),
    /// Credits were taken back or given back again, or the report says something new that moves none.
    Recorded(Box<Change>),
}

/// Takes back the credits for what went back of a payment, or gives them back if it came back.
///
/// # Errors
/// [`BalanceOutOfRange`]; nothing must be written then.
pub fn decide_returned(
    account: &Account,
    bought: &Bought,
    payment: &ReturnedPayment,
    now: Timestamp,
) -> Result<ReturnOutcome, BalanceOutOfRange> {
    if !bought.is_paid_by(payment) {
        return Ok(ReturnOutcome::OtherPayment);
    }
    if !bought.currency().is_named(&payment.currency) {
        return Ok(ReturnOutcome::OtherCurrency);
    }
    let before = bought.reversed();
    let returns = before.returns.merged(payment.returns);
    // Before anything went back, there is nothing to remember.
    if returns == before.returns || returned_nothing(returns) {
        return Ok(ReturnOutcome::Known);
    }
    let mut change = Change::on(account, now);
    let granted = bought.granted();
    let reversed = match granted {
        Some(granted) => {
            let granted = Granted { paid_for: bought.paid_for(), credits: granted, currency: bought.currency() };
            take_back(&mut change, granted, (before, returns), now)?
        }
        None => Reversed { returns, ..before },
    };
    change.records.push(bought.record(reversed, payment));
    let change = Box::new(change);
    Ok(if granted.is_some() { ReturnOutcome::Recorded(change) } else { ReturnOutcome::NeverGranted(change) })
}

fn returned_nothing(returns: Returns) -> bool {
    returns == Returns { paid: returns.paid, ..Returns::default() }
}

/// What was bought with a payment.
pub(super) struct Granted {
    pub(super) paid_for: PaidFor,
    pub(super) credits: Credits,
    pub(super) currency: Currency,
}

/// Takes back what is known to have gone back of a payment before its credits were granted. `change` has just granted them,
/// for the payment that it names.
pub(super) fn take_back_known(
    change: &mut Change,
    granted: Granted,
    (known, is_same_payment): (Reversed, bool),
    now: Timestamp,
) -> Result<Reversed, BalanceOutOfRange> {
    if !is_same_payment {
        return Ok(Reversed::default());
    }
    take_back(change, granted, (Reversed::default(), known.returns), now)
}

/// Moves the credits between what was taken back before and what is to be taken back now. Returns what is to be stored.
fn take_back(
    change: &mut Change,
    granted: Granted,
    (before, returns): (Reversed, Returns),
    now: Timestamp,
) -> Result<Reversed, BalanceOutOfRange> {
    let Granted { paid_for, credits: granted, currency } = granted;
    let taken = returns.credits_of(granted);
    let credits = before.taken.minus(taken).ok_or(BalanceOutOfRange)?;
    if credits == Credits::ZERO {
        return Ok(Reversed { returns, ..before });
    }
    let because = reason(before.returns, returns);
    let entries = before.entries.saturating_add(1);
    change.post(credits, Cause::Reversal { paid_for: paid_for.clone(), number: entries, because }, now)?;
    pause(&mut change.account, returns, credits.is_negative(), now);
    let (balance, is_paused) = (change.account.balance, change.account.reversal_pause.is_some());
    let cents = returns.returned().saturating_sub(before.returns.returned()).saturating_abs();
    if let Some(amount) = Amount::at_most(currency, cents) {
        let told = (paid_for.clone(), because, amount);
        change.owe(notice(&change.account, told, credits), now);
    }
    change.tell(OutboundEventKind::CreditsReversed { paid_for, because, credits, balance, is_paused }, now);
    Ok(Reversed { returns, taken, entries })
}

/// What the customer is told, in one e-mail for each reversal.
fn notice(
    account: &Account,
    (paid_for, because, amount): (PaidFor, ReturnReason, Amount),
    moved: Credits,
) -> NoticeKind {
    let is_on = account.auto_top_up.as_ref().is_some_and(|settings| settings.is_enabled);
    let is_paused = is_on && account.reversal_pause.is_some();
    let credits = if moved.is_negative() { moved.negated() } else { moved };
    let told = Box::new(ToldReversal { paid_for, because, amount, credits, balance: account.balance, is_paused });
    if moved.is_negative() { NoticeKind::CreditsTakenBack(told) } else { NoticeKind::CreditsGivenBack(told) }
}

/// A dispute, if what disputes hold is what changed.
fn reason(before: Returns, now: Returns) -> ReturnReason {
    if before.disputed() == now.disputed() { ReturnReason::Refund } else { ReturnReason::Dispute }
}

/// Whoever was given money back, or demands it, is not charged again by a timer: automatic top-ups pause if the credits
/// taken back leave the balance below zero, or while a dispute holds money. They go on once neither is so any more.
fn pause(account: &mut Account, returns: Returns, is_taken: bool, now: Timestamp) {
    let is_disputed = returns.disputed() > 0;
    let is_called_for = account.balance.is_negative() || is_disputed;
    let because = if is_disputed { ReturnReason::Dispute } else { ReturnReason::Refund };
    account.reversal_pause = match (account.reversal_pause, is_called_for) {
        _ if account.closed_at.is_some() => None,
        (Some(pause), true) => Some(ReversalPause { because, ..pause }),
        (None, true) if is_taken => Some(ReversalPause { because, since: now }),
        (pause, false) if is_taken => pause,
        (_, _) => None,
    };
}

/// Ends the pause once the customer, or support, has brought the balance up to zero or above.
pub(in crate::domain) fn end_pause(account: &mut Account) {
    if !account.balance.is_negative() {
        account.reversal_pause = None;
    }
}

/// Ends the pause because the customer asks for it. `None` if there is none.
pub fn decide_resume_reversal(account: &Account, now: Timestamp) -> Option<Change> {
    account.reversal_pause?;
    let mut change = Change::on(account, now);
    change.account.reversal_pause = None;
    Some(change)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::payments::{CheckoutOutcome, Payment, PurchaseStatus, TopUpOutcome, TopUpStatus};
    use crate::domain::payments::{PayBy, decide_open_purchase, decide_purchase_outcome, decide_top_up_outcome};
    use crate::domain::samples::*;
    use crate::domain::support::{AdjustedCredits, Adjustment, decide_adjust};
    use crate::domain::{NoticeId, Origin, PaymentIntentId, PriceBook, Purchase, PurchaseId, Record};

    /// 5,000 credits for $50, paid with 19 % of tax.
    fn opened() -> Purchase {
        let package = &PriceBook::reference().packages[1];
        decide_open_purchase(&account(), (package, &PayBy::Page), key("buy-1"), PurchaseId::mint(1), at(0)).unwrap().1
    }

    fn granted(account: &Account, purchase: &Purchase) -> (Account, Purchase) {
        let paid = CheckoutOutcome::Paid(Payment { amount: 5_000, ..payment() });
        let change =
            decide_purchase_outcome(account, purchase, &paid, None, NoticeId::mint(1), at(1)).unwrap().unwrap();
        let purchase = change.purchase().unwrap().clone();
        (change.account, purchase)
    }

    fn report(refunds: i64, refunds_failed: i64, withdrawn: i64, reinstated: i64) -> ReturnedPayment {
        ReturnedPayment {
            payment: PaymentIntentId::parse("pi_1").unwrap(),
            invoice: None,
            currency: "usd".into(),
            returns: Returns { paid: 5_950, refunds, refunds_failed, withdrawn, reinstated },
        }
    }

    /// What the report moves, and the account and the purchase afterwards.
    fn apply(account: &Account, purchase: &Purchase, report: &ReturnedPayment) -> (i64, Account, Purchase) {
        match decide_returned(account, &Bought::Purchase(purchase.clone()), report, at(9)).unwrap() {
            ReturnOutcome::Recorded(change) | ReturnOutcome::NeverGranted(change) => {
                let moved = change.entries.iter().map(|entry| entry.credits.get()).sum();
                let purchase = change.purchase().unwrap().clone();
                (moved, change.account, purchase)
            }
            _ => (0, account.clone(), purchase.clone()),
        }
    }

    #[test]
    fn what_is_taken_back_is_cumulative_and_undone_when_the_money_comes_back() {
        let (mut account, mut purchase) = granted(&account(), &opened());
        for (name, report, moved) in [
            ("a tenth refunded", report(595, 0, 0, 0), -500),
            ("the same report again", report(595, 0, 0, 0), 0),
            ("another tenth", report(1_190, 0, 0, 0), -500),
            ("an old report", report(595, 0, 0, 0), 0),
            ("the second one fails", report(1_190, 595, 0, 0), 500),
            ("the rest is disputed", report(1_190, 595, 5_355, 0), -4_500),
            ("more is disputed than is left", report(1_190, 595, 5_950, 0), 0),
            ("it is won", report(1_190, 595, 5_950, 5_950), 4_500),
            ("everything is refunded after all", report(6_545, 595, 5_950, 5_950), -4_500),
        ] {
            let (credits, after, recorded) = apply(&account, &purchase, &report);
            assert_eq!(credits, moved, "{name}");
            (account, purchase) = (after, recorded);
        }
        assert_eq!((account.balance.get(), purchase.reversed.taken.get(), purchase.reversed.entries), (0, 5_000, 6));
    }

    #[test]
    fn each_reversal_has_a_number_and_says_whether_a_refund_or_a_dispute_caused_it() {
        let (account, purchase) = granted(&account(), &opened());
        let (_, account, purchase) = apply(&account, &purchase, &report(595, 0, 0, 0));
        let disputed = decide_returned(&account, &Bought::Purchase(purchase.clone()), &report(595, 0, 5_355, 0), at(9));
        let Ok(ReturnOutcome::Recorded(change)) = disputed else { panic!("{disputed:?}") };
        let entry = only_entry(&change);
        let paid_for = PaidFor::Purchase(purchase.id);
        assert_eq!(entry.origin(), Origin::Reversal(paid_for.clone(), 2));
        assert_eq!(entry.cause, Cause::Reversal { paid_for, number: 2, because: ReturnReason::Dispute });
    }

    #[test]
    fn only_the_payment_that_granted_credits_takes_them_back() {
        let (account, purchase) = granted(&account(), &opened());
        let bought = Bought::Purchase(purchase);
        let second = ReturnedPayment { payment: PaymentIntentId::parse("pi_2").unwrap(), ..report(5_950, 0, 0, 0) };
        assert_eq!(decide_returned(&account, &bought, &second, at(9)), Ok(ReturnOutcome::OtherPayment));
        let euros = ReturnedPayment { currency: "eur".into(), ..report(5_950, 0, 0, 0) };
        assert_eq!(decide_returned(&account, &bought, &euros, at(9)), Ok(ReturnOutcome::OtherCurrency));
        assert_eq!(decide_returned(&account, &bought, &report(0, 0, 0, 0), at(9)), Ok(ReturnOutcome::Known));
    }

    /// The event about the payment arrives after the one about its refund.
    #[test]
    fn what_went_back_before_the_grant_is_never_granted() {
        let before = opened();
        let (moved, account, refunded) = apply(&account(), &before, &report(595, 0, 0, 0));
        assert_eq!((moved, account.balance, refunded.status), (0, Credits::ZERO, PurchaseStatus::Open));
        let (after, purchase) = granted(&account, &refunded);
        assert_eq!((after.balance.get(), purchase.reversed.taken.get()), (4_500, 500));
        assert_eq!(apply(&after, &purchase, &report(595, 0, 0, 0)).0, 0);
        let other = Purchase { payment_intent: PaymentIntentId::parse("pi_2").ok(), ..refunded };
        assert_eq!(granted(&account, &other).0.balance.get(), 5_000, "another payment was refunded");
    }

    #[test]
    fn a_top_up_is_taken_back_like_a_purchase_also_if_a_part_of_it_was_paid() {
        let paid = Payment { amount: 500, ..payment() };
        for (outcome, credits, balance) in [
            (TopUpOutcome::Paid(paid.clone()), 500, 250),
            (TopUpOutcome::PartlyPaid { payment: paid, received: 100 }, 100, 50),
        ] {
            let change = decide_top_up_outcome(&account(), &top_up(1, 500), &outcome, NoticeId::mint(1), at(1));
            let change = change.unwrap().unwrap();
            let paid = change.top_up().unwrap().clone();
            assert_eq!(change.account.balance.get(), credits);
            let returns = Returns { paid: 119, refunds: 60, ..Returns::default() };
            let half = ReturnedPayment { returns, ..report(0, 0, 0, 0) };
            let bought = Bought::TopUp(paid.clone(), Credits::new(credits));
            let Ok(ReturnOutcome::Recorded(change)) = decide_returned(&change.account, &bought, &half, at(9)) else {
                panic!("it is recorded");
            };
            let [Record::TopUp(recorded)] = &change.records[..] else { panic!("the attempt is written") };
            assert_eq!(recorded.status, paid.status);
            assert!(matches!(paid.status, TopUpStatus::Paid | TopUpStatus::PartlyPaid));
            assert_eq!(change.account.balance.get(), balance - credits / 500 * 2, "60 of 119");
        }
    }

    #[test]
    fn top_ups_pause_below_zero_or_during_a_dispute_until_that_is_over() {
        let (account, purchase) = granted(&account(), &opened());
        let spent = Account { balance: Credits::constant(100), ..account.clone() };
        let pause = |account: &Account| account.reversal_pause.map(|pause| pause.because);
        let refunded = apply(&spent, &purchase, &report(595, 0, 0, 0));
        assert_eq!((refunded.1.balance.get(), pause(&refunded.1)), (-400, Some(ReturnReason::Refund)));
        let failed = apply(&refunded.1, &refunded.2, &report(595, 595, 0, 0));
        assert_eq!((failed.1.balance.get(), pause(&failed.1)), (100, None));
        let unharmed = apply(&account, &purchase, &report(595, 0, 0, 0));
        assert_eq!((unharmed.1.balance.get(), pause(&unharmed.1)), (4_500, None));
        let disputed = apply(&unharmed.1, &unharmed.2, &report(595, 0, 1_190, 0));
        assert_eq!((disputed.1.balance.get(), pause(&disputed.1)), (3_500, Some(ReturnReason::Dispute)));
        let won = apply(&disputed.1, &disputed.2, &report(595, 0, 1_190, 1_190));
        assert_eq!(pause(&won.1), None);
    }

    #[test]
    fn a_purchase_or_an_adjustment_to_zero_ends_the_pause_and_so_does_the_customer() {
        let pause = ReversalPause { because: ReturnReason::Refund, since: at(3) };
        let paused =
            |balance| Account { balance: Credits::constant(balance), reversal_pause: Some(pause), ..account() };
        for (balance, is_paused) in [(-5_001, true), (-5_000, false)] {
            assert_eq!(granted(&paused(balance), &opened()).0.reversal_pause.is_some(), is_paused, "{balance}");
        }
        for (balance, given, is_paused) in [(-10, 9, true), (-10, 10, false), (50, -10, true)] {
            let credits = AdjustedCredits::new(given).unwrap();
            let adjustment = Adjustment { key: key("case-7"), credits, may_go_below_zero: false };
            let change = decide_adjust(&paused(balance), &adjustment, acting(), at(9)).unwrap();
            assert_eq!(change.account.reversal_pause.is_some(), is_paused, "{balance} {given}");
        }
        assert_eq!(decide_resume_reversal(&paused(-1), at(9)).unwrap().account.reversal_pause, None);
        assert_eq!(decide_resume_reversal(&account(), at(9)), None);
    }

    #[test]
    fn a_closed_account_is_taken_back_from_and_not_paused() {
        let (account, purchase) = granted(&account(), &opened());
        let closed = Account { closed_at: Some(at(5)), email: None, balance: Credits::ZERO, ..account };
        let (moved, after, _) = apply(&closed, &purchase, &report(5_950, 0, 0, 0));
        assert_eq!((moved, after.balance.get(), after.reversal_pause), (-5_000, -5_000, None));
    }

    /// What the e-mails of a change say of reversals: what went back, credits, balance, whether top-ups are paused.
    fn told(outcome: &ReturnOutcome) -> Vec<(&'static str, ReturnReason, i64, i64, i64, bool)> {
        let ReturnOutcome::Recorded(change) = outcome else { return vec![] };
        let told = change.notices.iter().map(|notice| match &notice.kind {
            NoticeKind::CreditsTakenBack(told) | NoticeKind::CreditsGivenBack(told) => {
                let (amount, credits, balance) = (told.amount.minor(), told.credits.get(), told.balance.get());
                (notice.kind.name(), told.because, amount, credits, balance, told.is_paused)
            }
            kind => panic!("{kind:?}"),
        });
        told.collect()
    }

    #[test]
    fn the_customer_gets_one_e_mail_for_each_reversal_and_none_without() {
        let (account, mut purchase) = granted(&account(), &opened());
        let mut account = Account { auto_top_up: Some(settings(1_000, 5_000)), ..account };
        account.balance = Credits::constant(100);
        let (refund, dispute) = (ReturnReason::Refund, ReturnReason::Dispute);
        for (name, report, expected) in [
            ("refunded", report(595, 0, 0, 0), vec![("credits_taken_back", refund, 595, 500, -400, true)]),
            ("the same report", report(595, 0, 0, 0), vec![]),
            ("less than a credit", report(596, 0, 0, 0), vec![]),
            ("it fails", report(596, 596, 0, 0), vec![("credits_given_back", refund, 596, 500, 100, false)]),
            ("disputed", report(596, 596, 1_190, 0), vec![("credits_taken_back", dispute, 1_190, 1_000, -900, true)]),
            ("won", report(596, 596, 1_190, 1_190), vec![("credits_given_back", dispute, 1_190, 1_000, 100, false)]),
        ] {
            let outcome = decide_returned(&account, &Bought::Purchase(purchase.clone()), &report, at(9)).unwrap();
            assert_eq!(told(&outcome), expected, "{name}");
            if let ReturnOutcome::Recorded(change) = outcome {
                (purchase, account) = (change.purchase().unwrap().clone(), change.account);
            }
        }
        let closed = Account { closed_at: Some(at(5)), email: None, ..account };
        let outcome = decide_returned(&closed, &Bought::Purchase(purchase), &report(5_950, 596, 0, 0), at(9)).unwrap();
        assert_eq!(told(&outcome), [], "nobody is there any more");
    }
}
