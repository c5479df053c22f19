//! Importing accounts and their opening balances from another system, line by line.

use crate::{App, Operation, Outside, REASON, asked, operator};
use futures::stream::{self, StreamExt};
use lambda_http::Request;
use serde::Serialize;
use shared::domain::support::{Import, ImportRefusal, ImportedCredits};
use shared::domain::{AccountId, ActReason, EmailAddress, PriceBook, Reference, SourceId};
use shared::http::{Columns, CsvLine, FieldError, Found, Parameters, Problem, Reply, log, parse_csv, parse_query};
use shared::use_cases::support::{Asked, ImportError, ImportOutcome, import, preview_imports};
use std::collections::{BTreeMap, HashMap};
use std::ops::RangeInclusive;
use std::pin::pin;
use std::time::Duration;

/// How many lines one request may have. Opening an account takes Stripe less than half a second, so they are done before
/// API Gateway stops waiting after 30 seconds.
const LINES: RangeInclusive<usize> = 1..=100;
/// Accounts that are worked on at the same time, so that Stripe is asked for fewer than its 25 customers a second.
/// <https://docs.stripe.com/rate-limits>
const ACCOUNTS_AT_ONCE: usize = 4;
/// The request is answered after this time, whatever is left of it.
const TIME_MAX: Duration = Duration::from_secs(24);
const COLUMNS: Columns = Columns { required: &["account", "email", "credits", "source_id"], optional: &["reference"] };

/// Says what each line would do, or does it. A line that fails does not hold up the others.
pub async fn post<O: Outside>(app: &App<O>, request: &Request, found: &Found<Operation>) -> Result<Reply, Problem> {
    let operator = operator(found)?;
    let reason = parse_query(request, wanted)?;
    let asked = reason.map(|reason| asked(operator, reason));
    let lines = parse_csv(request, COLUMNS, LINES)?;
    let mut results = Results::of(app, lines);
    let is_in_time = tokio::time::timeout(TIME_MAX, results.fill(app, request, asked.as_ref())).await.is_ok();
    Reply::ok(&AnswerBody::of(results, asked.is_none(), is_in_time))
}

/// The reason, if the import is to be carried out.
fn wanted(query: &mut Parameters) -> Option<ActReason> {
    let is_dry_run = query.optional("dry_run", "true or false", |text| text.parse::<bool>().ok());
    let reason = query.optional("reason", REASON, |text| ActReason::parse(text).ok());
    if is_dry_run != Some(false) {
        return None;
    }
    if reason.is_none() && query.is_valid() {
        query.refuse("reason", format!("is required if dry_run is false: {REASON}"));
    }
    reason
}

/// The lines of a request, and the results so far.
struct Results {
    /// The lines of each account, after their places, in their order.
    accounts: BTreeMap<AccountId, (Vec<usize>, Vec<Import>)>,
    lines: Vec<LineBody>,
}

impl Results {
    fn of<O: Outside>(app: &App<O>, lines: Vec<CsvLine>) -> Self {
        let mut results = Self { accounts: BTreeMap::new(), lines: vec![] };
        let mut sources = HashMap::new();
        for (place, mut line) in lines.into_iter().enumerate() {
            let read = read(&mut line);
            if let Some(import) = &read {
                let first = *sources.entry(import.source.clone()).or_insert(line.number);
                if first != line.number {
                    line.refuse("source_id", format!("must be there once, and is on line {first} as well"));
                }
            }
            results.lines.push(LineBody::unanswered(&line));
            let errors = line.into_errors();
            match read.filter(|_| errors.is_empty()) {
                Some(import) => {
                    let (places, imports) = results.accounts.entry(import.account.clone()).or_default();
                    places.push(place);
                    imports.push(import);
                }
                None => results.lines[place].refuse(errors),
            }
        }
        results.accounts.retain(|account, (places, _)| match app.limiter.admit(account, app.context.now()) {
            Ok(()) => true,
            Err(problem) => {
                places.iter().for_each(|place| results.lines[*place].fail(&problem));
                false
            }
        });
        results
    }

    /// May be dropped at any time; the results so far stay.
    async fn fill<O: Outside>(&mut self, app: &App<O>, request: &Request, asked: Option<&Asked>) {
        let accounts = stream::iter(std::mem::take(&mut self.accounts).into_values());
        let answered = accounts.map(|(places, imports)| async move {
            let answers = match asked {
                Some(asked) => import_each(app, &imports, asked).await,
                None => preview_imports(&app.context, &imports).await,
            };
            places.into_iter().zip(imports).zip(answers)
        });
        let mut answered = pin!(answered.buffer_unordered(ACCOUNTS_AT_ONCE));
        while let Some(answers) = answered.next().await {
            for ((place, import), answer) in answers {
                self.lines[place].answer(request, &import, (answer, asked.is_none()));
            }
        }
    }
}

async fn import_each<O: Outside>(
    app: &App<O>,
    imports: &[Import],
    asked: &Asked,
) -> Vec<Result<ImportOutcome, ImportError>> {
    let mut answers = vec![];
    for line in imports {
        answers.push(import(&app.context, line, asked).await);
    }
    answers
}

