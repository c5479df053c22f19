//! What customers see and choose: the balance, the history, automatic top-ups. Opens accounts for the company.

mod auto_top_up;
mod history;

use lambda_http::http::Method;
use lambda_http::{Body, Request, Response};
use serde::{Deserialize, Serialize};
use shared::clock::Clock;
use shared::domain::{Account, AccountId, EmailAddress, PriceBook};
use shared::http::{Caller, FieldError, PathParameters, Problem, Reply, Route, find_route, parse_body, respond, time};
use shared::ports::{IdGenerator, Ledger, Payments};
use shared::use_cases::accounts::open_account;

/// What the function needs of the outside.
pub struct App<L, P, C, U> {
    pub ledger: L,
    pub payments: P,
    pub clock: C,
    pub unique: U,
    pub price_book: PriceBook,
}

#[derive(Clone, Copy, Debug)]
pub enum Operation {
    OpenAccount,
    Balance,
    History,
    AutoTopUp,
    SetAutoTopUp,
}

/// Every route of this function, as `template.yaml` has them.
pub const ROUTES: &[Route<Operation>] = &[
    Route { method: Method::POST, path: "/v1/accounts", operation: Operation::OpenAccount },
    Route { method: Method::GET, path: "/v1/accounts/{account}/balance", operation: Operation::Balance },
    Route { method: Method::GET, path: "/v1/accounts/{account}/history", operation: Operation::History },
    Route { method: Method::GET, path: "/v1/accounts/{account}/auto-top-up", operation: Operation::AutoTopUp },
    Route { method: Method::PUT, path: "/v1/accounts/{account}/auto-top-up", operation: Operation::SetAutoTopUp },
];

/// Answers one request.
pub async fn handle<L: Ledger, P: Payments, C: Clock, U: IdGenerator>(
    app: &App<L, P, C, U>,
    request: Request,
) -> Response<Body> {
    let outcome = route(app, &request).await;
    respond(&request, outcome)
}

async fn route<L: Ledger, P: Payments, C: Clock, U: IdGenerator>(
    app: &App<L, P, C, U>,
    request: &Request,
) -> Result<Reply, Problem> {
    let (operation, path) = find_route(ROUTES, request)?;
    match operation {
        Operation::OpenAccount => post_account(app, request).await,
        Operation::Balance => get_balance(app, request, &path).await,
        Operation::History => history::get(&app.ledger, request, &path).await,
        Operation::AutoTopUp => auto_top_up::get(app, request, &path).await,
        Operation::SetAutoTopUp => auto_top_up::put(app, request, &path).await,
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OpenAccountRequest {
    account: String,
    email: String,
}

impl shared::http::Body for OpenAccountRequest {
    const FIELDS: &'static [(&'static str, &'static str)] =
        &[("account", "a text of 1 to 64 characters of A-Z a-z 0-9 _ -"), ("email", "an e-mail address")];
}

async fn post_account<L: Ledger, P: Payments, C: Clock, U: IdGenerator>(
    app: &App<L, P, C, U>,
    request: &Request,
) -> Result<Reply, Problem> {
    Caller::of(request)?.require_service()?;
    let body = parse_body::<OpenAccountRequest>(request)?;
    let (account, email) = match (AccountId::parse(body.account), EmailAddress::parse(body.email)) {
        (Ok(account), Ok(email)) => (account, email),
        (account, email) => {
            let errors = account.err().into_iter().chain(email.err()).map(FieldError::from);
            return Err(Problem::invalid(errors.collect()));
        }
    };
    let opened = open_account(&app.ledger, &app.payments, &app.clock, &account, &email).await?;
    Reply::created(&AccountBody::of(&opened.account), opened.is_replay)
}

#[derive(Serialize)]
struct AccountBody<'a> {
    account: &'a str,
    email: &'a str,
    balance: i64,
    created_at: String,
}

impl<'a> AccountBody<'a> {
    fn of(account: &'a Account) -> Self {
        Self {
            account: account.id.as_str(),
            email: account.email.as_str(),
            balance: account.balance.get(),
            created_at: time(account.created_at),
        }
    }
}

async fn get_balance<L: Ledger, P: Payments, C: Clock, U: IdGenerator>(
    app: &App<L, P, C, U>,
    request: &Request,
    path: &PathParameters,
) -> Result<Reply, Problem> {
    let account = account_of(&app.ledger, request, path).await?;
    let now = app.clock.now();
    let restriction = account.restriction_at(now);
    Reply::ok(&BalanceBody {
        account: account.id.as_str(),
        balance: account.balance.get(),
        restriction: restriction
            .map(|restriction| RestrictionBody { reason: restriction.reason.as_str(), until: time(restriction.until) }),
        as_of: time(now),
    })
}

#[derive(Serialize)]
struct BalanceBody<'a> {
    account: &'a str,
    balance: i64,
    restriction: Option<RestrictionBody<'a>>,
    as_of: String,
}

#[derive(Serialize)]
struct RestrictionBody<'a> {
    reason: &'a str,
    until: String,
}

/// The account of the path, if the caller reaches it and it exists.
async fn account_of<L: Ledger>(ledger: &L, request: &Request, path: &PathParameters) -> Result<Account, Problem> {
    let account = Caller::of(request)?.account(path.get("account"))?;
    ledger.account_get(&account).await?.ok_or_else(|| Problem::not_found("account"))
}
