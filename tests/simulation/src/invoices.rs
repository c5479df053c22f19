//! Purchases that are paid by invoice: their invoices at Stripe, what customers and the company do with them, and the rules.

use crate::bugs::has_bug;
use crate::ledger::{Committed, Partition};
use crate::names;
use crate::outside::Outside;
use crate::request::Request;
use crate::run::Run;
use crate::schedule::resume_task;
use crate::stripe::{DEBIT_TAKES, Stripe};
use crate::told::PurchaseConclusion;
use crate::world::World;
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use shared::domain::payments::{
    CheckoutOutcome, InvoiceReminder, NewInvoice, PaidByInvoice, PaidInvoice, Payment, Received, RefusalReason,
};
use shared::domain::support::ActKind;
use shared::domain::{
    AccountId, Amount, CustomerId, InvoiceId, Notice, NoticeKind, PaymentIntentId, Purchase, PurchaseId,
    PurchaseStatus, Record,
};
use shared::ports::InvoiceReport;
use shared::use_cases::payments::Subject;
use std::collections::BTreeMap;

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// When customers are reminded, in days from the due date.
const REMINDERS: [i64; 3] = [-3, 1, 7];
const GRACE_DAYS: i64 = 14;
const UNPAID_MAX: usize = 3;
/// The number of calls in which a run has asked each shard and follows up the first purchase.
const FOLLOW_UP_CALLS: usize = 28;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BillStatus {
    Open,
    /// A debit is under way since then.
    Processing(Timestamp),
    Paid,
    Void,
}

/// The invoice of a purchase.
#[derive(Clone, Debug)]
pub struct Bill {
    pub id: InvoiceId,
    pub account: AccountId,
    pub purchase: PurchaseId,
    pub customer: CustomerId,
    pub amount: Amount,
    pub due_at: Timestamp,
    pub status: BillStatus,
    /// In cents.
    pub amount_paid: i64,
    pub credited: i64,
    pub overpaid: i64,
    pub is_out_of_band: bool,
}

impl Bill {
    /// Whether a part of it is paid, or a payment is under way.
    pub fn has_money(&self) -> bool {
        matches!(self.status, BillStatus::Processing(_)) || (self.status == BillStatus::Open && self.amount_paid > 0)
    }

    pub fn subject(&self) -> Subject {
        Subject::Invoice { id: self.id.clone(), top_up: None }
    }

    pub fn made(&self) -> NewInvoice {
        let number = Some(format!("A-{}", self.id));
        NewInvoice { id: self.id.clone(), number, total: self.amount.minor(), due_at: self.due_at }
    }

    fn due(&self) -> i64 {
        self.amount.minor() - self.credited - self.amount_paid
    }

    fn is_paid_in_full(&self) -> bool {
        self.status == BillStatus::Paid && self.amount_paid >= self.amount.minor()
    }

    /// What Stripe says about it, read as the adapter reads it.
    pub fn outcome(&self) -> CheckoutOutcome {
        match self.status {
            BillStatus::Open => CheckoutOutcome::Waiting { amount_paid: self.amount_paid },
            BillStatus::Processing(_) => CheckoutOutcome::Processing,
            BillStatus::Void => CheckoutOutcome::Voided,
            BillStatus::Paid => {
                let (total, amount_paid) = (self.amount.minor(), self.amount_paid);
                let amounts = PaidInvoice { total, amount_paid, starting_balance: 0, ending_balance: 0 };
                let paid = Payment {
                    customer: self.customer.clone(),
                    amount: total,
                    currency: "usd".into(),
                    invoice: Some(self.id.clone()),
                    payment_intent: PaymentIntentId::parse(format!("pi_{}", self.id)).ok(),
                    payment_method: None,
                    receipt: None,
                    by_invoice: Some(PaidByInvoice {
                        amount_paid,
                        overpaid: self.overpaid,
                        is_out_of_band: self.is_out_of_band,
                    }),
                };
                match amounts.received(total) {
                    Received::All => CheckoutOutcome::Paid(paid),
                    Received::Part(_) | Received::Nothing => CheckoutOutcome::PaidInPart(paid),
                }
            }
        }
    }
}

