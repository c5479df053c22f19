//! The run over all accounts whose customers are told that the card that is asked expires.

use super::due_accounts::{AlertsError, AlertsSummary, Duty, evaluate_all};
use crate::domain::payments::{AskedCard, decide_expiry_warning};
use crate::domain::{Account, AccountId, NoticeId};
use crate::ports::{Accounts, AskedCards, DueCards, DueCursor, DuePage, LedgerError, Shard};
use crate::use_cases::{Capabilities, Context, StoreError, Updated};
use jiff::Timestamp;
use std::sync::Arc;

trait_alias! {
    /// The ports of the run.
    pub trait CardsLedger: Accounts + AskedCards + DueCards
}

/// Tells all customers for whom that is due. None begins after `begin_before`.
///
/// # Errors
/// Only if a shard cannot be listed. The others have been worked on by then.
pub async fn warn_of_expiring_cards<C: Capabilities<Ledger: CardsLedger>>(
    context: &Context<C>,
    begin_before: Timestamp,
) -> Result<AlertsSummary, StoreError> {
    evaluate_all::<C, ExpiringCards>(context, begin_before).await
}

struct ExpiringCards;

impl<C: Capabilities<Ledger: CardsLedger>> Duty<C> for ExpiringCards {
    const NAME: &'static str = "cards that expire";

    async fn due(
        context: &Context<C>,
        shard: Shard,
        due_by: Timestamp,
        after: Option<DueCursor>,
    ) -> Result<DuePage, LedgerError> {
        context.ledger.due_cards(shard, due_by, after).await
    }

    async fn evaluate(context: &Context<C>, account: &AccountId) -> Result<Option<u64>, AlertsError> {
        let read = |current: Arc<Account>| async move {
            Ok::<_, AlertsError>(context.ledger.asked_card_get(&current.id).await?)
        };
        let decide = |account: &Account, asked: &AskedCard, now| {
            Ok(decide_expiry_warning(account, asked, context.mint(NoticeId::mint, now), now))
        };
        match context.update_with(account, read, decide).await? {
            Updated::Committed(change, _) => {
                let told = change.notices.len();
                tracing::info!(account.id = %account, told, "expiry of the card evaluated");
                Ok(Some(told as u64))
            }
            Updated::Unchanged(..) | Updated::Duplicate(_) => Ok(None),
        }
    }
}
