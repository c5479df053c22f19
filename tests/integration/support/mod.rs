//! The test harness: a local cloud for each test, and helpers to use it.

pub mod description;
pub mod events;
pub mod net;
mod stripe;

use description::{DESCRIPTION, Description};
use http::HeaderMap;
use jiff::{SignedDuration, Timestamp};
use lambda_http::Error;
use local_aws::access::Call;
use local_aws::dynamodb::StreamCursor;
use net::{Canaries, NET};
use prepaid_local::clock::MovableClock;
use prepaid_local::cloud::{LocalCloud, Options};
use reqwest::{Client, Method, RequestBuilder, Response, redirect};
use serde_json::{Value, json};
use shared::clock::Clock;
use shared::config::parse_price_book;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// The test's own deployment: an empty table, an empty Stripe, an empty inbox, a stopped clock.
///
/// Nothing happens on its own: webhooks, streams and schedules run in [`TestCloud::settle`] and [`TestCloud::advance`].
///
/// Every answer of the API is checked against the OpenAPI description, and every event on the bus against its schema.
pub struct TestCloud {
    pub cloud: Arc<LocalCloud>,
    client: Client,
    /// The description of a price book of the test's own.
    description: Option<Description>,
    answers: Mutex<BTreeSet<String>>,
    refused_calls: Mutex<BTreeSet<(String, Call)>>,
    /// The secret and personal data of this cloud that was seen so far.
    canaries: Mutex<Canaries>,
    log: Log,
}

/// The functions' log lines since the cloud was started. They may include lines of tests that ran at the same time.
enum Log {
    /// The log of the test run, from this line on.
    Net { start: usize },
    /// The file that the functions' processes write to, from this byte on.
    File { path: PathBuf, start: usize },
}

impl Log {
    fn beginning(options: &Options) -> Self {
        match &options.log {
            Some(path) => Self::File { path: path.clone(), start: std::fs::read(path).map_or(0, |log| log.len()) },
            None => Self::Net { start: NET.length() },
        }
    }

    fn lines(&self) -> Vec<String> {
        match self {
            Self::Net { start } => NET.since(*start),
            Self::File { path, start } => {
                // Without a log file, no function has run.
                let log = std::fs::read(path).unwrap_or_default();
                String::from_utf8_lossy(&log[*start..]).lines().map(str::to_owned).collect()
            }
        }
    }
}

impl Drop for TestCloud {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let refused = self.take_refused_calls();
            assert!(refused.is_empty(), "the roles in the template do not allow these calls: {refused:#?}");
            let errors = events::errors_on_the_bus(&self.cloud.aws.events.events());
            assert!(errors.is_empty(), "events are not as infra/events describes them: {errors:#?}");
            let leaks = self.leaks();
            assert!(leaks.is_empty(), "the functions' logs contain secret or personal data: {leaks:#?}");
        }
    }
}

/// The secrets of a cloud.
fn secrets(cloud: &LocalCloud) -> Canaries {
    let mut canaries = Canaries::default();
    canaries.plant("the secret access key", &cloud.signing.secret_access_key);
    canaries.plant("the session token", &cloud.signing.session_token);
    canaries.plant("Stripe's API key", &cloud.stripe_api_key);
    for secret in cloud.aws.secrets.values() {
        let stripe: Value = serde_json::from_str(secret).unwrap_or_default();
        let webhooks = stripe["webhook_secrets"].as_array().into_iter().flatten().filter_map(Value::as_str);
        webhooks.for_each(|secret| canaries.plant("a webhook's secret", secret));
        canaries.plant("a secret", secret);
    }
    canaries
}

pub fn options() -> Options {
    let midnight: Timestamp = "2026-01-05T00:00:00Z".parse().expect("a time");
    Options::new(MovableClock::standing(midnight))
}

/// A complete answer of the API.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub content_type: String,
    pub is_replay: bool,
    pub location: Option<String>,
    pub retry_after: Option<String>,
    pub www_authenticate: Option<String>,
    pub body: Value,
    pub text: String,
    /// The headers by lower-case name.
    pub headers: BTreeMap<String, String>,
}

