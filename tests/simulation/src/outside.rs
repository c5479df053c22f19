//! The ports as the use cases see them: every call waits until the schedule decides its fate.

use crate::bugs::has_bug;
use crate::invoices;
use crate::ledger::{MemoryLedger, shard_of};
use crate::stripe::{Asked, CustomerDeleted, Failed, Invoice, InvoiceStatus, conclusion, refusal};
use crate::world::{Fate, Gate, LateEffect, MEMORY, SWEEP_TIME, World};
use futures::FutureExt;
use jiff::civil::Date;
use jiff::{SignedDuration, Timestamp};
use shared::clock::Clock;
use shared::domain::alerts::Alerts;
use shared::domain::charging::{PendingCharge, RefusalRow};
use shared::domain::contacts::Contacts;
use shared::domain::liability::{ClosedDays, LiabilityRow};
use shared::domain::payments::{
    AskedCard, BoughtWith, Checkout, CheckoutOutcome, Invoiced, NewInvoice, OfferedCard, SavedCard, SavedCards,
    SetUpCard,
};
use shared::domain::payments::{ConsentRecord, SweepLog};
use shared::domain::payments::{DeclineReason, PaymentIssue, RefusalReason, TopUpOutcome, check_demand};
use shared::domain::support::{Erasure, ErasurePage, Imported, ItemKey};
use shared::domain::{
    Account, AccountId, Act, ActId, Change, CheckoutSessionId, ConsentId, CustomerId, DisputeId, EmailAddress, Entry,
    EventId, IdempotencyKey, InvoiceId, Notice, NoticeId, NoticeKind, Origin, PaymentIntentId, PaymentMethodId,
    Periods, PriceBook, Purchase, PurchaseId, Record, SourceId, Spender, SpenderLimits, TopUp, TopUpId, TopUpRetry,
    UsageCursor, UsageFold, UsageRow,
};
use shared::ports::{
    Accounts, AccountsPage, Acts, AlertRows, AskedCards, CardPage, CardWallet, CheckoutReport, CommitError, Consents,
    ContactRecords, Customers, Directory, DisputeReport, DueAlerts, DueCards, DueCharge, DueCharges, DueChargesPage,
    DueCursor, DueIndex, DuePage, DueUnpaid, Email, Entries, EntryList, Erasures, Events, FoldError, History,
    IdGenerator, Imports, InvoiceError, InvoiceReport, LedgerError, LiabilityRows, ListedAccount, Mailer, MailerError,
    NewestFirst, Notices, Pauses, PaymentReturns, Payments, PaymentsError, PendingChargeList, PendingCharges,
    PendingChargesPage, PurchaseList, Purchases, PurchasesPage, RefusalRows, ReplaceError, ReturnedObject,
    ReturnsReport, Shard, SpenderList, Spenders, SpendersPage, StoredEntries, StoredEntriesPage, SweepLogs, Timer,
    Timers, TimersError, TopUpList, TopUpRetries, TopUps, Unpaid, UnpaidPage, UsageFolds, UsageRows, Wake,
};
use shared::use_cases::charging::RefusalLog;
use shared::use_cases::{Capabilities, Context, Memory};
use std::future::{Future, pending, poll_fn};
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

/// The capabilities of every caller: all of them are [`Outside`].
pub enum Simulated {}

impl Capabilities for Simulated {
    type Ledger = Outside;
    type Payments = Outside;
    type Mailer = Outside;
    type Timers = Outside;
    type Clock = Outside;
    type Pauses = Outside;
    type Ids = Outside;
    type PriceBook = PriceBook;
}

/// The outside with injected faults. Each caller has a clone.
#[derive(Clone)]
pub struct Outside(pub Arc<World>);

/// The longest run of a function: <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>.
const PROCESS_LIFE_MAX: SignedDuration = SignedDuration::from_mins(15);

const BETWEEN_SWEEPS: SignedDuration = SignedDuration::from_mins(30);

/// The number of keys derived from one id that are tried in turn.
const KEYS_MAX: u32 = 100;

/// There was no answer.
impl StoredEntries for Outside {
    async fn stored_entries(
        &self,
        account: &AccountId,
        from_seq: u64,
        limit: u32,
    ) -> Result<StoredEntriesPage, LedgerError> {
        let account = account.clone();
        self.read("stored_entries", move |ledger| at_once(ledger.stored_entries(&account, from_seq, limit))).await
    }
}

#[derive(Debug)]
pub struct Lost;

impl Outside {
    /// The context of a charging function, which remembers accounts. Two processes of it take turns.
    pub fn charging_context(&self) -> Context<Simulated> {
        let task = {
            let mut desk = self.0.desk();
            let task = desk.current;
            desk.unread.insert(task);
            task
        };
        Context { memory: self.0.memories[task as usize % self.0.memories.len()].clone(), ..self.context() }
    }

    /// The number of the request that runs, and what its charging process was refused.
    pub fn refusals(&self) -> (u32, &RefusalLog) {
        let task = self.0.desk().current;
        (task, &self.0.refusals[task as usize % self.0.refusals.len()])
    }

    pub fn context(&self) -> Context<Simulated> {
        Context {
            ledger: self.clone(),
            payments: self.clone(),
            mailer: self.clone(),
            timers: self.clone(),
            clock: self.clone(),
            pauses: self.clone(),
            memory: Memory::none(),
            ids: self.clone(),
            price_book: self.0.price_book.clone(),
        }
    }

    /// A charging function that has not read its account commits on what it remembers. It remembered when it began to
    /// read a record beside the account, or now if it read none.
    fn check_memory(&self, change: &Change) {
        if !self.0.desk().has_read() {
            return;
        }
        let now = self.0.time();
        let remembered_at = self.0.desk().took_remembered().unwrap_or(now);
        let decided_on = (change.account.id.clone(), change.account.version - 1);
        let committed_at = self.0.desk().committed_at.get(&decided_on).copied();
        if committed_at.is_none_or(|at| remembered_at.duration_since(at) >= MEMORY.age_max) {
            self.0.violate("a change is tried on an account that was not committed within the last second");
        }
    }

    /// A charging function begins to read a record. If it has not read the account, it remembers it from now on.
    fn note_record_read(&self) {
        let now = self.0.time();
        self.0.desk().remember_since(now);
    }

