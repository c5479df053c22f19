//! What the company's support sees and does: it finds accounts, reads everything about one, adjusts credits, restricts
//! charges, gives money back, answers disputes, sends e-mails again, checks a top-up, and exports and erases what is stored about a person. Every act is recorded with its operator and reason.
mod account;
mod acts;
mod adjustments;
mod disputes;
mod entries;
mod erasure;
mod export;
mod find;
mod flags;
mod imports;
mod liability;
mod notices;
mod proof;
mod refunds;
mod restriction;
mod top_up_check;
pub mod wiring;

use lambda_http::http::Method;
use lambda_http::{Body, Request, Response};
use shared::domain::{Account, ActReason, Operator, PriceBook};
use shared::http::{
    Access, AccountRateLimiter, Caller, Fields, Found, Problem, ReachedAccount, Reply, Route, find_route, no_query,
    respond, text,
};
use shared::ports::{
    Accounts, Acts, AlertRows, AskedCards, ClaimedPayments, ConsentList, Consents, ContactRecords, Customers,
    Directory, Disputes, Entries, EntryList, Erasures, Flags, History, IdGenerator, Imports, LiabilityRows, NoticeList,
    Notices, OpenDisputes, PaymentRefunds, PaymentReturns, PaymentSearch, Payments, PurchaseList, Purchases,
    SpendingChanges, StoredItems, SweepLogs, TopUpList, TopUps, UsageFolds, UsageRows,
};
use shared::use_cases::support::Asked;
use shared::use_cases::{Capabilities, Context};

shared::trait_alias! {
    /// The records that the function reads, and the account that it changes.
    pub trait Records:
        Accounts + Acts + AlertRows + AskedCards + ConsentList + Consents + ContactRecords + Customers + Directory
            + Disputes + Entries + EntryList + Erasures + Flags + History + Imports + LiabilityRows + NoticeList + Notices
            + OpenDisputes + PurchaseList + Purchases + SpendingChanges + StoredItems + SweepLogs + TopUpList + TopUps
            + UsageFolds + UsageRows
}

shared::trait_alias! {
    /// What the function asks of the payment provider.
    pub trait Provider: Payments + ClaimedPayments + PaymentSearch + PaymentReturns + PaymentRefunds
}

shared::trait_alias! {
    /// The ports that the function needs.
    pub trait Outside: Capabilities<Ledger: Records, Payments: Provider, Ids: IdGenerator, PriceBook = PriceBook>
}

/// The ports and settings that the function works with.
pub struct App<O: Outside> {
    pub context: Context<O>,
    pub limiter: AccountRateLimiter,
}

#[derive(Clone, Copy, Debug)]
pub enum Operation {
    FindAccounts,
    Account,
    Adjust,
    Restrict,
    LiftRestriction,
    Notices,
    ResendNotice,
    CheckTopUp,
    RefundPurchase,
    RefundTopUp,
    Acts,
    Export,
    Erase,
    Import,
    Liability,
    Flags,
    DisputeEvidence,
    Disputes,
    Proof,
}

const fn route(method: Method, path: &'static str, operation: Operation) -> Route<Operation> {
    Route { method, path, access: Access::Support, operation }
}

