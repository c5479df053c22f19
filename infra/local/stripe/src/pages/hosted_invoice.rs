//! The hosted invoice page and the invoice's PDF: <https://docs.stripe.com/invoicing/hosted-invoice-page>.

use askama::Template;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;

use super::{CardForm, Line, Page, download as download_pdf, format_amount, html, message, read, redirect};
use crate::error::ApiError;
use crate::instruments::Instrument;
use crate::objects::CustomField;
use crate::objects::invoice::{BilledTo, Invoice, Status};
use crate::objects::payment_intent::{self, Outcome};
use crate::objects::{invoice_item, invoice_payment, payment_method};
use crate::parameters::parse;
use crate::state::State;

enum PayState {
    Payable,
    Processing,
    Paid,
    Closed,
}

#[derive(Template)]
#[template(path = "invoice.html")]
struct InvoicePage {
    number: String,
    head: Vec<String>,
    lines: Vec<Line>,
    total: String,
    due: String,
    pdf_url: String,
    receipt_url: Option<String>,
    authenticate_url: Option<String>,
    state: PayState,
    error: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Link {
    expires: i64,
}

/// The invoice of a link that still works; a draft has no link.
fn linked<'state>(state: &'state State, id: &str, query: &str) -> Result<Option<&'state Invoice>, ApiError> {
    let link: Link = parse(query.as_bytes())?;
    let invoice = state.invoices.get(id)?;
    let opens = link.expires >= state.now_seconds() && invoice.status != Status::Draft;
    Ok(opens.then_some(invoice))
}

fn expired() -> Response<Bytes> {
    let text = "This link has expired. Ask for a new one where you got it.";
    message(StatusCode::GONE, "Expired link", text, None)
}

pub(crate) fn show(state: &State, id: &str, query: &str) -> Page {
    Ok(match linked(state, id, query)? {
        Some(invoice) => page(state, invoice, StatusCode::OK, None),
        None => expired(),
    })
}

pub(crate) fn submit(state: &mut State, id: &str, query: &str, form: &[u8]) -> Page {
    let Some(invoice) = linked(state, id, query)? else {
        return Ok(expired());
    };
    let is_payable = matches!(invoice.status, Status::Open | Status::Uncollectible)
        && invoice_payment::require_not_processing(state, id).is_ok();
    let intent = invoice_payment::intent_of_invoice(state, id).filter(|_| is_payable);
    let Some(intent) = intent else {
        return Ok(page(state, invoice, StatusCode::CONFLICT, None));
    };
    let form: CardForm = read(form)?;
    let Some(instrument) = Instrument::by_number(&form.card_number) else {
        let reason = payment_method::unknown_number().message;
        return Ok(page(state, invoice, StatusCode::PAYMENT_REQUIRED, Some(reason)));
    };
    let payment_method = payment_method::insert(state, instrument);
    // As with `hosted_payment_method_save: offer`, where the customer decides, and a box that is not ticked saves nothing:
    // <https://docs.stripe.com/changelog/basil/2025-03-31/hosted-payment-method-save>.
    let future_usage = form.save_card.map(|_| "off_session".to_owned());
    state.payment_intents.get_mut(&intent)?.setup_future_usage = future_usage;
    match payment_intent::attempt(state, &intent, &payment_method, false)? {
        Outcome::Succeeded | Outcome::Processing => Ok(redirect(&state.url(&format!("/i/{id}?{query}")))),
        Outcome::ActionRequired => Ok(redirect(&state.url(&format!("/authenticate/{intent}")))),
        Outcome::Declined(refusal) => {
            Ok(page(state, state.invoices.get(id)?, StatusCode::PAYMENT_REQUIRED, Some(refusal.message)))
        }
    }
}

fn page(state: &State, invoice: &Invoice, status: StatusCode, error: Option<String>) -> Response<Bytes> {
    let rendered = state.render(&invoice.id);
    let intent = invoice_payment::intent_of_invoice(state, &invoice.id);
    let intent = intent.as_deref().and_then(|intent| state.payment_intents.find(intent).map(|found| (intent, found)));
    let waits_for_bank = intent.filter(|(_, intent)| intent.status == payment_intent::Status::RequiresAction);
    let is_processing = invoice_payment::require_not_processing(state, &invoice.id).is_err();
    let receipt_url = intent
        .filter(|(_, intent)| intent.status == payment_intent::Status::Succeeded)
        .and_then(|(_, intent)| intent.latest_charge.as_ref())
        .map(|charge| state.url(&format!("/receipts/{charge}")));
    let template = InvoicePage {
        number: invoice.number.clone().unwrap_or_default(),
        head: head(state, invoice),
        lines: lines(state, invoice),
        total: format_amount(invoice.amounts(state).total(), &invoice.currency),
        due: format_amount(invoice.amount_remaining(state), &invoice.currency),
        pdf_url: rendered["invoice_pdf"].as_str().unwrap_or_default().to_owned(),
        receipt_url,
        authenticate_url: waits_for_bank.map(|(id, _)| state.url(&format!("/authenticate/{id}"))),
        state: match invoice.status {
            Status::Open | Status::Uncollectible if is_processing => PayState::Processing,
            Status::Draft | Status::Open | Status::Uncollectible => PayState::Payable,
            Status::Paid => PayState::Paid,
            Status::Void => PayState::Closed,
        },
        error: error.or_else(|| intent.and_then(|(_, intent)| intent.last_error_message().map(str::to_owned))),
    };
    html(status, &template)
}

fn lines(state: &State, invoice: &Invoice) -> Vec<Line> {
    let mut lines: Vec<Line> = invoice_item::of_invoice(state, &invoice.id)
        .map(|item| Line {
            label: item.description.clone().unwrap_or_default(),
            amount: format_amount(item.amount, &item.currency),
        })
        .collect();
    let amounts = invoice.amounts(state);
    let mut add = |label: &str, amount: i64| {
        lines.push(Line { label: label.to_owned(), amount: format_amount(amount, &invoice.currency) });
    };
    if amounts.discount > 0 {
        add("Discount", -amounts.discount);
    }
    if invoice.has_automatic_tax {
        add("Tax", amounts.tax);
    }
    if invoice.pre_payment_credited > 0 {
        add("Credit notes, taken off what is due", -invoice.pre_payment_credited);
    }
    lines
}

/// Who the invoice is for, and the customer's own fields.
fn head(state: &State, invoice: &Invoice) -> Vec<String> {
    let BilledTo { name, email, address, tax_ids, .. } = invoice.billed_to(state);
    let mut text = vec![format!("Billed to: {}", name.or(email).unwrap_or_default())];
    text.extend(address.map(|address| address.line()));
    text.extend(tax_ids.iter().map(|tax_id| format!("{}: {}", tax_id.kind, tax_id.value)));
    text.extend(invoice.custom_fields.iter().map(CustomField::line));
    text
}

pub(crate) fn download(state: &State, id: &str, query: &str) -> Page {
    let Some(invoice) = linked(state, id, query)? else {
        return Ok(expired());
    };
    let number = invoice.number.as_deref().unwrap_or_default();
    let mut text = vec![format!("Invoice {number}"), format!("Status: {}", invoice.status.as_str())];
    text.extend(head(state, invoice));
    text.push(String::new());
    text.extend(lines(state, invoice).into_iter().map(|line| format!("{}   {}", line.label, line.amount)));
    text.push(format!("Total   {}", format_amount(invoice.amounts(state).total(), &invoice.currency)));
    Ok(download_pdf(&format!("Invoice-{number}"), &text))
}
