//! The rules that hold after every change, and those that hold at rest, when nothing gets lost any more.
//!
//! They are an independent implementation of the documented rules and use none of the domain's decisions.

use crate::alerts::Told;
use crate::contacts::KnownContacts;
use crate::invoices::KnownInvoices;
use crate::ledger::{Committed, Partition};
use crate::limits::Spent;
use crate::names::BELOW_ZERO;
use crate::request::FOLD_LIMITS;
use crate::stripe::{Choice, Invoice, InvoiceStatus, Session, SessionStatus, Stripe};
use crate::told::{Conclusion, PurchaseConclusion};
use crate::usage::check_rows;
use crate::world::World;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use shared::domain::charging::{Ending, PendingCharge, RefusalRow, Refused};
use shared::domain::payments::{ConsentRecord, Invoiced};
use shared::domain::support::ActKind;
use shared::domain::usage::Groups;
use shared::domain::{
    Account, AccountId, Act, Cause, Change, Entry, IdempotencyKey, Limits, Measure, Notice, NoticeId, NoticeKind,
    Operation, Origin, OutboundEvent, OutboundEventKind, Purchase, PurchaseId, PurchaseStatus, Record, SourceId, TopUp,
    TopUpId, TopUpRetry, TopUpStatus, UsageCursor,
};
use std::collections::BTreeMap;

const INTERVAL: SignedDuration = SignedDuration::from_hours(6);

/// A description of a broken rule.
pub type Broken = String;

macro_rules! rule {
    ($holds:expr, $($words:tt)*) => {
        if !$holds {
            return Err(format!($($words)*));
        }
    };
}

/// The records seen so far.
#[derive(Default)]
pub struct Rules {
    top_ups: BTreeMap<TopUpId, TopUp>,
    purchases: BTreeMap<PurchaseId, Purchase>,
    retries: BTreeMap<(AccountId, IdempotencyKey), TopUpRetry>,
    /// How many reminders of each attempt were sent.
    reminded: BTreeMap<TopUpId, u8>,
    pending: BTreeMap<(AccountId, IdempotencyKey), PendingCharge>,
    /// When each account's last top-up was opened.
    last_openings: BTreeMap<AccountId, Timestamp>,
    spent: Spent,
    /// The account that each source was imported for.
    imported: BTreeMap<SourceId, AccountId>,
    alerts: Told,
    contacts: KnownContacts,
    invoices: KnownInvoices,
    /// How far each account was folded.
    folded: BTreeMap<AccountId, UsageCursor>,
}

impl Rules {
    /// Checks everything written since the last call.
    ///
    /// # Errors
    /// The first broken rule.
    pub fn check(&mut self, world: &World) -> Result<(), Broken> {
        let journal = world.ledger.tables().take_journal();
        for committed in &journal {
            self.check_commit(committed, world)?;
            self.alerts.check(committed)?;
            self.invoices.check(committed, &world.stripe())?;
            crate::expiring::check_commit(committed)?;
            crate::returns::check_commit(committed)?;
        }
        for committed in &journal {
            let tables = world.ledger.tables();
            let id = &committed.change.account.id;
            let partition = tables.partitions.get(id).ok_or_else(|| format!("{id} is gone"))?;
            check_partition(partition)?;
            crate::expiring::check_partition(partition)?;
            crate::invoices::check_partition(partition)?;
            crate::returns::check_partition(partition)?;
            crate::refunds::check_commit(committed, partition, &world.stripe())?;
            crate::refunds::check_partition(partition, &world.stripe())?;
            check_refusals(partition)?;
        }
        self.check_folds(world)
    }

    /// Whatever was folded adds up, and no fold goes back.
    fn check_folds(&mut self, world: &World) -> Result<(), Broken> {
        let mut tables = world.ledger.tables();
        for id in tables.take_folded() {
            let partition = tables.partitions.get(&id).ok_or_else(|| format!("{id} is gone"))?;
            let cursor = partition.usage_cursor;
            let before = self.folded.insert(id.clone(), cursor).unwrap_or_default();
            let is_further = cursor.through_seq > before.through_seq
                || cursor.is_nameless && cursor.through_seq == before.through_seq;
            rule!(is_further, "{id} is folded to {cursor:?} after it was to {before:?}");
            rule!(cursor.is_nameless || !before.is_nameless, "the usage of {id} names spenders again");
            check_rows(partition).map_err(|difference| format!("in the rows of {id}, {difference}"))?;
        }
        Ok(())
    }

    fn check_commit(&mut self, committed: &Committed, world: &World) -> Result<(), Broken> {
        let mut stripe = world.stripe();
        crate::remembered::check_commit(committed, &self.top_ups, &mut stripe.expected)?;
        let stripe = &*stripe;
        let Committed { before, change, .. } = committed;
        let (account, id) = (&change.account, &change.account.id);
        let (version, seq, balance) =
            before.as_ref().map_or((0, 0, 0), |before| (before.version, before.seq, before.balance.get()));
        rule!(account.version == version + 1, "{id} goes from version {version} to {}", account.version);
        let moved: i64 = change.entries.iter().map(|entry| entry.credits.get()).sum();
        let entries = change.entries.len() as u64;
        rule!(account.balance.get() == balance + moved, "the balance of {id} does not move by its entries");
        rule!(account.seq == seq + entries, "the entry count of {id} is wrong");
        self.check_given_up(change)?;
        for record in &change.records {
            match record {
                Record::TopUp(top_up) => self.check_top_up(before.as_ref(), account, top_up, stripe)?,
                Record::Purchase(purchase) => self.check_purchase(purchase, stripe)?,
                Record::PendingCharge(pending) => self.check_pending(pending)?,
                Record::SpendingChange(stop) => {
                    let known = account.spending.map(|spending| (spending.is_stopped, spending.changed_at));
                    rule!(known == Some((stop.is_stopped, stop.changed_at)), "{id} does not know who stopped it");
                }
                Record::Act(act) => check_act(act, change)?,
                Record::ErasedEntry(erased) => {
                    let (Cause::Charge { .. } | Cause::Adjustment { .. } | Cause::Import { .. }) = &erased.cause else {
                        return Err(format!("{} has no texts to erase", erased.origin()));
                    };
                }
                Record::Imported(imported) => {
                    let stated = (&imported.account, imported.credits.get());
                    rule!(stated == (id, moved), "{} is recorded for {stated:?}", imported.source);
                    let known = self.imported.insert(imported.source.clone(), id.clone());
                    rule!(known.is_none(), "{} is imported for {id} after {known:?}", imported.source);
                }
                Record::Contacts(contacts) => crate::contacts::check_change(world, id, account, contacts)?,
                Record::TopUpRetry(retry) => self.check_retry(retry)?,
                Record::PurchaseKey { .. }
                | Record::Listed { .. }
                | Record::Erasure(_)
                | Record::SpendingForgotten(_)
                | Record::RefusalForgotten(_)
                | Record::NoticeForgotten(_)
                | Record::EventForgotten(_)
                | Record::ContactsForgotten
                | Record::Consent(_)
                | Record::SpenderLimits(_)
                | Record::SpenderUnlimited(_)
                | Record::Alerts(_)
                | Record::AlertsDue { .. }
                | Record::AlertsEvaluated
                | Record::AskedCard(_)
                | Record::AskedCardForgotten
                | Record::Customer { .. } => {}
            }
        }
        for notice in change.notices.iter().filter(|notice| !is_sent_again(change, notice)) {
            if let NoticeKind::PaymentReminder { top_up, since, .. } = &notice.kind {
                self.check_reminder(change, top_up, (*since, notice.created_at), stripe)?;
                let reminders = change.top_up().map_or(0, |written| written.reminders);
                self.reminded.insert(top_up.clone(), reminders);
            }
        }
        for entry in &change.entries {
            let is_recorded = |record: &Record| matches!(record, Record::Imported(imported) if Origin::Import(imported.source.clone()) == entry.origin());
            let is_import = matches!(entry.cause, Cause::Import { .. });
            rule!(!is_import || change.records.iter().any(is_recorded), "{} is not recorded", entry.origin());
        }
        crate::chain::check_commit(committed)?;
        check_closed(before.as_ref(), change, &self.purchases)?;
        self.contacts.check(committed)?;
        self.spent.check(committed)?;
        for entry in &change.entries {
            let restriction = before.as_ref().and_then(|before| before.restriction.as_ref());
            let is_restricted = restriction.is_some_and(|restriction| entry.created_at < restriction.until);
            let is_charge = matches!(entry.cause, Cause::Charge { .. });
            rule!(!is_charge || !is_restricted, "{} is posted although charges are blocked", entry.origin());
        }
        change.entries.iter().try_for_each(|entry| self.check_entry(entry))
    }