    /// Waits for the schedule's decision and carries it out.
    async fn call<T: Send + 'static>(
        &self,
        what: impl FnOnce() -> String + Send,
        effect: impl FnOnce(&World) -> T + Send + 'static,
    ) -> Result<T, Lost> {
        self.call_of(what, true, effect).await
    }

    pub async fn call_of<T: Send + 'static>(
        &self,
        what: impl FnOnce() -> String + Send,
        is_eventful: bool,
        effect: impl FnOnce(&World) -> T + Send + 'static,
    ) -> Result<T, Lost> {
        let what = if self.0.is_told() { what() } else { String::new() };
        match self.decision(&what, is_eventful).await {
            Fate::Works => Ok(effect(&self.0)),
            Fate::RequestLost => Err(Lost),
            Fate::AnswerLost => {
                effect(&self.0);
                Err(Lost)
            }
            Fate::Late => {
                let effect = Box::new(|world: &World| drop(effect(world)));
                self.0.desk().late.push(LateEffect { what, effect });
                Err(Lost)
            }
            Fate::DiesAfter => {
                effect(&self.0);
                self.0.desk().is_dead = true;
                pending().await
            }
            Fate::DiesBefore => {
                self.0.desk().is_dead = true;
                pending().await
            }
        }
    }

    /// Waits until the schedule decides the fate of a call. A call that is not eventful works at once.
    fn decision(&self, what: &str, is_eventful: bool) -> impl Future<Output = Fate> + Send {
        let mut waiting = None;
        poll_fn(move |context| {
            let mut desk = self.0.desk();
            let Some(call) = waiting else {
                if desk.is_calm || !is_eventful {
                    let task = desk.current;
                    if let Some(story) = &mut desk.story {
                        story.push(format!("#{task} {what}"));
                    }
                    return Poll::Ready(Fate::Works);
                }
                desk.calls += 1;
                let (call, task) = (desk.calls, desk.current);
                let waker = context.waker().clone();
                desk.gates.push(Gate { call, task, what: what.to_owned(), waker });
                waiting = Some(call);
                return Poll::Pending;
            };
            match desk.decided {
                Some((decided, fate)) if decided == call => {
                    desk.decided = None;
                    Poll::Ready(fate)
                }
                _ => Poll::Pending,
            }
        })
    }

    pub async fn read<T: Send + 'static>(
        &self,
        operation: &'static str,
        effect: impl FnOnce(&MemoryLedger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let answer = self.call(|| operation.to_owned(), |world| effect(&world.ledger)).await;
        answer.unwrap_or_else(|Lost| Err(ledger_lost(operation)))
    }

    /// One request to Stripe.
    async fn stripe<T: Send + 'static>(
        &self,
        what: impl FnOnce() -> String + Send,
        effect: impl FnOnce(&World) -> T + Send + 'static,
    ) -> Result<T, Lost> {
        let reach = |world: &World| {
            let is_down = world.desk().is_stripe_down;
            (!is_down).then(|| effect(world))
        };
        let answer = self.call(what, reach).await;
        answer.and_then(|answer| answer.ok_or(Lost))
    }

    pub async fn stripe_or_unavailable<T: Send + 'static>(
        &self,
        operation: &'static str,
        effect: impl FnOnce(&World) -> T + Send + 'static,
    ) -> Result<T, PaymentsError> {
        let answer = self.stripe(|| format!("Stripe: {operation}"), effect).await;
        answer.map_err(|Lost| unavailable(operation))
    }

    /// From now on, the conclusion of this answer is allowed.
    fn told(&self, top_up: &TopUpId, outcome: TopUpOutcome) -> TopUpOutcome {
        if let Some(conclusion) = conclusion(&outcome) {
            self.0.stripe().told.top_ups.insert((top_up.clone(), conclusion));
        }
        outcome
    }

    async fn take(&self, top_up: &TopUp, invoice: InvoiceId, card: PaymentMethodId) -> TopUpOutcome {
        let id = invoice.clone();
        let (account, top_up_id) = (top_up.account.clone(), top_up.id.clone());
        let what = {
            let (invoice, card) = (invoice.clone(), card.clone());
            move || format!("Stripe: pay {invoice} of {} with {card}", top_up.id)
        };
        let ask = move |world: &World| {
            let is_wrong = |invoice: &Invoice| invoice.discount != 0 || invoice.tax != 0;
            if world.stripe().invoice(&id).is_some_and(is_wrong) {
                world.violate(format!("{id} is paid although it has another price or exceeds the consent"));
            }
            let is_other = |invoice: &Invoice| invoice.default_card.as_ref() != Some(&card);
            if world.stripe().invoice(&id).is_some_and(is_other) {
                world.violate(format!("{id} is paid with {card}, which was not the default card when it was created"));
            }
            let asked = world.stripe().invoice_pay(&id, &card, world.time());
            let customer = world.stripe().invoice(&id).map(|invoice| invoice.customer.clone());
            if asked.is_fresh && customer.is_some_and(|customer| world.stripe().is_forbidden(&customer, &card)) {
                world.violate(format!("{card} is asked after its customer was told that it is removed"));
            }
            if asked.is_fresh
                && let Some(reason) = why_not_charged(world, &account, &top_up_id)
            {
                world.violate(format!("a timer charges {account}, {reason}"));
            }
            asked.answer
        };
        match self.stripe(what, ask).await {
            Ok(Asked::Refused(answer)) => refusal(answer, invoice),
            Ok(Asked::Removed) => TopUpOutcome::Declined { reason: DeclineReason::NoCard, invoice: Some(invoice) },
            Ok(Asked::Paid | Asked::NotTaken) | Err(Lost) => {
                let id = invoice.clone();
                let get = move |world: &World| world.stripe().invoice_get_if_paid(&id);
                match self.stripe(|| format!("Stripe: get {invoice}"), get).await {
                    Ok(Some(report)) => report.outcome,
                    Ok(None) | Err(Lost) => TopUpOutcome::Unknown,
                }
            }
        }
    }

    async fn pay(&self, top_up: &TopUp) -> Result<TopUpOutcome, Lost> {
        let invoice = match self.create_invoice(top_up).await? {
            Ok(invoice) => invoice,
            Err(reason) => return self.refused(top_up, reason).await,
        };
        let id = invoice.clone();
        let finalize = move |world: &World| world.stripe().invoice_finalize(&id);
        let Some(finalized) = self.stripe(|| format!("Stripe: finalize {invoice}"), finalize).await? else {
            return Ok(TopUpOutcome::Unknown);
        };
        if let Err(reason) = finalized.and_then(|demand| check_demand(top_up, demand)) {
            return self.refused(top_up, reason).await;
        }
        let card = if has_bug("attempt_asks_the_card_of_the_table") {
            top_up.payment_method.clone()
        } else {
            self.0.stripe().invoice(&invoice).and_then(|invoice| invoice.default_card.clone())
        };
        Ok(match card {
            Some(card) => self.take(top_up, invoice, card).await,
            None => TopUpOutcome::Declined { reason: DeclineReason::NoCard, invoice: Some(invoice) },
        })
    }

    /// The customer asks to pay the open invoice now.
    async fn pay_again(&self, top_up: &TopUp, retry: &TopUpRetry) -> TopUpOutcome {
        let Some(invoice) = &top_up.invoice else { return TopUpOutcome::Unknown };
        let (id, card, key) = (invoice.clone(), retry.card.clone(), retry.key.clone());
        let ask = move |world: &World| world.stripe().invoice_retry(&id, &card, &key, world.time()).answer;
        let what = || format!("Stripe: pay {invoice} of {} again with {}", top_up.id, retry.card);
        let asked = self.stripe(what, ask).await;
        if self.0.desk().is_retry_unheard {
            return TopUpOutcome::Unknown;
        }
        if let Ok(Asked::Refused(answer)) = asked {
            return refusal(answer, invoice.clone());
        }
        match self.stripe(|| format!("Stripe: get {invoice}"), report(invoice.clone())).await {
            Ok(Some(report)) if is_ended(&report.outcome) => report.outcome,
            Ok(_) | Err(Lost) => TopUpOutcome::Unknown,
        }
    }

    /// Voids what a bank has refused, but nothing that is paid or being paid.
    async fn void_open(&self, top_up: &TopUp) -> Result<TopUpOutcome, Lost> {
        let Some(invoice) = &top_up.invoice else { return Ok(TopUpOutcome::Unknown) };
        let looked = self.stripe(|| format!("Stripe: get {invoice}"), report(invoice.clone())).await?;
        match looked.map(|report| report.outcome) {
            None => return Ok(TopUpOutcome::Abandoned),
            Some(ended) if is_ended(&ended) => return Ok(ended),
            Some(_) => {}
        }
        let id = invoice.clone();
        let void = move |world: &World| world.stripe().invoice_void(&id);
        self.stripe(|| format!("Stripe: void {invoice} of {}", top_up.id), void).await?;
        if has_bug("void_of_a_paid_invoice_counts_as_voided") {
            return Ok(TopUpOutcome::Abandoned);
        }
        let voided = self.stripe(|| format!("Stripe: get {invoice}"), report(invoice.clone())).await?;
        Ok(voided.map_or(TopUpOutcome::Abandoned, |report| report.outcome))
    }

    async fn close(&self, top_up: &TopUp) -> Result<TopUpOutcome, Lost> {
        let (id, known) = (top_up.id.clone(), top_up.invoice.clone());
        let find = move |world: &World| known.map_or_else(|| world.stripe().invoices_of(&id), |known| vec![known]);
        let found = self.stripe(|| format!("Stripe: list the invoices of {}", top_up.id), find).await?;
        if let Some(outcome) = self.close_each(top_up, found).await? {
            return Ok(outcome);
        }
        if has_bug("attempt_closed_without_its_invoice") {
            return Ok(TopUpOutcome::Abandoned);
        }
        // If nothing can create it any more, nothing can pay it.
        let Ok(fence) = self.fence(top_up).await? else { return Ok(TopUpOutcome::Abandoned) };
        let id = top_up.id.clone();
        let find = move |world: &World| world.stripe().invoices_of(&id);
        let mut made = self.stripe(|| format!("Stripe: list the invoices of {}", top_up.id), find).await?;
        if !made.contains(&fence) {
            made.push(fence);
        }
        Ok(self.close_each(top_up, made).await?.unwrap_or(TopUpOutcome::Abandoned))
    }

    /// `None` if all of them were removed.
    async fn close_each(&self, top_up: &TopUp, found: Vec<InvoiceId>) -> Result<Option<TopUpOutcome>, Lost> {
        let mut outcome = None;
        for invoice in found {
            match self.close_invoice(top_up, &invoice).await? {
                None => {}
                Some(TopUpOutcome::Abandoned) => outcome = outcome.or(Some(TopUpOutcome::Abandoned)),
                paid @ Some(TopUpOutcome::Paid(_) | TopUpOutcome::PartlyPaid { .. }) => return Ok(paid),
                unpaid => outcome = unpaid,
            }
        }
        Ok(outcome)
    }

    /// Reads the bank's answer first, and voids only if there is none.
    async fn close_invoice(&self, top_up: &TopUp, invoice: &InvoiceId) -> Result<Option<TopUpOutcome>, Lost> {
        let looked = self.stripe(|| format!("Stripe: get {invoice}"), report(invoice.clone())).await?;
        match looked.map(|report| report.outcome) {
            None => return Ok(None),
            Some(TopUpOutcome::Unknown) => {}
            Some(TopUpOutcome::Processing { .. }) if has_bug("debit_closed_without_a_look") => {}
            Some(TopUpOutcome::Declined { .. } | TopUpOutcome::ActionRequired { .. })
                if has_bug("refusal_closed_without_a_look") => {}
            Some(said) => return Ok(Some(said)),
        }
        let id = invoice.clone();
        let void = move |world: &World| {
            if let Some(said) = why_not_voided(world, &id) {
                world.violate(format!("{id} is voided, {said}"));
            }
            world.stripe().invoice_void(&id);
            world.stripe().invoice_get(&id)
        };
        let answer = self.stripe(|| format!("Stripe: void {invoice} of {}", top_up.id), void).await?;
        Ok(answer.map(|report| report.outcome))
    }

    /// Closes everything that could still be paid, since this refusal is permanent.
    async fn refused(&self, top_up: &TopUp, reason: RefusalReason) -> Result<TopUpOutcome, Lost> {
        Ok(match self.close(top_up).await? {
            TopUpOutcome::Abandoned => TopUpOutcome::Refused { reason },
            said => said,
        })
    }

    async fn create_invoice(&self, top_up: &TopUp) -> Result<Result<InvoiceId, RefusalReason>, Lost> {
        let (attempt, id) = (top_up.clone(), top_up.id.clone());
        let create = move |world: &World, used| world.stripe().invoice_create(&attempt, used, world.time());
        let find = move |world: &World| world.stripe().invoices_of(&id).into_iter().next().map(Ok);
        let what = format!("create the invoice of {}", top_up.id);
        self.create(&what, create, find).await
    }

    /// The invoice that every later call gets, but not one that Stripe created although it answered 500.
    async fn fence(&self, top_up: &TopUp) -> Result<Result<InvoiceId, RefusalReason>, Lost> {
        if has_bug("closing_takes_an_invoice_of_a_failed_request") {
            return self.create_invoice(top_up).await;
        }
        let attempt = top_up.clone();
        let create = move |world: &World, used| world.stripe().invoice_create(&attempt, used, world.time());
        self.create(&format!("create the invoice of {}", top_up.id), create, |_| None).await
    }

    /// Creates something under the first usable key. A key whose request failed may have created it anyway.
    async fn create<T, Create, Find>(&self, what: &str, create: Create, find: Find) -> Result<T, Lost>
    where
        T: Send + 'static,
        Create: Fn(&World, u32) -> Result<T, Failed> + Clone + Send + 'static,
        Find: Fn(&World) -> Option<T> + Clone + Send + 'static,
    {
        for used in 0..KEYS_MAX {
            let (create, find) = (create.clone(), find.clone());
            let send = move |world: &World| create(world, used);
            let answer = self.stripe(|| format!("Stripe: {what}, key {used}"), send).await?;
            if let Ok(created) = answer {
                return Ok(created);
            }
            if has_bug("failed_creation_is_not_looked_for") {
                continue;
            }
            if let Some(found) = self.stripe(|| format!("Stripe: look, {what}"), find).await? {
                return Ok(found);
            }
            if has_bug("spent_key_is_used_again") {
                break;
            }
        }
        Err(Lost)
    }
}

