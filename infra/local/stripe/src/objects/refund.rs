//! Refunds, never beyond what was paid: <https://docs.stripe.com/api/refunds>.

use serde::Deserialize;
use serde_json::{Value, json};

use super::charge::Charge;
use super::invoice_payment;
use crate::currencies::require_step;
use crate::error::ApiError;
use crate::parameters::{
    CreatedRange, Metadata, MetadataChange, NoParameters, Page, merge_metadata, parse, parse_filters,
};
use crate::state::{Resource, State};

#[derive(Debug)]
pub(crate) struct Refund {
    id: String,
    created: i64,
    amount: i64,
    currency: String,
    charge: String,
    payment_intent: String,
    reason: Option<String>,
    metadata: Metadata,
}

impl Resource for Refund {
    const NAME: &'static str = "refund";

    fn render(&self, _: &State) -> Value {
        json!({
            "id": self.id,
            "object": "refund",
            "amount": self.amount,
            "balance_transaction": null,
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "metadata": self.metadata,
            "payment_intent": self.payment_intent,
            "reason": self.reason,
            "receipt_number": null,
            "status": "succeeded",
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Creation {
    charge: Option<String>,
    payment_intent: Option<String>,
    amount: Option<i64>,
    reason: Option<String>,
    metadata: Option<MetadataChange>,
}

/// # Errors
/// 400 for a charge that failed, is refunded in full or is disputed, and for more than is left of the charge.
pub(crate) fn create(state: &mut State, encoded: &[u8]) -> Result<Value, ApiError> {
    let creation: Creation = parse(encoded)?;
    let metadata = merge_metadata(&Metadata::new(), creation.metadata)?;
    let charge = match (creation.charge, creation.payment_intent) {
        (Some(charge), _) => charge,
        (None, Some(intent)) => {
            let charge = state.payment_intents.get_for(&intent, "payment_intent")?.latest_charge.clone();
            charge.ok_or_else(|| ApiError::invalid_state(None, "This PaymentIntent has no charge to refund."))?
        }
        (None, None) => return Err(ApiError::missing_parameter("payment_intent")),
    };
    let id = insert(state, &charge, creation.amount, creation.reason, metadata)?;
    Ok(state.render(&id))
}

/// The refund by which a credit note gives back a part of the invoice's payment.
pub(crate) fn of_invoice(state: &mut State, invoice: &str, amount: i64) -> Result<String, ApiError> {
    let intent = invoice_payment::intent_of_invoice(state, invoice);
    let charge =
        intent.and_then(|intent| state.payment_intents.find(&intent)).and_then(|found| found.latest_charge.clone());
    let charge = charge.ok_or_else(|| ApiError::invalid_state(None, "This invoice has no payment to refund."))?;
    insert(state, &charge, Some(amount), None, Metadata::new())
}

fn insert(
    state: &mut State,
    charge: &str,
    amount: Option<i64>,
    reason: Option<String>,
    metadata: Metadata,
) -> Result<String, ApiError> {
    let paid = state.charges.get_for(charge, "charge")?;
    let left = paid.amount - paid.amount_refunded;
    let amount = amount.unwrap_or(left);
    require_refundable(paid, amount, left)?;
    let refund = Refund {
        id: state.ids.next("re_"),
        created: state.now_seconds(),
        amount,
        currency: paid.currency.clone(),
        charge: charge.to_owned(),
        payment_intent: paid.payment_intent.clone(),
        reason,
        metadata,
    };
    let id = refund.id.clone();
    state.refunds.insert(&id, refund);
    let before = state.render(charge);
    state.charges.get_mut(charge)?.amount_refunded += amount;
    state.emit("refund.created", &id);
    state.emit_update("charge.refunded", charge, &before);
    Ok(id)
}

fn require_refundable(paid: &Charge, amount: i64, left: i64) -> Result<(), ApiError> {
    if !paid.is_paid() {
        return Err(ApiError::invalid_state(None, "A charge that is not paid cannot be refunded."));
    }
    if paid.is_disputed {
        return Err(ApiError::invalid_state(Some("charge_disputed"), "A disputed charge cannot be refunded."));
    }
    if left == 0 {
        let message = "The charge is already refunded in full.";
        return Err(ApiError::invalid_state(Some("charge_already_refunded"), message));
    }
    if amount < 1 || amount > left {
        let message = format!("The amount must be 1 to {left}, which is what is left of the charge.");
        return Err(ApiError::invalid_state(Some("amount_too_large"), message));
    }
    require_step(amount, &paid.currency, "amount")
}

pub(crate) fn retrieve(state: &State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    Ok(state.refunds.get(id)?.render(state))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    charge: Option<String>,
    payment_intent: Option<String>,
    created: Option<CreatedRange>,
}

pub(crate) fn list(state: &State, encoded: &[u8]) -> Result<Value, ApiError> {
    let filters: Filters = parse_filters(encoded)?;
    state.list(&state.refunds, &Page::parse(encoded)?, "/v1/refunds", |refund| {
        filters.charge.as_ref().is_none_or(|charge| refund.charge == *charge)
            && filters.payment_intent.as_ref().is_none_or(|intent| refund.payment_intent == *intent)
            && filters.created.is_none_or(|range| range.contains(refund.created))
    })
}