    fn check_entry(&self, entry: &Entry) -> Result<(), Broken> {
        let (credits, after) = (entry.credits.get(), entry.balance_after.get());
        match &entry.cause {
            Cause::Charge { key, operation, .. } => {
                let Operation { name, measure: Measure::MaxMinutes, amount: max_minutes } = operation else {
                    return Err(format!("{key} is not paid by its minutes"));
                };
                rule!(name.as_str() == "training", "{key} is not a training");
                rule!(credits == -10 * max_minutes, "charge {key} moves {credits} credits for {max_minutes} minutes");
                rule!(after >= 0, "charge {key} overdraws the balance to {after}");
            }
            Cause::Capture { charge, .. } => rule!(credits > 0, "the capture of {charge} takes credits"),
            Cause::Void { charge } => rule!(credits > 0, "the void of {charge} takes credits"),
            Cause::Expiry { charge } => rule!(credits > 0, "the expiry of {charge} takes credits"),
            Cause::Restore { charge } => rule!(credits > 0, "the restore of {charge} takes credits"),
            Cause::Purchase { purchase, .. } => {
                let frozen = self.purchases.get(purchase).map(|known| known.credits);
                rule!(frozen == Some(entry.credits), "{purchase} grants {credits}, not {frozen:?}");
            }
            Cause::TopUp { top_up } => {
                let known = self.top_ups.get(top_up).filter(|known| known.status != TopUpStatus::PartlyPaid);
                let frozen = known.map_or(entry.credits, |known| known.credits);
                rule!(frozen == entry.credits, "{top_up} grants {credits}, not {frozen}");
            }
            Cause::Reversal { paid_for, .. } => rule!(credits != 0, "a reversal of {paid_for} moves nothing"),
            Cause::Adjustment { key, reason, .. } => {
                rule!(credits != 0, "the adjustment {key} moves nothing");
                let may_go_below_zero = reason.as_ref().is_some_and(|reason| reason.as_str() == BELOW_ZERO);
                rule!(credits > 0 || after >= 0 || may_go_below_zero, "the adjustment {key} overdraws to {after}");
            }
            Cause::Import { source, .. } => rule!(credits != 0, "the import of {source} moves nothing"),
        }
        Ok(())
    }

    /// A charge is pending once, and ends once: captured in time for at most what it took, voided in time, or expired
    /// when its time is up.
    fn check_pending(&mut self, pending: &PendingCharge) -> Result<(), Broken> {
        let id = &pending.charge;
        let key = (pending.account.clone(), id.clone());
        let without_spender = |pending: &PendingCharge| PendingCharge { spender: None, ..pending.clone() };
        if self.pending.get(&key).is_some_and(|known| known.spender.is_some() && without_spender(known) == *pending) {
            // The spender was erased.
            self.pending.insert(key, pending.clone());
            return Ok(());
        }
        let known = self.pending.insert((pending.account.clone(), id.clone()), pending.clone());
        let frozen = |pending: &PendingCharge| PendingCharge { end: None, ..pending.clone() };
        rule!(known.as_ref().is_none_or(|known| known.end.is_none()), "{id} ends twice");
        rule!(known.as_ref().is_none_or(|known| *known == frozen(pending)), "what {id} froze has changed");
        rule!(known.is_some() == pending.end.is_some(), "{id} is pending again, or ends before it is pending");
        let Some(end) = pending.end else { return Ok(()) };
        let is_in_time = end.at < time_is_up(pending);
        match end.ending {
            Ending::Captured { amount } => {
                rule!(is_in_time, "{id} is captured after its time");
                rule!(end.credits_kept.get() == 10 * amount, "{id} keeps {} for {amount} minutes", end.credits_kept);
                rule!(end.credits_kept <= pending.credits, "{id} keeps more than it took");
            }
            Ending::Voided => {
                rule!(is_in_time, "{id} is voided after its time");
                rule!(end.credits_kept.get() == 0, "{id} is voided and keeps credits");
            }
            Ending::Expired => {
                rule!(!is_in_time, "{id} expires before its time");
                rule!(end.credits_kept.get() == 0, "{id} expires and keeps credits");
            }
        }
        Ok(())
    }

    fn check_top_up(
        &mut self,
        before: Option<&Account>,
        account: &Account,
        top_up: &TopUp,
        stripe: &Stripe,
    ) -> Result<(), Broken> {
        let id = &top_up.id;
        match self.top_ups.get(id) {
            None => {
                check_opening(before, top_up, self.used_in_month(top_up))?;
                let (opened_at, last) =
                    (top_up.opened_at, self.last_openings.insert(account.id.clone(), top_up.opened_at));
                let since = last.map(|last| opened_at.duration_since(last));
                rule!(since.is_none_or(|since| since >= INTERVAL), "{id} opens {since:?} after the last top-up");
                rule!(account.open_top_up.as_ref() == Some(id), "{} does not say that {id} is open", account.id);
                rule!(account.last_top_up_at == Some(opened_at), "{} does not say when {id} was opened", account.id);
            }
            Some(known) => {
                let frozen = |top_up: &TopUp| {
                    let card = top_up.payment_method.clone();
                    (top_up.credits, top_up.price, top_up.opened_at, top_up.customer.clone(), card)
                };
                rule!(frozen(known) == frozen(top_up), "what {id} froze when it was opened has changed");
                let was_paid = matches!(known.status, TopUpStatus::Paid | TopUpStatus::PartlyPaid);
                let payment_intent = top_up.payment_intent.clone();
                let (reversed, refunds) = (top_up.reversed, top_up.refunds.clone());
                let is_reversed = TopUp { reversed, payment_intent, refunds, ..known.clone() } == *top_up;
                crate::refunds::check_kept(id.as_str(), &known.refunds, &top_up.refunds)?;
                rule!(!was_paid || is_reversed, "{id} is changed after it was paid");
                if is_reversed {
                    self.top_ups.insert(id.clone(), top_up.clone());
                    return Ok(());
                }
                let card_before = before.and_then(|before| before.payment_method.as_ref());
                let is_chosen_since = card_before != top_up.payment_method.as_ref();
                let is_kept = account.payment_method.as_ref() == card_before;
                let is_followed =
                    account.payment_method.as_ref().is_none_or(|card| stripe.was_default(&account.customer, card));
                rule!(is_kept || !is_chosen_since || is_followed, "{id} overwrites the choice of {card_before:?}");
                rule!(top_up.status != TopUpStatus::Open, "{id} is opened again");
            }
        }
        let conclusion = match top_up.status {
            TopUpStatus::Open => None,
            TopUpStatus::Processing => Some(Conclusion::Processing),
            TopUpStatus::Paid => Some(Conclusion::Paid),
            TopUpStatus::PartlyPaid => Some(Conclusion::PartlyPaid),
            TopUpStatus::Declined(_) => Some(Conclusion::Declined),
            TopUpStatus::ActionRequired => Some(Conclusion::ActionRequired),
            TopUpStatus::Refused(_) => Some(Conclusion::Refused),
            TopUpStatus::Abandoned => Some(Conclusion::Abandoned),
        };
        let is_refused = matches!(top_up.status, TopUpStatus::Refused(_));
        let pausing = account.payment_issue.as_ref().map(|issue| &issue.top_up);
        rule!(!is_refused || pausing == Some(id), "{id} is refused for good, and {} is not paused", account.id);
        if let Some(conclusion) = conclusion {
            let is_told = stripe.told.top_ups.contains(&(id.clone(), conclusion));
            rule!(is_told, "{id} is concluded to be {conclusion:?}, which Stripe never said");
        }
        self.top_ups.insert(id.clone(), top_up.clone());
        Ok(())
    }

