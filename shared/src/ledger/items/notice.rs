//! A notice, kept for 30 days.

use super::{alerts, asked_card, purchase};
use crate::domain::payments::{DeclineReason, InvoiceReminder, PaidFor, Receipt, RefusalReason, ReturnReason};
use crate::domain::{
    ContactId, ContactsChange, EmailAddress, Notice, NoticeKind, PackageId, PurchaseId, ToldReversal, TopUpId,
};
use crate::ledger::attributes::{
    Attributes, Reader, Unreadable, Writer, credits, expiry, flag, instant, list, number, text,
};
use crate::ledger::keys::{self, Key};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::Timestamp;

pub(in crate::ledger) fn notice_to_item(notice: &Notice) -> Attributes {
    let expires_at = notice.created_at.saturating_add(Notice::KEPT_FOR).unwrap_or(Timestamp::MAX);
    let item = Writer::item(keys::notice(&notice.account, &notice.id))
        .with("to", text(&notice.to))
        .with("kind", text(notice.kind.name()))
        .with("created_at", instant(notice.created_at))
        .with_optional("addressed", notice.is_addressed.then(|| flag(true)))
        .with_optional("tried", addresses(&notice.tried))
        .with_optional("sent_at", notice.sent_at.map(instant))
        .with_optional("sent_to", notice.sent_to.as_ref().map(text))
        .with_optional("returned_at", notice.returned_at.map(instant))
        .with("expires_at", expiry(expires_at));
    write_kind(item, &notice.kind).into_attributes()
}

pub(in crate::ledger) fn notice_from_item(item: &Attributes) -> Result<Notice, Unreadable> {
    let item = Reader::item(item)?;
    Ok(Notice {
        id: item.id_in_key("SK", Key::notice_id)?,
        account: item.id_in_key("PK", Key::account_id)?,
        to: item.id("to", EmailAddress::parse)?,
        is_addressed: item.optional("addressed", Reader::flag)?.unwrap_or(false),
        tried: read_addresses(&item, "tried")?,
        kind: read_kind(&item)?,
        created_at: item.instant("created_at")?,
        sent_at: item.optional("sent_at", Reader::instant)?,
        sent_to: item.optional("sent_to", |item, name| item.id(name, EmailAddress::parse))?,
        returned_at: item.optional("returned_at", Reader::instant)?,
    })
}

fn addresses(addresses: &[EmailAddress]) -> Option<AttributeValue> {
    (!addresses.is_empty()).then(|| list(addresses.iter().map(text)))
}

fn read_addresses(item: &Reader<'_>, name: &str) -> Result<Vec<EmailAddress>, Unreadable> {
    let read = |item: &Reader<'_>, name: &str| item.list(name, |item, name| item.id(name, EmailAddress::parse));
    Ok(item.optional(name, read)?.unwrap_or_default())
}

