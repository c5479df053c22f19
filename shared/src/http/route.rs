//! Which operation a request asks for.

use super::{FieldError, Problem};
use crate::domain::{IdempotencyKey, InvalidId};
use lambda_http::http::Method;
use lambda_http::request::RequestContext;
use lambda_http::{Request, RequestExt};
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

/// The route that API Gateway took, or, where it took none in particular, the one whose method and path fit.
///
/// API Gateway hands the path on decoded: a slash, a question mark or two dots that stood encoded within one segment
/// would make another path of it. So the route it took decides, and the parameters are those it read.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
///
/// # Errors
/// A 404 where no route has this path, a 405 where one has it under another method.
pub fn find_route<T: Copy>(routes: &[Route<T>], request: &Request) -> Result<(T, PathParameters), Problem> {
    match taken(request) {
        Some(key) => {
            let route = routes.iter().find(|route| route.is(key)).ok_or_else(|| Problem::not_found("path"))?;
            Ok((route.operation, route.parameters(request)))
        }
        None => find_by_path(routes, request),
    }
}

/// The key of the route, as `GET /v1/packages`; `None` for the one that takes everything, and without a gateway.
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
        PathParameters(names.filter_map(|name| Some((name, decoded(value(name))?))).collect())
    }
}

fn parameter(segment: &'static str) -> Option<&'static str> {
    segment.strip_prefix('{').and_then(|name| name.strip_suffix('}'))
}

/// `None` for what is no text; a parameter without a value is empty, which no id is.
fn decoded(segment: &str) -> Option<String> {
    Some(percent_decode_str(segment).decode_utf8().ok()?.into_owned())
}

fn find_by_path<T: Copy>(routes: &[Route<T>], request: &Request) -> Result<(T, PathParameters), Problem> {
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
            (Some(expected), Some(actual)) => match parameter(expected) {
                Some(name) => parameters.push((name, decoded(actual)?)),
                None if expected == actual => {}
                None => return None,
            },
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

    /// A token of `../v1/accounts/a-1/balance`, encoded, is one segment to API Gateway, and a path when decoded.
    #[test]
    fn the_route_that_the_gateway_took_decides_whatever_the_path_looks_like() {
        let taken = |key: &str, parameters: &str| {
            let event = format!(
                r#"{{"version":"2.0","routeKey":"{key}","rawPath":"/pay/../v1/accounts/a-1/balance","rawQueryString":"",
                    "headers":{{}},"isBase64Encoded":false,"pathParameters":{parameters},"requestContext":{{
                    "routeKey":"{key}","http":{{"method":"GET","path":"/pay/../v1/accounts/a-1/balance"}},"timeEpoch":0}}}}"#
            );
            let request = lambda_http::request::from_str(&event).unwrap();
            find_route(&ROUTES, &request).map_err(|problem| problem.status())
        };
        let parameters = r#"{"account":"b?/..","charge":"job%3A7"}"#;
        let (operation, read) = taken("POST /v1/accounts/{account}/charges/{charge}/restore", parameters).unwrap();
        assert_eq!((operation, read.get("account"), read.get("charge")), (2, "b?/..", "job:7"));
        assert_eq!(taken("GET /v1/accounts/{account}/balance", "{}").unwrap().1.get("account"), "");
        assert_eq!(taken("GET /pay/{token}", parameters), Err(404), "a route of another function");
        assert_eq!(taken("PUT /v1/accounts/{account}/balance", parameters), Err(404));
        assert_eq!(taken("$default", "null").unwrap().1.get("account"), "a-1", "here the path is all there is");
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
