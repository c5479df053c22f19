//! The pages, and who may see them.

mod alerts;
mod billing_details;
mod buy;
mod cards;
mod consents;
mod contacts;
mod enter;
mod history;
mod invoices;
mod layout;
mod limits;
mod missing;
mod overview;
mod payment_issue;
mod requests;
mod returned;
mod spending;
mod top_ups;
mod usage;
mod verify;

use crate::visitor::Visitor;
use crate::{App, Outside, assets};
use lambda_http::Request;
use lambda_http::http::Method;
use layout::failed;
use shared::http::{Access, Found, Problem, Reply, Route, find_page, log};

#[derive(Clone, Copy, Debug)]
enum Page {
    Style,
    Script,
    Link,
    Enter,
    Leave,
    Overview,
    Buy,
    OpenPurchase,
    Returned,
    Purchase,
    TopUps,
    TurnOn,
    TurnOff,
    Pay,
    Retry,
    Resume,
    Cards,
    AddCard,
    ChooseCard,
    AskToRemoveCard,
    RemoveCard,
    Usage,
    History,
    HistoryFile,
    Entry,
    Verify,
    Invoices,
    Missing,
    FindMissing,
    Consents,
    Requests,
    Limits,
    SetLimits,
    Contacts,
    SetContacts,
    Alerts,
    SetAlerts,
    BillingDetails,
    SetBillingDetails,
    SetSpending,
}

const fn get(path: &'static str, operation: Page) -> Route<Page> {
    Route { method: Method::GET, path, access: Access::Session, operation }
}

const fn post(path: &'static str, operation: Page) -> Route<Page> {
    Route { method: Method::POST, path, access: Access::Session, operation }
}

const PAGES: &[Route<Page>] = &[
    get("/portal/assets/portal.css", Page::Style),
    get("/portal/assets/portal.js", Page::Script),
    get("/portal/enter/{token}", Page::Link),
    Route { method: Method::HEAD, path: "/portal/enter/{token}", access: Access::Session, operation: Page::Link },
    post("/portal/enter", Page::Enter),
    post("/portal/leave", Page::Leave),
    get("/portal/overview", Page::Overview),
    get("/portal/buy", Page::Buy),
    post("/portal/buy", Page::OpenPurchase),
    get("/portal/returned", Page::Returned),
    get("/portal/purchases/{purchase}", Page::Purchase),
    get("/portal/auto_top_up", Page::TopUps),
    post("/portal/auto_top_up", Page::TurnOn),
    post("/portal/auto_top_up/off", Page::TurnOff),
    get("/portal/pay", Page::Pay),
    post("/portal/pay/retry", Page::Retry),
    post("/portal/pay/resume", Page::Resume),
    get("/portal/cards", Page::Cards),
    post("/portal/cards/add", Page::AddCard),
    post("/portal/cards/default", Page::ChooseCard),
    get("/portal/cards/{card}/remove", Page::AskToRemoveCard),
    post("/portal/cards/remove", Page::RemoveCard),
    get("/portal/usage", Page::Usage),
    get("/portal/history", Page::History),
    get("/portal/verify", Page::Verify),
    get("/portal/history/csv", Page::HistoryFile),
    get("/portal/history/{seq}", Page::Entry),
    get("/portal/invoices", Page::Invoices),
    get("/portal/missing", Page::Missing),
    post("/portal/missing", Page::FindMissing),
    get("/portal/consents", Page::Consents),
    get("/portal/requests", Page::Requests),
    get("/portal/limits", Page::Limits),
    post("/portal/limits", Page::SetLimits),
    get("/portal/contacts", Page::Contacts),
    post("/portal/contacts", Page::SetContacts),
    get("/portal/alerts", Page::Alerts),
    post("/portal/alerts", Page::SetAlerts),
    get("/portal/billing_details", Page::BillingDetails),
    post("/portal/billing_details", Page::SetBillingDetails),
    post("/portal/spending", Page::SetSpending),
];