impl Answer {
    async fn read(response: Response) -> Self {
        let header = |name: &str| {
            response.headers().get(name).map(|value| value.to_str().expect("headers are ASCII").to_owned())
        };
        let (content_type, location) = (header("content-type").unwrap_or_default(), header("location"));
        let (retry_after, www_authenticate) = (header("retry-after"), header("www-authenticate"));
        let is_replay = header("idempotent-replayed").is_some_and(|value| value == "true");
        let status = response.status().as_u16();
        let headers = response.headers().keys().filter_map(|name| Some((name.to_string(), header(name.as_str())?)));
        let headers = headers.collect();
        let text = response.text().await.expect("the body is text");
        let body = serde_json::from_str(&text).unwrap_or_default();
        Self { status, content_type, is_replay, location, retry_after, www_authenticate, body, text, headers }
    }

    /// Returns the answer after checking its status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// The id that the gateway gave to the request.
    pub fn request_id(&self) -> &str {
        &self.headers["apigw-requestid"]
    }

    /// Checks that this is a problem document of this status and code.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Self {
        assert_eq!((self.status, &self.body["code"]), (status, &json!(code)), "{}", self.text);
        assert_eq!(self.content_type, "application/problem+json");
        assert_eq!(self.body["status"], json!(status));
        for name in ["type", "title", "detail", "request_id"] {
            assert!(self.body[name].as_str().is_some_and(|text| !text.is_empty()), "{name} is missing: {}", self.text);
        }
        self
    }

    /// The message about a field of a 422.
    #[track_caller]
    pub fn field_error(&self, field: &str) -> String {
        let errors = self.body["errors"].as_array().expect("a 422 lists errors");
        let error = errors.iter().find(|error| error["field"] == field);
        error.unwrap_or_else(|| panic!("no error about {field}: {}", self.text))["message"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    /// Status, headers and body without the request id and the date, which differ between equal answers.
    pub fn without_request_id(&self) -> (u16, BTreeMap<String, String>, String) {
        let mut headers = self.headers.clone();
        headers.retain(|name, _| !["apigw-requestid", "date"].contains(&name.as_str()));
        (self.status, headers, self.text.replace(self.body["request_id"].as_str().unwrap_or_default(), ""))
    }
}

impl TestCloud {
    pub async fn start() -> Self {
        Self::start_with(options()).await.expect("the local cloud starts")
    }

    /// A product deployed from the repository's template with the first occurrence of a text replaced.
    pub async fn start_changed(from: &str, to: &str) -> Self {
        Self::try_start_changed(from, to).await.expect("the local cloud starts")
    }

    /// A product that admits this rate of requests for each account, and this burst.
    pub async fn start_limited(per_second: u32, burst: u32) -> Self {
        let parameters = [("AccountRequestsPerSecond", per_second), ("AccountRequestsBurst", burst)];
        let parameters = parameters.map(|(name, value)| (name.to_owned(), value.to_string())).into();
        Self::start_with(Options { parameters, ..options() }).await.expect("the local cloud starts")
    }

    /// # Errors
    /// If the product does not start from the changed template.
    pub async fn try_start_changed(from: &str, to: &str) -> Result<Self, Error> {
        let options = options();
        let template = std::fs::read_to_string(&options.template)?;
        assert!(template.contains(from), "{from}");
        let changed = tempfile::NamedTempFile::new()?;
        std::fs::write(changed.path(), template.replacen(from, to, 1))?;
        Self::start_with(Options { template: changed.path().to_owned(), ..options }).await
    }

    /// A product whose reconciliation runs on its schedule. Elsewhere it is left out, so that each test sees what the part
    /// that it is about does, and not what would be found five minutes later.
    pub async fn start_reconciling() -> Self {
        Self::start_reconciling_with(options()).await
    }

    pub async fn start_reconciling_with(options: Options) -> Self {
        Self::begin(options, true).await.expect("the local cloud starts")
    }

    /// # Errors
    /// If the product does not start.
    pub async fn start_with(options: Options) -> Result<Self, Error> {
        Self::begin(options, false).await
    }

    async fn begin(options: Options, is_reconciling: bool) -> Result<Self, Error> {
        let log = Log::beginning(&options);
        let description = match &options.price_book {
            Some(json) => Some(Description::of(&parse_price_book(json)?)),
            None => None,
        };
        let cloud = LocalCloud::start(options).await?;
        if !is_reconciling {
            cloud.leave_out("reconciliation");
        }
        // The clock starts at midnight, when a sweep is due.
        cloud.advance(SignedDuration::ZERO).await?;
        let client = Client::builder().redirect(redirect::Policy::none()).build()?;
        let canaries = Mutex::new(secrets(&cloud));
        Ok(Self {
            cloud,
            client,
            description,
            answers: Mutex::default(),
            refused_calls: Mutex::default(),
            canaries,
            log,
        })
    }

    /// The functions' log lines since this cloud was started, and those of tests that ran at the same time. Whoever counts
    /// lines looks for a name that no other test has.
    pub fn log(&self) -> Vec<String> {
        self.log.lines()
    }

    /// The secret or personal data found in the log.
    pub fn leaks(&self) -> Vec<String> {
        self.canaries().found_in(&self.log())
    }

    /// All secret and personal data of this cloud.
    pub fn canaries(&self) -> Canaries {
        let mut canaries = self.canaries.lock().expect("no code panics while holding the lock").clone();
        for mail in self.cloud.aws.ses.messages().iter().take(20) {
            canaries.plant("an e-mail's subject", &mail.subject);
            mail.to.iter().for_each(|to| canaries.plant("an e-mail address", to));
            for line in mail.text.iter().flat_map(|text| text.lines()).map(str::trim).filter(|line| line.len() > 20) {
                canaries.plant("an e-mail's text", line);
                let token = ["/pay/", "/confirm/", "/receipt/"]
                    .iter()
                    .find_map(|path| line.split_once(path))
                    .map(|(_, token)| token);
                token.iter().for_each(|token| canaries.plant("a link's token", token));
            }
        }
        canaries
    }

    /// Adds a text that is secret or personal in this test.
    pub fn plant(&self, what: &str, text: &str) {
        self.canaries.lock().expect("no code panics while holding the lock").plant(what, text);
    }

    /// The calls that AWS denied for lack of a permission, each with the function's logical id.
    /// A test with denied calls fails unless it takes them.
    pub fn take_refused_calls(&self) -> BTreeSet<(String, Call)> {
        let mut taken = self.refused_calls.lock().expect("no code panics while holding the lock");
        let refused = self.cloud.aws.access.refused();
        let new = refused.difference(&taken).cloned().collect();
        *taken = refused;
        new
    }

    /// A request to the API; the caller adds token, headers and body.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.cloud.urls.api))
    }

    pub async fn send(&self, request: RequestBuilder) -> Answer {
        let request = request.build().expect("a request");
        let copy = request.try_clone().expect("a body that is not streamed");
        let answer = Answer::read(self.client.execute(copy).await.expect("the API answers")).await;
        self.check(&request, &answer);
        answer
    }

    /// Retries the request while the answer is 5xx, as every client should.
    pub async fn send_until_answered(&self, request: RequestBuilder, tries_max: u32) -> Answer {
        let request = request.build().expect("a request");
        for _ in 0..tries_max {
            let copy = request.try_clone().expect("a body that is not streamed");
            let answer = Answer::read(self.client.execute(copy).await.expect("the API answers")).await;
            // API Gateway's answer for a function that died is not part of the OpenAPI description.
            let is_gateways = answer.status == 500 && answer.body == json!({"message": "Internal Server Error"});
            if !is_gateways {
                self.check(&request, &answer);
            }
            if answer.status < 500 {
                return answer;
            }
        }
        panic!("{} {} failed {tries_max} times", request.method(), request.url());
    }

    fn check(&self, request: &reqwest::Request, answer: &Answer) {
        let (method, url) = (request.method(), request.url());
        let sent = request.body().and_then(|body| body.as_bytes());
        self.plant_exchange(request.headers(), sent, answer);
        if url.as_str().starts_with(&self.cloud.urls.api) {
            let description = self.description.as_ref().unwrap_or(&DESCRIPTION);
            let path = description.check(method.as_str(), url.path(), sent, answer);
            let answered = path.map(|path| format!("{method} {path} {}", answer.status));
            self.answers.lock().expect("no code panics while holding the lock").extend(answered);
        }
    }

    /// Adds the secret and personal data of one request and its answer.
    fn plant_exchange(&self, headers: &HeaderMap, sent: Option<&[u8]>, answer: &Answer) {
        let mut canaries = self.canaries.lock().expect("no code panics while holding the lock");
        for (name, value) in headers.iter().filter_map(|(name, value)| Some((name, value.to_str().ok()?))) {
            match name.as_str() {
                "authorization" => {
                    let token = value.split_once(' ').map_or(value, |(_, token)| token);
                    canaries.plant("a bearer token", token);
                    canaries.plant("a token's signature", token.rsplit('.').next().unwrap_or_default());
                }
                "stripe-signature" => canaries.plant("a webhook's signature", value),
                "cookie" => {
                    let session = value.rsplit('=').next().unwrap_or_default();
                    canaries.plant("a session's token", session);
                }
                _ => {}
            }
        }
        let request: Value = sent.and_then(|sent| serde_json::from_slice(sent).ok()).unwrap_or_default();
        canaries.plant_json(&request);
        canaries.plant_json(&answer.body);
        let link = answer.body["url"].as_str().and_then(|url| url.split_once("/portal/enter/"));
        link.iter().for_each(|(_, token)| canaries.plant("the token of a link into the dashboard", token));
        answer.location.iter().for_each(|page| canaries.plant("a Stripe page", page));
    }

    /// Every answer of the API so far, as in `GET /v1/packages 200`, with the path from the OpenAPI description.
    pub fn answers(&self) -> BTreeSet<String> {
        self.answers.lock().expect("no code panics while holding the lock").clone()
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.send(self.request(Method::GET, path).bearer_auth(token)).await
    }

    pub async fn put(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PUT, path).bearer_auth(token).json(body)).await
    }

    pub async fn post(&self, path: &str, token: &str, key: Option<&str>, body: &Value) -> Answer {
        let mut request = self.request(Method::POST, path).bearer_auth(token).json(body);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        self.send(request).await
    }

    pub async fn open_account(&self, account: &str) {
        let body = json!({"account": account, "email": format!("owner@{account}.example")});
        self.post("/v1/accounts", &self.cloud.service_token(), None, &body).await.expect(201);
    }

    /// Buys a package and pays with a card on the hosted page. Webhooks are delivered and e-mails sent.
    pub async fn buy(&self, account: &str, package: &str, card: &str) {
        let path = format!("/v1/accounts/{account}/purchases");
        let key = format!("buy-{}", uuid::Uuid::new_v4());
        let token = self.cloud.customer_token(account);
        let purchase = self.post(&path, &token, Some(&key), &json!({ "package": package })).await.expect(201);
        self.pay_page(purchase.body["checkout_url"].as_str().expect("a page"), card).await;
        self.settle().await;
    }

    /// Pays on a hosted Stripe page as a browser does, and confirms if the bank asks.
    pub async fn pay_page(&self, url: &str, card: &str) {
        self.pay_page_with(url, card, &[("country", "US")]).await;
    }

    /// The same with what else the page asks for.
    pub async fn pay_page_with(&self, url: &str, card: &str, entered: &[(&str, &str)]) {
        let form = [&[("card_number", card), ("email", "payer@customer.example")], entered].concat();
        let paid = Answer::read(self.client.post(url).form(&form).send().await.expect("the page answers")).await;
        if let Some(page) = paid.location.as_ref().filter(|page| page.contains("/authenticate/")) {
            let page = if page.starts_with('/') { format!("{}{page}", self.cloud.urls.stripe) } else { page.clone() };
            let confirmed =
                self.client.post(page).form(&[("outcome", "complete")]).send().await.expect("the bank answers");
            assert!(confirmed.status().as_u16() < 400, "{}", confirmed.status());
        } else {
            assert!(paid.status < 400, "{}", paid.text);
        }
    }

    pub async fn turn_on_auto_top_up(&self, account: &str, threshold: i64, target: i64) {
        let body = json!({
            "enabled": true, "threshold": threshold, "target": target,
            "consent": {"text_version": 3, "accepted_by": "owner"},
        });
        let path = format!("/v1/accounts/{account}/auto-top-up");
        self.put(&path, &self.cloud.customer_token(account), &body).await.expect(200);
    }

    /// Charges a training of `max_minutes` minutes, at 10 credits a minute.
    pub async fn charge(&self, account: &str, key: &str, max_minutes: i64) -> Answer {
        let body = json!({"operation": "training", "max_minutes": max_minutes});
        self.post(&format!("/v1/accounts/{account}/charges"), &self.cloud.service_token(), Some(key), &body).await
    }

    pub async fn balance(&self, account: &str) -> i64 {
        let path = format!("/v1/accounts/{account}/balance");
        let answer = self.get(&path, &self.cloud.service_token()).await.expect(200);
        answer.body["balance"].as_i64().expect("a balance")
    }

    pub async fn auto_top_up(&self, account: &str) -> Value {
        self.get(&format!("/v1/accounts/{account}/auto-top-up"), &self.cloud.service_token()).await.expect(200).body
    }

    /// Every entry, newest first. Checks that their sum is the balance.
    pub async fn history(&self, account: &str) -> Vec<Value> {
        let path = format!("/v1/accounts/{account}/history?limit=100");
        let answer = self.get(&path, &self.cloud.service_token()).await.expect(200);
        let entries = answer.body["data"].as_array().cloned().expect("entries");
        let sum: i64 = entries.iter().filter_map(|entry| entry["credits"].as_i64()).sum();
        assert_eq!(sum, self.balance(account).await, "the balance is the sum of the entries");
        entries
    }

    /// Moves the clock. Returns what the sweeps did that became due; the minutely runs over expired charges run too.
    pub async fn advance(&self, by: SignedDuration) -> Vec<Value> {
        let runs = self.cloud.advance(by).await.expect("the clock moves");
        let results = runs.into_iter().map(|run| (run.function, run.result.expect("the run succeeds")));
        results.filter(|(function, _)| function == "TopUpSweepFunction").map(|(_, result)| result).collect()
    }

    /// Runs the run over expired charges.
    pub async fn expire_charges(&self) -> Value {
        self.cloud.expire_charges().await.expect("the run succeeds")
    }

    pub async fn reconcile(&self) -> Value {
        self.cloud.reconcile().await.unwrap()
    }

    pub async fn sweep(&self) -> Value {
        self.cloud.sweep().await.expect("the sweep succeeds")
    }

    /// Delivers webhooks and stream records until none are due.
    pub async fn settle(&self) {
        let delivered = self.cloud.settle().await.expect("the stream can be read");
        assert!(!delivered.is_blocked && delivered.records_failed == 0, "{delivered:?}");
    }

    /// The subjects of all e-mails to the account's owner, oldest first.
    pub fn subjects(&self, account: &str) -> Vec<String> {
        self.mails(account).into_iter().map(|mail| mail.subject).collect()
    }

    pub fn mails(&self, account: &str) -> Vec<local_aws::ses::Message> {
        let to = format!("owner@{account}.example");
        let mut mails = self.cloud.aws.ses.messages();
        mails.retain(|mail| mail.to.contains(&to));
        mails
    }

    /// The path of the newest link to pay that was sent to the account's owner.
    pub fn pay_link(&self, account: &str) -> String {
        let start = format!("{}/pay/", self.cloud.urls.api);
        let texts = self.mails(account).into_iter().rev().map(|mail| mail.text.expect("a mail has a text form"));
        let mut links =
            texts.filter_map(|text| Some(text.split_whitespace().find(|word| word.starts_with(&start))?.to_owned()));
        let link = links.next().unwrap_or_else(|| panic!("no link among {:?}", self.subjects(account)));
        link[self.cloud.urls.api.len()..].to_owned()
    }

    pub fn now(&self) -> Timestamp {
        self.cloud.clock.now()
    }

    /// The name of the table.
    pub fn table(&self) -> String {
        self.cloud.template.tables["Table"].name.clone()
    }

    /// The keys of everything that was ever written, in order, but for the rows of refused requests, which move nothing.
    pub fn books(&self) -> Vec<String> {
        let (mut cursor, mut books) = (StreamCursor::TRIM_HORIZON, vec![]);
        loop {
            let batch =
                self.cloud.aws.dynamodb.stream_batch(&self.table(), &cursor, 1_000).expect("the table has a stream");
            let records = batch.event.iter().flat_map(|event| event["Records"].as_array().into_iter().flatten());
            let sort_key =
                |record: &Value| record["dynamodb"]["Keys"]["SK"]["S"].as_str().unwrap_or_default().to_owned();
            books.extend(records.map(sort_key).filter(|sort_key| !sort_key.starts_with("REQUEST#")));
            if batch.is_at_end {
                return books;
            }
            cursor = batch.next;
        }
    }

    /// The contents of the table and the end of its stream. If they are equal before and after, nothing was written.
    pub fn footprint(&self) -> (Vec<(String, i64)>, StreamCursor) {
        let end = self.cloud.aws.dynamodb.stream_end(&self.table()).expect("the table has a stream");
        (self.cloud.aws.dynamodb.tables(), end)
    }

    /// The token of one of support's operators.
    pub fn support_token(&self) -> String {
        self.cloud.token("operator-7", &["credits/support"])
    }

    /// A token with every scope that reaches all accounts.
    pub fn any_token(&self) -> String {
        self.cloud.token("operator-7", &["credits/service", "credits/support"])
    }

    /// Blocks an account's charges as support does.
    pub async fn restrict(&self, account: &str, reason: &str, until: Timestamp) {
        let path = format!("/v1/support/accounts/{account}/restriction");
        let body = json!({ "until": until.to_string(), "reason": reason });
        self.put(&path, &self.support_token(), &body).await.expect(200);
    }
}
