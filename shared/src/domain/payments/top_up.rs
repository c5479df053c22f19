//! An automatic purchase on the saved card: when one is due, how an attempt is opened, and how it ends.

use super::asked_card::CardFace;
use super::counted::{count_opened, recount};
use super::gates::{NotDue, check_gates, top_up_credits};
use super::payment::{GrantRefusal, Payment, TopUpOutcome, check_payment};
use super::payment_issue::{PaymentIssue, PaymentIssueKind, RefusalReason};
use super::records::{TopUp, TopUpStatus};
use super::returned::{PaidFor, Reversed};
use super::reversal::{Granted, take_back_known};
use super::unpaid::give_up;
use crate::domain::{
    Account, Amount, Cause, Change, Credits, InvoiceId, NoticeId, NoticeKind, OutboundEventKind, PriceBook, Record,
    TopUpId,
};
use jiff::Timestamp;

/// Opens an attempt if one is due. Committing the change claims it: at most one of two sweeps succeeds.
///
/// # Errors
/// [`NotDue`] with the first closed gate.
pub fn decide_open_top_up(
    account: &Account,
    price_book: &PriceBook,
    id: TopUpId,
    now: Timestamp,
) -> Result<(Change, TopUp), NotDue> {
    check_gates(account, price_book, now)?;
    let settings = account.auto_top_up.as_ref().ok_or(NotDue::Off)?;
    let credits = top_up_credits(account, settings, price_book, now);
    let price = price_book.top_up_price(credits).ok_or(NotDue::PriceOutOfRange { credits })?;
    let top_up = TopUp {
        id,
        account: account.id.clone(),
        customer: account.customer.clone(),
        payment_method: account.payment_method.clone(),
        credits,
        price,
        status: TopUpStatus::Open,
        invoice: None,
        payment_intent: None,
        opened_at: now,
        ended_at: None,
        retries: 0,
        reminders: 0,
        reversed: Reversed::default(),
        refunds: vec![],
    };
    let mut change = Change::on(account, now);
    count_opened(&mut change.account, &top_up);
    change.account.last_top_up_at = Some(now);
    change.account.open_top_up = Some(top_up.id.clone());
    change.records.push(Record::TopUp(top_up.clone()));
    Ok((change, top_up))
}

/// How to continue an open attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NextStep {
    /// Ask Stripe to charge the card. With the same keys, a repeated request is the same payment.
    Pay,
    /// Look up the outcome, and close the attempt unless a bank has answered.
    LookUpAndClose,
}

/// An attempt is sent while Stripe still remembers its keys and the customer wants top-ups, and no payment went back. After
/// that it is only closed. An attempt whose debit is in progress is never sent again.
pub fn next_step(account: &Account, top_up: &TopUp, now: Timestamp) -> NextStep {
    let is_enabled = account.auto_top_up.as_ref().is_some_and(|settings| settings.is_enabled);
    let is_wanted = is_enabled && account.reversal_pause.is_none();
    let is_remembered = now.duration_since(top_up.opened_at) < PriceBook::TOP_UP_SEND_WINDOW;
    let is_unanswered = top_up.status == TopUpStatus::Open;
    if is_wanted && is_remembered && is_unanswered { NextStep::Pay } else { NextStep::LookUpAndClose }
}

/// The amounts of an attempt's invoice, in the minor unit of the attempt's currency, before it is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Before discounts and tax.
    pub subtotal: i64,
    /// After discounts, before tax.
    pub before_tax: i64,
    /// With tax and with earlier debts.
    pub in_all: i64,
}

/// Whether an invoice may be paid: its price is exactly the frozen one, and with tax it is no more than the customer
/// agreed to.
///
/// # Errors
/// Why not. The invoice has to be voided then.
pub fn check_demand(top_up: &TopUp, demand: Demand) -> Result<(), RefusalReason> {
    let price = top_up.price.minor();
    if demand.subtotal != price || demand.before_tax != price {
        return Err(RefusalReason::OtherPrice);
    }
    let in_all_max = PriceBook::with_tax_max(top_up.price).unwrap_or(top_up.price);
    if demand.in_all > in_all_max.minor() {
        return Err(RefusalReason::AboveConsent);
    }
    Ok(())
}

