//! The rules about money, checked on the real table, the Stripe stand-in's objects and the inbox.
//!
//! They are an independent implementation of the documented rules and use none of the product's code.

use crate::kills::killer::Killer;
use crate::support::TestCloud;
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A description of a broken rule.
pub type Broken = String;

macro_rules! rule {
    ($holds:expr, $($words:tt)*) => {
        if !$holds {
            return Err(format!($($words)*));
        }
    };
}
pub(super) use rule;

const SIX_HOURS_MS: i64 = 6 * 60 * 60 * 1_000;

/// Everything that is stored about one account.
pub struct Books {
    account: String,
    /// The account's own item.
    pub state: Value,
    /// The items of each kind (`ENTRY`, `TOP_UP`, …) by the rest of their key.
    items: BTreeMap<String, BTreeMap<String, Value>>,
    sessions: Vec<Value>,
    invoices: Vec<Value>,
    pub charges: Vec<Value>,
}

impl Books {
    pub async fn read(cloud: &TestCloud, account: &str) -> Result<Self, Broken> {
        let mut items: BTreeMap<String, BTreeMap<String, Value>> = BTreeMap::new();
        for item in partition(cloud, &format!("ACCOUNT#{account}")).await {
            let sort = item["SK"].as_str().unwrap_or_default().to_owned();
            let (kind, id) = sort.split_once('#').unwrap_or((&sort, ""));
            items.entry(kind.to_owned()).or_default().insert(id.to_owned(), item);
        }
        let state = items.remove("STATE").and_then(|mut state| state.remove(""));
        let state = state.ok_or_else(|| format!("{account} does not exist"))?;
        let email = format!("owner%40{account}.example");
        let customers = cloud.stripe_list(&format!("/v1/customers?limit=100&email={email}")).await;
        rule!(customers.len() == 1, "{account} has {} customers at Stripe", customers.len());
        let customer = customers[0]["id"].as_str().unwrap_or_default();
        rule!(state["customer"] == customer, "{account} has another customer than {customer}");
        let link = partition(cloud, &format!("STRIPE#{customer}")).await;
        rule!(link.len() == 1 && link[0]["account_id"] == account, "{customer} does not refer to {account}");
        let list = async |path: &str| cloud.stripe_list(&format!("{path}?limit=100&customer={customer}")).await;
        Ok(Self {
            account: account.to_owned(),
            state,
            items,
            sessions: list("/v1/checkout/sessions").await,
            invoices: list("/v1/invoices").await,
            charges: list("/v1/charges").await,
        })
    }

    /// Checks the rules that hold once everything was retried and nothing is under way.
    pub fn check(&self, cloud: &TestCloud, killer: &Killer) -> Result<(), Broken> {
        self.check_entries()?;
        self.check_usage()?;
        self.check_pending_charges()?;
        self.check_purchases()?;
        self.check_top_ups()?;
        self.check_money()?;
        self.check_reversals()?;
        self.check_events(cloud)?;
        self.check_notices(cloud, killer)
    }

    pub fn of_kind(&self, kind: &str) -> impl Iterator<Item = (&str, &Value)> {
        self.items.get(kind).into_iter().flatten().map(|(id, item)| (id.as_str(), item))
    }

    /// The items in which one of these texts is.
    pub fn naming(&self, texts: &[&str]) -> Vec<String> {
        let items = self.items.iter().flat_map(|(kind, items)| items.iter().map(move |(id, item)| (kind, id, item)));
        let named = items.filter(|(_, _, item)| texts.iter().any(|text| item.to_string().contains(text)));
        named.map(|(kind, id, _)| format!("{kind}#{id}")).collect()
    }

    /// The entry with this origin, such as `charge:job-1`.
    pub fn entry(&self, origin: &str) -> Option<&Value> {
        self.items.get("ENTRY")?.get(origin)
    }

    fn check_entries(&self) -> Result<(), Broken> {
        let account = &self.account;
        let mut entries: Vec<_> = self.of_kind("ENTRY").collect();
        entries.sort_by_key(|(_, entry)| entry["seq"].as_i64());
        let mut balance = 0;
        for (expected, (origin, entry)) in (1..).zip(&entries) {
            rule!(entry["seq"] == expected, "{account} has {} where entry {expected} should be", entry["seq"]);
            balance += number(entry, "credits");
            rule!(entry["balance_after"] == balance, "{origin} of {account} states another balance than {balance}");
            rule!(balance >= 0, "{origin} takes {account} below zero, to {balance}");
            if let Some(charge) = origin.strip_prefix("restore:") {
                let charged = self.entry(&format!("charge:{charge}")).map(|charged| number(charged, "credits"));
                let restored = number(entry, "credits");
                rule!(charged == Some(-restored), "{origin} gives back {restored} of {charged:?}");
            }
        }
        rule!(
            self.state["seq"] == entries.len(),
            "{account} counts {} of {} entries",
            self.state["seq"],
            entries.len()
        );
        rule!(
            self.state["balance"] == balance,
            "{account} has {}, its entries sum up to {balance}",
            self.state["balance"]
        );
        Ok(())
    }

