//! What is known of the card that is asked, in the index `due` while an e-mail about its expiry is due.

use crate::domain::payments::{Ahead, AskedCard, CardFace, Expiry, KnownCard, Warning};
use crate::domain::{Account, PaymentMethodId};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, instant, list, number, text};
use crate::ledger::keys::{self, Due};
use aws_sdk_dynamodb::types::AttributeValue;

pub(in crate::ledger) fn asked_card_to_item(account: &Account, asked: &AskedCard) -> Attributes {
    let due_at = asked.due_at(account);
    Writer::item(keys::asked_card(&account.id))
        .with_optional("card", asked.card.as_ref().map(write_card))
        .with_optional("warnings", (!asked.warnings.is_empty()).then(|| list(asked.warnings.iter().map(write_warning))))
        .with_optional("due_shard", due_at.map(|_| text(Due::Card.shard_of(&account.id))))
        .with_optional("due_at", due_at.map(instant))
        .into_attributes()
}

pub(in crate::ledger) fn asked_card_from_item(item: &Attributes) -> Result<AskedCard, Unreadable> {
    let item = Reader::item(item)?;
    let warnings = item.optional("warnings", |item, name| item.list(name, read_warning))?;
    Ok(AskedCard { card: item.optional("card", read_card)?, warnings: warnings.unwrap_or_default() })
}

fn write_card(card: &KnownCard) -> AttributeValue {
    write_face(Writer::map().with("id", text(&card.id)), &card.face)
        .with_optional("expires", card.expiry.map(write_expiry))
        .with_optional("fingerprint", card.fingerprint.as_ref().map(text))
        .into_value()
}

fn read_card(item: &Reader<'_>, name: &str) -> Result<KnownCard, Unreadable> {
    let card = item.map(name)?;
    Ok(KnownCard {
        id: card.id("id", PaymentMethodId::parse)?,
        face: read_face(&card)?,
        expiry: card.optional("expires", read_expiry)?,
        fingerprint: card.optional("fingerprint", |card, name| card.text(name).map(str::to_owned))?,
    })
}

/// A card in the attributes `brand` and `last4`.
pub(super) fn write_face(writer: Writer, face: &CardFace) -> Writer {
    writer.with_optional("brand", face.brand.as_ref().map(text)).with_optional("last4", face.last4.as_ref().map(text))
}

pub(super) fn read_face(item: &Reader<'_>) -> Result<CardFace, Unreadable> {
    let text = |name| item.optional(name, |item, name| item.text(name).map(str::to_owned));
    Ok(CardFace { brand: text("brand")?, last4: text("last4")? })
}

/// `2026-12`: the last month in which it is valid.
pub(super) fn write_expiry(expiry: Expiry) -> AttributeValue {
    text(expiry)
}

pub(super) fn read_expiry(item: &Reader<'_>, name: &str) -> Result<Expiry, Unreadable> {
    item.word(name, Expiry::parse)
}

fn write_warning(warning: &Warning) -> AttributeValue {
    Writer::map()
        .with("card", text(&warning.card))
        .with("expires", write_expiry(warning.expiry))
        .with("days_ahead", number(warning.ahead.days()))
        .into_value()
}

fn read_warning(item: &Reader<'_>, name: &str) -> Result<Warning, Unreadable> {
    let warning = item.map(name)?;
    let ahead = Ahead::of_days(warning.number("days_ahead")?);
    Ok(Warning {
        card: warning.text("card")?.to_owned(),
        expiry: read_expiry(&warning, "expires")?,
        ahead: ahead.ok_or_else(|| warning.invalid("days_ahead"))?,
    })
}
