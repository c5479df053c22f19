//! A cloud of compiled functions that are killed, and their callers: clients, Stripe, the schedule and the stream.
//!
//! All of them retry as in production: a client while the answer is 5xx, with the same idempotency key; Stripe until an
//! event is answered with 2xx; the schedule with the next sweep; the stream with the same records.

use super::books::{Books, Broken, rule};
use super::killer::Killer;
use crate::support::{Answer, TestCloud};
use aws_sdk_dynamodb::types::AttributeValue;
use jiff::ToSpan;
use jiff::civil::Date;
use prepaid_local::clock::MovableClock;
use prepaid_local::cloud::Options;
use reqwest::Method;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// After this many tries something is stuck; there are far fewer kills.
pub const TRIES_MAX: u32 = 40;

pub struct World {
    pub cloud: TestCloud,
    pub killer: Arc<Killer>,
    pub random: fastrand::Rng,
    accounts: u32,
    /// How many accounts are two days old.
    pub aged: u32,
}

impl World {
    /// A cloud of the functions in `directory`, which write their logs to `log`.
    pub async fn start(directory: &Path, log: PathBuf, killer: &Arc<Killer>, seed: u64) -> Self {
        let options = Options {
            functions: Some(directory.to_owned()),
            log: Some(log),
            watcher: Some(Arc::clone(killer) as _),
            ..Options::new(MovableClock::running())
        };
        let cloud = TestCloud::start_with(options).await.expect("the local cloud starts");
        killer.look_at(&cloud.cloud);
        Self { cloud, killer: Arc::clone(killer), random: fastrand::Rng::with_seed(seed), accounts: 0, aged: 0 }
    }

    /// A new name for an account.
    pub fn next_account(&mut self) -> String {
        self.accounts += 1;
        format!("account-{}", self.accounts)
    }

    /// From now on, invocations may be killed a few times.
    pub fn arm(&mut self) {
        self.arm_up_to(4);
    }

    pub fn arm_up_to(&mut self, kills_max: u32) {
        self.killer.arm(self.random.u32(1..=kills_max));
    }

    /// Repeats the request until it is answered.
    pub async fn send(&self, method: Method, path: &str, token: &str, key: Option<&str>, body: &Value) -> Answer {
        let mut request = self.cloud.request(method, path).bearer_auth(token);
        if !body.is_null() {
            request = request.json(body);
        }
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        self.cloud.send_until_answered(request, TRIES_MAX).await
    }

