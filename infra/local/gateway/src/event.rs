//! Builds the event of payload format 2.0 from an HTTP request.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>

use std::collections::BTreeMap;
use std::net::IpAddr;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, header, request};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::authorizer::Authorized;
use crate::routes::{self, Match};

/// What the gateway knows about a request besides the request itself.
pub(crate) struct Circumstances<'a> {
    pub api_id: &'a str,
    pub account_id: &'a str,
    pub region: &'a str,
    pub request_id: &'a str,
    pub trace_id: &'a str,
    pub source_ip: IpAddr,
    pub now: Timestamp,
}

/// The event that the route's function receives.
pub(crate) fn build(
    parts: &request::Parts,
    body: &[u8],
    taken: &Match<'_>,
    authorized: Option<&Authorized>,
    circumstances: &Circumstances<'_>,
) -> Value {
    let route_key = taken.route.key();
    let path = routes::decoded(parts.uri.path());
    let query = parts.uri.query().unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers(&parts.headers, circumstances),
        "requestContext": request_context(parts, &route_key, &path, authorized, circumstances),
        "isBase64Encoded": false,
    });
    let cookies = cookies(&parts.headers);
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    if !query.is_empty() {
        event["queryStringParameters"] = json!(query_parameters(query));
    }
    if !taken.path_parameters.is_empty() {
        event["pathParameters"] = json!(taken.path_parameters);
    }
    if !body.is_empty() {
        let text = if is_text(&parts.headers) { std::str::from_utf8(body).ok() } else { None };
        event["isBase64Encoded"] = json!(text.is_none());
        event["body"] = json!(text.map_or_else(|| BASE64_STANDARD.encode(body), str::to_owned));
    }
    event
}

fn request_context(
    parts: &request::Parts,
    route_key: &str,
    path: &str,
    authorized: Option<&Authorized>,
    circumstances: &Circumstances<'_>,
) -> Value {
    let Circumstances { api_id, account_id, region, request_id, source_ip, now, .. } = circumstances;
    let user_agent = parts.headers.get(header::USER_AGENT).map(|value| String::from_utf8_lossy(value.as_bytes()));
    let mut context = json!({
        "accountId": account_id,
        "apiId": api_id,
        "domainName": format!("{api_id}.execute-api.{region}.amazonaws.com"),
        "domainPrefix": api_id,
        "http": {
            "method": parts.method.as_str(),
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": source_ip,
            "userAgent": user_agent.unwrap_or_default(),
        },
        "requestId": request_id,
        "routeKey": route_key,
        "stage": "$default",
        "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
        "timeEpoch": now.as_millisecond(),
    });
    if let Some(authorized) = authorized {
        context["authorizer"] = json!({ "jwt": { "claims": authorized.claims, "scopes": authorized.scopes } });
    }
    context
}

/// Names in lower case, with the values of one name joined by commas. Cookies are separate.
fn headers(headers: &HeaderMap, circumstances: &Circumstances<'_>) -> BTreeMap<String, String> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| *name != header::COOKIE) {
        let value = String::from_utf8_lossy(value.as_bytes());
        joined
            .entry(name.as_str().to_owned())
            .and_modify(|all| {
                all.push(',');
                all.push_str(&value);
            })
            .or_insert_with(|| value.into_owned());
    }
    // API Gateway adds these headers.
    joined.insert("x-amzn-trace-id".to_owned(), circumstances.trace_id.to_owned());
    joined.insert("x-forwarded-for".to_owned(), circumstances.source_ip.to_string());
    joined.insert("x-forwarded-port".to_owned(), "443".to_owned());
    joined.insert("x-forwarded-proto".to_owned(), "https".to_owned());
    joined
}

fn cookies(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(';')).map(|cookie| cookie.trim().to_owned()).filter(|c| !c.is_empty()).collect()
}

fn query_parameters(query: &str) -> BTreeMap<String, String> {
    let pairs: Vec<(String, String)> = serde_html_form::from_str(query).unwrap_or_default();
    let mut parameters: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in pairs {
        parameters
            .entry(name)
            .and_modify(|all| {
                all.push(',');
                all.push_str(&value);
            })
            .or_insert(value);
    }
    parameters
}

/// Whether the body is passed on as text. Everything else, including forms, is base64.
fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind.starts_with("text/")
        || ["application/json", "application/xml", "application/javascript"].contains(&kind.as_str())
}
