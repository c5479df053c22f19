//! The only way to grant credits for money. Stripe's answer, the webhook, the sweep and a customer's "check again" all
//! call it, in any order and any number of times.

use super::set_auto_top_up::consent_in_force;
use crate::domain::payments::{
    AskedCard, BesideOutcome, CheckoutOutcome, GrantRefusal, OfferedCard, TopUpOutcome, card_to_offer,
    card_to_remember, decide_purchase_outcome, decide_top_up_outcome, may_turn_off, names_card,
};
use crate::domain::{
    Account, AccountId, Change, NoticeId, PaymentIntentId, PaymentMethodId, Purchase, PurchaseId, PurchaseStatus,
    TopUp, TopUpId,
};
use crate::error::chain;
use crate::ports::{Accounts, AskedCards, Consents, Payments, PaymentsError, Purchases, TopUps};
use crate::use_cases::{Capabilities, Context, NotFound, OutsideError, StoreError, Updated};
use std::sync::Arc;

/// Why nothing was recorded.
#[derive(Debug, thiserror::Error)]
pub enum RecordOutcomeError {
    /// No account, purchase or attempt with these ids exists here. It belongs to another deployment on the same Stripe
    /// account.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// The payment does not match what was asked for. A person has to investigate.
    #[error("the payment does not match what was asked for")]
    Mismatch(#[from] GrantRefusal),
    /// The card could not be made the default. A retry grants the purchase.
    #[error(transparent)]
    Payments(PaymentsError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<OutsideError> for RecordOutcomeError {
    fn from(error: OutsideError) -> Self {
        match error {
            OutsideError::Store(error) => Self::Store(error),
            OutsideError::Payments(error) => Self::Payments(error),
        }
    }
}

/// Records what Stripe reports about a purchase, and returns the purchase in its new state.
///
/// Its card is offered to Stripe before the purchase is granted, so that a retry after a crash does both.
///
/// # Errors
/// [`RecordOutcomeError`].
pub async fn record_purchase_outcome<C: Capabilities<Ledger: Accounts + AskedCards + Purchases, Payments: Payments>>(
    context: &Context<C>,
    account: &AccountId,
    purchase: &PurchaseId,
    outcome: &CheckoutOutcome,
) -> Result<Purchase, RecordOutcomeError> {
    let read = || async {
        let stored = context.ledger.purchase_get(account, purchase).await.map_err(StoreError::from)?;
        stored.ok_or_else(|| RecordOutcomeError::from(NotFound::Purchase(purchase.clone())))
    };
    let read_and_offer = |owner: Arc<Account>| async move {
        let purchase = read().await?;
        let default_card = match card_to_offer(&owner, &purchase, outcome) {
            Some(offered) => offer_card(context, &owner, &offered).await.map_err(RecordOutcomeError::Payments)?,
            None => owner.payment_method.clone(),
        };
        let asked = asked_before(context, &owner, default_card.as_ref()).await?;
        Ok::<_, RecordOutcomeError>((purchase, (default_card, asked)))
    };
    let decide = |account: &Account, (purchase, (default_card, known)): &(Purchase, CardNow), now| {
        let notice = context.mint(NoticeId::mint, now);
        let change = decide_purchase_outcome(account, purchase, outcome, default_card.clone(), notice, now);
        let change = change.map_err(GrantRefusal::from)?;
        Ok(change.map(|change| change.with_asked_card(account, known, None)))
    };
    match context.update_with(account, read_and_offer, decide).await? {
        Updated::Committed(change, (before, _)) => {
            let purchase = change.purchase().cloned().unwrap_or(before);
            warn_of_closed_account(&change);
            warn_of_review(&purchase, outcome);
            warn_of_overpayment(&purchase);
            Ok(purchase)
        }
        Updated::Unchanged(_, (purchase, _)) => {
            warn_of_second_payment(&purchase, outcome);
            Ok(purchase)
        }
        // Another request granted it a moment ago.
        Updated::Duplicate(_) => read().await,
    }
}

/// The card that is asked from now on, and what is known of the one before.
type CardNow = (Option<PaymentMethodId>, AskedCard);

/// What an outcome of an attempt changes beside the attempt. The card that the customer paid with is offered to Stripe before
/// the attempt is granted, so that a retry after a crash does both.
///
/// What is not going to change is not read.
pub(super) async fn beside_outcome<C>(
    context: &Context<C>,
    owner: &Account,
    (top_up, outcome): (&TopUp, &TopUpOutcome),
) -> Result<BesideOutcome, OutsideError>
where
    C: Capabilities<Ledger: AskedCards + Consents, Payments: Payments>,
{
    let may_turn_off = may_turn_off(top_up, outcome, context.now());
    if may_turn_off || names_card(outcome) {
        let asked = context.ledger.asked_card_get(&owner.id).await.map_err(StoreError::from)?;
        let face = asked.face_of(top_up.payment_method.as_ref()).cloned().unwrap_or_default();
        let consent =
            if may_turn_off { consent_in_force(context, owner).await.map_err(StoreError::from)? } else { None };
        return Ok(BesideOutcome { card: owner.payment_method.clone(), asked, face, consent });
    }
    let card = match card_to_remember(owner, top_up, outcome) {
        Some(offered) => offer_card(context, owner, &offered).await?,
        None => owner.payment_method.clone(),
    };
    let asked = asked_before(context, owner, card.as_ref()).await?;
    Ok(BesideOutcome { card, asked, ..BesideOutcome::default() })
}

/// What is known of the asked card, if another one takes its place.
async fn asked_before<C: Capabilities<Ledger: AskedCards>>(
    context: &Context<C>,
    owner: &Account,
    next: Option<&PaymentMethodId>,
) -> Result<AskedCard, StoreError> {
    if owner.payment_method.as_ref() == next {
        return Ok(AskedCard::default());
    }
    Ok(context.ledger.asked_card_get(&owner.id).await?)
}

/// An alarm watches for this error: the customer has paid, and only a person can tell what for.
fn warn_of_review(purchase: &Purchase, outcome: &CheckoutOutcome) {
    let (PurchaseStatus::InReview, CheckoutOutcome::Paid(payment) | CheckoutOutcome::PaidInPart(payment)) =
        (purchase.status, outcome)
    else {
        return;
    };
    tracing::error!(
        account.id = %purchase.account,
        purchase.id = %purchase.id,
        purchase.price_minor = purchase.price.minor(),
        purchase.currency = %purchase.price.currency(),
        payment.amount_minor = payment.amount,
        payment.currency = payment.currency,
        payment.customer = %payment.customer,
        payment.intent = payment.payment_intent.as_ref().map(PaymentIntentId::as_str),
        "a payment does not match its purchase; nothing is granted until a person has investigated"
    );
}

/// An alarm watches for this error: the customer has paid for an account that is closed. The credits are in the ledger, and
/// only a person can give the money back.
fn warn_of_closed_account(change: &Change) {
    let (Some(closed_at), Some(entry)) = (change.account.closed_at, change.entries.first()) else { return };
    tracing::error!(
        account.id = %change.account.id,
        account.closed_at = %closed_at,
        entry = %entry.origin(),
        entry.credits = entry.credits.get(),
        "a payment was made for a closed account; its credits are granted, and the payment must be refunded"
    );
}

/// An alarm watches for this error: the credits are those of the package, and only a person can give the rest back.
fn warn_of_overpayment(purchase: &Purchase) {
    let Some(issued) = purchase.issued().filter(|issued| issued.overpaid > 0) else { return };
    tracing::error!(
        account.id = %purchase.account,
        purchase.id = %purchase.id,
        invoice.overpaid_minor = issued.overpaid,
        invoice.currency = %purchase.price.currency(),
        "more was paid than an invoice asked for; the rest must be refunded"
    );
}

/// An alarm watches for this error: a purchase that was granted has been paid once more, on another page, and only a
/// person can give that money back.
fn warn_of_second_payment(purchase: &Purchase, outcome: &CheckoutOutcome) {
    let (PurchaseStatus::Paid, CheckoutOutcome::Paid(payment)) = (purchase.status, outcome) else { return };
    if payment.payment_intent == purchase.payment_intent {
        return;
    }
    tracing::error!(
        account.id = %purchase.account,
        purchase.id = %purchase.id,
        payment.amount_minor = payment.amount,
        payment.currency = payment.currency,
        payment.intent = payment.payment_intent.as_ref().map(PaymentIntentId::as_str),
        "a purchase was paid a second time; nothing more is granted, and the payment must be refunded"
    );
}

/// The default card after this one was offered. If Stripe refuses the card permanently, the credits are granted anyway.
async fn offer_card<C: Capabilities<Payments: Payments>>(
    context: &Context<C>,
    account: &Account,
    offered: &OfferedCard,
) -> Result<Option<PaymentMethodId>, PaymentsError> {
    match context.payments.default_payment_method_offer(&account.customer, offered).await {
        Ok(default) => Ok(default),
        Err(error) if error.is_retryable() => Err(error),
        Err(error) => {
            let error = chain(&error);
            let paid_for = offered.bought_with.paid_for.id();
            tracing::error!(account.id = %account.id, paid_for, error, "the card cannot be made the customer's default");
            Ok(account.payment_method.clone())
        }
    }
}

/// Records what Stripe reports about an attempt, and returns the attempt in its new state.
///
/// # Errors
/// [`RecordOutcomeError`].
pub async fn record_top_up_outcome<C>(
    context: &Context<C>,
    account: &AccountId,
    top_up: &TopUpId,
    outcome: &TopUpOutcome,
) -> Result<TopUp, RecordOutcomeError>
where
    C: Capabilities<Ledger: Accounts + AskedCards + Consents + TopUps, Payments: Payments>,
{
    let read = || async {
        let stored = context.ledger.top_up_get(account, top_up).await.map_err(StoreError::from)?;
        stored.ok_or_else(|| RecordOutcomeError::from(NotFound::TopUp(top_up.clone())))
    };
    let read_and_offer = |owner: Arc<Account>| async move {
        let top_up = read().await?;
        let beside = beside_outcome(context, &owner, (&top_up, outcome)).await?;
        Ok::<_, RecordOutcomeError>((top_up, beside))
    };
    let decide = |account: &Account, (top_up, beside): &(TopUp, BesideOutcome), now| {
        let notice = context.mint(NoticeId::mint, now);
        let change = decide_top_up_outcome(account, top_up, outcome, notice, now)?;
        Ok(change.map(|change| change.with_beside(account, beside, now)))
    };
    match context.update_with(account, read_and_offer, decide).await? {
        Updated::Committed(change, (before, _)) => {
            warn_of_closed_account(&change);
            Ok(change.top_up().cloned().unwrap_or(before))
        }
        Updated::Unchanged(_, (top_up, _)) => Ok(top_up),
        // Another request granted it a moment ago.
        Updated::Duplicate(_) => read().await,
    }
}
