//! Accounts with a past, so that the Billing Dashboard has something to show from the first minute.
//!
//! They are made through public interfaces, by a clock that stands 90 days ago and is moved to today.

use crate::cloud::LocalCloud;
use crate::demo::{Api, Browser};
use jiff::{SignedDuration, Timestamp, ToSpan};
use lambda_http::Error;
use serde_json::{Value, json};
use shared::clock::Clock;
use std::sync::Arc;

/// How long the past is.
pub const PAST: SignedDuration = SignedDuration::from_hours(90 * 24);

const GOOD_CARD: &str = "4242 4242 4242 4242";
const ASKING_CARD: &str = "4000 0027 6000 3184";
const DECLINED_CARD: &str = "pm_card_chargeCustomerFail";

/// The ready-made accounts, and what each shows.
pub const ACCOUNTS: [(&str, &str); 5] = [
    ("studio", "90 days of usage, topped up automatically"),
    ("polyglot", "paused: the card was declined"),
    ("aria", "paused: the bank asks for 3D Secure"),
    ("halted", "spending is stopped"),
    ("newcomer", "the first day"),
];

/// Makes the accounts, and moves the clock to `until`.
///
/// # Errors
/// If a step fails.
pub async fn make(cloud: &Arc<LocalCloud>, until: Timestamp) -> Result<(), Error> {
    let maker = Maker { cloud, api: Api::new(cloud), browser: Browser::new(cloud)? };
    maker.opened("studio", GOOD_CARD).await?;
    let mut day = 0;
    while cloud.clock.now() < until.checked_sub(24.hours())? {
        maker.work_of_a_day("studio", day).await?;
        day += 1;
    }
    for (account, card) in [("polyglot", GOOD_CARD), ("aria", ASKING_CARD), ("halted", GOOD_CARD)] {
        maker.opened(account, card).await?;
    }
    maker.browser.save_card("polyglot", DECLINED_CARD).await?;
    maker.api.open_account("newcomer").await?;
    cloud.settle().await?;
    for account in ["polyglot", "aria"] {
        maker.charge(account, "job-1", &dubbing(405, "Trailer, final cut", "studio-a")).await?;
    }
    maker.charge("halted", "job-1", &dubbing(45, "Pilot episode", "studio-a")).await?;
    maker.api.stop_spending("halted").await?;
    cloud.skip(until.duration_since(cloud.clock.now())).await?;
    // It finds the two that are low. The other schedules begin when the cloud runs.
    cloud.sweep().await?;
    maker.charge("studio", "job-today", &dubbing(12, "Episode 91, draft", "web-app")).await?;
    cloud.settle().await?;
    cloud.note_ready_made_accounts();
    Ok(())
}

struct Maker<'a> {
    cloud: &'a Arc<LocalCloud>,
    api: Api,
    browser: Browser,
}

impl Maker<'_> {
    /// An account that has bought its first package and wants top-ups.
    async fn opened(&self, account: &str, card: &str) -> Result<(), Error> {
        self.api.open_account(account).await?;
        self.api.turn_on_auto_top_up(account, 1_000, 5_000).await?;
        let purchase = self.api.buy(account, "credits_5000").await?;
        let page = purchase["checkout_url"].as_str().ok_or("the purchase has no page")?;
        self.browser.pay_page(page, card).await?;
        self.cloud.settle().await?;
        Ok(())
    }

    /// Two to four jobs on a working day, one on the others. One in eleven fails and gets its credits back.
    async fn work_of_a_day(&self, account: &str, day: i64) -> Result<(), Error> {
        let jobs = if day % 7 < 5 { 2 + day * day % 3 } else { 1 };
        self.cloud.skip(SignedDuration::from_hours(8)).await?;
        for job in 0..jobs {
            let number = day * 7 + job;
            let key = format!("job-{number}");
            let (spender, title) = if number % 3 == 0 { ("batch-import", "Archive") } else { ("web-app", "Episode") };
            let body = match number % 5 {
                4 => {
                    json!({"operation": "training", "max_minutes": 5 + number % 4 * 5, "reference": format!("Voice {number}"), "spender": spender})
                }
                _ => dubbing(4 + number * 13 % 23, &format!("{title} {}", day + 1), spender),
            };
            self.charge(account, &key, &body).await?;
            if number % 11 == 10 {
                self.api.restore(account, &key).await?;
            }
        }
        // One sweep a day is enough for a story.
        self.cloud.sweep().await?;
        self.cloud.settle().await?;
        self.cloud.skip(SignedDuration::from_hours(16)).await?;
        Ok(())
    }

    async fn charge(&self, account: &str, key: &str, body: &Value) -> Result<(), Error> {
        self.api.charge_for(account, key, body).await
    }
}

fn dubbing(minutes: i64, reference: &str, spender: &str) -> Value {
    let duration_ms = minutes * 60_000 + 1_734;
    json!({"operation": "dubbing", "duration_ms": duration_ms, "reference": reference, "spender": spender})
}
