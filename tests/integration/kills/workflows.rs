//! The workflows of the product. Each step may be killed several times.

use super::books::{Books, Broken, rule};
use super::world::{TRIES_MAX, World};
use local_stripe::WebhookConduct;
use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::DisputeId;
use shared::domain::payments::{DisputeStatus, Expiry};
use shared::ports::Disputes;

const CARD: &str = "4242424242424242";

/// A workflow that a client, Stripe, the schedule or the stream triggers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workflow {
    OpenAccount,
    Alerts,
    ExpiringCard,
    Charge,
    Batch,
    Restore,
    Capture,
    Expiry,
    Purchase,
    Invoice,
    Refund,
    SupportRefund,
    Reconciliation,
    Find,
    AutoTopUp,
    SweepPaid,
    SweepDeclined,
    SweepActionRequired,
    Retry,
    Resume,
    Reminders,
    Mail,
    Support,
    Usage,
    Import,
    Liability,
    Erase,
}

impl Workflow {
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenAccount => "open an account",
            Self::Alerts => "low-balance alerts",
            Self::ExpiringCard => "card that expires",
            Self::Charge => "charge",
            Self::Batch => "batch of charges",
            Self::Restore => "restore",
            Self::Capture => "capture or void",
            Self::Expiry => "expiry",
            Self::Purchase => "purchase",
            Self::Invoice => "purchase by invoice",
            Self::Refund => "refund",
            Self::SupportRefund => "refund by support",
            Self::Reconciliation => "reconciliation",
            Self::Find => "missing credits",
            Self::AutoTopUp => "auto top-up settings",
            Self::SweepPaid => "sweep, paid",
            Self::SweepDeclined => "sweep, declined",
            Self::SweepActionRequired => "sweep, 3D Secure",
            Self::Retry => "retry of a top-up",
            Self::Resume => "resumption",
            Self::Reminders => "reminders",
            Self::Mail => "stream to e-mail",
            Self::Usage => "stream to usage",
            Self::Support => "acts of support",
            Self::Import => "import",
            Self::Liability => "closing a day",
            Self::Erase => "erasing an account",
        }
    }

    /// The functions that are killed.
    pub fn victims(self) -> &'static [&'static str] {
        match self {
            Self::OpenAccount | Self::AutoTopUp => &["accounts"],
            Self::Charge | Self::Batch | Self::Restore | Self::Capture => &["charging"],
            Self::Expiry => &["charge-expiry"],
            Self::Alerts | Self::ExpiringCard => &["alerts"],
            Self::Purchase => &["purchases", "stripe-webhooks"],
            Self::Invoice => &["purchases", "stripe-webhooks", "top-up-sweep"],
            Self::Refund => &["stripe-webhooks"],
            Self::SupportRefund => &["support", "stripe-webhooks"],
            Self::Reconciliation => &["reconciliation"],
            Self::Find => &["purchases"],
            Self::Retry | Self::Resume => &["accounts", "stripe-webhooks"],
            Self::SweepPaid | Self::Reminders => &["top-up-sweep", "stripe-webhooks"],
            Self::SweepDeclined | Self::SweepActionRequired => &["top-up-sweep", "stripe-webhooks", "purchases"],
            Self::Mail => &["notifications"],
            Self::Usage => &["usage"],
            Self::Support | Self::Import | Self::Erase => &["support"],
            Self::Liability => &["liability"],
        }
    }

    /// Plays it once. Returns the accounts whose books have to be checked.
    pub async fn play(self, world: &mut World) -> Result<Vec<String>, Broken> {
        let account = world.next_account();
        match self {
            Self::OpenAccount => open_account(world, &account).await?,
            Self::Charge => charge(world, &account).await?,
            Self::Batch => return batches(world, account).await,
            Self::Restore => restore(world, &account).await?,
            Self::Capture => capture(world, &account).await?,
            Self::Expiry => expiry(world, &account).await?,
            Self::Alerts => alerts(world, &account).await?,
            Self::ExpiringCard => expiring_card(world, &account).await?,
            Self::Purchase => purchase(world, &account).await?,
            Self::Invoice => invoice(world, &account).await?,
            Self::Refund => refund(world, &account).await?,
            Self::SupportRefund => support_refund(world, &account).await?,
            Self::Reconciliation => reconciliation(world, &account).await?,
            Self::Find => find(world, &account).await?,
            Self::AutoTopUp => auto_top_up(world, &account).await?,
            Self::SweepPaid => return sweep_paid(world).await,
            Self::SweepDeclined => sweep_declined(world, &account).await?,
            Self::SweepActionRequired => sweep_action_required(world, &account).await?,
            Self::Retry => retry(world, &account).await?,
            Self::Resume => resume(world, &account).await?,
            Self::Reminders => reminders(world, &account).await?,
            Self::Mail => return mail(world).await,
            Self::Usage => usage(world, &account).await?,
            Self::Support => support(world, &account).await?,
            Self::Import => return import(world, account).await,
            Self::Liability => {
                liability(world, &account).await?;
                // Its entries are older than they were made, so its chain does not hold any more.
                return Ok(vec![]);
            }
            Self::Erase => {
                erase(world, &account).await?;
                // What the books compare with Stripe and the inbox is erased.
                return Ok(vec![]);
            }
        }
        Ok(vec![account])
    }
}

async fn open_account(world: &mut World, account: &str) -> Result<(), Broken> {
    let body = json!({"account": account, "email": format!("owner@{account}.example")});
    world.arm();
    let token = world.cloud.cloud.service_token();
    let opened = world.send(Method::POST, "/v1/accounts", &token, None, &body).await;
    rule!(matches!(opened.status, 200 | 201), "an account is answered with {}: {}", opened.status, opened.text);
    let again = world.send(Method::POST, "/v1/accounts", &token, None, &body).await;
    rule!(again.is_replay && again.body == opened.body, "{} is not {}", again.text, opened.text);
    Ok(())
}

