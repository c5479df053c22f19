//! The customer's saved cards: listing them, saving one on a hosted page, choosing and removing one.
//!
//! Stripe keeps the cards, and the account only follows which of them is asked. Every change is made at Stripe first and
//! then followed, as the event about it also does; so a change that was interrupted is completed by either.

use super::set_auto_top_up::consent_in_force;
use super::unless_deleted;
use crate::domain::payments::{ConsentRecord, SavedCards, SeenCards, decide_saved_cards};
use crate::domain::{Account, AccountClosed, AccountId, CustomerId, PaymentMethodId, PriceBook};
use crate::ports::{Accounts, AskedCards, CardPage, CardWallet, Consents, LedgerError, Payments, PaymentsError};
use crate::use_cases::{Capabilities, Context, NotFound, OutsideError, StoreError, Updated};
use std::sync::Arc;

/// Why nothing was done about the cards, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum SavedCardsError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Closed(#[from] AccountClosed),
    /// Nothing can be saved until the company has repaired the account's record at the payment provider.
    #[error("the account's customer was deleted at the payment provider")]
    CustomerDeleted,
    /// The chosen card is not, or no longer, saved with this customer.
    #[error("the customer has no saved card {0}")]
    NotSaved(PaymentMethodId),
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

/// The account and its cards after a change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardsOfAccount {
    pub account: Account,
    pub cards: SavedCards,
}

/// All saved cards, as the payment provider shows them now.
///
/// # Errors
/// [`SavedCardsError`].
pub async fn read_saved_cards<C: Capabilities<Ledger: Accounts, Payments: CardWallet>>(
    context: &Context<C>,
    account: &AccountId,
) -> Result<SavedCards, SavedCardsError> {
    let owner = context.account::<SavedCardsError>(account).await?;
    Ok(context.payments.saved_cards_get(&owner.customer).await?)
}

/// Opens a hosted page on which the customer saves a card. Returns its URL.
///
/// # Errors
/// [`SavedCardsError`].
pub async fn open_card_page<C>(context: &Context<C>, account: &AccountId) -> Result<String, SavedCardsError>
where
    C: Capabilities<Ledger: Accounts, Payments: Payments + CardWallet, PriceBook = PriceBook>,
{
    let owner = context.account::<SavedCardsError>(account).await?;
    owner.check_not_closed()?;
    let default_at_opening = context.payments.default_payment_method_get(&owner.customer).await?;
    let page = CardPage { account: owner.id, currency: context.price_book.currency, default_at_opening };
    Ok(context.payments.card_page_open(&owner.customer, &page).await?)
}

/// Opens the payment provider's own page about cards and invoices. Returns its URL.
///
/// # Errors
/// [`SavedCardsError`].
pub async fn open_billing_portal<C>(context: &Context<C>, account: &AccountId) -> Result<String, SavedCardsError>
where
    C: Capabilities<Ledger: Accounts, Payments: Payments + CardWallet>,
{
    let owner = context.account::<SavedCardsError>(account).await?;
    owner.check_not_closed()?;
    // A deleted customer is answered as such here, and as an unknown one below.
    context.payments.default_payment_method_get(&owner.customer).await?;
    Ok(context.payments.billing_portal_open(&owner.customer).await?)
}

/// Makes a saved card the one that is asked.
///
/// # Errors
/// [`SavedCardsError`].
pub async fn choose_card<C: Capabilities<Ledger: Accounts + AskedCards + Consents, Payments: CardWallet>>(
    context: &Context<C>,
    account: &AccountId,
    card: &PaymentMethodId,
) -> Result<CardsOfAccount, SavedCardsError> {
    let owner = context.account::<SavedCardsError>(account).await?;
    owner.check_not_closed()?;
    let cards = context.payments.saved_cards_get(&owner.customer).await?;
    let not_saved = || SavedCardsError::NotSaved(card.clone());
    let found = cards.find(card).ok_or_else(not_saved)?;
    if !cards.is_default(found) {
        match context.payments.saved_card_make_default(&owner.customer, card).await {
            // It was removed in the meantime.
            Err(PaymentsError::NotFound { .. }) => return Err(not_saved()),
            made => made?,
        }
    }
    let followed = follow_cards(context, account, false).await?;
    // Or since then, perhaps with the customer.
    followed.cards.find(card).ok_or_else(not_saved)?;
    Ok(followed)
}

