//! What the customer's invoices say about its company. The payment provider keeps it, and nothing of it is stored here.

use super::layout::{Done, Layout, Section, show};
use crate::visitor::Visitor;
use crate::{App, Outside};
use askama::Template;
use lambda_http::Request;
use shared::domain::payments::{
    AddressLine, BillingAddress, BillingDetails, Country, KnownAddress, KnownBillingDetails, TaxId, TaxIdType,
    TaxIdValue, Text,
};
use shared::http::{Parameters, Problem, Reply, parse_query};
use shared::use_cases::payments::{BillingDetailsError, read_billing_details, replace_billing_details};

#[derive(Template)]
#[template(path = "billing_details.html")]
struct DetailsPage<'a> {
    layout: Layout<'a>,
    typed: Typed,
    tax_id_types: Vec<&'static str>,
    verification: Option<String>,
    problems: Vec<String>,
}

/// What is in the fields of the form.
#[derive(Default)]
struct Typed {
    company: String,
    line1: String,
    line2: String,
    postal_code: String,
    city: String,
    state: String,
    country: String,
    tax_id_type: String,
    tax_id: String,
    po_number: String,
}

pub async fn get<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let done = parse_query(request, Done::read)?;
    let known = read_billing_details(&app.context, &visitor.account.id).await?;
    let verification = known.tax_id.as_ref().and_then(|tax_id| tax_id.verification.clone());
    page(app, visitor, (Typed::of(known), verification, vec![]), done)
}

fn page<O: Outside>(
    app: &App<O>,
    visitor: &Visitor,
    (typed, verification, problems): (Typed, Option<String>, Vec<String>),
    done: Option<Done>,
) -> Result<Reply, Problem> {
    let page = DetailsPage {
        layout: Layout::of(app, visitor, (Section::Invoices, "Billing details")).with_done(done),
        typed,
        tax_id_types: TaxIdType::all().map(TaxIdType::name).collect(),
        verification,
        problems,
    };
    show(if page.problems.is_empty() { 200 } else { 422 }, &page)
}

/// Replaces all details: an empty field removes its detail.
pub async fn post<O: Outside>(app: &App<O>, request: &Request, visitor: &Visitor) -> Result<Reply, Problem> {
    let typed = visitor.form(request, Typed::read)?;
    let chosen = match typed.details() {
        Ok(chosen) => chosen,
        Err(problems) => return page(app, visitor, (typed, None, problems), None),
    };
    match replace_billing_details(&app.context, &visitor.account.id, &chosen).await {
        Ok(_) => Done::DetailsSaved.then("/portal/billing_details"),
        Err(error @ BillingDetailsError::Refused(_)) => {
            let problem = Problem::from(error);
            let problems = problem
                .field_messages()
                .into_iter()
                .map(|(field, message)| format!("{} {message}.", crate::text::capitalized(&field.replace('.', " "))));
            page(app, visitor, (typed, None, problems.collect()), None)
        }
        Err(error) => Err(error.into()),
    }
}

impl Typed {
    fn of(known: KnownBillingDetails) -> Self {
        let KnownAddress { country, line1, line2, postal_code, city, state } = known.address.unwrap_or_default();
        let text = Option::unwrap_or_default;
        let (tax_id_type, tax_id) = known.tax_id.map(|tax_id| (tax_id.kind, tax_id.value)).unwrap_or_default();
        Self {
            company: text(known.company),
            line1: text(line1),
            line2: text(line2),
            postal_code: text(postal_code),
            city: text(city),
            state: text(state),
            country: text(country),
            tax_id_type,
            tax_id,
            po_number: text(known.po_number),
        }
    }

    fn read(fields: &mut Parameters) -> Self {
        let mut field = |name| {
            let text = fields.optional(name, "a text", Some).unwrap_or_default();
            text.trim().chars().take(500).collect::<String>()
        };
        Self {
            company: field("company"),
            line1: field("line1"),
            line2: field("line2"),
            postal_code: field("postal_code"),
            city: field("city"),
            state: field("state"),
            country: field("country"),
            tax_id_type: field("tax_id_type"),
            tax_id: field("tax_id"),
            po_number: field("po_number"),
        }
    }

    fn details(&self) -> Result<BillingDetails, Vec<String>> {
        let mut problems = vec![];
        let lines = [&self.line1, &self.line2, &self.city, &self.state];
        let has_address = lines.iter().chain([&&self.postal_code, &&self.country]).any(|text| !text.is_empty());
        let country = Country::parse(&self.country.to_ascii_uppercase());
        if has_address && country.is_none() {
            problems.push(format!("The country must be {}.", Country::EXPECTED));
        }
        let company = line(&mut problems, "The company", &self.company);
        let [line1, line2, city, state]: [Option<AddressLine>; 4] =
            lines.map(|text| line(&mut problems, "Each line of the address", text));
        let postal_code = line(&mut problems, "The postal code", &self.postal_code);
        let po_number = line(&mut problems, "The PO number", &self.po_number);
        let kind = TaxIdType::parse(&self.tax_id_type);
        let value = TaxIdValue::parse(self.tax_id.clone());
        let tax_id = match (self.tax_id.is_empty(), kind, value) {
            (true, ..) => None,
            (false, Some(kind), Some(value)) => Some(TaxId { kind, value }),
            (false, None, _) => {
                problems.push("Choose the type of the tax id.".to_owned());
                None
            }
            (false, Some(_), None) => {
                problems.push(format!("The tax id must be {}.", TaxIdValue::expected()));
                None
            }
        };
        if !problems.is_empty() {
            return Err(problems);
        }
        let address = country.filter(|_| has_address).map(|country| BillingAddress {
            country,
            line1,
            line2,
            postal_code,
            city,
            state,
        });
        Ok(BillingDetails { company, address, tax_id, po_number })
    }
}

/// An empty field is none.
fn line<const MAX: usize>(problems: &mut Vec<String>, name: &str, text: &str) -> Option<Text<MAX>> {
    if text.is_empty() {
        return None;
    }
    let parsed = Text::parse(text.to_owned());
    if parsed.is_none() {
        problems.push(format!("{name} must be {}.", Text::<MAX>::expected()));
    }
    parsed
}