/// Whether the invoice is paid, void or being paid.
fn is_ended(outcome: &TopUpOutcome) -> bool {
    match outcome {
        TopUpOutcome::Paid(_)
        | TopUpOutcome::PartlyPaid { .. }
        | TopUpOutcome::Processing { .. }
        | TopUpOutcome::Abandoned => true,
        TopUpOutcome::Declined { .. }
        | TopUpOutcome::ActionRequired { .. }
        | TopUpOutcome::Refused { .. }
        | TopUpOutcome::Unknown => false,
    }
}

fn report(invoice: InvoiceId) -> impl FnOnce(&World) -> Option<InvoiceReport> + Send + 'static {
    move |world| world.stripe().invoice_get(&invoice)
}

/// Why a sweep may not charge the card for this top-up now, if it may not.
///
/// Changes within the lifetime of a process are ignored because it may have read the account before them: for example,
/// the customer's card was declined on the page of this invoice, or the customer switched top-ups off.
fn why_not_charged(world: &World, account: &AccountId, top_up: &TopUpId) -> Option<&'static str> {
    let tables = world.ledger.tables();
    let account = tables.partitions.get(account)?.account.as_ref()?;
    let off = account.auto_top_up.as_ref().filter(|settings| !settings.is_enabled);
    let is_old = |issue: &PaymentIssue| world.time().duration_since(issue.since) >= PROCESS_LIFE_MAX;
    if account.payment_issue.as_ref().is_some_and(|issue| issue.top_up != *top_up || is_old(issue)) {
        Some("which is paused")
    } else if account.reversal_pause.is_some_and(|pause| world.time().duration_since(pause.since) >= PROCESS_LIFE_MAX) {
        Some("of which a payment went back")
    } else if off.is_some_and(|off| world.desk().off_for_long.contains(&off.consent.id)) {
        Some("which switched top-ups off long ago")
    } else {
        None
    }
}

/// Why an attempt's invoice may not be voided when the attempt is closed, if it may not. Answers of the bank within the
/// lifetime of a process are ignored because they may have come after the look.
fn why_not_voided(world: &World, invoice: &InvoiceId) -> Option<&'static str> {
    let stripe = world.stripe();
    let invoice = stripe.invoices.iter().find(|known| known.id == *invoice && known.status == InvoiceStatus::Open)?;
    let is_old = |refused_at: Timestamp| world.time().duration_since(refused_at) >= PROCESS_LIFE_MAX;
    if !invoice.refused_at.is_some_and(is_old) {
        return None;
    }
    Some(if invoice.is_processing() {
        "although its debit is under way"
    } else {
        "although the bank has refused it, and the customer is not told"
    })
}