    /// Every complete block of a hundred entries is folded, and the days and the months add up to its charges.
    fn check_usage(&self) -> Result<(), Broken> {
        let account = &self.account;
        let rows = |kind: &str| self.of_kind("USAGE").filter(move |(id, _)| id.starts_with(kind)).collect::<Vec<_>>();
        let folded = rows("CURSOR").first().map_or(0, |(_, cursor)| number(cursor, "through_seq"));
        let seq = number(&self.state, "seq");
        rule!(folded == seq - seq % 100, "{account} is folded through {folded} of {seq} entries");
        let entries = || self.of_kind("ENTRY").filter(|(_, entry)| number(entry, "seq") <= folded);
        let sum = |kind: &str| {
            entries().filter(|(id, _)| id.starts_with(kind)).map(|(_, entry)| number(entry, "credits")).sum::<i64>()
        };
        let charges = entries().filter(|(id, _)| id.starts_with("charge:")).count();
        for (name, expected) in [
            ("charges", i64::try_from(charges).unwrap_or_default()),
            ("credits_charged", -sum("charge:")),
            ("credits_restored", sum("restore:")),
            ("credits_purchased", sum("purchase:")),
        ] {
            for kind in ["DAY#", "MONTH#"] {
                let counted: i64 = rows(kind).iter().filter_map(|(_, row)| row["total"][name].as_i64()).sum();
                rule!(counted == expected, "the rows {kind} of {account} count {counted} {name}, not {expected}");
            }
        }
        Ok(())
    }

    /// Every pending charge has ended, once, and what it did not keep came back.
    fn check_pending_charges(&self) -> Result<(), Broken> {
        let account = &self.account;
        rule!(self.state.get("pending").is_none(), "{account} holds {} pending credits", self.state["pending"]);
        for (id, pending) in self.of_kind("PENDING") {
            rule!(pending["status"] != "pending", "{id} of {account} stays pending");
            rule!(pending.get("due_at").is_none(), "{id} of {account} has ended and stays due");
            let ends = ["capture", "void", "expiry"].map(|end| self.entry(&format!("{end}:{id}")));
            let ends: Vec<i64> = ends.into_iter().flatten().map(|entry| number(entry, "credits")).collect();
            let returned = number(pending, "credits") - number(pending, "credits_kept");
            rule!(ends == Vec::from_iter((returned != 0).then_some(returned)), "{id} gave {ends:?} of {returned} back");
        }
        Ok(())
    }

    fn check_purchases(&self) -> Result<(), Broken> {
        for session in &self.sessions {
            let id = session["metadata"]["purchase"].as_str().unwrap_or_default();
            rule!(
                self.items.get("PURCHASE").is_some_and(|known| known.contains_key(id)),
                "a page belongs to no purchase"
            );
        }
        for (id, purchase) in self.of_kind("PURCHASE") {
            if purchase.get("by_invoice").is_some() {
                self.check_invoiced(id, purchase)?;
                continue;
            }
            let pages: Vec<_> = self.sessions.iter().filter(|page| page["metadata"]["purchase"] == id).collect();
            rule!(pages.len() == 1, "{id} has {} pages", pages.len());
            let is_paid = pages[0]["payment_status"] == "paid";
            let granted = self.entry(&format!("purchase:{id}")).map(|entry| number(entry, "credits"));
            let expected = is_paid.then(|| number(purchase, "credits"));
            rule!(granted == expected, "{id} granted {granted:?}, not {expected:?}");
            let status = if is_paid { "paid" } else { "open" };
            rule!(purchase["status"] == status, "{id} stays {} although it is {status}", purchase["status"]);
        }
        Ok(())
    }

    /// One invoice, and a purchase that is what its invoice says.
    fn check_invoiced(&self, id: &str, purchase: &Value) -> Result<(), Broken> {
        let made: Vec<_> = self.invoices.iter().filter(|made| made["metadata"]["purchase"] == id).collect();
        rule!(made.len() == 1, "{id} has {} invoices", made.len());
        rule!(purchase["invoice"] == made[0]["id"], "{id} does not know its invoice");
        rule!(made[0]["total"] == purchase["price"], "{id} costs {}, not its price", made[0]["total"]);
        let is_paid = made[0]["status"] == "paid";
        let granted = self.entry(&format!("purchase:{id}")).map(|entry| number(entry, "credits"));
        let expected = is_paid.then(|| number(purchase, "credits"));
        rule!(granted == expected, "{id} granted {granted:?}, not {expected:?}");
        let status = if is_paid { "paid" } else { "voided" };
        rule!(purchase["status"] == status, "{id} stays {} although it is {status}", purchase["status"]);
        rule!(purchase.get("due_at").is_none(), "{id} has ended and stays due");
        Ok(())
    }

