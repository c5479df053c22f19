//! Short constructors for the accounts, cards, keys and requests of a simulation.

use crate::request::{Request, email};
use jiff::Timestamp;
use shared::domain::alerts::{AlertLevel, ChosenLevels, LevelChoice};
use shared::domain::charging::{ChargeCommand, ChargeRequest, ExpiresIn};
use shared::domain::payments::{AutoTopUpCommand, InvoiceTerms, PayBy, RetryCommand};
use shared::domain::spending::Bounds;
use shared::domain::support::{AdjustedCredits, Adjustment, Import, ImportedCredits};
use shared::domain::{
    AccountId, ActReason, Consenter, Credits, IdempotencyKey, Measure, Operator, PackageId, PaymentMethodId, PriceBook,
    PricedOperation, Reference, Restriction, RestrictionReason, SourceId, Spender,
};
use shared::use_cases::charging::BatchCharge;
use shared::use_cases::payments::PurchaseCommand;
use shared::use_cases::support::Asked;
use shared::words::CONSENT_TEXT_VERSION;

pub fn account(name: &str) -> AccountId {
    AccountId::parse(name).expect("the names are valid ids")
}

pub fn card(number: u32) -> PaymentMethodId {
    PaymentMethodId::parse(format!("pm_{number}")).expect("pm_ and digits are a valid id")
}

pub fn key(kind: &str, number: u32) -> IdempotencyKey {
    IdempotencyKey::parse(format!("{kind}-{number}")).expect("a word and a number are a valid key")
}

pub fn spender(name: &str) -> Spender {
    Spender::parse(name).expect("the names are valid")
}

pub fn levels(choices: Vec<LevelChoice>) -> ChosenLevels {
    ChosenLevels::new(choices).expect("few and different levels")
}

/// A level in credits at which a customer is told, if it is turned on.
pub fn level(credits: i64, is_on: bool) -> LevelChoice {
    LevelChoice { level: AlertLevel::credits(credits).expect("the levels are in range"), is_on }
}

/// What a spender may spend per day, per month and in all.
pub fn limits(name: &str, spender: Option<Spender>, bounds: [Option<i64>; 3]) -> Request {
    let [day, month, total] = bounds.map(|bound| bound.map(Credits::constant));
    // An account has no limit in all.
    let total = total.filter(|_| spender.is_some());
    Request::SetLimits(account(name), spender, Bounds { day, month, total })
}

/// Ten credits per minute, for a spender.
pub fn charge_for(name: &str, number: u32, minutes: i64, spender: Option<Spender>) -> Request {
    let mut command = charge_command(number, minutes);
    command.request.spender = spender;
    Request::Charge(account(name), command)
}

pub fn charge(name: &str, number: u32, minutes: i64) -> Request {
    Request::Charge(account(name), charge_command(number, minutes))
}

/// The same, pending for so many seconds.
pub fn pending_charge(name: &str, number: u32, minutes: i64, seconds: i64) -> Request {
    pending_charge_for(name, number, minutes, (seconds, None))
}

pub fn pending_charge_for(
    name: &str,
    number: u32,
    minutes: i64,
    (seconds, spender): (i64, Option<Spender>),
) -> Request {
    let mut command = charge_command(number, minutes);
    command.request.spender = spender;
    command.request.expires_in = Some(ExpiresIn::new(seconds).expect("a minute to a week"));
    Request::Charge(account(name), command)
}

/// Of a charge, these minutes are kept, or all.
pub fn capture(name: &str, number: u32, minutes: Option<i64>) -> Request {
    Request::Capture(account(name), key("job", number), minutes.map(|minutes| (Measure::MaxMinutes, minutes)))
}

pub fn void(name: &str, number: u32) -> Request {
    Request::Void(account(name), key("job", number))
}

