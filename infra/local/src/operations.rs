//! Operations to charge or quote, from a table or from an audio file.
//!
//! This code only reads. The price book sets the price, and the API takes the credits.

use crate::audio::{self, AudioError};
use csv::{ErrorKind, StringRecord, Trim};
use shared::domain::OutOfRange;
use shared::domain::{Operation, Reference};
use std::io;
use std::path::{Path, PathBuf};

/// An operation to run, with the reference that the history will show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedOperation {
    pub operation: Operation,
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
    #[error("the first line must be {}", COLUMNS.join(","))]
    Header,
    #[error("line {line}: there must be {} fields, not {found}", COLUMNS.len())]
    FieldCount { line: u64, found: u64 },
    #[error("line {line}, {column}: {message}")]
    Field { line: u64, column: &'static str, message: String },
    #[error("it lists no operations")]
    Empty,
    #[error("it lists more than {OPERATIONS_MAX} operations")]
    TooMany,
}

const COLUMNS: [&str; 4] = ["operation", "duration_ms", "max_minutes", "reference"];

/// Reads a CSV file with the header `operation,duration_ms,max_minutes,reference` and 1 to [`OPERATIONS_MAX`] lines.
/// A dubbing has a `duration_ms`, a training has a `max_minutes`, and the other field is empty. `reference` may be
/// empty.
///
/// # Errors
/// [`OperationsError`] for the first invalid field, with its line, column and range.
pub fn read_operations(path: &Path) -> Result<Vec<PlannedOperation>, OperationsError> {
    read_table(path).map_err(|reason| OperationsError { path: path.to_owned(), reason })
}

/// The dubbing of this file, with the file's name as its reference.
///
/// # Errors
/// [`AudioError`] if the file's length cannot be determined.
pub fn operation_of_audio(path: &Path) -> Result<PlannedOperation, AudioError> {
    let operation = Operation::Dubbing { duration_ms: audio::priceable(path)?.duration_ms };
    Ok(PlannedOperation { operation, reference: reference_of(path) })
}

/// A file name may be longer than a reference, and may have characters that a reference must not have.
fn reference_of(path: &Path) -> Option<Reference> {
    let name = path.file_name()?.to_string_lossy();
    let name: String = name.chars().filter(|character| !character.is_control()).take(200).collect();
    Reference::parse(name).ok()
}

fn read_table(path: &Path) -> Result<Vec<PlannedOperation>, UnusableTable> {
    let mut table = csv::ReaderBuilder::new().trim(Trim::All).from_path(path).map_err(unusable)?;
    if *table.headers().map_err(unusable)? != COLUMNS[..] {
        return Err(UnusableTable::Header);
    }
    let mut operations = vec![];
    for record in table.records() {
        operations.push(parse(&record.map_err(unusable)?)?);
        if operations.len() > OPERATIONS_MAX {
            return Err(UnusableTable::TooMany);
        }
    }
    if operations.is_empty() { Err(UnusableTable::Empty) } else { Ok(operations) }
}

fn unusable(error: csv::Error) -> UnusableTable {
    let line = error.position().map_or(1, csv::Position::line);
    match error.into_kind() {
        ErrorKind::Io(error) if error.kind() == io::ErrorKind::NotFound => UnusableTable::NotThere,
        ErrorKind::Io(error) => UnusableTable::Unreadable(error),
        ErrorKind::UnequalLengths { len, .. } => UnusableTable::FieldCount { line, found: len },
        ErrorKind::Utf8 { err, .. } => {
            let column = COLUMNS.get(err.field()).copied().unwrap_or("field");
            UnusableTable::Field { line, column, message: "must be UTF-8 text".into() }
        }
        kind => UnusableTable::Unreadable(io::Error::other(format!("{kind:?}"))),
    }
}

