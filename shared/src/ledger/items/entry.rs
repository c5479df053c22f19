//! An entry. Its key is its origin; the attributes hold the rest of its cause.

use crate::domain::account::{ErasedTexts, TextDigest};
use crate::domain::charging::ExpiresIn;
use crate::domain::payments::ReturnReason;
use crate::domain::{
    AccountId, ActReason, Cause, Entry, InvalidId, Link, Measure, Operation, OperationName, Operator, Origin,
    PackageId, PriceBookVersion, PriceLine, Reference, RequestId, Spender,
};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, bytes, credits, instant, number, text};
use crate::ledger::keys::{self, Key};
use crate::ports::UnreadableEntry;

pub(in crate::ledger) fn entry_to_item(account: &AccountId, entry: &Entry) -> Attributes {
    let item = Writer::item(keys::entry(account, &entry.origin()))
        .with("account", text(account))
        .with("seq", number(entry.seq))
        .with("credits", credits(entry.credits))
        .with("balance_after", credits(entry.balance_after))
        .with("created_at", instant(entry.created_at));
    let item = entry.link.iter().fold(item, write_link);
    let item = match &entry.cause {
        Cause::Charge { key: _, operation, price, reference, spender, expires_in, request_id } => {
            let item = write_operation(item, operation)
                .with_optional("reference", reference.as_ref().map(text))
                .with_optional("spender", spender.as_ref().map(text))
                .with_optional("expires_in_seconds", expires_in.map(|expires_in| number(expires_in.seconds())))
                .with_optional("request_id", request_id.as_ref().map(text));
            price.iter().fold(item, write_price)
        }
        Cause::Capture { charge: _, operation, price } => write_price(write_operation(item, operation), price),
        Cause::Purchase { purchase: _, package } => item.with("package", text(package)),
        Cause::Adjustment { key: _, reason, operator } => item
            .with_optional("reason", reason.as_ref().map(text))
            .with_optional("operator", operator.as_ref().map(text)),
        Cause::Reversal { paid_for: _, number: _, because } => item.with("because", text(because)),
        Cause::Import { source: _, reference } => item.with_optional("reference", reference.as_ref().map(text)),
        Cause::Void { charge: _ }
        | Cause::Expiry { charge: _ }
        | Cause::Restore { charge: _ }
        | Cause::TopUp { top_up: _ } => item,
    };
    item.into_attributes()
}

pub(in crate::ledger) fn entry_from_item(item: &Attributes) -> Result<Entry, Unreadable> {
    let item = Reader::item(item)?;
    // The index lists it for the account that the attribute names.
    if item.id("account", AccountId::parse)? != item.id_in_key("PK", Key::account_id)? {
        return Err(item.invalid("account"));
    }
    let cause = match item.id_in_key("SK", Key::origin)? {
        Origin::Charge(key) => Cause::Charge {
            key,
            operation: read_operation(&item)?,
            price: item.optional("price_book", read_price)?,
            reference: item.optional("reference", |item, name| item.id(name, Reference::parse))?,
            spender: item.optional("spender", |item, name| item.id(name, Spender::parse))?,
            expires_in: item.optional("expires_in_seconds", read_expires_in)?,
            request_id: item.optional("request_id", |item, name| item.id(name, RequestId::parse))?,
        },
        Origin::Capture(charge) => {
            Cause::Capture { charge, operation: read_operation(&item)?, price: read_price(&item, "price_book")? }
        }
        Origin::Void(charge) => Cause::Void { charge },
        Origin::Expiry(charge) => Cause::Expiry { charge },
        Origin::Restore(charge) => Cause::Restore { charge },
        Origin::Purchase(purchase) => Cause::Purchase { purchase, package: item.id("package", PackageId::parse)? },
        Origin::TopUp(top_up) => Cause::TopUp { top_up },
        Origin::Reversal(paid_for, number) => {
            Cause::Reversal { paid_for, number, because: item.word("because", ReturnReason::of_name)? }
        }
        Origin::Import(source) => Cause::Import {
            source,
            reference: item.optional("reference", |item, name| item.id(name, Reference::parse))?,
        },
        Origin::Adjustment(key) => Cause::Adjustment {
            key,
            reason: read_erasable(&item, ["reason", "reason_digest"], ActReason::parse)?,
            operator: read_erasable(&item, ["operator", "operator_digest"], Operator::parse)?,
        },
    };
    let link = item.optional("hash", read_link)?;
    check_erased(&item, &cause)?;
    Ok(Entry {
        seq: item.number("seq")?,
        credits: item.credits("credits")?,
        balance_after: item.credits("balance_after")?,
        created_at: item.instant("created_at")?,
        cause,
        link,
    })
}

