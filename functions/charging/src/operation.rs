//! Operations in request bodies: either `duration_ms` or `max_minutes`, depending on the operation.

use serde::Serialize;
use shared::domain::{Credits, InvalidReference, Operation, PriceBook, Reference};
use shared::http::{Fields, an_integer, integer, text};
use std::ops::RangeInclusive;

const DURATION_MS: RangeInclusive<i64> = 1..=Operation::DURATION_MS_MAX;
const MAX_MINUTES: RangeInclusive<i64> = 1..=Operation::MAX_MINUTES_MAX;

/// How many operations one quote may list.
const QUOTE_OPERATIONS: RangeInclusive<usize> = 1..=100;

/// The operation to charge, and its reference.
pub fn charged(fields: &mut Fields<'_>) -> Option<(Operation, Option<Reference>)> {
    let operation = operation(fields);
    let reference = fields.told("reference", reference);
    Some((operation?, reference))
}

/// The operations to quote.
pub fn quoted(fields: &mut Fields<'_>) -> Option<Vec<Operation>> {
    fields.objects("operations", QUOTE_OPERATIONS, operation)
}

fn reference(json: &str) -> Result<Reference, String> {
    let text: String = serde_json::from_str(json).map_err(|_| "must be a text of 1 to 200 characters".to_owned())?;
    Reference::parse_new(text).map_err(|error| match error {
        InvalidReference::Length => "must be a text of 1 to 200 characters".to_owned(),
        InvalidReference::Invisible { character } => {
            format!("must not have the character U+{:04X}, which cannot be seen", u32::from(character))
        }
    })
}

/// An error in the other measure is reported too, whichever operation it is.
fn operation(fields: &mut Fields<'_>) -> Option<Operation> {
    let (duration_ms, max_minutes) = (an_integer(&DURATION_MS), an_integer(&MAX_MINUTES));
    let name = fields.required("operation", "one of dubbing, training", text(known));
    match name {
        Some("dubbing") => {
            fields.must_not_have("max_minutes", "is for training; dubbing takes duration_ms alone");
            let duration_ms = fields.required("duration_ms", &duration_ms, integer(&DURATION_MS))?;
            Operation::dubbing(duration_ms).ok()
        }
        Some(_) => {
            fields.must_not_have("duration_ms", "is for dubbing; training takes max_minutes alone");
            let max_minutes = fields.required("max_minutes", &max_minutes, integer(&MAX_MINUTES))?;
            Operation::training(max_minutes).ok()
        }
        None => {
            fields.optional("duration_ms", &duration_ms, integer(&DURATION_MS));
            fields.optional("max_minutes", &max_minutes, integer(&MAX_MINUTES));
            None
        }
    }
}

fn known(name: String) -> Result<&'static str, String> {
    ["dubbing", "training"].into_iter().find(|known| *known == name).ok_or(name)
}

/// The price of each operation, and the sum.
#[derive(Serialize)]
pub struct QuoteBody {
    operations: Vec<QuotedBody>,
    credits: i64,
}

#[derive(Serialize)]
struct QuotedBody {
    operation: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_minutes: Option<i64>,
    credits: i64,
}

impl QuoteBody {
    pub fn of(operations: &[Operation], price_book: &PriceBook) -> Self {
        let price = |operation: &Operation| price_book.price_of(*operation);
        let sum = operations.iter().map(price).try_fold(Credits::ZERO, Credits::plus).unwrap_or(Credits::MAX);
        let operations = operations.iter().map(|operation| QuotedBody::of(*operation, price(operation)));
        Self { operations: operations.collect(), credits: sum.get() }
    }
}

impl QuotedBody {
    fn of(operation: Operation, credits: Credits) -> Self {
        let (duration_ms, max_minutes) = match operation {
            Operation::Dubbing { duration_ms } => (Some(duration_ms), None),
            Operation::Training { max_minutes } => (None, Some(max_minutes)),
        };
        Self { operation: operation.name(), duration_ms, max_minutes, credits: credits.get() }
    }
}