/// Charges a training of `minutes` minutes. Returns the answer if the balance covered it.
async fn charged(world: &World, account: &str, key: &str, minutes: i64) -> Result<Option<Value>, Broken> {
    let before = world.cloud.balance(account).await;
    let path = format!("/v1/accounts/{account}/charges");
    let body = json!({"operation": "training", "max_minutes": minutes});
    let answer = world.post(&path, key, &body).await;
    let price = minutes * 10;
    if answer.status == 402 {
        rule!(before < price, "{price} of {before} credits are refused");
        return Ok(None);
    }
    rule!(matches!(answer.status, 200 | 201), "a charge is answered with {}: {}", answer.status, answer.text);
    let after = (answer.body["credits"].as_i64(), answer.body["balance"].as_i64());
    rule!(after == (Some(price), Some(before - price)), "{price} of {before} credits are answered by {after:?}");
    let again = world.post(&path, key, &body).await;
    rule!(again.is_replay && again.body == answer.body, "{} is not {}", again.text, answer.text);
    Ok(Some(answer.body))
}

/// Charges until the balance is used up; the last charges are refused.
async fn charge(world: &mut World, account: &str) -> Result<(), Broken> {
    world.cloud.open_account(account).await;
    world.cloud.buy(account, "credits_500", CARD).await;
    for number in 0..10 {
        world.arm();
        let minutes = world.random.i64(3..=12);
        charged(world, account, &format!("job-{number}"), minutes).await?;
    }
    refused(world, account).await
}

/// What a function refuses is kept once it has answered, unless it is killed then; and nothing that was taken is among
/// it.
async fn refused(world: &World, account: &str) -> Result<(), Broken> {
    let token = world.cloud.cloud.service_token();
    for number in 0..40 {
        charged(world, account, &format!("poor-{number}"), 1_440).await?;
        let path = format!("/v1/accounts/{account}/requests");
        let listed = world.send(Method::GET, &path, &token, None, &Value::Null).await;
        let rows = listed.body["data"].as_array().cloned().unwrap_or_default();
        let history = world.cloud.history(account).await;
        let is_taken = |row: &Value| history.iter().any(|entry| entry["request_id"] == row["request_id"]);
        let taken = rows.iter().filter(|row| row["kind"] == "request").find(|row| is_taken(row));
        rule!(taken.is_none(), "a charge that was taken is shown as refused: {taken:?}");
        if !rows.is_empty() {
            return Ok(());
        }
    }
    Err("no refused charge is kept".to_owned())
}

