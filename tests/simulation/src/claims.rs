//! Customers who ask for a payment whose credits are missing: what the simulated Stripe shows of it, and what the answer must
//! say.

use crate::ledger::MemoryLedger;
use crate::names;
use crate::outside::{Outside, at_once, ledger_lost};
use crate::request::{Ended, Request, other};
use crate::run::Run;
use crate::schedule::resume_task;
use crate::stripe::{InvoiceStatus, Session, SessionStatus, Stripe};
use crate::world::World;
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use shared::clock::Clock;
use shared::domain::payments::{CardStatement, Claim, ClaimLog, FoundResult, PaidFor};
use shared::domain::{AccountId, CustomerId, InvoiceId, PaymentIntentId, PurchaseStatus, date_of};
use shared::ports::{ClaimLogs, ClaimedPayment, ClaimedPayments, LedgerError, PaymentsError, ToldBy};
use shared::use_cases::payments::{FindPaymentsError, FoundPayment, find_payments};

/// Questions are counted at most the life of a process before they reach Stripe, so within this time no more than those of an
/// hour do.
const WINDOW: SignedDuration = SignedDuration::from_mins(45);
const PER_HOUR_MAX: usize = 10;
/// Of every card here.
const LAST4: &str = "4242";

// ── Stripe ──────────────────────────────────────────────────────────────────────────────────────────────────────────

fn intent(id: &str) -> Option<PaymentIntentId> {
    PaymentIntentId::parse(format!("pi_{id}")).ok()
}

impl Stripe {
    fn claimable(&self) -> impl Iterator<Item = (CustomerId, ClaimedPayment)> {
        let pages = self.sessions.iter().map(|page| (page.customer.clone(), of_page(page)));
        let invoices = self.invoices.iter().filter(|invoice| invoice.status != InvoiceStatus::Draft).map(|invoice| {
            let paid_for = (invoice.account.clone(), PaidFor::TopUp(invoice.top_up.clone()));
            let amounts = (invoice.amount.minor() + invoice.tax, invoice.amount_paid);
            (invoice.customer.clone(), of_invoice(&invoice.id, paid_for, amounts))
        });
        let bills = self.bills.iter().map(|bill| {
            let paid_for = (bill.account.clone(), PaidFor::Purchase(bill.purchase.clone()));
            (bill.customer.clone(), of_invoice(&bill.id, paid_for, (bill.amount.minor(), bill.amount_paid)))
        });
        pages.chain(invoices).chain(bills)
    }

    fn claimed(&self, customer: &CustomerId, claim: &Claim) -> Vec<ClaimedPayment> {
        let is_meant = |(owner, payment): &(CustomerId, ClaimedPayment)| match claim {
            Claim::Payment(id) => payment.payment.as_ref() == Some(id),
            Claim::Invoice(id) => payment.invoice.as_ref() == Some(id),
            Claim::Card(statement) => owner == customer && payment.amount == statement.amount(),
            Claim::Receipt(_) | Claim::CardPayment(_) => false,
        };
        self.claimable().filter(is_meant).map(|(_, payment)| payment).collect()
    }
}

fn of_invoice(id: &InvoiceId, paid_for: (AccountId, PaidFor), (amount, received): (i64, i64)) -> ClaimedPayment {
    ClaimedPayment {
        paid_for: Some(paid_for),
        is_of_other_deployment: false,
        told_by: Some(ToldBy::Invoice(id.clone())),
        payment: intent(id.as_str()),
        invoice: Some(id.clone()),
        amount,
        received,
        currency: "usd".into(),
        created_at: Timestamp::UNIX_EPOCH,
    }
}

fn of_page(page: &Session) -> ClaimedPayment {
    // With a quarter of tax.
    let amount = page.amount.minor() * 5 / 4;
    ClaimedPayment {
        paid_for: Some((page.account.clone(), PaidFor::Purchase(page.purchase.clone()))),
        is_of_other_deployment: page.is_of_other_deployment,
        told_by: Some(ToldBy::Checkout(page.id.clone())),
        payment: intent(page.id.as_str()),
        invoice: None,
        amount,
        received: if page.status == SessionStatus::Paid { amount } else { 0 },
        currency: page.currency.into(),
        created_at: Timestamp::UNIX_EPOCH,
    }
}