    fn check_top_ups(&self) -> Result<(), Broken> {
        let account = &self.account;
        rule!(self.state.get("open_top_up").is_none(), "a top-up of {account} stays open");
        for invoice in self.invoices.iter().filter(|made| made["metadata"]["top_up"].is_string()) {
            let id = invoice["metadata"]["top_up"].as_str().unwrap_or_default();
            rule!(
                self.items.get("TOP_UP").is_some_and(|known| known.contains_key(id)),
                "{} belongs to no top-up",
                invoice["id"]
            );
        }
        let mut opened: Vec<i64> = vec![];
        let mut pausing = vec![];
        for (id, top_up) in self.of_kind("TOP_UP") {
            let invoices: Vec<_> = self.invoices.iter().filter(|made| made["metadata"]["top_up"] == id).collect();
            rule!(invoices.len() == 1, "{id} has {} invoices", invoices.len());
            let is_paid = invoices[0]["status"] == "paid";
            let granted = self.entry(&format!("top_up:{id}")).map(|entry| number(entry, "credits"));
            let expected = is_paid.then(|| number(top_up, "credits"));
            rule!(granted == expected, "{id} granted {granted:?}, not {expected:?}");
            let status = top_up["status"].as_str().unwrap_or_default();
            rule!(is_paid == (status == "paid"), "{id} is {status}, its invoice {}", invoices[0]["status"]);
            rule!(status != "open", "{id} stays open");
            rule!(invoices[0]["total"] == top_up["price"], "{id} costs {}, not its price", invoices[0]["total"]);
            rule!(top_up["invoice"] == invoices[0]["id"], "{id} does not know its invoice");
            if matches!(status, "declined" | "action_required") {
                pausing.push(id);
            }
            opened.push(number(top_up, "opened_at"));
        }
        opened.sort_unstable();
        let is_too_soon = opened.windows(2).any(|pair| pair[1] - pair[0] < SIX_HOURS_MS);
        rule!(!is_too_soon, "{account} has two top-ups within six hours");
        let issue = self.state["payment_issue"]["top_up"].as_str();
        rule!(pausing == Vec::from_iter(issue), "{account} is paused by {issue:?}, its unpaid top-ups are {pausing:?}");
        Ok(())
    }

    /// The money that Stripe took equals the price of the granted credits, and no top-up was declined twice.
    fn check_money(&self) -> Result<(), Broken> {
        let account = &self.account;
        let taken: i64 =
            self.charges.iter().filter(|charge| charge["paid"] == true).map(|charge| number(charge, "amount")).sum();
        let sold: i64 = ["PURCHASE", "TOP_UP"]
            .into_iter()
            .flat_map(|kind| self.of_kind(kind))
            .filter(|(_, record)| record["status"] == "paid")
            .map(|(_, record)| number(record, "price"))
            .sum();
        rule!(taken == sold, "{taken} cents were taken from {account} for {sold} cents of credits");
        let refused = self.charges.iter().filter(|charge| charge["paid"] == false).count();
        let top_ups = self.of_kind("TOP_UP").count();
        rule!(refused <= top_ups, "the bank refused {refused} times for {top_ups} top-ups of {account}");
        Ok(())
    }

    /// What went back of the money of a purchase took back the same part of its credits, rounded down.
    pub fn check_reversals(&self) -> Result<(), Broken> {
        for charge in self.charges.iter().filter(|charge| charge["paid"] == true) {
            let is_of = |(_, bought): &(&str, &Value)| bought["payment_intent"] == charge["payment_intent"];
            let Some((id, purchase)) = self.of_kind("PURCHASE").find(is_of) else { continue };
            let of_purchase = |origin: &str| origin.starts_with(&format!("reversal:{id}:"));
            let reversals = self.of_kind("ENTRY").filter(|(origin, _)| of_purchase(origin));
            let taken: i64 = reversals.map(|(_, entry)| -number(entry, "credits")).sum();
            let (refunded, amount) = (number(charge, "amount_refunded"), number(charge, "amount"));
            let expected = number(purchase, "credits") * refunded / amount;
            rule!(taken == expected, "{taken} credits of {id} are taken back, not {expected}");
        }
        Ok(())
    }

