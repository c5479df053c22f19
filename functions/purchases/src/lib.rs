//! Buying credits: packages, Stripe's payment page or an invoice, invoices, payments whose credits are missing, and the
//! links to an unpaid top-up, to an open purchase and to an invoice.

mod find;
mod invoices;
mod list;
mod pay;
mod pay_link;
mod proof;
mod purchase;
mod receipt;
pub mod wiring;

use lambda_http::http::Method;
use lambda_http::{Body, Request, Response};
use serde::Serialize;
use shared::domain::{Package, PriceBook};
use shared::http::{Access, AccountRateLimiter, Problem, Reply, Route, find_route, no_query, respond};
use shared::links::LinkKey;
use shared::ports::{
    Accounts, AskedCards, ClaimLogs, ClaimedPayments, Consents, CustomerInvoices, Entries, NoticeList, PaymentReturns,
    Payments, PurchaseList, Purchases, TopUps, UnknownPayments,
};
use shared::use_cases::{Capabilities, Context};

shared::trait_alias! {
    /// The ports that the function needs.
    pub trait Outside:
        Capabilities<
            Ledger: Accounts + AskedCards + ClaimLogs + Consents + Entries + NoticeList + Purchases + PurchaseList
                + TopUps + UnknownPayments,
            Payments: Payments + CustomerInvoices + PaymentReturns + ClaimedPayments,
            PriceBook = PriceBook,
        >
}

/// The ports and settings that the function works with.
pub struct App<O: Outside> {
    pub context: Context<O>,
    pub limiter: AccountRateLimiter,
    pub links: LinkKey,
    /// The API's address for customers, if it has its own domain.
    pub public_url: Option<String>,
    /// Whether purchases by invoice are offered.
    pub offers_invoices: bool,
}

#[derive(Clone, Copy, Debug)]
pub enum Operation {
    Packages,
    OpenPurchase,
    FindPayments,
    Purchases,
    Purchase,
    Proof,
    Invoices,
    Invoice,
    Pay,
    Receipt,
}

/// Every route of this function, as in `template.yaml`.
pub const ROUTES: &[Route<Operation>] = &[
    Route { method: Method::GET, path: "/v1/packages", access: Access::Customer, operation: Operation::Packages },
    Route {
        method: Method::POST,
        path: "/v1/accounts/{account}/purchases",
        access: Access::Customer,
        operation: Operation::OpenPurchase,
    },
    Route {
        method: Method::POST,
        path: "/v1/accounts/{account}/purchases/find",
        access: Access::Customer,
        operation: Operation::FindPayments,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/purchases",
        access: Access::Customer,
        operation: Operation::Purchases,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/purchases/{purchase}",
        access: Access::Customer,
        operation: Operation::Purchase,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/payments/{payment}/proof",
        access: Access::Customer,
        operation: Operation::Proof,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/invoices",
        access: Access::Customer,
        operation: Operation::Invoices,
    },
    Route {
        method: Method::GET,
        path: "/v1/accounts/{account}/invoices/{invoice}",
        access: Access::Customer,
        operation: Operation::Invoice,
    },
    Route { method: Method::GET, path: "/pay/{token+}", access: Access::Public, operation: Operation::Pay },
    Route { method: Method::HEAD, path: "/pay/{token+}", access: Access::Public, operation: Operation::Pay },
    Route { method: Method::GET, path: "/receipt/{token+}", access: Access::Public, operation: Operation::Receipt },
    Route { method: Method::HEAD, path: "/receipt/{token+}", access: Access::Public, operation: Operation::Receipt },
];

/// Answers one request.
pub async fn handle<O: Outside>(app: &App<O>, request: Request) -> Response<Body> {
    let outcome = route(app, &request).await;
    respond(&request, outcome)
}

async fn route<O: Outside>(app: &App<O>, request: &Request) -> Result<Reply, Problem> {
    let found = find_route(ROUTES, request, |account| app.limiter.admit(account, app.context.now()))?;
    // Mail programs and statistics add parameters to links.
    if !matches!(found.operation, Operation::Purchases | Operation::Invoices | Operation::Pay | Operation::Receipt) {
        no_query(request)?;
    }
    match found.operation {
        Operation::Packages => get_packages(&app.context.price_book),
        Operation::OpenPurchase => purchase::post(app, request, found.account()?).await,
        Operation::FindPayments => find::post(&app.context, request, found.account()?).await,
        Operation::Purchases => list::get(app, request, found.account()?).await,
        Operation::Purchase => purchase::get(app, request, found.account()?, found.parameter("purchase")).await,
        Operation::Proof => proof::get(&app.context, found.account()?, found.parameter("payment")).await,
        Operation::Invoices => invoices::list(&app.context, request, found.account()?).await,
        Operation::Invoice => invoices::get(&app.context, found.account()?, found.parameter("invoice")).await,
        Operation::Pay => pay::get(app, found.parameter("token")).await,
        Operation::Receipt => receipt::get(app, found.parameter("token")).await,
    }
}

fn get_packages(price_book: &PriceBook) -> Result<Reply, Problem> {
    Reply::ok(&PackagesBody { data: price_book.packages.iter().map(PackageBody::of).collect() })
}

#[derive(Serialize)]
struct PackagesBody<'a> {
    data: Vec<PackageBody<'a>>,
}

#[derive(Serialize)]
struct PackageBody<'a> {
    package: &'a str,
    credits: i64,
    /// In the minor unit of the currency, as Stripe counts it.
    price: i64,
    currency: &'static str,
}

impl<'a> PackageBody<'a> {
    fn of(package: &'a Package) -> Self {
        Self {
            package: package.id.as_str(),
            credits: package.credits.get(),
            price: package.price.minor(),
            currency: package.price.currency().code(),
        }
    }
}
