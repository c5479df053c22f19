//! The payment provider.

use crate::domain::payments::{
    BillingDetails, Checkout, CheckoutOutcome, CustomerInvoice, KnownBillingDetails, NewInvoice, OfferedCard,
    RefusalReason, RefusedDetail, SavedCard, SavedCards, SetUpCard, TopUpOutcome,
};
use crate::domain::{
    AccountId, CardPaymentId, CheckoutSessionId, Currency, CustomerId, EmailAddress, InvoiceId, InvoiceNumber,
    PaymentIntentId, PaymentMethodId, Purchase, PurchaseId, TopUp, TopUpId, TopUpRetry,
};
use std::error::Error;
use std::future::Future;

/// The payment provider.
///
/// Every call that creates or moves something sends an idempotency key derived from our own ids, so that a retry after a
/// lost answer is the same request.
pub trait Payments: Send + Sync {
    /// Creates a customer for the account.
    fn customer_create(
        &self,
        account: &AccountId,
        email: &EmailAddress,
    ) -> impl Future<Output = Result<CustomerId, PaymentsError>> + Send;

    /// Sets the address that the provider's own e-mails go to, and by which the customer is found.
    fn customer_email_set(
        &self,
        customer: &CustomerId,
        email: &EmailAddress,
    ) -> impl Future<Output = Result<(), PaymentsError>> + Send;

    /// The customer's default card.
    ///
    /// # Errors
    /// [`PaymentsError::CustomerDeleted`] only if the provider itself reports it.
    fn default_payment_method_get(
        &self,
        customer: &CustomerId,
    ) -> impl Future<Output = Result<Option<PaymentMethodId>, PaymentsError>> + Send;

    /// Makes the card of a purchase the customer's default, unless another card was chosen since the purchase was
    /// opened, as [`OfferedCard::is_newest`] defines. Returns the resulting default.
    fn default_payment_method_offer(
        &self,
        customer: &CustomerId,
        offered: &OfferedCard,
    ) -> impl Future<Output = Result<Option<PaymentMethodId>, PaymentsError>> + Send;

    /// The page that was already opened for the purchase, if it can still be used.
    ///
    /// A repeated request calls this first, because Stripe may have deleted the first request's key and would open a
    /// second page.
    fn checkout_find(
        &self,
        customer: &CustomerId,
        purchase: &Purchase,
    ) -> impl Future<Output = Result<Option<Checkout>, PaymentsError>> + Send;

    /// Opens a hosted page on which the customer pays for the purchase and saves the card.
    fn checkout_open(
        &self,
        customer: &CustomerId,
        purchase: &Purchase,
    ) -> impl Future<Output = Result<Checkout, PaymentsError>> + Send;

    /// The status of a purchase's payment page.
    fn checkout_get(
        &self,
        session: &CheckoutSessionId,
    ) -> impl Future<Output = Result<CheckoutReport, PaymentsError>> + Send;

    /// Makes the invoice of a purchase that is paid by invoice, and finalizes it. The provider sends nothing: the customer is
    /// told by us. A repeated call returns the same invoice.
    ///
    /// # Errors
    /// [`InvoiceError::Refused`] if the provider will never make an invoice for this customer; none is left that could be
    /// paid.
    fn purchase_invoice(
        &self,
        customer: &CustomerId,
        purchase: &Purchase,
    ) -> impl Future<Output = Result<NewInvoice, InvoiceError>> + Send;

    /// Voids the invoice of a purchase, unless it is paid, a part of it is, or a payment of it is under way. Returns what the
    /// invoice says then.
    fn purchase_invoice_void(
        &self,
        invoice: &InvoiceId,
    ) -> impl Future<Output = Result<CheckoutOutcome, PaymentsError>> + Send;

    /// Charges the saved card for an open top-up, by an invoice. A repeated call is the same payment.
    ///
    /// Never fails: anything that is not definite, such as an outage, is [`TopUpOutcome::Unknown`].
    fn top_up_pay(&self, top_up: &TopUp) -> impl Future<Output = TopUpOutcome> + Send;

    /// Looks up the outcome of a top-up, and closes it unless a bank has answered. An abandoned top-up can no longer be
    /// paid, not even by a [`Payments::top_up_pay`] that is running.
    ///
    /// Never fails, like [`Payments::top_up_pay`].
    fn top_up_close(&self, top_up: &TopUp) -> impl Future<Output = TopUpOutcome> + Send;

    /// Charges a card for the open invoice of a top-up that was declined or has to be confirmed, while the customer is
    /// present. A repeated call is the same payment.
    ///
    /// Never fails, like [`Payments::top_up_pay`].
    fn top_up_retry(&self, top_up: &TopUp, retry: &TopUpRetry) -> impl Future<Output = TopUpOutcome> + Send;

