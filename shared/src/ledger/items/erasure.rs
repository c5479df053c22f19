//! What is exported of an item, what is personal in it, and how far an account is erased.

use super::*;
use crate::domain::AccountId;
use crate::domain::support::{Erasure, ItemKey, PersonalItem};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, instant, number, text};
use crate::ledger::keys::{self, Key, Kind};
use crate::ports::{StoredItem, StoredValue};
use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::BTreeMap;

pub(in crate::ledger) fn erasure_to_item(account: &AccountId, erasure: &Erasure) -> Attributes {
    Writer::item(keys::erasure(account))
        .with("started_at", instant(erasure.started_at))
        .with_optional("after", erasure.after.as_ref().map(|after| text(after.as_str())))
        .with("items", number(erasure.items))
        .with_optional("completed_at", erasure.completed_at.map(instant))
        .into_attributes()
}

pub(in crate::ledger) fn erasure_from_item(item: &Attributes) -> Result<Erasure, Unreadable> {
    let item = Reader::item(item)?;
    Ok(Erasure {
        started_at: item.instant("started_at")?,
        after: item.optional("after", |item, name| Ok(ItemKey::new(item.text(name)?)))?,
        items: item.number("items")?,
        completed_at: item.optional("completed_at", Reader::instant)?,
    })
}

/// What may be personal in an item: `None` if nothing is.
///
/// A kind that is not known here is an error, so that nothing personal is overlooked.
pub(in crate::ledger) fn personal_item(item: &Attributes) -> Result<Option<PersonalItem>, Unreadable> {
    let reader = Reader::item(item)?;
    let (kind, _) = reader.id_in_key("SK", |key| Kind::of(&key.sort).map(|(kind, _)| (kind, ())))?;
    Ok(match kind {
        Kind::Entry => Some(PersonalItem::Entry(entry_from_item(item)?)),
        Kind::PendingCharge => Some(PersonalItem::PendingCharge(pending_charge_from_item(item)?)),
        Kind::UsageDay | Kind::UsageMonth => Some(PersonalItem::UsageRow(Box::new(usage_row_from_item(item)?))),
        Kind::Purchase => Some(PersonalItem::Purchase(purchase_from_item(item)?)),
        Kind::Consent => Some(PersonalItem::Consent(consent_from_item(item)?)),
        Kind::Notice => Some(PersonalItem::Notice(reader.id_in_key("SK", Key::notice_id)?)),
        // It may name a spender, or say why the account was restricted.
        Kind::OutboundEvent => Some(PersonalItem::OutboundEvent(reader.id_in_key("SK", Key::outbound_event_id)?)),
        Kind::Contacts => Some(PersonalItem::Contacts),
        Kind::AskedCard => Some(PersonalItem::AskedCard),
        Kind::Refusal => Some(PersonalItem::Refusal(reader.id_in_key("SK", Key::refusal_place)?)),
        Kind::SpendingChange => Some(PersonalItem::SpendingChange(reader.id_in_key("SK", Key::spending_changed_at)?)),
        Kind::SpenderLimits => Some(PersonalItem::SpenderLimits(reader.id_in_key("SK", Key::spender)?)),
        // The account is erased when it is closed. An attempt names the customer and cards of Stripe, which are Stripe's to
        // erase, and an act names the company's own staff.
        Kind::Account
        | Kind::UsageCursor
        | Kind::PurchaseKey
        | Kind::TopUp
        | Kind::SweepLog
        | Kind::ClaimLog
        | Kind::TopUpRetry
        | Kind::Act
        | Kind::Flag
        | Kind::Erasure
        | Kind::Alerts
        | Kind::AlertsDue => None,
        // They are of no use once the account is closed, and expire within half a day.
        Kind::PortalLink | Kind::PortalSession => None,
    })
}

/// Everything that an item says.
pub(in crate::ledger) fn stored_item(item: &Attributes) -> Result<StoredItem, Unreadable> {
    let reader = Reader::item(item)?;
    let (kind, id) = reader
        .id_in_key("SK", |key| Kind::of(&key.sort).map(|(kind, id)| (kind.name_and_prefix().0, id.to_owned())))?;
    let mut attributes = BTreeMap::new();
    for (name, value) in item {
        if !matches!(name.as_str(), "PK" | "SK") {
            attributes.insert(name.clone(), stored_value(value).ok_or_else(|| reader.invalid(name))?);
        }
    }
    Ok(StoredItem { kind, id, attributes })
}

/// `None` for a type that no item has.
fn stored_value(value: &AttributeValue) -> Option<StoredValue> {
    Some(match value {
        AttributeValue::S(text) => StoredValue::Text(text.clone()),
        AttributeValue::N(digits) => StoredValue::Number(digits.clone()),
        AttributeValue::Bool(flag) => StoredValue::Flag(*flag),
        AttributeValue::B(bytes) => StoredValue::Bytes(bytes.as_ref().to_vec()),
        AttributeValue::M(map) => {
            let values = map.iter().map(|(name, value)| Some((name.clone(), stored_value(value)?)));
            StoredValue::Map(values.collect::<Option<_>>()?)
        }
        AttributeValue::L(list) => StoredValue::List(list.iter().map(stored_value).collect::<Option<_>>()?),
        _ => return None,
    })
}