    /// The cents that the account's earlier attempts count in the month in which this one opens.
    fn used_in_month(&self, top_up: &TopUp) -> i64 {
        let earlier = self.top_ups.values().filter(|earlier| earlier.account == top_up.account);
        counted(earlier, month_of(top_up.opened_at))
    }

    /// An unpaid attempt whose invoice is void is told about and leaves top-ups off after 30 days, and not before.
    fn check_given_up(&self, change: &Change) -> Result<(), Broken> {
        let Some(written) = change.top_up().filter(|written| written.status == TopUpStatus::Abandoned) else {
            return Ok(());
        };
        let (id, known) = (&written.id, self.top_ups.get(&written.id));
        let is_unpaid = |known: &&TopUp| matches!(known.status, TopUpStatus::Declined(_) | TopUpStatus::ActionRequired);
        let waited = known.filter(is_unpaid).and_then(|known| Some(written.ended_at?.duration_since(known.ended_at?)));
        let is_late = waited.is_some_and(|waited| waited >= SignedDuration::from_hours(30 * 24));
        let is_told = change.notices.iter().any(|notice| matches!(notice.kind, NoticeKind::TopUpAbandoned { .. }));
        rule!(is_told == is_late, "{id} is abandoned after {waited:?}, and the e-mail differs");
        let is_on = change.account.auto_top_up.as_ref().is_some_and(|settings| settings.is_enabled);
        rule!(!is_late || !is_on, "{id} is given up, and the next sweep charges the card");
        Ok(())
    }

    /// A reminder is about the pause of now, rests on what Stripe said since it became due, and is sent once.
    fn check_reminder(
        &self,
        change: &Change,
        top_up: &TopUpId,
        (since, at): (Timestamp, Timestamp),
        stripe: &Stripe,
    ) -> Result<(), Broken> {
        let issue = change.account.payment_issue.as_ref();
        let is_of_now = issue.is_some_and(|issue| issue.top_up == *top_up && issue.since == since);
        rule!(is_of_now, "a reminder of {top_up}, which pauses nothing");
        let reminders = change.top_up().filter(|written| written.id == *top_up).map_or(0, |written| written.reminders);
        let before = self.reminded.get(top_up).copied().unwrap_or(0);
        rule!(reminders > before, "reminder {reminders} of {top_up} is sent after reminder {before}");
        let days = [1, 3, 7][usize::from(before).min(2)];
        let due_at = since + SignedDuration::from_hours(24 * days);
        rule!(at >= due_at, "reminder {reminders} of {top_up} is sent at {at}");
        let passed = [1, 3, 7].iter().filter(|days| since + SignedDuration::from_hours(24 * **days) <= at).count();
        rule!(usize::from(reminders) == passed, "reminder {reminders} of {top_up} is sent when {passed} were due");
        let said_at = stripe.told.waiting_at.get(top_up).copied();
        rule!(said_at.is_some_and(|said_at| said_at >= due_at), "a reminder of {top_up}, whose outcome is not known");
        Ok(())
    }

    /// What a retry asked for stays, and so does its first outcome.
    fn check_retry(&mut self, retry: &TopUpRetry) -> Result<(), Broken> {
        let key = &retry.key;
        let place = (retry.account.clone(), key.clone());
        let Some(known) = self.retries.insert(place, retry.clone()) else {
            rule!(retry.status == TopUpStatus::Open, "the retry {key} is new and has an outcome");
            return Ok(());
        };
        rule!(known.status == TopUpStatus::Open, "the retry {key} ends twice");
        let asked = TopUpRetry { status: TopUpStatus::Open, ..retry.clone() };
        rule!(known == asked, "what the retry {key} asked for has changed");
        Ok(())
    }

    fn check_purchase(&mut self, purchase: &Purchase, stripe: &Stripe) -> Result<(), Broken> {
        let id = &purchase.id;
        if let Some(known) = self.purchases.get(id) {
            let frozen = |purchase: &Purchase| (purchase.credits, purchase.price, purchase.opened_at);
            rule!(frozen(known) == frozen(purchase), "what {id} froze when it was opened has changed");
            let without_page = |purchase: &Purchase| {
                let mut erased = Purchase { checkout: None, default_card: None, ..purchase.clone() };
                erased.by_invoice.iter_mut().for_each(|by_invoice| by_invoice.terms.po_number = None);
                erased
            };
            let is_erased = *purchase == without_page(known);
            let payment_intent = purchase.payment_intent.clone();
            let (reversed, refunds) = (purchase.reversed, purchase.refunds.clone());
            let is_reversed = Purchase { reversed, payment_intent, refunds, ..known.clone() } == *purchase;
            crate::refunds::check_kept(id.as_str(), &known.refunds, &purchase.refunds)?;
            let may_change = is_erased || is_reversed;
            rule!(known.status != PurchaseStatus::Paid || may_change, "{id} is changed after it was paid");
        }
        let conclusion = match purchase.status {
            PurchaseStatus::Open => None,
            PurchaseStatus::Paid => Some(PurchaseConclusion::Paid),
            PurchaseStatus::Expired => Some(PurchaseConclusion::Expired),
            PurchaseStatus::Processing => Some(PurchaseConclusion::Processing),
            PurchaseStatus::Voided => Some(PurchaseConclusion::Voided),
            // A part of its invoice is paid, and the rest is overdue.
            PurchaseStatus::InReview if purchase.by_invoice.is_some() => None,
            PurchaseStatus::InReview => Some(PurchaseConclusion::Paid),
            // No invoice was ever made for it.
            PurchaseStatus::Failed if purchase.by_invoice.is_some() && purchase.issued().is_none() => None,
            PurchaseStatus::Failed => Some(PurchaseConclusion::Failed),
        };
        if let Some(conclusion) = conclusion {
            let is_told = stripe.told.purchases.contains(&(id.clone(), conclusion));
            rule!(is_told, "{id} is concluded to be {conclusion:?}, which Stripe never said");
        }
        self.purchases.insert(id.clone(), purchase.clone());
        Ok(())
    }
}

