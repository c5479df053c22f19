//! A fake DynamoDB behind the SDK's client: it answers every read with one item and records what is written.

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::config::{BehaviorVersion, Region};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use serde_json::{Value, json};
use shared::ledger::{DynamoLedger, LedgerSettings};
use std::sync::{Arc, Mutex, PoisonError};

/// The stored item, and the items of the last transaction.
#[derive(Clone, Debug, Default)]
pub struct Table(Arc<Mutex<Contents>>);

#[derive(Debug, Default)]
struct Contents {
    item: Value,
    written: Vec<Value>,
}

impl Table {
    /// A ledger on this table.
    pub fn ledger(&self) -> DynamoLedger {
        let connector = SharedHttpConnector::new(self.clone());
        let config = aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::from_static("us-east-1"))
            .credentials_provider(Credentials::new("local", "local", None, None, "hostile"))
            .retry_config(RetryConfig::disabled())
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        DynamoLedger::new(Client::from_conf(config), "credits", LedgerSettings::default())
    }

    /// From now on, every read returns this item.
    pub fn hold(&self, item: &Value) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).item = item.clone();
    }

    /// The items of the last transaction, in order.
    pub fn written(&self) -> Vec<Value> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).written)
    }

    fn answer(&self, operation: &str, body: &Value) -> Value {
        let mut contents = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match operation {
            "GetItem" => json!({ "Item": contents.item }),
            "Query" => json!({ "Items": [contents.item], "Count": 1, "ScannedCount": 1 }),
            _ => {
                let puts = body["TransactItems"].as_array().into_iter().flatten();
                contents.written = puts.map(|put| put["Put"]["Item"].clone()).collect();
                json!({})
            }
        }
    }
}

impl HttpConnector for Table {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default();
        let answer = self.answer(&operation, &body).to_string();
        let status = StatusCode::try_from(200).expect("200 is a status");
        HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(answer))))
    }
}
