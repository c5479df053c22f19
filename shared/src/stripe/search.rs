//! Finding Stripe customers by what belongs to them. Nothing is changed.
//!
//! An object's own id is read with strong consistency. A number or an id of ours is searched for, and Stripe's search
//! lags by up to a minute, in an outage by an hour: <https://docs.stripe.com/search#data-freshness>.

use super::client::Client;
use super::error::StripeError;
use super::responses::{Customer, List, Owned};
use crate::domain::CustomerId;
use crate::ports::Paid;
use stripe_billing::invoice::{RetrieveInvoice, SearchInvoice};
use stripe_client_core::StripeRequest;
use stripe_core::charge::RetrieveCharge;
use stripe_core::customer::ListCustomer;
use stripe_core::payment_intent::{RetrievePaymentIntent, SearchPaymentIntent};

/// The most customers of one answer, which is a page of Stripe's.
const FOUND_MAX: i64 = 100;

pub(super) async fn customers(client: &Client, paid: &Paid) -> Result<Vec<CustomerId>, StripeError> {
    let found = match paid {
        // Compared exactly: <https://docs.stripe.com/api/customers/list#list_customers-email>.
        Paid::Email(email) => {
            let request = ListCustomer::new().email(email.as_str()).limit(FOUND_MAX);
            let page: List<Customer> = request.build().customize().send(client).await?;
            page.data.into_iter().map(|customer| Some(customer.id)).collect()
        }
        Paid::Invoice(invoice) => owner(client, &RetrieveInvoice::new(invoice.as_str())).await?,
        Paid::Payment(intent) => owner(client, &RetrievePaymentIntent::new(intent.as_str())).await?,
        Paid::CardPayment(charge) => owner(client, &RetrieveCharge::new(charge.as_str())).await?,
        Paid::InvoiceNumber(number) => {
            owners(client, &SearchInvoice::new(format!("number:\"{number}\"")).limit(FOUND_MAX)).await?
        }
        Paid::TopUp(top_up) => {
            owners(client, &SearchInvoice::new(format!("metadata[\"top_up\"]:\"{top_up}\"")).limit(FOUND_MAX)).await?
        }
        Paid::Purchase(purchase) => {
            let query = format!("metadata[\"purchase\"]:\"{purchase}\"");
            owners(client, &SearchPaymentIntent::new(query).limit(FOUND_MAX)).await?
        }
    };
    let mut customers: Vec<_> = found.into_iter().flatten().filter_map(|id| CustomerId::parse(id).ok()).collect();
    customers.sort();
    customers.dedup();
    Ok(customers)
}

/// The customer of an object that its own id names. None if there is no such object.
async fn owner(client: &Client, request: &(impl StripeRequest + Sync)) -> Result<Vec<Option<String>>, StripeError> {
    match request.build().customize::<Owned>().send(client).await {
        Ok(owned) => Ok(vec![owned.customer]),
        Err(error) if error.is_not_found() => Ok(vec![]),
        Err(error) => Err(error),
    }
}

async fn owners(client: &Client, request: &(impl StripeRequest + Sync)) -> Result<Vec<Option<String>>, StripeError> {
    let page: List<Owned> = request.build().customize().send(client).await?;
    Ok(page.data.into_iter().map(|owned| owned.customer).collect())
}
