//! Items that map one id to another, or only record that something happened.

use crate::domain::{AccountId, CustomerId, EventId, IdempotencyKey, PurchaseId};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, expiry, instant, text};
use crate::ledger::keys;
use jiff::{SignedDuration, Timestamp};

/// Stripe retries an event for three days and lists it for thirty:
/// <https://docs.stripe.com/webhooks#retries>, <https://docs.stripe.com/api/events>.
const EVENT_KEPT: SignedDuration = SignedDuration::from_hours(35 * 24);

pub(in crate::ledger) fn customer_to_item(customer: &CustomerId, account: &AccountId) -> Attributes {
    Writer::item(keys::customer(customer)).with("account_id", text(account)).into_attributes()
}

pub(in crate::ledger) fn customer_from_item(item: &Attributes) -> Result<AccountId, Unreadable> {
    Reader::item(item)?.id("account_id", AccountId::parse)
}

pub(in crate::ledger) fn purchase_key_to_item(
    account: &AccountId,
    key: &IdempotencyKey,
    purchase: &PurchaseId,
) -> Attributes {
    Writer::item(keys::purchase_key(account, key)).with("purchase", text(purchase)).into_attributes()
}

pub(in crate::ledger) fn purchase_key_from_item(item: &Attributes) -> Result<PurchaseId, Unreadable> {
    Reader::item(item)?.id("purchase", PurchaseId::parse)
}

pub(in crate::ledger) fn event_to_item(event: &EventId, now: Timestamp) -> Attributes {
    let expires_at = now.saturating_add(EVENT_KEPT).unwrap_or(Timestamp::MAX);
    Writer::item(keys::event(event))
        .with("applied_at", instant(now))
        .with("expires_at", expiry(expires_at))
        .into_attributes()
}