/// A closed account is left with nothing under way and with nothing personal, and nothing is charged, bought, given or set
/// any more. Only payments that were made before are still granted.
fn check_closed(
    before: Option<&Account>,
    change: &Change,
    purchases: &BTreeMap<PurchaseId, Purchase>,
) -> Result<(), Broken> {
    let (account, id) = (&change.account, &change.account.id);
    let closed_before = before.and_then(|before| before.closed_at);
    rule!(closed_before.is_none() || account.closed_at == closed_before, "{id} is opened again");
    rule!(account.closed_at.is_none() == account.email.is_some(), "{id} has lost its address, or keeps it");
    if account.closed_at.is_none() {
        return Ok(());
    }
    let has_none = account.auto_top_up.is_none() && account.payment_method.is_none() && account.spending.is_none();
    let has_none = has_none && account.limits == Limits::default() && account.restriction.is_none();
    rule!(has_none && account.limited_spenders == 0, "{id} is closed and keeps settings");
    rule!(account.reversal_pause.is_none(), "{id} is closed and paused");
    rule!(account.pending.get() == 0, "{id} is closed while charges are pending");
    rule!(account.open_top_up.is_none() && account.payment_issue.is_none(), "{id} is closed while a top-up is payable");
    rule!(change.notices.is_empty(), "{id} is closed and owed an e-mail");
    if closed_before.is_none() {
        let is_payable = |purchase: &&Purchase| {
            let has_page = purchase.status == PurchaseStatus::Open
                && (purchase.checkout.is_some() || purchase.by_invoice.is_some());
            purchase.account == *id && (has_page || purchase.status == PurchaseStatus::Processing)
        };
        let payable = purchases.values().find(is_payable).map(|purchase| &purchase.id);
        rule!(payable.is_none(), "{id} is closed while {payable:?} can be paid");
    }
    for entry in &change.entries {
        let is_late = matches!(
            entry.cause,
            Cause::Purchase { .. } | Cause::TopUp { .. } | Cause::Restore { .. } | Cause::Reversal { .. }
        );
        rule!(is_late, "{} is posted although the account is closed", entry.origin());
    }
    Ok(())
}

/// Of an account that was erased, nothing personal is left.
fn check_erased(partition: &Partition) -> Result<(), Broken> {
    let Some(account) = partition.account.as_ref().filter(|account| account.closed_at.is_some()) else { return Ok(()) };
    let id = &account.id;
    let completed = partition.erasure.as_ref().and_then(|erasure| erasure.completed_at);
    rule!(completed.is_some(), "{id} is closed, and its erasure never ends");
    for entry in partition.entries.values() {
        let is_erased = match &entry.cause {
            Cause::Charge { reference, spender, .. } => reference.is_none() && spender.is_none(),
            Cause::Adjustment { reason, operator, .. } => reason.is_none() && operator.is_none(),
            Cause::Import { reference, .. } => reference.is_none(),
            _ => true,
        };
        rule!(is_erased, "{} of {id} keeps its texts", entry.origin());
    }
    let named = partition.usage_rows.values().find(|row| {
        let Groups { named, others, .. } = &row.spenders;
        !named.is_empty() || !others.is_zero()
    });
    rule!(named.is_none(), "the usage of {id} names spenders in {:?}", named.map(|row| row.period));
    rule!(partition.pending.values().all(|pending| pending.spender.is_none()), "a charge of {id} keeps its spender");
    rule!(
        partition.purchases.values().all(|purchase| purchase.checkout.is_none()),
        "a purchase of {id} keeps its page"
    );
    let is_nameless = |record: &ConsentRecord| record.consent.accepted_by.is_none();
    rule!(partition.consents.values().all(is_nameless), "a consent of {id} keeps its name");
    let are_gone = partition.spender_limits.is_empty() && partition.spending_changes.is_empty();
    rule!(are_gone && partition.notices.is_empty(), "{id} keeps limits of spenders, stops or e-mails");
    rule!(partition.contacts.is_none(), "{id} keeps its contacts");
    // A process that read the account before may keep a refusal of that moment.
    let later = account.closed_at.map(|closed_at| closed_at + SignedDuration::from_mins(15));
    let is_kept = |row: &&RefusalRow| match &row.refused {
        Refused::One(one) => Some(one.at) >= later,
        Refused::More(more) => Some(more.first_at) >= later,
    };
    rule!(!partition.refusals.values().any(|row| is_kept(&row)), "{id} keeps a request that was refused since");
    Ok(())
}

/// An act is written with what it did, and with nothing else.
fn check_act(act: &Act, change: &Change) -> Result<(), Broken> {
    let (id, account) = (&act.id, &change.account);
    let is_done = match &act.kind {
        ActKind::Adjusted { key, credits } => {
            let origin = Origin::Adjustment(key.clone());
            change.entries.iter().any(|entry| entry.origin() == origin && entry.credits == *credits)
        }
        ActKind::Imported { source, credits } => {
            let moved = change.entries.iter().find(|entry| entry.origin() == Origin::Import(source.clone()));
            moved.map_or(0, |entry| entry.credits.get()) == credits.get()
        }
        ActKind::Restricted { until } => account.restriction.as_ref().is_some_and(|known| known.until == *until),
        ActKind::RestrictionLifted => account.restriction.is_none(),
        ActKind::NoticeResent { resent_as, .. } => change.notices.iter().any(|notice| notice.id == *resent_as),
        ActKind::Erased => account.closed_at == Some(act.at),
        ActKind::TopUpChecked => change.entries.is_empty(),
        ActKind::Refunded { .. } => crate::refunds::is_asked_for(act, change),
    };
    rule!(is_done, "{id} says {:?}, which was not done with it", act.kind);
    Ok(())
}

/// Every adjustment and every import has one act, and e-mails are sent again within bounds.
fn check_acts(partition: &Partition) -> Result<(), Broken> {
    let moved = partition.acts.values().filter_map(|act| match &act.kind {
        ActKind::Adjusted { key, .. } => Some(Origin::Adjustment(key.clone())),
        // A balance of zero makes no entry.
        ActKind::Imported { source, credits } => (credits.get() != 0).then(|| Origin::Import(source.clone())),
        _ => None,
    });
    let mut moved: Vec<_> = moved.collect();
    moved.sort();
    let is_act = |origin: &&Origin| matches!(origin, Origin::Adjustment(_) | Origin::Import(_));
    let entries: Vec<_> = partition.entries.keys().filter(is_act).cloned().collect();
    rule!(moved == entries, "the acts say that {moved:?} moved credits");
    let resent = partition.acts.values().filter_map(|act| match &act.kind {
        ActKind::NoticeResent { notice, .. } => Some((act.at, notice)),
        _ => None,
    });
    let mut resent: Vec<_> = resent.collect();
    resent.sort();
    for (place, (at, id)) in resent.iter().enumerate() {
        let earlier = &resent[..place];
        let within = |hours| {
            let since = *at - SignedDuration::from_hours(hours);
            earlier.iter().filter(move |(earlier, _)| *earlier > since)
        };
        rule!(within(24).count() < 5, "more than five e-mails are sent again within a day");
        rule!(within(1).all(|(_, earlier)| earlier != id), "{id} is sent again twice within an hour");
        if partition.erasure.is_some() {
            continue;
        }
        let Some(notice) = partition.notices.get(*id) else { return Err(format!("{id} does not exist")) };
        let is_given_up = *at >= notice.created_at + SignedDuration::from_hours(6);
        let is_sent = notice.sent_at.is_some_and(|sent_at| sent_at <= *at);
        rule!(is_sent || is_given_up, "{id} is sent again although it is still being sent");
    }
    Ok(())
}

