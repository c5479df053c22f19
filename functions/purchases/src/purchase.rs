//! Opening a purchase, and how a purchase is shown.

use crate::pay_link::PayLinks;
use crate::{App, Outside};
use lambda_http::Request;
use serde::Serialize;
use shared::domain::payments::{ByInvoice, InvoiceTerms, PayBy, PoNumber};
use shared::domain::{PackageId, PriceBook, Purchase, PurchaseId, PurchaseStatus};
use shared::http::{
    Fields, Problem, ReachedAccount, Reply, an_integer, idempotency_key, integer, parse_body, text, time,
};
use shared::use_cases::payments::{PurchaseCommand, check_purchase, open_purchase};
use shared::words::purchase_note;
use std::ops::RangeInclusive;

pub async fn post<O: Outside>(app: &App<O>, request: &Request, account: &ReachedAccount) -> Result<Reply, Problem> {
    let key = idempotency_key(request)?;
    let (package, pay_by) = parse_body(request, |fields| {
        let expected = "one of those that GET /v1/packages lists";
        let package = fields.required("package", expected, text(PackageId::parse));
        let pay_by = pay_by(fields);
        Some((package?, pay_by?))
    })?;
    let command = PurchaseCommand { key, package, pay_by, offers_invoices: app.offers_invoices };
    let opened = open_purchase(&app.context, account.id(), &command).await?;
    Reply::created(&PurchaseBody::of(&opened.purchase, &PayLinks::of(app, request)), opened.is_replay)
}

fn pay_by(fields: &mut Fields<'_>) -> Option<PayBy> {
    let is_by_invoice = |word: String| match word.as_str() {
        "page" => Ok(false),
        "invoice" => Ok(true),
        _ => Err(()),
    };
    if fields.optional_or("pay_by", "page or invoice", (text(is_by_invoice), false))? {
        let days = days_range();
        let default = i64::from(PriceBook::DAYS_UNTIL_DUE_DEFAULT);
        let expected = an_integer(&days).to_string();
        let days = fields.optional_or("days_until_due", &expected, (integer(&days), default));
        let po_number = fields.optional("po_number", PoNumber::expected(), |json| {
            text(|number: String| PoNumber::parse(number).ok_or(()))(json)
        });
        let days_until_due = days.and_then(|days| u8::try_from(days).ok())?;
        return Some(PayBy::Invoice(InvoiceTerms { days_until_due, po_number }));
    }
    for name in ["days_until_due", "po_number"] {
        fields.must_not_have(name, || "must be left out unless pay_by is invoice".to_owned());
    }
    Some(PayBy::Page)
}

fn days_range() -> RangeInclusive<i64> {
    let days = PriceBook::DAYS_UNTIL_DUE;
    i64::from(*days.start())..=i64::from(*days.end())
}

pub async fn get<O: Outside>(
    app: &App<O>,
    request: &Request,
    account: &ReachedAccount,
    purchase: &str,
) -> Result<Reply, Problem> {
    let purchase = PurchaseId::parse(purchase).map_err(|_| Problem::not_found("purchase"))?;
    let purchase = check_purchase(&app.context, account.id(), &purchase).await?;
    Reply::ok(&PurchaseBody::of(&purchase, &PayLinks::of(app, request)))
}

#[derive(Serialize)]
pub struct PurchaseBody<'a> {
    purchase: &'a str,
    package: &'a str,
    credits: i64,
    /// In the minor unit of the currency, as Stripe counts it.
    price: i64,
    currency: &'static str,
    pay_by: &'static str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checkout_url: Option<&'a str>,
    /// A link of ours to the current page, which the customer may hand on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pay_link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    invoice: Option<InvoiceBody<'a>>,
    created_at: String,
    ended_at: Option<String>,
}

/// The invoice of a purchase that is paid by invoice. Amounts are in the minor unit of the currency, with tax.
#[derive(Serialize)]
struct InvoiceBody<'a> {
    /// `None` until it is made.
    invoice: Option<&'a str>,
    number: Option<&'a str>,
    days_until_due: u8,
    po_number: Option<&'a str>,
    due_at: Option<String>,
    /// When it is voided unless it is paid.
    void_at: Option<String>,
    amount_due: Option<i64>,
    amount_paid: i64,
    amount_remaining: Option<i64>,
    amount_overpaid: i64,
    paid_out_of_band: bool,
}

impl<'a> InvoiceBody<'a> {
    fn of(purchase: &'a Purchase, by_invoice: &'a ByInvoice) -> Self {
        let issued = by_invoice.issued.as_ref();
        Self {
            invoice: purchase.invoice.as_ref().map(|invoice| invoice.as_str()),
            number: issued.and_then(|issued| issued.number.as_deref()),
            days_until_due: by_invoice.terms.days_until_due,
            po_number: by_invoice.terms.po_number.as_ref().map(PoNumber::as_str),
            due_at: issued.map(|issued| time(issued.due_at)),
            void_at: issued.filter(|_| purchase.awaits_invoice()).map(|issued| time(issued.voided_at())),
            amount_due: issued.map(|issued| issued.total),
            amount_paid: issued.map_or(0, |issued| issued.amount_paid),
            amount_remaining: issued.map(|issued| if purchase.awaits_invoice() { issued.remaining() } else { 0 }),
            amount_overpaid: issued.map_or(0, |issued| issued.overpaid),
            paid_out_of_band: by_invoice.is_paid_out_of_band,
        }
    }
}

impl<'a> PurchaseBody<'a> {
    pub fn of(purchase: &'a Purchase, links: &PayLinks<'_>) -> Self {
        let is_open = purchase.status == PurchaseStatus::Open;
        Self {
            purchase: purchase.id.as_str(),
            package: purchase.package.as_str(),
            credits: purchase.credits.get(),
            price: purchase.price.minor(),
            currency: purchase.price.currency().code(),
            pay_by: if purchase.by_invoice.is_some() { "invoice" } else { "page" },
            status: purchase.status.name(),
            note: purchase_note(purchase.status),
            checkout_url: purchase.checkout.as_ref().filter(|_| is_open).map(|checkout| checkout.url.as_str()),
            pay_link: links.to(purchase),
            invoice: purchase.by_invoice.as_ref().map(|by_invoice| InvoiceBody::of(purchase, by_invoice)),
            created_at: time(purchase.opened_at),
            ended_at: purchase.ended_at.map(time),
        }
    }
}
