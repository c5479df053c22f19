//! A discount on all invoices of a customer: <https://docs.stripe.com/api/discounts>.
//!
//! It is created in the dashboard, here by a test. The API can only delete it.

use serde::Deserialize;
use serde_json::{Value, json};

use super::customer;
use crate::currencies;
use crate::error::ApiError;
use crate::parameters::{NoParameters, currency, parse};
use crate::state::State;

/// The reduction of a customer's invoices.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum CustomerDiscount {
    /// 1 to 100.
    Percent { percent_off: u32 },
    /// In the units of the currency's `amount`.
    Amount { amount_off: i64, currency: String },
}

#[derive(Debug, Clone)]
pub(crate) struct Discount {
    id: String,
    customer: String,
    start: i64,
    reduction: CustomerDiscount,
}

impl Discount {
    /// The amount of the discount, at most the subtotal. Zero if it is in another currency.
    pub(crate) fn amount(&self, subtotal: i64, currency: &str) -> i64 {
        let wanted = match &self.reduction {
            CustomerDiscount::Percent { percent_off } => currencies::share_of(subtotal, percent_off * 100, currency),
            CustomerDiscount::Amount { amount_off, currency: own } if own == currency => *amount_off,
            CustomerDiscount::Amount { .. } => 0,
        };
        wanted.clamp(0, subtotal.max(0))
    }

    /// The only currency that its customer may be billed in while the discount lasts.
    pub(crate) fn currency(&self) -> Option<&str> {
        match &self.reduction {
            CustomerDiscount::Percent { .. } => None,
            CustomerDiscount::Amount { currency, .. } => Some(currency),
        }
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    pub(crate) fn render(&self) -> Value {
        let coupon = self.id.replacen("di_", "coupon_", 1);
        json!({
            "id": self.id,
            "object": "discount",
            "checkout_session": null,
            "customer": self.customer,
            "end": null,
            "invoice": null,
            "invoice_item": null,
            "promotion_code": null,
            "source": { "coupon": coupon, "type": "coupon" },
            "start": self.start,
            "subscription": null,
            "subscription_item": null,
        })
    }
}

/// # Errors
/// For an unknown customer, a percentage outside 1 to 100, or an amount that is not positive.
pub(crate) fn give(state: &mut State, customer: &str, mut reduction: CustomerDiscount) -> Result<(), ApiError> {
    customer::existing(state, customer, None)?;
    let is_sensible = match &mut reduction {
        CustomerDiscount::Percent { percent_off } => (1..=100).contains(percent_off),
        CustomerDiscount::Amount { amount_off, currency: own } => {
            *own = currency(own)?;
            *amount_off > 0
        }
    };
    if !is_sensible {
        let message = "A discount is 1 to 100 percent or a positive amount.";
        return Err(ApiError::invalid_parameter("parameter_invalid", "discount", message));
    }
    let discount =
        Discount { id: state.ids.next("di_"), customer: customer.to_owned(), start: state.now_seconds(), reduction };
    let rendered = discount.render();
    state.customers.get_mut(customer)?.discount = Some(discount);
    state.emit_object("customer.discount.created", rendered, None);
    Ok(())
}

/// `DELETE /v1/customers/{customer}/discount`
pub(crate) fn delete(state: &mut State, customer: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    customer::existing(state, customer, None)?;
    let discount = state.customers.get_mut(customer)?.discount.take();
    let discount = discount.ok_or_else(|| ApiError::no_such("discount", customer, None))?;
    let mut rendered = discount.render();
    state.emit_object("customer.discount.deleted", rendered.clone(), None);
    rendered["deleted"] = json!(true);
    Ok(rendered)
}
