//! The operation that a request calls, and the caller.

use super::{Access, Caller, FieldError, Problem, ReachedAccount};
use crate::domain::{AccountId, IdempotencyKey, InvalidId};
use lambda_http::http::Method;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};
use percent_encoding::percent_decode_str;
use std::io;

/// One row of a function's routes, as `template.yaml` writes it: `/v1/accounts/{account}/balance`.
///
/// A parameter with a plus, at the end, matches the rest of the path: `/pay/{token+}`.
#[derive(Clone, Debug)]
pub struct Route<T> {
    pub method: Method,
    pub path: &'static str,
    pub access: Access,
    pub operation: T,
}

/// The route of a request, with a caller who may use it.
#[derive(Debug)]
pub struct Found<T> {
    pub operation: T,
    /// `None` if the route does not check a token.
    pub caller: Option<Caller>,
    account: Option<ReachedAccount>,
    path: PathParameters,
}

impl<T> Found<T> {
    /// The account that the path names. The caller may access it.
    ///
    /// # Errors
    /// A 500 on a route whose path names no account, or that does not check a token.
    pub fn account(&self) -> Result<&ReachedAccount, Problem> {
        let missing = || Problem::internal(io::Error::other("the route names no account, or does not check a token"));
        self.account.as_ref().ok_or_else(missing)
    }

    /// The value of another parameter in the route's path. A parameter that the path does not have is empty, which no
    /// id is.
    pub fn parameter(&self, name: &str) -> &str {
        self.path.get(name)
    }
}

/// The values of a path's `{parameters}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct PathParameters(Vec<(&'static str, String)>);

impl PathParameters {
    fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }

    /// Removes a parameter, so that no code can read it without its check.
    fn take(&mut self, name: &str) -> Option<String> {
        let position = self.0.iter().position(|(known, _)| *known == name)?;
        Some(self.0.swap_remove(position).1)
    }
}

/// The parameter that names an account, in every path that has one.
const ACCOUNT: &str = "account";

/// The route that API Gateway chose. If it chose none, the route that matches the method and the path.
///
/// API Gateway passes the path on decoded. A slash, a question mark or two dots that were encoded within one segment
/// would then make a different path. So its choice of the route decides, and the parameters are the ones that it parsed
/// and decoded.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
///
/// # Errors
/// A 404 if no route has this path, a 405 if one has it with another method. Then, as the route's [`Access`] requires,
/// a 401, a 403, or a 404 for an account that the caller may not access. Last, what `admit` says about the account: by
/// then the caller is authorized, so no one can use up another's rate, and nothing of the request was read yet.
pub fn find_route<T: Copy>(
    routes: &[Route<T>],
    request: &Request,
    admit: impl FnOnce(&AccountId) -> Result<(), Problem>,
) -> Result<Found<T>, Problem> {
    let (route, mut path) = match taken(request) {
        Some(key) => {
            let route = routes.iter().find(|route| route.is(key)).ok_or_else(|| Problem::not_found("path"))?;
            (route, route.parameters(request))
        }
        None => find_by_path(routes, request)?,
    };
    let caller = route.access.caller(request)?;
    let account = match (&caller, path.take(ACCOUNT)) {
        (Some(caller), Some(named)) => Some(route.access.account(caller, &named)?),
        _ => None,
    };
    account.as_ref().map_or(Ok(()), |account| admit(account.id()))?;
    Ok(Found { operation: route.operation, caller, account, path })
}

/// The page that matches the method and the path, behind a route that takes the rest of a path. Who may see it is checked
/// by its session.
///
/// # Errors
/// A 404 if no page has this path, a 405 if one has it with another method.
pub fn find_page<T: Copy>(pages: &[Route<T>], request: &Request) -> Result<Found<T>, Problem> {
    let (route, path) = find_by_path(pages, request)?;
    Ok(Found { operation: route.operation, caller: None, account: None, path })
}

/// Under which name the request reached the API. API Gateway accepts no other name than the API's own. `None` if the request
/// did not come through API Gateway.
pub fn api_address(request: &Request) -> Option<String> {
    let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else { return None };
    context.domain_name.as_ref().map(|name| format!("https://{name}"))
}

/// The route's key, such as `GET /v1/packages`. `None` for the catch-all route, and without a gateway.
fn taken(request: &Request) -> Option<&str> {
    let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else { return None };
    context.route_key.as_deref().filter(|key| *key != "$default")
}

impl<T> Route<T> {
    fn is(&self, key: &str) -> bool {
        key.split_once(' ').is_some_and(|(method, path)| method == self.method.as_str() && path == self.path)
    }

