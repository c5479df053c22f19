//! Stripe customers, and the card each of them pays with by default.

use super::client::Client;
use super::error::StripeError;
use super::responses::{Created, Customer};
use super::{keyed, metadata};
use crate::domain::{AccountId, CustomerId, EmailAddress, PaymentMethodId};
use sha2::{Digest, Sha256};
use stripe_client_core::{RequestStrategy, StripeRequest};
use stripe_core::customer::{CreateCustomer, RetrieveCustomer, UpdateCustomer, UpdateCustomerInvoiceSettings};

/// Enough of a digest to tell the addresses of one account apart.
const DIGEST_BYTES: usize = 8;

/// <https://docs.stripe.com/api/customers/create>. The key holds a digest of the address, so that the same request
/// is the same customer and another address is not a misuse of its key.
pub(super) async fn create(
    client: &Client,
    account: &AccountId,
    email: &EmailAddress,
) -> Result<CustomerId, StripeError> {
    let digest = hex::encode(&Sha256::digest(email.as_str())[..DIGEST_BYTES]);
    let key = format!("account:{account}:customer:{digest}");
    let request = CreateCustomer::new().email(email.as_str()).metadata(metadata::of_account(account));
    let customer: Created = keyed::send(client, &key, None, &request, keyed::nothing).await?;
    CustomerId::parse(customer.id).map_err(|error| StripeError::Unreadable(error.to_string()))
}

/// `Ok(None)` for a customer without one; a deleted customer is not found.
pub(super) async fn default_payment_method(
    client: &Client,
    customer: &CustomerId,
) -> Result<Option<PaymentMethodId>, DefaultError> {
    let found: Customer = RetrieveCustomer::new(customer.as_str()).build().customize().send(client).await?;
    if found.deleted == Some(true) {
        return Err(DefaultError::Deleted);
    }
    let method = found.invoice_settings.and_then(|settings| settings.default_payment_method);
    let parsed = method.map(PaymentMethodId::parse).transpose();
    Ok(parsed.map_err(|error| StripeError::Unreadable(error.to_string()))?)
}

/// Why a customer's default could not be read.
pub(super) enum DefaultError {
    /// Stripe answers 200 for a deleted customer.
    Deleted,
    Stripe(StripeError),
}

impl From<StripeError> for DefaultError {
    fn from(error: StripeError) -> Self {
        Self::Stripe(error)
    }
}

/// Sent without a key: setting a value twice is setting it once, while a key would answer a return to an earlier
/// card with the first answer and leave the other card in place.
pub(super) async fn set_default_payment_method(
    client: &Client,
    customer: &CustomerId,
    payment_method: &PaymentMethodId,
) -> Result<(), StripeError> {
    let mut settings = UpdateCustomerInvoiceSettings::new();
    settings.default_payment_method = Some(payment_method.as_str().to_owned());
    UpdateCustomer::new(customer.as_str())
        .invoice_settings(settings)
        .build()
        .customize::<Created>()
        .request_strategy(RequestStrategy::Once)
        .send(client)
        .await
        .map(|_| ())
}
