//! The cards that a customer has saved: listing them, choosing and removing one, and the hosted pages for it.

use super::client::Client;
use super::customers::{self, DefaultError};
use super::error::StripeError;
use super::responses::{AskedCustomer, Created, List, OwnedMethod, Page, SavedMethod};
use super::{Charging, metadata, spelled, with_query};
use crate::domain::payments::{Expiry, SavedCard, SavedCards, SetUpCard};
use crate::domain::{CustomerId, PaymentMethodId};
use crate::ports::CardPage;
use jiff::Timestamp;
use stripe_billing::billing_portal_session::CreateBillingPortalSession;
use stripe_checkout::checkout_session::CreateCheckoutSession;
use stripe_client_core::{RequestStrategy, StripeRequest};
use stripe_core::customer::{
    ListPaymentMethodsCustomer, RetrieveCustomer, UpdateCustomer, UpdateCustomerInvoiceSettings,
};
use stripe_payment::payment_method::{DetachPaymentMethod, RetrievePaymentMethod};
use stripe_shared::CheckoutSessionMode;

const PAGE_LIMIT: i64 = 100;
/// A customer who pays on a page for every purchase saves the same card each time, and even so needs years for this many.
const PAGES_MAX: usize = 10;

/// <https://docs.stripe.com/api/payment_methods/customer_list>
pub(super) async fn saved(client: &Client, customer: &CustomerId) -> Result<SavedCards, DefaultError> {
    let default = customers::default_card(client, customer).await?.card;
    let mut saved = vec![];
    let mut last: Option<String> = None;
    for _ in 0..PAGES_MAX {
        let mut request = ListPaymentMethodsCustomer::new(customer.as_str()).limit(PAGE_LIMIT);
        if let Some(last) = last.take() {
            request = request.starting_after(last);
        }
        let page: List<SavedMethod> = request.build().customize().send(client).await?;
        last = page.data.last().map(|method| method.id.clone());
        for method in page.data {
            saved.push(saved_card(method)?);
        }
        if !page.has_more || last.is_none() {
            return Ok(SavedCards { default, saved });
        }
    }
    Err(StripeError::Unreadable(format!("the customer has more than {PAGES_MAX} pages of cards")).into())
}

/// The default card, with its details.
pub(super) async fn default(client: &Client, customer: &CustomerId) -> Result<Option<SavedCard>, DefaultError> {
    let request = RetrieveCustomer::new(customer.as_str()).expand([customers::DEFAULT_CARD.to_owned()]);
    let found: AskedCustomer = match request.build().customize().send(client).await {
        Ok(found) => found,
        Err(error) => {
            // Of a deleted customer nothing can be expanded.
            if matches!(&error, StripeError::Refused(refusal) if refusal.status == 400) {
                customers::default_card(client, customer).await?;
            }
            return Err(error.into());
        }
    };
    if found.deleted == Some(true) {
        return Err(DefaultError::Deleted);
    }
    let default = found.invoice_settings.and_then(|settings| settings.default_payment_method);
    Ok(default.map(saved_card).transpose()?)
}

/// <https://docs.stripe.com/api/payment_methods/retrieve>
pub(super) async fn owner(client: &Client, card: &PaymentMethodId) -> Result<Option<CustomerId>, StripeError> {
    let found: OwnedMethod = RetrievePaymentMethod::new(card.as_str()).build().customize().send(client).await?;
    let owner = found.customer.map(CustomerId::parse).transpose();
    owner.map_err(|error| StripeError::Unreadable(error.to_string()))
}

fn saved_card(method: SavedMethod) -> Result<SavedCard, StripeError> {
    let unreadable = || StripeError::Unreadable("a saved card has an id or a time of another form".to_owned());
    let id = PaymentMethodId::parse(method.id.as_str()).map_err(|_| unreadable())?;
    let saved_at = Timestamp::from_second(method.created).map_err(|_| unreadable())?;
    let details = method.card.or(method.us_bank_account).or(method.sepa_debit).unwrap_or_default();
    let expiry = details.exp_year.zip(details.exp_month);
    let expiry = expiry.and_then(|(year, month)| Expiry::new(year.try_into().ok()?, month.try_into().ok()?));
    Ok(SavedCard {
        id,
        kind: method.kind,
        brand: details.brand.or(details.bank_name),
        last4: details.last4,
        expiry,
        wallet: details.wallet.map(|wallet| wallet.kind),
        fingerprint: details.fingerprint,
        saved_at,
    })
}