/// The cents of those attempts of a month that were paid or can still be paid.
fn counted<'a>(attempts: impl Iterator<Item = &'a TopUp>, month: Date) -> i64 {
    let of_month = attempts.filter(|attempt| month_of(attempt.opened_at) == month);
    let can_be_paid = |status| !matches!(status, TopUpStatus::Refused(_) | TopUpStatus::Abandoned);
    of_month.filter(|attempt| can_be_paid(attempt.status)).map(|attempt| attempt.price.minor()).sum()
}

/// The first day of the month in UTC.
fn month_of(instant: Timestamp) -> Date {
    instant.to_zoned(TimeZone::UTC).date().first_of_month()
}

fn start_of_next_month(instant: Timestamp) -> Timestamp {
    let next = month_of(instant).checked_add(1.month()).expect("the calendar does not end here");
    next.to_zoned(TimeZone::UTC).expect("a day has a midnight").timestamp()
}

/// The smallest top-up of the reference price book, in cents.
const SMALLEST: i64 = 1_000;

/// A top-up opens only if every gate is open, for the credits that are missing, or for what the monthly cap leaves.
fn check_opening(before: Option<&Account>, top_up: &TopUp, used: i64) -> Result<(), Broken> {
    let id = &top_up.id;
    let Some(account) = before else { return Err(format!("{id} opens on no account")) };
    let settings = account.auto_top_up.as_ref().filter(|settings| settings.is_enabled);
    let Some(settings) = settings else { return Err(format!("{id} opens although top-ups are off")) };
    rule!(top_up.status == TopUpStatus::Open, "{id} is new and not open");
    rule!(account.open_top_up.is_none(), "{id} opens while another top-up is open");
    rule!(account.payment_issue.is_none(), "{id} opens while top-ups are paused");
    rule!(account.reversal_pause.is_none(), "{id} opens although a payment went back");
    let is_stopped = account.spending.is_some_and(|spending| spending.is_stopped);
    rule!(!is_stopped, "{id} opens while spending is stopped");
    let (balance, threshold, target) = (account.balance.get(), settings.threshold.get(), settings.target.get());
    rule!(balance < threshold, "{id} opens at a balance of {balance}, which is not below {threshold}");
    rule!(top_up.payment_method == account.payment_method, "{id} has another card than the account");
    let missing = (target - balance).min(target);
    let left = settings.cap.map_or(i64::MAX, |cap| cap.max.minor() - used);
    rule!(left >= SMALLEST, "{id} opens although the month leaves only {left} cents");
    // A credit costs a cent here.
    let missing = missing.min(left);
    rule!(top_up.credits.get() == missing, "{id} is for {} credits where {missing} are missing", top_up.credits);
    rule!(top_up.price.minor() == missing, "{id} costs {} for {missing} credits", top_up.price);
    Ok(())
}

/// What is kept of refused requests stays small, and a request that took credits is not among them.
fn check_refusals(partition: &Partition) -> Result<(), Broken> {
    let mut slots = BTreeMap::<i64, usize>::new();
    for (place, row) in &partition.refusals {
        let count = slots.entry(place.minute()).or_default();
        *count += 1;
        rule!(*count <= 16, "a minute has {count} rows of refused requests");
        let Refused::One(refused) = &row.refused else { continue };
        let entry = partition.entries.get(&Origin::Charge(refused.key.clone()));
        let is_taken = entry.is_some_and(|entry| match &entry.cause {
            Cause::Charge { request_id, .. } => *request_id == refused.request_id,
            _ => false,
        });
        rule!(!is_taken, "the request that made charge {} is shown as refused", refused.key);
    }
    Ok(())
}

/// The consistency of one account's items.
fn check_partition(partition: &Partition) -> Result<(), Broken> {
    let Some(account) = &partition.account else { return Err("items without an account".into()) };
    let id = &account.id;
    let mut entries: Vec<_> = partition.entries.values().collect();
    entries.sort_by_key(|entry| entry.seq);
    let mut balance = 0;
    for (expected, entry) in (1..).zip(&entries) {
        rule!(entry.seq == expected, "{id} has no entry {expected}, but one {}", entry.seq);
        balance += entry.credits.get();
        rule!(entry.balance_after.get() == balance, "entry {expected} of {id} states another balance than the sum");
        if let Cause::Restore { charge } = &entry.cause {
            let charged = partition.entries.get(&Origin::Charge(charge.clone()));
            let taken = charged.map(|charged| -charged.credits.get());
            let captured = |pending: &PendingCharge| match pending.end {
                Some(end) if matches!(end.ending, Ending::Captured { .. }) => Some(end.credits_kept.get()),
                _ => None,
            };
            let kept = partition.pending.get(charge).map_or(taken, captured);
            rule!(kept == Some(entry.credits.get()), "the restore of {charge} does not return what the charge kept");
        }
    }
    check_pending_charges(partition, account)?;
    for (origin, entry) in &partition.entries {
        rule!(is_origin_of(origin, &entry.cause), "{id} keeps an entry for {:?} under {origin}", entry.cause);
    }
    let is_numbered = |entry: &&&Entry| !matches!(entry.cause, Cause::Reversal { .. });
    let mut causes: Vec<_> = entries.iter().filter(is_numbered).map(|entry| cause(entry)).collect();
    causes.sort_unstable();
    for pair in causes.windows(2) {
        rule!(pair[0] != pair[1], "{id} has two entries for the {} {}", pair[0].0, pair[0].1);
    }
    rule!(entries.len() as u64 == account.seq, "{id} counts {} entries and has {}", account.seq, entries.len());
    rule!(balance == account.balance.get(), "the entries of {id} sum up to {balance}, not {}", account.balance);

    let with = |is_such: fn(TopUpStatus) -> bool| {
        let such = partition.top_ups.values().filter(move |top_up| is_such(top_up.status));
        such.map(|top_up| &top_up.id).collect::<Vec<_>>()
    };
    let open = with(|status| matches!(status, TopUpStatus::Open | TopUpStatus::Processing));
    rule!(open == Vec::from_iter(&account.open_top_up), "the open top-ups of {id} are {open:?}");
    let pausing = with(|status| matches!(status, TopUpStatus::Declined(_) | TopUpStatus::ActionRequired));
    let issue = account.payment_issue.as_ref().map(|issue| &issue.top_up);
    // A permanent refusal pauses top-ups until the customer saves new settings.
    let refused = with(|status| matches!(status, TopUpStatus::Refused(_)));
    let issue = issue.filter(|issue| !refused.contains(issue));
    rule!(pausing == Vec::from_iter(issue), "{id} is paused by {issue:?}, its unpaid top-ups are {pausing:?}");
    if let Some(settings) = &account.auto_top_up {
        let consent = partition.consents.get(&settings.consent.id);
        let is_kept = consent.is_some_and(|kept| {
            let is_same_cap = kept.max_per_month == settings.cap.map(|cap| cap.max);
            is_same_cap && kept.target == settings.target && kept.consent == settings.consent
        });
        rule!(is_kept, "{id} is topped up under a consent that was not stored");
        if let (Some(cap), Some(last)) = (settings.cap, account.last_top_up_at) {
            let used = counted(partition.top_ups.values(), month_of(last));
            rule!(cap.used == used, "{id} counts {} cents in the month of {last}, its attempts cost {used}", cap.used);
        }
    }
    check_acts(partition)?;
    check_events(partition)?;
    crate::contacts::check_confirmations(&partition.notices)?;
    check_notices(partition)
}

/// The instant from which a pending charge cannot be captured.
fn time_is_up(pending: &PendingCharge) -> Timestamp {
    pending.created_at + SignedDuration::from_secs(pending.expires_in.seconds())
}