/// What the invoice of a purchase concludes.
pub fn conclusion(outcome: &CheckoutOutcome) -> Option<PurchaseConclusion> {
    match outcome {
        CheckoutOutcome::Paid(_) | CheckoutOutcome::PaidInPart(_) => Some(PurchaseConclusion::Paid),
        CheckoutOutcome::Expired => Some(PurchaseConclusion::Expired),
        CheckoutOutcome::Processing => Some(PurchaseConclusion::Processing),
        CheckoutOutcome::Failed => Some(PurchaseConclusion::Failed),
        CheckoutOutcome::Voided => Some(PurchaseConclusion::Voided),
        CheckoutOutcome::Open | CheckoutOutcome::Waiting { .. } => None,
    }
}

impl Stripe {
    pub fn bill(&self, id: &InvoiceId) -> Option<&Bill> {
        self.bills.iter().find(|bill| bill.id == *id)
    }

    /// The invoice of a purchase, which may be void.
    pub fn bill_of(&self, purchase: &PurchaseId) -> Option<&Bill> {
        self.bills.iter().find(|bill| {
            bill.purchase == *purchase && !(has_bug("void_invoice_is_made_again") && bill.status == BillStatus::Void)
        })
    }

    pub fn bill_report(&self, id: &InvoiceId) -> Option<InvoiceReport> {
        let bill = self.bill(id)?;
        let outcome = shared::domain::payments::TopUpOutcome::Unknown;
        let purchase = Some((bill.account.clone(), bill.purchase.clone(), bill.outcome()));
        let is_of_other_deployment = false;
        let is_open = matches!(bill.status, BillStatus::Open | BillStatus::Processing(_));
        let hosted_url = is_open.then(|| format!("https://invoice.example.com/{id}"));
        let is_waiting = false;
        Some(InvoiceReport { top_up: None, outcome, purchase, is_of_other_deployment, is_waiting, hosted_url })
    }

    /// Why no invoice is made for a customer.
    pub fn why_no_bill(&self, customer: &CustomerId) -> Option<RefusalReason> {
        self.refusal_of(customer).filter(|reason| *reason != RefusalReason::AboveConsent)
    }

    /// Money arrives for an open invoice: a part of it, all of it, or more.
    pub fn bill_receive(&mut self, position: usize, cents: i64, is_out_of_band: bool) {
        let is_open = |bill: &&mut Bill| bill.status == BillStatus::Open;
        let Some(bill) = self.bills.get_mut(position).filter(is_open) else { return };
        let due = bill.due();
        bill.amount_paid += cents;
        bill.is_out_of_band |= is_out_of_band;
        if cents >= due {
            bill.status = BillStatus::Paid;
            bill.overpaid = cents - due;
            let subject = bill.subject();
            self.tell(subject);
        }
    }

    /// The company credits a part of an open invoice.
    pub fn bill_credit(&mut self, position: usize, cents: i64) {
        let is_open = |bill: &&mut Bill| bill.status == BillStatus::Open;
        let Some(bill) = self.bills.get_mut(position).filter(is_open) else { return };
        bill.credited += cents.min(bill.due());
        if bill.due() == 0 {
            bill.status = BillStatus::Paid;
            let subject = bill.subject();
            self.tell(subject);
        }
    }

    /// The customer orders a debit on the invoice's page.
    pub fn bill_debit(&mut self, position: usize, now: Timestamp) {
        let is_open = |bill: &&mut Bill| bill.status == BillStatus::Open && bill.amount_paid == 0;
        if let Some(bill) = self.bills.get_mut(position).filter(is_open) {
            bill.status = BillStatus::Processing(now);
        }
    }

    /// Stripe voids only what is open, and of which nothing is paid or under way.
    pub fn bill_void(&mut self, id: &InvoiceId) {
        let is_such = |bill: &&mut Bill| bill.id == *id && bill.status == BillStatus::Open && bill.amount_paid == 0;
        if let Some(bill) = self.bills.iter_mut().find(is_such) {
            bill.status = BillStatus::Void;
            let subject = bill.subject();
            self.tell(subject);
        }
    }

    /// The banks answer the debits that have been under way for days: some succeed and some fail.
    pub fn settle_bills(&mut self, now: Timestamp) {
        for position in 0..self.bills.len() {
            let BillStatus::Processing(since) = self.bills[position].status else { continue };
            if now.duration_since(since) < DEBIT_TAKES {
                continue;
            }
            self.bills[position].status = BillStatus::Open;
            if position % 2 == 0 {
                let due = self.bills[position].due();
                self.bill_receive(position, due, false);
            } else {
                let subject = self.bills[position].subject();
                self.tell(subject);
            }
        }
    }
}

