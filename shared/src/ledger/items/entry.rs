//! An entry. Its key is its origin; the attributes hold the rest of its cause.

use crate::domain::{AccountId, Cause, Entry, Operation, Origin, PackageId, Reference};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, credits, instant, number, text};
use crate::ledger::keys::{self, Key};

pub(in crate::ledger) fn entry_to_item(account: &AccountId, entry: &Entry) -> Attributes {
    let item = Writer::item(keys::entry(account, &entry.origin()))
        .with("account", text(account))
        .with("seq", number(entry.seq))
        .with("credits", credits(entry.credits))
        .with("balance_after", credits(entry.balance_after))
        .with("created_at", instant(entry.created_at));
    let item = match &entry.cause {
        Cause::Charge { key: _, operation, reference } => {
            write_operation(item, *operation).with_optional("reference", reference.as_ref().map(text))
        }
        Cause::Purchase { purchase: _, package } => item.with("package", text(package)),
        Cause::Restore { charge: _ } | Cause::TopUp { top_up: _ } => item,
    };
    item.into_attributes()
}

pub(in crate::ledger) fn entry_from_item(item: &Attributes) -> Result<Entry, Unreadable> {
    let item = Reader::item(item)?;
    let cause = match item.id_in_key("SK", Key::origin)? {
        Origin::Charge(key) => Cause::Charge {
            key,
            operation: read_operation(&item)?,
            reference: item.optional("reference", |item, name| item.id(name, Reference::parse))?,
        },
        Origin::Restore(charge) => Cause::Restore { charge },
        Origin::Purchase(purchase) => Cause::Purchase { purchase, package: item.id("package", PackageId::parse)? },
        Origin::TopUp(top_up) => Cause::TopUp { top_up },
    };
    Ok(Entry {
        seq: item.number("seq")?,
        credits: item.credits("credits")?,
        balance_after: item.credits("balance_after")?,
        created_at: item.instant("created_at")?,
        cause,
    })
}

fn write_operation(item: Writer, operation: Operation) -> Writer {
    let item = item.with("operation", text(operation.name()));
    match operation {
        Operation::Dubbing { duration_ms } => item.with("duration_ms", number(duration_ms)),
        Operation::Training { max_minutes } => item.with("max_minutes", number(max_minutes)),
    }
}

fn read_operation(item: &Reader<'_>) -> Result<Operation, Unreadable> {
    match item.text("operation")? {
        "dubbing" => Operation::dubbing(item.number("duration_ms")?).map_err(|_| item.invalid("duration_ms")),
        "training" => Operation::training(item.number("max_minutes")?).map_err(|_| item.invalid("max_minutes")),
        _ => Err(item.invalid("operation")),
    }
}
