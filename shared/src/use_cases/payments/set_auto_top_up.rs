//! Storing a customer's choice of automatic top-ups.

use crate::domain::payments::{AutoTopUpCommand, AutoTopUpRefusal, decide_auto_top_up};
use crate::domain::{Account, AccountId, ConsentId, PriceBook, TopUp, month_of};
use crate::ports::{Accounts, TopUpList};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError, Updated};
use std::sync::Arc;

/// Four attempts a day are at most 124 in a month.
const ATTEMPTS_PER_PAGE: u8 = 100;

/// Why the settings stay as they were, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum SetAutoTopUpError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Refused(#[from] AutoTopUpRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The attempts that a monthly cap counts: those of the month (UTC) in which the last one opened, and perhaps earlier
/// ones.
///
/// # Errors
/// [`StoreError`].
pub async fn attempts_of_month<C: Capabilities<Ledger: TopUpList>>(
    context: &Context<C>,
    account: &Account,
) -> Result<Vec<TopUp>, StoreError> {
    let Some(last) = account.last_top_up_at else { return Ok(vec![]) };
    let mut attempts: Vec<TopUp> = vec![];
    loop {
        let after = attempts.last().map(|attempt| &attempt.id);
        let page = context.ledger.top_ups_page(&account.id, after, ATTEMPTS_PER_PAGE).await?;
        let is_of_month = page.records.last().is_some_and(|oldest| month_of(oldest.opened_at) == month_of(last));
        attempts.extend(page.records);
        if !page.has_more || !is_of_month {
            return Ok(attempts);
        }
    }
}

/// Stores the settings and, if they turn automatic top-ups on, the consent to them.
///
/// # Errors
/// [`SetAutoTopUpError`].
pub async fn set_auto_top_up<C: Capabilities<Ledger: Accounts + TopUpList, PriceBook = PriceBook>>(
    context: &Context<C>,
    account: &AccountId,
    command: &AutoTopUpCommand,
) -> Result<Account, SetAutoTopUpError> {
    let read = |current: Arc<Account>| async move {
        let is_capped = matches!(command, AutoTopUpCommand::On { max_per_month: Some(_), .. });
        let attempts = if is_capped { attempts_of_month(context, &current).await? } else { vec![] };
        Ok::<_, SetAutoTopUpError>(attempts)
    };
    let decide = |account: &Account, attempts: &Vec<TopUp>, now| {
        let consent = context.mint(ConsentId::mint, now);
        Ok(decide_auto_top_up(account, &context.price_book, (command, attempts), consent, now)?)
    };
    match context.update_with(account, read, decide).await? {
        Updated::Committed(change, _) => Ok(change.account),
        Updated::Unchanged(account, _) => Ok(Arc::unwrap_or_clone(account)),
        // Settings make no entry.
        Updated::Duplicate(_) => Err(StoreError::NoEntry.into()),
    }
}