pub fn unavailable(operation: &'static str) -> PaymentsError {
    PaymentsError::Unavailable { operation, source: "no answer".into() }
}

fn deleted(operation: &'static str) -> PaymentsError {
    PaymentsError::CustomerDeleted { operation }
}

pub fn ledger_lost(operation: &'static str) -> LedgerError {
    LedgerError::Unavailable { operation, source: "no answer".into() }
}

/// The in-memory ledger never waits.
pub fn at_once<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().expect("the in-memory ledger answers at once")
}

impl Clock for Outside {
    fn now(&self) -> Timestamp {
        self.0.time()
    }
}

impl Pauses for Outside {
    /// Other requests go on while this one waits for its next call.
    async fn pause(&self, _longest: Duration) {}
}

impl IdGenerator for Outside {
    fn generate(&self, now: Timestamp) -> u128 {
        self.0.mint(now)
    }

    fn unpredictable(&self) -> u128 {
        self.0.mint_salt()
    }
}

impl Accounts for Outside {
    async fn account_get(&self, account: &AccountId) -> Result<Option<Account>, LedgerError> {
        let account = account.clone();
        self.0.desk().has_read();
        self.read("account_get", move |ledger| at_once(ledger.account_get(&account))).await
    }

    async fn commit(&self, change: &Change) -> Result<(), CommitError> {
        self.check_memory(change);
        let written = change.clone();
        let what = || format!("commit {}", describe(change));
        let is_resent = self.0.desk().calls.is_multiple_of(2);
        match self.call(what, move |world| world.commit(&written)).await {
            Ok(answer) => answer,
            // The client sends a request without an answer again, and that one conflicts: with another transaction, or
            // with the first one, which may have been carried out, or still be.
            Err(Lost) if is_resent => Err(CommitError::Contended(ledger_lost("commit"))),
            Err(Lost) => Err(ledger_lost("commit").into()),
        }
    }
}

impl Entries for Outside {
    async fn entry_get(&self, account: &AccountId, origin: &Origin) -> Result<Option<Entry>, LedgerError> {
        let (account, origin) = (account.clone(), origin.clone());
        self.read("entry_get", move |ledger| at_once(ledger.entry_get(&account, &origin))).await
    }
}

impl PendingCharges for Outside {
    async fn pending_charge_get(
        &self,
        account: &AccountId,
        charge: &IdempotencyKey,
    ) -> Result<Option<PendingCharge>, LedgerError> {
        self.note_record_read();
        let (account, charge) = (account.clone(), charge.clone());
        self.read("pending_charge_get", move |ledger| at_once(ledger.pending_charge_get(&account, &charge))).await
    }
}

impl PendingChargeList for Outside {
    async fn pending_charges_page(
        &self,
        account: &AccountId,
        after: Option<&IdempotencyKey>,
        limit: u8,
    ) -> Result<PendingChargesPage, LedgerError> {
        let (account, after) = (account.clone(), after.cloned());
        let list = move |ledger: &MemoryLedger| at_once(ledger.pending_charges_page(&account, after.as_ref(), limit));
        self.read("pending_charges_page", list).await
    }
}

impl SpenderList for Outside {
    async fn spenders_page(
        &self,
        account: &AccountId,
        after: Option<&Spender>,
        limit: u8,
    ) -> Result<SpendersPage, LedgerError> {
        let (account, after) = (account.clone(), after.cloned());
        let list = move |ledger: &MemoryLedger| at_once(ledger.spenders_page(&account, after.as_ref(), limit));
        self.read("spenders_page", list).await
    }
}

impl RefusalRows for Outside {
    async fn refusal_row_put(&self, row: &RefusalRow) -> Result<(), LedgerError> {
        let row = row.clone();
        let put = self.call(|| "refusal_row_put".to_owned(), move |world| at_once(world.ledger.refusal_row_put(&row)));
        put.await.unwrap_or_else(|Lost| Err(ledger_lost("refusal_row_put")))
    }
}

impl Purchases for Outside {
    async fn purchase_get(&self, account: &AccountId, id: &PurchaseId) -> Result<Option<Purchase>, LedgerError> {
        let (account, id) = (account.clone(), id.clone());
        self.read("purchase_get", move |ledger| at_once(ledger.purchase_get(&account, &id))).await
    }

    async fn purchase_id_get(
        &self,
        account: &AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<PurchaseId>, LedgerError> {
        let (account, key) = (account.clone(), key.clone());
        self.read("purchase_id_get", move |ledger| at_once(ledger.purchase_id_get(&account, &key))).await
    }
}

impl PurchaseList for Outside {
    async fn purchases_page(
        &self,
        account: &AccountId,
        after: Option<&PurchaseId>,
        limit: u8,
    ) -> Result<PurchasesPage, LedgerError> {
        let (account, after) = (account.clone(), after.cloned());
        let list = move |ledger: &MemoryLedger| at_once(ledger.purchases_page(&account, after.as_ref(), limit));
        self.read("purchases_page", list).await
    }
}

impl TopUps for Outside {
    async fn top_up_get(&self, account: &AccountId, id: &TopUpId) -> Result<Option<TopUp>, LedgerError> {
        let (account, id) = (account.clone(), id.clone());
        self.read("top_up_get", move |ledger| at_once(ledger.top_up_get(&account, &id))).await
    }
}

impl TopUpList for Outside {
    async fn top_ups_page(
        &self,
        account: &AccountId,
        after: Option<&TopUpId>,
        limit: u8,
    ) -> Result<NewestFirst<TopUp>, LedgerError> {
        let (account, after) = (account.clone(), after.cloned());
        let list = move |ledger: &MemoryLedger| at_once(ledger.top_ups_page(&account, after.as_ref(), limit));
        self.read("top_ups_page", list).await
    }
}

impl SweepLogs for Outside {
    async fn sweep_log_get(&self, account: &AccountId) -> Result<SweepLog, LedgerError> {
        let account = account.clone();
        self.read("sweep_log_get", move |ledger| at_once(ledger.sweep_log_get(&account))).await
    }

    async fn sweep_log_put(&self, account: &AccountId, log: &SweepLog) -> Result<bool, LedgerError> {
        let (account, log) = (account.clone(), log.clone());
        let what = {
            let (account, revision) = (account.clone(), log.revision);
            move || format!("keep decision {revision} about {account}")
        };
        let write = move |world: &World| at_once(world.ledger.sweep_log_put(&account, &log));
        self.call(what, write).await.unwrap_or_else(|Lost| Err(ledger_lost("sweep_log_put")))
    }
}

impl TopUpRetries for Outside {
    async fn top_up_retry_get(
        &self,
        account: &AccountId,
        key: &IdempotencyKey,
    ) -> Result<Option<TopUpRetry>, LedgerError> {
        let (account, key) = (account.clone(), key.clone());
        self.read("top_up_retry_get", move |ledger| at_once(ledger.top_up_retry_get(&account, &key))).await
    }
}

impl Acts for Outside {
    async fn acts_page(
        &self,
        account: &AccountId,
        after: Option<&ActId>,
        limit: u8,
    ) -> Result<NewestFirst<Act>, LedgerError> {
        let (account, after) = (account.clone(), after.cloned());
        let list = move |ledger: &MemoryLedger| at_once(ledger.acts_page(&account, after.as_ref(), limit));
        self.read("acts_page", list).await
    }
}

impl Erasures for Outside {
    async fn erasure_get(&self, account: &AccountId) -> Result<Option<Erasure>, LedgerError> {
        let account = account.clone();
        self.read("erasure_get", move |ledger| at_once(ledger.erasure_get(&account))).await
    }

