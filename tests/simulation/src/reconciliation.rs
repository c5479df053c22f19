//! The reconciliation: Stripe's list of events, which is read as a whole, and what the run keeps.
//!
//! A run may be without any webhook. Then everything that Stripe did must be applied after one reconciliation.

use crate::bugs::has_bug;
use crate::invoices::{Bill, BillStatus};
use crate::ledger::{MemoryLedger, Tables};
use crate::outside::{Outside, at_once, ledger_lost, unavailable};
use crate::request::{Ended, Request};
use crate::run::Run;
use crate::stripe::{Event, Session, SessionStatus, Stripe};
use crate::world::World;
use fastrand::Rng;
use jiff::{SignedDuration, Timestamp};
use shared::clock::Clock;
use shared::domain::payments::{Dispute, Invoiced, PaidFor, UnknownPayment};
use shared::domain::{AccountId, DisputeId, EventId, InvoiceId, Purchase, PurchaseStatus, TopUp, TopUpId, TopUpStatus};
use shared::ports::{
    DueLooks, EventList, EventsPage, EventsPass, EventsPlace, FailedEvent, FailedEvents, LedgerError, ListedEvent,
    PaymentsError, Reconciled, Reconciliations, Shard, Subject, UnknownPayments, Unpaid, UnpaidPage,
};
use shared::use_cases::payments::reconcile;
use std::collections::BTreeMap;

/// So small that a few events are several pages.
const PAGE: usize = 2;
const LISTED_FOR: SignedDuration = SignedDuration::from_hours(30 * 24);
const RUN_TIME: SignedDuration = SignedDuration::from_mins(4);

/// What the ledger keeps for the reconciliation.
#[derive(Debug, Default)]
pub struct Kept {
    pub reconciled: Reconciled,
    pub failed: BTreeMap<EventId, FailedEvent>,
    pub unknown: BTreeMap<PaidFor, UnknownPayment>,
    pub disputes: BTreeMap<DisputeId, Dispute>,
    /// How many disputes the last run warned of.
    pub warned_last: u64,
    /// The index as readers see it, possibly outdated.
    pub due_looks: BTreeMap<(AccountId, Invoiced), Timestamp>,
}

/// How Stripe's list of events behaves.
#[derive(Debug, Default)]
pub struct ListConduct {
    /// The list cannot be read, but everything else can.
    pub is_unreadable: bool,
    /// Every other event is listed so long after it was created.
    pub lag: SignedDuration,
}

pub async fn run_reconcile(outside: &Outside) -> Ended {
    let time = outside.0.desk().reconcile_time.unwrap_or(RUN_TIME);
    match reconcile(&outside.context(), outside.now() + time).await {
        Ok(summary) => outside.answered(format_args!("{summary:?}")),
        Err(error) => crate::request::store(outside, &error),
    }
}

// ── The list ───────────────────────────────────────────────────────────────────────────────────────────────────────

fn number_of(event: &EventId) -> u64 {
    event.as_str().trim_start_matches("evt_").parse().unwrap_or_default()
}

/// Stripe filters a list by at most twenty types, so ours take two lists.
fn part_of(subject: &Subject) -> u8 {
    u8::from(matches!(subject, Subject::Returned(_)))
}

