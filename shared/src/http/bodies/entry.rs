//! An entry as JSON: the movement, its cause, and the numbers that it was computed with.

use crate::domain::payments::PaidFor;
use crate::domain::{Cause, Entry, Measure, Operation, PriceLine};
use crate::http::time;
use serde::Serialize;

#[derive(Serialize)]
pub struct EntryBody<'a> {
    pub entry: String,
    pub kind: &'static str,
    pub credits: i64,
    pub balance_after: i64,
    pub seq: u64,
    pub created_at: String,
    #[serde(flatten)]
    pub cause: CauseBody<'a>,
}

#[derive(Default, Serialize)]
pub struct CauseBody<'a> {
    #[serde(flatten)]
    pub operation: Option<OperationBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spender: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charge: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub purchase: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub package: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_up: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source_id: Option<&'a str>,
}

/// What was asked for, what was billed, and at which price. The amounts have the names of their measure.
#[derive(Default, Serialize)]
pub struct OperationBody<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billed_duration_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_minutes: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billed_max_minutes: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub billed_quantity: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<PriceBody<'a>>,
}

/// The line of the price book, as it was then.
#[derive(Serialize)]
pub struct PriceBody<'a> {
    pub price_book: &'a str,
    pub credits_per_unit: i64,
    pub unit_size: i64,
    pub credits_min: i64,
}

impl<'a> EntryBody<'a> {
    pub fn of(entry: &'a Entry) -> Self {
        let origin = entry.origin();
        Self {
            entry: origin.to_string(),
            kind: origin.kind(),
            credits: entry.credits.get(),
            balance_after: entry.balance_after.get(),
            seq: entry.seq,
            created_at: time(entry.created_at),
            cause: CauseBody::of(&entry.cause),
        }
    }
}

impl<'a> CauseBody<'a> {
    fn of(cause: &'a Cause) -> Self {
        match cause {
            Cause::Charge { key, operation, price, reference, spender, request_id, .. } => Self {
                charge: Some(key.as_str()),
                operation: Some(OperationBody::of(operation, price.as_ref())),
                reference: reference.as_ref().map(|reference| reference.as_str()),
                spender: spender.as_ref().map(|spender| spender.as_str()),
                request_id: request_id.as_ref().map(|request_id| request_id.as_str()),
                ..Self::default()
            },
            Cause::Capture { charge, operation, price } => Self {
                charge: Some(charge.as_str()),
                operation: Some(OperationBody::of(operation, Some(price))),
                ..Self::default()
            },
            Cause::Void { charge } | Cause::Expiry { charge } | Cause::Restore { charge } => {
                Self { charge: Some(charge.as_str()), ..Self::default() }
            }
            Cause::Purchase { purchase, package } => {
                Self { purchase: Some(purchase.as_str()), package: Some(package.as_str()), ..Self::default() }
            }
            Cause::TopUp { top_up } => Self { top_up: Some(top_up.as_str()), ..Self::default() },
            Cause::Import { source, reference } => Self {
                source_id: Some(source.as_str()),
                reference: reference.as_ref().map(|reference| reference.as_str()),
                ..Self::default()
            },
            Cause::Reversal { paid_for, number: _, because } => {
                let body = Self { because: Some(because.name()), ..Self::default() };
                match paid_for {
                    PaidFor::Purchase(purchase) => Self { purchase: Some(purchase.as_str()), ..body },
                    PaidFor::TopUp(top_up) => Self { top_up: Some(top_up.as_str()), ..body },
                }
            }
            // Who adjusted is for support alone.
            Cause::Adjustment { reason, .. } => {
                Self { reason: reason.as_ref().map(|reason| reason.as_str()), ..Self::default() }
            }
        }
    }
}

impl<'a> OperationBody<'a> {
    pub fn of(operation: &'a Operation, price: Option<&'a PriceLine>) -> Self {
        let (amount, billed) = (Some(operation.amount), price.map(|price| price.billed_amount(operation.amount)));
        let common =
            Self { operation: Some(operation.name.as_str()), price: price.map(PriceBody::of), ..Self::default() };
        match operation.measure {
            Measure::DurationMs => Self { duration_ms: amount, billed_duration_ms: billed, ..common },
            Measure::MaxMinutes => Self { max_minutes: amount, billed_max_minutes: billed, ..common },
            Measure::Quantity => Self { quantity: amount, billed_quantity: billed, ..common },
        }
    }
}

impl<'a> PriceBody<'a> {
    fn of(price: &'a PriceLine) -> Self {
        Self {
            price_book: price.version.as_str(),
            credits_per_unit: price.credits_per_unit,
            unit_size: price.unit_size,
            credits_min: price.credits_min,
        }
    }
}
