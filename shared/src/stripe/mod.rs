//! Stripe: the [`Payments`] port over its HTTP API, and the verification of its webhooks.
//!
//! async-stripe's builders build the requests; transport, retries and parsing are our own.
//! Nothing here decides about credits, and no other module names a Stripe parameter.
//!
//! Only a definite answer leads to a conclusion. Everything else is [`TopUpOutcome::Unknown`] or
//! [`PaymentsError::Unavailable`].

mod billing_details;
mod checkout;
mod claims;
mod client;
mod customer_invoices;
mod customers;
mod disputes;
mod error;
mod events;
mod invoices;
mod keyed;
mod metadata;
mod outcome;
mod purchase_invoices;
mod rate_limiter;
mod refunds;
mod responses;
mod returns;
mod search;
mod settings;
mod top_ups;
mod wallet;
pub mod webhook;

pub use error::{Refusal, StripeError};
pub use secrecy::SecretString;
pub use settings::{InvalidSettings, Settings};

use crate::domain::payments::{
    BillingDetails, Checkout, CheckoutOutcome, Claim, CustomerInvoice, KnownBillingDetails, NewInvoice, OfferedCard,
    SavedCard, SavedCards, SetUpCard, TopUpOutcome,
};
use crate::domain::{
    AccountId, CheckoutSessionId, Currency, CustomerId, DisputeId, EmailAddress, InvoiceId, PaymentIntentId,
    PaymentMethodId, Purchase, TopUp, TopUpRetry,
};
use crate::ports::{
    CardPage, CardWallet, CheckoutReport, ClaimedPayment, ClaimedPayments, CustomerBilling, CustomerInvoices,
    DisputeReport, EventList, EventsPage, EventsPass, InvoiceError, InvoiceReport, InvoicesPage, MadeRefund, Paid,
    PaidInvoices, PaidInvoicesPage, PaymentRefunds, PaymentReturns, PaymentSearch, Payments, PaymentsError,
    RefundError, RefundOrder, ReplaceDetailsError, ReturnedObject, ReturnsReport,
};
use client::{Client, Transport};
use hyper::Uri;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use std::time::Duration;

/// The adapter to Stripe. It holds the connection pool, and is cheap to share by reference.
#[derive(Debug)]
pub struct StripePayments {
    client: Client,
    charging: Charging,
}

impl StripePayments {
    /// # Errors
    /// [`InvalidSettings`]; nothing is sent to Stripe.
    pub fn new(settings: Settings) -> Result<Self, InvalidSettings> {
        let api_base = web_address(&settings.api_base).filter(|uri| uri.query().is_none());
        let api_base = api_base.ok_or(InvalidSettings::ApiBase)?;
        let is_live =
            ["sk_live_", "rk_live_"].iter().any(|prefix| settings.api_key.expose_secret().starts_with(prefix));
        if is_live && api_base.scheme_str() != Some("https") {
            return Err(InvalidSettings::LiveKeyUnencrypted);
        }
        if settings.return_url.as_deref().is_some_and(|url| web_address(url).is_none()) {
            return Err(InvalidSettings::ReturnUrl);
        }
        let transport = Transport {
            api_base,
            api_key: settings.api_key,
            endpoint_calls_per_second: settings.endpoint_calls_per_second,
            timeout: settings.timeout,
            tries_max: settings.tries_max,
            backoff: settings.backoff,
        };
        let charging = Charging {
            pay_timeout: settings.pay_timeout,
            return_url: settings.return_url,
            automatic_tax: settings.automatic_tax,
            collect_tax_id: settings.collect_tax_id,
            deployment: settings.deployment,
        };
        Ok(Self { client: Client::new(&transport).ok_or(InvalidSettings::ApiKey)?, charging })
    }
}

/// The currency as Stripe's builders take it: in lower case. They would also take codes that do not exist.
fn spelled(currency: Currency) -> stripe_types::Currency {
    let Ok(spelled) = currency.lower_case_code().parse();
    spelled
}

fn web_address(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty());
    is_web.then_some(uri)
}

