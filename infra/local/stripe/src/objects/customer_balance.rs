//! A customer's balance, which is a credit if negative and a debt if positive, and every change to it.
//!
//! <https://docs.stripe.com/billing/customer/balance>

use serde::Deserialize;
use serde_json::{Value, json};

use super::customer;
use crate::error::ApiError;
use crate::parameters::{
    Metadata, MetadataChange, NoParameters, Page, currency, merge_metadata, parse, parse_filters, required,
};
use crate::state::{Resource, State};

/// Why the balance changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reason {
    Adjustment,
    AppliedToInvoice(String),
    UnappliedFromInvoice(String),
    /// The credit note and its invoice.
    CreditNote(String, String),
}

impl Reason {
    fn as_str(&self) -> &'static str {
        match self {
            Self::Adjustment => "adjustment",
            Self::AppliedToInvoice(_) => "applied_to_invoice",
            Self::UnappliedFromInvoice(_) => "unapplied_from_invoice",
            Self::CreditNote(..) => "credit_note",
        }
    }

    fn invoice(&self) -> Option<&str> {
        match self {
            Self::Adjustment => None,
            Self::AppliedToInvoice(invoice) | Self::UnappliedFromInvoice(invoice) | Self::CreditNote(_, invoice) => {
                Some(invoice)
            }
        }
    }

    fn credit_note(&self) -> Option<&str> {
        match self {
            Self::CreditNote(note, _) => Some(note),
            _ => None,
        }
    }
}

#[derive(Debug)]
pub(crate) struct CustomerBalanceTransaction {
    id: String,
    created: i64,
    customer: String,
    amount: i64,
    currency: String,
    ending_balance: i64,
    reason: Reason,
    description: Option<String>,
    metadata: Metadata,
}

impl Resource for CustomerBalanceTransaction {
    const NAME: &'static str = "customer_balance_transaction";

    fn render(&self, _: &State) -> Value {
        json!({
            "id": self.id,
            "object": "customer_balance_transaction",
            "amount": self.amount,
            "checkout_session": null,
            "created": self.created,
            "credit_note": self.reason.credit_note(),
            "currency": self.currency,
            "customer": self.customer,
            "description": self.description,
            "ending_balance": self.ending_balance,
            "invoice": self.reason.invoice(),
            "livemode": false,
            "metadata": self.metadata,
            "type": self.reason.as_str(),
        })
    }
}

/// The part of the customer's balance that applies to an invoice in `currency`.
pub(crate) fn of(state: &State, customer: &str, currency: &str) -> i64 {
    let owner = state.customers.find(customer);
    owner.filter(|owner| owner.currency.as_deref() == Some(currency)).map_or(0, |owner| owner.balance)
}

/// Adds `amount` to the balance: a negative amount gives credit, a positive one makes a debt.
///
/// # Errors
/// If the customer's balance is in another currency.
pub(crate) fn change(
    state: &mut State,
    customer: &str,
    amount: i64,
    currency: &str,
    reason: Reason,
) -> Result<String, ApiError> {
    let before = state.render(customer);
    let id = record(state, customer, amount, currency, reason)?;
    if amount != 0 {
        state.emit_update("customer.updated", customer, &before);
    }
    Ok(id)
}

/// [`change`] without its event, for a customer that no event has announced yet.
pub(crate) fn record(
    state: &mut State,
    customer: &str,
    amount: i64,
    currency: &str,
    reason: Reason,
) -> Result<String, ApiError> {
    let owner = state.customers.get_mut(customer)?;
    match &owner.currency {
        Some(own) if own != currency && owner.balance != 0 => {
            let message = format!("The balance of this customer is kept in {own}, not in {currency}.");
            return Err(ApiError::invalid_state(None, message));
        }
        _ => owner.currency = Some(currency.to_owned()),
    }
    owner.balance += amount;
    let ending_balance = owner.balance;
    let id = state.ids.next("cbtxn_");
    let transaction = CustomerBalanceTransaction {
        id: id.clone(),
        created: state.now_seconds(),
        customer: customer.to_owned(),
        amount,
        currency: currency.to_owned(),
        ending_balance,
        reason,
        description: None,
        metadata: Metadata::new(),
    };
    state.customer_balance_transactions.insert(&id, transaction);
    Ok(id)
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Creation {
    amount: Option<i64>,
    currency: Option<String>,
    description: Option<String>,
    metadata: Option<MetadataChange>,
}

/// `POST /v1/customers/{customer}/balance_transactions`
pub(crate) fn create(state: &mut State, customer: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    let creation: Creation = parse(encoded)?;
    let amount = required(creation.amount, "amount")?;
    let currency = currency(&required(creation.currency, "currency")?)?;
    let metadata = merge_metadata(&Metadata::new(), creation.metadata)?;
    customer::existing(state, customer, None)?;
    let id = change(state, customer, amount, &currency, Reason::Adjustment)?;
    let transaction = state.customer_balance_transactions.get_mut(&id)?;
    transaction.description = creation.description;
    transaction.metadata = metadata;
    Ok(state.render(&id))
}

pub(crate) fn retrieve(state: &State, customer: &str, id: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse::<NoParameters>(encoded)?;
    let found = state.customer_balance_transactions.find(id).filter(|transaction| transaction.customer == customer);
    let found = found.ok_or_else(|| ApiError::no_such(CustomerBalanceTransaction::NAME, id, None))?;
    Ok(found.render(state))
}

pub(crate) fn list(state: &State, customer: &str, encoded: &[u8]) -> Result<Value, ApiError> {
    parse_filters::<NoParameters>(encoded)?;
    customer::existing(state, customer, None)?;
    let url = format!("/v1/customers/{customer}/balance_transactions");
    state.list(&state.customer_balance_transactions, &Page::parse(encoded)?, &url, |transaction| {
        transaction.customer == customer
    })
}