fn write_kind(item: Writer, kind: &NoticeKind) -> Writer {
    match kind {
        NoticeKind::PurchasePaid { purchase, package, credits: bought, price, balance, receipt } => {
            let item = item
                .with("purchase", text(purchase))
                .with("package", text(package))
                .with("credits", credits(*bought))
                .with_amount("price", *price)
                .with("balance", credits(*balance));
            write_receipt(item, receipt.as_deref())
        }
        NoticeKind::PurchaseFailed { purchase, package, credits: wanted, price } => item
            .with("purchase", text(purchase))
            .with("package", text(package))
            .with("credits", credits(*wanted))
            .with_amount("price", *price),
        NoticeKind::InvoiceIssued { purchase: id, credits: wanted, price, invoice }
        | NoticeKind::InvoiceVoided { purchase: id, credits: wanted, price, invoice } => item
            .with("purchase", text(id))
            .with("credits", credits(*wanted))
            .with_amount("price", *price)
            .with("invoice", purchase::write_issued(invoice)),
        NoticeKind::InvoiceReminder { purchase: id, credits: wanted, price, invoice, reminder } => item
            .with("purchase", text(id))
            .with("credits", credits(*wanted))
            .with_amount("price", *price)
            .with("invoice", purchase::write_issued(invoice))
            .with("reminder", text(reminder.name())),
        NoticeKind::TopUpPaid { top_up, credits: bought, price, balance, receipt } => {
            let item = item
                .with("top_up", text(top_up))
                .with("credits", credits(*bought))
                .with_amount("price", *price)
                .with("balance", credits(*balance));
            write_receipt(item, receipt.as_deref())
        }
        NoticeKind::TopUpDeclined { top_up, credits: wanted, price, reason, card } => {
            asked_card::write_face(item, card)
                .with("top_up", text(top_up))
                .with("credits", credits(*wanted))
                .with_amount("price", *price)
                .with("decline_reason", text(reason.name()))
        }
        NoticeKind::TopUpActionRequired { top_up, credits: wanted, price, card }
        | NoticeKind::TopUpAbandoned { top_up, credits: wanted, price, card } => asked_card::write_face(item, card)
            .with("top_up", text(top_up))
            .with("credits", credits(*wanted))
            .with_amount("price", *price),
        NoticeKind::TopUpRefused { top_up, credits: wanted, price, reason, card } => asked_card::write_face(item, card)
            .with("top_up", text(top_up))
            .with("credits", credits(*wanted))
            .with_amount("price", *price)
            .with("refusal_reason", text(reason.name())),
        NoticeKind::PaymentReminder { top_up, credits: wanted, price, reason, since, card } => {
            asked_card::write_face(item, card)
                .with("top_up", text(top_up))
                .with("credits", credits(*wanted))
                .with_amount("price", *price)
                .with_optional("decline_reason", reason.map(|reason| text(reason.name())))
                .with("since", instant(*since))
        }
        NoticeKind::CardExpiring { card, expiry } => {
            asked_card::write_face(item, card).with("expires", asked_card::write_expiry(*expiry))
        }
        NoticeKind::ContactConfirmation { contact } => item.with("contact", text(contact)),
        NoticeKind::ContactsChanged(ContactsChange { added, removed, changed, confirmed }) => item
            .with_optional("added", addresses(added))
            .with_optional("removed", addresses(removed))
            .with_optional("changed", addresses(changed))
            .with_optional("confirmed", addresses(confirmed)),
        NoticeKind::LowBalance { level, balance, per_day } => item
            .with("level", alerts::write_level(*level))
            .with("balance", credits(*balance))
            .with_optional("credits_per_day", per_day.map(number)),
        NoticeKind::CreditsTakenBack(told) | NoticeKind::CreditsGivenBack(told) => write_reversal(item, told),
    }
}

fn write_reversal(item: Writer, told: &ToldReversal) -> Writer {
    item.with("paid_for", text(&told.paid_for))
        .with("because", text(told.because))
        .with_amount("amount", told.amount)
        .with("credits", credits(told.credits))
        .with("balance", credits(told.balance))
        .with_optional("paused", told.is_paused.then(|| flag(true)))
}

fn read_reversal(item: &Reader<'_>) -> Result<Box<ToldReversal>, Unreadable> {
    Ok(Box::new(ToldReversal {
        paid_for: item.id("paid_for", PaidFor::parse)?,
        because: item.word("because", ReturnReason::of_name)?,
        amount: item.amount("amount")?,
        credits: item.credits("credits")?,
        balance: item.credits("balance")?,
        is_paused: item.optional("paused", Reader::flag)?.unwrap_or(false),
    }))
}

fn write_receipt(item: Writer, receipt: Option<&Receipt>) -> Writer {
    let Some(receipt) = receipt else { return item };
    let map = Writer::map()
        .with_optional("number", receipt.number.as_ref().map(text))
        .with("tax", number(receipt.tax))
        .with("total", number(receipt.total))
        .with_optional("brand", receipt.brand.as_ref().map(text))
        .with_optional("last4", receipt.last4.as_ref().map(text));
    item.with("receipt", map.into_value())
}

fn read_receipt(item: &Reader<'_>, name: &str) -> Result<Receipt, Unreadable> {
    let receipt = item.map(name)?;
    let text = |name| receipt.optional(name, |map, name| map.text(name).map(str::to_owned));
    Ok(Receipt {
        number: text("number")?,
        tax: receipt.number("tax")?,
        total: receipt.number("total")?,
        brand: text("brand")?,
        last4: text("last4")?,
    })
}

