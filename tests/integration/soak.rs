//! Weeks of business on a bad network: Stripe loses every second answer, answers 500 to a tenth of the rest, and delivers its
//! events twice, in any order and with a fifth of them lost. At the end every cent has its credit, and nothing happened twice.

use crate::support::{TestCloud, options};
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};
use local_stripe::{RandomFaults, WebhookConduct};
use reqwest::Method;
use serde_json::{Value, json};
use shared::domain::payments::{Purchase, TopUp, TopUpStatus};
use shared::domain::{AccountId, Cause, Entry, Notice, NoticeKind, PurchaseStatus};
use shared::ledger::DynamoLedger;
use shared::ports::{History, NoticeList, PurchaseList, TopUpList};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use tempfile::TempDir;

const VISA: &str = "4242424242424242";
const ACCOUNTS: usize = 92;
/// The first accounts have a card that is declined, the next one that the bank asks about.
const DECLINED: usize = 6;
const ASKED_ABOUT: usize = 6;
const ROUNDS: usize = 12;
const SINGLE_CHARGES_A_ROUND: usize = 6;
const BATCHED_CHARGES_A_ROUND: usize = 4;
const BATCH_MAX: usize = 100;
const PURCHASES_A_ROUND: usize = 17;
const REFUNDS_A_ROUND: usize = 9;
const DISPUTES_A_ROUND: usize = 3;
const CARDS_EXHAUSTED_A_ROUND: usize = 8;
/// Requests are repeated until they are answered. Each can fail at every call of Stripe.
const TRIES_MAX: u32 = 400;
/// At most one attempt in this time.
const BETWEEN_ATTEMPTS: SignedDuration = SignedDuration::from_hours(6);

/// The runtime's time moves on by itself, so that nobody waits for the pauses between two tries.
#[tokio::test(start_paused = true)]
async fn after_weeks_of_lost_answers_and_lost_events_every_cent_has_its_credit() {
    let mut soak = Soak::start().await;
    for round in 0..ROUNDS {
        soak.charge(round).await;
        soak.buy(round).await;
        soak.decide_disputes().await;
        soak.refund(round).await;
        soak.dispute().await;
        soak.end_pauses(round).await;
        soak.exhaust_cards().await;
        soak.pass().await;
    }
    soak.come_to_rest().await;
    let books = Books::read(&soak).await;
    books.every_cent_has_its_credit();
    books.each_payment_is_granted_once();
    books.no_attempt_is_early();
    books.no_declined_card_is_asked_again(&soak);
    books.each_change_is_told_once(&soak);
    let paused = books.each_pause_has_a_way_out(&soak).await;
    books.print(&soak, paused);
}

struct Soak {
    cloud: TestCloud,
    _table: TempDir,
    numbers: fastrand::Rng,
    /// When owners acted, by account.
    acts: BTreeMap<usize, Vec<Timestamp>>,
    open_disputes: Vec<String>,
    /// The charges at Stripe that were refunded or disputed.
    returned: BTreeSet<String>,
    charges: usize,
    refused_charges: usize,
    refunds: usize,
    disputes: usize,
}

fn name(account: usize) -> String {
    format!("soak-{account:02}")
}