fn with_query(url: &str, query: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{query}")
}

/// How customers are charged.
#[derive(Clone, Debug)]
struct Charging {
    pay_timeout: Duration,
    return_url: Option<String>,
    automatic_tax: bool,
    collect_tax_id: bool,
    deployment: Option<String>,
}

impl Charging {
    /// Whether an object's metadata names another deployment.
    fn is_of_other_deployment(&self, metadata: Option<&metadata::Metadata>) -> bool {
        metadata::is_of_other(metadata, self.deployment.as_deref())
    }

    /// The page that customers return to from a hosted page.
    fn return_url(&self) -> Result<&str, StripeError> {
        self.return_url.as_deref().ok_or(StripeError::NotSent("there is no page to return to"))
    }
}

impl Payments for StripePayments {
    async fn customer_create(&self, account: &AccountId, email: &EmailAddress) -> Result<CustomerId, PaymentsError> {
        customers::create(&self.client, account, email).await.map_err(|error| error.during("customer_create"))
    }

    async fn customer_email_set(&self, customer: &CustomerId, email: &EmailAddress) -> Result<(), PaymentsError> {
        customers::set_email(&self.client, customer, email).await.map_err(|error| error.during("customer_email_set"))
    }

    async fn default_payment_method_get(
        &self,
        customer: &CustomerId,
    ) -> Result<Option<PaymentMethodId>, PaymentsError> {
        let default = customers::default_card(&self.client, customer).await;
        default.map(|default| default.card).map_err(|error| error.during("default_payment_method_get"))
    }

    async fn default_payment_method_offer(
        &self,
        customer: &CustomerId,
        offered: &OfferedCard,
    ) -> Result<Option<PaymentMethodId>, PaymentsError> {
        let answer = customers::offer_default_card(&self.client, customer, offered).await;
        answer.map_err(|error| error.during("default_payment_method_offer"))
    }

    async fn checkout_find(
        &self,
        customer: &CustomerId,
        purchase: &Purchase,
    ) -> Result<Option<Checkout>, PaymentsError> {
        checkout::find(&self.client, customer, purchase).await.map_err(|error| error.during("checkout_find"))
    }

    async fn checkout_open(&self, customer: &CustomerId, purchase: &Purchase) -> Result<Checkout, PaymentsError> {
        checkout::open(&self.client, &self.charging, customer, purchase)
            .await
            .map_err(|error| error.during("checkout_open"))
    }

    async fn checkout_get(&self, session: &CheckoutSessionId) -> Result<CheckoutReport, PaymentsError> {
        checkout::report(&self.client, &self.charging, session).await.map_err(|error| error.during("checkout_get"))
    }

    async fn purchase_invoice(&self, customer: &CustomerId, purchase: &Purchase) -> Result<NewInvoice, InvoiceError> {
        let made = purchase_invoices::make(&self.client, &self.charging, customer, purchase).await;
        made.map_err(|error| error.during("purchase_invoice"))
    }

    async fn purchase_invoice_void(&self, invoice: &InvoiceId) -> Result<CheckoutOutcome, PaymentsError> {
        let voided = purchase_invoices::void(&self.client, invoice).await;
        voided.map_err(|error| error.during("purchase_invoice_void"))
    }

    async fn top_up_pay(&self, top_up: &TopUp) -> TopUpOutcome {
        top_ups::pay(&self.client, &self.charging, top_up).await
    }

    async fn top_up_close(&self, top_up: &TopUp) -> TopUpOutcome {
        top_ups::close(&self.client, &self.charging, top_up).await
    }

    async fn top_up_retry(&self, top_up: &TopUp, retry: &TopUpRetry) -> TopUpOutcome {
        top_ups::retry(&self.client, &self.charging, (top_up, retry)).await
    }

    async fn top_up_void(&self, top_up: &TopUp) -> TopUpOutcome {
        top_ups::void_open(&self.client, top_up).await
    }

