//! Which operation a request asks for.

use super::{FieldError, Problem};
use crate::domain::{IdempotencyKey, InvalidId};
use lambda_http::Request;
use lambda_http::http::Method;
use percent_encoding::percent_decode_str;

/// One row of a function's routes, as `template.yaml` and `openapi.yaml` write it: `/v1/accounts/{account}/balance`.
#[derive(Clone, Debug)]
pub struct Route<T> {
    pub method: Method,
    pub path: &'static str,
    pub operation: T,
}

/// The values that stood in the place of a path's `{names}`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PathParameters(Vec<(&'static str, String)>);

impl PathParameters {
    /// The value of a parameter that the route's path names; empty for one it does not name, which no id is.
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| value)
    }
}

/// # Errors
/// A 404 where no route has this path, a 405 where one has it under another method.
pub fn find_route<T: Copy>(routes: &[Route<T>], request: &Request) -> Result<(T, PathParameters), Problem> {
    let mut is_path_known = false;
    for route in routes {
        if let Some(parameters) = matches(route.path, request.uri().path()) {
            if route.method == *request.method() {
                return Ok((route.operation, parameters));
            }
            is_path_known = true;
        }
    }
    Err(if is_path_known { Problem::method_not_allowed() } else { Problem::not_found("path") })
}

fn matches(template: &'static str, path: &str) -> Option<PathParameters> {
    let (mut expected, mut actual) = (template.split('/'), path.split('/'));
    let mut parameters = vec![];
    loop {
        match (expected.next(), actual.next()) {
            (None, None) => return Some(PathParameters(parameters)),
            (Some(expected), Some(actual)) => {
                match expected.strip_prefix('{').and_then(|name| name.strip_suffix('}')) {
                    Some(name) => parameters.push((name, percent_decode_str(actual).decode_utf8().ok()?.into_owned())),
                    None if expected == actual => {}
                    None => return None,
                }
            }
            (Some(_), None) | (None, Some(_)) => return None,
        }
    }
}

/// The key under which this request moves money at most once.
///
/// # Errors
/// A 422 that names the header when it is missing, repeated or not a key.
pub fn idempotency_key(request: &Request) -> Result<IdempotencyKey, Problem> {
    let mut values = request.headers().get_all("idempotency-key").iter();
    let (first, second) = (values.next(), values.next());
    let key = first.filter(|_| second.is_none()).and_then(|value| value.to_str().ok()).unwrap_or_default();
    IdempotencyKey::parse(key).map_err(|InvalidId { what, expected }| {
        Problem::invalid(vec![FieldError::new(what, format!("must be sent once, {expected}"))])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_http::http;

    const ROUTES: [Route<u8>; 2] = [
        Route { method: Method::GET, path: "/v1/accounts/{account}/balance", operation: 1 },
        Route { method: Method::POST, path: "/v1/accounts/{account}/charges/{charge}/restore", operation: 2 },
    ];

    fn find(method: &str, path: &str) -> Result<(u8, PathParameters), u16> {
        let request = http::Request::builder().method(method).uri(path).body(lambda_http::Body::Empty).unwrap();
        find_route(&ROUTES, &request).map_err(|problem| problem.status())
    }

    #[test]
    fn requests_find_their_route_by_method_and_path() {
        let (operation, parameters) = find("POST", "/v1/accounts/a-1/charges/job%3A7/restore").unwrap();
        assert_eq!((operation, parameters.get("account"), parameters.get("charge")), (2, "a-1", "job:7"));
        assert_eq!(find("GET", "/v1/accounts/a-1/balance").unwrap().0, 1);
        assert_eq!(find("PUT", "/v1/accounts/a-1/balance"), Err(405));
        for path in [
            "/",
            "/v1/accounts/a-1",
            "/v1/accounts/a-1/balance/",
            "/v1/accounts/a-1/b/balance",
            "/v1/accounts/%ff/balance",
        ] {
            assert_eq!(find("GET", path), Err(404), "{path}");
        }
    }

    #[test]
    fn an_idempotency_key_is_sent_once_and_is_a_key() {
        let request = |keys: &[&str]| {
            let builder =
                keys.iter().fold(http::Request::builder(), |builder, key| builder.header("Idempotency-Key", *key));
            builder.body(lambda_http::Body::Empty).unwrap()
        };
        assert_eq!(idempotency_key(&request(&["job-7"])).unwrap().as_str(), "job-7");
        for keys in [&[][..], &[""], &["a b"], &["a", "b"], &[&"k".repeat(129)]] {
            assert_eq!(idempotency_key(&request(keys)).unwrap_err().status(), 422, "{keys:?}");
        }
    }
}
