//! The fields of Stripe's responses that we use, and no others: a field we do not read cannot break us.
//!
//! They are parsed by miniserde because async-stripe's requests require it.
//! A status is parsed as a string and then converted to an enum, so that a status that Stripe adds later becomes `Other`
//! instead of a parse error.

use super::error::StripeError;
use super::metadata::{self, Metadata};
use crate::domain::payments::{PaidByInvoice, PaidInvoice, Receipt};
use crate::domain::{
    AccountId, CustomerId, InvalidId, InvoiceId, PaymentIntentId, PaymentMethodId, Purchase, PurchaseId, TopUpId,
};
use jiff::Timestamp;
use miniserde::Deserialize;

/// # Errors
/// [`StripeError::Unreadable`] if there is no such time.
pub(super) fn time(seconds: i64) -> Result<Timestamp, StripeError> {
    Timestamp::from_second(seconds).map_err(|error| StripeError::Unreadable(error.to_string()))
}

/// An object of which only the id matters.
#[derive(Deserialize)]
pub(super) struct Created {
    pub(super) id: String,
}

/// An object of which only the customer matters.
#[derive(Deserialize)]
pub(super) struct Owned {
    pub(super) customer: Option<String>,
}

/// The response to a deletion.
#[derive(Deserialize)]
pub(super) struct Deleted {
    pub(super) deleted: bool,
}

#[derive(Deserialize)]
pub(super) struct List<T> {
    pub(super) data: Vec<T>,
    pub(super) has_more: bool,
}

/// <https://docs.stripe.com/api/customers/object>
#[derive(Deserialize)]
pub(super) struct Customer {
    pub(super) id: String,
    pub(super) deleted: Option<bool>,
    pub(super) invoice_settings: Option<InvoiceSettings>,
    pub(super) metadata: Option<Metadata>,
}

#[derive(Deserialize)]
pub(super) struct InvoiceSettings {
    pub(super) default_payment_method: Option<String>,
}

/// A customer as its invoices show it.
#[derive(Deserialize)]
pub(super) struct Billed {
    pub(super) deleted: Option<bool>,
    pub(super) name: Option<String>,
    pub(super) address: Option<Address>,
    pub(super) tax_exempt: Option<String>,
    pub(super) invoice_settings: Option<CustomFields>,
}

#[derive(Deserialize)]
pub(super) struct Address {
    pub(super) country: Option<String>,
    pub(super) line1: Option<String>,
    pub(super) line2: Option<String>,
    pub(super) postal_code: Option<String>,
    pub(super) city: Option<String>,
    pub(super) state: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct CustomFields {
    pub(super) custom_fields: Option<Vec<CustomField>>,
}

#[derive(Deserialize)]
pub(super) struct CustomField {
    pub(super) name: String,
    pub(super) value: String,
}

/// <https://docs.stripe.com/api/tax_ids/object>
#[derive(Deserialize)]
pub(super) struct ListedTaxId {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) value: String,
    pub(super) verification: Option<Verification>,
}

#[derive(Deserialize)]
pub(super) struct Verification {
    pub(super) status: Option<String>,
}

impl Customer {
    /// # Errors
    /// [`InvalidId`] for a card whose id does not fit in our type.
    pub(super) fn default_card(&self) -> Result<Option<PaymentMethodId>, InvalidId> {
        let card = self.invoice_settings.as_ref().and_then(|settings| settings.default_payment_method.as_deref());
        card.map(PaymentMethodId::parse).transpose()
    }
}

/// An invoice that was just created, with the customer's default card expanded. An answer that Stripe stored for a key
/// shows the customer as it was when the invoice was created.
#[derive(Deserialize)]
pub(super) struct CreatedInvoice {
    pub(super) id: String,
    pub(super) customer: Paying,
}

/// A customer with `invoice_settings.default_payment_method` expanded.
#[derive(Deserialize)]
pub(super) struct Paying {
    invoice_settings: Option<PayingWith>,
}

#[derive(Deserialize)]
struct PayingWith {
    default_payment_method: Option<PaymentMethod>,
}

impl Paying {
    pub(super) fn default_card(self) -> Option<PaymentMethod> {
        self.invoice_settings?.default_payment_method
    }
}

