//! Opening a customer's own purchase and its payment page.

use crate::domain::payments::{check_purchase_replay, decide_checkout_opened, decide_open_purchase};
use crate::domain::{
    Account, AccountId, IdempotencyKey, KeyReused, PackageId, PriceBook, Purchase, PurchaseId, PurchaseStatus,
};
use crate::ports::{Accounts, CommitError, IdGenerator, LedgerError, Payments, PaymentsError, Purchases};
use crate::use_cases::{Capabilities, Context, NotFound, OutsideError, StoreError};

/// Why no purchase was opened, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum OpenPurchaseError {
    #[error(transparent)]
    NotFound(#[from] NotFound),
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    #[error("the price book has no package {0}")]
    PackageNotFound(PackageId),
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

/// A customer's choice of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurchaseCommand {
    pub key: IdempotencyKey,
    pub package: PackageId,
}

/// A purchase, and whether the same request opened it before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenedPurchase {
    pub purchase: Purchase,
    pub is_replay: bool,
}

/// Opens a purchase and its payment page, once for each key.
///
/// The purchase is stored before Stripe is asked, and Stripe is asked under a key made of the purchase's id:
/// a request repeated after a crash at any point ends at the same page.
///
/// # Errors
/// [`OpenPurchaseError`].
pub async fn open_purchase<C>(
    context: &Context<C>,
    account: &AccountId,
    command: &PurchaseCommand,
) -> Result<OpenedPurchase, OpenPurchaseError>
where
    C: Capabilities<Ledger: Accounts + Purchases, Payments: Payments, Ids: IdGenerator, PriceBook = PriceBook>,
{
    let ledger = &context.ledger;
    let (owner, mut opened) = claim_key(context, account, command).await?;
    if opened.purchase.status == PurchaseStatus::Open && opened.purchase.checkout.is_none() {
        let checkout = context.payments.checkout_open(&owner.customer, &opened.purchase).await?;
        for _ in context.rounds() {
            let current = ledger.account_get(account).await?.ok_or_else(|| NotFound::Account(account.clone()))?;
            let standing = purchase_standing(context, account, &opened.purchase.id).await?;
            let Some(change) = decide_checkout_opened(&current, &standing, checkout.clone(), context.now()) else {
                opened.purchase = standing;
                return Ok(opened);
            };
            match ledger.commit(&change).await {
                Ok(()) | Err(CommitError::Stale { .. } | CommitError::Duplicate { .. }) => {}
                Err(CommitError::Failed(error)) => return Err(error.into()),
            }
        }
        return Err(StoreError::Contended.into());
    }
    Ok(opened)
}

/// The purchase that this key opened before, or a new one.
async fn claim_key<C: Capabilities<Ledger: Accounts + Purchases, Ids: IdGenerator, PriceBook = PriceBook>>(
    context: &Context<C>,
    account: &AccountId,
    command: &PurchaseCommand,
) -> Result<(Account, OpenedPurchase), OpenPurchaseError> {
    let ledger = &context.ledger;
    for _ in context.rounds() {
        let current = ledger.account_get(account).await?.ok_or_else(|| NotFound::Account(account.clone()))?;
        if let Some(id) = ledger.purchase_id_get(account, &command.key).await? {
            let purchase = purchase_standing(context, account, &id).await?;
            check_purchase_replay(&purchase, &command.package)?;
            return Ok((current, OpenedPurchase { purchase, is_replay: true }));
        }
        let package = context.price_book.package(&command.package);
        let package = package.ok_or_else(|| OpenPurchaseError::PackageNotFound(command.package.clone()))?;
        let now = context.now();
        let id = context.mint(PurchaseId::mint, now);
        let (change, purchase) = decide_open_purchase(&current, package, command.key.clone(), id, now);
        match ledger.commit(&change).await {
            Ok(()) => return Ok((change.account, OpenedPurchase { purchase, is_replay: false })),
            Err(CommitError::Stale { .. } | CommitError::Duplicate { .. }) => {}
            Err(CommitError::Failed(error)) => return Err(error.into()),
        }
    }
    Err(StoreError::Contended.into())
}

async fn purchase_standing<C: Capabilities<Ledger: Purchases>>(
    context: &Context<C>,
    account: &AccountId,
    purchase: &PurchaseId,
) -> Result<Purchase, StoreError> {
    let standing = context.ledger.purchase_get(account, purchase).await?;
    standing.ok_or_else(|| StoreError::Missing(format!("purchase {purchase}")))
}

impl From<LedgerError> for OpenPurchaseError {
    fn from(error: LedgerError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<StoreError> for OpenPurchaseError {
    fn from(error: StoreError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<PaymentsError> for OpenPurchaseError {
    fn from(error: PaymentsError) -> Self {
        Self::Outside(error.into())
    }
}