/// Stripe refuses a card that is not attached to this customer. Without an idempotency key, as
/// [`customers::offer_default_card`].
/// <https://docs.stripe.com/api/customers/update#update_customer-invoice_settings-default_payment_method>
pub(super) async fn make_default(
    client: &Client,
    customer: &CustomerId,
    card: &PaymentMethodId,
) -> Result<(), StripeError> {
    let request = UpdateCustomer::new(customer.as_str()).invoice_settings(of_default(card)).build();
    request.customize::<Created>().request_strategy(RequestStrategy::Once).send(client).await.map(drop)
}

fn of_default(card: &PaymentMethodId) -> UpdateCustomerInvoiceSettings {
    let mut settings = UpdateCustomerInvoiceSettings::new();
    settings.default_payment_method = Some(card.as_str().to_owned());
    settings
}

/// The card and the page are written in one request, so that a page makes its card the default once.
pub(super) async fn offer_set_up(
    client: &Client,
    customer: &CustomerId,
    set_up: &SetUpCard,
) -> Result<(), StripeError> {
    let found = customers::retrieve(client, customer).await?;
    let default_now = found.default_card().map_err(|error| StripeError::Unreadable(error.to_string()))?;
    let last_session = found.metadata.as_ref().and_then(metadata::card_session);
    if found.deleted == Some(true) || !set_up.is_newest(default_now.as_ref(), last_session.as_ref()) {
        return Ok(());
    }
    let request = UpdateCustomer::new(customer.as_str())
        .invoice_settings(of_default(&set_up.card))
        .metadata(metadata::of_card_session(&set_up.session))
        .build();
    request.customize::<Created>().request_strategy(RequestStrategy::Once).send(client).await.map(drop)
}

/// Stripe also takes it away as the default. A card that is detached can never be used or attached again.
/// <https://docs.stripe.com/api/payment_methods/detach>. One that is detached already is refused with 400.
pub(super) async fn remove(client: &Client, card: &PaymentMethodId) -> Result<(), StripeError> {
    let request = DetachPaymentMethod::new(card.as_str()).build();
    match request.customize::<Created>().request_strategy(RequestStrategy::Once).send(client).await {
        Err(error) if error.is_not_found() || error.is_unexpected_state() => Ok(()),
        answer => answer.map(drop),
    }
}

/// A session in setup mode saves a card and takes no money, so a page that is opened twice does no harm.
/// <https://docs.stripe.com/payments/save-and-reuse?platform=web&ui=stripe-hosted>
pub(super) async fn open_card_page(
    client: &Client,
    charging: &Charging,
    customer: &CustomerId,
    page: &CardPage,
) -> Result<String, StripeError> {
    let return_url = charging.return_url()?;
    let request = CreateCheckoutSession::new()
        .mode(CheckoutSessionMode::Setup)
        .customer(customer.as_str())
        .currency(spelled(page.currency))
        .metadata(metadata::of_card_page(page))
        .success_url(with_query(return_url, "card=saved"))
        .cancel_url(with_query(return_url, "card=canceled"))
        .build();
    let opened: Page = request.customize().request_strategy(RequestStrategy::Once).send(client).await?;
    opened.url.ok_or_else(|| StripeError::Unreadable("a Checkout session without a page".to_owned()))
}

/// <https://docs.stripe.com/api/customer_portal/sessions/create>
pub(super) async fn open_portal(
    client: &Client,
    charging: &Charging,
    customer: &CustomerId,
) -> Result<String, StripeError> {
    let return_url = charging.return_url()?;
    let request = CreateBillingPortalSession::new().customer(customer.as_str()).return_url(return_url).build();
    let opened: Page = request.customize().request_strategy(RequestStrategy::Once).send(client).await?;
    opened.url.ok_or_else(|| StripeError::Unreadable("a portal session without a page".to_owned()))
}
