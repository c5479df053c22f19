//! Credit notes, which take back a part of a finalized invoice. <https://docs.stripe.com/api/credit_notes>
//!
//! A credit note first reduces the amount due. The rest of it gives back what was paid.
//! The requests are in [`super::credit_note_operations`].

use serde_json::{Value, json};

use super::invoice::{self, Status as InvoiceStatus};
use super::{invoice_payment, payment_intent};
use crate::error::ApiError;
use crate::parameters::Metadata;
use crate::state::{Resource, State, list_of};

#[derive(Debug, Clone)]
pub(crate) struct Line {
    pub(crate) id: String,
    pub(crate) description: Option<String>,
    pub(crate) amount: i64,
    pub(crate) quantity: i64,
    pub(crate) invoice_line_item: Option<String>,
}

#[derive(Debug)]
pub(crate) struct CreditNote {
    pub(crate) id: String,
    pub(crate) created: i64,
    pub(crate) number: String,
    pub(crate) invoice: String,
    pub(crate) customer: String,
    pub(crate) currency: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) subtotal: i64,
    pub(crate) tax: i64,
    /// The part that reduces the amount due.
    pub(crate) pre_payment_amount: i64,
    /// The part that gives back a payment, by each of the three ways.
    pub(crate) post_payment: GivenBack,
    pub(crate) balance_transaction: Option<String>,
    /// Id and amount.
    pub(crate) refunds: Vec<(String, i64)>,
    pub(crate) memo: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) metadata: Metadata,
    pub(crate) voided_at: Option<i64>,
}

/// In minor units of the currency.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct GivenBack {
    pub(crate) refunded: i64,
    /// To the customer's balance.
    pub(crate) credited: i64,
    /// Outside of Stripe.
    pub(crate) out_of_band: i64,
}

impl GivenBack {
    pub(crate) fn total(self) -> i64 {
        self.refunded + self.credited + self.out_of_band
    }

    pub(crate) fn is_sensible(self) -> bool {
        [self.refunded, self.credited, self.out_of_band].iter().all(|amount| *amount >= 0)
    }
}

impl CreditNote {
    pub(crate) fn total(&self) -> i64 {
        self.subtotal + self.tax
    }

    fn kind(&self) -> &'static str {
        match (self.pre_payment_amount, self.post_payment.total()) {
            (_, 0) => "pre_payment",
            (0, _) => "post_payment",
            _ => "mixed",
        }
    }

    pub(crate) fn render_lines(&self) -> Value {
        let lines = self.lines.iter().map(|line| {
            json!({
                "id": line.id,
                "object": "credit_note_line_item",
                "amount": line.amount,
                "description": line.description,
                "discount_amount": 0,
                "discount_amounts": [],
                "invoice_line_item": line.invoice_line_item,
                "livemode": false,
                "metadata": {},
                "pretax_credit_amounts": [],
                "quantity": line.quantity,
                "tax_rates": [],
                "taxes": [],
                "type": if line.invoice_line_item.is_some() { "invoice_line_item" } else { "custom_line_item" },
                "unit_amount": line.invoice_line_item.is_none().then(|| line.amount / line.quantity.max(1)),
            })
        });
        list_of(lines.collect(), false, &format!("/v1/credit_notes/{}/lines", self.id))
    }
}

impl Resource for CreditNote {
    const NAME: &'static str = "credit_note";

    fn render(&self, state: &State) -> Value {
        let refunds = self.refunds.iter().map(|(refund, amount)| {
            json!({ "amount_refunded": amount, "payment_record_refund": null, "refund": refund, "type": "refund" })
        });
        json!({
            "id": self.id,
            "object": "credit_note",
            "amount": self.total(),
            "amount_shipping": 0,
            "created": self.created,
            "currency": self.currency,
            "customer": self.customer,
            "customer_balance_transaction": self.balance_transaction,
            "discount_amount": 0,
            "discount_amounts": [],
            "effective_at": self.created,
            "invoice": self.invoice,
            "lines": self.render_lines(),
            "livemode": false,
            "memo": self.memo,
            "metadata": self.metadata,
            "number": self.number,
            "out_of_band_amount": self.post_payment.out_of_band,
            "pdf": state.url(&format!("/credit_notes/{}/pdf", self.id)),
            "post_payment_amount": self.post_payment.total(),
            "pre_payment_amount": self.pre_payment_amount,
            "pretax_credit_amounts": [],
            "reason": self.reason,
            "refunds": refunds.collect::<Vec<_>>(),
            "shipping_cost": null,
            "status": if self.voided_at.is_some() { "void" } else { "issued" },
            "subtotal": self.subtotal,
            "subtotal_excluding_tax": self.subtotal,
            "total": self.total(),
            "total_excluding_tax": self.subtotal,
            "total_taxes": [],
            "type": self.kind(),
            "voided_at": self.voided_at,
        })
    }
}

pub(crate) fn of_invoice<'state>(
    state: &'state State,
    invoice: &'state str,
) -> impl Iterator<Item = &'state CreditNote> {
    state.credit_notes.iter().map(|(_, note)| note).filter(move |note| note.invoice == invoice)
}

/// An invoice with no amount due is `paid`, even if nothing was paid.
pub(crate) fn lower_demand(state: &mut State, invoice: &str, amount: i64) -> Result<(), ApiError> {
    let before = state.render(invoice);
    state.invoices.get_mut(invoice)?.pre_payment_credited += amount;
    let left = state.invoices.get(invoice)?.amount_remaining(state);
    if left > 0 {
        invoice_payment::request(state, invoice, left)?;
        state.emit_update("invoice.updated", invoice, &before);
        return Ok(());
    }
    if let Some(intent) = invoice_payment::intent_of_invoice(state, invoice) {
        payment_intent::cancel(state, &intent, "automatic")?;
    }
    invoice_payment::cancel(state, invoice);
    invoice::mark_paid(state, invoice)
}

/// Only a credit note that reduced the amount due of an open invoice can be voided.
pub(crate) fn void(state: &mut State, id: &str) -> Result<(), ApiError> {
    let note = state.credit_notes.get(id)?;
    let (invoice, amount) = (note.invoice.clone(), note.pre_payment_amount);
    let is_open = state.invoices.get(&invoice)?.status == InvoiceStatus::Open;
    if note.voided_at.is_some() || note.post_payment.total() > 0 || !is_open {
        let message = "Only an issued credit note of an open invoice can be voided.";
        return Err(ApiError::invalid_state(None, message));
    }
    invoice_payment::require_not_processing(state, &invoice)?;
    let before = state.render(&invoice);
    state.credit_notes.get_mut(id)?.voided_at = Some(state.now.as_second());
    state.invoices.get_mut(&invoice)?.pre_payment_credited -= amount;
    let left = state.invoices.get(&invoice)?.amount_remaining(state);
    invoice_payment::request(state, &invoice, left)?;
    state.emit("credit_note.voided", id);
    state.emit_update("invoice.updated", &invoice, &before);
    Ok(())
}
