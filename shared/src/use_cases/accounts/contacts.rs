//! The contacts of an account: reading and replacing them, and confirming one.

use crate::domain::contacts::{
    ContactList, ContactsRefusal, UnknownContact, decide_confirm, decide_customer_email, decide_replace,
};
use crate::domain::{Account, AccountId, ContactId, Contacts};
use crate::error::chain;
use crate::ports::{Accounts, ContactRecords, Payments};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError, Updated};
use std::sync::Arc;

/// Why the contacts stay as they were, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum ContactsError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Refused(#[from] ContactsRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The contacts of an account. A closed account has none. What the payment provider was not told yet, it is told now.
///
/// # Errors
/// [`ContactsError`].
pub async fn read_contacts<C: Capabilities<Ledger: Accounts + ContactRecords, Payments: Payments>>(
    context: &Context<C>,
    account: &AccountId,
) -> Result<Option<Contacts>, ContactsError> {
    let found = context.ledger.account_get(account).await.map_err(StoreError::from)?;
    let found = found.ok_or_else(|| NotFound::Account(account.clone()))?;
    let contacts = Contacts::of(&found, stored(context, account).await?.as_ref());
    tell_payment_provider(context, &found, contacts.as_ref()).await;
    Ok(contacts)
}

/// Replaces the contacts, and asks those that have to be confirmed.
///
/// # Errors
/// [`ContactsError`].
pub async fn set_contacts<C: Capabilities<Ledger: Accounts + ContactRecords, Payments: Payments>>(
    context: &Context<C>,
    account: &AccountId,
    list: &ContactList,
) -> Result<Option<Contacts>, ContactsError> {
    let read = |current: Arc<Account>| async move { Ok::<_, ContactsError>(stored(context, &current.id).await?) };
    let updated: Result<Updated<Option<Contacts>>, ContactsError> = context
        .update_with(account, read, |account, stored, now| {
            Ok(decide_replace(account, stored.as_ref(), list, || context.unique(now), now)?)
        })
        .await;
    let (account, contacts) = now_stored(updated?)?;
    tell_payment_provider(context, &account, contacts.as_ref()).await;
    Ok(contacts)
}

/// What a confirmation's link finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// The address is still to be confirmed.
    Pending,
    Confirmed,
}

/// Why a link confirms nothing.
#[derive(Debug, thiserror::Error)]
pub enum ConfirmError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    UnknownContact(#[from] UnknownContact),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whether a link has something to confirm. Nothing is changed.
///
/// # Errors
/// [`ConfirmError`].
pub async fn find_contact<C: Capabilities<Ledger: ContactRecords>>(
    context: &Context<C>,
    account: &AccountId,
    contact: &ContactId,
) -> Result<Confirmation, ConfirmError> {
    let contacts = stored(context, account).await?;
    let known = contacts.iter().flat_map(|contacts| &contacts.listed).find(|known| known.id == *contact);
    match known.ok_or_else(|| UnknownContact(contact.clone()))?.asked_at {
        Some(_) => Ok(Confirmation::Pending),
        None => Ok(Confirmation::Confirmed),
    }
}

/// Confirms an address. A repeated confirmation changes nothing.
///
/// # Errors
/// [`ConfirmError`].
pub async fn confirm_contact<C: Capabilities<Ledger: Accounts + ContactRecords, Payments: Payments>>(
    context: &Context<C>,
    account: &AccountId,
    contact: &ContactId,
) -> Result<Confirmation, ConfirmError> {
    let read = |current: Arc<Account>| async move { Ok::<_, ConfirmError>(stored(context, &current.id).await?) };
    let updated: Result<Updated<Option<Contacts>>, ConfirmError> = context
        .update_with(account, read, |account, stored, now| {
            Ok(decide_confirm(account, stored.as_ref(), contact, || context.unique(now), now)?)
        })
        .await;
    let (account, contacts) = now_stored(updated?)?;
    tell_payment_provider(context, &account, contacts.as_ref()).await;
    Ok(Confirmation::Confirmed)
}

/// Tells the payment provider the account's address, by which support finds the account, and to which the provider's own
/// e-mails go. If that fails, whoever reads or changes the contacts next tries again: nothing else depends on it.
async fn tell_payment_provider<C: Capabilities<Ledger: Accounts + ContactRecords, Payments: Payments>>(
    context: &Context<C>,
    account: &Account,
    contacts: Option<&Contacts>,
) {
    let Some((email, contacts)) = account.email.as_ref().zip(contacts) else { return };
    if contacts.customer_email == *email {
        return;
    }
    if let Err(error) = context.payments.customer_email_set(&account.customer, email).await {
        let error = chain(&error);
        tracing::warn!(account.id = %account.id, error, "the payment provider was not told the account's new address");
        return;
    }
    let (id, told) = (&account.id, email);
    let read = |current: Arc<Account>| async move { Ok::<_, ContactsError>(stored(context, &current.id).await?) };
    let decide = |account: &Account, stored: &Option<Contacts>, now| {
        Ok(decide_customer_email(account, stored.as_ref(), told, now))
    };
    if let Err(error) = context.update_with(id, read, decide).await {
        let error = chain(&error);
        tracing::warn!(account.id = %id, error, "what the payment provider was told was not stored");
    }
}

async fn stored<C: Capabilities<Ledger: ContactRecords>>(
    context: &Context<C>,
    account: &AccountId,
) -> Result<Option<Contacts>, StoreError> {
    Ok(context.ledger.contacts_get(account).await?)
}

/// The account and its contacts after a change.
fn now_stored(updated: Updated<Option<Contacts>>) -> Result<(Account, Option<Contacts>), StoreError> {
    match updated {
        Updated::Committed(change, before) => {
            let contacts = Contacts::of(&change.account, change.contacts().or(before.as_ref()));
            Ok((change.account, contacts))
        }
        Updated::Unchanged(account, stored) => {
            let contacts = Contacts::of(&account, stored.as_ref());
            Ok((Arc::unwrap_or_clone(account), contacts))
        }
        // Contacts make no entry.
        Updated::Duplicate(_) => Err(StoreError::NoEntry),
    }
}
