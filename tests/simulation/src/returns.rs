//! Money that goes back: the refunds and disputes of a simulated Stripe, and the rules about the credits taken back for it.

use crate::bugs::has_bug;
use crate::ledger::{Committed, Partition};
use crate::names;
use crate::request::Request;
use crate::rules::{Broken, is_sent_again};
use crate::run::Run;
use crate::schedule::resume_task;
use crate::stripe::{InvoiceStatus, SessionStatus, Stripe};
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use shared::domain::payments::{
    CardFace, Dispute as KeptDispute, DisputeStatus, PaidFor, ReturnedPayment, Returns, Reversed, ShownDispute,
};
use shared::domain::{
    AccountId, CardPaymentId, Cause, Change, DisputeId, Entry, InvoiceId, NoticeKind, Origin, OutboundEvent,
    OutboundEventKind, PaymentIntentId, RefundId,
};
use shared::ports::{DisputeReport, ReturnedObject, ReturnsReport};
use shared::use_cases::payments::Subject;
use std::collections::BTreeMap;

/// A payment that money can go back of.
#[derive(Clone, Debug)]
pub struct Paid {
    pub intent: PaymentIntentId,
    pub account: AccountId,
    pub paid_for: PaidFor,
    invoice: Option<InvoiceId>,
    is_of_other_deployment: bool,
    currency: &'static str,
    /// In cents, by the card alone.
    amount: i64,
    /// In cents, by the card and the customer's own credit.
    pub paid: i64,
}

#[derive(Clone, Debug)]
struct Refund {
    id: RefundId,
    intent: PaymentIntentId,
    amount: i64,
    is_failed: bool,
}

#[derive(Clone, Debug)]
struct Dispute {
    id: DisputeId,
    intent: PaymentIntentId,
    amount: i64,
    withdrawn: i64,
    reinstated: i64,
    is_closed: bool,
    verdict: Option<Verdict>,
    opened_at: Timestamp,
}

/// All refunds and disputes.
#[derive(Clone, Debug, Default)]
pub struct MoneyBack {
    refunds: Vec<Refund>,
    disputes: Vec<Dispute>,
}

/// What becomes of a dispute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Won,
    Lost,
    LostInPart,
}

/// So long the company may answer.
const ANSWERED_WITHIN: SignedDuration = SignedDuration::from_hours(7 * 24);

impl Dispute {
    fn shown(&self) -> ShownDispute {
        let status = match (self.is_closed, self.withdrawn, self.verdict) {
            (false, 0, _) => DisputeStatus::WarningNeedsResponse,
            (false, ..) => DisputeStatus::NeedsResponse,
            (true, 0, _) => DisputeStatus::WarningClosed,
            (true, _, Some(Verdict::Won)) => DisputeStatus::Won,
            (true, ..) => DisputeStatus::Lost,
        };
        ShownDispute {
            amount: self.amount,
            currency: "usd".to_owned(),
            reason: "fraudulent".to_owned(),
            status,
            opened_at: self.opened_at,
            due_by: Some(self.opened_at + ANSWERED_WITHIN),
            submissions: 0,
            is_past_due: false,
        }
    }

    /// What the adapter reads as withdrawn.
    fn reported(&self) -> i64 {
        if has_bug("inquiry_takes_credits") { self.amount } else { self.withdrawn }
    }
}

impl MoneyBack {
    fn of(&self, intent: &PaymentIntentId) -> Returns {
        let refunds = self.refunds.iter().filter(|refund| refund.intent == *intent);
        let failed = refunds.clone().filter(|refund| refund.is_failed);
        let disputes = self.disputes.iter().filter(|dispute| dispute.intent == *intent);
        Returns {
            paid: 0,
            refunds_failed: failed.map(|refund| refund.amount).sum(),
            refunds: refunds.map(|refund| refund.amount).sum(),
            withdrawn: disputes.clone().map(Dispute::reported).sum(),
            reinstated: disputes.map(|dispute| dispute.reinstated).sum(),
        }
    }

    /// The cents that are with the customer again.
    fn returned(&self, payment: &Paid) -> i64 {
        let Returns { refunds, refunds_failed, reinstated, .. } = self.of(&payment.intent);
        let disputes = self.disputes.iter().filter(|dispute| dispute.intent == payment.intent);
        let withdrawn: i64 = disputes.map(|dispute| dispute.withdrawn).sum();
        (refunds - refunds_failed + withdrawn - reinstated).min(payment.paid)
    }
}

