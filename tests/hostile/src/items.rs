//! The items of the table.

use crate::table::Table;
use crate::world::{account_id, link_key, now};
use notifications::Links;
use serde_json::Value;
use shared::domain::account::decide_open_account;
use shared::domain::charging::PendingCharge;
use shared::domain::contacts::Role;
use shared::domain::payments::{AskedCard, ConsentRecord};
use shared::domain::{
    Account, AccountId, Act, Change, ConsentId, Contacts, CustomerId, DisputeId, EmailAddress, Entry, IdempotencyKey,
    Notice, NoticeId, Origin, Purchase, PurchaseId, Record, Salt, Spender, SpenderLimits, SpendingChange, TopUp,
    TopUpId, TopUpRetry, start_of_next_day, start_of_next_month,
};
use shared::ports::*;
use tokio::runtime::Runtime;

/// A DynamoDB item in JSON, read as each kind of item: whatever can be read is written back unchanged.
pub fn items(data: &[u8]) {
    let Ok(item @ Value::Object(_)) = serde_json::from_slice(data) else { return };
    TABLE.with(|(table, ledger, runtime)| {
        for kind in Kind::ALL {
            let read = |item: &Value| {
                table.hold(item);
                runtime.block_on(kind.read(ledger))
            };
            let write = |thing: &Thing| {
                runtime.block_on(ledger.commit(&thing.change())).expect("what was read can be written");
                table.written().remove(thing.position())
            };
            let Ok(Some(thing)) = read(&item) else { continue };
            let written = write(&thing);
            let again = read(&written).expect("what was written can be read").expect("what was written is there");
            assert_eq!(thing, again, "written and read again, it is the same: {written}");
            assert_eq!(written, write(&again));
            assert_kept(&item, &written, &thing);
            thing.look();
        }
        table.hold(&item);
        let _ = runtime.block_on(ledger.history_page(&account_id(), None, 10));
        let _ = runtime.block_on(ledger.purchases_page(&account_id(), None, 10));
        let _ = runtime.block_on(ledger.spenders_page(&account_id(), None, 10));
        let _ = runtime.block_on(ledger.top_ups_page(&account_id(), None, 10));
        let _ = runtime.block_on(ledger.acts_page(&account_id(), None, 10));
        let _ = runtime.block_on(ledger.notices_page(&account_id(), None, 10));
        let _ = runtime.block_on(ledger.dispute_get(&DisputeId::parse("du_1").expect("a Stripe id")));
        let _ = runtime.block_on(ledger.open_disputes(now(), None));
        let _ = runtime.block_on(ledger.due_accounts(Shard::of(0), now(), None));
        let _ = runtime.block_on(ledger.due_charges(Shard::of(0), now(), None));
    });
}

thread_local! {
    static TABLE: (Table, shared::ledger::DynamoLedger, Runtime) = {
        let table = Table::default();
        let ledger = table.ledger();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        (table, ledger, runtime)
    };
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    Account,
    Entry,
    PendingCharge,
    Purchase,
    PurchaseKey,
    TopUp,
    TopUpRetry,
    Consent,
    SpendingChange,
    SpenderLimits,
    Notice,
    Act,
    Contacts,
    AskedCard,
    Customer,
}

#[derive(Debug, PartialEq)]
enum Thing {
    Account(Box<Account>),
    Entry(Entry),
    PendingCharge(PendingCharge),
    Purchase(Purchase),
    PurchaseKey(PurchaseId),
    TopUp(TopUp),
    TopUpRetry(TopUpRetry),
    Consent(ConsentRecord),
    SpendingChange(SpendingChange),
    SpenderLimits(SpenderLimits),
    Notice(Notice),
    Act(Act),
    Contacts(Box<Contacts>),
    AskedCard(AskedCard),
    Customer(AccountId),
}

impl Kind {
    const ALL: [Self; 15] = [
        Self::Account,
        Self::Entry,
        Self::PendingCharge,
        Self::Purchase,
        Self::PurchaseKey,
        Self::TopUp,
        Self::TopUpRetry,
        Self::Consent,
        Self::SpendingChange,
        Self::SpenderLimits,
        Self::Notice,
        Self::Act,
        Self::Contacts,
        Self::AskedCard,
        Self::Customer,
    ];

