//! Protects the local routes, which issue tokens to any caller, from other websites.
//!
//! A web page in a browser on this machine can send requests here, or point a host name of its own to 127.0.0.1.
//! Both can be recognized: the first by `Origin`, the second by `Host`.

use axum::extract::Request;
use axum::http::header::{HOST, HeaderName, ORIGIN};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::local_problem::LocalProblem;

/// Accepts only requests that this machine sends to itself.
pub async fn guard(request: Request, next: Next) -> Response {
    if is_local(request.method(), request.headers()) {
        next.run(request).await
    } else {
        let detail = "The local routes answer only requests to 127.0.0.1 or localhost, and only from their own pages.";
        LocalProblem::new(StatusCode::FORBIDDEN, detail).into_response()
    }
}

/// Links from elsewhere, such as the return link of the payment page, may only read.
fn is_local(method: &Method, headers: &HeaderMap) -> bool {
    let all = |name: HeaderName| headers.get_all(name).into_iter().map(|value| value.to_str().unwrap_or_default());
    let mut hosts = all(HOST);
    let (Some(host), None) = (hosts.next(), hosts.next()) else { return false };
    let is_own = |origin: &str| origin.strip_prefix("http://") == Some(host);
    is_loopback(host) && (method.is_safe() || all(ORIGIN).all(is_own))
}

fn is_loopback(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    ["127.0.0.1", "localhost", "[::1]"].contains(&name)
}

#[cfg(test)]
mod tests {
    use super::is_local;
    use axum::http::header::{HOST, ORIGIN};
    use axum::http::{HeaderMap, Method};

    // R32
    #[test]
    fn a_foreign_host_or_origin_is_not_local() {
        for (host, origin, expected) in [
            (Some("127.0.0.1:8700"), None, true),
            (Some("localhost:8700"), None, true),
            (Some("[::1]:8700"), None, true),
            (Some("127.0.0.1:8700"), Some("http://127.0.0.1:8700"), true),
            (Some("localhost:8700"), Some("http://127.0.0.1:8700"), false),
            (Some("127.0.0.1:8700"), Some("http://127.0.0.1:8701"), false),
            (Some("127.0.0.1:8700"), Some("https://shop.example"), false),
            (Some("127.0.0.1:8700"), Some("null"), false),
            (Some("shop.example"), None, false),
            (Some("shop.example:8700"), Some("http://shop.example:8700"), false),
            (Some("127.0.0.1.shop.example:8700"), None, false),
            (Some("localhost.shop.example"), None, false),
            (Some(""), None, false),
            (None, None, false),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [(HOST, host), (ORIGIN, origin)] {
                headers.extend(value.map(|value| (name, value.parse().unwrap())));
            }
            assert_eq!(is_local(&Method::POST, &headers), expected, "{host:?} {origin:?}");
            headers.remove(ORIGIN);
            assert_eq!(is_local(&Method::GET, &headers), host.is_some_and(super::is_loopback), "{host:?}");
        }
    }
}