/// Why an invoice may not be voided by us now.
pub fn why_not_voided(world: &World, id: &InvoiceId) -> Option<&'static str> {
    let bill = world.stripe().bill(id).cloned()?;
    if bill.status == BillStatus::Open && bill.amount_paid > 0 {
        return Some("of which a part is paid");
    }
    if matches!(bill.status, BillStatus::Processing(_)) {
        return Some("whose payment is under way");
    }
    let tables = world.ledger.tables();
    let purchase = tables.partitions.get(&bill.account)?.purchases.get(&bill.purchase)?;
    let is_told = purchase.by_invoice.as_ref().is_some_and(|by_invoice| by_invoice.issued.is_some());
    let is_early = world.time() < bill.due_at + DAY * GRACE_DAYS as i32;
    (is_told && purchase.status == PurchaseStatus::Open && is_early).then_some("which is not overdue for two weeks")
}

// ── Rules ───────────────────────────────────────────────────────────────────────────────────────────────────────────

fn awaits(purchase: &Purchase) -> bool {
    purchase.by_invoice.is_some() && matches!(purchase.status, PurchaseStatus::Open | PurchaseStatus::Processing)
}

fn reminders(purchase: &Purchase) -> u8 {
    purchase.by_invoice.as_ref().map_or(0, |by_invoice| by_invoice.reminders)
}

/// What was seen of each purchase.
#[derive(Default)]
pub struct KnownInvoices(BTreeMap<PurchaseId, Purchase>);

impl KnownInvoices {
    /// # Errors
    /// The broken rule.
    pub fn check(&mut self, committed: &Committed, stripe: &Stripe) -> Result<(), String> {
        let change = &committed.change;
        let is_resent = change.records.iter().any(|record| matches!(record, Record::Act(_)));
        let owed = change.notices.iter().filter(|notice| notice.tried.is_empty() && notice.returned_at.is_none());
        for notice in owed.filter(|_| !is_resent) {
            self.check_notice(notice, change.purchase(), stripe)?;
        }
        let before = committed.before.as_ref().map_or(0, |before| before.unpaid_invoices);
        for record in &change.records {
            let Record::Purchase(purchase) = record else { continue };
            let (listed, expected) = (purchase.invoice_due_at(), due_at(purchase));
            if listed != expected {
                return Err(format!("{} is listed as due at {listed:?}, not {expected:?}", purchase.id));
            }
            let known = self.0.insert(purchase.id.clone(), purchase.clone());
            let has_failed = known.is_some_and(|known| known.status == PurchaseStatus::Processing)
                && purchase.status == PurchaseStatus::Open
                && purchase.issued().is_some();
            let is_told = change.notices.iter().any(|notice| {
                matches!(&notice.kind, NoticeKind::InvoiceReminder { reminder: InvoiceReminder::PaymentFailed, .. })
            });
            if has_failed && !is_told {
                return Err(format!("the debit of {} failed, and nobody is told", purchase.id));
            }
        }
        if change.account.unpaid_invoices > before && usize::from(before) >= UNPAID_MAX {
            return Err(format!("{} has {before} unpaid invoices, and buys by another", change.account.id));
        }
        Ok(())
    }

    fn check_notice(&self, notice: &Notice, written: Option<&Purchase>, stripe: &Stripe) -> Result<(), String> {
        let (id, now) = match &notice.kind {
            NoticeKind::InvoiceIssued { purchase, .. } => {
                let is_known = self.0.get(purchase).is_some_and(|known| {
                    known.by_invoice.as_ref().is_some_and(|by_invoice| by_invoice.issued.is_some())
                });
                return if is_known { Err(format!("{purchase} is told twice")) } else { Ok(()) };
            }
            NoticeKind::InvoiceReminder { reminder: InvoiceReminder::PaymentFailed, .. } => return Ok(()),
            NoticeKind::InvoiceReminder { purchase, .. } => (purchase, notice.created_at),
            _ => return Ok(()),
        };
        let (Some(known), Some(written)) = (self.0.get(id), written.filter(|written| written.id == *id)) else {
            return Err(format!("a reminder of {id}, of which nothing is known"));
        };
        // It may be paid or void since it was looked at.
        let Some(bill) = known.invoice.as_ref().and_then(|invoice| stripe.bill(invoice)) else {
            return Err(format!("a reminder of {id}, of which no invoice was told"));
        };
        if !awaits(known) || !awaits(written) {
            return Err(format!("a reminder of {id}, which has ended"));
        }
        let at = |days: i64| bill.due_at + DAY * i32::try_from(days).unwrap_or_default();
        let passed = REMINDERS.iter().filter(|days| at(**days) <= now).count();
        let (before, after) = (reminders(known), reminders(written));
        if after <= before || usize::from(after) != passed {
            return Err(format!("reminder {after} of {id} follows {before}, and {passed} were due"));
        }
        let due_at = at(REMINDERS[usize::from(before).min(2)]);
        let said_at = stripe.told.bills_waiting_at.get(id);
        if said_at.is_none_or(|said_at| *said_at < due_at) {
            return Err(format!("a reminder of {id}, of which Stripe did not say since {due_at} that it is unpaid"));
        }
        Ok(())
    }
}

