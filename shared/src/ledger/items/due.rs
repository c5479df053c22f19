//! Items of the index `due`, which projects keys only.

use crate::domain::AccountId;
use crate::ledger::attributes::{Attributes, Reader, Unreadable, Writer, instant, text};
use crate::ledger::keys::{self, Key};
use crate::ports::{DueCursor, DuePage, Shard};

/// The start of the next page, as DynamoDB's exclusive start key.
pub(in crate::ledger) fn due_cursor_to_key(shard: Shard, cursor: &DueCursor) -> Attributes {
    Writer::item(keys::account(&cursor.account))
        .with("due_shard", text(keys::due_shard(shard)))
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

fn cursor(key: &Attributes) -> Result<DueCursor, Unreadable> {
    let key = Reader::item(key)?;
    Ok(DueCursor { account: account(&key)?, due_at: key.instant("due_at")? })
}

fn account(item: &Reader<'_>) -> Result<AccountId, Unreadable> {
    item.id_in_key("PK", Key::account_id)
}