impl Soak {
    async fn start() -> Self {
        let mut options = options();
        // The test's clock stands still while Stripe is asked.
        options.parameters.insert("StripeEndpointCallsPerSecond".to_owned(), "0".to_owned());
        // A long stream is faster in a file, where it has an index.
        let table = tempfile::tempdir().unwrap();
        options.data = Some(table.path().to_owned());
        let cloud = TestCloud::start_reconciling_with(options).await;
        // Runs that no card and no payment waits for.
        for binary in ["alerts", "charge-expiry", "liability"] {
            cloud.cloud.leave_out(binary);
        }
        let numbers = fastrand::Rng::with_seed(13);
        let (charges, refused_charges, refunds, disputes) = (0, 0, 0, 0);
        let (acts, open_disputes, returned) = (BTreeMap::new(), vec![], BTreeSet::new());
        let mut soak = Self {
            cloud,
            _table: table,
            numbers,
            acts,
            open_disputes,
            returned,
            charges,
            refused_charges,
            refunds,
            disputes,
        };
        for account in 0..ACCOUNTS {
            let account_name = name(account);
            soak.cloud.open_account(&account_name).await;
            let card = match account {
                0..DECLINED => "pm_card_chargeCustomerFail",
                account if account < DECLINED + ASKED_ABOUT => "pm_card_authenticationRequired",
                _ => "pm_card_visa",
            };
            soak.cloud.save_card(&account_name, card).await;
            soak.cloud.turn_on_auto_top_up(&account_name, 1_000, 2_000).await;
        }
        let conduct = WebhookConduct { duplicate: true, shuffle: true, drop_percent: 20, ..WebhookConduct::default() };
        soak.cloud.cloud.stripe.set_webhook_conduct(conduct);
        soak.fail();
        soak.pass().await;
        soak
    }

    /// From now on, Stripe loses every second answer.
    fn fail(&mut self) {
        let seed = self.numbers.u64(..);
        self.cloud.cloud.stripe.set_random_faults(RandomFaults { seed, lost_answers: 50, internal_errors: 10 });
    }

    /// What the company does in Stripe's dashboard does not go through our network.
    fn hold(&self) {
        self.cloud.cloud.stripe.clear_faults();
    }

    async fn ask(&self, method: Method, path: &str, key: &str, token: &str, body: &Value) -> crate::support::Answer {
        let request = self.cloud.request(method, path).bearer_auth(token).json(body);
        self.cloud.send_until_answered(request.header("Idempotency-Key", key), TRIES_MAX).await
    }

    /// Services charge all accounts at once, and some repeat a request.
    async fn charge(&mut self, round: usize) {
        let (token, body) = (self.cloud.cloud.service_token(), json!({"operation": "training", "max_minutes": 15}));
        for number in 0..SINGLE_CHARGES_A_ROUND {
            let each = (0..ACCOUNTS).map(|account| {
                let path = format!("/v1/accounts/{}/charges", name(account));
                let key = format!("{round}-{}", if number == SINGLE_CHARGES_A_ROUND - 1 { 0 } else { number });
                let (soak, token, body) = (&*self, &token, &body);
                async move { soak.ask(Method::POST, &path, &key, token, body).await.status }
            });
            let statuses = join_all(each).await;
            assert!(statuses.iter().all(|status| [200, 201, 402].contains(status)), "{statuses:?}");
            self.charges += statuses.len();
            self.refused_charges += statuses.iter().filter(|status| **status == 402).count();
        }
        let accounts: Vec<_> = (0..ACCOUNTS).map(name).collect();
        for accounts in accounts.chunks(BATCH_MAX / BATCHED_CHARGES_A_ROUND) {
            let keys = (0..BATCHED_CHARGES_A_ROUND).map(|number| format!("{round}-batch-{number}"));
            let keys: Vec<_> = keys.collect();
            let charge = |(account, key): (&String, &String)| {
                let mut charge = body.clone();
                charge["account"] = json!(account);
                charge["key"] = json!(key);
                charge
            };
            let each = accounts.iter().flat_map(|account| keys.iter().map(move |key| (account, key))).map(charge);
            let batch = json!({"charges": each.collect::<Vec<_>>()});
            let answer = self.ask(Method::POST, "/v1/charges/batch", "unused", &token, &batch).await.expect(200);
            let results = answer.body["results"].as_array().unwrap();
            let refused = results.iter().filter(|result| result["status"] == 402);
            self.refused_charges += refused.count();
            self.charges += results.len();
        }
    }

