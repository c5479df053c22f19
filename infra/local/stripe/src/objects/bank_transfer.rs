//! Bank transfers to a customer's cash balance, and how they pay invoices.
//!
//! <https://docs.stripe.com/payments/customer-balance/reconciliation>: an invoice is paid only by funds that cover all of it;
//! it is never partially funded. What is left stays on the cash balance and pays a later invoice.

use super::invoice::{self, Status};
use super::payment_intent::{self, Outcome};
use super::{customer, invoice_payment};
use crate::error::ApiError;
use crate::parameters;
use crate::state::State;

/// A transfer arrives.
///
/// # Errors
/// For an unknown customer or currency, or an amount that is not positive.
pub(crate) fn arrive(state: &mut State, customer: &str, currency: &str, amount: i64) -> Result<(), ApiError> {
    let currency = parameters::currency(currency)?;
    customer::existing(state, customer, None)?;
    if amount <= 0 {
        let message = "A transfer is a positive amount.";
        return Err(ApiError::invalid_parameter("parameter_invalid", "amount", message));
    }
    *state.cash_balances.entry((customer.to_owned(), currency)).or_default() += amount;
    reconcile(state, customer)
}

/// Pays the customer's open invoices that are sent, oldest first, as far as the cash balance covers each of them as a whole.
pub(crate) fn reconcile(state: &mut State, customer: &str) -> Result<(), ApiError> {
    let open = state.invoices.iter().filter(|(_, invoice)| {
        invoice.customer == customer && invoice.collection_method == "send_invoice" && invoice.status == Status::Open
    });
    let open: Vec<_> = open.map(|(id, invoice)| (id.to_owned(), invoice.currency.clone())).collect();
    for (id, currency) in open {
        let key = (customer.to_owned(), currency);
        let due = state.invoices.get(&id)?.amount_remaining(state);
        let funds = state.cash_balances.get(&key).copied().unwrap_or_default();
        let is_free = invoice_payment::require_not_processing(state, &id).is_ok();
        let Some(intent) =
            invoice_payment::intent_of_invoice(state, &id).filter(|_| is_free && due > 0 && due <= funds)
        else {
            continue;
        };
        state.cash_balances.insert(key, funds - due);
        payment_intent::succeed_by_transfer(state, &intent)?;
        invoice::follow_payment(state, &id, &Outcome::Succeeded)?;
    }
    Ok(())
}