fn read_kind(item: &Reader<'_>) -> Result<NoticeKind, Unreadable> {
    let top_up = || item.id("top_up", TopUpId::parse);
    let credits = || item.credits("credits");
    let price = || item.amount("price");
    let kind = match item.text("kind")? {
        "purchase_paid" => NoticeKind::PurchasePaid {
            purchase: item.id("purchase", PurchaseId::parse)?,
            package: item.id("package", PackageId::parse)?,
            credits: credits()?,
            price: price()?,
            balance: item.credits("balance")?,
            receipt: item.optional("receipt", read_receipt)?.map(Box::new),
        },
        "purchase_failed" => NoticeKind::PurchaseFailed {
            purchase: item.id("purchase", PurchaseId::parse)?,
            package: item.id("package", PackageId::parse)?,
            credits: credits()?,
            price: price()?,
        },
        "invoice_issued" => NoticeKind::InvoiceIssued {
            purchase: item.id("purchase", PurchaseId::parse)?,
            credits: credits()?,
            price: price()?,
            invoice: purchase::read_issued(item, "invoice")?.into(),
        },
        "invoice_reminder" => NoticeKind::InvoiceReminder {
            purchase: item.id("purchase", PurchaseId::parse)?,
            credits: credits()?,
            price: price()?,
            invoice: purchase::read_issued(item, "invoice")?.into(),
            reminder: item.word("reminder", InvoiceReminder::of_name)?,
        },
        "invoice_voided" => NoticeKind::InvoiceVoided {
            purchase: item.id("purchase", PurchaseId::parse)?,
            credits: credits()?,
            price: price()?,
            invoice: purchase::read_issued(item, "invoice")?.into(),
        },
        "top_up_paid" => NoticeKind::TopUpPaid {
            top_up: top_up()?,
            credits: credits()?,
            price: price()?,
            balance: item.credits("balance")?,
            receipt: item.optional("receipt", read_receipt)?.map(Box::new),
        },
        "top_up_declined" => NoticeKind::TopUpDeclined {
            top_up: top_up()?,
            credits: credits()?,
            price: price()?,
            reason: item.word("decline_reason", DeclineReason::of_name)?,
            card: asked_card::read_face(item)?,
        },
        "top_up_action_required" => NoticeKind::TopUpActionRequired {
            top_up: top_up()?,
            credits: credits()?,
            price: price()?,
            card: asked_card::read_face(item)?,
        },
        "top_up_refused" => NoticeKind::TopUpRefused {
            top_up: top_up()?,
            credits: credits()?,
            price: price()?,
            reason: item.word("refusal_reason", RefusalReason::of_name)?,
            card: asked_card::read_face(item)?,
        },
        "payment_reminder" => NoticeKind::PaymentReminder {
            top_up: top_up()?,
            credits: credits()?,
            price: price()?,
            reason: item.optional("decline_reason", |item, name| item.word(name, DeclineReason::of_name))?,
            since: item.instant("since")?,
            card: asked_card::read_face(item)?,
        },
        "top_up_abandoned" => NoticeKind::TopUpAbandoned {
            top_up: top_up()?,
            credits: credits()?,
            price: price()?,
            card: asked_card::read_face(item)?,
        },
        "card_expiring" => NoticeKind::CardExpiring {
            card: asked_card::read_face(item)?,
            expiry: asked_card::read_expiry(item, "expires")?,
        },
        "contact_confirmation" => NoticeKind::ContactConfirmation { contact: item.id("contact", ContactId::parse)? },
        "contacts_changed" => NoticeKind::ContactsChanged(ContactsChange {
            added: read_addresses(item, "added")?,
            removed: read_addresses(item, "removed")?,
            changed: read_addresses(item, "changed")?,
            confirmed: read_addresses(item, "confirmed")?,
        }),
        "low_balance" => NoticeKind::LowBalance {
            level: alerts::read_level(&item.map("level")?)?,
            balance: item.credits("balance")?,
            per_day: item.optional("credits_per_day", Reader::number)?,
        },
        "credits_taken_back" => NoticeKind::CreditsTakenBack(read_reversal(item)?),
        "credits_given_back" => NoticeKind::CreditsGivenBack(read_reversal(item)?),
        _ => return Err(item.invalid("kind")),
    };
    Ok(kind)
}