impl Stripe {
    /// The payments that were made, in an order that never changes.
    pub fn payments(&self) -> Vec<Paid> {
        let intent = |id: &str| PaymentIntentId::parse(format!("pi_{id}")).expect("pi_ and an id are a valid id");
        let pages = self.sessions.iter().filter(|page| page.status == SessionStatus::Paid).map(|page| Paid {
            intent: intent(page.id.as_str()),
            account: page.account.clone(),
            paid_for: PaidFor::Purchase(page.purchase.clone()),
            invoice: None,
            is_of_other_deployment: page.is_of_other_deployment,
            currency: page.currency,
            // With a quarter of tax.
            amount: page.amount.minor() * 5 / 4,
            paid: page.amount.minor() * 5 / 4,
        });
        let is_paid = |status: InvoiceStatus| status == InvoiceStatus::Paid;
        let invoices = self.invoices.iter().filter(|invoice| is_paid(invoice.status) && invoice.amount_paid > 0);
        let invoices = invoices.map(|invoice| Paid {
            intent: intent(invoice.id.as_str()),
            account: invoice.account.clone(),
            paid_for: PaidFor::TopUp(invoice.top_up.clone()),
            invoice: Some(invoice.id.clone()),
            is_of_other_deployment: false,
            currency: "usd",
            amount: invoice.amount_paid,
            paid: invoice.amount_paid + (invoice.ending_balance.min(0) - invoice.starting_balance.min(0)).max(0),
        });
        pages.chain(invoices).collect()
    }

    /// The payment that an event's object is about.
    pub fn returned_payment(&self, named: &ReturnedObject) -> Option<PaymentIntentId> {
        match named {
            ReturnedObject::CardPayment(charge) => {
                PaymentIntentId::parse(charge.as_str().replacen("ch_", "pi_", 1)).ok()
            }
            ReturnedObject::Refund(id) => {
                self.money_back.refunds.iter().find(|refund| refund.id == *id).map(|refund| refund.intent.clone())
            }
            ReturnedObject::Dispute(id) => {
                self.money_back.disputes.iter().find(|dispute| dispute.id == *id).map(|dispute| dispute.intent.clone())
            }
        }
    }

    pub fn returns_of(&self, intent: &PaymentIntentId) -> Option<ReturnsReport> {
        let Paid { account, paid_for, invoice, is_of_other_deployment, currency, paid, .. } =
            self.payments().into_iter().find(|payment| payment.intent == *intent)?;
        let returns = Returns { paid, ..self.money_back.of(intent) };
        let returned = ReturnedPayment { payment: intent.clone(), invoice, currency: currency.to_owned(), returns };
        Some(ReturnsReport { paid_for: Some((account, paid_for)), is_of_other_deployment, returned })
    }

    pub fn dispute_report(&self, id: &DisputeId) -> Option<DisputeReport> {
        let dispute = self.money_back.disputes.iter().find(|dispute| dispute.id == *id)?;
        Some(DisputeReport { payment: Some(dispute.intent.clone()), card: CardFace::default(), shown: dispute.shown() })
    }

    /// Every dispute, as a row should have it.
    pub fn shown_disputes(&self) -> Vec<KeptDispute> {
        let payments = self.payments();
        let kept = |dispute: &Dispute| {
            let payment = payments.iter().find(|payment| payment.intent == dispute.intent)?;
            Some(KeptDispute {
                id: dispute.id.clone(),
                account: payment.account.clone(),
                paid_for: payment.paid_for.clone(),
                payment: dispute.intent.clone(),
                shown: dispute.shown(),
                warned_of: None,
                revision: 0,
            })
        };
        self.money_back.disputes.iter().filter_map(kept).collect()
    }

    fn tell_of(&mut self, intent: &PaymentIntentId, named: ReturnedObject) {
        let is_refund = matches!(named, ReturnedObject::Refund(_));
        self.tell(Subject::Returned(named));
        if is_refund {
            self.tell_charge(intent);
        }
    }

    /// An event about the charge of a payment.
    pub fn tell_charge(&mut self, intent: &PaymentIntentId) {
        if let Ok(charge) = CardPaymentId::parse(intent.as_str().replacen("pi_", "ch_", 1)) {
            self.tell(Subject::Returned(ReturnedObject::CardPayment(charge)));
        }
    }

