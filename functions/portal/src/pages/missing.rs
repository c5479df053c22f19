//! Credits that are missing: the visitor names a payment, and what was paid is granted while they watch.

use super::layout::{Layout, Section, show};
use crate::visitor::Visitor;
use crate::{App, Outside};
use askama::Template;
use jiff::civil::Date;
use lambda_http::Request;
use shared::domain::payments::{CardStatement, Claim};
use shared::domain::{CardPaymentId, Currency, InvoiceId, InvoiceNumber, PaymentIntentId};
use shared::http::{Parameters, Problem, Reply};
use shared::use_cases::payments::{FoundPayment, find_payments};
use shared::words;

#[derive(Template)]
#[template(path = "missing.html")]
struct MissingPage<'a> {
    layout: Layout<'a>,
    typed: Typed,
    currency: &'static str,
    days_max: i32,
    problem: Option<&'static str>,
    found: Vec<FoundRow>,
}

/// What is in the fields of the form.
#[derive(Debug, Default)]
struct Typed {
    number: String,
    last4: String,
    date: String,
    amount: String,
}

struct FoundRow {
    note: &'static str,
    payment: Option<String>,
    entry: Option<String>,
    hosted_url: Option<String>,
}

pub fn get<O: Outside>(app: &App<O>, visitor: &Visitor) -> Result<Reply, Problem> {
    page(app, visitor, (Typed::default(), None, vec![]))
}

fn page<O: Outside>(
    app: &App<O>,
    visitor: &Visitor,
    (typed, problem, found): (Typed, Option<&'static str>, Vec<FoundRow>),
) -> Result<Reply, Problem> {
    let page = MissingPage {
        layout: Layout::of(app, visitor, (Section::Invoices, "Missing credits")),
        typed,
        currency: app.context.price_book.currency.code(),
        days_max: CardStatement::DAYS_MAX,
        problem,
        found,
    };
    show(if problem.is_some() { 422 } else { 200 }, &page)
}

pub async fn post<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let typed = visitor.form(request, Typed::read)?;
    match typed.claim(app) {
        Ok(claim) => {
            let found = find_payments(&app.context, &visitor.account.id, &claim).await?;
            page(app, visitor, (typed, None, found.iter().map(FoundRow::of).collect()))
        }
        Err(problem) => page(app, visitor, (typed, Some(problem), vec![])),
    }
}

impl Typed {
    fn read(fields: &mut Parameters) -> Self {
        let mut field = |name| {
            let text = fields.optional(name, "a text", Some).unwrap_or_default();
            text.trim().chars().take(100).collect::<String>()
        };
        Self { number: field("number"), last4: field("last4"), date: field("date"), amount: field("amount") }
    }

    /// The number, if there is one; otherwise the line of a card statement.
    fn claim<O: Outside>(&self, app: &App<O>) -> Result<Claim, &'static str> {
        if !self.number.is_empty() {
            return numbered(&self.number).ok_or("This is not the number of a receipt, an invoice or a payment.");
        }
        if self.last4.is_empty() && self.date.is_empty() && self.amount.is_empty() {
            return Err("Enter a number, or what your card statement says.");
        }
        let amount = app.context.price_book.currency.read_plain(&self.amount);
        let amount =
            amount.ok_or("The amount must be written as on the statement, with a point before the decimals.")?;
        let date = self.date.parse::<Date>().ok().filter(|date| date.to_string() == self.date);
        let date = date.filter(|date| CardStatement::is_searchable(*date, app.context.now()));
        let date = date.ok_or("The date must be one of the last 90 days.")?;
        let statement = CardStatement::new(self.last4.as_str(), date, amount);
        statement.map(Claim::Card).ok_or("The card is named by its last four digits, and the amount is above zero.")
    }
}

/// Stripe's own ids say what they are; everything else is what is printed on an invoice or a receipt.
fn numbered(text: &str) -> Option<Claim> {
    match text.get(..3) {
        Some("in_") => InvoiceId::parse(text).ok().map(Claim::Invoice),
        Some("pi_") => PaymentIntentId::parse(text).ok().map(Claim::Payment),
        Some("ch_" | "py_") => CardPaymentId::parse(text).ok().map(Claim::CardPayment),
        _ => InvoiceNumber::parse(text.to_ascii_uppercase()).ok().map(Claim::Receipt),
    }
}

impl FoundRow {
    fn of(found: &FoundPayment) -> Self {
        let own = found.own.as_ref();
        let payment = own.map(|own| {
            let code = own.currency.to_ascii_uppercase();
            let amount = Currency::parse(&code).map_or(format!("{} {code}", own.amount), |it| it.format(own.amount));
            format!("{amount}, {}", words::date(own.created_at))
        });
        Self {
            note: words::found(&found.result),
            payment,
            entry: found.result.entry().map(|entry| format!("/portal/history/{}", entry.seq)),
            hosted_url: own.and_then(|own| own.hosted_url.clone()),
        }
    }
}
