//! The layer between the Lambda runtime and a function's handler.

use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use lambda_http::http::Uri;
use lambda_http::http::header::{HOST, SET_COOKIE};
use lambda_http::lambda_runtime::layers::TracingLayer;
use lambda_http::lambda_runtime::{LambdaEvent, Runtime};
use lambda_http::request::LambdaRequest;
use lambda_http::{Body, Error, Request, Response, service_fn};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::value::RawValue;
use std::future::ready;
use tower::util::ThenLayer;

/// The characters to encode in a path and a query: all except those that RFC 3986 allows in both, and the percent sign
/// of what is already encoded.
/// <https://www.rfc-editor.org/rfc/rfc3986#appendix-A>
const UNSAFE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@')
    .remove(b'/')
    .remove(b'%');

/// Answers requests until Lambda ends the process.
///
/// # Errors
/// If the Runtime API can no longer be reached.
pub async fn serve<H, A>(handle: H) -> Result<(), Error>
where
    H: Fn(Request) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    serve_and_then(handle, || ready(())).await
}

/// The same, and runs `after` whenever a response has been sent, before it asks for the next request.
///
/// Lambda passes a response on as soon as it is sent, and stops the process only once the next request is asked for. So
/// what runs in between costs no caller any time.
/// <https://aws.amazon.com/blogs/compute/running-code-after-returning-a-response-from-an-aws-lambda-function/>
///
/// # Errors
/// As [`serve`].
pub async fn serve_and_then<H, A, T, F>(handle: H, after: T) -> Result<(), Error>
where
    H: Fn(Request) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
    T: Fn() -> F + Clone + Send + Sync + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    // The runtime would parse the event with a record of where it is in it, for an error that no gateway causes.
    let answering = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        // On the heap, because the runtime moves the future from layer to layer.
        let answer = request(&event.payload).map(|request| Box::pin(handle(request)));
        async move { Ok::<_, Error>(answered(answer?.await)) }
    });
    // The runtime's own service ends when the response has been sent.
    let and_then = ThenLayer::new(move |sent: Result<(), Error>| {
        let left_to_do = after();
        async move {
            left_to_do.await;
            sent
        }
    });
    let runtime = Runtime::new(answering).layer(TracingLayer::new()).layer(and_then);
    // A separate task: waking it costs nothing, while waking the future that `block_on` waits for costs a system call.
    tokio::spawn(runtime.run()).await?
}

fn request(event: &RawValue) -> Result<Request, serde_json::Error> {
    Ok(Request::from(LambdaRequest::ApiGatewayV2(guarded(serde_json::from_str(event.get())?))))
}

/// An event that `lambda_http` can convert to a request.
///
/// `lambda_http` makes one URI of host, path and query and assumes that it is valid, but API Gateway passes on whatever
/// a client sent. So path and query are encoded first, and the host and the protocol, which we do not use, are removed.
/// If the result is too long to be a URI, no route matches it.
fn guarded(mut request: ApiGatewayV2httpRequest) -> ApiGatewayV2httpRequest {
    request.headers.remove(HOST);
    request.headers.remove("x-forwarded-proto");
    request.request_context.domain_name = None;
    let path = request.raw_path.as_deref().unwrap_or_default();
    let path = format!("/{}", utf8_percent_encode(path.strip_prefix('/').unwrap_or(path), UNSAFE));
    let query = request.raw_query_string.as_deref().unwrap_or_default();
    let query = utf8_percent_encode(query, UNSAFE).to_string();
    let is_uri = Uri::try_from(format!("{path}?{query}")).is_ok();
    if !is_uri {
        request.request_context.route_key = None;
    }
    let kept = |text: String| if is_uri { text } else { String::new() };
    request.raw_path = Some(kept(path));
    request.raw_query_string = Some(kept(query));
    request
}

