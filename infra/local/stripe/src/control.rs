//! `/_control`: the switches of [`LocalStripe`] for a test in another process. It uses JSON and needs no key.

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::error::Refusal;
use crate::server::LocalStripe;

pub(crate) async fn answer(stripe: &LocalStripe, request: &Request<Bytes>) -> Response<Bytes> {
    let segments: Vec<&str> = request.uri().path().trim_start_matches("/_control/").split('/').collect();
    let body = request.body();
    match (request.method().as_str(), segments.as_slice()) {
        ("POST", ["faults"]) => with_body(body, |fault| stripe.add_fault(fault)),
        ("PUT", ["faults", "random"]) => with_body(body, |random| stripe.set_random_faults(random)),
        ("DELETE", ["faults"]) => {
            stripe.clear_faults();
            respond(StatusCode::OK, &json!({}))
        }
        ("GET", ["requests"]) => respond(StatusCode::OK, &json!({ "requests": stripe.requests() })),
        ("DELETE", ["requests"]) => {
            stripe.clear_requests();
            respond(StatusCode::OK, &json!({}))
        }
        ("POST", ["webhooks", "conduct"]) => with_body(body, |conduct| stripe.set_webhook_conduct(conduct)),
        ("POST", ["webhooks", "deliver"]) => {
            let delivered = stripe.deliver_due().await;
            respond(StatusCode::OK, &json!({ "delivered": delivered }))
        }
        ("POST", ["customers", customer, "bank_transfer"]) => {
            with_fallible_body(body, |sum: PagePrice| stripe.receive_transfer(customer, &sum.currency, sum.amount))
        }
        ("POST", ["customers", customer, "discount"]) => {
            with_fallible_body(body, |discount| stripe.give_discount(customer, discount))
        }
        ("POST", ["payment_methods", card, "reissue"]) => {
            with_fallible_body(body, |expiry: Expiry| stripe.reissue_card(card, expiry.exp_month, expiry.exp_year))
        }
        ("POST", ["checkout", "sessions", session, "price"]) => {
            with_fallible_body(body, |price: PagePrice| stripe.reprice_checkout(session, &price.currency, price.amount))
        }
        ("POST", ["charges", charge, "dispute"]) => match stripe.open_dispute(charge) {
            Ok(dispute) => respond(StatusCode::OK, &json!({ "dispute": dispute })),
            Err(refusal) => respond(StatusCode::CONFLICT, &json!({ "error": refusal.to_string() })),
        },
        ("POST", ["charges", charge, "inquiry"]) => match stripe.open_inquiry(charge) {
            Ok(dispute) => respond(StatusCode::OK, &json!({ "dispute": dispute })),
            Err(refusal) => respond(StatusCode::CONFLICT, &json!({ "error": refusal.to_string() })),
        },
        ("POST", ["disputes", dispute, "escalate"]) => done(stripe.escalate_inquiry(dispute)),
        ("POST", ["disputes", dispute, "lost_in_part"]) => done(stripe.lose_dispute_in_part(dispute)),
        ("POST", ["refunds", refund, status]) => done(stripe.settle_refund(refund, status)),
        ("POST", ["disputes", dispute, verdict @ ("won" | "lost")]) => {
            done(stripe.decide_dispute(dispute, *verdict == "won"))
        }
        _ => respond(StatusCode::NOT_FOUND, &json!({ "error": "no such control" })),
    }
}

/// The last month of a card.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expiry {
    exp_month: u8,
    exp_year: i16,
}

/// The amount that a page has to ask for, or that a transfer brings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PagePrice {
    currency: String,
    amount: i64,
}

fn with_fallible_body<T: DeserializeOwned>(
    body: &Bytes,
    act: impl FnOnce(T) -> Result<(), Refusal>,
) -> Response<Bytes> {
    match serde_json::from_slice(body).map(act) {
        Ok(Ok(())) => respond(StatusCode::OK, &json!({})),
        Ok(Err(refusal)) => respond(StatusCode::CONFLICT, &json!({ "error": refusal.to_string() })),
        Err(error) => respond(StatusCode::BAD_REQUEST, &json!({ "error": error.to_string() })),
    }
}

fn done(result: Result<(), Refusal>) -> Response<Bytes> {
    match result {
        Ok(()) => respond(StatusCode::OK, &json!({})),
        Err(refusal) => respond(StatusCode::CONFLICT, &json!({ "error": refusal.to_string() })),
    }
}

fn with_body<T: DeserializeOwned>(body: &Bytes, act: impl FnOnce(T)) -> Response<Bytes> {
    match serde_json::from_slice(body) {
        Ok(content) => {
            act(content);
            respond(StatusCode::OK, &json!({}))
        }
        Err(error) => respond(StatusCode::BAD_REQUEST, &json!({ "error": error.to_string() })),
    }
}

fn respond(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
