//! A flag for support. It is stored twice: beside its account, and with all flags of its month.

use crate::domain::payments::PaidFor;
use crate::domain::usage::{Flag, FlagKind, FlaggedPayment};
use crate::domain::{AccountId, InvoiceId, PaymentIntentId};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, expiry, instant, number, text};
use crate::ledger::keys::Key;
use jiff::{SignedDuration, Timestamp};

/// A year and some days, so that the same season of the year before can be looked at.
pub(super) const FLAG_KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);

/// The item under one of its two keys.
pub(in crate::ledger) fn flag_to_item(key: Key, flag: &Flag) -> Attributes {
    let expires_at = flag.raised_at.saturating_add(FLAG_KEPT).unwrap_or(Timestamp::MAX);
    let payment = flag.payment.as_ref();
    Writer::item(key)
        .with("account_id", text(&flag.account))
        .with("kind", text(flag.kind.name()))
        .with("date", text(flag.date))
        .with_optional("hour", flag.hour.map(number))
        .with("value", number(flag.value))
        .with("median", number(flag.median))
        .with("spread", number(flag.spread))
        .with("threshold", number(flag.threshold))
        .with("raised_at", instant(flag.raised_at))
        .with_optional("paid_for", payment.map(|payment| text(&payment.paid_for)))
        .with_optional("payment_intent", payment.and_then(|payment| payment.payment_intent.as_ref()).map(text))
        .with_optional("invoice", payment.and_then(|payment| payment.invoice.as_ref()).map(text))
        .with_optional("currency", payment.map(|payment| text(&payment.currency)))
        .with("expires_at", expiry(expires_at))
        .into_attributes()
}

pub(in crate::ledger) fn flag_from_item(item: &Attributes) -> Result<Flag, Unreadable> {
    let item = Reader::item(item)?;
    let flag = Flag {
        account: item.id("account_id", AccountId::parse)?,
        kind: item.word("kind", FlagKind::of_name)?,
        date: item.word("date", |date| date.parse().ok())?,
        hour: item.optional("hour", Reader::number)?,
        value: item.number("value")?,
        median: item.number("median")?,
        spread: item.number("spread")?,
        threshold: item.number("threshold")?,
        raised_at: item.instant("raised_at")?,
        payment: read_payment(&item)?,
    };
    item.id_in_key("SK", Key::flag_raised_at)?;
    Ok(flag)
}

fn read_payment(item: &Reader<'_>) -> Result<Option<FlaggedPayment>, Unreadable> {
    let Some(paid_for) = item.optional("paid_for", |item, name| item.id(name, PaidFor::parse))? else {
        return Ok(None);
    };
    Ok(Some(FlaggedPayment {
        paid_for,
        payment_intent: item.optional("payment_intent", |item, name| item.id(name, PaymentIntentId::parse))?,
        invoice: item.optional("invoice", |item, name| item.id(name, InvoiceId::parse))?,
        currency: item.text("currency")?.to_owned(),
    }))
}
