//! The page where a customer manages saved cards: <https://docs.stripe.com/customer-management>.

use askama::Template;
use bytes::Bytes;
use http::{Response, StatusCode};
use serde::Deserialize;

use super::{Page, html, read, redirect};
use crate::error::ApiError;
use crate::instruments::Instrument;
use crate::objects::payment_method;
use crate::state::State;

struct Card {
    id: String,
    label: String,
    is_default: bool,
}

#[derive(Template)]
#[template(path = "portal.html")]
struct Portal {
    cards: Vec<Card>,
    return_url: Option<String>,
    error: Option<String>,
}

pub(crate) fn show(state: &State, id: &str) -> Page {
    page(state, id, StatusCode::OK, None)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Form {
    card_number: Option<String>,
    detach: Option<String>,
    make_default: Option<String>,
}

pub(crate) fn submit(state: &mut State, id: &str, form: &[u8]) -> Page {
    let form: Form = read(form)?;
    match change(state, id, form) {
        Ok(()) => Ok(redirect(&state.url(&format!("/p/session/{id}")))),
        Err(refusal) => page(state, id, StatusCode::PAYMENT_REQUIRED, Some(refusal.message)),
    }
}

fn change(state: &mut State, id: &str, form: Form) -> Result<(), ApiError> {
    let customer = state.portal_sessions.get(id)?.customer.clone();
    if let Some(method) = form.detach {
        payment_method::require_attached(state, &method, &customer, "detach")?;
        return payment_method::detach_from_customer(state, &method);
    }
    let default = match (form.make_default, form.card_number) {
        (Some(method), _) => {
            payment_method::require_attached(state, &method, &customer, "make_default")?;
            method
        }
        (None, Some(number)) => {
            let instrument = Instrument::by_number(&number).ok_or_else(payment_method::unknown_number)?;
            let method = payment_method::insert(state, instrument);
            payment_method::attach_to(state, &method, &customer)?;
            state.payment_methods.get_mut(&method)?.is_set_up = true;
            method
        }
        (None, None) => return Err(ApiError::missing_parameter("card_number")),
    };
    let before = state.render(&customer);
    state.customers.get_mut(&customer)?.default_payment_method = Some(default);
    state.emit_update("customer.updated", &customer, &before);
    Ok(())
}

fn page(state: &State, id: &str, status: StatusCode, error: Option<String>) -> Result<Response<Bytes>, ApiError> {
    let session = state.portal_sessions.get(id)?;
    let default = state.customers.get(&session.customer)?.default_payment_method.as_deref();
    let cards = payment_method::of_customer(state, &session.customer)
        .map(|(id, method)| Card { id: id.to_owned(), label: method.label(), is_default: default == Some(id) })
        .collect();
    Ok(html(status, &Portal { cards, return_url: session.return_url.clone(), error }))
}
