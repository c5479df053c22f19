//! The customer's invoices, for purchases and top-ups alike, as Stripe has them now.

use crate::Outside;
use lambda_http::Request;
use serde::Serialize;
use shared::domain::InvoiceId;
use shared::domain::payments::{Invoiced, TaxLine};
use shared::http::{Page, Problem, ReachedAccount, Reply, parse_query, time};
use shared::use_cases::Context;
use shared::use_cases::payments::{CreditedInvoice, read_invoice, read_invoices};
use shared::words::tax_note;

/// One page. Drafts and invoices that the company made otherwise are left out, so a page may have fewer than `limit`.
pub async fn list<O: Outside>(
    context: &Context<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let (limit, cursor) = parse_query(request, |query| {
        let cursor = query.cursor(|text| InvoiceId::parse(text).ok());
        (query.limit(), cursor)
    })?;
    let page = read_invoices(context, account.id(), cursor.as_ref(), limit).await?;
    let next_cursor = page.next.as_ref().map(InvoiceId::to_string);
    Reply::ok(&Page::new(page.invoices.iter().map(InvoiceBody::of).collect(), next_cursor))
}

pub async fn get<O: Outside>(context: &Context<O>, account: &ReachedAccount, invoice: &str) -> Result<Reply, Problem> {
    let invoice = InvoiceId::parse(invoice).map_err(|_| Problem::not_found("invoice"))?;
    Reply::ok(&InvoiceBody::of(&read_invoice(context, account.id(), &invoice).await?))
}

#[derive(Serialize)]
struct InvoiceBody<'a> {
    invoice: &'a str,
    number: Option<&'a str>,
    /// What it is for; the other one is null.
    purchase: Option<&'a str>,
    top_up: Option<&'a str>,
    credits: i64,
    status: &'a str,
    currency: String,
    /// Before tax.
    amount: i64,
    tax: i64,
    total: i64,
    amount_paid: i64,
    taxes: Vec<TaxBody<'a>>,
    tax_note: Option<&'static str>,
    created_at: String,
    paid_at: Option<String>,
    hosted_url: Option<&'a str>,
    pdf_url: Option<&'a str>,
}

#[derive(Serialize)]
struct TaxBody<'a> {
    amount: i64,
    taxable_amount: Option<i64>,
    reason: Option<&'a str>,
}

impl<'a> InvoiceBody<'a> {
    fn of(CreditedInvoice { invoice, credits }: &'a CreditedInvoice) -> Self {
        let (purchase, top_up) = match &invoice.of {
            Invoiced::Purchase(purchase) => (Some(purchase.as_str()), None),
            Invoiced::TopUp(top_up) => (None, Some(top_up.as_str())),
        };
        Self {
            invoice: invoice.id.as_str(),
            number: invoice.number.as_deref(),
            purchase,
            top_up,
            credits: credits.get(),
            status: &invoice.status,
            currency: invoice.currency.to_ascii_uppercase(),
            amount: invoice.before_tax,
            tax: invoice.tax(),
            total: invoice.total,
            amount_paid: invoice.amount_paid,
            taxes: invoice.taxes.iter().map(TaxBody::of).collect(),
            tax_note: tax_note(invoice),
            created_at: time(invoice.created_at),
            paid_at: invoice.paid_at.map(time),
            hosted_url: invoice.hosted_url.as_deref(),
            pdf_url: invoice.pdf_url.as_deref(),
        }
    }
}

impl<'a> TaxBody<'a> {
    fn of(line: &'a TaxLine) -> Self {
        Self { amount: line.amount, taxable_amount: line.taxable_amount, reason: line.reason.as_deref() }
    }
}
