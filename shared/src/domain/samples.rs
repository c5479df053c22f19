//! Sample values for the tests of the domain.

use super::account::decide_open_account;
use super::alerts::Watch;
use super::charging::{ChargeCommand, ChargeRequest};
use super::contacts::{Contacts, DeliveryProblem, DeliveryProblemKind, Role};
use super::payments::{AutoTopUp, Consent, Payment, TopUp, TopUpStatus};
use super::spending::{Limit, Spending};
use super::support;
use super::*;
use jiff::{SignedDuration, Timestamp};

/// This many seconds after midnight (UTC) of an ordinary day.
pub fn at(seconds: i64) -> Timestamp {
    let midnight: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    midnight + SignedDuration::from_secs(seconds)
}

pub fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text).unwrap()
}

/// This much of an operation, at the prices of the reference book.
pub fn charge_command(key_text: &str, name: &str, amount: i64) -> ChargeCommand {
    let book = PriceBook::reference();
    let PricedOperation { operation, price } = book.price(book.operation(name).unwrap(), amount).unwrap();
    let request = ChargeRequest { key: key(key_text), operation, reference: None, spender: None, expires_in: None };
    ChargeCommand { request, price, request_id: None }
}

/// A new account with nothing in it.
pub fn account() -> Account {
    let id = AccountId::parse("acme").unwrap();
    let email = EmailAddress::parse("owner@example.com").unwrap();
    let opened = decide_open_account(id, email, CustomerId::parse("cus_1").unwrap(), Salt::of(7), at(0)).account;
    // No alert is due, whatever moves.
    Account { watch: Some(Watch::NONE), ..opened }
}

/// Five dollars, paid by the account's own customer with a reusable card.
pub fn payment() -> Payment {
    Payment {
        customer: account().customer,
        amount: 500,
        currency: "usd".into(),
        invoice: InvoiceId::parse("in_1").ok(),
        payment_intent: PaymentIntentId::parse("pi_1").ok(),
        payment_method: PaymentMethodId::parse("pm_1").ok(),
        receipt: None,
        by_invoice: None,
    }
}

/// An open attempt for the price of [`payment`].
pub fn top_up(number: u128, credits: i64) -> TopUp {
    TopUp {
        id: TopUpId::mint(number),
        account: account().id,
        customer: account().customer,
        payment_method: payment().payment_method,
        credits: Credits::constant(credits),
        price: Amount::new(Currency::USD, 500).unwrap(),
        status: TopUpStatus::Open,
        invoice: InvoiceId::parse("in_1").ok(),
        payment_intent: None,
        opened_at: at(1),
        ended_at: None,
        retries: 0,
        reminders: 0,
        reversed: Default::default(),
        refunds: vec![],
    }
}

/// Automatic top-ups, turned on.
pub fn settings(threshold: i64, target: i64) -> AutoTopUp {
    AutoTopUp {
        is_enabled: true,
        threshold: Credits::constant(threshold),
        target: Credits::constant(target),
        cap: None,
        consent: Consent {
            id: ConsentId::mint(1),
            text_version: 1,
            accepted_by: Consenter::parse("owner").ok(),
            accepted_at: at(0),
            price_max: Amount::new(Currency::USD, target).unwrap(),
        },
    }
}

/// Limits per day, per month and in all: what may be spent, and what was.
pub fn limits(limits: [Option<(i64, i64)>; 3]) -> Limits {
    let [day, month, total] = limits.map(|limit| {
        limit.map(|(max, used)| Limit { max: Credits::constant(max), used: Credits::constant(used), after_seq: 0 })
    });
    Limits { day, month, total }
}

/// Spending, stopped this many seconds after midnight.
pub fn stopped_at(seconds: i64) -> Spending {
    Spending { is_stopped: true, changed_at: at(seconds) }
}

/// The contacts of that account before they are changed.
pub fn starting_contacts() -> Contacts {
    Contacts::of(&account(), None).unwrap()
}

/// A contact that was confirmed at midnight.
pub fn contact(address: &str, roles: &[Role]) -> Contact {
    Contact {
        id: ContactId::mint(0),
        address: EmailAddress::parse(address).unwrap(),
        roles: roles.iter().copied().collect(),
        opted_out: Default::default(),
        confirmed_at: Some(at(0)),
        asked_at: None,
        problem: None,
    }
}

/// A bounce this many seconds after midnight.
pub fn bounced_at(seconds: i64) -> DeliveryProblem {
    DeliveryProblem { kind: DeliveryProblemKind::Bounced, at: at(seconds) }
}

/// The only entry of a change.
pub fn only_entry(change: &Change) -> Entry {
    let [entry] = &change.entries[..] else { panic!("the change must make one entry: {:?}", change.entries) };
    entry.clone()
}

/// Who acts for support, and why.
pub fn acting() -> support::Acting {
    support::Acting {
        act: ActId::mint(1),
        operator: Operator::parse("operator-7").unwrap(),
        reason: ActReason::parse("The upload failed twice.").unwrap(),
    }
}
