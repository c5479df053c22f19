//! Back from a page of the payment provider.

use super::layout::{Done, Layout, Section, show};
use crate::visitor::Visitor;
use crate::{App, Outside};
use askama::Template;
use lambda_http::Request;
use shared::domain::{Purchase, PurchaseId, PurchaseStatus};
use shared::http::{Problem, Reply, parse_query};
use shared::use_cases::payments::check_purchase;
use shared::words::{self, purchase_note};

/// The payment provider sends the browser here.
pub fn get(request: &Request) -> Result<Reply, Problem> {
    let (purchase, card, _) = parse_query(request, |query| {
        let purchase = query.optional("purchase", "a purchase", |id| PurchaseId::parse(id).ok());
        let card = query.optional("card", "saved or canceled", |word| match word.as_str() {
            "saved" => Some(true),
            "canceled" => Some(false),
            _ => None,
        });
        (purchase, card, query.optional("canceled", "true", |word| (word == "true").then_some(())))
    })?;
    match (purchase, card) {
        (Some(purchase), _) => Reply::see_other(&format!("/portal/purchases/{purchase}")),
        (None, Some(true)) => Done::CardSaved.then("/portal/cards"),
        (None, Some(false)) => Reply::see_other("/portal/cards"),
        (None, None) => Reply::see_other("/portal/overview"),
    }
}

#[derive(Template)]
#[template(path = "purchase.html")]
struct PurchasePage<'a> {
    layout: Layout<'a>,
    heading: &'static str,
    text: String,
    credits: String,
    price: String,
    opened_at: String,
    /// Whether the page may know more in a moment.
    is_waiting: bool,
    pay_url: Option<&'a str>,
    invoice: Option<InvoiceFacts<'a>>,
}

struct InvoiceFacts<'a> {
    number: Option<&'a str>,
    due: String,
}

/// Looks at the payment, grants what was paid, and says how far it is. It never says that a payment failed while one may
/// still be under way.
pub async fn purchase<O: Outside>(app: &App<O>, visitor: &Visitor, purchase: &str) -> Result<Reply, Problem> {
    let id = PurchaseId::parse(purchase).map_err(|_| Problem::not_found("purchase"))?;
    let purchase = check_purchase(&app.context, &visitor.account.id, &id).await?;
    let (heading, text) = told(&purchase);
    let issued = purchase.by_invoice.as_ref().and_then(|by_invoice| by_invoice.issued.as_ref());
    let pay_url = purchase.checkout.as_ref().filter(|_| purchase.has_page()).map(|checkout| checkout.url.as_str());
    let page = PurchasePage {
        layout: Layout::of(app, visitor, (Section::Buy, heading)),
        heading,
        text,
        credits: words::credits(purchase.credits),
        price: purchase.price.to_string(),
        opened_at: words::date_and_time(purchase.opened_at),
        is_waiting: purchase.status == PurchaseStatus::Open && purchase.by_invoice.is_none(),
        pay_url,
        invoice: issued
            .map(|issued| InvoiceFacts { number: issued.number.as_deref(), due: words::date(issued.due_at) }),
    };
    show(200, &page)
}

fn told(purchase: &Purchase) -> (&'static str, String) {
    let note = |otherwise: &str| purchase_note(purchase.status).unwrap_or(otherwise).to_owned();
    match purchase.status {
        PurchaseStatus::Paid => {
            ("Thank you", format!("Your payment was received, and {} are on your balance.", words::credits(purchase.credits)))
        }
        PurchaseStatus::Open if purchase.by_invoice.is_some() => (
            "The invoice is on its way",
            "We add the credits as soon as it is paid. You get the invoice by e-mail.".to_owned(),
        ),
        PurchaseStatus::Open => (
            "Not paid yet",
            "If you have just paid, this takes a moment: the credits arrive by themselves, also when you close this page. \
             If not, you can still pay."
                .to_owned(),
        ),
        PurchaseStatus::Processing => ("Your bank is working on it", note("")),
        PurchaseStatus::Failed => ("The payment was not made", note("")),
        PurchaseStatus::InReview => ("We are looking into it", note("")),
        PurchaseStatus::Voided => ("The invoice was voided", note("")),
        PurchaseStatus::Expired => {
            ("This purchase has expired", "Nothing was charged. To get the credits, buy them again.".to_owned())
        }
    }
}