    /// `None` during a dispute.
    fn left_to_refund(&self, payment: &Paid) -> Option<i64> {
        let is_disputed =
            self.money_back.disputes.iter().any(|dispute| dispute.intent == payment.intent && !dispute.is_closed);
        let returns = self.money_back.of(&payment.intent);
        let held = returns.withdrawn - returns.reinstated;
        let left = payment.amount - (returns.refunds - returns.refunds_failed) - held;
        (!is_disputed).then_some(left)
    }

    /// The company gives back a part of a payment, in hundredths of what is left.
    pub fn refund(&mut self, payment: &Paid, percent: i64) -> Option<i64> {
        let left = self.left_to_refund(payment)?;
        let amount = (left * percent / 100).max(1);
        self.refund_cents(payment, amount).map(|_| amount)
    }

    /// The company gives back so many cents of a payment. Stripe refuses that during a dispute, and more than is left.
    pub fn refund_cents(&mut self, payment: &Paid, amount: i64) -> Option<RefundId> {
        if !(1..=self.left_to_refund(payment)?).contains(&amount) {
            return None;
        }
        let id = RefundId::parse(format!("re_{}", self.number())).expect("re_ and digits are a valid id");
        let intent = payment.intent.clone();
        self.money_back.refunds.push(Refund { id: id.clone(), intent, amount, is_failed: false });
        self.tell_of(&payment.intent, ReturnedObject::Refund(id.clone()));
        Some(id)
    }

    /// The customer's bank sends a refund back.
    pub fn fail_refund(&mut self, place: usize) -> bool {
        let refunds = self.money_back.refunds.iter_mut().filter(|refund| !refund.is_failed);
        let Some(refund) = refunds.rev().nth(place) else { return false };
        refund.is_failed = true;
        let (intent, id) = (refund.intent.clone(), refund.id.clone());
        self.tell_of(&intent, ReturnedObject::Refund(id));
        true
    }

    /// The customer disputes what is left of a payment, or the whole although a part was refunded; the bank withdraws it at
    /// once, unless it only asks first.
    pub fn dispute(&mut self, payment: &Paid, (is_inquiry, is_whole): (bool, bool)) -> bool {
        let returns = self.money_back.of(&payment.intent);
        let refunded = returns.refunds - returns.refunds_failed;
        let amount = if is_whole { payment.amount } else { payment.amount - refunded };
        if amount < 1 || self.money_back.disputes.iter().any(|dispute| dispute.intent == payment.intent) {
            return false;
        }
        let id = DisputeId::parse(format!("du_{}", self.number())).expect("du_ and digits are a valid id");
        let (intent, withdrawn) = (payment.intent.clone(), if is_inquiry { 0 } else { amount });
        let opened_at = self.now;
        let dispute = Dispute {
            id: id.clone(),
            intent,
            amount,
            withdrawn,
            reinstated: 0,
            is_closed: false,
            verdict: None,
            opened_at,
        };
        self.money_back.disputes.push(dispute);
        self.tell_of(&payment.intent, ReturnedObject::Dispute(id));
        true
    }

    /// An inquiry becomes a dispute, or the bank decides one.
    pub fn decide_dispute(&mut self, place: usize, verdict: Verdict) -> bool {
        let open = self.money_back.disputes.iter_mut().filter(|dispute| !dispute.is_closed);
        let Some(dispute) = open.rev().nth(place) else { return false };
        if dispute.withdrawn == 0 && verdict != Verdict::Won {
            dispute.withdrawn = dispute.amount;
        } else {
            dispute.is_closed = true;
            dispute.verdict = Some(verdict);
            dispute.reinstated = match verdict {
                Verdict::Won => dispute.withdrawn,
                Verdict::Lost => 0,
                Verdict::LostInPart => dispute.withdrawn / 2,
            };
        }
        let (intent, id) = (dispute.intent.clone(), dispute.id.clone());
        self.tell_of(&intent, ReturnedObject::Dispute(id));
        true
    }
}

fn reversed(partition: &Partition, paid_for: &PaidFor) -> Option<Reversed> {
    match paid_for {
        PaidFor::Purchase(purchase) => partition.purchases.get(purchase).map(|purchase| purchase.reversed),
        PaidFor::TopUp(top_up) => partition.top_ups.get(top_up).map(|top_up| top_up.reversed),
    }
}

