//! The main story: charge → run low → sweep → paid top-up → receipt, then a declined card and 3D Secure.
//!
//! It uses only public interfaces: HTTP with tokens, Stripe's hosted pages as in a browser, the schedule, the inbox.
//! The clock stands still, except when the story moves it.

mod api;
mod books;
mod browser;

use crate::clock::MovableClock;
use crate::cloud::{LocalCloud, Options};
use crate::operations::PlannedOperation;
pub(crate) use api::Api;
pub(crate) use browser::Browser;
use jiff::{SignedDuration, Timestamp};
use lambda_http::Error;
use serde_json::Value;
use std::io::Write;
use std::sync::Arc;

/// Where each account's automatic top-ups start and end, in credits.
const THRESHOLD: i64 = 1_000;
const TARGET: i64 = 5_000;

/// Plays the whole story and writes it down. Returns whether every account's balance is the sum of its entries.
///
/// # Errors
/// If a step does not go as the story says.
pub async fn play(operations: &[PlannedOperation], out: &mut impl Write) -> Result<bool, Error> {
    let start: Timestamp = "2026-01-05T09:00:00Z".parse()?;
    let cloud = LocalCloud::start(Options::new(MovableClock::standing(start))).await?;
    let mut story = Story { api: Api::new(&cloud), browser: Browser::new(&cloud)?, cloud, operations, out, mails: 0 };
    // A rate schedule fires for the first time when it is created; no account exists yet.
    story.cloud.advance(SignedDuration::ZERO).await?;
    writeln!(story.out, "The clock stands at {start}; it moves only where the story says so.")?;
    story.a_card_that_works().await?;
    story.a_card_that_is_declined().await?;
    story.a_card_that_asks_for_3d_secure().await?;
    let Story { cloud, out, .. } = story;
    books::close(&cloud, out).await
}

struct Story<'a, W> {
    cloud: Arc<LocalCloud>,
    api: Api,
    browser: Browser,
    operations: &'a [PlannedOperation],
    out: &'a mut W,
    /// How many e-mails in the inbox were already told about.
    mails: usize,
}

