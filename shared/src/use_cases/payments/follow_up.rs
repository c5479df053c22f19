//! The run over what is unpaid: the reminders of a pause and its end after 30 days, and those of a purchase by invoice.
//!
//! Each is asked about at Stripe first, so a payment whose event was lost is granted, and nobody is reminded of
//! what is paid. What is not known stays due, and the next run asks again.

use super::check_purchase::reported;
use super::issue_invoice::{IssueInvoiceError, issue_invoice, stored_purchase};
use super::record_outcome::{RecordOutcomeError, beside_outcome, record_purchase_outcome};
use super::top_up::stored_top_up;
use crate::domain::payments::{
    Asked, BesideOutcome, CheckoutOutcome, Invoiced, TopUpOutcome, decide_follow_up, decide_invoice_reminder,
};
use crate::domain::{Account, AccountId, NoticeId, Purchase, PurchaseId, PurchaseStatus, TopUp, TopUpId, TopUpStatus};
use crate::error::chain;
use crate::ports::{
    Accounts, AskedCards, Consents, DueUnpaid, LedgerError, Payments, PaymentsError, Purchases, Shard, TopUps, Unpaid,
};
use crate::use_cases::shards::on_all_shards;
use crate::use_cases::{Capabilities, Context, OutsideError, StoreError, Updated};
use jiff::Timestamp;
use std::ops::AddAssign;
use std::sync::Arc;

/// What a run did. `due` is the sum of all the others except `is_cut_short`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FollowUpSummary {
    pub due: u64,
    pub reminded: u64,
    /// The invoice of a purchase was made and told, because the customer's own request had died.
    pub issued: u64,
    /// It was paid, its invoice was voided, or a person has to look into it.
    pub ended: u64,
    /// Stripe gave no definite answer, or a payment is under way. The next run asks again.
    pub unknown: u64,
    /// Another run or a payment was first.
    pub skipped: u64,
    /// The log says why. The next run tries again.
    pub failed: u64,
    /// Whether time ran out first. The next run does the rest.
    pub is_cut_short: bool,
}

/// What was done about one attempt or purchase.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FollowedUp {
    Reminded,
    Issued,
    Ended,
    Unknown,
    Skipped,
}

/// Follows up everything unpaid of which something is due. None begins after `begin_before`.
///
/// # Errors
/// Only if a shard cannot be listed. The others have been worked on by then.
pub async fn follow_up<C>(context: &Context<C>, begin_before: Timestamp) -> Result<FollowUpSummary, StoreError>
where
    C: Capabilities<Ledger: Accounts + AskedCards + Consents + Purchases + TopUps + DueUnpaid, Payments: Payments>,
{
    let run = Run { context, due_by: context.now(), begin_before };
    on_all_shards("what is unpaid and due", |shard| run.follow_up_shard(shard)).await
}

struct Run<'a, C: Capabilities> {
    context: &'a Context<C>,
    due_by: Timestamp,
    begin_before: Timestamp,
}

impl<C> Run<'_, C>
where
    C: Capabilities<Ledger: Accounts + AskedCards + Consents + Purchases + TopUps + DueUnpaid, Payments: Payments>,
{
    async fn follow_up_shard(&self, shard: Shard) -> Result<FollowUpSummary, LedgerError> {
        let mut sum = FollowUpSummary::default();
        let mut after = None;
        loop {
            if self.is_time_up() {
                sum.is_cut_short = true;
                return Ok(sum);
            }
            let page = self.context.ledger.due_unpaid(shard, self.due_by, after).await?;
            for Unpaid { account, what, .. } in &page.unpaid {
                if self.is_time_up() {
                    sum.is_cut_short = true;
                    return Ok(sum);
                }
                let followed_up = match what {
                    Invoiced::Purchase(purchase) => follow_up_purchase(self.context, account, purchase).await,
                    Invoiced::TopUp(top_up) => follow_up_top_up(self.context, account, top_up).await,
                };
                let id = what.id();
                match &followed_up {
                    Ok(done) => {
                        tracing::info!(account.id = %account, unpaid.id = id, outcome = ?done, "followed up");
                    }
                    Err(error) => {
                        tracing::error!(account.id = %account, unpaid.id = id, error = %chain(error), "what is unpaid could not be followed up");
                    }
                }
                sum.count(followed_up);
            }
            if page.next.is_none() {
                return Ok(sum);
            }
            after = page.next;
        }
    }

    fn is_time_up(&self) -> bool {
        self.context.now() >= self.begin_before
    }
}

