//! Disputes, opened by a test card or by a test, and closed by the bank's decision:
//! <https://docs.stripe.com/api/disputes>.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::instruments::DisputeKind;
use crate::parameters::{CreatedRange, NoParameters, Page, parse, parse_filters};
use crate::state::{Resource, State};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    NeedsResponse,
    Won,
    Lost,
    WarningNeedsResponse,
    WarningClosed,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::NeedsResponse => "needs_response",
            Self::Won => "won",
            Self::Lost => "lost",
            Self::WarningNeedsResponse => "warning_needs_response",
            Self::WarningClosed => "warning_closed",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Dispute {
    id: String,
    created: i64,
    amount: i64,
    currency: String,
    charge: String,
    payment_intent: String,
    status: Status,
}

impl Resource for Dispute {
    const NAME: &'static str = "dispute";

    fn render(&self, _: &State) -> Value {
        json!({
            "id": self.id,
            "object": "dispute",
            "amount": self.amount,
            "balance_transactions": [],
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "is_charge_refundable": false,
            "livemode": false,
            "metadata": {},
            "payment_intent": self.payment_intent,
            "reason": "fraudulent",
            "status": self.status.as_str(),
        })
    }
}

/// The cardholder disputes a payment.
pub(crate) fn open(state: &mut State, charge: &str, kind: DisputeKind) -> Result<String, ApiError> {
    let disputed = state.charges.get(charge)?;
    if !disputed.is_paid() || disputed.is_disputed {
        return Err(ApiError::invalid_state(None, "Only a paid charge without a dispute can be disputed."));
    }
    let dispute = Dispute {
        id: state.ids.next("du_"),
        created: state.now_seconds(),
        amount: disputed.amount - disputed.amount_refunded,
        currency: disputed.currency.clone(),
        charge: charge.to_owned(),
        payment_intent: disputed.payment_intent.clone(),
        status: match kind {
            DisputeKind::Chargeback => Status::NeedsResponse,
            DisputeKind::Inquiry => Status::WarningNeedsResponse,
        },
    };
    let id = dispute.id.clone();
    state.disputes.insert(&id, dispute);
    state.charges.get_mut(charge)?.is_disputed = true;
    state.emit("charge.dispute.created", &id);
    if kind == DisputeKind::Chargeback {
        state.emit("charge.dispute.funds_withdrawn", &id);
    }
    Ok(id)
}

/// The bank's decision. If the dispute is won, the money comes back.
pub(crate) fn decide(state: &mut State, id: &str, is_won: bool) -> Result<(), ApiError> {
    let dispute = state.disputes.get_mut(id)?;
    dispute.status = match dispute.status {
        Status::NeedsResponse if is_won => Status::Won,
        Status::NeedsResponse => Status::Lost,
        Status::WarningNeedsResponse => Status::WarningClosed,
        Status::Won | Status::Lost | Status::WarningClosed => {
            return Err(ApiError::invalid_state(None, "This dispute is already closed."));
        }
    };
    let brings_money_back = dispute.status == Status::Won;
    state.emit("charge.dispute.closed", id);
    if brings_money_back {
        state.emit("charge.dispute.funds_reinstated", id);
    }
    Ok(())
}

/// `POST …/close` concedes the dispute.
pub(crate) fn close(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    decide(state, id, false)?;
    Ok(state.render(id))
}

pub(crate) fn retrieve(state: &State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    Ok(state.disputes.get(id)?.render(state))
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
    state.list(&state.disputes, &Page::parse(encoded)?, "/v1/disputes", |dispute| {
        filters.charge.as_ref().is_none_or(|charge| dispute.charge == *charge)
            && filters.payment_intent.as_ref().is_none_or(|intent| dispute.payment_intent == *intent)
            && filters.created.is_none_or(|range| range.contains(dispute.created))
    })
}
