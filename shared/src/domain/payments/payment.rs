//! What Stripe says of a payment, and whether it is the payment that was asked for.

use super::payment_issue::{DeclineReason, RefusalReason};
use crate::domain::change::BalanceOutOfRange;
use crate::domain::{Account, Cents, CustomerId, InvoiceId, PaymentIntentId, PaymentMethodId};

/// The one currency of the price book, as Stripe writes it.
pub const CURRENCY: &str = "usd";

/// A payment as Stripe tells it, before anything of it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    pub customer: CustomerId,
    /// What was asked for, before tax.
    pub amount: Cents,
    /// Lower-case ISO 4217.
    pub currency: String,
    pub invoice: Option<InvoiceId>,
    pub payment_intent: Option<PaymentIntentId>,
    /// The card it was paid with, if it may be used again.
    pub payment_method: Option<PaymentMethodId>,
}

/// What Stripe says of a purchase's page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckoutOutcome {
    Paid(Payment),
    Open,
    /// The page is completed, and the money is on its way: a bank debit takes days.
    Processing,
    /// That money will not come.
    Failed,
    Expired,
}

/// What Stripe says of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopUpOutcome {
    Paid(Payment),
    /// The invoice is paid, but a part of it was credited by the company: only `received`, before tax, was paid.
    PartlyPaid {
        payment: Payment,
        received: Cents,
    },
    Declined {
        reason: DeclineReason,
        invoice: Option<InvoiceId>,
    },
    ActionRequired {
        invoice: Option<InvoiceId>,
    },
    /// A bank debit is under way, which takes days: it is paid or declined then.
    Processing {
        invoice: Option<InvoiceId>,
    },
    /// The payment provider takes no payment of this customer for good; no invoice is left that could be paid.
    Refused {
        reason: RefusalReason,
    },
    /// The invoice is void or was credited in full, or there is none and none will come: nothing was paid.
    Abandoned,
    /// Nothing is known (timeout, 5xx, 429, network): nothing is concluded.
    Unknown,
}

/// A payment that is not the one asked for. No credits are given; somebody has to look.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefusal {
    #[error("paid by {actual}, but the account belongs to {expected}")]
    OtherCustomer { expected: CustomerId, actual: CustomerId },
    #[error("paid in {actual}, but the price is in {CURRENCY}")]
    OtherCurrency { actual: String },
    #[error("paid {actual} before tax, but the price is {expected}")]
    OtherAmount { expected: Cents, actual: Cents },
    #[error(transparent)]
    BalanceOutOfRange(#[from] BalanceOutOfRange),
}

/// # Errors
/// [`GrantRefusal`] unless this customer paid this price in the price book's currency.
pub(super) fn check_payment(account: &Account, payment: &Payment, price: Cents) -> Result<(), GrantRefusal> {
    if payment.customer != account.customer {
        return Err(GrantRefusal::OtherCustomer {
            expected: account.customer.clone(),
            actual: payment.customer.clone(),
        });
    }
    if payment.currency != CURRENCY {
        return Err(GrantRefusal::OtherCurrency { actual: payment.currency.clone() });
    }
    if payment.amount != price {
        return Err(GrantRefusal::OtherAmount { expected: price, actual: payment.amount });
    }
    Ok(())
}
