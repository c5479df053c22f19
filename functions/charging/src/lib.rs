//! Takes credits for operations, at once or pending a capture, gives them back, and quotes prices in advance.
//!
//! The hot path of the product. DynamoDB is the only outside system it uses.

mod batch;
mod operation;
mod pending;
mod price_book;
mod refusals;
pub mod wiring;

use batch::post_charge_batch;
use jiff::SignedDuration;
use lambda_http::http::Method;
use lambda_http::{Body, Request, Response};
use operation::{QuoteBody, sum};
use price_book::PriceBookBody;
use serde::Serialize;
use serde_json::Value;
use shared::domain::charging::ChargeCommand;
use shared::domain::{Cause, Entry, IdempotencyKey, PriceBook, PricedOperation};
use shared::http::{
    Access, AccountRateLimiter, Found, Problem, ReachedAccount, Reply, Route, find_route, idempotency_key, no_query,
    parse_body, request_id, respond, time,
};
use shared::ports::{Accounts, Entries, PendingCharges, RefusalRows, Spenders};
use shared::telemetry::embedded_metrics;
use shared::use_cases::charging::{
    ChargeError, Charged, RefusalLog, charge, charge_again, foresee_charge, restore, write_refusals,
};
use shared::use_cases::{Capabilities, Context, MemoryCounts, Posted};
use std::time::Duration;

shared::trait_alias! {
    /// The ports that the function needs.
    pub trait Outside:
        Capabilities<
            Ledger: Accounts + Entries + PendingCharges + RefusalRows + Spenders,
            PriceBook = PriceBook,
        >
}

/// The ports and settings that the function works with.
pub struct App<O: Outside> {
    pub context: Context<O>,
    pub limiter: AccountRateLimiter,
    pub refusals: RefusalLog,
    /// Writes metrics.
    pub emit: fn(&Value),
}

#[derive(Clone, Copy, Debug)]
pub enum Operation {
    Charge,
    ChargeBatch,
    FindCharge,
    Capture,
    Void,
    Restore,
    Quote,
    QuoteForAccount,
    PriceBook,
}

/// What is written after an answer makes the function's next request wait.
const WRITING_TIME_MAX: Duration = Duration::from_secs(1);
const BETWEEN_METRICS: SignedDuration = SignedDuration::from_mins(1);

/// Every route of this function, as in `template.yaml`.
pub const ROUTES: &[Route<Operation>] = &[
    Route {
        method: Method::POST,
        path: "/v1/accounts/{account}/charges",
        access: Access::Service,
        operation: Operation::Charge,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/charges/{charge}",
        access: Access::Service,
        operation: Operation::FindCharge,
    },
    Route {
        method: Method::POST,
        path: "/v1/accounts/{account}/charges/{charge}/capture",
        access: Access::Service,
        operation: Operation::Capture,
    },
    Route {
        method: Method::POST,
        path: "/v1/accounts/{account}/charges/{charge}/void",
        access: Access::Service,
        operation: Operation::Void,
    },
    Route {
        method: Method::POST,
        path: "/v1/charges/batch",
        access: Access::Service,
        operation: Operation::ChargeBatch,
    },
    Route {
        method: Method::POST,
        path: "/v1/accounts/{account}/charges/{charge}/restore",
        access: Access::Service,
        operation: Operation::Restore,
    },
    Route { method: Method::POST, path: "/v1/quotes", access: Access::Customer, operation: Operation::Quote },
    Route {
        method: Method::POST,
        path: "/v1/accounts/{account}/quotes",
        access: Access::Customer,
        operation: Operation::QuoteForAccount,
    },
    Route { method: Method::GET, path: "/v1/price-book", access: Access::Customer, operation: Operation::PriceBook },
];

/// Answers one request.
pub async fn handle<O: Outside>(app: &App<O>, request: Request) -> Response<Body> {
    let outcome = route(app, &request).await;
    emit_counts(app);
    respond(&request, outcome)
}

/// What is left to do once the request is answered: refusals are written then, so that they cost no answer any time.
pub async fn after_answer<O: Outside>(app: &App<O>) {
    let written = tokio::time::timeout(WRITING_TIME_MAX, write_refusals(&app.context, &app.refusals)).await;
    if let Err(elapsed) = written {
        tracing::warn!(error = %elapsed, "refused requests were not kept");
    }
}

/// Counts go out together, because a line for each charge would cost more than the read that memory saves. The last ones
/// of a process are lost.
fn emit_counts<O: Outside>(app: &App<O>) {
    let now = app.context.now();
    if let Some(MemoryCounts { hits, stale }) = app.context.memory.counts_of(BETWEEN_METRICS, now) {
        let counts = [("remembered_commits", hits), ("remembered_stale", stale)];
        (app.emit)(&embedded_metrics("charging", &counts, now));
    }
}

async fn route<O: Outside>(app: &App<O>, request: &Request) -> Result<Reply, Problem> {
    let found = find_route(ROUTES, request, |account| refusals::admit(app, account))?;
    no_query(request)?;
    match found.operation {
        Operation::Charge => post_charge(app, request, found.account()?).await,
        Operation::ChargeBatch => post_charge_batch(app, request).await,
        Operation::FindCharge => pending::get_charge(app, found.account()?, &charge_of(&found)?).await,
        Operation::Capture => pending::post_capture(app, request, found.account()?, &charge_of(&found)?).await,
        Operation::Void => pending::post_void(app, found.account()?, &charge_of(&found)?).await,
        Operation::Restore => post_restore(app, found.account()?, &charge_of(&found)?).await,
        Operation::Quote => post_quote(&app.context.price_book, request),
        Operation::QuoteForAccount => post_quote_for_account(app, request, found.account()?).await,
        Operation::PriceBook => Reply::ok(&PriceBookBody::of(&app.context.price_book)),
    }
}