impl ClaimedPayments for Outside {
    async fn claimed_payments(
        &self,
        customer: Option<&CustomerId>,
        claim: &Claim,
    ) -> Result<Vec<ClaimedPayment>, PaymentsError> {
        // No proof is made here, so whoever asks has a customer.
        let Some(customer) = customer else { return Ok(vec![]) };
        self.count_question(customer);
        let (customer, claim) = (customer.clone(), claim.clone());
        self.stripe_or_unavailable("claimed_payments", move |world| world.stripe().claimed(&customer, &claim)).await
    }
}

impl Outside {
    fn count_question(&self, customer: &CustomerId) {
        let now = self.0.time();
        let count = {
            let mut stripe = self.0.stripe();
            stripe.questions.push((customer.clone(), now));
            let is_recent =
                |(asked, at): &&(CustomerId, Timestamp)| asked == customer && now.duration_since(*at) < WINDOW;
            stripe.questions.iter().filter(is_recent).count()
        };
        if count > PER_HOUR_MAX {
            self.0.violate(format!("{customer} asks Stripe for its payments {count} times within {WINDOW:#}"));
        }
    }
}

// ── The ledger ──────────────────────────────────────────────────────────────────────────────────────────────────────

impl ClaimLogs for MemoryLedger {
    async fn claim_log_get(&self, account: &AccountId) -> Result<ClaimLog, LedgerError> {
        Ok(self.of(account, |partition| Some(partition.claim_log.clone())).unwrap_or_default())
    }

    async fn claim_log_put(&self, account: &AccountId, log: &ClaimLog) -> Result<bool, LedgerError> {
        let mut tables = self.tables();
        let stored = &mut tables.partitions.entry(account.clone()).or_default().claim_log;
        let is_next = stored.revision + 1 == log.revision;
        if is_next {
            *stored = log.clone();
        }
        Ok(is_next)
    }
}

impl ClaimLogs for Outside {
    async fn claim_log_get(&self, account: &AccountId) -> Result<ClaimLog, LedgerError> {
        let account = account.clone();
        self.read("claim_log_get", move |ledger| at_once(ledger.claim_log_get(&account))).await
    }

    async fn claim_log_put(&self, account: &AccountId, log: &ClaimLog) -> Result<bool, LedgerError> {
        let (account, log) = (account.clone(), log.clone());
        let write = move |world: &World| at_once(world.ledger.claim_log_put(&account, &log));
        let put = self.call_of(|| "claim_log_put".to_owned(), true, write).await;
        put.unwrap_or_else(|_| Err(ledger_lost("claim_log_put")))
    }
}

// ── Answers ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/// What was true of the claimed payments when the question was asked.
struct Known {
    account: AccountId,
    /// Each payment, and whether all of it was paid, and whether money went back of it.
    payments: Vec<(ClaimedPayment, bool, bool)>,
}

impl Known {
    fn of(outside: &Outside, account: &AccountId, claim: &Claim) -> Self {
        let tables = outside.0.ledger.tables();
        let partition = tables.partitions.get(account);
        let customer = partition.and_then(|known| known.account.as_ref()).map(|known| known.customer.clone());
        let stripe = outside.0.stripe();
        let claimed = customer.map(|customer| stripe.claimed(&customer, claim)).unwrap_or_default();
        let payments = claimed.into_iter().map(|payment| {
            let is_paid = payment.received >= payment.amount && payment.received > 0;
            let returns = payment.payment.as_ref().and_then(|id| stripe.returns_of(id));
            let went_back = returns
                .is_some_and(|report| report.returned.returns.refunded() > 0 || report.returned.returns.disputed() > 0);
            (payment, is_paid, went_back)
        });
        Self { account: account.clone(), payments: payments.collect() }
    }
}

