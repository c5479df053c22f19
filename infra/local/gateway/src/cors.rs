//! API Gateway's answers to browsers that call from another origin's page.
//!
//! It answers preflight requests itself, whether or not there is an `OPTIONS` route, and sets the CORS headers of every
//! other answer, whatever the function returned for them.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-cors.html>

use axum::body::Body;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Method, Response, StatusCode};

use crate::template::Cors;

/// The CORS headers, which belong to the gateway if it is configured for CORS.
const OWN: [HeaderName; 6] = [
    header::ACCESS_CONTROL_ALLOW_ORIGIN,
    header::ACCESS_CONTROL_ALLOW_METHODS,
    header::ACCESS_CONTROL_ALLOW_HEADERS,
    header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
    header::ACCESS_CONTROL_EXPOSE_HEADERS,
    header::ACCESS_CONTROL_MAX_AGE,
];

/// The answer to a preflight request; `None` for any other request.
pub(crate) fn preflight(cors: &Cors, method: &Method, headers: &HeaderMap) -> Option<Response<Body>> {
    let is_preflight = method == Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    if !is_preflight {
        return None;
    }
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Some(origin) = allowed_origin(cors, headers) {
        set(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, &origin);
        set(&mut response, header::ACCESS_CONTROL_ALLOW_METHODS, &cors.allow_methods.join(","));
        set(&mut response, header::ACCESS_CONTROL_ALLOW_HEADERS, &cors.allow_headers.join(","));
        if let Some(seconds) = cors.max_age_seconds {
            set(&mut response, header::ACCESS_CONTROL_MAX_AGE, &seconds.to_string());
        }
    }
    Some(response)
}

/// Adds the headers that a browser needs before it gives an answer to the page that sent the request.
pub(crate) fn finish(cors: &Cors, origin: Option<String>, response: &mut Response<Body>) {
    for name in OWN {
        response.headers_mut().remove(name);
    }
    if let Some(origin) = origin {
        set(response, header::ACCESS_CONTROL_ALLOW_ORIGIN, &origin);
        set(response, header::ACCESS_CONTROL_EXPOSE_HEADERS, &cors.expose_headers.join(","));
    }
}

/// The origin of a request, as the answer names it, if it is allowed.
pub(crate) fn allowed_origin(cors: &Cors, headers: &HeaderMap) -> Option<String> {
    let origin = headers.get(header::ORIGIN)?.to_str().ok()?;
    cors.allow_origins.iter().find(|allowed| *allowed == "*" || *allowed == origin).cloned()
}

fn set(response: &mut Response<Body>, name: HeaderName, value: &str) {
    if let (false, Ok(value)) = (value.is_empty(), HeaderValue::try_from(value)) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors() -> Cors {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Cors {
            allow_origins: texts(&["https://app.example.com"]),
            allow_methods: texts(&["GET", "POST"]),
            allow_headers: texts(&["authorization"]),
            expose_headers: texts(&["retry-after"]),
            max_age_seconds: Some(600),
        }
    }

    fn headers(origin: &'static str, method: Option<&'static str>) -> HeaderMap {
        let mut headers = HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(origin))]);
        if let Some(method) = method {
            headers.insert(header::ACCESS_CONTROL_REQUEST_METHOD, HeaderValue::from_static(method));
        }
        headers
    }

    fn named(response: &Response<Body>) -> Vec<(&str, &str)> {
        response.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect()
    }

    #[test]
    fn a_preflight_request_is_told_what_an_allowed_origin_may_do_and_nothing_else() {
        let allowed = preflight(&cors(), &Method::OPTIONS, &headers("https://app.example.com", Some("POST"))).unwrap();
        assert_eq!(allowed.status(), StatusCode::NO_CONTENT);
        assert_eq!(
            named(&allowed),
            [
                ("access-control-allow-origin", "https://app.example.com"),
                ("access-control-allow-methods", "GET,POST"),
                ("access-control-allow-headers", "authorization"),
                ("access-control-max-age", "600"),
            ]
        );
        for origin in ["https://evil.example", "http://app.example.com", "https://app.example.com.evil.example", "null"]
        {
            let refused = preflight(&cors(), &Method::OPTIONS, &headers(origin, Some("POST"))).unwrap();
            assert_eq!((refused.status(), named(&refused)), (StatusCode::NO_CONTENT, vec![]), "{origin}");
        }
        assert!(preflight(&cors(), &Method::OPTIONS, &headers("https://app.example.com", None)).is_none());
        assert!(preflight(&cors(), &Method::GET, &headers("https://app.example.com", Some("POST"))).is_none());
    }

    #[test]
    fn an_answer_says_what_the_gateway_allows_whatever_the_function_said() {
        for (origin, expected) in [
            (
                "https://app.example.com",
                vec![
                    ("access-control-allow-origin", "https://app.example.com"),
                    ("access-control-expose-headers", "retry-after"),
                ],
            ),
            ("https://evil.example", vec![]),
        ] {
            let mut response = Response::new(Body::empty());
            set(&mut response, header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
            finish(&cors(), allowed_origin(&cors(), &headers(origin, None)), &mut response);
            assert_eq!(named(&response), expected, "{origin}");
        }
    }
}