/// The charge that the path names.
fn charge_of(found: &Found<Operation>) -> Result<IdempotencyKey, Problem> {
    IdempotencyKey::parse(found.parameter("charge")).map_err(|_| Problem::not_found("charge"))
}

async fn post_charge<O: Outside>(app: &App<O>, request: &Request, account: &ReachedAccount) -> Result<Reply, Problem> {
    let key = idempotency_key(request)?;
    let price_book = &app.context.price_book;
    let charged = match parse_body(request, |fields| operation::charged(fields, price_book)) {
        Ok((PricedOperation { operation, price }, details)) => {
            let request_id = request_id(request);
            let command = ChargeCommand { request: details.of(key, operation), price, request_id };
            let charged = charge(&app.context, account.id(), &command).await;
            charged.map_err(|error| refusals::problem_of(app, account.id(), &command, error))?
        }
        Err(problem) => charge_of_earlier_book(app, request, account, key).await?.ok_or(problem)?,
    };
    Reply::created(&ChargeBody::of(&charged), charged.posted.is_replay)
}

/// A request that was answered when it was allowed gets the same answer after the price book has changed.
async fn charge_of_earlier_book<O: Outside>(
    app: &App<O>,
    request: &Request,
    account: &ReachedAccount,
    key: IdempotencyKey,
) -> Result<Option<Charged>, Problem> {
    let Ok((operation, details)) = parse_body(request, operation::charged_earlier) else { return Ok(None) };
    let asked = details.of(key, operation);
    match charge_again(&app.context, account.id(), &asked).await {
        Err(ChargeError::KeyReused(_)) => Ok(None),
        answered => Ok(answered?),
    }
}

async fn post_restore<O: Outside>(
    app: &App<O>,
    account: &ReachedAccount,
    charge: &IdempotencyKey,
) -> Result<Reply, Problem> {
    let posted = restore(&app.context, account.id(), charge).await?;
    Reply::created(&RestoreBody::of(charge, &posted), posted.is_replay)
}

fn post_quote(price_book: &PriceBook, request: &Request) -> Result<Reply, Problem> {
    let operations = parse_body(request, |fields| operation::quoted(fields, price_book))?;
    Reply::ok(&QuoteBody::of(&operations))
}

/// The same prices, and whether the account could be charged for them now.
async fn post_quote_for_account<O: Outside>(
    app: &App<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let price_book = &app.context.price_book;
    let (operations, spender) = parse_body(request, |fields| operation::quoted_for(fields, price_book))?;
    let refused = foresee_charge(&app.context, account.id(), spender.as_ref(), sum(&operations)).await?;
    Reply::ok(&QuoteBody::for_account(&operations, refused.map(Problem::from)))
}

#[derive(Serialize)]
struct ChargeBody<'a> {
    charge: &'a str,
    operation: &'a str,
    status: &'static str,
    credits: i64,
    balance: i64,
    seq: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    spender: Option<&'a str>,
    created_at: String,
    #[serde(skip_serializing_if = "Option::is_none", flatten)]
    pending: Option<pending::PendingBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    restore: Option<RestoredBody>,
}

/// The restore that gave the charge's credits back.
#[derive(Serialize)]
struct RestoredBody {
    credits: i64,
    balance: i64,
    seq: u64,
    created_at: String,
}

impl RestoredBody {
    fn of(entry: &Entry) -> Self {
        Self {
            credits: entry.credits.get(),
            balance: entry.balance_after.get(),
            seq: entry.seq,
            created_at: time(entry.created_at),
        }
    }
}

impl<'a> ChargeBody<'a> {
    fn of(charged: &'a Charged) -> Self {
        let entry = &charged.posted.entry;
        let (charge, operation, reference, spender) = match &entry.cause {
            Cause::Charge { key, operation, reference, spender, .. } => {
                (key.as_str(), operation.name.as_str(), reference.as_ref(), spender.as_ref())
            }
            // The ledger never answers a charge with another cause. If it did, the empty id would show it.
            _ => ("", "", None, None),
        };
        Self {
            charge,
            operation,
            status: charged.status().name(),
            credits: entry.credits.negated().get(),
            balance: entry.balance_after.get(),
            seq: entry.seq,
            reference: reference.map(|reference| reference.as_str()),
            spender: spender.map(|spender| spender.as_str()),
            created_at: time(entry.created_at),
            pending: charged.pending.as_ref().map(pending::PendingBody::of),
            restore: charged.restore.as_ref().map(RestoredBody::of),
        }
    }
}

#[derive(Serialize)]
struct RestoreBody<'a> {
    charge: &'a str,
    status: &'static str,
    credits: i64,
    balance: i64,
    seq: u64,
    created_at: String,
}

impl<'a> RestoreBody<'a> {
    fn of(charge: &'a IdempotencyKey, posted: &Posted) -> Self {
        let entry = &posted.entry;
        Self {
            charge: charge.as_str(),
            status: "restored",
            credits: entry.credits.get(),
            balance: entry.balance_after.get(),
            seq: entry.seq,
            created_at: time(entry.created_at),
        }
    }
}