/// A customer with the default card expanded, for its details.
#[derive(Deserialize)]
pub(super) struct AskedCustomer {
    pub(super) deleted: Option<bool>,
    pub(super) invoice_settings: Option<AskedSettings>,
}

#[derive(Deserialize)]
pub(super) struct AskedSettings {
    pub(super) default_payment_method: Option<SavedMethod>,
}

/// A saved card or bank account. <https://docs.stripe.com/api/payment_methods/object>
#[derive(Deserialize)]
pub(super) struct SavedMethod {
    pub(super) id: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// In seconds since 1970.
    pub(super) created: i64,
    pub(super) card: Option<MethodDetails>,
    pub(super) us_bank_account: Option<MethodDetails>,
    pub(super) sepa_debit: Option<MethodDetails>,
}

/// With which customer it is saved: none once it was removed.
#[derive(Deserialize)]
pub(super) struct OwnedMethod {
    pub(super) customer: Option<String>,
}

/// What a card or a bank account shows of itself. Each kind has only some of the fields.
#[derive(Default, Deserialize)]
pub(super) struct MethodDetails {
    pub(super) brand: Option<String>,
    pub(super) bank_name: Option<String>,
    pub(super) last4: Option<String>,
    pub(super) exp_month: Option<i64>,
    pub(super) exp_year: Option<i64>,
    pub(super) fingerprint: Option<String>,
    pub(super) wallet: Option<Wallet>,
}

#[derive(Deserialize)]
pub(super) struct Wallet {
    #[serde(rename = "type")]
    pub(super) kind: String,
}

/// A hosted page that was just opened.
#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) url: Option<String>,
}

/// What a page was opened to save. <https://docs.stripe.com/api/setup_intents/object>
#[derive(Deserialize)]
pub(super) struct SetupIntent {
    pub(super) status: String,
    pub(super) payment_method: Option<String>,
}

/// A Checkout session that was just created or was found in a list. <https://docs.stripe.com/api/checkout/sessions/object>
#[derive(Deserialize)]
pub(super) struct OpenedSession {
    pub(super) id: String,
    pub(super) url: Option<String>,
    status: Option<String>,
    metadata: Option<Metadata>,
}

impl OpenedSession {
    pub(super) fn is_open(&self) -> bool {
        self.status.as_deref() == Some("open")
    }

    /// Whether this purchase can be paid, or was paid, on this page.
    pub(super) fn is_good_for(&self, purchase: &Purchase) -> bool {
        let named = self.metadata.as_ref().and_then(metadata::purchase);
        self.status.as_deref() != Some("expired") && named.is_some_and(|(_, id)| id == purchase.id)
    }
}

/// A Checkout session with `payment_intent.payment_method`, `invoice` and `setup_intent` expanded.
#[derive(Deserialize)]
pub(super) struct CheckoutSession {
    pub(super) id: String,
    /// Its page. A session that is complete or expired has none.
    pub(super) url: Option<String>,
    pub(super) status: Option<String>,
    pub(super) payment_status: String,
    pub(super) customer: Option<String>,
    /// In the minor unit, before tax.
    pub(super) amount_subtotal: Option<i64>,
    pub(super) currency: Option<String>,
    pub(super) invoice: Option<Invoice>,
    pub(super) payment_intent: Option<PaymentIntent>,
    pub(super) setup_intent: Option<SetupIntent>,
    pub(super) metadata: Option<Metadata>,
}

/// A payment intent with `payment_method` expanded. <https://docs.stripe.com/api/payment_intents/object>
#[derive(Deserialize)]
pub(super) struct PaymentIntent {
    pub(super) id: String,
    pub(super) status: String,
    pub(super) payment_method: Option<PaymentMethod>,
    pub(super) last_payment_error: Option<PaymentFailure>,
}

#[derive(Deserialize)]
pub(super) struct PaymentMethod {
    pub(super) id: String,
    /// The customer it is attached to.
    pub(super) customer: Option<String>,
    card: Option<MethodDetails>,
    us_bank_account: Option<MethodDetails>,
    sepa_debit: Option<MethodDetails>,
}

impl PaymentMethod {
    fn details(&self) -> Option<&MethodDetails> {
        self.card.as_ref().or(self.us_bank_account.as_ref()).or(self.sepa_debit.as_ref())
    }

