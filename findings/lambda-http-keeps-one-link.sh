#!/usr/bin/env bash
# lambda_http sends an HTTP API the first of several headers of one name, and drops the others.
#
# Guess:    Two `Link` headers are joined by a comma, as RFC 9110 allows and as serverless-http and Mangum do, since
#           payload 2.0 has one value for each name.
# Seen:     2026-11-29, lambda_http 1.3.2: `headers` holds the first, `multiValueHeaders` is empty. Cookies are kept,
#           they have a field of their own. A response to a REST API's event has both.
# Matters:  A page of a history with `Link: …; rel="prev"` and `Link: …; rel="next"` has no next page once it is
#           deployed behind an HTTP API, and tests of the handler see both. `Vary` loses what a cache has to know.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/support/lab.bash"

mkdir src
cat >src/main.rs <<'RS'
use lambda_http::lambda_runtime::LambdaEvent;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Body, Context, Error, Request, Response, Service, service_fn};
use serde_json::{Value, json};

async fn history(_request: Request) -> Result<Response<Body>, Error> {
    Ok(Response::builder()
        .header("link", "</?after=1>; rel=\"prev\"")
        .header("link", "</?after=3>; rel=\"next\"")
        .header("set-cookie", "a=1")
        .header("set-cookie", "b=2")
        .body(Body::Empty)?)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let http_api = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": "/", "rawQueryString": "", "headers": {},
        "requestContext": {"stage": "$default", "http": {"method": "GET", "path": "/"}}, "isBase64Encoded": false,
    });
    let rest_api = json!({
        "resource": "/", "path": "/", "httpMethod": "GET", "headers": {}, "multiValueHeaders": {},
        "requestContext": {"stage": "v1", "path": "/", "resourcePath": "/", "httpMethod": "GET", "apiId": "a"},
        "body": null, "isBase64Encoded": false,
    });
    for (name, event) in [("HTTP API", http_api), ("REST API", rest_api)] {
        let request: LambdaRequest = serde_json::from_str(&event.to_string())?;
        let answer = Adapter::from(service_fn(history)).call(LambdaEvent::new(request, Context::default())).await?;
        let answer: Value = serde_json::to_value(&answer)?;
        println!("{name}: headers {}, multiValueHeaders {}, cookies {}",
            answer["headers"]["link"], answer["multiValueHeaders"]["link"], answer["cookies"]);
    }
    Ok(())
}
RS
rust_program >seen <<'DEPENDENCIES'
lambda_http = { version = "=1.3.2", default-features = false, features = ["apigw_http", "apigw_rest"] }
serde_json = "=1.0.154"
tokio = { version = "=1.54.1", features = ["macros", "rt"] }
DEPENDENCIES
holds seen <<'SEEN'
HTTP API: headers "</?after=1>; rel=\"prev\"", multiValueHeaders null, cookies ["a=1","b=2"]
REST API: headers null, multiValueHeaders ["</?after=1>; rel=\"prev\"","</?after=3>; rel=\"next\""], cookies null
SEEN