/// Records an outcome: grants what was paid, once; pauses on a definite failure; ends a pause.
/// `None` if there is nothing to do.
///
/// A payment is granted whatever the attempt's status was, because the money has arrived.
///
/// # Errors
/// [`GrantRefusal`] if the payment does not match what was asked for.
pub fn decide_top_up_outcome(
    account: &Account,
    top_up: &TopUp,
    outcome: &TopUpOutcome,
    notice: NoticeId,
    now: Timestamp,
) -> Result<Option<Change>, GrantRefusal> {
    use TopUpStatus::{Abandoned, ActionRequired, Declined, Open, Paid, PartlyPaid, Processing, Refused};
    match (top_up.status, outcome) {
        (Paid | PartlyPaid, _) | (_, TopUpOutcome::Unknown) | (Abandoned, TopUpOutcome::Abandoned) => Ok(None),
        (Open | Processing | Declined(_) | ActionRequired | Refused(_) | Abandoned, TopUpOutcome::Paid(payment)) => {
            check_payment(account, payment, top_up.price)?;
            let whole = Grant { credits: top_up.credits, price: top_up.price, status: Paid };
            grant_top_up(account, top_up, (payment, whole), notice, now).map(Some)
        }
        (
            Open | Processing | Declined(_) | ActionRequired | Refused(_) | Abandoned,
            TopUpOutcome::PartlyPaid { payment, received },
        ) => {
            check_payment(account, payment, top_up.price)?;
            // For the receipt; a part can lie between two steps of the currency.
            let price = Amount::at_most(top_up.price.currency(), *received).unwrap_or(top_up.price);
            let part = Grant { credits: credits_for(top_up, *received), price, status: PartlyPaid };
            grant_top_up(account, top_up, (payment, part), notice, now).map(Some)
        }
        (Open, TopUpOutcome::Processing { invoice }) => {
            let mut change = Change::on(account, now);
            let invoice = invoice.clone().or(top_up.invoice.clone());
            change.records.push(Record::TopUp(TopUp { status: Processing, invoice, ..top_up.clone() }));
            Ok(Some(change))
        }
        (Open | Processing, TopUpOutcome::Declined { reason, invoice }) => {
            let kind = PaymentIssueKind::Declined(*reason);
            Ok(Some(pause(account, top_up, kind, invoice.clone(), notice, now)))
        }
        (Open | Processing, TopUpOutcome::ActionRequired { invoice }) => {
            Ok(Some(pause(account, top_up, PaymentIssueKind::ActionRequired, invoice.clone(), notice, now)))
        }
        // It is abandoned already if Stripe's event about the void, which is a part of the refusal, was faster.
        (Open | Abandoned, TopUpOutcome::Refused { reason })
            if top_up.status == Open || is_last_word(account, top_up) =>
        {
            let kind = PaymentIssueKind::Refused(*reason);
            Ok(Some(pause(account, top_up, kind, None, notice, now)))
        }
        (Open | Processing | Declined(_) | ActionRequired, TopUpOutcome::Abandoned) => {
            let mut change = Change::on(account, now);
            release(&mut change.account, &top_up.id);
            recount(&mut change.account, top_up, Abandoned);
            change.records.push(Record::TopUp(TopUp { status: Abandoned, ended_at: Some(now), ..top_up.clone() }));
            give_up(&mut change, top_up, notice, now);
            Ok(Some(change))
        }
        // The customer is on Stripe's page and is trying cards. The pause stays, and no second e-mail is sent.
        (
            Declined(_) | ActionRequired | Refused(_) | Abandoned,
            TopUpOutcome::Declined { .. } | TopUpOutcome::ActionRequired { .. },
        )
        | (Processing | Declined(_) | ActionRequired | Refused(_) | Abandoned, TopUpOutcome::Processing { .. })
        // An attempt that already has an answer cannot be refused any more.
        | (Open | Processing | Declined(_) | ActionRequired | Refused(_) | Abandoned, TopUpOutcome::Refused { .. })
        | (Refused(_), TopUpOutcome::Abandoned) => Ok(None),
    }
}

