//! A customer asks for a payment whose credits are missing.

use crate::Outside;
use jiff::Timestamp;
use jiff::civil::Date;
use lambda_http::Request;
use serde::Serialize;
use shared::domain::payments::{Bought, CardStatement, Claim, PaidFor};
use shared::domain::{CardPaymentId, InvoiceId, InvoiceNumber, PaymentIntentId};
use shared::http::bodies::EntryBody;
use shared::http::{Fields, Problem, ReachedAccount, Reply, integer, parse_body, text, time};
use shared::use_cases::Context;
use shared::use_cases::payments::{FoundPayment, OwnPayment, find_payments};
use shared::words;

const CRITERIA: [&str; 4] = ["receipt", "invoice", "payment", "card"];

/// Says what became of the payment, and grants what was paid.
pub async fn post<O: Outside>(
    context: &Context<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let now = context.now();
    let claim = parse_body(request, |fields| claim(fields, now))?;
    let found = find_payments(context, account.id(), &claim).await?;
    Reply::ok(&FoundBodies { data: found.iter().map(FoundBody::of).collect() })
}

fn claim(fields: &mut Fields<'_>, now: Timestamp) -> Option<Claim> {
    let given = CRITERIA.iter().filter(|name| fields.is_given(name)).count();
    let claims = [
        fields.optional("receipt", "the number of an invoice or a receipt, as it is printed", text(receipt)),
        fields.optional("invoice", "an invoice of Stripe's: in_…", text(invoice)),
        fields.optional("payment", "a payment of Stripe's: pi_…, ch_… or py_…", text(payment)),
        fields.object("card", |fields| statement(fields, now)).map(Claim::Card),
    ];
    if given != 1 {
        let one_of = CRITERIA.join(", ");
        fields.refuse("receipt", format!("is required, or another criterion: send exactly one of {one_of}"));
    }
    claims.into_iter().flatten().next()
}

/// Stripe prints capitals, and customers type as they like.
fn receipt(number: String) -> Result<Claim, ()> {
    InvoiceNumber::parse(number.trim().to_ascii_uppercase()).map(Claim::Receipt).map_err(drop)
}

fn invoice(id: String) -> Result<Claim, ()> {
    if !id.starts_with("in_") {
        return Err(());
    }
    InvoiceId::parse(id).map(Claim::Invoice).map_err(drop)
}

/// Stripe's charges of bank debits begin with `py_`.
fn payment(id: String) -> Result<Claim, ()> {
    if id.starts_with("pi_") {
        return PaymentIntentId::parse(id).map(Claim::Payment).map_err(drop);
    }
    if id.starts_with("ch_") || id.starts_with("py_") {
        return CardPaymentId::parse(id).map(Claim::CardPayment).map_err(drop);
    }
    Err(())
}

fn statement(fields: &mut Fields<'_>, now: Timestamp) -> Option<CardStatement> {
    let is_digits = |digits: &String| digits.len() == 4 && digits.bytes().all(|byte| byte.is_ascii_digit());
    let last4 = fields.required(
        "last4",
        "the last four digits of the card, as a string",
        text(|digits: String| Some(digits).filter(is_digits).ok_or(())),
    );
    let date = fields.required(
        "date",
        format_args!("a day (YYYY-MM-DD) of the last {} days", CardStatement::DAYS_MAX),
        text(|text: String| day(&text).filter(|date| CardStatement::is_searchable(*date, now)).ok_or(())),
    );
    let amounts = 1..=i64::MAX;
    let expected = "a positive integer in the minor unit of the currency, with tax";
    let amount = fields.required("amount", expected, integer(&amounts));
    CardStatement::new(last4?, date?, amount?)
}

/// Only in this form: other parsers would also take a time, and drop it.
fn day(text: &str) -> Option<Date> {
    text.parse().ok().filter(|date: &Date| date.to_string() == text)
}

#[derive(Serialize)]
struct FoundBodies<'a> {
    data: Vec<FoundBody<'a>>,
}

#[derive(Serialize)]
struct FoundBody<'a> {
    result: &'static str,
    note: &'static str,
    #[serde(flatten)]
    own: Option<OwnBody<'a>>,
}

/// What is told of a payment of the account itself. Amounts are in the minor unit of the currency, with tax.
#[derive(Serialize)]
struct OwnBody<'a> {
    /// What it was made for; the other one is null.
    purchase: Option<&'a str>,
    top_up: Option<&'a str>,
    status: Option<&'static str>,
    payment: Option<&'a str>,
    invoice: Option<&'a str>,
    amount: i64,
    amount_returned: i64,
    currency: String,
    created_at: String,
    /// The entry that granted its credits.
    entry: Option<EntryBody<'a>>,
    hosted_url: Option<&'a str>,
}

impl<'a> FoundBody<'a> {
    fn of(found: &'a FoundPayment) -> Self {
        let FoundPayment { result, own } = found;
        let entry = result.entry().map(EntryBody::of);
        let own = own.as_ref().map(|own| OwnBody::of(own, entry));
        Self { result: result.name(), note: words::found(result), own }
    }
}

impl<'a> OwnBody<'a> {
    fn of(own: &'a OwnPayment, entry: Option<EntryBody<'a>>) -> Self {
        let (purchase, top_up) = match &own.paid_for {
            PaidFor::Purchase(purchase) => (Some(purchase.as_str()), None),
            PaidFor::TopUp(top_up) => (None, Some(top_up.as_str())),
        };
        Self {
            purchase,
            top_up,
            status: own.bought.as_ref().map(Bought::status_name),
            payment: own.payment.as_ref().map(|payment| payment.as_str()),
            invoice: own.invoice.as_ref().map(|invoice| invoice.as_str()),
            amount: own.amount,
            amount_returned: own.returned,
            currency: own.currency.to_ascii_uppercase(),
            created_at: time(own.created_at),
            entry,
            hosted_url: own.hosted_url.as_deref(),
        }
    }
}