    async fn erasable_items(
        &self,
        account: &AccountId,
        after: Option<&ItemKey>,
        limit: u8,
    ) -> Result<ErasurePage, LedgerError> {
        let (account, after) = (account.clone(), after.cloned());
        let list = move |ledger: &MemoryLedger| at_once(ledger.erasable_items(&account, after.as_ref(), limit));
        self.read("erasable_items", list).await
    }
}

impl Consents for Outside {
    async fn consent_get(&self, account: &AccountId, id: &ConsentId) -> Result<Option<ConsentRecord>, LedgerError> {
        let (account, id) = (account.clone(), id.clone());
        self.read("consent_get", move |ledger| at_once(ledger.consent_get(&account, &id))).await
    }
}

impl Spenders for Outside {
    async fn spender_limits_get(
        &self,
        account: &AccountId,
        spender: &Spender,
    ) -> Result<Option<SpenderLimits>, LedgerError> {
        self.note_record_read();
        let (account, spender) = (account.clone(), spender.clone());
        self.read("spender_limits_get", move |ledger| at_once(ledger.spender_limits_get(&account, &spender))).await
    }
}

impl Notices for Outside {
    async fn notice_get(&self, account: &AccountId, id: &NoticeId) -> Result<Option<Notice>, LedgerError> {
        let (account, id) = (account.clone(), id.clone());
        self.read("notice_get", move |ledger| at_once(ledger.notice_get(&account, &id))).await
    }

    async fn notice_mark_sent(
        &self,
        account: &AccountId,
        id: &NoticeId,
        (to, now): (&EmailAddress, Timestamp),
    ) -> Result<(), LedgerError> {
        let (account, id, to) = (account.clone(), id.clone(), to.clone());
        self.read("notice_mark_sent", move |ledger| at_once(ledger.notice_mark_sent(&account, &id, (&to, now)))).await
    }
}

impl ContactRecords for Outside {
    async fn contacts_get(&self, account: &AccountId) -> Result<Option<Contacts>, LedgerError> {
        let account = account.clone();
        self.read("contacts_get", move |ledger| at_once(ledger.contacts_get(&account))).await
    }
}

impl AlertRows for Outside {
    async fn alerts_get(&self, account: &AccountId) -> Result<Option<Alerts>, LedgerError> {
        let account = account.clone();
        self.read("alerts_get", move |ledger| at_once(ledger.alerts_get(&account))).await
    }

    async fn alerts_due_get(&self, account: &AccountId) -> Result<Option<Timestamp>, LedgerError> {
        let account = account.clone();
        self.read("alerts_due_get", move |ledger| at_once(ledger.alerts_due_get(&account))).await
    }
}

impl DueAlerts for Outside {
    async fn due_alerts(&self, shard: Shard, now: Timestamp, after: Option<DueCursor>) -> Result<DuePage, LedgerError> {
        // As for the accounts that are due, only the calls that matter wait.
        let is_due = !self.0.ledger.due_alerts_page(shard, now, after.as_ref()).accounts.is_empty();
        let list = move |world: &World| world.ledger.due_alerts_page(shard, now, after.as_ref());
        let what = || format!("due_alerts of shard {}", shard.get());
        let answer = self.call_of(what, is_due || shard.get() == 0, list).await;
        answer.map_err(|Lost| ledger_lost("due_alerts"))
    }
}

impl AskedCards for Outside {
    async fn asked_card_get(&self, account: &AccountId) -> Result<AskedCard, LedgerError> {
        let account = account.clone();
        self.read("asked_card_get", move |ledger| at_once(ledger.asked_card_get(&account))).await
    }
}

impl DueCards for Outside {
    async fn due_cards(&self, shard: Shard, now: Timestamp, after: Option<DueCursor>) -> Result<DuePage, LedgerError> {
        // As for the accounts that are due, only the calls that matter wait.
        let is_due = !self.0.ledger.due_cards_page(shard, now, after.as_ref()).accounts.is_empty();
        let list = move |world: &World| world.ledger.due_cards_page(shard, now, after.as_ref());
        let what = || format!("due_cards of shard {}", shard.get());
        let answer = self.call_of(what, is_due || shard.get() == 0, list).await;
        answer.map_err(|Lost| ledger_lost("due_cards"))
    }
}

impl Customers for Outside {
    async fn customer_account_get(&self, customer: &CustomerId) -> Result<Option<AccountId>, LedgerError> {
        let customer = customer.clone();
        self.read("customer_account_get", move |ledger| at_once(ledger.customer_account_get(&customer))).await
    }
}

impl Imports for Outside {
    async fn imported_get(&self, source: &SourceId) -> Result<Option<Imported>, LedgerError> {
        let source = source.clone();
        self.read("imported_get", move |ledger| at_once(ledger.imported_get(&source))).await
    }
}

impl Directory for Outside {
    async fn listed_get(&self, account: &AccountId) -> Result<Option<ListedAccount>, LedgerError> {
        let account = account.clone();
        self.read("listed_get", move |ledger| at_once(ledger.listed_get(&account))).await
    }

    async fn accounts_page(
        &self,
        shard: Shard,
        after: Option<&AccountId>,
        limit: u16,
    ) -> Result<AccountsPage, LedgerError> {
        let after = after.cloned();
        let list = move |ledger: &MemoryLedger| at_once(ledger.accounts_page(shard, after.as_ref(), limit));
        self.read_of_shard("accounts_page", shard, list).await
    }
}

impl Outside {
    /// Only the calls for shards with accounts wait, since the others hardly matter.
    async fn read_of_shard<T: Send + 'static>(
        &self,
        operation: &'static str,
        shard: Shard,
        effect: impl FnOnce(&MemoryLedger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, LedgerError> {
        let is_eventful = self.0.ledger.tables().listed.keys().any(|account| shard_of(account) == shard);
        let what = || format!("{operation} of shard {}", shard.get());
        let answer = self.call_of(what, is_eventful, |world| effect(&world.ledger)).await;
        answer.unwrap_or_else(|Lost| Err(ledger_lost(operation)))
    }
}

impl LiabilityRows for Outside {
    async fn closed_days_get(&self) -> Result<Option<ClosedDays>, LedgerError> {
        self.read("closed_days_get", move |ledger| at_once(ledger.closed_days_get())).await
    }

    async fn closed_days_put(&self, closed: &ClosedDays, before: Option<&ClosedDays>) -> Result<(), ReplaceError> {
        let (closed, before) = (*closed, before.copied());
        let what = || format!("closed_days_put through {}", closed.through);
        let put = self.call(what, move |world| at_once(world.ledger.closed_days_put(&closed, before.as_ref())));
        put.await.unwrap_or_else(|Lost| Err(ledger_lost("closed_days_put").into()))
    }

    async fn liability_row_get(&self, day: Date, shard: Shard) -> Result<Option<LiabilityRow>, LedgerError> {
        self.read_of_shard("liability_row_get", shard, move |ledger| at_once(ledger.liability_row_get(day, shard)))
            .await
    }

    async fn liability_row_put(
        &self,
        shard: Shard,
        row: &LiabilityRow,
        before: Option<&LiabilityRow>,
    ) -> Result<(), ReplaceError> {
        let is_eventful = self.0.ledger.tables().listed.keys().any(|account| shard_of(account) == shard);
        let what = || format!("liability_row_put of {} of shard {}", row.day, shard.get());
        let (row, before) = (row.clone(), before.cloned());
        let write = move |world: &World| at_once(world.ledger.liability_row_put(shard, &row, before.as_ref()));
        let put = self.call_of(what, is_eventful, write);
        put.await.unwrap_or_else(|Lost| Err(ledger_lost("liability_row_put").into()))
    }

    async fn liability_rows(&self, day: Date) -> Result<Vec<LiabilityRow>, LedgerError> {
        self.read("liability_rows", move |ledger| at_once(ledger.liability_rows(day))).await
    }
}

impl Events for Outside {
    async fn event_is_applied(&self, event: &EventId) -> Result<bool, LedgerError> {
        let event = event.clone();
        self.read("event_is_applied", move |ledger| at_once(ledger.event_is_applied(&event))).await
    }

