//! Charges, which only payment intents create: <https://docs.stripe.com/api/charges>.

use serde::Deserialize;
use serde_json::{Value, json};

use super::dispute;
use super::payment_method::PaymentMethod;
use crate::error::ApiError;
use crate::instruments::Decline;
use crate::parameters::{CreatedRange, NoParameters, Page, parse, parse_filters};
use crate::state::{Resource, State};

/// The bank's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing yet; a bank debit is in progress.
    Pending,
    Paid,
    Declined(&'static Decline),
}

impl Answer {
    fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Paid => "succeeded",
            Self::Declined(_) => "failed",
        }
    }

    fn decline(self) -> Option<&'static Decline> {
        match self {
            Self::Declined(decline) => Some(decline),
            Self::Pending | Self::Paid => None,
        }
    }

    fn render_outcome(self) -> Value {
        let (network_status, kind) = match self {
            Self::Pending | Self::Paid => ("approved_by_network", "authorized"),
            Self::Declined(_) => ("declined_by_network", "issuer_declined"),
        };
        let reason = self.decline().and_then(|decline| decline.decline_code);
        json!({ "network_status": network_status, "reason": reason, "risk_level": "normal", "type": kind })
    }
}

#[derive(Debug)]
pub(crate) struct Charge {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) customer: Option<String>,
    pub(crate) payment_intent: String,
    pub(crate) payment_method: String,
    answer: Answer,
    pub(crate) amount_refunded: i64,
    pub(crate) is_disputed: bool,
}

impl Charge {
    pub(crate) fn is_paid(&self) -> bool {
        self.answer == Answer::Paid
    }
}

impl Resource for Charge {
    const NAME: &'static str = "charge";

    fn render(&self, state: &State) -> Value {
        let intent = state.payment_intents.find(&self.payment_intent);
        let kind = state.payment_methods.find(&self.payment_method).map(|method| method.instrument.kind.as_str());
        let details = state.payment_methods.find(&self.payment_method).map(PaymentMethod::render_details);
        let decline = self.answer.decline();
        json!({
            "id": self.id,
            "object": "charge",
            "amount": self.amount,
            "amount_captured": if self.is_paid() { self.amount } else { 0 },
            "amount_refunded": self.amount_refunded,
            "balance_transaction": null,
            "captured": self.is_paid(),
            "created": self.created,
            "currency": self.currency,
            "customer": self.customer,
            "description": intent.and_then(|intent| intent.description.as_deref()),
            "disputed": self.is_disputed,
            "failure_code": decline.map(|decline| decline.code),
            "failure_message": decline.map(|decline| decline.error().message),
            "livemode": false,
            "metadata": intent.map(|intent| &intent.metadata),
            "outcome": self.answer.render_outcome(),
            "paid": self.is_paid(),
            "payment_intent": self.payment_intent,
            "payment_method": self.payment_method,
            "payment_method_details": kind.map(|kind| json!({ kind: details, "type": kind })),
            "receipt_email": null,
            "receipt_number": null,
            "receipt_url": self.is_paid().then(|| state.url(&format!("/receipts/{}", self.id))),
            "refunded": self.is_paid() && self.amount_refunded == self.amount,
            "status": self.answer.as_str(),
        })
    }
}

/// Charges the intent's amount to a payment method and emits an event.
pub(crate) fn insert(
    state: &mut State,
    payment_intent: &str,
    payment_method: &str,
    answer: Answer,
) -> Result<String, ApiError> {
    let id = state.ids.next("ch_");
    let intent = state.payment_intents.get(payment_intent)?;
    let charge = Charge {
        id: id.clone(),
        created: state.now_seconds(),
        amount: intent.amount,
        currency: intent.currency.clone(),
        customer: intent.customer.clone(),
        payment_intent: payment_intent.to_owned(),
        payment_method: payment_method.to_owned(),
        answer,
        amount_refunded: 0,
        is_disputed: false,
    };
    state.charges.insert(&id, charge);
    state.payment_intents.get_mut(payment_intent)?.latest_charge = Some(id.clone());
    state.emit(event_of(answer), &id);
    Ok(id)
}

fn event_of(answer: Answer) -> &'static str {
    match answer {
        Answer::Pending => "charge.pending",
        Answer::Paid => "charge.succeeded",
        Answer::Declined(_) => "charge.failed",
    }
}

/// The bank's answer to a debit that was in progress.
pub(crate) fn settle(state: &mut State, id: &str, answer: Answer) -> Result<(), ApiError> {
    state.charges.get_mut(id)?.answer = answer;
    state.emit(event_of(answer), id);
    Ok(())
}

/// Opens the dispute that some test cards cause immediately.
pub(crate) fn dispute_if_card_says_so(state: &mut State, id: &str) -> Result<(), ApiError> {
    let charge = state.charges.get(id)?;
    match state.payment_methods.get(&charge.payment_method)?.instrument.dispute {
        Some(kind) => dispute::open(state, id, kind).map(drop),
        None => Ok(()),
    }
}

pub(crate) fn retrieve(state: &State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    Ok(state.charges.get(id)?.render(state))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    customer: Option<String>,
    payment_intent: Option<String>,
    created: Option<CreatedRange>,
}

pub(crate) fn list(state: &State, encoded: &[u8]) -> Result<Value, ApiError> {
    let filters: Filters = parse_filters(encoded)?;
    state.list(&state.charges, &Page::parse(encoded)?, "/v1/charges", |charge| {
        filters.customer.as_ref().is_none_or(|customer| charge.customer.as_ref() == Some(customer))
            && filters.payment_intent.as_ref().is_none_or(|intent| charge.payment_intent == *intent)
            && filters.created.is_none_or(|range| range.contains(charge.created))
    })
}