async fn follow_up_top_up<C>(
    context: &Context<C>,
    account: &AccountId,
    top_up: &TopUpId,
) -> Result<FollowedUp, RecordOutcomeError>
where
    C: Capabilities<Ledger: Accounts + AskedCards + Consents + TopUps, Payments: Payments>,
{
    let read = || async { Ok::<_, RecordOutcomeError>(stored_top_up(context, account, top_up).await?) };
    let attempt = read().await?;
    let now = context.now();
    if attempt.unpaid_due_at().is_none_or(|due_at| due_at > now) {
        return Ok(FollowedUp::Skipped);
    }
    let asked = if attempt.is_given_up_at(now) {
        Asked { outcome: context.payments.top_up_void(&attempt).await, is_waiting: false }
    } else {
        look_up(context, &attempt).await
    };
    let outcome = &asked.outcome;
    let read_and_offer = |owner: Arc<Account>| async move {
        let attempt = read().await?;
        let beside = beside_outcome(context, &owner, (&attempt, outcome)).await?;
        Ok::<_, RecordOutcomeError>((attempt, beside))
    };
    let decide = |account: &Account, (attempt, beside): &(TopUp, BesideOutcome), now| {
        let notice = context.mint(NoticeId::mint, now);
        let change = decide_follow_up(account, attempt, &asked, notice, now)?;
        Ok::<_, RecordOutcomeError>(change.map(|change| change.with_beside(account, beside, now)))
    };
    Ok(match context.update_with(account, read_and_offer, decide).await? {
        Updated::Committed(change, _) => match change.top_up().map(|attempt| attempt.status) {
            Some(TopUpStatus::Declined(_) | TopUpStatus::ActionRequired) => FollowedUp::Reminded,
            _ => FollowedUp::Ended,
        },
        Updated::Unchanged(_, (attempt, _)) if attempt.unpaid_since().is_some() => FollowedUp::Unknown,
        // It ended, or another report granted it, a moment ago.
        Updated::Unchanged(..) | Updated::Duplicate(_) => FollowedUp::Skipped,
    })
}

/// The invoice of a purchase: made if the customer's request died before, recorded if it is paid or void, voided if it is
/// given up, and otherwise the customer is reminded.
async fn follow_up_purchase<C>(
    context: &Context<C>,
    account: &AccountId,
    id: &PurchaseId,
) -> Result<FollowedUp, RecordOutcomeError>
where
    C: Capabilities<Ledger: Accounts + AskedCards + Purchases, Payments: Payments>,
{
    let stored = stored_purchase(context, account, id).await?;
    let now = context.now();
    if stored.invoice_due_at().is_none_or(|due_at| due_at > now) {
        return Ok(FollowedUp::Skipped);
    }
    if stored.issued().is_none() {
        return issue(context, account, stored).await;
    }
    let asked = match stored.invoice.as_ref().filter(|_| stored.is_invoice_given_up_at(now)) {
        Some(invoice) => context.payments.purchase_invoice_void(invoice).await,
        None => reported(context, &stored).await,
    };
    let outcome = match asked {
        Ok(outcome) => outcome,
        Err(error) => {
            warn(&error, id.as_str());
            return Ok(FollowedUp::Unknown);
        }
    };
    let recorded = record_purchase_outcome(context, account, id, &outcome).await?;
    if recorded.invoice_due_at().is_none() {
        return Ok(FollowedUp::Ended);
    }
    let CheckoutOutcome::Waiting { .. } = outcome else { return Ok(FollowedUp::Unknown) };
    let read = |_| async { Ok::<_, RecordOutcomeError>(stored_purchase(context, account, id).await?) };
    let decide = |account: &Account, purchase: &Purchase, now| {
        let notice = context.mint(NoticeId::mint, now);
        Ok::<_, RecordOutcomeError>(decide_invoice_reminder(account, purchase, &outcome, notice, now))
    };
    Ok(match context.update_with(account, read, decide).await? {
        Updated::Committed(change, _) => match change.purchase().map(|purchase| purchase.status) {
            Some(PurchaseStatus::InReview) => {
                tracing::error!(account.id = %account, purchase.id = %id, "an invoice is overdue and a part of it is paid; a person has to investigate");
                FollowedUp::Ended
            }
            _ => FollowedUp::Reminded,
        },
        Updated::Unchanged(..) | Updated::Duplicate(_) => FollowedUp::Skipped,
    })
}