    async fn event_mark_applied(&self, event: &EventId, now: Timestamp) -> Result<(), LedgerError> {
        let event = event.clone();
        self.read("event_mark_applied", move |ledger| at_once(ledger.event_mark_applied(&event, now))).await
    }
}

impl History for Outside {
    async fn history_page(
        &self,
        account: &AccountId,
        before_seq: Option<u64>,
        limit: u32,
    ) -> Result<Vec<Entry>, LedgerError> {
        let account = account.clone();
        self.read("history_page", move |ledger| at_once(ledger.history_page(&account, before_seq, limit))).await
    }
}

impl UsageRows for Outside {
    async fn usage_cursor_get(&self, account: &AccountId) -> Result<UsageCursor, LedgerError> {
        let account = account.clone();
        self.read("usage_cursor_get", move |ledger| at_once(ledger.usage_cursor_get(&account))).await
    }

    async fn usage_rows(&self, account: &AccountId, periods: Periods) -> Result<Vec<UsageRow>, LedgerError> {
        let account = account.clone();
        self.read("usage_rows", move |ledger| at_once(ledger.usage_rows(&account, periods))).await
    }
}

impl EntryList for Outside {
    async fn entries_after(&self, account: &AccountId, after_seq: u64, limit: u32) -> Result<Vec<Entry>, LedgerError> {
        let account = account.clone();
        self.read("entries_after", move |ledger| at_once(ledger.entries_after(&account, after_seq, limit))).await
    }
}

impl UsageFolds for Outside {
    async fn usage_fold(&self, account: &AccountId, fold: &UsageFold) -> Result<(), FoldError> {
        let (account, fold) = (account.clone(), fold.clone());
        let what = {
            let (account, fold) = (account.clone(), fold.clone());
            move || format!("fold {account} from {:?} to {:?}, {} rows", fold.before, fold.after, fold.rows.len())
        };
        let write = move |world: &World| at_once(world.ledger.usage_fold(&account, &fold));
        self.call(what, write).await.unwrap_or_else(|Lost| Err(ledger_lost("usage_fold").into()))
    }
}

impl DueIndex for Outside {
    async fn due_accounts(
        &self,
        shard: Shard,
        now: Timestamp,
        after: Option<DueCursor>,
    ) -> Result<DuePage, LedgerError> {
        // Of the calls for empty shards, only that for the first shard waits, since the others hardly matter.
        // Each of them still takes time in a sweep that runs out of time.
        if self.0.desk().sweep_time < SWEEP_TIME {
            self.0.advance(SignedDuration::from_millis(1));
        }
        let is_due = !self.0.ledger.due_page(shard, now, after.as_ref()).accounts.is_empty();
        let list = move |world: &World| world.ledger.due_page(shard, now, after.as_ref());
        let what = || format!("due_accounts of shard {}", shard.get());
        let answer = self.call_of(what, is_due || shard.get() == 0, list).await;
        answer.map_err(|Lost| ledger_lost("due_accounts"))
    }
}

impl DueUnpaid for Outside {
    async fn due_unpaid(&self, shard: Shard, now: Timestamp, after: Option<Unpaid>) -> Result<UnpaidPage, LedgerError> {
        // As for the accounts that are due, only the calls that matter wait.
        let is_due = !self.0.ledger.unpaid_page(shard, now, after.as_ref()).unpaid.is_empty();
        let list = move |world: &World| world.ledger.unpaid_page(shard, now, after.as_ref());
        let what = || format!("due_unpaid of shard {}", shard.get());
        let answer = self.call_of(what, is_due || shard.get() == 0, list).await;
        answer.map_err(|Lost| ledger_lost("due_unpaid"))
    }
}

impl DueCharges for Outside {
    async fn due_charges(
        &self,
        shard: Shard,
        now: Timestamp,
        after: Option<DueCharge>,
    ) -> Result<DueChargesPage, LedgerError> {
        // As for the accounts that are due, only the calls that matter wait.
        let is_due = !self.0.ledger.due_charges_page(shard, now, after.as_ref()).charges.is_empty();
        let list = move |world: &World| world.ledger.due_charges_page(shard, now, after.as_ref());
        let what = || format!("due_charges of shard {}", shard.get());
        let answer = self.call_of(what, is_due || shard.get() == 0, list).await;
        answer.map_err(|Lost| ledger_lost("due_charges"))
    }
}

/// A change as shown in the story.
fn describe(change: &Change) -> String {
    let Change { account, entries, records, notices, events } = change;
    let mut text = format!("{} version {} balance {}", account.id, account.version, account.balance);
    for entry in entries {
        text += &format!(" · entry {} {} {}", entry.seq, entry.origin(), entry.credits);
    }
    for record in records {
        text += &match record {
            Record::PendingCharge(pending) => format!(" · {} {:?}", pending.charge, pending.end),
            Record::TopUp(top_up) => format!(" · {} {:?}", top_up.id, top_up.status),
            Record::TopUpRetry(retry) => format!(" · retry {} of {} {:?}", retry.key, retry.top_up, retry.status),
            Record::Purchase(purchase) => format!(" · {} {:?}", purchase.id, purchase.status),
            Record::Act(act) => format!(" · {} {:?}", act.id, act.kind),
            Record::Contacts(contacts) => format!(" · {contacts:?}"),
            Record::Alerts(alerts) => format!(" · {alerts:?}"),
            Record::AlertsDue { at } => format!(" · alerts due at {at}"),
            Record::AlertsEvaluated => " · alerts evaluated".to_owned(),
            Record::AskedCard(asked) => format!(" · {asked:?}"),
            Record::SpendingChange(change) => format!(" · stopped {}", change.is_stopped),
            Record::SpenderLimits(limits) => format!(" · {limits:?}"),
            Record::SpenderUnlimited(spender) => format!(" · no limits of {spender}"),
            Record::Erasure(erasure) => format!(" · {} items erased, {:?}", erasure.items, erasure.completed_at),
            Record::ErasedEntry(entry) => format!(" · {} erased", entry.origin()),
            Record::Imported(imported) => format!(" · import {}", imported.source),
            Record::PurchaseKey { .. }
            | Record::Consent(_)
            | Record::AskedCardForgotten
            | Record::SpendingForgotten(_)
            | Record::RefusalForgotten(_)
            | Record::NoticeForgotten(_)
            | Record::EventForgotten(_)
            | Record::Listed { .. }
            | Record::ContactsForgotten
            | Record::Customer { .. } => continue,
        };
    }
    for notice in notices {
        text += &format!(" · {}", notice.id);
    }
    for event in events {
        text += &format!(" · {}", event.kind.name());
    }
    text
}

impl Payments for Outside {
    async fn customer_create(&self, account: &AccountId, _email: &EmailAddress) -> Result<CustomerId, PaymentsError> {
        let (for_account, of_account) = (account.clone(), account.clone());
        let create = move |world: &World, used| {
            let created = world.stripe().customer_create(&for_account, used, world.time());
            let count = world.stripe().customers_of(&for_account).count();
            if count > 1 {
                world.violate(format!("{for_account} has {count} customers"));
            }
            created
        };
        let find = move |world: &World| world.stripe().customers_of(&of_account).next().cloned();
        let what = || format!("Stripe: look for the customer of {account}");
        let found = self.stripe(what, find.clone()).await.map_err(|Lost| unavailable("customer_create"))?;
        if let Some(found) = found {
            return Ok(found);
        }
        let created = self.create(&format!("create the customer of {account}"), create, find).await;
        created.map_err(|Lost| unavailable("customer_create"))
    }

    async fn customer_email_set(&self, customer: &CustomerId, _email: &EmailAddress) -> Result<(), PaymentsError> {
        let set = self.stripe(|| format!("Stripe: set the address of {customer}"), |_| ()).await;
        set.map_err(|Lost| unavailable("customer_email_set"))
    }

