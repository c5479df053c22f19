//! The bank's 3D Secure page: <https://docs.stripe.com/payments/3d-secure>.

use askama::Template;
use http::StatusCode;
use serde::Deserialize;

use super::{Page, format_amount, html, message, read, redirect};
use crate::error::ApiError;
use crate::objects::checkout_session::Status as SessionStatus;
use crate::objects::payment_intent::{self, Purpose};
use crate::objects::{invoice_payment, setup_intent};
use crate::state::State;

#[derive(Template)]
#[template(path = "authenticate.html")]
struct Authenticate {
    amount: Option<String>,
}

pub(crate) fn show(state: &State, id: &str) -> Page {
    let (is_waiting, amount) = match state.setup_intents.find(id) {
        Some(intent) => (intent.status == setup_intent::Status::RequiresAction, None),
        None => {
            let intent = state.payment_intents.get(id)?;
            let amount = format_amount(intent.amount, &intent.currency);
            (intent.status == payment_intent::Status::RequiresAction, Some(amount))
        }
    };
    if is_waiting {
        Ok(html(StatusCode::OK, &Authenticate { amount }))
    } else {
        let back = back_url(state, id)?;
        let text = "The bank is no longer waiting for a confirmation.";
        Ok(message(StatusCode::CONFLICT, "Already answered", text, back.as_deref()))
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Form {
    outcome: String,
}

pub(crate) fn finish(state: &mut State, id: &str, form: &[u8]) -> Page {
    let form: Form = read(form)?;
    let is_authenticated = form.outcome == "complete";
    if state.setup_intents.find(id).is_some() {
        setup_intent::finish_authentication(state, id, is_authenticated)?;
    } else {
        payment_intent::finish_authentication(state, id, is_authenticated)?;
    }
    let back = back_url(state, id)?;
    Ok(match back {
        Some(url) => redirect(&url),
        None => message(StatusCode::OK, "Done", "You can close this page.", None),
    })
}

/// The page that the customer came from: the session's page or its success page, or the invoice's page.
fn back_url(state: &State, id: &str) -> Result<Option<String>, ApiError> {
    let session = match state.setup_intents.find(id) {
        Some(intent) => intent.checkout_session.clone(),
        None => match &state.payment_intents.get(id)?.purpose {
            Purpose::CheckoutSession(session) => Some(session.clone()),
            Purpose::Invoice(_) | Purpose::Itself => None,
        },
    };
    if let Some(session) = session {
        let session = state.checkout_sessions.get(&session)?;
        let is_complete = session.status == SessionStatus::Complete;
        let page = state.url(&format!("/c/pay/{}", session.id));
        return Ok(Some(if is_complete { session.return_url() } else { page }));
    }
    let invoice = invoice_payment::invoice_of_intent(state, id);
    Ok(invoice.and_then(|invoice| state.render(&invoice)["hosted_invoice_url"].as_str().map(str::to_owned)))
}
