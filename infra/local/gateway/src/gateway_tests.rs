use std::convert::Infallible;
use std::sync::LazyLock;

use http::Method;
use jiff::Timestamp;
use lambda_http::RequestExt;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::{Value, json};
use tower::ServiceExt;

use super::*;
use crate::function::Function;
use crate::{Deployment, Issuer, in_process};

const TEMPLATE: &str = include_str!("../tests/fixtures/template.yaml");
const URL: &str = "http://127.0.0.1:9000";

static ISSUER: LazyLock<Issuer> = LazyLock::new(|| Issuer::new(URL, "pets", clock()).unwrap());

fn clock() -> Clock {
    Arc::new(|| "2026-11-22T19:03:58.123Z".parse::<Timestamp>().unwrap())
}

/// The fixture's API with `pets` behind its routes.
fn gateway(pets: Arc<dyn Function>) -> Router {
    let parameters = BTreeMap::from([("JwtIssuer".to_owned(), URL.to_owned())]);
    let template = Template::parse(TEMPLATE, &Deployment { parameters, ..Deployment::default() }).unwrap();
    let idle = in_process::event(service_fn(async |_: LambdaEvent<Value>| Ok::<_, Infallible>(())));
    let by_binary = [("pets", pets), ("sweep", Arc::clone(&idle)), ("watcher", idle)];
    let by_binary = by_binary.into_iter().map(|(name, function)| (name.to_owned(), function)).collect();
    let functions = Functions::new(&template, by_binary, clock()).unwrap();
    Gateway::new(&template, functions, Arc::new(ISSUER.clone()), clock()).router()
}

/// Answers with the event it received.
fn echo() -> Arc<dyn Function> {
    in_process::event(service_fn(async |event: LambdaEvent<Value>| Ok::<_, Infallible>(event.payload)))
}

/// Answers with the given value.
fn always(answer: Value) -> Arc<dyn Function> {
    in_process::event(service_fn(move |_: LambdaEvent<Value>| std::future::ready(Ok::<_, Infallible>(answer.clone()))))
}

fn request(method: Method, uri: &str) -> http::request::Builder {
    Request::builder().method(method).uri(uri)
}

fn token(scopes: &[&str]) -> String {
    format!("Bearer {}", ISSUER.token("owner", scopes, Duration::from_mins(1)))
}

async fn sent(gateway: Router, request: http::Request<Body>) -> (StatusCode, http::HeaderMap, String) {
    let (parts, body) = gateway.oneshot(request).await.unwrap().into_parts();
    let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
}

async fn echoed(request: http::Request<Body>) -> Value {
    let (status, _, body) = sent(gateway(echo()), request).await;
    assert_eq!(status, StatusCode::OK, "{body}");
    serde_json::from_str(&body).unwrap()
}

