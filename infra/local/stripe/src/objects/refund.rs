//! Refunds, never beyond what was paid: <https://docs.stripe.com/api/refunds>.

use serde::Deserialize;
use serde_json::{Value, json};

use super::charge::Charge;
use super::{dispute, invoice_payment};
use crate::currencies::require_step;
use crate::error::ApiError;
use crate::instruments::RefundStart;
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
    status: Status,
}

/// <https://docs.stripe.com/api/refunds/object#refund_object-status>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Pending,
    RequiresAction,
    Succeeded,
    Failed,
    Canceled,
}

impl Status {
    const ALL: [Self; 5] = [Self::Pending, Self::RequiresAction, Self::Succeeded, Self::Failed, Self::Canceled];

    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::RequiresAction => "requires_action",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Whether its money is on its way to the customer, or there.
    fn is_alive(self) -> bool {
        !matches!(self, Self::Failed | Self::Canceled)
    }

    /// A refund may even fail after it succeeded: <https://docs.stripe.com/refunds#failed-refunds>.
    fn may_become(self, next: Self) -> bool {
        match self {
            Self::Pending => next != Self::Pending,
            Self::RequiresAction => next != Self::RequiresAction,
            Self::Succeeded => next == Self::Failed,
            Self::Failed | Self::Canceled => false,
        }
    }
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
            "failure_reason": (self.status == Status::Failed).then_some("lost_or_stolen_card"),
            "status": self.status.as_str(),
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

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Update {
    metadata: Option<MetadataChange>,
}

/// Only the metadata can be changed: <https://docs.stripe.com/api/refunds/update>.
pub(crate) fn update(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    let update: Update = parse(encoded)?;
    let refund = state.refunds.get_mut(id)?;
    refund.metadata = merge_metadata(&refund.metadata, update.metadata)?;
    state.emit("refund.updated", id);
    state.emit("charge.refund.updated", id);
    Ok(state.render(id))
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
    require_refundable(state, paid, amount, left)?;
    let status = match state.payment_methods.find(&paid.payment_method).map(|method| method.instrument.refund) {
        Some(RefundStart::Pending) => Status::Pending,
        Some(RefundStart::Succeeded) | None => Status::Succeeded,
    };
    let refund = Refund {
        id: state.ids.next("re_"),
        created: state.now_seconds(),
        amount,
        currency: paid.currency.clone(),
        charge: charge.to_owned(),
        payment_intent: paid.payment_intent.clone(),
        reason,
        metadata,
        status,
    };
    let id = refund.id.clone();
    state.refunds.insert(&id, refund);
    let before = state.render(charge);
    state.charges.get_mut(charge)?.amount_refunded += amount;
    state.emit("refund.created", &id);
    state.emit_update("charge.refunded", charge, &before);
    Ok(id)
}

/// What became of a refund. One that fails or is canceled goes back to the company's balance, and the charge is refunded by
/// so much less.
///
/// # Errors
/// For a status that does not exist, or that does not follow.
pub(crate) fn settle(state: &mut State, id: &str, status: &str) -> Result<(), ApiError> {
    let next = Status::ALL.into_iter().find(|known| known.as_str() == status);
    let refund = state.refunds.get_mut(id)?;
    let next = next.filter(|next| refund.status.may_become(*next));
    let next = next.ok_or_else(|| ApiError::invalid_state(None, "This refund cannot get that status."))?;
    let (before, amount, charge) = (refund.status, refund.amount, refund.charge.clone());
    refund.status = next;
    if before.is_alive() && !next.is_alive() {
        state.charges.get_mut(&charge)?.amount_refunded -= amount;
    }
    state.emit("refund.updated", id);
    state.emit("charge.refund.updated", id);
    if next == Status::Failed {
        state.emit("refund.failed", id);
    }
    Ok(())
}

fn require_refundable(state: &State, paid: &Charge, amount: i64, left: i64) -> Result<(), ApiError> {
    if !paid.is_paid() {
        return Err(ApiError::invalid_state(None, "A charge that is not paid cannot be refunded."));
    }
    if dispute::forbids_refund(state, &paid.id) {
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