    async fn buy(&mut self, round: usize) {
        for number in 0..PURCHASES_A_ROUND {
            let account = name(self.numbers.usize(..ACCOUNTS));
            let (path, token) =
                (format!("/v1/accounts/{account}/purchases"), self.cloud.cloud.customer_token(&account));
            let body = json!({"package": "credits_500"});
            let opened = self.ask(Method::POST, &path, &format!("buy-{round}-{number}"), &token, &body).await;
            assert!([200, 201].contains(&opened.status), "{}", opened.text);
            self.cloud.pay_page(opened.body["checkout_url"].as_str().unwrap(), VISA).await;
        }
        self.cloud.settle().await;
    }

    /// Paid charges of which nothing went back so far, in any order.
    async fn untouched(&mut self) -> Vec<Value> {
        let mut charges = self.all("/v1/charges").await;
        charges.retain(|charge| charge["paid"] == true && !self.returned.contains(charge["id"].as_str().unwrap()));
        self.numbers.shuffle(&mut charges);
        charges
    }

    /// Half of the refunds are made in Stripe's dashboard and half by support, in part or in whole.
    async fn refund(&mut self, round: usize) {
        self.hold();
        let charges = self.untouched().await;
        for (number, charge) in charges.iter().take(REFUNDS_A_ROUND).enumerate() {
            let (id, amount) = (charge["id"].as_str().unwrap(), charge["amount"].as_i64().unwrap());
            let part = if self.numbers.bool() { amount } else { self.numbers.i64(1..=amount) };
            let Some(by_us) = self.paid_for(charge).await.filter(|_| number % 2 == 0) else {
                self.cloud.stripe_post("/v1/refunds", &[("charge", id), ("amount", &part.to_string())]).await;
                self.returned.insert(id.to_owned());
                self.refunds += 1;
                continue;
            };
            self.fail();
            let (token, body) = (self.cloud.support_token(), json!({"amount": part, "reason": "Paid by mistake."}));
            let made = self.ask(Method::POST, &by_us, &format!("refund-{round}-{number}"), &token, &body).await;
            self.hold();
            assert!([200, 201].contains(&made.status), "{}", made.text);
            self.returned.insert(id.to_owned());
            self.refunds += 1;
        }
        self.fail();
    }

    /// The route by which support refunds this charge, once we know that it was paid.
    async fn paid_for(&self, charge: &Value) -> Option<String> {
        let ledger = self.cloud.ledger();
        for account in (0..ACCOUNTS).map(name) {
            let id = AccountId::parse(&account).unwrap();
            let is_it = |intent: Option<&str>| intent == charge["payment_intent"].as_str();
            for purchase in purchases(&ledger, &id).await {
                if is_it(purchase.payment_intent.as_ref().map(|intent| intent.as_str())) {
                    return Some(format!("/v1/support/accounts/{account}/purchases/{}/refunds", purchase.id));
                }
            }
            for top_up in top_ups(&ledger, &id).await {
                if is_it(top_up.payment_intent.as_ref().map(|intent| intent.as_str())) {
                    return Some(format!("/v1/support/accounts/{account}/top-ups/{}/refunds", top_up.id));
                }
            }
        }
        None
    }

    async fn dispute(&mut self) {
        self.hold();
        for charge in self.untouched().await.iter().take(DISPUTES_A_ROUND) {
            let id = charge["id"].as_str().unwrap();
            self.open_disputes.push(self.cloud.cloud.stripe.open_dispute(id).unwrap());
            self.returned.insert(id.to_owned());
            self.disputes += 1;
        }
        self.fail();
    }

    /// Some of the open disputes are won, lost, or lost in part.
    async fn decide_disputes(&mut self) {
        for dispute in std::mem::take(&mut self.open_disputes) {
            let stripe = &self.cloud.cloud.stripe;
            match self.numbers.u8(..4) {
                0 => stripe.decide_dispute(&dispute, true).unwrap(),
                1 => stripe.decide_dispute(&dispute, false).unwrap(),
                2 => stripe.lose_dispute_in_part(&dispute).unwrap(),
                _ => self.open_disputes.push(dispute),
            }
        }
        self.cloud.settle().await;
    }

