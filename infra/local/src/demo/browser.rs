//! The customer's side of the story: Stripe's hosted pages, used as in a browser.

use crate::cloud::LocalCloud;
use lambda_http::Error;
use reqwest::{Client, Response, redirect};
use serde_json::Value;
use std::sync::Arc;

pub struct Browser {
    cloud: Arc<LocalCloud>,
    client: Client,
}

impl Browser {
    /// # Errors
    /// If no HTTP client can be created.
    pub fn new(cloud: &Arc<LocalCloud>) -> Result<Self, Error> {
        let client = Client::builder().redirect(redirect::Policy::none()).build()?;
        Ok(Self { cloud: Arc::clone(cloud), client })
    }

    /// Follows the newest link sent to the account and pays there, with the bank's confirmation if it is required.
    pub async fn pay_by_link(&self, account: &str, card: &str) -> Result<(), Error> {
        let url = self.hosted_page(account).await?;
        self.pay_page(&url, card).await
    }

    /// Makes a card the customer's default, as Stripe's billing portal does.
    pub async fn save_card(&self, account: &str, card: &str) -> Result<(), Error> {
        let customers = self.stripe_get("/v1/customers?limit=100").await?;
        let customers = customers["data"].as_array().cloned().unwrap_or_default();
        let customer = customers.iter().find(|customer| customer["metadata"]["account"] == account);
        let customer = customer.and_then(|customer| customer["id"].as_str()).ok_or("the customer is not at Stripe")?;
        let path = format!("/v1/payment_methods/{card}/attach");
        let attached = self.stripe_post(&path, &[("customer", customer)]).await?;
        let saved = attached["id"].as_str().ok_or("the card was not saved")?;
        let default = [("invoice_settings[default_payment_method]", saved)];
        self.stripe_post(&format!("/v1/customers/{customer}"), &default).await?;
        Ok(())
    }

    /// The page that the link in the newest e-mail leads to.
    async fn hosted_page(&self, account: &str) -> Result<String, Error> {
        let mut mails = self.cloud.aws.ses.messages();
        mails.sort_by_key(|mail| mail.received_at);
        let to = format!("owner@{account}.example");
        let mail = mails.iter().rev().find(|mail| mail.to.contains(&to)).ok_or("no mail was sent")?;
        let text = mail.text.clone().unwrap_or_default();
        let start = format!("{}/pay/", self.cloud.urls.api);
        let link = text.split_whitespace().find(|word| word.starts_with(&start)).ok_or("the mail has no link")?;
        let answer = self.client.get(link).send().await?;
        location(&answer).ok_or_else(|| format!("the link answered {}", answer.status()).into())
    }

    /// Pays on a hosted page, with the bank's confirmation if it is required.
    pub async fn pay_page(&self, url: &str, card: &str) -> Result<(), Error> {
        let shown = self.client.get(url).send().await?;
        if !shown.status().is_success() {
            return Err(format!("the payment page answered {}", shown.status()).into());
        }
        let form = [("card_number", card), ("email", "owner@customer.example"), ("country", "US")];
        let mut answer = self.client.post(url).form(&form).send().await?;
        if let Some(page) = location(&answer).filter(|page| page.contains("/authenticate/")) {
            answer = self.client.post(self.absolute(&page)).form(&[("outcome", "complete")]).send().await?;
        }
        if answer.status().is_redirection() || answer.status().is_success() {
            Ok(())
        } else {
            Err(format!("the payment page answered {}: {}", answer.status(), answer.text().await?).into())
        }
    }

    fn absolute(&self, page: &str) -> String {
        if page.starts_with('/') { format!("{}{page}", self.cloud.urls.stripe) } else { page.to_owned() }
    }

    async fn stripe_get(&self, path: &str) -> Result<Value, Error> {
        let request = self.client.get(format!("{}{path}", self.cloud.urls.stripe));
        Ok(request.bearer_auth(&self.cloud.stripe_api_key).send().await?.error_for_status()?.json().await?)
    }

    async fn stripe_post(&self, path: &str, form: &[(&str, &str)]) -> Result<Value, Error> {
        let request = self.client.post(format!("{}{path}", self.cloud.urls.stripe)).form(form);
        Ok(request.bearer_auth(&self.cloud.stripe_api_key).send().await?.error_for_status()?.json().await?)
    }
}

fn location(answer: &Response) -> Option<String> {
    answer.headers().get("location")?.to_str().ok().map(str::to_owned)
}
