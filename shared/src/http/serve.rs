//! Between the Lambda runtime and a function's handler.

use lambda_http::aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use lambda_http::lambda_runtime::{self, LambdaEvent};
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Body, Error, Request, Response, Service, service_fn};
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// What a query holds in its encoded form alone. <https://url.spec.whatwg.org/#query-percent-encode-set>
const NOT_IN_QUERY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

/// Answers requests until Lambda ends the process.
///
/// # Errors
/// When the Runtime API cannot be spoken to any more.
pub async fn serve<H, A>(handle: H) -> Result<(), Error>
where
    H: Fn(Request) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Response<Body>> + Send + 'static,
{
    let mut adapter = Adapter::from(service_fn(move |request| {
        let answer = handle(request);
        async move { Ok::<_, Error>(answer.await) }
    }));
    let run = lambda_runtime::run(service_fn(move |event| adapter.call(with_valid_query(event))));
    // As a task of its own: waking one costs nothing, waking the future that `block_on` waits for a call of the kernel.
    tokio::spawn(run).await?
}

/// API Gateway hands a query on as it came, and `lambda_http` panics over one that no URI has.
fn with_valid_query(event: LambdaEvent<ApiGatewayV2httpRequest>) -> LambdaEvent<LambdaRequest> {
    let LambdaEvent { payload: mut request, context } = event;
    if let Some(query) = &mut request.raw_query_string {
        *query = utf8_percent_encode(query, NOT_IN_QUERY).to_string();
    }
    LambdaEvent { payload: LambdaRequest::ApiGatewayV2(request), context }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lambda_http::Context;
    use serde_json::json;

    #[test]
    fn a_query_that_no_uri_has_becomes_one_that_a_uri_has() {
        for (query, expected) in [
            ("after=7&limit=%3C", "after=7&limit=%3C"),
            ("a=<b>&c=\"d\" {e}#f\u{7f}\n", "a=%3Cb%3E&c=%22d%22%20{e}%23f%7F%0A"),
            ("ö=ß", "%C3%B6=%C3%9F"),
            ("%", "%"),
            ("", ""),
        ] {
            let event = json!({
                "version": "2.0", "routeKey": "$default", "rawPath": "/v1/packages", "rawQueryString": query, "headers": {},
                "requestContext": {"stage": "$default", "http": {"method": "GET", "path": "/v1/packages"}},
                "isBase64Encoded": false,
            });
            let payload = serde_json::from_str(&event.to_string()).unwrap();
            let event = with_valid_query(LambdaEvent::new(payload, Context::default()));
            assert_eq!(Request::from(event.payload).uri().query().unwrap_or_default(), expected, "{query}");
        }
    }
}
