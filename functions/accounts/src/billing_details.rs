//! What the customer's invoices say about its company. Stripe keeps it, and nothing of it is stored here.

use crate::Outside;
use lambda_http::Request;
use serde::Serialize;
use shared::domain::payments::{
    AddressLine, BillingAddress, BillingDetails, Country, KnownAddress, KnownBillingDetails, KnownTaxId, PostalCode,
    TaxId, TaxIdType, TaxIdValue, Text,
};
use shared::http::{Fields, Problem, ReachedAccount, Reply, parse_body, text};
use shared::use_cases::Context;
use shared::use_cases::payments::{read_billing_details, replace_billing_details};

pub async fn get<O: Outside>(context: &Context<O>, account: &ReachedAccount) -> Result<Reply, Problem> {
    Reply::ok(&DetailsBody::of(&read_billing_details(context, account.id()).await?))
}

/// Replaces all details: one that is left out is removed.
pub async fn put<O: Outside>(
    context: &Context<O>,
    request: &Request,
    account: &ReachedAccount,
) -> Result<Reply, Problem> {
    let chosen = parse_body(request, |fields| Some(chosen(fields)))?;
    Reply::ok(&DetailsBody::of(&replace_billing_details(context, account.id(), &chosen).await?))
}

fn chosen(fields: &mut Fields<'_>) -> BillingDetails {
    BillingDetails {
        company: line(fields, "company"),
        address: fields.object("address", address),
        tax_id: fields.object("tax_id", tax_id),
        po_number: line(fields, "po_number"),
    }
}

fn address(fields: &mut Fields<'_>) -> Option<BillingAddress> {
    let country = fields.required("country", Country::EXPECTED, word(Country::parse));
    let line1: Option<AddressLine> = line(fields, "line1");
    let line2: Option<AddressLine> = line(fields, "line2");
    let postal_code: Option<PostalCode> = line(fields, "postal_code");
    let city: Option<AddressLine> = line(fields, "city");
    let state: Option<AddressLine> = line(fields, "state");
    Some(BillingAddress { country: country?, line1, line2, postal_code, city, state })
}

fn tax_id(fields: &mut Fields<'_>) -> Option<TaxId> {
    let kind = fields.required("type", TaxIdType::EXPECTED, word(TaxIdType::parse));
    let value = fields.required("value", TaxIdValue::expected(), text(|value| TaxIdValue::parse(value).ok_or(())));
    Some(TaxId { kind: kind?, value: value? })
}

fn line<const MAX: usize>(fields: &mut Fields<'_>, name: &str) -> Option<Text<MAX>> {
    fields.optional(name, Text::<MAX>::expected(), text(|line| Text::parse(line).ok_or(())))
}

fn word<T>(parse: impl FnOnce(&str) -> Option<T>) -> impl FnOnce(&str) -> Option<T> {
    text(|word: String| parse(&word).ok_or(()))
}

#[derive(Serialize)]
struct DetailsBody<'a> {
    company: Option<&'a str>,
    address: Option<AddressBody<'a>>,
    tax_id: Option<TaxIdBody<'a>>,
    po_number: Option<&'a str>,
    tax_exempt: Option<&'a str>,
}

#[derive(Serialize)]
struct AddressBody<'a> {
    country: Option<&'a str>,
    line1: Option<&'a str>,
    line2: Option<&'a str>,
    postal_code: Option<&'a str>,
    city: Option<&'a str>,
    state: Option<&'a str>,
}

#[derive(Serialize)]
struct TaxIdBody<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    value: &'a str,
    verification: Option<&'a str>,
}

impl<'a> DetailsBody<'a> {
    fn of(known: &'a KnownBillingDetails) -> Self {
        Self {
            company: known.company.as_deref(),
            address: known.address.as_ref().map(AddressBody::of),
            tax_id: known.tax_id.as_ref().map(TaxIdBody::of),
            po_number: known.po_number.as_deref(),
            tax_exempt: known.tax_exempt.as_deref(),
        }
    }
}

impl<'a> AddressBody<'a> {
    fn of(address: &'a KnownAddress) -> Self {
        Self {
            country: address.country.as_deref(),
            line1: address.line1.as_deref(),
            line2: address.line2.as_deref(),
            postal_code: address.postal_code.as_deref(),
            city: address.city.as_deref(),
            state: address.state.as_deref(),
        }
    }
}

impl<'a> TaxIdBody<'a> {
    fn of(tax_id: &'a KnownTaxId) -> Self {
        Self { kind: &tax_id.kind, value: &tax_id.value, verification: tax_id.verification.as_deref() }
    }
}