    fn parameters(&self, request: &Request) -> PathParameters {
        let read = request.path_parameters_ref();
        let names = self.path.split('/').filter_map(parameter);
        let value = |name| read.and_then(|read| read.first(name)).unwrap_or_default();
        PathParameters(names.map(|name| (name, value(name).to_owned())).collect())
    }
}

fn parameter(segment: &'static str) -> Option<&'static str> {
    let name = segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'))?;
    Some(name.strip_suffix('+').unwrap_or(name))
}

/// `None` if it is not valid UTF-8. A parameter without a value is empty, which no id is.
fn decoded(segment: &str) -> Option<String> {
    Some(percent_decode_str(segment).decode_utf8().ok()?.into_owned())
}

fn find_by_path<'a, T>(routes: &'a [Route<T>], request: &Request) -> Result<(&'a Route<T>, PathParameters), Problem> {
    let mut is_path_known = false;
    for route in routes {
        if let Some(parameters) = matches(route.path, request.uri().path()) {
            if route.method == *request.method() {
                return Ok((route, parameters));
            }
            is_path_known = true;
        }
    }
    Err(if is_path_known { Problem::method_not_allowed() } else { Problem::not_found("path") })
}

fn matches(template: &'static str, path: &str) -> Option<PathParameters> {
    let count = template.split('/').count();
    let is_greedy = template.ends_with("+}");
    // The last part holds the rest of the path.
    let actual: Vec<&str> = if is_greedy { path.splitn(count, '/').collect() } else { path.split('/').collect() };
    if actual.len() != count {
        return None;
    }
    let mut parameters = vec![];
    for (expected, actual) in template.split('/').zip(actual) {
        match parameter(expected) {
            Some(name) => parameters.push((name, decoded(actual)?)),
            None if expected == actual => {}
            None => return None,
        }
    }
    Some(PathParameters(parameters))
}

