//! The price of files, as a table for a terminal.
//!
//! Nothing is charged, and no account is involved. A file that cannot be quoted does not stop the others.

use crate::audio;
use crate::operations::{PlannedOperation, read_operations};
use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{CellAlignment, Table};
use shared::domain::{Credits, Measure, Operation, PriceBook, PricedOperation};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A quote that is incomplete.
#[derive(Debug, thiserror::Error)]
pub enum QuoteError {
    #[error("{failed} of {files} files could not be quoted")]
    SomeFailed { failed: usize, files: usize },
    #[error("the quote could not be written")]
    Write(#[from] io::Error),
}

/// Writes one line per file, or one per operation for a `.csv` file, and the sum of everything that could be quoted.
/// A file that could not be quoted is in the table too, with the reason.
///
/// # Errors
/// [`QuoteError::SomeFailed`] after the whole table is written, if at least one file has no price.
pub fn quote(files: &[PathBuf], price_book: &PriceBook, out: &mut impl Write) -> Result<(), QuoteError> {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(["File", "Length", "Credits", "Price"]);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let (mut sum, mut failed) = (Credits::ZERO, 0_usize);
    for file in files {
        match planned(file, price_book) {
            Ok(lines) => {
                for (name, priced) in lines {
                    let (credits, length) = (priced.credits(), length(&priced.operation));
                    sum = sum.plus(credits).unwrap_or(Credits::MAX);
                    table.add_row([name, length, credits.to_string(), price(credits, price_book)]);
                }
            }
            Err(reason) => {
                failed = failed.saturating_add(1);
                let why = shown(&format!("{}: {reason}", file.display()));
                table.add_row([why, "-".into(), "-".into(), "-".into()]);
            }
        }
    }
    let title = if failed == 0 { "Sum".into() } else { format!("Sum without the {failed} not quoted") };
    table.add_row([title, String::new(), sum.to_string(), price(sum, price_book)]);
    writeln!(out, "{table}")?;
    if failed == 0 { Ok(()) } else { Err(QuoteError::SomeFailed { failed, files: files.len() }) }
}

/// The operations of a file, each with the text of its line, or why there are none.
fn planned(file: &Path, price_book: &PriceBook) -> Result<Vec<(String, PricedOperation)>, String> {
    let name = shown(&file.to_string_lossy());
    if !file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("csv")) {
        let priced = audio::priced(file, price_book).map_err(|error| error.reason.to_string())?;
        let name = priced.track.map_or_else(|| name.clone(), |track| format!("{name}, {track}"));
        return Ok(vec![(name, priced.operation)]);
    }
    let operations = read_operations(file, price_book).map_err(|error| error.reason.to_string())?;
    let line = |PlannedOperation { operation, reference }| {
        let words = reference.map_or_else(|| operation.operation.name.to_string(), |reference| reference.to_string());
        (format!("{name}: {words}"), operation)
    };
    Ok(operations.into_iter().map(line).collect())
}

/// The sender chooses a file's name, so it must not be able to control the terminal.
fn shown(text: &str) -> String {
    text.replace(char::is_control, "\u{fffd}")
}

fn length(operation: &Operation) -> String {
    match operation.measure {
        Measure::DurationMs => {
            let (seconds, ms) = (operation.amount.div_euclid(1_000), operation.amount.rem_euclid(1_000));
            let (minutes, seconds) = (seconds.div_euclid(60), seconds.rem_euclid(60));
            match (minutes.div_euclid(60), minutes.rem_euclid(60)) {
                (0, minutes) => format!("{minutes}:{seconds:02}.{ms:03}"),
                (hours, minutes) => format!("{hours}:{minutes:02}:{seconds:02}.{ms:03}"),
            }
        }
        Measure::MaxMinutes => format!("up to {} min", operation.amount),
        Measure::Quantity => operation.amount.to_string(),
    }
}

fn price(credits: Credits, price_book: &PriceBook) -> String {
    price_book.price_of_credits(credits).map_or_else(|| "more than one payment".into(), |price| price.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn fixture(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures").join(name)
    }

    /// The table's cells, row by row, with the directories removed from the names.
    fn quoted(files: &[PathBuf]) -> (Vec<Vec<String>>, Result<(), QuoteError>) {
        let mut out = vec![];
        let result = quote(files, &PriceBook::reference(), &mut out);
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains('\u{1b}'), "no colours");
        let cells = |line: &str| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().rsplit('/').next().unwrap().to_owned()).collect()
        };
        (text.lines().map(cells).collect(), result)
    }

    #[test]
    fn files_are_listed_with_length_credits_and_price_and_summed() {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("plan.CSV");
        let lines = "operation,duration_ms,max_minutes,reference\ndubbing,3726007,,feature\ntraining,,30,\n";
        fs::write(&table, lines).unwrap();
        let (rows, result) = quoted(&[fixture("audio/pcm.wav"), table]);
        result.unwrap();
        assert_eq!(rows[0], ["File", "Length", "Credits", "Price"]);
        assert_eq!(
            rows[2..],
            [
                ["pcm.wav", "0:01.235", "10", "$0.10"],
                ["plan.CSV: feature", "1:02:06.007", "622", "$6.22"],
                ["plan.CSV: training", "up to 30 min", "300", "$3.00"],
                ["Sum", "", "932", "$9.32"],
            ]
        );
    }

    #[test]
    fn a_file_that_cannot_be_quoted_keeps_its_row_and_does_not_stop_the_others() {
        let (rows, result) = quoted(&[fixture("gone.wav"), fixture("audio/pcm.wav"), fixture("gone.csv")]);
        assert!(matches!(result, Err(QuoteError::SomeFailed { failed: 2, files: 3 })), "{result:?}");
        assert_eq!(
            rows[2..],
            [
                ["gone.wav: there is no such file", "-", "-", "-"],
                ["pcm.wav", "0:01.235", "10", "$0.10"],
                ["gone.csv: there is no such file", "-", "-", "-"],
                ["Sum without the 2 not quoted", "", "10", "$0.10"],
            ]
        );
    }

    #[test]
    fn the_operations_of_the_demonstration_leave_little_of_five_thousand_credits() {
        let (rows, result) = quoted(&[fixture("operations.csv")]);
        result.unwrap();
        assert_eq!(rows.len(), 2 + 42 + 1);
        assert_eq!(rows[44], ["Sum", "", "4449", "$44.49"]);
    }

    #[test]
    fn a_files_name_cannot_steer_the_terminal() {
        let (rows, _) = quoted(&[PathBuf::from("a\u{1b}[31m\nb.wav")]);
        assert_eq!(rows[2][0], "a\u{fffd}[31m\u{fffd}b.wav: there is no such file");
    }
}
