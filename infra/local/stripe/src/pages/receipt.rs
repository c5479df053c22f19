//! The receipt of a paid charge: <https://docs.stripe.com/receipts>.

use askama::Template;
use http::StatusCode;
use serde_json::Value;

use super::{Page, format_amount, html};
use crate::error::ApiError;
use crate::objects::invoice_payment;
use crate::objects::payment_method::PaymentMethod;
use crate::state::{Resource, State};

#[derive(Template)]
#[template(path = "receipt.html")]
struct Receipt {
    amount: String,
    card: String,
    date: String,
    invoice: Option<String>,
    refunded: Option<String>,
}

pub(crate) fn show(state: &State, id: &str) -> Page {
    let charge = state.charges.find(id).filter(|charge| charge.is_paid());
    let charge = charge.ok_or_else(|| ApiError::no_such("charge", id, None))?;
    let rendered: Value = charge.render(state);
    let method = rendered["payment_method"].as_str().and_then(|method| state.payment_methods.find(method));
    let invoice = invoice_payment::invoice_of_intent(state, &charge.payment_intent);
    let date = jiff::Timestamp::from_second(charge.created).map(|paid_at| paid_at.strftime("%-d %B %Y").to_string());
    let template = Receipt {
        amount: format_amount(charge.amount, &charge.currency),
        card: method.map(PaymentMethod::label).unwrap_or_default(),
        date: date.unwrap_or_default(),
        invoice: invoice.and_then(|invoice| state.invoices.find(&invoice)?.number.clone()),
        refunded: (charge.amount_refunded > 0).then(|| format_amount(charge.amount_refunded, &charge.currency)),
    };
    Ok(html(StatusCode::OK, &template))
}
