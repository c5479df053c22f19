//! The run over unpaid attempts: the reminders of a pause, and its end after 30 days.
//!
//! Each attempt is asked about at Stripe first, so a payment whose event was lost is granted, and nobody is reminded of
//! what is paid. An attempt whose outcome is not known stays due, and the next run asks again.

use super::record_outcome::{RecordOutcomeError, asked_before_outcome};
use super::top_up::stored_top_up;
use crate::domain::payments::{Asked, AskedCard, TopUpOutcome, decide_follow_up};
use crate::domain::{Account, AccountId, NoticeId, TopUp, TopUpId, TopUpStatus};
use crate::error::chain;
use crate::ports::{Accounts, AskedCards, DueTopUp, DueTopUps, LedgerError, Payments, PaymentsError, Shard, TopUps};
use crate::use_cases::shards::on_all_shards;
use crate::use_cases::{Capabilities, Context, StoreError, Updated};
use jiff::Timestamp;
use std::ops::AddAssign;
use std::sync::Arc;

/// What a run did. `due` is the sum of all the others except `is_cut_short`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FollowUpSummary {
    pub due: u64,
    pub reminded: u64,
    /// It was paid, or its invoice was voided.
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

/// What was done about one attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FollowedUp {
    Reminded,
    Ended,
    Unknown,
    Skipped,
}

/// Follows up all unpaid attempts of which something is due. None begins after `begin_before`.
///
/// # Errors
/// Only if a shard cannot be listed. The others have been worked on by then.
pub async fn follow_up<C>(context: &Context<C>, begin_before: Timestamp) -> Result<FollowUpSummary, StoreError>
where
    C: Capabilities<Ledger: Accounts + AskedCards + TopUps + DueTopUps, Payments: Payments>,
{
    let run = Run { context, due_by: context.now(), begin_before };
    on_all_shards("the unpaid attempts that are due", |shard| run.follow_up_shard(shard)).await
}

struct Run<'a, C: Capabilities> {
    context: &'a Context<C>,
    due_by: Timestamp,
    begin_before: Timestamp,
}

impl<C: Capabilities<Ledger: Accounts + AskedCards + TopUps + DueTopUps, Payments: Payments>> Run<'_, C> {
    async fn follow_up_shard(&self, shard: Shard) -> Result<FollowUpSummary, LedgerError> {
        let mut sum = FollowUpSummary::default();
        let mut after = None;
        loop {
            if self.is_time_up() {
                sum.is_cut_short = true;
                return Ok(sum);
            }
            let page = self.context.ledger.due_top_ups(shard, self.due_by, after).await?;
            for DueTopUp { account, top_up, .. } in &page.top_ups {
                if self.is_time_up() {
                    sum.is_cut_short = true;
                    return Ok(sum);
                }
                let followed_up = follow_up_one(self.context, account, top_up).await;
                match &followed_up {
                    Ok(done) => {
                        tracing::info!(account.id = %account, top_up.id = %top_up, outcome = ?done, "followed up");
                    }
                    Err(error) => {
                        tracing::error!(account.id = %account, top_up.id = %top_up, error = %chain(error), "an unpaid attempt could not be followed up");
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

async fn follow_up_one<C>(
    context: &Context<C>,
    account: &AccountId,
    top_up: &TopUpId,
) -> Result<FollowedUp, RecordOutcomeError>
where
    C: Capabilities<Ledger: Accounts + AskedCards + TopUps, Payments: Payments>,
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
    let read_with_card = |owner: Arc<Account>| async move {
        Ok::<_, RecordOutcomeError>((read().await?, asked_before_outcome(context, &owner, outcome).await?))
    };
    let decide = |account: &Account, (attempt, card): &(TopUp, AskedCard), now| {
        let notice = context.mint(NoticeId::mint, now);
        let change = decide_follow_up(account, attempt, &asked, notice, now)?;
        Ok::<_, RecordOutcomeError>(change.map(|change| change.with_asked_card(account, card, None)))
    };
    Ok(match context.update_with(account, read_with_card, decide).await? {
        Updated::Committed(change, _) => match change.top_up().map(|attempt| attempt.status) {
            Some(TopUpStatus::Declined(_) | TopUpStatus::ActionRequired) => FollowedUp::Reminded,
            _ => FollowedUp::Ended,
        },
        Updated::Unchanged(_, (attempt, _)) if attempt.unpaid_since().is_some() => FollowedUp::Unknown,
        // It ended, or another report granted it, a moment ago.
        Updated::Unchanged(..) | Updated::Duplicate(_) => FollowedUp::Skipped,
    })
}

/// What the invoice says. Nothing is concluded without an answer.
async fn look_up<C: Capabilities<Payments: Payments>>(context: &Context<C>, attempt: &TopUp) -> Asked {
    const NO_ANSWER: Asked = Asked { outcome: TopUpOutcome::Unknown, is_waiting: false };
    let Some(invoice) = &attempt.invoice else { return NO_ANSWER };
    match context.payments.invoice_get(invoice).await {
        Ok(report) => Asked { outcome: report.outcome, is_waiting: report.is_waiting },
        Err(error) => {
            let (is_retryable, error) = (PaymentsError::is_retryable(&error), chain(&error));
            if is_retryable {
                tracing::warn!(top_up.id = %attempt.id, error, "an unpaid invoice cannot be looked up now");
            } else {
                tracing::error!(top_up.id = %attempt.id, error, "an unpaid invoice cannot be looked up");
            }
            NO_ANSWER
        }
    }
}

impl FollowUpSummary {
    fn count(&mut self, followed_up: Result<FollowedUp, RecordOutcomeError>) {
        let counter = match followed_up {
            Ok(FollowedUp::Reminded) => &mut self.reminded,
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
        self.ended += other.ended;
        self.unknown += other.unknown;
        self.skipped += other.skipped;
        self.failed += other.failed;
        self.is_cut_short |= other.is_cut_short;
    }
}
