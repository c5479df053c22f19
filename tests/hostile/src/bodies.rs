//! The bodies of all requests that change something.

use crate::webhooks::signature_header;
use crate::world::{ACCOUNT, Asked, Function, World, now, service_claims};
use serde_json::{Map, json};
use shared::http::Route;

/// A request with a body: its function, method and path.
pub type BodyRoute = (Function, String, String);

/// The one route of which a part may have an effect.
const BATCH: &str = "/v1/charges/batch";

/// All routes that change something; the first byte chooses one.
pub fn routes() -> Vec<BodyRoute> {
    [
        changing(Function::Accounts, accounts::ROUTES),
        changing(Function::Charging, charging::ROUTES),
        changing(Function::Purchases, purchases::ROUTES),
        changing(Function::StripeWebhooks, stripe_webhooks::ROUTES),
        changing(Function::Support, support::ROUTES),
    ]
    .concat()
}

fn changing<T>(function: Function, routes: &[Route<T>]) -> Vec<BodyRoute> {
    let is_changing = |route: &&Route<T>| !route.method.is_safe();
    let path = |route: &Route<T>| route.path.replace("{account}", ACCOUNT).replace("{charge}", "job-1");
    routes.iter().filter(is_changing).map(|route| (function, route.method.to_string(), path(route))).collect()
}

/// The first byte chooses the route, the rest is the body, which is sent twice under one key and, for the webhook, with
/// a valid signature. The second request changes nothing and gets the same answer as the first.
pub fn bodies(data: &[u8]) {
    let Some((route, body)) = data.split_first() else { return };
    let routes = routes();
    let (function, method, path) = &routes[usize::from(*route) % routes.len()];
    let mut headers = Map::new();
    headers.insert("idempotency-key".to_owned(), json!("job-1"));
    headers.insert("stripe-signature".to_owned(), json!(signature_header(now().as_second(), body)));
    let asked = Asked { method, path, headers, claims: service_claims(), body, ..Asked::default() };
    let world = World::of(*function);
    let before = world.books();

    let first = world.answer(&asked.event()).expect("API Gateway's events are read");
    let after = world.books();
    let second = world.answer(&asked.event()).expect("API Gateway's events are read");

    assert_eq!(after, world.books(), "the second request changes nothing: {first:?}");
    if path == BATCH && first.status == 200 {
        let replayed = first.text.replace(r#""status":201"#, r#""status":200"#);
        assert_eq!((second.status, &second.text), (200, &replayed), "each charge gets its first answer again");
        assert!(before == after || first.text != replayed, "only a new charge changes something: {first:?}");
    } else if first.status == 201 {
        assert_eq!((second.status, second.is_replay, &second.text), (200, true, &first.text));
    } else {
        assert_eq!(before, after, "a request without effect changes nothing: {first:?}");
        assert_eq!(first, second, "the same request gets the same answer");
    }
}