fn page(stripe: &Stripe, pass: &EventsPass, now: Timestamp) -> Option<EventsPage> {
    let is_listed = |event: &&Event| {
        let lag = if number_of(&event.id).is_multiple_of(2) { stripe.list.lag } else { SignedDuration::ZERO };
        let created_at = second_of(event.created_at);
        let is_kept = now.duration_since(event.created_at) < LISTED_FOR && event.created_at + lag <= now;
        let is_between = (second_of(pass.from)..=second_of(pass.until)).contains(&created_at);
        // Without an endpoint, every event counts as delivered.
        let is_shown = !has_bug("only_undelivered_events_are_listed") || !stripe.are_webhooks_off;
        is_shown && is_kept && is_between && part_of(&event.subject) == pass.place.part
    };
    // The newest first. Their numbers are in the order of their making.
    let listed: Vec<_> = stripe.events.iter().rev().filter(is_listed).collect();
    let from = match &pass.place.after {
        None => 0,
        Some(after) => 1 + listed.iter().position(|event| event.id == *after)?,
    };
    let shown = &listed[from.min(listed.len())..];
    let events: Vec<_> = shown.iter().take(PAGE).map(|event| listed_event(event)).collect();
    let last = events.last().map(|event| event.id.clone()).filter(|_| shown.len() > PAGE);
    let next = match last {
        Some(last) => Some(EventsPlace { after: Some(last), ..pass.place }),
        None if has_bug("only_the_first_list_of_events_is_read") => None,
        None => (pass.place.part == 0).then_some(EventsPlace { part: 1, after: None }),
    };
    Some(EventsPage { events, next })
}

fn second_of(instant: Timestamp) -> i64 {
    instant.as_second()
}

fn listed_event(event: &Event) -> ListedEvent {
    let created_at = Timestamp::from_second(second_of(event.created_at)).unwrap_or(event.created_at);
    ListedEvent { id: event.id.clone(), subject: event.subject.clone(), created_at }
}

impl EventList for Outside {
    async fn events_page(&self, pass: &EventsPass) -> Result<EventsPage, PaymentsError> {
        let pass = pass.clone();
        let list = move |world: &World| {
            let now = world.time();
            let stripe = world.stripe();
            (!stripe.list.is_unreadable).then(|| page(&stripe, &pass, now))
        };
        let listed = self.stripe_or_unavailable("events_page", list).await?;
        let listed = listed.ok_or_else(|| unavailable("events_page"))?;
        listed.ok_or(PaymentsError::NotFound { operation: "events_page" })
    }
}

// ── What is kept ───────────────────────────────────────────────────────────────────────────────────────────────────

impl Reconciliations for MemoryLedger {
    async fn reconciled_get(&self) -> Result<Reconciled, LedgerError> {
        Ok(self.tables().kept.reconciled.clone())
    }

    async fn reconciled_put(&self, reconciled: &Reconciled) -> Result<bool, LedgerError> {
        let mut tables = self.tables();
        let is_first = tables.kept.reconciled.revision + 1 == reconciled.revision;
        if is_first {
            tables.kept.reconciled = reconciled.clone();
        }
        Ok(is_first)
    }
}

impl FailedEvents for MemoryLedger {
    async fn due_failed_events(&self, now: Timestamp) -> Result<Vec<EventId>, LedgerError> {
        let tables = self.tables();
        let due = tables.kept.failed.values().filter(|failed| failed.due_at <= now);
        Ok(due.map(|failed| failed.event.id.clone()).collect())
    }

    async fn failed_event_get(&self, event: &EventId) -> Result<Option<FailedEvent>, LedgerError> {
        Ok(self.tables().kept.failed.get(event).cloned())
    }

    async fn failed_event_put_new(&self, failed: &FailedEvent) -> Result<bool, LedgerError> {
        let mut tables = self.tables();
        let is_new = !tables.kept.failed.contains_key(&failed.event.id);
        tables.kept.failed.entry(failed.event.id.clone()).or_insert_with(|| failed.clone());
        Ok(is_new)
    }

    async fn failed_event_put(&self, failed: &FailedEvent) -> Result<(), LedgerError> {
        self.tables().kept.failed.insert(failed.event.id.clone(), failed.clone());
        Ok(())
    }

    async fn failed_event_delete(&self, event: &EventId) -> Result<(), LedgerError> {
        self.tables().kept.failed.remove(event);
        Ok(())
    }
}

impl UnknownPayments for MemoryLedger {
    async fn unknown_payment_flag(&self, payment: &UnknownPayment) -> Result<bool, LedgerError> {
        let mut tables = self.tables();
        let is_new = !tables.kept.unknown.contains_key(&payment.paid_for);
        if is_new {
            tables.kept.unknown.insert(payment.paid_for.clone(), payment.clone());
            let flag = payment.flag();
            tables.partitions.entry(payment.account.clone()).or_default().flags.insert(flag.place(), flag);
        }
        Ok(is_new)
    }
}

