//! Invoices: what they are and which state allows what. <https://docs.stripe.com/invoicing/overview#lifecycle>
//!
//! The operations are in [`super::invoice_operations`]; the card is charged by [`payment_intent`].
//! Since API 2025-03-31 an invoice names no payment intent: the way there is its list of payments.

use jiff::SignedDuration;
use serde_json::{Value, json};

use super::customer::{self, Customer};
use super::payment_intent::{self, Draft, Outcome, Purpose};
use super::{invoice_item, invoice_payment, render_automatic_tax};
use crate::error::ApiError;
use crate::parameters::Metadata;
use crate::state::{Resource, State, list_of};

/// How long a hosted page's link opens; every retrieval gives a fresh one: <https://docs.stripe.com/invoicing/hosted-invoice-page>.
const HOSTED_URL_LIFE: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How long a draft that advances by itself may still be edited: <https://docs.stripe.com/invoicing/integration/automatic-advancement-collection>.
const AUTO_ADVANCE_AFTER: SignedDuration = SignedDuration::from_hours(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    Draft,
    Open,
    Paid,
    Void,
    Uncollectible,
}

impl Status {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Draft => "draft",
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Void => "void",
            Self::Uncollectible => "uncollectible",
        }
    }
}

#[derive(Debug, Default)]
pub(crate) struct Transitions {
    finalized_at: Option<i64>,
    pub(crate) marked_uncollectible_at: Option<i64>,
    paid_at: Option<i64>,
    voided_at: Option<i64>,
}

#[derive(Debug)]
pub(crate) struct Invoice {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) customer: String,
    pub(crate) currency: String,
    pub(crate) status: Status,
    pub(crate) auto_advance: bool,
    pub(crate) has_automatic_tax: bool,
    pub(crate) collection_method: String,
    pub(crate) default_payment_method: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) footer: Option<String>,
    pub(crate) due_date: Option<i64>,
    pub(crate) metadata: Metadata,
    pub(crate) number: Option<String>,
    pub(crate) attempt_count: u32,
    pub(crate) last_finalization_error: Option<Value>,
    pub(crate) transitions: Transitions,
}

/// In minor units of the currency.
pub(crate) struct Amounts {
    pub(crate) subtotal: i64,
    pub(crate) tax: i64,
}

impl Amounts {
    pub(crate) fn total(&self) -> i64 {
        self.subtotal + self.tax
    }
}

impl Invoice {
    pub(crate) fn amounts(&self, state: &State) -> Amounts {
        let subtotal = invoice_item::of_invoice(state, &self.id).map(|item| item.amount).sum();
        let is_taxed = self.has_automatic_tax && self.is_located(state);
        Amounts { subtotal, tax: if is_taxed { state.tax_on(subtotal) } else { 0 } }
    }

    fn is_located(&self, state: &State) -> bool {
        state.customers.find(&self.customer).is_some_and(Customer::is_located)
    }

    /// Empty while a draft; otherwise a link that opens for [`HOSTED_URL_LIFE`] from now.
    fn hosted_url(&self, state: &State, page: &str) -> Option<String> {
        let expires = state.seconds_after(HOSTED_URL_LIFE);
        (self.status != Status::Draft).then(|| state.url(&format!("/i/{}{page}?expires={expires}", self.id)))
    }
}

impl Resource for Invoice {
    const NAME: &'static str = "invoice";

