//! Operations in request bodies: a name of the price book, and an amount in that operation's own measure.

use serde::Serialize;
use serde_json::Value;
use shared::domain::charging::{ChargeRequest, ExpiresIn};
use shared::domain::{
    Credits, IdempotencyKey, InvalidReference, Measure, Operation, OperationName, OperationPrice, PriceBook,
    PricedOperation, Reference, Spender,
};
use shared::http::{Fields, Problem, SPENDER, an_integer, integer, text};
use std::ops::RangeInclusive;

/// How many operations one quote may list.
const QUOTE_OPERATIONS: RangeInclusive<usize> = 1..=100;

/// What a charge may say beside its operation.
pub struct Details {
    pub reference: Option<Reference>,
    pub spender: Option<Spender>,
    pub expires_in: Option<ExpiresIn>,
}

impl Details {
    pub fn of(self, key: IdempotencyKey, operation: Operation) -> ChargeRequest {
        let Self { reference, spender, expires_in } = self;
        ChargeRequest { key, operation, reference, spender, expires_in }
    }
}

/// The operation to charge, and its details.
pub fn charged(fields: &mut Fields<'_>, price_book: &PriceBook) -> Option<(PricedOperation, Details)> {
    let operation = operation(fields, price_book);
    let details = details(fields);
    Some((operation?, details))
}

/// The same for any price book: the operation may be of an earlier one.
pub fn charged_earlier(fields: &mut Fields<'_>) -> Option<(Operation, Details)> {
    let name = fields.required("operation", "a name", text(OperationName::parse));
    let amounts = Measure::ALL.map(|measure| (measure, any_amount(fields, measure)));
    let details = details(fields);
    let mut given = amounts.into_iter().filter_map(|(measure, amount)| Some((measure, amount?)));
    let (Some((measure, amount)), None) = (given.next(), given.next()) else { return None };
    Some((Operation { name: name?, measure, amount }, details))
}

/// What the operation of a pending charge really was; nothing if the whole charge is kept.
pub fn measured(fields: &mut Fields<'_>) -> Option<Option<(Measure, i64)>> {
    let mut measured: Option<(Measure, i64)> = None;
    for measure in Measure::ALL {
        match measured {
            Some((other, _)) => {
                fields.must_not_have(measure.name(), || format!("must not be sent together with {}", other.name()));
            }
            None => measured = any_amount(fields, measure).map(|amount| (measure, amount)),
        }
    }
    Some(measured)
}

fn details(fields: &mut Fields<'_>) -> Details {
    let seconds = ExpiresIn::SECONDS_MIN..=ExpiresIn::SECONDS_MAX;
    let expires_in = fields.optional("expires_in_seconds", an_integer(&seconds), integer(&seconds));
    Details {
        reference: fields.told("reference", reference),
        spender: spender(fields),
        expires_in: expires_in.and_then(|seconds| ExpiresIn::new(seconds).ok()),
    }
}

fn spender(fields: &mut Fields<'_>) -> Option<Spender> {
    fields.optional("spender", SPENDER, text(Spender::parse))
}

/// The operations to quote.
pub fn quoted(fields: &mut Fields<'_>, price_book: &PriceBook) -> Option<Vec<PricedOperation>> {
    fields.objects("operations", QUOTE_OPERATIONS, |fields| operation(fields, price_book))
}

/// The operations to quote for an account, and for whom it would spend.
pub fn quoted_for(fields: &mut Fields<'_>, price_book: &PriceBook) -> Option<(Vec<PricedOperation>, Option<Spender>)> {
    let spender = spender(fields);
    Some((quoted(fields, price_book)?, spender))
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

/// An error in a measure is reported too if the operation is not known.
fn operation(fields: &mut Fields<'_>, price_book: &PriceBook) -> Option<PricedOperation> {
    let find = |name: String| price_book.operation(&name).ok_or(());
    let Some(sold) = fields.required("operation", format_args!("one of {}", price_book.operation_names()), text(find))
    else {
        for measure in Measure::ALL {
            any_amount(fields, measure);
        }
        return None;
    };
    refuse_other_measures(fields, sold);
    let range = sold.amount_min..=sold.amount_max;
    let amount = fields.required(sold.measure.name(), an_integer(&range), integer(&range))?;
    price_book.price(sold, amount).ok()
}

/// An amount that some price book could allow.
fn any_amount(fields: &mut Fields<'_>, measure: Measure) -> Option<i64> {
    let range = 1..=measure.amount_max();
    fields.optional(measure.name(), an_integer(&range), integer(&range))
}

fn refuse_other_measures(fields: &mut Fields<'_>, sold: &OperationPrice) {
    let why = || format!("must not be sent: {} takes {} alone", sold.name, sold.measure.name());
    for measure in Measure::ALL.into_iter().filter(|measure| *measure != sold.measure) {
        fields.must_not_have(measure.name(), why);
    }
}

/// What all operations cost together.
pub fn sum(operations: &[PricedOperation]) -> Credits {
    let prices = operations.iter().map(PricedOperation::credits);
    prices.into_iter().try_fold(Credits::ZERO, Credits::plus).unwrap_or(Credits::MAX)
}

/// The price of each operation, and the sum.
#[derive(Serialize)]
pub struct QuoteBody<'a> {
    operations: Vec<QuotedBody<'a>>,
    credits: i64,
    /// Only for an account: what would refuse a charge of the sum now, or null.
    #[serde(skip_serializing_if = "Option::is_none")]
    would_exceed: Option<Value>,
}

#[derive(Serialize)]
struct QuotedBody<'a> {
    operation: &'a str,
    #[serde(flatten)]
    amount: AmountBody,
    credits: i64,
}

/// The amount under the name of its measure.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum AmountBody {
    DurationMs(i64),
    MaxMinutes(i64),
    Quantity(i64),
}

impl<'a> QuoteBody<'a> {
    pub fn of(operations: &'a [PricedOperation]) -> Self {
        let lines = operations.iter().map(|priced| QuotedBody {
            operation: priced.operation.name.as_str(),
            amount: AmountBody::of(&priced.operation),
            credits: priced.credits().get(),
        });
        Self { operations: lines.collect(), credits: sum(operations).get(), would_exceed: None }
    }

    /// The same for an account, with what would refuse the sum now, if anything.
    pub fn for_account(operations: &'a [PricedOperation], refused: Option<Problem>) -> Self {
        let would_exceed = refused.map_or(Value::Null, |problem| problem.to_foreseen());
        Self { would_exceed: Some(would_exceed), ..Self::of(operations) }
    }
}

impl AmountBody {
    fn of(operation: &Operation) -> Self {
        let amount = operation.amount;
        match operation.measure {
            Measure::DurationMs => Self::DurationMs(amount),
            Measure::MaxMinutes => Self::MaxMinutes(amount),
            Measure::Quantity => Self::Quantity(amount),
        }
    }
}
