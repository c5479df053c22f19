//! A customer's own purchase: opening its payment page, and looking what became of it.

use super::ports::{CommitError, Ledger, LedgerError, Payments, PaymentsError, Unique};
use super::settle::{SettleError, settle_purchase};
use super::{OutsideError, StoreError, rounds};
use crate::clock::Clock;
use crate::domain::account::KeyReused;
use crate::domain::purchase::{CheckoutOutcome, check_replay, decide_checkout_opened, decide_open_purchase};
use crate::domain::{Account, AccountId, IdempotencyKey, PackageId, PriceBook, Purchase, PurchaseId, PurchaseStatus};

/// Why no purchase was opened, in order of precedence.
#[derive(Debug, thiserror::Error)]
pub enum OpenPurchaseError {
    #[error("no such account")]
    AccountNotFound,
    #[error(transparent)]
    KeyReused(#[from] KeyReused),
    #[error("no such package")]
    PackageNotFound,
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
pub async fn open_purchase<L: Ledger, P: Payments>(
    ledger: &L,
    payments: &P,
    price_book: &PriceBook,
    unique: &impl Unique,
    clock: &impl Clock,
    account: &AccountId,
    command: &PurchaseCommand,
) -> Result<OpenedPurchase, OpenPurchaseError> {
    let (owner, mut opened) = claim_key(ledger, price_book, unique, clock, account, command).await?;
    if opened.purchase.status == PurchaseStatus::Open && opened.purchase.checkout.is_none() {
        let checkout = payments.checkout_open(&owner.customer, &opened.purchase).await?;
        for _ in rounds(clock) {
            let current = ledger.account_get(account).await?.ok_or(OpenPurchaseError::AccountNotFound)?;
            let standing = purchase_standing(ledger, account, &opened.purchase.id).await?;
            let Some(change) = decide_checkout_opened(&current, &standing, checkout.clone(), clock.now()) else {
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
async fn claim_key<L: Ledger>(
    ledger: &L,
    price_book: &PriceBook,
    unique: &impl Unique,
    clock: &impl Clock,
    account: &AccountId,
    command: &PurchaseCommand,
) -> Result<(Account, OpenedPurchase), OpenPurchaseError> {
    for _ in rounds(clock) {
        let current = ledger.account_get(account).await?.ok_or(OpenPurchaseError::AccountNotFound)?;
        if let Some(id) = ledger.purchase_id_get(account, &command.key).await? {
            let purchase = purchase_standing(ledger, account, &id).await?;
            check_replay(&purchase, &command.package)?;
            return Ok((current, OpenedPurchase { purchase, is_replay: true }));
        }
        let package = price_book.package(&command.package).ok_or(OpenPurchaseError::PackageNotFound)?;
        let now = clock.now();
        let id = PurchaseId::mint(unique.unique(now));
        let (change, purchase) = decide_open_purchase(&current, package, command.key.clone(), id, now);
        match ledger.commit(&change).await {
            Ok(()) => return Ok((change.account, OpenedPurchase { purchase, is_replay: false })),
            Err(CommitError::Stale { .. } | CommitError::Duplicate { .. }) => {}
            Err(CommitError::Failed(error)) => return Err(error.into()),
        }
    }
    Err(StoreError::Contended.into())
}

async fn purchase_standing<L: Ledger>(
    ledger: &L,
    account: &AccountId,
    purchase: &PurchaseId,
) -> Result<Purchase, StoreError> {
    ledger.purchase_get(account, purchase).await?.ok_or_else(|| StoreError::Missing(format!("purchase {purchase}")))
}

/// A purchase as it stands, asking Stripe while it is open: what was paid is granted here if no webhook did it.
///
/// While Stripe cannot be asked, the stored purchase is the answer.
///
/// # Errors
/// [`SettleError::NotFound`] for another account's purchase as for one that does not exist.
pub async fn check_purchase<L: Ledger, P: Payments>(
    ledger: &L,
    payments: &P,
    unique: &impl Unique,
    clock: &impl Clock,
    account: &AccountId,
    purchase: &PurchaseId,
) -> Result<Purchase, SettleError> {
    let stored = ledger.purchase_get(account, purchase).await?.ok_or(SettleError::NotFound)?;
    let session = match (&stored.status, &stored.checkout) {
        (PurchaseStatus::Open, Some(checkout)) => &checkout.session,
        (PurchaseStatus::Open, None) | (PurchaseStatus::Paid | PurchaseStatus::Expired, _) => return Ok(stored),
    };
    match payments.checkout_get(session).await {
        Ok(report) => {
            let settled = settle_purchase(ledger, unique, clock, account, purchase, &report.outcome).await?;
            if let Err(error) = save_card(ledger, payments, account, &report.outcome).await {
                tracing::warn!(account.id = %account, %error, "the card was not made the customer's default");
            }
            Ok(settled)
        }
        Err(error) => {
            tracing::warn!(account.id = %account, purchase.id = %purchase, %error, "the purchase could not be looked up");
            Ok(stored)
        }
    }
}

/// Makes the card that a purchase was paid with the customer's default, which Checkout does not do, as long as it is
/// the card that top-ups are paid with here.
///
/// # Errors
/// [`OutsideError`]; calling it again is harmless.
pub async fn save_card<L: Ledger, P: Payments>(
    ledger: &L,
    payments: &P,
    account: &AccountId,
    outcome: &CheckoutOutcome,
) -> Result<(), OutsideError> {
    let CheckoutOutcome::Paid(payment) = outcome else { return Ok(()) };
    let Some(current) = ledger.account_get(account).await? else { return Ok(()) };
    match &payment.payment_method {
        Some(card) if current.payment_method.as_ref() == Some(card) => {
            payments.default_payment_method_set(&current.customer, card).await.map_err(OutsideError::from)
        }
        Some(_) | None => Ok(()),
    }
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
