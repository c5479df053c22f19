//! The claims of a token, as the authorizer passes them on.

use crate::world::{ACCOUNT, Asked, BALANCE, Function, World};
use serde_json::{Map, Value, json};

/// JSON claims for three requests: the customer's own account, another function's route for services, and no account.
///
/// A caller who is admitted has the scope of services, or that of customers and exactly the account's name.
pub fn callers(data: &[u8]) {
    let Ok(claims) = serde_json::from_slice::<Map<String, Value>>(data) else { return };
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let holds = |scope: &str| ["scope", "scp"].iter().any(|claim| words(text(claim)).any(|word| word == scope));
    let (is_service, is_customer) = (holds("credits/service"), holds("credits/customer"));
    let reaches = is_service || (is_customer && text("sub") == ACCOUNT);
    let claims = Some(Value::Object(claims.clone()));

    let balance =
        Asked { method: "GET", path: "/v1/accounts/acme/balance", claims: claims.clone(), ..Asked::default() };
    // No authorizer sends claims that are not all strings, so such an event cannot be parsed.
    let Some(answer) = World::of(Function::Accounts).answer(&balance.event()) else { return };
    // Another customer's account is answered like one that does not exist.
    let refused = if is_service || is_customer { 404 } else { 403 };
    assert_eq!(answer.status, if reaches { 200 } else { refused }, "{answer:?}");
    if answer.status == 200 {
        assert_eq!(answer.json()["balance"], json!(BALANCE));
    }

    let mut headers = Map::new();
    headers.insert("idempotency-key".to_owned(), json!("job-1"));
    let body = br#"{"operation":"training","max_minutes":1}"#;
    let path = "/v1/accounts/acme/charges";
    let charge = Asked { method: "POST", path, headers, claims: claims.clone(), body, ..Asked::default() };
    let world = World::of(Function::Charging);
    let answer = world.answer(&charge.event()).expect("these claims were parsed before");
    assert_eq!(answer.status, if is_service { 201 } else { 403 }, "{answer:?}");
    assert_eq!(world.books().1, if is_service { 2 } else { 1 }, "only a service charges");

    let nobody = Asked { method: "GET", path: "/v1/accounts/nobody/balance", claims, ..Asked::default() };
    let answer = World::of(Function::Accounts).answer(&nobody.event()).expect("these claims were parsed before");
    assert_eq!(answer.status, refused, "{answer:?}");
}

/// The scopes, separated by spaces; brackets around all of them are those of a list.
fn words(claim: &str) -> impl Iterator<Item = &str> {
    let is_list = claim.len() >= 2 && claim.starts_with('[') && claim.ends_with(']');
    if is_list { &claim[1..claim.len() - 1] } else { claim }.split(|character: char| character.is_ascii_whitespace())
}
