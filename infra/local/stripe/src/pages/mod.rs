//! The pages for a customer's browser, which are rendered here and work without scripts.
//!
//! They show objects and submit cards; every rule is in the modules of the objects.

mod authenticate;
mod checkout;
mod credit_note;
mod hosted_invoice;
mod pdf;
mod portal;
mod receipt;

use askama::Template;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::currencies::format_amount;
use crate::error::ApiError;
use crate::state::State;

/// A page, or a refusal to show as a page.
type Page = Result<Response<Bytes>, ApiError>;

pub(crate) fn answer(state: &mut State, request: &Request<Bytes>) -> Response<Bytes> {
    let segments: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
    let query = request.uri().query().unwrap_or_default();
    let form = request.body();
    let page = match (request.method().as_str(), segments.as_slice()) {
        ("GET", ["c", "pay", id]) => checkout::show(state, id),
        ("POST", ["c", "pay", id]) => checkout::submit(state, id, form),
        ("GET", ["authenticate", id]) => authenticate::show(state, id),
        ("POST", ["authenticate", id]) => authenticate::finish(state, id, form),
        ("GET", ["i", id]) => hosted_invoice::show(state, id, query),
        ("POST", ["i", id]) => hosted_invoice::submit(state, id, query, form),
        ("GET", ["i", id, "pdf"]) => hosted_invoice::download(state, id, query),
        ("GET", ["credit_notes", id, "pdf"]) => credit_note::download(state, id),
        ("GET", ["receipts", id]) => receipt::show(state, id),
        ("GET", ["p", "session", id]) => portal::show(state, id),
        ("POST", ["p", "session", id]) => portal::submit(state, id, form),
        _ => Ok(message(StatusCode::NOT_FOUND, "Not found", "There is no such page.", None)),
    };
    page.unwrap_or_else(|refusal| {
        let status = StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        message(status, "That did not work", &refusal.message, None)
    })
}

/// The fields of a form with a card.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CardForm {
    card_number: String,
    email: Option<String>,
    country: Option<String>,
    line1: Option<String>,
    line2: Option<String>,
    city: Option<String>,
    postal_code: Option<String>,
    state: Option<String>,
    business_name: Option<String>,
    tax_id_type: Option<String>,
    tax_id: Option<String>,
    /// Ticked: the card is saved with the customer.
    save_card: Option<String>,
}

fn read<T: DeserializeOwned>(form: &[u8]) -> Result<T, ApiError> {
    crate::parameters::parse(form)
}

/// A document that is saved as `name`.
fn download(name: &str, text: &[String]) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(pdf::page_of(text)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/pdf"));
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{name}.pdf\"")) {
        headers.insert(header::CONTENT_DISPOSITION, disposition);
    }
    response
}

/// A line of an invoice.
struct Line {
    label: String,
    amount: String,
}

#[derive(Template)]
#[template(path = "message.html")]
struct Message<'page> {
    title: &'page str,
    text: &'page str,
    back_url: Option<&'page str>,
}

fn message(status: StatusCode, title: &str, text: &str, back_url: Option<&str>) -> Response<Bytes> {
    html(status, &Message { title, text, back_url })
}

fn html(status: StatusCode, template: &impl Template) -> Response<Bytes> {
    let body = template.render().expect("templates write to memory and call nothing that can fail");
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn redirect(url: &str) -> Response<Bytes> {
    match HeaderValue::from_str(url) {
        Ok(location) => {
            let mut response = Response::new(Bytes::new());
            *response.status_mut() = StatusCode::SEE_OTHER;
            response.headers_mut().insert(header::LOCATION, location);
            response
        }
        Err(_) => message(StatusCode::INTERNAL_SERVER_ERROR, "That did not work", "The link back is malformed.", None),
    }
}