/// Batches of both accounts, the last of which does not fit any more. Each has half of the charges of the one before.
async fn batches(world: &mut World, account: String) -> Result<Vec<String>, Broken> {
    let accounts = vec![account, world.next_account()];
    for account in &accounts {
        world.cloud.open_account(account).await;
        world.cloud.buy(account, "credits_500", CARD).await;
    }
    for round in 0..6 {
        let charges: Vec<Value> = (0..60)
            .map(|number| {
                let key = format!("job-{}", 30 * round + number);
                json!({"account": accounts[number % 2], "key": key, "operation": "training", "max_minutes": 1})
            })
            .collect();
        let body = json!({ "charges": charges });
        world.arm();
        let answer = world.post("/v1/charges/batch", "unused", &body).await;
        rule!(answer.status == 200, "a batch is answered with {}: {}", answer.status, answer.text);
        let results = answer.body["results"].as_array().cloned().unwrap_or_default();
        rule!(results.len() == charges.len(), "{} results for {} charges", results.len(), charges.len());
        let mut taken = 0;
        for (number, result) in results.iter().enumerate() {
            let is_known = matches!(result["status"].as_i64(), Some(200 | 201 | 402));
            let is_charged = result["charge"]["charge"] == charges[number]["key"] && result["charge"]["credits"] == 10;
            rule!(is_known && is_charged != (result["status"] == 402), "{} is answered with {result}", charges[number]);
            taken += usize::from(is_charged);
        }
        // 50 charges of each account fit, and 30 of each are in the first batch, 15 more in each of the others.
        let expected = [60, 60, 40, 10, 0, 0][round];
        rule!(taken == expected, "{taken} of the charges of batch {round} are taken, not {expected}");
        let again = world.post("/v1/charges/batch", "unused", &body).await;
        let expected = answer.text.replace(r#""status":201"#, r#""status":200"#);
        rule!(again.text == expected, "{} is not {expected}", again.text);
    }
    Ok(accounts)
}

async fn restore(world: &mut World, account: &str) -> Result<(), Broken> {
    world.cloud.open_account(account).await;
    world.cloud.buy(account, "credits_500", CARD).await;
    for number in 0..8 {
        let key = format!("job-{number}");
        let minutes = world.random.i64(5..=50);
        rule!(charged(world, account, &key, minutes).await?.is_some(), "the balance was not restored");
        world.arm();
        let path = format!("/v1/accounts/{account}/charges/{key}/restore");
        let restored = world.post(&path, &key, &Value::Null).await;
        rule!(matches!(restored.status, 200 | 201), "a restore is answered with {}", restored.text);
        let again = world.post(&path, &key, &Value::Null).await;
        rule!(again.is_replay && again.body == restored.body, "{} is not {}", again.text, restored.text);
        world.killer.disarm();
        let balance = world.cloud.balance(account).await;
        rule!(balance == 500, "500 credits have become {balance}");
    }
    Ok(())
}

/// Credits are given and taken by hand, and a check then tops the account up.
async fn support(world: &mut World, account: &str) -> Result<(), Broken> {
    world.cloud.open_due_account(account, "pm_card_visa").await;
    let (token, path) = (world.cloud.support_token(), format!("/v1/support/accounts/{account}"));
    let mut balance = world.cloud.balance(account).await;
    for number in 0..6 {
        let some = world.random.i64(1..=50);
        let credits = match number {
            0 => 300,
            _ if world.random.bool() => some,
            _ => -some,
        };
        balance += credits;
        let body = json!({"credits": credits, "reason": "The upload failed."});
        let (path, key) = (format!("{path}/adjustments"), format!("case-{number}"));
        world.arm();
        let adjusted = world.send(Method::POST, &path, &token, Some(&key), &body).await;
        rule!(matches!(adjusted.status, 200 | 201), "an adjustment is answered with {}", adjusted.text);
        rule!(adjusted.body["balance"] == balance, "{balance} credits are {}", adjusted.text);
        let again = world.send(Method::POST, &path, &token, Some(&key), &body).await;
        rule!(again.is_replay && again.body == adjusted.body, "{} is not {}", again.text, adjusted.text);
    }
    world.arm();
    let reason = json!({"reason": "The customer asks."});
    let checked = world.send(Method::POST, &format!("{path}/auto-top-up/check"), &token, None, &reason).await;
    rule!(checked.status == 200, "a check is answered with {}", checked.text);
    world.killer.disarm();
    world.sweep().await?;
    let balance = world.cloud.balance(account).await;
    rule!(balance == 5_000, "{account} was topped up to {balance}");
    let acts = world.send(Method::GET, &format!("{path}/acts"), &token, None, &Value::Null).await;
    let kinds = acts.body["data"].as_array().into_iter().flatten().map(|act| text(act, "kind").to_owned());
    let kinds: Vec<String> = kinds.collect();
    let count = |kind: &str| kinds.iter().filter(|known| *known == kind).count();
    rule!(count("adjusted") == 6 && count("top_up_checked") >= 1, "the acts are {kinds:?}");
    Ok(())
}

/// A training that is charged pending for an hour.
async fn held(world: &World, account: &str, key: &str, minutes: i64, seconds: i64) -> Result<(), Broken> {
    let body = json!({"operation": "training", "max_minutes": minutes, "expires_in_seconds": seconds});
    let held = world.post(&format!("/v1/accounts/{account}/charges"), key, &body).await;
    rule!(matches!(held.status, 200 | 201), "a pending charge is answered with {}", held.text);
    rule!(held.body["status"] == "pending", "a pending charge is {}", held.text);
    Ok(())
}

/// Captures a part of a pending charge, or voids it.
async fn capture(world: &mut World, account: &str) -> Result<(), Broken> {
    world.cloud.open_account(account).await;
    world.cloud.buy(account, "credits_500", CARD).await;
    let mut balance = 500;
    for number in 0..8 {
        let key = format!("job-{number}");
        world.arm();
        held(world, account, &key, 10, 3_600).await?;
        let minutes = world.random.i64(0..=4);
        let (end, body) =
            if minutes == 0 { ("void", Value::Null) } else { ("capture", json!({ "max_minutes": minutes })) };
        world.arm();
        let path = format!("/v1/accounts/{account}/charges/{key}/{end}");
        let ended = world.post(&path, &key, &body).await;
        rule!(matches!(ended.status, 200 | 201), "a {end} is answered with {}", ended.text);
        balance -= minutes * 10;
        let after = (ended.body["credits_kept"].as_i64(), ended.body["balance"].as_i64());
        rule!(
            after == (Some(minutes * 10), Some(balance)),
            "a {end} of {minutes} minutes is answered by {}",
            ended.text
        );
        let again = world.post(&path, &key, &body).await;
        rule!(again.is_replay && again.body == ended.body, "{} is not {}", again.text, ended.text);
        world.killer.disarm();
        let now = world.cloud.balance(account).await;
        rule!(now == balance, "{balance} credits have become {now}");
    }
    Ok(())
}

/// Several charges of an account expire at once.
async fn expiry(world: &mut World, account: &str) -> Result<(), Broken> {
    world.cloud.open_account(account).await;
    world.cloud.buy(account, "credits_500", CARD).await;
    for number in 0..world.random.u32(1..=5) {
        let key = format!("job-{number}");
        held(world, account, &key, 5, 60).await?;
        world.let_a_minute_pass(account, &key).await;
    }
    world.arm();
    world.expire_charges().await?;
    world.killer.disarm();
    let balance = world.cloud.balance(account).await;
    rule!(balance == 500, "500 credits have become {balance}");
    Ok(())
}

/// A balance that falls below a level is told once, in whichever call the evaluation is killed.
async fn alerts(world: &mut World, account: &str) -> Result<(), Broken> {
    world.cloud.open_account(account).await;
    world.cloud.buy(account, "credits_500", CARD).await;
    let token = world.cloud.cloud.customer_token(account);
    let levels = json!({"levels": [{"credits": 300}, {"credits": 100}, {"days_left": 3}]});
    let path = format!("/v1/accounts/{account}/alerts");
    world.cloud.put(&path, &token, &levels).await.expect(200);
    world.evaluate_alerts().await?;
    for (number, minutes) in [(1, 25), (2, 10), (3, 15)] {
        charged(world, account, &format!("job-{number}"), minutes).await?;
        world.arm();
        world.evaluate_alerts().await?;
        world.killer.disarm();
    }
    let books = Books::read(&world.cloud, account).await?;
    let levels = books.of_kind("NOTICE").filter(|(_, notice)| notice["kind"] == "low_balance");
    let mut told: Vec<_> = levels.filter_map(|(_, notice)| notice["level"]["number"].as_i64()).collect();
    told.sort_unstable();
    rule!(told == [100, 300], "{account} was told {told:?}");
    let exhausted = books.of_kind("OUTBOX").filter(|(_, event)| event["type"] == "credits.exhausted").count();
    rule!(exhausted == 1, "exhaustion of {account} is told {exhausted} times");
    Ok(())
}

/// A card that expires is told of once when it is near, in whichever call the run is killed.
async fn expiring_card(world: &mut World, account: &str) -> Result<(), Broken> {
    world.cloud.open_account(account).await;
    let now = world.cloud.now();
    let expiry = Expiry::parse(&now.strftime("%Y-%m").to_string()).ok_or("a month")?;
    // The functions use the machine's clock, and a month of 31 days ends in more than thirty on its first day.
    let expected = usize::from(expiry.is_near_at(now));
    let (month, year) = (expiry.month().to_string(), expiry.year().to_string());
    let card = [("type", "card"), ("card[number]", CARD), ("card[exp_month]", &month), ("card[exp_year]", &year)];
    let made = world.cloud.stripe_post("/v1/payment_methods", &card).await;
    let card = made["id"].as_str().ok_or("a card has an id")?;
    world.cloud.save_card(account, card).await;
    world.cloud.turn_on_auto_top_up(account, 100, 1_100).await;
    // The account is not due for a top-up.
    world.cloud.buy(account, "credits_500", "5555555555554444").await;
    world.cloud.save_card(account, card).await;
    world.arm();
    world.evaluate_alerts().await?;
    world.killer.disarm();
    let books = Books::read(&world.cloud, account).await?;
    let told = books.of_kind("NOTICE").filter(|(_, notice)| notice["kind"] == "card_expiring").count();
    rule!(told == expected, "{account} was told {told} times that its card expires, not {expected} times");
    Ok(())
}

/// The page, the payment, and the grant, either by the webhook or when the customer checks the purchase.
async fn purchase(world: &mut World, account: &str) -> Result<(), Broken> {
    world.cloud.open_account(account).await;
    world.arm();
    let (purchase, page) = world.open_purchase(account, "credits_5000").await?;
    world.cloud.pay_page(&page, CARD).await;
    let path = format!("/v1/accounts/{account}/purchases/{purchase}");
    world.arm();
    let looks_early = world.random.bool();
    if looks_early {
        let token = world.cloud.cloud.customer_token(account);
        let seen = world.send(Method::GET, &path, &token, None, &Value::Null).await;
        rule!(seen.body["status"] == "paid", "the customer sees {}", seen.text);
    }
    world.arm();
    world.deliver_webhooks().await?;
    let books = Books::read(&world.cloud, account).await?;
    rule!(books.state["balance"] == 5_000, "{account} has {}", books.state["balance"]);
    // The card is saved for top-ups, both in the account and as the customer's default at Stripe.
    let customer = world.cloud.stripe_get(&format!("/v1/customers/{}", text(&books.state, "customer"))).await;
    let default = &customer["invoice_settings"]["default_payment_method"];
    rule!(books.state["payment_method"] == *default, "{default} is not the card of {account}");
    Ok(())
}

/// An invoice is made once and told once; it is paid on its page, or reminded of and voided by sweeps.
async fn invoice(world: &mut World, account: &str) -> Result<(), Broken> {
    world.cloud.open_account(account).await;
    world.arm();
    let path = format!("/v1/accounts/{account}/purchases");
    let order = json!({"package": "credits_5000", "pay_by": "invoice", "days_until_due": 7});
    let ordered = world.post(&path, "buy", &order).await;
    rule!(matches!(ordered.status, 200 | 201), "an order is answered with {}: {}", ordered.status, ordered.text);
    let id = text(&ordered.body["invoice"], "invoice").to_owned();
    let owed = |books: &Books, kind: &str| books.of_kind("NOTICE").filter(|(_, notice)| notice["kind"] == kind).count();
    let issued = owed(&Books::read(&world.cloud, account).await?, "invoice_issued");
    rule!(issued == 1, "the invoice of {account} is told {issued} times");
    let is_paid = world.random.bool();
    if is_paid {
        let made = world.cloud.stripe_get(&format!("/v1/invoices/{id}")).await;
        world.cloud.pay_page(text(&made, "hosted_invoice_url"), CARD).await;
        world.arm();
        let path = format!("{path}/{}", text(&ordered.body, "purchase"));
        if world.random.bool() {
            let token = world.cloud.cloud.customer_token(account);
            let seen = world.send(Method::GET, &path, &token, None, &Value::Null).await;
            rule!(seen.body["status"] == "paid", "the customer sees {}", seen.text);
        }
    } else {
        for days in [8, 14] {
            world.let_invoices_age(account, days).await;
            world.arm();
            world.sweep().await?;
        }
    }
    world.arm();
    world.deliver_webhooks().await?;
    world.killer.disarm();
    let books = Books::read(&world.cloud, account).await?;
    let told = ["invoice_reminder", "invoice_voided", "purchase_paid"].map(|kind| owed(&books, kind));
    let expected = if is_paid { [0, 0, 1] } else { [1, 1, 0] };
    rule!(told == expected, "{account} is owed {told:?} mails, not {expected:?}");
    rule!(books.state.get("unpaid").is_none(), "{account} still counts an unpaid invoice");
    Ok(())
}

/// Refunds in parts, some of which fail, a dispute that is won, and the events about them.
async fn refund(world: &mut World, account: &str) -> Result<(), Broken> {
    world.cloud.open_account(account).await;
    world.cloud.buy(account, "credits_5000", CARD).await;
    let charge = Books::read(&world.cloud, account).await?.charges[0].clone();
    for _ in 0..6 {
        let amount = world.random.i64(1..=800).to_string();
        let form = [("charge", text(&charge, "id")), ("amount", amount.as_str())];
        let made = world.cloud.stripe_post("/v1/refunds", &form).await;
        let fails = world.random.bool();
        if fails {
            let failed = world.cloud.cloud.stripe.settle_refund(text(&made, "id"), "failed");
            rule!(failed.is_ok(), "{made} does not fail: {failed:?}");
        }
        world.arm();
        world.deliver_webhooks().await?;
        world.killer.disarm();
        Books::read(&world.cloud, account).await?.check_reversals()?;
    }
    let opened = world.cloud.cloud.stripe.open_dispute(text(&charge, "id"));
    let Ok(dispute) = opened else { return Err(format!("{charge} cannot be disputed: {opened:?}")) };
    for (is_won, status) in [(false, DisputeStatus::NeedsResponse), (true, DisputeStatus::Won)] {
        if is_won {
            let decided = world.cloud.cloud.stripe.decide_dispute(&dispute, true);
            rule!(decided.is_ok(), "{dispute} is not won: {decided:?}");
        }
        world.arm();
        world.deliver_webhooks().await?;
        world.killer.disarm();
        let id = DisputeId::parse(dispute.clone()).map_err(|error| error.to_string())?;
        let kept = world.cloud.ledger().dispute_get(&id).await.map_err(|error| error.to_string())?;
        let kept = kept.map(|dispute| dispute.shown.status);
        rule!(kept == Some(status), "{dispute} is kept as {kept:?}, not {status:?}");
    }
    Books::read(&world.cloud, account).await?.check_reversals()
}

/// Refunds that support asks for, each until it is answered, and the events about them.
async fn support_refund(world: &mut World, account: &str) -> Result<(), Broken> {
    world.cloud.open_account(account).await;
    world.cloud.buy(account, "credits_5000", CARD).await;
    let purchases =
        world.cloud.get(&format!("/v1/accounts/{account}/purchases"), &world.cloud.cloud.service_token()).await;
    let path =
        format!("/v1/support/accounts/{account}/purchases/{}/refunds", text(&purchases.body["data"][0], "purchase"));
    let (token, mut refunded) = (world.cloud.support_token(), 0);
    for number in 0..6 {
        let amount = world.random.i64(1..=800);
        let body = json!({"amount": amount, "reason": "The customer asks."});
        world.arm();
        let answer = world.send(Method::POST, &path, &token, Some(&format!("refund-{number}")), &body).await;
        rule!([200, 201].contains(&answer.status), "a refund is answered with {}: {}", answer.status, answer.text);
        refunded += amount;
        rule!(answer.body["amount"] == amount, "{amount} were to be refunded: {}", answer.text);
        world.arm();
        world.deliver_webhooks().await?;
        world.killer.disarm();
        let books = Books::read(&world.cloud, account).await?;
        books.check_reversals()?;
        let at_stripe = books.charges[0]["amount_refunded"].as_i64();
        rule!(at_stripe == Some(refunded), "Stripe gave back {at_stripe:?}, not {refunded}");
    }
    Ok(())
}

/// No webhook arrives. However often the runs are killed, what was paid and refunded is applied once.
async fn reconciliation(world: &mut World, account: &str) -> Result<(), Broken> {
    world.cloud.open_account(account).await;
    let unheard = WebhookConduct { drop_next: u32::MAX, ..WebhookConduct::default() };
    world.cloud.cloud.stripe.set_webhook_conduct(unheard);
    let mut expected = 0;
    for (package, credits) in
        [("credits_500", 500), ("credits_5000", 5_000), ("credits_50000", 50_000), ("credits_125000", 125_000)]
    {
        world.cloud.buy(account, package, CARD).await;
        expected += credits;
        if world.random.bool() {
            let charge = Books::read(&world.cloud, account).await?.charges[0].clone();
            let form = [("charge", text(&charge, "id")), ("amount", "100")];
            world.cloud.stripe_post("/v1/refunds", &form).await;
            expected -= 100;
        }
        // A run is long, so it seldom outlives the killer. The last try is left alone.
        let mut is_complete = false;
        for tries_left in (0..TRIES_MAX).rev() {
            world.arm();
            if tries_left == 0 {
                world.killer.disarm();
            }
            let run = world.cloud.cloud.reconcile().await;
            is_complete = run.is_ok_and(|summary| summary["is_complete"] == true && summary["failed"] == 0);
            if is_complete {
                break;
            }
        }
        world.killer.disarm();
        rule!(is_complete, "no reconciliation gets to the end");
        let balance = world.cloud.balance(account).await;
        rule!(balance == expected, "{account} has {balance} instead of {expected}");
        Books::read(&world.cloud, account).await?.check_reversals()?;
    }
    world.cloud.cloud.stripe.set_webhook_conduct(WebhookConduct::default());
    Ok(())
}

/// No webhook arrives. However often the function is killed, the customer who asks gets what was paid once.
async fn find(world: &mut World, account: &str) -> Result<(), Broken> {
    world.cloud.open_account(account).await;
    let unheard = WebhookConduct { drop_next: u32::MAX, ..WebhookConduct::default() };
    world.cloud.cloud.stripe.set_webhook_conduct(unheard);
    let (path, token) = (format!("/v1/accounts/{account}/purchases/find"), world.cloud.cloud.customer_token(account));
    let mut expected = 0;
    for (package, credits) in [("credits_500", 500), ("credits_5000", 5_000), ("credits_50000", 50_000)] {
        world.cloud.buy(account, package, CARD).await;
        let charge = Books::read(&world.cloud, account).await?.charges[0].clone();
        let is_refunded = world.random.bool();
        if is_refunded {
            let form = [("charge", text(&charge, "id")), ("amount", "100")];
            world.cloud.stripe_post("/v1/refunds", &form).await;
        }
        expected += credits - if is_refunded { 100 } else { 0 };
        for _ in 0..TRIES_MAX {
            world.arm();
            let found = world.send(Method::POST, &path, &token, None, &json!({"payment": charge["id"]})).await;
            world.killer.disarm();
            // A killed function has counted the question. The functions use the machine's clock, for which no test waits.
            world.forget_claims(account).await;
            if found.status != 429 {
                let result = found.body["data"][0]["result"].as_str().unwrap_or_default().to_owned();
                let allowed: &[&str] = if is_refunded { &["refunded"] } else { &["granted", "already_granted"] };
                rule!(allowed.contains(&result.as_str()), "{account} is told {}", found.text);
                break;
            }
        }
        let balance = world.cloud.balance(account).await;
        rule!(balance == expected, "{account} has {balance} instead of {expected}");
        Books::read(&world.cloud, account).await?.check_reversals()?;
    }
    world.cloud.cloud.stripe.set_webhook_conduct(WebhookConduct::default());
    Ok(())
}

async fn auto_top_up(world: &mut World, account: &str) -> Result<(), Broken> {
    world.cloud.open_account(account).await;
    let path = format!("/v1/accounts/{account}/auto-top-up");
    let token = world.cloud.cloud.customer_token(account);
    let mut settings = (false, 0, 0);
    for _ in 0..10 {
        let threshold = world.random.i64(100..=9_000);
        let body = if world.random.u8(..4) == 0 {
            settings.0 = false;
            json!({"enabled": false})
        } else {
            settings = (true, threshold, threshold + 1_000);
            let consent = json!({"text_version": 3, "accepted_by": "owner"});
            let max_per_month = world.random.bool().then_some(20_000);
            json!({
                "enabled": true, "threshold": threshold, "target": threshold + 1_000, "max_per_month": max_per_month,
                "consent": consent,
            })
        };
        world.arm();
        let answer = world.send(Method::PUT, &path, &token, None, &body).await;
        rule!(answer.status == 200, "settings are answered with {}: {}", answer.status, answer.text);
    }
    world.killer.disarm();
    let books = Books::read(&world.cloud, account).await?;
    let stored = &books.state["auto_top_up"];
    let Some(target) = stored["target"].as_i64() else {
        rule!(!settings.0, "settings that were answered are not stored");
        return Ok(());
    };
    let kept = (stored["is_enabled"] == true, stored["threshold"].as_i64().unwrap_or_default(), target);
    rule!(kept == settings, "{settings:?} were stored as {kept:?}");
    let consent = books.of_kind("CONSENT").find(|(id, _)| stored["consent"]["id"] == *id);
    rule!(consent.is_some_and(|(_, consent)| consent["target"] == target), "the consent to {target} is not stored");
    Ok(())
}

/// Two accounts per sweep, so that a sweep is killed while several top-ups are under way.
async fn sweep_paid(world: &mut World) -> Result<Vec<String>, Broken> {
    let accounts = vec![world.next_account(), world.next_account()];
    for account in &accounts {
        world.cloud.open_due_account(account, "pm_card_visa").await;
    }
    world.arm();
    world.sweep().await?;
    world.arm();
    world.deliver_webhooks().await?;
    world.killer.disarm();
    for account in &accounts {
        let balance = world.cloud.balance(account).await;
        rule!(balance == 5_000, "{account} was topped up to {balance}");
    }
    // The balance falls below the threshold again at once, but is not topped up again within six hours.
    let body = json!({"operation": "dubbing", "duration_ms": 4_500 * 6_000});
    world.post(&format!("/v1/accounts/{}/charges", accounts[0]), "job", &body).await.expect(201);
    world.arm();
    expect_nothing_due(world).await?;
    Ok(accounts)
}

async fn sweep_declined(world: &mut World, account: &str) -> Result<(), Broken> {
    world.cloud.open_due_account(account, "pm_card_chargeCustomerFail").await;
    let page = paused(world, account, "declined").await?;
    world.cloud.pay_page(&page, "5555555555554444").await;
    resumed(world, account).await
}

async fn sweep_action_required(world: &mut World, account: &str) -> Result<(), Broken> {
    world.cloud.open_due_account(account, "pm_card_authenticationRequired").await;
    let page = paused(world, account, "action_required").await?;
    world.cloud.answer_bank(&page, "complete").await;
    resumed(world, account).await
}

/// From the sweep to Stripe's page: the account is paused and notified, and no later sweep charges it.
async fn paused(world: &mut World, account: &str, kind: &str) -> Result<String, Broken> {
    world.arm();
    world.sweep().await?;
    world.arm();
    world.deliver_webhooks().await?;
    world.send_mails().await?;
    let books = Books::read(&world.cloud, account).await?;
    let issue = &books.state["payment_issue"]["kind"];
    rule!(issue == kind, "{account} is paused by {issue}, not {kind}");
    world.arm();
    expect_nothing_due(world).await?;
    world.killer.disarm();
    let after = Books::read(&world.cloud, account).await?;
    rule!(after.charges == books.charges, "{account} is charged although it is paused: {:?}", after.charges);
    world.arm();
    world.hosted_page(account).await
}

async fn resumed(world: &mut World, account: &str) -> Result<(), Broken> {
    world.arm();
    world.deliver_webhooks().await?;
    world.arm();
    expect_nothing_due(world).await?;
    world.killer.disarm();
    let state = Books::read(&world.cloud, account).await?.state;
    rule!(state.get("payment_issue").is_none(), "{account} stays paused: {state}");
    rule!(state["balance"] == 5_000, "{account} has {}", state["balance"]);
    Ok(())
}

/// An account whose card was declined, and which has a better one.
async fn declined(world: &mut World, account: &str) -> Result<(), Broken> {
    world.cloud.open_due_account(account, "pm_card_chargeCustomerFail").await;
    world.sweep().await?;
    world.deliver_webhooks().await?;
    world.cloud.save_card(account, "pm_card_visa").await;
    Ok(())
}

/// Each key is one payment, in whichever call the request is killed, and though Stripe's event may come first.
async fn retry(world: &mut World, account: &str) -> Result<(), Broken> {
    declined(world, account).await?;
    let path = format!("/v1/accounts/{account}/auto-top-up/retry");
    world.arm();
    let paid = world.post(&path, "again", &json!({})).await;
    rule!(matches!(paid.status, 200 | 201), "a retry is answered with {}: {}", paid.status, paid.text);
    rule!(paid.body["outcome"] == "paid", "a retry ends as {}", paid.text);
    if world.random.bool() {
        world.arm();
        world.deliver_webhooks().await?;
    }
    let again = world.post(&path, "again", &json!({})).await;
    rule!(again.is_replay && again.body["outcome"] == "paid", "a retry is repeated as {}", again.text);
    resumed(world, account).await
}

/// The invoice is void, nothing is paid, and automatic top-ups stay on.
async fn resume(world: &mut World, account: &str) -> Result<(), Broken> {
    declined(world, account).await?;
    let path = format!("/v1/accounts/{account}/auto-top-up/resume");
    world.arm();
    let ended = world.post(&path, "unused", &json!({})).await;
    rule!(ended.status == 200, "a resumption is answered with {}: {}", ended.status, ended.text);
    world.arm();
    world.deliver_webhooks().await?;
    world.killer.disarm();
    let books = Books::read(&world.cloud, account).await?;
    rule!(books.state.get("payment_issue").is_none(), "{account} stays paused: {}", books.state);
    rule!(books.state["auto_top_up"]["is_enabled"] == true, "the top-ups of {account} are off");
    let statuses: Vec<_> = books.of_kind("TOP_UP").map(|(_, top_up)| text(top_up, "status").to_owned()).collect();
    rule!(statuses == ["abandoned"], "the top-ups of {account} are {statuses:?}");
    expect_nothing_due(world).await
}

/// A reminder once, and then the end of the month: the invoice is void, unless it was paid on its page just before.
async fn reminders(world: &mut World, account: &str) -> Result<(), Broken> {
    declined(world, account).await?;
    world.send_mails().await?;
    let days = [1, 4, 8][world.random.usize(0..3)];
    world.let_days_pass(account, days).await;
    world.arm();
    world.sweep().await?;
    let owed = |books: &Books, kind: &str| books.of_kind("NOTICE").filter(|(_, notice)| notice["kind"] == kind).count();
    let books = Books::read(&world.cloud, account).await?;
    let reminded = owed(&books, "payment_reminder");
    rule!(reminded == 1, "after {days} days, {account} is owed {reminded} reminders");
    world.killer.disarm();
    world.send_mails().await?;
    world.let_days_pass(account, 30 - days).await;
    let is_paid = world.random.bool();
    if is_paid {
        let page = world.hosted_page(account).await?;
        world.cloud.pay_page(&page, CARD).await;
    }
    world.arm();
    world.sweep().await?;
    world.arm();
    world.deliver_webhooks().await?;
    world.killer.disarm();
    let books = Books::read(&world.cloud, account).await?;
    let told = (owed(&books, "payment_reminder"), owed(&books, "top_up_abandoned"), owed(&books, "top_up_paid"));
    let expected = (1, usize::from(!is_paid), usize::from(is_paid));
    rule!(told == expected, "{account} is owed {told:?} mails, not {expected:?}");
    rule!(books.state.get("payment_issue").is_none(), "{account} stays paused: {}", books.state);
    rule!(books.state["auto_top_up"]["is_enabled"] == is_paid, "the top-ups of {account}: {}", books.state);
    let due = books.of_kind("TOP_UP").find(|(_, top_up)| top_up.get("due_at").is_some());
    rule!(due.is_none(), "{account} is still due: {due:?}");
    Ok(())
}

async fn expect_nothing_due(world: &mut World) -> Result<(), Broken> {
    let summary = world.sweep().await?;
    rule!(summary["due"] == 0, "something is still due: {summary}");
    Ok(())
}

/// Several receipts are due at once, so that they are sent in one batch.
async fn mail(world: &mut World) -> Result<Vec<String>, Broken> {
    let mut accounts = vec![];
    for _ in 0..world.random.u32(1..=6) {
        let account = world.next_account();
        world.cloud.open_account(&account).await;
        let (_, page) = world.open_purchase(&account, "credits_500").await?;
        world.cloud.pay_page(&page, CARD).await;
        accounts.push(account);
    }
    world.deliver_webhooks().await?;
    // Fewer than the tries after which the template drops a record.
    world.arm_up_to(15);
    world.send_mails().await?;
    Ok(accounts)
}

/// Batches of charges, some restored, that end several blocks of entries.
async fn usage(world: &mut World, account: &str) -> Result<(), Broken> {
    world.cloud.open_account(account).await;
    world.cloud.buy(account, "credits_5000", CARD).await;
    let token = world.cloud.cloud.service_token();
    for round in 0..world.random.u32(2..=4) {
        let charge = |number: u32| {
            let spender = format!("key-{}", number % 7);
            json!({"account": account, "key": format!("job-{round}-{number}"), "operation": "dubbing",
                "duration_ms": 1_000 * number + 1, "spender": spender})
        };
        let charges: Vec<Value> = (0..100).map(charge).collect();
        world.post("/v1/charges/batch", "unused", &json!({ "charges": charges })).await;
        let restore = format!("/v1/accounts/{account}/charges/job-{round}-3/restore");
        world.cloud.post(&restore, &token, None, &json!({})).await.expect(201);
    }
    // Fewer than the tries after which the template drops a record.
    world.arm_up_to(15);
    world.send_mails().await
}

fn text<'a>(item: &'a Value, name: &str) -> &'a str {
    item[name].as_str().unwrap_or_default()
}

