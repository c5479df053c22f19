//! Operations as bodies describe them: either `duration_ms` or `max_minutes`, whichever the operation is paid by.

use serde::{Deserialize, Serialize};
use shared::domain::OutOfRange;
use shared::domain::{Credits, Operation, PriceBook, Reference};
use shared::http::{Body, FieldError, Object, Problem};

const OPERATION_FIELDS: &[(&str, &str)] = &[
    ("operation", "one of dubbing, training"),
    ("duration_ms", "an integer from 1 to 86400000"),
    ("max_minutes", "an integer from 1 to 1440"),
    ("reference", "a text of 1 to 200 characters"),
    ("operations", "a list of 1 to 100 operations"),
];

/// How many operations one quote may list.
const QUOTE_OPERATIONS_MAX: usize = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChargeRequest {
    operation: String,
    duration_ms: Option<i64>,
    max_minutes: Option<i64>,
    reference: Option<String>,
}

impl Body for ChargeRequest {
    const FIELDS: &'static [(&'static str, &'static str)] = OPERATION_FIELDS;
}

impl ChargeRequest {
    /// # Errors
    /// A 422 naming every field that is not as it must be.
    pub fn parse(self) -> Result<(Operation, Option<Reference>), Problem> {
        let operation = parse_operation("", &self.operation, self.duration_ms, self.max_minutes);
        let reference = self.reference.map(Reference::parse).transpose();
        let reference = reference.map_err(|error| vec![FieldError::from(error)]);
        match (operation, reference) {
            (Ok(operation), Ok(reference)) => Ok((operation, reference)),
            (operation, reference) => {
                let errors = operation.err().into_iter().chain(reference.err()).flatten();
                Err(Problem::invalid(errors.collect()))
            }
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuoteRequest {
    operations: Vec<Object<QuotedRequest>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct QuotedRequest {
    operation: String,
    duration_ms: Option<i64>,
    max_minutes: Option<i64>,
}

impl Body for QuoteRequest {
    const FIELDS: &'static [(&'static str, &'static str)] = OPERATION_FIELDS;
}

/// What operations cost, one by one and together.
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

impl QuoteRequest {
    /// # Errors
    /// A 422 naming every field that is not as it must be.
    pub fn quote(self, price_book: &PriceBook) -> Result<QuoteBody, Problem> {
        if self.operations.is_empty() || self.operations.len() > QUOTE_OPERATIONS_MAX {
            let message = format!("must be a list of 1 to {QUOTE_OPERATIONS_MAX} operations");
            return Err(Problem::invalid(vec![FieldError::new("operations", message)]));
        }
        let (mut operations, mut errors, mut sum) = (vec![], vec![], Credits::ZERO);
        for (position, Object(asked)) in self.operations.into_iter().enumerate() {
            let prefix = format!("operations[{position}].");
            match parse_operation(&prefix, &asked.operation, asked.duration_ms, asked.max_minutes) {
                Ok(operation) => {
                    let credits = price_book.price_of(operation);
                    sum = sum.plus(credits).unwrap_or(Credits::MAX);
                    operations.push(QuotedBody {
                        operation: operation.name(),
                        duration_ms: asked.duration_ms,
                        max_minutes: asked.max_minutes,
                        credits: credits.get(),
                    });
                }
                Err(wrong) => errors.extend(wrong),
            }
        }
        if errors.is_empty() { Ok(QuoteBody { operations, credits: sum.get() }) } else { Err(Problem::invalid(errors)) }
    }
}

fn parse_operation(
    prefix: &str,
    operation: &str,
    duration_ms: Option<i64>,
    max_minutes: Option<i64>,
) -> Result<Operation, Vec<FieldError>> {
    let wrong = |field: &str, message: &str| Err(vec![FieldError::new(format!("{prefix}{field}"), message)]);
    let bounded = |parsed: Result<Operation, OutOfRange>| {
        parsed.map_err(|range| {
            let FieldError { field, message } = range.into();
            vec![FieldError::new(format!("{prefix}{field}"), message)]
        })
    };
    match (operation, duration_ms, max_minutes) {
        ("dubbing", Some(duration_ms), None) => bounded(Operation::dubbing(duration_ms)),
        ("training", None, Some(max_minutes)) => bounded(Operation::training(max_minutes)),
        ("dubbing", None, None) => wrong("duration_ms", "is required for dubbing: an integer from 1 to 86400000"),
        ("dubbing", _, Some(_)) => wrong("max_minutes", "is for training; dubbing takes duration_ms alone"),
        ("training", None, None) => wrong("max_minutes", "is required for training: an integer from 1 to 1440"),
        ("training", Some(_), _) => wrong("duration_ms", "is for dubbing; training takes max_minutes alone"),
        _ => wrong("operation", "must be one of dubbing, training"),
    }
}