    fn render(&self, state: &State) -> Value {
        let amounts = self.amounts(state);
        let total = amounts.total();
        let amount_paid = if self.status == Status::Paid { total } else { 0 };
        let owner = state.customers.find(&self.customer);
        let lines = invoice_item::of_invoice(state, &self.id).map(|item| item.render_line()).collect();
        json!({
            "id": self.id,
            "object": "invoice",
            "account_country": "US",
            "account_name": "Local test account",
            "amount_due": total,
            "amount_overpaid": 0,
            "amount_paid": amount_paid,
            "amount_remaining": total - amount_paid,
            "amount_shipping": 0,
            "attempt_count": self.attempt_count,
            "attempted": self.attempt_count > 0,
            "auto_advance": self.auto_advance,
            "automatic_tax": render_automatic_tax(self.has_automatic_tax, self.is_located(state)),
            "automatically_finalizes_at": (self.auto_advance && self.status == Status::Draft)
                .then(|| self.created + AUTO_ADVANCE_AFTER.as_secs()),
            "billing_reason": "manual",
            "collection_method": self.collection_method,
            "created": self.created,
            "currency": self.currency,
            "custom_fields": null,
            "customer": self.customer,
            "customer_email": owner.and_then(|owner| owner.email.as_deref()),
            "customer_name": owner.and_then(|owner| owner.name.as_deref()),
            "default_payment_method": self.default_payment_method,
            "default_source": null,
            "description": self.description,
            "discounts": [],
            "due_date": self.due_date,
            "effective_at": self.transitions.finalized_at,
            "ending_balance": self.transitions.finalized_at.map(|_| 0),
            "footer": self.footer,
            "hosted_invoice_url": self.hosted_url(state, ""),
            "invoice_pdf": self.hosted_url(state, "/pdf"),
            "last_finalization_error": self.last_finalization_error,
            "lines": list_of(lines, false, &format!("/v1/invoices/{}/lines", self.id)),
            "livemode": false,
            "metadata": self.metadata,
            "next_payment_attempt": null,
            "number": self.number,
            "parent": null,
            "period_end": self.created,
            "period_start": self.created,
            "receipt_number": null,
            "starting_balance": 0,
            "statement_descriptor": null,
            "status": self.status.as_str(),
            "status_transitions": {
                "finalized_at": self.transitions.finalized_at,
                "marked_uncollectible_at": self.transitions.marked_uncollectible_at,
                "paid_at": self.transitions.paid_at,
                "voided_at": self.transitions.voided_at,
            },
            "subtotal": amounts.subtotal,
            "subtotal_excluding_tax": amounts.subtotal,
            "total": total,
            "total_discount_amounts": [],
            "total_excluding_tax": amounts.subtotal,
            "total_taxes": if self.has_automatic_tax {
                json!([{
                    "amount": amounts.tax,
                    "tax_behavior": "exclusive",
                    "tax_rate_details": null,
                    "taxability_reason": "standard_rated",
                    "taxable_amount": amounts.subtotal,
                    "type": "tax_rate_details",
                }])
            } else {
                json!([])
            },
            "webhooks_delivered_at": null,
        })
    }
}

/// Draft to open, with number and payment intent; to paid at once when nothing is owed.
///
/// # Errors
/// With automatic tax and a customer of whom no address is known; the invoice stays a draft and an event says so:
/// <https://docs.stripe.com/tax/customer-locations>.
pub(crate) fn finalize(state: &mut State, id: &str) -> Result<(), ApiError> {
    let draft = state.invoices.get(id)?;
    if draft.has_automatic_tax && !draft.is_located(state) {
        let refusal = no_tax_location();
        state.invoices.get_mut(id)?.last_finalization_error = Some(refusal.object());
        state.emit("invoice.finalization_failed", id);
        return Err(refusal);
    }
    let customer = draft.customer.clone();
    let number = customer::take_invoice_number(state, &customer)?;
    let now = state.now_seconds();
    let invoice = state.invoices.get_mut(id)?;
    invoice.status = Status::Open;
    invoice.last_finalization_error = None;
    invoice.number = Some(number.clone());
    invoice.transitions.finalized_at = Some(now);
    let (currency, metadata) = (invoice.currency.clone(), Metadata::new());
    let amount = state.invoices.get(id)?.amounts(state).total();
    if amount > 0 {
        let draft = Draft {
            amount,
            currency,
            customer: Some(customer),
            description: Some(format!("Payment for Invoice {number}")),
            metadata,
            setup_future_usage: None,
            purpose: Purpose::Invoice(id.to_owned()),
        };
        let intent = payment_intent::insert(state, draft);
        invoice_payment::insert(state, id, &intent, amount);
    }
    state.emit("invoice.finalized", id);
    if amount == 0 { mark_paid(state, id) } else { Ok(()) }
}

/// Told by the payment intent of what became of an attempt.
pub(crate) fn follow_payment(state: &mut State, id: &str, outcome: &Outcome) -> Result<(), ApiError> {
    let before = state.render(id);
    state.invoices.get_mut(id)?.attempt_count += 1;
    match outcome {
        Outcome::Succeeded => mark_paid(state, id),
        Outcome::ActionRequired => {
            state.emit_update("invoice.updated", id, &before);
            state.emit("invoice.payment_action_required", id);
            state.emit("invoice.payment_failed", id);
            Ok(())
        }
        Outcome::Declined(_) => {
            state.emit_update("invoice.updated", id, &before);
            state.emit("invoice.payment_failed", id);
            Ok(())
        }
    }
}