/// Every route of this function, as in `template.yaml`.
pub const ROUTES: &[Route<Operation>] = &[
    route(Method::GET, "/v1/support/accounts", Operation::FindAccounts),
    route(Method::GET, "/v1/support/accounts/{account}", Operation::Account),
    route(Method::POST, "/v1/support/accounts/{account}/adjustments", Operation::Adjust),
    route(Method::PUT, "/v1/support/accounts/{account}/restriction", Operation::Restrict),
    route(Method::DELETE, "/v1/support/accounts/{account}/restriction", Operation::LiftRestriction),
    route(Method::GET, "/v1/support/accounts/{account}/notices", Operation::Notices),
    route(Method::POST, "/v1/support/accounts/{account}/notices/{notice}/resend", Operation::ResendNotice),
    route(Method::POST, "/v1/support/accounts/{account}/auto-top-up/check", Operation::CheckTopUp),
    route(Method::POST, "/v1/support/accounts/{account}/purchases/{purchase}/refunds", Operation::RefundPurchase),
    route(Method::POST, "/v1/support/accounts/{account}/top-ups/{top_up}/refunds", Operation::RefundTopUp),
    route(Method::GET, "/v1/support/accounts/{account}/acts", Operation::Acts),
    route(Method::GET, "/v1/support/accounts/{account}/export", Operation::Export),
    route(Method::POST, "/v1/support/accounts/{account}/erase", Operation::Erase),
    route(Method::POST, "/v1/support/imports", Operation::Import),
    route(Method::GET, "/v1/support/liability", Operation::Liability),
    route(Method::GET, "/v1/support/flags", Operation::Flags),
    route(Method::GET, "/v1/support/payments/{payment}/proof", Operation::Proof),
    route(Method::GET, "/v1/support/disputes", Operation::Disputes),
    route(Method::GET, "/v1/support/disputes/{dispute}/evidence", Operation::DisputeEvidence),
];

/// Answers one request.
pub async fn handle<O: Outside>(app: &App<O>, request: Request) -> Response<Body> {
    let outcome = answer(app, &request).await;
    respond(&request, outcome)
}

async fn answer<O: Outside>(app: &App<O>, request: &Request) -> Result<Reply, Problem> {
    let found = find_route(ROUTES, request, |account| app.limiter.admit(account, app.context.now()))?;
    let context = &app.context;
    if !matches!(
        found.operation,
        Operation::FindAccounts
            | Operation::LiftRestriction
            | Operation::Notices
            | Operation::Acts
            | Operation::Export
            | Operation::Import
            | Operation::Liability
            | Operation::Flags
            | Operation::Disputes
    ) {
        no_query(request)?;
    }
    match found.operation {
        Operation::FindAccounts => find::get(context, request).await,
        Operation::Account => account::get(context, found.account()?).await,
        Operation::Adjust => adjustments::post(context, request, &found).await,
        Operation::Restrict => restriction::put(context, request, &found).await,
        Operation::LiftRestriction => restriction::delete(context, request, &found).await,
        Operation::Notices => notices::get(context, request, found.account()?).await,
        Operation::ResendNotice => notices::resend(context, request, &found).await,
        Operation::CheckTopUp => top_up_check::post(context, request, &found).await,
        Operation::RefundPurchase => refunds::of_purchase(context, request, &found).await,
        Operation::RefundTopUp => refunds::of_top_up(context, request, &found).await,
        Operation::Acts => acts::get(context, request, found.account()?).await,
        Operation::Export => export::get(context, request, found.account()?).await,
        Operation::Flags => flags::get(context, request).await,
        Operation::Proof => proof::get(context, found.parameter("payment")).await,
        Operation::Disputes => disputes::list(context, request).await,
        Operation::DisputeEvidence => disputes::evidence(context, request, &found).await,
        Operation::Erase => erasure::post(context, request, &found).await,
        Operation::Import => imports::post(app, request, &found).await,
        Operation::Liability => liability::get(context, request).await,
    }
}

/// Who acts: the `sub` of the token.
///
/// # Errors
/// A 403 if the token names no one, because every act has to be recorded with its operator.
fn operator<T>(found: &Found<T>) -> Result<Operator, Problem> {
    let subject = found.caller.as_ref().map(|caller: &Caller| caller.subject.clone()).unwrap_or_default();
    Operator::parse(subject).map_err(|_| Problem::no_operator())
}

const REASON: &str = "a text of 1 to 200 visible characters: why this is done";

fn reason(fields: &mut Fields<'_>) -> Option<ActReason> {
    fields.required("reason", REASON, text(ActReason::parse))
}

fn asked(operator: Operator, reason: ActReason) -> Asked {
    Asked { operator, reason }
}

/// The account, if it exists.
async fn existing<O: Outside>(context: &Context<O>, account: &ReachedAccount) -> Result<Account, Problem> {
    context.ledger.account_get(account.id()).await?.ok_or_else(|| Problem::not_found("account"))
}
