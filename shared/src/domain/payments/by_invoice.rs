//! What is known of the invoice of a purchase: its terms, its amounts, and when it is due. Only values.

use super::billing_details::PoNumber;
use crate::domain::{InvoiceId, PaymentMethodId, PriceBook};
use jiff::{SignedDuration, Timestamp};

/// What the customer asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvoiceTerms {
    /// One of [`PriceBook::DAYS_UNTIL_DUE`].
    pub days_until_due: u8,
    /// The number of the customer's order, for this invoice alone.
    pub po_number: Option<PoNumber>,
}

/// How a purchase is paid by invoice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ByInvoice {
    pub terms: InvoiceTerms,
    /// `None` until the invoice is finalized and the customer is told.
    pub issued: Option<IssuedInvoice>,
    /// How many of the reminders were sent or passed over.
    pub reminders: u8,
    /// Whether the company marked the invoice as paid, because the money did not come through the payment provider.
    pub is_paid_out_of_band: bool,
}

/// What is known of a finalized invoice. Amounts are in the minor unit of the purchase's currency, with tax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuedInvoice {
    /// As it is printed.
    pub number: Option<String>,
    pub total: i64,
    pub due_at: Timestamp,
    /// What was paid so far, as far as it is known.
    pub amount_paid: i64,
    /// What was paid beyond what was due.
    pub overpaid: i64,
}

/// A finalized invoice, as it is stored and told for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewInvoice {
    pub id: InvoiceId,
    pub number: Option<String>,
    pub total: i64,
    pub due_at: Timestamp,
}

/// The customer's default card before an invoice was made, and a time before it was read, so that every later choice counts
/// as newer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefaultBefore {
    pub card: Option<PaymentMethodId>,
    pub read_at: Timestamp,
}

/// Why a customer is reminded of an invoice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InvoiceReminder {
    DueSoon,
    Overdue,
    /// The bank did not make a debit that the customer had ordered.
    PaymentFailed,
}

impl InvoiceReminder {
    pub const ALL: [Self; 3] = [Self::DueSoon, Self::Overdue, Self::PaymentFailed];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::DueSoon => "due_soon",
            Self::Overdue => "overdue",
            Self::PaymentFailed => "payment_failed",
        }
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reminder| reminder.name() == name)
    }
}

impl ByInvoice {
    pub fn new(terms: InvoiceTerms) -> Self {
        Self { terms, issued: None, reminders: 0, is_paid_out_of_band: false }
    }
}

impl IssuedInvoice {
    /// What is left to pay.
    pub fn remaining(&self) -> i64 {
        self.total.saturating_sub(self.amount_paid).max(0)
    }

    /// When a reminder is due. `None` if there are no more.
    pub(super) fn reminder_at(&self, number: usize) -> Option<Timestamp> {
        PriceBook::INVOICE_REMINDERS.get(number).map(|distance| from(self.due_at, *distance))
    }

    /// When it is voided unless it is paid.
    pub fn voided_at(&self) -> Timestamp {
        from(self.due_at, PriceBook::INVOICE_GRACE)
    }
}

fn from(due_at: Timestamp, distance: SignedDuration) -> Timestamp {
    due_at.saturating_add(distance).unwrap_or(Timestamp::MAX)
}
