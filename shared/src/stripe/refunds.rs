//! Refunds that support makes.
//!
//! Stripe may forget an idempotency key after a day, so an earlier refund for the same request is looked for first:
//! <https://docs.stripe.com/api/idempotent_requests>.

use super::client::Client;
use super::error::StripeError;
use super::metadata::Metadata;
use super::returns::all_pages;
use super::{keyed, metadata};
use crate::domain::RefundId;
use crate::ports::{MadeRefund, MadeRefundStatus, RefundError, RefundOrder};
use miniserde::Deserialize;
use stripe_client_core::StripeRequest;
use stripe_core::refund::{CreateRefund, CreateRefundReason, ListRefund};

/// <https://docs.stripe.com/api/refunds/object>
#[derive(Deserialize)]
struct Refund {
    id: String,
    status: Option<String>,
    metadata: Option<Metadata>,
}

pub(super) async fn make(client: &Client, order: &RefundOrder) -> Result<MadeRefund, RefundError> {
    made(client, order).await.map_err(|error| match error {
        StripeError::Refused(refusal) if refusal.is_about_request() => RefundError::Refused { code: refusal.code },
        error => error.during("refund_make").into(),
    })
}

async fn made(client: &Client, order: &RefundOrder) -> Result<MadeRefund, StripeError> {
    let refund = match found(client, order).await? {
        Some(refund) => refund,
        None => create(client, order).await?,
    };
    let id = RefundId::parse(refund.id).map_err(|error| StripeError::Unreadable(error.to_string()))?;
    let status = refund.status.as_deref().and_then(MadeRefundStatus::of_name);
    let status = status.ok_or_else(|| StripeError::Unreadable("a refund has an unknown status".to_owned()))?;
    Ok(MadeRefund { id, status })
}

async fn create(client: &Client, order: &RefundOrder) -> Result<Refund, StripeError> {
    let request = CreateRefund::new()
        .payment_intent(order.payment.as_str())
        .amount(order.amount)
        .reason(CreateRefundReason::RequestedByCustomer)
        .metadata(metadata::of_refund(order));
    let key = format!("refund:{}:{}", order.paid_for, order.key);
    keyed::send(client, &key, None, &request, || found(client, order)).await
}

/// The refund that was made for this request before.
async fn found(client: &Client, order: &RefundOrder) -> Result<Option<Refund>, StripeError> {
    let page = |after: Option<&Refund>| {
        let request = ListRefund::new().payment_intent(order.payment.as_str()).limit(100);
        let request = after.into_iter().fold(request, |request, after| request.starting_after(after.id.as_str()));
        request.build().customize()
    };
    let is_of_order =
        |refund: &Refund| refund.metadata.as_ref().is_some_and(|metadata| metadata::is_of_refund(metadata, order));
    Ok(all_pages(client, page).await?.into_iter().find(is_of_order))
}
