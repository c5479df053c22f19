//! What customers see and choose: the balance, the history, the usage, automatic top-ups and the end of a pause, a stop,
//! limits, contacts and saved cards. Also opens accounts for the company.

mod alerts;
mod auto_top_up;
mod billing_details;
mod confirm;
mod consents;
mod contacts;
mod diagnosis;
mod explained;
mod forecast;
mod history;
mod limits;
mod payment_issue;
mod payment_methods;
mod position;
mod requests;
mod spending;
mod statement;
mod usage;
mod verification;
mod what_if;
pub mod wiring;

use lambda_http::http::Method;
use lambda_http::{Body, Request, Response};
use serde::Serialize;
use shared::domain::{Account, AccountId, EmailAddress, PriceBook};
use shared::http::{
    Access, AccountRateLimiter, Fields, Problem, ReachedAccount, Reply, Route, find_route, no_query, parse_body,
    respond, text, time,
};
use shared::links::LinkKey;
use shared::ports::{
    Accounts, AlertRows, AskedCards, CardWallet, ConsentList, Consents, ContactRecords, CustomerBilling, Entries,
    EntryList, History, Payments, PendingChargeList, PendingCharges, RefusalList, SpenderList, Spenders,
    SpendingChanges, StoredEntries, SweepLogs, TopUpList, TopUpRetries, TopUps, UsageFolds, UsageRows,
};
use shared::statements::StatementKey;
use shared::use_cases::accounts::open_account;
use shared::use_cases::{Capabilities, Context};

shared::trait_alias! {
    /// The parts of the ledger that the function needs.
    pub trait AccountsLedger:
        Accounts + AlertRows + AskedCards + ConsentList + Consents + ContactRecords + Entries + EntryList + History
            + PendingChargeList + PendingCharges + RefusalList + SpendingChanges + Spenders + SpenderList + StoredEntries
            + SweepLogs + TopUpList + TopUpRetries + TopUps + UsageFolds + UsageRows
}

shared::trait_alias! {
    /// The ports that the function needs.
    pub trait Outside:
        Capabilities<
            Ledger: AccountsLedger,
            Payments: Payments + CardWallet + CustomerBilling,
            PriceBook = PriceBook,
        >
}

/// The ports and settings that the function works with.
pub struct App<O: Outside> {
    pub context: Context<O>,
    pub limiter: AccountRateLimiter,
    pub statements: StatementKey,
    pub links: LinkKey,
}

#[derive(Clone, Copy, Debug)]
pub enum Operation {
    OpenAccount,
    Account,
    Balance,
    History,
    Usage,
    Forecast,
    Entry,
    Requests,
    VerifyHistory,
    Chain,
    Statement,
    StatementKeys,
    AutoTopUp,
    SetAutoTopUp,
    Diagnosis,
    WhatIf,
    Retry,
    Resume,
    Spending,
    SetSpending,
    Limits,
    SetLimits,
    Contacts,
    SetContacts,
    Consents,
    PaymentMethods,
    SetUpPaymentMethod,
    SetDefaultPaymentMethod,
    RemovePaymentMethod,
    BillingPortal,
    BillingDetails,
    SetBillingDetails,
    ConfirmPage,
    Confirm,
    Alerts,
    SetAlerts,
}