/// Removes a saved card, every time that it was saved. This is always possible: if no card is left, automatic top-ups are
/// turned off.
///
/// If the customer has no such card, because it was removed before, the account still follows what is left.
///
/// # Errors
/// [`SavedCardsError`].
pub async fn remove_card<C: Capabilities<Ledger: Accounts + AskedCards + Consents, Payments: CardWallet>>(
    context: &Context<C>,
    account: &AccountId,
    card: &PaymentMethodId,
) -> Result<CardsOfAccount, SavedCardsError> {
    let owner = context.account::<SavedCardsError>(account).await?;
    let cards = cards_left(context, &owner.customer).await?;
    let Some(removal) = cards.removal(card, context.now()) else {
        // An earlier request may have removed it and died before the account knew.
        if owner.payment_method.as_ref() == Some(card) {
            return follow_cards(context, account, true).await;
        }
        return Err(NotFound::PaymentMethod(card.clone()).into());
    };
    if let Some(next) = &removal.next_default {
        match context.payments.saved_card_make_default(&owner.customer, next).await {
            // It was removed in the meantime too.
            Err(PaymentsError::NotFound { .. }) => {}
            made => made?,
        }
    }
    for id in &removal.ids {
        context.payments.saved_card_remove(&owner.customer, id).await?;
    }
    follow_cards(context, account, true).await
}

/// Stores which card is asked now. `had_one` tells whether the customer is known to have had a card before, even if the
/// account knows of none.
async fn follow_cards<C: Capabilities<Ledger: Accounts + AskedCards + Consents, Payments: CardWallet>>(
    context: &Context<C>,
    account: &AccountId,
    had_one: bool,
) -> Result<CardsOfAccount, SavedCardsError> {
    let read = |owner: Arc<Account>| async move {
        let cards = cards_left(context, &owner.customer).await?;
        let had_one = had_one || owner.payment_method.is_some();
        let mut seen = SeenCards {
            default: cards.default.clone(),
            shown: cards.default.as_ref().and_then(|default| cards.find(default)).cloned(),
            stored: context.ledger.asked_card_get(&owner.id).await?,
            had_one,
            has_one: !cards.saved.is_empty(),
            consent: None,
        };
        seen.consent = consent_to_end(context, &owner, &seen).await?;
        Ok::<_, SavedCardsError>((cards, seen))
    };
    let decide = |account: &Account, (_, seen): &(SavedCards, SeenCards), now| {
        Ok::<_, SavedCardsError>(decide_saved_cards(account, seen, now))
    };
    match context.update_with(account, read, decide).await? {
        Updated::Committed(change, (cards, _)) => Ok(CardsOfAccount { account: change.account, cards }),
        // A closed account follows nothing.
        Updated::Unchanged(account, (cards, _)) => Ok(CardsOfAccount { account: Arc::unwrap_or_clone(account), cards }),
        // Following a card makes no entry.
        Updated::Duplicate(_) => Err(StoreError::NoEntry.into()),
    }
}

/// The consent that ends with the last card.
pub(super) async fn consent_to_end<C: Capabilities<Ledger: Consents>>(
    context: &Context<C>,
    account: &Account,
    seen: &SeenCards,
) -> Result<Option<ConsentRecord>, LedgerError> {
    if seen.is_last_removed() { consent_in_force(context, account).await } else { Ok(None) }
}

/// The saved cards. A customer who was deleted has none.
pub(super) async fn cards_left<C: Capabilities<Payments: CardWallet>>(
    context: &Context<C>,
    customer: &CustomerId,
) -> Result<SavedCards, PaymentsError> {
    match context.payments.saved_cards_get(customer).await {
        Err(PaymentsError::CustomerDeleted { .. }) => Ok(SavedCards::default()),
        cards => cards,
    }
}

impl From<LedgerError> for SavedCardsError {
    fn from(error: LedgerError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<StoreError> for SavedCardsError {
    fn from(error: StoreError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<PaymentsError> for SavedCardsError {
    fn from(error: PaymentsError) -> Self {
        unless_deleted(error, Self::CustomerDeleted)
    }
}
