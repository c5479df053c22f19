//! The invoices that a customer is shown: what was bought, for how much, with which tax.

use crate::domain::{AccountId, InvalidId, InvoiceId, PurchaseId, TopUpId};
use jiff::Timestamp;

/// An invoice as Stripe shows it now. Amounts are in the minor unit of `currency`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomerInvoice {
    pub id: InvoiceId,
    /// As it is printed.
    pub number: Option<String>,
    pub account: AccountId,
    pub of: Invoiced,
    /// Stripe's word: `open`, `paid`, `void` or `uncollectible`.
    pub status: String,
    /// ISO 4217 as Stripe spells it.
    pub currency: String,
    /// After discounts, before tax.
    pub before_tax: i64,
    pub total: i64,
    pub amount_paid: i64,
    pub taxes: Vec<TaxLine>,
    /// Stripe's word for a customer who is not taxed as others are: `exempt` or `reverse`.
    pub tax_exempt: Option<String>,
    pub created_at: Timestamp,
    pub paid_at: Option<Timestamp>,
    /// Stripe's page and document. Both addresses expire, so they are never stored.
    pub hosted_url: Option<String>,
    pub pdf_url: Option<String>,
}

/// What an invoice is for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invoiced {
    Purchase(PurchaseId),
    TopUp(TopUpId),
}

/// What a receipt says about its invoice and its card. Amounts are in the minor unit of the payment's currency.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// The number of the invoice, as it is printed.
    pub number: Option<String>,
    pub tax: i64,
    /// With tax.
    pub total: i64,
    /// The card's network, or the account's bank.
    pub brand: Option<String>,
    pub last4: Option<String>,
}

impl Invoiced {
    /// # Errors
    /// [`InvalidId`] for an id of neither kind.
    pub fn parse(id: String) -> Result<Self, InvalidId> {
        TopUpId::parse(id.as_str()).map(Self::TopUp).or_else(|_| PurchaseId::parse(id).map(Self::Purchase))
    }

    pub fn id(&self) -> &str {
        match self {
            Self::Purchase(purchase) => purchase.as_str(),
            Self::TopUp(top_up) => top_up.as_str(),
        }
    }
}

/// One tax on an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaxLine {
    pub amount: i64,
    /// The part of the invoice that it is a tax on.
    pub taxable_amount: Option<i64>,
    /// Stripe's word for why it is as it is, such as `standard_rated` or `reverse_charge`.
    /// <https://docs.stripe.com/tax/zero-tax>
    pub reason: Option<String>,
}

impl CustomerInvoice {
    /// The tax in all.
    pub fn tax(&self) -> i64 {
        self.taxes.iter().fold(0, |sum, line| sum.saturating_add(line.amount))
    }
}