    pub async fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &self.cloud.cloud.service_token(), Some(key), body).await
    }

    /// Imports a table, repeating the request until it is answered.
    pub async fn import(&self, table: &str) -> Answer {
        let request = self.cloud.request(Method::POST, "/v1/support/imports?dry_run=false&reason=Moved");
        let request = request.bearer_auth(self.cloud.support_token()).header("content-type", "text/csv");
        self.cloud.send_until_answered(request.body(table.to_owned()), TRIES_MAX).await
    }

    /// Opens a purchase and returns its id and the URL of its page.
    pub async fn open_purchase(&self, account: &str, package: &str) -> Result<(String, String), Broken> {
        let path = format!("/v1/accounts/{account}/purchases");
        let opened = self.post(&path, "buy", &json!({ "package": package })).await;
        rule!(matches!(opened.status, 200 | 201), "a purchase is answered with {}: {}", opened.status, opened.text);
        let text = |name: &str| opened.body[name].as_str().unwrap_or_default().to_owned();
        Ok((text("purchase"), text("checkout_url")))
    }

    /// The Stripe page that the link in the account's newest e-mail redirects to.
    pub async fn hosted_page(&self, account: &str) -> Result<String, Broken> {
        let link = self.cloud.request(Method::GET, &self.cloud.pay_link(account));
        let answer = self.cloud.send_until_answered(link, TRIES_MAX).await;
        answer.location.ok_or_else(|| format!("the link does not redirect: {} {}", answer.status, answer.text))
    }

    /// Delivers Stripe's events, retrying failed ones without delay, until every event has arrived.
    pub async fn deliver_webhooks(&self) -> Result<(), Broken> {
        let stripe = &self.cloud.cloud.stripe;
        for _ in 0..TRIES_MAX {
            while stripe.deliver_due().await > 0 {}
            if stripe.hasten_deliveries() == 0 {
                return Ok(());
            }
        }
        Err(format!("an event does not arrive in {TRIES_MAX} tries"))
    }

    /// Delivers the stream's records, each as often as needed.
    pub async fn send_mails(&self) -> Result<(), Broken> {
        for stream in &self.cloud.cloud.streams {
            let delivered = stream.drain().await.map_err(|error| error.to_string())?;
            rule!(!delivered.is_blocked && delivered.records_failed == 0, "{delivered:?}");
        }
        Ok(())
    }

    /// Runs sweeps until one leaves nothing for the next. Returns the last summary.
    pub async fn sweep(&mut self) -> Result<Value, Broken> {
        for _ in 0..TRIES_MAX {
            match self.cloud.cloud.sweep().await {
                Ok(summary) if [&summary, &summary["unpaid"]].into_iter().all(leaves_nothing) => return Ok(summary),
                Ok(_) => {}
                // Half an hour passes until the next one, and Stripe's events come earlier than that, or later.
                Err(_) if self.random.bool() => self.deliver_webhooks().await?,
                Err(_) => {}
            }
        }
        Err(format!("accounts are left over by {TRIES_MAX} sweeps"))
    }

    /// Makes a pending charge a minute older. The compiled functions use the machine's clock, which no test waits for.
    pub async fn let_a_minute_pass(&self, account: &str, charge: &str) {
        let client = self.cloud.cloud.aws.dynamodb.client();
        let update = client
            .update_item()
            .table_name(self.cloud.table())
            .key("PK", AttributeValue::S(format!("ACCOUNT#{account}")))
            .key("SK", AttributeValue::S(format!("PENDING#{charge}")))
            .update_expression("SET created_at = created_at - :minute, due_at = due_at - :minute")
            .expression_attribute_values(":minute", AttributeValue::N("60000".to_owned()));
        update.send().await.expect("the table answers");
    }

    /// Lets the account ask for its payments again.
    pub async fn forget_claims(&self, account: &str) {
        let client = self.cloud.cloud.aws.dynamodb.client();
        let delete = client.delete_item().table_name(self.cloud.table());
        let delete = delete.key("PK", AttributeValue::S(format!("ACCOUNT#{account}")));
        delete.key("SK", AttributeValue::S("CLAIM_LOG".to_owned())).send().await.expect("the table answers");
    }

    /// Makes the purchases by invoice of an account some days older.
    pub async fn let_invoices_age(&self, account: &str, days: i64) {
        let client = self.cloud.cloud.aws.dynamodb.client();
        let pk = AttributeValue::S(format!("ACCOUNT#{account}"));
        let listed = client.query().table_name(self.cloud.table()).consistent_read(true);
        let listed = listed.key_condition_expression("PK = :pk AND begins_with(SK, :purchase)");
        let listed = listed.expression_attribute_values(":pk", pk.clone());
        let listed = listed.expression_attribute_values(":purchase", AttributeValue::S("PURCHASE#".to_owned()));
        let listed = listed.send().await.expect("the table answers");
        for purchase in listed.items() {
            let update = client.update_item().table_name(self.cloud.table()).key("PK", pk.clone());
            let older = "SET due_at = due_at - :passed, by_invoice.issued.due_at = by_invoice.issued.due_at - :passed";
            let update = update.key("SK", purchase["SK"].clone()).update_expression(older);
            let passed = AttributeValue::N((days * 86_400_000).to_string());
            update.expression_attribute_values(":passed", passed).send().await.expect("the table answers");
        }
    }

    /// Makes the pause of an account, and the attempt that caused it, some days older.
    pub async fn let_days_pass(&self, account: &str, days: i64) {
        let client = self.cloud.cloud.aws.dynamodb.client();
        let pk = AttributeValue::S(format!("ACCOUNT#{account}"));
        let passed = AttributeValue::N((days * 86_400_000).to_string());
        let listed = client.query().table_name(self.cloud.table()).consistent_read(true);
        let listed = listed.key_condition_expression("PK = :pk AND begins_with(SK, :top_up)");
        let listed = listed.expression_attribute_values(":pk", pk.clone());
        let listed = listed.expression_attribute_values(":top_up", AttributeValue::S("TOP_UP#".to_owned()));
        let listed = listed.send().await.expect("the table answers");
        let attempts = listed.items().iter().map(|attempt| {
            (
                attempt["SK"].clone(),
                "opened_at = opened_at - :passed, ended_at = ended_at - :passed, due_at = due_at - :passed",
            )
        });
        let state = "payment_issue.since = payment_issue.since - :passed, last_top_up_at = last_top_up_at - :passed";
        for (sk, older) in attempts.chain([(AttributeValue::S("STATE".to_owned()), state)]) {
            let update = client.update_item().table_name(self.cloud.table());
            let update = update.key("PK", pk.clone()).key("SK", sk).update_expression(format!("SET {older}"));
            let update = update.expression_attribute_values(":passed", passed.clone());
            update.send().await.expect("the table answers");
        }
    }

    /// Makes an account and its entries two days older, and forgets which days are closed. Returns the day before
    /// yesterday.
    pub async fn let_two_days_pass(&mut self, account: &str) -> Date {
        let (client, table) = (self.cloud.cloud.aws.dynamodb.client(), self.cloud.table());
        let text = |text: String| AttributeValue::S(text);
        let days = AttributeValue::N((2 * 86_400_000).to_string());
        let entries =
            client.query().table_name(&table).key_condition_expression("PK = :pk AND begins_with(SK, :entry)");
        let entries = entries
            .expression_attribute_values(":pk", text(format!("ACCOUNT#{account}")))
            .expression_attribute_values(":entry", text("ENTRY#".to_owned()));
        for entry in entries.send().await.expect("the table answers").items() {
            let update = client.update_item().table_name(&table);
            let update = update.key("PK", entry["PK"].clone()).key("SK", entry["SK"].clone());
            let update = update.update_expression("SET created_at = created_at - :days");
            update.expression_attribute_values(":days", days.clone()).send().await.expect("the table answers");
        }
        for shard in 0..16 {
            let update = client.update_item().table_name(&table);
            let update = update.key("PK", text(format!("ACCOUNTS#{shard:02}"))).key("SK", text(account.to_owned()));
            let update = update.update_expression("SET listed_at = listed_at - :days");
            let update = update.condition_expression("attribute_exists(PK)");
            // One of them has the account.
            _ = update.expression_attribute_values(":days", days.clone()).send().await;
        }
        let day = self.cloud.now().to_zoned(jiff::tz::TimeZone::UTC).date().saturating_sub(2.days());
        for number in 0..3 {
            let day = day.saturating_add(number.days());
            let partition = text(format!("LIABILITY#{}", day.strftime("%Y-%m")));
            for shard in 0..16 {
                let delete = client.delete_item().table_name(&table).key("PK", partition.clone());
                let sort = text(format!("{:02}#{shard:02}", day.day()));
                delete.key("SK", sort).send().await.expect("the table answers");
            }
        }
        let closed = client.put_item().table_name(&table);
        let closed = closed.item("PK", text("LIABILITY".to_owned())).item("SK", text("CLOSED".to_owned()));
        let closed = closed.item("first_day", text(day.to_string()));
        let closed = closed.item("closed_through", text(day.saturating_sub(1.day()).to_string()));
        closed.send().await.expect("the table answers");
        self.aged += 1;
        day
    }

    /// Runs the run over expired charges until one leaves nothing for the next.
    pub async fn expire_charges(&self) -> Result<(), Broken> {
        for _ in 0..TRIES_MAX {
            if self.cloud.cloud.expire_charges().await.is_ok_and(|summary| summary["failed"] == 0) {
                return Ok(());
            }
        }
        Err(format!("charges are left over by {TRIES_MAX} runs"))
    }

    /// Runs the evaluation of alerts until a run leaves nothing for the next.
    pub async fn evaluate_alerts(&self) -> Result<(), Broken> {
        for _ in 0..TRIES_MAX {
            if self.cloud.cloud.evaluate_alerts().await.is_ok_and(|summary| summary["failed"] == 0) {
                return Ok(());
            }
        }
        Err(format!("alerts are left over by {TRIES_MAX} runs"))
    }

    /// Stops killing, finishes all work and checks the books of the accounts. Returns the number of duplicate e-mails.
    pub async fn check(&self, accounts: &[String]) -> Result<usize, Broken> {
        self.killer.disarm();
        self.deliver_webhooks().await?;
        self.send_mails().await?;
        let mut again = 0;
        for account in accounts {
            let books = Books::read(&self.cloud, account).await?;
            books.check(&self.cloud, &self.killer)?;
            again += books.duplicate_mails(&self.cloud);
        }
        Ok(again)
    }
}

/// Whether a run leaves nothing for the next one.
fn leaves_nothing(summary: &Value) -> bool {
    summary["unknown"] == 0 && summary["failed"] == 0
}