/// Whether nothing has happened since this attempt: no pause, no later attempt, and the account was not closed.
fn is_last_word(account: &Account, top_up: &TopUp) -> bool {
    let is_last = account.last_top_up_at == Some(top_up.opened_at);
    is_last && account.payment_issue.is_none() && account.open_top_up.is_none() && account.closed_at.is_none()
}

/// What a payment buys, and the attempt's status afterwards.
struct Grant {
    credits: Credits,
    price: Amount,
    status: TopUpStatus,
}

/// The credits for a part of an attempt's price: the same part of its credits, rounded up to a whole credit.
fn credits_for(top_up: &TopUp, received: i64) -> Credits {
    let price = i128::from(top_up.price.minor()).max(1);
    let exact = i128::from(top_up.credits.get()).saturating_mul(received.into());
    let rounded_up = exact.div_euclid(price).saturating_add(i128::from(exact.rem_euclid(price) > 0));
    i64::try_from(rounded_up).ok().and_then(Credits::new).unwrap_or(top_up.credits).min(top_up.credits)
}

fn grant_top_up(
    account: &Account,
    top_up: &TopUp,
    (payment, bought): (&Payment, Grant),
    notice: NoticeId,
    now: Timestamp,
) -> Result<Change, GrantRefusal> {
    let mut change = Change::on(account, now);
    change.post(bought.credits, Cause::TopUp { top_up: top_up.id.clone() }, now)?;
    release(&mut change.account, &top_up.id);
    recount(&mut change.account, top_up, bought.status);
    let known = (top_up.reversed, payment.payment_intent.is_none() || top_up.payment_intent == payment.payment_intent);
    let paid_for = PaidFor::TopUp(top_up.id.clone());
    let granted = Granted { paid_for, credits: bought.credits, currency: top_up.price.currency() };
    let reversed = take_back_known(&mut change, granted, known, now)?;
    change.records.push(Record::TopUp(TopUp {
        status: bought.status,
        reversed,
        invoice: payment.invoice.clone().or(top_up.invoice.clone()),
        payment_intent: payment.payment_intent.clone().or(top_up.payment_intent.clone()),
        ended_at: Some(now),
        ..top_up.clone()
    }));
    let (top_up, balance, Grant { credits, price, .. }) = (top_up.id.clone(), change.account.balance, bought);
    let receipt = payment.receipt.clone();
    let kind = NoticeKind::TopUpPaid { top_up: top_up.clone(), credits, price, balance, receipt };
    change.notices.extend(account.owed(notice, kind, now));
    change.tell(OutboundEventKind::TopUpPaid { top_up, credits, price, balance }, now);
    Ok(change)
}

fn pause(
    account: &Account,
    top_up: &TopUp,
    kind: PaymentIssueKind,
    invoice: Option<InvoiceId>,
    notice: NoticeId,
    now: Timestamp,
) -> Change {
    let (id, credits, price, card) = (top_up.id.clone(), top_up.credits, top_up.price, CardFace::default());
    let (status, notice_kind) = match kind {
        PaymentIssueKind::Declined(reason) => {
            (TopUpStatus::Declined(reason), NoticeKind::TopUpDeclined { top_up: id, credits, price, reason, card })
        }
        PaymentIssueKind::ActionRequired => {
            (TopUpStatus::ActionRequired, NoticeKind::TopUpActionRequired { top_up: id, credits, price, card })
        }
        PaymentIssueKind::Refused(reason) => {
            (TopUpStatus::Refused(reason), NoticeKind::TopUpRefused { top_up: id, credits, price, reason, card })
        }
    };
    let mut change = Change::on(account, now);
    release(&mut change.account, &top_up.id);
    recount(&mut change.account, top_up, status);
    change.account.payment_issue = Some(PaymentIssue { kind, top_up: top_up.id.clone(), since: now });
    let invoice = invoice.or(top_up.invoice.clone());
    change.records.push(Record::TopUp(TopUp { status, invoice, ended_at: Some(now), ..top_up.clone() }));
    change.notices.extend(account.owed(notice, notice_kind, now));
    if kind == PaymentIssueKind::ActionRequired {
        change.tell(OutboundEventKind::PaymentActionRequired { top_up: top_up.id.clone(), credits, price }, now);
    }
    change
}

