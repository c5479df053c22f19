//! `prepaid support import`: a table of any length, in requests of as many lines as the API takes.
//!
//! A line that was imported is not imported again, so the same command goes on where an earlier one stopped.

use super::{Body, Call, Follow, Target, agree, encoded, send};
use clap::Args;
use csv::{ReaderBuilder, StringRecord, WriterBuilder};
use http::Method;
use lambda_http::Error;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, Write};
use std::path::PathBuf;

/// Lines in one request, as many as the API takes.
const LINES: usize = 100;
/// How often a request is sent again while some of its lines had no time.
const TRIES_MAX: u32 = 5;
/// Results that need a person.
const TO_BE_LOOKED_AT: [&str; 3] = ["conflict", "failed", "invalid"];

/// Import accounts and their opening balances from another system.
#[derive(Args)]
pub struct ImportArguments {
    /// A table in CSV with the columns account, email, credits, source_id, and optionally reference.
    file: PathBuf,
    /// Import what the dry run shows, after a question. Without it, nothing changes.
    #[arg(long)]
    apply: bool,
    /// Recorded with every account; needed with --apply.
    #[arg(long, required_if_eq("apply", "true"))]
    reason: Option<String>,
}

/// Lines of the file that are sent together, with their numbers in the file.
#[derive(Debug, PartialEq)]
struct Part {
    numbers: Vec<u64>,
    table: String,
}

/// How many lines have a result, and the credits that they move.
type Totals = BTreeMap<String, (u64, i64)>;

/// Shows what the file would do, asks, and does it.
///
/// # Errors
/// If the file cannot be read, the operator does not agree, the API refuses a request, or lines were not imported.
pub async fn import(
    arguments: &ImportArguments,
    (target, is_agreed): (&Target, bool),
    input: &mut impl BufRead,
    out: &mut impl Write,
) -> Result<(), Error> {
    let parts = split(&std::fs::read(&arguments.file)?)?;
    let (planned, left) = send_all(target, &parts, "dry_run=true", out).await?;
    print(&planned, out)?;
    let Some(reason) = arguments.reason.as_ref().filter(|_| arguments.apply) else {
        writeln!(out, "Nothing was changed. Send it with --apply.")?;
        return left;
    };
    let moved: i64 = planned.values().map(|(_, credits)| credits).sum();
    agree(&format!("Import these lines, {moved} credits in all?"), is_agreed, input, out)?;
    let query = format!("dry_run=false&reason={}", encoded(reason));
    let (done, left) = send_all(target, &parts, &query, out).await?;
    print(&done, out)?;
    left
}

/// The sums over all parts. The second is an error if some lines need a person.
async fn send_all(
    target: &Target,
    parts: &[Part],
    query: &str,
    out: &mut impl Write,
) -> Result<(Totals, Result<(), Error>), Error> {
    let (mut totals, mut left) = (Totals::new(), 0);
    for part in parts {
        let answer = send_part(target, part, query).await?;
        for total in list(&answer, "totals") {
            let sums = totals.entry(text(total, "result")).or_default();
            sums.0 += total["lines"].as_u64().unwrap_or(0);
            sums.1 += total["credits"].as_i64().unwrap_or(0);
        }
        for (number, line) in part.numbers.iter().zip(list(&answer, "lines")) {
            if TO_BE_LOOKED_AT.contains(&text(line, "result").as_str()) {
                left += 1;
                writeln!(out, "line {number}: {}", told(line))?;
            }
        }
    }
    let left = if left == 0 { Ok(()) } else { Err(format!("{left} lines were not imported").into()) };
    Ok((totals, left))
}

async fn send_part(target: &Target, part: &Part, query: &str) -> Result<Value, Error> {
    let mut tries = 1;
    loop {
        let call = Call {
            method: Method::POST,
            path: format!("/v1/support/imports?{query}"),
            key: None,
            body: Some(Body::Csv(part.table.clone())),
            accept: None,
            question: None,
            follow: Follow::Once,
        };
        let (status, answer) = send(target, call).await?;
        if status != 200 && (status != 503 || tries >= TRIES_MAX) {
            let from = part.numbers.first().copied().unwrap_or_default();
            return Err(format!("the API answered {status} to the lines from {from}: {answer}").into());
        }
        let answer: Value = serde_json::from_str(&answer)?;
        if answer["is_complete"] == true || tries >= TRIES_MAX {
            return Ok(answer);
        }
        tries += 1;
    }
}

/// The lines of a table, as many together as the API takes, each with the names of the columns.
fn split(file: &[u8]) -> Result<Vec<Part>, Error> {
    let mut reader = ReaderBuilder::new().flexible(true).from_reader(file);
    let header = reader.headers()?.clone();
    let records: Vec<StringRecord> = reader.records().collect::<Result<_, _>>()?;
    if records.is_empty() {
        return Err("the file has no lines below the names of its columns".into());
    }
    let part = |records: &[StringRecord]| {
        let mut writer = WriterBuilder::new().flexible(true).from_writer(vec![]);
        writer.write_record(&header)?;
        records.iter().try_for_each(|record| writer.write_record(record))?;
        let table = String::from_utf8(writer.into_inner()?)?;
        let number = |record: &StringRecord| record.position().map_or(0, csv::Position::line);
        Ok(Part { numbers: records.iter().map(number).collect(), table })
    };
    records.chunks(LINES).map(part).collect()
}

fn print(totals: &Totals, out: &mut impl Write) -> std::io::Result<()> {
    for (result, (lines, credits)) in totals {
        writeln!(out, "{result:<18} {lines:>9} lines {credits:>16} credits")?;
    }
    Ok(())
}

fn told(line: &Value) -> String {
    let errors = list(line, "errors").map(|error| format!("{} {}", text(error, "field"), text(error, "message")));
    let errors: Vec<String> = errors.collect();
    let why = if errors.is_empty() { text(line, "detail") } else { errors.join("; ") };
    format!("{}, {}: {why}", text(line, "account"), text(line, "result"))
}

fn list<'a>(value: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    value[name].as_array().into_iter().flatten()
}

fn text(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_split_into_tables_that_remember_their_lines() {
        let lines: String = (0..LINES + 1).map(|number| format!("a{number},\"x\ny\"\n")).collect();
        let parts = split(format!("account,reference\n{lines}").as_bytes()).unwrap();
        let [first, second] = &parts[..] else { panic!("{}", parts.len()) };
        assert_eq!((first.numbers.len(), first.numbers[1]), (LINES, 4));
        assert_eq!(second.table, format!("account,reference\na{LINES},\"x\ny\"\n"));
        assert_eq!(second.numbers, [2 * LINES as u64 + 2]);
        assert!(split(b"account,reference\n").is_err());
    }
}