impl DueLooks for MemoryLedger {
    async fn due_looks(&self, shard: Shard, now: Timestamp, after: Option<Unpaid>) -> Result<UnpaidPage, LedgerError> {
        Ok(self.due_page_of(|tables| &tables.kept.due_looks, (shard, now, after.as_ref())))
    }
}

impl Reconciliations for Outside {
    async fn reconciled_get(&self) -> Result<Reconciled, LedgerError> {
        self.read("reconciled_get", |ledger| at_once(ledger.reconciled_get())).await
    }

    async fn reconciled_put(&self, reconciled: &Reconciled) -> Result<bool, LedgerError> {
        let reconciled = reconciled.clone();
        self.read("reconciled_put", move |ledger| at_once(ledger.reconciled_put(&reconciled))).await
    }
}

impl FailedEvents for Outside {
    async fn due_failed_events(&self, now: Timestamp) -> Result<Vec<EventId>, LedgerError> {
        self.read("due_failed_events", move |ledger| at_once(ledger.due_failed_events(now))).await
    }

    async fn failed_event_get(&self, event: &EventId) -> Result<Option<FailedEvent>, LedgerError> {
        let event = event.clone();
        self.read("failed_event_get", move |ledger| at_once(ledger.failed_event_get(&event))).await
    }

    async fn failed_event_put_new(&self, failed: &FailedEvent) -> Result<bool, LedgerError> {
        let failed = failed.clone();
        self.read("failed_event_put_new", move |ledger| at_once(ledger.failed_event_put_new(&failed))).await
    }

    async fn failed_event_put(&self, failed: &FailedEvent) -> Result<(), LedgerError> {
        let failed = failed.clone();
        self.read("failed_event_put", move |ledger| at_once(ledger.failed_event_put(&failed))).await
    }

    async fn failed_event_delete(&self, event: &EventId) -> Result<(), LedgerError> {
        let event = event.clone();
        self.read("failed_event_delete", move |ledger| at_once(ledger.failed_event_delete(&event))).await
    }
}

impl UnknownPayments for Outside {
    async fn unknown_payment_flag(&self, payment: &UnknownPayment) -> Result<bool, LedgerError> {
        let payment = payment.clone();
        self.read("unknown_payment_flag", move |ledger| at_once(ledger.unknown_payment_flag(&payment))).await
    }
}

impl DueLooks for Outside {
    async fn due_looks(&self, shard: Shard, now: Timestamp, after: Option<Unpaid>) -> Result<UnpaidPage, LedgerError> {
        // As for the accounts that are due, only the calls that matter wait.
        let page = move |ledger: &MemoryLedger, after: Option<Unpaid>| {
            ledger.due_page_of(|tables| &tables.kept.due_looks, (shard, now, after.as_ref()))
        };
        let is_due = !page(&self.0.ledger, after.clone()).unpaid.is_empty();
        let list = move |world: &World| page(&world.ledger, after);
        let what = || format!("due_looks of shard {}", shard.get());
        self.call_of(what, is_due || shard.get() == 0, list).await.map_err(|_| ledger_lost("due_looks"))
    }
}

// ── Rules ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/// Since when a purchase with a page is looked at, told from its record alone.
pub fn open_since(purchase: &Purchase) -> Option<Timestamp> {
    let is_open = matches!(purchase.status, PurchaseStatus::Open | PurchaseStatus::Processing);
    let has_page = purchase.checkout.is_some() && purchase.by_invoice.is_none();
    (is_open && has_page).then_some(purchase.opened_at)
}

pub fn under_way_since(top_up: &TopUp) -> Option<Timestamp> {
    matches!(top_up.status, TopUpStatus::Open | TopUpStatus::Processing).then_some(top_up.opened_at)
}