/// What the pending charges of an account hold, and what those that have ended gave back.
fn check_pending_charges(partition: &Partition, account: &Account) -> Result<(), Broken> {
    let held = partition.pending.values().filter(|pending| pending.end.is_none());
    let held: i64 = held.map(|pending| pending.credits.get()).sum();
    rule!(account.pending.get() == held, "{} says that {} are pending, not {held}", account.id, account.pending);
    for (key, pending) in &partition.pending {
        let ends = [Origin::Capture(key.clone()), Origin::Void(key.clone()), Origin::Expiry(key.clone())];
        let entries = || [Origin::Charge(key.clone())].into_iter().chain(ends.clone());
        let moved: i64 = entries().filter_map(|origin| partition.entries.get(&origin)).map(|e| e.credits.get()).sum();
        let kept = pending.end.map_or(pending.credits, |end| end.credits_kept);
        rule!(moved == -kept.get(), "{key} keeps {kept} and moved {moved}");
    }
    for origin in partition.entries.keys() {
        if let Origin::Capture(key) | Origin::Void(key) | Origin::Expiry(key) = origin {
            rule!(partition.pending.get(key).is_some_and(|pending| pending.end.is_some()), "{key} ends and is pending");
        }
    }
    Ok(())
}

fn is_origin_of(origin: &Origin, cause: &Cause) -> bool {
    match (origin, cause) {
        (Origin::Charge(named), Cause::Charge { key, .. }) => named == key,
        (Origin::Capture(named), Cause::Capture { charge, .. })
        | (Origin::Void(named), Cause::Void { charge })
        | (Origin::Expiry(named), Cause::Expiry { charge })
        | (Origin::Restore(named), Cause::Restore { charge }) => named == charge,
        (Origin::Purchase(named), Cause::Purchase { purchase, .. }) => named == purchase,
        (Origin::TopUp(named), Cause::TopUp { top_up }) => named == top_up,
        (Origin::Reversal(named, counted), Cause::Reversal { paid_for, number, .. }) => {
            (named, counted) == (paid_for, number)
        }
        (Origin::Adjustment(named), Cause::Adjustment { key, .. }) => named == key,
        (Origin::Import(named), Cause::Import { source, .. }) => named == source,
        _ => false,
    }
}

/// The cause of an entry; there may be only one entry per cause.
fn cause(entry: &Entry) -> (&'static str, &str) {
    match &entry.cause {
        Cause::Charge { key, .. } => ("charge", key.as_str()),
        Cause::Capture { charge, .. } => ("capture of", charge.as_str()),
        Cause::Void { charge } => ("void of", charge.as_str()),
        Cause::Expiry { charge } => ("expiry of", charge.as_str()),
        Cause::Restore { charge } => ("restore of", charge.as_str()),
        Cause::Purchase { purchase, .. } => ("purchase", purchase.as_str()),
        Cause::TopUp { top_up } => ("top-up", top_up.as_str()),
        Cause::Reversal { paid_for, .. } => ("reversal of", paid_for.as_str()),
        Cause::Adjustment { key, .. } => ("adjustment", key.as_str()),
        Cause::Import { source, .. } => ("import", source.as_str()),
    }
}

/// Whether this e-mail was owed before: support sends it again, or it bounced.
pub fn is_sent_again(change: &Change, notice: &Notice) -> bool {
    let is_resent = |record: &Record| match record {
        Record::Act(act) => matches!(&act.kind, ActKind::NoticeResent { resent_as, .. } if *resent_as == notice.id),
        _ => false,
    };
    notice.returned_at.is_some() || !notice.tried.is_empty() || change.records.iter().any(is_resent)
}

/// One notice for each transition, and none without one.
fn check_notices(partition: &Partition) -> Result<(), Broken> {
    if partition.erasure.is_some() {
        // They are erased, and nobody is told anything any more.
        return Ok(());
    }
    let is_resent = |id: &NoticeId| {
        let mut acts = partition.acts.values();
        acts.any(|act| matches!(&act.kind, ActKind::NoticeResent { resent_as, .. } if resent_as == id))
    };
    let mut told: Vec<_> = partition
        .notices
        .values()
        .filter(|notice| !is_resent(&notice.id) && notice.tried.is_empty())
        .filter_map(|notice| match &notice.kind {
            NoticeKind::PurchasePaid { purchase, .. } => Some((purchase.as_str(), "paid")),
            NoticeKind::PurchaseFailed { purchase, .. } => Some((purchase.as_str(), "failed")),
            NoticeKind::TopUpPaid { top_up, .. } => Some((top_up.as_str(), "paid")),
            NoticeKind::TopUpDeclined { top_up, .. }
            | NoticeKind::TopUpActionRequired { top_up, .. }
            | NoticeKind::TopUpRefused { top_up, .. } => Some((top_up.as_str(), "failed")),
            NoticeKind::TopUpAbandoned { top_up, .. } => Some((top_up.as_str(), "given up")),
            NoticeKind::InvoiceIssued { .. }
            | NoticeKind::InvoiceReminder { .. }
            | NoticeKind::InvoiceVoided { .. }
            | NoticeKind::PaymentReminder { .. }
            | NoticeKind::CardExpiring { .. }
            | NoticeKind::ContactConfirmation { .. }
            | NoticeKind::ContactsChanged(_)
            | NoticeKind::LowBalance { .. }
            // Each has an entry of its own, which says what it tells.
            | NoticeKind::CreditsTakenBack(_)
            | NoticeKind::CreditsGivenBack(_) => None,
        })
        .collect();
    told.sort_unstable();
    for pair in told.windows(2) {
        rule!(pair[0] != pair[1], "two notices that {} {}", pair[0].0, pair[0].1);
    }
    let is_told = |id, what| told.binary_search(&(id, what)).is_ok();
    for top_up in partition.top_ups.values() {
        let (id, status) = (top_up.id.as_str(), top_up.status);
        let is_paid = matches!(status, TopUpStatus::Paid | TopUpStatus::PartlyPaid);
        rule!(is_told(id, "paid") == is_paid, "{id} is {status:?}, the notice differs");
        let is_failed =
            matches!(status, TopUpStatus::Declined(_) | TopUpStatus::ActionRequired | TopUpStatus::Refused(_));
        rule!(!is_failed || is_told(id, "failed"), "no notice says that {id} failed");
    }
    for purchase in partition.purchases.values() {
        let (id, is_paid) = (purchase.id.as_str(), purchase.status == PurchaseStatus::Paid);
        rule!(is_told(id, "paid") == is_paid, "{id} is {:?}, the notice differs", purchase.status);
        // The customer who asks for an invoice is answered at once that none is made.
        let is_failed = purchase.status == PurchaseStatus::Failed && purchase.by_invoice.is_none();
        rule!(!is_failed || is_told(id, "failed"), "no notice says that {id} failed");
    }
    Ok(())
}

