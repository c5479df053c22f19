//! Verifying the entries of an account, a page at a time.
//!
//! The entries come from an index, which shows them a moment after they were written, and not always in their order. So
//! an entry that is not there counts as missing only after a time in which it must have appeared.

use crate::domain::usage::RowMisfit;
use crate::domain::{Account, AccountId, Entry, Misfit, Verified};
use crate::ports::{Accounts, Entries, LedgerError, StoredEntries, UnreadableEntry};
use crate::use_cases::{Capabilities, Context, NotFound, StoreError};
use jiff::{SignedDuration, Timestamp};

/// How long the index may take to show an entry. It usually takes less than a second.
/// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/GSI.html#GSI.Writes>
const LAG_MAX: SignedDuration = SignedDuration::from_mins(1);

/// Why nothing could be verified, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LedgerError> for VerifyError {
    fn from(error: LedgerError) -> Self {
        Self::Store(error.into())
    }
}

/// Where a part of a verification begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    pub verified: Verified,
    /// Since when the next entry is waited for, if it is.
    pub waiting_since: Option<Timestamp>,
}

impl Position {
    pub const BEGINNING: Self = Self { verified: Verified::NOTHING, waiting_since: None };
}

/// The result of one part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verification {
    /// All entries fit, and so does the account.
    Verified(Verified),
    /// These entries fit, and more follow.
    Unfinished(Position),
    /// These entries fit, and the index does not show the next one yet.
    Behind(Position),
    /// The first thing that does not fit.
    Failed(Verified, Failure),
}

/// What does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The number of the entry, or of the newest one where the account itself does not fit.
    pub seq: u64,
    /// The entry's origin. `None` if there is no such entry.
    pub entry: Option<String>,
    /// What else does not fit: a row, a sum or a counter. `None` if it is the entry, or the account.
    pub item: Option<String>,
    pub problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("the attribute {attribute} is not as it was written")]
    Unreadable { attribute: String },
    #[error(transparent)]
    Misfit(#[from] Misfit),
    #[error(transparent)]
    Row(RowMisfit),
    #[error("the account says that {pending} credits are pending, and its pending charges hold {sum}")]
    Pending { pending: i64, sum: i64 },
    #[error("the limit per {limit} counts {used} credits, and {spent} were spent")]
    Limit { limit: &'static str, used: i64, spent: i64 },
}

impl Problem {
    /// Its name in the API.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "unreadable",
            Self::Misfit(misfit) => misfit.name(),
            Self::Row(_) => "usage",
            Self::Pending { .. } => "pending",
            Self::Limit { .. } => "limit",
        }
    }
}

/// Verifies at most `limit` (1–500) entries behind a position.
///
/// The account is read first. Its entries up to its `seq` were all written before, and those that are written meanwhile
/// are left to the next verification, so it ends however fast entries arrive.
///
/// # Errors
/// [`VerifyError`].
pub async fn verify_history<C: Capabilities<Ledger: Accounts + Entries + StoredEntries>>(
    context: &Context<C>,
    id: &AccountId,
    from: Position,
    limit: u32,
) -> Result<Verification, VerifyError> {
    let account = context.account::<VerifyError>(id).await?;
    // The last entry of the page before is read again: it must not have changed, and no other may have its number.
    let page = context.ledger.stored_entries(id, from.verified.seq.max(1), limit.saturating_add(1)).await?;
    let mut verified = from.verified;
    let mut stored = page.entries.iter().peekable();
    if verified.seq > 0 {
        match stored.next() {
            Some(Ok(last)) if verified.ends_with(last) => {}
            Some(Ok(last)) if last.seq == verified.seq => {
                return Ok(failed(verified, verified.seq, Some(last), Misfit::Hash));
            }
            Some(Err(unreadable)) => {
                return Ok(Verification::Failed(verified, of_unreadable(verified.seq, unreadable)));
            }
            Some(Ok(_)) | None => return Ok(awaited(context, from, verified, (verified.seq, None))),
        }
    }
    for entry in stored {
        let seq = verified.seq.saturating_add(1);
        let entry = match entry {
            Ok(entry) => entry,
            Err(unreadable) => return Ok(Verification::Failed(verified, of_unreadable(seq, unreadable))),
        };
        if entry.seq > account.seq {
            return not_counted_or_new(context, (&account, from, verified), entry).await;
        }
        verified = match verified.then(id, account.chain.as_ref(), entry) {
            Ok(verified) => verified,
            // The index may show the entry as it was before its texts were erased.
            Err(Misfit::Hash) if account.closed_at.is_some() => match erased(context, &account, verified, entry).await?
            {
                Some(verified) => verified,
                None => return Ok(failed(verified, seq, Some(entry), Misfit::Hash)),
            },
            Err(Misfit::Missing) => return Ok(awaited(context, from, verified, (seq, Some(entry)))),
            Err(Misfit::Repeated) => return Ok(failed(verified, entry.seq, Some(entry), Misfit::Repeated)),
            Err(misfit) => return Ok(failed(verified, seq, Some(entry), misfit)),
        };
    }
    Ok(if page.has_more {
        Verification::Unfinished(Position { verified, waiting_since: None })
    } else {
        ended(context, &account, from, verified)
    })
}