    /// Owners of paused accounts pay on the hosted page, retry with another card, resume with another card, or do nothing.
    async fn end_pauses(&mut self, round: usize) {
        for account in 0..ACCOUNTS {
            let owner = name(account);
            if !self.cloud.auto_top_up(&owner).await["payment_issue"].is_object() || self.numbers.u8(..3) == 0 {
                continue;
            }
            let token = self.cloud.cloud.customer_token(&owner);
            self.acts.entry(account).or_default().push(self.cloud.now());
            self.hold();
            let (act, key) = match self.numbers.u8(..3) {
                0 => {
                    let page = self.cloud.hosted_page(&owner).await;
                    self.cloud.pay_page(&page, VISA).await;
                    self.fail();
                    continue;
                }
                1 => ("retry", format!("retry-{round}")),
                _ => ("resume", "unused".to_owned()),
            };
            self.cloud.save_card(&owner, "pm_card_visa").await;
            self.fail();
            let path = format!("/v1/accounts/{owner}/auto-top-up/{act}");
            self.ask(Method::POST, &path, &key, &token, &json!({})).await;
        }
        self.cloud.settle().await;
    }

    /// From now on, the cards of some accounts are declined. Choosing a card is an act of its owner.
    async fn exhaust_cards(&mut self) {
        self.hold();
        for _ in 0..CARDS_EXHAUSTED_A_ROUND {
            let account = self.numbers.usize(..ACCOUNTS);
            self.acts.entry(account).or_default().push(self.cloud.now());
            self.cloud.save_card(&name(account), "pm_card_chargeCustomerFail").await;
        }
        self.fail();
    }

    /// Eight hours in which runs come as they do, and the rest of two days.
    async fn pass(&self) {
        for _ in 0..16 {
            self.cloud.advance(SignedDuration::from_mins(30)).await;
        }
        self.cloud.advance(SignedDuration::from_hours(36)).await;
    }

    /// The network is good again.
    async fn come_to_rest(&self) {
        self.hold();
        self.cloud.cloud.stripe.set_webhook_conduct(WebhookConduct::default());
        for _ in 0..4 {
            self.cloud.advance(SignedDuration::from_mins(30)).await;
        }
    }

    /// All objects of a list of Stripe's.
    async fn all(&self, path: &str) -> Vec<Value> {
        let mut all: Vec<Value> = vec![];
        loop {
            let after = all.last().map(|last| format!("&starting_after={}", last["id"].as_str().unwrap()));
            let page = self.cloud.stripe_get(&format!("{path}?limit=100{}", after.unwrap_or_default())).await;
            all.extend(page["data"].as_array().unwrap().iter().cloned());
            if page["has_more"] == false {
                return all;
            }
        }
    }
}

async fn purchases(ledger: &DynamoLedger, account: &AccountId) -> Vec<Purchase> {
    ledger.purchases_page(account, None, 100).await.unwrap().purchases
}

async fn top_ups(ledger: &DynamoLedger, account: &AccountId) -> Vec<TopUp> {
    ledger.top_ups_page(account, None, 100).await.unwrap().records
}

/// What is stored of an account, and what Stripe has of its customer.
struct Account {
    entries: Vec<Entry>,
    purchases: Vec<Purchase>,
    top_ups: Vec<TopUp>,
    notices: Vec<Notice>,
    charges: Vec<Value>,
    cents_returned: i64,
}

struct Books(Vec<Account>);