    async fn invoice_get(&self, invoice: &InvoiceId) -> Result<InvoiceReport, PaymentsError> {
        invoices::report(&self.client, &self.charging, invoice).await.map_err(|error| error.during("invoice_get"))
    }
}

impl CardWallet for StripePayments {
    async fn saved_cards_get(&self, customer: &CustomerId) -> Result<SavedCards, PaymentsError> {
        wallet::saved(&self.client, customer).await.map_err(|error| error.during("saved_cards_get"))
    }

    async fn default_card_get(&self, customer: &CustomerId) -> Result<Option<SavedCard>, PaymentsError> {
        wallet::default(&self.client, customer).await.map_err(|error| error.during("default_card_get"))
    }

    async fn saved_card_owner_get(&self, card: &PaymentMethodId) -> Result<Option<CustomerId>, PaymentsError> {
        wallet::owner(&self.client, card).await.map_err(|error| error.during("saved_card_owner_get"))
    }

    async fn saved_card_make_default(
        &self,
        customer: &CustomerId,
        card: &PaymentMethodId,
    ) -> Result<(), PaymentsError> {
        let made = wallet::make_default(&self.client, customer, card).await;
        made.map_err(|error| error.during("saved_card_make_default"))
    }

    async fn set_up_card_offer(&self, customer: &CustomerId, card: &SetUpCard) -> Result<(), PaymentsError> {
        let offered = wallet::offer_set_up(&self.client, customer, card).await;
        offered.map_err(|error| error.during("set_up_card_offer"))
    }

    async fn saved_card_remove(&self, _: &CustomerId, card: &PaymentMethodId) -> Result<(), PaymentsError> {
        wallet::remove(&self.client, card).await.map_err(|error| error.during("saved_card_remove"))
    }

    async fn card_page_open(&self, customer: &CustomerId, page: &CardPage) -> Result<String, PaymentsError> {
        let opened = wallet::open_card_page(&self.client, &self.charging, customer, page).await;
        opened.map_err(|error| error.during("card_page_open"))
    }

    async fn billing_portal_open(&self, customer: &CustomerId) -> Result<String, PaymentsError> {
        let opened = wallet::open_portal(&self.client, &self.charging, customer).await;
        opened.map_err(|error| error.during("billing_portal_open"))
    }
}

impl CustomerBilling for StripePayments {
    async fn billing_details_get(&self, customer: &CustomerId) -> Result<KnownBillingDetails, PaymentsError> {
        let details = billing_details::read(&self.client, customer).await;
        details.map_err(|error| error.during("billing_details_get"))
    }

    async fn billing_details_replace(
        &self,
        customer: &CustomerId,
        chosen: &BillingDetails,
    ) -> Result<KnownBillingDetails, ReplaceDetailsError> {
        let replaced = billing_details::replace(&self.client, &self.charging, customer, chosen).await;
        replaced.map_err(|error| error.during("billing_details_replace"))
    }
}

impl CustomerInvoices for StripePayments {
    async fn customer_invoices_page(
        &self,
        customer: &CustomerId,
        after: Option<&InvoiceId>,
        limit: u8,
    ) -> Result<InvoicesPage, PaymentsError> {
        let page = customer_invoices::page(&self.client, customer, after, limit).await;
        page.map_err(|error| error.during("customer_invoices_page"))
    }

    async fn customer_invoice_get(
        &self,
        customer: &CustomerId,
        invoice: &InvoiceId,
    ) -> Result<Option<CustomerInvoice>, PaymentsError> {
        let found = customer_invoices::one(&self.client, customer, invoice).await;
        found.map_err(|error| error.during("customer_invoice_get"))
    }
}

impl PaymentSearch for StripePayments {
    async fn customers_find(&self, paid: &Paid) -> Result<Vec<CustomerId>, PaymentsError> {
        search::customers(&self.client, paid).await.map_err(|error| error.during("customers_find"))
    }
}

impl ClaimedPayments for StripePayments {
    async fn claimed_payments(
        &self,
        customer: Option<&CustomerId>,
        claim: &Claim,
    ) -> Result<Vec<ClaimedPayment>, PaymentsError> {
        let found = claims::payments(&self.client, &self.charging, (customer, claim)).await;
        found.map_err(|error| error.during("claimed_payments"))
    }
}