/// The entries up to this one, if it fits as it is in the table now.
async fn erased<C: Capabilities<Ledger: Entries>>(
    context: &Context<C>,
    account: &Account,
    verified: Verified,
    entry: &Entry,
) -> Result<Option<Verified>, VerifyError> {
    let stored = context.ledger.entry_get(&account.id, &entry.origin()).await?;
    Ok(stored.and_then(|stored| verified.then(&account.id, account.chain.as_ref(), &stored).ok()))
}

/// The index shows nothing more.
fn ended<C: Capabilities>(context: &Context<C>, account: &Account, from: Position, verified: Verified) -> Verification {
    if verified.seq < account.seq {
        return awaited(context, from, verified, (verified.seq.saturating_add(1), None));
    }
    match verified.check_end(account) {
        Ok(()) => Verification::Verified(verified),
        Err(misfit) => failed(verified, verified.seq, None, misfit),
    }
}

/// An entry that the account did not count when it was read. An entry is written together with its account, so by now
/// the account counts it, or never will.
async fn not_counted_or_new<C: Capabilities<Ledger: Accounts>>(
    context: &Context<C>,
    (account, from, verified): (&Account, Position, Verified),
    entry: &Entry,
) -> Result<Verification, VerifyError> {
    let entries = context.account::<VerifyError>(&account.id).await?.seq;
    if entry.seq > entries {
        return Ok(failed(verified, entry.seq, Some(entry), Misfit::NotCounted { entries }));
    }
    Ok(ended(context, account, from, verified))
}

/// An entry is not there: not yet, or not any more. `later` is one behind it that is there.
fn awaited<C: Capabilities>(
    context: &Context<C>,
    from: Position,
    verified: Verified,
    (missing, later): (u64, Option<&Entry>),
) -> Verification {
    let now = context.now();
    let is_same = from.verified.seq == verified.seq;
    let since = from.waiting_since.filter(|_| is_same).unwrap_or(now);
    let since = later.map_or(since, |later| since.min(later.created_at));
    if now.duration_since(since) >= LAG_MAX {
        return failed(verified, missing, None, Misfit::Missing);
    }
    Verification::Behind(Position { verified, waiting_since: Some(since) })
}

fn failed(verified: Verified, seq: u64, entry: Option<&Entry>, misfit: Misfit) -> Verification {
    let entry = entry.map(|entry| entry.origin().to_string());
    Verification::Failed(verified, Failure { seq, entry, item: None, problem: misfit.into() })
}

fn of_unreadable(seq: u64, unreadable: &UnreadableEntry) -> Failure {
    let UnreadableEntry { origin, attribute } = unreadable.clone();
    Failure { seq, entry: Some(origin), item: None, problem: Problem::Unreadable { attribute } }
}
