//! Flags for unusual usage and unknown payments, newest first: of all accounts, or of one.

use crate::Outside;
use lambda_http::Request;
use serde::Serialize;
use shared::domain::usage::{Flag, FlagKind, FlagPlace, FlaggedPayment};
use shared::domain::{AccountId, InvoiceId, PaymentIntentId};
use shared::http::{Page, Problem, Reply, parse_query, time};
use shared::use_cases::Context;
use shared::use_cases::support::list_flags;

/// One page. The cursor is the place of its last flag.
pub async fn get<O: Outside>(context: &Context<O>, request: &Request) -> Result<Reply, Problem> {
    let (limit, account, after) = parse_query(request, |query| {
        let account = query.optional("account", "an account's id", |text| AccountId::parse(text).ok());
        let after = query.cursor(|text| place(&text));
        (query.limit(), account, after)
    })?;
    let page = list_flags(context, account.as_ref(), after.as_ref(), limit).await?;
    let next_cursor = page.records.last().filter(|_| page.has_more).map(|oldest| written(&oldest.place()));
    Reply::ok(&Page::new(page.records.iter().map(FlagBody::of).collect(), next_cursor))
}

/// `1767225600000.acme.2026-01-01.credits_per_day`.
fn written(place: &FlagPlace) -> String {
    let FlagPlace { raised_at, account, date, kind } = place;
    format!("{}.{account}.{date}.{}", raised_at.as_millisecond(), kind.name())
}

/// The place that is written like this, and in no other way.
fn place(text: &str) -> Option<FlagPlace> {
    let mut parts = text.split('.');
    let place = FlagPlace {
        raised_at: jiff::Timestamp::from_millisecond(parts.next()?.parse().ok()?).ok()?,
        account: AccountId::parse(parts.next()?).ok()?,
        date: parts.next()?.parse().ok()?,
        kind: FlagKind::of_name(parts.next()?)?,
    };
    (written(&place) == text).then_some(place)
}

#[derive(Serialize)]
pub struct FlagBody<'a> {
    account: &'a str,
    kind: &'static str,
    date: String,
    hour: Option<i8>,
    /// What was counted when the flag was raised. It may have grown since.
    value: i64,
    usual: i64,
    spread: i64,
    threshold: i64,
    raised_at: String,
    payment: Option<PaymentBody<'a>>,
}

/// The payment that a flag is about. What was paid is the flag's `value`.
#[derive(Serialize)]
pub struct PaymentBody<'a> {
    paid_for: &'a str,
    currency: String,
    payment_intent: Option<&'a str>,
    invoice: Option<&'a str>,
}

impl<'a> FlagBody<'a> {
    pub fn of(flag: &'a Flag) -> Self {
        Self {
            account: flag.account.as_str(),
            kind: flag.kind.name(),
            date: flag.date.to_string(),
            hour: flag.hour,
            value: flag.value,
            usual: flag.median,
            spread: flag.spread,
            threshold: flag.threshold,
            raised_at: time(flag.raised_at),
            payment: flag.payment.as_ref().map(PaymentBody::of),
        }
    }
}

impl<'a> PaymentBody<'a> {
    fn of(payment: &'a FlaggedPayment) -> Self {
        Self {
            paid_for: payment.paid_for.as_str(),
            currency: payment.currency.to_uppercase(),
            payment_intent: payment.payment_intent.as_ref().map(PaymentIntentId::as_str),
            invoice: payment.invoice.as_ref().map(InvoiceId::as_str),
        }
    }
}