impl Books {
    async fn read(soak: &Soak) -> Self {
        let (ledger, customers) = (soak.cloud.ledger(), soak.all("/v1/customers").await);
        let (charges, refunds) = (soak.all("/v1/charges").await, soak.all("/v1/refunds").await);
        let disputes = soak.all("/v1/disputes").await;
        let mut accounts = vec![];
        for account in (0..ACCOUNTS).map(name) {
            let customer = customers.iter().find(|customer| customer["metadata"]["account"] == account).unwrap();
            let charges: Vec<_> =
                charges.iter().filter(|charge| charge["customer"] == customer["id"]).cloned().collect();
            let of_it = |object: &&Value| charges.iter().any(|charge| charge["id"] == object["charge"]);
            let refunded = refunds.iter().filter(of_it).filter(|refund| refund["status"] == "succeeded");
            let refunded: i64 = refunded.map(|refund| refund["amount"].as_i64().unwrap()).sum();
            let moves = disputes.iter().filter(of_it);
            let moves = moves.flat_map(|dispute| dispute["balance_transactions"].as_array().unwrap());
            let disputed: i64 = moves.map(|moved| moved["amount"].as_i64().unwrap()).sum();
            let id = AccountId::parse(&account).unwrap();
            accounts.push(Account {
                entries: ledger.history_page(&id, None, 1_000).await.unwrap(),
                purchases: purchases(&ledger, &id).await,
                top_ups: top_ups(&ledger, &id).await,
                notices: ledger.notices_page(&id, None, 100).await.unwrap().records,
                cents_returned: refunded - disputed,
                charges,
            });
        }
        Self(accounts)
    }

    /// A credit is a cent, and there is no tax.
    fn every_cent_has_its_credit(&self) {
        for (number, account) in self.0.iter().enumerate() {
            assert_eq!(account.granted() - account.taken_back(), account.paid() - account.cents_returned, "{number}");
            let sum: i64 = account.entries.iter().map(|entry| entry.credits.get()).sum();
            assert_eq!(account.entries[0].balance_after.get(), sum, "{number}");
        }
    }

    fn each_payment_is_granted_once(&self) {
        for account in &self.0 {
            let grants: Vec<_> = account.entries.iter().filter(|entry| is_grant(entry)).collect();
            let origins: BTreeSet<_> = grants.iter().map(|entry| entry.origin()).collect();
            let paid = account.charges.iter().filter(|charge| charge["paid"] == true).count();
            assert_eq!((grants.len(), origins.len()), (paid, paid));
            assert!(account.purchases.iter().all(|purchase| purchase.status == PurchaseStatus::Paid));
            assert!(account.top_ups.iter().all(|top_up| !top_up.status.is_under_way()));
        }
    }

    fn no_attempt_is_early(&self) {
        for account in &self.0 {
            let opened: Vec<_> = account.top_ups.iter().map(|top_up| top_up.opened_at).collect();
            assert!(opened.windows(2).all(|pair| pair[0].duration_since(pair[1]) >= BETWEEN_ATTEMPTS), "{opened:?}");
        }
    }

    fn no_declined_card_is_asked_again(&self, soak: &Soak) {
        for (number, account) in self.0.iter().enumerate() {
            let bought: BTreeSet<_> =
                account.purchases.iter().filter_map(|bought| bought.payment_intent.clone()).collect();
            let of_purchase = |charge: &&Value| bought.iter().any(|intent| charge["payment_intent"] == intent.as_str());
            // Newest first, as Stripe lists them.
            let asked: Vec<_> = account.charges.iter().filter(|charge| !of_purchase(charge)).collect();
            for pair in asked.windows(2).filter(|pair| pair[1]["paid"] == false) {
                let at = |charge: &Value| charge["created"].as_i64().unwrap();
                let mut acts = soak.acts.get(&number).into_iter().flatten();
                let is_between = |act: &Timestamp| (at(pair[1])..=at(pair[0])).contains(&act.as_second());
                assert!(acts.any(is_between), "{pair:#?}");
            }
        }
    }