/// Accounts are opened with their balances. A line that was answered is not imported again.
async fn import(world: &mut World, account: String) -> Result<Vec<String>, Broken> {
    let accounts = vec![account, world.next_account(), world.next_account()];
    let lines: Vec<String> = (1..)
        .zip(&accounts)
        .map(|(number, account)| format!("{account},owner@{account}.example,{},{account}-row\n", 100 * number))
        .collect();
    let table = format!("account,email,credits,source_id\n{}", lines.concat());
    for _ in 0..TRIES_MAX {
        world.arm();
        let answer = world.import(&table).await;
        rule!(answer.status == 200, "an import is answered with {}: {}", answer.status, answer.text);
        if answer.body["is_complete"] == true {
            break;
        }
    }
    world.killer.disarm();
    let again = world.import(&table).await;
    let results = again.body["lines"].as_array().cloned().unwrap_or_default();
    let is_done = results.iter().all(|line| line["result"] == "already_imported");
    rule!(is_done && results.len() == accounts.len(), "an import that was answered is answered with {}", again.text);
    for (number, account) in (1..).zip(&accounts) {
        let balance = world.cloud.balance(account).await;
        rule!(balance == 100 * number, "{} credits were imported as {balance}", 100 * number);
    }
    Ok(accounts)
}

