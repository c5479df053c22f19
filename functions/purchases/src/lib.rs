//! Buying credits: packages, Stripe's payment page, invoices, and the links in e-mails to an unpaid
//! top-up and to an invoice.

mod invoices;
mod list;
mod pay;
mod receipt;
pub mod wiring;

use lambda_http::http::Method;
use lambda_http::{Body, Request, Response};
use serde::Serialize;
use shared::domain::{Package, PackageId, PriceBook, Purchase, PurchaseId, PurchaseStatus};
use shared::http::{
    Access, AccountRateLimiter, Problem, ReachedAccount, Reply, Route, find_route, idempotency_key, no_query,
    parse_body, respond, text, time,
};
use shared::links::LinkKey;
use shared::ports::{Accounts, AskedCards, CustomerInvoices, Payments, PurchaseList, Purchases, TopUps};
use shared::use_cases::payments::{PurchaseCommand, check_purchase, open_purchase};
use shared::use_cases::{Capabilities, Context};
use shared::words::purchase_note;

/// The ports that the function needs.
pub trait Outside:
    Capabilities<
        Ledger: Accounts + AskedCards + Purchases + PurchaseList + TopUps,
        Payments: Payments + CustomerInvoices,
        PriceBook = PriceBook,
    >
{
}

impl<
    C: Capabilities<
            Ledger: Accounts + AskedCards + Purchases + PurchaseList + TopUps,
            Payments: Payments + CustomerInvoices,
            PriceBook = PriceBook,
        >,
> Outside for C
{
}

/// The ports and settings that the function works with.
pub struct App<O: Outside> {
    pub context: Context<O>,
    pub limiter: AccountRateLimiter,
    pub links: LinkKey,
}

#[derive(Clone, Copy, Debug)]
pub enum Operation {
    Packages,
    OpenPurchase,
    Purchases,
    Purchase,
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
        Operation::OpenPurchase => post_purchase(app, request, found.account()?).await,
        Operation::Purchases => list::get(&app.context, request, found.account()?).await,
        Operation::Purchase => get_purchase(app, found.account()?, found.parameter("purchase")).await,
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

async fn post_purchase<O: Outside>(
    app: &App<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let key = idempotency_key(request)?;
    let package = parse_body(request, |fields| {
        fields.required("package", "one of those that GET /v1/packages lists", text(PackageId::parse))
    })?;
    let command = PurchaseCommand { key, package };
    let opened = open_purchase(&app.context, account.id(), &command).await?;
    Reply::created(&PurchaseBody::of(&opened.purchase), opened.is_replay)
}

async fn get_purchase<O: Outside>(app: &App<O>, account: &ReachedAccount, purchase: &str) -> Result<Reply, Problem> {
    let purchase = PurchaseId::parse(purchase).map_err(|_| Problem::not_found("purchase"))?;
    let purchase = check_purchase(&app.context, account.id(), &purchase).await?;
    Reply::ok(&PurchaseBody::of(&purchase))
}

#[derive(Serialize)]
struct PurchaseBody<'a> {
    purchase: &'a str,
    package: &'a str,
    credits: i64,
    /// In the minor unit of the currency, as Stripe counts it.
    price: i64,
    currency: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkout_url: Option<&'a str>,
    created_at: String,
    ended_at: Option<String>,
}

impl<'a> PurchaseBody<'a> {
    fn of(purchase: &'a Purchase) -> Self {
        let is_open = purchase.status == PurchaseStatus::Open;
        Self {
            purchase: purchase.id.as_str(),
            package: purchase.package.as_str(),
            credits: purchase.credits.get(),
            price: purchase.price.minor(),
            currency: purchase.price.currency().code(),
            status: purchase.status.name(),
            note: purchase_note(purchase.status),
            checkout_url: purchase.checkout.as_ref().filter(|_| is_open).map(|checkout| checkout.url.as_str()),
            created_at: time(purchase.opened_at),
            ended_at: purchase.ended_at.map(time),
        }
    }
}
