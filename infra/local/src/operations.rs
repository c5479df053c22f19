//! Operations to charge or quote, from a table or from an audio file.
//!
//! This code only reads. The price book sets the price, and the API takes the credits.

use crate::audio::{self, AudioError};
use csv::{ErrorKind, StringRecord, Trim};
use shared::domain::{Measure, OperationPrice, PriceBook, PricedOperation, Reference};
use std::io;
use std::path::{Path, PathBuf};

/// An operation to run, with the reference that the history will show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedOperation {
    pub operation: PricedOperation,
    pub reference: Option<Reference>,
}

/// How many operations one file may list.
pub const OPERATIONS_MAX: usize = 10_000;

/// A table of operations that cannot be used, and the invalid field.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub struct OperationsError {
    pub path: PathBuf,
    pub reason: UnusableTable,
}

/// What is wrong with a table of operations, in words that follow its name.
#[derive(Debug, thiserror::Error)]
pub enum UnusableTable {
    #[error("there is no such file")]
    NotThere,
    #[error("the file cannot be read: {0}")]
    Unreadable(io::Error),
    #[error("the first line must name the columns: operation, reference, and at least one of {}", measures())]
    Header,
    #[error("line {line}: there must be {expected} fields, not {found}")]
    FieldCount { line: u64, expected: u64, found: u64 },
    #[error("line {line}, {column}: {message}")]
    Field { line: u64, column: String, message: String },
    #[error("it lists no operations")]
    Empty,
    #[error("it lists more than {OPERATIONS_MAX} operations")]
    TooMany,
}

/// Reads a CSV file with 1 to [`OPERATIONS_MAX`] lines below a header, which names the columns `operation`, `reference`
/// and any of the measures. An operation has an amount in its own measure, and the other measures are empty.
/// `reference` may be empty.
///
/// # Errors
/// [`OperationsError`] for the first invalid field, with its line, column and range.
pub fn read_operations(path: &Path, price_book: &PriceBook) -> Result<Vec<PlannedOperation>, OperationsError> {
    read_table(path, price_book).map_err(|reason| OperationsError { path: path.to_owned(), reason })
}

/// This file as an operation that is paid by its length, with the file's name as its reference.
///
/// # Errors
/// [`AudioError`] if the file's length cannot be determined, or is outside the operation's bounds.
pub fn operation_of_audio(path: &Path, price_book: &PriceBook) -> Result<PlannedOperation, AudioError> {
    Ok(PlannedOperation { operation: audio::priced(path, price_book)?.operation, reference: reference_of(path) })
}

/// A file name may be longer than a reference, and may have characters that a reference must not have.
fn reference_of(path: &Path) -> Option<Reference> {
    let name = path.file_name()?.to_string_lossy();
    let name: String = name.chars().filter(|character| !character.is_control()).take(200).collect();
    Reference::parse(name).ok()
}

fn read_table(path: &Path, price_book: &PriceBook) -> Result<Vec<PlannedOperation>, UnusableTable> {
    let mut table = csv::ReaderBuilder::new().trim(Trim::All).from_path(path).map_err(unusable)?;
    let columns: Vec<String> = table.headers().map_err(unusable)?.iter().map(str::to_owned).collect();
    if !is_header(&columns) {
        return Err(UnusableTable::Header);
    }
    let mut operations = vec![];
    for record in table.records() {
        operations.push(parse(&Line { columns: &columns, record: record.map_err(unusable)? }, price_book)?);
        if operations.len() > OPERATIONS_MAX {
            return Err(UnusableTable::TooMany);
        }
    }
    if operations.is_empty() { Err(UnusableTable::Empty) } else { Ok(operations) }
}

fn measures() -> String {
    Measure::ALL.map(Measure::name).join(", ")
}

/// Each column once, in any order.
fn is_header(columns: &[String]) -> bool {
    let count = |name: &str| columns.iter().filter(|column| *column == name).count();
    let of_measures = Measure::ALL.map(|measure| count(measure.name()));
    let known = 2_usize.saturating_add(of_measures.iter().sum());
    count("operation") == 1
        && count("reference") == 1
        && of_measures.iter().all(|count| *count <= 1)
        && of_measures.contains(&1)
        && known == columns.len()
}