    async fn default_payment_method_get(
        &self,
        customer: &CustomerId,
    ) -> Result<Option<PaymentMethodId>, PaymentsError> {
        let customer = customer.clone();
        let get = move |world: &World| world.stripe().default_card(&customer);
        let answer = self.stripe_or_unavailable("default_payment_method_get", get).await?;
        answer.map_err(|CustomerDeleted| deleted("default_payment_method_get"))
    }

    async fn default_payment_method_offer(
        &self,
        customer: &CustomerId,
        offered: &OfferedCard,
    ) -> Result<Option<PaymentMethodId>, PaymentsError> {
        let (customer, offered) = (customer.clone(), offered.clone());
        let offer = move |world: &World| {
            let BoughtWith { paid_for, opened_at, .. } = &offered.bought_with;
            let mut stripe = world.stripe();
            stripe.default_card(&customer)?;
            if !stripe.can_offer(&customer, &offered) {
                return Ok(None);
            }
            // Of an attempt, Stripe's own invoice says which card was the default.
            let (is_attempt, default_then) = match paid_for {
                Invoiced::TopUp(id) => {
                    let invoice = stripe.invoices.iter().find(|invoice| invoice.top_up == *id);
                    (true, invoice.and_then(|invoice| invoice.default_card.clone()))
                }
                Invoiced::Purchase(_) => (false, None),
            };
            let paid_for = paid_for.id();
            if let Some(undone) = stripe.offer_default_card(&customer, &offered)
                && *opened_at < undone.at
                && offered.default_at_opening.as_ref().filter(|_| !is_attempt) != Some(&undone.card)
                && default_then.as_ref() != Some(&undone.card)
            {
                world.violate(format!("{paid_for} overwrites the choice of {} by {customer}", undone.card));
            }
            stripe.default_card(&customer).map(Some)
        };
        match self.stripe_or_unavailable("default_payment_method_offer", offer).await? {
            Ok(Some(default)) => Ok(default),
            Ok(None) => Err(PaymentsError::NotFound { operation: "default_payment_method_offer" }),
            Err(CustomerDeleted) => Err(deleted("default_payment_method_offer")),
        }
    }

    async fn checkout_find(
        &self,
        _customer: &CustomerId,
        purchase: &Purchase,
    ) -> Result<Option<Checkout>, PaymentsError> {
        let id = purchase.id.clone();
        self.stripe_or_unavailable("checkout_find", move |world| world.stripe().the_one_page(&id)).await
    }

    async fn checkout_open(&self, customer: &CustomerId, purchase: &Purchase) -> Result<Checkout, PaymentsError> {
        let (customer, wanted, id) = (customer.clone(), purchase.clone(), purchase.id.clone());
        let open = move |world: &World, used| {
            let opened = world.stripe().checkout_open(&customer, &wanted, used, world.time());
            if world.stripe().open_sessions_of(&wanted.id) > 1 {
                world.violate(format!("{} has two open payment pages", wanted.id));
            }
            opened
        };
        let find = move |world: &World| world.stripe().the_one_page(&id);
        let opened = self.create(&format!("open the page of {}", purchase.id), open, find).await;
        opened.map_err(|Lost| unavailable("checkout_open"))
    }

    async fn checkout_get(&self, session: &CheckoutSessionId) -> Result<CheckoutReport, PaymentsError> {
        let id = session.clone();
        let get = move |world: &World| {
            let stripe = world.stripe();
            (!stripe.broken_pages.contains(&id)).then(|| stripe.checkout_get(&id))
        };
        let found = self.stripe_or_unavailable("checkout_get", get).await?;
        let found = found.ok_or_else(|| unavailable("checkout_get"))?;
        let report = found.ok_or(PaymentsError::NotFound { operation: "checkout_get" })?;
        let conclusion = invoices::conclusion(&report.outcome);
        if let (Some((_, purchase)), Some(conclusion)) = (&report.purchase, conclusion) {
            self.0.stripe().told.purchases.insert((purchase.clone(), conclusion));
        }
        Ok(report)
    }

    async fn purchase_invoice(&self, customer: &CustomerId, purchase: &Purchase) -> Result<NewInvoice, InvoiceError> {
        let (for_customer, wanted, id) = (customer.clone(), purchase.clone(), purchase.id.clone());
        let find = move |world: &World| world.stripe().bill_of(&id).map(|bill| Ok(bill.made()));
        if !has_bug("purchase_invoice_is_not_looked_for") {
            let look = self.stripe(|| format!("Stripe: look for the invoice of {}", purchase.id), find.clone());
            if let Some(found) = look.await.map_err(|Lost| unavailable("purchase_invoice"))? {
                return found.map_err(InvoiceError::Refused);
            }
        }
        let create = move |world: &World, used| {
            let made = world.stripe().bill_create((&for_customer, &wanted), used, world.time());
            if world.stripe().bills.iter().filter(|bill| bill.purchase == wanted.id).count() > 1 {
                world.violate(format!("{} has two invoices", wanted.id));
            }
            made
        };
        let made = self.create(&format!("create the invoice of {}", purchase.id), create, find).await;
        made.map_err(|Lost| unavailable("purchase_invoice"))?.map_err(InvoiceError::Refused)
    }

    async fn purchase_invoice_void(&self, invoice: &InvoiceId) -> Result<CheckoutOutcome, PaymentsError> {
        let look = |id: InvoiceId| move |world: &World| world.stripe().bill(&id).cloned();
        let operation = "purchase_invoice_void";
        let found = self.stripe_or_unavailable(operation, look(invoice.clone())).await?;
        let found = found.ok_or(PaymentsError::NotFound { operation })?;
        let is_waiting = found.outcome() == CheckoutOutcome::Waiting { amount_paid: 0 };
        if !is_waiting && !has_bug("purchase_invoice_is_voided_without_a_look") {
            self.bill_told(&found.purchase, &found.outcome());
            return Ok(found.outcome());
        }
        let id = invoice.clone();
        let void = move |world: &World| {
            // Money may come after the look. Stripe voids no invoice that has some.
            if is_waiting && world.stripe().bill(&id).is_some_and(|bill| bill.has_money()) {
                return;
            }
            if let Some(said) = invoices::why_not_voided(world, &id).filter(|_| !world.desk().is_late) {
                world.violate(format!("{id} is voided, {said}"));
            }
            world.stripe().bill_void(&id);
        };
        self.stripe_or_unavailable(operation, void).await?;
        if has_bug("void_of_a_paid_purchase_invoice_counts_as_voided") {
            return Ok(CheckoutOutcome::Voided);
        }
        let found = self.stripe_or_unavailable(operation, look(invoice.clone())).await?;
        let found = found.ok_or(PaymentsError::NotFound { operation })?;
        self.bill_told(&found.purchase, &found.outcome());
        Ok(found.outcome())
    }

    async fn top_up_pay(&self, top_up: &TopUp) -> TopUpOutcome {
        let outcome = self.pay(top_up).await.unwrap_or(TopUpOutcome::Unknown);
        self.told(&top_up.id, outcome)
    }

    async fn top_up_close(&self, top_up: &TopUp) -> TopUpOutcome {
        let outcome = self.close(top_up).await.unwrap_or(TopUpOutcome::Unknown);
        self.told(&top_up.id, outcome)
    }

    async fn top_up_retry(&self, top_up: &TopUp, retry: &TopUpRetry) -> TopUpOutcome {
        let outcome = self.pay_again(top_up, retry).await;
        self.told(&top_up.id, outcome)
    }

    async fn top_up_void(&self, top_up: &TopUp) -> TopUpOutcome {
        let outcome = self.void_open(top_up).await.unwrap_or(TopUpOutcome::Unknown);
        self.told(&top_up.id, outcome)
    }

