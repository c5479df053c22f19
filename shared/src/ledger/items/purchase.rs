//! A purchase, overwritten at each change of its status.

use super::{refunds, reversed};
use crate::domain::payments::{ByInvoice, Checkout, InvoiceTerms, IssuedInvoice, PoNumber};
use crate::domain::{
    CheckoutSessionId, IdempotencyKey, InvoiceId, PackageId, PaymentIntentId, PaymentMethodId, Purchase, PurchaseStatus,
};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, credits, flag, instant, number, text};
use crate::ledger::keys::{self, Due, Key};
use aws_sdk_dynamodb::types::AttributeValue;

pub(in crate::ledger) fn purchase_to_item(purchase: &Purchase) -> Attributes {
    let checkout = purchase.checkout.as_ref().map(|checkout| {
        Writer::map().with("session", text(&checkout.session)).with("url", text(&checkout.url)).into_value()
    });
    let due = purchase.invoice_due_at().map(|due_at| (Due::Unpaid, due_at));
    let due = due.or_else(|| purchase.looked_at_since().map(|since| (Due::Look, since)));
    Writer::item(keys::purchase(&purchase.account, &purchase.id))
        .with("key", text(&purchase.key))
        .with("package", text(&purchase.package))
        .with("credits", credits(purchase.credits))
        .with_amount("price", purchase.price)
        .with("status", text(purchase.status.name()))
        .with_optional("checkout", checkout)
        .with_optional("checkout_opened_at", purchase.checkout_opened_at.map(instant))
        .with_optional("default_card", purchase.default_card.as_ref().map(text))
        .with_optional("payment_intent", purchase.payment_intent.as_ref().map(text))
        .with_optional("invoice", purchase.invoice.as_ref().map(text))
        .with("opened_at", instant(purchase.opened_at))
        .with_optional("ended_at", purchase.ended_at.map(instant))
        .with_optional("reversed", reversed::write(purchase.reversed))
        .with_optional("refunds", refunds::write(&purchase.refunds))
        .with_optional("by_invoice", purchase.by_invoice.as_ref().map(write_by_invoice))
        // Both attributes or neither: a purchase of which nothing is due must not be in the index.
        .with_optional("due_shard", due.map(|(due, _)| text(due.shard_of(&purchase.account))))
        .with_optional("due_at", due.map(|(_, due_at)| instant(due_at)))
        .into_attributes()
}

pub(in crate::ledger) fn purchase_from_item(item: &Attributes) -> Result<Purchase, Unreadable> {
    let item = Reader::item(item)?;
    Ok(Purchase {
        id: item.id_in_key("SK", Key::purchase_id)?,
        account: item.id_in_key("PK", Key::account_id)?,
        key: item.id("key", IdempotencyKey::parse)?,
        package: item.id("package", PackageId::parse)?,
        credits: item.credits("credits")?,
        price: item.amount("price")?,
        status: item.word("status", PurchaseStatus::of_name)?,
        checkout: item.optional("checkout", read_checkout)?,
        checkout_opened_at: item.optional("checkout_opened_at", Reader::instant)?,
        default_card: item.optional("default_card", |item, name| item.id(name, PaymentMethodId::parse))?,
        payment_intent: item.optional("payment_intent", |item, name| item.id(name, PaymentIntentId::parse))?,
        invoice: item.optional("invoice", |item, name| item.id(name, InvoiceId::parse))?,
        by_invoice: item.optional("by_invoice", read_by_invoice)?,
        opened_at: item.instant("opened_at")?,
        ended_at: item.optional("ended_at", Reader::instant)?,
        reversed: reversed::read(&item)?,
        refunds: refunds::read(&item)?,
    })
}

fn write_by_invoice(by_invoice: &ByInvoice) -> AttributeValue {
    Writer::map()
        .with("days_until_due", number(by_invoice.terms.days_until_due))
        .with_optional("po_number", by_invoice.terms.po_number.as_ref().map(|number| text(number.as_str())))
        .with_optional("issued", by_invoice.issued.as_ref().map(write_issued))
        .with_optional("reminders", (by_invoice.reminders > 0).then(|| number(by_invoice.reminders)))
        .with_optional("paid_out_of_band", by_invoice.is_paid_out_of_band.then(|| flag(true)))
        .into_value()
}

fn read_by_invoice(item: &Reader<'_>, name: &str) -> Result<ByInvoice, Unreadable> {
    let map = item.map(name)?;
    let po_number = map.optional("po_number", |map, name| map.word(name, |text| PoNumber::parse(text.to_owned())))?;
    Ok(ByInvoice {
        terms: InvoiceTerms { days_until_due: map.number("days_until_due")?, po_number },
        issued: map.optional("issued", read_issued)?,
        reminders: map.optional("reminders", Reader::number)?.unwrap_or(0),
        is_paid_out_of_band: map.optional("paid_out_of_band", Reader::flag)?.unwrap_or(false),
    })
}

/// An invoice as a purchase and the e-mails about it keep it.
pub(super) fn write_issued(issued: &IssuedInvoice) -> AttributeValue {
    Writer::map()
        .with_optional("number", issued.number.as_ref().map(text))
        .with("total", number(issued.total))
        .with("due_at", instant(issued.due_at))
        .with("amount_paid", number(issued.amount_paid))
        .with_optional("overpaid", (issued.overpaid > 0).then(|| number(issued.overpaid)))
        .into_value()
}

pub(super) fn read_issued(item: &Reader<'_>, name: &str) -> Result<IssuedInvoice, Unreadable> {
    let map = item.map(name)?;
    Ok(IssuedInvoice {
        number: map.optional("number", |map, name| map.text(name).map(str::to_owned))?,
        total: map.number("total")?,
        due_at: map.instant("due_at")?,
        amount_paid: map.number("amount_paid")?,
        overpaid: map.optional("overpaid", Reader::number)?.unwrap_or(0),
    })
}

fn read_checkout(item: &Reader<'_>, name: &str) -> Result<Checkout, Unreadable> {
    let checkout = item.map(name)?;
    Ok(Checkout { session: checkout.id("session", CheckoutSessionId::parse)?, url: checkout.text("url")?.to_owned() })
}
