//! Invoice items: pending or on a draft, and frozen afterwards. <https://docs.stripe.com/api/invoiceitems>

use serde::Deserialize;
use serde_json::{Value, json};

use super::customer;
use super::invoice::Status;
use crate::currencies::require_step;
use crate::error::ApiError;
use crate::parameters::{
    CreatedRange, Metadata, MetadataChange, NoParameters, Page, currency, merge_metadata, parse, parse_filters,
    required, set,
};
use crate::state::{Resource, State};

#[derive(Debug)]
pub(crate) struct InvoiceItem {
    id: String,
    created: i64,
    customer: String,
    invoice: Option<String>,
    /// In minor units of the currency.
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) description: Option<String>,
    quantity: u64,
    metadata: Metadata,
}

impl InvoiceItem {
    /// The id of its line on the invoice.
    pub(crate) fn line_id(&self) -> String {
        self.id.replacen("ii_", "il_", 1)
    }

    /// Its line in the `lines` of its invoice.
    pub(crate) fn render_line(&self) -> Value {
        json!({
            "id": self.line_id(),
            "object": "line_item",
            "amount": self.amount,
            "currency": self.currency,
            "description": self.description,
            "discount_amounts": [],
            "discountable": true,
            "discounts": [],
            "invoice": self.invoice,
            "livemode": false,
            "metadata": self.metadata,
            "parent": {
                "invoice_item_details": { "invoice_item": self.id, "proration": false, "subscription": null },
                "subscription_item_details": null,
                "type": "invoice_item_details",
            },
            "period": { "end": self.created, "start": self.created },
            "quantity": self.quantity,
            "subtotal": self.amount,
            "taxes": [],
        })
    }
}

impl Resource for InvoiceItem {
    const NAME: &'static str = "invoiceitem";

