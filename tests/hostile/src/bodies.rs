//! The body of every request that changes something.

use crate::webhooks::signature_header;
use crate::world::{Asked, Function, World, now, service_claims};
use serde_json::{Map, json};

/// Every route with a body, chosen by the first byte.
pub const ROUTES: &[(Function, &str, &str)] = &[
    (Function::Accounts, "POST", "/v1/accounts"),
    (Function::Accounts, "PUT", "/v1/accounts/acme/auto-top-up"),
    (Function::Charging, "POST", "/v1/accounts/acme/charges"),
    (Function::Charging, "POST", "/v1/accounts/acme/charges/job-1/restore"),
    (Function::Charging, "POST", "/v1/quotes"),
    (Function::Purchases, "POST", "/v1/accounts/acme/purchases"),
    (Function::StripeWebhooks, "POST", "/v1/webhooks/stripe"),
];

/// The first byte chooses the route, the rest is the body, sent twice under one key and, for the webhook, well signed:
/// whatever it is, the second time moves nothing and is answered as the first.
pub fn bodies(data: &[u8]) {
    let Some((route, body)) = data.split_first() else { return };
    let (function, method, path) = ROUTES[usize::from(*route) % ROUTES.len()];
    let mut headers = Map::new();
    headers.insert("idempotency-key".to_owned(), json!("job-1"));
    headers.insert("stripe-signature".to_owned(), json!(signature_header(now().as_second(), body)));
    let asked = Asked { method, path, headers, claims: service_claims(), body, ..Asked::default() };
    let world = World::of(function);
    let before = world.books();

    let first = world.answer(&asked.event()).expect("API Gateway's events are read");
    let after = world.books();
    let second = world.answer(&asked.event()).expect("API Gateway's events are read");

    assert_eq!(after, world.books(), "asking again moves nothing: {first:?}");
    if first.status == 201 {
        assert_eq!((second.status, second.is_replay, &second.text), (200, true, &first.text));
    } else {
        assert_eq!(before, after, "what did nothing moves nothing: {first:?}");
        assert_eq!(first, second, "the same request is answered alike");
    }
}