/// Every route of this function, as in `template.yaml`.
pub const ROUTES: &[Route<Operation>] = &[
    Route { method: Method::POST, path: "/v1/accounts", access: Access::Service, operation: Operation::OpenAccount },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}",
        access: Access::Customer,
        operation: Operation::Account,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/balance",
        access: Access::Customer,
        operation: Operation::Balance,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/history",
        access: Access::Customer,
        operation: Operation::History,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/history/verify",
        access: Access::Customer,
        operation: Operation::VerifyHistory,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/history/chain",
        access: Access::Customer,
        operation: Operation::Chain,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/history/statement",
        access: Access::Customer,
        operation: Operation::Statement,
    },
    Route {
        method: Method::GET,
        path: "/v1/statement-keys",
        access: Access::Public,
        operation: Operation::StatementKeys,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/usage",
        access: Access::Customer,
        operation: Operation::Usage,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/usage/forecast",
        access: Access::Customer,
        operation: Operation::Forecast,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/history/{seq}",
        access: Access::Customer,
        operation: Operation::Entry,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/requests",
        access: Access::Customer,
        operation: Operation::Requests,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/auto-top-up",
        access: Access::Customer,
        operation: Operation::AutoTopUp,
    },
    Route {
        method: Method::PUT,
        path: "/v1/accounts/{account}/auto-top-up",
        access: Access::Customer,
        operation: Operation::SetAutoTopUp,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/auto-top-up/diagnosis",
        access: Access::Customer,
        operation: Operation::Diagnosis,
    },
    Route {
        method: Method::POST,
        path: "/v1/accounts/{account}/auto-top-up/simulate",
        access: Access::Customer,
        operation: Operation::WhatIf,
    },
    Route {
        method: Method::POST,
        path: "/v1/accounts/{account}/auto-top-up/retry",
        access: Access::Customer,
        operation: Operation::Retry,
    },
    Route {
        method: Method::POST,
        path: "/v1/accounts/{account}/auto-top-up/resume",
        access: Access::Customer,
        operation: Operation::Resume,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/spending",
        access: Access::Customer,
        operation: Operation::Spending,
    },
    Route {
        method: Method::PUT,
        path: "/v1/accounts/{account}/spending",
        access: Access::Customer,
        operation: Operation::SetSpending,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/limits",
        access: Access::Customer,
        operation: Operation::Limits,
    },
    Route {
        method: Method::PUT,
        path: "/v1/accounts/{account}/limits",
        access: Access::Customer,
        operation: Operation::SetLimits,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/contacts",
        access: Access::Customer,
        operation: Operation::Contacts,
    },
    Route {
        method: Method::PUT,
        path: "/v1/accounts/{account}/contacts",
        access: Access::Customer,
        operation: Operation::SetContacts,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/consents",
        access: Access::Customer,
        operation: Operation::Consents,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/payment-methods",
        access: Access::Customer,
        operation: Operation::PaymentMethods,
    },
    Route {
        method: Method::POST,
        path: "/v1/accounts/{account}/payment-methods/setup",
        access: Access::Customer,
        operation: Operation::SetUpPaymentMethod,
    },
    Route {
        method: Method::PUT,
        path: "/v1/accounts/{account}/payment-methods/default",
        access: Access::Customer,
        operation: Operation::SetDefaultPaymentMethod,
    },
    Route {
        method: Method::DELETE,
        path: "/v1/accounts/{account}/payment-methods/{payment_method}",
        access: Access::Customer,
        operation: Operation::RemovePaymentMethod,
    },
    Route {
        method: Method::POST,
        path: "/v1/accounts/{account}/billing-portal",
        access: Access::Customer,
        operation: Operation::BillingPortal,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/billing-details",
        access: Access::Customer,
        operation: Operation::BillingDetails,
    },
    Route {
        method: Method::PUT,
        path: "/v1/accounts/{account}/billing-details",
        access: Access::Customer,
        operation: Operation::SetBillingDetails,
    },
    Route { method: Method::GET, path: "/confirm/{token+}", access: Access::Public, operation: Operation::ConfirmPage },
    Route {
        method: Method::HEAD,
        path: "/confirm/{token+}",
        access: Access::Public,
        operation: Operation::ConfirmPage,
    },
    Route { method: Method::POST, path: "/confirm/{token+}", access: Access::Public, operation: Operation::Confirm },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/alerts",
        access: Access::Customer,
        operation: Operation::Alerts,
    },
    Route {
        method: Method::PUT,
        path: "/v1/accounts/{account}/alerts",
        access: Access::Customer,
        operation: Operation::SetAlerts,
    },
];

/// Answers one request.
pub async fn handle<O: Outside>(app: &App<O>, request: Request) -> Response<Body> {
    let outcome = route(app, &request).await;
    respond(&request, outcome)
}

