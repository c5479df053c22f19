//! A consent. The account holds who consented, when and to which version; the text is a separate item.

use crate::domain::payments::{Consent, ConsentRecord, OffReason, TurnedOff};
use crate::domain::{AccountId, Actor, Amount, ConsentId, Consenter, Currency};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, credits, instant, number, text};
use crate::ledger::keys::{self, Key};
use aws_sdk_dynamodb::types::AttributeValue;

pub(in crate::ledger) fn consent_to_item(account: &AccountId, record: &ConsentRecord) -> Attributes {
    acceptance(Writer::item(keys::consent(account, &record.consent.id)), &record.consent)
        .with("threshold", credits(record.threshold))
        .with("target", credits(record.target))
        .with_optional("max_per_month", record.max_per_month.map(|max| number(max.minor())))
        .with("text", text(&record.text))
        .with_optional("turned_off", record.turned_off.as_ref().map(write_turned_off))
        .into_attributes()
}

pub(in crate::ledger) fn consent_from_item(item: &Attributes) -> Result<ConsentRecord, Unreadable> {
    let item = Reader::item(item)?;
    let consent = read(item.id_in_key("SK", Key::consent_id)?, &item)?;
    let currency = consent.price_max.currency();
    Ok(ConsentRecord {
        consent,
        threshold: item.credits("threshold")?,
        target: item.credits("target")?,
        // In the currency of the consent.
        max_per_month: item.optional("max_per_month", |item, name| {
            Amount::new(currency, item.number(name)?).ok_or_else(|| item.invalid(name))
        })?,
        text: item.text("text")?.to_owned(),
        turned_off: item.optional("turned_off", read_turned_off)?,
    })
}

fn write_turned_off(turned_off: &TurnedOff) -> AttributeValue {
    Writer::map()
        .with("at", instant(turned_off.at))
        .with("because", text(turned_off.because.name()))
        .with_optional("by", turned_off.by.as_ref().map(text))
        .into_value()
}

fn read_turned_off(item: &Reader<'_>, name: &str) -> Result<TurnedOff, Unreadable> {
    let turned_off = item.map(name)?;
    Ok(TurnedOff {
        at: turned_off.instant("at")?,
        because: turned_off.word("because", OffReason::of_name)?,
        by: turned_off.optional("by", |map, name| map.id(name, Actor::parse))?,
    })
}

pub(super) fn write_with_id(consent: &Consent) -> Writer {
    acceptance(Writer::map(), consent).with("id", text(&consent.id))
}

pub(super) fn read_with_id(map: &Reader<'_>) -> Result<Consent, Unreadable> {
    read(map.id("id", ConsentId::parse)?, map)
}

fn acceptance(writer: Writer, consent: &Consent) -> Writer {
    let writer = writer
        .with("text_version", number(consent.text_version))
        .with_optional("accepted_by", consent.accepted_by.as_ref().map(text))
        .with("accepted_at", instant(consent.accepted_at));
    // In US dollars as it was before there were other currencies, so that a function that still runs the release before
    // can read the account during a deployment.
    if consent.price_max.currency() == Currency::USD {
        writer.with("price_max_cents", number(consent.price_max.minor()))
    } else {
        writer.with_amount("price_max", consent.price_max)
    }
}

fn read_price_max(attributes: &Reader<'_>) -> Result<Amount, Unreadable> {
    if !attributes.has("price_max_cents") && attributes.has("price_max") {
        let price_max = attributes.amount("price_max")?;
        let is_other = price_max.currency() != Currency::USD;
        return if is_other { Ok(price_max) } else { Err(attributes.invalid("currency")) };
    }
    let minor = attributes.number("price_max_cents")?;
    Amount::new(Currency::USD, minor).ok_or_else(|| attributes.invalid("price_max_cents"))
}

fn read(id: ConsentId, attributes: &Reader<'_>) -> Result<Consent, Unreadable> {
    Ok(Consent {
        id,
        text_version: attributes.number("text_version")?,
        accepted_by: attributes.optional("accepted_by", |map, name| map.id(name, Consenter::parse))?,
        accepted_at: attributes.instant("accepted_at")?,
        price_max: read_price_max(attributes)?,
    })
}
