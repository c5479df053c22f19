//! A purchase, overwritten at each change of its status.

use crate::domain::payments::Checkout;
use crate::domain::{
    CheckoutSessionId, IdempotencyKey, InvoiceId, PackageId, PaymentIntentId, PaymentMethodId, Purchase, PurchaseStatus,
};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, credits, instant, text};
use crate::ledger::keys::{self, Key};

pub(in crate::ledger) fn purchase_to_item(purchase: &Purchase) -> Attributes {
    let checkout = purchase.checkout.as_ref().map(|checkout| {
        Writer::map().with("session", text(&checkout.session)).with("url", text(&checkout.url)).into_value()
    });
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
        opened_at: item.instant("opened_at")?,
        ended_at: item.optional("ended_at", Reader::instant)?,
    })
}

fn read_checkout(item: &Reader<'_>, name: &str) -> Result<Checkout, Unreadable> {
    let checkout = item.map(name)?;
    Ok(Checkout { session: checkout.id("session", CheckoutSessionId::parse)?, url: checkout.text("url")?.to_owned() })
}
