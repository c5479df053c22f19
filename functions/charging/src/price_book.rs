//! The price book as JSON, in the form in which a company writes it.

use serde::Serialize;
use shared::domain::{OperationPrice, Package, PriceBook};

#[derive(Serialize)]
pub struct PriceBookBody<'a> {
    version: &'a str,
    currency: &'static str,
    /// In the minor unit, as all amounts.
    minimum_charge: i64,
    operations: Vec<OperationBody<'a>>,
    packages: Vec<PackageBody<'a>>,
    auto_top_up: AutoTopUpBody,
    price_per_credit: i64,
}

#[derive(Serialize)]
struct OperationBody<'a> {
    operation: &'a str,
    description: &'a str,
    measure: &'static str,
    credits_per_unit: i64,
    unit_size: i64,
    credits_min: i64,
    amount_min: i64,
    amount_max: i64,
}

#[derive(Serialize)]
struct PackageBody<'a> {
    package: &'a str,
    credits: i64,
    price: i64,
}

#[derive(Serialize)]
struct AutoTopUpBody {
    threshold_min: i64,
    threshold_max: i64,
    target_min: i64,
    target_max: i64,
    gap_min: i64,
}

impl<'a> PriceBookBody<'a> {
    pub fn of(book: &'a PriceBook) -> Self {
        let limits = book.auto_top_up;
        Self {
            version: book.version.as_str(),
            currency: book.currency.code(),
            minimum_charge: book.minimum_charge.minor(),
            operations: book.operations.iter().map(OperationBody::of).collect(),
            packages: book.packages.iter().map(PackageBody::of).collect(),
            auto_top_up: AutoTopUpBody {
                threshold_min: limits.threshold_min,
                threshold_max: limits.threshold_max,
                target_min: limits.target_min,
                target_max: limits.target_max,
                gap_min: limits.gap_min,
            },
            price_per_credit: book.price_per_credit.minor(),
        }
    }
}

impl<'a> OperationBody<'a> {
    fn of(operation: &'a OperationPrice) -> Self {
        Self {
            operation: operation.name.as_str(),
            description: &operation.description,
            measure: operation.measure.name(),
            credits_per_unit: operation.credits_per_unit,
            unit_size: operation.unit_size,
            credits_min: operation.credits_min,
            amount_min: operation.amount_min,
            amount_max: operation.amount_max,
        }
    }
}

impl<'a> PackageBody<'a> {
    fn of(package: &'a Package) -> Self {
        Self { package: package.id.as_str(), credits: package.credits.get(), price: package.price.minor() }
    }
}
