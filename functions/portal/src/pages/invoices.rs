//! The invoices, as the payment provider has them now.

use super::layout::{Layout, Section, show};
use crate::visitor::Visitor;
use crate::{App, Outside};
use askama::Template;
use lambda_http::Request;
use shared::domain::payments::Invoiced;
use shared::domain::{Currency, InvoiceId};
use shared::http::{Problem, Reply, parse_query};
use shared::use_cases::payments::{CreditedInvoice, read_invoices};
use shared::words::{self, tax_note};

const PER_PAGE: u8 = 20;

#[derive(Template)]
#[template(path = "invoices.html")]
struct InvoicesPage<'a> {
    layout: Layout<'a>,
    invoices: Vec<InvoiceRow>,
    older: Option<String>,
    is_first: bool,
}

struct InvoiceRow {
    number: String,
    date: String,
    what: &'static str,
    credits: String,
    total: String,
    tax: Option<String>,
    status: &'static str,
    hosted_url: Option<String>,
    pdf_url: Option<String>,
}

impl InvoiceRow {
    fn of(CreditedInvoice { invoice, credits }: &CreditedInvoice) -> Self {
        let amount = |minor: i64| match Currency::parse(&invoice.currency.to_ascii_uppercase()) {
            Ok(currency) => currency.format(minor),
            Err(_) => format!("{minor} {}", invoice.currency.to_ascii_uppercase()),
        };
        let tax = if invoice.tax() == 0 {
            tax_note(invoice).map(str::to_owned)
        } else {
            Some(format!("{} tax included", amount(invoice.tax())))
        };
        Self {
            number: invoice.number.clone().unwrap_or_else(|| "Without a number yet".to_owned()),
            date: words::date(invoice.created_at),
            what: match invoice.of {
                Invoiced::Purchase(_) => "Credits bought",
                Invoiced::TopUp(_) => "Automatic top-up",
            },
            credits: words::credits(*credits),
            total: amount(invoice.total),
            tax,
            status: match invoice.status.as_str() {
                "paid" => "Paid",
                "open" => "Open",
                "void" => "Voided",
                _ => "Not paid",
            },
            hosted_url: invoice.hosted_url.clone(),
            pdf_url: invoice.pdf_url.clone(),
        }
    }
}

pub async fn get<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let after = parse_query(request, |query| query.optional("after", "an invoice", |id| InvoiceId::parse(id).ok()))?;
    let listed = read_invoices(&app.context, &visitor.account.id, after.as_ref(), PER_PAGE).await?;
    let page = InvoicesPage {
        layout: Layout::of(app, visitor, (Section::Invoices, "Invoices")),
        invoices: listed.invoices.iter().map(InvoiceRow::of).collect(),
        older: listed.next.map(|next| format!("/portal/invoices?after={next}")),
        is_first: after.is_none(),
    };
    show(200, &page)
}