/// What is under way is in the index of looks, and nothing else is.
///
/// # Errors
/// The first broken rule.
pub fn check_at_rest(tables: &Tables, stripe: &Stripe) -> Result<(), String> {
    let mut expected = BTreeMap::new();
    for (account, partition) in &tables.partitions {
        let purchases = partition
            .purchases
            .values()
            .map(|purchase| (Invoiced::Purchase(purchase.id.clone()), open_since(purchase)));
        let attempts =
            partition.top_ups.values().map(|top_up| (Invoiced::TopUp(top_up.id.clone()), under_way_since(top_up)));
        let open = purchases.chain(attempts).filter_map(|(what, since)| Some(((account.clone(), what), since?)));
        expected.extend(open);
    }
    if tables.kept.due_looks != expected {
        return Err(format!("looks are due of {:?}, and under way are {expected:?}", tables.kept.due_looks));
    }
    let strangers = stripe.sessions.iter().filter(|session| session.is_stranger);
    for session in strangers.filter(|session| session.status == SessionStatus::Paid) {
        let paid_for = PaidFor::Purchase(session.purchase.clone());
        let is_flagged = tables.kept.unknown.contains_key(&paid_for);
        match (session.is_of_other_deployment, is_flagged) {
            (true, true) => return Err(format!("{paid_for} of another deployment is flagged")),
            (false, false) => return Err(format!("{paid_for} is paid, no row knows it, and support is not told")),
            (true, false) | (false, true) => {}
        }
    }
    Ok(())
}

/// Whether a reconciliation has anything left to find.
pub fn has_unapplied(world: &World) -> bool {
    let (tables, stripe) = (world.ledger.tables(), world.stripe());
    stripe.events.iter().any(|event| !is_applied(&tables, event)) || !tables.kept.failed.is_empty()
}

/// An event about an invoice of which the ledger has the payment is skipped, and not marked.
fn is_applied(tables: &Tables, event: &Event) -> bool {
    let is_paid = |id: &InvoiceId, account: &AccountId, top_up: &TopUpId| {
        let attempt = tables.partitions.get(account).and_then(|partition| partition.top_ups.get(top_up));
        attempt.is_some_and(|attempt| attempt.status == TopUpStatus::Paid && attempt.invoice.as_ref() == Some(id))
    };
    let is_skipped = match &event.subject {
        Subject::Invoice { id, top_up: Some((account, top_up)) } => is_paid(id, account, top_up),
        _ => false,
    };
    is_skipped || tables.is_event_applied(&event.id)
}

// ── What happens outside ───────────────────────────────────────────────────────────────────────────────────────────

/// From now on, no webhook arrives.
pub fn switch_off_webhooks(run: &mut Run) {
    run.world().stripe().are_webhooks_off = true;
    run.world().tell(|| "no webhook arrives from now on".into());
}

pub fn hide_list(run: &mut Run) {
    run.world().stripe().list.is_unreadable = true;
    run.world().tell(|| "the list of events cannot be read".into());
}

pub fn show_list(run: &mut Run) {
    run.world().stripe().list.is_unreadable = false;
    run.world().tell(|| "the list of events can be read again".into());
}

pub fn list_late(run: &mut Run) {
    run.world().stripe().list.lag = SignedDuration::from_mins(6);
    run.world().tell(|| "every other event is listed late".into());
}

/// Somebody pays a page with our metadata of which no row knows.
pub fn pay_unknown_page(run: &mut Run) {
    pay_strange_page(run, false);
}

/// Somebody pays a page of another deployment.
pub fn pay_page_of_other_deployment(run: &mut Run) {
    pay_strange_page(run, true);
}

fn pay_strange_page(run: &mut Run, is_of_other_deployment: bool) {
    let now = run.world().time();
    let bits = run.world().mint(now);
    run.world().stripe().session_of_stranger(bits, is_of_other_deployment, now);
    run.world().tell(|| format!("a page is paid that no row knows, of another deployment: {is_of_other_deployment}"));
}

