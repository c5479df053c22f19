//! What accounts used: folding their entries into rows, and reading the rows with the entries that are in none yet.
//!
//! Folding changes no account: it moves no credits and not the account's version, so it never competes with a charge.

mod fold;
mod read;

pub use fold::{FoldLimits, FoldUsageError, Folded, fold_usage};
pub use read::{ReadUsageError, Usage, read_usage};

use super::{Capabilities, Context};
use crate::domain::{AccountId, Entry, UsageEntry};
use crate::ports::{Entries, LedgerError};
use futures::stream::{self, StreamExt, TryStreamExt};
use std::collections::BTreeMap;

/// How many charges are read at the same time.
const CHARGES_AT_ONCE: usize = 8;

/// The entries, each with the charge that it gives credits back for. Most of those charges are near, and only the others
/// are read.
pub(in crate::use_cases) async fn with_charges<C: Capabilities<Ledger: Entries>>(
    context: &Context<C>,
    account: &AccountId,
    entries: Vec<Entry>,
) -> Result<Vec<UsageEntry>, LedgerError> {
    let near: BTreeMap<_, _> = entries.iter().map(|entry| (entry.origin(), entry.clone())).collect();
    let charge_of = |entry: Entry| {
        let origin = UsageEntry::charge_of(&entry);
        let known = origin.as_ref().and_then(|origin| near.get(origin)).cloned();
        async move {
            let charge = match (known, origin) {
                (Some(known), _) => Some(known),
                (None, Some(origin)) => context.ledger.entry_get(account, &origin).await?,
                (None, None) => None,
            };
            Ok(UsageEntry { entry, charge })
        }
    };
    stream::iter(entries.into_iter().map(charge_of)).buffered(CHARGES_AT_ONCE).try_collect().await
}