/// Ten credits per minute.
pub fn charge_command(number: u32, minutes: i64) -> ChargeCommand {
    let book = PriceBook::reference();
    let training = book.operation("training").expect("the reference book has trainings");
    let PricedOperation { operation, price } = book.price(training, minutes).expect("a few minutes are within bounds");
    let reference = Reference::parse(format!("episode {number}")).ok().filter(|_| number % 2 == 1);
    let request = ChargeRequest { key: key("job", number), operation, reference, spender: None, expires_in: None };
    ChargeCommand { request, price, request_id: None }
}

/// Trainings, each of an account, under a key and with so many minutes.
pub fn batch<'a>(charges: impl IntoIterator<Item = (&'a str, u32, i64)>) -> Request {
    let charge = |(name, number, minutes)| match charge(name, number, minutes) {
        Request::Charge(account, command) => BatchCharge { account, command },
        other => unreachable!("a charge is not {other:?}"),
    };
    Request::ChargeBatch(charges.into_iter().map(charge).collect())
}

pub fn restore(name: &str, number: u32) -> Request {
    Request::Restore(account(name), key("job", number))
}

pub fn buy(number: u32, package: &str) -> PurchaseCommand {
    let package = PackageId::parse(package).expect("the packages are valid ids");
    PurchaseCommand { key: key("buy", number), package, pay_by: PayBy::Page, offers_invoices: true }
}

pub fn buy_by_invoice(number: u32, package: &str, days_until_due: u8) -> PurchaseCommand {
    let pay_by = PayBy::Invoice(InvoiceTerms { days_until_due, po_number: None });
    PurchaseCommand { pay_by, ..buy(number, package) }
}

/// A customer's request to pay the open invoice now, with the default or this card.
pub fn retry(name: &str, number: u32, card_number: Option<u32>) -> Request {
    Request::Retry(account(name), RetryCommand { key: key("again", number), card: card_number.map(card) })
}

pub fn resume(name: &str) -> Request {
    Request::Resume(account(name))
}

pub fn settings(threshold: i64, target: i64) -> AutoTopUpCommand {
    capped(threshold, target, None)
}

/// With a monthly cap in cents.
pub fn capped(threshold: i64, target: i64, max_per_month: Option<i64>) -> AutoTopUpCommand {
    let consent = Some((CONSENT_TEXT_VERSION.into(), Consenter::parse("owner").expect("a good name")));
    AutoTopUpCommand::On { threshold, target, max_per_month, consent }
}

/// Why credits may be taken although the balance does not cover them. No other act has this reason.
pub const BELOW_ZERO: &str = "It may go below zero.";

/// An act of the one operator.
pub fn asked(reason: &str) -> Asked {
    Asked {
        operator: Operator::parse("operator-7").expect("a good name"),
        reason: ActReason::parse(reason).expect("a good reason"),
    }
}

/// Gives credits, or takes them.
pub fn adjust(name: &str, number: u32, credits: i64, may_go_below_zero: bool) -> Request {
    let credits = AdjustedCredits::new(credits).expect("a few credits, not zero");
    let reason = if may_go_below_zero { BELOW_ZERO } else { "The upload failed." };
    Request::Adjust(account(name), Adjustment { key: key("case", number), credits, may_go_below_zero }, asked(reason))
}

/// An account with its balance in another system.
pub fn import(name: &str, number: u32, credits: i64) -> Request {
    let account = account(name);
    Request::Import(Import {
        email: email(&account),
        account,
        credits: ImportedCredits::new(credits).expect("a few credits"),
        source: SourceId::parse(format!("row-{number}")).expect("a word and a number are a valid id"),
        reference: Reference::parse(format!("wallet {number}")).ok().filter(|_| number % 2 == 1),
    })
}

/// Blocks the account's charges until an instant.
pub fn restrict(name: &str, until: Timestamp) -> Request {
    let reason = RestrictionReason::parse("Unusual consumption.").expect("a good reason");
    Request::Restrict(account(name), Some(Restriction { reason, until }))
}

pub fn lift(name: &str) -> Request {
    Request::Restrict(account(name), None)
}
