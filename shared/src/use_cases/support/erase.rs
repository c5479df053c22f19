//! Closing an account, and erasing what is personal in it, a part at a time.

use super::Asked;
use crate::domain::support::{
    EraseRefusal, Erasure, ErasurePage, ItemKey, PAYMENT_OPEN_MAX, PersonalItem, decide_close, decide_erase,
    is_open_purchase,
};
use crate::domain::{Account, AccountId, PurchaseId, UsageCursor, UsageFold, UsageRow};
use crate::ports::{Accounts, Erasures, FoldError, IdGenerator, LedgerError, PurchaseList, UsageFolds, UsageRows};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError, Updated};
use jiff::Timestamp;
use std::sync::Arc;

/// How much one request erases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ErasureLimits {
    /// Items on a page, at most 90: a transaction has 100, among them the account and the progress.
    pub page: u8,
    /// Pages, at least 1.
    pub pages_max: u32,
}

impl ErasureLimits {
    /// 8,000 items take about five seconds, and a request may take thirty.
    pub const REQUEST: Self = Self { page: 80, pages_max: 100 };
}

/// Rows of usage in one transaction. A row has up to 40 KB, and a transaction may have 4 MB.
const ROWS_TOGETHER: usize = 40;
/// How often usage may be folded while a page is erased. A closed account has hardly any entries to fold.
const FOLDS_MEANWHILE_MAX: u32 = 20;

/// Why nothing was erased, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum EraseError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Refused(#[from] EraseRefusal),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LedgerError> for EraseError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}

/// A closed account, and how far it is erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erased {
    pub account: Account,
    pub erasure: Erasure,
}

trait_alias! {
    /// The ports that an erasure uses.
    pub trait ErasingLedger: Accounts + Erasures + PurchaseList + UsageFolds + UsageRows
}

/// Closes the account in its first transaction, and erases as much as the limits allow. Calling it again goes on, until
/// the erasure is complete; from then on it changes nothing.
///
/// # Errors
/// [`EraseError`]. After [`EraseError::Store`], calling it again goes on.
pub async fn erase<C: Capabilities<Ledger: ErasingLedger, Ids: IdGenerator>>(
    context: &Context<C>,
    account: &AccountId,
    asked: &Asked,
    limits: ErasureLimits,
) -> Result<Erased, EraseError> {
    let mut closed = close(context, account, asked).await?;
    let mut erasure = stored_erasure(context, account).await?;
    let mut after = erasure.after.clone();
    for page in 1..=limits.pages_max {
        if erasure.completed_at.is_some() {
            break;
        }
        let part = Part { after, limit: limits.page, is_stored: page == limits.pages_max };
        (closed, erasure, after) = erase_page(context, closed, part).await?;
    }
    Ok(Erased { account: closed, erasure })
}

async fn close<C: Capabilities<Ledger: ErasingLedger, Ids: IdGenerator>>(
    context: &Context<C>,
    account: &AccountId,
    asked: &Asked,
) -> Result<Account, EraseError> {
    let read = |current: Arc<Account>| async move {
        let is_closed = current.closed_at.is_some();
        if is_closed { Ok(None) } else { open_purchase(context, &current.id).await.map_err(EraseError::from) }
    };
    let updated: Result<Updated<Option<PurchaseId>>, EraseError> = context
        .update_with(account, read, |account, open, now| {
            Ok(decide_close(account, open.as_ref(), asked.acting(context, now), now)?)
        })
        .await;
    match updated? {
        Updated::Committed(change, _) => Ok(change.account),
        Updated::Unchanged(account, _) => Ok(Arc::unwrap_or_clone(account)),
        // Closing makes no entry.
        Updated::Duplicate(_) => Err(StoreError::NoEntry.into()),
    }
}

/// A purchase that can still be paid, among those that were opened recently enough.
async fn open_purchase<C: Capabilities<Ledger: PurchaseList>>(
    context: &Context<C>,
    account: &AccountId,
) -> Result<Option<PurchaseId>, LedgerError> {
    let oldest = context.now().saturating_sub(PAYMENT_OPEN_MAX).unwrap_or(Timestamp::MIN);
    let mut after = None;
    loop {
        let page = context.ledger.purchases_page(account, after.as_ref(), 100).await?;
        if let Some(open) = page.purchases.iter().find(|purchase| is_open_purchase(purchase)) {
            return Ok(Some(open.id.clone()));
        }
        let last = page.purchases.last().filter(|last| page.has_more && last.opened_at >= oldest);
        let Some(last) = last else { return Ok(None) };
        after = Some(last.id.clone());
    }
}

