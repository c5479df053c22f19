//! Stripe's own list of events, which reaches back 30 days: <https://docs.stripe.com/api/events/list>.

use super::client::Client;
use super::error::StripeError;
use super::metadata::{self, Metadata};
use super::responses::{List, time};
use super::webhook::{EVENT_TYPES, subject_of};
use crate::domain::EventId;
use crate::ports::{EventsPage, EventsPass, EventsPlace, ListedEvent};
use miniserde::Deserialize;
use stripe_client_core::StripeRequest;
use stripe_core::event::ListEvent;
use stripe_types::{RangeBoundsTs, RangeQueryTs};

const PAGE_LIMIT: i64 = 100;
/// A list is filtered by at most so many types, so ours take several lists, which are read one after the other.
const TYPES_MAX: usize = 20;

/// <https://docs.stripe.com/api/events/object>
#[derive(Deserialize)]
struct Event {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    /// In seconds since 1970.
    created: i64,
    data: Data,
}

#[derive(Deserialize)]
struct Data {
    object: Object,
}

#[derive(Deserialize)]
struct Object {
    id: Option<String>,
    metadata: Option<Metadata>,
}

pub(super) async fn page(client: &Client, pass: &EventsPass) -> Result<EventsPage, StripeError> {
    let EventsPass { from, until, place } = pass;
    let part = usize::from(place.part);
    let mut types = EVENT_TYPES.chunks(TYPES_MAX).skip(part);
    let Some(listed) = types.next() else { return Ok(EventsPage::default()) };
    // Both ends are included, and an event of a part of a second belongs to it.
    let created =
        RangeBoundsTs { gte: Some(from.as_second()), lte: Some(until.as_second()), ..RangeBoundsTs::default() };
    let mut request = ListEvent::new()
        .created(RangeQueryTs::Bounds(created))
        .types(listed.iter().map(|(kind, _)| (*kind).to_owned()).collect::<Vec<_>>())
        .limit(PAGE_LIMIT);
    if let Some(after) = &place.after {
        request = request.starting_after(after.as_str());
    }
    let page: List<Event> = request.build().customize().send(client).await?;
    let last = page.data.last().map(|event| event_id(&event.id)).transpose()?;
    let next = match last.filter(|_| page.has_more) {
        Some(last) => Some(EventsPlace { after: Some(last), ..*place }),
        None => types.next().map(|_| EventsPlace { part: place.part.saturating_add(1), after: None }),
    };
    let events = page.data.into_iter().map(listed_event).collect::<Result<_, _>>()?;
    Ok(EventsPage { events, next })
}

fn listed_event(event: Event) -> Result<ListedEvent, StripeError> {
    let Event { id, kind, created, data: Data { object } } = event;
    let created_at = time(created)?;
    let top_up = object.metadata.as_ref().and_then(metadata::top_up);
    Ok(ListedEvent { id: event_id(&id)?, subject: subject_of(&kind, object.id, top_up), created_at })
}

fn event_id(id: &str) -> Result<EventId, StripeError> {
    EventId::parse(id).map_err(|error| StripeError::Unreadable(error.to_string()))
}