    /// Reads the item as this kind; the table returns the same item for every key.
    async fn read(self, ledger: &impl Ledger) -> Result<Option<Thing>, LedgerError> {
        let account = account_id();
        let thing = match self {
            Self::Account => ledger.account_get(&account).await?.map(|account| Thing::Account(Box::new(account))),
            Self::Entry => ledger.entry_get(&account, &Origin::Purchase(PurchaseId::mint(1))).await?.map(Thing::Entry),
            Self::PendingCharge => ledger.pending_charge_get(&account, &key()).await?.map(Thing::PendingCharge),
            Self::Purchase => ledger.purchase_get(&account, &PurchaseId::mint(1)).await?.map(Thing::Purchase),
            Self::PurchaseKey => ledger.purchase_id_get(&account, &key()).await?.map(Thing::PurchaseKey),
            Self::TopUp => ledger.top_up_get(&account, &TopUpId::mint(1)).await?.map(Thing::TopUp),
            Self::TopUpRetry => ledger.top_up_retry_get(&account, &key()).await?.map(Thing::TopUpRetry),
            Self::Consent => ledger.consent_get(&account, &ConsentId::mint(1)).await?.map(Thing::Consent),
            Self::SpendingChange => ledger.spending_change_get(&account, now()).await?.map(Thing::SpendingChange),
            Self::SpenderLimits => ledger.spender_limits_get(&account, &spender()).await?.map(Thing::SpenderLimits),
            Self::Notice => ledger.notice_get(&account, &NoticeId::mint(1)).await?.map(Thing::Notice),
            Self::Act => ledger.acts_page(&account, None, 1).await?.records.pop().map(Thing::Act),
            Self::Contacts => ledger.contacts_get(&account).await?.map(|contacts| Thing::Contacts(Box::new(contacts))),
            Self::AskedCard => Some(Thing::AskedCard(ledger.asked_card_get(&account).await?)),
            Self::Customer => ledger.customer_account_get(&customer()).await?.map(Thing::Customer),
        };
        Ok(thing)
    }
}

impl Thing {
    /// A change that writes this value.
    fn change(&self) -> Change {
        let email = EmailAddress::parse("owner@acme.example").expect("an e-mail address");
        let mut change = decide_open_account(account_id(), email, customer(), Salt::of(7), now());
        change.records.clear();
        match self {
            Self::Account(account) => change.account = (**account).clone(),
            Self::Entry(entry) => change.entries.push(entry.clone()),
            Self::PendingCharge(pending) => change.records.push(Record::PendingCharge(pending.clone())),
            Self::Purchase(purchase) => change.records.push(Record::Purchase(purchase.clone())),
            Self::PurchaseKey(purchase) => {
                change.records.push(Record::PurchaseKey { key: key(), purchase: purchase.clone() });
            }
            Self::TopUp(top_up) => change.records.push(Record::TopUp(top_up.clone())),
            Self::TopUpRetry(retry) => change.records.push(Record::TopUpRetry(retry.clone())),
            Self::Consent(consent) => change.records.push(Record::Consent(consent.clone())),
            Self::SpendingChange(spending) => change.records.push(Record::SpendingChange(spending.clone())),
            Self::SpenderLimits(limits) => change.records.push(Record::SpenderLimits(limits.clone())),
            Self::Notice(notice) => change.notices.push(notice.clone()),
            Self::Act(act) => change.records.push(Record::Act(act.clone())),
            Self::Contacts(contacts) => change.records.push(Record::Contacts(contacts.clone())),
            Self::AskedCard(asked) => change.records.push(Record::AskedCard(asked.clone())),
            Self::Customer(account) => {
                change.records.push(Record::Customer { customer: customer(), account: account.clone() });
            }
        }
        change
    }

    /// Its position in the transaction; the account comes first.
    fn position(&self) -> usize {
        usize::from(!matches!(self, Self::Account(_)))
    }