/// The count of the account is that of its purchases.
///
/// # Errors
/// The broken rule.
pub fn check_partition(partition: &Partition) -> Result<(), String> {
    let Some(account) = &partition.account else { return Ok(()) };
    let unpaid = partition.purchases.values().filter(|purchase| awaits(purchase)).count();
    if usize::from(account.unpaid_invoices) != unpaid {
        return Err(format!("{} counts {} unpaid invoices of {unpaid}", account.id, account.unpaid_invoices));
    }
    if account.closed_at.is_some() {
        return Ok(());
    }
    let is_resent = |notice: &&Notice| {
        let mut acts = partition.acts.values();
        acts.any(|act| matches!(&act.kind, ActKind::NoticeResent { resent_as, .. } if *resent_as == notice.id))
    };
    let owed = || partition.notices.values().filter(|notice| notice.tried.is_empty() && !is_resent(notice));
    for purchase in partition.purchases.values() {
        let Some(by_invoice) = &purchase.by_invoice else { continue };
        let id = &purchase.id;
        let issued =
            owed().filter(|owed| matches!(&owed.kind, NoticeKind::InvoiceIssued { purchase, .. } if purchase == id));
        let voided =
            owed().filter(|owed| matches!(&owed.kind, NoticeKind::InvoiceVoided { purchase, .. } if purchase == id));
        let is_voided = purchase.status == PurchaseStatus::Voided && by_invoice.issued.is_some();
        let (issued, voided) = (issued.count(), voided.count());
        if issued != usize::from(by_invoice.issued.is_some()) {
            return Err(format!("{issued} e-mails have the invoice of {id}"));
        }
        if voided > 1 || is_voided && voided == 0 {
            return Err(format!("{voided} e-mails say that the invoice of {id} is void"));
        }
    }
    Ok(())
}

/// When something is due of a purchase.
fn due_at(purchase: &Purchase) -> Option<Timestamp> {
    let by_invoice = purchase.by_invoice.as_ref().filter(|_| awaits(purchase))?;
    let Some(issued) = &by_invoice.issued else { return Some(purchase.opened_at + SignedDuration::from_mins(15)) };
    let days = REMINDERS.get(usize::from(by_invoice.reminders)).copied().unwrap_or(GRACE_DAYS);
    Some(issued.due_at + DAY * i32::try_from(days).unwrap_or_default())
}

/// Once nothing gets lost any more, a purchase is what its invoice says, and was granted once if all of it was paid.
///
/// # Errors
/// The broken rule.
pub fn check_at_rest(
    purchase: &Purchase,
    (grants, listed, now): (usize, Option<&Timestamp>, Timestamp),
    stripe: &Stripe,
) -> Result<(), String> {
    let id = &purchase.id;
    let due_at = due_at(purchase);
    if listed != due_at.as_ref() {
        return Err(format!("{id} is due at {due_at:?}, not {listed:?}"));
    }
    if due_at.is_some_and(|due_at| due_at <= now) && purchase.status == PurchaseStatus::Open {
        return Err(format!("{id} was due at {due_at:?}, and no run came"));
    }
    let bills: Vec<_> = stripe.bills.iter().filter(|bill| bill.purchase == *id).collect();
    if bills.iter().any(|bill| bill.amount != purchase.price) {
        return Err(format!("an invoice of {id} asks for another price"));
    }
    let paid = bills.iter().filter(|bill| bill.is_paid_in_full()).count();
    if grants != paid {
        return Err(format!("{id} was paid {paid} times and granted {grants} times"));
    }
    if bills.len() > 1 {
        return Err(format!("{id} has {} invoices", bills.len()));
    }
    let bill = bills.first().copied();
    let is_deleted = bill.is_none_or(|bill| stripe.is_deleted(&bill.customer));
    let is_consistent = match (purchase.status, bill.map(|bill| bill.status)) {
        (PurchaseStatus::Paid, Some(BillStatus::Paid)) => true,
        (PurchaseStatus::InReview, Some(BillStatus::Paid)) => paid == 0,
        (PurchaseStatus::InReview, Some(BillStatus::Open)) => bill.is_some_and(|bill| bill.amount_paid > 0),
        (PurchaseStatus::Open, Some(BillStatus::Open)) => purchase.issued().is_some(),
        (PurchaseStatus::Voided, Some(BillStatus::Void)) | (PurchaseStatus::Failed, None | Some(BillStatus::Void)) => {
            true
        }
        // Nobody was told of it.
        (PurchaseStatus::Failed, Some(BillStatus::Open)) => is_deleted && purchase.issued().is_none(),
        _ => false,
    };
    if !is_consistent {
        return Err(format!("{id} stays {:?} although its invoice is {bill:?}", purchase.status));
    }
    Ok(())
}

