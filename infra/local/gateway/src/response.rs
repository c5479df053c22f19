//! Converts a function's return value to an HTTP response, by the rules of payload format 2.0.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html#http-api-develop-integrations-lambda.response>

use axum::body::Body;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderName, HeaderValue, Response, StatusCode, header};
use serde_json::{Map, Value};

/// Why the gateway answers 500 although the invocation succeeded.
#[derive(Debug, thiserror::Error)]
#[error("the function's response is malformed: {0}")]
pub(crate) struct Malformed(String);

/// The response for a function's return value.
///
/// Without a `statusCode`, the value itself is the JSON body of a 200.
pub(crate) fn render(value: Value) -> Result<Response<Body>, Malformed> {
    match value {
        Value::Object(response) if response.contains_key("statusCode") => structured(&response),
        Value::String(text) => Ok(inferred(text)),
        other => Ok(inferred(other.to_string())),
    }
}

fn inferred(body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

fn structured(value: &Map<String, Value>) -> Result<Response<Body>, Malformed> {
    let mut response = Response::new(Body::from(body(value)?));
    *response.status_mut() = status(&value["statusCode"])?;
    for (name, value) in map(value.get("headers"))? {
        let name = HeaderName::try_from(name).map_err(|_| Malformed(format!("header name {name}")))?;
        if let Some(text) = text(value) {
            response.headers_mut().insert(name.clone(), header_value(&name, &text)?);
        }
    }
    if let Some(cookies) = value.get("cookies").filter(|cookies| !cookies.is_null()) {
        let cookies = cookies.as_array().ok_or_else(|| Malformed("cookies is not a list".to_owned()))?;
        for cookie in cookies {
            let cookie = cookie.as_str().ok_or_else(|| Malformed("a cookie is not a string".to_owned()))?;
            response.headers_mut().append(header::SET_COOKIE, header_value(&header::SET_COOKIE, cookie)?);
        }
    }
    let content_type = HeaderValue::from_static("text/plain;charset=UTF-8");
    response.headers_mut().entry(header::CONTENT_TYPE).or_insert(content_type);
    // The content length is that of the body, whatever the function says.
    response.headers_mut().remove(header::CONTENT_LENGTH);
    Ok(response)
}

fn status(value: &Value) -> Result<StatusCode, Malformed> {
    let code = value.as_u64().or_else(|| value.as_str()?.parse().ok()).and_then(|code| u16::try_from(code).ok());
    code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or_else(|| Malformed(format!("statusCode {value}")))
}

fn body(value: &Map<String, Value>) -> Result<Vec<u8>, Malformed> {
    let body = match value.get("body") {
        None | Some(Value::Null) => return Ok(Vec::new()),
        Some(Value::String(body)) => body,
        Some(_) => return Err(Malformed("body is not a string".to_owned())),
    };
    if value.get("isBase64Encoded").and_then(Value::as_bool) == Some(true) {
        return BASE64_STANDARD.decode(body).map_err(|_| Malformed("body is not base64".to_owned()));
    }
    Ok(body.clone().into_bytes())
}

fn map(value: Option<&Value>) -> Result<Vec<(&String, &Value)>, Malformed> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Object(entries)) => Ok(entries.iter().collect()),
        Some(_) => Err(Malformed("headers is not a map".to_owned())),
    }
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn header_value(name: &HeaderName, text: &str) -> Result<HeaderValue, Malformed> {
    HeaderValue::try_from(text).map_err(|_| Malformed(format!("the value of header {name}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    async fn rendered(value: Value) -> (u16, Vec<(String, String)>, String) {
        let response = render(value).unwrap();
        let headers = response.headers().iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, headers, String::from_utf8(body.to_vec()).unwrap())
    }

    fn content_type(kind: &str) -> Vec<(String, String)> {
        vec![("content-type".to_owned(), kind.to_owned())]
    }

    #[tokio::test]
    async fn a_value_without_a_status_code_is_the_body_of_a_200() {
        let json = content_type("application/json");
        assert_eq!(rendered(json!({ "a": 1 })).await, (200, json.clone(), r#"{"a":1}"#.to_owned()));
        assert_eq!(rendered(json!("Hello")).await, (200, json.clone(), "Hello".to_owned()));
        assert_eq!(rendered(json!([1])).await, (200, json, "[1]".to_owned()));
    }

    #[tokio::test]
    async fn a_structured_response_is_taken_part_by_part() {
        let (status, headers, body) = rendered(json!({
            "statusCode": 201,
            "headers": { "Content-Type": "text/html", "x-count": 3, "x-none": null, "content-length": "999" },
            "cookies": ["a=1; Secure", "b=2"],
            "body": "aGVsbG8=",
            "isBase64Encoded": true,
            "multiValueHeaders": { "x-ignored": ["1"] },
        }))
        .await;
        assert_eq!((status, body.as_str()), (201, "hello"));
        let mut names: Vec<_> = headers.iter().map(|(name, value)| format!("{name}={value}")).collect();
        names.sort();
        assert_eq!(names, ["content-type=text/html", "set-cookie=a=1; Secure", "set-cookie=b=2", "x-count=3"]);
    }

    #[tokio::test]
    async fn nothing_but_a_status_code_is_enough() {
        let plain = content_type("text/plain;charset=UTF-8");
        assert_eq!(rendered(json!({ "statusCode": "204" })).await, (204, plain, String::new()));
    }

    #[test]
    fn a_malformed_response_is_an_error() {
        for value in [
            json!({ "statusCode": "ok" }),
            json!({ "statusCode": 99_999 }),
            json!({ "statusCode": 200, "body": { "a": 1 } }),
            json!({ "statusCode": 200, "body": "%", "isBase64Encoded": true }),
            json!({ "statusCode": 200, "headers": ["x"] }),
            json!({ "statusCode": 200, "headers": { "x y": "1" } }),
            json!({ "statusCode": 200, "cookies": "a=1" }),
        ] {
            assert!(render(value.clone()).is_err(), "{value}");
        }
    }
}