impl PaidInvoices for StripePayments {
    async fn paid_invoices_page(
        &self,
        created: (Timestamp, Timestamp),
        after: Option<&InvoiceId>,
    ) -> Result<PaidInvoicesPage, PaymentsError> {
        let page = claims::paid_invoices(&self.client, &self.charging, (created, after)).await;
        page.map_err(|error| error.during("paid_invoices_page"))
    }
}

impl PaymentReturns for StripePayments {
    async fn returned_payment_find(&self, named: &ReturnedObject) -> Result<Option<PaymentIntentId>, PaymentsError> {
        returns::find(&self.client, named).await.map_err(|error| error.during("returned_payment_find"))
    }

    async fn returned_payment_get(&self, payment: &PaymentIntentId) -> Result<ReturnsReport, PaymentsError> {
        returns::report(&self.client, &self.charging, payment)
            .await
            .map_err(|error| error.during("returned_payment_get"))
    }

    async fn dispute_show(&self, dispute: &DisputeId) -> Result<DisputeReport, PaymentsError> {
        disputes::show(&self.client, dispute).await.map_err(|error| error.during("dispute_show"))
    }
}

impl EventList for StripePayments {
    async fn events_page(&self, pass: &EventsPass) -> Result<EventsPage, PaymentsError> {
        events::page(&self.client, pass).await.map_err(|error| error.during("events_page"))
    }
}

impl PaymentRefunds for StripePayments {
    async fn refund_make(&self, order: &RefundOrder) -> Result<MadeRefund, RefundError> {
        refunds::make(&self.client, order).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::new(SecretString::from("sk_test_local"))
    }

    #[test]
    fn invalid_settings_are_rejected_before_anything_is_sent() {
        let live = SecretString::from("rk_live_local");
        for (name, settings, expected) in [
            ("Stripe", settings(), None),
            ("the stand-in", Settings { api_base: "http://127.0.0.1:12111/".into(), ..settings() }, None),
            ("no scheme", Settings { api_base: "api.stripe.com".into(), ..settings() }, Some(InvalidSettings::ApiBase)),
            ("a query", Settings { api_base: "http://a/?b".into(), ..settings() }, Some(InvalidSettings::ApiBase)),
            (
                "no return URL",
                Settings { return_url: Some("/billing".into()), ..settings() },
                Some(InvalidSettings::ReturnUrl),
            ),
            (
                "a key with a line break",
                Settings { api_key: SecretString::from("sk\n"), ..settings() },
                Some(InvalidSettings::ApiKey),
            ),
            ("a live key to Stripe", Settings { api_key: live.clone(), ..settings() }, None),
            (
                "a live key without encryption",
                Settings { api_key: live, api_base: "http://127.0.0.1:12111".into(), ..settings() },
                Some(InvalidSettings::LiveKeyUnencrypted),
            ),
        ] {
            assert_eq!(StripePayments::new(settings).err(), expected, "{name}");
        }
    }

    /// async-stripe knows fewer currencies than Stripe, and takes a code in upper case for an unknown one.
    #[test]
    fn every_currency_reaches_stripe_in_lower_case() {
        for currency in Currency::all() {
            let sent = serde_json::to_value(spelled(currency)).unwrap();
            assert_eq!(sent, currency.code().to_lowercase());
        }
    }

    #[test]
    fn the_page_to_return_to_keeps_its_own_query() {
        assert_eq!(with_query("https://a.example/b", "purchase=1"), "https://a.example/b?purchase=1");
        assert_eq!(with_query("https://a.example/?c=d", "purchase=1"), "https://a.example/?c=d&purchase=1");
    }

    #[test]
    fn debug_output_hides_the_key() {
        let printed = format!("{:?} {:?}", settings(), StripePayments::new(settings()).unwrap());
        assert!(!printed.contains("sk_test_local"), "{printed}");
    }
}