// ── Requests ────────────────────────────────────────────────────────────────────────────────────────────────────────

/// A customer buys by invoice, to be paid within a week.
pub fn buy(name: &str, number: u32) -> Request {
    Request::OpenPurchase(names::account(name), names::buy_by_invoice(number, "credits_500", 7))
}

/// The customer or the company does something with an invoice, or days pass until something is due of one.
pub fn use_invoices(run: &mut Run, rng: &mut Rng, name: &str) -> bool {
    let open: Vec<usize> = {
        let stripe = run.world().stripe();
        let is_open = |position: &usize| stripe.bills[*position].status == BillStatus::Open;
        (0..stripe.bills.len()).filter(is_open).collect()
    };
    let Some(position) = rng.choice(&open).copied().filter(|_| rng.u32(0..4) > 0) else {
        run.keys += 1;
        let request = buy(name, run.keys);
        run.start(request);
        return true;
    };
    let line = match rng.u32(0..10) {
        0..3 => {
            let cents = run.world().stripe().bills[position].due();
            run.world().stripe().bill_receive(position, cents, rng.u32(0..4) == 0);
            "all of"
        }
        3 => {
            let cents = run.world().stripe().bills[position].due() + 100;
            run.world().stripe().bill_receive(position, cents, false);
            "more than"
        }
        4 => {
            let cents = (run.world().stripe().bills[position].due() / 2).max(1);
            run.world().stripe().bill_receive(position, cents, false);
            "a part of"
        }
        5 => {
            run.world().stripe().bill_credit(position, 200);
            "a credit of"
        }
        6 => {
            let now = run.world().time();
            run.world().stripe().bill_debit(position, now);
            "a debit of"
        }
        7 => {
            void_one(run, position);
            "a void of"
        }
        _ => return pass_to_the_next(run, rng),
    };
    run.world().tell(|| format!("an invoice gets {line} what it asks for: {position}"));
    true
}

/// Days pass until something is due of an unpaid invoice, and a run over what is unpaid begins.
fn pass_to_the_next(run: &mut Run, rng: &mut Rng) -> bool {
    let due_at = {
        let mut tables = run.world().ledger.tables();
        tables.catch_up(usize::MAX);
        let purchases = tables.partitions.values().flat_map(|partition| partition.purchases.values());
        purchases.filter_map(due_at).min()
    };
    let Some(due_at) = due_at else { return false };
    let late = DAY * [0, 0, 0, 5, 9][rng.usize(0..5)];
    run.pass((due_at.duration_since(run.world().time()) + late).max(SignedDuration::ZERO));
    let task = run.start(Request::FollowUp);
    for _ in 0..rng.usize(0..FOLLOW_UP_CALLS) {
        resume_task(run, task);
    }
    match rng.u32(0..3) {
        0 => run.run_now(Request::FollowUp),
        1 => pay_and_look(run),
        _ => {}
    }
    true
}

/// The customer pays the first open invoice, and looks at the purchase at once.
fn pay_and_look(run: &mut Run) {
    let open = {
        let stripe = run.world().stripe();
        let position = stripe.bills.iter().position(|bill| bill.status == BillStatus::Open);
        position.map(|position| (position, stripe.bills[position].clone()))
    };
    let Some((position, bill)) = open else { return };
    run.world().stripe().bill_receive(position, bill.due(), false);
    run.run_now(Request::CheckPurchase(bill.account, bill.purchase));
}