    /// Voids the invoice of a top-up, even if a bank has answered, unless it is paid or its payment is under way. An
    /// abandoned top-up can no longer be paid.
    ///
    /// Never fails, like [`Payments::top_up_pay`].
    fn top_up_void(&self, top_up: &TopUp) -> impl Future<Output = TopUpOutcome> + Send;

    /// The current state of an invoice.
    fn invoice_get(&self, invoice: &InvoiceId) -> impl Future<Output = Result<InvoiceReport, PaymentsError>> + Send;
}

/// The cards that a customer has saved at the payment provider.
pub trait CardWallet: Send + Sync {
    /// All saved cards, and which of them is the default.
    ///
    /// # Errors
    /// [`PaymentsError::CustomerDeleted`] only if the provider itself reports it.
    fn saved_cards_get(&self, customer: &CustomerId) -> impl Future<Output = Result<SavedCards, PaymentsError>> + Send;

    /// The default card, as the provider shows it now.
    ///
    /// # Errors
    /// As [`CardWallet::saved_cards_get`].
    fn default_card_get(
        &self,
        customer: &CustomerId,
    ) -> impl Future<Output = Result<Option<SavedCard>, PaymentsError>> + Send;

    /// The customer with whom a card is saved. `None` once it was removed.
    ///
    /// # Errors
    /// [`PaymentsError::NotFound`] if there is no such card.
    fn saved_card_owner_get(
        &self,
        card: &PaymentMethodId,
    ) -> impl Future<Output = Result<Option<CustomerId>, PaymentsError>> + Send;

    /// Makes a saved card the default.
    ///
    /// # Errors
    /// [`PaymentsError::NotFound`] unless the card is saved with this customer.
    fn saved_card_make_default(
        &self,
        customer: &CustomerId,
        card: &PaymentMethodId,
    ) -> impl Future<Output = Result<(), PaymentsError>> + Send;

    /// Makes a card that was saved on a page of [`CardWallet::card_page_open`] the default, as [`SetUpCard::is_newest`]
    /// defines.
    fn set_up_card_offer(
        &self,
        customer: &CustomerId,
        card: &SetUpCard,
    ) -> impl Future<Output = Result<(), PaymentsError>> + Send;

    /// Removes a saved card for good. One that is removed already stays so. It must be one that
    /// [`CardWallet::saved_cards_get`] listed, because Stripe does not ask whose card it is.
    fn saved_card_remove(
        &self,
        customer: &CustomerId,
        card: &PaymentMethodId,
    ) -> impl Future<Output = Result<(), PaymentsError>> + Send;

    /// Opens a hosted page on which the customer saves a card without paying. Returns its URL.
    fn card_page_open(
        &self,
        customer: &CustomerId,
        page: &CardPage,
    ) -> impl Future<Output = Result<String, PaymentsError>> + Send;

    /// Opens the provider's own page about the customer's cards and invoices. Returns its URL, which is valid for a few
    /// minutes.
    fn billing_portal_open(&self, customer: &CustomerId) -> impl Future<Output = Result<String, PaymentsError>> + Send;
}

/// A page on which a card is saved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardPage {
    pub account: AccountId,
    /// It decides which kinds of payment the page offers.
    pub currency: Currency,
    /// The default when the page is opened.
    pub default_at_opening: Option<PaymentMethodId>,
}

/// What a customer's invoices say about its company. The provider keeps it, and puts it on every later invoice.
pub trait CustomerBilling: Send + Sync {
    /// # Errors
    /// [`PaymentsError::CustomerDeleted`] only if the provider itself reports it.
    fn billing_details_get(
        &self,
        customer: &CustomerId,
    ) -> impl Future<Output = Result<KnownBillingDetails, PaymentsError>> + Send;

    /// Replaces all details, and returns what the provider has then. A repeated call completes one that was interrupted.
    ///
    /// # Errors
    /// [`ReplaceDetailsError::Refused`] if nothing was changed because of one detail.
    fn billing_details_replace(
        &self,
        customer: &CustomerId,
        chosen: &BillingDetails,
    ) -> impl Future<Output = Result<KnownBillingDetails, ReplaceDetailsError>> + Send;
}

