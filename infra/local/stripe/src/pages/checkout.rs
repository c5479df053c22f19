//! The Checkout page: <https://docs.stripe.com/payments/checkout>.

use askama::Template;
use bytes::Bytes;
use http::{Response, StatusCode};

use super::{CardForm, Line, Page, format_amount, html, message, read, redirect};
use crate::objects::checkout_session::{self, CheckoutSession, Entered, LineItem, Status, Submission, Typed};
use crate::objects::tax_id::Given;
use crate::objects::{Address, payment_intent, setup_intent};
use crate::state::State;

#[derive(Template)]
#[template(path = "checkout.html")]
struct Checkout {
    lines: Vec<Line>,
    total: String,
    email: String,
    asks_email: bool,
    asks_country: bool,
    asks_address: bool,
    asks_tax_id: bool,
    is_saved: bool,
    error: Option<String>,
    cancel_url: Option<String>,
}

pub(crate) fn show(state: &State, id: &str) -> Page {
    let session = state.checkout_sessions.get(id)?;
    match session.status {
        Status::Open => Ok(page(state, session, StatusCode::OK, last_error(state, session))),
        Status::Complete => Ok(redirect(&session.return_url())),
        Status::Expired => {
            let text = "This payment page has expired. Go back and start again.";
            Ok(message(StatusCode::GONE, "Expired", text, session.cancel_url.as_deref()))
        }
    }
}

pub(crate) fn submit(state: &mut State, id: &str, form: &[u8]) -> Page {
    if state.checkout_sessions.get(id)?.status != Status::Open {
        return show(state, id);
    }
    let form: CardForm = read(form)?;
    let typed = Typed { card_number: form.card_number.clone(), email: form.email.clone(), entered: entered(form) };
    match checkout_session::submit(state, id, typed)? {
        Submission::Completed => Ok(redirect(&state.checkout_sessions.get(id)?.return_url())),
        Submission::NeedsAuthentication(intent) => Ok(redirect(&state.url(&format!("/authenticate/{intent}")))),
        Submission::Refused(reason) => {
            Ok(page(state, state.checkout_sessions.get(id)?, StatusCode::PAYMENT_REQUIRED, Some(reason)))
        }
    }
}

fn entered(form: CardForm) -> Entered {
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let country = form.country.filter(|country| country.len() == 2).unwrap_or_else(|| "US".to_owned());
    let value = given(form.tax_id);
    Entered {
        address: Address {
            city: given(form.city),
            country: Some(country),
            line1: given(form.line1),
            line2: given(form.line2),
            postal_code: given(form.postal_code),
            state: given(form.state),
        },
        business_name: given(form.business_name),
        tax_id: value.map(|value| Given { kind: form.tax_id_type.unwrap_or_default(), value }),
    }
}

/// Why the last attempt in this session failed, after its customer returned from the bank.
fn last_error(state: &State, session: &CheckoutSession) -> Option<String> {
    let paying = session.payment_intent.as_deref().and_then(|intent| state.payment_intents.find(intent));
    let saving = session.setup_intent.as_deref().and_then(|intent| state.setup_intents.find(intent));
    paying
        .and_then(payment_intent::PaymentIntent::last_error_message)
        .or_else(|| saving.and_then(setup_intent::SetupIntent::last_error_message))
        .map(str::to_owned)
}

fn page(state: &State, session: &CheckoutSession, status: StatusCode, error: Option<String>) -> Response<Bytes> {
    let currency = session.currency.as_deref().unwrap_or("usd");
    let describe = |item: &LineItem| Line {
        label: if item.quantity == 1 { item.name.clone() } else { format!("{} × {}", item.name, item.quantity) },
        amount: format_amount(item.amount(), currency),
    };
    let mut lines: Vec<Line> = session.line_items.iter().map(describe).collect();
    let tax = session.tax(state);
    if tax > 0 {
        lines.push(Line { label: "Tax".to_owned(), amount: format_amount(tax, currency) });
    }
    let owner = session.customer.as_deref().and_then(|customer| state.customers.find(customer));
    let email = owner.and_then(|owner| owner.email.clone()).or_else(|| session.customer_email.clone());
    let template = Checkout {
        lines,
        total: format_amount(session.total(state), currency),
        asks_email: email.is_none() && owner.is_none(),
        email: email.unwrap_or_default(),
        asks_country: session.has_automatic_tax || session.collects_address,
        asks_address: session.collects_address,
        asks_tax_id: session.asks_tax_id(state),
        is_saved: session.intent_data.setup_future_usage.is_some(),
        error,
        cancel_url: session.cancel_url.clone(),
    };
    html(status, &template)
}