pub fn granted(partition: &Partition, paid_for: &PaidFor) -> i64 {
    let origin = match paid_for {
        PaidFor::Purchase(purchase) => Origin::Purchase(purchase.clone()),
        PaidFor::TopUp(top_up) => Origin::TopUp(top_up.clone()),
    };
    partition.entries.get(&origin).map_or(0, |entry| entry.credits.get())
}

/// What each payment's reversals took, and how many there are.
fn taken(partition: &Partition) -> BTreeMap<PaidFor, (i64, u32)> {
    let mut taken = BTreeMap::<PaidFor, (i64, u32)>::new();
    for entry in partition.entries.values() {
        if let Cause::Reversal { paid_for, .. } = &entry.cause {
            let (credits, count) = taken.entry(paid_for.clone()).or_default();
            *credits -= entry.credits.get();
            *count += 1;
        }
    }
    taken
}

/// Refunds and disputes together never take more than was granted, and the record says what they took.
///
/// # Errors
/// The first broken rule.
pub fn check_partition(partition: &Partition) -> Result<(), Broken> {
    for (paid_for, (credits, count)) in taken(partition) {
        let granted = granted(partition, &paid_for);
        if credits < 0 || credits > granted {
            return Err(format!("{credits} credits are taken back of {granted} for {paid_for}"));
        }
        let is_told = |event: &&OutboundEvent| matches!(&event.kind, OutboundEventKind::CreditsReversed { paid_for: told, .. } if *told == paid_for);
        let told = partition.outbox.values().filter(is_told).count();
        let is_erased = partition.account.as_ref().is_some_and(|account| account.closed_at.is_some());
        if !is_erased && told != count as usize {
            return Err(format!("{paid_for} has {count} reversals and {told} events"));
        }
        let known = reversed(partition, &paid_for).map(|reversed| (reversed.taken.get(), reversed.entries));
        if known != Some((credits, count)) {
            return Err(format!("{paid_for} says {known:?} of {count} reversals of {credits} credits"));
        }
    }
    Ok(())
}

/// The customer gets one e-mail for each reversal, with its credits and the balance after it, and none without one.
fn check_told(change: &Change) -> Result<(), Broken> {
    let told =
        change.notices.iter().filter(|notice| !is_sent_again(change, notice)).filter_map(|notice| match &notice.kind {
            NoticeKind::CreditsTakenBack(told) => Some((told, -told.credits.get())),
            NoticeKind::CreditsGivenBack(told) => Some((told, told.credits.get())),
            _ => None,
        });
    let told: Vec<_> =
        told.map(|(told, moved)| (told.paid_for.clone(), told.because, moved, told.balance.get())).collect();
    let reversals = change.entries.iter().filter_map(|entry| match &entry.cause {
        Cause::Reversal { paid_for, because, .. } => {
            Some((paid_for.clone(), *because, entry.credits.get(), entry.balance_after.get()))
        }
        _ => None,
    });
    let is_reachable = change.account.email.is_some();
    let expected: Vec<_> = reversals.filter(|_| is_reachable).collect();
    if told == expected { Ok(()) } else { Err(format!("the customer is told {told:?}, and moved are {expected:?}")) }
}

/// Credits that are taken back leave no account to be topped up below zero, and only what is named ends that.
///
/// # Errors
/// The first broken rule.
pub fn check_commit(Committed { before, change, .. }: &Committed) -> Result<(), Broken> {
    check_told(change)?;
    let (account, id) = (&change.account, &change.account.id);
    let is_taking = |entry: &Entry| matches!(entry.cause, Cause::Reversal { .. }) && entry.credits.is_negative();
    let is_paused = account.reversal_pause.is_some();
    if account.closed_at.is_none() && account.balance.is_negative() {
        let last = change.entries.last();
        if last.is_some_and(is_taking) && !is_paused {
            return Err(format!("{id} is below zero after a reversal, and the next sweep charges its card"));
        }
    }
    let was_paused = before.as_ref().is_some_and(|before| before.reversal_pause.is_some());
    if was_paused && !is_paused && account.closed_at.is_none() {
        let is_ending = |entry: &Entry| match &entry.cause {
            Cause::Purchase { .. } => true,
            Cause::Adjustment { .. } | Cause::Reversal { .. } => !entry.credits.is_negative(),
            _ => false,
        };
        // Without an entry, the customer resumed.
        let is_resumed = change.entries.is_empty() && change.records.is_empty();
        let is_ended = change.entries.iter().any(is_ending) && !account.balance.is_negative();
        if !is_resumed && !is_ended {
            return Err(format!("the pause of {id} after a reversal ends, and nobody ended it"));
        }
    }
    Ok(())
}