/// One event for each payment, and none without one. Of a pause, the last event says whether it lasts.
fn check_events(partition: &Partition) -> Result<(), Broken> {
    // Those of a closed account are erased.
    if partition.account.as_ref().is_some_and(|account| account.closed_at.is_some()) {
        return Ok(());
    }
    let events = || partition.outbox.values();
    let count = |id: &str| {
        let is_of = |event: &&OutboundEvent| match &event.kind {
            OutboundEventKind::PurchasePaid { purchase, .. } => purchase.as_str() == id,
            OutboundEventKind::TopUpPaid { top_up, .. } => top_up.as_str() == id,
            _ => false,
        };
        events().filter(is_of).count()
    };
    for purchase in partition.purchases.values() {
        let expected = usize::from(purchase.status == PurchaseStatus::Paid);
        rule!(count(purchase.id.as_str()) == expected, "{} is {:?}, the events differ", purchase.id, purchase.status);
    }
    for top_up in partition.top_ups.values() {
        let (id, status) = (&top_up.id, top_up.status);
        let expected = usize::from(matches!(status, TopUpStatus::Paid | TopUpStatus::PartlyPaid));
        rule!(count(id.as_str()) == expected, "{id} is {status:?}, the events differ");
        let told = |name: &str| {
            let is_told = |event: &&OutboundEvent| match &event.kind {
                OutboundEventKind::TopUpPaused { top_up, .. }
                | OutboundEventKind::TopUpResumed { top_up }
                | OutboundEventKind::PaymentActionRequired { top_up, .. } => top_up == id && event.kind.name() == name,
                _ => false,
            };
            events().filter(is_told).count()
        };
        let issue = partition.account.as_ref().and_then(|account| account.payment_issue.as_ref());
        let is_paused = issue.is_some_and(|issue| issue.top_up == *id);
        let expected = told("top_up.resumed") + usize::from(is_paused);
        rule!(told("top_up.paused") == expected, "the events of the pause by {id} are not those of its state");
        let asked_again = |retry: &&TopUpRetry| retry.top_up == *id && retry.status == TopUpStatus::ActionRequired;
        let actions_max = told("top_up.paused") + partition.retries.values().filter(asked_again).count();
        let actions = told("payment.action_required");
        rule!(actions <= actions_max, "{id} asks for {actions} actions, of which {actions_max} are known");
        rule!(status != TopUpStatus::ActionRequired || actions > 0, "{id} asks for no action");
    }
    let restricted = events().filter(|event| event.kind.name() == "account.restricted").count();
    let acts = partition.acts.values().filter(|act| matches!(act.kind, ActKind::Restricted { .. })).count();
    rule!(restricted == acts, "{acts} restrictions have {restricted} events");
    Ok(())
}

/// Once every event was delivered, no customer is sent to a closed page.
///
/// # Errors
/// The first broken rule.
pub fn check_pages(world: &World) -> Result<(), Broken> {
    let tables = world.ledger.tables();
    let stripe = world.stripe();
    let purchases = tables.partitions.values().flat_map(|partition| partition.purchases.values());
    for purchase in purchases.filter(|purchase| purchase.status == PurchaseStatus::Open) {
        let Some(checkout) = &purchase.checkout else { continue };
        let page = stripe.sessions.iter().find(|page| page.id == checkout.session);
        let status = page.map(|page| page.status);
        rule!(status == Some(SessionStatus::Open), "{} leads to a page that is {status:?}", purchase.id);
    }
    Ok(())
}

/// The rules at rest, when the faults are over, everything was repeated, and the time windows are over.
///
/// # Errors
/// The first broken rule.
pub fn check_at_rest(world: &World) -> Result<(), Broken> {
    let tables = world.ledger.tables();
    let stripe = world.stripe();
    let now = world.time();
    crate::reconciliation::check_at_rest(&tables, &stripe)?;
    crate::disputes::check_at_rest(&tables, &stripe, now)?;
    for imported in tables.imported.values() {
        let id = &imported.account;
        rule!(tables.listed.contains_key(id), "{id} was imported and is in no directory");
    }
    for (id, partition) in &tables.partitions {
        check_partition(partition)?;
        crate::chain::check_partition(partition)?;
        for top_up in partition.top_ups.values() {
            check_settled(partition, top_up, &stripe)?;
        }
        for purchase in partition.purchases.values() {
            let is_cause = |cause: &Cause| matches!(cause, Cause::Purchase { purchase: of, .. } if *of == purchase.id);
            if purchase.by_invoice.is_some() {
                let listed = tables.due_unpaid.get(&(id.clone(), Invoiced::Purchase(purchase.id.clone())));
                let grants = granted(partition, is_cause);
                crate::invoices::check_at_rest(purchase, (grants, listed, now), &stripe)?;
                continue;
            }
            check_purchase_settled(partition, purchase, &stripe)?;
        }
        crate::returns::check_at_rest(id, partition, &stripe)?;
        for notice in partition.notices.keys() {
            let is_in_vain = world.readers().undeliverable.contains(notice);
            rule!(world.outbox().is_sent(notice) || is_in_vain, "{notice} was never sent");
        }
        let history: Vec<_> = tables.history.get(id).into_iter().flat_map(BTreeMap::values).collect();
        let mut entries: Vec<_> = partition.entries.values().collect();
        entries.sort_by_key(|entry| entry.seq);
        rule!(history == entries, "the history of {id} is not its entries");
        let (folded, block) = (partition.usage_cursor.through_seq, FOLD_LIMITS.block);
        let behind = entries.len() as u64 - folded.min(entries.len() as u64);
        rule!(behind < block, "{behind} entries of {id} were never folded");
        crate::alerts::check_at_rest(partition, tables.due_alerts.get(id), now)?;
        crate::expiring::check_at_rest(partition, tables.due_cards.get(id), &stripe, now)?;
        for (key, pending) in &partition.pending {
            let due_at = pending.end.is_none().then(|| time_is_up(pending));
            let listed = tables.due_charges.get(&(id.clone(), key.clone()));
            rule!(listed == due_at.as_ref(), "{key} of {id} is due at {due_at:?}, not {listed:?}");
            rule!(due_at.is_none_or(|due_at| due_at > now), "{key} of {id} was due at {due_at:?}, and no run came");
        }
        for (top_up, attempt) in &partition.top_ups {
            let is_unpaid = matches!(attempt.status, TopUpStatus::Declined(_) | TopUpStatus::ActionRequired);
            let days = [1, 3, 7, 30][usize::from(attempt.reminders).min(3)];
            let since = attempt.ended_at.filter(|_| is_unpaid);
            let due_at = since.map(|since| since + SignedDuration::from_hours(24 * days));
            let listed = tables.due_unpaid.get(&(id.clone(), Invoiced::TopUp(top_up.clone())));
            rule!(listed == due_at.as_ref(), "{top_up} is due at {due_at:?}, not {listed:?}");
            rule!(due_at.is_none_or(|due_at| due_at > now), "{top_up} was due at {due_at:?}, and no run came");
        }
        let due_at = partition.account.as_ref().and_then(due_at);
        // A deleted customer has no cards, and no event reports them any more.
        check_erased(partition)?;
        check_sweep_log(partition)?;
        let is_followed = |account: &&Account| account.closed_at.is_none() && !stripe.is_deleted(&account.customer);
        if let Some(account) = partition.account.as_ref().filter(is_followed) {
            let card = account.payment_method.as_ref();
            let is_chosen = card == stripe.default_cards.get(&account.customer);
            let is_armed = account.auto_top_up.as_ref().is_some_and(|settings| settings.is_enabled);
            let is_without = stripe.without_cards.contains(&account.customer);
            rule!(!is_armed || !is_without, "{id} has removed its last card, and top-ups stay on");
            rule!(is_chosen, "{id} keeps {card:?}, which is not its default");
            crate::remembered::check_at_rest(partition, account, &stripe)?;
            check_default_card(partition, account, &stripe)?;
        }
        rule!(tables.due.get(id) == due_at.as_ref(), "{id} is due at {due_at:?}, not {:?}", tables.due.get(id));
        rule!(due_at.is_none_or(|due_at| due_at > now), "{id} was due at {due_at:?}, and no sweep processed it");
    }
    for ((top_up, key), count) in &stripe.retry_asks {
        rule!(*count <= 1, "the bank was asked {count} times for the retry {key} of {top_up}");
    }
    for invoice in &stripe.invoices {
        let partition = tables.partitions.get(&invoice.account);
        let top_up = partition.and_then(|partition| partition.top_ups.get(&invoice.top_up));
        rule!(top_up.is_some_and(|top_up| top_up.price == invoice.amount), "{} belongs to no top-up", invoice.id);
        rule!(
            invoice.off_session_asks <= 1,
            "the bank was asked for {} {} times",
            invoice.id,
            invoice.off_session_asks
        );
    }
    Ok(())
}

