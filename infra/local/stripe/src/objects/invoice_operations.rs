//! The requests on invoices: <https://docs.stripe.com/api/invoices>.

use serde::Deserialize;
use serde_json::{Value, json};

use super::invoice::{self, Invoice, Status, Transitions};
use super::payment_intent::{self, Outcome};
use super::{AutomaticTax, CustomFields, customer, invoice_item, invoice_payment, payment_method};
use crate::error::ApiError;
use crate::parameters::{
    CreatedRange, Metadata, MetadataChange, NoParameters, Page, currency, merge_metadata, parse, parse_filters,
    required, set,
};
use crate::search;
use crate::state::{Resource, State, list_of};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Creation {
    customer: Option<String>,
    auto_advance: bool,
    automatic_tax: AutomaticTax,
    collection_method: Option<String>,
    currency: Option<String>,
    custom_fields: Option<CustomFields>,
    days_until_due: Option<i64>,
    default_payment_method: Option<String>,
    description: Option<String>,
    due_date: Option<i64>,
    footer: Option<String>,
    metadata: Option<MetadataChange>,
    pending_invoice_items_behavior: Option<String>,
}

pub(crate) fn create(state: &mut State, encoded: &[u8]) -> Result<Value, ApiError> {
    let creation: Creation = parse(encoded)?;
    let customer = required(creation.customer, "customer")?;
    let custom_fields = creation.custom_fields;
    let metadata = merge_metadata(&Metadata::new(), creation.metadata)?;
    let includes_pending = match creation.pending_invoice_items_behavior.as_deref() {
        None | Some("exclude") => false,
        Some("include") => true,
        Some(_) => return Err(invalid_choice("pending_invoice_items_behavior", "include or exclude")),
    };
    let collection_method = creation.collection_method.unwrap_or_else(|| "charge_automatically".to_owned());
    let due_in = creation.days_until_due.map(|days| state.now_seconds() + days * 86_400);
    let due_date = creation.due_date.or(due_in);
    match (collection_method.as_str(), due_date) {
        ("charge_automatically", None) | ("send_invoice", Some(_)) => {}
        ("send_invoice", None) => return Err(ApiError::missing_parameter("days_until_due")),
        ("charge_automatically", Some(_)) => {
            return Err(invalid_choice("days_until_due", "absent unless collection_method is send_invoice"));
        }
        _ => return Err(invalid_choice("collection_method", "charge_automatically or send_invoice")),
    }
    let given_currency = creation.currency.as_deref().map(currency).transpose()?;
    customer::existing(state, &customer, Some("customer"))?;
    if let Some(currency) = &given_currency {
        customer::require_currency(state, &customer, currency)?;
    }
    if let Some(method) = &creation.default_payment_method {
        payment_method::require_attached(state, method, &customer, "default_payment_method")?;
    }
    let pending = if includes_pending { invoice_item::pending_of(state, &customer) } else { Vec::new() };
    let pending_currency = pending.first().and_then(|item| state.invoice_items.find(item)).map(|item| &item.currency);
    let currency = given_currency.or_else(|| pending_currency.cloned()).unwrap_or_else(|| "usd".to_owned());
    let id = insert(state, &customer, &currency, creation.automatic_tax.enabled, metadata);
    let discount = state.customers.get(&customer)?.discount.clone();
    let custom_fields = custom_fields.map(|fields| fields.checked("custom_fields")).transpose()?;
    let invoice = state.invoices.get_mut(&id)?;
    if let Some(fields) = custom_fields {
        invoice.custom_fields = fields;
    }
    invoice.discount = discount;
    invoice.auto_advance = creation.auto_advance;
    invoice.collection_method = collection_method;
    invoice.default_payment_method = creation.default_payment_method;
    invoice.description = creation.description;
    invoice.footer = creation.footer;
    invoice.due_date = due_date;
    invoice_item::move_to_invoice(state, &pending, &id);
    state.emit("invoice.created", &id);
    Ok(state.render(&id))
}

fn invalid_choice(param: &str, allowed: &str) -> ApiError {
    ApiError::invalid_parameter("parameter_invalid", param, format!("Invalid {param}: must be {allowed}."))
}