    /// Its brand and its last digits on a receipt.
    pub(super) fn on(&self, receipt: Receipt) -> Receipt {
        let details = self.details();
        let brand = details.and_then(|details| details.brand.clone().or(details.bank_name.clone()));
        Receipt { brand, last4: details.and_then(|details| details.last4.clone()), ..receipt }
    }
}

#[derive(Deserialize)]
pub(super) struct PaymentFailure {
    pub(super) code: Option<String>,
    pub(super) decline_code: Option<String>,
}

impl PaymentIntent {
    pub(super) fn id(&self) -> Option<PaymentIntentId> {
        PaymentIntentId::parse(&*self.id).ok()
    }

    /// A bank debit is in progress: <https://docs.stripe.com/payments/paymentintents/lifecycle>.
    pub(super) fn is_processing(&self) -> bool {
        self.status == "processing"
    }

    /// The card that paid, if it is attached to the customer and can therefore be charged again.
    pub(super) fn reusable_method(&self, customer: &CustomerId) -> Option<PaymentMethodId> {
        let method = self.payment_method.as_ref()?;
        let is_attached = method.customer.as_deref() == Some(customer.as_str());
        is_attached.then(|| PaymentMethodId::parse(&*method.id).ok()).flatten()
    }
}

/// <https://docs.stripe.com/api/invoices/object>
#[derive(Deserialize)]
pub(super) struct Invoice {
    pub(super) id: String,
    pub(super) number: Option<String>,
    status: Option<String>,
    /// `send_invoice` if the customer pays it by itself, and `charge_automatically` otherwise.
    collection_method: Option<String>,
    pub(super) customer: Option<String>,
    pub(super) currency: String,
    /// In seconds since 1970.
    pub(super) due_date: Option<i64>,
    /// In the minor unit, before discounts and tax.
    pub(super) subtotal: i64,
    /// In the minor unit, after discounts, before tax.
    pub(super) total_excluding_tax: Option<i64>,
    /// In the minor unit, after discounts, with tax; a credit note does not change it.
    pub(super) total: i64,
    /// In the minor unit, with tax. What the customer already owes is added, and what Stripe owes the customer is subtracted.
    pub(super) amount_due: i64,
    /// In the minor unit, by cards, debits and transfers, and what the company marked as paid.
    pub(super) amount_paid: i64,
    /// In the minor unit, beyond what was due.
    amount_overpaid: Option<i64>,
    /// The customer's balance before and after finalization, in the minor unit. A negative balance is a credit.
    starting_balance: i64,
    ending_balance: Option<i64>,
    pub(super) hosted_invoice_url: Option<String>,
    metadata: Option<Metadata>,
    /// Present if it was expanded.
    payments: Option<List<InvoicePayment>>,
}

/// An invoice as its customer is shown it.
#[derive(Deserialize)]
pub(super) struct ListedInvoice {
    pub(super) id: String,
    pub(super) number: Option<String>,
    pub(super) status: Option<String>,
    pub(super) customer: Option<String>,
    pub(super) customer_tax_exempt: Option<String>,
    pub(super) currency: String,
    pub(super) subtotal: i64,
    pub(super) total_excluding_tax: Option<i64>,
    pub(super) total: i64,
    pub(super) amount_paid: i64,
    pub(super) total_taxes: Option<Vec<ListedTax>>,
    /// In seconds since 1970.
    pub(super) created: i64,
    pub(super) status_transitions: Option<StatusTransitions>,
    pub(super) hosted_invoice_url: Option<String>,
    pub(super) invoice_pdf: Option<String>,
    pub(super) metadata: Option<Metadata>,
}

/// <https://docs.stripe.com/api/invoices/object#invoice_object-total_taxes>
#[derive(Deserialize)]
pub(super) struct ListedTax {
    pub(super) amount: i64,
    pub(super) taxable_amount: Option<i64>,
    pub(super) taxability_reason: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct StatusTransitions {
    pub(super) paid_at: Option<i64>,
}

/// <https://docs.stripe.com/invoicing/overview#invoice-statuses>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum InvoiceStatus {
    Draft,
    Open,
    Paid,
    Uncollectible,
    Void,
    /// A status that Stripe added after this was written.
    Other,
}

