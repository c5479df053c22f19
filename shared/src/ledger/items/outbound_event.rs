//! An event that the company's other systems are told, kept for 30 days.

use crate::domain::OutboundEvent;
use crate::event_details::event_detail;
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, expiry, instant, text};
use crate::ledger::keys::{self, Key};
use crate::ports::StoredEvent;
use jiff::{SignedDuration, Timestamp};

const KEPT: SignedDuration = SignedDuration::from_hours(30 * 24);

pub(in crate::ledger) fn outbound_event_to_item(event: &OutboundEvent) -> Attributes {
    let expires_at = event.created_at.saturating_add(KEPT).unwrap_or(Timestamp::MAX);
    Writer::item(keys::outbound_event(&event.account, &event.id))
        .with("type", text(event.kind.name()))
        .with("detail", text(event_detail(event)))
        .with("created_at", instant(event.created_at))
        .with("expires_at", expiry(expires_at))
        .into_attributes()
}

pub(in crate::ledger) fn outbound_event_from_item(item: &Attributes) -> Result<StoredEvent, Unreadable> {
    let item = Reader::item(item)?;
    Ok(StoredEvent {
        id: item.id_in_key("SK", Key::outbound_event_id)?,
        account: item.id_in_key("PK", Key::account_id)?,
        name: item.text("type")?.to_owned(),
        detail: item.text("detail")?.to_owned(),
        created_at: item.instant("created_at")?,
    })
}