/// Stripe cannot show the page that was paid last.
pub fn break_page(run: &mut Run) {
    let mut stripe = run.world().stripe();
    let last =
        stripe.sessions.iter().rfind(|session| session.status == SessionStatus::Paid).map(|page| page.id.clone());
    stripe.broken_pages.extend(last);
}

pub fn mend_pages(run: &mut Run) {
    run.world().stripe().broken_pages.clear();
}

/// A reconciliation has time for a few calls only.
pub fn hurry(run: &mut Run) {
    run.world().desk().reconcile_time = Some(SignedDuration::from_millis(12));
}

pub fn take_time(run: &mut Run) {
    run.world().desk().reconcile_time = None;
}

/// The index is up to date, as it is after a moment.
pub fn catch_up(run: &mut Run) {
    run.world().ledger.tables().catch_up(usize::MAX);
}

/// Longer than any pass goes back, and than a failed event waits.
pub fn pass_an_hour(run: &mut Run) {
    run.world().advance(SignedDuration::from_hours(1));
    catch_up(run);
}

pub fn pass_ten_minutes(run: &mut Run) {
    run.world().advance(SignedDuration::from_mins(10));
    catch_up(run);
}

/// So long that every failed event is tried again, and everything that is open is looked at.
const SETTLING: SignedDuration = SignedDuration::from_hours(7);

/// A run without faults applies everything, and the next one what the first one caused: a card that becomes the default is
/// an event, too.
pub fn check_applied(run: &mut Run) {
    run.world().advance(SETTLING);
    catch_up(run);
    run.run_now(Request::Reconcile);
    run.run_now(Request::Reconcile);
    if has_unapplied(run.world()) {
        run.world().violate("an event is not applied after a reconciliation, although nothing fails");
    }
}

/// A run without faults finds everything that has ended, although it sees no events.
pub fn check_looked(run: &mut Run) {
    run.world().advance(SETTLING);
    catch_up(run);
    hide_list(run);
    run.run_now(Request::Reconcile);
    if is_behind(run.world()) {
        run.world().violate("what was paid at Stripe is not found by a look");
    }
}

/// Whether something is paid at Stripe and not here.
fn is_behind(world: &World) -> bool {
    let (tables, stripe) = (world.ledger.tables(), world.stripe());
    let is_paid_at_stripe = |purchase: &Purchase| {
        let is_page = |page: &Session| page.purchase == purchase.id && page.status == SessionStatus::Paid;
        let is_bill = |bill: &Bill| bill.purchase == purchase.id && bill.status == BillStatus::Paid;
        stripe.sessions.iter().any(is_page) || stripe.bills.iter().any(is_bill)
    };
    tables.partitions.values().any(|partition| {
        let is_open =
            |purchase: &&Purchase| matches!(purchase.status, PurchaseStatus::Open | PurchaseStatus::Processing);
        let mut open = partition.purchases.values().filter(is_open);
        let mut under_way = partition.top_ups.values().filter(|top_up| under_way_since(top_up).is_some());
        open.any(is_paid_at_stripe) || under_way.any(|top_up| stripe.has_received_for(&top_up.id))
    })
}

// ── Random steps ───────────────────────────────────────────────────────────────────────────────────────────────────

/// A reconciliation, often twice at once or out of time, of a list that may be late or unreadable.
pub fn use_reconciliation(run: &mut Run, rng: &mut Rng) -> bool {
    match rng.u32(0..12) {
        0 => list_late(run),
        1 => {
            let is_unreadable = rng.bool();
            run.world().stripe().list.is_unreadable = is_unreadable;
            run.world().tell(|| format!("the list of events cannot be read: {is_unreadable}"));
        }
        2 => pay_strange_page(run, rng.bool()),
        _ => {
            catch_up(run);
            run.world().desk().reconcile_time = rng.bool().then(|| SignedDuration::from_millis(rng.i64(0..60)));
            for _ in 0..rng.u32(1..3) {
                if rng.bool() {
                    run.run_now(Request::Reconcile);
                } else {
                    run.start(Request::Reconcile);
                }
            }
        }
    }
    true
}
