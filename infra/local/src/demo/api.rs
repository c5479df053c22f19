//! The company's side of the story: its services and its customers' pages call the API.

use crate::cloud::LocalCloud;
use crate::operations::PlannedOperation;
use lambda_http::Error;
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use shared::domain::Operation;
use std::sync::Arc;

pub struct Api {
    cloud: Arc<LocalCloud>,
    client: Client,
}

impl Api {
    pub fn new(cloud: &Arc<LocalCloud>) -> Self {
        Self { cloud: Arc::clone(cloud), client: Client::new() }
    }

    pub async fn open_account(&self, account: &str) -> Result<Value, Error> {
        let body = json!({"account": account, "email": format!("owner@{account}.example")});
        expect(self.send(Method::POST, "/v1/accounts", &self.cloud.service_token(), None, Some(body)).await?, 201).await
    }

    pub async fn turn_on_auto_top_up(&self, account: &str, threshold: i64, target: i64) -> Result<Value, Error> {
        let token = self.cloud.customer_token(account);
        let path = format!("/v1/accounts/{account}/auto-top-up");
        let preview = format!("{path}?threshold={threshold}&target={target}");
        let shown = expect(self.send(Method::GET, &preview, &token, None, None).await?, 200).await?;
        let consent = json!({"text_version": shown["text_version"], "accepted_by": format!("owner@{account}.example")});
        let body = json!({"enabled": true, "threshold": threshold, "target": target, "consent": consent});
        expect(self.send(Method::PUT, &path, &token, None, Some(body)).await?, 200).await
    }

    pub async fn auto_top_up(&self, account: &str) -> Result<Value, Error> {
        let path = format!("/v1/accounts/{account}/auto-top-up");
        expect(self.send(Method::GET, &path, &self.cloud.customer_token(account), None, None).await?, 200).await
    }

    pub async fn buy(&self, account: &str, package: &str) -> Result<Value, Error> {
        let path = format!("/v1/accounts/{account}/purchases");
        let (token, key) = (self.cloud.customer_token(account), format!("{account}-first-purchase"));
        let body = json!({ "package": package });
        expect(self.send(Method::POST, &path, &token, Some(&key), Some(body)).await?, 201).await
    }

    pub async fn balance(&self, account: &str) -> Result<i64, Error> {
        let path = format!("/v1/accounts/{account}/balance");
        let token = self.cloud.customer_token(account);
        let body = expect(self.send(Method::GET, &path, &token, None, None).await?, 200).await?;
        body["balance"].as_i64().ok_or_else(|| "the balance is not a number".into())
    }

    /// `None` if the balance does not cover the operation.
    pub async fn charge(&self, account: &str, key: &str, planned: &PlannedOperation) -> Result<Option<Value>, Error> {
        let answer = self.post_charge(account, key, planned).await?;
        if answer.status() == 402 { Ok(None) } else { expect(answer, 201).await.map(Some) }
    }

    /// A charge of any form that the balance covers.
    pub async fn charge_for(&self, account: &str, key: &str, body: &Value) -> Result<(), Error> {
        let path = format!("/v1/accounts/{account}/charges");
        let (token, body) = (self.cloud.service_token(), Some(body.clone()));
        expect(self.send(Method::POST, &path, &token, Some(key), body).await?, 201).await.map(drop)
    }

    pub async fn restore(&self, account: &str, charge: &str) -> Result<(), Error> {
        let path = format!("/v1/accounts/{account}/charges/{charge}/restore");
        let (token, body) = (self.cloud.service_token(), Some(json!({})));
        expect(self.send(Method::POST, &path, &token, None, body).await?, 201).await.map(drop)
    }

    pub async fn stop_spending(&self, account: &str) -> Result<(), Error> {
        let path = format!("/v1/accounts/{account}/spending");
        let (token, body) = (self.cloud.customer_token(account), Some(json!({"stopped": true})));
        expect(self.send(Method::PUT, &path, &token, None, body).await?, 200).await.map(drop)
    }

    /// A link into the dashboard of an account.
    pub async fn dashboard_link(&self, account: &str) -> Result<String, Error> {
        let path = format!("/v1/accounts/{account}/portal-sessions");
        let opened = self.send(Method::POST, &path, &self.cloud.service_token(), None, Some(json!({}))).await?;
        let opened = expect(opened, 200).await?;
        opened["url"].as_str().map(str::to_owned).ok_or_else(|| "the link is missing".into())
    }

    /// The same request again, as after a lost answer.
    pub async fn charge_again(&self, account: &str, key: &str, planned: &PlannedOperation) -> Result<Value, Error> {
        let answer = self.post_charge(account, key, planned).await?;
        if answer.headers().get("idempotent-replayed").is_none() {
            return Err("the replay is not marked as one".into());
        }
        expect(answer, 200).await
    }

    /// Every entry of the account, oldest first, read page by page.
    pub async fn history(&self, account: &str) -> Result<Vec<Value>, Error> {
        let token = self.cloud.customer_token(account);
        let (mut entries, mut cursor) = (vec![], None::<String>);
        loop {
            let query = cursor.map_or_else(String::new, |cursor| format!("&cursor={cursor}"));
            let path = format!("/v1/accounts/{account}/history?limit=100{query}");
            let page = expect(self.send(Method::GET, &path, &token, None, None).await?, 200).await?;
            entries.extend(page["data"].as_array().cloned().unwrap_or_default());
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() {
                entries.reverse();
                return Ok(entries);
            }
        }
    }

    async fn post_charge(&self, account: &str, key: &str, planned: &PlannedOperation) -> Result<Response, Error> {
        let reference = planned.reference.as_ref().map(|reference| reference.as_str());
        let Operation { name, measure, amount } = &planned.operation.operation;
        let body = json!({"operation": name.as_str(), measure.name(): amount, "reference": reference});
        let path = format!("/v1/accounts/{account}/charges");
        self.send(Method::POST, &path, &self.cloud.service_token(), Some(key), Some(body)).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        token: &str,
        key: Option<&str>,
        body: Option<Value>,
    ) -> Result<Response, Error> {
        let mut request = self.client.request(method, format!("{}{path}", self.cloud.urls.api)).bearer_auth(token);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        Ok(request.send().await?)
    }
}

async fn expect(answer: Response, status: u16) -> Result<Value, Error> {
    let (actual, url) = (answer.status(), answer.url().clone());
    let body = answer.text().await?;
    if actual != status {
        return Err(format!("{url} answered {actual}: {body}").into());
    }
    Ok(serde_json::from_str(&body)?)
}
