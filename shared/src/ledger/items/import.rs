//! The record of an imported balance, and an account in the directory of all accounts.

use crate::domain::AccountId;
use crate::domain::support::Imported;
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, credits, instant, text};
use crate::ledger::keys::{self, Key};
use crate::ports::ListedAccount;
use jiff::Timestamp;

pub(in crate::ledger) fn imported_to_item(imported: &Imported) -> Attributes {
    Writer::item(keys::import(&imported.source))
        .with("account_id", text(&imported.account))
        .with("credits", credits(imported.credits))
        .with("imported_at", instant(imported.at))
        .into_attributes()
}

pub(in crate::ledger) fn imported_from_item(item: &Attributes) -> Result<Imported, Unreadable> {
    let item = Reader::item(item)?;
    Ok(Imported {
        source: item.id_in_key("PK", Key::source_id)?,
        account: item.id("account_id", AccountId::parse)?,
        credits: item.credits("credits")?,
        at: item.instant("imported_at")?,
    })
}

pub(in crate::ledger) fn listed_to_item(account: &AccountId, at: Timestamp) -> Attributes {
    Writer::item(keys::listed(account)).with("listed_at", instant(at)).into_attributes()
}

pub(in crate::ledger) fn listed_from_item(item: &Attributes) -> Result<ListedAccount, Unreadable> {
    let item = Reader::item(item)?;
    Ok(ListedAccount { account: item.id_in_key("SK", Key::listed_account_id)?, listed_at: item.instant("listed_at")? })
}