fn unusable(error: csv::Error) -> UnusableTable {
    let line = error.position().map_or(1, csv::Position::line);
    match error.into_kind() {
        ErrorKind::Io(error) if error.kind() == io::ErrorKind::NotFound => UnusableTable::NotThere,
        ErrorKind::Io(error) => UnusableTable::Unreadable(error),
        ErrorKind::UnequalLengths { len, expected_len, .. } => {
            UnusableTable::FieldCount { line, expected: expected_len, found: len }
        }
        ErrorKind::Utf8 { err, .. } => {
            let column = format!("column {}", err.field().saturating_add(1));
            UnusableTable::Field { line, column, message: "must be UTF-8 text".into() }
        }
        kind => UnusableTable::Unreadable(io::Error::other(format!("{kind:?}"))),
    }
}

struct Line<'a> {
    columns: &'a [String],
    record: StringRecord,
}

impl Line<'_> {
    /// Empty if there is no such column.
    fn field(&self, name: &str) -> &str {
        let place = self.columns.iter().position(|column| column == name);
        place.and_then(|place| self.record.get(place)).unwrap_or_default()
    }

    fn wrong(&self, column: &str, message: String) -> UnusableTable {
        let line = self.record.position().map_or(0, csv::Position::line);
        UnusableTable::Field { line, column: column.to_owned(), message }
    }
}

fn parse(line: &Line<'_>, price_book: &PriceBook) -> Result<PlannedOperation, UnusableTable> {
    let name = line.field("operation");
    let sold = price_book.operation(name).ok_or_else(|| {
        line.wrong("operation", format!("must be one of {}, not {name:?}", price_book.operation_names()))
    })?;
    for other in Measure::ALL.into_iter().filter(|measure| *measure != sold.measure) {
        if !line.field(other.name()).is_empty() {
            let why = format!("must be empty: {name} takes {} alone", sold.measure.name());
            return Err(line.wrong(other.name(), why));
        }
    }
    let reference = Some(line.field("reference")).filter(|text| !text.is_empty()).map(Reference::parse).transpose();
    let reference = reference.map_err(|error| line.wrong("reference", format!("must be {}", error.expected)));
    Ok(PlannedOperation { operation: priced(line, sold, price_book)?, reference: reference? })
}