/// A response as API Gateway takes it, which wants cookies separately from the other headers.
/// <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>
///
/// `lambda_http` would find out from the content type whether the body is text, and convert the text from its character
/// set. Ours says what it is, and text is always UTF-8.
fn answered(response: Response<Body>) -> ApiGatewayV2httpResponse {
    let (parts, body) = response.into_parts();
    let mut answer = ApiGatewayV2httpResponse::default();
    answer.status_code = parts.status.as_u16().into();
    answer.headers = parts.headers;
    let cookies = answer.headers.get_all(SET_COOKIE).iter();
    answer.cookies = cookies.map(|cookie| cookie.to_str().unwrap_or_default().to_owned()).collect();
    answer.headers.remove(SET_COOKIE);
    answer.is_base64_encoded = matches!(body, Body::Binary(_));
    answer.body = Some(if body == Body::Empty { Body::Text(String::new()) } else { body });
    answer
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Reply;
    use lambda_http::http::header::CONTENT_TYPE;
    use lambda_http::http::{HeaderName, HeaderValue};
    use lambda_http::{Adapter, Context, Service};
    use serde_json::{Value, json};

    fn event(path: &str, query: &str) -> ApiGatewayV2httpRequest {
        let event = json!({
            "version": "2.0", "routeKey": "GET /v1/packages", "rawPath": path, "rawQueryString": query,
            "headers": { "host": "api.example.com", "x-forwarded-proto": "https", "accept": "*/*" },
            "requestContext": {
                "stage": "$default", "domainName": "api.example.com", "routeKey": "GET /v1/packages",
                "http": { "method": "GET", "path": path },
            },
            "isBase64Encoded": false,
        });
        serde_json::from_str(&event.to_string()).unwrap()
    }

    fn request(path: &str, query: &str) -> Request {
        Request::from(LambdaRequest::ApiGatewayV2(guarded(event(path, query))))
    }

    /// R9: the conversion makes a URI only of letters, digits, and characters that every URI may contain.
    #[test]
    fn host_path_and_query_are_what_any_uri_has() {
        for (path, query, expected) in [
            ("/v1/packages", "", "/v1/packages"),
            ("/v1/packages", "after=7&limit=%3C", "/v1/packages?after=7&limit=%3C"),
            ("/v1/über", "ö=ß", "/v1/%C3%BCber?%C3%B6=%C3%9F"),
            ("v1", "a=b?c", "/v1?a=b%3Fc"),
            ("", "", "/"),
        ] {
            let request = request(path, query);
            assert_eq!(request.uri().to_string(), expected, "{path} {query}");
            assert!(request.headers().get(HOST).is_none() && request.headers().get("accept").is_some());
        }
        for character in ('\0'..='\u{ff}').filter(|character| *character != '%') {
            let guarded = guarded(event(&format!("/a{character}b"), &format!("a{character}b")));
            let (path, query) = (guarded.raw_path.unwrap(), guarded.raw_query_string.unwrap());
            let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/%".contains(&byte);
            assert!(path.bytes().all(is_safe) && query.bytes().all(is_safe), "{path} {query}");
            assert!(guarded.request_context.domain_name.is_none() && guarded.headers.len() == 1);
        }
    }

    /// R9: what cannot be made a URI even then is not converted.
    #[test]
    fn what_is_longer_than_any_uri_is_for_no_route() {
        let guarded = guarded(event("/v1/packages", &"a".repeat(70_000)));
        assert_eq!((guarded.raw_path.as_deref(), guarded.raw_query_string.as_deref()), (Some(""), Some("")));
        assert_eq!(guarded.request_context.route_key, None);
    }

    #[test]
    fn a_reply_carries_headers_and_cookies_as_api_gateway_takes_them() {
        let reply = Reply::redirect("https://example.com/")
            .map(|reply| {
                reply.with_header(HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY"))
            })
            .map(|reply| reply.with_cookie(HeaderValue::from_static("a=1; Secure")))
            .map(|reply| reply.with_cookie(HeaderValue::from_static("b=2")));
        let answer = answered(crate::http::respond(&request("/", ""), reply));
        let answer: Value = serde_json::to_value(answer).unwrap();
        assert_eq!((&answer["statusCode"], &answer["cookies"]), (&json!(302), &json!(["a=1; Secure", "b=2"])));
        let headers = &answer["headers"];
        assert_eq!(
            (&headers["location"], &headers["x-frame-options"]),
            (&json!("https://example.com/"), &json!("DENY"))
        );
        assert_eq!(headers.get("set-cookie"), None);
    }

    /// `lambda_http` knows what API Gateway takes.
    #[tokio::test]
    async fn a_response_is_what_lambda_http_makes_of_it() {
        let responses: [fn() -> Response<Body>; 4] = [
            || respond(Reply::html(404, "für €".to_owned()).with_cookie(HeaderValue::from_static("a=1; Secure"))),
            || respond(Reply::created(&json!({ "balance": 985 }), true).unwrap()),
            || respond(Reply::empty()),
            || {
                let mut response = Response::new(Body::Binary(vec![0, 255]));
                response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("image/png"));
                response
            },
        ];
        for response in responses {
            let mut adapter = Adapter::from(service_fn(move |_: Request| async move { Ok::<_, Error>(response()) }));
            let payload = LambdaRequest::ApiGatewayV2(guarded(event("/", "")));
            let theirs = adapter.call(LambdaEvent::new(payload, Context::default())).await.unwrap();
            assert_eq!(json!(answered(response())), json!(theirs));
        }
    }

    fn respond(reply: Reply) -> Response<Body> {
        crate::http::respond(&request("/", ""), Ok(reply))
    }
}
