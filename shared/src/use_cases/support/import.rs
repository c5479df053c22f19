//! Importing an account with its opening balance from another system.

use super::Asked;
use crate::domain::support::{Import, ImportRefusal, ImportState, decide_import};
use crate::domain::{Account, AccountClosed, BalanceOutOfRange, Credits, EmailAddress};
use crate::ports::{Accounts, ContactRecords, Directory, IdGenerator, Imports, LedgerError, Payments};
use crate::use_cases::accounts::{OpenAccountError, is_email_of, open_account};
use crate::use_cases::{Capabilities, Context, NotFound, OutsideError, StoreError, Updated};
use std::sync::Arc;

/// What an import does, or would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportOutcome {
    /// The account is opened with this balance.
    Opened { balance: Credits },
    /// The account exists and gets the credits.
    Credited { balance: Credits },
    /// The account exists, and there are no credits to give.
    Exists { balance: Credits },
    /// The same line was imported before.
    AlreadyImported { balance: Credits },
}

/// Why a line is not imported, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    #[error(transparent)]
    Refused(#[from] ImportRefusal),
    /// The line may have been imported. The same line again finds out, and goes on where this one stopped.
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

/// What [`import`] would do now with these lines of one account, one after the other. Nothing changes.
pub async fn preview_imports<C: Capabilities<Ledger: Accounts + ContactRecords + Imports>>(
    context: &Context<C>,
    lines: &[Import],
) -> Vec<Result<ImportOutcome, ImportError>> {
    let (mut previews, mut known) = (vec![], None);
    for line in lines {
        previews.push(preview(context, line, &mut known).await);
    }
    previews
}

/// An account as it is, or would be after the lines before.
#[derive(Clone)]
struct Known {
    account: KnownAccount,
    balance: Credits,
}

#[derive(Clone)]
enum KnownAccount {
    Stored(Box<Account>),
    /// A line before would open it, with this address.
    New(EmailAddress),
}

async fn preview<C: Capabilities<Ledger: Accounts + ContactRecords + Imports>>(
    context: &Context<C>,
    import: &Import,
    known: &mut Option<Option<Known>>,
) -> Result<ImportOutcome, ImportError> {
    let account = match known.take() {
        Some(known) => known,
        None => context
            .ledger
            .account_get(&import.account)
            .await?
            .map(|account| Known { balance: account.balance, account: KnownAccount::Stored(Box::new(account)) }),
    };
    *known = Some(account.clone());
    let imported = context.ledger.imported_get(&import.source).await?;
    let is_imported = import.is_imported(imported.as_ref())?;
    let is_new = account.is_none();
    let account =
        account.unwrap_or_else(|| Known { account: KnownAccount::New(import.email.clone()), balance: Credits::ZERO });
    if is_imported {
        return Ok(ImportOutcome::AlreadyImported { balance: account.balance });
    }
    let is_its_email = match &account.account {
        KnownAccount::New(email) => *email == import.email,
        KnownAccount::Stored(stored) => {
            stored.check_not_closed().map_err(ImportRefusal::from)?;
            is_email_of::<_, ImportError>(context, stored, &import.email).await?
        }
    };
    if !is_its_email {
        return Err(ImportRefusal::OtherEmail.into());
    }
    let balance = account.balance.plus(import.credits.get()).ok_or(BalanceOutOfRange).map_err(ImportRefusal::from)?;
    *known = Some(Some(Known { balance, ..account }));
    Ok(if is_new { ImportOutcome::Opened { balance } } else { outcome(import, balance) })
}

/// Opens the account if it does not exist, and brings its balance over, once for each source.
///
/// If it stops after the account was opened, the same line again credits that account.
///
/// # Errors
/// [`ImportError`].
pub async fn import<C>(context: &Context<C>, import: &Import, asked: &Asked) -> Result<ImportOutcome, ImportError>
where
    C: Capabilities<Ledger: Accounts + ContactRecords + Imports + Directory, Payments: Payments, Ids: IdGenerator>,
{
    // A line that conflicts must not open an account.
    import.is_imported(context.ledger.imported_get(&import.source).await?.as_ref())?;
    let is_new = open(context, import).await?;
    let committed = context
        .update_with(
            &import.account,
            |account| state(context, import, account),
            |account, state, now| Ok(decide_import(account, import, state, asked.acting(context, now), now)?),
        )
        .await;
    let updated: Updated<ImportState> = match committed {
        Ok(updated) => updated,
        Err(error) => return Err(conflict(context, import).await.unwrap_or(error)),
    };
    match updated {
        Updated::Committed(change, _) if is_new => Ok(ImportOutcome::Opened { balance: change.account.balance }),
        Updated::Committed(change, _) => Ok(outcome(import, change.account.balance)),
        Updated::Unchanged(account, _) => Ok(ImportOutcome::AlreadyImported { balance: account.balance }),
        Updated::Duplicate(_) => {
            // Another request imported the same line at the same moment.
            let account = context.ledger.account_get(&import.account).await?;
            let account: Account = account.ok_or_else(|| StoreError::Missing(import.account.to_string()))?;
            import.is_imported(context.ledger.imported_get(&import.source).await?.as_ref())?;
            Ok(ImportOutcome::AlreadyImported { balance: account.balance })
        }
    }
}

/// Whether the account was opened just now. An account that was closed or has another address is refused only if the line
/// was not imported before, so that is decided later.
async fn open<C: Capabilities<Ledger: Accounts + ContactRecords, Payments: Payments>>(
    context: &Context<C>,
    import: &Import,
) -> Result<bool, ImportError>
where
    C::Ids: IdGenerator,
{
    match open_account(context, &import.account, &import.email).await {
        Ok(opened) => Ok(!opened.is_replay),
        Err(OpenAccountError::EmailDiffers | OpenAccountError::Closed(_)) => Ok(false),
        Err(OpenAccountError::Outside(error)) => Err(error.into()),
    }
}

async fn state<C: Capabilities<Ledger: Accounts + Imports + Directory + ContactRecords>>(
    context: &Context<C>,
    import: &Import,
    account: Arc<Account>,
) -> Result<ImportState, ImportError> {
    let imported = context.ledger.imported_get(&import.source).await?;
    let is_listed = context.ledger.listed_get(&import.account).await?.is_some();
    let is_its_email =
        account.closed_at.is_some() || is_email_of::<_, ImportError>(context, &account, &import.email).await?;
    Ok(ImportState { imported, is_listed, is_its_email })
}

/// Two requests may import one source for two accounts at the same moment. The ledger refuses one of them, and here it
/// learns why.
async fn conflict<C: Capabilities<Ledger: Imports>>(context: &Context<C>, import: &Import) -> Option<ImportError> {
    match context.ledger.imported_get(&import.source).await {
        Ok(imported) => import.is_imported(imported.as_ref()).err().map(ImportError::from),
        Err(error) => Some(error.into()),
    }
}

fn outcome(import: &Import, balance: Credits) -> ImportOutcome {
    if import.credits.get() == Credits::ZERO {
        ImportOutcome::Exists { balance }
    } else {
        ImportOutcome::Credited { balance }
    }
}

impl From<AccountClosed> for ImportError {
    fn from(error: AccountClosed) -> Self {
        Self::Refused(error.into())
    }
}

impl From<LedgerError> for ImportError {
    fn from(error: LedgerError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<NotFound> for ImportError {
    /// The account was opened or read a moment ago, and accounts are never deleted.
    fn from(error: NotFound) -> Self {
        Self::Outside(StoreError::Missing(error.to_string()).into())
    }
}