/// At most twenty decisions, in their order, and none repeats the one before unless an attempt opened in between.
fn check_sweep_log(partition: &Partition) -> Result<(), Broken> {
    let skips = &partition.sweep_log.skips;
    rule!(skips.len() <= 20, "{} decisions are kept", skips.len());
    for pair in skips.windows(2) {
        let (earlier, later) = (pair[0].at, pair[1].at);
        rule!(earlier <= later, "a decision of {later} is kept after one of {earlier}");
        let is_opening = |top_up: &TopUp| earlier < top_up.opened_at && top_up.opened_at <= later;
        let is_news = pair[0].gate != pair[1].gate || partition.top_ups.values().any(is_opening);
        rule!(is_news, "the decision of {later} is kept although it repeats the one of {earlier}");
    }
    Ok(())
}

/// If the customer has chosen nothing since, the card of the last purchase is the default, in whatever order the
/// purchases became known.
fn check_default_card(partition: &Partition, account: &Account, stripe: &Stripe) -> Result<(), Broken> {
    // Invoices are paid by transfer here, so by no card.
    let by_page = partition.purchases.values().filter(|purchase| purchase.by_invoice.is_none());
    let paid = by_page.filter(|purchase| purchase.status == PurchaseStatus::Paid);
    let Some(last) = paid.max_by_key(|purchase| (purchase.checkout_opened_at, &purchase.id)) else { return Ok(()) };
    let is_newest =
        |choice: &Choice| !choice.is_return && last.checkout_opened_at.is_some_and(|opened_at| choice.at < opened_at);
    if stripe.has_removed(&account.customer) || !stripe.choice_of(&account.customer).is_none_or(is_newest) {
        return Ok(());
    }
    let expected = stripe.card_of(&last.id);
    let default = stripe.default_cards.get(&account.customer);
    // Or the card of an attempt that was paid on its page.
    if default.is_some_and(|card| stripe.has_paid_invoice(&account.customer, card)) {
        return Ok(());
    }
    rule!(default == expected, "the default of {} is {default:?}, its last purchase says {expected:?}", account.id);
    Ok(())
}

fn due_at(account: &Account) -> Option<Timestamp> {
    if account.open_top_up.is_some() {
        return account.last_top_up_at;
    }
    let settings = account.auto_top_up.as_ref()?;
    let is_stopped = account.spending.is_some_and(|spending| spending.is_stopped);
    let is_wanted = settings.is_enabled && !is_stopped;
    let is_paused = account.payment_issue.is_some() || account.reversal_pause.is_some();
    let is_due = is_wanted && account.balance < settings.threshold && !is_paused;
    let Some(last) = account.last_top_up_at else { return is_due.then_some(account.created_at) };
    let is_closed = settings.cap.is_some_and(|cap| cap.max.minor() - cap.used < SMALLEST);
    let month = if is_closed { start_of_next_month(last) } else { last };
    is_due.then(|| month.max(last + INTERVAL))
}

fn granted(partition: &Partition, is_cause: impl Fn(&Cause) -> bool) -> usize {
    partition.entries.values().filter(|entry| is_cause(&entry.cause)).count()
}

fn check_settled(partition: &Partition, top_up: &TopUp, stripe: &Stripe) -> Result<(), Broken> {
    let id = &top_up.id;
    // A process that dies while it closes a top-up leaves an empty draft, which is never sent to the customer.
    let is_empty_draft = |invoice: &&Invoice| invoice.status == InvoiceStatus::Draft;
    let all = stripe.invoices.iter().filter(|invoice| invoice.top_up == *id);
    let invoices: Vec<_> = all.filter(|invoice| !is_empty_draft(invoice)).collect();
    rule!(invoices.len() <= 1, "{id} has {} invoices", invoices.len());
    let grants = granted(partition, |cause| matches!(cause, Cause::TopUp { top_up } if top_up == id));
    let status = invoices.first().map(|invoice| invoice.status);
    let is_called_paid = status == Some(InvoiceStatus::Paid);
    // A credit costs a cent here.
    let received = invoices.first().filter(|_| is_called_paid).map_or(0, |invoice| invoice.received());
    rule!(grants == usize::from(received > 0), "{id} was granted {grants} times, {received} cents were received");
    let credits: i64 = partition
        .entries
        .values()
        .filter(|entry| entry.origin() == Origin::TopUp(id.clone()))
        .map(|entry| entry.credits.get())
        .sum();
    rule!(credits == received, "{id} granted {credits} credits for {received} cents");
    let price = top_up.price.minor();
    let is_consistent = match top_up.status {
        TopUpStatus::Open | TopUpStatus::Processing => false,
        TopUpStatus::Paid => received == price,
        TopUpStatus::PartlyPaid => received > 0 && received < price,
        TopUpStatus::Declined(_) | TopUpStatus::ActionRequired => status == Some(InvoiceStatus::Open),
        TopUpStatus::Refused(_) | TopUpStatus::Abandoned => match status {
            None | Some(InvoiceStatus::Void) => true,
            Some(InvoiceStatus::Paid) => received == 0,
            Some(InvoiceStatus::Draft | InvoiceStatus::Open) => false,
        },
    };
    let can_be_paid = matches!(top_up.status, TopUpStatus::Declined(_) | TopUpStatus::ActionRequired);
    let known = invoices.first().map(|invoice| &invoice.id);
    rule!(!can_be_paid || top_up.invoice.as_ref() == known, "{id} does not know the invoice that the customer can pay");
    rule!(is_consistent, "{id} stays {:?} although its invoice is {status:?}", top_up.status);
    Ok(())
}

fn check_purchase_settled(partition: &Partition, purchase: &Purchase, stripe: &Stripe) -> Result<(), Broken> {
    let id = &purchase.id;
    let sessions: Vec<_> = stripe.sessions.iter().filter(|session| session.purchase == *id).collect();
    let is_paid = |session: &&&Session| session.status == SessionStatus::Paid;
    let paid = sessions.iter().filter(is_paid).filter(|session| session.currency == "usd").count();
    let is_paid_otherwise = sessions.iter().any(|session| is_paid(&session) && session.currency != "usd");
    rule!(sessions.iter().all(|session| session.amount == purchase.price), "a page of {id} asks for another price");
    let grants = granted(partition, |cause| matches!(cause, Cause::Purchase { purchase, .. } if purchase == id));
    rule!(grants == paid, "{id} was paid {paid} times and granted {grants} times");
    let has_failed = sessions.iter().any(|session| session.status == SessionStatus::Failed);
    let unpaid = if has_failed { PurchaseStatus::Failed } else { PurchaseStatus::Expired };
    let unpaid = if is_paid_otherwise { PurchaseStatus::InReview } else { unpaid };
    let waits_for_page = sessions.is_empty() && stripe.told.refused_purchases.contains(id);
    let unpaid = if waits_for_page { PurchaseStatus::Open } else { unpaid };
    let expected = if paid > 0 { PurchaseStatus::Paid } else { unpaid };
    rule!(purchase.status == expected, "{id} stays {:?} although it is {expected:?}", purchase.status);
    Ok(())
}