/// Frees the account from the attempt, and ends the pause if this attempt caused it.
fn release(account: &mut Account, top_up: &TopUpId) {
    account.open_top_up.take_if(|open| open == top_up);
    account.payment_issue.take_if(|issue| issue.top_up == *top_up);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::payments::{AutoTopUp, DeclineReason, Payment};
    use crate::domain::samples::*;
    use crate::domain::{Currency, Origin};

    const HOUR: i64 = 3_600;

    fn due() -> Account {
        let auto_top_up = Some(settings(500, 5_000));
        Account { auto_top_up, balance: Credits::constant(499), payment_method: payment().payment_method, ..account() }
    }

    fn issue() -> PaymentIssue {
        PaymentIssue { kind: PaymentIssueKind::ActionRequired, top_up: TopUpId::mint(7), since: at(3) }
    }

    /// In order of precedence: off, an open attempt, a pause, the balance, the six hours.
    #[test]
    fn attempts_open_only_when_every_gate_is_open() {
        let off = |account: Account| Account {
            auto_top_up: account.auto_top_up.map(|settings| AutoTopUp { is_enabled: false, ..settings }),
            ..account
        };
        let open = |account: Account| Account { open_top_up: Some(TopUpId::mint(7)), ..account };
        let stopped = |account: Account| Account { spending: Some(stopped_at(7)), ..account };
        let paused = |account: Account| Account { payment_issue: Some(issue()), ..account };
        let balance = |credits: i64, account: Account| Account { balance: Credits::constant(credits), ..account };
        let last = |seconds: i64, account: Account| Account { last_top_up_at: Some(at(seconds)), ..account };
        let not_below = |balance: i64| {
            Err(NotDue::NotBelowThreshold { balance: Credits::constant(balance), threshold: Credits::constant(500) })
        };
        let now = at(10 * HOUR);
        for (name, account, expected) in [
            ("never chosen", account(), Err(NotDue::Off)),
            (
                "off and everything else shut",
                off(stopped(open(paused(balance(500, last(9 * HOUR, due())))))),
                Err(NotDue::Off),
            ),
            (
                "stopped by the customer",
                stopped(open(paused(balance(500, last(9 * HOUR, due()))))),
                Err(NotDue::SpendingStopped { stopped_at: at(7) }),
            ),
            (
                "open attempt",
                open(paused(balance(500, last(9 * HOUR, due())))),
                Err(NotDue::AttemptOpen(TopUpId::mint(7))),
            ),
            ("paused", paused(balance(500, last(9 * HOUR, due()))), Err(NotDue::Paused { since: at(3) })),
            ("at the threshold", balance(500, last(9 * HOUR, due())), not_below(500)),
            ("one second too soon", last(4 * HOUR + 1, due()), Err(NotDue::TooSoon { until: at(10 * HOUR + 1) })),
            ("exactly six hours", last(4 * HOUR, due()), Ok(4_501)),
            ("one below the threshold", due(), Ok(4_501)),
            ("empty", balance(0, due()), Ok(5_000)),
            ("clawed back: no more than the worst case agreed to", balance(-1, due()), Ok(5_000)),
        ] {
            let decided = decide_open_top_up(&account, &PriceBook::reference(), TopUpId::mint(1), now);
            assert_eq!(decided.map(|(_, top_up)| top_up.credits.get()), expected, "{name}");
        }
    }

    #[test]
    fn a_dearer_price_book_never_takes_more_than_the_customer_agreed_to() {
        let dearer = PriceBook { price_per_credit: Amount::new(Currency::USD, 2).unwrap(), ..PriceBook::reference() };
        let (price, price_max) =
            (Amount::new(Currency::USD, 9_002).unwrap(), Amount::new(Currency::USD, 5_000).unwrap());
        let decided = decide_open_top_up(&due(), &dearer, TopUpId::mint(1), at(9));
        assert_eq!(decided.map(|(_, top_up)| top_up.price), Err(NotDue::BeyondConsent { price, price_max }));
    }

    #[test]
    fn a_price_book_in_another_currency_needs_a_new_consent() {
        let yen = Currency::parse("JPY").unwrap();
        let amount = |minor| Amount::new(yen, minor).unwrap();
        let reference = PriceBook::reference();
        let book = PriceBook { currency: yen, price_per_credit: amount(1), minimum_charge: amount(50), ..reference };
        let decided = decide_open_top_up(&due(), &book, TopUpId::mint(1), at(9));
        let (price, price_max) = (amount(4_501), Amount::new(Currency::USD, 5_000).unwrap());
        assert_eq!(decided.map(|(_, top_up)| top_up.price), Err(NotDue::BeyondConsent { price, price_max }));
    }

    /// R37: the settings are older than a book with a higher minimum charge.
    #[test]
    fn a_top_up_below_the_minimum_charge_does_not_open() {
        for (minimum, expected) in
            [(4_501, Ok(4_501)), (4_502, Err(NotDue::PriceOutOfRange { credits: Credits::constant(4_501) }))]
        {
            let minimum_charge = Amount::new(Currency::USD, minimum).unwrap();
            let book = PriceBook { minimum_charge, ..PriceBook::reference() };
            let decided = decide_open_top_up(&due(), &book, TopUpId::mint(1), at(9));
            assert_eq!(decided.map(|(_, top_up)| top_up.price.minor()), expected);
        }
    }

    #[test]
    fn opening_freezes_the_amount_and_claims_the_account() {
        let (change, top_up) = decide_open_top_up(&due(), &PriceBook::reference(), TopUpId::mint(1), at(9)).unwrap();
        assert_eq!((top_up.credits.get(), top_up.price.minor(), top_up.status), (4_501, 4_501, TopUpStatus::Open));
        assert_eq!(top_up.payment_method, payment().payment_method);
        assert_eq!(
            (change.account.last_top_up_at, &change.account.open_top_up),
            (Some(at(9)), &Some(TopUpId::mint(1)))
        );
        assert_eq!((change.account.balance, change.entries.is_empty()), (due().balance, true));
        assert_eq!(change.records, [Record::TopUp(top_up)]);
    }

    #[test]
    fn an_attempt_is_sent_for_twenty_hours_and_only_while_it_is_wanted() {
        let (change, top_up) = decide_open_top_up(&due(), &PriceBook::reference(), TopUpId::mint(1), at(0)).unwrap();
        let off = Account { auto_top_up: None, ..change.account.clone() };
        for (account, now, expected) in [
            (&change.account, at(0), NextStep::Pay),
            (&change.account, at(20 * HOUR - 1), NextStep::Pay),
            (&change.account, at(20 * HOUR), NextStep::LookUpAndClose),
            (&off, at(1), NextStep::LookUpAndClose),
        ] {
            assert_eq!(next_step(account, &top_up, now), expected);
        }
        let processing = TopUp { status: TopUpStatus::Processing, ..top_up };
        assert_eq!(next_step(&change.account, &processing, at(1)), NextStep::LookUpAndClose, "it has an answer (R3)");
    }

    /// Every status combined with every outcome: the attempt's new status, what is granted, whether an e-mail is owed
    /// and whether the account is paused afterwards.
    #[test]
    fn every_outcome_has_one_effect_in_every_status() {
        use TopUpStatus::{Abandoned, ActionRequired, Declined, Open, Paid, PartlyPaid, Processing, Refused};
        let reason = RefusalReason::CustomerDeleted;
        let (refused, was_refused) = (Refused(reason), TopUpOutcome::Refused { reason });
        let declined = Declined(DeclineReason::InsufficientFunds);
        let was_declined = TopUpOutcome::Declined { reason: DeclineReason::InsufficientFunds, invoice: None };
        let asked_action = TopUpOutcome::ActionRequired { invoice: None };
        let was_paid = TopUpOutcome::Paid(Payment { amount: 4_501, ..payment() });
        let received = 501;
        let payment = Payment { amount: 4_501, ..payment() };
        let paid_in_part = TopUpOutcome::PartlyPaid { payment, received };
        let under_way = TopUpOutcome::Processing { invoice: None };
        let granted = Some((Paid, 4_501, 1, false));
        let granted_in_part = Some((PartlyPaid, 501, 1, false));
        let closed = Some((Abandoned, 0, 0, false));
        for (status, outcome, expected) in [
            (Open, &TopUpOutcome::Unknown, None),
            (Open, &was_paid, granted),
            (Open, &paid_in_part, granted_in_part),
            (Open, &was_refused, Some((refused, 0, 1, true))),
            (Processing, &was_refused, None),
            (declined, &was_refused, None),
            (ActionRequired, &was_refused, None),
            (Paid, &was_refused, None),
            (PartlyPaid, &was_refused, None),
            (Abandoned, &was_refused, Some((refused, 0, 1, true))),
            (refused, &TopUpOutcome::Unknown, None),
            (refused, &was_paid, granted),
            (refused, &paid_in_part, granted_in_part),
            (refused, &under_way, None),
            (refused, &was_declined, None),
            (refused, &asked_action, None),
            (refused, &was_refused, None),
            (refused, &TopUpOutcome::Abandoned, None),
            (Open, &under_way, Some((Processing, 0, 0, false))),
            (Processing, &TopUpOutcome::Unknown, None),
            (Processing, &was_paid, granted),
            (Processing, &paid_in_part, granted_in_part),
            (Processing, &under_way, None),
            (Processing, &was_declined, Some((declined, 0, 1, true))),
            (Processing, &asked_action, Some((ActionRequired, 0, 1, true))),
            (Processing, &TopUpOutcome::Abandoned, closed),
            (Open, &was_declined, Some((declined, 0, 1, true))),
            (Open, &asked_action, Some((ActionRequired, 0, 1, true))),
            (Open, &TopUpOutcome::Abandoned, closed),
            (declined, &TopUpOutcome::Unknown, None),
            (declined, &was_paid, granted),
            (declined, &paid_in_part, granted_in_part),
            (declined, &was_declined, None),
            (declined, &under_way, None),
            (declined, &asked_action, None),
            (declined, &TopUpOutcome::Abandoned, closed),
            (ActionRequired, &TopUpOutcome::Unknown, None),
            (ActionRequired, &was_paid, granted),
            (ActionRequired, &paid_in_part, granted_in_part),
            (ActionRequired, &was_declined, None),
            (ActionRequired, &under_way, None),
            (ActionRequired, &asked_action, None),
            (ActionRequired, &TopUpOutcome::Abandoned, closed),
            (Paid, &TopUpOutcome::Unknown, None),
            (Paid, &was_paid, None),
            (Paid, &paid_in_part, None),
            (Paid, &was_declined, None),
            (Paid, &under_way, None),
            (Paid, &asked_action, None),
            (Paid, &TopUpOutcome::Abandoned, None),
            (PartlyPaid, &TopUpOutcome::Unknown, None),
            (PartlyPaid, &was_paid, None),
            (PartlyPaid, &paid_in_part, None),
            (PartlyPaid, &was_declined, None),
            (PartlyPaid, &under_way, None),
            (PartlyPaid, &asked_action, None),
            (PartlyPaid, &TopUpOutcome::Abandoned, None),
            (Abandoned, &TopUpOutcome::Unknown, None),
            (Abandoned, &paid_in_part, granted_in_part),
            (Abandoned, &was_paid, granted),
            (Abandoned, &was_declined, None),
            (Abandoned, &under_way, None),
            (Abandoned, &asked_action, None),
            (Abandoned, &TopUpOutcome::Abandoned, None),
        ] {
            let (account, top_up) = standing_at(status);
            let change = decide_top_up_outcome(&account, &top_up, outcome, NoticeId::mint(1), at(2)).unwrap();
            let effect = change.map(|change| {
                let [Record::TopUp(top_up)] = &change.records[..] else { panic!("the attempt is written") };
                let held = top_up.status.is_under_way().then_some(&top_up.id);
                assert_eq!(change.account.open_top_up.as_ref(), held, "no other attempt opens until this one ends");
                let granted = change.entries.iter().map(|entry| entry.credits.get()).sum::<i64>();
                assert_eq!(change.account.balance.get(), 499 + granted);
                (top_up.status, granted, change.notices.len(), change.account.payment_issue.is_some())
            });
            assert_eq!(effect, expected, "{status:?} × {outcome:?}");
        }
    }

    /// R4: voiding the invoice is a part of the refusal, and Stripe's event about the void may be faster.
    #[test]
    fn a_refusal_after_the_event_about_its_void_pauses_unless_something_happened_since() {
        let (account, top_up) = standing_at(TopUpStatus::Abandoned);
        let refused = TopUpOutcome::Refused { reason: RefusalReason::OtherPrice };
        let is_paused = |account: &Account| {
            let change = decide_top_up_outcome(account, &top_up, &refused, NoticeId::mint(1), at(2)).unwrap();
            change.is_some_and(|change| change.account.payment_issue.is_some() && change.notices.len() == 1)
        };
        assert!(is_paused(&account));
        let later = Account { last_top_up_at: Some(at(7 * HOUR)), ..account.clone() };
        let open = Account { open_top_up: Some(TopUpId::mint(7)), ..account.clone() };
        let closed = Account { closed_at: Some(at(1)), ..account.clone() };
        let paused = Account { payment_issue: Some(issue()), ..account };
        assert!(!is_paused(&closed));
        for since in [later, open, paused] {
            assert!(!is_paused(&since), "{since:?}");
        }
    }

    #[test]
    fn a_grant_is_keyed_by_the_attempt_and_checks_the_payment() {
        let (account, top_up) = standing_at(TopUpStatus::Open);
        let outcome = TopUpOutcome::Paid(Payment { amount: 4_501, ..payment() });
        let change = decide_top_up_outcome(&account, &top_up, &outcome, NoticeId::mint(1), at(2)).unwrap().unwrap();
        assert_eq!(only_entry(&change).origin(), Origin::TopUp(TopUpId::mint(1)));
        let short = TopUpOutcome::Paid(Payment { amount: 4_500, ..payment() });
        let refusal = decide_top_up_outcome(&account, &top_up, &short, NoticeId::mint(1), at(2)).unwrap_err();
        assert!(matches!(refusal, GrantRefusal::OtherAmount { .. }), "{refusal}");
    }

    /// R5: the text that the customer agreed to states the price and its maximum with tax.
    #[test]
    fn an_invoice_is_paid_only_over_the_frozen_price_and_within_what_was_agreed_to_with_tax() {
        let (_, top_up) = standing_at(TopUpStatus::Open);
        let top_up = TopUp { price: Amount::new(Currency::USD, 2_500).unwrap(), ..top_up };
        for (subtotal, before_tax, in_all, expected) in [
            (2_500, 2_500, 2_500, Ok(())),
            (2_500, 2_500, 3_125, Ok(())),
            (2_500, 2_500, 3_250, Ok(())),
            (2_500, 2_500, 3_251, Err(RefusalReason::AboveConsent)),
            (2_500, 2_125, 2_125, Err(RefusalReason::OtherPrice)),
            (2_600, 2_500, 2_500, Err(RefusalReason::OtherPrice)),
            (2_501, 2_501, 2_501, Err(RefusalReason::OtherPrice)),
        ] {
            let demand = Demand { subtotal, before_tax, in_all };
            assert_eq!(check_demand(&top_up, demand), expected, "{demand:?}");
        }
    }

    /// R1: credits for the part that was paid, in proportion to the price, rounded up to a whole credit.
    #[test]
    fn a_part_that_was_paid_grants_its_part_of_the_credits_and_the_receipt_is_over_that_part() {
        let (account, top_up) = standing_at(TopUpStatus::Open);
        let (credits, usd) =
            (|credits| Credits::new(credits).unwrap(), |minor| Amount::new(Currency::USD, minor).unwrap());
        for (frozen, price, received, granted) in
            [(2_000, 2_000, 200, 200), (2_000, 4_000, 201, 101), (3_000, 1_000, 1, 3), (1_000, 3_000, 2_999, 1_000)]
        {
            let top_up = TopUp { credits: credits(frozen), price: usd(price), ..top_up.clone() };
            let payment = Payment { amount: price, ..payment() };
            let outcome = TopUpOutcome::PartlyPaid { payment, received };
            let change = decide_top_up_outcome(&account, &top_up, &outcome, NoticeId::mint(1), at(2)).unwrap().unwrap();
            assert_eq!(only_entry(&change).credits, credits(granted));
            let NoticeKind::TopUpPaid { credits: told, price: paid, .. } = &change.notices[0].kind else {
                panic!("a receipt is owed")
            };
            assert_eq!((*told, *paid), (credits(granted), usd(received)));
        }
        let another = Payment { amount: 4_500, ..payment() };
        let outcome = TopUpOutcome::PartlyPaid { payment: another, received: 1 };
        let refusal = decide_top_up_outcome(&account, &top_up, &outcome, NoticeId::mint(1), at(2)).unwrap_err();
        assert!(matches!(refusal, GrantRefusal::OtherAmount { .. }), "{refusal}");
    }

    #[test]
    fn settling_an_old_attempt_leaves_a_newer_ones_pause_alone() {
        let (mut account, mut top_up) = standing_at(TopUpStatus::Open);
        top_up.status = TopUpStatus::Abandoned;
        account.open_top_up = None;
        account.payment_issue = Some(issue());
        let outcome = TopUpOutcome::Paid(Payment { amount: 4_501, ..payment() });
        let change = decide_top_up_outcome(&account, &top_up, &outcome, NoticeId::mint(1), at(2)).unwrap().unwrap();
        assert_eq!(change.account.payment_issue, Some(issue()));
    }

    /// An account and its attempt when the attempt has this status.
    fn standing_at(status: TopUpStatus) -> (Account, TopUp) {
        let (change, top_up) = decide_open_top_up(&due(), &PriceBook::reference(), TopUpId::mint(1), at(1)).unwrap();
        let (mut account, id) = (change.account, top_up.id.clone());
        let paused = |kind| Some(PaymentIssue { kind, top_up: id.clone(), since: at(1) });
        account.payment_issue = match status {
            TopUpStatus::Declined(reason) => paused(PaymentIssueKind::Declined(reason)),
            TopUpStatus::Refused(reason) => paused(PaymentIssueKind::Refused(reason)),
            TopUpStatus::ActionRequired => paused(PaymentIssueKind::ActionRequired),
            TopUpStatus::Open
            | TopUpStatus::Processing
            | TopUpStatus::Paid
            | TopUpStatus::PartlyPaid
            | TopUpStatus::Abandoned => None,
        };
        if !status.is_under_way() {
            account.open_top_up = None;
        }
        (account, TopUp { status, ..top_up })
    }
}