/// Makes an invoice that the customer's own request did not make.
async fn issue<C>(
    context: &Context<C>,
    account: &AccountId,
    purchase: Purchase,
) -> Result<FollowedUp, RecordOutcomeError>
where
    C: Capabilities<Ledger: Accounts + Purchases, Payments: Payments>,
{
    let issued = async {
        let owner = context.account::<IssueInvoiceError>(account).await?;
        issue_invoice(context, &owner, purchase).await
    };
    match issued.await {
        Ok(_) => Ok(FollowedUp::Issued),
        Err(IssueInvoiceError::Refused(_)) => Ok(FollowedUp::Ended),
        Err(IssueInvoiceError::NotFound(missing)) => Err(missing.into()),
        Err(IssueInvoiceError::Outside(OutsideError::Store(error))) => Err(error.into()),
        Err(IssueInvoiceError::Outside(OutsideError::Payments(error))) => Err(RecordOutcomeError::Payments(error)),
    }
}

/// What the invoice says. Nothing is concluded without an answer.
async fn look_up<C: Capabilities<Payments: Payments>>(context: &Context<C>, attempt: &TopUp) -> Asked {
    const NO_ANSWER: Asked = Asked { outcome: TopUpOutcome::Unknown, is_waiting: false };
    let Some(invoice) = &attempt.invoice else { return NO_ANSWER };
    match context.payments.invoice_get(invoice).await {
        Ok(report) => Asked { outcome: report.outcome, is_waiting: report.is_waiting },
        Err(error) => {
            warn(&error, attempt.id.as_str());
            NO_ANSWER
        }
    }
}

fn warn(error: &PaymentsError, unpaid: &str) {
    let (is_retryable, error) = (error.is_retryable(), chain(error));
    if is_retryable {
        tracing::warn!(unpaid.id = unpaid, error, "an unpaid invoice cannot be looked up now");
    } else {
        tracing::error!(unpaid.id = unpaid, error, "an unpaid invoice cannot be looked up");
    }
}

impl FollowUpSummary {
    fn count(&mut self, followed_up: Result<FollowedUp, RecordOutcomeError>) {
        let counter = match followed_up {
            Ok(FollowedUp::Reminded) => &mut self.reminded,
            Ok(FollowedUp::Issued) => &mut self.issued,
            Ok(FollowedUp::Ended) => &mut self.ended,
            Ok(FollowedUp::Unknown) => &mut self.unknown,
            Ok(FollowedUp::Skipped) => &mut self.skipped,
            Err(_) => &mut self.failed,
        };
        *counter += 1;
        self.due += 1;
    }
}

impl AddAssign for FollowUpSummary {
    fn add_assign(&mut self, other: Self) {
        self.due += other.due;
        self.reminded += other.reminded;
        self.issued += other.issued;
        self.ended += other.ended;
        self.unknown += other.unknown;
        self.skipped += other.skipped;
        self.failed += other.failed;
        self.is_cut_short |= other.is_cut_short;
    }
}
