//! Many charges in one request, each with its own result.

use crate::refusals::{admit, problem_of};
use crate::{App, ChargeBody, Outside, operation};
use lambda_http::Request;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use shared::domain::charging::{CHARGES_TOGETHER_MAX, ChargeCommand, ChargeRequest};
use shared::domain::{AccountId, IdempotencyKey, PriceBook, PricedOperation, RequestId};
use shared::http::{Element, Fields, Problem, Reply, log, parse_body_within, request_id, text};
use shared::use_cases::charging::{
    BatchCharge, BatchLimits, BatchPart, ChargeError, Charged, Unanswered, charge_again, charge_batch,
};
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How many charges one batch may have.
const CHARGES: RangeInclusive<usize> = 1..=100;
/// The largest body. The largest realistic one has 50 KB.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// A batch is answered within this time, whatever is left of it. It is less than the ten seconds after which Lambda stops
/// the function.
const TIME_MAX: Duration = Duration::from_secs(8);
const LIMITS: BatchLimits = BatchLimits { together_max: CHARGES_TOGETHER_MAX, accounts_at_once: 8 };

/// The results come in the order of the charges. A charge that is refused or invalid does not hold up the others.
pub async fn post_charge_batch<O: Outside>(app: &App<O>, request: &Request) -> Result<Reply, Problem> {
    let elements = parse_body_within(BODY_BYTES_MAX, request, read_elements)?;
    let mut batch = Batch::of(app, request_id(request), &elements);
    if let Err(elapsed) = tokio::time::timeout(TIME_MAX, batch.answer(app, request)).await {
        batch.refuse_unanswered(request, &Problem::unavailable(elapsed));
    }
    Reply::ok(&BatchBody { results: batch.results.into_iter().flatten().collect() })
}

/// The charges as they were sent. Two with the same key are refused: which of them is meant?
fn read_elements<'json>(fields: &mut Fields<'json>) -> Option<Vec<Element<'json>>> {
    let elements = fields.elements("charges", CHARGES)?;
    let mut first_places = BTreeMap::new();
    for (place, element) in elements.iter().enumerate() {
        let Ok(identity) = element.read(identity) else { continue };
        let first = *first_places.entry(identity).or_insert(place);
        if first != place {
            let message = format!("is the key of charges[{first}] as well; each key of an account may be there once");
            fields.refuse(&format!("charges[{place}].key"), message);
        }
    }
    Some(elements)
}

fn identity(fields: &mut Fields<'_>) -> Option<(String, IdempotencyKey)> {
    let (account, key) = (account(fields), key(fields));
    fields.ignore_others();
    Some((account?, key?))
}

/// Any text: an account with an impossible id is not found, like any other that does not exist.
fn account(fields: &mut Fields<'_>) -> Option<String> {
    fields.required("account", "the id of an account", text(Ok::<String, Infallible>))
}

fn key(fields: &mut Fields<'_>) -> Option<IdempotencyKey> {
    let expected = "a text of 1 to 128 visible ASCII characters other than \" \\ , and not only dots";
    fields.required("key", expected, |json| text(IdempotencyKey::parse)(json).filter(|key| !key.is_only_dots()))
}

/// One charge of the request.
enum Asked {
    Charge(BatchCharge),
    /// The price book does not allow it (any more). If it was posted earlier, it is answered as it was then.
    Earlier(AccountId, ChargeRequest, Problem),
    Refused(ResultBody),
}

impl Asked {
    /// In order of precedence: an account that cannot exist, one that `admission` refuses, an invalid field.
    fn read<O: Outside>(element: &Element<'_>, admission: &mut Admission<'_, O>) -> Self {
        let account = match element.read(account_alone).map(AccountId::parse) {
            Ok(Err(_)) => return Self::Refused(ResultBody::refused(&Problem::not_found("account"))),
            Ok(Ok(account)) => Some(account),
            Err(_) => None,
        };
        if let Some(refused) = account.as_ref().and_then(|account| admission.refuses(account)) {
            return Self::Refused(refused);
        }
        let price_book = &admission.app.context.price_book;
        let request_id = admission.request_id.as_ref();
        match (account, element.read(|fields| command(fields, price_book, request_id))) {
            (Some(account), Ok(command)) => Self::Charge(BatchCharge { account, command }),
            (Some(account), Err(problem)) => match element.read(request_of_earlier_book) {
                Ok(request) => Self::Earlier(account, request, problem),
                Err(_) => Self::Refused(ResultBody::refused(&problem)),
            },
            (None, Err(problem)) => Self::Refused(ResultBody::refused(&problem)),
            // Every command was read with an account.
            (None, Ok(_)) => Self::Refused(ResultBody::refused(&Problem::not_found("account"))),
        }
    }
}

/// Counts a batch once for each of its accounts. Charges of an account that are sent together cost less than single
/// ones, so they also count less.
struct Admission<'a, O: Outside> {
    app: &'a App<O>,
    /// The request that every charge of the batch is made by.
    request_id: Option<RequestId>,
    /// The result of each charge of an account that was asked about, if it is refused.
    known: BTreeMap<AccountId, Option<ResultBody>>,
}

