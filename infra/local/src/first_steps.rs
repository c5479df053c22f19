//! What a new user can try first, in the words of the price book.

use serde_json::{Value, json};
use shared::domain::{PriceBook, PricedOperation};

/// A purchase and a charge that it pays for.
#[derive(Clone, Debug, PartialEq)]
pub struct FirstSteps {
    /// The body of `POST …/purchases`.
    pub purchase: Value,
    /// The body of `POST …/charges`.
    pub charge: Value,
}

/// One and a half units of the first operation, and the first package that pays for them. A book has one of each.
pub fn first_steps(book: &PriceBook) -> FirstSteps {
    let operation = book.operations.first();
    let priced = operation.and_then(|operation| {
        let amount = (operation.unit_size + operation.unit_size / 2).clamp(operation.amount_min, operation.amount_max);
        book.price(operation, amount).ok()
    });
    let pays = |credits| priced.as_ref().is_none_or(|priced| priced.credits() <= credits);
    let package = book.packages.iter().find(|package| pays(package.credits)).or(book.packages.last());
    let charge = priced.as_ref().map(|PricedOperation { operation, .. }| {
        json!({"operation": operation.name.as_str(), operation.measure.name(): operation.amount})
    });
    FirstSteps { purchase: json!({"package": package.map(|package| package.id.as_str())}), charge: json!(charge) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::domain::{Measure, OperationName};

    #[test]
    fn what_is_tried_first_is_sold_and_paid_for() {
        let mut book = PriceBook::reference();
        let FirstSteps { purchase, charge } = first_steps(&book);
        assert_eq!(purchase, json!({"package": "credits_500"}));
        assert_eq!(charge, json!({"operation": "dubbing", "duration_ms": 90_000}));

        book.operations.remove(0);
        let speech = &mut book.operations[0];
        speech.name = OperationName::parse("speech").unwrap();
        (speech.measure, speech.credits_per_unit, speech.unit_size) = (Measure::Quantity, 1_000, 1_000);
        (speech.amount_min, speech.amount_max) = (2_000, 5_000);
        let FirstSteps { purchase, charge } = first_steps(&book);
        assert_eq!(purchase, json!({"package": "credits_5000"}), "500 credits do not pay for 2,000 characters");
        assert_eq!(charge, json!({"operation": "speech", "quantity": 2_000}));
    }
}