#[derive(Deserialize)]
struct InvoicePayment {
    status: String,
    is_default: bool,
    payment: InvoicePaymentDetails,
}

#[derive(Deserialize)]
struct InvoicePaymentDetails {
    payment_intent: Option<String>,
}

impl Invoice {
    pub(super) fn status(&self) -> InvoiceStatus {
        match self.status.as_deref() {
            Some("draft") => InvoiceStatus::Draft,
            Some("open") => InvoiceStatus::Open,
            Some("paid") => InvoiceStatus::Paid,
            Some("uncollectible") => InvoiceStatus::Uncollectible,
            Some("void") => InvoiceStatus::Void,
            Some(_) | None => InvoiceStatus::Other,
        }
    }

    pub(super) fn id(&self) -> Option<InvoiceId> {
        InvoiceId::parse(&*self.id).ok()
    }

    /// The amount in the minor unit, after discounts and before tax.
    pub(super) fn before_tax(&self) -> i64 {
        self.total_excluding_tax.unwrap_or(self.subtotal)
    }

    /// What the invoice says on a receipt.
    pub(super) fn receipt(&self) -> Receipt {
        let tax = self.total.saturating_sub(self.before_tax());
        Receipt { number: self.number.clone(), tax, total: self.total, ..Receipt::default() }
    }

    /// The amounts that tell how much of it was actually paid.
    pub(super) fn paid_invoice(&self) -> PaidInvoice {
        PaidInvoice {
            total: self.total,
            amount_paid: self.amount_paid,
            starting_balance: self.starting_balance,
            ending_balance: self.ending_balance.unwrap_or(self.starting_balance),
        }
    }

    pub(super) fn metadata(&self) -> Option<&Metadata> {
        self.metadata.as_ref()
    }

    /// The top-up that its metadata names.
    pub(super) fn top_up(&self) -> Option<(AccountId, TopUpId)> {
        metadata::top_up(self.metadata.as_ref()?)
    }

    /// The purchase that its metadata names, if it is paid by invoice. Checkout makes an invoice too, of which the page tells.
    pub(super) fn purchase(&self) -> Option<(AccountId, PurchaseId)> {
        let is_sent = self.collection_method.as_deref() == Some("send_invoice");
        metadata::purchase(self.metadata.as_ref().filter(|_| is_sent)?)
    }

    /// What a paid invoice says about its payment. Only a payment that Stripe took has an intent:
    /// <https://docs.stripe.com/api/invoice-payment/object#invoice_payment_object-payment>.
    pub(super) fn paid_by_invoice(&self) -> PaidByInvoice {
        let mut payments = self.payments.iter().flat_map(|payments| &payments.data);
        let has_intent = payments.any(|payment| payment.status == "paid" && payment.payment.payment_intent.is_some());
        PaidByInvoice {
            amount_paid: self.amount_paid,
            overpaid: self.amount_overpaid.unwrap_or(0),
            is_out_of_band: self.amount_paid > 0 && !has_intent,
        }
    }

    /// The payment intent that paid the invoice, or the default one if it is unpaid.
    /// <https://docs.stripe.com/api/invoice-payment/object>
    pub(super) fn payment_intent(&self) -> Option<PaymentIntentId> {
        let payments = &self.payments.as_ref()?.data;
        let paid = payments.iter().find(|payment| payment.status == "paid");
        let payment = paid.or_else(|| payments.iter().find(|payment| payment.is_default))?;
        PaymentIntentId::parse(payment.payment.payment_intent.as_deref()?).ok()
    }
}

/// <https://docs.stripe.com/api/errors>
#[derive(Deserialize)]
pub(super) struct ErrorEnvelope {
    pub(super) error: ErrorObject,
}

#[derive(Default, Deserialize)]
pub(super) struct ErrorObject {
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    pub(super) code: Option<String>,
    pub(super) decline_code: Option<String>,
    pub(super) param: Option<String>,
    /// Used only to recognize errors that have no code, and not kept.
    pub(super) message: Option<String>,
}

/// The receipt with the card of its payment, as far as it is known.
pub(super) fn on_receipt(intent: Option<&PaymentIntent>, receipt: Receipt) -> Receipt {
    match intent.and_then(|intent| intent.payment_method.as_ref()) {
        Some(method) => method.on(receipt),
        None => receipt,
    }
}