// ── Steps of workflows ──────────────────────────────────────────────────────────────────────────────────────────────

pub fn buy_first(_: &Run) -> Request {
    buy("acme", 30)
}

pub fn buy_second(_: &Run) -> Request {
    buy("acme", 31)
}

pub fn buy_third(_: &Run) -> Request {
    buy("acme", 32)
}

pub fn buy_fourth(_: &Run) -> Request {
    buy("acme", 33)
}

fn last(run: &Run) -> usize {
    run.world().stripe().bills.len().saturating_sub(1)
}

pub fn pay(run: &mut Run) {
    let last = last(run);
    run.world().stripe().bill_receive(last, 500, false);
}

pub fn pay_out_of_band(run: &mut Run) {
    let last = last(run);
    run.world().stripe().bill_receive(last, 500, true);
}

pub fn pay_too_much(run: &mut Run) {
    let last = last(run);
    run.world().stripe().bill_receive(last, 900, false);
}

pub fn pay_a_part(run: &mut Run) {
    let last = last(run);
    run.world().stripe().bill_receive(last, 200, false);
}

pub fn pay_the_rest(run: &mut Run) {
    let last = last(run);
    run.world().stripe().bill_receive(last, 300, false);
}

pub fn credit_the_rest(run: &mut Run) {
    let last = last(run);
    run.world().stripe().bill_credit(last, 300);
}

pub fn order_a_debit(run: &mut Run) {
    let (last, now) = (last(run), run.world().time());
    run.world().stripe().bill_debit(last, now);
}

/// Debits at odd places fail.
pub fn order_a_debit_of_the_first(run: &mut Run) {
    let now = run.world().time();
    run.world().stripe().bill_debit(0, now);
}

pub fn void(run: &mut Run) {
    let last = last(run);
    void_one(run, last);
}

/// The company voids an invoice in Stripe's dashboard, maybe before the customer was told of it.
fn void_one(run: &Run, position: usize) {
    let mut stripe = run.world().stripe();
    let Some(id) = stripe.bills.get(position).map(|bill| bill.id.clone()) else { return };
    stripe.bill_void(&id);
}

fn pass_to(run: &mut Run, days: i64) {
    let due_at = run.world().stripe().bills.last().map(|bill| bill.due_at);
    let at = due_at.map(|due_at| due_at + DAY * i32::try_from(days).unwrap_or_default());
    let now = run.world().time();
    run.pass(at.map_or(SignedDuration::ZERO, |at| at.duration_since(now)).max(SignedDuration::ZERO));
    run.world().ledger.tables().catch_up(usize::MAX);
}

pub fn pass_to_three_days_before(run: &mut Run) {
    pass_to(run, -3);
}

pub fn pass_to_a_day_after(run: &mut Run) {
    pass_to(run, 1);
}

pub fn pass_to_a_week_after(run: &mut Run) {
    pass_to(run, 7);
}

pub fn pass_to_the_end(run: &mut Run) {
    pass_to(run, GRACE_DAYS);
}

/// A run looks at the invoice, and before it reminds, the customer pays and looks at the purchase.
fn overtake_the_run(run: &mut Run, calls: usize) {
    let task = run.start(Request::FollowUp);
    for _ in 0..calls {
        resume_task(run, task);
    }
    pay_and_look(run);
    while resume_task(run, task) {}
}

pub fn pay_before_the_run_records(run: &mut Run) {
    overtake_the_run(run, 4);
}

pub fn pay_before_the_run_reminds(run: &mut Run) {
    overtake_the_run(run, 5);
}

pub fn pay_while_the_run_reminds(run: &mut Run) {
    overtake_the_run(run, 6);
}

pub fn pass_an_hour(run: &mut Run) {
    run.pass(SignedDuration::from_hours(1));
    run.world().ledger.tables().catch_up(usize::MAX);
}

pub fn pass_two_days(run: &mut Run) {
    run.pass(DAY * 2);
}

impl Outside {
    /// What Stripe says about a purchase's invoice is known from now on.
    pub fn bill_told(&self, purchase: &PurchaseId, outcome: &CheckoutOutcome) {
        let now = self.0.time();
        let mut stripe = self.0.stripe();
        if let Some(conclusion) = conclusion(outcome) {
            stripe.told.purchases.insert((purchase.clone(), conclusion));
        } else {
            stripe.told.bills_waiting_at.insert(purchase.clone(), now);
        }
    }
}