    /// One notice for each transition, sent at least once, and again only if a kill came before it was marked as sent.
    fn check_notices(&self, cloud: &TestCloud, killer: &Killer) -> Result<(), Broken> {
        let account = &self.account;
        let is = |status: &'static str| move |(_, record): &(&str, &Value)| record["status"] == status;
        let paid = self.of_kind("PURCHASE").chain(self.of_kind("TOP_UP")).filter(is("paid")).count();
        let receipts = self.of_kind("NOTICE").filter(|(_, notice)| kind_ends(notice, "_paid")).count();
        rule!(receipts == paid, "{account} is owed {receipts} receipts for {paid} payments");
        let unsent: Vec<_> = self.of_kind("NOTICE").filter(|(_, notice)| notice.get("sent_at").is_none()).collect();
        rule!(unsent.is_empty(), "{unsent:?} are not sent");
        let mut mails: BTreeMap<String, usize> = BTreeMap::new();
        // Two refunds of the same amount leave different balances.
        let mail_of = |mail: local_aws::ses::Message| {
            let text = mail.text.unwrap_or_default();
            let balance = text.lines().find(|line| line.starts_with("New balance")).map(str::to_owned);
            format!("{} {}", mail.subject, balance.unwrap_or_default())
        };
        cloud.mails(account).into_iter().map(mail_of).for_each(|mail| *mails.entry(mail).or_default() += 1);
        let reversals = self.of_kind("ENTRY").filter(|(origin, _)| origin.starts_with("reversal:")).count();
        let told = self.of_kind("NOTICE").filter(|(_, notice)| kind_ends(notice, "_back")).count();
        rule!(told == reversals, "{account} is owed {told} mails about {reversals} reversals");
        let notices = self.of_kind("NOTICE").count();
        rule!(mails.len() == notices, "{account} is owed {notices} mails and has {mails:?}");
        let duplicates = self.duplicate_mails(cloud);
        let excused = killer.excused_mails(&format!("owner@{account}.example"));
        rule!(
            duplicates <= excused,
            "{account} has {duplicates} duplicate e-mails, {excused} of them by a kill: {mails:?}"
        );
        Ok(())
    }

    /// Every event that is owed is on the bus at least once, and no other one is.
    fn check_events(&self, cloud: &TestCloud) -> Result<(), Broken> {
        let account = self.account.as_str();
        let on_the_bus = cloud.cloud.aws.events.events().into_iter().map(|event| event["detail"].clone());
        let of_account = on_the_bus.filter(|detail| detail["account"] == account);
        let published: BTreeSet<String> = of_account.map(|detail| detail["id"].to_string()).collect();
        let details = self.of_kind("OUTBOX").filter_map(|(_, event)| event["detail"].as_str());
        let owed = details.filter_map(|detail| serde_json::from_str::<Value>(detail).ok());
        let owed: BTreeSet<String> = owed.map(|detail| detail["id"].to_string()).collect();
        rule!(published == owed, "{account} owes the events {owed:?}, and {published:?} are published");
        Ok(())
    }

    /// The number of duplicate e-mails.
    pub fn duplicate_mails(&self, cloud: &TestCloud) -> usize {
        cloud.mails(&self.account).len().saturating_sub(self.of_kind("NOTICE").count())
    }
}

/// The value of an attribute. A missing one gives a number that equals no other.
fn number(item: &Value, name: &str) -> i64 {
    item[name].as_i64().unwrap_or(i64::MIN / 4)
}

fn kind_ends(notice: &Value, ending: &str) -> bool {
    notice["kind"].as_str().is_some_and(|kind| kind.ends_with(ending))
}

/// Every item of a partition, strongly consistent, its attributes as plain JSON.
async fn partition(cloud: &TestCloud, partition: &str) -> Vec<Value> {
    let query = cloud
        .cloud
        .aws
        .dynamodb
        .client()
        .query()
        .table_name(cloud.table())
        .key_condition_expression("PK = :partition")
        .expression_attribute_values(":partition", AttributeValue::S(partition.to_owned()))
        .consistent_read(true);
    let page = query.send().await.expect("the table answers");
    assert!(page.last_evaluated_key().is_none(), "a partition of these tests fits on one page");
    page.items().iter().map(plain_map).collect()
}

fn plain_map(attributes: &HashMap<String, AttributeValue>) -> Value {
    Value::Object(attributes.iter().map(|(name, value)| (name.clone(), plain(value))).collect())
}

fn plain(value: &AttributeValue) -> Value {
    match value {
        AttributeValue::S(text) => json!(text),
        AttributeValue::N(number) => json!(number.parse::<i64>().expect("only whole numbers are stored")),
        AttributeValue::Bool(flag) => json!(flag),
        AttributeValue::M(attributes) => plain_map(attributes),
        AttributeValue::L(items) => Value::Array(items.iter().map(plain).collect()),
        AttributeValue::B(bytes) => json!(bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
        other => panic!("{other:?} has a type that is never stored"),
    }
}