/// The key under which this request moves money at most once.
///
/// A key in quotes, as in the IETF's draft, is the same as the key without them:
/// <https://datatracker.ietf.org/doc/html/draft-ietf-httpapi-idempotency-key-header#section-2.1>
///
/// # Errors
/// A 422 that names the header if it is missing, repeated or invalid. A key of one or two dots is refused as well: it
/// becomes the id of a charge, and most clients would remove it from the path of a restore.
pub fn idempotency_key(request: &Request) -> Result<IdempotencyKey, Problem> {
    let mut values = request.headers().get_all("idempotency-key").iter();
    let (first, second) = (values.next(), values.next());
    let key = first.filter(|_| second.is_none()).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let key = key.strip_prefix('"').and_then(|key| key.strip_suffix('"')).unwrap_or(key);
    let refused = |message: String| Problem::invalid(vec![FieldError::new("Idempotency-Key", message)]);
    match IdempotencyKey::parse(key) {
        Ok(key) if key.is_only_dots() => {
            Err(refused("must not be only dots, which clients remove from a path".to_owned()))
        }
        Ok(key) => Ok(key),
        Err(InvalidId { expected, .. }) => Err(refused(format!("must be sent once, {expected}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_http::http;
    use serde_json::{Value, json};

    const BALANCE: Route<u8> =
        Route { method: Method::GET, path: "/v1/accounts/{account}/balance", access: Access::Customer, operation: 1 };
    const RESTORE: Route<u8> = Route {
        method: Method::POST,
        path: "/v1/accounts/{account}/charges/{charge}/restore",
        access: Access::Service,
        operation: 2,
    };
    const FLAG: Route<u8> =
        Route { method: Method::POST, path: "/v1/accounts/{account}/flags", access: Access::Support, operation: 3 };
    const PACKAGES: Route<u8> =
        Route { method: Method::GET, path: "/v1/packages", access: Access::Customer, operation: 4 };
    const PAY: Route<u8> = Route { method: Method::GET, path: "/pay/{token+}", access: Access::Public, operation: 5 };
    const PORTAL: Route<u8> =
        Route { method: Method::GET, path: "/portal/{account}", access: Access::Session, operation: 6 };
    const ROUTES: [Route<u8>; 6] = [BALANCE, RESTORE, FLAG, PACKAGES, PAY, PORTAL];

    /// API Gateway's event for a route, with claims where its authorizer verified a token.
    fn event(key: &str, parameters: &Value, claims: Option<&Value>) -> Request {
        let authorizer = claims.map(|claims| json!({ "jwt": { "claims": claims, "scopes": null } }));
        let event = json!({
            "version": "2.0", "routeKey": key, "rawPath": "/pay/../v1/accounts/a-1/balance", "rawQueryString": "",
            "headers": {}, "isBase64Encoded": false, "pathParameters": parameters, "requestContext": {
                "routeKey": key, "authorizer": authorizer, "timeEpoch": 0,
                "http": { "method": "GET", "path": "/pay/../v1/accounts/a-1/balance" },
            },
        });
        lambda_http::request::from_str(&event.to_string()).unwrap()
    }

    fn key(route: &Route<u8>) -> String {
        format!("{} {}", route.method, route.path)
    }

    fn found(request: &Request) -> Result<Found<u8>, u16> {
        find_route(&ROUTES, request, |_| Ok(())).map_err(|problem| problem.status())
    }

    fn ask(route: &Route<u8>, account: &str, claims: Option<Value>) -> Result<Found<u8>, u16> {
        found(&event(&key(route), &json!({ "account": account }), claims.as_ref()))
    }

    fn claims(subject: &str, scopes: &str) -> Option<Value> {
        Some(json!({ "sub": subject, "scope": scopes }))
    }

    #[test]
    fn requests_find_their_route_by_method_and_path() {
        let find = |method: &str, path: &str| {
            let request = http::Request::builder().method(method).uri(path).body(lambda_http::Body::Empty).unwrap();
            find_by_path(&ROUTES, &request)
                .map(|(route, parameters)| (route.operation, parameters))
                .map_err(|problem| problem.status())
        };
        let (operation, parameters) = find("POST", "/v1/accounts/a-1/charges/job%3A7/restore").unwrap();
        assert_eq!((operation, parameters.get("account"), parameters.get("charge")), (2, "a-1", "job:7"));
        assert_eq!(find("GET", "/v1/accounts/a-1/balance").unwrap().0, 1);
        assert_eq!(find("PUT", "/v1/accounts/a-1/balance"), Err(405));
        for (path, token) in [("/pay/t-1", "t-1"), ("/pay/t-1/", "t-1/"), ("/pay/t-1/x%2Fy/z", "t-1/x/y/z")] {
            let (operation, parameters) = find("GET", path).unwrap();
            assert_eq!((operation, parameters.get("token")), (5, token));
        }
        for path in [
            "/",
            "/pay",
            "/v1/accounts/a-1",
            "/v1/accounts/a-1/balance/",
            "/v1/accounts/a-1/b/balance",
            "/v1/accounts/%ff/balance",
        ] {
            assert_eq!(find("GET", path), Err(404), "{path}");
        }
    }

    /// To API Gateway, an encoded token of `../v1/accounts/a-1/balance` is one segment. Decoded, it is a path.
    #[test]
    fn the_route_that_the_gateway_took_decides_whatever_the_path_looks_like() {
        let service = claims("svc", "credits/service");
        let taken = |key: &str, parameters: Value| found(&event(key, &parameters, service.as_ref()));
        let parameters = json!({ "account": "a-1", "charge": "job:7" });
        let restore = taken(&key(&RESTORE), parameters.clone()).unwrap();
        assert_eq!((restore.operation, restore.account().unwrap().id().as_str()), (2, "a-1"));
        assert_eq!((restore.parameter("charge"), restore.parameter("account")), ("job:7", ""));
        assert_eq!(taken(&key(&BALANCE), json!({ "account": "b?/.." })).unwrap_err(), 404);
        assert_eq!(taken(&key(&BALANCE), json!({})).unwrap_err(), 404);
        assert_eq!(
            taken("GET /elsewhere/{token}", parameters.clone()).unwrap_err(),
            404,
            "a route of another function"
        );
        assert_eq!(taken("PUT /v1/accounts/{account}/balance", parameters).unwrap_err(), 404);
        let by_path = found(&event("$default", &Value::Null, service.as_ref())).unwrap();
        assert_eq!(by_path.account().unwrap().id().as_str(), "a-1", "here the path is all there is");
    }

    /// R17: the gateway has already decoded the path, so anything that is still encoded was sent that way.
    #[test]
    fn a_path_is_decoded_once() {
        let service = claims("svc", "credits/service");
        let taken = |account: &str, charge: &str| {
            found(&event(&key(&RESTORE), &json!({ "account": account, "charge": charge }), service.as_ref()))
        };
        assert_eq!(taken("a-1", "job%3A7").unwrap().parameter("charge"), "job%3A7");
        assert_eq!(taken("a%2D1", "job").unwrap_err(), 404);
    }

    #[test]
    fn a_customer_reaches_its_own_account_a_service_and_support_any() {
        let reached = |found: Result<Found<u8>, u16>| found.map(|found| found.account().unwrap().id().to_string());
        let (customer, service, support) = ("credits/customer", "credits/service", "credits/support");
        for (route, subject, scopes, expected) in [
            (&BALANCE, "acme", customer, Ok("acme")),
            (&BALANCE, "other", customer, Err(404)),
            (&BALANCE, "svc", service, Ok("acme")),
            (&BALANCE, "svc", "openid credits/service", Ok("acme")),
            (&BALANCE, "svc", "[openid credits/service]", Ok("acme")),
            (&BALANCE, "acme", support, Err(403)),
            (&BALANCE, "acme", "openid", Err(403)),
            (&BALANCE, "acme", "", Err(403)),
            (&RESTORE, "acme", customer, Err(403)),
            (&RESTORE, "acme", support, Err(403)),
            (&RESTORE, "svc", service, Ok("acme")),
            (&RESTORE, "svc", "credits/service.read", Err(403)),
            (&FLAG, "svc", service, Err(403)),
            (&FLAG, "acme", customer, Err(403)),
            (&FLAG, "ada", support, Ok("acme")),
        ] {
            let answer = reached(ask(route, "acme", claims(subject, scopes)));
            assert_eq!(answer, expected.map(str::to_owned), "{} by {subject} with {scopes:?}", key(route));
        }
        assert_eq!(ask(&BALANCE, "no such id!", claims("svc", service)).unwrap_err(), 404);
        assert_eq!(ask(&BALANCE, "no such id!", claims("no such id!", customer)).unwrap_err(), 404);
    }

    #[test]
    fn whoever_comes_past_the_authorizer_is_nobody() {
        for route in [&BALANCE, &RESTORE, &FLAG, &PACKAGES] {
            assert_eq!(ask(route, "acme", None).unwrap_err(), 401, "{}", key(route));
        }
    }

    #[test]
    fn a_route_that_looks_at_no_token_has_neither_caller_nor_account() {
        for route in [&PAY, &PORTAL] {
            let found = ask(route, "acme", claims("acme", "credits/customer credits/service")).unwrap();
            assert!(found.caller.is_none() && found.parameter("account").is_empty());
            assert_eq!(found.account().unwrap_err().status(), 500);
        }
        let packages = ask(&PACKAGES, "", claims("acme", "credits/customer")).unwrap();
        assert_eq!(packages.caller.as_ref().unwrap().subject, "acme");
        assert_eq!(packages.account().unwrap_err().status(), 500, "the path names no account");
    }

    #[test]
    fn an_idempotency_key_is_sent_once_and_is_a_key() {
        let request = |keys: &[&str]| {
            let builder =
                keys.iter().fold(http::Request::builder(), |builder, key| builder.header("Idempotency-Key", *key));
            builder.body(lambda_http::Body::Empty).unwrap()
        };
        assert_eq!(idempotency_key(&request(&["job-7"])).unwrap().as_str(), "job-7");
        // R14: the quoted form is the same key, and base64 is a key.
        assert_eq!(idempotency_key(&request(&["\"job-7\""])).unwrap().as_str(), "job-7");
        assert_eq!(idempotency_key(&request(&["aGk/+w=="])).unwrap().as_str(), "aGk/+w==");
        assert_eq!(idempotency_key(&request(&["..."])).unwrap().as_str(), "...");
        for keys in [
            &[][..],
            &[""],
            &["a b"],
            &["a", "b"],
            &["a,b"],
            &["\"\""],
            &["\"a"],
            &["\"a\"b\""],
            &[&"k".repeat(129)],
            // R27.
            &["."],
            &[".."],
            &["\"..\""],
        ] {
            assert_eq!(idempotency_key(&request(keys)).unwrap_err().status(), 422, "{keys:?}");
        }
    }

    /// Only what the caller may do counts, so no one can use up the rate of another's account.
    #[test]
    fn an_account_is_admitted_last_and_only_by_who_may_access_it() {
        let counted = |route: &Route<u8>, claims: Option<Value>| {
            let mut admitted = vec![];
            let request = event(&key(route), &json!({ "account": "acme" }), claims.as_ref());
            let answer = find_route(&ROUTES, &request, |account| {
                admitted.push(account.to_string());
                Err(Problem::too_many_requests(50, 1))
            });
            (answer.map(|_| ()).map_err(|problem| problem.status()), admitted)
        };
        let service = || claims("svc", "credits/service");
        for (route, claims, expected) in [
            (&BALANCE, claims("acme", "credits/customer"), (Err(429), vec!["acme".to_owned()])),
            (&RESTORE, service(), (Err(429), vec!["acme".to_owned()])),
            (&BALANCE, claims("other", "credits/customer"), (Err(404), vec![])),
            (&BALANCE, claims("acme", "openid"), (Err(403), vec![])),
            (&BALANCE, None, (Err(401), vec![])),
            (&PACKAGES, service(), (Ok(()), vec![])),
            (&PAY, None, (Ok(()), vec![])),
        ] {
            assert_eq!(counted(route, claims), expected, "{}", key(route));
        }
    }
}