    fn render(&self, _: &State) -> Value {
        json!({
            "id": self.id,
            "object": "invoiceitem",
            "amount": self.amount,
            "currency": self.currency,
            "customer": self.customer,
            "date": self.created,
            "description": self.description,
            "discountable": true,
            "discounts": [],
            "invoice": self.invoice,
            "livemode": false,
            "metadata": self.metadata,
            "parent": null,
            "period": { "end": self.created, "start": self.created },
            "proration": false,
            "quantity": self.quantity,
            "tax_rates": [],
            "test_clock": null,
        })
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Creation {
    customer: Option<String>,
    invoice: Option<String>,
    amount: Option<i64>,
    currency: Option<String>,
    description: Option<String>,
    metadata: Option<MetadataChange>,
    #[serde(rename = "tax_behavior")]
    _tax_behavior: Option<String>,
    #[serde(rename = "tax_code")]
    _tax_code: Option<String>,
}

pub(crate) fn create(state: &mut State, encoded: &[u8]) -> Result<Value, ApiError> {
    let creation: Creation = parse(encoded)?;
    let customer = required(creation.customer, "customer")?;
    let amount = required(creation.amount, "amount")?;
    let given_currency = creation.currency.as_deref().map(currency).transpose()?;
    let metadata = merge_metadata(&Metadata::new(), creation.metadata)?;
    customer::existing(state, &customer, Some("customer"))?;
    let currency = match &creation.invoice {
        None => required(given_currency, "currency")?,
        Some(invoice) => {
            let invoice = state.invoices.get_for(invoice, "invoice")?;
            if invoice.customer != customer {
                return Err(ApiError::no_such("invoice", &invoice.id, Some("invoice")));
            }
            require_draft(invoice.status)?;
            let currency = given_currency.unwrap_or_else(|| invoice.currency.clone());
            if currency != invoice.currency {
                let message = format!("The invoice is in {}, the item in {currency}.", invoice.currency);
                return Err(ApiError::invalid_state(None, message));
            }
            currency
        }
    };
    require_step(amount, &currency, "amount")?;
    customer::require_currency(state, &customer, &currency)?;
    let item = Draft { customer, invoice: creation.invoice, amount, currency, description: creation.description };
    let id = insert(state, item, 1, metadata);
    state.emit("invoiceitem.created", &id);
    Ok(state.render(&id))
}

/// The content of a new item.
pub(crate) struct Draft {
    pub(crate) customer: String,
    pub(crate) invoice: Option<String>,
    pub(crate) amount: i64,
    pub(crate) currency: String,
    pub(crate) description: Option<String>,
}

pub(crate) fn insert(state: &mut State, draft: Draft, quantity: u64, metadata: Metadata) -> String {
    let id = state.ids.next("ii_");
    let item = InvoiceItem {
        id: id.clone(),
        created: state.now_seconds(),
        customer: draft.customer,
        invoice: draft.invoice,
        amount: draft.amount,
        currency: draft.currency,
        description: draft.description,
        quantity,
        metadata,
    };
    state.invoice_items.insert(&id, item);
    id
}

fn require_draft(status: Status) -> Result<(), ApiError> {
    if status == Status::Draft {
        return Ok(());
    }
    let message = "This invoice is no longer a draft, so its items cannot change.";
    Err(ApiError::invalid_state(Some("invoice_not_editable"), message))
}

fn require_changeable(state: &State, id: &str) -> Result<(), ApiError> {
    match &state.invoice_items.get(id)?.invoice {
        Some(invoice) => require_draft(state.invoices.get(invoice)?.status),
        None => Ok(()),
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Update {
    amount: Option<i64>,
    description: Option<String>,
    metadata: Option<MetadataChange>,
}

pub(crate) fn update(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    let update: Update = parse(encoded)?;
    require_changeable(state, id)?;
    let item = state.invoice_items.get_mut(id)?;
    require_step(update.amount.unwrap_or(item.amount), &item.currency, "amount")?;
    item.metadata = merge_metadata(&item.metadata, update.metadata)?;
    item.amount = update.amount.unwrap_or(item.amount);
    set(&mut item.description, update.description);
    Ok(state.render(id))
}

pub(crate) fn retrieve(state: &State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    Ok(state.invoice_items.get(id)?.render(state))
}

pub(crate) fn delete(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    require_changeable(state, id)?;
    let object = state.render(id);
    state.invoice_items.remove(id);
    state.emit_object("invoiceitem.deleted", object, None);
    Ok(json!({ "id": id, "object": "invoiceitem", "deleted": true }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    customer: Option<String>,
    invoice: Option<String>,
    pending: Option<bool>,
    created: Option<CreatedRange>,
}

pub(crate) fn list(state: &State, encoded: &[u8]) -> Result<Value, ApiError> {
    let filters: Filters = parse_filters(encoded)?;
    state.list(&state.invoice_items, &Page::parse(encoded)?, "/v1/invoiceitems", |item| {
        filters.customer.as_ref().is_none_or(|customer| item.customer == *customer)
            && filters.invoice.as_ref().is_none_or(|invoice| item.invoice.as_ref() == Some(invoice))
            && filters.pending.is_none_or(|is_pending| item.invoice.is_none() == is_pending)
            && filters.created.is_none_or(|range| range.contains(item.created))
    })
}

pub(crate) fn of_invoice<'state>(
    state: &'state State,
    invoice: &'state str,
) -> impl Iterator<Item = &'state InvoiceItem> {
    state.invoice_items.iter().map(|(_, item)| item).filter(move |item| item.invoice.as_deref() == Some(invoice))
}

/// A customer's items that are not on an invoice yet.
pub(crate) fn pending_of(state: &State, customer: &str) -> Vec<String> {
    let pending = state.invoice_items.iter().filter(|(_, item)| item.customer == customer && item.invoice.is_none());
    pending.map(|(id, _)| id.to_owned()).collect()
}

/// The currencies of the items that are not on a finalized invoice yet.
pub(crate) fn waiting_currencies<'state>(
    state: &'state State,
    customer: &'state str,
) -> impl Iterator<Item = &'state str> {
    let is_draft = |invoice: &str| state.invoices.find(invoice).is_some_and(|found| found.status == Status::Draft);
    state
        .invoice_items
        .iter()
        .map(|(_, item)| item)
        .filter(move |item| item.customer == customer && item.invoice.as_deref().is_none_or(is_draft))
        .map(|item| item.currency.as_str())
}

pub(crate) fn move_to_invoice(state: &mut State, items: &[String], invoice: &str) {
    for id in items {
        if let Ok(item) = state.invoice_items.get_mut(id) {
            item.invoice = Some(invoice.to_owned());
        }
    }
}

pub(crate) fn delete_of_invoice(state: &mut State, invoice: &str) {
    let ids: Vec<String> = of_invoice(state, invoice).map(|item| item.id.clone()).collect();
    for id in ids {
        state.invoice_items.remove(&id);
    }
}
