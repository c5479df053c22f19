//! What Stripe reports about a payment, and whether it matches what was asked for.

use super::invoice::Receipt;
use super::payment_issue::{DeclineReason, RefusalReason};
use crate::domain::change::BalanceOutOfRange;
use crate::domain::{Account, Amount, Currency, CustomerId, InvoiceId, PaymentIntentId, PaymentMethodId};

/// A payment as Stripe reports it, before it is checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payment {
    pub customer: CustomerId,
    /// The amount that was asked for, before tax, in the minor unit of `currency`.
    pub amount: i64,
    /// ISO 4217 as Stripe spells it. It may be a currency that we never sell in.
    pub currency: String,
    pub invoice: Option<InvoiceId>,
    pub payment_intent: Option<PaymentIntentId>,
    /// The card that paid, if it may be charged again.
    pub payment_method: Option<PaymentMethodId>,
    /// What the receipt says besides, as far as it is known.
    pub receipt: Option<Box<Receipt>>,
    /// What the invoice says, if a purchase was paid by one.
    pub by_invoice: Option<PaidByInvoice>,
}

/// What a paid invoice says about its payment. Amounts are in the minor unit of its currency, with tax.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PaidByInvoice {
    pub amount_paid: i64,
    /// What was paid beyond what was due.
    pub overpaid: i64,
    /// The company marked it as paid, because the money did not come through the payment provider.
    pub is_out_of_band: bool,
}

/// What Stripe reports about a purchase's page, or about its invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckoutOutcome {
    Paid(Payment),
    Open,
    /// The customer completed the page, and the money is on its way. A bank debit takes days.
    Processing,
    /// The bank debit failed.
    Failed,
    Expired,
    /// The invoice is open. So much of it is paid, in the minor unit and with tax.
    Waiting {
        amount_paid: i64,
    },
    /// The invoice counts as paid, but the company credited a part of it, or all.
    PaidInPart(Payment),
    /// The invoice is void.
    Voided,
}

/// What Stripe reports about an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopUpOutcome {
    Paid(Payment),
    /// The invoice is paid, but the company credited a part of it. Only `received`, before tax and in
    /// the minor unit, was paid.
    PartlyPaid {
        payment: Payment,
        received: i64,
    },
    Declined {
        reason: DeclineReason,
        invoice: Option<InvoiceId>,
    },
    ActionRequired {
        invoice: Option<InvoiceId>,
    },
    /// A bank debit is in progress. In a few days it is paid or declined.
    Processing {
        invoice: Option<InvoiceId>,
    },
    /// The payment provider will never accept this payment from the customer; no invoice is left that could be paid.
    Refused {
        reason: RefusalReason,
    },
    /// Nothing was paid: the invoice is void or was credited in full, or there is none and none will be created.
    Abandoned,
    /// The outcome is unknown (timeout, 5xx, 429, network), and nothing is concluded.
    Unknown,
}

impl TopUpOutcome {
    /// The card that paid, if it may be charged again.
    pub fn paid_with(&self) -> Option<&PaymentMethodId> {
        match self {
            Self::Paid(payment) | Self::PartlyPaid { payment, .. } => payment.payment_method.as_ref(),
            Self::Declined { .. }
            | Self::ActionRequired { .. }
            | Self::Processing { .. }
            | Self::Refused { .. }
            | Self::Abandoned
            | Self::Unknown => None,
        }
    }
}

/// A payment that does not match what was asked for. No credits are given, and a person has to investigate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GrantRefusal {
    #[error("paid by {actual}, but the account belongs to {expected}")]
    OtherCustomer { expected: CustomerId, actual: CustomerId },
    #[error("paid in {actual}, but the price is in {expected}")]
    OtherCurrency { expected: Currency, actual: String },
    #[error("paid {} before tax, but the price is {expected}", expected.currency().format(*actual))]
    OtherAmount { expected: Amount, actual: i64 },
    #[error(transparent)]
    BalanceOutOfRange(#[from] BalanceOutOfRange),
}

/// # Errors
/// [`GrantRefusal`] unless this customer paid this price in its currency.
pub(super) fn check_payment(account: &Account, payment: &Payment, price: Amount) -> Result<(), GrantRefusal> {
    if payment.customer != account.customer {
        return Err(GrantRefusal::OtherCustomer {
            expected: account.customer.clone(),
            actual: payment.customer.clone(),
        });
    }
    if !price.currency().is_named(&payment.currency) {
        return Err(GrantRefusal::OtherCurrency { expected: price.currency(), actual: payment.currency.clone() });
    }
    if payment.amount != price.minor() {
        return Err(GrantRefusal::OtherAmount { expected: price, actual: payment.amount });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::{account, payment};

    /// R10: a number means nothing without its currency, which Stripe writes in lower case.
    #[test]
    fn a_payment_counts_only_in_the_currency_of_its_price() {
        let price = |code| Amount::new(Currency::parse(code).unwrap(), 500).unwrap();
        for (code, paid_in, is_accepted) in [
            ("USD", "usd", true),
            ("JPY", "jpy", true),
            ("KWD", "kwd", true),
            ("JPY", "JPY", true),
            ("JPY", "usd", false),
            ("USD", "jpy", false),
            ("USD", "", false),
            ("USD", "a_currency_of_tomorrow", false),
        ] {
            let payment = Payment { currency: paid_in.into(), ..payment() };
            let refusal = check_payment(&account(), &payment, price(code)).err();
            assert_eq!(refusal.is_none(), is_accepted, "{code} paid in {paid_in}");
            assert!(refusal.is_none_or(|refusal| matches!(refusal, GrantRefusal::OtherCurrency { .. })));
        }
    }
}