impl<O: Outside> Admission<'_, O> {
    fn refuses(&mut self, account: &AccountId) -> Option<ResultBody> {
        if let Some(known) = self.known.get(account) {
            return known.clone();
        }
        let admitted = admit(self.app, account);
        let refused = admitted.err().map(|problem| ResultBody::refused(&problem));
        self.known.insert(account.clone(), refused.clone());
        refused
    }
}

fn account_alone(fields: &mut Fields<'_>) -> Option<String> {
    let account = account(fields);
    fields.ignore_others();
    account
}

fn command(fields: &mut Fields<'_>, price_book: &PriceBook, request_id: Option<&RequestId>) -> Option<ChargeCommand> {
    let (_, key) = (account(fields), key(fields));
    let (PricedOperation { operation, price }, details) = operation::charged(fields, price_book)?;
    Some(ChargeCommand { request: details.of(key?, operation), price, request_id: request_id.cloned() })
}

fn request_of_earlier_book(fields: &mut Fields<'_>) -> Option<ChargeRequest> {
    let (_, key) = (account(fields), key(fields));
    let (operation, details) = operation::charged_earlier(fields)?;
    Some(details.of(key?, operation))
}

/// The charges of a request, and the results so far.
struct Batch {
    charges: Vec<BatchCharge>,
    /// The place in the request of each of the charges.
    places: Vec<usize>,
    earlier: Vec<(usize, AccountId, ChargeRequest, Problem)>,
    results: Vec<Option<ResultBody>>,
}

impl Batch {
    fn of<O: Outside>(app: &App<O>, request_id: Option<RequestId>, elements: &[Element<'_>]) -> Self {
        let mut batch = Self { charges: vec![], places: vec![], earlier: vec![], results: vec![] };
        let mut admission = Admission { app, request_id, known: BTreeMap::new() };
        for (place, element) in elements.iter().enumerate() {
            batch.results.push(None);
            match Asked::read(element, &mut admission) {
                Asked::Charge(charge) => {
                    batch.charges.push(charge);
                    batch.places.push(place);
                }
                Asked::Earlier(account, request, problem) => batch.earlier.push((place, account, request, problem)),
                Asked::Refused(result) => batch.results[place] = Some(result),
            }
        }
        batch
    }

    /// May be dropped at any time; the results so far stay.
    async fn answer<O: Outside>(&mut self, app: &App<O>, request: &Request) {
        let Self { charges, places, earlier, results } = self;
        charge_batch(&app.context, charges, LIMITS, |BatchPart { answers, unanswered }| {
            for (position, answer) in answers {
                let BatchCharge { account, command } = &charges[position];
                let answer = answer.map_err(|error| problem_of(app, account, command, error));
                results[places[position]] = Some(ResultBody::of(request, answer));
            }
            if let Some(Unanswered { positions, error }) = unanswered {
                // Logged once, not for each of the charges.
                let result = ResultBody::of(request, Err(Problem::from(error)));
                positions.into_iter().for_each(|position| results[places[position]] = Some(result.clone()));
            }
        })
        .await;
        for (place, account, asked, problem) in std::mem::take(earlier) {
            let answer = match charge_again(&app.context, &account, &asked).await {
                Ok(Some(charged)) => Ok(charged),
                Ok(None) | Err(ChargeError::KeyReused(_)) => Err(problem),
                Err(error) => Err(error.into()),
            };
            results[place] = Some(ResultBody::of(request, answer));
        }
    }

    fn refuse_unanswered(&mut self, request: &Request, problem: &Problem) {
        log(request, problem);
        for result in self.results.iter_mut().filter(|result| result.is_none()) {
            *result = Some(ResultBody::refused(problem));
        }
    }
}

/// The results in the order of the charges.
#[derive(Serialize)]
struct BatchBody {
    results: Vec<ResultBody>,
}

/// What the charge alone would be answered: the status, with the charge or the problem.
#[derive(Clone, Serialize)]
struct ResultBody {
    status: u16,
    #[serde(flatten)]
    body: ChargeOrProblem,
}

#[derive(Clone, Serialize)]
#[serde(rename_all = "snake_case")]
enum ChargeOrProblem {
    Charge(Box<RawValue>),
    Problem(Map<String, Value>),
}

impl ResultBody {
    fn of(request: &Request, answer: Result<Charged, Problem>) -> Self {
        let written = answer.and_then(|charged| {
            let status = if charged.posted.is_replay { 200 } else { 201 };
            let body = to_raw_value(&ChargeBody::of(&charged)).map_err(Problem::internal)?;
            Ok(Self { status, body: ChargeOrProblem::Charge(body) })
        });
        written.unwrap_or_else(|problem| {
            log(request, &problem);
            Self::refused(&problem)
        })
    }

    fn refused(problem: &Problem) -> Self {
        Self { status: problem.status(), body: ChargeOrProblem::Problem(problem.to_part()) }
    }
}