fn read(line: &mut CsvLine) -> Option<Import> {
    let max = PriceBook::IMPORT_MAX.get();
    let account = line.required("account", "1 to 64 characters of A-Z a-z 0-9 _ -", |text| AccountId::parse(text).ok());
    let email = line.required("email", "an e-mail address", |text| EmailAddress::parse(text).ok());
    let credits = line.required("credits", &format!("an integer from {} to {max}", -max), |text| {
        ImportedCredits::new(text.parse().ok()?).ok()
    });
    let source = "1 to 128 visible ASCII characters other than \" \\ ,";
    let source = line.required("source_id", source, |text| SourceId::parse(text).ok());
    let reference = "1 to 200 characters, all of them visible";
    let reference = line.optional("reference", reference, |text| Reference::parse_new(text).ok());
    Some(Import { account: account?, email: email?, credits: credits?, source: source?, reference })
}

#[derive(Serialize)]
struct AnswerBody {
    dry_run: bool,
    /// Whether every line has its final result. If not, the same request again goes on.
    is_complete: bool,
    totals: Vec<TotalBody>,
    lines: Vec<LineBody>,
}

/// How many lines have a result, and the credits that they moved or would move.
#[derive(Serialize)]
struct TotalBody {
    result: &'static str,
    lines: u32,
    credits: i64,
}

impl AnswerBody {
    fn of(results: Results, is_dry_run: bool, is_in_time: bool) -> Self {
        let mut totals: Vec<TotalBody> = vec![];
        for line in &results.lines {
            let place = totals.iter().position(|total| total.result == line.result).unwrap_or_else(|| {
                totals.push(TotalBody { result: line.result, lines: 0, credits: 0 });
                totals.len() - 1
            });
            totals[place].lines += 1;
            totals[place].credits += line.moved;
        }
        totals.sort_by_key(|total| total.result);
        let is_complete = is_in_time && results.lines.iter().all(|line| line.result != FAILED);
        Self { dry_run: is_dry_run, is_complete, totals, lines: results.lines }
    }
}

const FAILED: &str = "failed";

/// What a line does, or would do.
#[derive(Serialize)]
struct LineBody {
    line: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_id: Option<String>,
    result: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    credits: Option<i64>,
    /// After the line, as far as that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    balance: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<ErrorBody>,
    /// The credits that the line moves.
    #[serde(skip)]
    moved: i64,
}

#[derive(Serialize)]
struct ErrorBody {
    field: String,
    message: String,
}

impl ErrorBody {
    fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

impl LineBody {
    fn unanswered(line: &CsvLine) -> Self {
        // What is shown of an invalid line stays short.
        let shown = |name| line.text(name).map(|text| text.chars().take(128).collect());
        Self {
            line: line.number,
            account: shown("account"),
            source_id: shown("source_id"),
            result: FAILED,
            credits: None,
            balance: None,
            detail: Some("There was no time left for this line. Send it again.".to_owned()),
            errors: vec![],
            moved: 0,
        }
    }

    fn refuse(&mut self, errors: Vec<FieldError>) {
        (self.result, self.detail) = ("invalid", None);
        self.errors = errors.into_iter().map(|error| ErrorBody::new(error.field, error.message)).collect();
    }

    fn fail(&mut self, problem: &Problem) {
        (self.result, self.detail) = (FAILED, Some(problem.detail().to_owned()));
    }

    fn answer(
        &mut self,
        request: &Request,
        import: &Import,
        (answer, is_dry_run): (Result<ImportOutcome, ImportError>, bool),
    ) {
        let credits = import.credits.get().get();
        self.credits = Some(credits);
        let outcome = match answer {
            Ok(outcome) => outcome,
            Err(ImportError::Refused(refusal)) => return self.conflict(refusal),
            Err(ImportError::Outside(error)) => {
                let problem = Problem::from(error);
                log(request, &problem);
                return self.fail(&problem);
            }
        };
        let (result, balance) = match outcome {
            ImportOutcome::Opened { balance } if is_dry_run => ("would_open", balance),
            ImportOutcome::Credited { balance } if is_dry_run => ("would_credit", balance),
            ImportOutcome::Opened { balance } => ("opened", balance),
            ImportOutcome::Credited { balance } => ("credited", balance),
            ImportOutcome::Exists { balance } => ("exists", balance),
            ImportOutcome::AlreadyImported { balance } => ("already_imported", balance),
        };
        let is_moved = matches!(outcome, ImportOutcome::Opened { .. } | ImportOutcome::Credited { .. });
        (self.result, self.detail, self.balance) = (result, None, Some(balance.get()));
        self.moved = if is_moved { credits } else { 0 };
    }

    /// Names the column that differs from what is stored.
    fn conflict(&mut self, refusal: ImportRefusal) {
        let error = match refusal {
            ImportRefusal::OtherAccount => {
                ErrorBody::new("account", "must be the account that this source_id was imported for")
            }
            ImportRefusal::OtherCredits { imported } => {
                ErrorBody::new("credits", format!("must be {imported}, with which this source_id was imported"))
            }
            ImportRefusal::Closed(_) => ErrorBody::new("account", "must not be an account that was closed"),
            ImportRefusal::OtherEmail => ErrorBody::new("email", "must be the address that the account has"),
            ImportRefusal::BalanceOutOfRange(_) => {
                ErrorBody::new("credits", "must leave the balance within the range of 10¹⁵ credits")
            }
        };
        (self.result, self.detail, self.errors) = ("conflict", None, vec![error]);
    }
}
