//! The card of a purchase as the customer's default at Stripe.

use crate::domain::AccountId;
use crate::domain::payments::CheckoutOutcome;
use crate::ports::{Accounts, Payments};
use crate::use_cases::{Capabilities, Context, OutsideError};

/// Makes the card that a purchase was paid with the customer's default, which Checkout does not do, as long as it is
/// the card that top-ups are paid with here.
///
/// # Errors
/// [`OutsideError`]; calling it again is harmless.
pub async fn save_card<C: Capabilities<Ledger: Accounts, Payments: Payments>>(
    context: &Context<C>,
    account: &AccountId,
    outcome: &CheckoutOutcome,
) -> Result<(), OutsideError> {
    let CheckoutOutcome::Paid(payment) = outcome else { return Ok(()) };
    let Some(current) = context.ledger.account_get(account).await? else { return Ok(()) };
    match &payment.payment_method {
        Some(card) if current.payment_method.as_ref() == Some(card) => {
            context.payments.default_payment_method_set(&current.customer, card).await.map_err(OutsideError::from)
        }
        Some(_) | None => Ok(()),
    }
}
