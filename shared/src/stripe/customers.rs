//! Stripe customers, and the card each of them pays with by default.

use super::client::Client;
use super::error::StripeError;
use super::responses::{Created, Customer, List, Paying};
use super::{keyed, metadata};
use crate::domain::payments::{DefaultCard, OfferedCard};
use crate::domain::{AccountId, CustomerId, EmailAddress, PaymentMethodId};
use crate::ports::PaymentsError;
use sha2::{Digest, Sha256};
use stripe_client_core::{RequestStrategy, StripeRequest};
use stripe_core::customer::{
    CreateCustomer, ListCustomer, RetrieveCustomer, UpdateCustomer, UpdateCustomerInvoiceSettings,
};

/// Enough of a digest to distinguish the addresses of one account.
const DIGEST_BYTES: usize = 8;

/// <https://docs.stripe.com/api/customers/create>. The key contains a digest of the address: the same request finds the
/// same customer, and another address does not reuse the key. The customer is looked up first, because Stripe may have
/// deleted the key of an earlier request.
pub(super) async fn create(
    client: &Client,
    account: &AccountId,
    email: &EmailAddress,
) -> Result<CustomerId, StripeError> {
    let digest = hex::encode(&Sha256::digest(email.as_str())[..DIGEST_BYTES]);
    let key = format!("account:{account}:customer:{digest}");
    let request = CreateCustomer::new().email(email.as_str()).metadata(metadata::of_account(account));
    let effect = || of_account(client, account, email);
    let customer: Created = match effect().await? {
        Some(customer) => customer,
        None => keyed::send(client, &key, None, &request, effect).await?,
    };
    CustomerId::parse(customer.id).map_err(|error| StripeError::Unreadable(error.to_string()))
}

/// How many of the newest customers with one address are searched.
const CUSTOMERS_MAX: i64 = 100;

/// The customer that was created for the account and this address, if there is one; the first of several.
/// <https://docs.stripe.com/api/customers/list>
async fn of_account(
    client: &Client,
    account: &AccountId,
    email: &EmailAddress,
) -> Result<Option<Created>, StripeError> {
    let request = ListCustomer::new().email(email.as_str()).limit(CUSTOMERS_MAX);
    let newest: List<Customer> = request.build().customize().send(client).await?;
    let is_ours =
        |customer: &Customer| customer.metadata.as_ref().and_then(metadata::account).as_ref() == Some(account);
    Ok(newest.data.into_iter().rfind(is_ours).map(|customer| Created { id: customer.id }))
}

/// <https://docs.stripe.com/api/customers/update>. It has no idempotency key, as [`offer_default_card`] has none: with one,
/// Stripe would answer a return to an earlier address with the stored answer.
pub(super) async fn set_email(client: &Client, customer: &CustomerId, email: &EmailAddress) -> Result<(), StripeError> {
    let request = UpdateCustomer::new(customer.as_str()).email(email.as_str()).build();
    request.customize::<Created>().request_strategy(RequestStrategy::Once).send(client).await.map(drop)
}

/// <https://docs.stripe.com/api/customers/retrieve>
pub(super) async fn retrieve(client: &Client, customer: &CustomerId) -> Result<Customer, StripeError> {
    RetrieveCustomer::new(customer.as_str()).build().customize().send(client).await
}

/// The same with the default card expanded.
pub(super) async fn paying(client: &Client, customer: &CustomerId) -> Result<Paying, StripeError> {
    let request = RetrieveCustomer::new(customer.as_str()).expand([DEFAULT_CARD.to_owned()]);
    request.build().customize().send(client).await
}

/// The default card of a customer, which Stripe includes only on request.
pub(super) const DEFAULT_CARD: &str = "invoice_settings.default_payment_method";

/// The card that the customer pays with, and the purchase it is from.
pub(super) async fn default_card(client: &Client, customer: &CustomerId) -> Result<DefaultCard, DefaultError> {
    let found = retrieve(client, customer).await?;
    if found.deleted == Some(true) {
        return Err(DefaultError::Deleted);
    }
    let card = found.default_card().map_err(|error| StripeError::Unreadable(error.to_string()))?;
    Ok(DefaultCard { card, bought_with: found.metadata.as_ref().and_then(metadata::bought_with) })
}

/// Why a customer's default could not be read.
pub(super) enum DefaultError {
    /// Stripe answers 200 for a deleted customer.
    Deleted,
    Stripe(StripeError),
}

impl DefaultError {
    /// The port's error for it.
    pub(super) fn during(self, operation: &'static str) -> PaymentsError {
        match self {
            Self::Deleted => PaymentsError::CustomerDeleted { operation },
            Self::Stripe(error) => error.during(operation),
        }
    }
}

impl From<StripeError> for DefaultError {
    fn from(error: StripeError) -> Self {
        Self::Stripe(error)
    }
}

/// The card and the purchase are written in one request, so that they are always consistent.
///
/// Stripe has no conditional write, so a choice that the customer makes between the two calls is lost. The second call
/// has no idempotency key, because setting a value twice does no harm. With a key, Stripe would answer a return to an
/// earlier card with the stored answer, and would leave the other card in place.
pub(super) async fn offer_default_card(
    client: &Client,
    customer: &CustomerId,
    offered: &OfferedCard,
) -> Result<Option<PaymentMethodId>, DefaultError> {
    let default = default_card(client, customer).await?;
    if !offered.is_newest(&default) {
        return Ok(default.card);
    }
    let mut settings = UpdateCustomerInvoiceSettings::new();
    settings.default_payment_method = Some(offered.bought_with.card.as_str().to_owned());
    UpdateCustomer::new(customer.as_str())
        .invoice_settings(settings)
        .metadata(metadata::of_bought_with(&offered.bought_with))
        .build()
        .customize::<Created>()
        .request_strategy(RequestStrategy::Once)
        .send(client)
        .await?;
    Ok(Some(offered.bought_with.card.clone()))
}