/// The day before yesterday is counted although the run is killed again and again, and each account once.
async fn liability(world: &mut World, account: &str) -> Result<(), Broken> {
    world.cloud.open_account(account).await;
    world.cloud.buy(account, "credits_500", CARD).await;
    let day = world.let_two_days_pass(account).await;
    for _ in 0..TRIES_MAX {
        world.arm();
        if world.cloud.cloud.close_days().await.is_ok_and(|summary| summary["is_complete"] == true) {
            break;
        }
    }
    world.killer.disarm();
    let path = format!("/v1/support/liability?on={day}");
    let answer = world.send(Method::GET, &path, &world.cloud.support_token(), None, &Value::Null).await;
    rule!(answer.status == 200, "{day} is not closed: {}", answer.text);
    let expected = (json!(world.aged), json!(500 * world.aged), json!(true));
    let said = (answer.body["accounts"].clone(), answer.body["outstanding"].clone(), answer.body["agrees"].clone());
    rule!(said == expected, "{said:?} instead of {expected:?}");
    Ok(())
}

/// However often erasing is killed, nothing personal is left in the end, every entry holds its place and the credits
/// stay.
async fn erase(world: &mut World, account: &str) -> Result<(), Broken> {
    const PERSONAL: &str = "Ada Lovelace";
    world.cloud.open_account(account).await;
    world.cloud.buy(account, "credits_500", CARD).await;
    let token = world.cloud.cloud.customer_token(account);
    for stopped in [true, false] {
        let stop = json!({"stopped": stopped, "changed_by": PERSONAL});
        world.cloud.put(&format!("/v1/accounts/{account}/spending"), &token, &stop).await.expect(200);
    }
    let charge = |number: u32| {
        json!({"account": account, "key": format!("job-{number}"), "operation": "dubbing", "duration_ms": 1_000,
            "reference": format!("{PERSONAL}, {number}"), "spender": "ada@lovelace.example"})
    };
    let count = world.random.u32(1..=40);
    let charges: Vec<Value> = (0..count).map(charge).collect();
    world.post("/v1/charges/batch", "unused", &json!({ "charges": charges })).await.expect(200);
    world.send_mails().await?;
    let before = Books::read(&world.cloud, account).await?;
    let path = format!("/v1/support/accounts/{account}/erase");
    let (support, reason) = (world.cloud.support_token(), json!({"reason": "The customer asks."}));
    for _ in 0..TRIES_MAX {
        world.arm();
        let erased = world.send(Method::POST, &path, &support, None, &reason).await;
        rule!(erased.status == 200, "an erasure is answered with {}: {}", erased.status, erased.text);
        if erased.body["complete"] == true {
            break;
        }
    }
    world.killer.disarm();
    let after = Books::read(&world.cloud, account).await?;
    let left = after.naming(&[PERSONAL, "ada@lovelace.example", &format!("owner@{account}.example")]);
    rule!(left.is_empty(), "after {account} was erased, there are {left:?}");
    rule!(after.state["balance"] == before.state["balance"], "{account} has {}", after.state["balance"]);
    rule!(after.state["salt"] != before.state["salt"], "the salt of {account} stays");
    let money = |books: &Books| -> Vec<_> {
        let entries = books.of_kind("ENTRY").map(|(_, entry)| (entry["seq"].as_i64(), entry["credits"].as_i64()));
        entries.collect()
    };
    rule!(money(&after) == money(&before), "the entries of {account} have changed");
    let hash = |books: &Books| books.of_kind("ENTRY").map(|(_, entry)| entry["hash"].clone()).collect::<Vec<_>>();
    rule!(hash(&after) == hash(&before), "the hashes of {account} have changed");
    let path = format!("/v1/accounts/{account}/history/verify");
    let verified = world.cloud.get(&path, &world.cloud.cloud.service_token()).await.expect(200).body;
    rule!(verified["status"] == "verified", "the ledger of {account}: {verified}");
    Ok(())
}
