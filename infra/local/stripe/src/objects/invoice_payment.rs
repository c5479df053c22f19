//! Which payment intent pays which invoice: <https://docs.stripe.com/api/invoice-payment>.

use serde::Deserialize;
use serde_json::{Value, json};

use super::payment_intent;
use crate::error::ApiError;
use crate::parameters::{CreatedRange, NoParameters, Page, parse, parse_filters};
use crate::state::{Resource, State, list_of};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Status {
    Open,
    Paid,
    Canceled,
}

impl Status {
    fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Paid => "paid",
            Self::Canceled => "canceled",
        }
    }
}

#[derive(Debug)]
pub(crate) struct InvoicePayment {
    id: String,
    created: i64,
    invoice: String,
    /// `None` for money that did not come through Stripe.
    payment_intent: Option<String>,
    is_default: bool,
    currency: String,
    amount_requested: i64,
    status: Status,
    paid_at: Option<i64>,
    canceled_at: Option<i64>,
}

impl Resource for InvoicePayment {
    const NAME: &'static str = "invoice_payment";

    fn render(&self, _: &State) -> Value {
        json!({
            "id": self.id,
            "object": "invoice_payment",
            "amount_paid": (self.status == Status::Paid).then_some(self.amount_requested),
            "amount_requested": self.amount_requested,
            "created": self.created,
            "currency": self.currency,
            "invoice": self.invoice,
            "is_default": self.is_default,
            "livemode": false,
            "payment": match &self.payment_intent {
                Some(intent) => json!({ "type": "payment_intent", "payment_intent": intent }),
                None => json!({ "type": "payment_record", "payment_record": format!("pr_{}", self.id) }),
            },
            "status": self.status.as_str(),
            "status_transitions": { "canceled_at": self.canceled_at, "paid_at": self.paid_at },
        })
    }
}

pub(crate) fn insert(state: &mut State, invoice: &str, payment_intent: &str, amount: i64) {
    let id = state.ids.next("inpay_");
    let currency = state.invoices.find(invoice).map(|invoice| invoice.currency.clone()).unwrap_or_default();
    let payment = InvoicePayment {
        id: id.clone(),
        created: state.now_seconds(),
        invoice: invoice.to_owned(),
        payment_intent: Some(payment_intent.to_owned()),
        is_default: true,
        currency,
        amount_requested: amount,
        status: Status::Open,
        paid_at: None,
        canceled_at: None,
    };
    state.invoice_payments.insert(&id, payment);
}

fn of_invoice<'state>(state: &'state State, invoice: &'state str) -> impl Iterator<Item = &'state InvoicePayment> {
    state.invoice_payments.iter().map(|(_, payment)| payment).filter(move |payment| payment.invoice == invoice)
}

/// The payment that was made for the whole invoice when it was finalized.
fn default_of<'state>(state: &'state State, invoice: &'state str) -> Option<&'state InvoicePayment> {
    of_invoice(state, invoice).find(|payment| payment.is_default)
}

/// Another payment that the invoice has, made already. `None` for an intent: the money did not come through Stripe.
pub(crate) fn insert_paid(state: &mut State, invoice: &str, payment_intent: Option<String>, amount: i64) {
    let id = state.ids.next("inpay_");
    let currency = state.invoices.find(invoice).map(|invoice| invoice.currency.clone()).unwrap_or_default();
    let now = state.now_seconds();
    let payment = InvoicePayment {
        id: id.clone(),
        created: now,
        invoice: invoice.to_owned(),
        payment_intent,
        is_default: false,
        currency,
        amount_requested: amount,
        status: Status::Paid,
        paid_at: Some(now),
        canceled_at: None,
    };
    state.invoice_payments.insert(&id, payment);
    state.emit("invoice_payment.paid", &id);
}

/// Whether an intent pays an invoice.
pub(crate) fn is_attached(state: &State, intent: &str) -> bool {
    invoice_of_intent(state, intent).is_some()
}

pub(crate) fn intent_of_invoice(state: &State, invoice: &str) -> Option<String> {
    default_of(state, invoice)?.payment_intent.clone()
}

/// # Errors
/// If the invoice's payment is in progress.
pub(crate) fn require_not_processing(state: &State, invoice: &str) -> Result<(), ApiError> {
    let intent = intent_of_invoice(state, invoice);
    match intent.and_then(|intent| state.payment_intents.find(&intent)).map(|intent| intent.status) {
        Some(status @ payment_intent::Status::Processing) => Err(payment_intent::unexpected_state(status)),
        _ => Ok(()),
    }
}

/// Reduces the requested amount after a credit note, or raises it again.
pub(crate) fn request(state: &mut State, invoice: &str, amount: i64) -> Result<(), ApiError> {
    change(state, invoice, |payment| payment.amount_requested = amount);
    match intent_of_invoice(state, invoice) {
        Some(intent) => payment_intent::set_amount(state, &intent, amount),
        None => Ok(()),
    }
}

/// The invoice that an intent pays, if any.
pub(crate) fn invoice_of_intent(state: &State, intent: &str) -> Option<String> {
    let mut payments = state.invoice_payments.iter().map(|(_, payment)| payment);
    payments.find(|payment| payment.payment_intent.as_deref() == Some(intent)).map(|payment| payment.invoice.clone())
}

pub(crate) fn settle(state: &mut State, invoice: &str) {
    let now = state.now_seconds();
    if let Some(id) = change(state, invoice, |payment| {
        payment.status = Status::Paid;
        payment.paid_at = Some(now);
    }) {
        state.emit("invoice_payment.paid", &id);
    }
}

pub(crate) fn cancel(state: &mut State, invoice: &str) {
    let now = state.now_seconds();
    change(state, invoice, |payment| {
        payment.status = Status::Canceled;
        payment.canceled_at = Some(now);
    });
}

fn change(state: &mut State, invoice: &str, apply: impl FnOnce(&mut InvoicePayment)) -> Option<String> {
    let id = default_of(state, invoice)?.id.clone();
    apply(state.invoice_payments.get_mut(&id).ok()?);
    Some(id)
}

/// The `payments` of an invoice, included only when expanded.
pub(crate) fn list_of_invoice(state: &State, invoice: &str) -> Value {
    let payments = of_invoice(state, invoice).map(|payment| payment.render(state)).collect();
    list_of(payments, false, &format!("/v1/invoice_payments?invoice={invoice}"))
}

pub(crate) fn retrieve(state: &State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    Ok(state.invoice_payments.get(id)?.render(state))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PaymentFilter {
    #[serde(rename = "type")]
    _kind: Option<String>,
    payment_intent: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    invoice: Option<String>,
    payment: PaymentFilter,
    status: Option<String>,
    created: Option<CreatedRange>,
}

pub(crate) fn list(state: &State, encoded: &[u8]) -> Result<Value, ApiError> {
    let filters: Filters = parse_filters(encoded)?;
    state.list(&state.invoice_payments, &Page::parse(encoded)?, "/v1/invoice_payments", |payment| {
        filters.invoice.as_ref().is_none_or(|invoice| payment.invoice == *invoice)
            && filters.payment.payment_intent.is_none()
            || payment.payment_intent == filters.payment.payment_intent
                && filters.status.as_ref().is_none_or(|status| payment.status.as_str() == status)
                && filters.created.is_none_or(|range| range.contains(payment.created))
    })
}