/// Every problem is a page as well.
pub async fn answer<O: Outside>(app: &App<O>, request: &Request) -> Result<Reply, Problem> {
    let found = match find_page(PAGES, request) {
        Ok(found) => found,
        Err(problem) => return failed(app, None, &problem),
    };
    match found.operation {
        Page::Style => assets::style(&app.branding),
        Page::Script => assets::script(),
        Page::Link => enter::get(app, found.parameter("token")),
        Page::Enter => or_failed(app, request, None, enter::post(app, request).await),
        _ => match Visitor::of(app, request).await {
            Ok(Some(visitor)) => {
                let shown = visited(app, request, (&visitor, &found)).await;
                or_failed(app, request, Some(&visitor), shown)
            }
            Ok(None) => enter::session_over(app),
            Err(problem) => or_failed(app, request, None, Err(problem)),
        },
    }
}

fn or_failed<O: Outside>(
    app: &App<O>,
    request: &Request,
    visitor: Option<&Visitor>,
    shown: Result<Reply, Problem>,
) -> Result<Reply, Problem> {
    shown.or_else(|problem| {
        log(request, &problem);
        failed(app, visitor, &problem)
    })
}

async fn visited<O: Outside>(
    app: &App<O>,
    request: &Request,
    (visitor, found): (&Visitor, &Found<Page>),
) -> Result<Reply, Problem> {
    match found.operation {
        Page::Style | Page::Script | Page::Link | Page::Enter => Err(Problem::not_found("page")),
        Page::Leave => enter::leave(app, request, visitor).await,
        Page::Overview => overview::get(app, request, visitor).await,
        Page::Buy => buy::get(app, visitor),
        Page::OpenPurchase => buy::post(app, request, visitor).await,
        Page::Returned => returned::get(request),
        Page::Purchase => returned::purchase(app, visitor, found.parameter("purchase")).await,
        Page::TopUps => top_ups::get(app, request, visitor).await,
        Page::TurnOn => top_ups::turn_on(app, request, visitor).await,
        Page::TurnOff => top_ups::turn_off(app, request, visitor).await,
        Page::Pay => payment_issue::get(app, visitor).await,
        Page::Retry => payment_issue::retry(app, request, visitor).await,
        Page::Resume => payment_issue::resume(app, request, visitor).await,
        Page::Cards => cards::get(app, request, visitor).await,
        Page::AddCard => cards::add(app, request, visitor).await,
        Page::ChooseCard => cards::choose(app, request, visitor).await,
        Page::AskToRemoveCard => cards::ask_to_remove(app, visitor, found.parameter("card")).await,
        Page::RemoveCard => cards::remove(app, request, visitor).await,
        Page::Usage => usage::get(app, request, visitor).await,
        Page::History => history::get(app, request, visitor).await,
        Page::HistoryFile => history::csv(app, visitor).await,
        Page::Entry => history::entry(app, visitor, found.parameter("seq")).await,
        Page::Verify => verify::get(app, visitor).await,
        Page::Invoices => invoices::get(app, request, visitor).await,
        Page::Missing => missing::get(app, visitor),
        Page::FindMissing => missing::post(app, request, visitor).await,
        Page::Consents => consents::get(app, request, visitor).await,
        Page::Requests => requests::get(app, request, visitor).await,
        Page::Limits => limits::get(app, request, visitor).await,
        Page::SetLimits => limits::post(app, request, visitor).await,
        Page::Contacts => contacts::get(app, request, visitor).await,
        Page::SetContacts => contacts::post(app, request, visitor).await,
        Page::Alerts => alerts::get(app, request, visitor).await,
        Page::SetAlerts => alerts::post(app, request, visitor).await,
        Page::BillingDetails => billing_details::get(app, request, visitor).await,
        Page::SetBillingDetails => billing_details::post(app, request, visitor).await,
        Page::SetSpending => spending::post(app, request, visitor).await,
    }
}