/// Once everything was delivered, the credits that are taken back are the part of the money that is with the customer
/// again, rounded down.
///
/// # Errors
/// The first broken rule.
pub fn check_at_rest(id: &AccountId, partition: &Partition, stripe: &Stripe) -> Result<(), Broken> {
    let taken = taken(partition);
    for payment in stripe.payments().iter().filter(|payment| payment.account == *id && payment.currency == "usd") {
        let (granted, returned) = (granted(partition, &payment.paid_for), stripe.money_back.returned(payment));
        let expected = granted * returned / payment.paid;
        let taken = taken.get(&payment.paid_for).map_or(0, |(credits, _)| *credits);
        if taken != expected {
            let paid_for = &payment.paid_for;
            return Err(format!(
                "{taken} of {granted} credits for {paid_for} are taken back, not {expected}: {returned} of {} cents went back",
                payment.paid
            ));
        }
    }
    Ok(())
}

// ── What a run does ──────────────────────────────────────────────────────────────────────────────────────────────────

/// A random refund, dispute or what becomes of one. Sometimes the handler of its event asks Stripe and then waits until the
/// next one has been applied.
pub fn use_returns(run: &mut Run, rng: &mut Rng) -> bool {
    let known = run.world().stripe().events.len();
    if !go_back(run, rng) || rng.u32(0..3) > 0 {
        return true;
    }
    let event = run.world().stripe().events.get(known).cloned();
    let Some(event) = event else { return true };
    let task = run.start(Request::Event(event.id, event.subject));
    for _ in 0..CALLS_TO_REPORT[1] {
        resume_task(run, task);
    }
    go_back(run, rng);
    hear_of_money_back(run);
    while resume_task(run, task) {}
    true
}

/// The events about money that went back arrive before all others.
pub fn hear_of_money_back(run: &mut Run) {
    for event in run.undelivered() {
        if matches!(&event, Request::Event(_, Subject::Returned(_))) {
            run.run_now(event);
        }
    }
}

fn go_back(run: &mut Run, rng: &mut Rng) -> bool {
    let line = {
        let mut stripe = run.world().stripe();
        let payments = stripe.payments();
        let Some(payment) = rng.choice(&payments) else { return false };
        let intent = &payment.intent;
        match rng.u32(0..10) {
            0..4 => {
                let percent = [1, 33, 50, 100, 100][rng.usize(0..5)];
                format!("the company refunds {:?} cents of {intent}", stripe.refund(payment, percent))
            }
            4 => format!("a refund fails: {}", stripe.fail_refund(rng.usize(0..2))),
            5..7 => {
                let is_inquiry = rng.u32(0..3) == 0;
                let is_disputed = stripe.dispute(payment, (is_inquiry, rng.u32(0..3) == 0));
                format!("{intent} is disputed: {is_disputed}, by an inquiry: {is_inquiry}")
            }
            _ => {
                let verdict = [Verdict::Won, Verdict::Won, Verdict::Lost, Verdict::LostInPart][rng.usize(0..4)];
                format!("a dispute is {verdict:?}: {}", stripe.decide_dispute(0, verdict))
            }
        }
    };
    run.world().tell(|| line);
    true
}

/// The first payment of a run, after which there are others.
pub fn refund_first(run: &mut Run) {
    refund(run, 0, 50);
}

pub fn refund_all(run: &mut Run) {
    let payments = run.world().stripe().payments().len();
    (0..payments).for_each(|place| refund(run, place, 100));
}

pub fn refund_last(run: &mut Run) {
    let last = run.world().stripe().payments().len().saturating_sub(1);
    refund(run, last, 100);
}

pub fn refund_a_third(run: &mut Run) {
    let last = run.world().stripe().payments().len().saturating_sub(1);
    refund(run, last, 33);
}

fn refund(run: &mut Run, place: usize, percent: i64) {
    let mut stripe = run.world().stripe();
    if let Some(payment) = stripe.payments().get(place) {
        stripe.refund(payment, percent);
    }
}