/// Why billing details were not replaced.
#[derive(Debug, thiserror::Error)]
pub enum ReplaceDetailsError {
    #[error("the payment provider does not accept a detail: {0:?}")]
    Refused(RefusedDetail),
    #[error(transparent)]
    Payments(#[from] PaymentsError),
}

/// The invoices of a customer, for the customer.
pub trait CustomerInvoices: Send + Sync {
    /// The invoices that follow `after` in the list (from the newest, if `None`), at most `limit` (1–100) of them. Drafts
    /// and invoices that this system did not create are left out.
    ///
    /// # Errors
    /// [`PaymentsError::NotFound`] if there is no invoice `after`.
    fn customer_invoices_page(
        &self,
        customer: &CustomerId,
        after: Option<&InvoiceId>,
        limit: u8,
    ) -> impl Future<Output = Result<InvoicesPage, PaymentsError>> + Send;

    /// `None` if there is no such invoice of this customer, or if it is left out of the list.
    fn customer_invoice_get(
        &self,
        customer: &CustomerId,
        invoice: &InvoiceId,
    ) -> impl Future<Output = Result<Option<CustomerInvoice>, PaymentsError>> + Send;
}

/// A page of invoices, newest first, and the one that the next page follows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InvoicesPage {
    pub invoices: Vec<CustomerInvoice>,
    pub next: Option<InvoiceId>,
}

/// What a customer can name of a payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Paid {
    /// Compared exactly, with its capitals.
    Email(EmailAddress),
    Invoice(InvoiceId),
    /// The number that is printed on an invoice. It is searched for, so an invoice of the last minutes may not be found.
    InvoiceNumber(InvoiceNumber),
    Payment(PaymentIntentId),
    /// The provider's own charge, which is a card payment.
    CardPayment(CardPaymentId),
    /// Searched for, like the number of an invoice.
    Purchase(PurchaseId),
    /// Searched for, like the number of an invoice.
    TopUp(TopUpId),
}

/// Finding customers at the payment provider. Nothing is changed there.
pub trait PaymentSearch: Send + Sync {
    /// The customers that this belongs to, at most 100; none if there is no such object.
    fn customers_find(&self, paid: &Paid) -> impl Future<Output = Result<Vec<CustomerId>, PaymentsError>> + Send;
}

/// Stripe's report on a Checkout session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckoutReport {
    /// The account and purchase that its metadata names, if this system created it.
    pub purchase: Option<(AccountId, PurchaseId)>,
    pub outcome: CheckoutOutcome,
    /// Whether its metadata names another deployment of this system on the same account of the provider.
    pub is_of_other_deployment: bool,
    /// The card that was saved on it, if it was opened for that.
    pub set_up: Option<(CustomerId, SetUpCard)>,
    /// The URL of the page while a purchase can be paid on it.
    pub hosted_url: Option<String>,
}

/// Stripe's report on an invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceReport {
    /// The account and top-up that its metadata names, if this system created it.
    pub top_up: Option<(AccountId, TopUpId)>,
    /// [`TopUpOutcome::Unknown`] if this system did not create the invoice for a top-up.
    pub outcome: TopUpOutcome,
    /// The account and purchase that its metadata names, and what the invoice says, if this system created it for a purchase
    /// that is paid by invoice.
    pub purchase: Option<(AccountId, PurchaseId, CheckoutOutcome)>,
    /// As [`CheckoutReport::is_of_other_deployment`].
    pub is_of_other_deployment: bool,
    /// Whether it is waiting for the customer: open, and no payment of it is under way, even if no card was ever tried.
    pub is_waiting: bool,
    /// The URL of Stripe's payment page while the invoice can be paid. It expires, so it is never stored.
    pub hosted_url: Option<String>,
}

/// Why there is no invoice of a purchase.
#[derive(Debug, thiserror::Error)]
pub enum InvoiceError {
    #[error("the payment provider makes no invoice for this customer: {0:?}")]
    Refused(RefusalReason),
    #[error(transparent)]
    Payments(#[from] PaymentsError),
}

/// The payment provider gave no usable answer.
#[derive(Debug, thiserror::Error)]
pub enum PaymentsError {
    /// It may answer later: a timeout, the network, 409, 429, 5xx, an answer that cannot be parsed.
    #[error("the payment provider is unavailable: {operation}")]
    Unavailable {
        operation: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
    /// No such object.
    #[error("the payment provider has no such object: {operation}")]
    NotFound { operation: &'static str },
    /// The provider has deleted this customer. A customer that it does not know at all is [`Self::NotFound`]: with the
    /// API key of another account, that would be true of every customer.
    #[error("the payment provider has deleted the customer: {operation}")]
    CustomerDeleted { operation: &'static str },
    /// The provider rejects our request: a wrong key, an invalid parameter.
    #[error("the payment provider rejected the request: {operation}")]
    Rejected {
        operation: &'static str,
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

impl PaymentsError {
    /// Whether the same request may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unavailable { .. } => true,
            Self::NotFound { .. } | Self::CustomerDeleted { .. } | Self::Rejected { .. } => false,
        }
    }
}