impl<W: Write> Story<'_, W> {
    async fn a_card_that_works(&mut self) -> Result<(), Error> {
        self.chapter("A card that works")?;
        self.open_and_buy("melodia", "4242 4242 4242 4242").await?;
        self.run_low("melodia").await?;
        self.next_sweep().await?;
        self.tell_balance("melodia").await?;
        self.say("Half an hour later the next sweep finds the balance above the threshold, and does nothing.")?;
        self.next_sweep().await
    }

    async fn a_card_that_is_declined(&mut self) -> Result<(), Error> {
        self.chapter("A card that is declined")?;
        self.open_and_buy("polyglot", "4242 4242 4242 4242").await?;
        self.say("Its customer replaces the saved card, on Stripe's page, by one whose bank refuses it.")?;
        self.browser.save_card("polyglot", "pm_card_chargeCustomerFail").await?;
        self.deliver().await?;
        self.run_low("polyglot").await?;
        self.next_sweep().await?;
        self.tell_issue("polyglot").await?;
        self.say("No timer charges a paused account: seven hours later nothing has been tried again.")?;
        self.advance(SignedDuration::from_hours(7)).await?;
        self.say("The customer follows the e-mail's link to Stripe's page and pays with another card.")?;
        self.browser.pay_by_link("polyglot", "5555 5555 5555 4444").await?;
        self.deliver().await?;
        self.tell_issue("polyglot").await?;
        self.tell_balance("polyglot").await
    }

    async fn a_card_that_asks_for_3d_secure(&mut self) -> Result<(), Error> {
        self.chapter("A card that asks for 3D Secure")?;
        self.open_and_buy("aria", "4000 0027 6000 3184").await?;
        self.run_low("aria").await?;
        self.next_sweep().await?;
        self.tell_issue("aria").await?;
        self.say("The customer follows the e-mail's link and confirms the payment with the bank.")?;
        self.browser.pay_by_link("aria", "4000 0027 6000 3184").await?;
        self.deliver().await?;
        self.tell_issue("aria").await?;
        self.tell_balance("aria").await
    }

    async fn open_and_buy(&mut self, account: &str, card: &str) -> Result<(), Error> {
        self.api.open_account(account).await?;
        self.say(&format!("Account {account} is opened. It turns automatic top-ups on: below {THRESHOLD} credits, fill up to {TARGET}."))?;
        let settings = self.api.turn_on_auto_top_up(account, THRESHOLD, TARGET).await?;
        self.say(&format!("  The customer agreed to: “{}”", text(&settings["consent"]["text"])))?;
        let purchase = self.api.buy(account, "credits_5000").await?;
        self.say("It buys 5,000 credits on Stripe's Checkout page.")?;
        self.browser.pay_page(text(&purchase["checkout_url"]), card).await?;
        self.deliver().await?;
        self.tell_balance(account).await
    }

    /// Charges the operations one after the other, and starts again with the first, until the balance is low.
    async fn run_low(&mut self, account: &str) -> Result<(), Error> {
        let (mut credits, mut last) = (0, None);
        for (position, planned) in self.operations.iter().cycle().enumerate() {
            let key = format!("{account}-job-{position}");
            let Some(charge) = self.api.charge(account, &key, planned).await? else { break };
            credits += charge["credits"].as_i64().unwrap_or_default();
            last = Some((position, key, planned));
            if charge["balance"].as_i64().is_some_and(|balance| balance < THRESHOLD) {
                break;
            }
        }
        let balance = self.api.balance(account).await?;
        let Some((position, key, planned)) = last.filter(|_| balance < THRESHOLD) else {
            return Err(
                format!("the operations leave {balance} credits, too many for a top-up below {THRESHOLD}").into()
            );
        };
        self.say(&format!("{} operations are charged, {credits} credits together.", position + 1))?;
        self.api.charge_again(account, &key, planned).await?;
        self.say("The last one is sent again under its key, as after a lost answer, and nothing moves.")?;
        self.tell_balance(account).await
    }

    /// The schedule fires half an hour later.
    async fn next_sweep(&mut self) -> Result<(), Error> {
        self.advance(SignedDuration::from_mins(30)).await
    }

    async fn advance(&mut self, by: SignedDuration) -> Result<(), Error> {
        for run in self.cloud.advance(by).await? {
            let summary = run.result?;
            if summary["due"] != 0 || by < SignedDuration::from_hours(1) {
                let counts = summary.as_object().into_iter().flatten();
                let counts =
                    counts.filter(|(name, count)| *name == "due" || count.as_u64().is_some_and(|count| count > 0));
                let counts: Vec<String> = counts.map(|(name, count)| format!("{name} {count}")).collect();
                self.say(&format!("⏱ {} — sweep: {}", shared::http::time(run.due), counts.join(", ")))?;
            }
        }
        self.tell_mails()
    }

    async fn deliver(&mut self) -> Result<(), Error> {
        self.cloud.settle().await?;
        self.tell_mails()
    }

    fn tell_mails(&mut self) -> Result<(), Error> {
        let mut mails = self.cloud.aws.ses.messages();
        mails.sort_by_key(|mail| mail.received_at);
        for mail in &mails[self.mails.min(mails.len())..] {
            writeln!(self.out, "  ✉ to {}: {}", mail.to.join(", "), mail.subject)?;
        }
        self.mails = mails.len();
        Ok(())
    }

    async fn tell_balance(&mut self, account: &str) -> Result<(), Error> {
        let balance = self.api.balance(account).await?;
        self.say(&format!("  Balance of {account}: {balance} credits"))
    }

    async fn tell_issue(&mut self, account: &str) -> Result<(), Error> {
        let settings = self.api.auto_top_up(account).await?;
        match &settings["payment_issue"] {
            Value::Null => self.say("  Automatic top-ups are on and not paused."),
            issue => self.say(&format!(
                "  Automatic top-ups are paused ({}): {} {}",
                text(&issue["kind"]),
                text(&issue["reason"]),
                text(&issue["remedy"])
            )),
        }
    }

    fn chapter(&mut self, title: &str) -> Result<(), Error> {
        Ok(writeln!(self.out, "\n── {title} ──")?)
    }

    fn say(&mut self, line: &str) -> Result<(), Error> {
        Ok(writeln!(self.out, "{line}")?)
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}
