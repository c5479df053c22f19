//! Leaving a pause without paying: the open invoice is voided, and automatic top-ups go on.

use super::record_outcome::{RecordOutcomeError, record_top_up_outcome};
use super::saved_cards::cards_left;
use super::top_up::stored_top_up;
use crate::domain::payments::{
    GrantRefusal, PaymentIssue, PaymentIssueKind, ResumeRefusal, SavedCard, check_resume, check_voided,
    decide_resume_refused, decide_resume_reversal, needs_card,
};
use crate::domain::{Account, AccountId, TopUpId, TopUpStatus};
use crate::ports::{Accounts, AskedCards, CardWallet, Consents, LedgerError, Payments, PaymentsError, TopUps};
use crate::use_cases::{Capabilities, Context, NotFound, OutsideError, StoreError, Updated};
use std::sync::Arc;

/// How a pause ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resumed {
    pub ending: PauseEnding,
    pub account: Account,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseEnding {
    /// There was no pause, or no longer.
    NotPaused,
    /// The invoice is void, or there was none.
    Resumed,
    /// The invoice was paid first, and its credits are granted.
    Paid,
}

/// Why an account stays paused, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum ResumeError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Refused(#[from] ResumeRefusal),
    /// Stripe gave no definite answer. The same request asks again.
    #[error("it is not known yet whether the invoice is void")]
    Unknown,
    /// The invoice was paid, and the payment does not match what was asked for. A person has to investigate.
    #[error("the payment does not match what was asked for")]
    Mismatch(#[source] GrantRefusal),
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

/// Voids the open invoice and ends the pause. Nothing is armed again without a valid card.
///
/// Stripe voids no paid invoice and pays no void one, so whichever comes first is what the invoice says, and that is
/// recorded. A repeated request finds no pause.
///
/// # Errors
/// [`ResumeError`]; the account stays paused, unless Stripe reports the void later.
pub async fn resume_top_ups<C>(context: &Context<C>, account: &AccountId) -> Result<Resumed, ResumeError>
where
    C: Capabilities<Ledger: Accounts + AskedCards + Consents + TopUps, Payments: Payments + CardWallet>,
{
    let current = context.account::<ResumeError>(account).await?;
    if current.payment_issue.is_none() && current.reversal_pause.is_none() {
        current.check_not_closed().map_err(ResumeRefusal::from)?;
        return Ok(Resumed { ending: PauseEnding::NotPaused, account: current });
    }
    let card = if needs_card(&current) { card_of(context, &current).await? } else { None };
    check_resume(&current, card.as_ref(), context.now())?;
    // The issue first: if its payment is under way, nothing is resumed.
    let of_issue = match &current.payment_issue {
        Some(issue) => Some(end_issue(context, account, issue).await?),
        None => None,
    };
    let of_reversal = match current.reversal_pause {
        Some(_) => Some(end_reversal_pause(context, account).await?),
        None => None,
    };
    let ending = of_issue.as_ref().or(of_reversal.as_ref()).map_or(PauseEnding::NotPaused, |resumed| resumed.ending);
    let account = of_reversal.or(of_issue).map_or(current, |resumed| resumed.account);
    Ok(Resumed { ending, account })
}

/// Ends a pause because of a payment that failed.
async fn end_issue<C>(context: &Context<C>, account: &AccountId, issue: &PaymentIssue) -> Result<Resumed, ResumeError>
where
    C: Capabilities<Ledger: Accounts + AskedCards + Consents + TopUps, Payments: Payments>,
{
    if matches!(issue.kind, PaymentIssueKind::Refused(_)) {
        return end_refused(context, account, &issue.top_up).await;
    }
    let attempt = stored_top_up(context, account, &issue.top_up).await?;
    let outcome = context.payments.top_up_void(&attempt).await;
    if !check_voided(&outcome)? {
        return Err(ResumeError::Unknown);
    }
    let attempt = record_top_up_outcome(context, account, &attempt.id, &outcome).await?;
    let ending = match attempt.status {
        TopUpStatus::Paid | TopUpStatus::PartlyPaid => PauseEnding::Paid,
        _ => PauseEnding::Resumed,
    };
    Ok(Resumed { ending, account: context.account::<ResumeError>(account).await? })
}

async fn card_of<C: Capabilities<Payments: CardWallet>>(
    context: &Context<C>,
    account: &Account,
) -> Result<Option<SavedCard>, PaymentsError> {
    let cards = cards_left(context, &account.customer).await?;
    Ok(cards.default.as_ref().and_then(|default| cards.find(default)).cloned())
}

/// Ends a pause because a payment went back.
async fn end_reversal_pause<C: Capabilities<Ledger: Accounts>>(
    context: &Context<C>,
    account: &AccountId,
) -> Result<Resumed, ResumeError> {
    resumed(context.update(account, |account, now| Ok::<_, ResumeError>(decide_resume_reversal(account, now))).await?)
}

/// Ends a pause that left no invoice.
async fn end_refused<C: Capabilities<Ledger: Accounts>>(
    context: &Context<C>,
    account: &AccountId,
    top_up: &TopUpId,
) -> Result<Resumed, ResumeError> {
    let updated = context
        .update(account, |account, now| {
            // Another pause has begun since, whose invoice may be open.
            let is_same = account.payment_issue.as_ref().is_some_and(|issue| issue.top_up == *top_up);
            Ok::<_, ResumeError>(decide_resume_refused(account, now).filter(|_| is_same))
        })
        .await?;
    resumed(updated)
}

fn resumed(updated: Updated) -> Result<Resumed, ResumeError> {
    match updated {
        Updated::Committed(change, ()) => Ok(Resumed { ending: PauseEnding::Resumed, account: change.account }),
        Updated::Unchanged(account, ()) => {
            Ok(Resumed { ending: PauseEnding::NotPaused, account: Arc::unwrap_or_clone(account) })
        }
        // Ending a pause makes no entry.
        Updated::Duplicate(_) => Err(StoreError::NoEntry.into()),
    }
}

impl From<RecordOutcomeError> for ResumeError {
    fn from(error: RecordOutcomeError) -> Self {
        match error {
            RecordOutcomeError::NotFound(missing) => Self::NotFound(missing),
            RecordOutcomeError::Mismatch(refusal) => Self::Mismatch(refusal),
            RecordOutcomeError::Payments(error) => Self::Outside(error.into()),
            RecordOutcomeError::Store(error) => Self::Outside(error.into()),
        }
    }
}

impl From<LedgerError> for ResumeError {
    fn from(error: LedgerError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<StoreError> for ResumeError {
    fn from(error: StoreError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<PaymentsError> for ResumeError {
    fn from(error: PaymentsError) -> Self {
        Self::Outside(error.into())
    }
}
