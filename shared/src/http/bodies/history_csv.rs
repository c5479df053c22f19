//! The history as CSV.

use super::EntryBody;
use crate::domain::Entry;
use crate::http::{Cell, CsvTable, Problem};
use crate::words::explanation;

/// New columns come last, so that those who count columns keep theirs.
const COLUMNS: [&str; 25] = [
    "seq",
    "created_at",
    "kind",
    "entry",
    "credits",
    "balance_after",
    "charge",
    "operation",
    "duration_ms",
    "billed_duration_ms",
    "max_minutes",
    "billed_max_minutes",
    "quantity",
    "billed_quantity",
    "price_book",
    "credits_per_unit",
    "unit_size",
    "credits_min",
    "reference",
    "spender",
    "purchase",
    "package",
    "top_up",
    "request_id",
    "explanation",
];

/// One page of the history. The first one has a line with the names of the columns.
///
/// # Errors
/// A 500 if a line cannot be written.
pub fn history_csv<'a>(entries: impl IntoIterator<Item = &'a Entry>, is_first: bool) -> Result<CsvTable, Problem> {
    let mut table = CsvTable::page(&COLUMNS, is_first)?;
    for entry in entries {
        table.row(cells(entry))?;
    }
    Ok(table)
}

fn cells(entry: &Entry) -> [Cell; COLUMNS.len()] {
    let EntryBody { entry: origin, kind, credits, balance_after, seq, created_at, cause } = EntryBody::of(entry);
    let operation = cause.operation.unwrap_or_default();
    let price = operation.price.as_ref();
    [
        Cell::from(i64::try_from(seq).ok()),
        Cell::Text(created_at),
        Cell::text(kind),
        Cell::Text(origin),
        Cell::Number(credits),
        Cell::Number(balance_after),
        cause.charge.into(),
        operation.operation.into(),
        operation.duration_ms.into(),
        operation.billed_duration_ms.into(),
        operation.max_minutes.into(),
        operation.billed_max_minutes.into(),
        operation.quantity.into(),
        operation.billed_quantity.into(),
        price.map(|price| price.price_book).into(),
        price.map(|price| price.credits_per_unit).into(),
        price.map(|price| price.unit_size).into(),
        price.map(|price| price.credits_min).into(),
        cause.reference.into(),
        cause.spender.into(),
        cause.purchase.into(),
        cause.package.into(),
        cause.top_up.into(),
        cause.request_id.into(),
        Cell::Text(explanation(entry)),
    ]
}