async fn route<O: Outside>(app: &App<O>, request: &Request) -> Result<Reply, Problem> {
    let found = find_route(ROUTES, request, |account| app.limiter.admit(account, app.context.now()))?;
    if !matches!(
        found.operation,
        Operation::History
            | Operation::VerifyHistory
            | Operation::Chain
            | Operation::Statement
            | Operation::AutoTopUp
            | Operation::Consents
            | Operation::SetAutoTopUp
            | Operation::Limits
            | Operation::Requests
            | Operation::Usage
            // Mail programs and statistics add parameters to links.
            | Operation::ConfirmPage
            | Operation::Confirm
    ) {
        no_query(request)?;
    }
    match found.operation {
        Operation::OpenAccount => post_account(app, request).await,
        Operation::Account => get_account(&app.context, found.account()?).await,
        Operation::Balance => get_balance(app, found.account()?).await,
        Operation::History => history::get(&app.context, request, found.account()?).await,
        Operation::Usage => usage::get(&app.context, request, found.account()?).await,
        Operation::Forecast => forecast::get(&app.context, found.account()?).await,
        Operation::Entry => explained::get(&app.context, found.account()?, found.parameter("seq")).await,
        Operation::Requests => requests::get(&app.context, request, found.account()?).await,
        Operation::VerifyHistory => verification::get(&app.context, request, found.account()?).await,
        Operation::Chain => statement::get_chain(app, request, found.account()?).await,
        Operation::Statement => statement::get(app, request, found.account()?).await,
        Operation::StatementKeys => statement::get_keys(app),
        Operation::AutoTopUp => auto_top_up::get(app, request, found.account()?).await,
        Operation::SetAutoTopUp => auto_top_up::put(app, request, found.account()?, found.caller.as_ref()).await,
        Operation::Diagnosis => diagnosis::get(app, found.account()?).await,
        Operation::WhatIf => what_if::post(&app.context, request, found.account()?).await,
        Operation::Retry => payment_issue::retry(app, request, found.account()?).await,
        Operation::Resume => payment_issue::resume(app, found.account()?).await,
        Operation::Spending => spending::get(&app.context, found.account()?).await,
        Operation::SetSpending => spending::put(&app.context, request, found.account()?, found.caller.as_ref()).await,
        Operation::Limits => limits::get(&app.context, request, found.account()?).await,
        Operation::SetLimits => limits::put(&app.context, request, found.account()?).await,
        Operation::Contacts => contacts::get(&app.context, found.account()?).await,
        Operation::SetContacts => contacts::put(&app.context, request, found.account()?).await,
        Operation::Consents => consents::get(&app.context, request, found.account()?).await,
        Operation::PaymentMethods => payment_methods::get(&app.context, found.account()?).await,
        Operation::SetUpPaymentMethod => payment_methods::set_up(&app.context, found.account()?).await,
        Operation::SetDefaultPaymentMethod => {
            payment_methods::put_default(&app.context, request, found.account()?).await
        }
        Operation::RemovePaymentMethod => {
            payment_methods::delete(&app.context, found.account()?, found.parameter("payment_method")).await
        }
        Operation::BillingPortal => payment_methods::portal(&app.context, found.account()?).await,
        Operation::BillingDetails => billing_details::get(&app.context, found.account()?).await,
        Operation::SetBillingDetails => billing_details::put(&app.context, request, found.account()?).await,
        Operation::ConfirmPage => confirm::get(app, found.parameter("token")).await,
        Operation::Confirm => confirm::post(app, found.parameter("token")).await,
        Operation::Alerts => alerts::get(&app.context, found.account()?).await,
        Operation::SetAlerts => alerts::put(&app.context, request, found.account()?).await,
    }
}

fn account_and_email(fields: &mut Fields<'_>) -> Option<(AccountId, EmailAddress)> {
    let account = fields.required("account", "1 to 64 characters of A-Z a-z 0-9 _ -", text(AccountId::parse));
    let email =
        fields.required("email", "an e-mail address of at most 254 ASCII characters", text(EmailAddress::parse));
    account.zip(email)
}

async fn post_account<O: Outside>(app: &App<O>, request: &Request) -> Result<Reply, Problem> {
    let (account, email) = parse_body(request, account_and_email)?;
    let opened = open_account(&app.context, &account, &email).await?;
    Reply::created(&AccountBody::of(&opened.account), opened.is_replay)
}

async fn get_account<O: Outside>(context: &Context<O>, account: &ReachedAccount) -> Result<Reply, Problem> {
    Reply::ok(&AccountBody::of(&existing(context, account).await?))
}

#[derive(Serialize)]
struct AccountBody<'a> {
    account: &'a str,
    /// `None` once it was erased.
    email: Option<&'a str>,
    balance: i64,
    created_at: String,
}

impl<'a> AccountBody<'a> {
    fn of(account: &'a Account) -> Self {
        Self {
            account: account.id.as_str(),
            email: account.email.as_ref().map(|email| email.as_str()),
            balance: account.balance.get(),
            created_at: time(account.created_at),
        }
    }
}

async fn get_balance<O: Outside>(app: &App<O>, account: &ReachedAccount) -> Result<Reply, Problem> {
    let account = existing(&app.context, account).await?;
    let now = app.context.now();
    let restriction = account.restriction_at(now);
    Reply::ok(&BalanceBody {
        account: account.id.as_str(),
        balance: account.balance.get(),
        pending: account.pending.get(),
        restriction: restriction
            .map(|restriction| RestrictionBody { reason: restriction.reason.as_str(), until: time(restriction.until) }),
        spending_stopped_at: account.spending_stopped_at().map(time),
        as_of: time(now),
    })
}

#[derive(Serialize)]
struct BalanceBody<'a> {
    account: &'a str,
    balance: i64,
    pending: i64,
    restriction: Option<RestrictionBody<'a>>,
    spending_stopped_at: Option<String>,
    as_of: String,
}

#[derive(Serialize)]
struct RestrictionBody<'a> {
    reason: &'a str,
    until: String,
}

/// The account, if it exists.
async fn existing<O: Outside>(context: &Context<O>, account: &ReachedAccount) -> Result<Account, Problem> {
    context.ledger.account_get(account.id()).await?.ok_or_else(|| Problem::not_found("account"))
}
