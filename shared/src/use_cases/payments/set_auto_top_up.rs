//! Storing a customer's choice of automatic top-ups.

use crate::domain::payments::{AskedCard, AutoTopUpCommand, AutoTopUpRefusal, ConsentRecord, decide_auto_top_up};
use crate::domain::{Account, AccountId, ConsentId, PriceBook, TopUp, month_of};
use crate::ports::{Accounts, AskedCards, Consents, LedgerError, TopUpList};
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
pub(super) async fn attempts_of_month<C: Capabilities<Ledger: TopUpList>>(
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

/// The consent to the settings, which also says how they are turned off. `None` if automatic top-ups are off.
pub(super) async fn consent_in_force<C: Capabilities<Ledger: Consents>>(
    context: &Context<C>,
    account: &Account,
) -> Result<Option<ConsentRecord>, LedgerError> {
    match account.auto_top_up.as_ref().filter(|settings| settings.is_enabled) {
        Some(settings) => context.ledger.consent_get(&account.id, &settings.consent.id).await,
        None => Ok(None),
    }
}

/// Stores the settings and, if they turn automatic top-ups on, the consent to them.
///
/// # Errors
/// [`SetAutoTopUpError`].
pub async fn set_auto_top_up<
    C: Capabilities<Ledger: Accounts + AskedCards + Consents + TopUpList, PriceBook = PriceBook>,
>(
    context: &Context<C>,
    account: &AccountId,
    command: &AutoTopUpCommand,
) -> Result<Account, SetAutoTopUpError> {
    let read = |current: Arc<Account>| async move {
        let is_capped = matches!(command, AutoTopUpCommand::On { max_per_month: Some(_), .. });
        let attempts = if is_capped { attempts_of_month(context, &current).await? } else { vec![] };
        let is_off = matches!(command, AutoTopUpCommand::Off { .. });
        let consent = if is_off { consent_in_force(context, &current).await.map_err(StoreError::from)? } else { None };
        let asked = context.ledger.asked_card_get(&current.id).await.map_err(StoreError::from)?;
        Ok::<_, SetAutoTopUpError>((attempts, consent, asked))
    };
    let decide =
        |account: &Account, (attempts, current, asked): &(Vec<TopUp>, Option<ConsentRecord>, AskedCard), now| {
            let consent = context.mint(ConsentId::mint, now);
            let command = (command, &attempts[..], current.as_ref());
            let change = decide_auto_top_up(account, &context.price_book, command, consent, now)?;
            Ok(change.map(|change| change.with_asked_card(account, asked, None)))
        };
    match context.update_with(account, read, decide).await? {
        Updated::Committed(change, _) => Ok(change.account),
        Updated::Unchanged(account, _) => Ok(Arc::unwrap_or_clone(account)),
        // Settings make no entry.
        Updated::Duplicate(_) => Err(StoreError::NoEntry.into()),
    }
}
