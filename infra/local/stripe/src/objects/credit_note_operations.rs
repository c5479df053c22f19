//! The requests on credit notes: <https://docs.stripe.com/api/credit_notes>.

use serde::Deserialize;
use serde_json::Value;

use super::credit_note::{self, CreditNote, GivenBack, Line};
use super::customer_balance::{self, Reason};
use super::invoice::{Invoice, Status};
use super::{invoice_item, invoice_payment, refund};
use crate::currencies::require_step;
use crate::error::ApiError;
use crate::parameters::{
    CreatedRange, Metadata, MetadataChange, NoParameters, Page, merge_metadata, parse, parse_filters, required, set,
};
use crate::state::{Resource, State};

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LineFields {
    #[serde(rename = "type")]
    kind: Option<String>,
    amount: Option<i64>,
    description: Option<String>,
    invoice_line_item: Option<String>,
    quantity: Option<i64>,
    unit_amount: Option<i64>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Creation {
    invoice: Option<String>,
    amount: Option<i64>,
    lines: Vec<LineFields>,
    credit_amount: i64,
    refund_amount: i64,
    out_of_band_amount: i64,
    memo: Option<String>,
    reason: Option<String>,
    metadata: Option<MetadataChange>,
    #[serde(rename = "email_type")]
    _email_type: Option<String>,
}

/// The amount and the lines that are taken back.
struct Content {
    lines: Vec<Line>,
    subtotal: i64,
    tax: i64,
}

/// # Errors
/// 400 for an invoice that is neither open nor paid or whose payment is processing, for a larger amount than the
/// invoice's, and if the three ways of giving back do not add up to the part that was already paid.
pub(crate) fn create(state: &mut State, encoded: &[u8]) -> Result<Value, ApiError> {
    let creation: Creation = parse(encoded)?;
    let invoice_id = required(creation.invoice.clone(), "invoice")?;
    let metadata = merge_metadata(&Metadata::new(), creation.metadata)?;
    require_reason(creation.reason.as_deref())?;
    let invoice = state.invoices.get_for(&invoice_id, "invoice")?;
    if !matches!(invoice.status, Status::Open | Status::Paid) {
        let message = format!("Only an open or paid invoice can be credited; this one is {}.", invoice.status.as_str());
        return Err(ApiError::invalid_state(None, message));
    }
    invoice_payment::require_not_processing(state, &invoice_id)?;
    let content = content(state, invoice, creation.amount, &creation.lines)?;
    let total = content.subtotal + content.tax;
    require_step(total, &invoice.currency, "amount")?;
    let creditable = invoice.creditable(state);
    if total < 1 || total > creditable {
        let message = format!("The credit note must be for 1 to {creditable}, which is what is left of the invoice.");
        return Err(ApiError::invalid_state(None, message));
    }
    let pre_payment_amount =
        if invoice.status == Status::Open { total.min(invoice.amount_remaining(state)) } else { 0 };
    let post_payment = GivenBack {
        refunded: creation.refund_amount,
        credited: creation.credit_amount,
        out_of_band: creation.out_of_band_amount,
    };
    if !post_payment.is_sensible() || post_payment.total() != total - pre_payment_amount {
        let message = format!(
            "The sum of refund_amount, credit_amount and out_of_band_amount must be {}, the part of the credit note \
             that is not taken off the amount due.",
            total - pre_payment_amount
        );
        return Err(ApiError::invalid_state(None, message));
    }
    let count = credit_note::of_invoice(state, &invoice_id).count() + 1;
    let number = format!("{}-CN-{count:02}", invoice.number.as_deref().unwrap_or_default());
    let (customer, currency) = (invoice.customer.clone(), invoice.currency.clone());
    let id = state.ids.next("cn_");
    let mut lines = content.lines;
    for (index, line) in lines.iter_mut().enumerate() {
        line.id = format!("{}{index}", id.replacen("cn_", "cnli_", 1));
    }
    let note = CreditNote {
        id: id.clone(),
        created: state.now_seconds(),
        number,
        invoice: invoice_id,
        customer,
        currency,
        lines,
        subtotal: content.subtotal,
        tax: content.tax,
        pre_payment_amount,
        post_payment,
        balance_transaction: None,
        refunds: Vec::new(),
        memo: creation.memo,
        reason: creation.reason,
        metadata,
        voided_at: None,
    };
    issue(state, note)?;
    Ok(state.render(&id))
}

fn issue(state: &mut State, note: CreditNote) -> Result<(), ApiError> {
    let (id, invoice) = (note.id.clone(), note.invoice.clone());
    let (pre_payment_amount, post_payment) = (note.pre_payment_amount, note.post_payment);
    let (customer, currency) = (note.customer.clone(), note.currency.clone());
    let refunds = match post_payment.refunded {
        0 => Vec::new(),
        amount => vec![(refund::of_invoice(state, &invoice, amount)?, amount)],
    };
    state.credit_notes.insert(&id, CreditNote { refunds, ..note });
    if post_payment.credited != 0 {
        let reason = Reason::CreditNote(id.clone(), invoice.clone());
        let transaction = customer_balance::change(state, &customer, -post_payment.credited, &currency, reason)?;
        state.credit_notes.get_mut(&id)?.balance_transaction = Some(transaction);
    }
    state.emit("credit_note.created", &id);
    if post_payment.total() > 0 {
        let before = state.render(&invoice);
        state.invoices.get_mut(&invoice)?.post_payment_credited += post_payment.total();
        state.emit_update("invoice.updated", &invoice, &before);
    }
    if pre_payment_amount > 0 { credit_note::lower_demand(state, &invoice, pre_payment_amount) } else { Ok(()) }
}

fn require_reason(reason: Option<&str>) -> Result<(), ApiError> {
    let reasons = ["duplicate", "fraudulent", "order_change", "product_unsatisfactory"];
    if reason.is_none_or(|reason| reasons.contains(&reason)) {
        return Ok(());
    }
    let message = format!("Invalid reason: must be one of {}.", reasons.join(", "));
    Err(ApiError::invalid_parameter("parameter_invalid", "reason", message))
}

/// A bare amount includes its tax. For lines, tax is added, as on the invoice.
fn content(state: &State, invoice: &Invoice, amount: Option<i64>, fields: &[LineFields]) -> Result<Content, ApiError> {
    if fields.is_empty() {
        let subtotal = required(amount, "amount")?;
        return Ok(Content { lines: Vec::new(), subtotal, tax: 0 });
    }
    let lines: Vec<Line> = fields
        .iter()
        .enumerate()
        .map(|(index, line)| read_line(state, invoice, line, index))
        .collect::<Result<_, _>>()?;
    let subtotal = lines.iter().map(|line| line.amount).sum();
    let tax = if invoice.has_automatic_tax { state.tax_on(subtotal, &invoice.currency) } else { 0 };
    if amount.is_some_and(|amount| amount != subtotal + tax) {
        let message = format!("The lines add up to {}, which is not the given amount.", subtotal + tax);
        return Err(ApiError::invalid_state(None, message));
    }
    Ok(Content { lines, subtotal, tax })
}

fn read_line(state: &State, invoice: &Invoice, fields: &LineFields, index: usize) -> Result<Line, ApiError> {
    let name = |field: &str| format!("lines[{index}][{field}]");
    let id = String::new();
    match required(fields.kind.as_deref(), &name("type"))? {
        "custom_line_item" => {
            let quantity = fields.quantity.unwrap_or(1);
            Ok(Line {
                id,
                description: Some(required(fields.description.clone(), &name("description"))?),
                amount: required(fields.unit_amount, &name("unit_amount"))? * quantity,
                quantity,
                invoice_line_item: None,
            })
        }
        "invoice_line_item" => {
            let given = required(fields.invoice_line_item.clone(), &name("invoice_line_item"))?;
            let found = invoice_item::of_invoice(state, &invoice.id).find(|item| item.line_id() == given);
            let item = found.ok_or_else(|| ApiError::no_such("line_item", &given, Some(&name("invoice_line_item"))))?;
            Ok(Line {
                id,
                description: item.description.clone(),
                amount: fields.amount.unwrap_or(item.amount),
                quantity: fields.quantity.unwrap_or(1),
                invoice_line_item: Some(given),
            })
        }
        _ => {
            let message = "Invalid type: must be invoice_line_item or custom_line_item.";
            Err(ApiError::invalid_parameter("parameter_invalid", name("type"), message))
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Update {
    memo: Option<String>,
    metadata: Option<MetadataChange>,
}

pub(crate) fn update(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    let update: Update = parse(encoded)?;
    let before = state.credit_notes.get(id)?.render(state);
    let note = state.credit_notes.get_mut(id)?;
    note.metadata = merge_metadata(&note.metadata, update.metadata)?;
    set(&mut note.memo, update.memo);
    state.emit_update("credit_note.updated", id, &before);
    Ok(state.render(id))
}

pub(crate) fn void(state: &mut State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    credit_note::void(state, id)?;
    Ok(state.render(id))
}

pub(crate) fn retrieve(state: &State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    Ok(state.credit_notes.get(id)?.render(state))
}

pub(crate) fn list_lines(state: &State, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse_filters::<NoParameters>(encoded)?;
    Ok(state.credit_notes.get(id)?.render_lines())
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Filters {
    customer: Option<String>,
    invoice: Option<String>,
    created: Option<CreatedRange>,
}

pub(crate) fn list(state: &State, encoded: &[u8]) -> Result<Value, ApiError> {
    let filters: Filters = parse_filters(encoded)?;
    state.list(&state.credit_notes, &Page::parse(encoded)?, "/v1/credit_notes", |note| {
        filters.customer.as_ref().is_none_or(|customer| note.customer == *customer)
            && filters.invoice.as_ref().is_none_or(|invoice| note.invoice == *invoice)
            && filters.created.is_none_or(|range| range.contains(note.created))
    })
}
