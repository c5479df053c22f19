//! Requests that were refused. A row has `reasons` if it counts several of them.

use super::entry;
use crate::domain::charging::{RefusalRow, Refused, RefusedBecause, RefusedRequest, RefusedRequests};
use crate::domain::spending::LimitName;
use crate::domain::{IdempotencyKey, ReachedLimit, Reference, RequestId, Spender};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, credits, expiry, instant, number, text};
use crate::ledger::keys::{self, Key};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

pub(in crate::ledger) fn refusal_to_item(row: &RefusalRow) -> Attributes {
    let item = Writer::item(keys::refusal(&row.account, row.place));
    let (item, at) = match &row.refused {
        Refused::One(one) => (write_one(item, one), one.at),
        Refused::More(more) => (write_more(item, more), more.first_at),
    };
    let expires_at = at.saturating_add(RefusalRow::KEPT_FOR).unwrap_or(Timestamp::MAX);
    item.with("expires_at", expiry(expires_at)).into_attributes()
}

fn write_one(item: Writer, one: &RefusedRequest) -> Writer {
    entry::write_operation(item, &one.operation)
        .with("at", instant(one.at))
        .with("reason", text(one.because.name()))
        .with("detail", text(&one.detail))
        .with("charge", text(&one.key))
        .with("credits", credits(one.credits))
        .with_optional("request_id", one.request_id.as_ref().map(text))
        .with_optional("reference", one.reference.as_ref().map(text))
        .with_optional("spender", one.spender.as_ref().map(text))
        .with_optional("limit", one.limit.as_ref().map(|limit| text(limit.limit.name())))
        .with_optional("limit_max", one.limit.as_ref().map(|limit| credits(limit.max)))
        .with_optional("limit_starts_again_at", one.limit.as_ref().and_then(|limit| limit.starts_again_at).map(instant))
}

fn write_more(item: Writer, more: &RefusedRequests) -> Writer {
    let counts = more.counts.iter().map(|(because, count)| (because.name().to_owned(), number(*count)));
    item.with("at", instant(more.first_at))
        .with("last_at", instant(more.last_at))
        .with("reasons", AttributeValue::M(counts.collect()))
}

pub(in crate::ledger) fn refusal_from_item(item: &Attributes) -> Result<RefusalRow, Unreadable> {
    let item = Reader::item(item)?;
    let more = item.optional("reasons", |item, name| {
        let counts = item.map(name)?;
        let of = |because: RefusedBecause| {
            Ok(counts.optional(because.name(), Reader::number)?.map(|count| (because, count)))
        };
        let counts: Result<Vec<_>, _> = RefusedBecause::ALL.into_iter().map(of).collect();
        Ok(Refused::More(RefusedRequests {
            first_at: item.instant("at")?,
            last_at: item.instant("last_at")?,
            counts: counts?.into_iter().flatten().collect(),
        }))
    })?;
    Ok(RefusalRow {
        account: item.id_in_key("PK", Key::account_id)?,
        place: item.id_in_key("SK", Key::refusal_place)?,
        refused: match more {
            Some(more) => more,
            None => Refused::One(read_one(&item)?),
        },
    })
}

fn read_one(item: &Reader<'_>) -> Result<RefusedRequest, Unreadable> {
    Ok(RefusedRequest {
        at: item.instant("at")?,
        because: item.word("reason", RefusedBecause::of_name)?,
        detail: item.text("detail")?.to_owned(),
        request_id: item.optional("request_id", |item, name| item.id(name, RequestId::parse))?,
        key: item.id("charge", IdempotencyKey::parse)?,
        operation: entry::read_operation(item)?,
        credits: item.credits("credits")?,
        reference: item.optional("reference", |item, name| item.id(name, Reference::parse))?,
        spender: item.optional("spender", |item, name| item.id(name, Spender::parse))?,
        limit: item.optional("limit", read_limit)?,
    })
}

/// Its spender is the one of the request.
fn read_limit(item: &Reader<'_>, name: &str) -> Result<ReachedLimit, Unreadable> {
    let limit = item.word(name, LimitName::of_name)?;
    let spender = item.optional("spender", |item, name| item.id(name, Spender::parse))?;
    Ok(ReachedLimit {
        limit,
        spender: spender.filter(|_| limit.is_of_spender()),
        max: item.credits("limit_max")?,
        starts_again_at: item.optional("limit_starts_again_at", Reader::instant)?,
    })
}