pub fn refund_fails(run: &mut Run) {
    run.world().stripe().fail_refund(0);
}

pub fn dispute_last(run: &mut Run) {
    let mut stripe = run.world().stripe();
    if let Some(payment) = stripe.payments().last() {
        stripe.dispute(payment, (false, false));
    }
}

/// Although a part was refunded.
pub fn dispute_whole(run: &mut Run) {
    let mut stripe = run.world().stripe();
    if let Some(payment) = stripe.payments().last() {
        stripe.dispute(payment, (false, true));
    }
}

pub fn inquire_last(run: &mut Run) {
    let mut stripe = run.world().stripe();
    if let Some(payment) = stripe.payments().last() {
        stripe.dispute(payment, (true, false));
    }
}

pub fn win_dispute(run: &mut Run) {
    run.world().stripe().decide_dispute(0, Verdict::Won);
}

pub fn lose_dispute(run: &mut Run) {
    run.world().stripe().decide_dispute(0, Verdict::Lost);
}

pub fn lose_dispute_in_part(run: &mut Run) {
    run.world().stripe().decide_dispute(0, Verdict::LostInPart);
}

// ── One payment's life in every order ────────────────────────────────────────────────────────────────────────────────

type Step = fn(&mut Run);

/// Two lives of a payment of five steps each, and the credits that are left of its 500 in the end.
pub const LIVES: [([Step; 5], i64); 2] = [
    ([pay, refund_a_third, refund_fails, dispute_last, win_dispute], 500),
    ([pay, refund_a_third, dispute_last, lose_dispute_in_part, refund_last], 0),
];

/// The calls in which an event's handler has asked Stripe, and has not read the account yet.
const CALLS_TO_REPORT: [usize; 2] = [2, 3];

fn pay(run: &mut Run) {
    let mut stripe = run.world().stripe();
    if let Some(open) = stripe.sessions.iter().position(|session| session.status == SessionStatus::Open) {
        stripe.session_pay(open, &names::card(1));
    }
}

/// Each step's event asks Stripe right after the step, and all of them write afterwards, in this order. One may be applied
/// twice, and one may be lost; then a reconciliation finds it in Stripe's list.
///
/// # Errors
/// The first broken rule, or the balance if it differs.
pub fn play_life(
    (steps, left): ([Step; 5], i64),
    order: &[usize],
    repeated: Option<usize>,
    lost: Option<usize>,
) -> Result<(), Broken> {
    let mut run = Run::new(false);
    let account = names::account("acme");
    run.prepare(&account, 1, names::settings(100, 1_100))?;
    run.run_now(Request::OpenPurchase(account.clone(), names::buy(10, "credits_500")));
    let mut handlers: Vec<Vec<u32>> = vec![];
    for (place, step) in steps.iter().enumerate() {
        let known = run.world().stripe().events.len();
        step(&mut run);
        let events: Vec<_> = run.world().stripe().events.drain(known..).collect();
        let Some(event) = events.into_iter().next() else { return Err(format!("step {place} tells nothing")) };
        if lost == Some(place) {
            run.world().stripe().events.push(event.clone());
        }
        let times = if lost == Some(place) { 0 } else { 1 + usize::from(repeated == Some(place)) };
        let calls = CALLS_TO_REPORT[usize::from(matches!(event.subject, Subject::Returned(_)))];
        let started = (0..times).map(|_| {
            let task = run.start(Request::Event(event.id.clone(), event.subject.clone()));
            for _ in 0..calls {
                resume_task(&mut run, task);
            }
            task
        });
        handlers.push(started.collect());
    }
    let written = order.iter().map(|place| handlers[*place].first()).chain(handlers.iter().map(|tasks| tasks.get(1)));
    for task in written.flatten() {
        while resume_task(&mut run, *task) {}
        run.check()?;
    }
    if lost.is_some() {
        run.run_now(Request::Reconcile);
        run.check()?;
    }
    let (tables, stripe) = (run.world().ledger.tables(), run.world().stripe());
    let partition = &tables.partitions[&account];
    check_at_rest(&account, partition, &stripe)?;
    let stored = partition.account.as_ref().map(|account| (account.balance.get(), account.reversal_pause.is_some()));
    // The dispute of the second life is lost in part: it never ends.
    let expected = Some((500 + left, left == 0));
    if stored == expected { Ok(()) } else { Err(format!("{stored:?} instead of {expected:?}")) }
}
