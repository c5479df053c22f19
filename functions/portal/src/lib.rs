//! The Billing Dashboard: pages for the company's customers, rendered here, that work without scripts.
//!
//! It shows nothing that the API does not answer, and changes nothing in another way: its pages call the same use cases.

mod assets;
mod branding;
mod keys;
mod pages;
mod return_urls;
mod sessions;
mod text;
mod visitor;
pub mod wiring;

use branding::Branding;
use lambda_http::http::Method;
use lambda_http::{Body, Request, Response};
use return_urls::ReturnUrls;
use shared::domain::PriceBook;
use shared::http::{Access, AccountRateLimiter, Problem, Reply, Route, find_route, no_query, respond};
use shared::links::LinkKey;
use shared::ports::{
    Accounts, AlertRows, AskedCards, CardWallet, ClaimLogs, ClaimedPayments, ConsentList, Consents, ContactRecords,
    CustomerBilling, CustomerInvoices, Entries, EntryList, History, PaymentReturns, Payments, PendingChargeList,
    PendingCharges, PortalPasses, Purchases, RefusalList, SpenderList, Spenders, StoredEntries, TopUpList,
    TopUpRetries, TopUps, UnknownPayments, UsageFolds, UsageRows,
};
use shared::use_cases::{Capabilities, Context};

shared::trait_alias! {
    /// The parts of the ledger that the function needs.
    pub trait PortalLedger:
        Accounts + AlertRows + AskedCards + ClaimLogs + ConsentList + Consents + ContactRecords + Entries + EntryList + History + PendingChargeList + PendingCharges
            + PortalPasses + Purchases + RefusalList + SpenderList + Spenders + StoredEntries + TopUpList + TopUpRetries + TopUps
            + UnknownPayments + UsageFolds + UsageRows
}

shared::trait_alias! {
    /// The ports that the function needs.
    pub trait Outside:
        Capabilities<
            Ledger: PortalLedger,
            Payments: Payments + CardWallet + ClaimedPayments + CustomerBilling + CustomerInvoices + PaymentReturns,
            PriceBook = PriceBook,
        >
}

/// The ports and settings that the function works with.
pub struct App<O: Outside> {
    pub context: Context<O>,
    pub limiter: AccountRateLimiter,
    pub links: LinkKey,
    pub branding: Branding,
    pub return_urls: ReturnUrls,
    /// The API's address for customers, if it has its own domain.
    pub public_url: Option<String>,
    /// Whether purchases by invoice are offered.
    pub offers_invoices: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Operation {
    OpenSession,
    EndSessions,
    Page,
}

/// Every route of this function, as in `template.yaml`. What is below `/portal` is in [`pages`].
pub const ROUTES: &[Route<Operation>] = &[
    Route {
        method: Method::POST,
        path: "/v1/accounts/{account}/portal-sessions",
        access: Access::Service,
        operation: Operation::OpenSession,
    },
    Route {
        method: Method::DELETE,
        path: "/v1/accounts/{account}/portal-sessions",
        access: Access::Service,
        operation: Operation::EndSessions,
    },
    Route { method: Method::GET, path: "/portal/{page+}", access: Access::Session, operation: Operation::Page },
    Route { method: Method::HEAD, path: "/portal/{page+}", access: Access::Session, operation: Operation::Page },
    Route { method: Method::POST, path: "/portal/{page+}", access: Access::Session, operation: Operation::Page },
];

/// Answers one request.
pub async fn handle<O: Outside>(app: &App<O>, request: Request) -> Response<Body> {
    let outcome = route(app, &request).await;
    respond(&request, outcome)
}

async fn route<O: Outside>(app: &App<O>, request: &Request) -> Result<Reply, Problem> {
    let found = find_route(ROUTES, request, |account| app.limiter.admit(account, app.context.now()))?;
    match found.operation {
        Operation::OpenSession => {
            no_query(request)?;
            sessions::post(app, request, found.account()?).await
        }
        Operation::EndSessions => {
            no_query(request)?;
            sessions::delete(&app.context, found.account()?).await
        }
        Operation::Page => pages::answer(app, request).await,
    }
}
