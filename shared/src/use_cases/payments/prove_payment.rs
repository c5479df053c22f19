//! The proof of a payment: everything that is known of it is read again, at the payment provider and in the ledger, and
//! compared. Nothing is changed.

use super::apply_returned::known_bought;
use crate::domain::payments::{
    Amounts, CheckoutOutcome, Claim, Evidence, PaidFor, Payment, Proof, Returns, TopUpOutcome, is_receipt_of, prove,
};
use crate::domain::{Account, AccountId, Entry, Notice, NoticeId, Origin};
use crate::ports::{
    Accounts, ClaimedPayment, ClaimedPayments, Entries, LedgerError, NoticeList, PaymentReturns, Payments,
    PaymentsError, Purchases, ToldBy, TopUps,
};
use crate::use_cases::{Capabilities, Context, OutsideError};
use jiff::Timestamp;

/// The receipt is among so many notices that were owed before or with the credits.
const NOTICES_MAX: u8 = 20;
/// A payment is refunded and disputed a few times at most.
const REVERSALS_MAX: u32 = 100;

/// A payment with its proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvenPayment {
    pub account: AccountId,
    pub paid_for: PaidFor,
    pub claimed: ClaimedPayment,
    pub proof: Proof,
}

/// Why there is no proof.
#[derive(Debug, thiserror::Error)]
pub enum ProvePaymentError {
    /// There is no such payment for credits of this deployment, or it is another account's.
    #[error("there is no such payment")]
    NotFound,
    #[error(transparent)]
    Outside(#[from] OutsideError),
}

trait_alias! {
    /// The ports by which a payment is proven.
    pub trait Proving:
        Capabilities<
            Ledger: Accounts + Entries + NoticeList + Purchases + TopUps,
            Payments: Payments + PaymentReturns + ClaimedPayments,
        >
}

/// Proves the payment that its id, or that of its invoice, names. `asker` is the account that may see it; `None` for support.
///
/// # Errors
/// [`ProvePaymentError`].
pub async fn prove_payment<C: Proving>(
    context: &Context<C>,
    asker: Option<&AccountId>,
    named: &Claim,
) -> Result<ProvenPayment, ProvePaymentError> {
    let claimed = context.payments.claimed_payments(None, named).await?.into_iter().next();
    let claimed = claimed.filter(|claimed| !claimed.is_of_other_deployment).ok_or(ProvePaymentError::NotFound)?;
    let (account, paid_for) = claimed.paid_for.clone().ok_or(ProvePaymentError::NotFound)?;
    if asker.is_some_and(|asker| *asker != account) {
        return Err(ProvePaymentError::NotFound);
    }
    let owner = context.ledger.account_get(&account).await?.ok_or(ProvePaymentError::NotFound)?;
    let proof = proof(context, &owner, (&claimed, &paid_for)).await?;
    Ok(ProvenPayment { account, paid_for, claimed, proof })
}

async fn proof<C: Proving>(
    context: &Context<C>,
    owner: &Account,
    (claimed, paid_for): (&ClaimedPayment, &PaidFor),
) -> Result<Proof, OutsideError> {
    let paid = paid(context, claimed).await?;
    let returns = returns(context, claimed).await?;
    let bought = known_bought(context, &owner.id, paid_for).await?;
    let entry = context.ledger.entry_get(&owner.id, &paid_for.origin()).await?;
    let receipt = match &entry {
        Some(entry) => receipt(context, (&owner.id, paid_for), entry.created_at).await?,
        None => None,
    };
    let reversals = reversals(context, &owner.id, paid_for).await?;
    let told_by = claimed.told_by.as_ref().map(|told_by| match told_by {
        ToldBy::Checkout(session) => session.as_str(),
        ToldBy::Invoice(invoice) => invoice.as_str(),
    });
    Ok(prove(&Evidence {
        account: owner,
        paid_for,
        payment: claimed.payment.as_ref(),
        invoice: claimed.invoice.as_ref(),
        told_by,
        paid: paid.as_ref(),
        amounts: Amounts { asked: claimed.amount, received: claimed.received, created_at: claimed.created_at },
        returns,
        bought: bought.as_ref(),
        entry: entry.as_ref(),
        receipt: receipt.as_ref(),
        reversals: &reversals,
        now: context.now(),
    }))
}

/// What the page or the invoice says was paid.
async fn paid<C: Capabilities<Payments: Payments>>(
    context: &Context<C>,
    claimed: &ClaimedPayment,
) -> Result<Option<Payment>, PaymentsError> {
    let of_purchase = |outcome| match outcome {
        CheckoutOutcome::Paid(payment) => Some(payment),
        _ => None,
    };
    Ok(match &claimed.told_by {
        None => None,
        Some(ToldBy::Checkout(session)) => of_purchase(context.payments.checkout_get(session).await?.outcome),
        Some(ToldBy::Invoice(invoice)) => {
            let report = context.payments.invoice_get(invoice).await?;
            match (report.purchase, report.outcome) {
                (Some((.., outcome)), _) => of_purchase(outcome),
                (None, TopUpOutcome::Paid(payment)) => Some(payment),
                // Credits were granted for this part of the price alone.
                (None, TopUpOutcome::PartlyPaid { payment, .. }) => Some(payment),
                (None, _) => None,
            }
        }
    })
}

/// An invoice that was paid without a payment gives nothing back through the payment provider.
async fn returns<C: Capabilities<Payments: PaymentReturns>>(
    context: &Context<C>,
    claimed: &ClaimedPayment,
) -> Result<Returns, PaymentsError> {
    let Some(payment) = &claimed.payment else { return Ok(Returns::default()) };
    Ok(context.payments.returned_payment_get(payment).await?.returned.returns)
}

/// Ids sort by time, and the receipt is owed when the credits are granted.
async fn receipt<C: Capabilities<Ledger: NoticeList>>(
    context: &Context<C>,
    (account, paid_for): (&AccountId, &PaidFor),
    granted_at: Timestamp,
) -> Result<Option<Notice>, LedgerError> {
    let after = u128::try_from(granted_at.as_millisecond().saturating_add(1)).unwrap_or_default();
    let behind = NoticeId::mint(after << 80);
    let notices = context.ledger.notices_page(account, Some(&behind), NOTICES_MAX).await?;
    Ok(notices.records.into_iter().find(|notice| is_receipt_of(notice, paid_for)))
}

async fn reversals<C: Capabilities<Ledger: Entries>>(
    context: &Context<C>,
    account: &AccountId,
    paid_for: &PaidFor,
) -> Result<Vec<Entry>, LedgerError> {
    let mut reversals = vec![];
    for number in 1..=REVERSALS_MAX {
        let origin = Origin::Reversal(paid_for.clone(), number);
        match context.ledger.entry_get(account, &origin).await? {
            Some(entry) => reversals.push(entry),
            None => break,
        }
    }
    Ok(reversals)
}

impl From<LedgerError> for ProvePaymentError {
    fn from(error: LedgerError) -> Self {
        Self::Outside(error.into())
    }
}

impl From<PaymentsError> for ProvePaymentError {
    fn from(error: PaymentsError) -> Self {
        Self::Outside(error.into())
    }
}