fn mark_paid(state: &mut State, id: &str) -> Result<(), ApiError> {
    let before = state.render(id);
    let now = state.now_seconds();
    let invoice = state.invoices.get_mut(id)?;
    invoice.status = Status::Paid;
    invoice.transitions.paid_at = Some(now);
    invoice_payment::settle(state, id);
    state.emit_update("invoice.updated", id, &before);
    state.emit("invoice.paid", id);
    state.emit("invoice.payment_succeeded", id);
    Ok(())
}

/// Open to void, its payment intent canceled.
pub(crate) fn void(state: &mut State, id: &str) -> Result<(), ApiError> {
    let before = state.render(id);
    if let Some(intent) = invoice_payment::intent_of_invoice(state, id) {
        payment_intent::cancel(state, &intent, "void_invoice")?;
    }
    invoice_payment::cancel(state, id);
    let now = state.now_seconds();
    let invoice = state.invoices.get_mut(id)?;
    invoice.status = Status::Void;
    invoice.transitions.voided_at = Some(now);
    state.emit_update("invoice.updated", id, &before);
    state.emit("invoice.voided", id);
    Ok(())
}

/// The invoice of a Checkout payment, made once the money is there:
/// <https://docs.stripe.com/payments/checkout/receipts#paid-invoices>.
pub(crate) fn finalize_as_paid_by(state: &mut State, id: &str, intent: &str) -> Result<(), ApiError> {
    let customer = state.invoices.get(id)?.customer.clone();
    let number = customer::take_invoice_number(state, &customer)?;
    let now = state.now_seconds();
    let amount = state.invoices.get(id)?.amounts(state).total();
    let invoice = state.invoices.get_mut(id)?;
    invoice.status = Status::Open;
    invoice.number = Some(number);
    invoice.transitions.finalized_at = Some(now);
    invoice.attempt_count = 1;
    invoice_payment::insert(state, id, intent, amount);
    state.emit("invoice.finalized", id);
    mark_paid(state, id)
}

/// Finalizes and collects what was left to advance by itself.
pub(crate) fn advance_due(state: &mut State) {
    let now = state.now_seconds();
    let advancing: Vec<String> = state
        .invoices
        .iter()
        .filter(|(_, invoice)| invoice.auto_advance && invoice.attempt_count == 0)
        .filter(|(_, invoice)| match invoice.status {
            Status::Draft => invoice.created + AUTO_ADVANCE_AFTER.as_secs() <= now,
            Status::Open => invoice.collection_method == "charge_automatically",
            Status::Paid | Status::Void | Status::Uncollectible => false,
        })
        .map(|(id, _)| id.to_owned())
        .collect();
    for id in advancing {
        if let Err(refusal) = advance(state, &id) {
            tracing::warn!(invoice.id = id, message = refusal.message, "an invoice could not advance by itself");
        }
    }
}

fn advance(state: &mut State, id: &str) -> Result<(), ApiError> {
    if state.invoices.get(id)?.status == Status::Draft {
        finalize(state, id)?;
    }
    let invoice = state.invoices.get(id)?;
    if invoice.status != Status::Open || invoice.collection_method != "charge_automatically" {
        return Ok(());
    }
    match (default_payment_method(state, invoice), invoice_payment::intent_of_invoice(state, id)) {
        (Some(payment_method), Some(intent)) => {
            payment_intent::attempt(state, &intent, &payment_method, true).map(drop)
        }
        _ => follow_payment(state, id, &Outcome::Declined(no_payment_method())),
    }
}

/// The invoice's own, or else its customer's.
pub(crate) fn default_payment_method(state: &State, invoice: &Invoice) -> Option<String> {
    let of_customer = || state.customers.find(&invoice.customer).and_then(|owner| owner.default_payment_method.clone());
    invoice
        .default_payment_method
        .clone()
        .filter(|method| state.payment_methods.find(method).is_some_and(|method| !method.is_detached))
        .or_else(of_customer)
}

pub(crate) fn no_tax_location() -> ApiError {
    let message = "Automatic tax needs to know where the customer is: the customer has no address with a country.";
    ApiError::invalid_state(Some("customer_tax_location_invalid"), message)
}

pub(crate) fn no_payment_method() -> ApiError {
    let message = "Neither the invoice nor its customer has a default payment method, and none was given.";
    ApiError::invalid_state(Some("resource_missing"), message)
}