/// A draft. No event announces it yet.
pub(crate) fn insert(
    state: &mut State,
    customer: &str,
    currency: &str,
    has_automatic_tax: bool,
    metadata: Metadata,
) -> String {
    let id = state.ids.next("in_");
    let owner = state.customers.find(customer);
    let custom_fields = owner.map(|owner| owner.custom_fields.clone()).unwrap_or_default();
    let invoice = Invoice {
        id: id.clone(),
        created: state.now_seconds(),
        customer: customer.to_owned(),
        currency: currency.to_owned(),
        status: Status::Draft,
        auto_advance: false,
        has_automatic_tax,
        collection_method: "charge_automatically".to_owned(),
        default_payment_method: None,
        description: None,
        footer: None,
        due_date: None,
        custom_fields,
        billed_to: None,
        metadata,
        number: None,
        attempt_count: 0,
        last_finalization_error: None,
        transitions: Transitions::default(),
        discount: None,
        demand: None,
        amount_paid: 0,
        amount_overpaid: 0,
        amount_paid_off_stripe: 0,
        pre_payment_credited: 0,
        post_payment_credited: 0,
    };
    state.invoices.insert(&id, invoice);
    id
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Update {
    auto_advance: Option<bool>,
    automatic_tax: Option<AutomaticTax>,
    default_payment_method: Option<String>,
    description: Option<String>,
    footer: Option<String>,
    metadata: Option<MetadataChange>,
}

/// On a finalized invoice, only metadata, default payment method and automatic advancement can be changed:
/// <https://docs.stripe.com/invoicing/invoice-edits>.
pub(crate) fn update(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    let update: Update = parse(encoded)?;
    let invoice = state.invoices.get(id)?;
    let before = invoice.render(state);
    let metadata = merge_metadata(&invoice.metadata, update.metadata)?;
    let edits_content = update.automatic_tax.is_some() || update.description.is_some() || update.footer.is_some();
    if edits_content && invoice.status != Status::Draft {
        let message = "A finalized invoice can no longer be edited.";
        return Err(ApiError::invalid_state(Some("invoice_not_editable"), message));
    }
    if let Some(method) = update.default_payment_method.as_deref().filter(|method| !method.is_empty()) {
        payment_method::require_attached(state, method, &invoice.customer, "default_payment_method")?;
    }
    let invoice = state.invoices.get_mut(id)?;
    invoice.metadata = metadata;
    invoice.auto_advance = update.auto_advance.unwrap_or(invoice.auto_advance);
    invoice.has_automatic_tax = update.automatic_tax.map_or(invoice.has_automatic_tax, |tax| tax.enabled);
    set(&mut invoice.default_payment_method, update.default_payment_method);
    set(&mut invoice.description, update.description);
    set(&mut invoice.footer, update.footer);
    state.emit_update("invoice.updated", id, &before);
    Ok(state.render(id))
}

pub(crate) fn retrieve(state: &State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    Ok(state.invoices.get(id)?.render(state))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Finalization {
    auto_advance: Option<bool>,
}

pub(crate) fn finalize(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    let finalization: Finalization = parse(encoded)?;
    let invoice = state.invoices.get_mut(id)?;
    if invoice.status != Status::Draft {
        let message = "This invoice is already finalized; only a draft can be finalized.";
        return Err(ApiError::invalid_state(None, message));
    }
    invoice.auto_advance = finalization.auto_advance.unwrap_or(invoice.auto_advance);
    invoice::finalize(state, id)?;
    Ok(state.render(id))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Payment {
    payment_method: Option<String>,
    off_session: Option<bool>,
    paid_out_of_band: bool,
}

/// <https://docs.stripe.com/api/invoices/pay>
///
/// # Errors
/// 400 for a paid or voided invoice, or without a usable payment method. 402 if the bank declines or requires
/// authentication; the invoice then remains open.
pub(crate) fn pay(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    let payment: Payment = parse(encoded)?;
    let invoice = state.invoices.get(id)?;
    match invoice.status {
        Status::Draft | Status::Open | Status::Uncollectible => {}
        Status::Paid => return Err(ApiError::invalid_state(None, "Invoice is already paid")),
        Status::Void => return Err(ApiError::invalid_state(None, "A voided invoice cannot be paid.")),
    }
    invoice_payment::require_not_processing(state, id)?;
    if payment.paid_out_of_band {
        if invoice.status == Status::Draft {
            return Err(ApiError::invalid_state(None, "Only a finalized invoice can be marked as paid out of band."));
        }
        let due = invoice.amount_remaining(state);
        invoice::pay_part(state, id, None, due)?;
        return Ok(state.render(id));
    }
    if let Some(given) = &payment.payment_method {
        payment_method::require_attached(state, given, &invoice.customer, "payment_method")?;
    }
    let payment_method = payment.payment_method.or_else(|| invoice::default_payment_method(state, invoice));
    let payment_method = payment_method.ok_or_else(invoice::no_payment_method)?;
    if invoice.status == Status::Draft {
        invoice::finalize(state, id)?;
    }
    let Some(intent) = invoice_payment::intent_of_invoice(state, id) else {
        return Ok(state.render(id));
    };
    match payment_intent::attempt(state, &intent, &payment_method, payment.off_session.unwrap_or(true))? {
        Outcome::Succeeded | Outcome::Processing => Ok(state.render(id)),
        Outcome::Declined(refusal) => Err(refusal),
        Outcome::ActionRequired => {
            let message = "The customer has to authenticate this payment before it can be completed.";
            let refusal = ApiError::card("invoice_payment_intent_requires_action", None, message);
            Err(refusal.with("payment_intent", state.render(&intent)))
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attachment {
    payment_intent: Option<String>,
}

/// Counts a payment of its own for an open invoice: <https://docs.stripe.com/api/invoices/attach_payment>.
///
/// # Errors
/// Unless the payment has succeeded, is the same customer's in the same currency, and pays nothing else. Stripe also takes
/// payments that have yet to succeed.
pub(crate) fn attach_payment(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    let attachment: Attachment = parse(encoded)?;
    let given = required(attachment.payment_intent, "payment_intent")?;
    let intent = state.payment_intents.get_for(&given, "payment_intent")?;
    let invoice = state.invoices.get(id)?;
    let is_such = intent.customer.as_ref() == Some(&invoice.customer)
        && intent.currency == invoice.currency
        && intent.status == payment_intent::Status::Succeeded
        && !invoice_payment::is_attached(state, &given);
    if invoice.status != Status::Open || !is_such {
        let message =
            "Only a payment of the same customer and currency that pays nothing else is attached to an open invoice.";
        return Err(ApiError::invalid_parameter("parameter_invalid", "payment_intent", message));
    }
    invoice_payment::require_not_processing(state, id)?;
    let amount = intent.amount;
    invoice::pay_part(state, id, Some(given), amount)?;
    Ok(state.render(id))
}

pub(crate) fn void(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    match state.invoices.get(id)?.status {
        Status::Open | Status::Uncollectible => {}
        other => {
            let message =
                format!("Only an open or uncollectible invoice can be voided; this one is {}.", other.as_str());
            return Err(ApiError::invalid_state(None, message));
        }
    }
    invoice::void(state, id)?;
    Ok(state.render(id))
}

pub(crate) fn mark_uncollectible(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    let before = state.invoices.get(id)?.render(state);
    let now = state.now_seconds();
    let invoice = state.invoices.get_mut(id)?;
    if invoice.status != Status::Open {
        return Err(ApiError::invalid_state(None, "Only an open invoice can be marked uncollectible."));
    }
    invoice.status = Status::Uncollectible;
    invoice.transitions.marked_uncollectible_at = Some(now);
    state.emit_update("invoice.updated", id, &before);
    state.emit("invoice.marked_uncollectible", id);
    Ok(state.render(id))
}

/// Only a draft can be deleted, together with its items.
pub(crate) fn delete(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    let invoice = state.invoices.get(id)?;
    if invoice.status != Status::Draft {
        return Err(ApiError::invalid_state(None, "Only a draft can be deleted; void a finalized invoice instead."));
    }
    let object = invoice.render(state);
    invoice_item::delete_of_invoice(state, id);
    state.invoices.remove(id);
    state.emit_object("invoice.deleted", object, None);
    Ok(json!({ "id": id, "object": "invoice", "deleted": true }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    customer: Option<String>,
    status: Option<String>,
    collection_method: Option<String>,
    created: Option<CreatedRange>,
}

pub(crate) fn list(state: &State, encoded: &[u8]) -> Result<Value, ApiError> {
    let filters: Filters = parse_filters(encoded)?;
    if let Some(status) = &filters.status
        && !["draft", "open", "paid", "uncollectible", "void"].contains(&status.as_str())
    {
        return Err(invalid_choice("status", "draft, open, paid, uncollectible or void"));
    }
    state.list(&state.invoices, &Page::parse(encoded)?, "/v1/invoices", |invoice| {
        filters.customer.as_ref().is_none_or(|customer| invoice.customer == *customer)
            && filters.status.as_ref().is_none_or(|status| invoice.status.as_str() == status)
            && filters.collection_method.as_ref().is_none_or(|method| invoice.collection_method == *method)
            && filters.created.is_none_or(|range| range.contains(invoice.created))
    })
}

pub(crate) fn search(state: &State, encoded: &[u8]) -> Result<Value, ApiError> {
    search::search(state, &state.invoices, ("/v1/invoices/search", encoded), |invoice| {
        Some(search::Indexed {
            created: invoice.created,
            number: invoice.number.as_deref(),
            email: None,
            metadata: &invoice.metadata,
        })
    })
}

pub(crate) fn list_lines(state: &State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse_filters::<NoParameters>(encoded)?;
    state.invoices.get(id)?;
    let lines = invoice_item::of_invoice(state, id).map(|item| item.render_line()).collect();
    Ok(list_of(lines, false, &format!("/v1/invoices/{id}/lines")))
}
