//! One module per object of the API: its fields, its JSON, and its operations.

pub(crate) mod billing_portal;
pub(crate) mod charge;
pub(crate) mod checkout_operations;
pub(crate) mod checkout_session;
pub(crate) mod credit_note;
pub(crate) mod credit_note_operations;
pub(crate) mod customer;
pub(crate) mod customer_balance;
pub(crate) mod discount;
pub(crate) mod dispute;
pub(crate) mod event;
pub(crate) mod invoice;
pub(crate) mod invoice_item;
pub(crate) mod invoice_operations;
pub(crate) mod invoice_payment;
pub(crate) mod payment_intent;
pub(crate) mod payment_intent_operations;
pub(crate) mod payment_method;
pub(crate) mod payment_page;
pub(crate) mod price;
pub(crate) mod product;
pub(crate) mod refund;
pub(crate) mod setup_intent;
pub(crate) mod webhook_endpoint;

use serde::Deserialize;
use serde_json::{Value, json};

/// The address of a person or a company.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Address {
    city: Option<String>,
    /// Two letters.
    pub(crate) country: Option<String>,
    line1: Option<String>,
    line2: Option<String>,
    postal_code: Option<String>,
    state: Option<String>,
}

impl Address {
    pub(crate) fn render(&self) -> Value {
        json!({
            "city": self.city,
            "country": self.country,
            "line1": self.line1,
            "line2": self.line2,
            "postal_code": self.postal_code,
            "state": self.state,
        })
    }
}

/// `automatic_tax[enabled]`, the only simulated part of it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct AutomaticTax {
    pub(crate) enabled: bool,
}

/// Tax can only be calculated if the payer's location is known: <https://docs.stripe.com/tax/customer-locations>.
pub(crate) fn render_automatic_tax(is_enabled: bool, is_located: bool) -> Value {
    let status = if is_located { "complete" } else { "requires_location_inputs" };
    json!({
        "enabled": is_enabled,
        "liability": is_enabled.then(|| json!({ "type": "self" })),
        "provider": is_enabled.then_some("stripe"),
        "status": is_enabled.then_some(status),
    })
}