fn parse(record: &StringRecord) -> Result<PlannedOperation, UnusableTable> {
    let line = record.position().map_or(0, csv::Position::line);
    let [operation, duration_ms, max_minutes, reference] =
        std::array::from_fn(|column| record.get(column).unwrap_or_default());
    let wrong = |column, message: String| UnusableTable::Field { line, column, message };
    let amount = |column, text: &str, max: i64, make: fn(i64) -> Result<Operation, OutOfRange>| {
        let operation = text.parse().ok().and_then(|value| make(value).ok());
        operation.ok_or_else(|| wrong(column, format!("must be an integer from 1 to {max}, not {text:?}")))
    };
    let operation = match operation {
        "dubbing" if !max_minutes.is_empty() => {
            return Err(wrong("max_minutes", "must be empty: a dubbing is paid by duration_ms".into()));
        }
        "dubbing" => amount("duration_ms", duration_ms, Operation::DURATION_MS_MAX, Operation::dubbing)?,
        "training" if !duration_ms.is_empty() => {
            return Err(wrong("duration_ms", "must be empty: a training is paid by max_minutes".into()));
        }
        "training" => amount("max_minutes", max_minutes, Operation::MAX_MINUTES_MAX, Operation::training)?,
        other => return Err(wrong("operation", format!("must be dubbing or training, not {other:?}"))),
    };
    let reference = Some(reference).filter(|text| !text.is_empty()).map(Reference::parse).transpose();
    let reference = reference.map_err(|error| wrong("reference", format!("must be {}", error.expected)))?;
    Ok(PlannedOperation { operation, reference })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const HEADER: &str = "operation,duration_ms,max_minutes,reference";

    fn read(bytes: impl AsRef<[u8]>) -> Result<Vec<PlannedOperation>, OperationsError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.csv");
        fs::write(&path, bytes).unwrap();
        read_operations(&path)
    }

    #[test]
    fn dubbings_and_trainings_are_read_with_and_without_a_reference() {
        let table = format!("\u{feff}{HEADER}\r\ndubbing, 8412 ,,\"trailer, first cut\"\r\n\r\ntraining,,30,\r\n");
        let trailer = Reference::parse("trailer, first cut").unwrap();
        assert_eq!(
            read(table).unwrap(),
            [
                PlannedOperation { operation: Operation::dubbing(8_412).unwrap(), reference: Some(trailer) },
                PlannedOperation { operation: Operation::training(30).unwrap(), reference: None },
            ]
        );
    }

    #[test]
    fn a_wrong_field_is_named_by_file_line_column_and_range() {
        for (line, complaint) in [
            ("dubbing,0,,x", "line 3, duration_ms: must be an integer from 1 to 86400000, not \"0\""),
            ("dubbing,86400001,,", "line 3, duration_ms: must be an integer from 1 to 86400000, not \"86400001\""),
            ("dubbing,1.5,,", "line 3, duration_ms: must be an integer from 1 to 86400000, not \"1.5\""),
            ("dubbing,,,", "line 3, duration_ms: must be an integer from 1 to 86400000, not \"\""),
            ("dubbing,1,1,", "line 3, max_minutes: must be empty: a dubbing is paid by duration_ms"),
            ("training,,1441,", "line 3, max_minutes: must be an integer from 1 to 1440, not \"1441\""),
            ("training,,-5,", "line 3, max_minutes: must be an integer from 1 to 1440, not \"-5\""),
            ("training,1,5,", "line 3, duration_ms: must be empty: a training is paid by max_minutes"),
            ("cloning,1,,", "line 3, operation: must be dubbing or training, not \"cloning\""),
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
            (vec![], "the first line must be operation,duration_ms,max_minutes,reference"),
            (b"dubbing,60001,,fine\n".to_vec(), "the first line must be operation,duration_ms,max_minutes,reference"),
            (HEADER.into(), "it lists no operations"),
            (latin, "line 2, reference: must be UTF-8 text"),
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
        let error = read_operations(Path::new("/nowhere/plan.csv")).unwrap_err();
        assert_eq!(error.to_string(), "/nowhere/plan.csv: there is no such file");
    }

    #[test]
    fn an_audio_file_is_dubbed_under_its_own_name_as_far_as_a_reference_goes() {
        let clip = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures/audio/pcm.wav");
        let planned = operation_of_audio(&clip).unwrap();
        assert_eq!(planned.operation, Operation::dubbing(1_235).unwrap());
        assert_eq!(planned.reference.unwrap().as_str(), "pcm.wav");
        let long = reference_of(Path::new(&format!("/clips/\n{}", "x".repeat(240)))).unwrap();
        assert_eq!(long.as_str(), "x".repeat(200));
    }
}
