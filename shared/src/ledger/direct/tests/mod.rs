//! What is ours in the direct client, and what of the SDK it rests on.

mod connections;
mod of_the_sdk;
mod retries;
mod signatures;

use super::{DirectClient, Endpoint, Limits, Settings};
use aws_credential_types::Credentials;
use aws_sdk_dynamodb::operation::get_item::GetItemInput;
use aws_sdk_dynamodb::operation::get_item::builders::GetItemInputBuilder;
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsInput;
use aws_sdk_dynamodb::operation::transact_write_items::builders::TransactWriteItemsInputBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use jiff::Timestamp;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "a-session-token";
const NOON: &str = "2026-11-22T12:00:00Z";

fn noon() -> Timestamp {
    NOON.parse().unwrap()
}

fn credentials() -> Credentials {
    Credentials::new("AKIDEXAMPLE", SECRET, Some(TOKEN.to_owned()), None, "tests")
}

fn settings(endpoint: &str) -> Settings {
    Settings {
        region: "eu-central-1".to_owned(),
        credentials: credentials(),
        endpoint: Endpoint::parse(endpoint).unwrap(),
        limits: Limits { connect_timeout: Duration::from_secs(1), try_timeout: Duration::from_secs(3), tries_max: 3 },
        now: noon,
    }
}

/// A read of the account `acme`.
fn get() -> GetItemInputBuilder {
    let key = |text: &str| AttributeValue::S(text.to_owned());
    let get = GetItemInput::builder().table_name("credits").consistent_read(true);
    get.key("PK", key("ACCOUNT#acme"))
}

/// A transaction of one conditional item.
fn transaction() -> TransactWriteItemsInputBuilder {
    let put = Put::builder()
        .table_name("credits")
        .item("PK", AttributeValue::S("ACCOUNT#acme".to_owned()))
        .condition_expression("#version = :expected")
        .expression_attribute_names("#version", "version")
        .expression_attribute_values(":expected", AttributeValue::N("7".to_owned()))
        .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let write = TransactWriteItem::builder().put(put.build().unwrap()).build();
    TransactWriteItemsInput::builder().transact_items(write).client_request_token("a-token")
}

fn response(status: u16, body: &str) -> HttpResponse {
    HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body))
}

type Answer = fn() -> HttpConnectorFuture;

/// Answers every request alike, and keeps the requests.
#[derive(Clone, Debug)]
struct Always {
    answer: Answer,
    asked: Arc<Mutex<Vec<HttpRequest>>>,
}

impl Always {
    fn client(answer: Answer) -> (DirectClient, Arc<Mutex<Vec<HttpRequest>>>) {
        let always = Self { answer, asked: Arc::default() };
        let asked = Arc::clone(&always.asked);
        (DirectClient::through(settings("https://dynamodb.test"), SharedHttpConnector::new(always)), asked)
    }
}

impl HttpConnector for Always {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.asked.lock().unwrap().push(request);
        (self.answer)()
    }
}

fn answered(status: u16, body: &str) -> HttpConnectorFuture {
    HttpConnectorFuture::ready(Ok(response(status, body)))
}

fn lost() -> HttpConnectorFuture {
    HttpConnectorFuture::ready(Err(ConnectorError::io("the connection was lost".into())))
}

fn silent() -> HttpConnectorFuture {
    HttpConnectorFuture::new(std::future::pending())
}