    fn each_change_is_told_once(&self, soak: &Soak) {
        let mails = soak.cloud.cloud.aws.ses.messages();
        let sent = mails.iter().flat_map(|mail| mail.tags.iter().filter(|(tag, _)| tag == "notice"));
        let sent: Vec<_> = sent.map(|(_, notice)| notice.as_str()).collect();
        let stored: BTreeSet<_> =
            self.0.iter().flat_map(|account| &account.notices).map(|notice| notice.id.to_string()).collect();
        assert_eq!(sent.len(), stored.len());
        assert!(sent.iter().all(|notice| stored.contains(*notice)));
        for account in &self.0 {
            let told = |wanted: &dyn Fn(&NoticeKind) -> bool| {
                account.notices.iter().filter(|notice| wanted(&notice.kind)).count()
            };
            for bought in &account.purchases {
                let is_receipt = |kind: &NoticeKind| matches!(kind, NoticeKind::PurchasePaid { purchase, .. } if *purchase == bought.id);
                assert_eq!(told(&is_receipt), 1, "{}", bought.id);
            }
            for attempt in &account.top_ups {
                let id = &attempt.id;
                let is_receipt =
                    |kind: &NoticeKind| matches!(kind, NoticeKind::TopUpPaid { top_up, .. } if top_up == id);
                let is_decline =
                    |kind: &NoticeKind| matches!(kind, NoticeKind::TopUpDeclined { top_up, .. } if top_up == id);
                let is_question =
                    |kind: &NoticeKind| matches!(kind, NoticeKind::TopUpActionRequired { top_up, .. } if top_up == id);
                assert_eq!(told(&is_receipt), usize::from(attempt.status == TopUpStatus::Paid), "{id}");
                let is_unpaid = matches!(attempt.status, TopUpStatus::Declined(_) | TopUpStatus::ActionRequired);
                assert!(!is_unpaid || told(&is_decline) + told(&is_question) == 1, "{id}");
            }
        }
    }

    /// Returns how many accounts are paused.
    async fn each_pause_has_a_way_out(&self, soak: &Soak) -> usize {
        let mut paused = 0;
        for account in (0..ACCOUNTS).map(name) {
            if !soak.cloud.auto_top_up(&account).await["payment_issue"].is_object() {
                continue;
            }
            paused += 1;
            let page = soak.cloud.hosted_page(&account).await;
            let invoices = soak.cloud.top_up_invoices(&account).await;
            let is_open =
                |invoice: &Value| invoice["status"] == "open" && invoice["hosted_invoice_url"] == page.as_str();
            assert!(invoices.iter().any(is_open), "{account} is led to {page}");
        }
        paused
    }

    /// Past the test runner, which shows only what a failed test printed.
    fn print(&self, soak: &Soak, paused: usize) {
        let sum = |of: fn(&Account) -> i64| self.0.iter().map(of).sum::<i64>();
        let count = |of: fn(&Account) -> usize| self.0.iter().map(of).sum::<usize>();
        let (attempts, purchases) = (count(|account| account.top_ups.len()), count(|account| account.purchases.len()));
        let mut out = std::io::stdout();
        writeln!(
            out,
            "soak: {} charges ({} refused), {attempts} attempts, {purchases} purchases, {} refunds, {} disputes",
            soak.charges, soak.refused_charges, soak.refunds, soak.disputes
        )
        .unwrap();
        writeln!(
            out,
            "soak: {} credits granted, {} taken back; {} cents paid, {} returned; {} requests to Stripe, {paused} paused",
            sum(Account::granted),
            sum(Account::taken_back),
            sum(Account::paid),
            sum(|account| account.cents_returned),
            soak.cloud.cloud.stripe.requests_total(),
        )
        .unwrap();
        assert!(soak.charges >= 10_000 && attempts >= 500 && purchases >= 200);
        assert!(soak.refunds >= 100 && soak.disputes >= 30 && paused > 0);
    }
}

fn is_grant(entry: &Entry) -> bool {
    matches!(entry.cause, Cause::Purchase { .. } | Cause::TopUp { .. })
}

impl Account {
    fn granted(&self) -> i64 {
        self.entries.iter().filter(|entry| is_grant(entry)).map(|entry| entry.credits.get()).sum()
    }

    fn taken_back(&self) -> i64 {
        let reversals = self.entries.iter().filter(|entry| matches!(entry.cause, Cause::Reversal { .. }));
        -reversals.map(|entry| entry.credits.get()).sum::<i64>()
    }

    fn paid(&self) -> i64 {
        let paid = self.charges.iter().filter(|charge| charge["paid"] == true);
        paid.map(|charge| charge["amount"].as_i64().unwrap()).sum()
    }
}