/// Reads an entry to verify it. If it has a hash, this release or a later one wrote it, and then nothing but what it says
/// may be there: an attribute that is not read would not be in its hash.
pub(in crate::ledger) fn entry_to_verify(account: &AccountId, item: &Attributes) -> Result<Entry, UnreadableEntry> {
    let unreadable = |attribute: &str| {
        let sort = item.get("SK").and_then(|sort| sort.as_s().ok());
        let origin = sort.and_then(|sort| sort.strip_prefix("ENTRY#")).unwrap_or_default().to_owned();
        UnreadableEntry { origin, attribute: attribute.to_owned() }
    };
    let entry = entry_from_item(item).map_err(|error| unreadable(error.attribute()))?;
    if entry.link.is_none() {
        return Ok(entry);
    }
    let written = entry_to_item(account, &entry);
    let is_other = |name: &&String| written.get(*name) != item.get(*name);
    match item.keys().chain(written.keys()).filter(is_other).min() {
        Some(attribute) => Err(unreadable(attribute)),
        None => Ok(entry),
    }
}

fn write_link(item: Writer, link: &Link) -> Writer {
    let Link { hash, erased: ErasedTexts { reference, spender, reason, operator } } = link;
    let digest = |digest: &Option<TextDigest>| digest.as_ref().map(|digest| bytes(digest.as_bytes()));
    item.with("hash", bytes(hash.as_bytes()))
        .with_optional("reference_digest", digest(reference))
        .with_optional("spender_digest", digest(spender))
        .with_optional("reason_digest", digest(reason))
        .with_optional("operator_digest", digest(operator))
}

fn read_link(item: &Reader<'_>, name: &str) -> Result<Link, Unreadable> {
    let erased = ErasedTexts {
        reference: item.optional("reference_digest", Reader::bytes)?,
        spender: item.optional("spender_digest", Reader::bytes)?,
        reason: item.optional("reason_digest", Reader::bytes)?,
        operator: item.optional("operator_digest", Reader::bytes)?,
    };
    Ok(Link { hash: item.bytes(name)?, erased })
}

/// A text that is there, unless it was erased.
fn read_erasable<T>(
    item: &Reader<'_>,
    [name, digest]: [&str; 2],
    parse: fn(String) -> Result<T, InvalidId>,
) -> Result<Option<T>, Unreadable> {
    if item.has(digest) { Ok(None) } else { item.id(name, parse).map(Some) }
}

/// A digest stands in place of a text that was erased, so it is never beside one, and only where a text can be.
fn check_erased(item: &Reader<'_>, cause: &Cause) -> Result<(), Unreadable> {
    let texts = match cause {
        Cause::Charge { reference, spender, .. } => [reference.is_some(), spender.is_some(), true, true],
        Cause::Import { reference, .. } => [reference.is_some(), true, true, true],
        Cause::Adjustment { .. } => [true, true, item.has("reason"), item.has("operator")],
        _ => [true; 4],
    };
    let names = ["reference_digest", "spender_digest", "reason_digest", "operator_digest"];
    for (name, is_text_there) in names.into_iter().zip(texts) {
        if is_text_there && item.has(name) {
            return Err(item.invalid(name));
        }
    }
    Ok(())
}

pub(super) fn write_operation(item: Writer, operation: &Operation) -> Writer {
    let (item, amount) = (item.with("operation", text(&operation.name)), number(operation.amount));
    match operation.measure {
        Measure::DurationMs => item.with("duration_ms", amount),
        Measure::MaxMinutes => item.with("max_minutes", amount),
        Measure::Quantity => item.with("quantity", amount),
    }
}

pub(super) fn read_operation(item: &Reader<'_>) -> Result<Operation, Unreadable> {
    for measure in Measure::ALL {
        if let Some(amount) = item.optional(measure.name(), Reader::number)? {
            if amount < 1 {
                return Err(item.invalid(measure.name()));
            }
            return Ok(Operation { name: item.id("operation", OperationName::parse)?, measure, amount });
        }
    }
    Err(item.invalid("operation"))
}

/// The line of the price book, under the book's version.
pub(super) fn write_price(item: Writer, price: &PriceLine) -> Writer {
    item.with("price_book", text(&price.version))
        .with("credits_per_unit", number(price.credits_per_unit))
        .with("unit_size", number(price.unit_size))
        .with("credits_min", number(price.credits_min))
}

pub(super) fn read_price(item: &Reader<'_>, name: &str) -> Result<PriceLine, Unreadable> {
    Ok(PriceLine {
        version: item.id(name, PriceBookVersion::parse)?,
        credits_per_unit: item.number("credits_per_unit")?,
        unit_size: item.number("unit_size")?,
        credits_min: item.number("credits_min")?,
    })
}

pub(super) fn read_expires_in(item: &Reader<'_>, name: &str) -> Result<ExpiresIn, Unreadable> {
    ExpiresIn::new(item.number(name)?).map_err(|_| item.invalid(name))
}
