//! Helpers for Stripe in a test: its API, its pages as a browser sees them, and the money that was taken.

use super::{Answer, TestCloud};
use reqwest::Method;
use serde_json::{Value, json};
use shared::ledger::{DynamoLedger, LedgerSettings};
use shared::links::LinkKey;

impl TestCloud {
    /// Calls Stripe's API directly, as an operator of the company would.
    pub async fn stripe(&self, method: Method, path: &str, form: &[(&str, &str)]) -> Answer {
        let request = self.client.request(method, format!("{}{path}", self.cloud.urls.stripe));
        self.send(request.bearer_auth(&self.cloud.stripe_api_key).form(form)).await
    }

    pub async fn stripe_get(&self, path: &str) -> Value {
        self.stripe(Method::GET, path, &[]).await.expect(200).body
    }

    pub async fn stripe_post(&self, path: &str, form: &[(&str, &str)]) -> Value {
        self.stripe(Method::POST, path, form).await.expect(200).body
    }

    /// A list that fits on one page, newest first.
    pub async fn stripe_list(&self, path: &str) -> Vec<Value> {
        let list = self.stripe_get(path).await;
        assert_eq!(list["has_more"], json!(false), "{path}");
        list["data"].as_array().cloned().expect("a list")
    }

    /// The id of the account's Stripe customer.
    pub async fn customer(&self, account: &str) -> String {
        let customers = self.stripe_list("/v1/customers?limit=100").await;
        let customer = customers.iter().find(|customer| customer["metadata"]["account"] == account);
        customer.and_then(|customer| customer["id"].as_str()).expect("the account has a customer").to_owned()
    }

    /// Saves a test card (such as `pm_card_visa`) as the customer's default, as Stripe's billing portal does.
    pub async fn save_card(&self, account: &str, card: &str) -> String {
        let customer = self.customer(account).await;
        let attached =
            self.stripe_post(&format!("/v1/payment_methods/{card}/attach"), &[("customer", &customer)]).await;
        let saved = attached["id"].as_str().expect("a payment method").to_owned();
        let default = [("invoice_settings[default_payment_method]", saved.as_str())];
        self.stripe_post(&format!("/v1/customers/{customer}"), &default).await;
        self.settle().await;
        saved
    }

    /// Opens an account without credits and with automatic top-ups (below 1,000, up to 5,000), due at the next sweep.
    pub async fn open_due_account(&self, account: &str, card: &str) {
        self.open_account(account).await;
        self.save_card(account, card).await;
        self.turn_on_auto_top_up(account, 1_000, 5_000).await;
    }

    /// The invoices for the account's top-ups, newest first.
    pub async fn top_up_invoices(&self, account: &str) -> Vec<Value> {
        let customer = self.customer(account).await;
        let mut invoices = self.stripe_list(&format!("/v1/invoices?limit=100&customer={customer}")).await;
        invoices.retain(|invoice| invoice["metadata"]["top_up"].is_string());
        invoices
    }

    /// The amounts taken from the account's cards, in cents, newest first.
    pub async fn cents_taken(&self, account: &str) -> Vec<i64> {
        let customer = self.customer(account).await;
        let charges = self.stripe_list(&format!("/v1/charges?limit=100&customer={customer}")).await;
        let paid = charges.iter().filter(|charge| charge["paid"] == true);
        paid.map(|charge| charge["amount"].as_i64().expect("an amount")).collect()
    }

    /// The entries of one kind in the account's history, newest first.
    pub async fn entries(&self, account: &str, kind: &str) -> Vec<i64> {
        let history = self.history(account).await;
        let wanted = history.iter().filter(|entry| entry["kind"] == kind);
        wanted.map(|entry| entry["credits"].as_i64().expect("credits")).collect()
    }

    /// The number of requests to pay an invoice.
    pub fn pay_calls(&self) -> usize {
        self.cloud.stripe.request_count("POST", "/v1/invoices/*/pay")
    }

    /// A page as a browser without any login sees it; redirects are not followed.
    pub async fn visit(&self, url: &str) -> Answer {
        let url = if url.starts_with('/') { format!("{}{url}", self.cloud.urls.api) } else { url.to_owned() };
        self.send(self.client.get(url)).await
    }

    /// Submits a card on a hosted page, without confirming with the bank.
    pub async fn submit_card(&self, url: &str, card: &str) -> Answer {
        let form = [("card_number", card), ("email", "payer@customer.example"), ("country", "US")];
        self.send(self.client.post(url).form(&form)).await
    }

    /// Answers the bank's question that a hosted page leads to, with `complete` or `fail`.
    pub async fn answer_bank(&self, hosted_page: &str, outcome: &str) {
        let page = self.visit(hosted_page).await.expect(200).text;
        let start = page.find("/authenticate/").expect("the page leads to the bank's");
        let end = start + page[start..].find('"').expect("the address ends");
        let bank = format!("{}{}", self.cloud.urls.stripe, &page[start..end]);
        let answer = self.send(self.client.post(bank).form(&[("outcome", outcome)])).await;
        assert!(answer.status < 400, "{}", answer.text);
    }

    /// The Stripe page that the link in the account's newest e-mail redirects to.
    pub async fn hosted_page(&self, account: &str) -> String {
        self.visit(&self.pay_link(account)).await.expect(302).location.expect("a redirect has a location")
    }

    /// The value of a secret, as the functions read it.
    pub async fn secret(&self, name: &str) -> String {
        let request = self.client.post(&self.cloud.urls.aws).header("x-amz-target", "secretsmanager.GetSecretValue");
        let answer = self.send(request.json(&json!({ "SecretId": name }))).await.expect(200);
        answer.body["SecretString"].as_str().expect("a secret").to_owned()
    }

    /// The key that signs the links in this cloud's e-mails.
    pub async fn link_key(&self) -> LinkKey {
        LinkKey::new(self.secret("links").await).expect("the secret is long enough")
    }

    /// The product's ledger, to read what no route returns and to store what no request would.
    pub fn ledger(&self) -> DynamoLedger {
        let table = &self.cloud.template.tables["Table"].name;
        DynamoLedger::new(self.cloud.aws.dynamodb.client(), table, LedgerSettings::default())
    }
}