    /// Calls the functions that use this value.
    fn look(&self) {
        match self {
            Self::Account(account) => {
                let _ = (account.top_up_due_at(), account.next_top_up_at(), account.restriction_at(now()));
                let _ = (account.limits_day(now()), account.limits_at(now()), account.spending_stopped_at());
            }
            Self::SpenderLimits(limits) => {
                let current = limits.at(now(), 7).limits;
                let _ = [current.day, current.month, current.total].map(|limit| limit.map(|limit| limit.left()));
                let _ = (start_of_next_day(limits.date), start_of_next_month(limits.date));
            }
            Self::PendingCharge(pending) => {
                let _ = (pending.status(), pending.is_overdue(now()), pending.price.amount_max(pending.credits));
            }
            Self::Notice(notice) => {
                let links = Links { key: &link_key(), public_url: "https://api.example.com", now: now() };
                let mail = notifications::render(notice, notice.to.clone(), links);
                let mail = mail.expect("every notice has an e-mail");
                assert!(!mail.subject.contains(['\r', '\n']), "a subject is one line: {:?}", mail.subject);
            }
            Self::Contacts(contacts) => {
                let _ = Role::ALL.map(|role| contacts.recipient(role, None, &[]).is_ok());
                for contact in contacts.all() {
                    let _ = (contact.status(), contact.is_deliverable());
                }
            }
            _ => {}
        }
    }
}

/// The written item equals the one that was read: strings and booleans exactly, numbers by value.
/// Keys depend on the request, and attributes that only DynamoDB or the release before reads are derived from the others.
fn assert_kept(item: &Value, written: &Value, thing: &Thing) {
    const DERIVED: [&str; 7] = ["PK", "SK", "account", "due_at", "due_shard", "expires_at", "usage"];
    let (Some(item), Some(written)) = (item.as_object(), written.as_object()) else { return };
    for (name, value) in written.iter().filter(|(name, _)| !DERIVED.contains(&name.as_str())) {
        // An item of a release that knew only US dollars.
        if name == "currency" && !item.contains_key(name) {
            assert_eq!(value["S"], "USD");
            continue;
        }
        // The release before counted limits on the day of its usage.
        if name == "limits_date" && item.contains_key("usage") {
            continue;
        }
        let read = item.get(name).unwrap_or_else(|| panic!("{name} was not in the item: {thing:?}"));
        assert_same(read, value, name);
    }
}

fn assert_same(read: &Value, written: &Value, name: &str) {
    for (kind, value) in written.as_object().into_iter().flatten() {
        match (kind.as_str(), &read[kind]) {
            ("M", Value::Object(read)) => {
                for (name, value) in value.as_object().into_iter().flatten() {
                    assert_same(read.get(name).unwrap_or(&Value::Null), value, name);
                }
            }
            // A set of words, in any order.
            ("L", _) if ["opted_out", "roles"].contains(&name) => {}
            ("L", Value::Array(read)) => {
                for (place, value) in value.as_array().into_iter().flatten().enumerate() {
                    assert_same(read.get(place).unwrap_or(&Value::Null), value, name);
                }
            }
            ("N", read) => {
                let number = |text: &Value| text.as_str().and_then(|text| text.parse::<i128>().ok());
                assert!(number(read).is_some() && number(read) == number(value), "{name}: {read} became {value}");
            }
            // A date has several notations.
            (_, read) if name == "date" => assert!(read.is_string()),
            (_, read) => assert_eq!(read, value, "{name}"),
        }
    }
}

fn key() -> IdempotencyKey {
    IdempotencyKey::parse("buy-1").expect("a key")
}

fn spender() -> Spender {
    Spender::parse("key-1").expect("a name")
}

fn customer() -> CustomerId {
    CustomerId::parse("cus_1").expect("a customer's id")
}

/// One item of each kind and shape as written by the ledger, as seeds.
pub fn written_items(changes: &[Change]) -> Vec<Value> {
    TABLE.with(|(table, ledger, runtime)| {
        let mut items = vec![];
        for change in changes {
            runtime.block_on(ledger.commit(change)).expect("the table accepts everything");
            items.extend(table.written());
        }
        items
    })
}