async fn stored_erasure<C: Capabilities<Ledger: Erasures>>(
    context: &Context<C>,
    account: &AccountId,
) -> Result<Erasure, StoreError> {
    let stored = context.ledger.erasure_get(account).await?;
    stored.ok_or_else(|| StoreError::Missing(format!("how far the account {account} is erased")))
}

/// Which items are looked at next.
struct Part {
    /// Behind what this request has looked at, which may be further than what is stored.
    after: Option<ItemKey>,
    limit: u8,
    /// Whether the progress is stored even if nothing else is written.
    is_stored: bool,
}

/// What was found of a page.
struct Found {
    erasure: Erasure,
    page: ErasurePage,
}

/// Erases a page, and returns the account, its progress and where the next page begins.
async fn erase_page<C: Capabilities<Ledger: ErasingLedger>>(
    context: &Context<C>,
    closed: Account,
    part: Part,
) -> Result<(Account, Erasure, Option<ItemKey>), EraseError> {
    let (id, after) = (closed.id, part.after.as_ref());
    let read = |_| async {
        let erasure = stored_erasure(context, &id).await?;
        let page = page_without_names(context, &id, (after, part.limit)).await?;
        Ok::<_, EraseError>(Found { erasure, page })
    };
    let decide = |account: &Account, found: &Found, now| {
        Ok(decide_erase(account, &found.erasure, (&found.page, part.is_stored), context.salt(), now))
    };
    match context.update_with(&id, read, decide).await? {
        Updated::Committed(change, found) => {
            let erasure = change.erasure().cloned().unwrap_or(found.erasure);
            Ok((change.account, erasure, found.page.next))
        }
        Updated::Unchanged(account, found) => Ok((Arc::unwrap_or_clone(account), found.erasure, found.page.next)),
        // Erasing makes no entry.
        Updated::Duplicate(_) => Err(StoreError::NoEntry.into()),
    }
}

/// A page of items, after the names of spenders in its rows of usage were erased.
///
/// The cursor of usage says that names are erased before any row is looked at. A fold that began earlier fails on it, and
/// one that begins later counts no names. So a row never gets a name back.
async fn page_without_names<C: Capabilities<Ledger: Erasures + UsageFolds + UsageRows>>(
    context: &Context<C>,
    account: &AccountId,
    (after, limit): (Option<&ItemKey>, u8),
) -> Result<ErasurePage, StoreError> {
    for _ in 0..FOLDS_MEANWHILE_MAX {
        let cursor = context.ledger.usage_cursor_get(account).await?;
        let nameless = UsageCursor { is_nameless: true, ..cursor };
        let page = context.ledger.erasable_items(account, after, limit).await?;
        let rows = page.items.iter().filter_map(|item| match item {
            PersonalItem::UsageRow(row) if row.has_names() => Some(row.nameless()),
            _ => None,
        });
        match write_rows(context, account, (cursor, nameless), rows.collect()).await {
            Ok(()) => return Ok(page),
            Err(FoldError::Stale) => {}
            Err(FoldError::Failed(error)) => return Err(error.into()),
        }
    }
    Err(StoreError::Contended)
}

async fn write_rows<C: Capabilities<Ledger: UsageFolds>>(
    context: &Context<C>,
    account: &AccountId,
    (before, after): (UsageCursor, UsageCursor),
    rows: Vec<UsageRow>,
) -> Result<(), FoldError> {
    if before == after && rows.is_empty() {
        return Ok(());
    }
    let mut parts: Vec<Vec<UsageRow>> = rows.chunks(ROWS_TOGETHER).map(<[UsageRow]>::to_vec).collect();
    if parts.is_empty() {
        parts.push(vec![]);
    }
    for rows in parts {
        context.ledger.usage_fold(account, &UsageFold { before, after, rows, flags: vec![] }).await?;
    }
    Ok(())
}