    async fn invoice_get(&self, invoice: &InvoiceId) -> Result<InvoiceReport, PaymentsError> {
        let found = self.stripe_or_unavailable("invoice_get", report(invoice.clone())).await?;
        let report = found.ok_or(PaymentsError::NotFound { operation: "invoice_get" })?;
        if let Some((_, purchase, outcome)) = &report.purchase {
            self.bill_told(purchase, outcome);
        }
        if let Some((_, top_up)) = &report.top_up {
            self.told(top_up, report.outcome.clone());
            if report.is_waiting {
                let now = self.0.time();
                self.0.stripe().told.waiting_at.insert(top_up.clone(), now);
            }
        }
        Ok(report)
    }
}

impl PaymentReturns for Outside {
    async fn returned_payment_find(&self, named: &ReturnedObject) -> Result<Option<PaymentIntentId>, PaymentsError> {
        let named = named.clone();
        let find = move |world: &World| world.stripe().returned_payment(&named);
        self.stripe_or_unavailable("returned_payment_find", find).await
    }

    async fn returned_payment_get(&self, payment: &PaymentIntentId) -> Result<ReturnsReport, PaymentsError> {
        let id = payment.clone();
        let get = move |world: &World| world.stripe().returns_of(&id);
        let report = self.stripe_or_unavailable("returned_payment_get", get).await?;
        let report = report.ok_or(PaymentsError::NotFound { operation: "returned_payment_get" })?;
        self.0.stripe().told.returns.push((payment.clone(), report.returned.returns));
        Ok(report)
    }

    async fn dispute_show(&self, dispute: &DisputeId) -> Result<DisputeReport, PaymentsError> {
        let dispute = dispute.clone();
        let show = move |world: &World| world.stripe().dispute_report(&dispute);
        let report = self.stripe_or_unavailable("dispute_show", show).await?;
        report.ok_or(PaymentsError::NotFound { operation: "dispute_show" })
    }
}

impl CardWallet for Outside {
    async fn saved_cards_get(&self, customer: &CustomerId) -> Result<SavedCards, PaymentsError> {
        let customer = customer.clone();
        let get = move |world: &World| {
            let mut stripe = world.stripe();
            if stripe.has_valid_card(&customer) {
                *stripe.told.valid_cards.entry(customer.clone()).or_default() += 1;
            }
            stripe.saved_cards(&customer)
        };
        let answer = self.stripe_or_unavailable("saved_cards_get", get).await?;
        answer.map_err(|CustomerDeleted| deleted("saved_cards_get"))
    }

    async fn default_card_get(&self, customer: &CustomerId) -> Result<Option<SavedCard>, PaymentsError> {
        let customer = customer.clone();
        let get = move |world: &World| world.stripe().shown_default(&customer);
        let answer = self.stripe_or_unavailable("default_card_get", get).await?;
        answer.map_err(|CustomerDeleted| deleted("default_card_get"))
    }

    async fn saved_card_owner_get(&self, card: &PaymentMethodId) -> Result<Option<CustomerId>, PaymentsError> {
        let card = card.clone();
        self.stripe_or_unavailable("saved_card_owner_get", move |world| world.stripe().owner_of(&card)).await
    }

    async fn saved_card_make_default(
        &self,
        customer: &CustomerId,
        card: &PaymentMethodId,
    ) -> Result<(), PaymentsError> {
        let (customer, card) = (customer.clone(), card.clone());
        let make = move |world: &World| {
            let now = world.time();
            world.stripe().make_default(&customer, &card, now)
        };
        let is_made = self.stripe_or_unavailable("saved_card_make_default", make).await?;
        is_made.then_some(()).ok_or(PaymentsError::NotFound { operation: "saved_card_make_default" })
    }

    async fn set_up_card_offer(&self, customer: &CustomerId, card: &SetUpCard) -> Result<(), PaymentsError> {
        let (customer, offered) = (customer.clone(), card.clone());
        let offer = move |world: &World| {
            let mut stripe = world.stripe();
            stripe.default_card(&customer)?;
            let overwritten = stripe.offer_set_up(&customer, &offered);
            drop(stripe);
            if let Some(Some(undone)) = &overwritten
                && !undone.is_return
                && offered.default_at_opening.as_ref() != Some(&undone.card)
            {
                world.violate(format!("{} overwrites the choice of {} by {customer}", offered.session, undone.card));
            }
            Ok(overwritten.is_some())
        };
        match self.stripe_or_unavailable("set_up_card_offer", offer).await? {
            Ok(true) => Ok(()),
            Ok(false) => Err(PaymentsError::NotFound { operation: "set_up_card_offer" }),
            Err(CustomerDeleted) => Err(deleted("set_up_card_offer")),
        }
    }

    async fn saved_card_remove(&self, customer: &CustomerId, card: &PaymentMethodId) -> Result<(), PaymentsError> {
        let (customer, card) = (customer.clone(), card.clone());
        let remove = move |world: &World| {
            if !world.stripe().detach(&customer, &card) {
                world.violate(format!("{card} is removed for {customer}, who never had it"));
            }
        };
        self.stripe_or_unavailable("saved_card_remove", remove).await
    }

    async fn card_page_open(&self, customer: &CustomerId, page: &CardPage) -> Result<String, PaymentsError> {
        let (customer, page) = (customer.clone(), page.clone());
        let open = move |world: &World| {
            world.stripe().saving_page_open(&page.account, &customer, page.default_at_opening.clone())
        };
        self.stripe_or_unavailable("card_page_open", open).await
    }

    async fn billing_portal_open(&self, customer: &CustomerId) -> Result<String, PaymentsError> {
        let url = format!("https://billing.example.com/{customer}");
        self.stripe_or_unavailable("billing_portal_open", |_| url).await
    }
}

impl Mailer for Outside {
    /// The subject is the notice's id.
    async fn send(&self, email: &Email) -> Result<(), MailerError> {
        let notice = NoticeId::parse(&*email.subject).expect("the simulation writes the notice's id as the subject");
        let what = || format!("SES: send {}", email.subject);
        let (account, to) = (email.account.clone(), email.to.clone());
        let send = move |world: &World| {
            check_reader(world, &account, &notice, &to);
            world.report(&account, &notice, &to);
            let is_late = world.desk().is_late;
            if !world.outbox().send(&notice, is_late) {
                world.violate(format!("{notice} is sent again although nothing was lost"));
            }
        };
        self.call(what, send).await.map_err(|Lost| MailerError::Unavailable("no answer".into()))
    }
}

/// Only an address that was confirmed gets anything but its confirmation.
fn check_reader(world: &World, account: &AccountId, notice: &NoticeId, to: &EmailAddress) {
    let is_confirmation = {
        let tables = world.ledger.tables();
        let stored = tables.partitions.get(account).and_then(|partition| partition.notices.get(notice));
        // An erasure may have deleted it since it was read.
        stored.is_none_or(|notice| matches!(notice.kind, NoticeKind::ContactConfirmation { .. }))
    };
    if !is_confirmation && !world.is_confirmed(account, to) {
        world.violate(format!("{notice} is sent to {to}, who never confirmed that address"));
    }
}

impl Timers for Outside {
    async fn timer_set(&self, timer: &Timer) -> Result<(), TimersError> {
        let wanted = timer.clone();
        let set = move |world: &World| {
            let Wake::ContinueSweep(part) = &wanted.wake;
            if wanted.at >= part.started_at + BETWEEN_SWEEPS {
                world.violate(format!("the timer {} fires in the next sweep", wanted.name));
            }
            if world.alarms().has_other_for(&wanted) {
                world.violate(format!("the timer {} is already set under another name", wanted.name));
            }
            world.alarms().set(&wanted, world.time())
        };
        match self.call(|| format!("Scheduler: set {} for {}", timer.name, timer.at), set).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(TimersError::Rejected("the instant has passed".into())),
            Err(Lost) => Err(TimersError::Unavailable("no answer".into())),
        }
    }
}
