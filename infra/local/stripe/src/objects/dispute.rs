//! Disputes, opened by a test card or by a test, and closed by the bank's decision:
//! <https://docs.stripe.com/api/disputes>.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::instruments::DisputeKind;
use crate::parameters::{
    CreatedRange, Metadata, MetadataChange, NoParameters, Page, merge_metadata, parse, parse_filters,
};
use crate::state::{Resource, State};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    NeedsResponse,
    Won,
    Lost,
    UnderReview,
    WarningNeedsResponse,
    WarningUnderReview,
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
            Self::UnderReview => "under_review",
            Self::WarningUnderReview => "warning_under_review",
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
    metadata: Metadata,
    /// When the company sent evidence.
    submitted_at: Vec<i64>,
    /// What it took from the company's balance and gave back, in this order.
    moves: Vec<Move>,
}

#[derive(Debug)]
struct Move {
    id: String,
    at: i64,
    amount: i64,
}

/// For each withdrawal, in the minor unit: <https://docs.stripe.com/disputes/how-disputes-work#dispute-fees>.
const FEE: i64 = 1_500;
/// The company has this many days to respond.
const DAYS_TO_RESPOND: i64 = 7;

impl Resource for Dispute {
    const NAME: &'static str = "dispute";

    fn render(&self, _: &State) -> Value {
        let transaction = |moved: &Move| {
            let fee = if moved.amount < 0 { FEE } else { 0 };
            json!({
                "id": moved.id,
                "object": "balance_transaction",
                "amount": moved.amount,
                "created": moved.at,
                "currency": self.currency,
                "fee": fee,
                "net": moved.amount - fee,
                "reporting_category": if moved.amount < 0 { "dispute" } else { "dispute_reversal" },
                "source": self.id,
                "type": "adjustment",
            })
        };
        let due_by = self.created + DAYS_TO_RESPOND * 86_400;
        json!({
            "id": self.id,
            "object": "dispute",
            "amount": self.amount,
            "balance_transactions": self.moves.iter().map(transaction).collect::<Vec<_>>(),
            "charge": self.charge,
            "created": self.created,
            "currency": self.currency,
            "evidence_details": {
                "due_by": due_by,
                "has_evidence": !self.submitted_at.is_empty(),
                "past_due": self.submitted_at.last().is_some_and(|at| *at > due_by),
                "submission_count": self.submitted_at.len(),
            },
            "is_charge_refundable": matches!(
                self.status,
                Status::WarningNeedsResponse | Status::WarningUnderReview | Status::WarningClosed
            ),
            "livemode": false,
            "metadata": self.metadata,
            "payment_intent": self.payment_intent,
            "reason": "fraudulent",
            "status": self.status.as_str(),
        })
    }
}

/// The bank's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decision {
    Won,
    Lost,
    /// Half of the money comes back.
    LostInPart,
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
        metadata: Metadata::new(),
        submitted_at: vec![],
        moves: vec![],
    };
    let id = dispute.id.clone();
    state.disputes.insert(&id, dispute);
    state.charges.get_mut(charge)?.is_disputed = true;
    if kind == DisputeKind::Inquiry {
        state.emit("charge.dispute.created", &id);
        return Ok(id);
    }
    withdraw(state, &id)?;
    state.emit("charge.dispute.created", &id);
    state.emit("charge.dispute.funds_withdrawn", &id);
    Ok(id)
}

/// What the dispute is about leaves the company's balance.
fn withdraw(state: &mut State, id: &str) -> Result<(), ApiError> {
    let amount = state.disputes.get(id)?.amount;
    move_funds(state, id, -amount)
}

fn move_funds(state: &mut State, id: &str, amount: i64) -> Result<(), ApiError> {
    let moved = Move { id: state.ids.next("txn_"), at: state.now_seconds(), amount };
    state.disputes.get_mut(id)?.moves.push(moved);
    Ok(())
}

/// The cardholder is not satisfied with the answer to an inquiry:
/// <https://docs.stripe.com/disputes/how-disputes-work#inquiries>.
pub(crate) fn escalate(state: &mut State, id: &str) -> Result<(), ApiError> {
    let dispute = state.disputes.get_mut(id)?;
    if !matches!(dispute.status, Status::WarningNeedsResponse | Status::WarningUnderReview) {
        return Err(ApiError::invalid_state(None, "Only an open inquiry becomes a dispute."));
    }
    dispute.status = Status::NeedsResponse;
    withdraw(state, id)?;
    state.emit("charge.dispute.updated", id);
    state.emit("charge.dispute.funds_withdrawn", id);
    Ok(())
}

/// Closes a dispute. As far as it is won, the money comes back.
pub(crate) fn decide(state: &mut State, id: &str, decision: Decision) -> Result<(), ApiError> {
    let dispute = state.disputes.get_mut(id)?;
    let (status, reinstated) = match (dispute.status, decision) {
        (Status::NeedsResponse | Status::UnderReview, Decision::Won) => (Status::Won, dispute.amount),
        (Status::NeedsResponse | Status::UnderReview, Decision::Lost) => (Status::Lost, 0),
        (Status::NeedsResponse | Status::UnderReview, Decision::LostInPart) => (Status::Lost, dispute.amount / 2),
        (Status::WarningNeedsResponse | Status::WarningUnderReview, _) => (Status::WarningClosed, 0),
        (Status::Won | Status::Lost | Status::WarningClosed, _) => {
            return Err(ApiError::invalid_state(None, "This dispute is already closed."));
        }
    };
    dispute.status = status;
    if reinstated > 0 {
        move_funds(state, id, reinstated)?;
    }
    state.emit("charge.dispute.closed", id);
    if reinstated > 0 {
        state.emit("charge.dispute.funds_reinstated", id);
    }
    Ok(())
}

/// A charge cannot be refunded while its money is disputed or after it was lost. An inquiry takes no money, and a refund
/// may settle it.
pub(crate) fn forbids_refund(state: &State, charge: &str) -> bool {
    let mut disputes = state.disputes.iter().map(|(_, dispute)| dispute);
    disputes.any(|dispute| {
        dispute.charge == charge && matches!(dispute.status, Status::NeedsResponse | Status::UnderReview | Status::Lost)
    })
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Update {
    metadata: Option<MetadataChange>,
    evidence: Option<BTreeMap<String, String>>,
    submit: Option<bool>,
}

/// Evidence that is submitted goes to the bank, and is decided at once if it says how:
/// <https://docs.stripe.com/testing#evidence>.
pub(crate) fn update(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    let (update, now): (Update, _) = (parse(encoded)?, state.now_seconds());
    let dispute = state.disputes.get_mut(id)?;
    dispute.metadata = merge_metadata(&dispute.metadata, update.metadata)?;
    if update.evidence.is_some() && update.submit.unwrap_or(true) {
        dispute.submitted_at.push(now);
        dispute.status = match dispute.status {
            Status::NeedsResponse => Status::UnderReview,
            Status::WarningNeedsResponse => Status::WarningUnderReview,
            status => status,
        };
    }
    state.emit("charge.dispute.updated", id);
    let text = update.evidence.as_ref().and_then(|evidence| evidence.get("uncategorized_text"));
    match text.filter(|_| update.submit.unwrap_or(true)).map(String::as_str) {
        Some("winning_evidence") => decide(state, id, Decision::Won)?,
        Some("losing_evidence") => decide(state, id, Decision::Lost)?,
        _ => {}
    }
    Ok(state.render(id))
}

/// `POST …/close` concedes the dispute.
pub(crate) fn close(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    decide(state, id, Decision::Lost)?;
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