/// An answer tells nothing of another account, and a payment that was made is granted, or it is said why not.
pub async fn run_find(outside: &Outside, account: &AccountId, claim: &Claim) -> Ended {
    let known = Known::of(outside, account, claim);
    match find_payments(&outside.context(), account, claim).await {
        Ok(found) => match wrong(outside, &known, &found) {
            Some(wrong) => Ended::Wrong(wrong),
            None => outside.answered(format_args!("{:?}", names_of(&found))),
        },
        Err(FindPaymentsError::TooMany(too_many))
            if too_many.possible_at > outside.now() - SignedDuration::from_mins(15) =>
        {
            outside.answered(too_many)
        }
        Err(FindPaymentsError::TooMany(too_many)) => Ended::Wrong(format!("{too_many}, and may ask again")),
        Err(FindPaymentsError::NotFound(missing)) => outside.answered(missing),
        Err(FindPaymentsError::BalanceOutOfRange(error)) => Ended::Wrong(error.to_string()),
        Err(FindPaymentsError::Outside(error)) => other(outside, &error),
    }
}

fn names_of(found: &[FoundPayment]) -> Vec<&'static str> {
    found.iter().map(|found| found.result.name()).collect()
}

fn wrong(outside: &Outside, known: &Known, found: &[FoundPayment]) -> Option<String> {
    let account = &known.account;
    if found.is_empty() || found.len() < known.payments.len() {
        return Some(format!("{} results of {} payments of {account}", found.len(), known.payments.len()));
    }
    found.iter().find_map(|found| wrong_entry(outside, account, found)).or_else(|| {
        known.payments.iter().find_map(|payment| {
            let id = payment.0.payment.as_ref();
            let of_this = |found: &&FoundPayment| found.own.as_ref().and_then(|own| own.payment.as_ref()) == id;
            // Those of others come alone, because a claim by their ids has one result.
            let answer = found.iter().find(of_this).or_else(|| found.first())?;
            wrong_result(outside, account, payment, answer)
        })
    })
}

fn wrong_entry(outside: &Outside, account: &AccountId, found: &FoundPayment) -> Option<String> {
    let tables = outside.0.ledger.tables();
    let partition = tables.partitions.get(account)?;
    let entry = found.result.entry()?;
    let paid_for = found.own.as_ref().map(|own| own.paid_for.origin());
    let stored = partition.entries.get(&entry.origin());
    let is_stored = stored.is_some_and(|stored| (stored.seq, stored.credits) == (entry.seq, entry.credits));
    let is_right = is_stored && paid_for == Some(entry.origin());
    (!is_right).then(|| format!("{account} is shown {}, which is not the entry of its payment", entry.origin()))
}

fn wrong_result(
    outside: &Outside,
    account: &AccountId,
    (payment, is_paid, went_back): &(ClaimedPayment, bool, bool),
    FoundPayment { result, own }: &FoundPayment,
) -> Option<String> {
    let (owner, paid_for) = payment.paid_for.as_ref()?;
    let name = result.name();
    let expected: &[&str] = if payment.is_of_other_deployment {
        &["not_ours"]
    } else if owner != account {
        &["of_another_account"]
    } else if !is_stored(outside, account, paid_for) {
        if *is_paid { &["unknown_payment"] } else { &["not_paid", "processing", "unknown_payment"] }
    } else if *is_paid {
        &["granted", "already_granted", "refunded", "disputed", "paid_twice", "in_review"]
    } else {
        return (name == "not_found" || name == "not_ours").then(|| format!("a payment of {account} is {name}"));
    };
    let is_own = owner == account && !payment.is_of_other_deployment;
    if !expected.contains(&name) || own.is_some() != is_own {
        return Some(format!("{:?} of {owner} is {name} for {account}, own: {own:?}", payment.payment));
    }
    if !is_own {
        return None;
    }
    // A page asks for the price of its purchase, so only another currency differs.
    let is_as_asked = matches!(payment.told_by, Some(ToldBy::Checkout(_))) && payment.currency == "usd";
    let is_right = !is_as_asked && is_in_review(outside, account, paid_for);
    if *result == FoundResult::InReview && !is_right {
        return Some(format!("{paid_for} of {account} is paid and not granted, and nobody looks into it"));
    }
    let is_granted = matches!(result, FoundResult::Granted(_) | FoundResult::AlreadyGranted(_));
    // A refund may fail meanwhile, and a dispute be won.
    if *went_back && is_granted && Known::of(outside, account, &Claim::Payment(payment.payment.clone()?)).payments[0].2
    {
        return Some(format!("money of {paid_for} went back, and {account} is told {name}"));
    }
    None
}