#[tokio::test]
async fn a_route_not_in_the_template_does_not_exist() {
    for (method, path) in [(Method::GET, "/"), (Method::DELETE, "/pets"), (Method::GET, "/pets/1/toys")] {
        let (status, headers, body) = sent(gateway(echo()), request(method, path).body(Body::empty()).unwrap()).await;
        assert_eq!((status, body.as_str()), (StatusCode::NOT_FOUND, r#"{"message":"Not Found"}"#));
        assert!(headers.contains_key("apigw-requestid"));
    }
}

#[tokio::test]
async fn the_event_is_that_of_payload_format_two() {
    let request = request(Method::POST, "/pets?a=1&a=2&b=x%20y&c=")
        .header("Authorization", token(&["pets/write"]))
        .header("Content-Type", "application/json; charset=utf-8")
        .header("X-Twice", "one")
        .header("x-twice", "two")
        .header("Cookie", "a=1; b=2")
        .header("User-Agent", "test/1")
        .body(Body::from(r#"{"name":"Rex"}"#))
        .unwrap();
    let mut event = echoed(request).await;

    let context = event["requestContext"].take();
    let jwt = &context["authorizer"]["jwt"];
    assert_eq!(jwt["scopes"], json!(["pets/write"]));
    assert_eq!(jwt["claims"]["sub"], "owner");
    assert_eq!(jwt["claims"]["exp"], "1795374298");
    assert!(!context["requestId"].as_str().unwrap().is_empty());
    for (name, expected) in [
        ("accountId", json!("000000000000")),
        ("apiId", json!("local")),
        ("domainName", json!("local.execute-api.us-east-1.amazonaws.com")),
        ("domainPrefix", json!("local")),
        ("routeKey", json!("POST /pets")),
        ("stage", json!("$default")),
        ("time", json!("22/Nov/2026:19:03:58 +0000")),
        ("timeEpoch", json!(1_795_374_238_123_i64)),
        (
            "http",
            json!({
                "method": "POST",
                "path": "/pets",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "test/1",
            }),
        ),
    ] {
        assert_eq!(context[name], expected, "{name}");
    }

    let headers = event["headers"].take();
    assert_eq!(headers["x-twice"], "one,two");
    assert_eq!(headers["x-forwarded-proto"], "https");
    assert!(headers.get("cookie").is_none());
    assert_eq!(
        event,
        json!({
            "version": "2.0",
            "routeKey": "POST /pets",
            "rawPath": "/pets",
            "rawQueryString": "a=1&a=2&b=x%20y&c=",
            "cookies": ["a=1", "b=2"],
            "queryStringParameters": { "a": "1,2", "b": "x y", "c": "" },
            "headers": null,
            "requestContext": null,
            "body": r#"{"name":"Rex"}"#,
            "isBase64Encoded": false,
        })
    );
}

#[tokio::test]
async fn what_a_request_does_not_have_is_absent_and_the_path_is_decoded() {
    let request = request(Method::GET, "/public/a%20b/c").body(Body::empty()).unwrap();
    let event = echoed(request).await;
    assert_eq!(event["rawPath"], "/public/a b/c");
    assert_eq!(event["routeKey"], "ANY /public/{proxy+}");
    assert_eq!(event["pathParameters"], json!({ "proxy": "a b/c" }));
    assert_eq!(event["rawQueryString"], "");
    for absent in ["cookies", "queryStringParameters", "body"] {
        assert!(event.get(absent).is_none(), "{absent}");
    }
    assert!(event["requestContext"].get("authorizer").is_none());
}

#[tokio::test]
async fn the_event_is_the_shape_the_events_crate_knows() {
    let request = request(Method::GET, "/pets/7").header("authorization", token(&[])).body(Body::empty()).unwrap();
    let event: aws_lambda_events::apigw::ApiGatewayV2httpRequest =
        serde_json::from_value(echoed(request).await).unwrap();
    assert_eq!(event.path_parameters["id"], "7");
    let jwt = event.request_context.authorizer.unwrap().jwt.unwrap();
    assert_eq!((jwt.claims["sub"].as_str(), jwt.scopes), ("owner", None));
}

#[tokio::test]
async fn a_body_that_is_not_text_arrives_in_base64() {
    for (kind, bytes, body, encoded) in [
        ("text/plain", &b"hello"[..], "hello", false),
        ("application/x-www-form-urlencoded", b"a=1", "YT0x", true),
        ("application/octet-stream", b"\xff\x00", "/wA=", true),
        ("application/json", b"\xff", "/w==", true),
    ] {
        let request = request(Method::PUT, "/public/x").header("content-type", kind).body(Body::from(bytes)).unwrap();
        let event = echoed(request).await;
        assert_eq!((&event["body"], &event["isBase64Encoded"]), (&json!(body), &json!(encoded)), "{kind}");
    }
}

#[tokio::test]
async fn the_authorizer_stands_before_the_function() {
    for (authorization, status, message, challenge) in [
        (None, StatusCode::UNAUTHORIZED, "Unauthorized", "Bearer"),
        (Some("Bearer nonsense".to_owned()), StatusCode::UNAUTHORIZED, "Unauthorized", "error=\"invalid_token\""),
        (Some(token(&["pets/read"])), StatusCode::FORBIDDEN, "Forbidden", "scope=\"pets/write pets/admin\""),
    ] {
        let mut request = request(Method::POST, "/pets");
        if let Some(authorization) = authorization {
            request = request.header("authorization", authorization);
        }
        let never = in_process::event(service_fn(async |_: LambdaEvent<Value>| -> Result<(), Infallible> {
            unreachable!("an unauthorized request")
        }));
        let (actual, headers, body) = sent(gateway(never), request.body(Body::empty()).unwrap()).await;
        assert_eq!((actual, body), (status, json!({ "message": message }).to_string()));
        assert!(headers["www-authenticate"].to_str().unwrap().contains(challenge));
    }
}

#[tokio::test]
async fn a_body_over_ten_megabytes_is_refused() {
    for (bytes, expected) in [(BODY_BYTES_MAX + 1, StatusCode::PAYLOAD_TOO_LARGE), (1024 * 1024, StatusCode::OK)] {
        let body = Body::from(vec![b'x'; bytes]);
        let request = request(Method::POST, "/public/x").header("content-type", "text/plain").body(body).unwrap();
        let (status, _, body) = sent(gateway(always(json!({ "statusCode": 200 }))), request).await;
        assert_eq!(status, expected);
        if expected != StatusCode::OK {
            assert_eq!(body, r#"{"message":"Request Entity Too Large"}"#);
        }
    }
}

#[tokio::test]
async fn a_failing_function_and_a_malformed_answer_are_a_500() {
    let failing =
        in_process::event(service_fn(async |_: LambdaEvent<Value>| -> Result<(), Infallible> { panic!("a defect") }));
    for function in [failing, always(json!({ "statusCode": "?" }))] {
        let request = request(Method::GET, "/public/x").body(Body::empty()).unwrap();
        let (status, headers, body) = sent(gateway(function), request).await;
        assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(body, r#"{"message":"Internal Server Error"}"#);
        assert!(headers.contains_key("apigw-requestid"));
    }
}

#[tokio::test(start_paused = true)]
async fn an_integration_over_thirty_seconds_is_a_503_and_a_function_over_its_own_limit_a_500() {
    let parameters = BTreeMap::from([("JwtIssuer".to_owned(), URL.to_owned())]);
    for (timeout, expected) in [(60, StatusCode::SERVICE_UNAVAILABLE), (20, StatusCode::INTERNAL_SERVER_ERROR)] {
        let yaml = TEMPLATE.replace("    Timeout: 10", &format!("    Timeout: {timeout}"));
        let deployment = Deployment { parameters: parameters.clone(), ..Deployment::default() };
        let template = Template::parse(&yaml, &deployment).unwrap();
        let stuck = || {
            in_process::event(service_fn(async |_: LambdaEvent<Value>| {
                std::future::pending::<Result<(), Infallible>>().await
            }))
        };
        let by_binary = ["pets", "sweep", "watcher"].map(|name| (name.to_owned(), stuck())).into();
        let functions = Functions::new(&template, by_binary, clock()).unwrap();
        let gateway = Gateway::new(&template, functions, Arc::new(ISSUER.clone()), clock()).router();
        let (status, _, body) = sent(gateway, request(Method::GET, "/public/x").body(Body::empty()).unwrap()).await;
        assert_eq!(status, expected, "{body}");
    }
}

#[tokio::test]
async fn a_lambda_http_service_answers_through_a_real_socket() {
    let pets = in_process::http(service_fn(async |request: lambda_http::Request| {
        let id = request.path_parameters().first("id").unwrap_or("none").to_owned();
        let response = Response::builder()
            .status(201)
            .header("content-type", "application/json")
            .header("set-cookie", "a=1")
            .header("set-cookie", "b=2")
            .body(format!(r#"{{"id":"{id}","method":"{}"}}"#, request.method()))
            .expect("a response of constants");
        Ok::<_, Infallible>(response)
    }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = gateway(pets).into_make_service_with_connect_info::<SocketAddr>();
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let url = format!("http://{address}/pets/42");
    let request = reqwest::Client::new().get(url).header("authorization", token(&[]));
    let response = request.send().await.unwrap();
    assert_eq!(response.status(), 201);
    let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
    assert_eq!(response.text().await.unwrap(), r#"{"id":"42","method":"GET"}"#);
    server.abort();
}

#[tokio::test]
async fn a_lambda_http_service_sees_a_path_with_a_space_and_an_encoded_query() {
    let pets = in_process::http(service_fn(async |request: lambda_http::Request| {
        let query = request.query_string_parameters();
        Ok::<_, Infallible>(format!("{} {:?}", request.uri().path(), query.first("q")))
    }));
    let request = request(Method::GET, "/public/a%20b?q=c%20d").body(Body::empty()).unwrap();
    let (status, _, body) = sent(gateway(pets), request).await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, "/public/a%20b Some(\"c d\")"));
}