fn priced(line: &Line<'_>, sold: &OperationPrice, price_book: &PriceBook) -> Result<PricedOperation, UnusableTable> {
    let text = line.field(sold.measure.name());
    let priced = text.parse().ok().and_then(|amount| price_book.price(sold, amount).ok());
    priced.ok_or_else(|| {
        let (min, max) = (sold.amount_min, sold.amount_max);
        line.wrong(sold.measure.name(), format!("must be an integer from {min} to {max}, not {text:?}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const HEADER: &str = "operation,duration_ms,max_minutes,reference";
    const HEADER_EXPECTED: &str = "the first line must name the columns: operation, reference, and at least one of duration_ms, max_minutes, quantity";

    fn read(bytes: impl AsRef<[u8]>) -> Result<Vec<PlannedOperation>, OperationsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.csv");
        fs::write(&path, bytes).unwrap();
        read_operations(&path, &PriceBook::reference())
    }

    fn priced(name: &str, amount: i64) -> PricedOperation {
        let book = PriceBook::reference();
        book.price(book.operation(name).unwrap(), amount).unwrap()
    }

    #[test]
    fn dubbings_and_trainings_are_read_with_and_without_a_reference() {
        let table = format!("\u{feff}{HEADER}\r\ndubbing, 8412 ,,\"trailer, first cut\"\r\n\r\ntraining,,30,\r\n");
        let trailer = Reference::parse("trailer, first cut").unwrap();
        assert_eq!(
            read(table).unwrap(),
            [
                PlannedOperation { operation: priced("dubbing", 8_412), reference: Some(trailer) },
                PlannedOperation { operation: priced("training", 30), reference: None },
            ]
        );
    }

    #[test]
    fn columns_may_come_in_any_order_and_leave_out_a_measure() {
        let planned = read("reference,operation,max_minutes\n,training,5\n").unwrap();
        assert_eq!(planned, [PlannedOperation { operation: priced("training", 5), reference: None }]);
    }

    #[test]
    fn a_wrong_field_is_named_by_file_line_column_and_range() {
        for (line, complaint) in [
            ("dubbing,0,,x", "line 3, duration_ms: must be an integer from 1 to 86400000, not \"0\""),
            ("dubbing,86400001,,", "line 3, duration_ms: must be an integer from 1 to 86400000, not \"86400001\""),
            ("dubbing,1.5,,", "line 3, duration_ms: must be an integer from 1 to 86400000, not \"1.5\""),
            ("dubbing,,,", "line 3, duration_ms: must be an integer from 1 to 86400000, not \"\""),
            ("dubbing,1,1,", "line 3, max_minutes: must be empty: dubbing takes duration_ms alone"),
            ("training,,1441,", "line 3, max_minutes: must be an integer from 1 to 1440, not \"1441\""),
            ("training,,-5,", "line 3, max_minutes: must be an integer from 1 to 1440, not \"-5\""),
            ("training,1,5,", "line 3, duration_ms: must be empty: training takes max_minutes alone"),
            ("cloning,1,,", "line 3, operation: must be one of dubbing, training, not \"cloning\""),
            ("dubbing,1,,a\tb", "line 3, reference: must be 1 to 200 characters, none of them a control character"),
            ("dubbing,1", "line 3: there must be 4 fields, not 2"),
            ("dubbing,1,,a,b", "line 3: there must be 4 fields, not 5"),
        ] {
            let error = read(format!("{HEADER}\ndubbing,60001,,fine\n{line}\n")).unwrap_err().to_string();
            assert!(error.ends_with(&format!("plan.csv: {complaint}")), "{error}");
        }
    }

    #[test]
    fn a_table_without_its_header_or_operations_or_in_another_encoding_is_refused() {
        let latin = [HEADER.as_bytes(), b"\ndubbing,1,,Caf\xe9\n"].concat();
        for (table, complaint) in [
            (vec![], HEADER_EXPECTED),
            (b"dubbing,60001,,fine\n".to_vec(), HEADER_EXPECTED),
            (b"operation,reference\n".to_vec(), HEADER_EXPECTED),
            (b"operation,duration_ms,duration_ms,reference\n".to_vec(), HEADER_EXPECTED),
            (b"operation,duration_ms,reference,color\n".to_vec(), HEADER_EXPECTED),
            (HEADER.into(), "it lists no operations"),
            (latin, "line 2, column 4: must be UTF-8 text"),
        ] {
            let error = read(table).unwrap_err().to_string();
            assert!(error.ends_with(&format!("plan.csv: {complaint}")), "{error}");
        }
    }

    #[test]
    fn a_table_lists_at_most_ten_thousand_operations() {
        let table = |lines| format!("{HEADER}\n{}", "dubbing,60001,,\n".repeat(lines));
        assert_eq!(read(table(10_000)).unwrap().len(), 10_000);
        assert!(matches!(read(table(10_001)).unwrap_err().reason, UnusableTable::TooMany));
    }

    #[test]
    fn a_table_that_is_not_there_is_said_so() {
        let error = read_operations(Path::new("/nowhere/plan.csv"), &PriceBook::reference()).unwrap_err();
        assert_eq!(error.to_string(), "/nowhere/plan.csv: there is no such file");
    }

    #[test]
    fn an_audio_file_is_dubbed_under_its_own_name_as_far_as_a_reference_goes() {
        let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/audio/pcm.wav");
        let planned = operation_of_audio(&clip, &PriceBook::reference()).unwrap();
        assert_eq!(planned.operation, priced("dubbing", 1_235));
        assert_eq!(planned.reference.unwrap().as_str(), "pcm.wav");
        let long = reference_of(Path::new(&format!("/clips/\n{}", "x".repeat(240)))).unwrap();
        assert_eq!(long.as_str(), "x".repeat(200));
    }
}