fn is_stored(outside: &Outside, account: &AccountId, paid_for: &PaidFor) -> bool {
    let tables = outside.0.ledger.tables();
    tables.partitions.get(account).is_some_and(|partition| match paid_for {
        PaidFor::Purchase(id) => partition.purchases.contains_key(id),
        PaidFor::TopUp(id) => partition.top_ups.contains_key(id),
    })
}

/// Or it is an attempt whose payment was refused.
fn is_in_review(outside: &Outside, account: &AccountId, paid_for: &PaidFor) -> bool {
    let tables = outside.0.ledger.tables();
    match paid_for {
        PaidFor::Purchase(id) => tables.partitions.get(account).is_some_and(|partition| {
            partition.purchases.get(id).is_some_and(|purchase| purchase.status == PurchaseStatus::InReview)
        }),
        PaidFor::TopUp(_) => true,
    }
}

// ── What a run does ─────────────────────────────────────────────────────────────────────────────────────────────────

fn claim_of(run: &Run, payment: &ClaimedPayment, kind: u32) -> Option<Claim> {
    match kind {
        0 => Some(Claim::Invoice(payment.invoice.clone()?)),
        1 => CardStatement::new(LAST4, date_of(run.world().time()), payment.amount).map(Claim::Card),
        _ => Some(Claim::Payment(payment.payment.clone()?)),
    }
}

/// A customer, sometimes the wrong one, asks for a payment, while a webhook about it is under way or a reconciliation runs.
pub fn claim_any(run: &mut Run, rng: &mut Rng, accounts: &[&str]) -> bool {
    let payments: Vec<_> = run.world().stripe().claimable().map(|(_, payment)| payment).collect();
    // The last ones are those that are not settled.
    let place = payments.len().saturating_sub(1 + rng.usize(0..3));
    let Some(payment) = payments.get(place) else { return false };
    let Some(claim) = claim_of(run, payment, rng.u32(0..6)) else { return false };
    let owner = payment.paid_for.as_ref().map(|(owner, _)| owner.clone());
    let asker = if rng.u32(0..4) == 0 {
        names::account(accounts[rng.usize(0..accounts.len())])
    } else {
        owner.unwrap_or_else(|| names::account(accounts[0]))
    };
    let request = Request::Find(asker, claim);
    match rng.u32(0..6) {
        0 => drop(run.start(request)),
        1 => {
            let task = run.start(request.clone());
            for _ in 0..rng.usize(0..12) {
                resume_task(run, task);
            }
            run.run_now(if rng.bool() { Request::Reconcile } else { request });
        }
        2 => {
            let events = run.undelivered();
            for event in events.into_iter().rev().take(2) {
                let task = run.start(event);
                for _ in 0..rng.usize(0..5) {
                    resume_task(run, task);
                }
            }
            run.run_now(request);
        }
        3 if rng.u32(0..8) == 0 => (0..12).for_each(|_| run.run_now(request.clone())),
        _ => run.run_now(request),
    }
    true
}

/// The customer asks for the last payment that was made or begun.
pub fn claim_last(run: &Run) -> Request {
    last(run, "acme")
}

/// Another customer asks for it.
pub fn claim_last_of_another(run: &Run) -> Request {
    last(run, "bolt")
}

fn last(run: &Run, name: &str) -> Request {
    let payment = run.world().stripe().claimable().last().map(|(_, payment)| payment);
    let claim = payment.and_then(|payment| claim_of(run, &payment, 2));
    let nothing = || InvoiceId::parse("in_none").map(Claim::Invoice).expect("in_ and letters are a valid id");
    Request::Find(names::account(name), claim.unwrap_or_else(nothing))
}

/// The customer asks again and again.
pub fn claim_too_often(run: &mut Run) {
    for _ in 0..12 {
        let request = claim_last(run);
        run.run_now(request);
    }
}

/// The customer asks twelve times, twice at once each time: both read how often the account asked before one is counted.
pub fn claim_in_pairs(run: &mut Run) {
    for _ in 0..6 {
        let request = claim_last(run);
        let mut tasks = vec![run.start(request.clone()), run.start(request)];
        while !tasks.is_empty() {
            tasks.retain(|task| resume_task(run, *task));
        }
    }
}
