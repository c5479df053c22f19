//! Items of the index `due`, which projects keys only.

use crate::domain::payments::Invoiced;
use crate::domain::{AccountId, IdempotencyKey};
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, instant, text};
use crate::ledger::keys::{self, Due, Key};
use crate::ports::{DueCharge, DueChargesPage, DueCursor, DuePage, Shard, Unpaid, UnpaidPage};

/// The start of the next page, as DynamoDB's exclusive start key.
pub(in crate::ledger) fn due_cursor_to_key(shard: Shard, cursor: &DueCursor) -> Attributes {
    Writer::item(keys::account(&cursor.account))
        .with("due_shard", text(Due::TopUp.shard(shard)))
        .with("due_at", instant(cursor.due_at))
        .into_attributes()
}

/// The start of the next page of accounts with alerts that are due, as DynamoDB's exclusive start key.
pub(in crate::ledger) fn due_alert_to_key(shard: Shard, cursor: &DueCursor) -> Attributes {
    Writer::item(keys::alerts_due(&cursor.account))
        .with("due_shard", text(Due::Alerts.shard(shard)))
        .with("due_at", instant(cursor.due_at))
        .into_attributes()
}

/// The start of the next page of accounts whose card expires, as DynamoDB's exclusive start key.
pub(in crate::ledger) fn due_card_to_key(shard: Shard, cursor: &DueCursor) -> Attributes {
    Writer::item(keys::asked_card(&cursor.account))
        .with("due_shard", text(Due::Card.shard(shard)))
        .with("due_at", instant(cursor.due_at))
        .into_attributes()
}

pub(in crate::ledger) fn due_page(
    items: &[Attributes],
    last_evaluated_key: Option<&Attributes>,
) -> Result<DuePage, Unreadable> {
    let accounts = items.iter().map(|item| account(&Reader::item(item)?)).collect::<Result<_, _>>()?;
    Ok(DuePage { accounts, next: last_evaluated_key.map(cursor).transpose()? })
}

/// The start of the next page of expired charges, as DynamoDB's exclusive start key.
pub(in crate::ledger) fn due_charge_to_key(shard: Shard, charge: &DueCharge) -> Attributes {
    Writer::item(keys::pending_charge(&charge.account, &charge.charge))
        .with("due_shard", text(Due::Charge.shard(shard)))
        .with("due_at", instant(charge.due_at))
        .into_attributes()
}

pub(in crate::ledger) fn due_charges_page(
    items: &[Attributes],
    last_evaluated_key: Option<&Attributes>,
) -> Result<DueChargesPage, Unreadable> {
    let charges = items.iter().map(due_charge).collect::<Result<_, _>>()?;
    Ok(DueChargesPage { charges, next: last_evaluated_key.map(due_charge).transpose()? })
}

fn due_charge(item: &Attributes) -> Result<DueCharge, Unreadable> {
    let item = Reader::item(item)?;
    let charge: IdempotencyKey = item.id_in_key("SK", Key::pending_charge)?;
    Ok(DueCharge { account: account(&item)?, charge, due_at: item.instant("due_at")? })
}

/// The start of the next page of what is unpaid, as DynamoDB's exclusive start key.
pub(in crate::ledger) fn unpaid_to_key(shard: String, due: &Unpaid) -> Attributes {
    Writer::item(key_of(due)).with("due_shard", text(shard)).with("due_at", instant(due.due_at)).into_attributes()
}

fn key_of(due: &Unpaid) -> Key {
    match &due.what {
        Invoiced::Purchase(purchase) => keys::purchase(&due.account, purchase),
        Invoiced::TopUp(top_up) => keys::top_up(&due.account, top_up),
    }
}

pub(in crate::ledger) fn unpaid_page(
    items: &[Attributes],
    last_evaluated_key: Option<&Attributes>,
) -> Result<UnpaidPage, Unreadable> {
    let unpaid_items = items.iter().map(unpaid).collect::<Result<_, _>>()?;
    Ok(UnpaidPage { unpaid: unpaid_items, next: last_evaluated_key.map(unpaid).transpose()? })
}

fn unpaid(item: &Attributes) -> Result<Unpaid, Unreadable> {
    let item = Reader::item(item)?;
    let what = item.id_in_key("SK", Key::invoiced)?;
    Ok(Unpaid { account: account(&item)?, what, due_at: item.instant("due_at")? })
}

fn cursor(key: &Attributes) -> Result<DueCursor, Unreadable> {
    let key = Reader::item(key)?;
    Ok(DueCursor { account: account(&key)?, due_at: key.instant("due_at")? })
}

fn account(item: &Reader<'_>) -> Result<AccountId, Unreadable> {
    item.id_in_key("PK", Key::account_id)
}
