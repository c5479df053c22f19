//! Buying credits.

use super::layout::{Layout, Section, show};
use crate::keys::{form_key, key_for, new_key};
use crate::visitor::Visitor;
use crate::{App, Outside};
use askama::Template;
use lambda_http::Request;
use shared::domain::payments::{InvoiceTerms, PayBy};
use shared::domain::{Package, PackageId, PriceBook};
use shared::http::{Problem, Reply};
use shared::use_cases::payments::{PurchaseCommand, open_purchase};

#[derive(Template)]
#[template(path = "buy.html")]
struct BuyPage<'a> {
    layout: Layout<'a>,
    packages: Vec<PackageRow<'a>>,
    offers_invoices: bool,
    days_until_due: u8,
    key: String,
}

struct PackageRow<'a> {
    id: &'a str,
    credits: String,
    price: String,
}

impl<'a> PackageRow<'a> {
    fn of(package: &'a Package) -> Self {
        Self { id: package.id.as_str(), credits: package.credits.grouped(), price: package.price.to_string() }
    }
}

pub fn get<O: Outside>(app: &App<O>, visitor: &Visitor) -> Result<Reply, Problem> {
    let page = BuyPage {
        layout: Layout::of(app, visitor, (Section::Buy, "Buy credits")),
        packages: app.context.price_book.packages.iter().map(PackageRow::of).collect(),
        offers_invoices: app.offers_invoices,
        days_until_due: PriceBook::DAYS_UNTIL_DUE_DEFAULT,
        key: new_key(app),
    };
    show(200, &page)
}

/// Opens the purchase and leads to its payment page. The same form opens one purchase, however often it is sent.
pub async fn post<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let (key, package, pay_by) = visitor.form(request, |fields| {
        let package = fields.optional("package", "a package", |id| PackageId::parse(id).ok());
        let pay_by = fields.optional("pay_by", "page or invoice", |word| match word.as_str() {
            "page" => Some(PayBy::Page),
            "invoice" => Some(PayBy::Invoice(InvoiceTerms {
                days_until_due: PriceBook::DAYS_UNTIL_DUE_DEFAULT,
                po_number: None,
            })),
            _ => None,
        });
        (form_key(fields), package, pay_by)
    })?;
    let (Some(key), Some(package)) = (key, package) else { return Err(Problem::foreign_form()) };
    let pay_by = pay_by.unwrap_or(PayBy::Page);
    // Two packages of one page are two purchases.
    let by_invoice = matches!(pay_by, PayBy::Invoice(_));
    let key = key_for(&key, &[package.as_str(), if by_invoice { "invoice" } else { "page" }])?;
    let command = PurchaseCommand { key, package, pay_by, offers_invoices: app.offers_invoices };
    let purchase = open_purchase(&app.context, &visitor.account.id, &command).await?.purchase;
    match purchase.checkout.as_ref().filter(|_| purchase.has_page()) {
        Some(checkout) => leave_for(app, visitor, &checkout.url),
        None => Reply::see_other(&format!("/portal/purchases/{}", purchase.id)),
    }
}

#[derive(Template)]
#[template(path = "elsewhere.html")]
struct ElsewherePage<'a> {
    layout: Layout<'a>,
    url: &'a str,
}

/// Leads to a page of the payment provider. A redirect would be refused by the page's own policy, which lets forms lead to
/// our own pages alone.
pub fn leave_for<O: Outside>(app: &App<O>, visitor: &Visitor, url: &str) -> Result<Reply, Problem> {
    let layout = Layout::of(app, visitor, (Section::Elsewhere, "One moment"));
    show(200, &ElsewherePage { layout, url })
}
